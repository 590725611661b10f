/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs about discovery share: it is on while their test runs, loses
 * nothing, and finds what this process has set up.
 */
#ifndef VRINGLAB_SELFTESTS_DISCOVER_H
#define VRINGLAB_SELFTESTS_DISCOVER_H

#include "module.h"

#define MAX 16

static inline __attribute__((unused)) void discover_begin(struct __test_metadata *_metadata,
							  struct t_genl *g)
{
	ASSERT_EQ(0, t_discover_set(g, true, false))
	{
		TH_LOG("discover-set: %s", g->ack_msg);
	}
}

static inline __attribute__((unused)) void discover_end(struct __test_metadata *_metadata,
							struct t_genl *g)
{
	struct t_discover d;

	EXPECT_EQ(0, t_discover_get(g, &d));
	EXPECT_EQ(0u, d.lost);
	EXPECT_EQ(0u, g->leak);
	t_genl_close(g);
}

/* The found ones of this process come first in @v, of MAX; returns how many. */
static inline __attribute__((unused)) unsigned int ours(struct t_genl *g, struct t_vring *v)
{
	unsigned int i, nr = 0;
	int found;

	found = t_vring_dump(g, v, MAX);
	for (i = 0; (int)i < found && i < MAX; i++)
		if (v[i].has & HAS(FOUND) && v[i].owner_pid == (uint32_t)getpid())
			v[nr++] = v[i];
	return found < 0 ? MAX + 1 : nr;
}

#define ASSERT_OURS(nr)                                          \
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == (nr))) \
	{                                                        \
		TH_LOG("%u are found", ours(&self->g, self->v)); \
	}

#endif /* VRINGLAB_SELFTESTS_DISCOVER_H */
