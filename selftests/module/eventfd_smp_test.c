// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kicks, wakes and calls that user space alone makes happen, in known numbers,
 * against what the module counts: for equality, each of them.
 */
#include <liburing.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "module.h"

#define ROUNDS 300
#define HAMMER 50000
#define USER_DATA 0x5a5a000012345678ull

/* What every fixture here has: one registered virtqueue. */
struct subject {
	struct t_genl g;
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
};

static void subject_init(struct __test_metadata *_metadata, struct subject *q, int flags)
{
	q->kick = new_eventfd(_metadata, flags);
	q->call = new_eventfd(_metadata, flags);
	q->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "eventfd.0",
		.kick_fd = q->kick,
		.call_fd = q->call,
	};
}

static void subject_exit(struct subject *q)
{
	t_genl_close(&q->g);
	close(q->kick);
	close(q->call);
}

static void add(struct __test_metadata *_metadata, struct subject *q)
{
	vring_add(_metadata, &q->g, &q->v);
}

static void stats(struct __test_metadata *_metadata, struct subject *q)
{
	stats_get(_metadata, &q->g, q->v.id, &q->s);
}

/* Asserting tier: one 8-byte write or read that must succeed. */
static void put(struct __test_metadata *_metadata, int fd)
{
	ASSERT_EQ(0, eventfd_write(fd, 1));
}

static uint64_t take(struct __test_metadata *_metadata, int fd)
{
	eventfd_t value;

	ASSERT_EQ(0, eventfd_read(fd, &value));
	return value;
}

#define EXPECT_CNT(expected, name) EXPECT_EQ((uint64_t)(expected), T_CNT(&self->q.s, name))
#define EXPECT_SPAN(expected, name) EXPECT_EQ((uint64_t)(expected), T_SPAN(&self->q.s, name)->count)

/* clang-format off */
FIXTURE(eventfds) {
	struct subject q;
};

FIXTURE_VARIANT(eventfds) {
	int flags;
};

FIXTURE_VARIANT_ADD(eventfds, blocking) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(eventfds, nonblocking) {
	.flags = EFD_NONBLOCK,
};

/* clang-format on */

FIXTURE_SETUP(eventfds)
{
	OPEN_OR_SKIP(&self->q.g);
	subject_init(_metadata, &self->q, variant->flags);
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(eventfds)
{
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
}

TEST_F_TIMEOUT(eventfds, kicks_by_write_are_all_counted, SLOW)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		put(_metadata, self->q.kick);
	stats(_metadata, &self->q);
	EXPECT_CNT(ROUNDS, KICKS);
	EXPECT_CNT(ROUNDS, KICKS_WRITE);
	EXPECT_CNT(ROUNDS - 1, KICK_COALESCED);
	EXPECT_CNT(0, WAKES);
	EXPECT_CNT(0, CALLS);
	EXPECT_CNT(0, MISSED);
	EXPECT_SPAN(0, KICK_WAKE);
}

TEST_F_TIMEOUT(eventfds, one_write_is_one_kick_whatever_its_value, SLOW)
{
	ASSERT_EQ(0, eventfd_write(self->q.kick, 1000000));
	stats(_metadata, &self->q);
	EXPECT_CNT(1, KICKS);
}

TEST_F_TIMEOUT(eventfds, each_segment_of_a_writev_is_a_kick, SLOW)
{
	uint64_t one = 1;
	struct iovec iov[3] = { { &one, 8 }, { &one, 8 }, { &one, 8 } };

	ASSERT_EQ(24, writev(self->q.kick, iov, 3));
	stats(_metadata, &self->q);
	EXPECT_EQ(3u, take(_metadata, self->q.kick));
	EXPECT_CNT(3, KICKS_WRITE);
}

