// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-stat: what it takes to look at all the vrings there can be.
 *
 *   bench-stat MODULE VRINGLAB RUNS
 *
 * To be run in a VM that counts instructions (scripts/vm --icount), where one is one
 * nanosecond. Loads the module, registers vrings until there is no more room, each with
 * kicks, wakes and calls, and prints how long `vringlab stat` and the dumps of its
 * parts take from start to end, as the lines that bench-report reads, but only
 * `pair`, against the limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "common.h"
#include "tracer.h"

#define LIMIT_NS 50e6
#define NR_VRINGS 1024
#define ROUNDS 20

extern char **environ;

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		die_errno(errno, "eventfd");
	return fd;
}

/* Some spans in some buckets. The eventfds may go: the module has its own reference. */
static void add_used_vring(struct vlnl *nl, unsigned int nr)
{
	const int kick = new_eventfd(), call = new_eventfd();
	const struct vlnl_vring_add add = {
		.label = "bench",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = kick,
		.call_fd = call,
	};
	struct vl_err err;
	uint32_t id;

	if (vlnl_vring_add(nl, &add, &id, &err))
		die("vring %u: %s", nr, err.msg);
	for (int i = 0; i < ROUNDS; i++) {
		signal_eventfd(kick);
		drain_eventfd(kick);
		signal_eventfd(call);
	}
	close(kick);
	close(call);
}

static double run_command(const char *command, const char *option)
{
	const char *const argv[] = { command, "stat", option, NULL };
	posix_spawn_file_actions_t actions;
	uint64_t begin = now_ns();
	int status, ret;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	/* it does not change them */
	ret = posix_spawn(&pid, command, &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		die_errno(ret, "cannot start %s", command);
	if (waitpid(pid, &status, 0) != pid || status)
		die("%s stat: wait status %d", command, status);
	return (double)(now_ns() - begin);
}

static double time_hists(struct vlnl *nl)
{
	struct vlnl_hist *hists;
	uint64_t begin = now_ns();
	struct vl_err err;
	int nr = vlnl_hist_dump(nl, &hists, &err);

	if (nr != NR_VRINGS * VLNL_NR_SPANS)
		die("%d histograms: %s", nr, nr < 0 ? err.msg : "not as many as there are");
	free(hists);
	return (double)(now_ns() - begin);
}

static double time_counters(struct vlnl *nl)
{
	struct vlnl_counters *counters;
	uint64_t begin = now_ns();
	struct vl_err err;
	int nr = vlnl_counters_dump(nl, &counters, &err);

	if (nr != NR_VRINGS)
		die("%d vrings' counters: %s", nr, nr < 0 ? err.msg : "not as many as there are");
	for (int i = 0; i < nr; i++)
		if (counters[i].value[VLNL_COUNTER_WAKES] != ROUNDS)
			die("a vring had %llu wakes of %u",
			    (unsigned long long)counters[i].value[VLNL_COUNTER_WAKES], ROUNDS);
	free(counters);
	return (double)(now_ns() - begin);
}

static void print_pair(const char *name, double ns)
{
	printf("pair\t%s\t%.0f\t%.0f\n", name, ns, LIMIT_NS);
}

int main(int argc, char **argv)
{
	int runs = argc == 4 ? atoi(argv[3]) : 0;
	struct vl_err err;
	struct vlnl *nl;

	if (runs <= 0) {
		fputs("usage: bench-stat MODULE VRINGLAB RUNS\n", stderr);
		return 2;
	}
	module_load(argv[1]);
	if (vlnl_open(&nl, &err))
		die("%s", err.msg);
	for (unsigned int i = 0; i < NR_VRINGS; i++)
		add_used_vring(nl, i);
	for (int i = 0; i < runs; i++) {
		print_pair("stat", run_command(argv[2], NULL));
		print_pair("stat-json", run_command(argv[2], "--json"));
		print_pair("counters", time_counters(nl));
		print_pair("hists", time_hists(nl));
	}
	vlnl_close(nl);
	module_unload();
	return 0;
}
