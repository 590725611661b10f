/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueues of a guest, registered with the module by name: "net0.tx1".
 */
#ifndef VRINGLAB_VMM_TRACE_H
#define VRINGLAB_VMM_TRACE_H

#include <stdbool.h>

struct report;
struct virtio_backend;
struct virtio_queue;
struct vl_err;
struct vmm_trace;

/**
 * vmm_trace_open() - Get ready to register virtqueues
 * @trace:	Set on success only; to NULL if there is nothing to register with and
 *		@required is false.
 * @required:	Missing what it takes is an error.
 * @vhost:	vhost in the kernel serves some of them: the module is to look for vrings
 *		meanwhile, or it does not see how vhost takes kicks.
 * @err:	What is missing, and the cure.
 *
 * Return: 0, %-ENOMEM, or as trace_open() and vlnl_discover_on().
 */
int vmm_trace_open(struct vmm_trace **trace, bool required, bool vhost, struct vl_err *err);

/**
 * vmm_trace_queue() - Register a virtqueue that is served from now on
 * @trace:	NULL is allowed.
 * @be:		Its back-end; outlives @trace, or is not used any more.
 * @queue:	Virtqueue.
 *
 * It stays registered, with its counters, when it is served no more, until it is
 * registered again. One that its back-end has registered stays the back-end's.
 *
 * Needs CAP_NET_ADMIN, as vmm_trace_open() does: the module asks for it each time.
 */
void vmm_trace_queue(struct vmm_trace *trace, const struct virtio_backend *be,
		     const struct virtio_queue *queue);

/**
 * vmm_trace_reset() - Begin an interval of all virtqueues of a device
 * @trace:	NULL is allowed.
 * @be:		Device.
 */
void vmm_trace_reset(struct vmm_trace *trace, const struct virtio_backend *be);

/**
 * vmm_trace_read() - Read the interval so far
 * @trace:	NULL is allowed: there are no reports then.
 * @be:		Device.
 * @reports:	Set to an array, one for each virtqueue that is registered; the caller
 *		frees each by report_free(), and the array.
 * @nr:		Set to their count.
 */
void vmm_trace_read(struct vmm_trace *trace, const struct virtio_backend *be,
		    struct report **reports, unsigned int *nr);

/** vmm_trace_close() - Delete what was registered; NULL is allowed. */
void vmm_trace_close(struct vmm_trace *trace);

#endif /* VRINGLAB_VMM_TRACE_H */
