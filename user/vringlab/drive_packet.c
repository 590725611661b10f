// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet: Ethernet header, tag, and contents that follow from the tag.
 */
#include <string.h>

#include <linux/if_ether.h>

#include "drive_net.h"

/* In bytes from the start. */
#define AT_PROTO 12u
#define AT_MAGIC 14u
#define AT_FLOW 16u
#define AT_RUN 18u
#define AT_SEQ 26u
#define AT_CONTENT 34u

#define MAGIC 0x766cu

static void put(uint8_t *packet, unsigned int at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		packet[at + i] = value >> 8 * (bytes - 1 - i);
}

static uint64_t get(const uint8_t *packet, unsigned int at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value = value << 8 | packet[at + i];
	return value;
}

static uint64_t content_name(const struct drive_tag *tag)
{
	return tag->run ^ tag->seq << 8 ^ tag->flow;
}

void drive_packet_build(uint8_t *packet, uint32_t size, const struct drive_tag *tag, bool fill)
{
	/* locally administered */
	static const uint8_t to[ETH_ALEN] = { 0x02, 0x76, 0x6c, 0, 0, 1 };
	static const uint8_t from[ETH_ALEN] = { 0x02, 0x76, 0x6c, 0, 0, 2 };

	memcpy(packet, to, ETH_ALEN);
	memcpy(packet + ETH_ALEN, from, ETH_ALEN);
	put(packet, AT_PROTO, ETH_P_802_EX1, 2);
	put(packet, AT_MAGIC, MAGIC, 2);
	put(packet, AT_FLOW, tag->flow, 2);
	put(packet, AT_RUN, tag->run, 8);
	put(packet, AT_SEQ, tag->seq, 8);
	if (fill)
		drive_fill(packet + AT_CONTENT, size - AT_CONTENT, content_name(tag));
}

bool drive_packet_parse(const uint8_t *packet, uint32_t size, struct drive_tag *tag)
{
	if (size < AT_CONTENT || get(packet, AT_PROTO, 2) != ETH_P_802_EX1 ||
	    get(packet, AT_MAGIC, 2) != MAGIC)
		return false;
	*tag = (struct drive_tag){
		.run = get(packet, AT_RUN, 8),
		.seq = get(packet, AT_SEQ, 8),
		.flow = get(packet, AT_FLOW, 2),
	};
	return true;
}

bool drive_packet_is_whole(const uint8_t *packet, uint32_t size, const struct drive_tag *tag)
{
	return drive_is_filled(packet + AT_CONTENT, size - AT_CONTENT, content_name(tag));
}
