/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listening unix socket that leaves nothing behind.
 */
#ifndef VRINGLAB_LISTENER_H
#define VRINGLAB_LISTENER_H

#include <sys/types.h>

struct vl_err;

/**
 * struct listener - A listening socket and its file
 * @fd:		Socket, without O_NONBLOCK; -1 while there is none.
 * @path:	The caller's.
 * @dev:	With @ino: which file at @path is ours.
 * @ino:	See @dev.
 */
struct listener {
	int fd;
	const char *path;
	dev_t dev;
	ino_t ino;
};

/**
 * listener_open() - Bind and listen
 * @listener:	Set on success only.
 * @path:	Socket path; stays the caller's, until listener_close().
 * @mode:	Permissions of the file, there from the start.
 * @group:	Its group, or -1.
 * @err:	What went wrong, may be NULL.
 *
 * A socket file that nothing listens on is what a killed process left: it is
 * replaced. No other kind of file is.
 *
 * Return: 0, or
 * * %-EADDRINUSE - something listens there, or it is no socket
 * * %-ENAMETOOLONG - @path does not fit a socket address
 * * other - from socket(2), bind(2), chown(2), chmod(2), listen(2)
 */
int listener_open(struct listener *listener, const char *path, mode_t mode, gid_t group,
		  struct vl_err *err);

/**
 * listener_close() - Close the socket and remove its file
 * @listener:	Listener; a file that is not ours any more is left alone.
 */
void listener_close(struct listener *listener);

#endif /* VRINGLAB_LISTENER_H */
