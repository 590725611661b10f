/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asserting tier above ../lib/t_ping.h: run one guest, find its virtqueue.
 */
#ifndef VRINGLAB_SELFTESTS_RING_PING_H
#define VRINGLAB_SELFTESTS_RING_PING_H

#include "module.h"
#include "t_ping.h"

/* One guest, on an emulated CPU; the guest's own limit is below it. */
#define GUEST_MS 100000

#define START_OR_SKIP(p)                                                                \
	do {                                                                            \
		if (access(t_vringlab(), X_OK))                                         \
			SKIP(return, "needs the command: set VRINGLAB=, or make user"); \
		if (access("/dev/kvm", R_OK | W_OK))                                    \
			SKIP(return, "needs /dev/kvm: load kvm_amd or kvm_intel");      \
		ASSERT_EQ(0, t_ping_start(p, true));                                    \
	} while (0)

static inline __attribute__((unused)) uint32_t vring_id(struct __test_metadata *_metadata,
							struct t_genl *g, const char *label)
{
	struct t_vring v[16];
	uint32_t id = 0;
	int i, nr = t_vring_dump(g, v, 16);

	ASSERT_LE(0, nr);
	for (i = 0; i < nr && i < 16; i++)
		if (!strcmp(v[i].label, label))
			id = v[i].id;
	ASSERT_NE(0u, id)
	{
		TH_LOG("no vring '%s' among %d", label, nr);
	}
	return id;
}

/* How far it came, for the person who has to look. */
static inline __attribute__((unused)) void print_vring(const char *label)
{
	struct t_vring v[16];
	struct t_stats s;
	struct t_genl g;
	int i, nr;

	if (t_genl_open(&g, VRINGLAB_FAMILY_NAME))
		return;
	nr = t_vring_dump(&g, v, 16);
	for (i = 0; i < nr && i < 16; i++)
		if (!strcmp(v[i].label, label) && !t_stats_get(&g, v[i].id, &s))
			t_stats_print(&s);
	t_genl_close(&g);
}

/* Runs a guest to its end and what it says of itself must be good. */
static inline __attribute__((unused)) void run_guest(struct __test_metadata *_metadata,
						     struct t_ping *p, const char *args,
						     struct t_ping_guest *guest)
{
	ASSERT_EQ(0, t_ping_vmm_start(p, args));
	ASSERT_EQ(0, t_ping_vmm_wait(p, guest, GUEST_MS))
	{
		TH_LOG("exit code %d: %s", guest->code, guest->err);
		print_vring(p->label);
	}
	ASSERT_EQ(0, guest->code)
	{
		TH_LOG("%s", guest->err);
		print_vring(p->label);
	}
	EXPECT_TRUE(guest->ok);
	EXPECT_EQ(0u, guest->mismatches);
	EXPECT_EQ(0u, guest->errors);
}

#endif /* VRINGLAB_SELFTESTS_RING_PING_H */
