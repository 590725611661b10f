// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event loop: that no kick is lost although no eventfd is read, and that what
 * was removed stays silent and leaks nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"

#include "../../user/lib/uring/internal.h"

/* A handler that remembers. */
struct seen {
	unsigned int nr;
	int res;
	/* what to remove when called */
	struct loop_op **victim;
};

static void see(void *ctx, int res)
{
	struct seen *seen = ctx;

	seen->nr++;
	seen->res = res;
	if (seen->victim)
		loop_op_remove(seen->victim);
}

static uint64_t soon(void)
{
	return loop_now_ns() + T_DEADLINE_MS * 1000000ull;
}

/* Runs until the handler was called @nr times, or nothing more comes. */
static int run_until(struct loop *loop, const struct seen *seen, unsigned int nr)
{
	uint64_t deadline_ns = soon();
	int ret = 0;

	while (seen->nr < nr && !ret)
		ret = loop_run_once(loop, deadline_ns);
	return ret;
}

static int add_one(int efd)
{
	const uint64_t one = 1;

	return write(efd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

FIXTURE(loop)
{
	struct loop *loop;
	struct vl_err err;
	int fds_before;
	int efd;
	struct loop_op *op;
	struct seen seen;
};

FIXTURE_SETUP(loop)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->fds_before = t_fds_count(0);
	ret = loop_create(&self->loop, &self->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->err.msg);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
}

FIXTURE_TEARDOWN(loop)
{
	if (!self->loop)
		return;
	loop_destroy(self->loop);
	/* destroying removes what is still in progress */
	EXPECT_EQ(NULL, self->op);
	close(self->efd);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

TEST_F(loop, an_eventfd_signalled_before_it_is_watched_is_seen)
{
	ASSERT_EQ(0, add_one(self->efd));
	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 1));
	EXPECT_EQ(POLLIN, self->seen.res);
}

TEST_F(loop, every_wake_up_is_seen_though_nobody_reads)
{
	uint64_t count;

	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	for (unsigned int i = 1; i <= 1000; i++) {
		ASSERT_EQ(0, add_one(self->efd));
		ASSERT_EQ(0, run_until(self->loop, &self->seen, i)) TH_LOG("kick %u", i);
		ASSERT_TRUE(self->seen.res & POLLIN);
	}
	/* the watch itself has not read either */
	ASSERT_EQ(8, read(self->efd, &count, sizeof(count)));
	EXPECT_EQ(1000u, count);
}

TEST_F(loop, without_events_a_deadline_is_etime)
{
	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, loop_now_ns() + 1000));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	EXPECT_EQ(0u, self->seen.nr);
}

TEST_F(loop, a_removed_watch_is_not_called_for_what_came_before)
{
	struct seen other = { 0 };
	struct loop_op *op = NULL;

	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	ASSERT_EQ(0, add_one(self->efd));
	loop_op_remove(&self->op);
	EXPECT_EQ(NULL, self->op);
	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &other, &op));
	ASSERT_EQ(0, run_until(self->loop, &other, 1));
	EXPECT_EQ(0u, self->seen.nr);
	loop_op_remove(&op);
}

TEST_F(loop, of_two_watches_that_remove_each_other_one_is_called)
{
	struct loop_op *ops[2] = { NULL, NULL };
	struct seen seen[2] = { { .victim = &ops[1] }, { .victim = &ops[0] } };

	/* one write wakes both: the second completion is there when the first is handled */
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &seen[i], &ops[i]));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	ASSERT_EQ(0, add_one(self->efd));
	for (int i = 0; i < 10; i++)
		loop_run_once(self->loop, 0);
	EXPECT_EQ(1u, seen[0].nr + seen[1].nr);
	EXPECT_EQ(1, !ops[0] + !ops[1]);
	loop_op_remove(&ops[0]);
	loop_op_remove(&ops[1]);
}

TEST_F(loop, a_watch_may_remove_itself)
{
	self->seen.victim = &self->op;
	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	ASSERT_EQ(0, add_one(self->efd));
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 1));
	ASSERT_EQ(0, add_one(self->efd));
	for (int i = 0; i < 10; i++)
		loop_run_once(self->loop, 0);
	EXPECT_EQ(1u, self->seen.nr);
}

