// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab drive: exercise a vhost-user back-end without a guest.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "command.h"
#include "drive.h"

#define NUM_DEFAULT 256u
#define SIZE_DEFAULT 4096u
#define SIZE_MAX_BYTES (4u << 20)
#define TIMEOUT_DEFAULT_MS 10000u
#define TIME_MAX_NS 86400000000000ull

static const struct drive_kind *const kinds[] = { &drive_loopback, &drive_blk };

static const char *const rw_names[] = {
	[DRIVE_RANDREAD] = "randread", [DRIVE_RANDWRITE] = "randwrite", [DRIVE_RANDRW] = "randrw",
	[DRIVE_READ] = "read",	       [DRIVE_WRITE] = "write",
};

static void usage(FILE *f)
{
	fputs("usage: vringlab drive DEVICE --socket PATH [OPTION]...\n\n"
	      "Is the driver of a vhost-user back-end's virtqueue, without a guest: makes\n"
	      "requests, checks what comes back, and tells how long it took. SIGINT and SIGTERM\n"
	      "end it early, when what is under way has come back.\n\n"
	      "devices:\n"
	      "  loopback         sends bytes, which come back\n"
	      "  blk              reads and writes blocks; writes destroy what is there\n\n"
	      "requests:\n"
	      "  --count N        so many (default: as many as --time has room for)\n"
	      "  --time T         for so long, such as 500ms or 10s (default 1s, or --count)\n"
	      "  --depth N        under way at a time (default 1)\n"
	      "  --size BYTES     of each (default 4096)\n"
	      "  --rate N         a second (default: no limit)\n"
	      "  --verify         look at contents\n"
	      "  --rw WHAT        blk: randread, randwrite, randrw, read or write\n"
	      "                   (default randread)\n"
	      "  --span BYTES     blk: use the first BYTES of the disk only\n\n"
	      "virtqueue:\n"
	      "  --num N          queue size (default 256)\n"
	      "  --queue N        index of the virtqueue (default 0)\n"
	      "  --packed --indirect --event-idx --in-order\n"
	      "                   virtio features that are used; the back-end must offer them\n"
	      "  --poll           look for answers instead of sleeping until the call\n\n"
	      "connection:\n"
	      "  --socket PATH    of the back-end\n"
	      "  --reconnect      when the back-end is lost, go on with the next one there:\n"
	      "                   what was in flight is its to complete\n"
	      "  --no-reply-ack   do without acknowledgements\n"
	      "  --timeout T      for each reply, each request, each reconnection (default 10s)\n\n"
	      "  --json           report as JSON\n"
	      "  --help           show this\n\n"
	      "exit codes: 0 ok, 1 failure, 2 usage, 4 no io_uring, or no such feature\n",
	      f);
}

static uint64_t features_of(const struct drive_options *opt)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1;

	features |= (uint64_t)opt->packed << VIRTIO_F_RING_PACKED;
	features |= (uint64_t)opt->indirect << VIRTIO_RING_F_INDIRECT_DESC;
	features |= (uint64_t)opt->event_idx << VIRTIO_RING_F_EVENT_IDX;
	features |= (uint64_t)opt->in_order << VIRTIO_F_IN_ORDER;
	return features;
}

