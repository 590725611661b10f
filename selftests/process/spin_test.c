// SPDX-License-Identifier: GPL-2.0-only
/*
 * Busy polling: that work in memory is found without a wake-up, that everything
 * else is served meanwhile, that it ends, and that nothing is lost when it does.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_spin.h>

#include "kselftest_harness.h"
#include "t.h"

/* Longer than any test: then only work can end the spinning. */
#define ENDLESS_US 60000000u

/* A shared word, as an avail index is one, and somebody who looks at it. */
struct watcher {
	struct loop_spinner spinner;
	atomic_uint word;
	uint32_t taken;
	atomic_bool armed;
	unsigned int looks;
	unsigned int arms;
	unsigned int disarms;
	/* on this look, write to the eventfd */
	unsigned int kick_at;
	/* on this arm, do as if work had just come */
	unsigned int late_at;
	/* write to the eventfd whenever armed */
	bool kick_when_armed;
	int efd;
	struct loop_spinner *victim;
};

static void kick(int efd)
{
	const uint64_t one = 1;

	if (write(efd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool look(void *ctx)
{
	struct watcher *w = ctx;
	uint32_t word = atomic_load(&w->word);

	w->looks++;
	if (w->looks == w->kick_at)
		kick(w->efd);
	if (w->victim)
		loop_spinner_remove(w->victim);
	if (word == w->taken)
		return false;
	w->taken = word;
	return true;
}

static bool arm(void *ctx)
{
	struct watcher *w = ctx;

	w->arms++;
	atomic_store(&w->armed, true);
	if (w->kick_when_armed)
		kick(w->efd);
	return w->arms == w->late_at || atomic_load(&w->word) != w->taken;
}

static void disarm(void *ctx)
{
	struct watcher *w = ctx;

	w->disarms++;
	atomic_store(&w->armed, false);
}

static void watcher_init(struct watcher *w, int efd)
{
	*w = (struct watcher){
		.spinner = { .fn = look, .arm = arm, .disarm = disarm, .ctx = w },
		.efd = efd,
		.armed = true,
	};
}

static void count(void *ctx, int res)
{
	if (res >= 0)
		++*(unsigned int *)ctx;
}

static void count_recv(void *ctx, int res, const struct loop_received *msg)
{
	if (res > 0 && !memcmp(msg->data, "here", res))
		++*(unsigned int *)ctx;
}

static uint64_t soon(void)
{
	return loop_now_ns() + T_DEADLINE_MS * 1000000ull;
}

FIXTURE(spin)
{
	struct loop *loop;
	struct loop_op *op;
	struct watcher w;
	struct loop_spin_stats stats;
	unsigned int wakes;
	int efd;
};

FIXTURE_SETUP(spin)
{
	struct vl_err err;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&self->loop, &err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", err.msg);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
	watcher_init(&self->w, self->efd);
	loop_spinner_add(self->loop, &self->w.spinner);
	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, count, &self->wakes, &self->op));
}

FIXTURE_TEARDOWN(spin)
{
	if (!self->loop)
		return;
	loop_spinner_remove(&self->w.spinner);
	loop_destroy(self->loop);
	close(self->efd);
}

/* Runs until @nr is reached, or the deadline is. */
static int run_until(struct loop *loop, const unsigned int *nr, unsigned int wanted)
{
	uint64_t deadline_ns = soon();
	int ret = 0;

	while (*nr < wanted && !ret)
		ret = loop_run_once(loop, deadline_ns);
	return ret;
}

TEST_F(spin, is_off_by_default)
{
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, loop_now_ns() + 1000000));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->w.looks);
	EXPECT_EQ(0u, self->w.arms);
	EXPECT_EQ(0u, self->stats.spins);
	EXPECT_EQ(0u, self->stats.idle_ns);
}

static void *writer(void *ctx)
{
	struct watcher *w = ctx;
	uint64_t deadline_ns = soon();

	/* each word only once the one before it was taken */
	for (uint32_t i = 1; i <= 100; i++) {
		while (__atomic_load_n(&w->taken, __ATOMIC_RELAXED) + 1 != i)
			if (loop_now_ns() > deadline_ns)
				return NULL;
		atomic_store(&w->word, i);
	}
	return w;
}