TEST_F(loop, user_data_stays_the_same_and_is_never_used_again)
{
	uint64_t before = 0, user_data;

	for (unsigned int i = 0; i < 1000; i++) {
		struct seen seen = { 0 };

		ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &seen, &self->op));
		user_data = loop_op_user_data(self->op);
		EXPECT_NE(0u, user_data);
		EXPECT_NE(before, user_data);
		ASSERT_EQ(0, add_one(self->efd));
		ASSERT_EQ(0, run_until(self->loop, &seen, 1));
		EXPECT_EQ(user_data, loop_op_user_data(self->op));
		before = user_data;
		loop_op_remove(&self->op);
	}
}

#define MANY 1500

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST_F(loop, user_data_is_unique_among_all_loops_of_the_process)
{
	struct loop_op *ops[2][100] = { 0 };
	uint64_t all[200];
	struct loop *second;

	ASSERT_EQ(0, loop_create(&second, NULL));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0,
			  loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &ops[0][i]));
		ASSERT_EQ(0, loop_poll(second, self->efd, POLLIN, see, &self->seen, &ops[1][i]));
		all[2 * i] = loop_op_user_data(ops[0][i]);
		all[2 * i + 1] = loop_op_user_data(ops[1][i]);
	}
	qsort(all, 200, sizeof(all[0]), compare_u64);
	for (int i = 1; i < 200; i++)
		EXPECT_NE(all[i - 1], all[i]);
	for (int i = 0; i < 100; i++)
		loop_op_remove(&ops[0][i]);
	loop_destroy(second);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(NULL, ops[1][i]);
}

/* More at once than the completion queue and the table of fixed files hold. */
TEST_F(loop, more_completions_than_the_queue_holds_are_all_seen)
{
	static struct loop_op *ops[MANY];
	static struct seen seen[MANY];
	unsigned int missing;

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &seen[i], &ops[i]));
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	for (unsigned int round = 1; round <= 5; round++) {
		uint64_t deadline_ns = soon();

		ASSERT_EQ(0, add_one(self->efd));
		do {
			missing = 0;
			for (int i = 0; i < MANY; i++)
				missing += seen[i].nr < round;
		} while (missing && !loop_run_once(self->loop, deadline_ns));
		ASSERT_EQ(0u, missing) TH_LOG("round %u", round);
	}
	for (int i = 0; i < MANY; i++)
		loop_op_remove(&ops[i]);
}

TEST_F(loop, a_timer_fires_once_and_a_removed_one_never)
{
	struct seen removed = { 0 };
	struct loop_op *op = NULL;

	ASSERT_EQ(0, loop_timer(self->loop, 1000000, see, &removed, &op));
	loop_op_remove(&op);
	ASSERT_EQ(0, loop_timer(self->loop, 2000000, see, &self->seen, &self->op));
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 1));
	EXPECT_EQ(0, self->seen.res);
	EXPECT_EQ(NULL, self->op);
	EXPECT_EQ(0u, removed.nr);
}

static void stop(void *ctx, int res)
{
	loop_stop(ctx);
}

TEST_F(loop, run_returns_after_stop)
{
	ASSERT_EQ(0, loop_timer(self->loop, 0, stop, self->loop, &self->op));
	EXPECT_EQ(0, loop_run(self->loop));
}

TEST_F(loop, signals_are_events_and_the_mask_is_put_back)
{
	sigset_t set, before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	ASSERT_EQ(0, loop_signals(self->loop, &set, see, &self->seen));
	EXPECT_EQ(-EBUSY, loop_signals(self->loop, &set, see, &self->seen));
	kill(getpid(), SIGUSR1);
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 1));
	EXPECT_EQ(SIGUSR1, self->seen.res);
	kill(getpid(), SIGTERM);
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 2));
	EXPECT_EQ(SIGTERM, self->seen.res);
	loop_destroy(self->loop);
	sigprocmask(SIG_SETMASK, NULL, &after);
	/* not memcmp(): the kernel fills in 8 bytes of a sigset_t */
	for (int i = 1; i < SIGRTMAX; i++)
		EXPECT_EQ(sigismember(&before, i), sigismember(&after, i));
	ASSERT_EQ(0, loop_create(&self->loop, NULL));
}

struct task_seen {
	struct loop *loop;
	struct loop_task task;
	unsigned int nr;
	unsigned int again;
};

