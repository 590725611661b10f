// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <linux/memfd.h>

#include <vringlab/fd.h>

#include "internal.h"

#define PAGE_SIZE 4096u

/* Taken at once: where one is missing later the guest's access would be a SIGBUS. */
static int take_huge_pages(int fd, uint64_t size, struct vl_err *err)
{
	if (!fallocate(fd, 0, 0, size))
		return 0;
	return vl_err_set(err, -errno,
			  "cannot take %llu huge pages of 2M: %s: reserve them with "
			  "sysctl vm.nr_hugepages",
			  (unsigned long long)size / VMM_HUGE_PAGE_SIZE, vl_strerror(errno));
}

static int create_memfd(uint64_t size, enum vmm_pages pages, struct vl_err *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd, code;

	if (pages == VMM_PAGES_HUGETLB)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	fd = memfd_create("vringlab-guest", flags);
	if (fd < 0)
		return vl_err_set(err, -errno, "memfd_create: %s", vl_strerror(errno));
	if (ftruncate(fd, size)) {
		code = vl_err_set(err, -errno, "cannot size guest memory to %llu bytes: %s",
				  (unsigned long long)size, vl_strerror(errno));
		goto out_close;
	}
	code = pages == VMM_PAGES_HUGETLB ? take_huge_pages(fd, size, err) : 0;
	if (code)
		goto out_close;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		code = vl_err_set(err, -errno, "cannot seal guest memory: %s", vl_strerror(errno));
		goto out_close;
	}
	return fd;

out_close:
	vl_fd_close(&fd);
	return code;
}

static int check_range(const struct vmm *vm, uint64_t gpa, uint64_t size, enum vmm_pages pages,
		       struct vl_err *err)
{
	uint64_t page = pages == VMM_PAGES_HUGETLB ? VMM_HUGE_PAGE_SIZE : PAGE_SIZE;

	if (!size || gpa % page || size % page || gpa + size < gpa)
		return vl_err_set(err, -EINVAL,
				  "guest memory of %#llx bytes at %#llx is not in whole pages%s",
				  (unsigned long long)size, (unsigned long long)gpa,
				  page == PAGE_SIZE ? "" : " of 2M");
	if (vm->nr_memory == VMM_MEMORY_MAX)
		return vl_err_set(err, -ENOSPC, "a VM has at most %u pieces of memory",
				  VMM_MEMORY_MAX);
	return 0;
}

int vmm_memory_add(struct vmm *vm, uint64_t gpa, uint64_t size, const struct vmm_memory **mem,
		   struct vl_err *err)
{
	return vmm_memory_add_pages(vm, gpa, size, VMM_PAGES_BASE, mem, err);
}

int vmm_memory_add_pages(struct vmm *vm, uint64_t gpa, uint64_t size, enum vmm_pages pages,
			 const struct vmm_memory **mem, struct vl_err *err)
{
	struct vmm_memory added = { .gpa = gpa, .size = size };
	struct kvm_userspace_memory_region region = {
		.slot = vm->nr_memory,
		.guest_phys_addr = gpa,
		.memory_size = size,
	};
	int ret;

	ret = check_range(vm, gpa, size, pages, err);
	if (ret)
		return ret;
	added.fd = create_memfd(size, pages, err);
	if (added.fd < 0)
		return added.fd;
	added.host =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, added.fd, 0);
	if (added.host == MAP_FAILED) {
		ret = vl_err_set(err, -errno, "cannot map %llu bytes of guest memory: %s",
				 (unsigned long long)size, vl_strerror(errno));
		goto out_close;
	}
	/* a wish: a host that does not grant it has said so in its setting */
	if (pages == VMM_PAGES_THP)
		madvise(added.host, size, MADV_HUGEPAGE);
	region.userspace_addr = (uintptr_t)added.host;
	ret = vmm_ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region, err, "%#llx bytes at %#llx",
			(unsigned long long)size, (unsigned long long)gpa);
	if (ret < 0)
		goto out_unmap;
	vm->memory[vm->nr_memory] = added;
	if (mem)
		*mem = &vm->memory[vm->nr_memory];
	vm->nr_memory++;
	return 0;

out_unmap:
	munmap(added.host, size);
out_close:
	vl_fd_close(&added.fd);
	return ret;
}

const struct vmm_memory *vmm_memory_get(const struct vmm *vm, unsigned int i)
{
	return i < vm->nr_memory ? &vm->memory[i] : NULL;
}

void *vmm_memory_at(const struct vmm *vm, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; len && i < vm->nr_memory; i++) {
		const struct vmm_memory *mem = &vm->memory[i];
		uint64_t offset = gpa - mem->gpa;

		if (gpa >= mem->gpa && offset < mem->size && len <= mem->size - offset)
			return mem->host + offset;
	}
	return NULL;
}
