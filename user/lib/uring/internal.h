/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the event loop, shared by its files.
 */
#ifndef URING_INTERNAL_H
#define URING_INTERNAL_H

#include <liburing.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <vringlab/loop.h>
#include <vringlab/loop_spin.h>

#include "user_data.h"

#define LOOP_NO_FILE (-1)

/* A place for an operation; free while @op is NULL. */
struct loop_slot {
	struct loop_op *op;
	uint32_t generation;
};

/* Completions that are taken off together. */
#define LOOP_BATCH 16u

/**
 * struct loop_taken - Completions that were taken off, and are not handled yet
 * @batch:	Of loop_dispatch().
 * @at:		Next of @batch.
 * @nr:		Of @batch.
 * @put_off:	Those that loop_rw_wait() has met, for later.
 * @nr_put_off:	Their number.
 * @size:	Entries of @put_off.
 * @later:	Handles them.
 */
struct loop_taken {
	struct io_uring_cqe batch[LOOP_BATCH];
	unsigned int at;
	unsigned int nr;
	struct io_uring_cqe *put_off;
	unsigned int nr_put_off;
	unsigned int size;
	struct loop_task later;
};

/* Busy polling. */
struct loop_spin {
	bool on;
	/* the window adapts itself */
	bool automatic;
	struct loop_spinner *first;
	/* next of a walk over them */
	struct loop_spinner *cursor;
	struct loop_spin_stats stats;
};

struct loop {
	struct io_uring ring;
	unsigned int cq_mask;
	uint8_t id;
	bool stopping;
	struct loop_facts facts;

	struct loop_slot *slots;
	unsigned int nr_slots;
	unsigned int nr_ops;
	/* struct loop_rw in flight */
	unsigned int nr_rw;
	uint64_t rounds;

	struct loop_taken taken;

	/* fixed files: the fd registered at each index, -1 for none */
	int *files;

	struct loop_task *tasks;
	struct loop_task **tasks_tail;

	struct loop_spin spin;

	int signal_fd;
	sigset_t signal_mask_before;
	loop_fn *signal_fn;
	void *signal_ctx;
	struct loop_op *signal_op;
};

/* A sendmsg or recvmsg and all the memory that it refers to. */
struct loop_message {
	struct msghdr hdr;
	struct iovec iov;
	size_t done;
	size_t len;
	/* the size_t before it aligns it for a cmsghdr */
	char control[CMSG_SPACE(LOOP_FDS_MAX * sizeof(int))];
	uint8_t data[];
};

_Static_assert(offsetof(struct loop_message, control) % __alignof__(struct cmsghdr) == 0,
	       "control messages are aligned");

struct loop_op {
	struct loop *loop;
	struct loop_op **holder;
	struct loop_user_data id;
	/* @id of one that has a slot */
	uint64_t user_data;
	/* the kernel has it, or the submission queue has */
	bool in_flight;
	/* the holder is gone; ends with the completion */
	bool removed;
	int fd;
	int file;
	loop_fn *fn;
	loop_recv_fn *recv_fn;
	void *ctx;
	union {
		uint32_t events;
		struct __kernel_timespec delay;
		struct sockaddr_un *addr;
		struct loop_message *msg;
	};
};

/**
 * struct loop_op_type - What differs between the kinds of operation
 * @prepare:	Fills in the submission.
 * @complete:	A completion of an operation that was not removed. Calls the handler,
 *		arms again, or both; @op may be freed by it.
 * @discard:	The result of a removed operation, to be disposed of; may be NULL.
 * @release:	Frees what the operation owns; may be NULL.
 */
struct loop_op_type {
	void (*prepare)(struct loop_op *op, struct io_uring_sqe *sqe);
	void (*complete)(struct loop_op *op, int res);
	void (*discard)(struct loop_op *op, int res);
	void (*release)(struct loop_op *op);
};

extern const struct loop_op_type loop_poll_type;
extern const struct loop_op_type loop_timer_type;
extern const struct loop_op_type loop_accept_type;
extern const struct loop_op_type loop_connect_type;
extern const struct loop_op_type loop_recv_type;
extern const struct loop_op_type loop_send_type;

/* loop.c */
struct io_uring_sqe *loop_get_sqe(struct loop *loop);
void loop_flush(struct loop *loop);
int loop_enter(struct loop *loop, uint64_t deadline_ns);
int loop_handle(struct loop *loop, uint64_t deadline_ns, int ret);
int loop_wait(struct loop *loop, uint64_t deadline_ns);
unsigned int loop_take(struct loop *loop, struct io_uring_cqe *batch, unsigned int nr);
bool loop_poll_now(struct loop *loop);

/* spin.c */
bool loop_spin_turn(struct loop *loop);
int loop_spin_wait(struct loop *loop, uint64_t deadline_ns);

/* op.c */
struct loop_op *loop_op_new(struct loop *loop, enum loop_kind kind, int fd, void *ctx);
int loop_op_start(struct loop_op *op, struct loop_op **holder);
int loop_op_arm(struct loop_op *op);
void loop_op_finish(struct loop_op *op);
void loop_op_finish_with(struct loop_op *op, int res);
void loop_op_complete(struct loop *loop, uint64_t user_data, int res, uint32_t flags);
void loop_op_remove_all(struct loop *loop);

/* rw.c */
void loop_rw_complete(struct loop *loop, uint64_t user_data, int res);

/* rw_wait.c */
void loop_rw_wait_init(struct loop *loop);
void loop_rw_wait_exit(struct loop *loop);

/* file.c */
void loop_files_init(struct loop *loop);
void loop_files_exit(struct loop *loop);
int loop_file_add(struct loop *loop, int fd);
void loop_file_remove(struct loop *loop, int file);
void loop_file_prepare(struct io_uring_sqe *sqe, int file);

/* signals.c */
void loop_signals_exit(struct loop *loop);

/* restrict.c: of a ring that is disabled, which it enables. Returns 0 or a negative errno. */
int loop_restrict(struct loop *loop);

#endif /* URING_INTERNAL_H */
