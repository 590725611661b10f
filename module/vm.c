// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs, and what they know an eventfd by: where the guest writes to kick it, which
 * interrupt a call raises.
 *
 * This belongs to the eventfd, whoever's vring it is at the moment; an eventfd that
 * is nobody's becomes a vring of its own, with that one side. What KVM refused was
 * never told. What went with its eventfd is told by the eventfd, which is watched as
 * long as it is known here.
 *
 * All under vl_vrings_lock, but what handlers post.
 */
#include "found.h"

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#define FACT_BITS 8

static DEFINE_HASHTABLE(facts, FACT_BITS);

/* Eventfds whose first hit was told, as in device.c. */
#define TOLD_BITS 8
static const void *told[1 << TOLD_BITS];

/* The first of an eventfd, or the one after @fact; NULL at the end. */
struct vl_fact *vl_fact_next(const struct eventfd_ctx *ctx, struct vl_fact *fact)
{
	lockdep_assert_held(&vl_vrings_lock);

	fact = fact ? hlist_entry_safe(fact->node.next, struct vl_fact, node) :
		      hlist_entry_safe(facts[hash_min((unsigned long)ctx, FACT_BITS)].first,
				       struct vl_fact, node);
	while (fact && fact->ctx != ctx)
		fact = hlist_entry_safe(fact->node.next, struct vl_fact, node);
	return fact;
}

static bool same_io(const struct vl_ioeventfd *a, const struct vl_ioeventfd *b)
{
	return a->pio == b->pio && a->addr == b->addr && a->len == b->len &&
	       a->has_datamatch == b->has_datamatch &&
	       (!a->has_datamatch || a->datamatch == b->datamatch);
}

static bool is_fact(const struct vl_fact *fact, const struct vl_vm *vm,
		    const struct vl_found *found)
{
	if (fact->vm != vm || fact->role != found->role)
		return false;
	return fact->role == VL_ROLE_CALL ? fact->gsi == found->gsi :
					    same_io(&fact->io, &found->io);
}

static struct vl_fact *find_fact(const struct eventfd_ctx *ctx, const struct vl_vm *vm,
				 const struct vl_found *found)
{
	struct vl_fact *fact;

	for (fact = vl_fact_next(ctx, NULL); fact; fact = vl_fact_next(ctx, fact))
		if (is_fact(fact, vm, found))
			return fact;

	return NULL;
}

/* What vl_on_irqfd_wakeup() looks at, to tell what is not known yet. */
static void mark(const struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd = vl_lookup_eventfd(ctx);

	if (eventfd)
		WRITE_ONCE(eventfd->fact, vl_fact_next(ctx, NULL));
	vl_vrings_changed();
}

/* The first who tells of a VM has set it up, or is its owner. */
static void set_vm_owner(struct vl_vm *vm, const struct vl_found *found)
{
	if (vm->tgid)
		return;
	vm->tgid = found->tgid;
	memcpy(vm->comm, found->comm, sizeof(vm->comm));
}

/* Takes the reference out of @found, and that to @vm. */
static int add_fact(struct vl_vm *vm, struct vl_found *found)
{
	struct vl_fact *fact = kzalloc(sizeof(*fact), GFP_KERNEL_ACCOUNT);

	if (!fact) {
		vl_vm_put(vm);
		return -ENOMEM;
	}

	fact->ctx = found->ctx;
	found->ctx = NULL;
	fact->vm = vm;
	fact->uid = found->uid;
	fact->role = found->role;
	fact->gsi = found->gsi;
	fact->io = found->io;
	set_vm_owner(vm, found);
	hash_add(facts, &fact->node, (unsigned long)fact->ctx);
	mark(fact->ctx);
	return 0;
}

static void forget_told(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(told); i++)
		WRITE_ONCE(told[i], NULL);
}

static void drop_fact(struct vl_fact *fact)
{
	hash_del(&fact->node);
	mark(fact->ctx);
	vl_ioeventfds_forget();
	eventfd_ctx_put(fact->ctx);
	vl_vm_put(fact->vm);
	kfree(fact);
}

static void del_fact(struct vl_fact *fact)
{
	forget_told();
	drop_fact(fact);
}

static void del_facts(const struct eventfd_ctx *ctx)
{
	struct vl_fact *fact;

	while ((fact = vl_fact_next(ctx, NULL)))
		del_fact(fact);
}

