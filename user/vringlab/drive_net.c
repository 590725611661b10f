// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network device: packets go out, come in, or come back. That one does not come
 * back is loss, not failure; that it comes twice, late or changed is failure.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <json-c/json.h>

#include <vringlab/err.h>

#include "drive_net.h"
#include "json_add.h"

#define ETH_BYTES 1514u
#define MERGEABLE_BYTES 2048u
uint64_t drive_net_buffer_bytes(const struct drive_options *opt)
{
	uint64_t largest = opt->size > ETH_BYTES ? opt->size : ETH_BYTES;

	if (opt->buffer)
		return opt->buffer;
	return opt->mergeable ? MERGEABLE_BYTES : DRIVE_NET_HDR_BYTES + largest;
}

static uint64_t slot_bytes(const struct drive_options *opt, bool supplies)
{
	return ((supplies ? drive_net_buffer_bytes(opt) : DRIVE_NET_HDR_BYTES + opt->size) + 63) &
	       ~63ull;
}

static const char *check_options(const struct drive_options *opt)
{
	if (opt->size < DRIVE_PACKET_MIN || opt->size > DRIVE_PACKET_MAX)
		return "--size of net is 64 to 65535";
	if (opt->verify && opt->mode == DRIVE_TRANSMIT)
		return "--verify needs packets that come: --mode echo or receive";
	if (opt->mergeable ?
		    drive_net_buffer_bytes(opt) * opt->num < DRIVE_NET_HDR_BYTES + opt->size :
		    drive_net_buffer_bytes(opt) < DRIVE_NET_HDR_BYTES + opt->size)
		return "--buffer has no room for a packet of --size and 12 bytes";
	return NULL;
}

static uint64_t needs(const struct drive_options *opt)
{
	return (uint64_t)opt->mergeable << VIRTIO_NET_F_MRG_RXBUF | (uint64_t)(opt->pairs > 1)
									    << VIRTIO_NET_F_MQ;
}

static void close_net(struct drive *d)
{
	struct drive_net *net = d->device;

	if (!net)
		return;
	for (unsigned int i = 0; i < DRIVE_PAIRS_MAX; i++)
		drive_flow_destroy(&net->flows[i]);
	free(net->assemblies);
	free(net);
}

static int open_net(struct drive *d, struct vl_err *err)
{
	struct drive_net *net = calloc(1, sizeof(*net));
	int ret = 0;

	d->device = net;
	if (!net)
		return vl_err_set(err, -ENOMEM, "out of memory");
	/* never 0: that is what a receiver starts with */
	while (d->opt->mode != DRIVE_RECEIVE && !net->run)
		if (getrandom(&net->run, sizeof(net->run), 0) < 0)
			return vl_err_set(err, -errno, "getrandom: %s", vl_strerror(errno));
	net->assemblies = calloc(d->opt->pairs, sizeof(*net->assemblies));
	if (!net->assemblies)
		ret = -ENOMEM;
	for (unsigned int i = 0; !ret && i < d->opt->pairs; i++)
		ret = drive_flow_create(&net->flows[i], d->opt->depth);
	return ret ? vl_err_set(err, ret, "out of memory") : 0;
}

static bool may_issue(const struct drive *d, const struct drive_queue *q)
{
	const struct drive_net *net = d->device;

	return d->opt->mode != DRIVE_ECHO ||
	       drive_flow_awaited(&net->flows[drive_net_pair(d, q)]) < d->opt->depth;
}

static void supply(struct drive *d, const struct drive_queue *q, unsigned int slot,
		   struct vring_buf *buf)
{
	struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)drive_slot_host(d, q, slot);

	hdr->num_buffers = 0;
	*buf = (struct vring_buf){ drive_slot_gpa(d, q, slot), drive_net_buffer_bytes(d->opt) };
}

static void build(struct drive *d, struct drive_queue *q, struct drive_request *req,
		  struct vring_buf *bufs, unsigned int *nr_out, unsigned int *nr_in)
{
	unsigned int pair = drive_net_pair(d, q);
	uint64_t gpa = drive_slot_gpa(d, q, req->slot);
	uint8_t *host = drive_slot_host(d, q, req->slot);
	struct drive_net *net = d->device;
	struct drive_tag tag = { .run = net->run, .flow = pair };