static void run_task(void *ctx, int res)
{
	struct task_seen *seen = ctx;

	seen->nr++;
	if (seen->nr < seen->again)
		loop_task_add(seen->loop, &seen->task);
}

TEST_F(loop, a_task_that_comes_again_lets_events_through)
{
	struct task_seen busy = { self->loop, { run_task, &busy, NULL, false }, 0, 1000 };

	ASSERT_EQ(0, loop_poll(self->loop, self->efd, POLLIN, see, &self->seen, &self->op));
	loop_task_add(self->loop, &busy.task);
	loop_task_add(self->loop, &busy.task);
	ASSERT_EQ(0, loop_run_once(self->loop, LOOP_FOREVER));
	EXPECT_EQ(1u, busy.nr);
	ASSERT_EQ(0, add_one(self->efd));
	ASSERT_EQ(0, run_until(self->loop, &self->seen, 1));
	EXPECT_GT(10u, busy.nr);
	while (busy.nr < 1000)
		ASSERT_EQ(0, loop_run_once(self->loop, LOOP_FOREVER));
}

TEST_F(loop, a_task_taken_back_does_not_run_and_the_others_do)
{
	struct task_seen t[3] = {
		{ self->loop, { run_task, &t[0], NULL, false }, 0, 0 },
		{ self->loop, { run_task, &t[1], NULL, false }, 0, 0 },
		{ self->loop, { run_task, &t[2], NULL, false }, 0, 0 },
	};

	for (int victim = 0; victim < 3; victim++) {
		for (int i = 0; i < 3; i++)
			loop_task_add(self->loop, &t[i].task);
		loop_task_remove(self->loop, &t[victim].task);
		loop_task_remove(self->loop, &t[victim].task);
		ASSERT_EQ(0, loop_run_once(self->loop, LOOP_FOREVER));
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(2u, t[i].nr);
}

/* Both kinds of call eventfd: the front-end chooses. */
FIXTURE(call)
{
	struct loop *loop;
	struct loop_eventfd *call;
	int efd;
};

FIXTURE_VARIANT(call)
{
	int flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(call, nonblocking) { .flags = EFD_NONBLOCK };
FIXTURE_VARIANT_ADD(call, blocking) { .flags = 0 };
/* clang-format on */

FIXTURE_SETUP(call)
{
	struct vl_err err;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&self->loop, &err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", err.msg);
	ASSERT_EQ(0, ret);
	self->efd = eventfd(0, EFD_CLOEXEC | variant->flags);
	ASSERT_EQ(0, loop_eventfd_add(self->loop, self->efd, &self->call));
}

FIXTURE_TEARDOWN(call)
{
	if (!self->loop)
		return;
	loop_eventfd_remove(&self->call);
	loop_destroy(self->loop);
	close(self->efd);
}

TEST_F(call, signals_add_up_and_are_out_after_the_wait)
{
	uint64_t count = 0;

	/* more than the submission queue holds, and the table of fixed files */
	for (int i = 0; i < 1000; i++)
		loop_eventfd_signal(self->call);
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, 0));
	ASSERT_EQ(0, t_poll_until(self->efd, T_DEADLINE_MS));
	ASSERT_EQ(8, read(self->efd, &count, sizeof(count)));
	EXPECT_EQ(1000u, count);
}

TEST_F(call, a_signal_is_delivered_though_removed_at_once)
{
	uint64_t count = 0;

	loop_eventfd_signal(self->call);
	loop_eventfd_remove(&self->call);
	EXPECT_EQ(NULL, self->call);
	ASSERT_EQ(0, t_poll_until(self->efd, T_DEADLINE_MS));
	ASSERT_EQ(8, read(self->efd, &count, sizeof(count)));
	EXPECT_EQ(1u, count);
}

TEST_F(call, a_signal_goes_to_its_own_eventfd_when_the_next_takes_its_place)
{
	int other = eventfd(0, EFD_CLOEXEC | variant->flags);
	struct loop_eventfd *next;
	struct pollfd pfd = { .fd = other, .events = POLLIN };

	loop_eventfd_signal(self->call);
	loop_eventfd_remove(&self->call);
	ASSERT_EQ(0, loop_eventfd_add(self->loop, other, &next));
	loop_run_once(self->loop, 0);
	EXPECT_EQ(0, t_poll_until(self->efd, T_DEADLINE_MS));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	loop_eventfd_remove(&next);
	close(other);
}

