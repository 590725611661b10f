// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that set up their vrings before our eyes, and those vrings.
 *
 * Whoever sees a device says so by vl_found_*(), as often as it likes; all else is
 * under vl_vrings_lock. A device lives as long as it has vrings. Nothing of it
 * is held but its eventfds' contexts, which keep neither a file nor a process.
 *
 * An eventfd has one vring. One that was registered keeps its own: it becomes the
 * device's virtqueue in place of one of ours. Else the device that claimed the
 * eventfd last has it.
 */
#include "found.h"

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

static LIST_HEAD(devices);
static u32 last_id;

/*
 * Virtqueues whose first hit was told. One that could not be made a vring, because
 * there are too many, is not told again with every hit.
 */
#define TOLD_BITS 8
static const void *told[1 << TOLD_BITS];

static void forget_told(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(told); i++)
		WRITE_ONCE(told[i], NULL);
}

static const char *kind_name(u8 kind)
{
	switch (kind) {
	case VRINGLAB_BACKEND_VHOST_USER:
		return "vhost-user";
	case VRINGLAB_BACKEND_VHOST_NET:
		return "vhost-net";
	case VRINGLAB_BACKEND_VHOST_VSOCK:
		return "vhost-vsock";
	case VRINGLAB_BACKEND_VHOST_SCSI:
		return "vhost-scsi";
	case VRINGLAB_BACKEND_VHOST_VDPA:
		return "vhost-vdpa";
	default:
		return "vhost";
	}
}

static struct vl_device *find_device(const void *key)
{
	struct vl_device *device;

	list_for_each_entry(device, &devices, node)
		if (device->key == key)
			return device;

	return NULL;
}

bool vl_device_known(const void *key)
{
	lockdep_assert_held(&vl_vrings_lock);
	return find_device(key);
}

static struct vl_device *new_device(const struct vl_found *found)
{
	struct vl_device *device;

	device = kzalloc(sizeof(*device), GFP_KERNEL_ACCOUNT);
	if (!device)
		return NULL;

	INIT_LIST_HEAD(&device->vrings);
	device->key = found->dev;
	device->id = ++last_id;
	device->kind = found->kind;
	device->tgid = found->tgid;
	device->uid = found->uid;
	device->peer = found->peer;
	memcpy(device->comm, found->comm, sizeof(device->comm));
	list_add_tail(&device->node, &devices);
	return device;
}

static void free_if_empty(struct vl_device *device)
{
	if (!list_empty(&device->vrings))
		return;
	list_del(&device->node);
	kfree(device);
}

static struct vl_vring *find_vring(const struct vl_device *device, u32 index)
{
	struct vl_vring *vring;

	list_for_each_entry(vring, &device->vrings, in_device)
		if (vring->queue == index)
			return vring;

	return NULL;
}

static void join(struct vl_device *device, struct vl_vring *vring, u32 index)
{
	vring->device = device;
	vring->queue = index;
	list_add_tail(&vring->in_device, &device->vrings);
	vl_vrings_changed();
}

/* The device is freed with its last vring. */
void vl_device_leave(struct vl_vring *vring)
{
	struct vl_device *device = vring->device;

	lockdep_assert_held(&vl_vrings_lock);

	if (!device)
		return;

	vl_lookup_set_vq(vring, NULL);
	vring->device = NULL;
	vring->num = 0;
	list_del(&vring->in_device);
	vl_vrings_changed();
	free_if_empty(device);
	forget_told();
}

static struct vl_vring *new_vring(struct vl_device *device, u32 index)
{
	struct vl_vring_req req = {
		.backend = device->kind,
		.tgid = device->peer,
		.found = true,
		.uid = device->uid,
	};
	struct vl_vring *vring;

	snprintf(req.label, sizeof(req.label), "%s-%u.%u", kind_name(device->kind), device->id,
		 index);
	vring = vl_vring_new(&req, NULL);
	if (!IS_ERR(vring))
		join(device, vring, index);
	return vring;
}

/* The registered vring that has the eventfd becomes the device's, and it alone. */
static struct vl_vring *adopt(struct vl_device *device, u32 index, struct vl_vring *registered)
{
	struct vl_vring *old = find_vring(device, index);