TEST_F_TIMEOUT(eventfds, one_read_takes_all_kicks_so_far, SLOW)
{
	int i, k;

	for (i = 0; i < 10; i++) {
		for (k = 0; k < 7; k++)
			put(_metadata, self->q.kick);
		EXPECT_EQ(7u, take(_metadata, self->q.kick));
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(70, KICKS);
	EXPECT_CNT(60, KICK_COALESCED);
	EXPECT_CNT(10, WAKES);
	EXPECT_CNT(10, WAKES_READ);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_CNT(9, WAKE_SUPERSEDED);
	EXPECT_SPAN(10, KICK_WAKE);
	EXPECT_SPAN(0, WAKE_CALL);
}

TEST_F_TIMEOUT(eventfds, a_whole_round_is_in_every_span_it_has, SLOW)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		put(_metadata, self->q.kick);
		take(_metadata, self->q.kick);
		put(_metadata, self->q.call);
		take(_metadata, self->q.call);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(ROUNDS, KICKS);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(ROUNDS, WAKES);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_CNT(0, WAKE_SUPERSEDED);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(ROUNDS, CALLS_WRITE);
	/* No interrupt is ever set here, so the first call stays open. */
	EXPECT_CNT(ROUNDS - 1, CALL_COALESCED);
	EXPECT_CNT(0, CALL_UNMATCHED);
	EXPECT_CNT(0, INJECTS);
	EXPECT_CNT(0, ENTRIES);
	EXPECT_SPAN(0, EXIT_KICK);
	EXPECT_SPAN(ROUNDS, KICK_WAKE);
	EXPECT_SPAN(ROUNDS, WAKE_CALL);
	EXPECT_SPAN(0, CALL_INJECT);
	EXPECT_SPAN(0, KICK_ENTRY);
}

TEST_F_TIMEOUT(eventfds, a_call_without_a_wake_is_unmatched, SLOW)
{
	put(_metadata, self->q.call);
	stats(_metadata, &self->q);
	EXPECT_CNT(1, CALLS);
	EXPECT_CNT(1, CALL_UNMATCHED);
	EXPECT_CNT(0, CALL_COALESCED);
	EXPECT_SPAN(0, WAKE_CALL);
}

TEST_F_TIMEOUT(eventfds, only_the_first_call_of_a_batch_is_in_the_span, SLOW)
{
	put(_metadata, self->q.kick);
	take(_metadata, self->q.kick);
	put(_metadata, self->q.call);
	put(_metadata, self->q.call);
	put(_metadata, self->q.call);
	stats(_metadata, &self->q);
	EXPECT_CNT(3, CALLS);
	EXPECT_CNT(2, CALL_COALESCED);
	EXPECT_CNT(2, CALL_UNMATCHED);
	EXPECT_SPAN(1, WAKE_CALL);
}

TEST_F_TIMEOUT(eventfds, a_wake_that_led_to_no_call_is_superseded_by_the_next, SLOW)
{
	int i;

	for (i = 0; i < 5; i++) {
		put(_metadata, self->q.kick);
		take(_metadata, self->q.kick);
	}
	put(_metadata, self->q.call);
	stats(_metadata, &self->q);
	EXPECT_CNT(5, WAKES);
	EXPECT_CNT(4, WAKE_SUPERSEDED);
	EXPECT_CNT(0, CALL_UNMATCHED);
	EXPECT_SPAN(5, KICK_WAKE);
	EXPECT_SPAN(1, WAKE_CALL);
}

TEST_F_TIMEOUT(eventfds, writes_that_fail_are_no_kicks, SLOW)
{
	uint64_t max = UINT64_MAX, one[2] = { 1, 1 };
	uint64_t expected = 0;
	void *nothing;
	ssize_t ret;
	int i;

	nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, nothing);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, write(self->q.kick, one, 4));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, write(self->q.kick, one, 0));
		EXPECT_EQ(-1, write(self->q.kick, &max, 8));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, write(self->q.kick, nothing, 8));
		EXPECT_EQ(EFAULT, errno);
		/* Longer than 8 bytes: taken by older kernels, EINVAL on newer. */
		ret = write(self->q.kick, one, 16);
		expected += ret > 0;
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(expected, KICKS);
	put(_metadata, self->q.kick);
	stats(_metadata, &self->q);
	EXPECT_CNT(expected + 1, KICKS);
}

TEST_F_TIMEOUT(eventfds, reads_that_fail_are_no_wakes, SLOW)
{
	uint32_t small;
	int i;

	put(_metadata, self->q.kick);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, read(self->q.kick, &small, sizeof(small)));
		EXPECT_EQ(EINVAL, errno);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(0, WAKES);
	take(_metadata, self->q.kick);
	stats(_metadata, &self->q);
	EXPECT_CNT(1, WAKES);
	EXPECT_SPAN(1, KICK_WAKE);
}

TEST_F_TIMEOUT(eventfds, waiting_without_taking_is_no_wake, SLOW)
{
	struct pollfd pfd = { .fd = self->q.kick, .events = POLLIN };

	put(_metadata, self->q.kick);
	ASSERT_EQ(1, poll(&pfd, 1, T_DEADLINE_MS));
	stats(_metadata, &self->q);
	EXPECT_CNT(0, WAKES);
}

