// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this user may do, and the files of the kernel that tell more.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/magic.h>

#include <vringlab/err.h>

#include "doctor.h"

#define TRACEFS "/sys/kernel/tracing"

static int read_capabilities(uint64_t *caps)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int ret = -ENODATA;

	if (!f)
		return -errno;
	while (ret && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, caps) == 1)
			ret = 0;
	fclose(f);
	return ret;
}

/* The whole range of ids is mapped in the initial user namespace only. */
static bool is_initial_user_ns(void)
{
	unsigned int inside, outside, count;
	char line[128];

	return !doctor_read_line("/proc/self/uid_map", line, sizeof(line)) &&
	       sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && !inside && !outside &&
	       count == UINT32_MAX;
}

static void look_at_net_admin(struct doctor *d)
{
	struct doctor_finding *f;
	uint64_t caps;
	int ret = read_capabilities(&caps);
	bool has;

	if (ret) {
		f = doctor_add(d, DOCTOR_UNKNOWN, "permission", "net_admin",
			       "/proc/self/status: %s", vl_strerror(ret));
	} else {
		has = caps & UINT64_C(1) << CAP_NET_ADMIN;
		f = doctor_add(d, has && is_initial_user_ns() ? DOCTOR_OK : DOCTOR_LIMITED,
			       "permission", "net_admin", "%s",
			       !has		     ? "no CAP_NET_ADMIN" :
			       !is_initial_user_ns() ? "CAP_NET_ADMIN, but of a user namespace" :
						       "CAP_NET_ADMIN");
	}
	doctor_advise(f, "counters can be read, but no vring registered or found",
		      "run it as root");
}

static void look_at_tracefs(struct doctor *d)
{
	struct doctor_finding *f;
	struct statfs fs;
	bool mounted;

	mounted = !statfs(TRACEFS, &fs) && fs.f_type == TRACEFS_MAGIC;
	f = doctor_add(d, mounted ? DOCTOR_OK : DOCTOR_LIMITED, "tracefs", "mounted", "%s",
		       mounted ? TRACEFS : "not at " TRACEFS);
	doctor_advise(f, "trace events cannot be switched on", "mount -t tracefs none " TRACEFS);
	if (!mounted)
		return;
	mounted = !access(TRACEFS "/events", R_OK | X_OK);
	f = doctor_add(d, mounted ? DOCTOR_OK : DOCTOR_LIMITED, "tracefs", "readable", "%s",
		       mounted ? TRACEFS "/events" : vl_strerror(errno));
	doctor_advise(f, "trace events cannot be switched on", "run it as root");
}

static void look_at_btf(struct doctor *d, const char *name, const char *no_file)
{
	struct doctor_finding *f;
	char path[96];
	int code;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
	code = access(path, R_OK) ? errno : 0;
	f = doctor_add(d, code ? DOCTOR_LIMITED : DOCTOR_OK, "btf", name, "%s%s%s", path,
		       code ? ": " : "", code ? vl_strerror(code) : "");
	doctor_advise(
		f, "what vhost and KVM set up before discovery is not found, nor exits by reason",
		code == ENOENT ? no_file : "run it as root");
}

/* What is built in is described by vmlinux's. */
static bool is_module(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

void doctor_look_at_access(struct doctor *d)
{
	static const char *const modules[] = { "kvm", "kvm_amd", "kvm_intel", "vhost" };

	look_at_net_admin(d);
	look_at_tracefs(d);
	look_at_btf(d, "vmlinux", "use a kernel with CONFIG_DEBUG_INFO_BTF");
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (is_module(modules[i]))
			look_at_btf(d, modules[i],
				    "use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES");
}
