/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control virtqueue of a net device (VIRTIO 1.2, 5.1.6.5), for how many pairs of
 * virtqueues there are: what else there is to control is not offered.
 */
#ifndef BACKEND_NET_CTRL_H
#define BACKEND_NET_CTRL_H

#include "served.h"

/**
 * struct net_ctrl - A control virtqueue
 * @vdev:	Device with nothing but it.
 * @ring:	It.
 * @b:		Whose.
 * @max_pairs:	Pairs of virtqueues that there are.
 * @pairs:	Of them, those that the driver uses.
 * @use_pairs:	The driver uses the first @pairs from now on. Returns 0 or a negative
 *		errno, and nothing has changed then.
 */
struct net_ctrl {
	struct vdev vdev;
	struct served ring;
	struct backend *b;
	unsigned int max_pairs;
	unsigned int pairs;
	int (*use_pairs)(struct backend *b, unsigned int pairs);
};

void net_ctrl_init(struct net_ctrl *ctrl, struct backend *b, unsigned int max_pairs,
		   int (*use_pairs)(struct backend *b, unsigned int pairs));

/* What there is to offer beside the features of the other virtqueues. */
uint64_t net_ctrl_features(const struct net_ctrl *ctrl);

/* How many virtqueues are not for control, for a driver with these features. */
unsigned int net_ctrl_data_queues(const struct net_ctrl *ctrl, uint64_t features);

/* Serves it, where it is negotiated and set up; a single pair is in use. */
int net_ctrl_start(struct net_ctrl *ctrl, uint64_t features, const struct virtio_queue *queues,
		   unsigned int nr, struct vl_err *err);

void net_ctrl_stop(struct net_ctrl *ctrl);

#endif /* BACKEND_NET_CTRL_H */
