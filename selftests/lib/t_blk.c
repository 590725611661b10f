// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_blk.h>

#include "t_blk.h"

#define NO_STATUS 0xee
#define HDR_BYTES sizeof(struct virtio_blk_outhdr)

static uint32_t next(struct t_blk *b)
{
	b->seed = b->seed * 1664525 + 1013904223;
	return b->seed >> 8;
}

static uint8_t *status_of(const struct t_blk *b, const struct t_blk_slot *s)
{
	return (uint8_t *)t_driver_at(b->t, s->hdr) + HDR_BYTES;
}

static void on_used(void *ctx, unsigned int queue, uint64_t token, uint32_t written)
{
	struct t_blk *b = ctx;
	struct t_blk_slot *s = &b->slots[token];
	const uint8_t *data = t_driver_at(b->t, s->data);

	s->busy = false;
	b->done++;
	if (*status_of(b, s) != VIRTIO_BLK_S_OK)
		b->failed++;
	else if (s->type == VIRTIO_BLK_T_OUT)
		memcpy(b->disk + s->at, data, s->len);
	else if (s->type == VIRTIO_BLK_T_IN)
		b->wrong += memcmp(b->disk + s->at, data, s->len) != 0;
}

int t_blk_init(struct t_blk *b, struct t_driver *t, unsigned int nr_queues)
{
	*b = (struct t_blk){ .t = t, .nr_queues = nr_queues, .disk = calloc(1, T_BLK_BYTES) };
	if (!b->disk)
		return -ENOMEM;
	for (unsigned int i = 0; i < T_BLK_DEPTH; i++) {
		b->slots[i].hdr = t_driver_alloc(t, HDR_BYTES + 1);
		b->slots[i].data = t_driver_alloc(t, T_BLK_PART);
	}
	t->on_used = on_used;
	t->ctx = b;
	return 0;
}

void t_blk_exit(struct t_blk *b)
{
	free(b->disk);
}

static int submit(struct t_blk *b, unsigned int slot, uint32_t type, uint32_t at, uint32_t len)
{
	struct t_blk_slot *s = &b->slots[slot];
	struct virtio_blk_outhdr hdr = {
		.type = htole32(type),
		.sector = htole64(at / 512),
	};
	bool in = type == VIRTIO_BLK_T_IN;
	struct vring_buf bufs[] = {
		{ .gpa = s->hdr, .len = HDR_BYTES },
		{ .gpa = s->data, .len = len },
		{ .gpa = s->hdr + HDR_BYTES, .len = 1 },
	};

	if (!len)
		bufs[1] = bufs[2];
	memcpy(t_driver_at(b->t, s->hdr), &hdr, sizeof(hdr));
	*status_of(b, s) = NO_STATUS;
	s->busy = true;
	s->type = type;
	s->at = at;
	s->len = len;
	return t_driver_add(b->t, slot % b->nr_queues, bufs, 1 + (len && !in), 1 + (len && in),
			    slot);
}

static int submit_any(struct t_blk *b, unsigned int slot)
{
	uint32_t len = (1 + next(b) % 32) * 512;
	uint32_t at = next(b) % ((T_BLK_PART - len) / 512 + 1) * 512;
	uint8_t *data = t_driver_at(b->t, b->slots[slot].data);
	uint8_t pattern = next(b);

	if (next(b) & 1)
		return submit(b, slot, VIRTIO_BLK_T_IN, slot * T_BLK_PART + at, len);
	for (uint32_t i = 0; i < len; i++)
		data[i] = pattern + i * 7 + (i >> 8);
	return submit(b, slot, VIRTIO_BLK_T_OUT, slot * T_BLK_PART + at, len);
}

int t_blk_fill(struct t_blk *b)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < T_BLK_DEPTH; i++)
		if (!b->slots[i].busy)
			ret = submit_any(b, i);
	return ret;
}

int t_blk_run(struct t_blk *b, uint64_t nr)
{
	uint64_t until = b->done + nr;
	int ret = 0;

	while (!ret && b->done < until) {
		ret = t_blk_fill(b);
		if (!ret)
			ret = t_driver_run_once(b->t);
	}
	return ret;
}

static bool is_busy(const struct t_blk *b)
{
	for (unsigned int i = 0; i < T_BLK_DEPTH; i++)
		if (b->slots[i].busy)
			return true;
	return false;
}

int t_blk_settle(struct t_blk *b)
{
	int ret = 0;

	while (!ret && is_busy(b))
		ret = t_driver_run_once(b->t);
	return ret;
}

void t_blk_forget(struct t_blk *b)
{
	for (unsigned int i = 0; i < T_BLK_DEPTH; i++)
		b->slots[i].busy = false;
}

int t_blk_request(struct t_blk *b, uint32_t type, uint32_t at, uint32_t len)
{
	int ret = submit(b, 0, type, at, len);

	while (!ret && b->slots[0].busy)
		ret = t_driver_run_once(b->t);
	return ret ? ret : *status_of(b, &b->slots[0]);
}

int t_blk_verify(struct t_blk *b)
{
	int ret = 0;

	for (uint32_t at = 0; !ret && at < T_BLK_BYTES; at += T_BLK_PART)
		ret = t_blk_request(b, VIRTIO_BLK_T_IN, at, T_BLK_PART);
	return ret;
}
