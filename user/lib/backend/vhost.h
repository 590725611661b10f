/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost in the kernel: one fd, and the virtqueues that it serves.
 */
#ifndef BACKEND_VHOST_H
#define BACKEND_VHOST_H

#include "common.h"

/* As many as any of them has. */
#define VHOST_RINGS_MAX 2u

/**
 * struct vhost - A device of /dev/vhost-*
 * @b:		Whose.
 * @path:	Of the device.
 * @fd:		It, -1 for none.
 * @features:	It offers.
 * @err_fd:	eventfd by which it tells that a virtqueue's contents are bad.
 * @distrust:	Watch on it.
 * @excuse:	Has that another reason, which is dealt with? NULL: never.
 * @attached:	Bit mask of the virtqueues that have eventfds.
 */
struct vhost {
	struct backend *b;
	const char *path;
	int fd;
	uint64_t features;
	int err_fd;
	struct loop_op *distrust;
	bool (*excuse)(struct backend *b);
	unsigned int attached;
};

/* Opens @path, which stays the caller's; @module is what to load where it is not there. */
int vhost_open(struct vhost *vhost, struct backend *b, const char *path, const char *module,
	       struct vl_err *err);

/* Allowed for one that is not open, if it is zeroed but for its fds, which are -1. */
void vhost_close(struct vhost *vhost);

/* ioctl(2) that is named in the error. */
int vhost_ioctl(const struct vhost *vhost, unsigned long request, const char *name, void *arg,
		struct vl_err *err);
#define VHOST_IOCTL(vhost, request, arg, err) vhost_ioctl(vhost, request, #request, arg, err)

/* Tells it features and memory, before its virtqueues. */
int vhost_set_up(struct vhost *vhost, uint64_t features, struct vl_err *err);

/* Tells it of one virtqueue, its @index th, at its beginning. */
int vhost_attach(struct vhost *vhost, unsigned int index, const struct virtio_queue *q,
		 struct vl_err *err);

/* Takes the eventfds back; what serves the virtqueues was stopped. */
void vhost_detach(struct vhost *vhost);

#endif /* BACKEND_VHOST_H */
