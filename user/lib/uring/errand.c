// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>

/* On the stack of the one who waits. */
struct errand {
	loop_errand_fn *fn;
	void *ctx;
	int ret;
	bool done;
	pthread_cond_t over;
	struct errand *next;
};

/**
 * struct loop_errands - What other threads want
 * @thread:	The loop's.
 * @fd:		eventfd, signalled after the first one was queued. Never read: see
 *		loop_poll().
 * @op:		Watch of @fd.
 * @lock:	Protects the next 3 fields, and errands that wait.
 * @closed:	No more.
 * @first:	The oldest one.
 * @tail:	Where the next one goes.
 */
struct loop_errands {
	pthread_t thread;
	int fd;
	struct loop_op *op;
	pthread_mutex_t lock;
	bool closed;
	struct errand *first;
	struct errand **tail;
};

/* NULL when there is none. */
static struct errand *take(struct loop_errands *errands)
{
	struct errand *errand;

	pthread_mutex_lock(&errands->lock);
	errand = errands->first;
	if (errand) {
		errands->first = errand->next;
		if (!errands->first)
			errands->tail = &errands->first;
	}
	pthread_mutex_unlock(&errands->lock);
	return errand;
}

/* Signalled with the lock held: the waiting one frees it when it has the lock. */
static void answer(struct loop_errands *errands, struct errand *errand, int ret)
{
	pthread_mutex_lock(&errands->lock);
	errand->ret = ret;
	errand->done = true;
	pthread_cond_signal(&errand->over);
	pthread_mutex_unlock(&errands->lock);
}

static void do_errands(void *ctx, int res)
{
	struct loop_errands *errands = ctx;
	struct errand *errand;

	(void)res;
	while ((errand = take(errands)))
		answer(errands, errand, errand->fn(errand->ctx));
}

int loop_errands_create(struct loop_errands **errands, struct loop *loop, struct vl_err *err)
{
	struct loop_errands *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a loop's errands");
	new->thread = pthread_self();
	new->tail = &new->first;
	pthread_mutex_init(&new->lock, NULL);
	new->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->fd < 0) {
		ret = vl_err_set(err, -errno, "eventfd: %s", vl_strerror(errno));
		goto out_free;
	}
	ret = loop_poll(loop, new->fd, POLLIN, do_errands, new, &new->op);
	if (ret) {
		vl_err_set(err, ret, "cannot watch a loop's errands: %s", vl_strerror(ret));
		goto out_close;
	}
	*errands = new;
	return 0;

out_close:
	vl_fd_close(&new->fd);
out_free:
	pthread_mutex_destroy(&new->lock);
	free(new);
	return ret;
}

void loop_errands_close(struct loop_errands *errands)
{
	struct errand *errand;

	pthread_mutex_lock(&errands->lock);
	errands->closed = true;
	pthread_mutex_unlock(&errands->lock);
	while ((errand = take(errands)))
		answer(errands, errand, -ECANCELED);
}

void loop_errands_destroy(struct loop_errands *errands)
{
	if (!errands)
		return;
	loop_errands_close(errands);
	loop_op_remove(&errands->op);
	vl_fd_close(&errands->fd);
	pthread_mutex_destroy(&errands->lock);
	free(errands);
}

/* With the lock held. */
static int wait_for(struct loop_errands *errands, struct errand *errand)
{
	if (errands->closed)
		return -ECANCELED;
	*errands->tail = errand;
	errands->tail = &errand->next;
	/* never full: that takes centuries */
	eventfd_write(errands->fd, 1);
	while (!errand->done)
		pthread_cond_wait(&errand->over, &errands->lock);
	return errand->ret;
}

int loop_errand(struct loop_errands *errands, loop_errand_fn *fn, void *ctx)
{
	struct errand errand = { .fn = fn, .ctx = ctx, .over = PTHREAD_COND_INITIALIZER };
	int ret;

	if (pthread_equal(pthread_self(), errands->thread))
		return errands->closed ? -ECANCELED : fn(ctx);
	pthread_mutex_lock(&errands->lock);
	ret = wait_for(errands, &errand);
	pthread_mutex_unlock(&errands->lock);
	pthread_cond_destroy(&errand.over);
	return ret;
}
