// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may ask what, by capability and namespace.
 */
#include <sys/syscall.h>

#include "netlink_vring.h"
#include "t_policy.h"

/* What a caller without privilege may not, and may. */
static void expect_read_only(struct __test_metadata *_metadata, struct t_genl *g, uint32_t id,
			     struct t_vring *v)
{
	struct t_probe probes[8];
	struct t_vring got;
	struct t_stats s;

	EXPECT_EQ(-EPERM, t_vring_add(g, v));
	EXPECT_EQ(-EPERM, t_vring_del(g, id));
	EXPECT_EQ(0, t_vring_get(g, id, &got));
	EXPECT_EQ(0u, got.has & HAS(WAKE_USER_DATA));
	EXPECT_LT(0, t_vring_dump(g, &got, 1));
	EXPECT_EQ(0u, got.has & HAS(WAKE_USER_DATA));
	EXPECT_EQ(0, t_stats_get(g, id, &s));
	EXPECT_LT(0, t_probe_dump(g, probes, 8));
}

TEST_F_TIMEOUT(vring, without_CAP_NET_ADMIN_writes_are_EPERM_and_reads_work, SLOW)
{
	struct t_vring own;
	struct t_genl g;
	uint32_t id;

	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	id = vring_add(_metadata, &self->g, &self->v);
	own = self->v;
	own.kick_fd = new_eventfd(_metadata, 0);
	own.call_fd = new_eventfd(_metadata, 0);
	/* Each test is a process of its own: this one does not get it back. */
	ASSERT_EQ(0, drop_net_admin());
	/* Opened with the capability, used without it. */
	expect_read_only(_metadata, &self->g, id, &own);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	expect_read_only(_metadata, &g, id, &own);
	EXPECT_EQ(0u, g.leak);
	t_genl_close(&g);
}

TEST_F_TIMEOUT(vring, root_of_another_user_namespace_is_without_privilege, SLOW)
{
	struct t_vring own;
	struct t_genl g;
	uint32_t id;

	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	id = vring_add(_metadata, &self->g, &self->v);
	own = self->v;
	own.kick_fd = new_eventfd(_metadata, 0);
	own.call_fd = new_eventfd(_metadata, 0);
	if (unshare(CLONE_NEWUSER))
		SKIP(return, "needs user namespaces: sysctl user.max_user_namespaces");
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	expect_read_only(_metadata, &g, id, &own);
	t_genl_close(&g);
}

/* As unshare -Urn: all capabilities, but none that counts, and no family at all. */
TEST_F_TIMEOUT(vring, another_network_namespace_has_no_family, SLOW)
{
	struct t_vring own = self->v;
	struct t_genl g;
	uint32_t id;

	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	id = vring_add(_metadata, &self->g, &self->v);
	own.kick_fd = new_eventfd(_metadata, 0);
	own.call_fd = new_eventfd(_metadata, 0);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		SKIP(return, "needs user namespaces: sysctl user.max_user_namespaces");
	EXPECT_EQ(-ENOENT, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	/* Nor for who has heard of its number. */
	ASSERT_EQ(0, t_genl_open(&g, "nlctrl"));
	g.family = self->g.family;
	EXPECT_EQ(-ENOENT, t_vring_dump(&g, NULL, 0));
	EXPECT_EQ(-ENOENT, t_vring_add(&g, &own));
	EXPECT_EQ(-ENOENT, t_genl_join(&g, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	t_genl_close(&g);
	/* A socket stays in the namespace that it was opened in. */
	expect_read_only(_metadata, &self->g, id, &own);
}

TEST_F_TIMEOUT(vring, another_network_namespace_alone_takes_no_privilege, SLOW)
{
	struct t_vring got;
	struct t_genl g;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(-ENOENT, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
}

/* Of any command there is. */
TEST_F_TIMEOUT(vring, every_command_that_changes_something_is_EPERM_without_privilege, SLOW)
{
	struct t_policy *p = malloc(sizeof(*p));
	uint64_t before, after;
	unsigned int i, nr = 0;

	ASSERT_NE(NULL, p);
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, drop_net_admin());
	ASSERT_EQ(0, t_policy_read(p, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_policy_sum(p, &self->g, &before));
	for (i = 0; i < p->nr_ops; i++) {
		struct nlmsghdr *nlh;

		if (!(p->ops[i].flags & GENL_ADMIN_PERM))
			continue;
		nlh = t_genl_start(&self->g, p->ops[i].cmd, NLM_F_ACK);
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, self->v.id);
		EXPECT_EQ(-EPERM, t_genl_call(&self->g, NULL, NULL))
		{
			TH_LOG("command %u", p->ops[i].cmd);
		}
		nr++;
	}
	EXPECT_LE(2u, nr);
	ASSERT_EQ(0, t_policy_sum(p, &self->g, &after));
	EXPECT_EQ(before, after);
	free(p);
}

static int set_layout(struct t_genl *g)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_LAYOUT_SET, NLM_F_ACK);

	/* Of no name that there is: nothing is told, whoever may. */
	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_GENERATION, 0);
	mnl_attr_put_strz(nlh, VRINGLAB_A_LAYOUT_NAME, "none.such");
	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_SIZE, 4);
	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_OFFSET, 0);
	return t_genl_call(g, NULL, NULL);
}

/* Where the module is to read in the kernel's memory is not for who sets up networks. */
TEST_F_TIMEOUT(vring, a_layout_takes_CAP_SYS_ADMIN_too, SLOW)
{
	struct t_genl g;

	EXPECT_EQ(-ENOENT, set_layout(&self->g));
	ASSERT_EQ(0, drop_capability(CAP_SYS_ADMIN));
	/* Opened with the capability, used without it. */
	EXPECT_EQ(-EPERM, set_layout(&self->g));
	EXPECT_STRNE("", self->g.ack_msg);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	EXPECT_EQ(-EPERM, set_layout(&g));
	t_genl_close(&g);
	/* All else needs only the other. */
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

TEST_F_TIMEOUT(vring, a_layout_takes_CAP_NET_ADMIN_too, SLOW)
{
	ASSERT_EQ(0, drop_net_admin());
	EXPECT_EQ(-EPERM, set_layout(&self->g));
}

static int find_secret(const struct nlmsghdr *nlh, void *data)
{
	const uint64_t secret = 0x1122334455667788;

	if (memmem(nlh, nlh->nlmsg_len, &secret, sizeof(secret)))
		(*(unsigned int *)data)++;
	return MNL_CB_OK;
}

/* In how many messages of all dumps. */
static unsigned int nr_secrets(struct __test_metadata *_metadata, const struct t_policy *p,
			       struct t_genl *g)
{
	unsigned int i, nr = 0;

	for (i = 0; i < p->nr_ops; i++) {
		if (!(p->ops[i].flags & GENL_CMD_CAP_DUMP))
			continue;
		t_genl_start(g, p->ops[i].cmd, NLM_F_DUMP);
		EXPECT_EQ(0, t_genl_call(g, find_secret, &nr));
	}
	return nr;
}

TEST_F_TIMEOUT(vring, no_dump_tells_user_data_without_privilege, SLOW)
{
	struct t_policy *p = malloc(sizeof(*p));

	ASSERT_NE(NULL, p);
	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_policy_read(p, VRINGLAB_FAMILY_NAME));
	EXPECT_EQ(1u, nr_secrets(_metadata, p, &self->g));
	ASSERT_EQ(0, drop_net_admin());
	EXPECT_EQ(0u, nr_secrets(_metadata, p, &self->g));
	free(p);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