static int exit_code(int ret)
{
	return ret == -EPERM || ret == -ENOSYS || ret == -ENOTSUP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

/* With --reconnect: again with the next back-end, if this one is lost meanwhile. */
static int persist(struct drive *d, int (*step)(struct drive *d, struct vl_err *err),
		   struct vl_err *err)
{
	int ret = step(d, err);

	while (ret && drive_may_retry(d, ret)) {
		ret = drive_reconnect(d, err);
		if (ret)
			return ret;
		ret = step(d, err);
	}
	return ret;
}

static int drive_all(struct drive *d, struct vl_err *err)
{
	const struct drive_kind *kind = d->opt->kind;
	int ret = drive_connect(d, err);

	if (!ret && kind->open)
		ret = persist(d, kind->open, err);
	if (!ret)
		ret = drive_load(d, err);
	if (!ret)
		ret = persist(d, drive_stop, err);
	return ret;
}

static void on_signal(int signal_nr)
{
	(void)signal_nr;
	drive_finish();
}

/* The first one ends it well, with a report. The second one ends it. */
static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int run(const struct drive_options *opt)
{
	struct drive *d = calloc(1, sizeof(*d));
	struct vl_err err;
	int ret;

	if (!d) {
		vl_err_set(&err, -ENOMEM, "out of memory");
		return fail(&err, EXIT_FAILED);
	}
	d->opt = opt;
	d->features = features_of(opt);
	catch_signals();
	ret = drive_ring_create(d, &err);
	if (!ret)
		ret = drive_all(d, &err);
	if (!ret)
		drive_report(d);
	if (opt->kind->close)
		opt->kind->close(d);
	vu_frontend_destroy(d->fe);
	drive_ring_destroy(d);
	free(d);
	return ret ? fail(&err, exit_code(ret)) : EXIT_OK;
}

enum {
	OPT_COUNT = 256,
	OPT_DEPTH,
	OPT_EVENT_IDX,
	OPT_HELP,
	OPT_IN_ORDER,
	OPT_INDIRECT,
	OPT_JSON,
	OPT_NO_REPLY_ACK,
	OPT_NUM,
	OPT_PACKED,
	OPT_POLL,
	OPT_QUEUE,
	OPT_RATE,
	OPT_RECONNECT,
	OPT_RW,
	OPT_SIZE,
	OPT_SOCKET,
	OPT_SPAN,
	OPT_TIME,
	OPT_TIMEOUT,
	OPT_VERIFY,
};

static const struct option longs[] = {
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "event-idx", no_argument, NULL, OPT_EVENT_IDX },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "in-order", no_argument, NULL, OPT_IN_ORDER },
	{ "indirect", no_argument, NULL, OPT_INDIRECT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "no-reply-ack", no_argument, NULL, OPT_NO_REPLY_ACK },
	{ "num", required_argument, NULL, OPT_NUM },
	{ "packed", no_argument, NULL, OPT_PACKED },
	{ "poll", no_argument, NULL, OPT_POLL },
	{ "queue", required_argument, NULL, OPT_QUEUE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "reconnect", no_argument, NULL, OPT_RECONNECT },
	{ "rw", required_argument, NULL, OPT_RW },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "span", required_argument, NULL, OPT_SPAN },
	{ "time", required_argument, NULL, OPT_TIME },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ NULL, 0, NULL, 0 },
};

static void take_flag(struct drive_options *opt, int option)
{
	switch (option) {
	case OPT_EVENT_IDX:
		opt->event_idx = true;
		break;
	case OPT_IN_ORDER:
		opt->in_order = true;
		break;
	case OPT_INDIRECT:
		opt->indirect = true;
		break;
	case OPT_JSON:
		opt->json = true;
		break;
	case OPT_NO_REPLY_ACK:
		opt->no_reply_ack = true;
		break;
	case OPT_PACKED:
		opt->packed = true;
		break;
	case OPT_POLL:
		opt->poll = true;
		break;
	case OPT_RECONNECT:
		opt->reconnect = true;
		break;
	case OPT_VERIFY:
		opt->verify = true;
		break;
	}
}

static int parse_rw(const char *arg, enum drive_rw *rw)
{
	for (unsigned int i = 0; i < sizeof(rw_names) / sizeof(rw_names[0]); i++) {
		if (strcmp(arg, rw_names[i]))
			continue;
		*rw = i;
		return 0;
	}
	return -EINVAL;
}

