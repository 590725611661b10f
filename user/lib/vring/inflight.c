// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stddef.h>

#include <vringlab/vring_inflight.h>

/* Layouts that are shared with other programs. */
_Static_assert(sizeof(struct vring_inflight_split) == 16, "header of a split region");
_Static_assert(sizeof(struct vring_inflight_split_desc) == 16, "entry of a split region");
_Static_assert(sizeof(struct vring_inflight_packed) == 32, "header of a packed region");
_Static_assert(sizeof(struct vring_inflight_packed_desc) == 32, "entry of a packed region");
_Static_assert(offsetof(struct vring_inflight_split, version) ==
		       offsetof(struct vring_inflight_packed, version),
	       "version of either region");

uint64_t vring_inflight_size(bool packed, unsigned int num)
{
	uint64_t size = packed ? sizeof(struct vring_inflight_packed) +
					 (uint64_t)num * sizeof(struct vring_inflight_packed_desc) :
				 sizeof(struct vring_inflight_split) +
					 (uint64_t)num * sizeof(struct vring_inflight_split_desc);

	return (size + VRING_INFLIGHT_ALIGN - 1) / VRING_INFLIGHT_ALIGN * VRING_INFLIGHT_ALIGN;
}

bool vring_inflight_is_unused(const void *region)
{
	const struct vring_inflight_split *r = region;

	return !__atomic_load_n(&r->version, __ATOMIC_RELAXED);
}
