// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "command.h"
#include "output.h"

static void usage(FILE *f)
{
	fputs("usage: vringlab discover on|off|status [OPTION]...\n\n"
	      "Lets vringlab.ko find the vrings of vhost, vhost-user and KVM by itself,\n"
	      "or stop that and forget those it has found; 'stat' shows them.\n\n"
	      "  --json  status as JSON\n"
	      "  --help  this text\n\n"
	      "exit codes: 0 ok; 1 failure; 2 usage; 4 vringlab.ko is not loaded\n",
	      f);
}

static int print_json(const struct vlnl_discover *d)
{
	struct json_object *o = output_discover_json(d);

	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
								 JSON_C_TO_STRING_SPACED));
	json_object_put(o);
	return 0;
}

static int status(struct vlnl *nl, bool json, struct vl_err *err)
{
	struct vlnl_discover d;
	int ret = vlnl_discover_get(nl, &d, err);

	if (ret)
		return ret;
	if (json)
		return print_json(&d);

	printf("%s%s\n", d.enabled ? "on" : "off",
	       d.enabled && !d.persist ? ", while a program wants it" : "");
	if (d.lost)
		printf("# lost: %" PRIu64 "\n", d.lost);
	return 0;
}

static int run(const char *what, bool json, struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	if (!strcmp(what, "on"))
		ret = vlnl_discover_on(nl, true, err);
	else if (!strcmp(what, "off"))
		ret = vlnl_discover_off(nl, err);
	else
		ret = status(nl, json, err);
	vlnl_close(nl);
	return ret;
}

int cmd_discover(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	struct vl_err err;
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			return option_error("discover", opt, argv);
		}
	}
	if (optind + 1 != argc)
		return usage_error("discover", "one of on, off and status is needed");
	if (strcmp(argv[optind], "on") && strcmp(argv[optind], "off") &&
	    strcmp(argv[optind], "status"))
		return usage_error("discover", "not on, off or status: '%s'", argv[optind]);
	if (json && strcmp(argv[optind], "status"))
		return usage_error("discover", "--json is for status");

	ret = run(argv[optind], json, &err);
	if (ret)
		return fail(&err, ret == -ENOENT ? EXIT_UNSUPPORTED : EXIT_FAILED);
	return EXIT_OK;
}
