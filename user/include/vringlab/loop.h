/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One event loop on io_uring: eventfds, sockets with fd passing, timers, signals.
 *
 * A struct loop belongs to the thread that created it: the ring is set up for a
 * single issuer where the kernel can do that. Handlers run inside loop_run() and
 * loop_run_once(), may start and remove operations, and must not run the loop.
 *
 * An operation in progress is a struct loop_op, kept in a holder of the caller's.
 * The loop clears the holder when the operation is over, before it calls the
 * handler for the last time. What an operation refers to (buffers, addresses) is
 * copied into it, so that a holder can be removed at any time; only fds have to
 * stay open until the operation is over or removed.
 */
#ifndef VRINGLAB_LOOP_H
#define VRINGLAB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vl_err;
struct loop;
struct loop_op;
struct loop_eventfd;

/* loop_run_once() without a deadline. */
#define LOOP_FOREVER UINT64_MAX

/*
 * fds taken from one recvmsg. The baseline of the vhost-user specification is 8
 * memory regions, one fd each; the kernel closes what does not fit and says so.
 */
#define LOOP_FDS_MAX 8u

/**
 * loop_create() - Set up a ring
 * @loop:	Set on success only.
 * @err:	What went wrong, and the cure; may be NULL.
 *
 * Asks for the cheapest ring (single issuer, deferred task work, a table of fixed
 * files, a registered ring fd) and falls back step by step on older kernels.
 *
 * Context: the thread that will run the loop.
 * Return: 0, or
 * * %-EPERM - io_uring is disabled, by sysctl or by a seccomp filter
 * * %-ENOSYS - the kernel has no io_uring, or one older than 5.13
 * * %-EMFILE - no fd left, or 63 loops in this process already
 * * %-ENOMEM
 */
int loop_create(struct loop **loop, struct vl_err *err);

/**
 * loop_create_restricted() - Set up a ring that can do no more than a loop does
 * @loop:	Set on success only.
 * @err:	What went wrong, and the cure; may be NULL.
 *
 * The kernel refuses whatever else is asked of it: a seccomp filter does not see what a
 * ring is asked for.
 *
 * Return: as loop_create().
 */
int loop_create_restricted(struct loop **loop, struct vl_err *err);

/**
 * loop_destroy() - Cancel everything and free the loop
 * @loop:	Loop; NULL is allowed.
 *
 * Every operation still in progress is removed first and its end awaited: the
 * kernel must not write to memory that was freed. Holders are cleared.
 */
void loop_destroy(struct loop *loop);

/**
 * loop_run() - Handle events until loop_stop()
 * @loop:	Loop.
 *
 * Return: 0 after loop_stop(), or a negative errno of io_uring_enter(2).
 */
int loop_run(struct loop *loop);

/**
 * loop_run_once() - Wait for events and handle those that are there
 * @loop:	Loop.
 * @deadline_ns: CLOCK_MONOTONIC, %LOOP_FOREVER for none.
 *
 * Return: 0, or
 * * %-ETIME - the deadline passed with nothing to handle
 * * other - from io_uring_enter(2)
 */
int loop_run_once(struct loop *loop, uint64_t deadline_ns);

/**
 * loop_stop() - Make loop_run() return after the handler that is running
 * @loop:	Loop.
 */
void loop_stop(struct loop *loop);

/**
 * loop_now_ns() - The clock of deadlines
 *
 * Return: CLOCK_MONOTONIC in ns.
 */
uint64_t loop_now_ns(void);

/**
 * typedef loop_fn - Handler of an operation
 * @ctx:	As given when the operation was started.
 * @res:	Result of the operation, or a negative errno.
 */
typedef void loop_fn(void *ctx, int res);

