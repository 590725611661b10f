// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <vringlab/parse.h>

#include "command.h"
#include "drive.h"

#define NUM_DEFAULT 256u
#define SIZE_MAX_BYTES (4u << 20)
#define TIME_DEFAULT_NS 1000000000u
#define LOSS_DEFAULT_NS 1000000000u
#define TIMEOUT_DEFAULT_NS 10000000000ull
#define TIME_MIN_NS 1000000u
#define TIME_MAX_NS 86400000000000ull
#define ANY UINT64_MAX

static const struct drive_kind *const kinds[] = { &drive_loopback, &drive_blk, &drive_net };

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char *const rw_names[] = {
	[DRIVE_RANDREAD] = "randread", [DRIVE_RANDWRITE] = "randwrite", [DRIVE_RANDRW] = "randrw",
	[DRIVE_READ] = "read",	       [DRIVE_WRITE] = "write",		NULL,
};

static const char *const mode_names[] = {
	[DRIVE_ECHO] = "echo",
	[DRIVE_TRANSMIT] = "transmit",
	[DRIVE_RECEIVE] = "receive",
	NULL,
};

enum type {
	FLAG,
	NUMBER,
	SIZE,
	TIME,
	TEXT,
	RW,
	MODE,
};

#define FIELD(name) offsetof(struct drive_options, name)

/**
 * struct row - An option
 * @name:	Without its dashes.
 * @type:	Of its value.
 * @field:	Where it goes to.
 * @only:	The only kind that has it, or NULL.
 * @min:	Of a number.
 * @max:	Of a number.
 * @should:	What the value has to be.
 */
static const struct row {
	const char *name;
	enum type type;
	size_t field;
	const struct drive_kind *only;
	uint64_t min;
	uint64_t max;
	const char *should;
} rows[] = {
	{ "buffer", SIZE, FIELD(buffer), &drive_net, 76, 1 << 20, "76 to 1M" },
	{ "count", NUMBER, FIELD(count), NULL, 1, ANY, "at least 1" },
	{ "depth", NUMBER, FIELD(depth), NULL, 1, VRING_NUM_MAX, "1 to 32768" },
	{ "event-idx", FLAG, FIELD(event_idx), NULL, 0, 0, NULL },
	{ "hotplug", NUMBER, FIELD(hotplug), NULL, 1, DRIVE_HOTPLUG_MAX, "1 to 64" },
	{ "in-order", FLAG, FIELD(in_order), NULL, 0, 0, NULL },
	{ "indirect", FLAG, FIELD(indirect), NULL, 0, 0, NULL },
	{ "json", FLAG, FIELD(json), NULL, 0, 0, NULL },
	{ "loss", TIME, FIELD(loss_ns), &drive_net, TIME_MIN_NS, TIME_MAX_NS, "1ms to 86400s" },
	{ "mergeable", FLAG, FIELD(mergeable), &drive_net, 0, 0, NULL },
	{ "mode", MODE, FIELD(mode), &drive_net, 0, 0, "echo, transmit or receive" },
	{ "no-mem-slots", FLAG, FIELD(no_mem_slots), NULL, 0, 0, NULL },
	{ "no-reply-ack", FLAG, FIELD(no_reply_ack), NULL, 0, 0, NULL },
	{ "num", NUMBER, FIELD(num), NULL, 1, VRING_NUM_MAX, "1 to 32768" },
	{ "packed", FLAG, FIELD(packed), NULL, 0, 0, NULL },
	{ "pairs", NUMBER, FIELD(pairs), &drive_net, 1, DRIVE_PAIRS_MAX, "1 to 64" },
	{ "poll", FLAG, FIELD(poll), NULL, 0, 0, NULL },
	{ "queue", NUMBER, FIELD(queue), NULL, 0, VU_FD_INDEX_MASK, "0 to 255" },
	{ "rate", NUMBER, FIELD(rate), NULL, 1, 1000000000, "1 to 10^9" },
	{ "reconnect", FLAG, FIELD(reconnect), NULL, 0, 0, NULL },
	{ "rw", RW, FIELD(rw), &drive_blk, 0, 0, "randread, randwrite, randrw, read or write" },
	{ "size", SIZE, FIELD(size), NULL, 1, SIZE_MAX_BYTES, "1 to 4M" },
	{ "socket", TEXT, FIELD(socket), NULL, 0, 0, NULL },
	{ "span", SIZE, FIELD(span), &drive_blk, 512, 1ull << 50, "at least 512" },
	{ "time", TIME, FIELD(time_ns), NULL, TIME_MIN_NS, TIME_MAX_NS, "1ms to 86400s" },
	{ "timeout", TIME, FIELD(timeout_ns), NULL, TIME_MIN_NS, TIME_MAX_NS, "1ms to 86400s" },
	{ "verify", FLAG, FIELD(verify), NULL, 0, 0, NULL },
};

