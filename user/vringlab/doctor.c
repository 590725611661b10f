// SPDX-License-Identifier: GPL-2.0-only
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct doctor_finding *doctor_add(struct doctor *d, enum doctor_state state, const char *subject,
				  const char *name, const char *fmt, ...)
{
	struct doctor_finding *f, *all;
	va_list ap;

	all = reallocarray(d->findings, d->nr + 1, sizeof(*all));
	if (all) {
		d->findings = all;
		f = &all[d->nr++];
	} else {
		d->no_memory = true;
		f = &d->spare;
	}
	*f = (struct doctor_finding){ .state = state };
	snprintf(f->check, sizeof(f->check), "%s.%s", subject, name);
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
	return f;
}

void doctor_advise(struct doctor_finding *f, const char *costs, const char *cure)
{
	if (f->state == DOCTOR_OK)
		return;
	f->costs = costs;
	f->cure = cure;
}

enum doctor_state doctor_verdict(const struct doctor *d)
{
	enum doctor_state verdict = DOCTOR_OK;

	for (size_t i = 0; i < d->nr; i++) {
		const struct doctor_finding *f = &d->findings[i];

		if (f->state == DOCTOR_MISSING && f->needed)
			return DOCTOR_MISSING;
		if (f->state != DOCTOR_OK)
			verdict = DOCTOR_LIMITED;
	}
	return verdict;
}

void doctor_free(struct doctor *d)
{
	free(d->findings);
	d->findings = NULL;
}

int doctor_read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	char *got;

	if (!f)
		return -errno;
	errno = 0;
	got = fgets(line, size, f);
	if (!got) {
		int code = errno ? -errno : -ENODATA;

		fclose(f);
		return code;
	}
	fclose(f);
	line[strcspn(line, "\n")] = 0;
	return 0;
}

/* Is it the file of this module, whatever it is packed with? */
static bool is_file_of(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (base[i] != name[i] && !(base[i] == '-' && name[i] == '_'))
			return false;
	return !strncmp(base + len, ".ko", 3) && (!base[len + 3] || base[len + 3] == '.');
}

int doctor_kmod_installed(const struct doctor *d, const char *name, char *path, size_t size)
{
	char index[128], line[4096];
	int found = 0;
	FILE *f;

	snprintf(index, sizeof(index), "/lib/modules/%s/modules.dep", d->release);
	f = fopen(index, "re");
	if (!f)
		return -errno;
	while (!found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, ":\n")] = 0;
		if (!is_file_of(line, name))
			continue;
		found = 1;
		if (path && line[0] == '/')
			snprintf(path, size, "%s", line);
		else if (path)
			snprintf(path, size, "/lib/modules/%s/%s", d->release, line);
	}
	fclose(f);
	return found;
}
