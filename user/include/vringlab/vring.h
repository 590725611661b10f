/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Split virtqueues, both sides, as pure memory. Fields are little-endian, as
 * VIRTIO 1.x has them; direct descriptors only, no EVENT_IDX.
 *
 * No sockets, no allocation per operation, no system call: a ring is a set of
 * addresses that a memory table resolves. Everything the other side can write
 * is copied once, checked, and only then used.
 *
 * A struct vring_dev or vring_drv belongs to one thread; the other side of the
 * ring may be any other thread, process or guest.
 */
#ifndef VRINGLAB_VRING_H
#define VRINGLAB_VRING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_ring.h>

/* VIRTIO 1.2, 2.7: "Queue Size ... The maximum Queue Size value is 32768." */
#define VRING_NUM_MAX 32768u

/* Baseline of the vhost-user specification, "Memory regions description". */
#define VRING_MEM_REGIONS_MAX 8u

/**
 * struct vring_mem_region - One contiguous piece of the driver's memory
 * @guest_addr:	Guest physical address; descriptors hold these.
 * @user_addr:	The driver process' virtual address; vhost-user ring addresses
 *		are these.
 * @size:	Bytes.
 * @host:	Where the piece is mapped in this process.
 */
struct vring_mem_region {
	uint64_t guest_addr;
	uint64_t user_addr;
	uint64_t size;
	uint8_t *host;
};

/**
 * struct vring_mem - Memory table
 * @nr:		Regions in use.
 * @regions:	They do not overlap in guest_addr, nor in user_addr.
 *
 * Does not own the mappings.
 */
struct vring_mem {
	unsigned int nr;
	struct vring_mem_region regions[VRING_MEM_REGIONS_MAX];
};

/**
 * vring_mem_add() - Add a region to a memory table
 * @mem:	Table; unchanged on failure.
 * @region:	Copied.
 *
 * Return: 0, or
 * * %-EINVAL - size is 0, an address plus size does not fit its type, or host is
 *   NULL
 * * %-EEXIST - overlaps a region that is already there
 * * %-ENOSPC - table full
 */
int vring_mem_add(struct vring_mem *mem, const struct vring_mem_region *region);

/**
 * vring_mem_gpa() - Resolve a guest physical range
 * @mem:	Table.
 * @gpa:	Start.
 * @len:	Bytes; 0 is never resolved.
 *
 * Return: Pointer to the range, all of it in one region, or NULL.
 */
void *vring_mem_gpa(const struct vring_mem *mem, uint64_t gpa, uint64_t len);

/**
 * vring_mem_uva() - Resolve a range of the driver process' addresses
 * @mem:	Table.
 * @uva:	Start.
 * @len:	Bytes; 0 is never resolved.
 *
 * Return: Pointer to the range, all of it in one region, or NULL.
 */
void *vring_mem_uva(const struct vring_mem *mem, uint64_t uva, uint64_t len);

/**
 * vring_mem_gpa_iov() - Resolve a guest physical range that may cross regions
 * @mem:	Table.
 * @gpa:	Start.
 * @len:	Bytes.
 * @iov:	Filled with the pieces in rising order; undefined on failure.
 * @nr_iov:	Entries @iov has room for; VRING_MEM_REGIONS_MAX always suffice.
 *
 * Regions that adjoin in the guest lie anywhere here, so that one buffer of a
 * blameless guest can be several pieces.
 *
 * Return: the number of pieces, or
 * * %-EINVAL - @len is 0
 * * %-EFAULT - a byte of the range lies in no region
 * * %-ENOBUFS - @iov is too small
 */
int vring_mem_gpa_iov(const struct vring_mem *mem, uint64_t gpa, uint64_t len, struct iovec *iov,
		      unsigned int nr_iov);

/* Sizes of the three parts, used_event and avail_event included: VIRTIO 1.2, 2.7. */
static inline uint64_t vring_desc_size(unsigned int num)
{
	return sizeof(struct vring_desc) * (uint64_t)num;
}

