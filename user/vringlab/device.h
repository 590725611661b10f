/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of devices, one row each: those that `vringlab backend` serves, and those
 * that `vringlab vmm` has.
 */
#ifndef VRINGLAB_DEVICE_H
#define VRINGLAB_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct device_kind;
struct json_object;
struct loop;
struct vdev;
struct vl_err;

/**
 * struct device_options - What one device on the command line is to be
 * @kind:	Its kind.
 * @socket:	Where it is served.
 * @mode:	Of the socket.
 * @group:	Of the socket; -1 for the process's.
 * @trace:	Label for vringlab.ko, or NULL.
 * @queues:	Virtqueues; net: pairs of them.
 * @file:	blk: file or block device.
 * @size:	blk: without @file, bytes of a device that keeps nothing.
 * @direct:	blk: O_DIRECT.
 * @read_only:	blk: likewise.
 * @serial:	blk: serial number, or NULL.
 * @block_size:	blk: logical block size, 0 for what the file needs.
 * @tap:	net: the interface.
 * @null:	net: without @tap, a device that keeps nothing.
 * @generate:	net: with @null, bytes of the frames that it receives; 0 for none.
 * @bridge:	net: of @tap, or NULL.
 * @address:	net: of @tap, or NULL.
 * @has_mac:	net: @mac is given.
 * @mac:	net: what the driver is told.
 * @mtu:	net: of @tap and driver, 0 for what the tap has.
 * @cid:	vsock: the guest's, 0 for none given.
 * @stdio:	console: reads stdin and writes stdout.
 * @input:	console: file to read, or NULL.
 * @output:	console: file to write, or NULL.
 */
struct device_options {
	const struct device_kind *kind;
	const char *socket;
	mode_t mode;
	gid_t group;
	const char *trace;
	uint64_t queues;
	const char *file;
	uint64_t size;
	bool direct;
	bool read_only;
	const char *serial;
	uint64_t block_size;
	const char *tap;
	bool null;
	uint64_t generate;
	const char *bridge;
	const char *address;
	bool has_mac;
	uint8_t mac[6];
	uint64_t mtu;
	uint64_t cid;
	bool stdio;
	const char *input;
	const char *output;
};

/**
 * struct device_kind - A kind of device
 * @name:	On the command line.
 * @device_id:	VIRTIO_ID_*, 0 for one that no guest has a driver for.
 * @help:	One line.
 * @queues_max:	Of --queues.
 * @options:	Names of the options that are its own, NULL at the end.
 * @usage:	What they are, as --help prints it; NULL for none.
 * @take:	Takes one of them. Returns NULL, or what its argument has to be.
 * @check:	What is wrong with the options, or NULL. May be NULL.
 * @create:	As vdev_blk_create(); NULL for one that is not served here.
 * @destroy:	Of what @create made; NULL is allowed.
 * @stats:	Its counters, as an object.
 */
struct device_kind {
	const char *name;
	uint16_t device_id;
	const char *help;
	uint64_t queues_max;
	const char *const *options;
	const char *usage;
	const char *(*take)(struct device_options *opt, const char *name, const char *arg);
	const char *(*check)(const struct device_options *opt);
	int (*create)(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
		      struct vl_err *err);
	void (*destroy)(struct vdev *vdev);
	struct json_object *(*stats)(const struct vdev *vdev);
};

extern const struct device_kind device_loopback;
extern const struct device_kind device_null;
extern const struct device_kind device_blk;
extern const struct device_kind device_net;
extern const struct device_kind device_rng;
extern const struct device_kind device_console;
extern const struct device_kind device_vsock;

/** device_kind_find() - The kind of a name, or NULL. */
const struct device_kind *device_kind_find(const char *name);

/** device_kind_at() - One after the other, NULL after the last. */
const struct device_kind *device_kind_at(unsigned int i);

/** device_kind_has() - Is the option one of the kind's own? */
bool device_kind_has(const struct device_kind *kind, const char *option);

#endif /* VRINGLAB_DEVICE_H */
