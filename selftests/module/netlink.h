/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs about netlink share: one virtqueue that could be registered,
 * what a refusal must look like, and virtqueues by the dozen.
 */
#ifndef VRINGLAB_SELFTESTS_NETLINK_H
#define VRINGLAB_SELFTESTS_NETLINK_H

#include "module.h"

/*
 * The request is refused with this errno, in words or by naming what is missing,
 * pointing at this attribute (0: at none in particular).
 */
#define EXPECT_REFUSED(error, attr, call)                                                       \
	do {                                                                                    \
		int ret_ = (call);                                                              \
		EXPECT_EQ(-(error), ret_)                                                       \
		{                                                                               \
			TH_LOG("%s: %s", #call, self->g.ack_msg);                               \
		}                                                                               \
		EXPECT_TRUE(self->g.ack_msg[0] || self->g.ack_miss)                             \
		{                                                                               \
			TH_LOG("%s: refused without a word", #call);                            \
		}                                                                               \
		if (attr)                                                                       \
			EXPECT_TRUE((attr) == self->g.ack_attr || (attr) == self->g.ack_miss)   \
			{                                                                       \
				TH_LOG("points at %u, misses %u, not %u: %s", self->g.ack_attr, \
				       self->g.ack_miss, (attr), self->g.ack_msg);              \
			}                                                                       \
	} while (0)

/* How many virtqueues there are, the anchor and foreign ones included. */
static inline __attribute__((unused)) int nr_vrings(struct __test_metadata *_metadata,
						    struct t_genl *g)
{
	int ret = t_vring_dump(g, NULL, 0);

	ASSERT_LE(0, ret);
	return ret;
}

static inline __attribute__((unused)) int add_new(struct t_genl *g, struct t_vring *v,
						  const char *label)
{
	int kick = eventfd(0, EFD_CLOEXEC);
	int call = eventfd(0, EFD_CLOEXEC);
	int ret;

	*v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.kick_fd = kick,
		.call_fd = call,
	};
	strcpy(v->label, label);
	ret = t_vring_add(g, v);
	close(kick);
	close(call);
	return ret;
}

#endif /* VRINGLAB_SELFTESTS_NETLINK_H */
