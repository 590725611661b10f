/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vdpa device that is this program's (VDUSE), and that vhost-vdpa serves: its
 * virtqueues' kicks come as an eventfd, its interrupts are sent by ioctl. No ring is
 * read.
 */
#ifndef VRINGLAB_SELFTESTS_T_VDUSE_H
#define VRINGLAB_SELFTESTS_T_VDUSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct t_vduse - A device of one virtqueue
 * @control:	/dev/vduse/control.
 * @fd:		Of the device: what the kernel asks, and what we tell it.
 * @kick:	eventfd that says that its virtqueue was kicked.
 * @vhost:	Path of its /dev/vhost-vdpa-N.
 * @thread:	Answers the kernel.
 * @answering:	@thread runs.
 * @made:	It is on the vdpa bus.
 */
struct t_vduse {
	int control;
	int fd;
	int kick;
	char vhost[32];
	pthread_t thread;
	bool answering;
	bool made;
};

/**
 * t_vduse_open() - Make a device
 * @d:		To be closed also after a failure.
 * @size:	Most entries of its ring.
 *
 * Return: 0, or a negative errno; of it
 * * %-ENOENT - the kernel has no VDUSE
 * * %-ENODEV - vhost-vdpa does not serve it
 */
int t_vduse_open(struct t_vduse *d, unsigned int size);

/** t_vduse_interrupt() - Send the virtqueue's interrupt; 0 or a negative errno. */
int t_vduse_interrupt(struct t_vduse *d);

/** t_vduse_close() - End the device, which nobody has open; allowed twice. */
void t_vduse_close(struct t_vduse *d);

#endif /* VRINGLAB_SELFTESTS_T_VDUSE_H */
