// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of a process: each test has its own, in a child that tells by its exit what
 * became of it.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <vringlab/err.h>
#include <vringlab/sandbox.h>

#include "kselftest_harness.h"

/* How a child ends. */
enum {
	WENT_ON = 40,
	VIOLATED = 41,
	WRONG = 42,
};

#define ANY(call)                                \
	{                                        \
		SYS_##call, SANDBOX_ANY, 0, 0, 0 \
	}

static const struct sandbox_rule rules[] = {
	ANY(exit_group),
	{ SYS_socket, 0, UINT32_MAX, AF_UNIX, 0 },
	{ SYS_socket, 0, UINT32_MAX, AF_INET, EAFNOSUPPORT },
	{ SYS_close, SANDBOX_ANY, 0, 0, EIO },
	{ SYS_madvise, 2, 0xf0, 0x10, 0 },
	{ SYS_prctl, 0, UINT32_MAX, PR_GET_NAME, 0 },
	ANY(rt_sigprocmask),
	ANY(rt_sigreturn),
	ANY(futex),
	ANY(seccomp),
	ANY(getpid),
	ANY(getppid),
};

#define NR (sizeof(rules) / sizeof(rules[0]))

static int forbidden;
static uint64_t second_argument;
static char thread_name[16];

static void violation(const char *name, int nr, uint64_t second)
{
	bool right = nr == forbidden && (!*thread_name || !strcmp(name, thread_name));

	if (second_argument)
		right = right && second == second_argument;
	_exit(right ? VIOLATED : WRONG);
}

static void enter(void)
{
	if (sandbox_enter(rules, NR, violation, NULL))
		_exit(WRONG);
}

static int outcome(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(WENT_ON);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void call_forbidden(void)
{
	enter();
	forbidden = SYS_uname;
	syscall(SYS_uname, NULL);
}

TEST(what_is_not_in_the_list_ends_it)
{
	EXPECT_EQ(VIOLATED, outcome(call_forbidden));
}

static void call_allowed(void)
{
	enter();
	if (getppid() <= 0)
		_exit(WRONG);
}

TEST(what_is_in_the_list_is_allowed)
{
	EXPECT_EQ(WENT_ON, outcome(call_allowed));
}

static void call_with_values(void)
{
	enter();
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0 ||
	    errno != EAFNOSUPPORT)
		_exit(WRONG);
	if (close(0) != -1 || errno != EIO)
		_exit(WRONG);
	/* no such advice: it is the kernel that says so */
	if (syscall(SYS_madvise, 0, 4096, 0x1f) != -1 || errno != EINVAL)
		_exit(WRONG);
	forbidden = SYS_socket;
	second_argument = SOCK_RAW;
	socket(AF_NETLINK, SOCK_RAW, 0);
}

TEST(values_of_an_argument_are_told_apart)
{
	EXPECT_EQ(VIOLATED, outcome(call_with_values));
}

static void call_with_bits(void)
{
	enter();
	forbidden = SYS_madvise;
	syscall(SYS_madvise, 0, 4096, 0x2f);
}

TEST(bits_of_an_argument_are_told_apart)
{
	EXPECT_EQ(VIOLATED, outcome(call_with_bits));
}

static void call_x32(void)
{
	enter();
	forbidden = SYS_getppid | 0x40000000;
	syscall(forbidden);
}

TEST(a_number_of_x32_is_another)
{
	EXPECT_EQ(VIOLATED, outcome(call_x32));
}

static sem_t entered;

static void *other_thread(void *arg)
{
	prctl(PR_SET_NAME, "other");
	sem_post((sem_t *)arg);
	sem_wait(&entered);
	syscall(SYS_uname, NULL);
	_exit(WENT_ON);
	return NULL;
}

static void enter_with_threads(void)
{
	pthread_t thread;
	sem_t there;

	sem_init(&there, 0, 0);
	sem_init(&entered, 0, 0);
	if (pthread_create(&thread, NULL, other_thread, &there))
		_exit(WRONG);
	sem_wait(&there);
	forbidden = SYS_uname;
	strcpy(thread_name, "other");
	enter();
	sem_post(&entered);
	for (;;)
		sem_wait(&there);
}

TEST(threads_that_are_there_are_no_exception)
{
	EXPECT_EQ(VIOLATED, outcome(enter_with_threads));
}

static void enter_twice(void)
{
	static const struct sandbox_rule less[] = {
		ANY(exit_group),
		ANY(getpid),
		{ SYS_prctl, 0, UINT32_MAX, PR_GET_NAME, 0 },
	};

	enter();
	if (sandbox_enter_thread(less, 3, NULL) || getpid() <= 0)
		_exit(WRONG);
	forbidden = SYS_getppid;
	getppid();
}

TEST(a_thread_can_have_less)
{
	EXPECT_EQ(VIOLATED, outcome(enter_twice));
}

static void have_a_long_list(void)
{
	struct sandbox_rule many[600];

	/* further than a conditional jump reaches */
	for (unsigned int i = 0; i < 598; i++)
		many[i] = (struct sandbox_rule){ SYS_socket, 0, UINT32_MAX, 1000 + i, ENFILE };
	many[598] = (struct sandbox_rule)ANY(exit_group);
	many[599] = (struct sandbox_rule)ANY(getppid);
	if (sandbox_enter(many, 600, violation, NULL) != -E2BIG ||
	    sandbox_enter(many + 100, 500, violation, NULL))
		_exit(WRONG);
	if (getppid() <= 0 || socket(1597, 0, 0) != -1 || errno != ENFILE)
		_exit(WRONG);
}

TEST(a_list_may_be_long)
{
	EXPECT_EQ(WENT_ON, outcome(have_a_long_list));
}

static bool has_capability(unsigned int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	return !syscall(SYS_capget, &head, caps) && caps[cap / 32].permitted >> cap % 32 & 1 &&
	       caps[cap / 32].effective >> cap % 32 & 1;
}

static void drop(void)
{
	if (sandbox_drop_capabilities(1ull << CAP_SYS_NICE | 1ull << CAP_BPF, NULL))
		_exit(WRONG);
	if (!has_capability(CAP_SYS_NICE) || !has_capability(CAP_BPF) ||
	    has_capability(CAP_NET_ADMIN) || has_capability(CAP_PERFMON))
		_exit(WRONG);
	if (sandbox_drop_capabilities(0, NULL) || has_capability(CAP_SYS_NICE) ||
	    has_capability(CAP_BPF))
		_exit(WRONG);
}

TEST(capabilities_are_dropped)
{
	if (!has_capability(CAP_SYS_NICE) || !has_capability(CAP_BPF))
		SKIP(return, "has no capabilities to drop: run as root");
	EXPECT_EQ(WENT_ON, outcome(drop));
}

/* seccomp(2) as a kernel without it has it. */
static void lack_seccomp(void)
{
	static const struct sandbox_rule lack[] = {
		{ SYS_seccomp, SANDBOX_ANY, 0, 0, ENOSYS },
		ANY(exit_group),
		ANY(write),
	};
	struct vl_err err;

	if (sandbox_check(&err) || sandbox_enter(lack, 3, violation, &err))
		_exit(WRONG);
	if (sandbox_check(&err) != -ENOSYS || !strstr(err.msg, "CONFIG_SECCOMP_FILTER") ||
	    !strstr(err.msg, "--no-sandbox"))
		_exit(WRONG);
}

TEST(a_kernel_without_filters_is_told)
{
	EXPECT_EQ(WENT_ON, outcome(lack_seccomp));
}

TEST_HARNESS_MAIN
