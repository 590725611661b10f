// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab backend: serve devices to vhost-user front-ends.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_spin.h>
#include <vringlab/nl.h>
#include <vringlab/parse.h>

#include "command.h"
#include "json_add.h"
#include "server.h"
#include "trace.h"

#define DEVICES_MAX 64u
#define DEVICES "loopback, null, blk, net, rng and console"

/* Of --poll-us: longer is no bounded time any more, but a CPU of its own. */
#define POLL_US_MAX 1000000u

#define MODE_DEFAULT 0600

struct options {
	struct device_options devices[DEVICES_MAX];
	unsigned int nr_devices;
	uint32_t poll_us;
	int ready_fd;
	bool once;
	bool verbose;
	bool json;
};

/**
 * struct command - The running command
 * @opt:	What was asked for.
 * @loop:	Its loop.
 * @nl:		Module, with --trace.
 * @servers:	One for each device.
 * @nr_open:	Of @servers.
 * @nr_done:	Of @servers: have served all they were to.
 * @result:	Exit code.
 */
struct command {
	const struct options *opt;
	struct loop *loop;
	struct vlnl *nl;
	struct server *servers;
	unsigned int nr_open;
	unsigned int nr_done;
	int result;
};

static void usage(FILE *f)
{
	const struct device_kind *kind;

	fputs("usage: vringlab backend [OPTION]... DEVICE --socket PATH [DEVICE OPTION]...\n"
	      "                        [DEVICE --socket PATH [DEVICE OPTION]...]...\n\n"
	      "Serves virtqueues to vhost-user front-ends until SIGINT or SIGTERM: each device\n"
	      "on its socket, to one front-end at a time. SIGUSR1 prints statistics.\n\n"
	      "devices:\n",
	      f);
	for (unsigned int i = 0; (kind = device_kind_at(i)); i++)
		if (kind->create)
			fprintf(f, "  %-16s %s\n", kind->name, kind->help);
	fputs("\noptions of a device, after its name:\n"
	      "  --socket PATH    listen here\n"
	      "  --socket-mode M  permissions of the socket, octal (default 600)\n"
	      "  --socket-group G group of the socket, name or number\n"
	      "  --queues N       virtqueues of the device, 1 to 256; pairs of them for net,\n"
	      "                   1 to 128 (default 1)\n"
	      "  --trace LABEL    register each virtqueue with vringlab.ko as LABEL.INDEX when\n"
	      "                   it is enabled; its counters can be read until this command\n"
	      "                   ends or the same virtqueue is enabled again\n",
	      f);
	for (unsigned int i = 0; (kind = device_kind_at(i)); i++)
		if (kind->usage)
			fprintf(f, "\noptions of %s:\n%s", kind->name, kind->usage);
	fputs("\noptions:\n"
	      "  --poll-us N      before sleeping, look for work for N us; 'auto' adapts\n"
	      "                   (default 0)\n"
	      "  --once           end when each device's first front-end has left\n"
	      "  --ready-fd FD    write one byte to FD and close it when listening\n"
	      "  --json           print statistics at the end, as JSON\n"
	      "  --verbose        print each connection to stderr\n"
	      "  --help           show this\n\n"
	      "exit codes: 0 ok, 1 failure, 2 usage, 4 --trace without vringlab.ko, or no\n"
	      "io_uring\n",
	      f);
}

/* --- running -------------------------------------------------------------------- */

static struct json_object *spin_json(const struct command *c)
{
	struct json_object *o = json_object_new_object();
	struct loop_spin_stats stats;

	loop_get_spin_stats(c->loop, &stats);
	json_add_u64(o, "window-ns", stats.window_ns);
	json_add_u64(o, "spins", stats.spins);
	json_add_u64(o, "hits", stats.hits);
	json_add_u64(o, "sleeps", stats.sleeps);
	json_add_u64(o, "idle-ns", stats.idle_ns);
	return o;
}

