// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab backend: serve a device to vhost-user front-ends, one after another.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>
#include <vringlab/nl.h>
#include <vringlab/parse.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_msg.h>

#include "command.h"
#include "listener.h"
#include "loopback.h"

/* The label of a vring is LABEL.INDEX, and an index has up to three digits. */
#define LABEL_MAX (VRINGLAB_LABEL_LEN - 1 - 4)

/* Before accept is tried again after it failed: fds may have run out. */
#define ACCEPT_RETRY_NS 1000000000ull

struct options {
	const char *socket;
	const char *trace;
	uint64_t queues;
	int ready_fd;
	bool once;
	bool verbose;
};

/**
 * struct server - The running command
 * @opt:	What was asked for.
 * @loop:	Its loop.
 * @be:		The back-end.
 * @device:	Its device.
 * @listener:	Where front-ends connect.
 * @accept:	Accept, or the wait before the next one; NULL while a front-end is
 *		served.
 * @iov:	For the device.
 * @told:	This connection had its one message.
 * @nl:		Module, with --trace.
 * @ids:	Registration of each vring there.
 * @registered:	Which of @ids are valid.
 * @result:	Exit code.
 */
struct server {
	const struct options *opt;
	struct loop *loop;
	struct vu_backend *be;
	struct vu_device device;
	struct listener listener;
	struct loop_op *accept;
	struct iovec *iov;
	bool told;
	struct vlnl *nl;
	uint32_t ids[VU_QUEUES_MAX];
	bool registered[VU_QUEUES_MAX];
	int result;
};

static void usage(FILE *f)
{
	fputs("usage: vringlab backend loopback --socket PATH [OPTION]...\n\n"
	      "Serves virtqueues to a vhost-user front-end, one front-end at a time, until\n"
	      "SIGINT or SIGTERM.\n\n"
	      "devices:\n"
	      "  loopback         copies what a chain has to read to where it can be written\n\n"
	      "options:\n"
	      "  --socket PATH    listen here\n"
	      "  --queues N       virtqueues of the device, 1 to 256 (default 1)\n"
	      "  --trace LABEL    register each virtqueue with vringlab.ko as LABEL.INDEX when\n"
	      "                   it is enabled; its counters can be read until this command\n"
	      "                   ends or the same virtqueue is enabled again\n"
	      "  --once           end when the first front-end has left\n"
	      "  --ready-fd FD    write one byte to FD and close it when listening\n"
	      "  --verbose        print each connection\n"
	      "  --help           show this\n\n"
	      "exit codes: 0 ok, 1 failure, 2 usage, 4 --trace without vringlab.ko\n",
	      f);
}