	if (old == registered)
		return registered;

	/* The device must not be freed with its last vring. */
	if (registered->device != device) {
		vl_device_leave(registered);
		join(device, registered, index);
	} else {
		registered->queue = index;
	}
	if (old && old->found)
		vl_vring_end(old);
	else if (old)
		vl_device_leave(old);
	return registered;
}

/* A found vring ends, and one that is registered is the device's in its place. */
void vl_device_yield(struct vl_vring *old, struct vl_vring *registered)
{
	struct vl_device *device = old->device;
	const void *vq = old->vq;
	u32 num = old->num;

	lockdep_assert_held(&vl_vrings_lock);

	if (!device || registered->device) {
		vl_vring_end(old);
		return;
	}

	join(device, registered, old->queue);
	vl_vring_end(old);
	vl_lookup_set_vq(registered, vq);
	registered->num = num;
}

/* Another vring that we found has it: no longer. */
static void take_away(struct vl_eventfd *eventfd)
{
	struct vl_vring *vring = eventfd->vring;

	if (vring->device)
		vl_vring_set_eventfd(vring, eventfd->role, NULL);
	else
		vl_vring_end(vring);
}

static struct eventfd_ctx *ctx_of(const struct vl_found *found)
{
	return found->file ? found->file->private_data : found->ctx;
}

static struct vl_vring *vring_for(struct vl_device *device, const struct vl_found *found)
{
	struct eventfd_ctx *ctx = ctx_of(found);
	struct vl_eventfd *eventfd = ctx ? vl_lookup_eventfd(ctx) : NULL;
	struct vl_vring *vring;

	if (eventfd && !eventfd->vring->found)
		return adopt(device, found->index, eventfd->vring);

	vring = find_vring(device, found->index) ?: new_vring(device, found->index);
	if (!IS_ERR(vring) && eventfd && (eventfd->vring != vring || eventfd->role != found->role))
		take_away(eventfd);
	return vring;
}

/* What the VM knows of the old one stays. */
static int set_eventfd(struct vl_vring *vring, struct vl_found *found)
{
	struct vl_eventfd *old = vring->eventfds[found->role];
	struct eventfd_ctx *old_ctx = old ? old->ctx : NULL;
	struct eventfd_ctx *ctx = found->ctx;
	int ret;

	if (!vring->found)
		return 0;

	found->ctx = NULL;
	if (ctx)
		ret = vl_vring_set_eventfd_ctx(vring, found->role, ctx);
	else
		ret = vl_vring_set_eventfd(vring, found->role, found->file);
	if (old_ctx)
		vl_vm_orphan(old_ctx);
	return ret;
}

static void apply_vring(struct vl_device *device, struct vl_found *found)
{
	struct vl_vring *vring = vring_for(device, found);

	if (IS_ERR(vring)) {
		vl_found_lose();
		return;
	}

	if (found->vq)
		vl_lookup_set_vq(vring, found->vq);
	if (found->num)
		vring->num = found->num;
	if ((found->file || found->ctx || found->end) && set_eventfd(vring, found))
		vl_found_lose();
}

void vl_device_apply(struct vl_found *found)
{
	struct vl_device *device = find_device(found->dev);

	lockdep_assert_held(&vl_vrings_lock);

	if (found->file)
		vl_ctx_measure(found->file);

	if (!device)
		device = new_device(found);
	if (!device) {
		vl_found_lose();
		return;
	}

	apply_vring(device, found);
	free_if_empty(device);
}

/* Return: whether there is such a vring. */
bool vl_device_resize(const void *key, u32 index, u32 num)
{
	struct vl_device *device = find_device(key);
	struct vl_vring *vring = device ? find_vring(device, index) : NULL;

	lockdep_assert_held(&vl_vrings_lock);

	if (!vring)
		return false;
	vring->num = num;
	return true;
}