TEST_F(call, a_full_counter_neither_blocks_nor_fails)
{
	const uint64_t full = UINT64_MAX - 1;
	uint64_t count = 0;

	ASSERT_EQ(8, write(self->efd, &full, sizeof(full)));
	for (int i = 0; i < 3; i++) {
		loop_eventfd_signal(self->call);
		loop_run_once(self->loop, 0);
	}
	ASSERT_EQ(8, read(self->efd, &count, sizeof(count)));
	/* one more where the kernel signals it: to an eventfd that is an overflow */
	EXPECT_LE(full, count);
	/* and works again */
	loop_eventfd_signal(self->call);
	loop_run_once(self->loop, 0);
	ASSERT_EQ(0, t_poll_until(self->efd, T_DEADLINE_MS));
	ASSERT_EQ(8, read(self->efd, &count, sizeof(count)));
	EXPECT_EQ(1u, count);
}

/*
 * Ping-pong with a loop in a thread of its own. The work is a number in shared
 * memory, as avail->idx is; the eventfd only says "look".
 */
struct server {
	int kick;
	int call;
	int quit;
	uint64_t wakes;
	int error;
	struct loop *loop;
	struct loop_eventfd *efd;
	pthread_t thread;
	atomic_uint_fast64_t asked;
	atomic_uint_fast64_t answered;
};

static void serve(void *ctx, int res)
{
	struct server *s = ctx;
	uint64_t asked = atomic_load(&s->asked);

	s->wakes++;
	if (asked == atomic_load(&s->answered))
		return;
	atomic_store(&s->answered, asked);
	loop_eventfd_signal(s->efd);
}

static void *serve_thread(void *arg)
{
	struct loop_op *kick = NULL, *quit = NULL;
	struct server *s = arg;

	s->error = loop_create(&s->loop, NULL);
	if (s->error)
		return NULL;
	s->error = loop_eventfd_add(s->loop, s->call, &s->efd);
	if (!s->error)
		s->error = loop_poll(s->loop, s->kick, POLLIN, serve, s, &kick);
	if (!s->error)
		s->error = loop_poll(s->loop, s->quit, POLLIN, stop, s->loop, &quit);
	if (!s->error)
		s->error = loop_run(s->loop);
	loop_eventfd_remove(&s->efd);
	loop_destroy(s->loop);
	return NULL;
}

FIXTURE(ping_pong)
{
	struct server server;
	bool running;
};

FIXTURE_VARIANT(ping_pong)
{
	int flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ping_pong, nonblocking) { .flags = EFD_NONBLOCK };
FIXTURE_VARIANT_ADD(ping_pong, blocking) { .flags = 0 };
/* clang-format on */

FIXTURE_SETUP(ping_pong)
{
	struct server *s = &self->server;
	struct vl_err err;
	struct loop *loop;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&loop, &err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", err.msg);
	loop_destroy(loop);
	s->kick = eventfd(0, EFD_CLOEXEC | variant->flags);
	s->call = eventfd(0, EFD_CLOEXEC | variant->flags);
	s->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, serve_thread, s));
	self->running = true;
}

FIXTURE_TEARDOWN(ping_pong)
{
	struct server *s = &self->server;

	if (!self->running)
		return;
	add_one(s->quit);
	pthread_join(s->thread, NULL);
	EXPECT_EQ(0, s->error);
	close(s->kick);
	close(s->call);
	close(s->quit);
}

/* Waits until all that was asked is answered: a lost kick or call is the deadline. */
static int wait_answered(struct server *s, uint64_t asked)
{
	uint64_t calls;
	int ret = 0;

	while (atomic_load(&s->answered) != asked && !ret)
		ret = t_read_until(s->call, &calls, sizeof(calls), T_DEADLINE_MS);
	return ret;
}

/* Minutes, for where a processor is emulated. */
TEST_F_TIMEOUT(ping_pong, of_100000_kicks_none_is_lost, 300)
{
	struct server *s = &self->server;

	for (uint64_t i = 1; i <= 100000; i++) {
		atomic_store(&s->asked, i);
		ASSERT_EQ(0, add_one(s->kick));
		ASSERT_EQ(0, wait_answered(s, i)) TH_LOG("kick %llu", (unsigned long long)i);
	}
}

