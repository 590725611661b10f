// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include <vringlab/err.h>

#include "command.h"
#include "output.h"
#include "report.h"

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
	      "  --ns              times in plain nanoseconds; default: ns, us, ms or s,\n"
	      "                    with three digits\n"
	      "  --json            all of it as JSON, times in nanoseconds\n"
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
	{ "ns", no_argument, NULL, OPT_NS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int stat_vrings(const char *which, enum report_period period,
		       const struct output_options *options)
{
	struct report report;
	struct vl_err err;
	int ret;

	ret = report_read(&report, which, period, &err);
	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	ret = output_stat(stdout, &report, options, &err);
	report_free(&report);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}

static int stat_vcpus(const struct output_options *options)
{
	struct report_vcpus report;
	struct vl_err err;
	int ret;

	ret = report_vcpus_read(&report, &err);
	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	ret = output_vcpus(stdout, &report, options, &err);
	report_vcpus_free(&report);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}

int cmd_stat(int argc, char **argv)
{
	struct output_options options = { .span = -1 };
	enum report_period period = REPORT_ALL_TIME;
	const char *which = NULL;
	bool vcpus = false;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_VRING:
			which = optarg;
			break;
		case OPT_VCPUS:
			vcpus = true;
			break;
		case OPT_ALL:
			options.all = true;
			break;
		case OPT_SINCE_RESET:
			period = REPORT_SINCE_RESET;
			break;
		case OPT_RESET:
			period = REPORT_RESET;
			break;
		case OPT_NS:
			options.ns = true;
			break;
		case OPT_JSON:
			options.json = true;
			break;
		case OPT_HELP:
		case 'h':
			usage(stdout);
			return EXIT_OK;
		case ':':
			return usage_error("stat", "option '%s' needs a value", argv[optind - 1]);
		default:
			return usage_error("stat", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error("stat", "unexpected argument '%s'", argv[optind]);

	if (vcpus && which)
		return usage_error("stat", "--vring and --vcpus do not go together");
	if (vcpus && period != REPORT_ALL_TIME)
		return usage_error("stat", "vCPUs are never reset: --vcpus stands without it");
	return vcpus ? stat_vcpus(&options) : stat_vrings(which, period, &options);
}