#define OPT_FIRST 256

static void usage(FILE *f)
{
	fputs("usage: vringlab drive DEVICE --socket PATH [OPTION]...\n\n"
	      "Is the driver of a vhost-user back-end's virtqueues, without a guest: makes\n"
	      "requests, checks what comes back, and tells how long it took. SIGINT and SIGTERM\n"
	      "end it early, when what is under way has come back.\n\n"
	      "devices:\n"
	      "  loopback         sends bytes, which come back\n"
	      "  blk              reads and writes blocks; writes destroy what is there\n"
	      "  net              sends and receives packets\n\n"
	      "requests:\n"
	      "  --count N        so many (default: as many as --time has room for)\n"
	      "  --time T         for so long, such as 500ms or 10s (default 1s, or --count)\n"
	      "  --depth N        under way at a time in a virtqueue (default 1)\n"
	      "  --size BYTES     of each (default 4096; net 64)\n"
	      "  --rate N         a second (default: no limit)\n"
	      "  --verify         look at contents, and at the order of packets\n"
	      "  --hotplug N      have the requests in N regions of memory, which leave and\n"
	      "                   come back meanwhile\n\n"
	      "blk only:\n"
	      "  --rw WHAT        randread, randwrite, randrw, read or write\n"
	      "                   (default randread)\n"
	      "  --span BYTES     use the first BYTES of the disk only\n\n"
	      "net only:\n"
	      "  --mode MODE      echo: packets go out and come back (default);\n"
	      "                   transmit: they go out; receive: others' come in\n"
	      "  --pairs N        of virtqueues (default 1)\n"
	      "  --mergeable      a packet may come in several buffers\n"
	      "  --buffer BYTES   of a receive buffer, with 12 for its header (default: a\n"
	      "                   packet's; 2048 with --mergeable)\n"
	      "  --loss T         a packet that is not back by then is lost (default 1s)\n\n",
	      f);
	fputs("virtqueue:\n"
	      "  --num N          queue size (default 256)\n"
	      "  --queue N        index of the virtqueue, or of the first pair (default 0)\n"
	      "  --packed --indirect --event-idx --in-order\n"
	      "                   virtio features that are used; the back-end must offer them\n"
	      "  --poll           look for answers instead of sleeping until the call\n\n"
	      "connection:\n"
	      "  --socket PATH    of the back-end\n"
	      "  --reconnect      when the back-end is lost, go on with the next one there:\n"
	      "                   what was in flight is its to complete\n"
	      "  --no-reply-ack   do without acknowledgements\n"
	      "  --no-mem-slots   hand over the whole memory table for each --hotplug\n"
	      "  --timeout T      for each reply, each request, each reconnection (default 10s)\n\n"
	      "  --json           report as JSON\n"
	      "  --help           show this\n\n"
	      "exit codes: 0 ok, 1 failure, 2 usage, 4 no io_uring, or no such feature\n",
	      f);
}

uint64_t drive_options_features(const struct drive_options *opt)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1;

	features |= (uint64_t)opt->packed << VIRTIO_F_RING_PACKED;
	features |= (uint64_t)opt->indirect << VIRTIO_RING_F_INDIRECT_DESC;
	features |= (uint64_t)opt->event_idx << VIRTIO_RING_F_EVENT_IDX;
	features |= (uint64_t)opt->in_order << VIRTIO_F_IN_ORDER;
	return features | (opt->kind->needs ? opt->kind->needs(opt) : 0);
}

static int parse_name(const char *arg, const char *const *names, unsigned int *value)
{
	for (unsigned int i = 0; names[i]; i++) {
		if (strcmp(arg, names[i]))
			continue;
		*value = i;
		return 0;
	}
	return -EINVAL;
}

