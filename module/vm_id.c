// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VM is meant: all that is known of one refers to one record, and a VM that
 * takes the place of one that has ended is another.
 *
 * Its end is seen by a handler, before its address can be another's. What was seen of
 * it before and is not applied yet is made void there first, and then the record; who
 * takes a record looks in the opposite order whether it is still to the point. So one
 * of the two sees it.
 */
#include "vm.h"

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>

/* Protects the list and the users; taken within vl_vrings_lock and vl_vcpus_lock. */
static DEFINE_MUTEX(lock);
static LIST_HEAD(vms);
static u32 last_id;

static struct vl_vm *find(const void *kvm)
{
	struct vl_vm *vm;

	list_for_each_entry(vm, &vms, node)
		if (vm->kvm == kvm && !READ_ONCE(vm->gone))
			return vm;

	return NULL;
}

static struct vl_vm *add(const void *kvm)
{
	struct vl_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;

	vm->kvm = kvm;
	vm->id = ++last_id;
	list_add_tail_rcu(&vm->node, &vms);
	return vm;
}

/* Return: NULL if there is no memory */
struct vl_vm *vl_vm_get(const void *kvm)
{
	struct vl_vm *vm;

	mutex_lock(&lock);
	vm = find(kvm) ?: add(kvm);
	if (vm)
		vm->users++;
	mutex_unlock(&lock);

	/* The caller looks next whether it was void; pairs with vl_vm_gone(). */
	smp_mb();
	return vm;
}

void vl_vm_put(struct vl_vm *vm)
{
	mutex_lock(&lock);
	if (!--vm->users) {
		list_del_rcu(&vm->node);
		kfree_rcu(vm, rcu);
	}
	mutex_unlock(&lock);
}

/* For handlers, with preemption off. What waits to be applied is void already. */
void vl_vm_gone(const void *kvm)
{
	struct vl_vm *vm;

	/* Pairs with vl_vm_get(). */
	smp_mb();
	list_for_each_entry_rcu(vm, &vms, node, !preemptible())
		if (vm->kvm == kvm)
			WRITE_ONCE(vm->gone, true);
}
