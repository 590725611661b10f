// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processors come and go, and all tasks are frozen, while virtqueues are kicked: no
 * count is lost with a processor, and none is made twice.
 */
#include <pthread.h>

#include "netlink.h"

#define ROUNDS 4

/* clang-format off */
FIXTURE(kicks) {
	struct t_genl g;
	struct t_vring v;
	int kick;
	int call;
	pthread_t thread[2];
	unsigned int nr_threads;
	volatile bool stop;
	uint64_t done[2];
};

/* clang-format on */

struct kicker {
	FIXTURE_DATA(kicks) * self;
	unsigned int nr;
};

static void *kick(void *data)
{
	struct kicker k = *(struct kicker *)data;
	cpu_set_t cpus;

	free(data);
	/* One on each processor; it is moved when its own goes. */
	CPU_ZERO(&cpus);
	CPU_SET(k.nr, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	while (!k.self->stop)
		if (!eventfd_write(k.self->kick, 1))
			k.self->done[k.nr]++;
	return NULL;
}

FIXTURE_SETUP(kicks)
{
	OPEN_OR_SKIP(&self->g);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, 0);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "hotplug",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
	vring_add(_metadata, &self->g, &self->v);
	for (; self->nr_threads < 2; self->nr_threads++) {
		struct kicker *k = malloc(sizeof(*k));

		ASSERT_NE(NULL, k);
		*k = (struct kicker){ self, self->nr_threads };
		ASSERT_EQ(0, pthread_create(&self->thread[k->nr], NULL, kick, k));
	}
	EXPECT_TRUE(EVENTUALLY(self->done[0] > 10 && self->done[1] > 10));
}

/* All that were made, and no more, are counted. */
FIXTURE_TEARDOWN(kicks)
{
	struct t_stats s;

	self->stop = true;
	while (self->nr_threads)
		EXPECT_EQ(0, pthread_join(self->thread[--self->nr_threads], NULL));
	if (self->v.id) {
		stats_get(_metadata, &self->g, self->v.id, &s);
		EXPECT_EQ(self->done[0] + self->done[1], T_CNT(&s, KICKS_WRITE));
		EXPECT_EQ(T_CNT(&s, KICKS) - 1, T_CNT(&s, KICK_COALESCED));
	}
	t_genl_close(&self->g);
}

static int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

TEST_F_TIMEOUT(kicks, stay_exact_when_a_processor_goes_and_comes, SLOW)
{
	static const char path[] = "/sys/devices/system/cpu/cpu1/online";
	uint64_t before;
	struct t_stats s;
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = write_file(path, "0");
		if (ret == -ENOENT)
			SKIP(return, "needs a second processor that can go: scripts/vm has one");
		ASSERT_EQ(0, ret);
		/* What the one that is gone has counted is still there, and it goes on. */
		before = self->done[1];
		stats_get(_metadata, &self->g, self->v.id, &s);
		EXPECT_LE(before, T_CNT(&s, KICKS));
		EXPECT_TRUE(EVENTUALLY(self->done[0] + self->done[1] > before + 100));
		ASSERT_EQ(0, write_file(path, "1"));
		before = self->done[1];
		EXPECT_TRUE(EVENTUALLY(self->done[1] > before + 10));
	}
}

/*
 * Suspend, as far as all tasks being frozen: a machine whose root is shared by its
 * host cannot let go of its devices.
 */
TEST_F_TIMEOUT(kicks, stay_exact_when_all_tasks_are_frozen, SLOW)
{
	uint64_t before;

	if (write_file("/sys/power/pm_test", "freezer"))
		SKIP(return, "needs a kernel with CONFIG_PM_SLEEP_DEBUG");
	/* The kernel waits that long, in a loop; where it is emulated, much longer. */
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	EXPECT_EQ(0, write_file("/sys/power/state", "freeze"));
	EXPECT_EQ(0, write_file("/sys/power/pm_test", "none"));
	before = self->done[0];
	EXPECT_TRUE(EVENTUALLY(self->done[0] > before + 10));
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
