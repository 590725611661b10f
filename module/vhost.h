/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a vring that vhost serves, beyond its hops.
 */
#ifndef _VRINGLAB_VHOST_H
#define _VRINGLAB_VHOST_H

#include <linux/atomic.h>
#include <linux/types.h>

struct vl_vring;

/**
 * struct vl_vhost - A vring's share of vhost_ring.c
 * @live:	vhost's virtqueue, while its members may be read; NULL else.
 * @taken:	Descriptor chains taken, see vhost_ring.c.
 * @used:	Used elements pushed, likewise.
 * @decision:	The last decision to notify, while its outcome is not known; else 0.
 * @decisions:	Number of those. Under the virtqueue's mutex.
 * @requeued:	vhost has queued its handler by itself since that ran.
 */
struct vl_vhost {
	const void *live;
	atomic64_t taken;
	atomic64_t used;
	unsigned long decision;
	unsigned long decisions;
	unsigned long requeued;
};

/* It has signalled the call eventfd. */
static inline void vl_vhost_called(struct vl_vhost *vhost)
{
	if (READ_ONCE(vhost->decision))
		xchg(&vhost->decision, 0);
}

/* vhost.c */

void vl_vhost_forget(void);

/* vhost_ring.c: for handlers that know the virtqueue to be alive */

void vl_vhost_bind(struct vl_vring *vring, const void *vq);
bool vl_vhost_sample(struct vl_vring *vring, const void *vq);
void vl_vhost_pause(struct vl_vring *vring, const void *vq);
void vl_vhost_decide(struct vl_vring *vring, const void *vq);

/* vhost_ring.c: for all */

void vl_vhost_unbind(struct vl_vring *vring);
void vl_vhost_settle(struct vl_vring *vring);
void vl_vhost_read(const struct vl_vring *vring, u64 *taken, u64 *used);

#endif /* _VRINGLAB_VHOST_H */
