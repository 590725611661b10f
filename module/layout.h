/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where members are in structures that no kernel header shows.
 *
 * User space reads it from the running kernel's BTF and hands it down; nothing is
 * guessed here. Without an offset, what needs it is not seen.
 */
#ifndef _VRINGLAB_LAYOUT_H
#define _VRINGLAB_LAYOUT_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/types.h>
#include <linux/uaccess.h>

#include <asm/page.h>
#include <asm/pgtable.h>

struct netlink_ext_ack;
struct nlattr;

#define VL_LAYOUT_KVM (IS_BUILTIN(CONFIG_KVM) ? NULL : "kvm")
#define VL_LAYOUT_AMD (IS_BUILTIN(CONFIG_KVM_AMD) ? NULL : "kvm_amd")
#define VL_LAYOUT_INTEL (IS_BUILTIN(CONFIG_KVM_INTEL) ? NULL : "kvm_intel")
#define VL_LAYOUT_VHOST (IS_BUILTIN(CONFIG_VHOST) ? NULL : "vhost")

/*
 * EM(NAME, module, member, size): the module whose going makes the offset void, the
 * member from its structure on, and its size in bytes, 0 for any. Anonymous
 * structures and unions on the way have no name. A kernel has one of the two
 * exit reasons of VMX, and one of the two owners of a mutex.
 */
#define VL_LAYOUT(EM)                                                                         \
	EM(EVENTFD_ID, NULL, "eventfd_ctx.id", 4)                                             \
	EM(VHOST_VQ_DEV, VL_LAYOUT_VHOST, "vhost_virtqueue.dev", 8)                           \
	EM(VHOST_VQ_MUTEX_OWNER, VL_LAYOUT_VHOST, "vhost_virtqueue.mutex.owner", 8)           \
	EM(VHOST_VQ_RTMUTEX_OWNER, VL_LAYOUT_VHOST, "vhost_virtqueue.mutex.rtmutex.owner", 8) \
	EM(VHOST_VQ_NUM, VL_LAYOUT_VHOST, "vhost_virtqueue.num", 4)                           \
	EM(VHOST_VQ_KICK, VL_LAYOUT_VHOST, "vhost_virtqueue.kick", 8)                         \
	EM(VHOST_VQ_CALL, VL_LAYOUT_VHOST, "vhost_virtqueue.call_ctx.ctx", 8)                 \
	EM(VHOST_VQ_POLL, VL_LAYOUT_VHOST, "vhost_virtqueue.poll", 0)                         \
	EM(VHOST_VQ_LAST_AVAIL_IDX, VL_LAYOUT_VHOST, "vhost_virtqueue.last_avail_idx", 2)     \
	EM(VHOST_VQ_LAST_USED_IDX, VL_LAYOUT_VHOST, "vhost_virtqueue.last_used_idx", 2)       \
	EM(VHOST_VQ_ACKED_FEATURES, VL_LAYOUT_VHOST, "vhost_virtqueue.acked_features", 8)     \
	EM(VHOST_VQ_PRIVATE_DATA, VL_LAYOUT_VHOST, "vhost_virtqueue.private_data", 8)         \
	EM(VHOST_DEV_VQS, VL_LAYOUT_VHOST, "vhost_dev.vqs", 8)                                \
	EM(VHOST_DEV_NVQS, VL_LAYOUT_VHOST, "vhost_dev.nvqs", 4)                              \
	EM(VHOST_POLL_WAIT, VL_LAYOUT_VHOST, "vhost_poll.wait", 0)                            \
	EM(VHOST_POLL_WORK, VL_LAYOUT_VHOST, "vhost_poll.work", 0)                            \
	EM(VHOST_WORK_FN, VL_LAYOUT_VHOST, "vhost_work.fn", 8)                                \
	EM(IOEVENTFD_DEV, VL_LAYOUT_KVM, "_ioeventfd.dev", 0)                                 \
	EM(IOEVENTFD_ADDR, VL_LAYOUT_KVM, "_ioeventfd.addr", 8)                               \
	EM(IOEVENTFD_LENGTH, VL_LAYOUT_KVM, "_ioeventfd.length", 4)                           \
	EM(IOEVENTFD_EVENTFD, VL_LAYOUT_KVM, "_ioeventfd.eventfd", 8)                         \
	EM(IOEVENTFD_DATAMATCH, VL_LAYOUT_KVM, "_ioeventfd.datamatch", 8)                     \
	EM(IOEVENTFD_WILDCARD, VL_LAYOUT_KVM, "_ioeventfd.wildcard", 1)                       \
	EM(IOEVENTFD_BUS, VL_LAYOUT_KVM, "_ioeventfd.bus_idx", 1)                             \
	EM(VCPU_SVM_VCPU, VL_LAYOUT_AMD, "vcpu_svm.vcpu", 0)                                  \
	EM(VCPU_SVM_VMCB, VL_LAYOUT_AMD, "vcpu_svm.vmcb", 8)                                  \
	EM(VCPU_VMX_VCPU, VL_LAYOUT_INTEL, "vcpu_vmx.vcpu", 0)                                \
	EM(VCPU_VMX_EXIT_REASON, VL_LAYOUT_INTEL, "vcpu_vmx.exit_reason", 4)                  \
	EM(VCPU_VMX_VT_EXIT_REASON, VL_LAYOUT_INTEL, "vcpu_vmx.vt.exit_reason", 4)

