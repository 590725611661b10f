// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_ring.h>

#include <vringlab/fd.h>

#include "t.h"
#include "t_guest.h"

/* Pages that nothing lies in, before the ring and between its parts. */
#define GAP 2u
#define INDIRECT_MAX 4u
#define VERSION_1 (UINT64_C(1) << VIRTIO_F_VERSION_1)

/* Of the ring's parts: as far as T_GUEST_NUM entries need, in either format. */
#define DESC_PAGE GAP
#define AVAIL_PAGE (DESC_PAGE + 4u + GAP)
#define USED_PAGE (AVAIL_PAGE + 1u + GAP)
#define TABLES_PAGE (USED_PAGE + 3u + GAP)
#define TABLES_PAGES (T_GUEST_NUM * INDIRECT_MAX * 16u / T_GUEST_PAGE)
#define SLOTS_PAGE (TABLES_PAGE + TABLES_PAGES + GAP)
#define PAGES (SLOTS_PAGE + T_GUEST_DEPTH * T_GUEST_SLOT_PAGES)
/* In the middle of the slots. */
#define BORDER_PAGE (SLOTS_PAGE + T_GUEST_DEPTH / 2 * T_GUEST_SLOT_PAGES)

/* Not at the start of the file. */
#define LOG_OFFSET T_GUEST_PAGE

uint64_t t_guest_gpa(const struct t_guest *g, uint64_t offset)
{
	uint64_t border = (uint64_t)g->border * T_GUEST_PAGE;

	return offset < border ? T_GUEST_GPA + offset : T_GUEST_GPA_2 + (offset - border);
}

static uint64_t uva(uint64_t offset)
{
	return T_GUEST_UVA + offset;
}

static bool has_iommu(const struct t_guest *g)
{
	return t_guest_has(g, VIRTIO_F_ACCESS_PLATFORM);
}

/* Behind an IOMMU the slots are in the other order. Its own inverse. */
static uint64_t flip(const struct t_guest *g, uint64_t offset)
{
	const uint64_t slot_bytes = T_GUEST_SLOT_PAGES * T_GUEST_PAGE;
	uint64_t start = (uint64_t)g->slots * T_GUEST_PAGE;

	if (offset < start)
		return offset;
	offset -= start;
	return start + (T_GUEST_DEPTH - 1 - offset / slot_bytes) * slot_bytes + offset % slot_bytes;
}

uint64_t t_guest_addr(const struct t_guest *g, uint64_t offset)
{
	return has_iommu(g) ? T_GUEST_IOVA + flip(g, offset) : t_guest_gpa(g, offset);
}

static int make_file(const char *name, uint64_t bytes, int *fd, uint8_t **mem)
{
	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, bytes) ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	*mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (*mem != MAP_FAILED)
		return 0;
	*mem = NULL;
	return -errno;
}

static int make_files(struct t_guest *g)
{
	const uint64_t bytes = (uint64_t)g->pages * T_GUEST_PAGE;
	uint64_t end = t_guest_gpa(g, bytes - 1) / T_GUEST_PAGE + 1;
	uint8_t *file;
	int ret;

	g->log_bytes = (end + 7) / 8;
	ret = make_file("guest", bytes, &g->memfd, &g->mem);
	if (!ret)
		ret = make_file("guest-copy", bytes, &g->copy_memfd, &g->copy);
	if (!ret)
		ret = make_file("log", LOG_OFFSET + g->log_bytes, &g->log_fd, &file);
	if (!ret)
		g->log = file + LOG_OFFSET;
	return ret;
}

static struct vring_layout layout_in(const struct t_guest *g, uint8_t *mem)
{
	uint8_t *desc = mem + DESC_PAGE * T_GUEST_PAGE;
	uint8_t *avail = mem + AVAIL_PAGE * T_GUEST_PAGE;
	uint8_t *used = mem + USED_PAGE * T_GUEST_PAGE;

	if (t_guest_has(g, VIRTIO_F_RING_PACKED))
		return (struct vring_layout){
			.num = T_GUEST_NUM,
			.packed = true,
			.ring = (void *)desc,
			.driver = (void *)avail,
			.device = (void *)used,
		};
	return (struct vring_layout){
		.num = T_GUEST_NUM,
		.desc = (void *)desc,
		.avail = (void *)avail,
		.used = (void *)used,
	};
}

