// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading, registering and unloading, over and over, while all that the module
 * hooks is busy: a guest's ioeventfd and irqfd with a vhost-user back-end,
 * vhost-net, vhost-vsock, and a reader that dumps what there is. For kernels that
 * hate bugs: make torture.
 */
#include <pthread.h>
#include <sys/ioctl.h>

#include "module.h"
#include "t_traffic.h"

/* Of a debug kernel that is emulated, on a machine that has other work. */
#define TIMEOUT_S 9000
#define TRAFFICS 3
#define VRINGS (TRAFFICS * T_TRAFFIC_QUEUES)

static const struct t_traffic_ops *const kinds[TRAFFICS] = {
	&t_traffic_guest,
	&t_traffic_net,
	&t_traffic_vsock,
};

/* clang-format off */
FIXTURE(load) {
	struct t_traffic traffic[TRAFFICS];
	uint32_t ids[VRINGS];
	unsigned int nr_vrings;
	pthread_t reader;
	bool reading;
	bool stop;
	uint64_t dumps;
};

/* clang-format on */

static unsigned int nr_cycles(void)
{
	const char *nr = getenv("VRINGLAB_CYCLES");

	return nr && *nr ? strtoul(nr, NULL, 10) : 200;
}

/* Whether the module is there or just leaving is not for the reader to know. */
static void *read_all(void *data)
{
	typeof(FIXTURE_DATA(load)) *self = data;
	struct t_vring v[2 * VRINGS];
	struct t_genl g;
	struct t_stats s;

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		int i, nr;

		if (t_genl_open(&g, VRINGLAB_FAMILY_NAME)) {
			sched_yield();
			continue;
		}
		nr = t_vring_dump(&g, v, 2 * VRINGS);
		for (i = 0; i < nr && i < (int)(2 * VRINGS); i++)
			t_stats_get(&g, v[i].id, &s);
		t_genl_close(&g);
		__atomic_add_fetch(&self->dumps, nr > 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

FIXTURE_SETUP(load)
{
	unsigned int i;

	if (!t_kmod_path())
		SKIP(return, "needs the module's file: set VRINGLAB_KO=");
	if (geteuid())
		SKIP(return, "needs CAP_SYS_MODULE: run as root");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "needs /dev/kvm: load kvm_amd or kvm_intel");
	if (t_kmod_modprobe("tun") || t_kmod_modprobe("vhost_net") ||
	    t_kmod_modprobe("vhost_vsock"))
		SKIP(return, "needs the kernel's modules tun, vhost_net and vhost_vsock");
	for (i = 0; i < TRAFFICS; i++) {
		ASSERT_EQ(0, t_traffic_start(&self->traffic[i], kinds[i]))
		{
			TH_LOG("%s", self->traffic[i].err.msg);
		}
	}
	ASSERT_EQ(0, pthread_create(&self->reader, NULL, read_all, self));
	self->reading = true;
}

FIXTURE_TEARDOWN(load)
{
	unsigned int i;

	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	if (self->reading)
		pthread_join(self->reader, NULL);
	for (i = 0; i < TRAFFICS; i++) {
		EXPECT_EQ(0, t_traffic_stop(&self->traffic[i]))
		{
			TH_LOG("%s", self->traffic[i].err.msg);
		}
	}
	t_kmod_rmmod("vringlab");
}

static void register_all(struct __test_metadata *_metadata, FIXTURE_DATA(load) * self,
			 struct t_genl *g)
{
	unsigned int i, q;

	self->nr_vrings = 0;
	for (i = 0; i < TRAFFICS; i++) {
		for (q = 0; q < self->traffic[i].nr_queues; q++) {
			struct t_vring v = {
				.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
				.kick_fd = self->traffic[i].kick[q],
				.call_fd = self->traffic[i].call[q],
			};

			snprintf(v.label, sizeof(v.label), "%s.%u", kinds[i]->name, q);
			self->ids[self->nr_vrings++] = vring_add(_metadata, g, &v);
		}
	}
}

/* Kicks and calls of each, and of the guest, which is the first, all the rest. */
static bool all_seen(FIXTURE_DATA(load) * self, struct t_genl *g)
{
	struct t_stats s;
	unsigned int i;

	for (i = 0; i < self->nr_vrings; i++) {
		if (t_counters_get(g, self->ids[i], &s) || !T_CNT(&s, KICKS) || !T_CNT(&s, CALLS))
			return false;
		if (!i && (!T_CNT(&s, KICKS_KVM) || !T_CNT(&s, INJECTS) || !T_CNT(&s, ENTRIES)))
			return false;
		if (i && !T_CNT(&s, CALLS_VHOST))
			return false;
	}
	return true;
}

/*
 * Unloaded with all registered, as soon as they are or once each was seen at
 * work; each fourth time after the socket, and with it the virtqueues, has gone.
 * Each third time they are looked for as well.
 */
static void cycle(struct __test_metadata *_metadata, FIXTURE_DATA(load) * self, unsigned int nr)
{
	struct t_genl g;
	int ret = 0;

	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	if (nr % 3 == 0)
		ASSERT_EQ(0, t_discover_set(&g, true, false));
	register_all(_metadata, self, &g);
	if (nr % 2)
		EXPECT_TRUE(EVENTUALLY(all_seen(self, &g)));
	if (nr % 4 == 3)
		t_genl_close(&g);
	/* A dump that is under way holds the module. */
	ASSERT_TRUE(EVENTUALLY((ret = t_kmod_rmmod("vringlab")) != -EAGAIN));
	ASSERT_EQ(0, ret);
	t_genl_close(&g);
}

static void print_progress(struct __test_metadata *_metadata, FIXTURE_DATA(load) * self,
			   unsigned int cycles)
{
	uint64_t rounds[TRAFFICS];
	unsigned int i;

	for (i = 0; i < TRAFFICS; i++)
		rounds[i] = __atomic_load_n(&self->traffic[i].rounds, __ATOMIC_RELAXED);
	TH_LOG("%u cycles, rounds: guest %u, net %u, vsock %u; dumps: %u", cycles,
	       (unsigned int)rounds[0], (unsigned int)rounds[1], (unsigned int)rounds[2],
	       (unsigned int)__atomic_load_n(&self->dumps, __ATOMIC_RELAXED));
}

TEST_F_TIMEOUT(load, module_comes_and_goes_and_the_traffic_goes_on, TIMEOUT_S)
{
	unsigned int i, nr = nr_cycles();

	for (i = 1; i <= nr && !_metadata->exit_code; i++) {
		cycle(_metadata, self, i);
		if (i % 10 == 0 || i == nr)
			print_progress(_metadata, self, i);
	}
	for (i = 0; i < TRAFFICS; i++)
		EXPECT_LT(0u, self->traffic[i].rounds);
	EXPECT_LT(0u, self->dumps);
}

TEST_HARNESS_MAIN
