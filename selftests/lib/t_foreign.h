/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A back-end that others have made: its program, our front-end on its socket, and
 * virtqueues.
 */
#ifndef VRINGLAB_SELFTESTS_T_FOREIGN_H
#define VRINGLAB_SELFTESTS_T_FOREIGN_H

#include <stddef.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_frontend.h>

#include "t.h"
#include "t_ring.h"

#define T_FOREIGN_QUEUES 3u

/**
 * struct t_foreign - Program, front-end and virtqueues
 * @dir:	A folder of its own.
 * @socket:	In it.
 * @child:	The program.
 * @fe:		On @socket.
 * @rings:	By queue index.
 * @err:	What went wrong with @fe.
 */
struct t_foreign {
	char dir[64];
	char socket[96];
	struct t_child child;
	struct vu_frontend *fe;
	struct t_ring rings[T_FOREIGN_QUEUES];
	struct vl_err err;
};

/**
 * t_foreign_init() - Make the folder
 * @b:		To be given back also after a failure.
 *
 * Return: 0, or a negative errno.
 */
int t_foreign_init(struct t_foreign *b);

/**
 * t_foreign_start() - Start the program, and connect to it
 * @b:		Initialized.
 * @argv:	As t_child_start(). It has to listen on b->socket.
 *
 * Return: 0, %-ECHILD if it ended before that, or as vu_frontend_connect().
 */
int t_foreign_start(struct t_foreign *b, const char *const argv[]);

/**
 * t_foreign_open() - Negotiate, hand the memory over, and start virtqueues
 * @b:		Started.
 * @wish:	What to negotiate.
 * @nr:		Virtqueues, 1 to T_FOREIGN_QUEUES.
 *
 * Return: 0, or a negative errno.
 */
int t_foreign_open(struct t_foreign *b, const struct vu_frontend_wish *wish, unsigned int nr);

/** t_foreign_exit() - End the program and give all back. */
void t_foreign_exit(struct t_foreign *b);

/** t_foreign_said() - The start of what the program has to say for itself: one line. */
const char *t_foreign_said(const struct t_foreign *b, char *buf, size_t size);

/**
 * t_newer_version() - The version of a newer peer, see scripts/peers
 * @package:	Its package.
 * @text:	Set to the version, or to the reason why there is none and the cure.
 * @size:	Of @text.
 *
 * Return: 0, or %-ENOENT.
 */
int t_newer_version(const char *package, char *text, size_t size);

/** t_peers() - The file name of scripts/peers, "" if there is no VRINGLAB_SRC. */
const char *t_peers(void);

#endif /* VRINGLAB_SELFTESTS_T_FOREIGN_H */