/* It can't be a vring. That it was told is not forgotten: not to be told with each hit. */
static void lose_facts(const struct eventfd_ctx *ctx)
{
	struct vl_fact *fact;

	while ((fact = vl_fact_next(ctx, NULL)))
		drop_fact(fact);
	vl_found_lose();
}

/* The vring of an eventfd that is nobody else's. */
static bool is_alone(const struct vl_vring *vring)
{
	return vring->found && !vring->device;
}

static void end_if_unknown(const struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd = vl_lookup_eventfd(ctx);

	if (eventfd && is_alone(eventfd->vring) && !vl_fact_next(ctx, NULL))
		vl_vring_end(eventfd->vring);
}

static int new_vring(const struct vl_fact *fact, struct file *file)
{
	struct vl_vring_req req = {
		.backend = VRINGLAB_BACKEND_KVM,
		.found = true,
		.uid = fact->uid,
	};
	struct eventfd_ctx *ctx = fact->ctx;
	struct vl_vring *vring;
	int ret;

	snprintf(req.label, sizeof(req.label), "kvm-%u", fact->vm->id);
	vring = vl_vring_new(&req, NULL);
	if (IS_ERR(vring))
		return PTR_ERR(vring);

	if (file)
		ret = vl_vring_set_eventfd(vring, fact->role, file);
	else
		ret = vl_ctx_get(ctx) ? vl_vring_set_eventfd_ctx(vring, fact->role, ctx) : -EAGAIN;
	if (ret)
		vl_vring_end(vring);
	return ret;
}

/*
 * An eventfd has lost its vring: if a VM has it, it becomes one by itself. One that
 * cannot is forgotten, for nothing would tell its end.
 */
void vl_vm_orphan(const struct eventfd_ctx *ctx)
{
	struct vl_fact *fact = vl_fact_next(ctx, NULL);

	if (!fact || vl_lookup_eventfd(ctx) || !vl_discovering())
		return;

	if (new_vring(fact, NULL))
		lose_facts(ctx);
}

/* @vm is given away. */
static void apply_begin(struct vl_vm *vm, struct vl_found *found)
{
	struct eventfd_ctx *ctx = found->ctx;

	if (find_fact(ctx, vm, found)) {
		vl_vm_put(vm);
		return;
	}

	if (add_fact(vm, found)) {
		vl_found_lose();
		return;
	}
	if (!vl_lookup_eventfd(ctx) && new_vring(vl_fact_next(ctx, NULL), found->file))
		lose_facts(ctx);
}

static void apply_end(struct vl_vm *vm, struct vl_found *found)
{
	const struct eventfd_ctx *ctx = found->ctx;
	struct vl_fact *fact = find_fact(ctx, vm, found);

	if (fact)
		del_fact(fact);
	vl_vm_put(vm);
	end_if_unknown(ctx);
}

/* NULL if it has ended meanwhile, or there is no memory. */
static struct vl_vm *vm_of(struct vl_found *found)
{
	const void *kvm = READ_ONCE(found->kvm);
	struct vl_vm *vm;

	if (!kvm)
		return NULL;

	vm = vl_vm_get(kvm);
	if (!vm)
		vl_found_lose();
	else if (!READ_ONCE(found->kvm))
		WRITE_ONCE(vm->gone, true);
	return vm;
}

static void apply_fact(struct vl_found *found)
{
	struct vl_vm *vm = vm_of(found);

	lockdep_assert_held(&vl_vrings_lock);

	if (!vm)
		return;

	if (found->file) {
		vl_ctx_measure(found->file);
		found->ctx = eventfd_ctx_fileget(found->file);
	}
	if (found->end)
		apply_end(vm, found);
	else
		apply_begin(vm, found);
}

static void apply_gone(struct vl_found *found)
{
	struct vl_fact *fact;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(facts, i, next, fact, node) {
		struct eventfd_ctx *ctx = fact->ctx;

		if (fact->vm->kvm != found->kvm || !READ_ONCE(fact->vm->gone))
			continue;
		del_fact(fact);
		end_if_unknown(ctx);
	}
}

/* An eventfd is closed, and with it all that KVM had of it. */
void vl_vm_closed(const struct eventfd_ctx *ctx)
{
	lockdep_assert_held(&vl_vrings_lock);
	del_facts(ctx);
}

/* Discovery is off. */
void vl_vms_end(void)
{
	struct vl_fact *fact;
	struct hlist_node *next;
	int i;

	lockdep_assert_held(&vl_vrings_lock);

	hash_for_each_safe(facts, i, next, fact, node) {
		struct eventfd_ctx *ctx = fact->ctx;

		del_fact(fact);
		end_if_unknown(ctx);
	}
	forget_told();
}