TEST_F_TIMEOUT(eventfds, a_kick_from_before_the_registration_is_not_there_to_take, SLOW)
{
	struct subject *q = &self->q;

	ASSERT_EQ(0, t_vring_del(&q->g, q->v.id));
	put(_metadata, q->kick);
	add(_metadata, q);
	take(_metadata, q->kick);
	stats(_metadata, q);
	EXPECT_CNT(0, KICKS);
	EXPECT_CNT(1, WAKES);
	EXPECT_CNT(1, WAKE_UNMATCHED);
	EXPECT_SPAN(0, KICK_WAKE);
}

TEST_F_TIMEOUT(eventfds, nothing_is_counted_after_deletion_and_all_is_zero_again, SLOW)
{
	struct subject *q = &self->q;

	put(_metadata, q->kick);
	ASSERT_EQ(0, t_vring_del(&q->g, q->v.id));
	put(_metadata, q->kick);
	put(_metadata, q->call);
	add(_metadata, q);
	stats(_metadata, q);
	EXPECT_CNT(0, KICKS);
	EXPECT_CNT(0, CALLS);
}

TEST_F_TIMEOUT(eventfds, another_process_kicks_and_takes_as_well, SLOW)
{
	pid_t child = fork_child();
	int status, i;

	ASSERT_LE(0, child);
	if (!child) {
		eventfd_t value;

		for (i = 0; i < 20; i++)
			if (eventfd_write(self->q.kick, 1) || eventfd_read(self->q.kick, &value))
				_exit(1);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	stats(_metadata, &self->q);
	EXPECT_CNT(20, KICKS_WRITE);
	EXPECT_CNT(20, WAKES_READ);
	EXPECT_SPAN(20, KICK_WAKE);
}

TEST_F_TIMEOUT(eventfds, each_of_many_vrings_counts_its_own, SLOW)
{
	enum { NR = 40 };
	struct t_vring v[NR];
	struct t_stats s;
	int kick[NR], call[NR], i, n;

	for (i = 0; i < NR; i++) {
		kick[i] = new_eventfd(_metadata, variant->flags);
		call[i] = new_eventfd(_metadata, variant->flags);
		v[i] = self->q.v;
		v[i].kick_fd = kick[i];
		v[i].call_fd = call[i];
		vring_add(_metadata, &self->q.g, &v[i]);
	}
	for (i = 0; i < NR; i++) {
		for (n = 0; n < i; n++)
			put(_metadata, kick[i]);
		for (n = 0; n < 2 * i; n++)
			put(_metadata, call[i]);
	}
	for (i = 0; i < NR; i++) {
		stats_get(_metadata, &self->q.g, v[i].id, &s);
		EXPECT_EQ((uint64_t)i, T_CNT(&s, KICKS));
		EXPECT_EQ(2ull * i, T_CNT(&s, CALLS));
		EXPECT_LAWFUL(&s);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(0, KICKS);
}

/* clang-format off */
FIXTURE(nonblocking) {
	struct subject q;
};

/* clang-format on */

FIXTURE_SETUP(nonblocking)
{
	OPEN_OR_SKIP(&self->q.g);
	subject_init(_metadata, &self->q, EFD_NONBLOCK);
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(nonblocking)
{
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
}

TEST_F_TIMEOUT(nonblocking, a_full_counter_takes_no_kick, SLOW)
{
	int i;

	ASSERT_EQ(0, eventfd_write(self->q.kick, UINT64_MAX - 1));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, eventfd_write(self->q.kick, 1));
		EXPECT_EQ(EAGAIN, errno);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(1, KICKS);
}

TEST_F_TIMEOUT(nonblocking, a_read_of_nothing_is_no_wake, SLOW)
{
	eventfd_t value;
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, eventfd_read(self->q.kick, &value));
		EXPECT_EQ(EAGAIN, errno);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(0, WAKES);
	EXPECT_CNT(0, WAKE_UNMATCHED);
}

/* clang-format off */
FIXTURE(blocking) {
	struct subject q;
};

/* clang-format on */

FIXTURE_SETUP(blocking)
{
	OPEN_OR_SKIP(&self->q.g);
	subject_init(_metadata, &self->q, 0);
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(blocking)
{
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
}

static void *write_once(void *fd)
{
	return (void *)(intptr_t)eventfd_write(*(int *)fd, 1);
}

static void *read_once(void *fd)
{
	eventfd_t value;

	return (void *)(intptr_t)eventfd_read(*(int *)fd, &value);
}

TEST_F_TIMEOUT(blocking, a_write_that_had_to_wait_is_one_kick, SLOW)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, eventfd_write(self->q.kick, UINT64_MAX - 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_once, &self->q.kick));
	take(_metadata, self->q.kick);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	stats(_metadata, &self->q);
	EXPECT_CNT(2, KICKS);
	EXPECT_CNT(1, WAKES);
	take(_metadata, self->q.kick);
	stats(_metadata, &self->q);
	EXPECT_CNT(2, WAKES);
	EXPECT_CNT(0, WAKE_UNMATCHED);
}

