// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-stall: what a kick takes while another process dumps all the vrings there can be.
 *
 *   bench-stall MODULE RUNS
 *
 * To be run in a VM that counts instructions (scripts/vm --icount), whose kernel is
 * preempted wherever it may be (--append preempt=full). The kicking process is a
 * real-time one that sleeps between its kicks, so that each kick comes in the midst of
 * whatever the other process does: first it computes, then it dumps counters and
 * histograms. Whoever had to wait for a lock of the dump would wait for milliseconds, and
 * whoever had to try again would need more instructions. Prints the lines that bench-report
 * reads, but only `pair`: the 99th percentile of both.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "common.h"
#include "tracer.h"

#define NR_VRINGS 1024
#define KICKS 1001
/* Between two kicks: of no common measure with what a dump takes. */
#define SLEEP_NS_MIN 100000
#define SLEEP_NS_RANGE 700000

enum other { OTHER_COMPUTES, OTHER_DUMPS };

/* With the other process. */
struct shared {
	atomic_int what;
	atomic_bool dumping;
	atomic_uint dumps;
};

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die_errno(errno, "eventfd");
	return fd;
}

/* Return: the kick eventfd of the last; the others' may go, the module has references */
static int add_vrings(struct vlnl *nl)
{
	struct vlnl_vring_add add = {
		.label = "bench",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
	};
	struct vl_err err;
	uint32_t id;

	for (int i = 0; i < NR_VRINGS; i++) {
		if (i)
			close(add.kick_fd);
		add.kick_fd = new_eventfd();
		add.call_fd = new_eventfd();
		if (vlnl_vring_add(nl, &add, &id, &err))
			die("vring %d: %s", i, err.msg);
		signal_eventfd(add.kick_fd);
		drain_eventfd(add.kick_fd);
		close(add.call_fd);
	}
	return add.kick_fd;
}

static void dump(struct vlnl *nl)
{
	struct vlnl_counters *counters;
	struct vlnl_hist *hists;
	struct vl_err err;

	if (vlnl_counters_dump(nl, &counters, &err) < 0)
		die("%s", err.msg);
	free(counters);
	if (vlnl_hist_dump(nl, &hists, &err) < 0)
		die("%s", err.msg);
	free(hists);
}

static void run_other(struct shared *shared)
{
	struct vl_err err;
	struct vlnl *nl;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die_errno(errno, "PR_SET_PDEATHSIG");
	if (vlnl_open(&nl, &err))
		die("%s", err.msg);
	for (;;) {
		if (atomic_load(&shared->what) == OTHER_COMPUTES)
			continue;
		atomic_store(&shared->dumping, true);
		dump(nl);
		atomic_store(&shared->dumping, false);
		atomic_fetch_add(&shared->dumps, 1);
	}
}

static pid_t start_other(struct shared *shared)
{
	pid_t pid = fork();

	if (pid < 0)
		die_errno(errno, "fork");
	if (!pid)
		run_other(shared);
	return pid;
}

/* Whenever this process wakes up, the other one is preempted. */
static void be_real_time(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die_errno(errno, "SCHED_FIFO");
}

static void sleep_a_while(void)
{
	struct timespec ts = { .tv_nsec = SLEEP_NS_MIN + random() % SLEEP_NS_RANGE };

	nanosleep(&ts, NULL);
}

/* Instructions; the clock has one a nanosecond, and so has the time stamp counter. */
static uint64_t kick(int fd)
{
	uint64_t begin = __rdtsc(), end;

	signal_eventfd(fd);
	end = __rdtsc();
	drain_eventfd(fd);
	return end - begin;
}

static uint64_t measure(struct shared *shared, enum other what, int fd)
{
	static uint64_t samples[KICKS];
	unsigned int dumps = atomic_load(&shared->dumps), amid = 0;

	atomic_store(&shared->what, what);
	for (int i = 0; i < KICKS; i++) {
		sleep_a_while();
		amid += atomic_load(&shared->dumping);
		samples[i] = kick(fd);
	}
	dumps = atomic_load(&shared->dumps) - dumps;
	if (what == OTHER_DUMPS && (amid < KICKS * 9 / 10 || !dumps))
		die("%u of %d kicks came amid %u dumps", amid, KICKS, dumps);
	fprintf(stderr, "%u of %d kicks amid %u dumps: median %llu, 99%% %llu\n", amid, KICKS,
		dumps, (unsigned long long)percentile_u64(samples, KICKS, 50),
		(unsigned long long)percentile_u64(samples, KICKS, 99));
	return percentile_u64(samples, KICKS, 99);
}

static void run(struct shared *shared, int fd)
{
	uint64_t computes, dumps;

	computes = measure(shared, OTHER_COMPUTES, fd);
	dumps = measure(shared, OTHER_DUMPS, fd);
	/* Its last dump ends. */
	atomic_store(&shared->what, OTHER_COMPUTES);
	while (atomic_load(&shared->dumping))
		sleep_a_while();
	printf("pair\tkick\t%llu\t%llu\n", (unsigned long long)dumps, (unsigned long long)computes);
}

int main(int argc, char **argv)
{
	int fd, runs = argc == 3 ? atoi(argv[2]) : 0;
	struct shared *shared;
	struct vl_err err;
	struct vlnl *nl;
	pid_t other;

	if (runs <= 0) {
		fputs("usage: bench-stall MODULE RUNS\n", stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die_errno(errno, "mmap");
	module_load(argv[1]);
	if (vlnl_open(&nl, &err))
		die("%s", err.msg);
	fd = add_vrings(nl);
	other = start_other(shared);
	be_real_time();
	for (int i = 0; i < runs; i++)
		run(shared, fd);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	vlnl_close(nl);
	module_unload();
	return 0;
}