	*nr_out = q->supplies ? 0 : d->opt->indirect ? 2 : 1;
	*nr_in = q->supplies;
	if (q->supplies) {
		supply(d, q, req->slot, bufs);
		return;
	}
	tag.seq = drive_flow_send(&net->flows[pair], req->start_ns);
	d->awaited += d->opt->mode == DRIVE_ECHO;
	memset(host, 0, DRIVE_NET_HDR_BYTES);
	drive_packet_build(host + DRIVE_NET_HDR_BYTES, d->opt->size, &tag, d->opt->verify);
	bufs[0] = (struct vring_buf){ gpa, DRIVE_NET_HDR_BYTES + d->opt->size };
	if (*nr_out == 1)
		return;
	bufs[0].len = DRIVE_NET_HDR_BYTES;
	bufs[1] = (struct vring_buf){ gpa + DRIVE_NET_HDR_BYTES, d->opt->size };
}

static void idle(struct drive *d, uint64_t now_ns)
{
	struct drive_net *net = d->device;

	if (d->opt->mode != DRIVE_ECHO)
		return;
	d->awaited = 0;
	for (unsigned int i = 0; i < d->opt->pairs; i++) {
		drive_flow_give_up(&net->flows[i], now_ns, d->opt->loss_ns);
		d->awaited += drive_flow_awaited(&net->flows[i]);
	}
}

/* The sums of all flows. */
static struct drive_flow total(const struct drive *d, uint64_t *lost)
{
	const struct drive_net *net = d->device;
	struct drive_flow sum = { 0 };

	*lost = 0;
	for (unsigned int i = 0; i < d->opt->pairs; i++) {
		sum.sent += net->flows[i].sent;
		sum.received += net->flows[i].received;
		*lost += d->opt->mode == DRIVE_TRANSMIT ? 0 : drive_flow_lost(&net->flows[i]);
	}
	return sum;
}

static int verdict(const struct drive *d, struct vl_err *err)
{
	uint64_t lost;
	struct drive_flow sum = total(d, &lost);

	if (d->stats.requests || (!sum.sent && d->opt->mode == DRIVE_ECHO))
		return 0;
	if (d->opt->mode == DRIVE_ECHO)
		return vl_err_set(err, -ETIMEDOUT, "none of the %" PRIu64 " packets came back",
				  sum.sent);
	return vl_err_set(err, -ETIMEDOUT, "no packet %s",
			  d->opt->mode == DRIVE_RECEIVE ? "came" : "was taken");
}

static void report_text(const struct drive *d)
{
	const struct drive_net *net = d->device;
	uint64_t lost;
	struct drive_flow sum = total(d, &lost);

	if (d->opt->mode == DRIVE_TRANSMIT)
		return;
	printf("%-9s %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " lost, %" PRIu64
	       " twice, %" PRIu64 " out of order, %" PRIu64 " of others\n",
	       "packets", sum.sent, sum.received, lost, net->duplicates, net->reordered,
	       net->foreign);
}

static void report_json(const struct drive *d, struct json_object *o)
{
	const struct drive_net *net = d->device;
	uint64_t lost;
	struct drive_flow sum = total(d, &lost);

	json_add_u64(o, "packets-sent", sum.sent);
	if (d->opt->mode == DRIVE_TRANSMIT)
		return;
	json_add_u64(o, "packets-received", sum.received);
	json_add_u64(o, "packets-lost", lost);
	json_add_u64(o, "packets-duplicate", net->duplicates);
	json_add_u64(o, "packets-reordered", net->reordered);
	json_add_u64(o, "packets-foreign", net->foreign);
}

const struct drive_kind drive_net = {
	.name = "net",
	.size = DRIVE_PACKET_MIN,
	.nr_bufs = 1,
	.needs = needs,
	.paired = true,
	.check_options = check_options,
	.slot_bytes = slot_bytes,
	.open = open_net,
	.may_issue = may_issue,
	.build = build,
	.check = drive_net_check,
	.idle = idle,
	.verdict = verdict,
	.report_text = report_text,
	.report_json = report_json,
	.close = close_net,
};