/**
 * loop_poll() - Watch an fd for readiness, again and again
 * @loop:	Loop.
 * @fd:		The caller's; stays open until the watch is removed.
 * @events:	poll(2) events.
 * @fn:		Called with the events that are there. A negative errno ends the
 *		watch.
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * Edge-like: @fn is called if the fd is ready now, and then for every wake-up of
 * the fd, also when nobody reads it. Wake-ups that come before the loop gets to
 * run are one call. So an eventfd need not be read, but what it announces must be
 * looked at after each call, until there is no more.
 *
 * Return: 0, %-ENOMEM, %-ENFILE with 65535 operations in progress, or %-EBUSY if
 * the submission queue is full and the kernel takes nothing.
 */
int loop_poll(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *ctx,
	      struct loop_op **op);

/**
 * loop_op_user_data() - The user_data of an operation's completions
 * @op:		Operation in progress.
 *
 * The same for as long as a watch exists, and of no other operation in progress
 * of any loop of this process. A wake-up of a kick eventfd can be told by it in
 * the kernel's io_uring tracepoints, where the completion's res has POLLIN set.
 */
uint64_t loop_op_user_data(const struct loop_op *op);

/**
 * loop_op_remove() - End an operation
 * @op:		Holder; NULL in it is allowed. Is NULL afterwards.
 *
 * Its handler is not called any more, and what was submitted before has reached
 * the kernel: fds of it may be closed.
 */
void loop_op_remove(struct loop_op **op);

/**
 * loop_timer() - Call a handler once, later
 * @loop:	Loop.
 * @delay_ns:	From now.
 * @fn:		Called with 0.
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * Return: as loop_poll().
 */
int loop_timer(struct loop *loop, uint64_t delay_ns, loop_fn *fn, void *ctx, struct loop_op **op);

/**
 * loop_accept() - Accept one connection
 * @loop:	Loop.
 * @fd:		Listening socket, without O_NONBLOCK: with it io_uring does not wait.
 * @fn:		Called with the connection's fd, which is then the callee's.
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * Return: as loop_poll().
 */
int loop_accept(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_op **op);

/**
 * loop_connect() - Connect a unix socket
 * @loop:	Loop.
 * @fd:		Socket, without O_NONBLOCK.
 * @path:	Where to.
 * @fn:		Called with 0.
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * Return: as loop_poll(), or %-ENAMETOOLONG.
 */
int loop_connect(struct loop *loop, int fd, const char *path, loop_fn *fn, void *ctx,
		 struct loop_op **op);

/**
 * struct loop_received - What one recvmsg brought
 * @data:	Bytes; valid until the handler returns.
 * @fds:	Descriptors, all of them the callee's.
 * @nr_fds:	Count.
 * @fds_lost:	More had been sent than %LOOP_FDS_MAX (MSG_CTRUNC); those are closed.
 */
struct loop_received {
	const uint8_t *data;
	const int *fds;
	unsigned int nr_fds;
	bool fds_lost;
};

/**
 * typedef loop_recv_fn - Handler of loop_recv()
 * @ctx:	As given.
 * @res:	Bytes in @msg->data, 0 at the end of the stream, or a negative errno.
 * @msg:	What came.
 */
typedef void loop_recv_fn(void *ctx, int res, const struct loop_received *msg);

/**
 * loop_recv() - Receive once from a unix socket, with fds
 * @loop:	Loop.
 * @fd:		Socket, without O_NONBLOCK.
 * @max_len:	Most bytes to take.
 * @fn:		Handler.
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * fds that arrive for an operation that was removed are closed.
 *
 * Return: as loop_poll().
 */
int loop_recv(struct loop *loop, int fd, size_t max_len, loop_recv_fn *fn, void *ctx,
	      struct loop_op **op);

/**
 * loop_send() - Send all of a buffer to a unix socket, fds with its first byte
 * @loop:	Loop.
 * @fd:		Socket, without O_NONBLOCK.
 * @data:	Bytes, copied.
 * @len:	Count, at least 1.
 * @fds:	Descriptors; stay the caller's, open until the operation is over.
 * @nr_fds:	Count, up to %LOOP_FDS_MAX.
 * @fn:		Called with @len, or a negative errno (no SIGPIPE is raised).
 * @ctx:	For @fn.
 * @op:		Holder.
 *
 * Return: as loop_poll(), or %-EINVAL for too many fds.
 */