static void verbose(const struct server *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void verbose(const struct server *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->opt->verbose)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* One message for each connection: what comes after the first is its consequence. */
static void complain(struct server *s, const char *what)
{
	if (!s->told)
		fprintf(stderr, "vringlab: front-end on %s: %s\n", s->opt->socket, what);
	s->told = true;
}

static int process(void *ctx, unsigned int index, struct vring_dev *vq)
{
	struct server *s = ctx;

	(void)index;
	return loopback_process(vq, s->iov);
}

/*
 * The registration outlives the connection: who reads the counters does so when
 * the guest has ended.
 */
static int vring_ready(void *ctx, const struct vu_vring_info *info, struct vl_err *err)
{
	struct server *s = ctx;
	char label[VRINGLAB_LABEL_LEN];
	const struct vlnl_vring_add add = {
		.label = label,
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = info->kick_fd,
		.call_fd = info->call_fd,
		.wake_user_data = info->wake_user_data,
		.has_wake_user_data = true,
	};
	int ret;

	snprintf(label, sizeof(label), "%s.%u", s->opt->trace, info->index % VU_QUEUES_MAX);
	if (s->registered[info->index]) {
		ret = vlnl_vring_del(s->nl, s->ids[info->index], err);
		/* somebody else may have deleted it */
		if (ret && ret != -ENOENT)
			return ret;
		s->registered[info->index] = false;
	}
	ret = vlnl_vring_add(s->nl, &add, &s->ids[info->index], err);
	if (ret)
		return ret;
	s->registered[info->index] = true;
	verbose(s, "vring %u is traced as %s", info->index, label);
	return 0;
}

static void vring_error(void *ctx, unsigned int index, int code)
{
	struct vl_err err;

	vl_err_set(&err, code, "vring %u is stopped: its contents are bad: %s", index,
		   vl_strerror(code));
	complain(ctx, err.msg);
}

static void refused(void *ctx, const struct vl_err *err)
{
	complain(ctx, err->msg);
}

static void accept_next(void *ctx, int res);

static void on_accepted(void *ctx, int res)
{
	struct server *s = ctx;
	int ret = res;

	if (res >= 0) {
		s->told = false;
		ret = vu_backend_attach(s->be, res);
		if (!ret) {
			verbose(s, "a front-end is connected");
			return;
		}
		close(res);
	}
	fprintf(stderr, "vringlab: cannot accept on %s: %s\n", s->opt->socket, vl_strerror(ret));
	if (loop_timer(s->loop, ACCEPT_RETRY_NS, accept_next, s, &s->accept))
		loop_stop(s->loop);
}

static void accept_next(void *ctx, int res)
{
	struct server *s = ctx;

	if (!res)
		res = loop_accept(s->loop, s->listener.fd, on_accepted, s, &s->accept);
	if (!res)
		return;
	fprintf(stderr, "vringlab: cannot accept on %s: %s\n", s->opt->socket, vl_strerror(res));
	s->result = EXIT_FAILED;
	loop_stop(s->loop);
}

static void closed(void *ctx, const struct vl_err *err)
{
	struct server *s = ctx;

	if (err->code != -ECONNRESET)
		complain(s, err->msg);
	verbose(s, "the front-end is gone");
	if (!s->opt->once) {
		accept_next(s, 0);
		return;
	}
	s->result = s->told ? EXIT_FAILED : EXIT_OK;
	loop_stop(s->loop);
}

static void on_signal(void *ctx, int signal_nr)
{
	struct server *s = ctx;

	verbose(s, "ending for signal %d (%s)", signal_nr, strsignal(signal_nr));
	loop_stop(s->loop);
}

static int catch_signals(struct server *s, struct vl_err *err)
{
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* a reader of ours that ends must not end us with the socket left behind */
	signal(SIGPIPE, SIG_IGN);
	ret = loop_signals(s->loop, &set, on_signal, s);
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

/* All that can fail before the first front-end comes. */
static int set_up(struct server *s, struct vl_err *err)
{
	int ret;

	s->iov = calloc(VRING_NUM_MAX, sizeof(*s->iov));
	if (!s->iov)
		return vl_err_set(err, -ENOMEM, "out of memory");
	ret = catch_signals(s, err);
	if (ret)
		return ret;
	ret = vu_backend_create(&s->be, s->loop, &s->device, s);
	if (ret)
		return vl_err_set(err, ret, "cannot make a back-end: %s", vl_strerror(ret));
	ret = listener_open(&s->listener, s->opt->socket, err);
	if (ret)
		return ret;
	ret = tell_ready(s->opt->ready_fd, err);
	if (ret)
		return ret;
	verbose(s, "listening on %s", s->opt->socket);
	return 0;
}

/*
 * Whether vrings can be registered is said before a front-end depends on it: id 0
 * names none, so deleting it fails for no other reason.
 */
static int open_trace(struct vlnl **nl, struct vl_err *err)
{
	int ret = vlnl_open(nl, err);

	if (ret)
		return ret;
	if (vlnl_vring_del(*nl, 0, NULL) != -EPERM)
		return 0;
	vlnl_close(*nl);
	*nl = NULL;
	return vl_err_set(err, -EPERM,
			  "--trace needs CAP_NET_ADMIN: run as root, or use setcap(8)");
}

/* What this machine lacks is no failure of the back-end's. */
static int exit_code(int ret)
{
	return ret == -ENOENT || ret == -EPERM || ret == -ENOSYS ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

static int run(const struct options *opt)
{
	struct server s = {
		.opt = opt,
		.device = {
			.features = vu_feature(VIRTIO_F_VERSION_1),
			.num_queues = opt->queues,
			.process = process,
			.vring_ready = opt->trace ? vring_ready : NULL,
			.vring_error = vring_error,
			.refused = refused,
			.closed = closed,
		},
		.listener.fd = -1,
	};
	struct vl_err err;
	int ret;

	if (opt->trace) {
		ret = open_trace(&s.nl, &err);
		if (ret)
			return fail(&err, exit_code(ret));
	}
	ret = loop_create(&s.loop, &err);
	if (ret) {
		vlnl_close(s.nl);
		return fail(&err, exit_code(ret));
	}
	ret = set_up(&s, &err);
	if (!ret) {
		accept_next(&s, 0);
		ret = loop_run(s.loop);
		vl_err_set(&err, ret, "the event loop failed: %s", vl_strerror(ret));
	}
	loop_op_remove(&s.accept);
	listener_close(&s.listener);
	vu_backend_destroy(s.be);
	loop_destroy(s.loop);
	vlnl_close(s.nl);
	free(s.iov);
	return ret ? fail(&err, EXIT_FAILED) : s.result;
}

static bool label_ok(const char *label)
{
	size_t len = strlen(label);

	if (!len || len > LABEL_MAX)
		return false;
	for (const char *c = label; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

enum { OPT_SOCKET = 256, OPT_QUEUES, OPT_TRACE, OPT_ONCE, OPT_READY_FD, OPT_VERBOSE };

/* Returns 0, or the exit code of a usage error. */
static int take_option(struct options *opt, int option, const char *arg)
{
	uint64_t fd;

	switch (option) {
	case OPT_SOCKET:
		opt->socket = arg;
		return 0;
	case OPT_QUEUES:
		if (vl_parse_u64(arg, 1, VU_QUEUES_MAX, &opt->queues))
			return usage_error("backend", "--queues is 1 to %u, not '%s'",
					   VU_QUEUES_MAX, arg);
		return 0;
	case OPT_TRACE:
		if (!label_ok(arg))
			return usage_error(
				"backend",
				"--trace is 1 to %d printable characters without space, not '%s'",
				LABEL_MAX, arg);
		opt->trace = arg;
		return 0;
	case OPT_READY_FD:
		if (vl_parse_u64(arg, 0, INT32_MAX, &fd))
			return usage_error("backend", "--ready-fd is a number, not '%s'", arg);
		opt->ready_fd = fd;
		return 0;
	case OPT_ONCE:
		opt->once = true;
		return 0;
	case OPT_VERBOSE:
		opt->verbose = true;
		return 0;
	}
	return EXIT_USAGE;
}

int cmd_backend(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "queues", required_argument, NULL, OPT_QUEUES },
		{ "ready-fd", required_argument, NULL, OPT_READY_FD },
		{ "socket", required_argument, NULL, OPT_SOCKET },
		{ "trace", required_argument, NULL, OPT_TRACE },
		{ "verbose", no_argument, NULL, OPT_VERBOSE },
		{ NULL, 0, NULL, 0 },
	};
	struct options opt = { .queues = 1, .ready_fd = -1 };
	int option, ret;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return EXIT_OK;
		}
		if (option == ':')
			return usage_error("backend", "'%s' needs a value", argv[optind - 1]);
		if (option == '?')
			return usage_error("backend", "no option '%s'", argv[optind - 1]);
		ret = take_option(&opt, option, optarg);
		if (ret)
			return ret;
	}
	if (optind == argc)
		return usage_error("backend", "which device? There is 'loopback'");
	if (strcmp(argv[optind], "loopback"))
		return usage_error("backend", "no device '%s', only 'loopback'", argv[optind]);
	if (optind + 1 != argc)
		return usage_error("backend", "'%s' is one argument too many", argv[optind + 1]);
	if (!opt.socket)
		return usage_error("backend", "--socket PATH is missing");
	return run(&opt);
}