static void start_driver(struct t_guest *g)
{
	bool indirect = t_guest_has(g, VIRTIO_RING_F_INDIRECT_DESC);
	struct vring_drv_config config = {
		.ring = g->layout,
		.features = g->config.features,
		.slots = g->drv_slots,
		.indirect = indirect ? (void *)(g->mem + TABLES_PAGE * T_GUEST_PAGE) : NULL,
		.indirect_gpa = t_guest_addr(g, TABLES_PAGE * T_GUEST_PAGE),
		.indirect_max = INDIRECT_MAX,
	};

	vring_drv_init(&g->drv, &config);
	g->base = g->layout.packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT;
	for (unsigned int i = T_GUEST_DEPTH; i--;)
		g->free_slots[g->nr_free++] = i;
}

int t_guest_create(struct t_guest *g, const struct t_guest_config *config)
{
	int ret;

	*g = (struct t_guest){
		.config = *config,
		.memfd = -1,
		.copy_memfd = -1,
		.log_fd = -1,
		.inflight_fd = -1,
		.pages = PAGES,
		.border = BORDER_PAGE,
		.tables = TABLES_PAGE,
		.slots = SLOTS_PAGE,
		.rng = 1,
	};
	g->config.features |= VERSION_1;
	g->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->kick < 0 || g->call < 0)
		return -errno;
	ret = make_files(g);
	if (ret)
		return ret;
	g->layout = layout_in(g, g->mem);
	start_driver(g);
	return 0;
}

static void unmap(uint8_t *mem, uint64_t bytes, int *fd)
{
	if (mem)
		munmap(mem, bytes);
	vl_fd_close(fd);
}

void t_guest_destroy(struct t_guest *g)
{
	const uint64_t bytes = (uint64_t)g->pages * T_GUEST_PAGE;

	if (!g->pages)
		return;
	t_guest_leave(g);
	unmap(g->mem, bytes, &g->memfd);
	unmap(g->copy, bytes, &g->copy_memfd);
	unmap(g->log ? g->log - LOG_OFFSET : NULL, LOG_OFFSET + g->log_bytes, &g->log_fd);
	vl_fd_close(&g->inflight_fd);
	vl_fd_close(&g->kick);
	vl_fd_close(&g->call);
}

static int share_memory(struct t_guest *g)
{
	const uint64_t border = (uint64_t)g->border * T_GUEST_PAGE;
	const struct vu_frontend_region regions[] = {
		{
			.guest_addr = T_GUEST_GPA,
			.user_addr = uva(0),
			.size = border,
			.fd = g->memfd,
		},
		{
			.guest_addr = T_GUEST_GPA_2,
			.user_addr = uva(border),
			.size = (uint64_t)g->pages * T_GUEST_PAGE - border,
			.mmap_offset = border,
			.fd = g->memfd,
		},
	};

	return vu_frontend_set_mem_table(g->fe, regions, 2, &g->err);
}

static int share_inflight(struct t_guest *g)
{
	int ret = 0;

	if (!vu_has_feature(vu_frontend_protocol_features(g->fe), VU_PROTOCOL_F_INFLIGHT_SHMFD))
		return 0;
	g->inflight.num_queues = 1;
	g->inflight.queue_size = T_GUEST_NUM;
	if (g->inflight_fd < 0)
		ret = vu_frontend_get_inflight(g->fe, &g->inflight, &g->inflight_fd, &g->err);
	return ret ? ret : vu_frontend_set_inflight(g->fe, &g->inflight, g->inflight_fd, &g->err);
}

/* For rings the addresses are others than for buffers. */
static uint64_t ring_addr(const struct t_guest *g, unsigned int page)
{
	uint64_t offset = (uint64_t)page * T_GUEST_PAGE;

	return has_iommu(g) ? t_guest_addr(g, offset) : uva(offset);
}

static struct vu_frontend_vring vring(const struct t_guest *g)
{
	return (struct vu_frontend_vring){
		.num = T_GUEST_NUM,
		.base = g->base,
		.desc = ring_addr(g, DESC_PAGE),
		.avail = ring_addr(g, AVAIL_PAGE),
		.used = ring_addr(g, USED_PAGE),
		.kick_fd = g->kick,
		.call_fd = g->call,
		.log_used = g->logging,
		/* as QEMU has it: what the driver knows the used ring by */
		.log_gpa = t_guest_addr(g, USED_PAGE * T_GUEST_PAGE),
	};
}

