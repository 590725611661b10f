// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-roundtrip: nanoseconds from a kick to its call, between two processes on
 * one CPU.
 *
 *   bench-roundtrip block|epoll|loop block|nonblock
 *
 * The driving process is the same for all: write(2) to the kick eventfd, then
 * read(2) of the call eventfd. The echoing process waits for the kick in the way
 * that the first argument names. The second says whether the call eventfd is
 * blocking; if it is not, the driving process waits with poll(2) before it reads,
 * and vringlab's loop queues the write instead of doing it at once.
 *
 * Both share a CPU so that a round trip is the two context switches and what the
 * loop adds to them; across CPUs the wake-up interrupt hides the loop.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "loopback.h"

/*
 * A batch is shorter than a scheduler slice: another process on the CPU spoils
 * some batches whole. It can only add to them, so that a low percentile is what a
 * round trip takes when left alone.
 */
#define BATCHES 301
#define BATCH 100
#define WARM_UP 2000

static void echo_block(int kick, int call)
{
	for (;;) {
		drain_eventfd(kick);
		signal_eventfd(call);
	}
}

static void echo_epoll(int kick, int call)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, kick, &event))
		die_errno(errno, "epoll");
	for (;;) {
		if (epoll_wait(epfd, &event, 1, -1) != 1)
			die_errno(errno, "epoll_wait");
		drain_eventfd(kick);
		signal_eventfd(call);
	}
}

static const struct {
	const char *name;
	int kick_flags;
	void (*echo)(int kick, int call);
} modes[] = {
	{ "block", 0, echo_block },
	{ "epoll", EFD_NONBLOCK, echo_epoll },
	{ "loop", EFD_NONBLOCK, loop_echo },
};

static pid_t start_echo(void (*echo)(int kick, int call), int kick, int call)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die_errno(errno, "fork");
	if (pid)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die_errno(errno, "prctl");
	if (getppid() == parent)
		echo(kick, call);
	_exit(1);
}

static void wait_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, -1) != 1)
		die_errno(errno, "poll");
}

static void round_trips(int kick, int call, bool nonblock, int nr)
{
	for (int i = 0; i < nr; i++) {
		signal_eventfd(kick);
		if (nonblock)
			wait_readable(call);
		drain_eventfd(call);
	}
}

/* An echoing process that ended must end the wait for its answer; it said why. */
static void on_child(int sig)
{
	int status;

	(void)sig;
	if (waitpid(-1, &status, WNOHANG) > 0 && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(1);
}

static size_t find_mode(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(modes) && strcmp(modes[i].name, name))
		i++;
	return i;
}

int main(int argc, char **argv)
{
	static uint64_t batch_ns[BATCHES];
	bool nonblock = argc == 3 && !strcmp(argv[2], "nonblock");
	size_t mode = argc == 3 ? find_mode(argv[1]) : ARRAY_SIZE(modes);
	int kick, call;
	uint64_t begin;

	if (mode == ARRAY_SIZE(modes) || (!nonblock && strcmp(argv[2], "block"))) {
		fputs("usage: bench-roundtrip block|epoll|loop block|nonblock\n", stderr);
		return 2;
	}
	pin();
	kick = eventfd(0, EFD_CLOEXEC | modes[mode].kick_flags);
	call = eventfd(0, EFD_CLOEXEC | (nonblock ? EFD_NONBLOCK : 0));
	if (kick < 0 || call < 0)
		die_errno(errno, "eventfd");
	signal(SIGCHLD, on_child);
	start_echo(modes[mode].echo, kick, call);

	round_trips(kick, call, nonblock, WARM_UP);
	for (int i = 0; i < BATCHES; i++) {
		begin = now_ns();
		round_trips(kick, call, nonblock, BATCH);
		batch_ns[i] = now_ns() - begin;
	}
	printf("%.1f\n", (double)percentile_u64(batch_ns, BATCHES, 10) / BATCH);
	return 0;
}