TEST_F_TIMEOUT(blocking, a_read_that_had_to_wait_is_one_wake, SLOW)
{
	pthread_t thread;
	void *ret;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, read_once, &self->q.kick));
		put(_metadata, self->q.kick);
		ASSERT_EQ(0, pthread_join(thread, &ret));
		EXPECT_EQ(NULL, ret);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(20, KICKS);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(20, WAKES);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_SPAN(20, KICK_WAKE);
}

static void do_nothing(int sig)
{
}

/* SIGALRM every 10 ms: whatever waits is interrupted sooner or later. */
static void start_alarms(void)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } };
	struct sigaction sa = { .sa_handler = do_nothing };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void stop_alarms(void)
{
	struct itimerval never = { 0 };

	setitimer(ITIMER_REAL, &never, NULL);
}

TEST_F_TIMEOUT(blocking, interrupted_reads_and_writes_are_not_counted, SLOW)
{
	eventfd_t value;
	int i;

	start_alarms();
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-1, eventfd_read(self->q.kick, &value));
		EXPECT_EQ(EINTR, errno);
	}
	ASSERT_EQ(0, eventfd_write(self->q.kick, UINT64_MAX - 1));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-1, eventfd_write(self->q.kick, 1));
		EXPECT_EQ(EINTR, errno);
	}
	stop_alarms();
	stats(_metadata, &self->q);
	EXPECT_CNT(1, KICKS);
	EXPECT_CNT(0, WAKES);
}

/* clang-format off */
FIXTURE(semaphore) {
	struct subject q;
};

/* clang-format on */

