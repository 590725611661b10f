/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of rtnetlink, shared by its files.
 */
#ifndef VRINGLAB_LIB_NL_RTNL_H
#define VRINGLAB_LIB_NL_RTNL_H

#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <vringlab/link.h>

/* The largest request makes two ends of a pair: a few names and headers. */
#define RTNL_SEND_SIZE 512

struct rtnl {
	struct mnl_socket *sock;
	unsigned int portid;
	uint32_t seq;
	char send_buf[RTNL_SEND_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
	char recv_buf[32768] __attribute__((aligned(MNL_ALIGNTO)));
};

/**
 * struct rtnl_request - A request while it is put together
 * @nlh:	The message.
 * @header:	Bytes before its first attribute.
 * @full:	Something had no room.
 */
struct rtnl_request {
	struct nlmsghdr *nlh;
	size_t header;
	bool full;
};

typedef int (*rtnl_answer_fn)(const struct nlmsghdr *nlh, void *data, struct vl_err *err);

/* Starts a request in the socket's buffer; @header is copied. */
struct rtnl_request rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags,
				 const void *header, size_t size);
void rtnl_put(struct rtnl_request *request, uint16_t type, const void *data, size_t size);
void rtnl_put_u32(struct rtnl_request *request, uint16_t type, uint32_t value);
void rtnl_put_name(struct rtnl_request *request, uint16_t type, const char *name);
struct nlattr *rtnl_nest(struct rtnl_request *request, uint16_t type);
void rtnl_nest_end(struct rtnl_request *request, struct nlattr *nest);

/* Sends it and reads until its acknowledgement. @answer may be NULL. */
int rtnl_transact(struct rtnl *rtnl, const struct rtnl_request *request, rtnl_answer_fn answer,
		  void *data, struct vl_err *err);

/* The index of an interface, or a negative errno. */
int rtnl_link_index(struct rtnl *rtnl, const char *name, struct vl_err *err);

struct tap_undo;

/* tap_setup.c: here and now, for the process that still has the privileges */
void tap_undo_all(const struct tap_undo *undo);

/* tap_keeper.c: start the process that does it. Returns 0 or a negative errno. */
int tap_keep(struct tap_undo *undo, struct vl_err *err);

#endif /* VRINGLAB_LIB_NL_RTNL_H */
