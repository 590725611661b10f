/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thresholds, and listening for their hits.
 */
#ifndef VRINGLAB_SELFTESTS_T_THRESHOLD_H
#define VRINGLAB_SELFTESTS_T_THRESHOLD_H

#include <stdint.h>

#include <linux/vringlab.h>

#include "t_genl.h"

/**
 * struct t_threshold - One to be added, or as the module described it
 * @has:	Bit per VRINGLAB_A_THRESHOLD_* that is sent, or was received.
 */
struct t_threshold {
	uint32_t has;
	uint32_t id;
	uint32_t vring_id;
	uint32_t span;
	uint64_t ns;
	uint32_t actions;
	uint64_t hits;
	uint64_t lost;
};

/**
 * struct t_hit - A message of the group threshold
 * @has:	Bit per VRINGLAB_A_HIT_* received.
 */
struct t_hit {
	uint32_t has;
	uint32_t threshold_id;
	uint32_t vring_id;
	uint32_t span;
	uint64_t ns;
	uint64_t stamp_ns;
};

/** t_threshold_add() - Send threshold-add with what @t->has says; sets @t->id. */
int t_threshold_add(struct t_genl *g, struct t_threshold *t);

/** t_threshold_del() - Send threshold-del. */
int t_threshold_del(struct t_genl *g, uint32_t id);

/** t_threshold_get() - Send threshold-get for one. */
int t_threshold_get(struct t_genl *g, uint32_t id, struct t_threshold *t);

/**
 * t_threshold_dump() - All thresholds
 * @t:		Array of @max.
 *
 * Return: how many there are, which may be more than @max, or a negative errno.
 */
int t_threshold_dump(struct t_genl *g, struct t_threshold *t, unsigned int max);

/** t_threshold_listen() - Join the group; @g is for t_threshold_hear() only then. */
int t_threshold_listen(struct t_genl *g);

/** t_threshold_hear() - The next hit; 0, %-ETIMEDOUT, or another negative errno. */
int t_threshold_hear(struct t_genl *g, struct t_hit *hit, int timeout_ms);

#endif /* VRINGLAB_SELFTESTS_T_THRESHOLD_H */
