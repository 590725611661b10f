// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the device side wrote, for the dirty log. Always after the write: a mark that
 * comes first may be taken and cleared before there is anything to copy.
 */
#include "dev.h"

/*
 * Of the ring itself: a split one's as told, a packed one's by the memory table. So
 * both behind an IOTLB, where what was told is an I/O virtual address.
 */
void log_ring_write(const struct vring_dev *vq, const void *host, uint64_t offset, uint64_t len)
{
	uint64_t gpa = vq->log_used_gpa + offset;

	if ((vq->ring.packed || vq->mem->iotlb) && vring_mem_host_gpa(vq->mem, host, &gpa))
		return;
	vring_log_mark(vq->log, gpa, len);
}

void log_written(const struct vring_dev *vq, const struct vring_chain *chain, uint64_t written)
{
	const struct iovec *in = chain->iov + chain->nr_out;

	for (unsigned int i = 0; i < chain->nr_in && written; i++) {
		uint64_t len = in[i].iov_len < written ? in[i].iov_len : written;
		uint64_t gpa;

		if (!vring_mem_host_gpa(vq->mem, in[i].iov_base, &gpa))
			vring_log_mark(vq->log, gpa, len);
		written -= len;
	}
}
