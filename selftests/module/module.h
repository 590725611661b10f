/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the module ring share: the asserting tier above
 * ../lib/t_vring.h, and the anchor.
 */
#ifndef VRINGLAB_SELFTESTS_MODULE_H
#define VRINGLAB_SELFTESTS_MODULE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#include "kselftest_harness.h"
/* clang-format on */

#include "t.h"
#include "t_eventually.h"
#include "t_kmod.h"
#include "t_vring.h"

#define HAS(name) (1u << VRINGLAB_A_VRING_##name)

/* A test that attaches and detaches on an emulated CPU takes its time. */
#define SLOW 100

/* Prints the module's view when a law is broken, for the person who has to look. */
#define EXPECT_LAWFUL(s)                                 \
	do {                                             \
		const char *broken_ = t_stats_broken(s); \
		EXPECT_STREQ("", broken_);               \
		if (*broken_ || _metadata->exit_code)    \
			t_stats_print(s);                \
	} while (0)

/*
 * Loads the module for the program's time, if $VRINGLAB_KO says where it is and
 * nobody else has loaded it.
 */
static __attribute__((unused)) void unload_module(void)
{
	int ret = t_kmod_rmmod("vringlab");

	if (ret) {
		printf("# cannot unload vringlab: %s\n", strerror(-ret));
		fflush(stdout);
		_exit(1);
	}
}

static inline __attribute__((unused)) void load_module(void)
{
	int ret;

	if (!t_kmod_path() || t_kmod_loaded("vringlab"))
		return;
	ret = t_kmod_insmod(t_kmod_path());
	if (ret)
		printf("# cannot load %s: %s\n", t_kmod_path(), strerror(-ret));
	else
		/* Tests are processes that end by _exit(): this is the first one's. */
		atexit(unload_module);
}

/*
 * One virtqueue registered for the whole program. Hooks are attached with the
 * first virtqueue and detached with the last, seconds each; the tests in between
 * need not pay for it. It belongs to the program's first process, so that it
 * goes when the program ends, whatever the tests did. Without the module there
 * is none, and the fixtures skip.
 */
static inline __attribute__((unused)) void drop_anchor(struct t_genl *g)
{
	struct t_vring v = { .has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD), .label = "anchor" };
	int kick, call;

	if (t_genl_open(g, VRINGLAB_FAMILY_NAME))
		return;
	kick = eventfd(0, EFD_CLOEXEC);
	call = eventfd(0, EFD_CLOEXEC);
	v.kick_fd = kick;
	v.call_fd = call;
	t_vring_add(g, &v);
	close(kick);
	close(call);
}

#define USE_MODULE_WITH_ANCHOR                                    \
	static __attribute__((constructor)) void use_module(void) \
	{                                                         \
		static struct t_genl g;                           \
		load_module();                                    \
		drop_anchor(&g);                                  \
	}

/* Opens the family, or skips and says what is needed. */
#define OPEN_OR_SKIP(g)                                                                 \
	do {                                                                            \
		int ret_ = t_genl_open(g, VRINGLAB_FAMILY_NAME);                        \
		if (ret_ == -ENOENT)                                                    \
			SKIP(return, "needs the module: set VRINGLAB_KO=, or load it"); \
		if (geteuid())                                                          \
			SKIP(return, "needs CAP_NET_ADMIN: run as root");               \
		ASSERT_EQ(0, ret_);                                                     \
	} while (0)

static inline __attribute__((unused)) int new_eventfd(struct __test_metadata *_metadata, int flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | flags);

	ASSERT_LE(0, fd);
	return fd;
}

/* Registers or fails the test with the module's own words. */
static inline __attribute__((unused)) uint32_t vring_add(struct __test_metadata *_metadata,
							 struct t_genl *g, struct t_vring *v)
{
	int ret = t_vring_add(g, v);

	ASSERT_EQ(0, ret)
	{
		TH_LOG("vring-add: %s: %s", strerror(-ret), g->ack_msg);
	}
	ASSERT_NE(0u, v->id);
	return v->id;
}

static inline __attribute__((unused)) void
stats_get(struct __test_metadata *_metadata, struct t_genl *g, uint32_t id, struct t_stats *s)
{
	int ret = t_stats_get(g, id, s);

	ASSERT_EQ(0, ret)
	{
		TH_LOG("counters-get or hist-get: %s: %s", strerror(-ret), g->ack_msg);
	}
}

/* For good, of this process; one below 32. */
static inline __attribute__((unused)) int drop_capability(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1u << cap);
	data[0].permitted &= ~(1u << cap);
	data[0].inheritable &= ~(1u << cap);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static inline __attribute__((unused)) int drop_net_admin(void)
{
	return drop_capability(CAP_NET_ADMIN);
}

/* A child that a failed assertion of ours cannot leave behind. */
static inline __attribute__((unused)) pid_t fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

#endif /* VRINGLAB_SELFTESTS_MODULE_H */