static void print_stats(const struct command *c)
{
	struct json_object *root = json_object_new_object();
	struct json_object *devices = json_object_new_array();

	for (unsigned int i = 0; i < c->nr_open; i++)
		json_object_array_add(devices, server_json(&c->servers[i]));
	json_object_object_add(root, "devices", devices);
	json_object_object_add(root, "poll", spin_json(c));
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static void on_done(void *ctx, struct server *server)
{
	struct command *c = ctx;

	if (server->failed)
		c->result = EXIT_FAILED;
	if (++c->nr_done == c->opt->nr_devices || !server->once)
		loop_stop(c->loop);
}

static void on_signal(void *ctx, int signal_nr)
{
	struct command *c = ctx;

	if (signal_nr == SIGUSR1) {
		print_stats(c);
		fflush(stdout);
		return;
	}
	if (c->opt->verbose)
		fprintf(stderr, "ending for signal %d (%s)\n", signal_nr, strsignal(signal_nr));
	loop_stop(c->loop);
}

static int catch_signals(struct command *c, struct vl_err *err)
{
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	/* a reader of ours that ends must not end us with the socket left behind */
	signal(SIGPIPE, SIG_IGN);
	ret = loop_signals(c->loop, &set, on_signal, c);
	if (ret)
		return vl_err_set(err, ret, "cannot wait for signals: %s", vl_strerror(ret));
	return 0;
}

static int tell_ready(int fd, struct vl_err *err)
{
	ssize_t ret;

	if (fd < 0)
		return 0;
	ret = write(fd, "\n", 1);
	if (ret != 1)
		return vl_err_set(err, -errno, "cannot write to fd %d of --ready-fd: %s", fd,
				  vl_strerror(errno));
	close(fd);
	return 0;
}

static int open_servers(struct command *c, struct vl_err *err)
{
	const struct options *opt = c->opt;

	c->servers = calloc(opt->nr_devices, sizeof(c->servers[0]));
	if (!c->servers)
		return vl_err_set(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < opt->nr_devices; i++) {
		struct server *s = &c->servers[i];
		int ret;

		*s = (struct server){
			.opt = &opt->devices[i],
			.loop = c->loop,
			.nl = opt->devices[i].trace ? c->nl : NULL,
			.once = opt->once,
			.verbose = opt->verbose,
			.done = on_done,
			.ctx = c,
		};
		c->nr_open++;
		ret = server_open(s, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* All that can fail before the first front-end comes. */
static int set_up(struct command *c, struct vl_err *err)
{
	int ret = catch_signals(c, err);

	loop_set_spin(c->loop, c->opt->poll_us);
	if (!ret)
		ret = open_servers(c, err);
	if (!ret)
		ret = tell_ready(c->opt->ready_fd, err);
	return ret;
}

/* What this machine lacks is no failure of the back-end's. */
static int exit_code(int ret)
{
	return ret == -ENOENT || ret == -EPERM || ret == -ENOSYS ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

static bool is_traced(const struct options *opt)
{
	for (unsigned int i = 0; i < opt->nr_devices; i++)
		if (opt->devices[i].trace)
			return true;
	return false;
}

static int serve(struct command *c, struct vl_err *err)
{
	int ret = set_up(c, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < c->nr_open; i++)
		server_start(&c->servers[i]);
	ret = loop_run(c->loop);
	if (ret)
		return vl_err_set(err, ret, "the event loop failed: %s", vl_strerror(ret));
	if (c->opt->json)
		print_stats(c);
	return 0;
}

static int run(const struct options *opt)
{
	struct command c = { .opt = opt };
	struct vl_err err;
	int ret;

	if (is_traced(opt)) {
		ret = trace_open(&c.nl, &err);
		if (ret)
			return fail(&err, exit_code(ret));
	}
	ret = loop_create(&c.loop, &err);
	if (ret) {
		vlnl_close(c.nl);
		return fail(&err, exit_code(ret));
	}
	ret = serve(&c, &err);
	for (unsigned int i = 0; i < c.nr_open; i++)
		server_close(&c.servers[i]);
	loop_destroy(c.loop);
	vlnl_close(c.nl);
	free(c.servers);
	return ret ? fail(&err, EXIT_FAILED) : c.result;
}

/* --- command line ----------------------------------------------------------------- */

enum {
	OPT_DEVICE = 1, /* of getopt(3), with "-" */
	/* of the command */
	OPT_HELP = 256,
	OPT_JSON,
	OPT_ONCE,
	OPT_POLL,
	OPT_READY_FD,
	OPT_VERBOSE,
	/* of a device */
	OPT_GROUP,
	OPT_MODE,
	OPT_QUEUES,
	OPT_SOCKET,
	OPT_TRACE,
	/* of a kind of device: see its name */
	OPT_OWN,
};

static const struct option longs[] = {
	{ "address", required_argument, NULL, OPT_OWN },
	{ "block-size", required_argument, NULL, OPT_OWN },
	{ "bridge", required_argument, NULL, OPT_OWN },
	{ "direct", no_argument, NULL, OPT_OWN },
	{ "file", required_argument, NULL, OPT_OWN },
	{ "generate", required_argument, NULL, OPT_OWN },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "input", required_argument, NULL, OPT_OWN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "mac", required_argument, NULL, OPT_OWN },
	{ "mtu", required_argument, NULL, OPT_OWN },
	{ "null", no_argument, NULL, OPT_OWN },
	{ "null-size", required_argument, NULL, OPT_OWN },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "output", required_argument, NULL, OPT_OWN },
	{ "poll-us", required_argument, NULL, OPT_POLL },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ "read-only", no_argument, NULL, OPT_OWN },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "serial", required_argument, NULL, OPT_OWN },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "socket-group", required_argument, NULL, OPT_GROUP },
	{ "socket-mode", required_argument, NULL, OPT_MODE },
	{ "stdio", no_argument, NULL, OPT_OWN },
	{ "tap", required_argument, NULL, OPT_OWN },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ NULL, 0, NULL, 0 },
};

