// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading while the functions and tracepoints in question run, with
 * virtqueues registered. The guests must not notice, and afterwards every number
 * is exact again.
 *
 * "single": code is patched while it runs, which QEMU's multi-threaded TCG does
 * not survive, with or without vringlab.
 */
#include <pthread.h>

#include "ring_ping.h"

#define CYCLES 6
#define ROUNDS 150
#define ROUNDS_TEXT "150"

/* One guest after another, untraced, for as long as the test lasts. */
struct traffic {
	struct t_ping p;
	struct __test_metadata *metadata;
	pthread_t thread;
	volatile bool stop;
	unsigned int guests;
};

/* clang-format off */
FIXTURE(reload) {
	struct traffic traffic;
	struct t_ping p;
};

/* clang-format on */

static void *run_guests(void *data)
{
	struct traffic *t = data;
	struct t_ping_guest guest;

	while (!t->stop) {
		run_guest(t->metadata, &t->p, "--timeout 90s --count " ROUNDS_TEXT, &guest);
		t->guests++;
	}
	return NULL;
}

FIXTURE_SETUP(reload)
{
	if (!t_kmod_path())
		SKIP(return, "needs the module's file: set VRINGLAB_KO=");
	if (geteuid())
		SKIP(return, "needs CAP_SYS_MODULE: run as root");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	if (access(t_vringlab(), X_OK))
		SKIP(return, "needs the command: set VRINGLAB=, or make user");
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "needs /dev/kvm: load kvm_amd or kvm_intel");
	ASSERT_EQ(0, t_ping_start(&self->traffic.p, false));
	self->traffic.metadata = _metadata;
	ASSERT_EQ(0, pthread_create(&self->traffic.thread, NULL, run_guests, &self->traffic));
}

FIXTURE_TEARDOWN(reload)
{
	self->traffic.stop = true;
	EXPECT_EQ(0, pthread_join(self->traffic.thread, NULL));
	t_ping_stop(&self->traffic.p);
	t_ping_stop(&self->p);
	t_kmod_rmmod("vringlab");
}

static uint64_t nr_kicks(struct t_genl *g, const char *label)
{
	struct t_vring v[8];
	struct t_stats s;
	int i, nr = t_vring_dump(g, v, 8);

	for (i = 0; i < nr && i < 8; i++)
		if (!strcmp(v[i].label, label) && !t_counters_get(g, v[i].id, &s))
			return T_CNT(&s, KICKS);
	return 0;
}

static void expect_whole(struct __test_metadata *_metadata, const struct t_ping_guest *guest)
{
	EXPECT_EQ(0, guest->code)
	{
		TH_LOG("%s", guest->err);
	}
	EXPECT_TRUE(guest->ok);
	EXPECT_EQ((uint64_t)ROUNDS, guest->kicks);
	EXPECT_EQ((uint64_t)ROUNDS, guest->round_trips);
	EXPECT_EQ(0u, guest->mismatches);
}

static void expect_exact(struct __test_metadata *_metadata, struct t_genl *g,
			 const struct t_ping_guest *guest)
{
	struct t_stats s;

	stats_get(_metadata, g, vring_id(_metadata, g, "ping.0"), &s);
	EXPECT_EQ(guest->kicks, T_CNT(&s, KICKS_KVM));
	EXPECT_EQ(guest->kicks, T_CNT(&s, KICKS));
	EXPECT_EQ(guest->kicks, T_CNT(&s, WAKES));
	EXPECT_EQ(t_ping_answering(guest), T_CNT(&s, CALLS));
	EXPECT_EQ(t_ping_answering(guest), T_CNT(&s, INJECTS));
	EXPECT_EQ(t_ping_answering(guest), T_CNT(&s, ENTRIES));
	EXPECT_EQ(0u, T_CNT(&s, MISSED));
	EXPECT_LAWFUL(&s);
}

/* In, a traced guest, and out: in the middle of it, or when it has ended. */
static void cycle(struct __test_metadata *_metadata, FIXTURE_DATA(reload) * self,
		  bool in_the_middle)
{
	struct t_ping_guest guest;
	struct t_genl g;

	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_ping_start(&self->p, true));
	ASSERT_EQ(0, t_ping_vmm_start(&self->p, "--timeout 90s --count " ROUNDS_TEXT));
	if (in_the_middle) {
		EXPECT_TRUE(EVENTUALLY(nr_kicks(&g, "ping.0") > 0));
		t_genl_close(&g);
		ASSERT_EQ(0, t_kmod_rmmod("vringlab"));
	}
	ASSERT_EQ(0, t_ping_vmm_wait(&self->p, &guest, GUEST_MS))
	{
		TH_LOG("exit code %d: %s", guest.code, guest.err);
	}
	expect_whole(_metadata, &guest);
	if (!in_the_middle) {
		expect_exact(_metadata, &g, &guest);
		t_genl_close(&g);
		/* Its back-end lives, so its virtqueue is registered still. */
		ASSERT_EQ(0, t_kmod_rmmod("vringlab"));
	}
	EXPECT_FALSE(t_kmod_loaded("vringlab"));
	/* It has lost the module, not its head: it ends as it should. */
	ASSERT_EQ(0, kill(self->p.backend.pid, SIGTERM));
	EXPECT_EQ(0, t_child_wait(&self->p.backend, T_DEADLINE_MS));
	t_ping_stop(&self->p);
}

TEST_F_TIMEOUT(reload, under_traffic_disturbs_no_guest_and_no_number, 600)
{
	unsigned int i;

	for (i = 0; i < CYCLES; i++) {
		/* The last one is whole: after all this, everything still counts. */
		cycle(_metadata, self, i % 2 == 0);
		TH_LOG("%u cycles, %u guests beside them", i + 1, self->traffic.guests);
	}
	EXPECT_LT(0u, self->traffic.guests);
}

TEST_HARNESS_MAIN
