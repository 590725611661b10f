// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net at work, in known numbers, against what the module counts: for equality,
 * each of them. The driver is this program, the other side of the device a tap.
 */
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "t_tap.h"
#include "vhost.h"

#define RX 0
#define TX 1
#define HEADER sizeof(struct virtio_net_hdr_v1)
#define FRAME 64
#define ROUNDS 40
/* More than vhost-net handles without giving others their turn, VHOST_NET_PKT_WEIGHT. */
#define MANY 300
#define WEIGHT 256
/* It has a batch of this many sent together, VHOST_NET_BATCH. */
#define BATCH 64

/* clang-format off */
FIXTURE(net) {
	struct t_genl g;
	struct t_vhost v;
	struct t_vring vring[2];
	struct t_stats s;
	struct t_stats base[2];
	struct vl_err err;
	struct t_tap tap;
};

/* clang-format on */

static void fill_frame(uint8_t *frame)
{
	memset(frame, 0, FRAME);
	memcpy(frame, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	frame[12] = T_TAP_PROTOCOL >> 8;
	frame[13] = T_TAP_PROTOCOL & 0xff;
}

static void open_device(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self,
			uint64_t features)
{
	int ret = t_vhost_open(&self->v, "/dev/vhost-net", VERSION_1 | features);

	ASSERT_EQ(0, ret)
	{
		TH_LOG("/dev/vhost-net: %s", strerror(-ret));
	}
	for (unsigned int i = RX; i <= TX; i++) {
		ASSERT_EQ(0, t_vhost_ring(&self->v, i));
		ASSERT_EQ(0, t_vhost_fds(&self->v, i, new_eventfd(_metadata, 0),
					 new_eventfd(_metadata, EFD_NONBLOCK)));
	}
}

static void set_backend(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self, int fd)
{
	for (unsigned int i = RX; i <= TX; i++) {
		struct vhost_vring_file file = { .index = i, .fd = fd };

		ASSERT_EQ(0, ioctl(self->v.fd, VHOST_NET_SET_BACKEND, &file))
		{
			TH_LOG("VHOST_NET_SET_BACKEND: %s", strerror(errno));
		}
	}
}

static void wait_ready(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self)
{
	for (unsigned int i = RX; i <= TX; i++)
		ASSERT_TRUE(EVENTUALLY(
			is_ready(&self->g, VRINGLAB_BACKEND_VHOST_NET, i, &self->vring[i])));
}

/* All of vhost, for another build of it to come. */
static void reload_vhost(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, t_kmod_rmmod("vhost_net"));
	/* Another test program may have loaded it. */
	t_kmod_rmmod("vhost_vsock");
	ASSERT_EQ(0, t_kmod_rmmod("vhost"));
	ASSERT_EQ(0, t_kmod_modprobe("vhost_net"));
}

static void discover(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self)
{
	tell_layout(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false))
	{
		TH_LOG("discover-set: %s", self->g.ack_msg);
	}
}

static bool has_woken(FIXTURE_DATA(net) * self, uint64_t times)
{
	return !t_stats_get(&self->g, self->vring[TX].id, &self->s) &&
	       T_CNT(&self->s, WAKES_VHOST) == times;
}

/*
 * vhost finds the tap writable first, and would send what is there already. When a kick
 * for nothing is served, that is over. From here on it is counted.
 */
static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self)
{
	wait_ready(_metadata, self);
	set_backend(_metadata, self, self->tap.fds[0]);
	ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
	ASSERT_TRUE(EVENTUALLY(has_woken(self, 1) && t_vhost_wants_kick(&self->v, TX)));
	for (unsigned int i = RX; i <= TX; i++)
		stats_get(_metadata, &self->g, self->vring[i].id, &self->base[i]);
}

/* A whole device that the module has seen being set up. */
static void start(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self, uint64_t features)
{
	discover(_metadata, self);
	open_device(_metadata, self, features);
	begin(_metadata, self);
}

FIXTURE_SETUP(net)
{
	OPEN_OR_SKIP(&self->g);
	t_kmod_modprobe("vhost_net");
	t_kmod_modprobe("tun");
	if (access("/dev/vhost-net", R_OK | W_OK))
		SKIP(return, "needs /dev/vhost-net: load vhost_net");
	ASSERT_EQ(0, t_tap_open(&self->tap, 1))
	{
		TH_LOG("%s", self->tap.err.msg);
	}
}

FIXTURE_TEARDOWN(net)
{
	EXPECT_EQ(0u, self->g.leak);
	t_vhost_close(&self->v);
	t_tap_close(&self->tap);
	t_genl_close(&self->g);
}

