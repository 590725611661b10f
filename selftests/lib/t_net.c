// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/virtio_config.h>

#include <vringlab/loop.h>
#include <vringlab/vring_inflight.h>

#include "t.h"
#include "t_net.h"

/* In the memory, for each virtqueue: its ring, then indirect tables, then buffers. */
#define QUEUE_BYTES (256u << 10)
#define INDIRECT_AT (64u << 10)
#define INDIRECT_MAX 40u
#define BUFS_AT (T_NET_QUEUES_MAX * QUEUE_BYTES)

#define BIT(bit) (UINT64_C(1) << (bit))

static void on_done(struct vdev_queue *q)
{
	(void)q;
}

static void on_changed(struct vdev *vdev)
{
	((struct t_net *)vdev->transport)->changed++;
}

static uint64_t ring_features(const struct t_net_config *config)
{
	return (config->indirect ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
	       (config->in_order ? BIT(VIRTIO_F_IN_ORDER) : 0) |
	       (config->packed ? BIT(VIRTIO_F_RING_PACKED) : 0);
}

static int start_device_side(struct t_net *net, unsigned int queue)
{
	struct t_net_queue *tq = &net->queues[queue];
	const struct vring_dev_config config = {
		.ring = vring_layout_host(T_NET_NUM, net->config.packed,
					  net->mem + queue * QUEUE_BYTES),
		.mem = &net->table,
		.features = ring_features(&net->config),
		.base = net->config.packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT,
		.inflight = net->inflight[queue],
	};
	int ret = vring_dev_init(&tq->dev, &config);

	if (ret)
		return ret;
	tq->q.vq = &tq->dev;
	return net->vdev->ops->start(net->vdev->dev, &tq->q, &net->err);
}

static int start_queue(struct t_net *net, unsigned int queue)
{
	struct t_net_queue *tq = &net->queues[queue];
	uint8_t *at = net->mem + queue * QUEUE_BYTES;
	const struct vring_drv_config config = {
		.ring = vring_layout_host(T_NET_NUM, net->config.packed, at),
		.features = ring_features(&net->config),
		.slots = tq->slots,
		.indirect = net->config.indirect ? (void *)(at + INDIRECT_AT) : NULL,
		.indirect_gpa = T_NET_GPA + queue * QUEUE_BYTES + INDIRECT_AT,
		.indirect_max = INDIRECT_MAX,
	};

	tq->net = net;
	tq->q = (struct vdev_queue){
		.index = queue,
		.enabled = true,
		.done = on_done,
		.run = on_done,
		.transport = tq,
	};
	vring_drv_init(&tq->drv, &config);
	if (net->config.inflight) {
		uint64_t size = vring_inflight_size(net->config.packed, T_NET_NUM);

		net->inflight[queue] = aligned_alloc(64, (size + 63) / 64 * 64);
		if (!net->inflight[queue])
			return -ENOMEM;
		memset(net->inflight[queue], 0, size);
	}
	return start_device_side(net, queue);
}

static int make_memory(struct t_net *net)
{
	struct vring_mem_region region = {
		.guest_addr = T_NET_GPA,
		.user_addr = 0x1000,
		.size = T_NET_MEM_BYTES,
	};
	void *mem = mmap(NULL, T_NET_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	net->mem = mem;
	net->brk = BUFS_AT;
	region.host = mem;
	return vring_mem_add(&net->table, &region);
}

int t_net_start(struct t_net *net, const struct t_net_config *config)
{
	int ret;

	memset(net, 0, sizeof(*net));
	net->config = *config;
	ret = make_memory(net);
	if (!ret)
		ret = loop_create(&net->loop, &net->err);
	if (!ret)
		ret = vdev_net_create(&net->vdev, net->loop, &config->device, &net->err);
	if (ret)
		return ret;
	net->vdev->transport = net;
	net->vdev->config_changed = on_changed;
	net->vdev->ops->set_features(net->vdev->dev, config->features | ring_features(config) |
							     BIT(VIRTIO_F_VERSION_1));
	while (net->nr_queues < net->vdev->num_queues && !ret)
		ret = start_queue(net, net->nr_queues++);
	return ret;
}

void t_net_stop(struct t_net *net)
{
	for (unsigned int i = 0; i < net->nr_queues; i++) {
		t_net_queue_stop(net, i);
		vring_dev_exit(&net->queues[i].dev);
		free(net->inflight[i]);
	}
	vdev_net_destroy(net->vdev);
	loop_destroy(net->loop);
	if (net->mem)
		munmap(net->mem, T_NET_MEM_BYTES);
	net->mem = NULL;
}

int t_net_restart(struct t_net *net, unsigned int queue)
{
	struct t_net_queue *tq = &net->queues[queue];
	size_t size = vring_inflight_size(net->config.packed, T_NET_NUM);
	void *as_it_was = malloc(size);
	int ret;

	if (!as_it_was)
		return -ENOMEM;
	memcpy(as_it_was, net->inflight[queue], size);
	t_net_queue_stop(net, queue);
	vring_dev_exit(&tq->dev);
	memcpy(net->inflight[queue], as_it_was, size);
	free(as_it_was);
	ret = start_device_side(net, queue);
	return ret;
}

unsigned int t_net_queue_stop(struct t_net *net, unsigned int queue)
{
	struct t_net_queue *tq = &net->queues[queue];

	net->vdev->ops->stop(net->vdev->dev, &tq->q, false);
	return vring_dev_in_flight(&tq->dev);
}

uint32_t t_net_alloc(struct t_net *net, uint32_t len)
{
	uint32_t offset = net->brk;

	/* a gap, so that a write beyond the end meets another buffer's start */
	net->brk += (len + 15) / 16 * 16;
	return offset;
}

int t_net_add(struct t_net *net, unsigned int queue, uint32_t offset, const uint32_t *lens,
	      unsigned int nr_out, unsigned int nr_in)
{
	struct t_net_queue *tq = &net->queues[queue];
	struct vring_buf bufs[T_NET_NUM];
	uint32_t at = offset;
	int id;

	for (unsigned int i = 0; i < nr_out + nr_in; i++) {
		bufs[i] = (struct vring_buf){ .gpa = T_NET_GPA + at, .len = lens[i] };
		at += lens[i];
	}
	id = vring_drv_add(&tq->drv, bufs, nr_out, nr_in);
	if (id < 0)
		return id;
	tq->by_id[id] = tq->nr_chains;
	tq->chains[tq->nr_chains] = (struct t_net_chain){ .offset = offset };
	return tq->nr_chains++;
}

int t_net_give(struct t_net *net, unsigned int pair, uint32_t len)
{
	return t_net_add(net, T_NET_RX(pair), t_net_alloc(net, len), &len, 0, 1);
}

int t_net_send(struct t_net *net, unsigned int pair, const struct virtio_net_hdr_v1 *hdr,
	       const void *frame, uint32_t len)
{
	uint32_t bytes = sizeof(*hdr) + len;
	uint32_t offset = t_net_alloc(net, bytes);

	memcpy(net->mem + offset, hdr, sizeof(*hdr));
	memcpy(net->mem + offset + sizeof(*hdr), frame, len);
	return t_net_add(net, T_NET_TX(pair), offset, &bytes, 1, 0);
}

static int collect(struct t_net_queue *tq)
{
	uint32_t written;
	int id;

	while ((id = vring_drv_get(&tq->drv, &written)) >= 0) {
		struct t_net_chain *chain = &tq->chains[tq->by_id[id]];

		if (chain->back)
			return -EPROTO;
		chain->back = true;
		chain->written = written;
		tq->order[tq->used++] = tq->by_id[id];
	}
	return id == -EAGAIN ? 0 : id;
}

int t_net_process(struct t_net *net, unsigned int queue)
{
	const struct vdev_ops *ops = net->vdev->ops;
	struct t_net_queue *tq = &net->queues[queue];
	int ret, bad;

	ret = (tq->q.enabled ? ops->process : ops->discard)(net->vdev->dev, &tq->q);
	bad = collect(tq);
	return bad ? bad : ret;
}

int t_net_run_until(struct t_net *net, unsigned int queue, unsigned int used)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret;

	for (;;) {
		ret = t_net_process(net, queue);
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		if (net->queues[queue].used >= used)
			return 0;
		if (ret == VDEV_MORE)
			continue;
		ret = loop_run_once(net->loop, deadline_ns);
		if (ret)
			return ret;
	}
}

int t_net_received(struct t_net *net, unsigned int pair, unsigned int at,
		   struct virtio_net_hdr_v1 *hdr, void *frame, uint32_t size)
{
	const struct t_net_queue *tq = &net->queues[T_NET_RX(pair)];
	uint32_t done = 0, skip = sizeof(*hdr);
	unsigned int nr;

	if (at >= tq->used || tq->chains[tq->order[at]].written < skip)
		return -EPROTO;
	memcpy(hdr, net->mem + tq->chains[tq->order[at]].offset, skip);
	nr = le16toh(hdr->num_buffers);
	if (!nr || at + nr > tq->used)
		return -EPROTO;
	for (; nr--; at++, skip = 0) {
		const struct t_net_chain *chain = &tq->chains[tq->order[at]];
		uint32_t part = chain->written - skip;

		if (part > size - done)
			return -EPROTO;
		memcpy((uint8_t *)frame + done, net->mem + chain->offset + skip, part);
		done += part;
	}
	return done;
}

struct vdev_net_stats t_net_stats(const struct t_net *net)
{
	struct vdev_net_stats stats;

	vdev_net_get_stats(net->vdev, &stats);
	return stats;
}
