/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VRINGLAB_LIB_VRING_MEM_H
#define VRINGLAB_LIB_VRING_MEM_H

#include <vringlab/vring_mem.h>

/* The region that holds a guest physical address, or NULL. */
const struct vring_mem_region *mem_find_gpa(const struct vring_mem *mem, uint64_t gpa);

#endif /* VRINGLAB_LIB_VRING_MEM_H */
