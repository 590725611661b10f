// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_kmod.h"
#include "t_trace.h"

static FILE *open_file(const struct t_trace *t, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	return fopen(path, "re");
}

int t_trace_put_in(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int t_trace_put(const struct t_trace *t, const char *file, const char *text)
{
	return t_trace_put_in(t->dir, file, text);
}

int t_trace_open(struct t_trace *t, const char *name, const char *size_kb)
{
	const char *tracefs = t_tracefs();
	int ret;

	t->dir[0] = 0;
	t->instance = name;
	if (!tracefs)
		return -ENOENT;
	if (name)
		snprintf(t->dir, sizeof(t->dir), "%s/instances/%s", tracefs, name);
	else
		snprintf(t->dir, sizeof(t->dir), "%s", tracefs);
	if (name) {
		rmdir(t->dir);
		if (mkdir(t->dir, 0700))
			return -errno;
	}
	ret = t_trace_put(t, "events/vringlab/enable", "0");
	/* The one clock that is the same on all CPUs, and that of the stamps. */
	if (!ret && name)
		ret = t_trace_put(t, "trace_clock", "mono");
	if (!ret)
		ret = t_trace_put(t, "buffer_size_kb", size_kb);
	if (!ret)
		ret = t_trace_put(t, "trace", "");
	if (!ret)
		ret = t_trace_put(t, "tracing_on", "1");
	return ret;
}

int t_trace_close(struct t_trace *t)
{
	int ret;

	if (!t->dir[0])
		return 0;
	ret = t_trace_put(t, "events/vringlab/enable", "0");
	if (!t->instance)
		ret = t_trace_put(t, "tracing_on", "1");
	else if (rmdir(t->dir))
		ret = -errno;
	t->dir[0] = 0;
	return ret;
}

long t_trace_get_number(const struct t_trace *t, const char *file)
{
	FILE *f = open_file(t, file);
	long number = -EBADMSG;

	if (!f)
		return -errno;
	if (fscanf(f, "%ld", &number) != 1)
		number = -EBADMSG;
	fclose(f);
	return number;
}

static long lost_on(const struct t_trace *t, long cpu)
{
	static const char *const losses[] = { "overrun: ", "commit overrun: ", "dropped events: " };
	char file[64], line[256];
	long lost = 0;
	size_t i;
	FILE *f;

	snprintf(file, sizeof(file), "per_cpu/cpu%ld/stats", cpu);
	f = open_file(t, file);
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
			if (!strncmp(line, losses[i], strlen(losses[i])))
				lost += atol(line + strlen(losses[i]));
	fclose(f);
	return lost;
}

long t_trace_lost(const struct t_trace *t)
{
	long cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN), lost = 0;

	for (cpu = 0; cpu < cpus; cpu++) {
		long here = lost_on(t, cpu);

		if (here < 0)
			return here;
		lost += here;
	}
	return lost;
}

/* Lines are "TASK-PID [CPU] FLAGS TIME: EVENT: FIELDS"; a time has no ": " in it. */
static char *split(char *line)
{
	char *fields = strstr(line, ": "), *event;

	if (line[0] == '#' || !fields)
		return NULL;
	event = fields + 2;
	fields = strstr(event, ": ");
	if (!fields)
		return NULL;
	*fields = 0;
	return event;
}

long t_trace_read(const struct t_trace *t, const char *file, uint32_t vring, t_trace_fn fn,
		  void *data)
{
	FILE *f = open_file(t, file);
	char line[1024], *event;
	int64_t value;
	long nr = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		event = split(line);
		if (!event)
			continue;
		/* The colon became a zero, the space after it stands ahead of the first field. */
		if (!t_trace_field(event + strlen(event) + 1, "vring", &value) || value != vring)
			continue;
		nr++;
		fn(event, event + strlen(event) + 1, data);
	}
	fclose(f);
	return nr;
}

bool t_trace_field(const char *fields, const char *name, int64_t *value)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(fields, key);
	if (!at)
		return false;
	*value = strtoll(at + strlen(key), NULL, 10);
	return true;
}
