// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "common.h"

void backend_host_init(struct backend_host *host, struct loop *loop)
{
	*host = (struct backend_host){ .loop = loop };
}

int backend_host_add(struct backend_host *host, const struct vmm_memory *memory, struct vl_err *err)
{
	const struct vring_mem_region region = {
		.guest_addr = memory->gpa,
		.user_addr = memory->gpa,
		.size = memory->size,
		.host = memory->host,
	};
	int ret = host->nr_memory < VMM_MEMORY_MAX ? vring_mem_add(&host->table, &region) : -ENOSPC;

	if (ret)
		return vl_err_set(err, ret, "no device can use the memory at 0x%llx: %s",
				  (unsigned long long)memory->gpa, vl_strerror(ret));
	host->memory[host->nr_memory++] = *memory;
	return 0;
}

int backend_host_add_vm(struct backend_host *host, const struct vmm *vm, struct vl_err *err)
{
	const struct vmm_memory *memory;
	int ret = 0;

	for (unsigned int i = 0; !ret && (memory = vmm_memory_get(vm, i)); i++)
		ret = backend_host_add(host, memory, err);
	return ret;
}

int backend_layout(const struct backend *b, const struct virtio_queue *q, bool packed,
		   struct vring_layout *layout, struct vl_err *err)
{
	const struct vring_addrs addrs = {
		.desc = q->desc_gpa,
		.avail = q->driver_gpa,
		.used = q->device_gpa,
	};
	int ret = vring_layout_resolve(layout, &b->host->table, packed, q->size, &addrs, NULL);
	char label[BACKEND_LABEL_SIZE];

	if (!ret)
		return 0;
	return vl_err_set(
		err, ret,
		"%s of %u entries cannot be where the driver has it, 0x%llx, 0x%llx, 0x%llx: %s",
		backend_label(&b->be, q->index, label), q->size, (unsigned long long)addrs.desc,
		(unsigned long long)addrs.avail, (unsigned long long)addrs.used, vl_strerror(ret));
}
