// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options that the kernel was built with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

static const char tracing[] = "no function can be hooked";
static const char rebuild[] = "use a kernel that is built with it";
static const char no_btf[] =
	"what vhost and KVM set up before discovery is not found, nor exits by reason";

/*
 * Needed is what the module cannot do without; where it is loaded all the same, it can.
 */
static const struct option {
	const char *name;
	bool needed;
	const char *costs;
} options[] = {
	{ "MODULES", true, "vringlab.ko cannot be loaded" },
	{ "FUNCTION_TRACER", true, tracing },
	{ "DYNAMIC_FTRACE_WITH_ARGS", true, tracing },
	{ "KPROBES", true, "the functions to hook cannot be found" },
	{ "TRACEPOINTS", true, "hops exit, inject and entry are not seen" },
	{ "EVENTFD", true, "there are no kicks and calls" },
	{ "KVM", false, "no guest: hops exit, inject and entry are not seen" },
	{ "IO_URING", false, "vringlab backend and drive do not run" },
	{ "SECCOMP_FILTER", false, "vringlab vmm runs with --no-sandbox only" },
	{ "TUN", false, "vringlab backend net has no tap" },
	{ "VHOST_NET", false, "no virtio-net served by the kernel" },
	{ "VHOST_VSOCK", false, "no virtio-vsock served by the kernel" },
	{ "VHOST_SCSI", false, "no virtio-scsi served by the kernel" },
	{ "VHOST_VDPA", false, "no vDPA devices" },
	{ "DEBUG_INFO_BTF", false, no_btf },
	{ "DEBUG_INFO_BTF_MODULES", false, no_btf },
};

#define NR_OPTIONS (sizeof(options) / sizeof(options[0]))

/* y, m, or 0 for what is not set. */
static void take_line(const char *line, char values[NR_OPTIONS])
{
	if (strncmp(line, "CONFIG_", 7))
		return;
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		size_t len = strlen(options[i].name);

		if (!strncmp(line + 7, options[i].name, len) && line[7 + len] == '=')
			values[i] = line[8 + len];
	}
}

/* Opens it, also where the kernel has it in itself, packed. */
static FILE *open_config(const struct doctor *d, char *path, size_t size, bool *is_pipe)
{
	static const struct {
		const char *before;
		const char *after;
	} places[] = {
		{ "/boot/config-", "" },
		{ "/usr/lib/modules/", "/config" },
		{ "/lib/modules/", "/config" },
		{ "/lib/modules/", "/build/.config" },
	};
	FILE *f;

	*is_pipe = false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s%s%s", places[i].before, d->release, places[i].after);
		f = fopen(path, "re");
		if (f)
			return f;
	}
	snprintf(path, size, "/proc/config.gz");
	if (access(path, R_OK))
		return NULL;
	*is_pipe = true;
	return popen("exec gzip -dc /proc/config.gz 2>/dev/null", "re");
}

static void judge(struct doctor *d, const struct option *option, char value, bool loaded)
{
	bool is_set = value == 'y' || value == 'm';
	struct doctor_finding *f;

	f = doctor_add(d, is_set ? DOCTOR_OK : DOCTOR_MISSING, "config", option->name, "%s",
		       !is_set	    ? "not set" :
		       value == 'y' ? "y" :
				      "m");
	f->needed = option->needed && !loaded;
	doctor_advise(f, option->costs, rebuild);
}

void doctor_look_at_config(struct doctor *d)
{
	bool loaded = !access("/sys/module/vringlab", F_OK), is_pipe;
	char values[NR_OPTIONS] = { 0 }, path[128], line[512];
	struct doctor_finding *found;
	FILE *f = open_config(d, path, sizeof(path), &is_pipe);
	bool any = false;

	while (f && fgets(line, sizeof(line), f)) {
		any = true;
		take_line(line, values);
	}
	if (f && is_pipe)
		pclose(f);
	else if (f)
		fclose(f);
	found = doctor_add(d, any ? DOCTOR_OK : DOCTOR_UNKNOWN, "config", "file", "%s",
			   any ? path : "none that can be read");
	doctor_advise(found, "it is not known which options the kernel has",
		      "install it as /boot/config-$(uname -r), or modprobe configs");
	for (size_t i = 0; any && i < NR_OPTIONS; i++)
		judge(d, &options[i], values[i], loaded);
}
