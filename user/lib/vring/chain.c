// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From descriptors to pieces of memory, where it is more than one descriptor in the
 * region of the last one.
 */
#include <string.h>

#include "dev.h"
#include "mem.h"

/* An entry of an indirect table can lie in as many regions as it has bytes. */
#define DESC_BYTES 16u

/*
 * The pieces of a buffer, of which there is room for one at least; most lie in the
 * region that the last one lay in.
 */
static int resolve(struct vring_dev *vq, const struct desc *desc, struct iovec *iov,
		   unsigned int nr_iov)
{
	bool write = desc->flags & VRING_DESC_F_WRITE;
	const struct vring_mem_region *r = vq->hit;
	uint64_t offset = desc->addr - r->guest_addr;
	uint64_t len = desc->len;
	int nr;

	if (likely(offset < r->size && len - 1 < r->size - offset)) {
		iov[0] = (struct iovec){ .iov_base = r->host + offset, .iov_len = len };
		return 1;
	}
	nr = vring_mem_iov(vq->mem, desc->addr, len, write ? VRING_MEM_WRITE : VRING_MEM_READ, iov,
			   nr_iov, &vq->miss);
	if (nr > 0 && !vq->mem->iotlb)
		vq->hit = mem_find_gpa(vq->mem, desc->addr);
	return nr;
}

/*
 * Appends a descriptor's buffer to the chain. Returns 0 or a negative errno of
 * vring_dev_pop().
 */
int chain_append(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc)
{
	unsigned int used = chain->nr_out + chain->nr_in;
	bool write = desc->flags & VRING_DESC_F_WRITE;
	int nr;

	if (!write && chain->nr_in)
		return -EINVAL;
	if (chain->out_bytes + chain->in_bytes + desc->len > CHAIN_BYTES_MAX)
		return -EINVAL;
	/* a list without room may be no list at all */
	if (used == chain->nr_iov)
		return -ENOBUFS;
	nr = resolve(vq, desc, chain->iov + used, chain->nr_iov - used);
	if (nr < 0)
		return nr;
	if (write) {
		chain->nr_in += nr;
		chain->in_bytes += desc->len;
	} else {
		chain->nr_out += nr;
		chain->out_bytes += desc->len;
	}
	return 0;
}

/**
 * struct table - An indirect table
 * @addr:	As the descriptor has it.
 * @host:	Where it is, if all of it is in one piece; else NULL.
 * @nr:		Entries.
 */
struct table {
	uint64_t addr;
	const uint8_t *host;
	unsigned int nr;
};

static int table_find(struct vring_dev *vq, struct table *table, const struct desc *desc)
{
	struct iovec whole;
	int ret;

	/* VIRTIO 1.2, 2.7.5.3.1: no INDIRECT and NEXT at once; an empty table is no buffer */
	if (!vq->indirect || desc->flags & VRING_DESC_F_NEXT || !desc->len ||
	    desc->len % DESC_BYTES || desc->len / DESC_BYTES > VRING_NUM_MAX)
		return -EINVAL;
	*table = (struct table){ .addr = desc->addr, .nr = desc->len / DESC_BYTES };
	ret = vring_mem_iov(vq->mem, desc->addr, desc->len, VRING_MEM_READ, &whole, 1, &vq->miss);
	if (ret == -ENOBUFS)
		return 0;
	if (ret < 0)
		return ret;
	table->host = whole.iov_base;
	return 0;
}

/* Copies one entry, also where it lies across regions. */
static int table_read(struct vring_dev *vq, const struct table *table, unsigned int index,
		      uint64_t words[2])
{
	uint64_t offset = (uint64_t)index * DESC_BYTES;
	struct iovec pieces[DESC_BYTES];
	uint8_t bytes[DESC_BYTES];
	size_t done = 0;
	int nr;

	if (likely(table->host)) {
		words[0] = load_unaligned_64(table->host + offset);
		words[1] = load_unaligned_64(table->host + offset + 8);
		return 0;
	}
	nr = vring_mem_iov(vq->mem, table->addr + offset, DESC_BYTES, VRING_MEM_READ, pieces,
			   DESC_BYTES, &vq->miss);
	for (int i = 0; i < nr; i++) {
		memcpy(bytes + done, pieces[i].iov_base, pieces[i].iov_len);
		done += pieces[i].iov_len;
	}
	if (nr < 0)
		return nr;
	words[0] = load_unaligned_64(bytes);
	words[1] = load_unaligned_64(bytes + 8);
	return 0;
}

static int indirect_split(struct vring_dev *vq, struct vring_chain *chain,
			  const struct table *table)
{
	unsigned int index = 0;

	/* a chain that has not ended after as many as there are is looped */
	for (unsigned int n = 0; n < table->nr; n++) {
		uint64_t words[2];
		struct desc desc;
		int ret = table_read(vq, table, index, words);

		if (ret)
			return ret;
		desc = desc_split(words[0], words[1]);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return -EINVAL;
		ret = chain_append(vq, chain, &desc);
		if (ret || !(desc.flags & VRING_DESC_F_NEXT))
			return ret;
		if (desc.next >= table->nr)
			return -EINVAL;
		index = desc.next;
	}
	return -EINVAL;
}

/* VIRTIO 1.2, 2.8.7: all entries, in order; only WRITE counts of their flags. */
static int indirect_packed(struct vring_dev *vq, struct vring_chain *chain,
			   const struct table *table)
{
	for (unsigned int n = 0; n < table->nr; n++) {
		uint64_t words[2];
		struct desc desc;
		int ret = table_read(vq, table, n, words);

		if (ret)
			return ret;
		desc = desc_packed(words[0], words[1]);
		ret = chain_append(vq, chain, &desc);
		if (ret)
			return ret;
	}
	return 0;
}

int chain_indirect(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc)
{
	struct table table;
	int ret = table_find(vq, &table, desc);

	if (ret)
		return ret;
	return vq->ring.packed ? indirect_packed(vq, chain, &table) :
				 indirect_split(vq, chain, &table);
}