TEST_F(spin, finds_work_in_memory_without_a_wake_up)
{
	uint64_t deadline_ns = soon();
	void *written = NULL;
	pthread_t thread;

	loop_set_spin(self->loop, ENDLESS_US);
	ASSERT_EQ(0, pthread_create(&thread, NULL, writer, &self->w));
	while (self->w.taken < 100)
		ASSERT_EQ(0, loop_run_once(self->loop, deadline_ns));
	pthread_join(thread, &written);
	EXPECT_NE(NULL, written);
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
	EXPECT_EQ(0u, self->w.arms);
	EXPECT_EQ(0u, self->wakes);
	EXPECT_LE(self->stats.hits, self->stats.spins);
}

TEST_F(spin, eventfds_are_served_meanwhile)
{
	self->w.kick_at = 1000;
	loop_set_spin(self->loop, ENDLESS_US);
	ASSERT_EQ(0, run_until(self->loop, &self->wakes, 1));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
	EXPECT_LE(1000u, self->w.looks);
}

TEST_F(spin, sockets_are_served_meanwhile)
{
	struct loop_op *recv = NULL;
	unsigned int received = 0;
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	loop_set_spin(self->loop, ENDLESS_US);
	/* spins already when the bytes come: the kick makes the first round end */
	self->w.kick_at = 100;
	ASSERT_EQ(0, loop_recv(self->loop, sv[0], 4, count_recv, &received, &recv));
	ASSERT_EQ(0, run_until(self->loop, &self->wakes, 1));
	ASSERT_EQ(4, send(sv[1], "here", 4, 0));
	ASSERT_EQ(0, run_until(self->loop, &received, 1));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(spin, timers_are_served_meanwhile)
{
	struct loop_op *timer = NULL;
	unsigned int expired = 0;

	loop_set_spin(self->loop, ENDLESS_US);
	ASSERT_EQ(0, loop_timer(self->loop, 1000000, count, &expired, &timer));
	ASSERT_EQ(0, run_until(self->loop, &expired, 1));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
}

TEST_F(spin, signals_go_out_meanwhile)
{
	struct loop_eventfd *signal = NULL;

	/* our own eventfd is watched, too: it wakes us only if the signal went out */
	ASSERT_EQ(0, loop_eventfd_add(self->loop, self->efd, &signal));
	loop_set_spin(self->loop, ENDLESS_US);
	loop_eventfd_signal(signal);
	ASSERT_EQ(0, run_until(self->loop, &self->wakes, 1));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
	loop_eventfd_remove(&signal);
}

TEST_F(spin, ends_after_its_time_and_is_armed_before_the_sleep)
{
	self->w.kick_when_armed = true;
	loop_set_spin(self->loop, 1000);
	ASSERT_EQ(0, run_until(self->loop, &self->wakes, 1));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(1u, self->stats.sleeps);
	EXPECT_EQ(1u, self->stats.spins);
	EXPECT_EQ(0u, self->stats.hits);
	EXPECT_LE(1000000u, self->stats.idle_ns);
	EXPECT_EQ(1u, self->w.arms);
	/* before the first look, and after the sleep */
	EXPECT_EQ(2u, self->w.disarms);
	EXPECT_FALSE(atomic_load(&self->w.armed));
}

TEST_F(spin, work_that_comes_while_arming_prevents_the_sleep)
{
	self->w.late_at = 1;
	self->w.kick_at = 0;
	loop_set_spin(self->loop, 100);
	ASSERT_EQ(0, loop_run_once(self->loop, soon()));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.sleeps);
	EXPECT_EQ(1u, self->w.arms);
	EXPECT_FALSE(atomic_load(&self->w.armed));
}

TEST_F(spin, a_deadline_ends_it)
{
	loop_set_spin(self->loop, ENDLESS_US);
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, loop_now_ns() + 1000000));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	EXPECT_LT(1u, self->w.looks);
}

