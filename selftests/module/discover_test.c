// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues that nobody registers: they appear with what they are known by, count,
 * change and disappear. Of a VM without a guest: what KVM was asked for is what
 * the module must have seen.
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "discover.h"

#define PORT 0x510
#define MMIO 0xd0000ull
#define GSI 24

/* clang-format off */
FIXTURE(discover) {
	struct t_genl g;
	int kvm;
	int vm;
	int kick;
	int call;
	struct t_vring v[MAX];
	struct t_stats s;
};

/* clang-format on */

static void add_ioeventfd(struct __test_metadata *_metadata, int vm, struct kvm_ioeventfd io)
{
	ASSERT_EQ(0, ioctl(vm, KVM_IOEVENTFD, &io))
	{
		TH_LOG("KVM_IOEVENTFD: %s", strerror(errno));
	}
}

static void set_irqfd(struct __test_metadata *_metadata, int vm, int fd, unsigned int gsi,
		      unsigned int flags)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi, .flags = flags };

	ASSERT_EQ(0, ioctl(vm, KVM_IRQFD, &irqfd))
	{
		TH_LOG("KVM_IRQFD: %s", strerror(errno));
	}
}

FIXTURE_SETUP(discover)
{
	OPEN_OR_SKIP(&self->g);
	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (self->kvm < 0)
		SKIP(return, "needs /dev/kvm (%s): load kvm_amd or kvm_intel", strerror(errno));
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, self->vm);
	ASSERT_EQ(0, ioctl(self->vm, KVM_CREATE_IRQCHIP, 0));
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	discover_begin(_metadata, &self->g);
}

FIXTURE_TEARDOWN(discover)
{
	close(self->vm);
	close(self->kvm);
	discover_end(_metadata, &self->g);
}

TEST_F_TIMEOUT(discover, an_ioeventfd_is_a_kick_with_its_address, SLOW)
{
	const struct t_vring *v = &self->v[0];

	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = PORT,
					      .len = 2,
					      .datamatch = 3,
					      .fd = self->kick,
					      .flags = KVM_IOEVENTFD_FLAG_PIO |
						       KVM_IOEVENTFD_FLAG_DATAMATCH });
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && v->nr_ioeventfds == 2));
	EXPECT_EQ((uint32_t)VRINGLAB_BACKEND_KVM, v->backend);
	EXPECT_STREQ("discover_test", v->owner_comm);
	EXPECT_EQ((uint32_t)getpid(), v->vm_pid);
	EXPECT_NE(0u, v->vm);
	EXPECT_EQ(0u, v->nr_irqfds);
	EXPECT_FALSE(v->has & (HAS(DEVICE) | HAS(PID) | HAS(PERSIST)));
	/* The newest comes first. */
	EXPECT_TRUE(v->ioeventfd[0].pio);
	EXPECT_EQ((uint64_t)PORT, v->ioeventfd[0].address);
	EXPECT_EQ(2u, v->ioeventfd[0].length);
	EXPECT_TRUE(v->ioeventfd[0].has_datamatch);
	EXPECT_EQ(3u, v->ioeventfd[0].datamatch);
	EXPECT_FALSE(v->ioeventfd[1].pio);
	EXPECT_EQ(MMIO, v->ioeventfd[1].address);
	EXPECT_FALSE(v->ioeventfd[1].has_datamatch);
}

/* More than a netlink message has room for. */
TEST_F_TIMEOUT(discover, one_with_many_ioeventfds_is_told_with_some, SLOW)
{
	uint64_t i;

	for (i = 0; i < 200; i++)
		add_ioeventfd(_metadata, self->vm,
			      (struct kvm_ioeventfd){ .addr = MMIO + i * 16,
						      .len = 8,
						      .fd = self->kick,
						      .datamatch = i,
						      .flags = KVM_IOEVENTFD_FLAG_DATAMATCH });
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && self->v[0].nr_ioeventfds == 32));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v[0].id, &self->v[1]));
	EXPECT_EQ(32u, self->v[1].nr_ioeventfds);
}

TEST_F_TIMEOUT(discover, it_counts_from_the_start_and_goes_with_the_last_ioeventfd, SLOW)
{
	struct kvm_ioeventfd io = { .addr = MMIO, .len = 2, .fd = self->kick };
	int i;

	add_ioeventfd(_metadata, self->vm, io);
	ASSERT_OURS(1);
	for (i = 0; i < 7; i++)
		ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v[0].id, &self->s);
	EXPECT_EQ(7u, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ(7u, T_CNT(&self->s, KICKS));
	EXPECT_LAWFUL(&self->s);

	io.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	add_ioeventfd(_metadata, self->vm, io);
	ASSERT_OURS(0);
}