int loop_send(struct loop *loop, int fd, const void *data, size_t len, const int *fds,
	      unsigned int nr_fds, loop_fn *fn, void *ctx, struct loop_op **op);

/**
 * loop_signals() - Turn signals into events
 * @loop:	Loop.
 * @set:	Signals; blocked in the calling thread until loop_destroy().
 * @fn:		Called with the number of each signal that arrives.
 * @ctx:	For @fn.
 *
 * Once per loop. Threads started later inherit the mask.
 *
 * Return: 0, %-EBUSY if called before, or from signalfd(2).
 */
int loop_signals(struct loop *loop, const sigset_t *set, loop_fn *fn, void *ctx);

/**
 * loop_eventfd_add() - Prepare to signal an eventfd
 * @loop:	Loop.
 * @fd:		eventfd; the caller's, stays open until removed.
 * @efd:	Set on success only.
 *
 * Return: 0, %-EBADF, %-ENOMEM, %-EMFILE, or %-EINVAL for what is no eventfd, where
 * that shows.
 */
int loop_eventfd_add(struct loop *loop, int fd, struct loop_eventfd **efd);

/**
 * loop_eventfd_signal() - Add 1 to an eventfd
 * @efd:	From loop_eventfd_add().
 *
 * With O_NONBLOCK queued, and out with the loop's next wait, in the same system call;
 * a full counter drops it, for one is pending anyway. Without, and the flag is not
 * ours to set, for the open file is shared with the peer, the kernel does the
 * signalling at once (see eventfd.c), and a full counter reads UINT64_MAX. Neither
 * waits for room in the counter.
 */
void loop_eventfd_signal(struct loop_eventfd *efd);

/**
 * loop_eventfd_remove() - Give an eventfd up
 * @efd:	Holder; NULL in it is allowed. Is NULL afterwards.
 *
 * Signals queued before are delivered.
 */
void loop_eventfd_remove(struct loop_eventfd **efd);

/**
 * struct loop_task - Work to do before the loop sleeps again
 * @fn:		Called with @ctx and 0.
 * @ctx:	For @fn.
 * @next:	The loop's.
 * @queued:	The loop's.
 */
struct loop_task {
	loop_fn *fn;
	void *ctx;
	struct loop_task *next;
	bool queued;
};

/**
 * loop_task_add() - Run a task after the events that are there already
 * @loop:	Loop.
 * @task:	Not owned; adding it twice is once.
 *
 * Lets a handler with much to do give way to the others.
 */
void loop_task_add(struct loop *loop, struct loop_task *task);

/**
 * loop_task_remove() - Take a task back
 * @loop:	Loop.
 * @task:	May be one that is not queued.
 */
void loop_task_remove(struct loop *loop, struct loop_task *task);

/**
 * struct loop_facts - What the kernel granted
 * @single_issuer: IORING_SETUP_SINGLE_ISSUER.
 * @defer_taskrun: IORING_SETUP_DEFER_TASKRUN.
 * @fixed_files: Entries of the table of fixed files, 0 for none.
 * @ring_fd:	The ring's own fd is registered.
 * @cqe_skip:	Successful writes leave no completion.
 */
struct loop_facts {
	bool single_issuer;
	bool defer_taskrun;
	unsigned int fixed_files;
	bool ring_fd;
	bool cqe_skip;
};

/**
 * loop_get_facts() - What kind of ring is this?
 * @loop:	Loop.
 * @facts:	Filled in.
 */
void loop_get_facts(const struct loop *loop, struct loop_facts *facts);

#endif /* VRINGLAB_LOOP_H */
