// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "tracer.h"

#define TRACING "/sys/kernel/tracing"
#define GROUP "vringlab_bench"

/*
 * One function for each hop, at the place where the module sees it. __apic_accept_irq
 * and the svm functions are those that contain KVM's own tracepoints of that hop. An
 * instruction-counting VM is emulated and therefore an AMD.
 */
static const struct {
	const char *name;
	const char *function;
} probes[] = {
	{ "kick", "eventfd_signal_mask" }, /* by KVM */
	{ "write", "eventfd_write" }, /* a kick or a call */
	{ "wake", "eventfd_read" }, /* the kick is taken */
	{ "inject", "kvm:__apic_accept_irq" }, /* the interrupt is pending */
	{ "entry", "kvm_amd:svm_vcpu_run" }, /* and is taken */
	{ "exit", "kvm_amd:svm_handle_exit" }, /* whatever for */
};

static void write_file(const char *path, int flags, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void write_file(const char *path, int flags, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int fd, len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		die_errno(errno, "cannot open %s", path);
	if (write(fd, text, (size_t)len) != len)
		die_errno(errno, "cannot write '%s' to %s", text, path);
	close(fd);
}

static void mount_tracefs(void)
{
	struct stat st;

	if (!stat(TRACING "/kprobe_events", &st))
		return;
	if (mount("tracefs", TRACING, "tracefs", 0, NULL))
		die_errno(errno, "cannot mount tracefs");
}

void kprobes_attach(void)
{
	mount_tracefs();
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		write_file(TRACING "/kprobe_events", O_APPEND, "p:" GROUP "/%s %s", probes[i].name,
			   probes[i].function);
	write_file(TRACING "/events/" GROUP "/enable", 0, "1");
}

/* Each line of kprobe_profile: event, hits, missed. */
static uint64_t probe_hits(const char *name)
{
	FILE *f = fopen(TRACING "/kprobe_profile", "r");
	char event[128];
	unsigned long long hits, missed;
	uint64_t found = 0;

	if (!f)
		die_errno(errno, "cannot open " TRACING "/kprobe_profile");
	while (fscanf(f, "%127s %llu %llu", event, &hits, &missed) == 3)
		if (!strcmp(event, name))
			found = hits;
	fclose(f);
	return found;
}

void kprobes_detach(uint64_t min_hits)
{
	uint64_t hits;

	write_file(TRACING "/events/" GROUP "/enable", 0, "0");
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		hits = probe_hits(probes[i].name);
		if (hits < min_hits)
			die("the kprobe on %s saw %llu of at least %llu hits", probes[i].function,
			    (unsigned long long)hits, (unsigned long long)min_hits);
		write_file(TRACING "/kprobe_events", O_APPEND, "-:" GROUP "/%s", probes[i].name);
	}
}

void module_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die_errno(errno, "cannot open %s", path);
	if (syscall(SYS_finit_module, fd, "", 0))
		die_errno(errno, "cannot load %s", path);
	close(fd);
}

void module_unload(void)
{
	if (syscall(SYS_delete_module, "vringlab", O_NONBLOCK))
		die_errno(errno, "cannot unload vringlab");
}
