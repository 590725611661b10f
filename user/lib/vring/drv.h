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
