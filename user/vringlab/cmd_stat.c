// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <time.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "command.h"
#include "output.h"
#include "report.h"
#include "watch.h"

#define INTERVAL_MIN_NS 1000000ull
#define INTERVAL_MAX_NS (24 * 3600 * 1000000000ull)

static void usage(FILE *f)
{
	fputs("usage: vringlab stat [OPTION]...\n\n"
	      "Shows the counters of every traced vring, and how long each hop took:\n"
	      "count, minimum, percentiles and maximum of each span.\n\n"
	      "  --vring ID|LABEL  only this vring; default: all\n"
	      "  --vcpus           instead, the vCPUs that vrings have to do with: entries,\n"
	      "                    exits by reason, halts\n"
	      "  --all             counters that are 0 too; default: only the others\n"
	      "  --since-reset     only what was since the last reset of a vring\n"
	      "  --reset           likewise, and reset; needs CAP_NET_ADMIN\n"
	      "  --interval T      again and again, after each T, as 1s or 500ms, what was since\n"
	      "                    the report before, until SIGINT or SIGTERM; only vrings that\n"
	      "                    did something. With CAP_NET_ADMIN it finds vrings meanwhile\n"
	      "  --count N         so many reports, then end\n"
	      "  --ns              times in plain nanoseconds; default: ns, us, ms or s,\n"
	      "                    with three digits\n"
	      "  --json            all of it as JSON, times in nanoseconds; with --interval each\n"
	      "                    report in a line\n"
	      "  --help            this text\n\n"
	      "exit codes: 0 ok, also without vrings; 1 failure; 2 usage;\n"
	      "            4 vringlab.ko is not loaded\n",
	      f);
}

enum {
	OPT_VRING = 256,
	OPT_VCPUS,
	OPT_ALL,
	OPT_SINCE_RESET,
	OPT_RESET,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_NS,
	OPT_JSON,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "vring", required_argument, NULL, OPT_VRING },
	{ "vcpus", no_argument, NULL, OPT_VCPUS },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "since-reset", no_argument, NULL, OPT_SINCE_RESET },
	{ "reset", no_argument, NULL, OPT_RESET },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "ns", no_argument, NULL, OPT_NS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says; without an interval once, without a count for ever. */
struct request {
	const char *which;
	enum report_period period;
	struct output_options output;
	bool vcpus;
	uint64_t interval_ns;
	uint64_t count;
	bool help;
};

static int stat_once(const struct request *r, struct vl_err *err)
{
	struct report report;
	int ret = report_read(&report, r->which, r->period, err);

	if (ret)
		return ret;
	ret = output_stat(stdout, &report, &r->output, err);
	report_free(&report);
	return ret;
}

static int stat_vcpus_once(const struct request *r, struct vl_err *err)
{
	struct report_vcpus report;
	int ret = report_vcpus_read(&report, err);

	if (ret)
		return ret;
	ret = output_vcpus(stdout, &report, &r->output, err);
	report_vcpus_free(&report);
	return ret;
}

/* Reports are told apart by when they were made. */
static void print_head(const struct request *r, bool first)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	if (r->output.json)
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	printf("%s# %s\n", first ? "" : "\n", text);
}

/* Calls @report after each interval; 0 also after a signal. */
static int repeat(const struct request *r,
		  int (*report)(const struct request *r, void *ctx, struct vl_err *err), void *ctx,
		  struct vl_err *err)
{
	struct watch watch;
	int ret = 0;

	watch_begin(&watch, r->interval_ns);
	for (uint64_t i = 0; !ret && (!r->count || i < r->count) && watch_wait(&watch); i++) {
		print_head(r, !i);
		ret = report(r, ctx, err);
	}
	if (!ret || !watch_is_over())
		return ret;
	/* Interrupted: what could not be printed is no failure, nor tried again at the end. */
	__fpurge(stdout);
	clearerr(stdout);
	return 0;
}

static int report_period(const struct request *r, void *ctx, struct vl_err *err)
{
	(void)ctx;
	return stat_once(r, err);
}

/* @ctx is the report before, and the next one's. */
static int report_since(const struct request *r, void *ctx, struct vl_err *err)
{
	struct report *before = ctx, now, diff;
	int ret = report_read(&now, r->which, REPORT_ALL_TIME, err);

	if (ret)
		return ret;
	ret = report_diff(&diff, &now, before, err);
	if (!ret) {
		ret = output_stat(stdout, &diff, &r->output, err);
		report_free(&diff);
	}
	report_free(before);
	*before = now;
	return ret;
}

