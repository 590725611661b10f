// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include <liburing.h>

#include <vringlab/err.h>

#include "doctor.h"

static const char costs[] = "vringlab backend, drive and vmm --socket do not run";

void doctor_look_at_uring(struct doctor *d)
{
	char value[16];
	struct doctor_finding *f;
	struct io_uring ring;
	int ret;

	ret = doctor_read_line("/proc/sys/kernel/io_uring_disabled", value, sizeof(value));
	if (ret && ret != -ENOENT)
		f = doctor_add(d, DOCTOR_UNKNOWN, "io_uring", "allowed", "%s", vl_strerror(ret));
	else
		f = doctor_add(d, ret || !atoi(value) ? DOCTOR_OK : DOCTOR_LIMITED, "io_uring",
			       "allowed", "kernel.io_uring_disabled %s", ret ? "absent" : value);
	doctor_advise(f, "not everybody can use io_uring", "sysctl kernel.io_uring_disabled=0");

	ret = io_uring_queue_init(2, &ring, 0);
	if (!ret)
		io_uring_queue_exit(&ring);
	f = doctor_add(d, ret ? DOCTOR_MISSING : DOCTOR_OK, "io_uring", "ring", "%s",
		       ret ? vl_strerror(ret) : "works");
	doctor_advise(
		f, costs,
		ret == -ENOMEM ?
			"raise the limit of locked memory: ulimit -l" :
		ret == -ENOSYS ?
			"use a kernel with CONFIG_IO_URING" :
			"sysctl kernel.io_uring_disabled=0; in a container, its seccomp profile");
}
