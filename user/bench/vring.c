// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-vring: nanoseconds for a chain through a ring, both sides in one thread.
 *
 *   bench-vring              a table: each format, batches of 1 and of 32
 *   bench-vring FORMAT NR    one line: device side, driver side
 *
 * FORMAT is split, split-in-order, packed or packed-in-order; NR chains of one 64
 * byte buffer are made available, taken, given back and taken back at a time. Data
 * is not touched, and all that is touched is in the cache: this is what the rings
 * cost by themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <vringlab/vring.h>

#include "common.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define NUM 256u
#define NR_MAX 64u
#define BUF_BYTES 64u
#define DATA_GPA 0x100000ull

/* As in bench-roundtrip: short batches, of which a low percentile was left alone. */
#define SAMPLES 2001
#define ROUNDS 16

struct format {
	const char *name;
	bool packed;
	uint64_t features;
};

static const struct format formats[] = {
	{ "split", false, 0 },
	{ "split-in-order", false, 1ull << VIRTIO_F_IN_ORDER },
	{ "packed", true, 0 },
	{ "packed-in-order", true, 1ull << VIRTIO_F_IN_ORDER },
};

struct rig {
	struct vring_mem mem;
	struct vring_drv drv;
	struct vring_dev dev;
	struct vring_chain chains[NR_MAX];
	struct iovec iovs[NR_MAX][2];
	uint32_t written[NR_MAX];
};

static void *alloc(size_t size)
{
	void *p = aligned_alloc(4096, (size + 4095) & ~4095ull);

	if (!p)
		die("out of memory");
	memset(p, 0, size);
	return p;
}

static void rig_init(struct rig *r, const struct format *format)
{
	struct vring_layout ring = vring_layout_host(
		NUM, format->packed, alloc(vring_layout_bytes(NUM, format->packed)));
	const struct vring_mem_region region = {
		.guest_addr = DATA_GPA,
		.size = NUM * BUF_BYTES,
		.host = alloc(NUM * BUF_BYTES),
	};
	const struct vring_dev_config dev = {
		.ring = ring,
		.mem = &r->mem,
		.features = format->features,
		.base = format->packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT,
	};
	const struct vring_drv_config drv = {
		.ring = ring,
		.features = format->features,
		.slots = alloc(NUM * sizeof(struct vring_drv_slot)),
	};

	vring_drv_init(&r->drv, &drv);
	if (vring_mem_add(&r->mem, &region) || vring_dev_init(&r->dev, &dev))
		die("cannot start the ring");
	for (unsigned int i = 0; i < NR_MAX; i++) {
		r->chains[i].iov = r->iovs[i];
		r->chains[i].nr_iov = ARRAY_SIZE(r->iovs[i]);
		r->written[i] = BUF_BYTES;
	}
}

static void make_available(struct rig *r, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct vring_buf buf = { DATA_GPA + i * BUF_BYTES, BUF_BYTES };

		if (vring_drv_stage(&r->drv, &buf, 0, 1) < 0)
			die("the ring is full");
	}
	vring_drv_publish(&r->drv);
}

static void serve(struct rig *r, unsigned int nr)
{
	if (vring_dev_pop_batch(&r->dev, r->chains, nr) != (int)nr)
		die("the device side did not get what is available");
	vring_dev_push_batch(&r->dev, r->chains, r->written, nr);
}

static void take_back(struct rig *r, unsigned int nr)
{
	uint32_t written;

	for (unsigned int i = 0; i < nr; i++)
		if (vring_drv_get(&r->drv, &written) < 0)
			die("the driver side did not get what is used");
}

/* What looking at the clock costs is no part of it. */
static uint64_t clock_ns(void)
{
	static uint64_t ns[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t begin = now_ns();

		ns[i] = now_ns() - begin;
	}
	return percentile_u64(ns, SAMPLES, 10);
}

struct result {
	double dev;
	double drv;
};

static struct result measure(const struct format *format, unsigned int nr)
{
	static uint64_t dev[SAMPLES], drv[SAMPLES];
	uint64_t clock = clock_ns();
	struct rig *r = alloc(sizeof(*r));
	double chains = ROUNDS * nr;
	struct result result;

	rig_init(r, format);
	for (int i = 0; i < SAMPLES; i++) {
		dev[i] = 0;
		drv[i] = 0;
		for (int k = 0; k < ROUNDS; k++) {
			uint64_t t0 = now_ns(), t1, t2;

			make_available(r, nr);
			t1 = now_ns();
			serve(r, nr);
			t2 = now_ns();
			take_back(r, nr);
			drv[i] += now_ns() - t2 + (t1 - t0);
			dev[i] += t2 - t1;
		}
	}
	result.dev = (percentile_u64(dev, SAMPLES, 10) - (double)ROUNDS * clock) / chains;
	result.drv = (percentile_u64(drv, SAMPLES, 10) - 2.0 * ROUNDS * clock) / chains;
	vring_dev_exit(&r->dev);
	free(r);
	return result;
}

static void print_all(void)
{
	static const unsigned int nrs[] = { 1, 32 };

	printf("%-16s %6s %10s %10s %10s\n", "# format", "batch", "device ns", "driver ns",
	       "both ns");
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		for (size_t k = 0; k < ARRAY_SIZE(nrs); k++) {
			struct result r = measure(&formats[i], nrs[k]);

			printf("%-16s %6u %10.2f %10.2f %10.2f\n", formats[i].name, nrs[k], r.dev,
			       r.drv, r.dev + r.drv);
		}
}

int main(int argc, char **argv)
{
	unsigned int nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	pin();
	if (argc == 1) {
		print_all();
		return 0;
	}
	for (size_t i = 0; nr && nr <= NR_MAX && i < ARRAY_SIZE(formats); i++)
		if (!strcmp(argv[1], formats[i].name)) {
			struct result r = measure(&formats[i], nr);

			printf("%.2f %.2f\n", r.dev, r.drv);
			return 0;
		}
	fputs("usage: bench-vring [split|split-in-order|packed|packed-in-order 1..64]\n", stderr);
	return 2;
}
