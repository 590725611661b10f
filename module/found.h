/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What handlers found out about vrings that nobody registered.
 *
 * A handler may neither sleep nor lock: it posts a record, and a worker applies
 * it under vl_vrings_lock, in the order in which they came.
 */
#ifndef _VRINGLAB_FOUND_H
#define _VRINGLAB_FOUND_H

#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "vm.h"
#include "vringlab.h"

struct kvm_ioeventfd;
struct kvm_irqfd;

/**
 * struct vl_ioeventfd - Where a guest writes to kick
 * @addr:	Port or guest-physical address.
 * @datamatch:	With @has_datamatch, what it must write.
 * @len:	Of the write, 0 for any.
 * @pio:	@addr is a port.
 * @has_datamatch: Whether it matters what is written.
 */
struct vl_ioeventfd {
	u64 addr;
	u64 datamatch;
	u32 len;
	bool pio;
	bool has_datamatch;
};

/**
 * struct vl_found - One thing found
 * @node:	In the queue.
 * @apply:	What to do about it. Called under vl_vrings_lock.
 * @file:	A file, dropped after @apply. NULL for none.
 * @ctx:	An eventfd, likewise.
 * @tgid:	The process that was current.
 * @uid:	Its user.
 * @comm:	Its name.
 * @kind:	Of a device: enum vringlab_backend.
 * @role:	Of the eventfd.
 * @end:	The opposite of what is else told: it ceases to be.
 * @dev:	The device, to be compared only.
 * @vq:		Its virtqueue, likewise; NULL if unknown.
 * @index:	Number of the virtqueue in its device.
 * @num:	Its size; 0 if unknown.
 * @peer:	Process that serves it; 0 if unknown.
 * @kvm:	VM, to be compared only; NULL once it has ended.
 * @gsi:	Of an irqfd.
 * @io:		Of an ioeventfd.
 * @serial:	Of a struct vl_eventfd.
 */
struct vl_found {
	struct llist_node node;
	void (*apply)(struct vl_found *found);
	struct file *file;
	struct eventfd_ctx *ctx;
	pid_t tgid;
	kuid_t uid;
	char comm[TASK_COMM_LEN];
	u8 kind;
	u8 role;
	bool end;
	const void *dev;
	const void *vq;
	u32 index;
	u32 num;
	pid_t peer;
	const void *kvm;
	u32 gsi;
	struct vl_ioeventfd io;
	u64 serial;
};

/* found.c */

struct vl_found *vl_found_get(void (*apply)(struct vl_found *found));
void vl_found_post(struct vl_found *found);
void vl_found_void(const void *kvm);
void vl_found_lose(void);
u64 vl_found_lost(void);
void vl_found_flush(void);

/* device.c: for handlers */

void vl_found_vhost(u8 kind, const void *dev, u32 index, const void *vq, enum vl_role role, int fd);
void vl_found_vhost_size(u8 kind, const void *dev, u32 index, const void *vq, u32 num);
bool vl_found_vhost_told(const void *vq);
void vl_found_vhost_ctx(u8 kind, const void *dev, u32 index, const void *vq, struct file *kick,
			struct eventfd_ctx *call, u32 num);
void vl_found_vhost_gone(const void *dev);
void vl_found_closed(const struct vl_eventfd *eventfd) __cold;

/**
 * struct vl_device - What has several virtqueues
 * @node:	In the list of all.
 * @vrings:	Its vrings, by @in_device.
 * @key:	What the kernel knows it by, to be compared only.
 * @id:		Netlink's name for it.
 * @kind:	enum vringlab_backend.
 * @tgid:	Process that set it up.
 * @uid:	Its user.
 * @comm:	Its name.
 * @peer:	Process that serves it; 0 if unknown or none.
 */
struct vl_device {
	struct list_head node;
	struct list_head vrings;
	const void *key;
	u32 id;
	u8 kind;
	pid_t tgid;
	kuid_t uid;
	char comm[TASK_COMM_LEN];
	pid_t peer;
};

/**
 * struct vl_fact - What a VM knows of an eventfd
 * @node:	By @ctx.
 * @ctx:	With a reference.
 * @vm:		The VM.
 * @uid:	User whose process told.
 * @role:	Of an ioeventfd VL_ROLE_KICK, of an irqfd VL_ROLE_CALL.
 * @gsi:	Of an irqfd.
 * @io:		Of an ioeventfd.
 */
struct vl_fact {
	struct hlist_node node;
	struct eventfd_ctx *ctx;
	struct vl_vm *vm;
	kuid_t uid;
	enum vl_role role;
	u32 gsi;
	struct vl_ioeventfd io;
};

/* vm.c: for handlers */

void vl_found_ioeventfd(const void *kvm, const struct kvm_ioeventfd *args);
void vl_found_irqfd(const void *kvm, const struct kvm_irqfd *args);
void vl_found_irqfd_hit(const struct kvm *kvm, u32 gsi, struct eventfd_ctx *ctx) __cold;
void vl_found_ioeventfd_hit(const struct kvm *kvm, const struct vl_ioeventfd *io,
			    struct eventfd_ctx *ctx);
bool vl_vm_known(const struct eventfd_ctx *ctx);
void vl_found_vm_gone(const void *kvm);

/* kvm_fds.c: under vl_vrings_lock */

void vl_ioeventfds_forget(void);

/* vm.c: under vl_vrings_lock */

struct vl_fact *vl_fact_next(const struct eventfd_ctx *ctx, struct vl_fact *fact);
void vl_vm_orphan(const struct eventfd_ctx *ctx);
void vl_vm_closed(const struct eventfd_ctx *ctx);
void vl_vms_end(void);

/* vhost_user.c: under vl_vrings_lock */

void vl_vhost_user_end(void);

/* device.c: under vl_vrings_lock */

void vl_device_apply(struct vl_found *found);
bool vl_device_known(const void *key);
bool vl_device_resize(const void *key, u32 index, u32 num);
void vl_device_end(const void *key);
void vl_device_leave(struct vl_vring *vring);
void vl_device_yield(struct vl_vring *old, struct vl_vring *registered);
void vl_devices_end(void);

#endif /* _VRINGLAB_FOUND_H */