int t_guest_set_log(struct t_guest *g, bool on)
{
	const uint64_t log_all = vu_feature(VU_F_LOG_ALL);
	uint64_t features = vu_frontend_features(g->fe) & ~log_all;
	struct vu_frontend_vring v;
	int ret = 0;

	if (on) {
		ret = vu_frontend_set_log(g->fe, g->log_fd, LOG_OFFSET, g->log_bytes, &g->err);
		features |= log_all;
	}
	g->logging = on;
	v = vring(g);
	if (!ret)
		ret = vu_frontend_set_vring_addr(g->fe, &v, &g->err);
	/* last: it is what counts */
	return ret ? ret : vu_frontend_set_features(g->fe, features, &g->err);
}

static int on_miss(void *ctx, const struct vu_iotlb *iotlb)
{
	struct t_guest *g = ctx;

	if (iotlb->type != VHOST_IOTLB_MISS || g->nr_misses == 64)
		return -EINVAL;
	g->misses[g->nr_misses++] = (struct t_guest_miss){ iotlb->iova, iotlb->perm };
	g->nr_missed++;
	return 0;
}

/* One page, and no more access than was asked for. */
static int answer(struct t_guest *g, const struct t_guest_miss *miss)
{
	const uint64_t bytes = (uint64_t)g->pages * T_GUEST_PAGE;
	uint64_t page = miss->iova & ~(uint64_t)(T_GUEST_PAGE - 1);
	const struct vu_iotlb update = {
		.iova = page,
		.size = T_GUEST_PAGE,
		.user_addr = uva(flip(g, page - T_GUEST_IOVA)),
		.perm = miss->perm,
		.type = VHOST_IOTLB_UPDATE,
	};

	if (page < T_GUEST_IOVA || page - T_GUEST_IOVA >= bytes)
		return -EFAULT;
	return vu_frontend_iotlb(g->fe, &update, &g->err);
}

int t_guest_serve(struct t_guest *g)
{
	int ret = 0;

	if (!has_iommu(g))
		return 0;
	vu_frontend_serve(g->fe, 1);
	while (g->nr_misses && !ret) {
		/* more may come while it is answered */
		struct t_guest_miss miss = g->misses[--g->nr_misses];

		ret = answer(g, &miss);
	}
	return ret;
}

static int open_channel(struct t_guest *g)
{
	static const struct vu_frontend_channel_ops ops = { .iotlb = on_miss };

	return has_iommu(g) ? vu_frontend_open_channel(g->fe, &ops, g, &g->err) : 0;
}

int t_guest_meet(struct t_guest *g, const char *path)
{
	const struct vu_frontend_wish wish = {
		.required = g->config.features,
		.protocol = g->config.protocol | vu_feature(VU_PROTOCOL_F_REPLY_ACK) |
			    vu_feature(VU_PROTOCOL_F_LOG_SHMFD) | vu_feature(VU_PROTOCOL_F_CONFIG) |
			    vu_feature(VU_PROTOCOL_F_BACKEND_REQ),
	};
	int ret = vu_frontend_connect(&g->fe, path, T_DEADLINE_MS, &g->err);

	if (!ret)
		ret = vu_frontend_open(g->fe, &wish, &g->err);
	if (!ret)
		ret = open_channel(g);
	if (!ret)
		ret = share_memory(g);
	if (!ret)
		ret = share_inflight(g);
	g->logging = false;
	return ret;
}

int t_guest_start(struct t_guest *g)
{
	const struct vu_frontend_vring v = vring(g);

	return vu_frontend_start_vring(g->fe, &v, &g->err);
}

int t_guest_connect(struct t_guest *g, const char *path)
{
	int ret = t_guest_meet(g, path);

	return ret ? ret : t_guest_start(g);
}

void t_guest_leave(struct t_guest *g)
{
	vu_frontend_destroy(g->fe);
	g->fe = NULL;
	g->nr_misses = 0;
}

void t_guest_move(struct t_guest *g)
{
	uint8_t *mem = g->copy;
	int fd = g->copy_memfd;

	g->copy = g->mem;
	g->copy_memfd = g->memfd;
	g->mem = mem;
	g->memfd = fd;
	g->layout = layout_in(g, mem);
	g->drv.config.ring = g->layout;
	if (g->drv.config.indirect)
		g->drv.config.indirect = (void *)(mem + TABLES_PAGE * T_GUEST_PAGE);
}
