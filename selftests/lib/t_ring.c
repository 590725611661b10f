// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/fd.h>

#include "t.h"
#include "t_ring.h"

/* Offsets of the parts: far enough apart for T_RING_NUM entries. */
#define DESC 0x0000u
#define AVAIL 0x1000u
#define USED 0x2000u

/* Of the second ring in a memory. */
#define BESIDE 0x4000u

void t_ring_set_features(struct t_ring *ring, uint64_t features)
{
	const struct vring_drv_config config = {
		.features = features,
		.ring = {
			.num = T_RING_NUM,
			.packed = features >> VIRTIO_F_RING_PACKED & 1,
			.desc = (void *)(ring->mem + ring->at + DESC),
			.avail = (void *)(ring->mem + ring->at + AVAIL),
			.used = (void *)(ring->mem + ring->at + USED),
		},
		.slots = ring->slots,
	};

	memset(ring->mem + ring->at, 0, USED + 0x1000);
	vring_drv_init(&ring->drv, &config);
}

/* Maps @ring->memfd and makes the rest. */
static int make_ring(struct t_ring *ring)
{
	ring->mem =
		mmap(NULL, T_RING_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->memfd, 0);
	if (ring->mem == MAP_FAILED) {
		ring->mem = NULL;
		return -errno;
	}
	ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->kick < 0 || ring->call < 0)
		return -errno;
	t_ring_set_features(ring, 0);
	return 0;
}

int t_ring_create_unsealed(struct t_ring *ring)
{
	*ring = (struct t_ring){ .memfd = -1, .kick = -1, .call = -1 };
	ring->memfd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ring->memfd < 0 || ftruncate(ring->memfd, T_RING_MEM_BYTES))
		return -errno;
	return make_ring(ring);
}

int t_ring_create(struct t_ring *ring)
{
	int ret = t_ring_create_unsealed(ring);

	if (!ret && fcntl(ring->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		ret = -errno;
	return ret;
}

int t_ring_create_beside(struct t_ring *ring, const struct t_ring *first)
{
	*ring = (struct t_ring){ .at = BESIDE, .memfd = -1, .kick = -1, .call = -1 };
	ring->memfd = fcntl(first->memfd, F_DUPFD_CLOEXEC, 0);
	if (ring->memfd < 0)
		return -errno;
	return make_ring(ring);
}

/* From the rings to the buffers, and from those to the end. */
static const struct {
	uint32_t start, end;
} canaries[] = {
	{ T_RING_RINGS, T_RING_OUT },
	{ T_RING_OUT + T_RING_BUF_MAX, T_RING_IN },
	{ T_RING_BUFS_END, T_RING_MEM_BYTES },
};

#define PATTERN 0xa5

void t_ring_guard(struct t_ring *ring)
{
	for (size_t i = 0; i < sizeof(canaries) / sizeof(canaries[0]); i++)
		memset(ring->mem + canaries[i].start, PATTERN, canaries[i].end - canaries[i].start);
}

bool t_ring_is_intact(const struct t_ring *ring)
{
	for (size_t i = 0; i < sizeof(canaries) / sizeof(canaries[0]); i++)
		for (uint32_t at = canaries[i].start; at < canaries[i].end; at++)
			if (ring->mem[at] != PATTERN)
				return false;
	return true;
}

void t_ring_destroy(struct t_ring *ring)
{
	if (!ring->mem)
		return;
	munmap(ring->mem, T_RING_MEM_BYTES);
	ring->mem = NULL;
	vl_fd_close(&ring->memfd);
	vl_fd_close(&ring->kick);
	vl_fd_close(&ring->call);
}

struct vu_frontend_region t_ring_region(const struct t_ring *ring)
{
	return (struct vu_frontend_region){
		.guest_addr = T_RING_GPA + ring->base,
		.user_addr = T_RING_UVA + ring->base,
		.size = T_RING_MEM_BYTES,
		.fd = ring->memfd,
	};
}

struct vu_frontend_vring t_ring_vring(const struct t_ring *ring, unsigned int index)
{
	return (struct vu_frontend_vring){
		.index = index,
		.num = T_RING_NUM,
		.desc = T_RING_UVA + ring->base + ring->at + DESC,
		.avail = T_RING_UVA + ring->base + ring->at + AVAIL,
		.used = T_RING_UVA + ring->base + ring->at + USED,
		.kick_fd = ring->kick,
		.call_fd = ring->call,
	};
}

int t_ring_kick(const struct t_ring *ring)
{
	const uint64_t one = 1;

	return write(ring->kick, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

int t_ring_wait(struct t_ring *ring, uint32_t *written, int timeout_ms)
{
	uint64_t calls;
	int ret;

	for (;;) {
		ret = vring_drv_get(&ring->drv, written);
		if (ret != -EAGAIN)
			return ret;
		ret = t_read_until(ring->call, &calls, sizeof(calls), timeout_ms);
		if (ret)
			return ret;
	}
}

int t_ring_request(struct t_ring *ring, const void *out, uint32_t out_len, void *in,
		   uint32_t in_len, int timeout_ms)
{
	const struct vring_buf bufs[] = {
		{ T_RING_GPA + ring->base + T_RING_OUT, out_len },
		{ T_RING_GPA + ring->base + T_RING_IN, in_len },
	};
	uint32_t written;
	int ret;

	if (out_len)
		memcpy(ring->mem + T_RING_OUT, out, out_len);
	memset(ring->mem + T_RING_IN, 0, in_len);
	ret = vring_drv_add(&ring->drv, out_len ? bufs : bufs + 1, !!out_len, !!in_len);
	if (ret >= 0)
		ret = t_ring_kick(ring);
	if (!ret)
		ret = t_ring_wait(ring, &written, timeout_ms);
	if (ret < 0)
		return ret;
	if (written > in_len)
		return -EMSGSIZE;
	if (written)
		memcpy(in, ring->mem + T_RING_IN, written);
	return (int)written;
}

int t_ring_echo(struct t_ring *ring, const void *data, uint32_t len, int timeout_ms)
{
	uint8_t back[T_RING_BUF_MAX];
	int ret = t_ring_request(ring, data, len, back, len, timeout_ms);

	if (ret < 0)
		return ret;
	if (ret != (int)len)
		return -EMSGSIZE;
	return memcmp(back, data, len) ? -EBADMSG : 0;
}
