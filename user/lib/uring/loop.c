// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Set-up, wait and dispatch.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <vringlab/err.h>

#include "internal.h"

/*
 * A loop submits once per wait, and what it submits is a call or two, a reply,
 * an accept: 64 is seldom reached, and then only costs one system call more.
 * Completions of many kicks can come at once.
 */
#define LOOP_SQ_ENTRIES 64
#define LOOP_CQ_ENTRIES 1024

/* How long loop_destroy() waits for operations to end, before it leaks them. */
#define LOOP_CANCEL_NS 2000000000ull

/* Numbers of the loops of this process, one bit each; 0 is not given out. */
static _Atomic uint64_t loop_ids = 1;

static int loop_id_get(uint8_t *id)
{
	uint64_t used = atomic_load(&loop_ids);

	do {
		if (!~used)
			return -EMFILE;
		*id = __builtin_ctzll(~used);
	} while (!atomic_compare_exchange_weak(&loop_ids, &used, used | 1ull << *id));
	return 0;
}

static void loop_id_put(uint8_t id)
{
	atomic_fetch_and(&loop_ids, ~(1ull << id));
}

uint64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int setup_ring(struct loop *loop, bool restricted)
{
	/* from the cheapest kernel has to offer to what every kernel has */
	static const unsigned int attempts[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL, /* 6.1 */
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL, /* 6.0 */
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL, /* 5.19 */
		0,
	};
	struct io_uring_params params;
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		params = (struct io_uring_params){
			.flags = attempts[i] | IORING_SETUP_CQSIZE |
				 (restricted ? IORING_SETUP_R_DISABLED : 0),
			.cq_entries = LOOP_CQ_ENTRIES,
		};
		ret = io_uring_queue_init_params(LOOP_SQ_ENTRIES, &loop->ring, &params);
		if (ret != -EINVAL)
			break;
	}
	if (ret)
		return ret;
	/* RSRC_TAGS came with 5.13, as multishot poll did, which has no flag */
	if (!(params.features & IORING_FEAT_RSRC_TAGS)) {
		io_uring_queue_exit(&loop->ring);
		return -ENOSYS;
	}
	ret = restricted ? loop_restrict(loop) : 0;
	if (ret) {
		io_uring_queue_exit(&loop->ring);
		return ret;
	}
	loop->cq_mask = params.cq_entries - 1;
	loop->facts.single_issuer = params.flags & IORING_SETUP_SINGLE_ISSUER;
	loop->facts.defer_taskrun = params.flags & IORING_SETUP_DEFER_TASKRUN;
	loop->facts.cqe_skip = params.features & IORING_FEAT_CQE_SKIP;
	loop->facts.ring_fd = io_uring_register_ring_fd(&loop->ring) == 1;
	return 0;
}

static int setup_error(struct vl_err *err, int code)
{
	switch (code) {
	case -EPERM:
		return vl_err_set(
			err, code,
			"cannot set up io_uring: it is disabled here; 'sysctl kernel.io_uring_disabled=0' allows it, and in a container its seccomp profile has to");
	case -ENOSYS:
		return vl_err_set(
			err, code,
			"cannot set up io_uring: this kernel has none, or one older than Linux 5.13");
	case -ENOMEM:
		return vl_err_set(
			err, code,
			"cannot set up io_uring: out of memory, or over the limit of locked memory ('ulimit -l')");
	}
	return vl_err_set(err, code, "cannot set up io_uring: %s", vl_strerror(code));
}

static int create(struct loop **loop, bool restricted, struct vl_err *err)
{
	struct loop *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return vl_err_set(err, -ENOMEM, "cannot create an event loop: out of memory");
	l->tasks_tail = &l->tasks;
	loop_rw_wait_init(l);
	l->signal_fd = -1;
	ret = loop_id_get(&l->id);
	if (ret) {
		vl_err_set(err, ret, "cannot create an event loop: this process has 63 already");
		goto out_free;
	}
	ret = setup_ring(l, restricted);
	if (ret) {
		setup_error(err, ret);
		goto out_id;
	}
	loop_files_init(l);
	*loop = l;
	return 0;

out_id:
	loop_id_put(l->id);
out_free:
	free(l);
	return ret;
}

int loop_create(struct loop **loop, struct vl_err *err)
{
	return create(loop, false, err);
}

int loop_create_restricted(struct loop **loop, struct vl_err *err)
{
	return create(loop, true, err);
}

void loop_destroy(struct loop *loop)
{
	uint64_t deadline_ns = loop_now_ns() + LOOP_CANCEL_NS;

	if (!loop)
		return;
	loop_signals_exit(loop);
	loop->tasks = NULL;
	loop->tasks_tail = &loop->tasks;
	loop_op_remove_all(loop);
	loop_rw_wait_exit(loop);
	while ((loop->nr_ops || loop->nr_rw) && !loop_wait(loop, deadline_ns))
		;
	loop_files_exit(loop);
	io_uring_queue_exit(&loop->ring);
	loop_id_put(loop->id);
	/* operations that did not end are leaked: the kernel may still write there */
	free(loop->slots);
	free(loop);
}

void loop_get_facts(const struct loop *loop, struct loop_facts *facts)
{
	*facts = loop->facts;
}

