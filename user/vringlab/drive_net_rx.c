// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <vringlab/err.h>

#include "drive_net.h"

/* So many are never sent: what has a number beyond is not ours. */
#define SEQ_MAX (1ull << 62)

/* A receiver takes the first drive's packets that come. */
static bool is_ours(struct drive *d, const struct drive_tag *tag)
{
	struct drive_net *net = d->device;

	if (d->opt->mode == DRIVE_RECEIVE && !net->run)
		net->run = tag->run;
	return tag->run == net->run && tag->flow < d->opt->pairs && tag->seq < SEQ_MAX;
}

static bool was_not_sent(const struct drive *d, const struct drive_tag *tag)
{
	const struct drive_net *net = d->device;

	return d->opt->mode == DRIVE_ECHO && tag->seq >= net->flows[tag->flow].sent;
}

static int verify(const struct drive *d, const uint8_t *packet, uint32_t size,
		  const struct drive_tag *tag, struct vl_err *err)
{
	if (was_not_sent(d, tag))
		return vl_err_set(err, -EBADMSG, "packet %" PRIu64 " came, which was not sent",
				  tag->seq);
	if (d->opt->mode == DRIVE_ECHO && size != d->opt->size)
		return vl_err_set(err, -EBADMSG,
				  "packet %" PRIu64 " came with %u bytes, not %" PRIu64, tag->seq,
				  size, d->opt->size);
	if (!drive_packet_is_whole(packet, size, tag))
		return vl_err_set(err, -EBADMSG, "packet %" PRIu64 " came with other bytes",
				  tag->seq);
	return 0;
}

static int take_number(struct drive *d, const struct drive_tag *tag, uint64_t now_ns,
		       struct vl_err *err)
{
	struct drive_net *net = d->device;
	struct drive_flow *flow = &net->flows[tag->flow];
	uint64_t awaited = drive_flow_awaited(flow);
	enum drive_arrival arrival;
	uint64_t sent_ns;

	if (!flow->sent && !flow->received) {
		flow->first = tag->seq;
		flow->highest = tag->seq;
	}
	arrival = drive_flow_receive(flow, tag->seq, &sent_ns);
	if (d->opt->mode == DRIVE_ECHO)
		d->awaited -= awaited - drive_flow_awaited(flow);
	net->duplicates += arrival == DRIVE_DUPLICATE;
	net->reordered += arrival == DRIVE_REORDERED;
	/* what a lost back-end did not give back, the next one may send again */
	if (arrival != DRIVE_IN_ORDER && d->opt->verify && !d->session.lost)
		return vl_err_set(err, -EBADMSG, "packet %" PRIu64 " of virtqueue pair %u came %s",
				  tag->seq, tag->flow,
				  arrival == DRIVE_DUPLICATE ? "twice" : "behind a later one");
	if (sent_ns)
		drive_count_latency(d, now_ns - sent_ns);
	return 0;
}

static void take_foreign(struct drive *d, uint32_t size)
{
	struct drive_net *net = d->device;

	net->foreign++;
	if (d->opt->mode == DRIVE_RECEIVE)
		drive_count(d, size);
}

static int receive(struct drive *d, const uint8_t *packet, uint32_t size, uint64_t now_ns,
		   struct vl_err *err)
{
	struct drive_tag tag;
	bool ours = drive_packet_parse(packet, size, &tag) && is_ours(d, &tag);
	int ret = 0;

	d->issued += d->opt->mode == DRIVE_RECEIVE;
	if (ours && d->opt->verify)
		ret = verify(d, packet, size, &tag, err);
	if (ret)
		return ret;
	if (!ours || was_not_sent(d, &tag)) {
		take_foreign(d, size);
		return 0;
	}
	ret = take_number(d, &tag, now_ns, err);
	if (!ret)
		drive_count(d, size);
	return ret;
}

/* One buffer more of a packet that has several. */
static int assemble(struct drive *d, struct drive_assembly *a, const uint8_t *data, uint32_t bytes,
		    uint64_t now_ns, struct vl_err *err)
{
	if (bytes > DRIVE_PACKET_MAX - a->bytes)
		return vl_err_set(err, -EBADMSG, "a packet came with more than %u bytes",
				  DRIVE_PACKET_MAX);
	memcpy(a->packet + a->bytes, data, bytes);
	a->bytes += bytes;
	if (--a->left)
		return 0;
	return receive(d, a->packet, a->bytes, now_ns, err);
}

static int take_buffer(struct drive *d, struct drive_assembly *a, const uint8_t *host,
		       uint32_t written, uint64_t now_ns, struct vl_err *err)
{
	const struct virtio_net_hdr_mrg_rxbuf *hdr = (const void *)host;
	uint16_t nr;

	if (a->left)
		return assemble(d, a, host, written, now_ns, err);
	if (written < DRIVE_NET_HDR_BYTES)
		return vl_err_set(err, -EBADMSG, "a receive buffer came back with %u bytes",
				  written);
	nr = d->opt->mergeable ? le16toh(*(const volatile __le16 *)&hdr->num_buffers) : 1;
	if (!nr || nr > d->opt->num)
		return vl_err_set(err, -EBADMSG, "a packet came in %u buffers", nr);
	if (nr == 1)
		return receive(d, host + DRIVE_NET_HDR_BYTES, written - DRIVE_NET_HDR_BYTES, now_ns,
			       err);
	a->left = nr;
	a->bytes = 0;
	return assemble(d, a, host + DRIVE_NET_HDR_BYTES, written - DRIVE_NET_HDR_BYTES, now_ns,
			err);
}

int drive_net_check(struct drive *d, struct drive_queue *q, const struct drive_request *req,
		    uint32_t written, uint64_t now_ns, struct vl_err *err)
{
	struct drive_net *net = d->device;

	if (q->supplies && written > drive_net_buffer_bytes(d->opt))
		return vl_err_set(err, -EBADMSG,
				  "a receive buffer of %" PRIu64 " bytes came back with %u",
				  drive_net_buffer_bytes(d->opt), written);
	if (q->supplies)
		return take_buffer(d, &net->assemblies[drive_net_pair(d, q)],
				   drive_slot_host(d, q, req->slot), written, now_ns, err);
	if (d->opt->mode != DRIVE_TRANSMIT)
		return 0;
	drive_count(d, d->opt->size);
	drive_count_latency(d, now_ns - req->start_ns);
	return 0;
}
