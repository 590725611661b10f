// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel itself: what it is, what it lets be loaded and hooked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include <linux/magic.h>

#include <vringlab/err.h>

#include "doctor.h"

#define SECURITYFS "/sys/kernel/security"
#define LOCKDOWN SECURITYFS "/lockdown"
#define SIG_ENFORCE "/sys/module/module/parameters/sig_enforce"
#define FTRACE "/proc/sys/kernel/ftrace_enabled"
#define KPROBES "/sys/kernel/debug/kprobes/enabled"
/* The EFI global variable: 4 bytes of attributes, then the value. */
#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static void look_at_release(struct doctor *d)
{
	struct doctor_finding *f;
	unsigned int major = 0, minor = 0;
	struct utsname name;
	bool old;

	uname(&name);
	old = sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	      (major < 6 || (major == 6 && minor < 1));
	f = doctor_add(d, old ? DOCTOR_MISSING : DOCTOR_OK, "kernel", "release", "%s",
		       name.release);
	f->needed = true;
	doctor_advise(f, "vringlab.ko does not build for it", "use Linux 6.1 or newer");

	f = doctor_add(d, strcmp(name.machine, "x86_64") ? DOCTOR_MISSING : DOCTOR_OK, "kernel",
		       "architecture", "%s", name.machine);
	f->needed = true;
	doctor_advise(f, "vringlab.ko is for x86-64 only", NULL);
}

/* What is in brackets: "none [integrity] confidentiality". */
static int lockdown_mode(char *mode, size_t size)
{
	char line[128], *from, *to;
	int ret = doctor_read_line(LOCKDOWN, line, sizeof(line));

	if (ret)
		return ret;
	from = strchr(line, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return -EPROTO;
	*to = 0;
	snprintf(mode, size, "%s", from + 1);
	return 0;
}

static void look_at_lockdown(struct doctor *d)
{
	char mode[128];
	int ret = lockdown_mode(mode, sizeof(mode));
	struct doctor_finding *f;
	struct statfs fs;

	/* Without securityfs a kernel that is locked down has no such file either. */
	if (ret == -ENOENT && !statfs(SECURITYFS, &fs) && fs.f_type == SECURITYFS_MAGIC) {
		f = doctor_add(d, DOCTOR_OK, "kernel", "lockdown", "none seen: no " LOCKDOWN);
		return;
	}
	if (ret) {
		f = doctor_add(d, DOCTOR_UNKNOWN, "kernel", "lockdown", LOCKDOWN ": %s",
			       vl_strerror(ret));
		doctor_advise(f, "it may be that only signed modules load",
			      "mount -t securityfs none " SECURITYFS);
		return;
	}
	f = doctor_add(d, strcmp(mode, "none") ? DOCTOR_LIMITED : DOCTOR_OK, "kernel", "lockdown",
		       "%s", mode);
	doctor_advise(
		f,
		strcmp(mode, "integrity") ?
			"only signed modules load, and trace events cannot be read" :
			"only signed modules load",
		"sign the module and enroll the key, or boot with lockdown=none or without Secure Boot");
}

static void look_at_secure_boot(struct doctor *d)
{
	unsigned char value[5] = { 0 };
	struct doctor_finding *f;
	FILE *file = fopen(SECURE_BOOT, "re");
	int code = file ? 0 : -errno;

	if (file) {
		if (fread(value, 1, sizeof(value), file) != sizeof(value))
			code = -EIO;
		fclose(file);
	}
	if (code && code != -ENOENT)
		f = doctor_add(d, DOCTOR_UNKNOWN, "kernel", "secure-boot", "%s", vl_strerror(code));
	else
		f = doctor_add(d, value[4] ? DOCTOR_LIMITED : DOCTOR_OK, "kernel", "secure-boot",
			       "%s",
			       value[4] ? "on" :
			       code	? "none" :
					  "off");
	doctor_advise(f, "distributions' kernels lock themselves down under it",
		      "sign the module and enroll the key: mokutil --import");
}

const char *doctor_must_be_signed(void)
{
	char mode[128], enforce[8];

	if (!doctor_read_line(SIG_ENFORCE, enforce, sizeof(enforce)) && enforce[0] == 'Y')
		return "the kernel enforces signatures of modules";
	if (!lockdown_mode(mode, sizeof(mode)) && strcmp(mode, "none"))
		return "the kernel is locked down";
	return NULL;
}

static void look_at_ftrace(struct doctor *d)
{
	struct doctor_finding *f;
	char value[16];
	int ret = doctor_read_line(FTRACE, value, sizeof(value));

	if (ret) {
		f = doctor_add(d, ret == -ENOENT ? DOCTOR_MISSING : DOCTOR_UNKNOWN, "kernel",
			       "ftrace_enabled", "no sysctl kernel.ftrace_enabled: %s",
			       vl_strerror(ret));
		f->needed = ret == -ENOENT;
		doctor_advise(f, "no function can be hooked, no vring registered",
			      "use a kernel with CONFIG_FUNCTION_TRACER");
		return;
	}
	f = doctor_add(d, atoi(value) ? DOCTOR_OK : DOCTOR_MISSING, "kernel", "ftrace_enabled",
		       "%s", value);
	f->needed = true;
	doctor_advise(f, "no function can be hooked, no vring registered",
		      "sysctl kernel.ftrace_enabled=1");
}

static const char costs_of_no_kprobes[] =
	"while they are off, vrings are found by their first hit only, or not at all";

/* Off, they can be registered all the same, and never say anything. */
static void look_at_kprobes(struct doctor *d)
{
	struct doctor_finding *f;
	char value[16];
	int ret = doctor_read_line(KPROBES, value, sizeof(value));

	if (ret) {
		f = doctor_add(d, DOCTOR_UNKNOWN, "kernel", "kprobes", KPROBES ": %s",
			       vl_strerror(ret));
		doctor_advise(f, costs_of_no_kprobes,
			      ret == -EACCES ? "run it as root" :
					       "mount -t debugfs none /sys/kernel/debug");
		return;
	}
	f = doctor_add(d, atoi(value) ? DOCTOR_OK : DOCTOR_LIMITED, "kernel", "kprobes", "%s",
		       value);
	doctor_advise(f, costs_of_no_kprobes, "echo 1 >" KPROBES);
}

void doctor_look_at_kernel(struct doctor *d)
{
	look_at_release(d);
	look_at_lockdown(d);
	look_at_secure_boot(d);
	look_at_ftrace(d);
	look_at_kprobes(d);
}
