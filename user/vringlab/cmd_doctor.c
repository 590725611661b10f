// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/utsname.h>

#include <vringlab/err.h>

#include "command.h"
#include "doctor.h"

static void usage(FILE *f)
{
	fputs("usage: vringlab doctor [OPTION]...\n\n"
	      "Tells whether virtqueues can be traced on this machine, what is limited or\n"
	      "missing, what that costs, and the cure. Changes nothing, and needs no\n"
	      "privilege: what it may not look at is unknown.\n\n"
	      "  --json   all of it as JSON; default: a table\n"
	      "  --help   this text\n\n"
	      "exit codes: 0 tracing works, maybe with limits; 1 something is missing\n"
	      "            without which nothing can be traced, or failure; 2 usage\n",
	      f);
}

enum { OPT_JSON = 256, OPT_HELP };

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void look(struct doctor *d)
{
	struct utsname name;

	/* It fails for a bad address only. */
	uname(&name);
	snprintf(d->release, sizeof(d->release), "%s", name.release);
	doctor_look_at_kernel(d);
	doctor_look_at_module(d);
	doctor_look_at_hooks(d);
	doctor_look_at_config(d);
	doctor_look_at_access(d);
	doctor_look_at_uring(d);
	doctor_look_at_kvm(d);
	doctor_look_at_vhost(d);
}

static int report(struct doctor *d, bool json)
{
	struct vl_err err;

	if (d->no_memory) {
		vl_err_set(&err, -ENOMEM, "no memory for what was found");
		return fail(&err, EXIT_FAILED);
	}
	if (!json)
		doctor_print_text(stdout, d);
	else if (doctor_print_json(stdout, d, &err))
		return fail(&err, EXIT_FAILED);
	/* With a bad verdict main() would not look. */
	if (fflush(stdout) || ferror(stdout)) {
		vl_err_set(&err, -EIO, "cannot write to standard output");
		return fail(&err, EXIT_FAILED);
	}
	return doctor_verdict(d) == DOCTOR_MISSING ? EXIT_FAILED : EXIT_OK;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = { 0 };
	bool json = false;
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			json = true;
			break;
		case OPT_HELP:
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			return option_error("doctor", opt, argv);
		}
	}
	if (optind < argc)
		return usage_error("doctor", "unexpected argument '%s'", argv[optind]);

	look(&d);
	ret = report(&d, json);
	doctor_free(&d);
	return ret;
}