static void stage_tx(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self)
{
	uint8_t *buf = t_vhost_buf(&self->v, TX);

	memset(buf, 0, HEADER);
	fill_frame(buf + HEADER);
	ASSERT_LE(0, t_vhost_add(&self->v, TX, HEADER + FRAME, false));
}

/* Until vhost has done all there was, and waits for a kick again. */
static void wait_used(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self,
		      unsigned int queue, uint64_t used)
{
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, queue) == (int64_t)used &&
			       t_vhost_wants_kick(&self->v, queue)))
	{
		TH_LOG("%llu of %llu used", (unsigned long long)self->v.queues[queue].used,
		       (unsigned long long)used);
	}
}

/* One packet, one kick, one run of the handler, and so on. */
static void send_one_by_one(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self,
			    unsigned int nr, bool enable)
{
	uint64_t used = self->v.queues[TX].used;

	for (unsigned int i = 1; i <= nr; i++) {
		if (enable)
			vring_drv_call_enable(&self->v.queues[TX].drv);
		stage_tx(_metadata, self);
		ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
		wait_used(_metadata, self, TX, used + i);
	}
}

static void subtract(struct t_stats *s, const struct t_stats *base)
{
	for (int i = 0; i <= VRINGLAB_A_COUNTERS_MAX; i++)
		s->v[i] -= base->v[i];
}

/* The last call may still be on its way when its packet is seen to be used. */
static bool at_rest(FIXTURE_DATA(net) * self, unsigned int queue)
{
	struct t_stats *s = &self->s;

	if (t_stats_get(&self->g, self->vring[queue].id, s))
		return false;
	subtract(s, &self->base[queue]);
	return T_CNT(s, NOTIFIES) == T_CNT(s, CALLS_VHOST) + T_CNT(s, NOTIFIES_SUPPRESSED_FLAGS) +
					     T_CNT(s, NOTIFIES_SUPPRESSED_EVENT) +
					     T_CNT(s, NOTIFIES_UNHEARD);
}

/* The counters, since begin(). */
static void stats(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self, unsigned int queue)
{
	EXPECT_TRUE(EVENTUALLY(at_rest(self, queue)));
	stats_get(_metadata, &self->g, self->vring[queue].id, &self->s);
	EXPECT_LAWFUL(&self->s);
	subtract(&self->s, &self->base[queue]);
	EXPECT_DECIDED(&self->s);
}

/* What is so, whatever was suppressed. */
static void expect_one_by_one(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self,
			      uint64_t nr)
{
	stats(_metadata, self, TX);
	EXPECT_EQ(nr, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ(nr, T_CNT(&self->s, KICKS));
	EXPECT_EQ(0u, T_CNT(&self->s, KICK_COALESCED));
	EXPECT_EQ(nr, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ(nr, T_CNT(&self->s, WAKES));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_SPURIOUS));
	EXPECT_EQ(0u, T_CNT(&self->s, REQUEUES));
	EXPECT_EQ(nr, T_CNT(&self->s, TAKEN));
	EXPECT_EQ(nr, T_CNT(&self->s, USED));
	EXPECT_EQ(nr, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ(0u, T_CNT(&self->s, NOTIFIES_UNHEARD));
	EXPECT_EQ(t_vhost_calls(&self->v, TX), T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ(T_CNT(&self->s, CALLS_VHOST), T_CNT(&self->s, CALLS));
}

TEST_F_TIMEOUT(net, virtqueues_are_found_with_their_size_and_eventfds, SLOW)
{
	start(_metadata, self, 0);
	EXPECT_EQ(T_VHOST_NUM, self->vring[RX].size);
	EXPECT_EQ(T_VHOST_NUM, self->vring[TX].size);
	EXPECT_EQ(self->vring[RX].device, self->vring[TX].device);
	EXPECT_STREQ("vhost_net_test", self->vring[TX].owner_comm);
	t_vhost_close(&self->v);
	EXPECT_TRUE(EVENTUALLY(
		!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &self->vring[TX])));
	EXPECT_FALSE(find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, RX, &self->vring[RX]));
}

TEST_F_TIMEOUT(net, transmitting_one_by_one_counts_each_once, SLOW)
{
	start(_metadata, self, 0);
	send_one_by_one(_metadata, self, ROUNDS, false);
	expect_one_by_one(_metadata, self, ROUNDS);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ(1u + ROUNDS, T_SPAN(&self->s, KICK_WAKE)->count);
	EXPECT_EQ((uint64_t)ROUNDS, T_SPAN(&self->s, WAKE_CALL)->count);
	EXPECT_EQ(0u, T_CNT(&self->s, CALL_UNMATCHED));
}

