// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>
#include <vringlab/parse.h>

#include "command.h"
#include "output.h"

static void usage(FILE *f)
{
	fputs("usage: vringlab threshold add --span NAME --longer-than DURATION [OPTION]...\n"
	      "       vringlab threshold del ID\n"
	      "       vringlab threshold list [--ns] [--json]\n\n"
	      "Has the module act when a span is longer than it should be. Each hit is\n"
	      "counted. 'add' prints the id of the new threshold, which stays until it is\n"
	      "deleted, or its vring is.\n\n"
	      "  --span NAME       which span; 'vringlab hist --help' has their names\n"
	      "  --longer-than DURATION\n"
	      "                    what is longer is a hit; in ns, us, ms or s\n"
	      "  --vring ID        only of this vring; default: all, also those to come\n"
	      "  --action NAME     also do this, may be given several times:\n"
	      "                    trace         write the event vringlab:threshold\n"
	      "                    notify        send a message to who listens\n"
	      "                    stop-tracing  stop the trace buffer\n"
	      "                    snapshot      keep the trace buffer in 'snapshot'\n"
	      "  --once            only the first hit is one\n"
	      "  --ns              times in plain nanoseconds\n"
	      "  --json            as JSON, times in nanoseconds\n"
	      "  --help            this text\n\n"
	      "exit codes: 0 ok; 1 failure; 2 usage; 4 vringlab.ko is not loaded\n",
	      f);
}

enum { OPT_SPAN = 256, OPT_LONGER, OPT_VRING, OPT_ACTION, OPT_ONCE, OPT_NS, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
	{ "span", required_argument, NULL, OPT_SPAN },
	{ "longer-than", required_argument, NULL, OPT_LONGER },
	{ "vring", required_argument, NULL, OPT_VRING },
	{ "action", required_argument, NULL, OPT_ACTION },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "ns", no_argument, NULL, OPT_NS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says; @threshold is for add. */
struct request {
	struct vlnl_threshold threshold;
	struct output_options output;
	bool has_span;
	bool has_ns;
	bool help;
};

static int parse_action(const char *name, uint32_t *actions)
{
	for (uint32_t action = 1; action <= VRINGLAB_THRESHOLD_ACTION_SNAPSHOT; action <<= 1) {
		if (strcmp(vlnl_threshold_action_name(action), name))
			continue;
		*actions |= action;
		return EXIT_OK;
	}
	return usage_error("threshold", "no action is called '%s'", name);
}

static int parse_span(const char *name, struct request *r)
{
	int span = vlnl_span_by_name(name);

	if (span < 0)
		return usage_error("threshold", "no span is called '%s'", name);
	r->threshold.span = span;
	r->has_span = true;
	return EXIT_OK;
}

static int parse_option(int opt, char **argv, struct request *r)
{
	struct vlnl_threshold *t = &r->threshold;
	uint64_t id;

	switch (opt) {
	case OPT_SPAN:
		return parse_span(optarg, r);
	case OPT_LONGER:
		if (vl_parse_duration_ns(optarg, 0, INT64_MAX - 1, &t->ns))
			return usage_error("threshold", "'%s' is no duration, as 500us is", optarg);
		r->has_ns = true;
		return EXIT_OK;
	case OPT_VRING:
		if (vl_parse_u64(optarg, 1, UINT32_MAX, &id))
			return usage_error("threshold", "'%s' is no id of a vring", optarg);
		t->vring_id = id;
		return EXIT_OK;
	case OPT_ACTION:
		return parse_action(optarg, &t->actions);
	case OPT_ONCE:
		t->once = true;
		return EXIT_OK;
	case OPT_NS:
		r->output.ns = true;
		return EXIT_OK;
	case OPT_JSON:
		r->output.json = true;
		return EXIT_OK;
	case OPT_HELP:
	case 'h':
		r->help = true;
		return EXIT_OK;
	default:
		return option_error("threshold", opt, argv);
	}
}

static int add(struct vlnl *nl, struct request *r, struct vl_err *err)
{
	int ret = vlnl_threshold_add(nl, &r->threshold, err);

	if (!ret)
		printf("%" PRIu32 "\n", r->threshold.id);
	return ret;
}

static int list(struct vlnl *nl, const struct request *r, struct vl_err *err)
{
	struct vlnl_threshold *thresholds;
	int ret = vlnl_threshold_dump(nl, &thresholds, err);

	if (ret < 0)
		return ret;
	ret = output_thresholds(stdout, thresholds, ret, &r->output, err);
	free(thresholds);
	return ret;
}

static int run(const char *verb, struct request *r)
{
	struct vl_err err;
	struct vlnl *nl;
	int ret = vlnl_open(&nl, &err);

	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	if (!strcmp(verb, "add"))
		ret = add(nl, r, &err);
	else if (!strcmp(verb, "del"))
		ret = vlnl_threshold_del(nl, r->threshold.id, &err);
	else
		ret = list(nl, r, &err);
	vlnl_close(nl);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}

/* What is left after the options: the verb, and the id for del. */
static int check(int argc, char **argv, struct request *r)
{
	const char *verb = argv[optind];
	int nr = argc - optind;
	uint64_t id;

	if (!nr)
		return usage_error("threshold", "say add, del or list");
	if (!strcmp(verb, "del")) {
		if (nr != 2 || vl_parse_u64(argv[optind + 1], 1, UINT32_MAX, &id))
			return usage_error("threshold", "del needs the id of one threshold");
		r->threshold.id = id;
		return EXIT_OK;
	}
	if (nr > 1)
		return usage_error("threshold", "unexpected argument '%s'", argv[optind + 1]);
	if (!strcmp(verb, "list"))
		return EXIT_OK;
	if (strcmp(verb, "add"))
		return usage_error("threshold", "'%s' is none of add, del and list", verb);
	if (!r->has_span || !r->has_ns)
		return usage_error("threshold", "add needs --span and --longer-than");
	return EXIT_OK;
}

int cmd_threshold(int argc, char **argv)
{
	struct request r = { .output.span = -1 };
	int opt, ret = EXIT_OK;

	opterr = 0;
	while (ret == EXIT_OK && (opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		ret = parse_option(opt, argv, &r);
	if (ret == EXIT_OK && r.help) {
		usage(stdout);
		return EXIT_OK;
	}
	if (ret == EXIT_OK)
		ret = check(argc, argv, &r);
	return ret == EXIT_OK ? run(argv[optind], &r) : ret;
}