FIXTURE_SETUP(semaphore)
{
	OPEN_OR_SKIP(&self->q.g);
	subject_init(_metadata, &self->q, EFD_SEMAPHORE | EFD_NONBLOCK);
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(semaphore)
{
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
}

TEST_F_TIMEOUT(semaphore, reads_after_the_first_find_no_kick_to_take, SLOW)
{
	int i;

	for (i = 0; i < 8; i++)
		put(_metadata, self->q.kick);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(1u, take(_metadata, self->q.kick));
	stats(_metadata, &self->q);
	EXPECT_CNT(8, KICKS);
	EXPECT_CNT(7, KICK_COALESCED);
	EXPECT_CNT(8, WAKES);
	EXPECT_CNT(7, WAKE_UNMATCHED);
	EXPECT_SPAN(1, KICK_WAKE);
}

/* clang-format off */
FIXTURE(ring) {
	struct subject q;
	struct io_uring ring;
};

FIXTURE_VARIANT(ring) {
	unsigned int setup_flags;
	int eventfd_flags;
	unsigned int sqe_flags;
};

FIXTURE_VARIANT_ADD(ring, plain) {
	.eventfd_flags = EFD_NONBLOCK,
};

FIXTURE_VARIANT_ADD(ring, defer_taskrun) {
	.setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	.eventfd_flags = EFD_NONBLOCK,
};

/* A blocking eventfd is written by a worker, not by the submitter. */
FIXTURE_VARIANT_ADD(ring, worker) {
	.eventfd_flags = 0,
};

FIXTURE_VARIANT_ADD(ring, forced_async) {
	.eventfd_flags = EFD_NONBLOCK,
	.sqe_flags = IOSQE_ASYNC,
};

FIXTURE_VARIANT_ADD(ring, kernel_thread) {
	.setup_flags = IORING_SETUP_SQPOLL,
	.eventfd_flags = EFD_NONBLOCK,
};

/* clang-format on */

FIXTURE_SETUP(ring)
{
	int ret;

	OPEN_OR_SKIP(&self->q.g);
	ret = io_uring_queue_init(16, &self->ring, variant->setup_flags);
	if (ret == -EINVAL)
		SKIP(return, "needs Linux 6.1 or newer for this set-up");
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "needs io_uring: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	subject_init(_metadata, &self->q, variant->eventfd_flags);
	self->q.v.has |= HAS(WAKE_USER_DATA);
	self->q.v.wake_user_data = USER_DATA;
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(ring)
{
	io_uring_queue_exit(&self->ring);
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
}

/* One request, submitted, waited for and taken off: what its completion says. */
static int complete_one(struct __test_metadata *_metadata, struct io_uring *ring)
{
	struct __kernel_timespec deadline = { .tv_sec = T_DEADLINE_MS / 1000 };
	struct io_uring_cqe *cqe;
	int ret;

	ASSERT_LE(0, io_uring_submit(ring));
	ASSERT_EQ(0, io_uring_wait_cqe_timeout(ring, &cqe, &deadline));
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

static int ring_write(struct __test_metadata *_metadata, struct io_uring *ring, int fd,
		      unsigned int len, unsigned int flags)
{
	static const uint64_t one = 1;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	ASSERT_NE(NULL, sqe);
	io_uring_prep_write(sqe, fd, &one, len, 0);
	io_uring_sqe_set_flags(sqe, flags);
	/* Not the data of a wake. */
	io_uring_sqe_set_data64(sqe, 1);
	return complete_one(_metadata, ring);
}

TEST_F_TIMEOUT(ring, kicks_by_its_writes_are_told_from_write_2, SLOW)
{
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(8,
			  ring_write(_metadata, &self->ring, self->q.kick, 8, variant->sqe_flags));
		put(_metadata, self->q.kick);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(200, KICKS);
	EXPECT_CNT(100, KICKS_IO_URING);
	EXPECT_CNT(100, KICKS_WRITE);
	EXPECT_CNT(0, KICKS_OTHER);
	EXPECT_CNT(0, WAKES);
}

TEST_F_TIMEOUT(ring, calls_by_its_writes_are_told_from_write_2, SLOW)
{
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(8,
			  ring_write(_metadata, &self->ring, self->q.call, 8, variant->sqe_flags));
		put(_metadata, self->q.call);
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(200, CALLS);
	EXPECT_CNT(100, CALLS_IO_URING);
	EXPECT_CNT(100, CALLS_WRITE);
	EXPECT_CNT(0, CALLS_OTHER);
	EXPECT_CNT(199, CALL_COALESCED);
	EXPECT_CNT(200, CALL_UNMATCHED);
}

TEST_F_TIMEOUT(ring, its_failed_writes_are_no_kicks, SLOW)
{
	int i;

	for (i = 0; i < 10; i++)
		EXPECT_EQ(-EINVAL,
			  ring_write(_metadata, &self->ring, self->q.kick, 4, variant->sqe_flags));
	stats(_metadata, &self->q);
	EXPECT_CNT(0, KICKS);
}

TEST_F_TIMEOUT(ring, its_read_of_the_kick_is_a_wake, SLOW)
{
	struct io_uring_sqe *sqe;
	uint64_t value;
	int i;

	for (i = 0; i < 50; i++) {
		put(_metadata, self->q.kick);
		sqe = io_uring_get_sqe(&self->ring);
		ASSERT_NE(NULL, sqe);
		io_uring_prep_read(sqe, self->q.kick, &value, sizeof(value), 0);
		io_uring_sqe_set_flags(sqe, variant->sqe_flags);
		io_uring_sqe_set_data64(sqe, 1);
		ASSERT_EQ(8, complete_one(_metadata, &self->ring));
	}
	stats(_metadata, &self->q);
	EXPECT_CNT(50, WAKES);
	EXPECT_CNT(50, WAKES_READ);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_SPAN(50, KICK_WAKE);
}

/* The kernel's own count, in the eventfd, is what the module's is held against. */
TEST_F_TIMEOUT(ring, its_completion_signals_are_kicks_by_others, SLOW)
{
	struct io_uring_sqe *sqe;
	uint64_t signals;
	int i;

	ASSERT_EQ(0, io_uring_register_eventfd(&self->ring, self->q.kick));
	for (i = 0; i < 100; i++) {
		sqe = io_uring_get_sqe(&self->ring);
		ASSERT_NE(NULL, sqe);
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, 1);
		ASSERT_EQ(0, complete_one(_metadata, &self->ring));
	}
	ASSERT_EQ(0, io_uring_unregister_eventfd(&self->ring));
	signals = take(_metadata, self->q.kick);
	stats(_metadata, &self->q);
	EXPECT_LE(1u, signals);
	EXPECT_CNT(signals, KICKS);
	EXPECT_CNT(signals, KICKS_OTHER);
	EXPECT_CNT(0, KICKS_IO_URING);
	EXPECT_CNT(1, WAKES);
}

static void arm_poll(struct __test_metadata *_metadata, struct io_uring *ring, int fd,
		     uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	ASSERT_NE(NULL, sqe);
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, user_data);
	ASSERT_LE(0, io_uring_submit(ring));
}

/* Takes off all completions there are: how many had @user_data and no error. */
static unsigned int reap(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_cqe *cqe;
	unsigned int nr = 0;

	while (!io_uring_peek_cqe(ring, &cqe)) {
		nr += cqe->user_data == user_data && cqe->res > 0;
		io_uring_cqe_seen(ring, cqe);
	}
	return nr;
}

static unsigned int wait_and_reap(struct __test_metadata *_metadata, struct io_uring *ring,
				  uint64_t user_data)
{
	struct __kernel_timespec deadline = { .tv_sec = T_DEADLINE_MS / 1000 };
	struct io_uring_cqe *cqe;

	ASSERT_EQ(0, io_uring_wait_cqe_timeout(ring, &cqe, &deadline));
	return reap(ring, user_data);
}

/* The kernel lists what a ring has armed; an SQPOLL ring does it in its own time. */
static bool is_armed(const struct io_uring *ring)
{
	char line[256], path[64];
	bool in_list = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ring->ring_fd);
	f = fopen(path, "re");
	while (f && !in_list && fgets(line, sizeof(line), f))
		if (!strncmp(line, "PollList:", 9))
			in_list = fgets(line, sizeof(line), f) && strstr(line, "op=");
	if (f)
		fclose(f);
	return in_list;
}

