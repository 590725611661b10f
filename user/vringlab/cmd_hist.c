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
	fputs("usage: vringlab hist [OPTION]...\n\n"
	      "Shows how the durations of each span are distributed, as bars.\n\n"
	      "  --vring ID|LABEL  only this vring; default: all\n"
	      "  --span NAME       only this span; default: all. One of:\n                   ",
	      f);
	for (unsigned int s = 0; s < VLNL_NR_SPANS; s++)
		fprintf(f, "%s%s", s == 4 ? "\n                    " : " ", vlnl_span_name(s));
	fputs("\n"
	      "  --since-reset     only what was since the last reset of a vring\n"
	      "  --reset           likewise, and reset; needs CAP_NET_ADMIN\n"
	      "  --ns              times in plain nanoseconds; default: ns, us, ms or s,\n"
	      "                    with three digits\n"
	      "  --json            every bucket as JSON, times in nanoseconds\n"
	      "  --help            this text\n\n"
	      "exit codes: 0 ok, also without vrings; 1 failure; 2 usage;\n"
	      "            4 vringlab.ko is not loaded\n",
	      f);
}

enum { OPT_VRING = 256, OPT_SPAN, OPT_SINCE_RESET, OPT_RESET, OPT_NS, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
	{ "vring", required_argument, NULL, OPT_VRING },
	{ "span", required_argument, NULL, OPT_SPAN },
	{ "since-reset", no_argument, NULL, OPT_SINCE_RESET },
	{ "reset", no_argument, NULL, OPT_RESET },
	{ "ns", no_argument, NULL, OPT_NS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

int cmd_hist(int argc, char **argv)
{
	struct output_options options = { .span = -1 };
	enum report_period period = REPORT_ALL_TIME;
	const char *which = NULL;
	struct report report;
	struct vl_err err;
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_VRING:
			which = optarg;
			break;
		case OPT_SPAN:
			options.span = vlnl_span_by_name(optarg);
			if (options.span < 0)
				return usage_error("hist", "no span is called '%s'", optarg);
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
		default:
			return option_error("hist", opt, argv);
		}
	}
	if (optind < argc)
		return usage_error("hist", "unexpected argument '%s'", argv[optind]);

	ret = report_read(&report, which, period, &err);
	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	ret = output_hist(stdout, &report, &options, &err);
	report_free(&report);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}
