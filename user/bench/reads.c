// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-reads: nanoseconds for a random read of 4 KiB with io_uring, from a file
 * directly: the mean, and the median. What a disk that is served from that file cannot
 * beat, if it reads in the same way.
 *
 *   bench-reads FILE DEPTH MILLISECONDS
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <liburing.h>

#include "common.h"

#define BLOCK 4096u
#define DEPTH_MAX 256u

struct bench {
	struct io_uring ring;
	uint8_t *buffers;
	uint64_t blocks;
	uint64_t rng;
	unsigned int depth;
	/* buffers that no read is under way into */
	unsigned int free[DEPTH_MAX];
	unsigned int nr_free;
	uint64_t nr_done;
};

/* As the loop sets its ring up, or, on a kernel before 6.1, as any can. */
static void open_ring(struct bench *b)
{
	int ret = io_uring_queue_init(DEPTH_MAX, &b->ring,
				      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	if (ret == -EINVAL)
		ret = io_uring_queue_init(DEPTH_MAX, &b->ring, 0);
	if (ret == -EPERM || ret == -ENOSYS)
		skip("io_uring is disabled here: sysctl kernel.io_uring_disabled=0 allows it");
	if (ret)
		die_errno(ret, "io_uring");
	io_uring_register_ring_fd(&b->ring);
}

static void open_file(struct bench *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st))
		die_errno(errno, "%s", path);
	b->blocks = (uint64_t)st.st_size / BLOCK;
	if (!b->blocks)
		die("%s has less than one block", path);
	ret = io_uring_register_files(&b->ring, &fd, 1);
	if (ret)
		die_errno(ret, "io_uring_register_files");
}

static void make_buffers(struct bench *b)
{
	b->buffers = aligned_alloc(BLOCK, (size_t)b->depth * BLOCK);
	if (!b->buffers)
		die("out of memory");
	for (unsigned int i = 0; i < b->depth; i++)
		b->free[b->nr_free++] = i;
}

/* xorshift64 */
static uint64_t random_block(struct bench *b)
{
	b->rng ^= b->rng << 13;
	b->rng ^= b->rng >> 7;
	b->rng ^= b->rng << 17;
	return b->rng % b->blocks;
}

static void issue(struct bench *b)
{
	while (b->nr_free) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);
		unsigned int i = b->free[--b->nr_free];

		io_uring_prep_read(sqe, 0, b->buffers + (size_t)i * BLOCK, BLOCK,
				   random_block(b) * BLOCK);
		io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
		io_uring_sqe_set_data64(sqe, i);
	}
}

static void reap(struct bench *b)
{
	struct io_uring_cqe *cqes[DEPTH_MAX];
	unsigned int nr = io_uring_peek_batch_cqe(&b->ring, cqes, DEPTH_MAX);

	for (unsigned int i = 0; i < nr; i++) {
		if (cqes[i]->res != (int)BLOCK)
			die("a read of %u bytes ended with %d", BLOCK, cqes[i]->res);
		b->free[b->nr_free++] = cqes[i]->user_data;
	}
	io_uring_cq_advance(&b->ring, nr);
	b->nr_done += nr;
}

/* What is read until so many, at least, are done is timed as one. */
#define BATCH 64u
#define BATCHES_MAX 65536u

static double batch_ns(struct bench *b)
{
	uint64_t first = b->nr_done, begin_ns = now_ns();

	while (b->nr_done - first < BATCH) {
		int ret;

		issue(b);
		ret = io_uring_submit_and_wait(&b->ring, 1);
		if (ret < 0)
			die_errno(ret, "io_uring_submit_and_wait");
		reap(b);
	}
	return (double)(now_ns() - begin_ns) / (double)(b->nr_done - first);
}

/* The median, for what else there is on the CPU does not show in it. */
static void measure(struct bench *b, uint64_t time_ns)
{
	static uint64_t ps[BATCHES_MAX];
	uint64_t begin_ns = now_ns(), ns;
	size_t nr = 0;

	do {
		ps[nr++] = (uint64_t)(batch_ns(b) * 1000);
		ns = now_ns() - begin_ns;
	} while (nr < BATCHES_MAX && ns < time_ns);
	printf("%.1f %.1f\n", (double)ns / (double)b->nr_done,
	       (double)percentile_u64(ps, nr, 50) / 1000);
}

int main(int argc, char **argv)
{
	static struct bench b = { .rng = 88172645463325252ull };
	unsigned long ms = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	b.depth = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	if (!ms || !b.depth || b.depth > DEPTH_MAX) {
		fputs("usage: bench-reads FILE DEPTH MILLISECONDS\n", stderr);
		return 2;
	}
	open_ring(&b);
	open_file(&b, argv[1]);
	make_buffers(&b);
	measure(&b, ms * 1000000);
	return 0;
}
