/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs, and the one number that each has: whoever tells of one, by its eventfds or by
 * its vCPUs, means the same.
 */
#ifndef _VRINGLAB_VM_H
#define _VRINGLAB_VM_H

#include <linux/sched.h>
#include <linux/types.h>

/**
 * struct vl_vm - A VM
 * @node:	In the list of all.
 * @rcu:	Frees it.
 * @kvm:	What the kernel knows it by, to be compared only.
 * @gone:	It has ended: what has its address now is another.
 * @id:		Netlink's name for it.
 * @users:	It lives as long as there are any.
 * @tgid:	Process whose it is; 0 if unknown. Under vl_vrings_lock.
 * @comm:	Its name, likewise.
 */
struct vl_vm {
	struct list_head node;
	struct rcu_head rcu;
	const void *kvm;
	bool gone;
	u32 id;
	unsigned int users;
	pid_t tgid;
	char comm[TASK_COMM_LEN];
};

/* vm_id.c */

struct vl_vm *vl_vm_get(const void *kvm);
void vl_vm_put(struct vl_vm *vm);
void vl_vm_gone(const void *kvm);

#endif /* _VRINGLAB_VM_H */
