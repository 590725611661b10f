/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces: made, configured and removed over rtnetlink, and taps.
 *
 * One request at a time over one socket, each acknowledged: what a function
 * returned success for has happened. Everything here needs CAP_NET_ADMIN in the
 * network namespace in which the socket was opened, but for reading.
 *
 * Errors are those of the kernel, and their messages its extended ACK's text;
 * %-ENODEV is an interface that does not exist everywhere.
 */
#ifndef VRINGLAB_LINK_H
#define VRINGLAB_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <linux/if.h>

struct vl_err;
struct rtnl;

/**
 * rtnl_open() - Open a socket in the caller's network namespace
 * @rtnl:	Set on success only.
 * @err:	What went wrong; may be NULL, so it may in all that follow.
 *
 * Return: 0, %-ENOMEM, or a negative errno of socket(2).
 */
int rtnl_open(struct rtnl **rtnl, struct vl_err *err);

/**
 * rtnl_close() - Close the socket
 * @rtnl:	Socket; NULL is allowed.
 */
void rtnl_close(struct rtnl *rtnl);

/**
 * struct rtnl_link - An interface as the kernel describes it
 * @index:	Of the interface, from 1.
 * @flags:	IFF_UP, IFF_RUNNING and others of netdevice(7).
 * @mtu:	Bytes.
 * @mac:	Address; zeroes where it has none of 6 bytes.
 * @master:	Index of the bridge it belongs to, 0 for none.
 * @kind:	"tun", "veth", "bridge" and so on; empty for a device of hardware.
 */
struct rtnl_link {
	unsigned int index;
	unsigned int flags;
	uint32_t mtu;
	uint8_t mac[6];
	unsigned int master;
	char kind[16];
};

/**
 * rtnl_link_get() - Look an interface up
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @link:	Set on success only.
 * @err:	What went wrong.
 *
 * Return: 0, or %-ENODEV.
 */
int rtnl_link_get(struct rtnl *rtnl, const char *name, struct rtnl_link *link, struct vl_err *err);

/**
 * rtnl_link_set_up() - Set an interface up or down
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @up:		Which.
 * @err:	What went wrong.
 */
int rtnl_link_set_up(struct rtnl *rtnl, const char *name, bool up, struct vl_err *err);

/**
 * rtnl_link_set_mtu() - Set the MTU
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @mtu:	Bytes.
 * @err:	What went wrong.
 *
 * Return: 0, or %-EINVAL for one that the interface cannot have.
 */
int rtnl_link_set_mtu(struct rtnl *rtnl, const char *name, uint32_t mtu, struct vl_err *err);

/**
 * rtnl_link_set_mac() - Set the hardware address
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @mac:	Address.
 * @err:	What went wrong.
 *
 * Return: 0, or %-EADDRNOTAVAIL for a multicast address.
 */
int rtnl_link_set_mac(struct rtnl *rtnl, const char *name, const uint8_t mac[6],
		      struct vl_err *err);

/**
 * rtnl_link_set_master() - Put an interface into a bridge
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @bridge:	Name of the bridge, or NULL to take it out.
 * @err:	What went wrong.
 */
int rtnl_link_set_master(struct rtnl *rtnl, const char *name, const char *bridge,
			 struct vl_err *err);

/**
 * rtnl_link_set_netns() - Move an interface to another network namespace
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @netns_fd:	The namespace, as /proc/PID/ns/net.
 * @err:	What went wrong.
 *
 * Return: 0, or %-EEXIST if one of that name is there.
 */
int rtnl_link_set_netns(struct rtnl *rtnl, const char *name, int netns_fd, struct vl_err *err);

/**
 * rtnl_link_add_bridge() - Make a bridge
 * @rtnl:	Socket.
 * @name:	Of the new interface.
 * @err:	What went wrong.
 *
 * Return: 0, %-EEXIST, or %-EOPNOTSUPP where the kernel has none.
 */
int rtnl_link_add_bridge(struct rtnl *rtnl, const char *name, struct vl_err *err);

/**
 * rtnl_link_add_veth() - Make a pair of connected interfaces
 * @rtnl:	Socket.
 * @name:	Of one end.
 * @peer:	Of the other.
 * @err:	What went wrong.
 *
 * Return: as rtnl_link_add_bridge().
 */
int rtnl_link_add_veth(struct rtnl *rtnl, const char *name, const char *peer, struct vl_err *err);

/**
 * rtnl_link_del() - Remove an interface
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @err:	What went wrong.
 */
int rtnl_link_del(struct rtnl *rtnl, const char *name, struct vl_err *err);

/**
 * struct rtnl_addr - An address and its network
 * @family:	AF_INET or AF_INET6.
 * @bytes:	4 or 16, in network order.
 * @prefix:	Length of the network's prefix, bits.
 */
struct rtnl_addr {
	int family;
	uint8_t bytes[16];
	unsigned int prefix;
};

/**
 * rtnl_addr_parse() - Read "ADDRESS/PREFIX"
 * @text:	IPv4 or IPv6; without a prefix it is the longest one.
 * @addr:	Set on success only.
 *
 * Return: 0, or %-EINVAL.
 */
int rtnl_addr_parse(const char *text, struct rtnl_addr *addr);

/**
 * rtnl_addr_add() - Give an interface an address
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @addr:	Address.
 * @err:	What went wrong.
 *
 * Return: 0, or %-EEXIST if it has it.
 */