TEST_F(spin, switched_off_it_leaves_everything_armed)
{
	loop_set_spin(self->loop, ENDLESS_US);
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	EXPECT_FALSE(atomic_load(&self->w.armed));
	loop_set_spin(self->loop, LOOP_SPIN_OFF);
	EXPECT_TRUE(atomic_load(&self->w.armed));
	kick(self->efd);
	EXPECT_EQ(0, run_until(self->loop, &self->wakes, 1));
}

TEST_F(spin, spinners_may_remove_themselves_and_others)
{
	struct watcher others[3];

	for (unsigned int i = 0; i < 3; i++) {
		watcher_init(&others[i], self->efd);
		loop_spinner_add(self->loop, &others[i].spinner);
	}
	/* looked at in the order 2, 1, 0, ours */
	others[2].victim = &others[1].spinner;
	others[0].victim = &others[0].spinner;
	self->w.kick_at = 2;
	loop_set_spin(self->loop, ENDLESS_US);
	ASSERT_EQ(0, run_until(self->loop, &self->wakes, 1));
	EXPECT_LE(2u, others[2].looks);
	EXPECT_EQ(0u, others[1].looks);
	EXPECT_EQ(1u, others[0].looks);
	EXPECT_LE(2u, self->w.looks);
	loop_spinner_remove(&others[2].spinner);
	loop_spinner_remove(&others[2].spinner);
}

static void again(void *ctx, int res)
{
	struct watcher *w = ctx;

	(void)res;
	atomic_fetch_add(&w->word, 1);
}

TEST_F(spin, goes_on_beside_tasks)
{
	struct loop_task task = { .fn = again, .ctx = &self->w };
	uint64_t deadline_ns = soon();

	loop_set_spin(self->loop, ENDLESS_US);
	for (unsigned int i = 0; i < 10; i++) {
		loop_task_add(self->loop, &task);
		ASSERT_EQ(0, loop_run_once(self->loop, deadline_ns));
		ASSERT_EQ(0, loop_run_once(self->loop, deadline_ns));
		ASSERT_EQ(i + 1, self->w.taken);
	}
}

TEST_F(spin, auto_grows_by_short_sleeps_and_shrinks_by_long_ones)
{
	uint64_t deadline_ns = soon();

	loop_set_spin(self->loop, LOOP_SPIN_AUTO);
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.window_ns);
	/* woken at once: how soon that is, is the machine's affair, so try until it is */
	self->w.kick_when_armed = true;
	while (self->stats.window_ns < LOOP_SPIN_AUTO_MIN_US * 1000 &&
	       loop_now_ns() < deadline_ns) {
		ASSERT_EQ(0, loop_run_once(self->loop, deadline_ns));
		loop_get_spin_stats(self->loop, &self->stats);
		ASSERT_GE(LOOP_SPIN_AUTO_MAX_US * 1000u, self->stats.window_ns);
	}
	EXPECT_LE(LOOP_SPIN_AUTO_MIN_US * 1000u, self->stats.window_ns);

	/* sleeps ten times the longest window: 200 us halve to below 10 in 5 steps */
	self->w.kick_when_armed = false;
	for (unsigned int i = 0; i < 6; i++)
		while (loop_run_once(self->loop, loop_now_ns() + 2000000) != -ETIME)
			;
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(0u, self->stats.window_ns);
}

TEST_F(spin, auto_at_nought_looks_once_and_sleeps)
{
	uint64_t idle_ns;

	loop_set_spin(self->loop, LOOP_SPIN_AUTO);
	while (loop_run_once(self->loop, loop_now_ns() + 2000000) != -ETIME)
		;
	loop_get_spin_stats(self->loop, &self->stats);
	idle_ns = self->stats.idle_ns;
	self->w.looks = 0;
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, loop_now_ns() + 2000000));
	loop_get_spin_stats(self->loop, &self->stats);
	EXPECT_EQ(idle_ns, self->stats.idle_ns);
	EXPECT_EQ(1u, self->w.looks);
}

TEST_HARNESS_MAIN
