/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request at a time over one socket.
 */
#ifndef VRINGLAB_LIB_NL_INTERNAL_H
#define VRINGLAB_LIB_NL_INTERNAL_H

#include <stdint.h>

#include <libmnl/libmnl.h>

#include <vringlab/nl.h>

/* Longer than an interval in which no bucket is empty; dumps come in 32 KiB at most. */
#define VLNL_RECV_SIZE 65536
/* The largest request is a vring-add: a few integers and a label. */
#define VLNL_SEND_SIZE 512

struct vlnl {
	struct mnl_socket *sock;
	unsigned int portid;
	uint32_t seq;
	uint16_t family;
	uint32_t vrings_group;
	uint32_t threshold_group; /* 0 if the module has none */
	char send_buf[VLNL_SEND_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
	char recv_buf[VLNL_RECV_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
};

/*
 * Takes one answer. Called for every answer up to the first one it refuses with
 * a negative errno.
 */
typedef int (*vlnl_answer_fn)(const struct nlmsghdr *nlh, void *data, struct vl_err *err);

/*
 * Starts a request in the socket's own buffer. Attributes are put with the
 * _check functions and VLNL_SEND_SIZE.
 */
struct nlmsghdr *vlnl_request(struct vlnl *nl, uint16_t family, uint8_t cmd, uint8_t version,
			      uint16_t flags);

/*
 * Sends the request and reads until its acknowledgement or the end of its dump,
 * also where an answer was refused: a dump left half read would make the
 * kernel refuse the next one. -EINTR if the dump changed underway.
 */
int vlnl_transact(struct vlnl *nl, struct nlmsghdr *request, vlnl_answer_fn answer, void *data,
		  struct vl_err *err);

/* As vlnl_parse_ack(), for a request whose attributes begin after @header bytes. */
int vlnl_parse_ack_after(const struct nlmsghdr *nlh, const struct nlmsghdr *request, size_t header,
			 struct vl_err *err);

#endif /* VRINGLAB_LIB_NL_INTERNAL_H */
