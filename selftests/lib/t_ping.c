// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "t_ping.h"

#define MAX_ARGS 32

int t_ping_start(struct t_ping *p, bool trace)
{
	const char *const argv[] = { t_vringlab(), "backend",
				     "loopback",   "--socket",
				     p->socket,	   "--ready-fd",
				     "1",	   trace ? "--trace" : NULL,
				     "ping",	   NULL };
	static const struct t_child none = T_CHILD_NONE;
	char byte;
	int ret;

	/* json-c seeds its hashes at first use, and not safely between threads. */
	json_object_put(json_tokener_parse("{\"seed\":0}"));
	p->backend = none;
	p->vmm = none;
	p->label = "ping.0";
	ret = t_tmpdir_create(p->dir);
	if (ret)
		return ret;
	snprintf(p->socket, sizeof(p->socket), "%s/s", p->dir);
	ret = t_child_start(&p->backend, argv);
	if (!ret)
		ret = t_read_until(p->backend.out, &byte, 1, T_DEADLINE_MS);
	if (ret)
		t_ping_stop(p);
	return ret;
}

void t_ping_stop(struct t_ping *p)
{
	t_child_kill(&p->vmm);
	t_child_kill(&p->backend);
	if (p->dir[0])
		t_tmpdir_remove(p->dir);
	p->dir[0] = 0;
}

int t_ping_vmm_start(struct t_ping *p, const char *args)
{
	const char *argv[MAX_ARGS] = { t_vringlab(), "vmm",	"--guest", "ring-ping",
				       "--socket",   p->socket, "--json" };
	char copy[256], *arg, *rest;
	int n = 7;

	snprintf(copy, sizeof(copy), "%s", args);
	for (arg = strtok_r(copy, " ", &rest); arg && n < MAX_ARGS - 1;
	     arg = strtok_r(NULL, " ", &rest))
		argv[n++] = arg;
	argv[n] = NULL;
	return t_child_start(&p->vmm, argv);
}

/* What is in the pipe, up to @size; the writer has ended. */
static void take_rest(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len < size - 1) {
		got = read(fd, buf + len, size - 1 - len);
		if (got <= 0)
			break;
		len += got;
	}
	buf[len] = 0;
}

static int take_number(struct json_object *o, const char *key, uint64_t *value)
{
	struct json_object *field;

	if (!json_object_object_get_ex(o, key, &field) ||
	    !json_object_is_type(field, json_type_int))
		return -EBADMSG;
	*value = json_object_get_uint64(field);
	return 0;
}

static int take_report(struct json_object *o, struct t_ping_guest *g)
{
	const struct {
		const char *key;
		uint64_t *value;
	} numbers[] = {
		{ "iterations", &g->iterations },
		{ "kicks", &g->kicks },
		{ "kicks-suppressed", &g->kicks_suppressed },
		{ "interrupts", &g->interrupts },
		{ "interrupts-spurious", &g->interrupts_spurious },
		{ "round-trips", &g->round_trips },
		{ "buffers", &g->buffers },
		{ "mismatches", &g->mismatches },
		{ "errors", &g->errors },
	};
	struct json_object *ok;
	size_t i;
	int ret;

	if (!json_object_object_get_ex(o, "ok", &ok))
		return -EBADMSG;
	g->ok = json_object_get_boolean(ok);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		ret = take_number(o, numbers[i].key, numbers[i].value);
		if (ret)
			return ret;
	}
	return 0;
}

int t_ping_vmm_wait(struct t_ping *p, struct t_ping_guest *g, int timeout_ms)
{
	struct json_object *o;
	char text[8192];
	int ret;

	memset(g, 0, sizeof(*g));
	g->code = t_child_wait(&p->vmm, timeout_ms);
	if (g->code == -ETIMEDOUT) {
		t_child_kill(&p->vmm);
		return -ETIMEDOUT;
	}
	/* A report is shorter than a pipe: nothing has waited for us to read. */
	take_rest(p->vmm.out, text, sizeof(text));
	take_rest(p->vmm.err, g->err, sizeof(g->err));
	t_child_kill(&p->vmm);
	o = json_tokener_parse(text);
	if (!o) {
		snprintf(g->err, sizeof(g->err), "no JSON: %.400s", text);
		return -EBADMSG;
	}
	ret = take_report(o, g);
	json_object_put(o);
	if (ret)
		snprintf(g->err, sizeof(g->err), "not the report that was expected: %.400s", text);
	return ret;
}
