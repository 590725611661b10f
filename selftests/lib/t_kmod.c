// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t.h"
#include "t_kmod.h"

const char *t_kmod_path(void)
{
	const char *path = getenv("VRINGLAB_KO");

	return path && *path ? path : NULL;
}

bool t_kmod_loaded(const char *name)
{
	char path[96];

	/* initstate is there for modules only, not for parameters of built-in code. */
	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

int t_kmod_insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

int t_kmod_rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int t_kmod_modprobe(const char *name)
{
	const char *const argv[] = { "/sbin/modprobe", name, NULL };
	struct t_child child = T_CHILD_NONE;
	int ret;

	ret = t_child_start(&child, argv);
	if (!ret)
		ret = t_child_wait(&child, T_DEADLINE_MS);
	t_child_kill(&child);
	return ret;
}

const char *t_kmod_vendor(void)
{
	const char *vendor = NULL;
	char line[8192];
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !vendor && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		if (strstr(line, " svm"))
			vendor = "kvm_amd";
		else if (strstr(line, " vmx"))
			vendor = "kvm_intel";
	}
	if (f)
		fclose(f);
	return vendor;
}

const char *t_tracefs(void)
{
	static const char path[] = "/sys/kernel/tracing";

	if (access("/sys/kernel/tracing/trace", F_OK) && mount("nodev", path, "tracefs", 0, NULL))
		return NULL;
	return path;
}
