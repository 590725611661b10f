/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work for virtqueues, in threads, for as long as a test lasts: a guest served over
 * vhost-user, and the kernel's vhost-net and vhost-vsock driven from here.
 *
 * Each goes round by round and checks what comes back. All eventfds are this
 * process's, so that a test can register them.
 */
#ifndef VRINGLAB_SELFTESTS_T_TRAFFIC_H
#define VRINGLAB_SELFTESTS_T_TRAFFIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/err.h>

#define T_TRAFFIC_QUEUES 2u

struct t_traffic;

/**
 * struct t_traffic_ops - A kind of traffic
 * @name:	Of the kind.
 * @open:	Make it ready; sets @nr_queues, @kick and @call. Returns 0 or a
 *		negative errno with @err; @close follows in any case.
 * @run:	Go on until @stop is set. Returns 0 or a negative errno, with @err.
 * @close:	Free what @open made.
 */
struct t_traffic_ops {
	const char *name;
	int (*open)(struct t_traffic *t);
	int (*run)(struct t_traffic *t);
	void (*close)(struct t_traffic *t);
};

/* ioeventfd and irqfd of a guest that rings, and a vhost-user back-end. */
extern const struct t_traffic_ops t_traffic_guest;
/* Packets both ways between a tap and virtqueues 0 (receive) and 1 (transmit). */
extern const struct t_traffic_ops t_traffic_net;
/* Connections that are refused: virtqueues 0 (receive) and 1 (transmit). */
extern const struct t_traffic_ops t_traffic_vsock;

/**
 * struct t_traffic - Traffic under way
 * @ops:	Its kind.
 * @nr_queues:	Virtqueues.
 * @kick:	eventfd of each.
 * @call:	eventfd of each.
 * @state:	The kind's own.
 * @thread:	Runs @ops->run.
 * @running:	@thread is to be joined.
 * @stop:	Come to an end.
 * @rounds:	So far.
 * @ret:	Of @ops->run.
 * @err:	Why it failed.
 */
struct t_traffic {
	const struct t_traffic_ops *ops;
	unsigned int nr_queues;
	int kick[T_TRAFFIC_QUEUES];
	int call[T_TRAFFIC_QUEUES];
	void *state;
	pthread_t thread;
	bool running;
	bool stop;
	uint64_t rounds;
	int ret;
	struct vl_err err;
};

/**
 * t_traffic_start() - Start traffic
 * @t:		Filled; t_traffic_stop() it, whatever this returns.
 * @ops:	Its kind.
 *
 * Return: 0 or a negative errno, with @t->err.
 */
int t_traffic_start(struct t_traffic *t, const struct t_traffic_ops *ops);

/**
 * t_traffic_stop() - End it after the current round
 * @t:		Traffic; allowed twice.
 *
 * Return: 0, or a negative errno if anything went wrong, with @t->err.
 */
int t_traffic_stop(struct t_traffic *t);

/** t_traffic_stopping() - For @run: is it to end? */
static inline bool t_traffic_stopping(struct t_traffic *t)
{
	return __atomic_load_n(&t->stop, __ATOMIC_RELAXED);
}

/** t_traffic_round() - For @run: one more round. */
static inline void t_traffic_round(struct t_traffic *t)
{
	__atomic_add_fetch(&t->rounds, 1, __ATOMIC_RELAXED);
}

#endif /* VRINGLAB_SELFTESTS_T_TRAFFIC_H */