/* Kicks that meet the loop at every point between its wake-up and its sleep. */
TEST_F_TIMEOUT(ping_pong, of_100000_kicks_in_bursts_none_is_lost, 300)
{
	struct server *s = &self->server;
	unsigned int seed = 1;
	uint64_t asked = 0;

	while (asked < 100000) {
		for (int burst = 1 + rand_r(&seed) % 6; burst; burst--) {
			atomic_store(&s->asked, ++asked);
			ASSERT_EQ(0, add_one(s->kick));
			for (volatile int spin = rand_r(&seed) % 2000; spin; spin--)
				;
		}
		ASSERT_EQ(0, wait_answered(s, asked))
		TH_LOG("kick %llu", (unsigned long long)asked);
	}
}

FIXTURE(sockets)
{
	struct loop *loop;
	int fds_before;
	int pair[2];
	int sent;
};

FIXTURE_SETUP(sockets)
{
	struct vl_err err;
	int ret;

	memset(self, 0, sizeof(*self));
	self->fds_before = t_fds_count(0);
	ret = loop_create(&self->loop, &err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", err.msg);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->pair));
	self->sent = eventfd(0, EFD_CLOEXEC);
}

FIXTURE_TEARDOWN(sockets)
{
	if (!self->loop)
		return;
	loop_destroy(self->loop);
	vl_fd_close(&self->pair[0]);
	vl_fd_close(&self->pair[1]);
	close(self->sent);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

struct received {
	struct seen seen;
	uint8_t data[64];
	unsigned int nr_fds;
	bool fds_lost;
};

static void receive(void *ctx, int res, const struct loop_received *msg)
{
	struct received *r = ctx;

	see(&r->seen, res);
	if (res > 0)
		memcpy(r->data, msg->data, res);
	r->nr_fds = msg->nr_fds;
	r->fds_lost = msg->fds_lost;
	for (unsigned int i = 0; i < msg->nr_fds; i++)
		close(msg->fds[i]);
}

TEST_F(sockets, bytes_and_fds_arrive_together)
{
	struct received r = { 0 };
	struct seen sent = { 0 };
	struct loop_op *in = NULL, *out = NULL;

	ASSERT_EQ(0, loop_recv(self->loop, self->pair[1], 64, receive, &r, &in));
	ASSERT_EQ(0, loop_send(self->loop, self->pair[0], "kick", 4, &self->sent, 1, see, &sent,
			       &out));
	ASSERT_EQ(0, run_until(self->loop, &r.seen, 1));
	ASSERT_EQ(0, run_until(self->loop, &sent, 1));
	EXPECT_EQ(NULL, in);
	EXPECT_EQ(NULL, out);
	EXPECT_EQ(4, sent.res);
	EXPECT_EQ(4, r.seen.res);
	EXPECT_EQ(0, memcmp(r.data, "kick", 4));
	EXPECT_EQ(1u, r.nr_fds);
	EXPECT_FALSE(r.fds_lost);
}

TEST_F(sockets, fds_that_do_not_fit_are_told_and_closed)
{
	struct loop_op *in = NULL;
	struct received r = { 0 };
	int fds[200];

	for (int i = 0; i < 200; i++)
		fds[i] = self->sent;
	ASSERT_EQ(0, t_peer_send(self->pair[0], "x", 1, fds, 200));
	ASSERT_EQ(0, loop_recv(self->loop, self->pair[1], 64, receive, &r, &in));
	ASSERT_EQ(0, run_until(self->loop, &r.seen, 1));
	EXPECT_TRUE(r.fds_lost);
	EXPECT_EQ(LOOP_FDS_MAX, r.nr_fds);
}

TEST_F(sockets, the_end_of_the_stream_is_0)
{
	struct loop_op *in = NULL;
	struct received r = { 0 };

	ASSERT_EQ(0, loop_recv(self->loop, self->pair[1], 64, receive, &r, &in));
	vl_fd_close(&self->pair[0]);
	ASSERT_EQ(0, run_until(self->loop, &r.seen, 1));
	EXPECT_EQ(0, r.seen.res);
}

TEST_F(sockets, sending_to_a_peer_that_left_is_epipe_without_a_signal)
{
	struct loop_op *out = NULL;
	struct seen sent = { 0 };

	vl_fd_close(&self->pair[1]);
	ASSERT_EQ(0, loop_send(self->loop, self->pair[0], "x", 1, NULL, 0, see, &sent, &out));
	ASSERT_EQ(0, run_until(self->loop, &sent, 1));
	EXPECT_EQ(-EPIPE, sent.res);
}

static void *read_slowly(void *arg)
{
	uint8_t *all = malloc(1 << 20);
	int *fd = arg;
	size_t got = 0;
	ssize_t ret;

	while (got < 1 << 20) {
		ret = read(*fd, all + got, 1000);
		if (ret <= 0)
			break;
		got += ret;
	}
	for (size_t i = 0; i < got; i++)
		if (all[i] != (uint8_t)(i * 7))
			got = 0;
	free(all);
	return (void *)got;
}

TEST_F(sockets, a_message_larger_than_the_socket_takes_is_sent_whole)
{
	uint8_t *data = malloc(1 << 20);
	struct loop_op *out = NULL;
	struct seen sent = { 0 };
	pthread_t reader;
	void *got;

	ASSERT_NE(NULL, data);
	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = i * 7;
	ASSERT_EQ(0, loop_send(self->loop, self->pair[0], data, 1 << 20, &self->sent, 1, see, &sent,
			       &out));
	free(data);
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_slowly, &self->pair[1]));
	EXPECT_EQ(0, run_until(self->loop, &sent, 1));
	EXPECT_EQ(1 << 20, sent.res);
	shutdown(self->pair[0], SHUT_WR);
	pthread_join(reader, &got);
	EXPECT_EQ(1u << 20, (uintptr_t)got);
}