static unsigned int poll_rounds(struct __test_metadata *_metadata, struct io_uring *ring, int fd,
				int rounds, int kicks, uint64_t user_data)
{
	unsigned int nr = 0;
	int i, k;

	arm_poll(_metadata, ring, fd, user_data);
	ASSERT_TRUE(EVENTUALLY(is_armed(ring)));
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < kicks; k++)
			put(_metadata, fd);
		nr += wait_and_reap(_metadata, ring, user_data);
	}
	return nr;
}

/*
 * Ends the poll and takes off its last completions: how many of them were
 * wakes. Nothing is under way afterwards.
 */
static unsigned int cancel_poll(struct __test_metadata *_metadata, struct io_uring *ring)
{
	struct __kernel_timespec deadline = { .tv_sec = T_DEADLINE_MS / 1000 };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	bool cancelled = false, told = false;
	struct io_uring_cqe *cqe;
	unsigned int nr = 0;

	ASSERT_NE(NULL, sqe);
	io_uring_prep_cancel64(sqe, USER_DATA, 0);
	io_uring_sqe_set_data64(sqe, 1);
	ASSERT_LE(0, io_uring_submit(ring));
	while (!cancelled || !told) {
		ASSERT_EQ(0, io_uring_wait_cqe_timeout(ring, &cqe, &deadline));
		if (cqe->user_data == 1) {
			EXPECT_EQ(0, cqe->res);
			told = true;
		} else if (cqe->res > 0) {
			nr++;
		} else {
			EXPECT_EQ(-ECANCELED, cqe->res);
			cancelled = true;
		}
		io_uring_cqe_seen(ring, cqe);
	}
	return nr;
}

TEST_F_TIMEOUT(ring, completions_of_its_multishot_poll_are_wakes, SLOW)
{
	unsigned int nr;

	nr = poll_rounds(_metadata, &self->ring, self->q.kick, ROUNDS, 1, USER_DATA);
	stats(_metadata, &self->q);
	EXPECT_EQ((unsigned int)ROUNDS, nr);
	EXPECT_CNT(ROUNDS, KICKS);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(ROUNDS, WAKES);
	EXPECT_CNT(ROUNDS, WAKES_IO_URING);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_CNT(ROUNDS - 1, WAKE_SUPERSEDED);
	EXPECT_SPAN(ROUNDS, KICK_WAKE);
}

TEST_F_TIMEOUT(ring, every_completion_of_its_poll_is_one_wake, SLOW)
{
	unsigned int nr;

	nr = poll_rounds(_metadata, &self->ring, self->q.kick, 50, 5, USER_DATA);
	nr += cancel_poll(_metadata, &self->ring);
	stats(_metadata, &self->q);
	EXPECT_CNT(250, KICKS);
	EXPECT_LE(50u, nr);
	EXPECT_CNT(nr, WAKES_IO_URING);
}

