/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module says of one virtqueue, and the laws its numbers obey.
 *
 * The laws are read from Documentation/netlink/specs/vringlab.yaml, not from
 * the module. They hold whenever nothing is under way.
 */
#ifndef VRINGLAB_SELFTESTS_T_VRING_H
#define VRINGLAB_SELFTESTS_T_VRING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/vringlab.h>

#include "t_genl.h"

#define T_FACTS 4
#define T_NR_SPANS (VRINGLAB_SPAN_KICK_ENTRY + 1)

/**
 * struct t_vring - A registration to be made, or as the module described it
 * @has:	Bit per VRINGLAB_A_VRING_* that is sent, or was received.
 * @nr_ioeventfds: How many were received, of which the first T_FACTS are here.
 * @nr_irqfds:	Likewise.
 */
struct t_vring {
	uint32_t has;
	uint32_t id;
	char label[64];
	uint32_t backend;
	uint32_t kick_fd;
	uint32_t call_fd;
	uint32_t pid;
	uint64_t wake_user_data;
	uint32_t device;
	uint32_t queue;
	uint32_t size;
	uint32_t owner_pid;
	char owner_comm[32];
	uint32_t kick_eventfd_id;
	uint32_t call_eventfd_id;
	uint32_t vm;
	uint32_t vm_pid;
	uint32_t vcpu;
	struct t_ioeventfd {
		bool pio;
		bool has_datamatch;
		uint64_t address;
		uint32_t length;
		uint64_t datamatch;
	} ioeventfd[T_FACTS];
	unsigned int nr_ioeventfds;
	uint32_t gsi[T_FACTS];
	unsigned int nr_irqfds;
};

/**
 * struct t_discover - Whether the module looks for virtqueues
 */
struct t_discover {
	uint32_t enabled;
	bool persist;
	uint64_t lost;
};

/**
 * struct t_hist - One histogram
 * @has:	Bit per VRINGLAB_A_HIST_* received.
 * @bucket:	Those received, in their order.
 */
struct t_hist {
	uint32_t has;
	uint32_t span;
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint32_t sub_bits;
	unsigned int nr_buckets;
	struct {
		uint32_t index;
		uint64_t count;
	} bucket[VRINGLAB_HIST_BUCKETS];
};

/**
 * struct t_stats - All numbers of one virtqueue
 * @has:	Bit per VRINGLAB_A_COUNTERS_* received.
 * @v:		Counters by VRINGLAB_A_COUNTERS_*; see T_CNT().
 * @hist:	Histograms by span.
 */
struct t_stats {
	uint32_t id;
	uint64_t has;
	uint64_t v[VRINGLAB_A_COUNTERS_MAX + 1];
	struct t_hist hist[T_NR_SPANS];
};

/**
 * struct t_interval - What one virtqueue did between two resets
 * @has:	Bit per VRINGLAB_A_INTERVAL_* received.
 * @nr_hists:	Histograms received.
 */
struct t_interval {
	uint32_t has;
	uint64_t begin_ns;
	uint64_t end_ns;
	unsigned int nr_hists;
	struct t_stats s;
};

/* T_CNT(&s, KICKS_KVM), T_SPAN(&s, KICK_WAKE)->count */
#define T_CNT(s, name) ((s)->v[VRINGLAB_A_COUNTERS_##name])
#define T_SPAN(s, name) (&(s)->hist[VRINGLAB_SPAN_##name])

/**
 * struct t_probe - One place the module can hook
 * @hops: Bit by hop; one of 32 or more is bit 31.
 * @nr_hops: How many hop attributes there were.
 * @error: Value of the errno attribute, 0 if it was not there.
 */
struct t_probe {
	char name[64];
	char module[64];
	uint32_t type;
	uint32_t hops;
	unsigned int nr_hops;
	uint32_t state;
	uint32_t error;
};

/** t_vring_add() - Send vring-add with what @v->has says; sets @v->id. */
int t_vring_add(struct t_genl *g, struct t_vring *v);

/** t_vring_take() - Fill a struct t_vring with what a message describes. */
int t_vring_take(const struct nlmsghdr *nlh, void *data);

/** t_vring_del() - Send vring-del. */
int t_vring_del(struct t_genl *g, uint32_t id);

/** t_vring_get() - Send vring-get for one. */
int t_vring_get(struct t_genl *g, uint32_t id, struct t_vring *v);

/**
 * t_vring_dump() - All virtqueues
 * @v:		Array of @max.
 *
 * Return: how many there are, which may be more than @max, or a negative errno.
 */
int t_vring_dump(struct t_genl *g, struct t_vring *v, unsigned int max);

/** t_discover_get() - Send discover-get. */
int t_discover_get(struct t_genl *g, struct t_discover *d);

/** t_discover_set() - Send discover-set. */
int t_discover_set(struct t_genl *g, bool enabled, bool persist);

/** t_probe_dump() - All probes; returns as t_vring_dump(). */
int t_probe_dump(struct t_genl *g, struct t_probe *p, unsigned int max);

/** t_stats_get() - Counters and all histograms, each by its own request. */
int t_stats_get(struct t_genl *g, uint32_t id, struct t_stats *s);

/** t_counters_get() - Counters only. */
int t_counters_get(struct t_genl *g, uint32_t id, struct t_stats *s);

/** t_hist_get() - One histogram. */
int t_hist_get(struct t_genl *g, uint32_t id, uint32_t span, struct t_hist *h);

/** t_interval_get() - Send interval-get, or interval-reset with @reset. */
int t_interval_get(struct t_genl *g, uint32_t id, bool reset, struct t_interval *i);

/** t_hist_start() - First value of bucket @index, by the spec's formula. */
uint64_t t_hist_start(uint32_t index);

/**
 * t_hist_broken() - Is a histogram in itself consistent?
 *
 * Return: "" if so, else which rule it breaks, in a static buffer.
 */
const char *t_hist_broken(const struct t_hist *h);

/**
 * t_stats_broken() - Do counters and histograms fit together?
 *
 * Return: "" if so, else which law they break with its numbers, in a static
 * buffer.
 */
const char *t_stats_broken(const struct t_stats *s);

/** t_stats_print() - All that is not zero, one "# name value" a line. */
void t_stats_print(const struct t_stats *s);

#endif /* VRINGLAB_SELFTESTS_T_VRING_H */