TEST_F_TIMEOUT(net, the_flag_suppresses_every_call, SLOW)
{
	start(_metadata, self, 0);
	vring_drv_call_disable(&self->v.queues[TX].drv);
	send_one_by_one(_metadata, self, ROUNDS, false);
	expect_one_by_one(_metadata, self, ROUNDS);
	EXPECT_EQ(0u, T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES_SUPPRESSED_FLAGS));
	EXPECT_EQ(0u, T_CNT(&self->s, NOTIFIES_SUPPRESSED_EVENT));
}

TEST_F_TIMEOUT(net, the_event_index_suppresses_and_lets_through, SLOW)
{
	start(_metadata, self, EVENT_IDX);
	send_one_by_one(_metadata, self, ROUNDS, true);
	expect_one_by_one(_metadata, self, ROUNDS);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS_VHOST));

	vring_drv_call_disable(&self->v.queues[TX].drv);
	send_one_by_one(_metadata, self, ROUNDS, false);
	expect_one_by_one(_metadata, self, 2 * ROUNDS);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES_SUPPRESSED_EVENT));
	EXPECT_EQ(0u, T_CNT(&self->s, NOTIFIES_SUPPRESSED_FLAGS));
}

TEST_F_TIMEOUT(net, many_by_one_kick_are_taken_in_turns, SLOW)
{
	/* A decision each time a batch is full, and one where a turn ends. */
	const uint64_t decisions = WEIGHT / BATCH + (MANY - WEIGHT + BATCH - 1) / BATCH;

	start(_metadata, self, 0);
	for (int i = 0; i < MANY; i++)
		stage_tx(_metadata, self);
	ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
	wait_used(_metadata, self, TX, MANY);
	stats(_metadata, self, TX);
	EXPECT_EQ(1u, T_CNT(&self->s, KICKS));
	EXPECT_EQ((uint64_t)MANY, T_CNT(&self->s, TAKEN));
	EXPECT_EQ((uint64_t)MANY, T_CNT(&self->s, USED));
	EXPECT_EQ(1u, T_CNT(&self->s, REQUEUES));
	EXPECT_EQ(2u, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ(1u, T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_SPURIOUS));
	EXPECT_EQ(decisions, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ(t_vhost_calls(&self->v, TX), T_CNT(&self->s, CALLS_VHOST));
}

TEST_F_TIMEOUT(net, a_kick_for_nothing_takes_nothing, SLOW)
{
	start(_metadata, self, 0);
	send_one_by_one(_metadata, self, 1, false);
	/* One after the other, each with its run; there were two before. */
	for (uint64_t i = 3; i <= 5; i++) {
		ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
		ASSERT_TRUE(EVENTUALLY(has_woken(self, i)));
	}
	stats(_metadata, self, TX);
	EXPECT_EQ(4u, T_CNT(&self->s, KICKS));
	EXPECT_EQ(4u, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_SPURIOUS));
	EXPECT_EQ(1u, T_CNT(&self->s, TAKEN));
	EXPECT_EQ(1u, T_CNT(&self->s, NOTIFIES));
}

TEST_F_TIMEOUT(net, without_a_call_eventfd_decisions_are_unheard, SLOW)
{
	struct vhost_vring_file none = { .index = TX, .fd = -1 };
	struct t_vring v;

	start(_metadata, self, 0);
	ASSERT_EQ(0, ioctl(self->v.fd, VHOST_SET_VRING_CALL, &none));
	ASSERT_TRUE(EVENTUALLY(find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &v) &&
			       !(v.has & HAS(CALL_EVENTFD_ID))));
	send_one_by_one(_metadata, self, ROUNDS, false);
	stats(_metadata, self, TX);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES_UNHEARD));
	EXPECT_EQ(0u, T_CNT(&self->s, CALLS));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
}

static void send_frames(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self,
			unsigned int nr)
{
	uint8_t frame[FRAME];

	fill_frame(frame);
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_EQ(FRAME, send(self->tap.sock, frame, FRAME, 0));
}

