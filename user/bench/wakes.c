// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-wakes: nanoseconds of CPU time that a loop takes per ready eventfd.
 *
 *   bench-wakes epoll|loop NUMBER
 *
 * Each round signals NUMBER eventfds, then lets the loop take all of them. Timed
 * is the whole round, since a loop may do its part of the work when the eventfd
 * is signalled; the same writes to eventfds that nobody waits for are subtracted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common.h"
#include "loopback.h"

#define MAX_FDS 1024
#define ROUNDS 4001
#define WARM_UP 500

struct bench {
	int fds[MAX_FDS];
	int idle_fds[MAX_FDS];
	size_t nr;
	int epfd;
	struct loop *loop;
	size_t seen;
};

static void epoll_open(struct bench *b)
{
	b->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epfd < 0)
		die_errno(errno, "epoll_create1");
	for (size_t i = 0; i < b->nr; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = b->fds[i] };

		if (epoll_ctl(b->epfd, EPOLL_CTL_ADD, b->fds[i], &event))
			die_errno(errno, "epoll_ctl");
	}
}

static void epoll_take(struct bench *b)
{
	struct epoll_event events[MAX_FDS];
	int nr = epoll_wait(b->epfd, events, (int)b->nr, -1);

	if (nr < 0)
		die_errno(errno, "epoll_wait");
	for (int i = 0; i < nr; i++)
		drain_eventfd(events[i].data.fd);
	b->seen += (size_t)nr;
}

static void our_open(struct bench *b)
{
	b->loop = loop_watch(b->fds, b->nr, &b->seen);
}

static void our_take(struct bench *b)
{
	loop_watch_once(b->loop);
}

static const struct {
	const char *name;
	void (*open)(struct bench *b);
	void (*take)(struct bench *b);
} modes[] = {
	{ "epoll", epoll_open, epoll_take },
	{ "loop", our_open, our_take },
};

static void open_fds(struct bench *b)
{
	for (size_t i = 0; i < b->nr; i++) {
		b->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		b->idle_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (b->fds[i] < 0 || b->idle_fds[i] < 0)
			die_errno(errno, "eventfd");
	}
}

static uint64_t time_signals(const int *fds, size_t nr)
{
	uint64_t begin = now_ns();

	for (size_t i = 0; i < nr; i++)
		signal_eventfd(fds[i]);
	return now_ns() - begin;
}

static uint64_t time_round(struct bench *b, void (*take)(struct bench *b))
{
	uint64_t begin = now_ns();

	b->seen = 0;
	for (size_t i = 0; i < b->nr; i++)
		signal_eventfd(b->fds[i]);
	while (b->seen < b->nr)
		take(b);
	if (b->seen != b->nr)
		die("%zu events for %zu signals", b->seen, b->nr);
	return now_ns() - begin;
}

int main(int argc, char **argv)
{
	static uint64_t signals_ns[ROUNDS], round_ns[ROUNDS];
	static struct bench b;
	double added;
	size_t mode = 0;

	while (argc == 3 && mode < ARRAY_SIZE(modes) && strcmp(modes[mode].name, argv[1]))
		mode++;
	b.nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (argc != 3 || mode == ARRAY_SIZE(modes) || !b.nr || b.nr > MAX_FDS / 2) {
		fputs("usage: bench-wakes epoll|loop NUMBER\n", stderr);
		return 2;
	}
	pin();
	open_fds(&b);
	modes[mode].open(&b);
	for (int i = 0; i < WARM_UP; i++)
		time_round(&b, modes[mode].take);
	for (int i = 0; i < ROUNDS; i++) {
		signals_ns[i] = time_signals(b.idle_fds, b.nr);
		round_ns[i] = time_round(&b, modes[mode].take);
	}
	added = (double)percentile_u64(round_ns, ROUNDS, 50) -
		(double)percentile_u64(signals_ns, ROUNDS, 50);
	printf("%.1f\n", added / (double)b.nr);
	return 0;
}
