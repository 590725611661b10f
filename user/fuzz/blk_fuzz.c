// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-blk device: requests of any form, config space, states. What a driver
 * sends may change the file inside of its whole sectors, and nothing else.
 */
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/virtio_device.h>
#include <vringlab/vring_drv.h>

#include "fuzz.h"
#include "race.h"
#include "uring.h"

#define NUM 16u
#define STEPS_MAX 128u
#define GPA UINT64_C(0x10000)

/* The memory: the ring, then buffers, and at both ends what must stay as it is. */
#define EDGE 64u
#define RING_BYTES 1024u
#define BUFS_BYTES 8192u
#define MEMORY (RING_BYTES + BUFS_BYTES)

/* The file ends inside of a sector, which is no part of the device. */
#define SECTORS 24u
#define FILE_BYTES (SECTORS * 512 + 100)

/* For what one step leads to. */
#define TURNS 4u

/* A request that never ends is a finding. */
#define END_NS 5000000000ull

enum mode {
	MODE_FILE,
	MODE_READ_ONLY,
	MODE_DIRECT,
	MODE_NULL,
};

/**
 * struct rig - A driver, a ring and the device
 * @block:	All memory, with its edges.
 * @memory:	What the driver has of it.
 */
struct rig {
	struct fuzz_input *in;
	enum mode mode;
	struct vdev *vdev;
	struct vdev_queue q;
	struct vring_mem table;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_drv_slot slots[NUM];
	uint8_t *block;
	uint8_t *memory;
	bool stopped;
	bool broken;
};

static struct loop *loop;
static int file = -1;
static char path[64];
static uint8_t content[FILE_BYTES];

static void nothing(struct vdev_queue *q)
{
	(void)q;
}

static void prepare(void)
{
	static const uint8_t pattern[] = "0123456789abcdefghijklmnopqrstu";

	if (!loop) {
		loop = fuzz_loop();
		file = memfd_create("disk", MFD_CLOEXEC);
		FUZZ_CHECK(file >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		for (size_t i = 0; i < FILE_BYTES; i++)
			content[i] = pattern[i % 31];
	}
	FUZZ_CHECK(!ftruncate(file, FILE_BYTES));
	FUZZ_CHECK(pwrite(file, content, FILE_BYTES, 0) == FILE_BYTES);
}

static int start_ring(struct rig *r)
{
	const struct vring_layout ring = vring_layout_host(NUM, false, r->memory);
	const struct vring_mem_region region = {
		.guest_addr = GPA,
		.user_addr = GPA,
		.size = MEMORY,
		.host = r->memory,
	};
	const struct vring_drv_config drv = { .ring = ring, .slots = r->slots };
	const struct vring_dev_config dev = { .ring = ring, .mem = &r->table };

	FUZZ_CHECK(vring_layout_bytes(NUM, false) <= RING_BYTES);
	FUZZ_CHECK(!vring_mem_add(&r->table, &region));
	vring_drv_init(&r->drv, &drv);
	FUZZ_CHECK(!vring_dev_init(&r->dev, &dev));
	return r->vdev->ops->start(r->vdev->dev, &r->q, NULL);
}

static bool rig_init(struct rig *r, struct fuzz_input *in)
{
	struct vdev_blk_config config = { .serial = "fuzz", .num_queues = 1 };

	*r = (struct rig){ .in = in, .mode = fuzz_u8(in) % 4 };
	config.path = r->mode == MODE_NULL ? NULL : path;
	config.null_size = FILE_BYTES;
	config.direct = r->mode == MODE_DIRECT;
	config.read_only = r->mode == MODE_READ_ONLY;
	/* not on every kernel: a memfd for O_DIRECT */
	if (vdev_blk_create(&r->vdev, loop, &config, NULL))
		return false;
	r->block = calloc(1, MEMORY + 2 * EDGE);
	FUZZ_CHECK(r->block);
	r->memory = r->block + EDGE;
	r->q = (struct vdev_queue){
		.enabled = true,
		.vq = &r->dev,
		.done = nothing,
		.run = nothing,
	};
	r->vdev->ops->set_features(r->vdev->dev, r->vdev->features & fuzz_u64(in));
	FUZZ_CHECK(!start_ring(r));
	race_begin(fuzz_split(in));
	race_watch(r->memory, MEMORY);
	return true;
}

/* The driver */

static void write_memory(struct rig *r)
{
	unsigned int at = fuzz_u16(r->in) % MEMORY, len = fuzz_u8(r->in);

	fuzz_some(r->in, r->memory + at, len < MEMORY - at ? len : MEMORY - at);
}

static uint8_t *any_place(struct rig *r)
{
	return r->memory + RING_BYTES + fuzz_u16(r->in) % BUFS_BYTES;
}

static struct vring_buf buf(const struct rig *r, const uint8_t *at, uint32_t len)
{
	return (struct vring_buf){ .gpa = GPA + (at - r->memory), .len = len };
}

static void add_any(struct rig *r)
{
	struct vring_buf bufs[8];
	uint8_t how = fuzz_u8(r->in);
	unsigned int nr = how % 8 + 1, nr_out = how / 8 % (nr + 1);

	for (unsigned int i = 0; i < nr; i++) {
		uint8_t *at = any_place(r);

		bufs[i] = buf(r, at, fuzz_u16(r->in) % 2048);
	}
	vring_drv_add(&r->drv, bufs, nr_out, nr - nr_out);
}

/* As it should be, with what it asks for from the input. */
static void add_request(struct rig *r)
{
	uint8_t *hdr_at = any_place(r), *data = any_place(r), *status = any_place(r);
	uint32_t type = fuzz_u8(r->in), len = fuzz_u8(r->in) * 128u;
	const struct virtio_blk_outhdr hdr = {
		.type = htole32(type % 16),
		.sector = htole64(fuzz_u8(r->in)),
	};
	struct vring_buf bufs[] = { buf(r, hdr_at, sizeof(hdr)), buf(r, data, len),
				    buf(r, status, 1) };
	bool out = type & 1 || type % 16 > VIRTIO_BLK_T_GET_ID;

	if ((size_t)(r->memory + MEMORY - hdr_at) < sizeof(hdr))
		return;
	memcpy(hdr_at, &hdr, sizeof(hdr));
	if (!len)
		bufs[1] = bufs[2];
	vring_drv_add(&r->drv, bufs, 1 + (len && out), 1 + (len && !out));
}

/* Of a discard or write-zeroes. */
static void write_range(struct rig *r)
{
	uint8_t sector = fuzz_u8(r->in), sectors = fuzz_u8(r->in);
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64(sector),
		.num_sectors = htole32(sectors),
		.flags = htole32(fuzz_u8(r->in) & 3),
	};
	uint8_t *at = any_place(r);

	if ((size_t)(r->memory + MEMORY - at) >= sizeof(range))
		memcpy(at, &range, sizeof(range));
}

