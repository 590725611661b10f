/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A front-end that outlives its back-end: when one is lost, the next one at the
 * same path gets the same features, the memory, the virtqueues, and the record of
 * what was in flight, which it completes.
 *
 * One thread at a time.
 */
#ifndef VRINGLAB_VHOST_USER_SESSION_H
#define VRINGLAB_VHOST_USER_SESSION_H

#include <vringlab/vhost_user_frontend.h>

/**
 * struct vu_session_config - What stays the same
 * @path:	Socket.
 * @timeout_ms:	For each reply, and until there is a back-end.
 * @wish:	What to negotiate. INFLIGHT_SHMFD is added.
 * @num_queues:	Virtqueues whose requests in flight are recorded; 0 for no record, until
 *		vu_session_renew_record().
 * @queue_size:	Of each.
 * @persist:	Wait for a back-end that is not there, and go on with the next one.
 * @record:	With @persist: each has to record what is in flight. A back-end without a
 *		record serves again what it finds behind the last used one.
 * @start:	Hands over memory and virtqueues, to each back-end. Returns 0 or a
 *		negative errno.
 * @ctx:	For @start.
 *
 * A lost back-end may have taken a kick and not served it, or served a chain and not
 * called: after @start both have to be made good, see vu_session_renotify().
 */
struct vu_session_config {
	const char *path;
	unsigned int timeout_ms;
	struct vu_frontend_wish wish;
	unsigned int num_queues;
	unsigned int queue_size;
	bool persist;
	bool record;
	int (*start)(void *ctx, struct vu_frontend *fe, struct vl_err *err);
	void *ctx;
};

/**
 * struct vu_session - A session
 * @config:	What stays the same; @config.wish.required is what was negotiated first.
 * @fe:		Front-end, NULL while there is none.
 * @inflight:	Record's facts.
 * @inflight_fd: Record, -1 for none.
 * @lost:	Back-ends that were lost.
 */
struct vu_session {
	struct vu_session_config config;
	struct vu_frontend *fe;
	struct vu_inflight inflight;
	int inflight_fd;
	uint64_t lost;
};

/** vu_session_init() - Start without a connection; @config is copied. */
void vu_session_init(struct vu_session *s, const struct vu_session_config *config);

/**
 * vu_session_try() - One try to connect
 * @s:		Session; a connection that it has is closed.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOTSUP where the back-end has to record what is in flight and does
 * not, or as vu_frontend_connect(), vu_frontend_open() and @start.
 */
int vu_session_try(struct vu_session *s, struct vl_err *err);

/**
 * vu_session_connect() - Try until it works
 * @s:		Session.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vu_session_try(), when the timeout is over or another try is of no use.
 */
int vu_session_connect(struct vu_session *s, struct vl_err *err);

/** vu_session_reconnect() - The back-end was lost: go on with the next one. */
int vu_session_reconnect(struct vu_session *s, struct vl_err *err);

/**
 * vu_session_renew_record() - Virtqueues begin anew: forget what was in flight
 * @s:		Session with a front-end, whose virtqueues are all stopped.
 * @num_queues:	As in struct vu_session_config, from now on.
 * @queue_size:	Likewise; 0 for no record.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, also without a record where none is required; or as vu_session_try().
 */
int vu_session_renew_record(struct vu_session *s, unsigned int num_queues, unsigned int queue_size,
			    struct vl_err *err);

/** vu_session_may_retry() - Is it @persist, and no back-end, or none any more? */
bool vu_session_may_retry(const struct vu_session *s, int code);

/** vu_session_is_lost() - Has the back-end left? Asks the socket. */
bool vu_session_is_lost(const struct vu_session *s);

/** vu_session_fd() - As vu_frontend_fd(), and -1 without a front-end. */
int vu_session_fd(const struct vu_session *s);

/**
 * vu_session_renotify() - A kick and a call, for those that a back-end took along
 * @vring:	Virtqueue that was started again.
 */
void vu_session_renotify(const struct vu_frontend_vring *vring);

/** vu_session_destroy() - Close the connection and the record. */
void vu_session_destroy(struct vu_session *s);

#endif /* VRINGLAB_VHOST_USER_SESSION_H */
