/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generic netlink, one message at a time and exactly as the test wants it:
 * attributes missing, too long or unknown, and the kernel's whole answer.
 *
 * Deliberately not on user/lib/nl: that library is under test too.
 */
#ifndef VRINGLAB_SELFTESTS_T_GENL_H
#define VRINGLAB_SELFTESTS_T_GENL_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

/* Longer than any message of the family; libmnl wants a page or 8 KiB. */
#define T_GENL_BUF 65536

/**
 * struct t_genl - One socket
 * @nl:		libmnl's socket.
 * @family:	Id of the resolved family.
 * @seq:	Last sequence number sent.
 * @ack_msg:	Extended ACK text of the last request, "" if there was none.
 * @ack_attr:	Type of the attribute the last extended ACK pointed at, 0 if none.
 * @ack_miss:	Type of the attribute it said is missing, 0 if none.
 * @dump_intr:	The last dump was flagged NLM_F_DUMP_INTR.
 * @part:	Bytes to ask for at a time.
 * @leak:	A kernel address seen in any answer so far, 0 if none.
 */
struct t_genl {
	struct mnl_socket *nl;
	uint16_t family;
	uint32_t seq;
	char ack_msg[256];
	uint16_t ack_attr;
	uint16_t ack_miss;
	int dump_intr;
	unsigned int part;
	uint64_t leak;
	char request[T_GENL_BUF];
	char answer[T_GENL_BUF];
};

/**
 * t_genl_open() - Open a socket and resolve a family
 * @g:		Filled.
 * @family:	Name.
 *
 * Return: 0, %-ENOENT where there is no such family, or another errno.
 */
int t_genl_open(struct t_genl *g, const char *family);

/**
 * t_genl_open_parts() - The same, for dumps in small parts
 * @g:		Filled.
 * @family:	Name.
 * @part:	Bytes to ask for at a time. The kernel makes parts as large as the
 *		most that the socket was ever asked for.
 *
 * Return: as t_genl_open().
 */
int t_genl_open_parts(struct t_genl *g, const char *family, unsigned int part);

/** t_genl_group() - Find a family's multicast group; %-ENOENT if it has none of that name. */
int t_genl_group(struct t_genl *g, const char *family, const char *name, uint32_t *group);

/** t_genl_close() - Close the socket; allowed twice. */
void t_genl_close(struct t_genl *g);

/**
 * t_genl_start() - Begin a request in @g->request
 * @g:		Socket.
 * @cmd:	Command of the family.
 * @flags:	NLM_F_* besides NLM_F_REQUEST.
 *
 * Return: the message; put attributes with libmnl, then t_genl_call().
 */
struct nlmsghdr *t_genl_start(struct t_genl *g, uint8_t cmd, uint16_t flags);

/**
 * t_genl_call() - Send the request and take the whole answer
 * @g:		Socket.
 * @cb:		For each message of the answer, may be NULL; as mnl_cb_t.
 * @data:	For @cb.
 *
 * Return: 0 or the negative errno of the kernel's answer; %-ETIMEDOUT when
 * there is none for 20 s.
 */
int t_genl_call(struct t_genl *g, mnl_cb_t cb, void *data);

/**
 * t_genl_join() - Become a listener
 * @g:		Socket; not to be used for calls any more.
 * @family:	Family that has the group.
 * @group:	Name.
 *
 * Return: 0, or %-ENOENT where there is no such group, or another errno.
 */
int t_genl_join(struct t_genl *g, const char *family, const char *group);

/**
 * t_genl_next() - Wait for what listeners are told
 * @g:		Socket that has joined a group.
 * @cb:		For each message.
 * @data:	For @cb.
 *
 * Return: 0, or
 * * %-ETIMEDOUT - there is none for 20 s
 * * %-ENOBUFS - the kernel had some to tell and the socket no room for them
 * * %-EBADMSG - it is no notification, or @cb does not like it
 */
int t_genl_next(struct t_genl *g, mnl_cb_t cb, void *data);

#endif /* VRINGLAB_SELFTESTS_T_GENL_H */
