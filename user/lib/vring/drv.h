/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the driver side, shared by its files.
 */
#ifndef VRINGLAB_LIB_VRING_DRV_H
#define VRINGLAB_LIB_VRING_DRV_H

#include <errno.h>

#include <vringlab/vring_drv.h>

#include "shared.h"

/* A descriptor to be written, the same for both formats. */
struct drv_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
};

static inline unsigned int drv_num(const struct vring_drv *vq)
{
	return vq->config.ring.num;
}

static inline struct drv_desc drv_buf_desc(const struct vring_buf *buf, bool write, bool next)
{
	return (struct drv_desc){
		.addr = buf->gpa,
		.len = buf->len,
		.flags = (next ? VRING_DESC_F_NEXT : 0) | (write ? VRING_DESC_F_WRITE : 0),
	};
}

/*
 * VIRTIO 1.2, 2.7.9 and 2.8.13: one entry, or descriptor, may stand for all up to it.
 * @id is that of the oldest chain that is out, @read_used reads the next entry.
 */
static inline int drv_next_in_order(struct vring_drv *vq, uint16_t id,
				    int (*read_used)(const struct vring_drv *vq, uint32_t *written),
				    uint32_t *written)
{
	if (!vq->batch) {
		int last = read_used(vq, &vq->batch_written);

		if (last < 0)
			return last;
		vq->batch = true;
		vq->batch_last = last;
	}
	if (!vq->config.slots[id].nr)
		return -EPROTO;
	*written = 0;
	if (id == vq->batch_last) {
		*written = vq->batch_written;
		vq->batch = false;
	}
	return id;
}

/* drv_split.c */
int drv_split_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		    unsigned int nr, bool indirect);
void drv_split_publish(struct vring_drv *vq);
bool drv_split_should_kick(struct vring_drv *vq);
int drv_split_get(struct vring_drv *vq, uint32_t *written);
void drv_split_call_disable(struct vring_drv *vq);
bool drv_split_call_enable(struct vring_drv *vq);

/* drv_packed.c */
int drv_packed_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		     unsigned int nr, bool indirect);
void drv_packed_publish(struct vring_drv *vq);
bool drv_packed_should_kick(struct vring_drv *vq);
int drv_packed_get(struct vring_drv *vq, uint32_t *written);
void drv_packed_call_disable(struct vring_drv *vq);
bool drv_packed_call_enable(struct vring_drv *vq);

#endif /* VRINGLAB_LIB_VRING_DRV_H */
