// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <vringlab/fd.h>

#include "internal.h"

/* Documentation/virt/kvm/api.rst, 4.1: "It is always 12". */
#define KVM_API 12

/*
 * Intel CPUs without unrestricted guest mode run real mode as a task of a
 * 16-bit TSS in three pages of the guest, which must not collide with memory
 * or devices (api.rst, 4.31). This is where QEMU and kvmtool have them too.
 */
#define TSS_GPA 0xfffbd000u

static int open_kvm(const char *path, struct vl_err *err)
{
	struct vmm_call call = { .kind = VMM_CALL_OPEN, .fd = -1, .name = "open", .on = path };
	const char *cure = "";
	int fd, code;

	vmm_call_asked(&call);
	fd = open(path, O_RDWR | O_CLOEXEC);
	code = fd < 0 ? -errno : fd;
	vmm_call_answered(&call, code);
	if (fd >= 0)
		return fd;
	if (code == -ENOENT || code == -ENODEV || code == -ENXIO)
		cure = ": load kvm_intel or kvm_amd, and enable VT-x or SVM in the firmware";
	else if (code == -EACCES || code == -EPERM)
		cure = ": join its group, usually with 'usermod -aG kvm USER', and log in again";
	return vl_err_set(err, code, "cannot open %s: %s%s", path, vl_strerror(code), cure);
}

static int check_api(const struct vmm *vm, const char *path, struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
		/* without it a vCPU cannot be stopped without a race */
		{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
		{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	};
	int version;

	version = vmm_ioctl_num(vm->kvm_fd, KVM_GET_API_VERSION, 0, err, "%s", path);
	if (version < 0)
		return version;
	if (version != KVM_API)
		return vl_err_set(err, -EPROTO,
				  "%s speaks KVM API version %d, not %d: use a newer kernel", path,
				  version, KVM_API);
	return vmm_require(vm->kvm_fd, needed, ARRAY_SIZE(needed), err);
}

static int create_vm(struct vmm *vm, const char *path, struct vl_err *err)
{
	int ret;

	do {
		/* EINTR: a signal came while KVM set up the MMU's worker */
		ret = vmm_ioctl_num(vm->kvm_fd, KVM_CREATE_VM, 0, err, "%s", path);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	vm->vm_fd = ret;

	ret = vmm_ioctl_num(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0, err, "%s", path);
	if (ret < 0)
		return ret;
	if ((size_t)ret < sizeof(struct kvm_run))
		return vl_err_set(err, -EPROTO,
				  "KVM_GET_VCPU_MMAP_SIZE on %s: %d bytes hold no struct kvm_run",
				  path, ret);
	vm->run_size = ret;

	ret = vmm_ioctl_num(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA, err, "address %#x", TSS_GPA);
	return ret < 0 ? ret : 0;
}

int vmm_create(struct vmm **vm, const char *kvm_path, struct vl_err *err)
{
	const char *path = kvm_path ? kvm_path : VMM_KVM_PATH;
	struct vmm *new;
	int ret;

	new = calloc(1, sizeof(*new));
	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a VM");
	pthread_mutex_init(&new->gsi_lock, NULL);
	pthread_rwlock_init(&new->bus_lock, NULL);
	new->vm_fd = -1;
	new->kvm_fd = open_kvm(path, err);
	ret = new->kvm_fd;
	if (ret < 0)
		goto out_destroy;
	ret = check_api(new, path, err);
	if (ret)
		goto out_destroy;
	ret = create_vm(new, path, err);
	if (ret)
		goto out_destroy;
	*vm = new;
	return 0;

out_destroy:
	vmm_destroy(new);
	return ret;
}

void vmm_destroy(struct vmm *vm)
{
	if (!vm)
		return;
	/* KVM drops its slots first, then the memory goes */
	vl_fd_close(&vm->vm_fd);
	for (unsigned int i = 0; i < vm->nr_memory; i++) {
		munmap(vm->memory[i].host, vm->memory[i].size);
		vl_fd_close(&vm->memory[i].fd);
	}
	vl_fd_close(&vm->kvm_fd);
	pthread_rwlock_destroy(&vm->bus_lock);
	pthread_mutex_destroy(&vm->gsi_lock);
	free(vm->msis);
	free(vm);
}

int vmm_extension(const struct vmm *vm, unsigned int cap)
{
	return vmm_ioctl_raw(vm->vm_fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)cap);
}
