/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loopback device: what a chain has to read is copied to where it can be
 * written, in order. No state, no configuration: the shortest way through a
 * back-end there is.
 */
#ifndef VRINGLAB_LOOPBACK_H
#define VRINGLAB_LOOPBACK_H

#include <vringlab/vring.h>

/**
 * loopback_process() - Serve a virtqueue
 * @vq:		Virtqueue.
 * @iov:	%VRING_NUM_MAX entries to work with: no chain is longer.
 *
 * Return: as process() of struct vu_device.
 */
int loopback_process(struct vring_dev *vq, struct iovec *iov);

#endif /* VRINGLAB_LOOPBACK_H */
