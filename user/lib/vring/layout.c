// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stddef.h>

#include <vringlab/vring_layout.h>

/* What one of the three parts has to be. */
struct part {
	uint64_t size;
	/* a power of two */
	uint64_t align;
	unsigned int access;
};

static int find_part(void **host, const struct vring_mem *mem, uint64_t addr,
		     const struct part *part, struct vring_mem_miss *miss)
{
	struct iovec iov;
	int ret;

	if (!mem->iotlb) {
		*host = vring_mem_uva(mem, addr, part->size);
		return *host ? 0 : -EFAULT;
	}
	ret = vring_mem_iov(mem, addr, part->size, part->access, &iov, 1, miss);
	/* of several pieces */
	if (ret == -ENOBUFS)
		return -EFAULT;
	if (ret < 0)
		return ret;
	*host = iov.iov_base;
	return 0;
}

static int resolve_part(void **host, const struct vring_mem *mem, uint64_t addr,
			const struct part *part, struct vring_mem_miss *miss)
{
	int ret;

	if (addr & (part->align - 1))
		return -EINVAL;
	ret = find_part(host, mem, addr, part, miss);
	if (ret)
		return ret;
	/*
	 * The driver also chose the region's address and offset, so that an
	 * aligned address of its can be an odd one here.
	 */
	return (uintptr_t)*host & (part->align - 1) ? -EINVAL : 0;
}

struct shape {
	struct part parts[3];
};

static struct shape shape_packed(unsigned int num)
{
	const unsigned int both = VRING_MEM_READ | VRING_MEM_WRITE;
	const uint64_t event = sizeof(struct vring_packed_desc_event);

	return (struct shape){ {
		{ sizeof(struct vring_packed_desc) * (uint64_t)num, VRING_PACKED_DESC_ALIGN, both },
		{ event, VRING_PACKED_EVENT_ALIGN, VRING_MEM_READ },
		{ event, VRING_PACKED_EVENT_ALIGN, both },
	} };
}

static struct shape shape_split(unsigned int num)
{
	const unsigned int both = VRING_MEM_READ | VRING_MEM_WRITE;

	return (struct shape){ {
		{ vring_desc_size(num), VRING_DESC_ALIGN_SIZE, VRING_MEM_READ },
		{ vring_avail_size(num), VRING_AVAIL_ALIGN_SIZE, VRING_MEM_READ },
		{ vring_used_size(num), VRING_USED_ALIGN_SIZE, both },
	} };
}

static struct shape shape_of(unsigned int num, bool packed)
{
	return packed ? shape_packed(num) : shape_split(num);
}

/* Parts that share a byte: what the device writes would be what it reads. */
static bool overlap(void *const parts[3], const struct shape *shape)
{
	for (int i = 0; i < 3; i++) {
		uintptr_t a = (uintptr_t)parts[i];
		uintptr_t b = (uintptr_t)parts[(i + 1) % 3];

		if (a < b ? b - a < shape->parts[i].size : a - b < shape->parts[(i + 1) % 3].size)
			return true;
	}
	return false;
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
		int ret = resolve_part(&parts[i], mem, addr[i], &shape.parts[i], miss);

		if (ret)
			return ret;
	}
	if (overlap(parts, &shape))
		return -EEXIST;
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
		offset = align_up(offset, shape.parts[i].align);
		parts[i] = (uint8_t *)mem + offset;
		offset += shape.parts[i].size;
	}
	return layout_of(num, packed, parts);
}

uint64_t vring_layout_bytes(unsigned int num, bool packed)
{
	struct shape shape = shape_of(num, packed);
	uint64_t offset = 0;

	for (int i = 0; i < 3; i++)
		offset = align_up(offset, shape.parts[i].align) + shape.parts[i].size;
	return offset;
}