/* The eventfd is one of who calls; what else there is to tell is the caller's. */
static struct vl_found *found_fact(const void *kvm, int fd, enum vl_role role)
{
	struct file *file = eventfd_fget(fd);
	struct vl_found *found;

	if (IS_ERR(file))
		return NULL;
	found = vl_found_get(apply_fact);
	if (!found) {
		fput(file);
		return NULL;
	}

	found->kvm = kvm;
	found->role = role;
	found->file = file;
	return found;
}

/*
 * Who calls has made or removed an ioeventfd.
 */
void vl_found_ioeventfd(const void *kvm, const struct kvm_ioeventfd *args)
{
	struct vl_found *found = found_fact(kvm, args->fd, VL_ROLE_KICK);

	if (!found)
		return;

	found->end = args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	found->io.addr = args->addr;
	found->io.len = args->len;
	found->io.pio = args->flags & KVM_IOEVENTFD_FLAG_PIO;
	found->io.has_datamatch = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;
	found->io.datamatch = found->io.has_datamatch ? args->datamatch : 0;
	vl_found_post(found);
}

/* Likewise an irqfd. */
void vl_found_irqfd(const void *kvm, const struct kvm_irqfd *args)
{
	struct vl_found *found = found_fact(kvm, args->fd, VL_ROLE_CALL);

	if (!found)
		return;

	found->end = args->flags & KVM_IRQFD_FLAG_DEASSIGN;
	found->gsi = args->gsi;
	vl_found_post(found);
}

/* Whoever is current, the VM is its mm's owner's. */
static void set_owner(struct vl_found *found, const struct kvm *kvm)
{
	struct task_struct *owner = NULL;

	vl_path_enter();
#ifdef CONFIG_MEMCG
	owner = rcu_dereference_sched(kvm->mm->owner);
#endif
	found->tgid = owner ? owner->tgid : 0;
	found->comm[0] = '\0';
	if (owner) {
		found->uid = task_uid(owner);
		memcpy(found->comm, owner->group_leader->comm, sizeof(found->comm));
	}
	vl_path_leave();
}

/* For handlers: whether there is something new to be told at all. */
bool vl_vm_known(const struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd;
	bool known;

	if (!vl_lookup_maybe(ctx))
		return false;

	vl_path_enter();
	eventfd = vl_lookup_eventfd(ctx);
	known = eventfd && READ_ONCE(eventfd->fact);
	vl_path_leave();
	return known;
}

/*
 * What may have been made unseen is at work. The caller knows the VM and the
 * eventfd to be alive.
 *
 * Return: a record to be filled and posted, NULL if there is nothing to tell
 */
static struct vl_found *found_hit(const struct kvm *kvm, enum vl_role role, struct eventfd_ctx *ctx)
{
	const void **slot = &told[hash_ptr(ctx, TOLD_BITS)];
	struct vl_found *found;

	if (vl_vm_known(ctx) || READ_ONCE(*slot) == ctx || !vl_ctx_get(ctx))
		return NULL;

	found = vl_found_get(apply_fact);
	if (!found) {
		eventfd_ctx_put(ctx);
		return NULL;
	}
	WRITE_ONCE(*slot, ctx);
	set_owner(found, kvm);
	found->kvm = kvm;
	found->role = role;
	found->ctx = ctx;
	return found;
}

void vl_found_irqfd_hit(const struct kvm *kvm, u32 gsi, struct eventfd_ctx *ctx)
{
	struct vl_found *found = found_hit(kvm, VL_ROLE_CALL, ctx);

	if (!found)
		return;
	found->gsi = gsi;
	vl_found_post(found);
}

void vl_found_ioeventfd_hit(const struct kvm *kvm, const struct vl_ioeventfd *io,
			    struct eventfd_ctx *ctx)
{
	struct vl_found *found = found_hit(kvm, VL_ROLE_KICK, ctx);

	if (!found)
		return;
	found->io = *io;
	vl_found_post(found);
}

/* What has this address from now on is another VM. */
void vl_found_vm_gone(const void *kvm)
{
	struct vl_found *found;

	vl_found_void(kvm);
	vl_path_enter();
	vl_vm_gone(kvm);
	vl_path_leave();

	found = vl_found_get(apply_gone);
	if (!found)
		return;
	found->kvm = kvm;
	vl_found_post(found);
}
