// SPDX-License-Identifier: GPL-2.0-only
/*
 * One buffer to read and one to write, of the same size: the second comes back as
 * the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <vringlab/err.h>

#include "drive.h"

static uint64_t slot_bytes(const struct drive_options *opt, bool supplies)
{
	(void)supplies;
	return (2 * opt->size + 63) & ~63ull;
}

static void build(struct drive *d, struct drive_queue *q, struct drive_request *req,
		  struct vring_buf *bufs, unsigned int *nr_out, unsigned int *nr_in)
{
	uint64_t gpa = drive_slot_gpa(d, q, req->slot);
	uint8_t *out = drive_slot_host(d, q, req->slot);

	bufs[0] = (struct vring_buf){ gpa, d->opt->size };
	bufs[1] = (struct vring_buf){ gpa + d->opt->size, d->opt->size };
	*nr_out = 1;
	*nr_in = 1;
	if (!d->opt->verify)
		return;
	drive_fill(out, d->opt->size, req->seq);
	memset(out + d->opt->size, 0, d->opt->size);
}

static int check(struct drive *d, struct drive_queue *q, const struct drive_request *req,
		 uint32_t written, uint64_t now_ns, struct vl_err *err)
{
	const uint8_t *in = drive_slot_host(d, q, req->slot) + d->opt->size;

	if (d->opt->verify && written != d->opt->size)
		return vl_err_set(err, -EBADMSG,
				  "request %" PRIu64 " came back with %u bytes, not %" PRIu64,
				  req->seq, written, d->opt->size);
	if (d->opt->verify && !drive_is_filled(in, d->opt->size, req->seq))
		return vl_err_set(err, -EBADMSG, "request %" PRIu64 " came back with other bytes",
				  req->seq);
	drive_count(d, d->opt->size);
	drive_count_latency(d, now_ns - req->start_ns);
	return 0;
}

const struct drive_kind drive_loopback = {
	.name = "loopback",
	.size = 4096,
	.nr_bufs = 2,
	.slot_bytes = slot_bytes,
	.build = build,
	.check = check,
};