TEST_F_TIMEOUT(net, receiving_takes_and_uses_as_many_as_there_are_frames, SLOW)
{
	start(_metadata, self, 0);
	for (int i = 0; i < 100; i++)
		ASSERT_LE(0, t_vhost_add(&self->v, RX, T_VHOST_BUF, true));
	ASSERT_EQ(0, t_vhost_kick(&self->v, RX));
	send_frames(_metadata, self, 30);
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, RX) == 30));
	send_frames(_metadata, self, 50);
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, RX) == 80));
	stats(_metadata, self, RX);
	EXPECT_EQ(1u, T_CNT(&self->s, KICKS));
	EXPECT_EQ(1u, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ(80u, T_CNT(&self->s, TAKEN));
	EXPECT_EQ(80u, T_CNT(&self->s, USED));
	EXPECT_LT(0u, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ(t_vhost_calls(&self->v, RX), T_CNT(&self->s, CALLS_VHOST));
	/* Nothing of it is the other virtqueue's. */
	stats(_metadata, self, TX);
	EXPECT_EQ(0u, T_CNT(&self->s, KICKS) + T_CNT(&self->s, WAKES) + T_CNT(&self->s, TAKEN) +
			      T_CNT(&self->s, NOTIFIES));
}

/* A guest in real mode that kicks, and tells that it has; over and over. */
#define DOORBELL 0x510
#define EXIT_PORT 0xf4
#define GUEST_BYTES 4096
#define GSI 24

/* mov $0x510, %dx; out %ax, %dx; out %al, $0xf4; jmp back */
static const uint8_t guest_code[] = { 0xba, 0x10, 0x05, 0xef, 0xe6, 0xf4, 0xeb, 0xf8 };

struct guest {
	int kvm;
	int vm;
	int vcpu;
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_bytes;
};

static void start_guest(struct __test_metadata *_metadata, struct guest *guest)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES };
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;

	guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, guest->vm);
	ASSERT_EQ(0, ioctl(guest->vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	ASSERT_EQ(0, ioctl(guest->vm, KVM_CREATE_IRQCHIP, 0));
	guest->mem =
		mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)guest->mem);
	memcpy(guest->mem, guest_code, sizeof(guest_code));
	region.userspace_addr = (uintptr_t)guest->mem;
	ASSERT_EQ(0, ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &region));
	guest->vcpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, guest->vcpu);
	guest->run_bytes = ioctl(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	guest->run =
		mmap(NULL, guest->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
	ASSERT_NE(MAP_FAILED, (void *)guest->run);
	ASSERT_EQ(0, ioctl(guest->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ASSERT_EQ(0, ioctl(guest->vcpu, KVM_SET_SREGS, &sregs));
	ASSERT_EQ(0, ioctl(guest->vcpu, KVM_SET_REGS, &regs));
}

static void stop_guest(struct guest *guest)
{
	munmap(guest->run, guest->run_bytes);
	munmap(guest->mem, GUEST_BYTES);
	close(guest->vcpu);
	close(guest->vm);
	close(guest->kvm);
}

/* One kick of the guest's. */
static void run_guest(struct __test_metadata *_metadata, struct guest *guest)
{
	int ret;

	do
		ret = ioctl(guest->vcpu, KVM_RUN, 0);
	while (ret && errno == EINTR);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(KVM_EXIT_IO, (int)guest->run->exit_reason);
	ASSERT_EQ(EXIT_PORT, guest->run->io.port);
}

TEST_F_TIMEOUT(net, a_guest_kicks_and_is_called_through_kvm, SLOW)
{
	struct guest guest = { .kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
	struct kvm_ioeventfd io = { .addr = DOORBELL, .len = 2, .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct kvm_irqfd irqfd = { .gsi = GSI };

	if (guest.kvm < 0)
		SKIP(return, "needs /dev/kvm (%s): load kvm_amd or kvm_intel", strerror(errno));
	start_guest(_metadata, &guest);
	start(_metadata, self, 0);
	io.fd = self->v.queues[TX].kick;
	ASSERT_EQ(0, ioctl(guest.vm, KVM_IOEVENTFD, &io));
	irqfd.fd = self->v.queues[TX].call;
	ASSERT_EQ(0, ioctl(guest.vm, KVM_IRQFD, &irqfd));
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		stage_tx(_metadata, self);
		run_guest(_metadata, &guest);
		wait_used(_metadata, self, TX, i);
	}
	stats(_metadata, self, TX);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_KVM));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS_VHOST));
	stop_guest(&guest);
}

TEST_F_TIMEOUT(net, a_device_closed_under_load_goes_with_its_vrings, SLOW)
{
	start(_metadata, self, 0);
	for (int i = 0; i < 200; i++)
		ASSERT_LE(0, t_vhost_add(&self->v, RX, T_VHOST_BUF, true));
	ASSERT_EQ(0, t_vhost_kick(&self->v, RX));
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 10; j++)
			stage_tx(_metadata, self);
		ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
		send_frames(_metadata, self, 5);
	}
	/* Neither is waited for. */
	t_vhost_close(&self->v);
	for (unsigned int i = RX; i <= TX; i++)
		EXPECT_TRUE(EVENTUALLY(
			!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, i, &self->vring[i])));
}

