// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errands of several threads on one loop: each is done once, there, in order, and
 * nobody waits for a loop that does no more of them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"

#define THREADS 4u
#define ERRANDS 2000u

FIXTURE(errand)
{
	struct loop *loop;
	struct loop_errands *errands;
	struct vl_err err;
	int fds_before;
};

FIXTURE_SETUP(errand)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->fds_before = t_fds_count(0);
	ret = loop_create(&self->loop, &self->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, loop_errands_create(&self->errands, self->loop, &self->err));
}

FIXTURE_TEARDOWN(errand)
{
	loop_errands_destroy(self->errands);
	loop_destroy(self->loop);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

/**
 * struct customer - A thread with errands
 * @seen:	Errands done; of the loop's thread alone, without atomics or a lock.
 * @good:	Answers that were right.
 * @canceled:	Answers that were -ECANCELED.
 * @left:	Customers that have not ended; the last one stops the loop.
 */
struct customer {
	struct loop_errands *errands;
	struct loop *loop;
	pthread_t thread;
	pthread_t loop_thread;
	unsigned int nr;
	unsigned int seen;
	unsigned int good;
	unsigned int canceled;
	atomic_uint *left;
};

static int count(void *ctx)
{
	struct customer *c = ctx;

	if (!pthread_equal(pthread_self(), c->loop_thread))
		return -EPERM;
	return ++c->seen;
}

static int stop(void *ctx)
{
	loop_stop(ctx);
	return 0;
}

static void *customer_thread(void *arg)
{
	struct customer *c = arg;

	for (unsigned int i = 1; i <= c->nr; i++) {
		int ret = loop_errand(c->errands, count, c);

		c->good += ret == (int)i;
		c->canceled += ret == -ECANCELED;
	}
	if (atomic_fetch_sub(c->left, 1) == 1)
		loop_errand(c->errands, stop, c->loop);
	return NULL;
}

static void start(struct customer *c, unsigned int nr, struct loop *loop,
		  struct loop_errands *errands, atomic_uint *left)
{
	*c = (struct customer){
		.errands = errands,
		.loop = loop,
		.loop_thread = pthread_self(),
		.nr = nr,
		.left = left,
	};
	pthread_create(&c->thread, NULL, customer_thread, c);
}

TEST_F(errand, each_is_done_once_on_the_thread_of_the_loop)
{
	struct customer customers[THREADS];
	atomic_uint left = THREADS;

	for (unsigned int i = 0; i < THREADS; i++)
		start(&customers[i], ERRANDS, self->loop, self->errands, &left);
	EXPECT_EQ(0, loop_run(self->loop));
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(customers[i].thread, NULL);
		EXPECT_EQ(ERRANDS, customers[i].seen);
		EXPECT_EQ(ERRANDS, customers[i].good);
		EXPECT_EQ(0u, customers[i].canceled);
	}
}

TEST_F(errand, on_the_threads_own_loop_it_is_done_at_once)
{
	struct customer c = { .loop_thread = pthread_self() };

	EXPECT_EQ(1, loop_errand(self->errands, count, &c));
	EXPECT_EQ(2, loop_errand(self->errands, count, &c));
	EXPECT_EQ(2u, c.seen);
}

/* The errand that closes is answered itself; whoever comes then is not served. */
static int close_errands(void *ctx)
{
	loop_errands_close(ctx);
	return 7;
}

static void *closer_thread(void *arg)
{
	struct customer *c = arg;

	c->good = loop_errand(c->errands, close_errands, c->errands);
	c->canceled = loop_errand(c->errands, count, c) == -ECANCELED;
	return NULL;
}

TEST_F(errand, one_can_close_and_has_its_answer)
{
	struct customer c = { .errands = self->errands };
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;

	ASSERT_EQ(0, pthread_create(&c.thread, NULL, closer_thread, &c));
	ASSERT_EQ(0, loop_run_once(self->loop, deadline_ns));
	pthread_join(c.thread, NULL);
	EXPECT_EQ(7u, c.good);
	EXPECT_EQ(1u, c.canceled);
	EXPECT_EQ(0u, c.seen);
	EXPECT_EQ(-ECANCELED, loop_errand(self->errands, count, &c));
}

TEST_F(errand, closing_answers_those_that_wait_and_those_that_come)
{
	struct customer customers[THREADS];
	atomic_uint left = THREADS + 1;

	/* the loop does not run: some wait by now, others come later */
	for (unsigned int i = 0; i < THREADS; i++)
		start(&customers[i], 100, self->loop, self->errands, &left);
	loop_errands_close(self->errands);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(customers[i].thread, NULL);
		EXPECT_EQ(100u, customers[i].canceled);
		EXPECT_EQ(0u, customers[i].seen);
	}
	loop_errands_close(self->errands);
}

TEST_F(errand, closing_under_load_leaves_nobody_waiting)
{
	struct customer customers[THREADS];
	atomic_uint left = THREADS + 1;

	for (unsigned int i = 0; i < THREADS; i++)
		start(&customers[i], ERRANDS, self->loop, self->errands, &left);
	while (customers[0].seen < ERRANDS / 2)
		ASSERT_EQ(0, loop_run_once(self->loop, LOOP_FOREVER));
	loop_errands_close(self->errands);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(customers[i].thread, NULL);
		/* what was done was told, what was not done too */
		EXPECT_EQ(customers[i].seen, customers[i].good);
		EXPECT_EQ(ERRANDS, customers[i].good + customers[i].canceled);
	}
}

TEST_HARNESS_MAIN