/* What is wrong with an argument; exit code 2. */
static int bad(const char *option, const char *is, const char *arg)
{
	return usage_error("backend", "--%s is %s, not '%s'", option, is, arg);
}

static bool label_ok(const char *label)
{
	size_t len = strlen(label);

	if (!len || len > SERVER_LABEL_MAX)
		return false;
	for (const char *c = label; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

static bool parse_group(const char *arg, gid_t *group)
{
	const struct group *g = getgrnam(arg);
	uint64_t number;

	if (!g && vl_parse_u64(arg, 0, UINT32_MAX - 1, &number))
		return false;
	*group = g ? g->gr_gid : number;
	return true;
}

static bool parse_mode(const char *arg, mode_t *mode)
{
	char *end;
	unsigned long value = strtoul(arg, &end, 8);

	*mode = value;
	return *arg >= '0' && *arg <= '7' && !*end && value <= 0777;
}

/* Takes an option that every device has. Returns 0, or the exit code of a usage error. */
static int take_common(struct device_options *dev, int option, const char *name, const char *arg)
{
	char range[32];

	switch (option) {
	case OPT_SOCKET:
		dev->socket = arg;
		return 0;
	case OPT_MODE:
		return parse_mode(arg, &dev->mode) ? 0 : bad(name, "octal, 0 to 777", arg);
	case OPT_GROUP:
		return parse_group(arg, &dev->group) ? 0 : bad(name, "a group", arg);
	case OPT_QUEUES:
		snprintf(range, sizeof(range), "1 to %" PRIu64, dev->kind->queues_max);
		return vl_parse_u64(arg, 1, dev->kind->queues_max, &dev->queues) ?
			       bad(name, range, arg) :
			       0;
	default:
		if (!label_ok(arg))
			return bad(name, "1 to 27 printable characters without space", arg);
		dev->trace = arg;
		return 0;
	}
}

static int take_device_option(struct options *opt, int option, const char *name, const char *arg)
{
	struct device_options *dev;
	const char *is;

	if (!opt->nr_devices)
		return usage_error("backend", "--%s before the device that it is for", name);
	dev = &opt->devices[opt->nr_devices - 1];
	if (option == OPT_SOCKET || option == OPT_MODE || option == OPT_GROUP ||
	    option == OPT_QUEUES || option == OPT_TRACE)
		return take_common(dev, option, name, arg);
	if (!device_kind_has(dev->kind, name))
		return usage_error("backend", "%s has no option --%s", dev->kind->name, name);
	is = dev->kind->take(dev, name, arg);
	return is ? bad(name, is, arg) : 0;
}

static int take_poll(struct options *opt, const char *arg)
{
	uint64_t us;

	if (!strcmp(arg, "auto")) {
		opt->poll_us = LOOP_SPIN_AUTO;
		return 0;
	}
	if (vl_parse_u64(arg, 0, POLL_US_MAX, &us))
		return bad("poll-us", "0 to 1000000, or auto", arg);
	opt->poll_us = us;
	return 0;
}

static int take_device(struct options *opt, const char *name)
{
	const struct device_kind *kind = device_kind_find(name);

	if (!kind || !kind->create)
		return usage_error("backend", "no device '%s', only " DEVICES, name);
	if (opt->nr_devices == DEVICES_MAX)
		return usage_error("backend", "more than %u devices", DEVICES_MAX);
	opt->devices[opt->nr_devices++] = (struct device_options){
		.kind = kind,
		.mode = MODE_DEFAULT,
		.group = -1,
		.queues = 1,
	};
	return 0;
}

static int take_option(struct options *opt, int option, const char *name, const char *arg)
{
	uint64_t fd;

	switch (option) {
	case OPT_DEVICE:
		return take_device(opt, arg);
	case OPT_POLL:
		return take_poll(opt, arg);
	case OPT_READY_FD:
		if (vl_parse_u64(arg, 0, INT32_MAX, &fd))
			return bad(name, "a number", arg);
		opt->ready_fd = fd;
		return 0;
	case OPT_ONCE:
		opt->once = true;
		return 0;
	case OPT_JSON:
		opt->json = true;
		return 0;
	case OPT_VERBOSE:
		opt->verbose = true;
		return 0;
	default:
		return take_device_option(opt, option, name, arg);
	}
}

static int check_options(const struct options *opt)
{
	if (!opt->nr_devices)
		return usage_error("backend", "which device? There are " DEVICES);
	for (unsigned int i = 0; i < opt->nr_devices; i++) {
		const struct device_options *dev = &opt->devices[i];
		const char *wrong = NULL;

		if (!dev->socket)
			return usage_error("backend", "--socket PATH of %s is missing",
					   dev->kind->name);
		if (dev->kind->check)
			wrong = dev->kind->check(dev);
		if (wrong)
			return usage_error("backend", "%s", wrong);
	}
	return 0;
}

int cmd_backend(int argc, char **argv)
{
	struct options opt = { .ready_fd = -1 };
	int option, which, ret;

	opterr = 0;
	/* "-": in order, for an option belongs to the device before it */
	while ((option = getopt_long(argc, argv, "-:h", longs, &which)) != -1) {
		if (option == 'h' || option == OPT_HELP) {
			usage(stdout);
			return EXIT_OK;
		}
		if (option == ':' || option == '?')
			return option_error("backend", option, argv);
		ret = take_option(&opt, option, option == OPT_DEVICE ? "" : longs[which].name,
				  optarg);
		if (ret)
			return ret;
	}
	ret = check_options(&opt);
	return ret ? ret : run(&opt);
}