static inline uint64_t vring_avail_size(unsigned int num)
{
	return sizeof(__virtio16) * (3 + (uint64_t)num);
}

static inline uint64_t vring_used_size(unsigned int num)
{
	return sizeof(__virtio16) * 3 + sizeof(struct vring_used_elem) * (uint64_t)num;
}

/**
 * struct vring_layout - Where a split virtqueue lies, in host pointers
 * @num:	Queue size, a power of two up to VRING_NUM_MAX.
 * @desc:	Descriptor table, 16 byte aligned.
 * @avail:	Driver area, 2 byte aligned.
 * @used:	Device area, 4 byte aligned.
 */
struct vring_layout {
	unsigned int num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/**
 * vring_layout_resolve() - Find a virtqueue by the driver's addresses
 * @layout:	Set on success only.
 * @mem:	Memory table.
 * @num:	Queue size.
 * @desc_uva:	Descriptor table, driver process' address.
 * @avail_uva:	Driver area, likewise.
 * @used_uva:	Device area, likewise.
 *
 * Sizes and alignment are those of VIRTIO 1.2 section 2.7; the two bytes of
 * used_event and avail_event are included.
 *
 * Return: 0, or
 * * %-EINVAL - @num is 0, no power of two or above VRING_NUM_MAX, or an address
 *   is not aligned, the driver's or the one it resolves to
 * * %-EFAULT - a part is not wholly inside one region
 */
int vring_layout_resolve(struct vring_layout *layout, const struct vring_mem *mem, unsigned int num,
			 uint64_t desc_uva, uint64_t avail_uva, uint64_t used_uva);

/**
 * struct vring_dev - Device side of a split virtqueue
 * @ring:	Layout.
 * @mem:	Table that resolves descriptor addresses; not owned.
 * @last_avail_idx: Next avail entry to take, free running.
 * @used_idx:	Our own copy of used->idx; the shared one is only written.
 */
struct vring_dev {
	struct vring_layout ring;
	const struct vring_mem *mem;
	uint16_t last_avail_idx;
	uint16_t used_idx;
};

/**
 * struct vring_chain - One descriptor chain, checked and resolved
 * @head:	Index of its first descriptor; goes back with vring_dev_push().
 * @nr_out:	Device-readable pieces, first in @iov.
 * @nr_in:	Device-writable pieces, after them.
 * @iov:	The caller's array. A buffer that crosses memory regions takes one
 *		piece for each.
 * @nr_iov:	Entries @iov has room for. The queue size suffices for buffers
 *		that cross no region.
 */
struct vring_chain {
	uint16_t head;
	unsigned int nr_out;
	unsigned int nr_in;
	struct iovec *iov;
	unsigned int nr_iov;
};

/**
 * vring_dev_init() - Start the device side
 * @vq:		Device side.
 * @ring:	Layout, copied.
 * @mem:	Memory table; must outlive @vq.
 * @base:	Next avail index to take (vhost-user SET_VRING_BASE). used_idx is
 *		read from the ring once.
 */
void vring_dev_init(struct vring_dev *vq, const struct vring_layout *ring,
		    const struct vring_mem *mem, uint16_t base);

/**
 * vring_dev_pop() - Take the next available chain
 * @vq:		Device side.
 * @chain:	@iov and @nr_iov are the caller's; the rest is set on success.
 *
 * Descriptors are copied before they are checked: the driver may change them
 * meanwhile. The walk is bounded by the queue size, VIRTIO 1.2 section 2.7.5.
 *
 * Context: the thread that owns @vq.
 * Return: 0, or
 * * %-EAGAIN - nothing available
 * * %-EPROTO - avail->idx is more than the queue size ahead
 * * %-EINVAL - head or next out of range, loop, readable after writable, a
 *   length of 0, more than 2^32 bytes in total, or an indirect descriptor, which
 *   is not negotiated
 * * %-EFAULT - a buffer lies outside the memory table
 * * %-ENOBUFS - @chain->iov is too small
 *
 * After any error but %-EAGAIN and %-ENOBUFS the queue is to be stopped: its
 * contents cannot be trusted. After every error the chain has not been taken,
 * and of @chain only the entries of @iov may have changed.
 */
int vring_dev_pop(struct vring_dev *vq, struct vring_chain *chain);

/**
 * vring_dev_push() - Give a chain back to the driver
 * @vq:		Device side.
 * @head:	From vring_dev_pop(), each one exactly once.
 * @written:	Bytes written to the device-writable buffers.
 *
 * The entry is visible before used->idx is (VIRTIO 1.2 section 2.7.8).
 */
void vring_dev_push(struct vring_dev *vq, uint16_t head, uint32_t written);

/**
 * vring_dev_should_call() - Does the driver want a call for what was pushed?
 * @vq:		Device side.
 *
 * Orders the used index before the driver's flag (VIRTIO 1.2 section 2.7.7).
 */
bool vring_dev_should_call(const struct vring_dev *vq);

/**
 * vring_dev_empty() - Is there nothing to pop?
 * @vq:		Device side.
 */
bool vring_dev_empty(const struct vring_dev *vq);

/**
 * struct vring_drv - Driver side of a split virtqueue
 * @ring:	Layout.
 * @avail_idx:	Our own copy of avail->idx.
 * @last_used_idx: Next used entry to take.
 * @nr_free:	Descriptors in the free list.
 * @free_head:	First of them.
 * @chain_next:	The caller's array of ring.num entries: links, kept where the
 *		device cannot write them.
 * @chain_len:	The caller's array of ring.num entries: descriptors in the chain
 *		that starts here, 0 if none is in flight.
 */
struct vring_drv {
	struct vring_layout ring;
	uint16_t avail_idx;
	uint16_t last_used_idx;
	unsigned int nr_free;
	uint16_t free_head;
	uint16_t *chain_next;
	uint16_t *chain_len;
};

/**
 * struct vring_buf - One buffer as a descriptor names it
 * @gpa:	Guest physical address.
 * @len:	Bytes, at least 1.
 */
struct vring_buf {
	uint64_t gpa;
	uint32_t len;
};

/**
 * vring_drv_init() - Start the driver side on a zeroed ring
 * @vq:		Driver side.
 * @ring:	Layout, copied; the memory is cleared.
 * @chain_next:	Array of @ring->num entries, used until @vq is dropped.
 * @chain_len:	Likewise.
 */
void vring_drv_init(struct vring_drv *vq, const struct vring_layout *ring, uint16_t *chain_next,
		    uint16_t *chain_len);

/**
 * vring_drv_add() - Make a chain available
 * @vq:		Driver side.
 * @bufs:	@nr_out device-readable buffers, then @nr_in writable ones.
 * @nr_out:	Count.
 * @nr_in:	Count.
 *
 * Return: the head index, or
 * * %-EINVAL - no buffer, one of length 0, or more than 2^32 bytes in total
 * * %-ENOSPC - not enough free descriptors
 */
int vring_drv_add(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		  unsigned int nr_in);

/**
 * vring_drv_should_kick() - Does the device want a kick for what was added?
 * @vq:		Driver side.
 */
bool vring_drv_should_kick(const struct vring_drv *vq);

/**
 * vring_drv_get() - Take the next used chain back
 * @vq:		Driver side.
 * @written:	Bytes the device says it wrote, set on success only. Not checked:
 *		it may be more than the chain has room for.
 *
 * Return: the head index, or
 * * %-EAGAIN - nothing used
 * * %-EPROTO - the device returned a head that is not in flight, or its index
 *   jumped further than there are chains in flight
 */
int vring_drv_get(struct vring_drv *vq, uint32_t *written);

#endif /* VRINGLAB_VRING_H */
