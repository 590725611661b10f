/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the kernel's vhost share: discovery on, and the vring that is a
 * device's virtqueue.
 */
#ifndef VRINGLAB_SELFTESTS_MODULE_VHOST_H
#define VRINGLAB_SELFTESTS_MODULE_VHOST_H

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "module.h"
#include "t_vhost.h"

#define VERSION_1 (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)

/* Tells the module where vhost has what, as the command does. */
static inline __attribute__((unused)) void tell_layout(struct __test_metadata *_metadata)
{
	struct vlnl *nl = NULL;
	struct vl_err err;
	int told;

	ASSERT_EQ(0, vlnl_open(&nl, &err));
	told = vlnl_layout_tell(nl, &err);
	EXPECT_LT(0, told)
	{
		TH_LOG("%s", err.msg);
	}
	vlnl_close(nl);
}

/* The found vring of this process that is that virtqueue of a device of this kind. */
static inline __attribute__((unused)) bool find_queue(struct t_genl *g, uint32_t kind,
						      uint32_t queue, struct t_vring *found)
{
	struct t_vring v[64];
	int i, nr = t_vring_dump(g, v, 64);

	for (i = 0; i < nr && i < 64; i++) {
		if (!(v[i].has & HAS(DEVICE)) || v[i].backend != kind || v[i].queue != queue ||
		    v[i].owner_pid != (uint32_t)getpid())
			continue;
		*found = v[i];
		return true;
	}
	return false;
}

/* The same, once it has both of its eventfds. */
static inline __attribute__((unused)) bool is_ready(struct t_genl *g, uint32_t kind, uint32_t queue,
						    struct t_vring *found)
{
	const uint32_t both = HAS(KICK_EVENTFD_ID) | HAS(CALL_EVENTFD_ID);

	return find_queue(g, kind, queue, found) && (found->has & both) == both;
}

/* For the person who has to look. */
static inline __attribute__((unused)) void print_vrings(struct t_genl *g)
{
	struct t_vring v[64];
	int i, nr = t_vring_dump(g, v, 64);

	for (i = 0; i < nr && i < 64; i++)
		printf("# %s: backend %u, queue %u, pid %u, attributes %#x\n", v[i].label,
		       v[i].backend, v[i].queue, v[i].owner_pid, v[i].has);
}

/* Every decision has one outcome. */
#define EXPECT_DECIDED(s)                                                       \
	EXPECT_EQ(T_CNT(s, NOTIFIES),                                           \
		  T_CNT(s, CALLS_VHOST) + T_CNT(s, NOTIFIES_SUPPRESSED_FLAGS) + \
			  T_CNT(s, NOTIFIES_SUPPRESSED_EVENT) + T_CNT(s, NOTIFIES_UNHEARD))

#endif /* VRINGLAB_SELFTESTS_MODULE_VHOST_H */
