/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-scsi with a target that is memory of the kernel's.
 */
#ifndef VRINGLAB_SELFTESTS_T_SCSI_H
#define VRINGLAB_SELFTESTS_T_SCSI_H

#include "t_vhost.h"

#define T_SCSI_CONTROL 0u
/* The first of the request queues, behind those for control and events. */
#define T_SCSI_REQUEST 2u

/**
 * t_scsi_make() - Load what is needed and make the target
 *
 * Return: 0, %-ENODEV if the kernel has no vhost_scsi, or another negative errno.
 */
int t_scsi_make(void);

/** t_scsi_remove() - Remove it; its devices have been closed. */
void t_scsi_remove(void);

/** t_scsi_endpoint() - Give a device the target. Returns 0 or a negative errno. */
int t_scsi_endpoint(const struct t_vhost *v);

/**
 * t_scsi_stage() - Make a command available, TEST UNIT READY, without a kick
 * @v:		Device.
 * @queue:	T_SCSI_REQUEST or one behind it.
 *
 * Return: as t_vhost_add().
 */
int t_scsi_stage(struct t_vhost *v, unsigned int queue);

/** t_scsi_response() - What the command before the next one was answered with. */
uint8_t t_scsi_response(const struct t_vhost *v, unsigned int queue);

#endif /* VRINGLAB_SELFTESTS_T_SCSI_H */
