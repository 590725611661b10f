/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --device KIND[,KEY[=VALUE]]... of 'vringlab vmm'.
 */
#ifndef VRINGLAB_VMM_DEVICE_H
#define VRINGLAB_VMM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

struct backend_host;
struct virtio_backend;

#define VMM_DEVICE_NAME_SIZE 16

/**
 * struct vmm_device - A device of the guest's
 * @opt:	What it is; @opt.socket is that of a vhost-user back-end, or NULL.
 * @name:	"net0", or as given by id=.
 * @mmio:	virtio-mmio, not PCI.
 * @packed:	Packed virtqueues are offered.
 * @queue_size:	Of virtqueues, 0 for the default.
 * @no_vhost:	net: in the VMM, not in the kernel.
 * @text:	The strings that @opt refers to.
 */
struct vmm_device {
	struct device_options opt;
	char name[VMM_DEVICE_NAME_SIZE];
	bool mmio;
	bool packed;
	uint16_t queue_size;
	bool no_vhost;
	char *text;
};

/**
 * vmm_device_parse() - Read what follows --device
 * @devs:	Array; @devs[@nr] is set on success only.
 * @nr:		Those before it.
 * @text:	What follows. A comma in a value is written twice.
 * @err:	What is wrong with which key, and what it takes.
 *
 * Return: 0, %-EINVAL or %-ENOMEM.
 */
int vmm_device_parse(struct vmm_device *devs, unsigned int nr, const char *text,
		     struct vl_err *err);

/** vmm_device_has_vhost() - Does vhost in the kernel serve it? */
bool vmm_device_has_vhost(const struct vmm_device *dev);

/** vmm_device_free() - Free what vmm_device_parse() has set. */
void vmm_device_free(struct vmm_device *dev);

/**
 * vmm_device_open() - Make the back-end of a device
 * @be:		Set on success only.
 * @host:	Machine.
 * @dev:	Device.
 * @err:	What went wrong.
 *
 * Return: 0 or a negative errno.
 */
int vmm_device_open(struct virtio_backend **be, const struct backend_host *host,
		    const struct vmm_device *dev, struct vl_err *err);

#endif /* VRINGLAB_VMM_DEVICE_H */
