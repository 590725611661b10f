/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The driver's memory as the other side of a ring reaches it: a table of regions,
 * and where an IOMMU is in between, its translations.
 */
#ifndef VRINGLAB_VRING_MEM_H
#define VRINGLAB_VRING_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * As many as KVM gives a VM in memslots for its memory on most machines: a
 * front-end that adds memory one slot at a time (ADD_MEM_REG) has no more.
 */
#define VRING_MEM_REGIONS_MAX 509u

struct vring_iotlb;

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
 * @iotlb:	Not NULL: descriptors hold I/O virtual addresses, which this
 *		translates to user addresses (VIRTIO_F_ACCESS_PLATFORM). Set or cleared
 *		only while no ring is started.
 * @nr:		Regions in use.
 * @regions:	In rising order of guest_addr. They do not overlap in guest_addr, nor
 *		in user_addr. Unused ones have size 0.
 *
 * Owns neither the mappings nor @iotlb.
 */
struct vring_mem {
	struct vring_iotlb *iotlb;
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
 * vring_mem_remove() - Take a region out of a memory table
 * @mem:	Table; unchanged on failure.
 * @guest_addr:	Of the region.
 * @user_addr:	Of the region.
 * @size:	Of the region.
 *
 * Return: 0, or %-ENOENT if no region has all three.
 */
int vring_mem_remove(struct vring_mem *mem, uint64_t guest_addr, uint64_t user_addr, uint64_t size);

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
 * @nr_iov:	Entries @iov has room for.
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

/* What a device does with a buffer, as VHOST_ACCESS_RO and VHOST_ACCESS_WO. */
#define VRING_MEM_READ 1u
#define VRING_MEM_WRITE 2u

/**
 * struct vring_mem_miss - A translation that the IOTLB lacks
 * @iova:	First address without one.
 * @access:	VRING_MEM_READ or VRING_MEM_WRITE.
 */
struct vring_mem_miss {
	uint64_t iova;
	unsigned int access;
};

/**
 * vring_mem_iov() - Resolve the address that a descriptor holds
 * @mem:	Table.
 * @addr:	I/O virtual address if the table has an IOTLB, else guest physical.
 * @len:	Bytes.
 * @access:	VRING_MEM_READ or VRING_MEM_WRITE.
 * @iov:	Filled with the pieces in rising order; undefined on failure.
 * @nr_iov:	Entries @iov has room for.
 * @miss:	Set with %-EINPROGRESS.
 *
 * Return: as vring_mem_gpa_iov(), or %-EINPROGRESS where the IOTLB has no
 * translation, or none for this access: the driver has to be asked.
 */
int vring_mem_iov(const struct vring_mem *mem, uint64_t addr, uint64_t len, unsigned int access,
		  struct iovec *iov, unsigned int nr_iov, struct vring_mem_miss *miss);

/**
 * vring_mem_host_gpa() - Which guest physical address is this?
 * @mem:	Table.
 * @host:	Address in this process.
 * @gpa:	Set on success only.
 *
 * For the dirty log. A linear search: while a log is kept only.
 *
 * Return: 0, or %-EFAULT if @host is in no region.
 */
int vring_mem_host_gpa(const struct vring_mem *mem, const void *host, uint64_t *gpa);

/**
 * vring_iotlb_create() - Make an empty IOTLB
 * @iotlb:	Set on success only.
 * @max:	Most translations, at least 1; more push the oldest out.
 *
 * Return: 0, %-EINVAL if @max is 0, or %-ENOMEM.
 */
int vring_iotlb_create(struct vring_iotlb **iotlb, unsigned int max);

/**
 * vring_iotlb_destroy() - Free an IOTLB
 * @iotlb:	IOTLB; NULL is allowed.
 */
void vring_iotlb_destroy(struct vring_iotlb *iotlb);

/**
 * vring_iotlb_update() - Add a translation
 * @iotlb:	IOTLB.
 * @iova:	First I/O virtual address.
 * @size:	Bytes.
 * @uva:	The user address that it translates to.
 * @access:	VRING_MEM_READ, VRING_MEM_WRITE or both.
 *
 * What it overlaps is replaced.
 *
 * Return: 0, or %-EINVAL if size or access is 0, access has other bits, or an
 * address plus size wraps.
 */
int vring_iotlb_update(struct vring_iotlb *iotlb, uint64_t iova, uint64_t size, uint64_t uva,
		       unsigned int access);

/**
 * vring_iotlb_invalidate() - Forget translations
 * @iotlb:	IOTLB.
 * @iova:	First I/O virtual address.
 * @size:	Bytes; what overlaps the range is forgotten whole.
 *
 * Return: 0, or %-EINVAL if size is 0 or the range wraps.
 */
int vring_iotlb_invalidate(struct vring_iotlb *iotlb, uint64_t iova, uint64_t size);

/**
 * vring_iotlb_translate() - Translate the start of a range
 * @iotlb:	IOTLB.
 * @iova:	First I/O virtual address.
 * @len:	In: bytes wanted. Out: bytes from @iova that one translation has, at most
 *		as many as wanted.
 * @access:	VRING_MEM_READ or VRING_MEM_WRITE.
 * @uva:	Set on success only.
 *
 * Return: 0, or %-ENOENT if there is none for this address and access.
 */
int vring_iotlb_translate(const struct vring_iotlb *iotlb, uint64_t iova, uint64_t *len,
			  unsigned int access, uint64_t *uva);

#endif /* VRINGLAB_VRING_MEM_H */
