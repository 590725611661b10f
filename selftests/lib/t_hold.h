/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that is slow: it keeps what it takes until the test says that the oldest
 * are done. Copies the first readable buffer to the first writable one then.
 */
#ifndef VRINGLAB_SELFTESTS_T_HOLD_H
#define VRINGLAB_SELFTESTS_T_HOLD_H

#include <stdatomic.h>

#include <vringlab/loop.h>
#include <vringlab/virtio_device.h>

#define T_HOLD_MAX 64u
#define T_HOLD_IOV 8u

/**
 * struct t_hold - The device
 * @release:	eventfd of the test's: as many as are written to it are done.
 * @held:	Chains that it has.
 * @dropped:	Chains that it gave up.
 * @stops:	How often its virtqueue was stopped.
 * @resets:	How often it was reset.
 */
struct t_hold {
	int release;
	atomic_uint held;
	atomic_uint dropped;
	atomic_uint stops;
	atomic_uint resets;

	struct vdev vdev;
	struct vdev_queue *q;
	struct loop_op *op;
	struct vring_chain chains[T_HOLD_MAX];
	struct iovec iovs[T_HOLD_MAX][T_HOLD_IOV];
	unsigned int first;
	unsigned int nr;
};

/** t_hold_init() - Make one, of one virtqueue; 0 or a negative errno. */
int t_hold_init(struct t_hold *h, uint64_t features);

/** t_hold_exit() - Give all back. */
void t_hold_exit(struct t_hold *h);

/** t_hold_release() - The oldest @nr are done. */
int t_hold_release(const struct t_hold *h, unsigned int nr);

/* For struct t_served_config. */
int t_hold_make(void *ctx, struct loop *loop, struct vdev **vdev);
void t_hold_destroy(void *ctx, struct vdev *vdev);

#endif /* VRINGLAB_SELFTESTS_T_HOLD_H */