/*
 * The completion with the fds is in the queue, or is not, when the operation is
 * removed by the handler of another one: 100 tries meet both.
 */
TEST_F(sockets, fds_that_arrive_for_a_removed_receive_are_closed)
{
	for (int i = 0; i < 100; i++) {
		struct loop_op *in = NULL, *kick = NULL;
		struct seen killer = { .victim = &in };
		struct received r = { 0 };
		int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		ASSERT_EQ(0, loop_poll(self->loop, efd, POLLIN, see, &killer, &kick));
		ASSERT_EQ(0, loop_recv(self->loop, self->pair[1], 1, receive, &r, &in));
		loop_run_once(self->loop, 0);
		if (i % 2)
			ASSERT_EQ(0, add_one(efd));
		ASSERT_EQ(0, t_peer_send(self->pair[0], "x", 1, &self->sent, 1));
		if (!(i % 2))
			ASSERT_EQ(0, add_one(efd));
		ASSERT_EQ(0, run_until(self->loop, &killer, 1));
		EXPECT_EQ(NULL, in);
		loop_op_remove(&kick);
		close(efd);
		/* what was not taken is still in the socket, and must not stay there */
		if (!r.seen.nr) {
			char byte;

			recv(self->pair[1], &byte, 1, MSG_DONTWAIT);
		}
	}
}

FIXTURE(listening)
{
	struct loop *loop;
	char dir[64];
	char path[96];
	int listener;
};

FIXTURE_SETUP(listening)
{
	struct vl_err err;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&self->loop, &err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", err.msg);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->listener = t_peer_listen(self->path);
	ASSERT_LE(0, self->listener);
}

FIXTURE_TEARDOWN(listening)
{
	if (!self->loop)
		return;
	loop_destroy(self->loop);
	close(self->listener);
	t_tmpdir_remove(self->dir);
}

TEST_F(listening, a_connection_is_accepted)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct loop_op *accepting = NULL, *connecting = NULL;
	struct seen accepted = { 0 }, connected = { 0 };

	ASSERT_EQ(0, loop_accept(self->loop, self->listener, see, &accepted, &accepting));
	ASSERT_EQ(0, loop_connect(self->loop, fd, self->path, see, &connected, &connecting));
	ASSERT_EQ(0, run_until(self->loop, &accepted, 1));
	ASSERT_EQ(0, run_until(self->loop, &connected, 1));
	EXPECT_EQ(0, connected.res);
	ASSERT_LE(0, accepted.res);
	EXPECT_EQ(FD_CLOEXEC, fcntl(accepted.res, F_GETFD));
	close(accepted.res);
	close(fd);
}