TEST_F_TIMEOUT(discover, what_kvm_refuses_is_not_found, SLOW)
{
	struct kvm_ioeventfd io = { .addr = MMIO, .len = 3, .fd = self->kick };
	struct kvm_irqfd irqfd = { .fd = self->call, .gsi = UINT32_MAX };

	EXPECT_EQ(-1, ioctl(self->vm, KVM_IOEVENTFD, &io));
	irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
	irqfd.resamplefd = -1;
	EXPECT_EQ(-1, ioctl(self->vm, KVM_IRQFD, &irqfd));
	/* In order: when this one is there, those before it would be. */
	io.len = 4;
	io.fd = new_eventfd(_metadata, 0);
	add_ioeventfd(_metadata, self->vm, io);
	ASSERT_OURS(1);
	EXPECT_EQ(4u, self->v[0].ioeventfd[0].length);
}

TEST_F_TIMEOUT(discover, an_irqfd_is_a_call_with_its_gsi, SLOW)
{
	const struct t_vring *v = &self->v[0];
	int i;

	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(1);
	EXPECT_EQ((uint32_t)VRINGLAB_BACKEND_KVM, v->backend);
	EXPECT_EQ(1u, v->nr_irqfds);
	EXPECT_EQ((uint32_t)GSI, v->gsi[0]);
	EXPECT_EQ(0u, v->nr_ioeventfds);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, eventfd_write(self->call, 1));
	stats_get(_metadata, &self->g, v->id, &self->s);
	EXPECT_EQ(5u, T_CNT(&self->s, CALLS));
	EXPECT_EQ(5u, T_CNT(&self->s, CALLS_WRITE));
	EXPECT_LAWFUL(&self->s);

	set_irqfd(_metadata, self->vm, self->call, GSI, KVM_IRQFD_FLAG_DEASSIGN);
	ASSERT_OURS(0);
}

TEST_F_TIMEOUT(discover, both_of_one_vm_have_its_number, SLOW)
{
	int other = ioctl(self->kvm, KVM_CREATE_VM, 0);
	uint32_t vm;

	ASSERT_LE(0, other);
	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	EXPECT_EQ(self->v[0].vm, self->v[1].vm);
	vm = self->v[0].vm;
	add_ioeventfd(
		_metadata, other,
		(struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = new_eventfd(_metadata, 0) });
	ASSERT_OURS(3);
	EXPECT_NE(vm, self->v[2].vm);
	close(other);
	ASSERT_OURS(2);
}

TEST_F_TIMEOUT(discover, they_go_with_their_vm_while_the_eventfds_stay, SLOW)
{
	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	close(self->vm);
	self->vm = -1;
	ASSERT_OURS(0);
	EXPECT_EQ(0, eventfd_write(self->kick, 1));
}

TEST_F_TIMEOUT(discover, they_go_with_their_eventfds_while_the_vm_stays, SLOW)
{
	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	close(self->kick);
	ASSERT_OURS(1);
	EXPECT_EQ(1u, self->v[0].nr_irqfds);
	close(self->call);
	ASSERT_OURS(0);
}

TEST_F_TIMEOUT(discover, an_irqfd_that_was_there_before_is_found_at_its_first_call, SLOW)
{
	int measured = new_eventfd(_metadata, EFD_NONBLOCK);

	ASSERT_EQ(0, t_discover_set(&self->g, false, false));
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	EXPECT_EQ(0u, ours(&self->g, self->v));
	/* Any eventfd that is written shows what is to be known of them all. */
	ASSERT_EQ(0, eventfd_write(measured, 1));
	ASSERT_TRUE(EVENTUALLY(!eventfd_write(self->call, 1) && ours(&self->g, self->v) == 1));
	EXPECT_EQ((uint32_t)GSI, self->v[0].gsi[0]);
	EXPECT_EQ((uint32_t)getpid(), self->v[0].vm_pid);
	stats_get(_metadata, &self->g, self->v[0].id, &self->s);
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	EXPECT_EQ(T_CNT(&self->s, CALLS) + 1,
		  (stats_get(_metadata, &self->g, self->v[0].id, &self->s),
		   T_CNT(&self->s, CALLS)));
	set_irqfd(_metadata, self->vm, self->call, GSI, KVM_IRQFD_FLAG_DEASSIGN);
	ASSERT_OURS(0);
}

