// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "command.h"
#include "output.h"

static void usage(FILE *f)
{
	fputs("usage: vringlab monitor [--json]\n\n"
	      "Shows the vrings that are there, and then each one as it comes and goes, and each\n"
	      "hit of a threshold with the action notify, until it is interrupted or the module\n"
	      "is unloaded.\n\n"
	      "  --json  one object a line\n"
	      "  --help  this text\n\n"
	      "exit codes: 1 failure; 2 usage;\n"
	      "            4 vringlab.ko is not loaded, or not any more\n",
	      f);
}

enum { OPT_JSON = 256, OPT_HELP };

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/*
 * @vrings are those that have been shown and are not gone: what is heard of is told
 * from what the dump had already, and after a loss from what is there now.
 */
struct monitor {
	bool json;
	struct vlnl_vring *vrings;
	size_t nr;
	size_t room;
};

static void print_json(const char *event, const struct vlnl_vring *v, const struct vlnl_hit *hit)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "event", json_object_new_string(event));
	if (v)
		json_object_object_add(o, "vring", output_vring_json(v));
	if (hit)
		json_object_object_add(o, "hit", output_hit_json(hit));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

static void print_text(const char *event, const struct vlnl_vring *v, const struct vlnl_hit *hit)
{
	char buf[OUTPUT_TIME_SIZE];

	printf("%-8s", event);
	if (v)
		printf(" %8" PRIu32 " %8" PRIu32 " %-10s %s", v->id, v->pid,
		       vlnl_backend_name(v->backend), v->label);
	else if (hit)
		printf(" %8" PRIu32 " %8s %-10s %s", hit->vring_id, "-", "-", "-");
	if (hit)
		printf(" %s %s threshold %" PRIu32, vlnl_span_name(hit->span),
		       output_time(buf, hit->ns, false), hit->threshold_id);
	putchar('\n');
}

/* @v and @hit are those that the event has. */
static int print(const struct monitor *m, const char *event, const struct vlnl_vring *v,
		 const struct vlnl_hit *hit, struct vl_err *err)
{
	if (m->json)
		print_json(event, v, hit);
	else
		print_text(event, v, hit);
	/* Who reads it is to know now. */
	if (fflush(stdout))
		return vl_err_set(err, -EIO, "cannot write to standard output: %s",
				  vl_strerror(errno));
	return 0;
}

static size_t find(const struct monitor *m, uint32_t id)
{
	size_t i;

	for (i = 0; i < m->nr && m->vrings[i].id != id; i++)
		;
	return i;
}

static int added(struct monitor *m, const char *event, const struct vlnl_vring *v,
		 struct vl_err *err)
{
	if (find(m, v->id) < m->nr)
		return 0;
	if (m->nr == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		struct vlnl_vring *vrings = reallocarray(m->vrings, room, sizeof(*vrings));

		if (!vrings)
			return vl_err_set(err, -ENOMEM, "no memory for %zu vrings", room);
		m->vrings = vrings;
		m->room = room;
	}
	m->vrings[m->nr++] = *v;
	return print(m, event, v, NULL, err);
}

static int deleted(struct monitor *m, uint32_t id, struct vl_err *err)
{
	const size_t i = find(m, id);
	struct vlnl_vring v;

	if (i == m->nr)
		return 0;
	v = m->vrings[i];
	m->vrings[i] = m->vrings[--m->nr];
	return print(m, "deleted", &v, NULL, err);
}

static int hit(struct monitor *m, const struct vlnl_hit *h, struct vl_err *err)
{
	const size_t i = find(m, h->vring_id);

	return print(m, "hit", i < m->nr ? &m->vrings[i] : NULL, h, err);
}

/* @now holds all that is there, without order. */
static int delete_others(struct monitor *m, const struct vlnl_vring *now, size_t nr_now,
			 struct vl_err *err)
{
	const struct monitor there = { .vrings = (struct vlnl_vring *)now, .nr = nr_now };
	int ret = 0;

	for (size_t i = m->nr; i-- > 0 && !ret;)
		if (find(&there, m->vrings[i].id) == nr_now)
			ret = deleted(m, m->vrings[i].id, err);
	return ret;
}

/* Shows what differs from what has been shown. */
static int catch_up(struct monitor *m, const char *event, struct vl_err *err)
{
	struct vlnl_vring *now = NULL;
	struct vlnl *nl;
	int nr, ret;

	ret = vlnl_open(&nl, err);
	if (ret)
		return ret;
	nr = vlnl_vring_dump(nl, &now, err);
	vlnl_close(nl);
	if (nr < 0)
		return nr;
	ret = delete_others(m, now, nr, err);
	for (int i = 0; i < nr && !ret; i++)
		ret = added(m, event, &now[i], err);
	free(now);
	return ret;
}

static int follow(struct monitor *m, struct vlnl *nl, struct vl_err *err)
{
	struct vlnl_event event;
	int ret = catch_up(m, "present", err);

	while (!ret) {
		ret = vlnl_event_next(nl, &event, err);
		if (ret)
			break;
		switch (event.type) {
		case VLNL_EVENT_ADDED:
			ret = added(m, "added", &event.vring, err);
			break;
		case VLNL_EVENT_DELETED:
			ret = deleted(m, event.vring.id, err);
			break;
		case VLNL_EVENT_HIT:
			ret = hit(m, &event.hit, err);
			break;
		case VLNL_EVENT_LOST:
			ret = print(m, "lost", NULL, NULL, err);
			if (!ret)
				ret = catch_up(m, "added", err);
			break;
		case VLNL_EVENT_GONE:
			return vl_err_set(err, -ENOENT, "the module vringlab was unloaded");
		}
	}
	return ret;
}

static int monitor(struct monitor *m, struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	ret = vlnl_listen(nl, err);
	if (!ret && !m->json) {
		printf("# %-6s %8s %8s %-10s %s\n", "event", "id", "pid", "back-end", "label");
		fflush(stdout);
	}
	if (!ret)
		ret = follow(m, nl, err);
	vlnl_close(nl);
	free(m->vrings);
	return ret;
}

int cmd_monitor(int argc, char **argv)
{
	struct monitor m = { 0 };
	struct vl_err err;
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			m.json = true;
			break;
		case OPT_HELP:
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			return option_error("monitor", opt, argv);
		}
	}
	if (optind < argc)
		return usage_error("monitor", "unexpected argument '%s'", argv[optind]);

	ret = monitor(&m, &err);
	return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
}