/* Makes room by submitting; NULL only if the kernel takes nothing. */
struct io_uring_sqe *loop_get_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe) {
		loop_flush(loop);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	return sqe;
}

/* After it, the fds named in the submission queue may be closed or replaced. */
void loop_flush(struct loop *loop)
{
	int ret;

	do {
		ret = io_uring_sq_ready(&loop->ring) ? io_uring_submit(&loop->ring) : 0;
	} while (ret > 0 || ret == -EINTR);
}

/*
 * A handler may submit, and a full queue would overflow: taken off before it runs.
 * Returns how many of @nr there were, at most LOOP_BATCH.
 */
unsigned int loop_take(struct loop *loop, struct io_uring_cqe *batch, unsigned int nr)
{
	const struct io_uring_cq *cq = &loop->ring.cq;
	unsigned int ready = io_uring_cq_ready(&loop->ring);
	unsigned int head = *cq->khead;

	if (nr > ready)
		nr = ready;
	if (nr > LOOP_BATCH)
		nr = LOOP_BATCH;
	for (unsigned int i = 0; i < nr; i++)
		batch[i] = cq->cqes[(head + i) & loop->cq_mask];
	io_uring_cq_advance(&loop->ring, nr);
	return nr;
}

/* Takes the completions that are there when it starts, not those it causes. */
static unsigned int loop_dispatch(struct loop *loop)
{
	unsigned int ready = io_uring_cq_ready(&loop->ring);
	struct loop_taken *taken = &loop->taken;

	for (unsigned int left = ready, nr; left; left -= nr) {
		nr = loop_take(loop, taken->batch, left);
		/* a handler that waited for its files has taken them */
		if (!nr)
			break;
		taken->nr = nr;
		for (taken->at = 0; taken->at < nr;) {
			const struct io_uring_cqe *cqe = &taken->batch[taken->at++];

			loop_op_complete(loop, cqe->user_data, cqe->res, cqe->flags);
		}
	}
	return ready;
}

/* Submits and waits for a completion. Returns as io_uring_enter(2). */
int loop_enter(struct loop *loop, uint64_t deadline_ns)
{
	struct __kernel_timespec left = { 0 };
	struct io_uring_cqe *cqe;
	uint64_t now_ns;

	if (deadline_ns == LOOP_FOREVER)
		return io_uring_submit_and_wait(&loop->ring, 1);
	now_ns = loop_now_ns();
	if (deadline_ns > now_ns) {
		left.tv_sec = (deadline_ns - now_ns) / 1000000000;
		left.tv_nsec = (deadline_ns - now_ns) % 1000000000;
	}
	return io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &left, NULL);
}

/* After loop_enter(), which returned @ret: dispatches. Returns as loop_run_once(). */
int loop_handle(struct loop *loop, uint64_t deadline_ns, int ret)
{
	if (loop_dispatch(loop))
		return 0;
	/* EBUSY and EAGAIN: the kernel wants completions taken first, and they were */
	if (ret < 0 && ret != -EINTR && ret != -EBUSY && ret != -EAGAIN)
		return ret;
	/* a wait that submitted something does not tell that it timed out */
	return deadline_ns != LOOP_FOREVER && loop_now_ns() >= deadline_ns ? -ETIME : 0;
}

int loop_wait(struct loop *loop, uint64_t deadline_ns)
{
	loop->rounds++;
	return loop_handle(loop, deadline_ns, loop_enter(loop, deadline_ns));
}

/*
 * Submits what there is and dispatches what is complete, with a system call only
 * where one is due: the kernel says in the ring when it has completions to post.
 * Returns whether there were any.
 */
bool loop_poll_now(struct loop *loop)
{
	const unsigned int due = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

	if (io_uring_sq_ready(&loop->ring))
		loop_flush(loop);
	if (IO_URING_READ_ONCE(*loop->ring.sq.kflags) & due)
		io_uring_get_events(&loop->ring);
	return io_uring_cq_ready(&loop->ring) && loop_dispatch(loop);
}

static void run_tasks(struct loop *loop)
{
	struct loop_task *task;
	unsigned int nr = 0;

	/* as many as there are now: tasks add themselves again */
	for (task = loop->tasks; task; task = task->next)
		nr++;
	while (nr-- && (task = loop->tasks)) {
		loop_task_remove(loop, task);
		task->fn(task->ctx, 0);
	}
}

int loop_run_once(struct loop *loop, uint64_t deadline_ns)
{
	int ret = 0;

	if (loop->tasks)
		/* no sleep, only what is there */
		loop_spin_turn(loop);
	else if (loop->spin.on && loop->spin.first)
		ret = loop_spin_wait(loop, deadline_ns);
	else
		ret = loop_wait(loop, deadline_ns);
	/* those that the handlers have just added too: they end a batch of events */
	run_tasks(loop);
	return ret;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	loop->stopping = false;
	while (!loop->stopping && !ret)
		ret = loop_run_once(loop, LOOP_FOREVER);
	loop_flush(loop);
	return ret;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

void loop_task_add(struct loop *loop, struct loop_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->tasks_tail = task;
	loop->tasks_tail = &task->next;
}

void loop_task_remove(struct loop *loop, struct loop_task *task)
{
	struct loop_task **link = &loop->tasks;

	if (!task->queued)
		return;
	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	if (!task->next)
		loop->tasks_tail = link;
	task->queued = false;
}