/* eventfd-id of the descriptor, -1 if the kernel does not show it. */
static long long eventfd_id(int fd)
{
	char path[64], line[128];
	long long id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "eventfd-id: %lld", &id);
	if (f)
		fclose(f);
	return id;
}

TEST_F_TIMEOUT(discover, eventfds_are_named_as_in_fdinfo, SLOW)
{
	struct vl_err err;
	struct vlnl *nl;

	ASSERT_EQ(0, vlnl_open(&nl, &err));
	if (vlnl_layout_tell(nl, &err) < 0)
		SKIP(return, "needs the kernel's BTF: %s", err.msg);
	vlnl_close(nl);
	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	ASSERT_OURS(1);
	ASSERT_TRUE(self->v[0].has & HAS(KICK_EVENTFD_ID));
	EXPECT_FALSE(self->v[0].has & HAS(CALL_EVENTFD_ID));
	EXPECT_EQ(eventfd_id(self->kick), self->v[0].kick_eventfd_id);
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	EXPECT_EQ(eventfd_id(self->call), self->v[1].call_eventfd_id);
}

/* Addresses tell what a guest does, and where. */
TEST_F_TIMEOUT(discover, others_are_told_neither_addresses_nor_eventfds, SLOW)
{
	int status;
	pid_t pid;

	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct t_vring v;

		if (setuid(65534) || t_genl_open(&self->g, VRINGLAB_FAMILY_NAME))
			_exit(1);
		if (t_vring_get(&self->g, self->v[0].id, &v) || v.vm != self->v[0].vm)
			_exit(2);
		if (v.nr_ioeventfds || v.nr_irqfds ||
		    v.has & (HAS(KICK_EVENTFD_ID) | HAS(CALL_EVENTFD_ID)))
			_exit(3);
		if (t_discover_set(&self->g, false, false) != -EPERM)
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(2u, ours(&self->g, self->v));
}

TEST_F_TIMEOUT(discover, registering_takes_the_eventfds_and_their_facts, SLOW)
{
	struct t_vring v = {
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "registered",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};

	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	set_irqfd(_metadata, self->vm, self->call, GSI, 0);
	ASSERT_OURS(2);
	vring_add(_metadata, &self->g, &v);
	EXPECT_EQ(0u, ours(&self->g, self->v));
	ASSERT_EQ(0, t_vring_get(&self->g, v.id, &self->v[0]));
	EXPECT_FALSE(self->v[0].has & HAS(FOUND));
	EXPECT_STREQ("registered", self->v[0].label);
	EXPECT_EQ(1u, self->v[0].nr_ioeventfds);
	EXPECT_EQ(MMIO, self->v[0].ioeventfd[0].address);
	EXPECT_EQ(1u, self->v[0].nr_irqfds);
	/* When it goes they are found again. */
	ASSERT_EQ(0, t_vring_del(&self->g, v.id));
	ASSERT_OURS(2);
}

TEST_F_TIMEOUT(discover, it_ends_with_the_socket_or_when_told, SLOW)
{
	struct t_discover d;
	struct t_genl other;

	add_ioeventfd(_metadata, self->vm,
		      (struct kvm_ioeventfd){ .addr = MMIO, .len = 2, .fd = self->kick });
	ASSERT_OURS(1);
	ASSERT_EQ(0, t_genl_open(&other, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_discover_set(&other, true, false));
	t_genl_close(&self->g);
	ASSERT_EQ(0, t_discover_get(&other, &d));
	EXPECT_EQ(1u, d.enabled);
	EXPECT_FALSE(d.persist);
	EXPECT_EQ(1u, ours(&other, self->v));
	t_genl_close(&other);
	ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_discover_get(&self->g, &d));
	EXPECT_EQ(0u, d.enabled);
	EXPECT_EQ(0u, ours(&self->g, self->v));
	ASSERT_EQ(0, t_discover_set(&self->g, true, true));
	t_genl_close(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_discover_get(&self->g, &d));
	EXPECT_EQ(1u, d.enabled);
	EXPECT_TRUE(d.persist);
	ASSERT_EQ(0, t_discover_set(&self->g, false, false));
	ASSERT_EQ(0, t_discover_get(&self->g, &d));
	EXPECT_EQ(0u, d.enabled);
}

USE_MODULE_WITH_ANCHOR
TEST_HARNESS_MAIN