static void collect(struct rig *r)
{
	uint32_t written;

	while (vring_drv_get(&r->drv, &written) >= 0)
		;
}

/* The transport */

static void process(struct rig *r)
{
	int ret;

	if (r->stopped || r->broken)
		return;
	ret = r->vdev->ops->process(r->vdev->dev, &r->q);
	r->broken = ret < 0;
	vring_dev_should_call(&r->dev);
}

static void run_loop(struct rig *r)
{
	(void)r;
	fuzz_turn(loop, 1);
}

static void settle(struct rig *r)
{
	uint64_t deadline_ns = loop_now_ns() + END_NS;

	fuzz_turn(loop, TURNS);
	while (vring_dev_in_flight(&r->dev))
		FUZZ_CHECK(!loop_run_once(loop, deadline_ns));
}

static void stop(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);

	r->vdev->ops->stop(r->vdev->dev, &r->q, how & 1);
	r->stopped = true;
	if (!(how & 2))
		return;
	settle(r);
	r->vdev->ops->resume(r->vdev->dev, &r->q);
	r->stopped = false;
}

static void config(struct rig *r)
{
	uint32_t offset = fuzz_u8(r->in), size = fuzz_u8(r->in) % 65;
	uint8_t bytes[64], how = fuzz_u8(r->in);

	if (how == UINT8_MAX)
		offset = fuzz_u32(r->in);
	if (offset > r->vdev->config_size || size > r->vdev->config_size - offset)
		return;
	r->vdev->ops->get_config(r->vdev->dev, offset, bytes, size);
	if (!(how & 1))
		return;
	fuzz_some(r->in, bytes, size);
	r->vdev->ops->set_config(r->vdev->dev, offset, bytes, size, how & 2);
}

/* Only of a device without virtqueues that run. */
static void state(struct rig *r)
{
	uint8_t bytes[64], size = fuzz_u8(r->in) % sizeof(bytes);
	ssize_t saved;

	if (!r->stopped)
		return;
	saved = r->vdev->ops->save(r->vdev->dev, bytes, sizeof(bytes));
	FUZZ_CHECK(saved >= 0 && saved <= (ssize_t)sizeof(bytes));
	if (size & 1)
		fuzz_some(r->in, bytes, size);
	r->vdev->ops->load(r->vdev->dev, bytes, size & 2 ? (size_t)saved : size);
}

/* Somebody else uses the file as well. */
static void truncate_file(struct rig *r)
{
	FUZZ_CHECK(!ftruncate(file, fuzz_u16(r->in) % (FILE_BYTES + 1)));
}

static void (*const steps[])(struct rig *) = {
	write_memory, add_any,	add_request, add_request,   write_range, process,
	process,      run_loop, settle,	     collect,	    stop,	 config,
	add_request,  state,	process,     truncate_file,
};

static void check_memory(const struct rig *r)
{
	for (unsigned int i = 0; i < EDGE; i++)
		FUZZ_CHECK(!r->block[i] && !r->memory[MEMORY + i]);
}

static void check_file(const struct rig *r, bool truncated)
{
	uint8_t now[FILE_BYTES + 1];
	ssize_t size = pread(file, now, sizeof(now), 0);

	FUZZ_CHECK(size >= 0 && size <= (ssize_t)FILE_BYTES);
	if (truncated)
		return;
	FUZZ_CHECK(size == FILE_BYTES);
	FUZZ_CHECK(!memcmp(now + SECTORS * 512, content + SECTORS * 512, 100));
	if (r->mode == MODE_READ_ONLY || r->mode == MODE_NULL)
		FUZZ_CHECK(!memcmp(now, content, FILE_BYTES));
}

static void rig_exit(struct rig *r, bool truncated)
{
	race_end();
	r->vdev->ops->stop(r->vdev->dev, &r->q, true);
	settle(r);
	check_memory(r);
	check_file(r, truncated);
	vdev_blk_destroy(r->vdev);
	vring_dev_exit(&r->dev);
	free(r->block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	bool truncated = false;
	struct rig r;

	prepare();
	if (!rig_init(&r, &in))
		return 0;
	for (unsigned int n = 0; n < STEPS_MAX && in.size; n++) {
		unsigned int step = fuzz_u8(&in) % (sizeof(steps) / sizeof(steps[0]));

		truncated |= steps[step] == truncate_file;
		steps[step](&r);
	}
	rig_exit(&r, truncated);
	return 0;
}
