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

static void build(struct drive *d, struct drive_request *req, struct vring_buf *bufs,
		  unsigned int *nr_out)
{
	uint64_t gpa = drive_slot_gpa(d, req->slot) + DRIVE_DATA_OFFSET;
	uint8_t *out = drive_slot_host(d, req->slot) + DRIVE_DATA_OFFSET;

	bufs[0] = (struct vring_buf){ gpa, d->opt->size };
	bufs[1] = (struct vring_buf){ gpa + d->opt->size, d->opt->size };
	*nr_out = 1;
	if (!d->opt->verify)
		return;
	for (uint64_t at = 0; at < d->opt->size; at += sizeof(uint64_t)) {
		uint64_t word = drive_word(req->seq, at);
		uint64_t left = d->opt->size - at;

		memcpy(out + at, &word, left < sizeof(word) ? left : sizeof(word));
	}
	memset(out + d->opt->size, 0, d->opt->size);
}

static int check(struct drive *d, const struct drive_request *req, uint32_t written,
		 struct vl_err *err)
{
	const uint8_t *out = drive_slot_host(d, req->slot) + DRIVE_DATA_OFFSET;

	if (!d->opt->verify)
		return 0;
	if (written != d->opt->size)
		return vl_err_set(err, -EBADMSG,
				  "request %" PRIu64 " came back with %u bytes, not %" PRIu64,
				  req->seq, written, d->opt->size);
	if (memcmp(out, out + d->opt->size, d->opt->size))
		return vl_err_set(err, -EBADMSG, "request %" PRIu64 " came back with other bytes",
				  req->seq);
	return 0;
}

const struct drive_kind drive_loopback = {
	.name = "loopback",
	.nr_bufs = 2,
	.build = build,
	.check = check,
};