int rtnl_addr_add(struct rtnl *rtnl, const char *name, const struct rtnl_addr *addr,
		  struct vl_err *err);

/**
 * rtnl_addr_del() - Take an address from an interface
 * @rtnl:	Socket.
 * @name:	Of the interface.
 * @addr:	Address.
 * @err:	What went wrong.
 *
 * Return: 0, or %-EADDRNOTAVAIL if it does not have it.
 */
int rtnl_addr_del(struct rtnl *rtnl, const char *name, const struct rtnl_addr *addr,
		  struct vl_err *err);

/* As many as the kernel gives a tap: MAX_TAP_QUEUES of drivers/net/tun.c. */
#define TAP_QUEUES_MAX 256u

/**
 * tap_open() - Open a tap, and make it if it is not there
 * @name:	Of the interface; may have "%d" for the kernel to fill in, and is then
 *		replaced by the name it has got.
 * @fds:	Set on success only: one for each queue, with O_NONBLOCK and O_CLOEXEC.
 * @nr:		Queues, 1 to TAP_QUEUES_MAX.
 * @err:	What went wrong.
 *
 * Each packet has a struct virtio_net_hdr_v1 in front of it, 12 bytes. A tap that
 * was made here goes with its last fd; one that existed stays.
 *
 * Context: any thread; the tap is made in the caller's network namespace.
 * Return: 0, or
 * * %-EPERM - no CAP_NET_ADMIN, and not the tap's owner
 * * %-ENOENT - the kernel has no /dev/net/tun
 * * %-EBUSY - somebody else has it open
 * * %-EINVAL - @nr is out of range, the name is too long or another kind of
 *   interface's, or the tap has other flags (one made with a single queue cannot
 *   have several)
 */
int tap_open(char name[IFNAMSIZ], int *fds, unsigned int nr, struct vl_err *err);

/**
 * tap_set_offload() - Say what packets from the tap may look like
 * @fd:		Of any queue; it is a setting of the interface.
 * @features:	TUN_F_* bits.
 *
 * Return: 0, or %-EINVAL for bits that this kernel does not know.
 */
int tap_set_offload(int fd, unsigned int features);

/**
 * tap_set_header() - Set the length of the header in front of each packet
 * @fd:		Of any queue; it is a setting of the interface.
 * @len:	Bytes: 10 or 12.
 *
 * Return: 0, or a negative errno of ioctl(2).
 */
int tap_set_header(int fd, int len);

/**
 * tap_set_queue() - Take packets through a queue, or not
 * @fd:		Of the queue.
 * @on:		Which. The kernel spreads packets over the queues that are on.
 *
 * Return: 0, or %-EINVAL for a tap with a single queue.
 */
int tap_set_queue(int fd, bool on);

/**
 * tap_offloads() - Which TUN_F_* let a driver have what it can take
 * @features:	Virtio feature bits of a net device, as negotiated.
 */
unsigned int tap_offloads(uint64_t features);

/**
 * struct tap_setup - How a tap is to be
 * @bridge:	Bridge to put it into, made if it is not there; or NULL.
 * @address:	"ADDRESS/PREFIX" for the bridge, and without one for the tap; or NULL.
 * @mtu:	MTU, 0 for what it has.
 */
struct tap_setup {
	const char *bridge;
	const char *address;
	uint32_t mtu;
};

/**
 * struct tap_undo - What was changed
 * @rtnl:	Socket, NULL if there is nothing to undo.
 * @keeper:	Process that undoes it when this one has ended, in whatever way.
 * @keeper_fd:	That it waits for to be closed.
 * @name:	Of the tap.
 * @mtu:	That it has now.
 * @existed:	The tap did, and has to be as it was.
 * @was:	What it was then.
 * @bridge:	That it was put into, or empty.
 * @bridge_made: It was not there.
 * @addressed:	@address was added.
 * @address:	To the bridge or the tap.
 */
struct tap_undo {
	struct rtnl *rtnl;
	pid_t keeper;
	int keeper_fd;
	char name[IFNAMSIZ];
	uint32_t mtu;
	bool existed;
	struct rtnl_link was;
	char bridge[IFNAMSIZ];
	bool bridge_made;
	bool addressed;
	struct rtnl_addr address;
};

/**
 * tap_open_set_up() - Open a tap, configure it, and set it up
 * @name:	As for tap_open().
 * @fds:	As for tap_open().
 * @nr:		As for tap_open().
 * @setup:	How it is to be. What is so already is not touched: a tap's owner need not
 *		be privileged.
 * @undo:	Set on success only; for tap_undo().
 * @err:	What went wrong.
 *
 * It is undone by a child process, that has no other file of this one and no part in
 * its signals: also where this one is killed, or has given its privileges up.
 *
 * Return: as tap_open(), those of rtnetlink and fork(2); nothing has changed on failure.
 */
int tap_open_set_up(char name[IFNAMSIZ], int *fds, unsigned int nr, const struct tap_setup *setup,
		    struct tap_undo *undo, struct vl_err *err);

/**
 * tap_undo() - Have everything as it was
 * @undo:	From tap_open_set_up(), or zeroed; is zeroed.
 *
 * As far as the privileges of the one that set it up allow. Before the tap's fds are
 * closed.
 */
void tap_undo(struct tap_undo *undo);

#endif /* VRINGLAB_LINK_H */