static int parse_value(const struct row *row, void *field, const char *arg)
{
	switch (row->type) {
	case FLAG:
		*(bool *)field = true;
		return 0;
	case NUMBER:
		return vl_parse_u64(arg, row->min, row->max, field);
	case SIZE:
		return vl_parse_size(arg, row->min, row->max, field);
	case TIME:
		return vl_parse_duration_ns(arg, row->min, row->max, field);
	case TEXT:
		*(const char **)field = arg;
		return 0;
	case RW:
		return parse_name(arg, rw_names, field);
	case MODE:
		return parse_name(arg, mode_names, field);
	}
	return -EINVAL;
}

static int take_option(struct drive_options *opt, const struct row *row, const char *arg)
{
	if (parse_value(row, (char *)opt + row->field, arg))
		return usage_error("drive", "--%s is %s, not '%s'", row->name, row->should, arg);
	return 0;
}

/* What does not go together. */
static int check_options(struct drive_options *opt)
{
	const struct drive_kind *kind = opt->kind;
	uint64_t each = opt->indirect ? 1 : kind->nr_bufs;
	uint64_t last = kind->paired ? 2 * (opt->queue + opt->pairs) - 1 : opt->queue;
	const char *wrong;

	if (!opt->socket)
		return usage_error("drive", "--socket PATH is missing");
	if (!opt->packed && opt->num & (opt->num - 1))
		return usage_error("drive", "--num of a split ring is a power of 2");
	if (opt->depth * each > opt->num)
		return usage_error("drive", "--depth %llu needs a --num of at least %llu",
				   (unsigned long long)opt->depth,
				   (unsigned long long)(opt->depth * each));
	if (last > VU_FD_INDEX_MASK)
		return usage_error("drive", "there is no virtqueue %llu", (unsigned long long)last);
	if (!opt->size)
		opt->size = kind->size;
	wrong = kind->check_options ? kind->check_options(opt) : NULL;
	if (wrong)
		return usage_error("drive", "%s", wrong);
	if (!opt->count && !opt->time_ns)
		opt->time_ns = TIME_DEFAULT_NS;
	return 0;
}

static int take_device(struct drive_options *opt, int argc, char **argv)
{
	if (optind == argc)
		return usage_error("drive", "which device? There are loopback, blk and net");
	for (unsigned int i = 0; i < NR(kinds); i++)
		if (!strcmp(argv[optind], kinds[i]->name))
			opt->kind = kinds[i];
	if (!opt->kind)
		return usage_error("drive", "no device '%s', only loopback, blk and net",
				   argv[optind]);
	if (optind + 1 != argc)
		return usage_error("drive", "'%s' is one argument too many", argv[optind + 1]);
	return 0;
}

static int check_kind(const struct drive_options *opt, const bool *given)
{
	for (unsigned int i = 0; i < NR(rows); i++)
		if (given[i] && rows[i].only && rows[i].only != opt->kind)
			return usage_error("drive", "--%s is for %s only", rows[i].name,
					   rows[i].only->name);
	return 0;
}

/* The rows as getopt_long() wants them. */
static void make_longs(struct option *longs)
{
	for (unsigned int i = 0; i < NR(rows); i++)
		longs[i] =
			(struct option){ rows[i].name, rows[i].type != FLAG, NULL, OPT_FIRST + i };
	longs[NR(rows)] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[NR(rows) + 1] = (struct option){ 0 };
}

int drive_options_parse(struct drive_options *opt, int argc, char **argv, bool *help)
{
	struct option longs[NR(rows) + 2];
	bool given[NR(rows)] = { false };
	int option, ret;

	*opt = (struct drive_options){
		.num = NUM_DEFAULT,
		.depth = 1,
		.pairs = 1,
		.loss_ns = LOSS_DEFAULT_NS,
		.timeout_ns = TIMEOUT_DEFAULT_NS,
	};
	*help = false;
	opterr = 0;
	make_longs(longs);
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			*help = true;
			return EXIT_OK;
		}
		if (option == ':' || option == '?')
			return option_error("drive", option, argv);
		given[option - OPT_FIRST] = true;
		ret = take_option(opt, &rows[option - OPT_FIRST], optarg);
		if (ret)
			return ret;
	}
	ret = take_device(opt, argc, argv);
	if (!ret)
		ret = check_kind(opt, given);
	return ret ? ret : check_options(opt);
}