static void end_device(struct vl_device *device)
{
	bool last;

	/* The last one takes the device with it. */
	do {
		struct vl_vring *vring =
			list_first_entry(&device->vrings, struct vl_vring, in_device);

		last = list_is_singular(&device->vrings);
		if (vring->found)
			vl_vring_end(vring);
		else
			vl_device_leave(vring);
	} while (!last);
}

void vl_device_end(const void *key)
{
	struct vl_device *device = find_device(key);

	lockdep_assert_held(&vl_vrings_lock);

	if (device)
		end_device(device);
}

static void apply_gone(struct vl_found *found)
{
	vl_device_end(found->dev);
}

/* Discovery is off. */
void vl_devices_end(void)
{
	struct vl_device *device, *next;

	lockdep_assert_held(&vl_vrings_lock);

	list_for_each_entry_safe(device, next, &devices, node)
		end_device(device);
	forget_told();
}

static struct vl_found *found_vhost(u8 kind, const void *dev, u32 index, const void *vq)
{
	struct vl_found *found = vl_found_get(vl_device_apply);

	if (!found)
		return NULL;

	found->kind = kind;
	found->dev = dev;
	found->index = index;
	found->vq = vq;
	return found;
}

/*
 * The calling process gives a virtqueue an eventfd, or with -1 takes it away.
 */
void vl_found_vhost(u8 kind, const void *dev, u32 index, const void *vq, enum vl_role role, int fd)
{
	struct file *file = fd < 0 ? NULL : eventfd_fget(fd);
	struct vl_found *found;

	if (IS_ERR(file))
		return;

	found = found_vhost(kind, dev, index, vq);
	if (!found) {
		if (file)
			fput(file);
		return;
	}
	found->role = role;
	found->file = file;
	found->end = !file;
	vl_found_post(found);
}

void vl_found_vhost_size(u8 kind, const void *dev, u32 index, const void *vq, u32 num)
{
	struct vl_found *found = found_vhost(kind, dev, index, vq);

	if (!found)
		return;
	found->num = num;
	vl_found_post(found);
}

bool vl_found_vhost_told(const void *vq)
{
	return READ_ONCE(told[hash_ptr(vq, TOLD_BITS)]) == vq;
}

/*
 * A virtqueue that was set up unseen is at work.
 *
 * @kick: Held by the caller; NULL for none.
 * @call: Held by the caller; NULL for none.
 */
void vl_found_vhost_ctx(u8 kind, const void *dev, u32 index, const void *vq, struct file *kick,
			struct eventfd_ctx *call, u32 num)
{
	struct vl_found *found;

	if (call && !vl_ctx_get(call)) {
		if (kick)
			vl_ctx_seen(kick);
		return;
	}

	if (call) {
		found = found_vhost(kind, dev, index, vq);
		if (!found) {
			eventfd_ctx_put(call);
			return;
		}
		found->role = VL_ROLE_CALL;
		found->ctx = call;
		vl_found_post(found);
	}

	found = found_vhost(kind, dev, index, vq);
	if (!found)
		return;
	found->num = num;
	found->role = VL_ROLE_KICK;
	if (kick)
		found->file = get_file(kick);
	vl_found_post(found);
	WRITE_ONCE(told[hash_ptr(vq, TOLD_BITS)], vq);
}

void vl_found_vhost_gone(const void *dev)
{
	struct vl_found *found = vl_found_get(apply_gone);

	if (!found)
		return;
	found->dev = dev;
	vl_found_post(found);
}

static void apply_closed(struct vl_found *found)
{
	struct vl_eventfd *eventfd = vl_lookup_eventfd(found->dev);

	if (!eventfd || eventfd->serial != found->serial)
		return;

	vl_vm_closed(eventfd->ctx);
	if (eventfd->vring->found)
		take_away(eventfd);
}

/* Its last file is closed: nobody reads it any more. Under the eventfd's lock. */
void vl_found_closed(const struct vl_eventfd *eventfd)
{
	struct vl_found *found;

	if (!eventfd->vring->found && !READ_ONCE(eventfd->fact))
		return;

	found = vl_found_get(apply_closed);
	if (!found)
		return;
	found->dev = eventfd->ctx;
	found->serial = eventfd->serial;
	vl_found_post(found);
}