TEST_F_TIMEOUT(net, another_ring_of_the_same_device_counts_on, SLOW)
{
	start(_metadata, self, 0);
	send_one_by_one(_metadata, self, ROUNDS, false);
	set_backend(_metadata, self, -1);
	/* From 0 again: the indices jump back. */
	ASSERT_EQ(0, t_vhost_ring(&self->v, TX));
	stats(_metadata, self, TX);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, TAKEN));
	set_backend(_metadata, self, self->tap.fds[0]);
	stats(_metadata, self, TX);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
	self->v.queues[TX].used = 0;
	send_one_by_one(_metadata, self, ROUNDS, false);
	stats(_metadata, self, TX);
	EXPECT_EQ(2u * ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ(2u * ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ(2u * ROUNDS, T_CNT(&self->s, NOTIFIES));
}

/* Eventfds of which there is a context only may take a few more hits. */
static void work_until_found(struct __test_metadata *_metadata, FIXTURE_DATA(net) * self)
{
	for (int i = 0;
	     i < 100 && !is_ready(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &self->vring[TX]);
	     i++) {
		send_one_by_one(_metadata, self, 1, false);
		usleep(1000);
	}
	ASSERT_TRUE(
		EVENTUALLY(is_ready(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &self->vring[TX])))
	{
		print_vrings(&self->g);
	}
}

TEST_F_TIMEOUT(net, a_device_from_before_is_found_at_its_first_hit, SLOW)
{
	open_device(_metadata, self, 0);
	set_backend(_metadata, self, self->tap.fds[0]);
	send_one_by_one(_metadata, self, 3, false);

	discover(_metadata, self);
	EXPECT_FALSE(find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &self->vring[TX]));
	work_until_found(_metadata, self);
	EXPECT_EQ(T_VHOST_NUM, self->vring[TX].size);
	/* One more: it is not known before that whether its members may be read. */
	send_one_by_one(_metadata, self, 1, false);
	/* Of what was under way when it was found, the call may be counted alone. */
	ASSERT_TRUE(EVENTUALLY(t_vhost_calls(&self->v, TX) == self->v.queues[TX].used));
	stats_get(_metadata, &self->g, self->vring[TX].id, &self->base[TX]);

	send_one_by_one(_metadata, self, ROUNDS, false);
	stats(_metadata, self, TX);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS_VHOST));
}

/* The hooks are there for a while after discovery has ended. */
TEST_F_TIMEOUT(net, a_device_that_works_is_found_again_when_discovery_begins_again, SLOW)
{
	open_device(_metadata, self, 0);
	set_backend(_metadata, self, self->tap.fds[0]);
	for (int i = 0; i < 2; i++) {
		discover(_metadata, self);
		work_until_found(_metadata, self);
		ASSERT_EQ(0, t_discover_set(&self->g, false, false));
		send_one_by_one(_metadata, self, 10, false);
		EXPECT_FALSE(
			find_queue(&self->g, VRINGLAB_BACKEND_VHOST_NET, TX, &self->vring[TX]));
	}
}

TEST_F_TIMEOUT(net, without_a_layout_its_own_work_is_not_seen, SLOW)
{
	tell_layout(_metadata);
	/* Of a module that has just come, nothing is known. */
	reload_vhost(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	open_device(_metadata, self, 0);
	wait_ready(_metadata, self);
	set_backend(_metadata, self, self->tap.fds[0]);
	send_one_by_one(_metadata, self, ROUNDS, false);
	ASSERT_TRUE(EVENTUALLY(!t_stats_get(&self->g, self->vring[TX].id, &self->s) &&
			       T_CNT(&self->s, CALLS_VHOST) == ROUNDS));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKES) + T_CNT(&self->s, TAKEN) + T_CNT(&self->s, USED) +
			      T_CNT(&self->s, NOTIFIES));
}

TEST_F_TIMEOUT(net, vhost_may_go_and_come_while_it_is_looked_for, SLOW)
{
	start(_metadata, self, 0);
	send_one_by_one(_metadata, self, ROUNDS, false);
	/* In use: it stays. */
	EXPECT_EQ(-EWOULDBLOCK, t_kmod_rmmod("vhost_net"));
	t_vhost_close(&self->v);
	reload_vhost(_metadata);
	tell_layout(_metadata);
	open_device(_metadata, self, 0);
	begin(_metadata, self);
	send_one_by_one(_metadata, self, ROUNDS, false);
	expect_one_by_one(_metadata, self, ROUNDS);
}

static __attribute__((constructor)) void use_module(void)
{
	load_module();
}

TEST_HARNESS_MAIN