TEST_F(listening, connecting_fails_with_the_errno_of_connect)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct loop_op *op = NULL;
	struct seen seen = { 0 };
	char path[200];

	snprintf(path, sizeof(path), "%s/none", self->dir);
	ASSERT_EQ(0, loop_connect(self->loop, fd, path, see, &seen, &op));
	ASSERT_EQ(0, run_until(self->loop, &seen, 1));
	EXPECT_EQ(-ENOENT, seen.res);
	close(self->listener);
	self->listener = -1;
	ASSERT_EQ(0, loop_connect(self->loop, fd, self->path, see, &seen, &op));
	ASSERT_EQ(0, run_until(self->loop, &seen, 2));
	EXPECT_EQ(-ECONNREFUSED, seen.res);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	EXPECT_EQ(-ENAMETOOLONG, loop_connect(self->loop, fd, path, see, &seen, &op));
	close(fd);
}

/* Makes io_uring_setup() fail as a sysctl or an old kernel does. */
static int forbid_io_uring(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { 4, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

TEST(io_uring_that_is_disabled_is_eperm_and_the_message_has_the_cure)
{
	int fds_before = t_fds_count(0);
	struct loop *loop = NULL;
	struct vl_err err = { 0 };

	ASSERT_EQ(0, forbid_io_uring(EPERM));
	EXPECT_EQ(-EPERM, loop_create(&loop, &err));
	EXPECT_EQ(NULL, loop);
	EXPECT_EQ(-EPERM, err.code);
	EXPECT_NE(NULL, strstr(err.msg, "kernel.io_uring_disabled=0"));
	EXPECT_NE(NULL, strstr(err.msg, "seccomp"));
	EXPECT_EQ(fds_before, t_fds_count(0));
}

TEST(a_kernel_without_io_uring_is_enosys_and_the_message_says_which_has_it)
{
	struct loop *loop = NULL;
	struct vl_err err = { 0 };

	ASSERT_EQ(0, forbid_io_uring(ENOSYS));
	EXPECT_EQ(-ENOSYS, loop_create(&loop, &err));
	EXPECT_NE(NULL, strstr(err.msg, "5.13"));
}

TEST(a_process_can_have_63_loops_and_a_number_is_free_again_after_destroy)
{
	struct loop *loops[64] = { NULL };
	struct vl_err err;
	int nr = 0, ret = 0;

	while (nr < 64 && !(ret = loop_create(&loops[nr], &err)))
		nr++;
	if (!nr && (ret == -EPERM || ret == -ENOSYS))
		SKIP(return, "%s", err.msg);
	EXPECT_EQ(63, nr);
	EXPECT_EQ(-EMFILE, ret);
	loop_destroy(loops[31]);
	EXPECT_EQ(0, loop_create(&loops[31], &err));
	while (nr--)
		loop_destroy(loops[nr]);
}

/* By a request and a registration of which the loop knows nothing. */
static int ask(struct io_uring *ring, uint8_t operation)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	bool ours;
	int ret;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_nop(sqe);
	sqe->opcode = operation;
	sqe->user_data = (uintptr_t)sqe;
	io_uring_submit(ring);
	do {
		ret = io_uring_wait_cqe(ring, &cqe);
		if (ret)
			return ret;
		ret = cqe->res;
		ours = cqe->user_data == (uintptr_t)sqe;
		io_uring_cqe_seen(ring, cqe);
	} while (!ours);
	return ret;
}

TEST(a_restricted_ring_does_what_a_loop_does_and_no_more)
{
	struct loop_op *op = NULL, *timer = NULL;
	struct seen seen = { 0 }, late = { 0 };
	struct loop *loop;
	struct vl_err err;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ASSERT_EQ(0, loop_create_restricted(&loop, &err)) TH_LOG("%s", err.msg);
	ASSERT_EQ(0, loop_poll(loop, fd, POLLIN, see, &seen, &op));
	ASSERT_EQ(0, loop_timer(loop, 1000000, see, &late, &timer));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(0, run_until(loop, &seen, 1));
	EXPECT_EQ(0, run_until(loop, &late, 1));
	loop_op_remove(&op);
	EXPECT_EQ(-EACCES, ask(&loop->ring, IORING_OP_NOP));
	EXPECT_EQ(-EACCES, ask(&loop->ring, IORING_OP_OPENAT));
	EXPECT_EQ(-EACCES, io_uring_register_eventfd(&loop->ring, fd));
	loop_destroy(loop);
	close(fd);
}

TEST_HARNESS_MAIN