static int report_vcpus_since(const struct request *r, void *ctx, struct vl_err *err)
{
	struct report_vcpus *before = ctx, now, diff;
	int ret = report_vcpus_read(&now, err);

	if (ret)
		return ret;
	ret = report_vcpus_diff(&diff, &now, before, err);
	if (!ret) {
		ret = output_vcpus(stdout, &diff, &r->output, err);
		report_vcpus_free(&diff);
	}
	report_vcpus_free(before);
	*before = now;
	return ret;
}

static int repeat_vrings(const struct request *r, struct vl_err *err)
{
	struct report before;
	int ret;

	if (r->period != REPORT_ALL_TIME)
		return repeat(r, report_period, NULL, err);
	ret = report_read(&before, r->which, REPORT_ALL_TIME, err);
	if (ret)
		return ret;
	ret = repeat(r, report_since, &before, err);
	report_free(&before);
	return ret;
}

static int repeat_vcpus(const struct request *r, struct vl_err *err)
{
	struct report_vcpus before;
	int ret = report_vcpus_read(&before, err);

	if (ret)
		return ret;
	ret = repeat(r, report_vcpus_since, &before, err);
	report_vcpus_free(&before);
	return ret;
}

/* Has the module look for vrings until @nl is closed. Who may not sees those there are. */
static int discover(struct vlnl *nl, struct vl_err *err)
{
	struct vlnl_discover d;
	int ret = vlnl_discover_get(nl, &d, err);

	if (ret || d.enabled)
		return ret;
	ret = vlnl_discover_on(nl, false, err);
	return ret == -EPERM ? 0 : ret;
}

static int stat_again(const struct request *r, struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	ret = discover(nl, err);
	if (!ret)
		ret = r->vcpus ? repeat_vcpus(r, err) : repeat_vrings(r, err);
	vlnl_close(nl);
	return ret;
}

/* What it takes to read the reasons of exits. Without, all else is as good. */
static void tell_layout(void)
{
	struct vlnl *nl;

	if (vlnl_open(&nl, NULL))
		return;
	vlnl_layout_tell(nl, NULL);
	vlnl_close(nl);
}

static int run(const struct request *r)
{
	struct vl_err err;
	int ret;

	if (r->vcpus)
		tell_layout();
	if (r->interval_ns)
		ret = stat_again(r, &err);
	else
		ret = r->vcpus ? stat_vcpus_once(r, &err) : stat_once(r, &err);
	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	return EXIT_OK;
}

static int parse_option(int opt, char **argv, struct request *r)
{
	switch (opt) {
	case OPT_VRING:
		r->which = optarg;
		return EXIT_OK;
	case OPT_VCPUS:
		r->vcpus = true;
		return EXIT_OK;
	case OPT_ALL:
		r->output.all = true;
		return EXIT_OK;
	case OPT_SINCE_RESET:
		r->period = REPORT_SINCE_RESET;
		return EXIT_OK;
	case OPT_RESET:
		r->period = REPORT_RESET;
		return EXIT_OK;
	case OPT_INTERVAL:
		if (vl_parse_duration_ns(optarg, INTERVAL_MIN_NS, INTERVAL_MAX_NS, &r->interval_ns))
			return usage_error("stat", "'%s' is no interval of 1ms to 86400s, as 1s is",
					   optarg);
		return EXIT_OK;
	case OPT_COUNT:
		if (vl_parse_u64(optarg, 1, UINT64_MAX, &r->count))
			return usage_error("stat", "'%s' is no count of reports", optarg);
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
		return option_error("stat", opt, argv);
	}
}

static int check(int argc, char **argv, const struct request *r)
{
	if (optind < argc)
		return usage_error("stat", "unexpected argument '%s'", argv[optind]);
	if (r->vcpus && r->which)
		return usage_error("stat", "--vring and --vcpus do not go together");
	if (r->vcpus && r->period != REPORT_ALL_TIME)
		return usage_error("stat", "vCPUs are never reset: --vcpus stands without it");
	if (r->count && !r->interval_ns)
		return usage_error("stat", "--count goes with --interval");
	return EXIT_OK;
}

int cmd_stat(int argc, char **argv)
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
	r.output.lines = r.interval_ns;
	r.output.busy = r.interval_ns && !r.output.all;
	return ret == EXIT_OK ? run(&r) : ret;
}
