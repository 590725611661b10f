// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "loopback.h"

/* After so much the other rings and the socket get their turn. */
#define BATCH_CHAINS 256
#define BATCH_BYTES (16u << 20)

static uint64_t total(const struct iovec *iov, unsigned int nr)
{
	uint64_t bytes = 0;

	while (nr--)
		bytes += iov[nr].iov_len;
	return bytes;
}

/* Copies @left bytes; both lists have as many. They may overlap: it is guest memory. */
static void copy(struct iovec *in, struct iovec *out, uint64_t left)
{
	while (left) {
		size_t len = in->iov_len < out->iov_len ? in->iov_len : out->iov_len;

		if (len > left)
			len = left;
		memmove(in->iov_base, out->iov_base, len);
		left -= len;
		in->iov_base = (uint8_t *)in->iov_base + len;
		out->iov_base = (uint8_t *)out->iov_base + len;
		in->iov_len -= len;
		out->iov_len -= len;
		in += !in->iov_len;
		out += !out->iov_len;
	}
}

int loopback_process(struct vring_dev *vq, struct iovec *iov)
{
	struct vring_chain chain = { .iov = iov, .nr_iov = VRING_NUM_MAX };
	uint64_t bytes = 0, batch_bytes = 0;
	int ret;

	for (int i = 0; i < BATCH_CHAINS && batch_bytes < BATCH_BYTES; i++) {
		struct iovec *in;

		ret = vring_dev_pop(vq, &chain);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
		in = iov + chain.nr_out;
		/* VIRTIO 1.2, 2.7.5: "no longer than 2^32 bytes in total" */
		if (total(iov, chain.nr_out) > UINT32_MAX || total(in, chain.nr_in) > UINT32_MAX)
			return -EINVAL;
		bytes = total(iov, chain.nr_out);
		if (bytes > total(in, chain.nr_in))
			bytes = total(in, chain.nr_in);
		copy(in, iov, bytes);
		vring_dev_push(vq, &chain, bytes);
		batch_bytes += bytes;
	}
	return 1;
}
