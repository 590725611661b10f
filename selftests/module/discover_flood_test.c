// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users without any privilege who have as many virtqueues found as they can: there
 * is room left for others, and for whoever registers.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "front_end.h"
#include "netlink.h"

/* Of the 1024 virtqueues that there can be. */
#define FOUND_MAX 768u
#define REGISTERED 256u
#define QUEUES 256
#define MANY (3 * QUEUES)

/* A child that has as many found as it wants to, until it is killed. */
struct user {
	pid_t pid;
	int done;
};

/* clang-format off */
FIXTURE(flood) {
	struct t_genl g;
	struct user user[2];
	struct t_discover d;
	struct t_vring v[FOUND_MAX + REGISTERED];
};

/* clang-format on */

FIXTURE_SETUP(flood)
{
	struct rlimit files = { 4 * MANY, 4 * MANY };

	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
}

static void end_user(struct user *user)
{
	if (!user->pid)
		return;
	close(user->done);
	kill(user->pid, SIGKILL);
	waitpid(user->pid, NULL, 0);
	user->pid = 0;
}

FIXTURE_TEARDOWN(flood)
{
	end_user(&self->user[0]);
	end_user(&self->user[1]);
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

/* Of @nr virtqueues, by one front-end for each 256; the other end takes what comes. */
static void set_up(struct __test_metadata *_metadata, int nr)
{
	int i, sock[2];
	char room[64];

	for (i = 0; i < nr; i++) {
		if (i % QUEUES == 0)
			ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
		set(_metadata, sock[0], SET_VRING_KICK, i % QUEUES, new_eventfd(_metadata, 0));
		ASSERT_LT(0, read(sock[1], room, sizeof(room)));
	}
}

static void start_user(struct __test_metadata *_metadata, struct user *user, uid_t uid, int nr)
{
	int done[2];
	char c = 0;

	ASSERT_EQ(0, pipe(done));
	user->pid = fork_child();
	ASSERT_LE(0, user->pid);
	if (!user->pid) {
		ASSERT_EQ(0, setuid(uid));
		/* setuid() has undone it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		set_up(_metadata, nr);
		ASSERT_EQ(1, write(done[1], &c, 1));
		pause();
		_exit(1);
	}
	close(done[1]);
	user->done = done[0];
	ASSERT_EQ(1, read(user->done, &c, 1));
}

/* How many are found of a user's process; of all, with NULL. */
static unsigned int nr_found(FIXTURE_DATA(flood) * self, const struct user *user)
{
	int i, nr = t_vring_dump(&self->g, self->v, FOUND_MAX + REGISTERED);
	unsigned int found = 0;

	for (i = 0; i < nr; i++)
		if (self->v[i].has & HAS(FOUND) &&
		    (!user || self->v[i].owner_pid == (uint32_t)user->pid))
			found++;
	return found;
}

static uint64_t nr_lost(FIXTURE_DATA(flood) * self)
{
	return t_discover_get(&self->g, &self->d) ? UINT64_MAX : self->d.lost;
}

/* Of @nr virtqueues of a new process, how many are found; all others must be lost. */
static unsigned int found_of(struct __test_metadata *_metadata, FIXTURE_DATA(flood) * self,
			     struct user *user, uid_t uid, int nr)
{
	uint64_t lost = nr_lost(self);

	end_user(user);
	start_user(_metadata, user, uid, nr);
	EXPECT_TRUE(EVENTUALLY(nr_found(self, user) + nr_lost(self) - lost == (uint64_t)nr));
	return nr_found(self, user);
}

/* What was freed is there a moment later. */
#define EXPECT_FOUND(nr, user, uid, wanted) \
	EXPECT_TRUE(EVENTUALLY(found_of(_metadata, self, user, uid, wanted) == (nr)))

static void register_others(struct __test_metadata *_metadata, struct t_genl *g)
{
	struct t_vring v;
	unsigned int i;

	/* One is this program's anchor. */
	for (i = 1; i < REGISTERED; i++)
		ASSERT_EQ(0, add_new(g, &v, "registered"))
		{
			TH_LOG("%u are registered, then: %s", i, g->ack_msg);
		}
}

/* A user has as many as are free then: half of what was. */
TEST_F_TIMEOUT(flood, leaves_room_for_other_users_and_for_registration, 2 * SLOW)
{
	if (nr_found(self, NULL))
		SKIP(return, "needs a machine that uses no virtqueues: run it in scripts/vm");

	EXPECT_FOUND(FOUND_MAX / 2, &self->user[0], 65534, MANY);
	EXPECT_FOUND(FOUND_MAX / 4, &self->user[1], 65533, QUEUES);
	EXPECT_EQ(FOUND_MAX / 2, nr_found(self, &self->user[0]));
	register_others(_metadata, &self->g);
}

TEST_F_TIMEOUT(flood, leaves_nothing_behind, 2 * SLOW)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_FOUND(QUEUES, &self->user[0], 65534, QUEUES);
		end_user(&self->user[0]);
		EXPECT_TRUE(EVENTUALLY(!nr_found(self, NULL)));
	}
}

/* Root's virtual machines need no protection from each other. */
TEST_F_TIMEOUT(flood, root_has_all_but_those_to_be_registered, 2 * SLOW)
{
	if (nr_found(self, NULL))
		SKIP(return, "needs a machine that uses no virtqueues: run it in scripts/vm");

	EXPECT_FOUND(FOUND_MAX, &self->user[0], 0, MANY);
	EXPECT_EQ(0u, found_of(_metadata, self, &self->user[1], 0, 1));
	register_others(_metadata, &self->g);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
