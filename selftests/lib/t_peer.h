/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-user peer that says anything: raw bytes and fds on a unix socket.
 *
 * Written against the specification, without the library under test but for its
 * layouts.
 */
#ifndef VRINGLAB_SELFTESTS_T_PEER_H
#define VRINGLAB_SELFTESTS_T_PEER_H

#include <stddef.h>
#include <stdint.h>

#include <vringlab/vhost_user_msg.h>

/**
 * t_peer_connect() - Connect to a unix socket
 * @path:	Socket.
 *
 * Return: an fd, or a negative errno.
 */
int t_peer_connect(const char *path);

/**
 * t_peer_listen() - Listen on a unix socket
 * @path:	Socket.
 *
 * Return: an fd, or a negative errno.
 */
int t_peer_listen(const char *path);

/**
 * t_peer_send() - Send bytes, with fds at the first of them
 * @fd:		Socket.
 * @data:	Bytes.
 * @len:	Count.
 * @fds:	fds, stay the caller's.
 * @nr_fds:	Count, up to 253.
 *
 * Return: 0, or a negative errno of sendmsg(2).
 */
int t_peer_send(int fd, const void *data, size_t len, const int *fds, unsigned int nr_fds);

/**
 * t_peer_request() - Send a whole message
 * @fd:		Socket.
 * @request:	Id.
 * @flags:	All flags, the version too.
 * @payload:	May be NULL if @size is 0.
 * @size:	Bytes of it, told in the header.
 *
 * Return: as t_peer_send().
 */
int t_peer_request(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size);

/** t_peer_request_fds() - As t_peer_request(), with fds. */
int t_peer_request_fds(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		       const int *fds, unsigned int nr_fds);

/**
 * t_peer_reply() - Receive one message
 * @fd:		Socket.
 * @hdr:	Set.
 * @payload:	At least sizeof(union vu_payload) bytes; hdr->size of them are set.
 *
 * Return: 0, %-EPIPE at the end of the stream, %-ETIMEDOUT, %-EMSGSIZE.
 */
int t_peer_reply(int fd, struct vu_header *hdr, union vu_payload *payload);

/**
 * t_peer_closed() - Wait for the end of the stream
 * @fd:		Socket.
 *
 * Return: 0 when the other end has closed and had said nothing before, %-EPROTO if
 * it said something, %-ETIMEDOUT.
 */
int t_peer_closed(int fd);

#endif /* VRINGLAB_SELFTESTS_T_PEER_H */
