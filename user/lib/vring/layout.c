// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stddef.h>

#include <vringlab/vring.h>

/* Finds one part of a virtqueue; @align is a power of two. */
static int resolve_part(void **part, const struct vring_mem *mem, uint64_t uva, uint64_t size,
			uint64_t align)
{
	void *host;

	if (uva & (align - 1))
		return -EINVAL;
	host = vring_mem_uva(mem, uva, size);
	if (!host)
		return -EFAULT;
	/*
	 * The driver also chose the region's address and offset, so that an
	 * aligned address of its can be an odd one here.
	 */
	if ((uintptr_t)host & (align - 1))
		return -EINVAL;
	*part = host;
	return 0;
}

int vring_layout_resolve(struct vring_layout *layout, const struct vring_mem *mem, unsigned int num,
			 uint64_t desc_uva, uint64_t avail_uva, uint64_t used_uva)
{
	void *desc, *avail, *used;
	int ret;

	if (!num || num > VRING_NUM_MAX || (num & (num - 1)))
		return -EINVAL;
	ret = resolve_part(&desc, mem, desc_uva, vring_desc_size(num), VRING_DESC_ALIGN_SIZE);
	if (ret)
		return ret;
	ret = resolve_part(&avail, mem, avail_uva, vring_avail_size(num), VRING_AVAIL_ALIGN_SIZE);
	if (ret)
		return ret;
	ret = resolve_part(&used, mem, used_uva, vring_used_size(num), VRING_USED_ALIGN_SIZE);
	if (ret)
		return ret;
	*layout = (struct vring_layout){
		.num = num,
		.desc = desc,
		.avail = avail,
		.used = used,
	};
	return 0;
}