/* Returns what the argument should have been, or NULL if it is that. */
static const char *take_value(struct drive_options *opt, int option, const char *arg)
{
	uint64_t ns;

	switch (option) {
	case OPT_COUNT:
		return vl_parse_u64(arg, 1, UINT64_MAX, &opt->count) ? "at least 1" : NULL;
	case OPT_DEPTH:
		return vl_parse_u64(arg, 1, VRING_NUM_MAX, &opt->depth) ? "1 to 32768" : NULL;
	case OPT_NUM:
		return vl_parse_u64(arg, 1, VRING_NUM_MAX, &opt->num) ? "1 to 32768" : NULL;
	case OPT_QUEUE:
		return vl_parse_u64(arg, 0, VU_FD_INDEX_MASK, &opt->queue) ? "0 to 255" : NULL;
	case OPT_RATE:
		return vl_parse_u64(arg, 1, 1000000000, &opt->rate) ? "1 to 10^9" : NULL;
	case OPT_RW:
		return parse_rw(arg, &opt->rw) ? "randread, randwrite, randrw, read or write" :
						 NULL;
	case OPT_SIZE:
		return vl_parse_size(arg, 1, SIZE_MAX_BYTES, &opt->size) ? "1 to 4M" : NULL;
	case OPT_SPAN:
		return vl_parse_size(arg, 512, 1ull << 50, &opt->span) ? "at least 512" : NULL;
	case OPT_TIME:
		return vl_parse_duration_ns(arg, 1000000, TIME_MAX_NS, &opt->time_ns) ?
			       "1ms to 86400s" :
			       NULL;
	case OPT_TIMEOUT:
		if (vl_parse_duration_ns(arg, 1000000, TIME_MAX_NS, &ns))
			return "1ms to 86400s";
		opt->timeout_ms = ns / 1000000;
		return NULL;
	default:
		opt->socket = arg;
		return NULL;
	}
}

static int take_option(struct drive_options *opt, const struct option *option, const char *arg)
{
	const char *should;

	if (!option->has_arg) {
		take_flag(opt, option->val);
		return 0;
	}
	should = take_value(opt, option->val, arg);
	if (should)
		return usage_error("drive", "--%s is %s, not '%s'", option->name, should, arg);
	return 0;
}

/* What does not go together. */
static int check_options(struct drive_options *opt)
{
	uint64_t each = opt->indirect ? 1 : opt->kind->nr_bufs;

	if (!opt->socket)
		return usage_error("drive", "--socket PATH is missing");
	if (!opt->packed && opt->num & (opt->num - 1))
		return usage_error("drive", "--num of a split ring is a power of 2");
	if (opt->depth * each > opt->num)
		return usage_error("drive", "--depth %llu needs a --num of at least %llu",
				   (unsigned long long)opt->depth,
				   (unsigned long long)(opt->depth * each));
	if (opt->kind == &drive_blk && opt->size % 512)
		return usage_error("drive", "--size of blk is a multiple of 512");
	if (!opt->count && !opt->time_ns)
		opt->time_ns = 1000000000;
	return 0;
}

static int take_device(struct drive_options *opt, int argc, char **argv)
{
	if (optind == argc)
		return usage_error("drive", "which device? There are loopback and blk");
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[optind], kinds[i]->name))
			opt->kind = kinds[i];
	if (!opt->kind)
		return usage_error("drive", "no device '%s', only loopback and blk", argv[optind]);
	if (optind + 1 != argc)
		return usage_error("drive", "'%s' is one argument too many", argv[optind + 1]);
	return 0;
}

int cmd_drive(int argc, char **argv)
{
	struct drive_options opt = {
		.num = NUM_DEFAULT,
		.depth = 1,
		.size = SIZE_DEFAULT,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
	};
	int option, which, ret;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, &which)) != -1) {
		if (option == 'h' || option == OPT_HELP) {
			usage(stdout);
			return EXIT_OK;
		}
		if (option == ':')
			return usage_error("drive", "'%s' needs a value", argv[optind - 1]);
		if (option == '?')
			return usage_error("drive", "no option '%s'", argv[optind - 1]);
		ret = take_option(&opt, &longs[which], optarg);
		if (ret)
			return ret;
	}
	ret = take_device(&opt, argc, argv);
	if (!ret)
		ret = check_options(&opt);
	return ret ? ret : run(&opt);
}