#define VL_LAYOUT_ENUM(name, module, member, size) VL_LAYOUT_##name,
enum vl_layout { VL_LAYOUT(VL_LAYOUT_ENUM) VL_LAYOUTS };
#undef VL_LAYOUT_ENUM

/* Offset + 1, 0 while not known. */
extern unsigned int vl_layout_offsets[VL_LAYOUTS];

/**
 * vl_layout() - Where a member is
 * @member:	Which.
 *
 * Return: offset from the structure's begin, or -1 while nobody has told it
 */
static inline int vl_layout(enum vl_layout member)
{
	return (int)READ_ONCE(vl_layout_offsets[member]) - 1;
}

/**
 * vl_read() - Read from where memory may not be, nor an address
 * @from:	Where; not trusted.
 * @value:	Set on success only.
 * @size:	1, 2, 4 or 8.
 *
 * What copy_from_kernel_nofault() does, in a few instructions: the path reads by this.
 *
 * Return: whether there was memory
 */
static __always_inline bool vl_read(const void *from, void *value, size_t size)
{
	BUILD_BUG_ON(size != 1 && size != 2 && size != 4 && size != 8);

	/* From the linear mapping to the end of the modules, all addresses are canonical. */
	if (unlikely((unsigned long)from - PAGE_OFFSET >= MODULES_END - PAGE_OFFSET))
		return false;

	if (size == 1)
		__get_kernel_nofault(value, from, u8, fault);
	else if (size == 2)
		__get_kernel_nofault(value, from, u16, fault);
	else if (size == 4)
		__get_kernel_nofault(value, from, u32, fault);
	else
		__get_kernel_nofault(value, from, u64, fault);
	return true;
fault:
	return false;
}

/**
 * vl_layout_read() - Read a member of what is thought to be its structure
 * @object:	The structure; not trusted, and so is the offset.
 * @member:	Which.
 * @value:	Set on success only.
 * @size:	Of the member.
 *
 * Return: whether the offset is known and the memory there
 */
static __always_inline bool vl_layout_read(const void *object, enum vl_layout member, void *value,
					   size_t size)
{
	int offset = vl_layout(member);

	return offset >= 0 && vl_read(object + offset, value, size);
}

/**
 * struct vl_layout_info - A member, for netlink
 * @name:	Structure and member.
 * @module:	Whose, NULL for the kernel itself.
 * @size:	In bytes, 0 for any.
 * @offset:	As vl_layout() has it.
 */
struct vl_layout_info {
	const char *name;
	const char *module;
	u32 size;
	int offset;
};

/**
 * struct vl_layout_req - What netlink asks for, and where it is from
 * @name:	struct.member.
 * @offset:	From the structure's begin.
 * @size:	In bytes, as user space found it.
 * @generation:	vl_layout_generation() before user space looked.
 * @name_attr:	Where @name is from, to be named in an error.
 * @offset_attr: Likewise.
 * @size_attr:	Likewise.
 * @generation_attr: Likewise.
 */
struct vl_layout_req {
	const char *name;
	u32 offset;
	u32 size;
	u32 generation;
	const struct nlattr *name_attr;
	const struct nlattr *offset_attr;
	const struct nlattr *size_attr;
	const struct nlattr *generation_attr;
};

u32 vl_layout_generation(void);
bool vl_layout_info(unsigned int i, struct vl_layout_info *info);
int vl_layout_set(const struct vl_layout_req *req, struct netlink_ext_ack *extack);
void vl_layout_forget(const char *module);

#endif /* _VRINGLAB_LAYOUT_H */
