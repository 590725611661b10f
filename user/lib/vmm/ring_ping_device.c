// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ring-ping asks of each kind of device.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_vsock.h>

#include <vringlab/vmm_ring_ping.h>

#include "internal.h"

#define SECTOR_BYTES 512u

/* VMADDR_CID_HOST; linux/vm_sockets.h does not go with sys/socket.h everywhere. */
#define CID_HOST 2u

/* Ports that nobody has. */
#define VSOCK_PORT 0xffff0001u

/* What vhost takes of a message: VIRTIO_VSOCK_MAX_PKT_BUF_SIZE of the kernel. */
#define VSOCK_BYTES_MAX 65536u

static void set_header(struct vmm_ring_ping_chain *chain, const void *header, uint32_t bytes)
{
	memcpy(chain->header, header, bytes);
	chain->header_bytes = bytes;
}

/* The header in front of each frame, all zeroes, and the frame's own. */
static void ask_net(struct vmm_ring_ping_device *d, uint32_t bytes)
{
	const struct {
		struct virtio_net_hdr_v1 virtio;
		struct ethhdr ether;
	} header = {
		/* both of local administration; the type is one for experiments */
		.ether = {
			.h_dest = { 0x02, 0, 0, 0, 0, 2 },
			.h_source = { 0x02, 0, 0, 0, 0, 1 },
			.h_proto = htobe16(0x88b5),
		},
	};

	_Static_assert(sizeof(header) == sizeof(header.virtio) + ETH_HLEN, "no padding");

	d->nr_queues = 2;
	d->queue = 1;
	set_header(&d->chain, &header, sizeof(header));
	d->chain.out_bytes = bytes - ETH_HLEN;
}

static void ask_blk(struct vmm_ring_ping_device *d, uint32_t bytes)
{
	const struct virtio_blk_outhdr header = { .type = htole32(VIRTIO_BLK_T_IN) };

	d->nr_queues = 1;
	set_header(&d->chain, &header, sizeof(header));
	d->chain.in_bytes = bytes;
	d->chain.in = VMM_RING_PING_SAME;
	d->chain.has_status = true;
	d->chain.used_min = bytes + 1;
	d->chain.used_max = bytes + 1;
}

static void ask_console(struct vmm_ring_ping_device *d, uint32_t bytes)
{
	d->nr_queues = 2;
	d->queue = 1;
	d->chain.out_bytes = bytes;
	d->chain.out = VMM_RING_PING_TEXT;
}

/* VIRTIO 1.2, 5.4.6: it may give fewer, and at least one. */
static void ask_rng(struct vmm_ring_ping_device *d, uint32_t bytes)
{
	d->nr_queues = 1;
	d->chain.in_bytes = bytes;
	d->chain.in = VMM_RING_PING_RANDOM;
	d->chain.used_min = 1;
	d->chain.used_max = bytes;
}

static void ask_vsock(struct vmm_ring_ping_device *d, uint32_t bytes)
{
	const struct virtio_vsock_hdr header = {
		.dst_cid = htole64(CID_HOST),
		.src_port = htole32(VSOCK_PORT),
		.dst_port = htole32(VSOCK_PORT),
		.len = htole32(bytes),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(VIRTIO_VSOCK_OP_RST),
	};

	d->nr_queues = 3;
	d->queue = 1;
	set_header(&d->chain, &header, sizeof(header));
	d->chain.out_bytes = bytes;
}

static const struct kind {
	uint16_t device_id;
	uint32_t bytes_min;
	uint32_t bytes_max;
	void (*ask)(struct vmm_ring_ping_device *d, uint32_t bytes);
} kinds[] = {
	{ VIRTIO_ID_NET, ETH_ZLEN, ETH_FRAME_LEN, ask_net },
	{ VIRTIO_ID_BLOCK, SECTOR_BYTES, VMM_RING_PING_SIZE_MAX, ask_blk },
	{ VIRTIO_ID_CONSOLE, 1, VMM_RING_PING_SIZE_MAX, ask_console },
	{ VIRTIO_ID_RNG, 1, VMM_RING_PING_SIZE_MAX, ask_rng },
	{ VIRTIO_ID_VSOCK, 1, VSOCK_BYTES_MAX, ask_vsock },
};

static const struct kind *find_kind(uint16_t device_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].device_id == device_id)
			return &kinds[i];
	return NULL;
}

int vmm_ring_ping_device_init(struct vmm_ring_ping_device *device, uint16_t device_id,
			      uint32_t bytes, struct vl_err *err)
{
	const struct kind *kind = find_kind(device_id);

	if (!kind)
		return vl_err_set(err, -EOPNOTSUPP, "ring-ping has no request for device %u",
				  device_id);
	if (bytes < kind->bytes_min || bytes > kind->bytes_max)
		return vl_err_set(err, -EINVAL, "of this device, buffers must be of %u to %u bytes",
				  kind->bytes_min, kind->bytes_max);
	if (device_id == VIRTIO_ID_BLOCK && bytes % SECTOR_BYTES)
		return vl_err_set(err, -EINVAL, "a disk is read in whole sectors of %u bytes",
				  SECTOR_BYTES);
	*device = (struct vmm_ring_ping_device){ .device_id = device_id };
	kind->ask(device, bytes);
	return 0;
}

void vmm_ring_ping_set_cid(struct vmm_ring_ping_device *device, uint64_t cid)
{
	const uint64_t src_cid = htole64(cid);

	memcpy(device->chain.header + offsetof(struct virtio_vsock_hdr, src_cid), &src_cid,
	       sizeof(src_cid));
}
