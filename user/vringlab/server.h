/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One device of `vringlab backend`, served to one front-end after another.
 */
#ifndef VRINGLAB_SERVER_H
#define VRINGLAB_SERVER_H

#include <stdbool.h>

#include <vringlab/vhost_user_backend.h>

#include "device.h"
#include "listener.h"

struct json_object;
struct loop;
struct vlnl;

/* The label of a vring is LABEL.INDEX, and an index has up to three digits. */
#define SERVER_LABEL_MAX (VRINGLAB_LABEL_LEN - 1 - 4)

/**
 * struct server - A device that is served
 * @opt:	What was asked for.
 * @loop:	Loop.
 * @nl:		Module, with a label.
 * @once:	The first front-end is the last.
 * @verbose:	Print each connection.
 * @done:	Called when the first front-end has left, with @once, or when there can
 *		be no more. @failed says how it went.
 * @ctx:	For @done.
 * @failed:	Something was wrong with the last connection.
 * @connections: Front-ends so far.
 * @vdev:	Device.
 * @be:		Back-end.
 * @listener:	Where front-ends connect.
 * @accept:	Accept, or the wait before the next one; NULL while a front-end is
 *		served.
 * @told:	This connection had its one message.
 * @since_ns:	When the messages of @nr_told began.
 * @nr_told:	Messages printed since then.
 * @unprinted:	Messages since then that were too many.
 * @ids:	Registration of each vring with the module.
 * @registered:	Which of @ids are valid.
 */
struct server {
	const struct device_options *opt;
	struct loop *loop;
	struct vlnl *nl;
	bool once;
	bool verbose;
	void (*done)(void *ctx, struct server *server);
	void *ctx;
	bool failed;
	uint64_t connections;
	struct vdev *vdev;
	struct vu_backend *be;
	struct listener listener;
	struct loop_op *accept;
	bool told;
	uint64_t since_ns;
	unsigned int nr_told;
	uint64_t unprinted;
	uint32_t ids[VU_QUEUES_MAX];
	bool registered[VU_QUEUES_MAX];
};

/**
 * server_open() - Make the device and listen
 * @server:	With all up to @ctx set, the rest zero.
 * @err:	What went wrong.
 *
 * Return: 0 or a negative errno; to be closed also after a failure.
 */
int server_open(struct server *server, struct vl_err *err);

/** server_start() - Take front-ends from now on. */
void server_start(struct server *server);

/** server_json() - What it did. */
struct json_object *server_json(const struct server *server);

/** server_close() - End it all; runs the loop until nothing is in flight. */
void server_close(struct server *server);

#endif /* VRINGLAB_SERVER_H */
