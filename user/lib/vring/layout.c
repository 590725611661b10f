// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stddef.h>

#include <vringlab/vring_layout.h>

static void *find_part(const struct vring_mem *mem, uint64_t addr, uint64_t size,
		       struct vring_mem_miss *miss, int *ret)
{
	struct iovec iov;

	if (!mem->iotlb) {
		void *host = vring_mem_uva(mem, addr, size);

		*ret = host ? 0 : -EFAULT;
		return host;
	}
	/* the device writes to some of it, and reads all */
	*ret = vring_mem_iov(mem, addr, size, VRING_MEM_READ, &iov, 1, miss);
	if (*ret == -ENOBUFS)
		*ret = -EFAULT;
	if (*ret < 0)
		return NULL;
	*ret = 0;
	return iov.iov_base;
}

/* Finds one part of a virtqueue; @align is a power of two. */
static int resolve_part(void **part, const struct vring_mem *mem, uint64_t addr, uint64_t size,
			uint64_t align, struct vring_mem_miss *miss)
{
	void *host;
	int ret;

	if (addr & (align - 1))
		return -EINVAL;
	host = find_part(mem, addr, size, miss, &ret);
	if (ret)
		return ret;
	/*
	 * The driver also chose the region's address and offset, so that an
	 * aligned address of its can be an odd one here.
	 */
	if ((uintptr_t)host & (align - 1))
		return -EINVAL;
	*part = host;
	return 0;
}

/* Size and alignment of the three parts. */
struct shape {
	uint64_t size[3];
	uint64_t align[3];
};

static struct shape shape_of(unsigned int num, bool packed)
{
	if (packed)
		return (struct shape){
			.size = { sizeof(struct vring_packed_desc) * (uint64_t)num,
				  sizeof(struct vring_packed_desc_event),
				  sizeof(struct vring_packed_desc_event) },
			.align = { VRING_PACKED_DESC_ALIGN, VRING_PACKED_EVENT_ALIGN,
				   VRING_PACKED_EVENT_ALIGN },
		};
	return (struct shape){
		.size = { vring_desc_size(num), vring_avail_size(num), vring_used_size(num) },
		.align = { VRING_DESC_ALIGN_SIZE, VRING_AVAIL_ALIGN_SIZE, VRING_USED_ALIGN_SIZE },
	};
}

static struct vring_layout layout_of(unsigned int num, bool packed, void *const parts[3])
{
	if (packed)
		return (struct vring_layout){
			.num = num,
			.packed = true,
			.ring = parts[0],
			.driver = parts[1],
			.device = parts[2],
		};
	return (struct vring_layout){
		.num = num,
		.desc = parts[0],
		.avail = parts[1],
		.used = parts[2],
	};
}

int vring_layout_resolve(struct vring_layout *layout, const struct vring_mem *mem, bool packed,
			 unsigned int num, const struct vring_addrs *addrs,
			 struct vring_mem_miss *miss)
{
	const uint64_t addr[3] = { addrs->desc, addrs->avail, addrs->used };
	struct shape shape;
	void *parts[3];

	if (!num || num > VRING_NUM_MAX || (!packed && (num & (num - 1))))
		return -EINVAL;
	shape = shape_of(num, packed);
	for (int i = 0; i < 3; i++) {
		int ret =
			resolve_part(&parts[i], mem, addr[i], shape.size[i], shape.align[i], miss);

		if (ret)
			return ret;
	}
	*layout = layout_of(num, packed, parts);
	return 0;
}

static uint64_t align_up(uint64_t offset, uint64_t align)
{
	return (offset + align - 1) & ~(align - 1);
}

struct vring_layout vring_layout_host(unsigned int num, bool packed, void *mem)
{
	struct shape shape = shape_of(num, packed);
	uint64_t offset = 0;
	void *parts[3];

	for (int i = 0; i < 3; i++) {
		offset = align_up(offset, shape.align[i]);
		parts[i] = (uint8_t *)mem + offset;
		offset += shape.size[i];
	}
	return layout_of(num, packed, parts);
}

uint64_t vring_layout_bytes(unsigned int num, bool packed)
{
	struct shape shape = shape_of(num, packed);
	uint64_t offset = 0;

	for (int i = 0; i < 3; i++)
		offset = align_up(offset, shape.align[i]) + shape.size[i];
	return offset;
}
