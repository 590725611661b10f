// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/virtio_blk.h>

#include <vringlab/loop.h>

#include "t.h"
#include "t_guest.h"

/* In the out pages, then in the in pages: the status has one of its own. */
#define OUT_DATA 512u
#define STATUS ((uint64_t)T_GUEST_IN_PAGES * T_GUEST_PAGE)
#define NO_STATUS 0xee
#define SECTOR 512u

static uint64_t random_below(struct t_guest *g, uint64_t below)
{
	uint64_t z = g->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static uint64_t slot_offset(const struct t_guest *g, const struct t_guest_request *req)
{
	return (uint64_t)(g->slots + req->slot * T_GUEST_SLOT_PAGES) * T_GUEST_PAGE;
}

static uint64_t in_offset(const struct t_guest *g, const struct t_guest_request *req)
{
	return slot_offset(g, req) + (uint64_t)(T_GUEST_OUT_PAGES + 1) * T_GUEST_PAGE;
}

/* The word at @i of what is called @name. */
static uint64_t word(uint64_t name, uint64_t i)
{
	uint64_t z = (name + 1) * UINT64_C(0x9e3779b97f4a7c15) + i * UINT64_C(0xd1342543de82ef95);

	return z ^ z >> 29;
}

static void fill(uint8_t *data, uint32_t bytes, uint64_t name)
{
	for (uint32_t i = 0; i < bytes / 8; i++) {
		uint64_t w = word(name, i);

		memcpy(data + 8 * i, &w, 8);
	}
}

static bool is_filled(const uint8_t *data, uint32_t bytes, uint64_t name)
{
	for (uint32_t i = 0; i < bytes / 8; i++) {
		uint64_t w = word(name, i);

		if (memcmp(data + 8 * i, &w, 8))
			return false;
	}
	return true;
}

/* What a block holds after it was written so often. */
static uint64_t block_name(const struct t_guest *g, unsigned int block, uint32_t version)
{
	return UINT64_C(1) << 60 | (uint64_t)block << 32 | version;
}

/* --- loopback -------------------------------------------------------------------- */

static unsigned int build_loopback(struct t_guest *g, struct t_guest_request *req,
				   struct vring_buf *bufs, unsigned int *nr_out)
{
	uint64_t out = slot_offset(g, req);

	req->out = 8 * (1 + random_below(g, T_GUEST_DATA_MAX / 8));
	req->in = 8 * (1 + random_below(g, T_GUEST_DATA_MAX / 8));
	fill(g->mem + out, req->out, req->seq);
	bufs[0] = (struct vring_buf){ t_guest_addr(g, out), req->out };
	bufs[1] =
		(struct vring_buf){ t_guest_addr(g, in_offset(g, req) + req->in_offset), req->in };
	*nr_out = 1;
	return 2;
}

static int check_loopback(struct t_guest *g, const struct t_guest_request *req, uint32_t written)
{
	uint32_t bytes = req->out < req->in ? req->out : req->in;

	if (written != bytes)
		return -EMSGSIZE;
	return is_filled(g->mem + in_offset(g, req) + req->in_offset, bytes, req->seq) ? 0 :
											 -EBADMSG;
}

/* --- blk --------------------------------------------------------------------------- */

static unsigned int blocks_of(const struct t_guest_request *req)
{
	return (req->write ? req->out : req->in) / T_GUEST_BLOCK;
}

static bool are_free(const struct t_guest *g, unsigned int block, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (g->block_busy[block + i])
			return false;
	return true;
}

static void set_busy(struct t_guest *g, const struct t_guest_request *req, bool busy)
{
	for (unsigned int i = 0; i < blocks_of(req); i++)
		g->block_busy[req->block + i] = busy;
}

static unsigned int build_blk(struct t_guest *g, struct t_guest_request *req,
			      struct vring_buf *bufs, unsigned int *nr_out)
{
	unsigned int nr = 1 + random_below(g, T_GUEST_DATA_MAX / T_GUEST_BLOCK);
	struct virtio_blk_outhdr hdr = { 0 };
	uint64_t out = slot_offset(g, req), in = in_offset(g, req);

	do
		req->block = random_below(g, T_GUEST_BLOCKS - nr);
	while (!are_free(g, req->block, nr));
	req->write = random_below(g, 2);
	req->out = req->write ? nr * T_GUEST_BLOCK : 0;
	req->in = req->write ? 0 : nr * T_GUEST_BLOCK;
	set_busy(g, req, true);
	hdr.type = htole32(req->write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
	hdr.sector = htole64((uint64_t)req->block * (T_GUEST_BLOCK / SECTOR));
	memcpy(g->mem + out, &hdr, sizeof(hdr));
	for (unsigned int i = 0; i < nr && req->write; i++)
		fill(g->mem + out + OUT_DATA + i * T_GUEST_BLOCK, T_GUEST_BLOCK,
		     block_name(g, req->block + i, g->version[req->block + i] + 1));
	bufs[0] = (struct vring_buf){ t_guest_addr(g, out), sizeof(hdr) };
	bufs[1] = (struct vring_buf){ t_guest_addr(g, req->write ? out + OUT_DATA :
								   in + req->in_offset),
				      nr * T_GUEST_BLOCK };
	bufs[2] = (struct vring_buf){ t_guest_addr(g, in + STATUS), 1 };
	*nr_out = req->write ? 2 : 1;
	return 3;
}

static int check_blk(struct t_guest *g, const struct t_guest_request *req, uint32_t written)
{
	const uint8_t *data = g->mem + in_offset(g, req) + req->in_offset;

	set_busy(g, req, false);
	if (g->mem[in_offset(g, req) + STATUS] != VIRTIO_BLK_S_OK)
		return -EIO;
	if (written != req->in + 1)
		return -EMSGSIZE;
	for (unsigned int i = 0; i < blocks_of(req); i++) {
		uint32_t *version = &g->version[req->block + i];

		if (req->write)
			(*version)++;
		else if (*version && !is_filled(data + i * T_GUEST_BLOCK, T_GUEST_BLOCK,
						block_name(g, req->block + i, *version)))
			return -EBADMSG;
	}
	return 0;
}

/* --- there and back ---------------------------------------------------------------- */

int t_guest_issue(struct t_guest *g, unsigned int nr)
{
	unsigned int n;

	for (n = 0; n < nr && g->nr_free; n++) {
		struct t_guest_request req = {
			.busy = true,
			.seq = g->issued,
			.slot = g->free_slots[g->nr_free - 1],
			.in_offset = 8 * random_below(g, T_GUEST_PAGE / 8),
		};
		struct vring_buf bufs[3];
		unsigned int nr_out, nr_bufs;
		int id;

		nr_bufs = g->config.blk ? build_blk(g, &req, bufs, &nr_out) :
					  build_loopback(g, &req, bufs, &nr_out);
		id = vring_drv_stage(&g->drv, bufs, nr_out, nr_bufs - nr_out);
		if (id < 0)
			return id;
		g->requests[id] = req;
		g->nr_free--;
		g->issued++;
	}
	vring_drv_publish(&g->drv);
	return n;
}

int t_guest_kick(const struct t_guest *g)
{
	return eventfd_write(g->kick, 1) ? -errno : 0;
}

int t_guest_reap(struct t_guest *g)
{
	uint32_t written;
	int id, nr = 0;

	while ((id = vring_drv_get(&g->drv, &written)) >= 0) {
		struct t_guest_request *req = &g->requests[id];
		int ret = g->config.blk ? check_blk(g, req, written) :
					  check_loopback(g, req, written);

		if (ret)
			return ret;
		req->busy = false;
		g->free_slots[g->nr_free++] = req->slot;
		g->done++;
		nr++;
	}
	return id == -EAGAIN ? nr : id;
}

unsigned int t_guest_in_flight(const struct t_guest *g)
{
	return T_GUEST_DEPTH - g->nr_free;
}

/* Sleeps until the call, or for the time a translation may take. */
static int wait_call(struct t_guest *g)
{
	bool iommu = t_guest_has(g, VIRTIO_F_ACCESS_PLATFORM);
	struct pollfd p = { .fd = g->call, .events = POLLIN };
	eventfd_t calls;
	int ret = t_guest_serve(g);

	if (ret)
		return ret;
	if (vring_drv_call_enable(&g->drv))
		return 0;
	if (poll(&p, 1, iommu ? 0 : T_DEADLINE_MS) < 0)
		return -errno;
	if (!p.revents)
		return iommu ? 0 : -ETIMEDOUT;
	return eventfd_read(g->call, &calls) ? -errno : 0;
}

static int run(struct t_guest *g, uint64_t until, bool more)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret = 0;

	while (ret >= 0 && g->done < until) {
		ret = more ? t_guest_issue(g, T_GUEST_DEPTH) : 0;
		if (ret > 0 && vring_drv_should_kick(&g->drv))
			ret = t_guest_kick(g);
		if (ret >= 0)
			ret = t_guest_reap(g);
		if (!ret)
			ret = wait_call(g);
		if (!ret && loop_now_ns() > deadline_ns)
			ret = -ETIMEDOUT;
	}
	return ret < 0 ? ret : 0;
}

int t_guest_run(struct t_guest *g, unsigned int nr)
{
	return run(g, g->done + nr, true);
}

int t_guest_finish(struct t_guest *g)
{
	return run(g, g->issued, false);
}

int t_guest_await(struct t_guest *g)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	struct vring_drv_slot slots[T_GUEST_NUM];
	unsigned int left = t_guest_in_flight(g);
	struct vring_drv probe = g->drv;
	uint32_t written;
	int ret = 0;

	memcpy(slots, g->drv_slots, sizeof(slots));
	probe.config.slots = slots;
	while (left && !ret) {
		ret = vring_drv_get(&probe, &written);
		if (ret >= 0) {
			left--;
			ret = 0;
		} else if (ret == -EAGAIN) {
			ret = loop_now_ns() > deadline_ns ? -ETIMEDOUT : t_guest_serve(g);
		}
	}
	return ret;
}
