/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the network device of `vringlab drive`:
 *
 *	drive_net.c	packets go out
 *	drive_net_rx.c	and come in
 *	drive_packet.c	one of them
 *	drive_flow.c	their numbers
 */
#ifndef VRINGLAB_DRIVE_NET_H
#define VRINGLAB_DRIVE_NET_H

#include <linux/virtio_net.h>

#include "drive.h"

#define DRIVE_NET_HDR_BYTES sizeof(struct virtio_net_hdr_mrg_rxbuf)

/* drive_packet.c */
/* A frame's and a tag's bytes: no packet of ours is shorter. */
#define DRIVE_PACKET_MIN 64u
#define DRIVE_PACKET_MAX 65535u

/**
 * struct drive_tag - Whose packet it is
 * @run:	Who sent it; 0 for none of a drive's.
 * @seq:	Its number in the flow.
 * @flow:	Pair of virtqueues that sent it.
 */
struct drive_tag {
	uint64_t run;
	uint64_t seq;
	uint16_t flow;
};

void drive_packet_build(uint8_t *packet, uint32_t size, const struct drive_tag *tag, bool fill);
/* Returns false for a packet of others. */
bool drive_packet_parse(const uint8_t *packet, uint32_t size, struct drive_tag *tag);
/* Is it as it was sent? Whoever forwards it may change its addresses. */
bool drive_packet_is_whole(const uint8_t *packet, uint32_t size, const struct drive_tag *tag);

/* drive_flow.c */
enum drive_arrival {
	DRIVE_IN_ORDER,
	DRIVE_REORDERED,
	DRIVE_DUPLICATE,
};

/**
 * struct drive_flow - The packets of one pair of virtqueues
 * @sent:	Number of the next one.
 * @highest:	One more than the highest number that came.
 * @given_up:	Those below are not waited for.
 * @first:	Number that came first, where others send.
 * @received:	How many different ones came.
 * @depth:	How many are waited for at most.
 * @sent_ns:	When those were sent.
 * @came:	Which of the last ones did.
 */
struct drive_flow {
	uint64_t sent;
	uint64_t highest;
	uint64_t given_up;
	uint64_t first;
	uint64_t received;
	unsigned int depth;
	uint64_t *sent_ns;
	bool *came;
};

int drive_flow_create(struct drive_flow *f, unsigned int depth);
void drive_flow_destroy(struct drive_flow *f);
/* Returns the packet's number. */
uint64_t drive_flow_send(struct drive_flow *f, uint64_t now_ns);
/* @sent_ns: when it was sent, 0 if that is not known any more. */
enum drive_arrival drive_flow_receive(struct drive_flow *f, uint64_t seq, uint64_t *sent_ns);
void drive_flow_give_up(struct drive_flow *f, uint64_t now_ns, uint64_t loss_ns);
uint64_t drive_flow_awaited(const struct drive_flow *f);
uint64_t drive_flow_lost(const struct drive_flow *f);

/**
 * struct drive_assembly - A packet that comes in several buffers
 * @left:	Buffers that are still to come.
 * @bytes:	So far.
 * @packet:	So far; room for the largest.
 */
struct drive_assembly {
	unsigned int left;
	uint32_t bytes;
	uint8_t packet[DRIVE_PACKET_MAX];
};

/**
 * struct drive_net - What is known of the packets
 * @run:	Number that tells ours from others'.
 * @flows:	Of each pair.
 * @assemblies:	Of each pair.
 * @duplicates:	Came again.
 * @reordered:	Came behind a later one.
 * @foreign:	Not ours.
 */
struct drive_net {
	uint64_t run;
	struct drive_flow flows[DRIVE_PAIRS_MAX];
	struct drive_assembly *assemblies;
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t foreign;
};

uint64_t drive_net_buffer_bytes(const struct drive_options *opt);
static inline unsigned int drive_net_pair(const struct drive *d, const struct drive_queue *q)
{
	return (q - d->queues) / 2;
}

/* drive_net_rx.c */
int drive_net_check(struct drive *d, struct drive_queue *q, const struct drive_request *req,
		    uint32_t written, uint64_t now_ns, struct vl_err *err);

#endif /* VRINGLAB_DRIVE_NET_H */
