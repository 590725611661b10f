// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The header in front of each packet, VIRTIO 1.2 section 5.1.6. A driver's is a copy:
 * it does not change any more. Fields are little-endian.
 */
#include <endian.h>
#include <stddef.h>

#include <linux/tcp.h>

#include "net.h"

#define CSUM_BYTES 2u

static bool csum_ok(const struct net *net, const struct virtio_net_hdr_v1 *hdr, uint64_t frame)
{
	uint32_t start = le16toh(hdr->csum_start);
	uint32_t offset = le16toh(hdr->csum_offset);

	return net_has(net, VIRTIO_NET_F_CSUM) && start >= ETH_HLEN &&
	       start + offset + CSUM_BYTES <= frame;
}

static bool gso_type_ok(const struct net *net, uint8_t type, unsigned int tso4, unsigned int tso6,
			unsigned int ecn)
{
	if (type & VIRTIO_NET_HDR_GSO_ECN && !net_has(net, ecn))
		return false;
	switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return net_has(net, tso4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return net_has(net, tso6);
	default:
		return false;
	}
}

/* 5.1.6.2.1: a checksum is to be computed as well, and of TCP that is */
static bool gso_ok(const struct net *net, const struct virtio_net_hdr_v1 *hdr, uint64_t frame)
{
	return hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && hdr->gso_size &&
	       gso_type_ok(net, hdr->gso_type, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
			   VIRTIO_NET_F_HOST_ECN) &&
	       le16toh(hdr->csum_offset) == offsetof(struct tcphdr, check) &&
	       le16toh(hdr->csum_start) + sizeof(struct tcphdr) <= frame;
}

bool net_header_to_tap(const struct net *net, struct virtio_net_hdr_v1 *hdr, uint64_t frame)
{
	if (frame < ETH_HLEN || frame > VDEV_NET_FRAME_MAX)
		return false;
	/* 5.1.6.2.2: what is not for this direction is ignored */
	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->num_buffers = 0;
	if (hdr->flags && !csum_ok(net, hdr, frame))
		return false;
	if (!hdr->flags) {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	}
	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		hdr->hdr_len = 0;
		hdr->gso_size = 0;
	} else if (!gso_ok(net, hdr, frame)) {
		return false;
	}
	/* 5.1.6.2.2: a hint that may be wrong; the tap takes it for a fact */
	if (le16toh(hdr->hdr_len) > frame)
		hdr->hdr_len = htole16(frame);
	return true;
}

bool net_header_from_tap(const struct net *net, const struct virtio_net_hdr_v1 *hdr)
{
	/* what the tap had before it was told what this driver can take */
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !net_has(net, VIRTIO_NET_F_GUEST_CSUM))
		return false;
	return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE ||
	       gso_type_ok(net, hdr->gso_type, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
			   VIRTIO_NET_F_GUEST_ECN);
}

bool net_header_has_offload(const struct virtio_net_hdr_v1 *hdr)
{
	return hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || hdr->gso_type;
}