TEST_F_TIMEOUT(ring, a_cancelled_poll_is_no_wake, SLOW)
{
	arm_poll(_metadata, &self->ring, self->q.kick, USER_DATA);
	ASSERT_TRUE(EVENTUALLY(is_armed(&self->ring)));
	EXPECT_EQ(0u, cancel_poll(_metadata, &self->ring));
	stats(_metadata, &self->q);
	EXPECT_CNT(0, WAKES);
}

TEST_F_TIMEOUT(ring, completions_with_other_user_data_are_no_wakes, SLOW)
{
	unsigned int nr;

	nr = poll_rounds(_metadata, &self->ring, self->q.kick, 20, 1, USER_DATA + 1);
	stats(_metadata, &self->q);
	EXPECT_LE(1u, nr);
	EXPECT_CNT(20, KICKS);
	EXPECT_CNT(19, KICK_COALESCED);
	EXPECT_CNT(0, WAKES);
}

/* Polls the kick eventfd in a ring of its own; the parent kicks. */
static int polling_child(int kick, int ready, int rounds)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int nr = 0;

	if (io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		return 1;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_multishot(sqe, kick, POLLIN);
	io_uring_sqe_set_data64(sqe, USER_DATA);
	io_uring_submit(&ring);
	/* One byte for "armed", one for each completion. */
	if (write(ready, "", 1) != 1)
		return 1;
	while (nr < rounds) {
		if (io_uring_wait_cqe(&ring, &cqe))
			return 1;
		nr += cqe->user_data == USER_DATA && cqe->res > 0;
		io_uring_cqe_seen(&ring, cqe);
		if (write(ready, "", 1) != 1)
			return 1;
	}
	io_uring_queue_exit(&ring);
	return 0;
}

static void kick_child(struct __test_metadata *_metadata, struct subject *q, bool is_backend)
{
	struct t_vring v = q->v;
	int ready[2], status, i;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	child = fork_child();
	ASSERT_LE(0, child);
	if (!child)
		_exit(polling_child(q->kick, ready[1], 20));
	close(ready[1]);
	if (is_backend) {
		ASSERT_EQ(0, t_vring_del(&q->g, v.id));
		v.has |= HAS(PID);
		v.pid = child;
		q->v.id = vring_add(_metadata, &q->g, &v);
	}
	ASSERT_EQ(0, t_read_until(ready[0], &byte, 1, T_DEADLINE_MS));
	for (i = 0; i < 20; i++) {
		put(_metadata, q->kick);
		ASSERT_EQ(0, t_read_until(ready[0], &byte, 1, T_DEADLINE_MS));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_F_TIMEOUT(ring, completions_of_another_process_are_no_wakes, SLOW)
{
	kick_child(_metadata, &self->q, false);
	stats(_metadata, &self->q);
	EXPECT_CNT(20, KICKS);
	EXPECT_CNT(0, WAKES);
}

TEST_F_TIMEOUT(ring, completions_of_the_process_that_was_named_are_wakes, SLOW)
{
	kick_child(_metadata, &self->q, true);
	stats(_metadata, &self->q);
	EXPECT_CNT(20, KICKS);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(20, WAKES_IO_URING);
	EXPECT_CNT(20, WAKES);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_SPAN(20, KICK_WAKE);
}

/* clang-format off */
FIXTURE(hammer) {
	struct subject q;
	int other;
};

/* clang-format on */

FIXTURE_SETUP(hammer)
{
	OPEN_OR_SKIP(&self->q.g);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs 2 CPUs: scripts/vm --smp 2");
	subject_init(_metadata, &self->q, EFD_NONBLOCK);
	self->other = new_eventfd(_metadata, EFD_NONBLOCK);
	add(_metadata, &self->q);
}

FIXTURE_TEARDOWN(hammer)
{
	stats(_metadata, &self->q);
	EXPECT_LAWFUL(&self->q.s);
	subject_exit(&self->q);
	close(self->other);
}

/*
 * One thread's work: signals or reads @fd @nr times, on one CPU, all threads
 * at once. What succeeded is counted.
 */
struct work {
	pthread_t thread;
	pthread_barrier_t *start;
	int cpu;
	int fd;
	enum { WRITE, READ, RING_WRITE } what;
	uint64_t nr;
	uint64_t done;
	int error;
};

static void ring_writes(struct work *w)
{
	static const uint64_t one = 1;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	uint64_t i;

	w->error = io_uring_queue_init(8, &ring, 0);
	if (w->error)
		return;
	for (i = 0; i < w->nr && !w->error; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_write(sqe, w->fd, &one, sizeof(one), 0);
		io_uring_sqe_set_data64(sqe, 1);
		io_uring_submit(&ring);
		w->error = io_uring_wait_cqe(&ring, &cqe);
		if (!w->error) {
			w->done += cqe->res == sizeof(one);
			io_uring_cqe_seen(&ring, cqe);
		}
	}
	io_uring_queue_exit(&ring);
}

static void *do_work(void *data)
{
	struct work *w = data;
	eventfd_t value;
	cpu_set_t set;
	uint64_t i;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(w->start);
	if (w->what == RING_WRITE)
		ring_writes(w);
	for (i = 0; i < w->nr && w->what != RING_WRITE; i++)
		if (w->what == WRITE)
			w->done += !eventfd_write(w->fd, 1);
		else
			w->done += !eventfd_read(w->fd, &value);
	return NULL;
}

static void run_works(struct __test_metadata *_metadata, struct work *works, int nr)
{
	pthread_barrier_t start;
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, nr));
	for (i = 0; i < nr; i++) {
		works[i].start = &start;
		ASSERT_EQ(0, pthread_create(&works[i].thread, NULL, do_work, &works[i]));
	}
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, pthread_join(works[i].thread, NULL));
		EXPECT_EQ(0, works[i].error);
	}
}

