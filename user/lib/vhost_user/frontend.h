/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the front-end:
 *
 *	frontend.c		the connection, and one request at a time on it
 *	frontend_session.c	features, status, reset, config space
 *	frontend_mem.c		memory table and regions
 *	frontend_ring.c		virtqueues
 *	frontend_migrate.c	dirty log, inflight region
 *	frontend_state.c	device state
 *	frontend_channel.c	messages of the back-end
 *	session.c		a connection that is made again
 */
#ifndef VHOST_USER_FRONTEND_H
#define VHOST_USER_FRONTEND_H

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_conn.h>
#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vring_mem.h>

/* No back-end is known that takes more. */
#define FRONTEND_REGIONS_MAX VRING_MEM_REGIONS_MAX

/**
 * struct frontend_channel - Messages of the back-end
 * @conn:	Its connection, NULL for none.
 * @ops:	Who is told.
 * @ctx:	For @ops.
 */
struct frontend_channel {
	struct vu_conn *conn;
	const struct vu_frontend_channel_ops *ops;
	void *ctx;
};

/**
 * struct vu_frontend - A front-end
 * @loop:	Its own; runs only while a call waits.
 * @conn:	Connection; NULL once it is over.
 * @timeout_ms:	For each reply.
 * @features:	Negotiated.
 * @protocol_features: Negotiated.
 * @request:	The request that waits.
 * @replies:	It ends with a reply, not with being sent.
 * @waiting:	It has not ended.
 * @reply:	Its reply.
 * @reply_size:	Bytes of @reply.
 * @reply_fd:	The fd that came with it, -1 for none.
 * @failure:	How the connection ended; code 0 while it has not.
 * @channel:	Messages of the back-end.
 * @nr_regions:	Of @regions.
 * @regions:	What the back-end has of memory.
 */
struct vu_frontend {
	struct loop *loop;
	struct vu_conn *conn;
	unsigned int timeout_ms;
	uint64_t features;
	uint64_t protocol_features;
	enum vu_request request;
	bool replies;
	bool waiting;
	union vu_payload reply;
	uint32_t reply_size;
	int reply_fd;
	struct vl_err failure;
	struct frontend_channel channel;
	unsigned int nr_regions;
	struct vu_frontend_region regions[FRONTEND_REGIONS_MAX];
};

static inline bool has_protocol(const struct vu_frontend *fe, unsigned int bit)
{
	return vu_has_feature(fe->protocol_features, bit);
}

/* frontend.c */
int frontend_wait(struct vu_frontend *fe);
/* A request that has a reply of its own, which is then in fe->reply. */
int frontend_ask(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		 uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err);
/* A request that has none, acknowledged if that is negotiated. */
int frontend_tell(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		  uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err);
int frontend_tell_u64(struct vu_frontend *fe, enum vu_request request, uint64_t u64,
		      struct vl_err *err);
/* Was what the request needs negotiated? -ENOTSUP if not. */
int frontend_check_gate(const struct vu_frontend *fe, enum vu_request request, struct vl_err *err);

/* frontend_channel.c */
void frontend_channel_close(struct vu_frontend *fe);

#endif /* VHOST_USER_FRONTEND_H */
