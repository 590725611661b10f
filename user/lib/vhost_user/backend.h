/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the back-end: the connection (backend.c) and its rings (ring.c).
 */
#ifndef VHOST_USER_BACKEND_H
#define VHOST_USER_BACKEND_H

#include <vringlab/loop.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_conn.h>
#include <vringlab/vhost_user_mem.h>

/**
 * struct vu_ring - One virtqueue, "Ring states"
 * @be:		Whose.
 * @index:	Queue index.
 * @num:	Queue size; 0 before SET_VRING_NUM.
 * @base:	Where to start.
 * @addr:	Where it lies.
 * @has_addr:	@addr is set.
 * @enabled:	May have side effects.
 * @kicked:	A kick was seen since the ring was stopped.
 * @started:	@dev is valid.
 * @broken:	Its contents were bad; nothing is taken from it until it is stopped.
 * @announced:	The device knows the eventfds.
 * @kick_fd:	-1 for none, as the following.
 * @call_fd:	Call eventfd.
 * @err_fd:	Error eventfd.
 * @kick:	Watch on @kick_fd.
 * @call:	Signals @call_fd.
 * @err:	Signals @err_fd.
 * @run:	Looks at the ring when the events that are there have been handled.
 * @dev:	Device side.
 */
struct vu_ring {
	struct vu_backend *be;
	unsigned int index;
	unsigned int num;
	uint16_t base;
	struct vu_vring_addr addr;
	bool has_addr;
	bool enabled;
	bool kicked;
	bool started;
	bool broken;
	bool announced;
	int kick_fd;
	int call_fd;
	int err_fd;
	struct loop_op *kick;
	struct loop_eventfd *call;
	struct loop_eventfd *err;
	struct loop_task run;
	struct vring_dev dev;
};

struct vu_backend {
	struct loop *loop;
	const struct vu_device *device;
	void *ctx;
	struct vu_conn *conn;
	uint64_t features;
	uint64_t protocol_features;
	struct vu_mem mem;
	struct vu_ring rings[];
};

/* ring.c: what messages do to a ring; all of them validate, then commit */
void ring_init(struct vu_ring *ring, struct vu_backend *be, unsigned int index);
void ring_reset(struct vu_ring *ring);
int ring_set_num(struct vu_ring *ring, uint32_t num, struct vl_err *err);
int ring_set_addr(struct vu_ring *ring, const struct vu_vring_addr *addr, struct vl_err *err);
int ring_set_base(struct vu_ring *ring, uint32_t base, struct vl_err *err);
int ring_set_kick(struct vu_ring *ring, int *fd, struct vl_err *err);
int ring_set_call(struct vu_ring *ring, int *fd, struct vl_err *err);
int ring_set_err(struct vu_ring *ring, int *fd, struct vl_err *err);
int ring_set_enabled(struct vu_ring *ring, bool enabled, struct vl_err *err);
uint16_t ring_stop(struct vu_ring *ring);
int ring_resolve(const struct vu_ring *ring, const struct vring_mem *mem,
		 struct vring_layout *layout, struct vl_err *err);
void ring_poke(struct vu_ring *ring);

#endif /* VHOST_USER_BACKEND_H */