TEST_F_TIMEOUT(hammer, kicks_from_two_cpus_are_all_counted, SLOW)
{
	struct work works[] = {
		{ .cpu = 0, .fd = self->q.kick, .what = WRITE, .nr = HAMMER },
		{ .cpu = 1, .fd = self->q.kick, .what = WRITE, .nr = HAMMER },
	};

	run_works(_metadata, works, 2);
	stats(_metadata, &self->q);
	EXPECT_EQ(2u * HAMMER, works[0].done + works[1].done);
	EXPECT_CNT(2 * HAMMER, KICKS);
	EXPECT_CNT(2 * HAMMER, KICKS_WRITE);
	EXPECT_CNT(2 * HAMMER - 1, KICK_COALESCED);
	EXPECT_EQ(2u * HAMMER, take(_metadata, self->q.kick));
}

TEST_F_TIMEOUT(hammer, kicks_and_wakes_from_two_cpus_are_all_counted, SLOW)
{
	struct work works[] = {
		{ .cpu = 0, .fd = self->q.kick, .what = WRITE, .nr = HAMMER },
		{ .cpu = 1, .fd = self->q.kick, .what = READ, .nr = HAMMER },
	};

	run_works(_metadata, works, 2);
	stats(_metadata, &self->q);
	EXPECT_CNT(HAMMER, KICKS);
	EXPECT_CNT(works[1].done, WAKES);
	EXPECT_CNT(works[1].done, WAKES_READ);
	EXPECT_LT(0u, works[1].done);
}

TEST_F_TIMEOUT(hammer, every_source_counts_its_own_at_the_same_time, SLOW)
{
	struct work works[] = {
		{ .cpu = 0, .fd = self->q.kick, .what = WRITE, .nr = HAMMER / 10 },
		{ .cpu = 1, .fd = self->q.kick, .what = RING_WRITE, .nr = HAMMER / 10 },
		{ .cpu = 1, .fd = self->q.kick, .what = READ, .nr = HAMMER / 10 },
		{ .cpu = 0, .fd = self->q.call, .what = RING_WRITE, .nr = HAMMER / 10 },
		{ .cpu = 1, .fd = self->q.call, .what = WRITE, .nr = HAMMER / 10 },
		{ .cpu = 0, .fd = self->other, .what = WRITE, .nr = HAMMER / 10 },
	};

	run_works(_metadata, works, 6);
	stats(_metadata, &self->q);
	EXPECT_CNT(HAMMER / 10, KICKS_WRITE);
	EXPECT_CNT(works[1].done, KICKS_IO_URING);
	EXPECT_CNT(works[2].done, WAKES_READ);
	EXPECT_CNT(works[3].done, CALLS_IO_URING);
	EXPECT_CNT(HAMMER / 10, CALLS_WRITE);
	EXPECT_CNT(0, KICKS_OTHER);
	EXPECT_CNT(0, CALLS_OTHER);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
