/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio-net device (VIRTIO 1.2, section 5.1) over a tap, or over nothing at all,
 * for measuring.
 *
 * Virtqueues are receiveq1, transmitq1, receiveq2 and so on. There is no control
 * virtqueue: with vhost-user the front-end has it, and enables pairs.
 *
 * What drivers do wrong:
 *
 * * A packet to transmit that is shorter than its header and an Ethernet header or
 *   longer than 65550 bytes, has a device-writable buffer, or a header that asks for
 *   what was not negotiated or points outside of the packet: not sent, counted as
 *   refused, given back.
 * * A receive buffer without room for a header, or with a device-readable part: the
 *   virtqueue is stopped, for the driver cannot be told in it.
 * * A received packet is too long for the buffer, or with VIRTIO_NET_F_MRG_RXBUF for
 *   VDEV_NET_MERGE_MAX of them: dropped and counted, the buffers stay. If there are
 *   only not enough of them yet, it waits.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_NET_H
#define VRINGLAB_VDEV_NET_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct vdev;
struct vl_err;

/* Receive buffers that one packet is spread over at most. */
#define VDEV_NET_MERGE_MAX 256u

/* As many as vhost-user has virtqueues for. */
#define VDEV_NET_PAIRS_MAX 128u

/* VIRTIO 1.2, 5.1.6.3.1: "the maximum size packet", and Ethernet's minimum. */
#define VDEV_NET_FRAME_MAX 65550u
#define VDEV_NET_FRAME_MIN 60u

/* VIRTIO 1.2, 5.1.4.1 */
#define VDEV_NET_MTU_MIN 68u
#define VDEV_NET_MTU_MAX 65535u

/**
 * struct vdev_net_config - What kind of device
 * @tap:	Name of the interface, made if it is not there, and set up; NULL for a
 *		null device, which copies what is transmitted and forgets it.
 * @generate:	Without @tap: bytes of the frames to receive, as fast as there are
 *		buffers; 0 for none.
 * @bridge:	Bridge to put the tap into, or NULL.
 * @address:	"ADDRESS/PREFIX" for the tap, or NULL.
 * @mac:	Address that the driver is told, or NULL.
 * @mtu:	MTU that the tap gets and the driver is told; 0 for the tap's.
 * @num_pairs:	Pairs of virtqueues, 1 to VDEV_NET_PAIRS_MAX.
 */
struct vdev_net_config {
	const char *tap;
	uint32_t generate;
	const char *bridge;
	const char *address;
	const uint8_t *mac;
	uint16_t mtu;
	unsigned int num_pairs;
};

/**
 * struct vdev_net_stats - What it did, of all virtqueues
 * @rx_packets:	Given to the driver.
 * @rx_bytes:	Of them, without headers.
 * @rx_merged:	Of them, in several buffers.
 * @rx_offloads: Of them, with a checksum or a segmentation left to do.
 * @rx_waits:	Times that a packet waited for buffers.
 * @rx_dropped:	No buffer would do, or one that the driver cannot take.
 * @tx_packets:	Taken from the driver and sent.
 * @tx_bytes:	Of them, without headers.
 * @tx_offloads: Of them, with a checksum or a segmentation left to do.
 * @tx_refused:	Bad packets.
 * @tx_failed:	The tap would not have them.
 * @tx_discarded: Taken while the virtqueue was disabled.
 */
struct vdev_net_stats {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_merged;
	uint64_t rx_offloads;
	uint64_t rx_waits;
	uint64_t rx_dropped;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_offloads;
	uint64_t tx_refused;
	uint64_t tx_failed;
	uint64_t tx_discarded;
};

/**
 * vdev_net_create() - Open the tap and make a device
 * @vdev:	Set on success only.
 * @loop:	Loop; outlives the device.
 * @config:	Copied.
 * @err:	What went wrong, and with which option; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - a value of @config out of range
 * * %-ENOMEM
 * * other - from tap_open() and rtnetlink
 */
int vdev_net_create(struct vdev **vdev, struct loop *loop, const struct vdev_net_config *config,
		    struct vl_err *err);

/**
 * vdev_net_destroy() - Close the tap, free
 * @vdev:	From vdev_net_create(), served by nobody; NULL is allowed.
 */
void vdev_net_destroy(struct vdev *vdev);

/**
 * vdev_net_get_stats() - Counters since it was made
 * @vdev:	From vdev_net_create().
 * @stats:	Filled.
 */
void vdev_net_get_stats(const struct vdev *vdev, struct vdev_net_stats *stats);

#endif /* VRINGLAB_VDEV_NET_H */
