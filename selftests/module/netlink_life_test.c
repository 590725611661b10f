// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a registration lives.
 */
#include <sys/wait.h>

#include "netlink_vring.h"

TEST_F_TIMEOUT(vring, closing_the_socket_deletes_its_vrings, SLOW)
{
	struct t_vring got, second = self->v;
	struct t_genl g;

	second.kick_fd = new_eventfd(_metadata, 0);
	second.call_fd = new_eventfd(_metadata, 0);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &self->g, &self->v);
	vring_add(_metadata, &g, &second);
	t_genl_close(&g);
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, second.id, &got) == -ENOENT));
	/* Ours is none of its business. */
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
}

TEST_F_TIMEOUT(vring, the_end_of_the_process_deletes_its_vrings, SLOW)
{
	struct t_vring got;
	int ready[2];
	pid_t child;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	child = fork_child();
	ASSERT_LE(0, child);
	if (!child) {
		struct t_genl g;

		if (t_genl_open(&g, VRINGLAB_FAMILY_NAME) || t_vring_add(&g, &self->v) ||
		    write(ready[1], &self->v.id, sizeof(self->v.id)) < 0)
			_exit(1);
		pause();
	}
	ASSERT_EQ(0, t_read_until(ready[0], &self->v.id, sizeof(self->v.id), T_DEADLINE_MS));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, self->v.id, &got) == -ENOENT));
}

TEST_F_TIMEOUT(vring, a_persistent_one_survives_its_socket, SLOW)
{
	struct t_vring got, other = self->v;
	struct t_genl g;
	struct t_stats s;

	other.kick_fd = new_eventfd(_metadata, 0);
	other.call_fd = new_eventfd(_metadata, 0);
	self->v.has |= HAS(PERSIST);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &g, &self->v);
	vring_add(_metadata, &g, &other);
	t_genl_close(&g);
	/* The other's end is the proof that the socket's has been dealt with. */
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, other.id, &got) == -ENOENT));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

TEST_F_TIMEOUT(vring, another_socket_may_delete_it, SLOW)
{
	struct t_vring got;
	struct t_genl g;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	EXPECT_EQ(0, t_vring_del(&g, self->v.id));
	EXPECT_EQ(-ENOENT, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(-ENOENT, t_vring_del(&self->g, self->v.id));
	t_genl_close(&g);
}

TEST_F_TIMEOUT(vring, closed_eventfds_stay_registered_until_deleted, SLOW)
{
	struct t_vring got;
	struct t_stats s;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	close(self->kick);
	close(self->call);
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
