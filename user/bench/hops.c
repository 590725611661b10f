// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-hops: instructions that seeing a hop adds to it.
 *
 *   bench-hops MODULE RUNS
 *
 * To be run in a VM of one CPU that counts instructions (scripts/vm --icount):
 * there the time stamp counter advances with each instruction, so that a
 * difference of two readings is exact. Each run goes through all hops many times,
 * first seen by nobody, then by kprobe trace events, by a bpftrace program and by
 * the module, alone, in a crowd of vrings and vCPUs, and while more is to be known, and
 * takes the median of each hop. Prints the lines that bench-report reads, but only `pair`.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <x86intrin.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "common.h"
#include "hop_vm.h"
#include "tracer.h"

#define ROUNDS 301
#define WARM_UP 50
#define CALIBRATION 1000000u
#define NR_VCPUS 64
#define NR_VRINGS 1024
/* Instructions. */
#define HOP_LIMIT 150
#define CYCLE_LIMIT 800
#define MORE_LIMIT (HOP_LIMIT / 2)

enum hop {
	HOP_KICK_WRITE,
	HOP_DOORBELL, /* two exits, the kick and two entries */
	HOP_WAKE,
	HOP_CALL_INJECT, /* one system call: the call eventfd is an irqfd */
	HOP_EXIT_ENTRY,
	HOP_RUN, /* an entry without an interrupt and an exit without a kick */
	NR_HOPS,
};

static const char *const hop_names[NR_HOPS] = {
	[HOP_KICK_WRITE] = "kick-write",   [HOP_DOORBELL] = "doorbell",	    [HOP_WAKE] = "wake",
	[HOP_CALL_INJECT] = "call-inject", [HOP_EXIT_ENTRY] = "exit-entry", [HOP_RUN] = "run",
};

/* A virtqueue's eventfds, and the VM that its call eventfd interrupts. */
struct path {
	int kick;
	int call;
	struct hop_vm vm;
};

/* Instructions of each hop. */
struct cost {
	double of[NR_HOPS];
};

static uint64_t ticks_per_1000;

/* CALIBRATION instructions that take a processor one cycle for two of them. */
static uint64_t quick_ticks(void)
{
	uint32_t nr = CALIBRATION / 2;
	uint64_t begin = __rdtsc();

	asm volatile("1: dec %0; jnz 1b" : "+r"(nr) : : "cc");
	return __rdtsc() - begin;
}

/* As many, each of which waits for the one before it. */
static uint64_t slow_ticks(void)
{
	uint32_t nr = CALIBRATION / 4, product = 3;
	uint64_t begin = __rdtsc();

	asm volatile("1: imul %1, %1; imul %1, %1; dec %0; jnz 1b"
		     : "+r"(nr), "+r"(product)
		     :
		     : "cc");
	return __rdtsc() - begin;
}

/* Interrupts only add, so that the least of some is exact. */
static uint64_t least_of(uint64_t (*ticks)(void))
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t t = ticks();

		if (t < least)
			least = t;
	}
	return least;
}

/* Where instructions are counted, quick and slow ones are the same. */
static void calibrate(void)
{
	uint64_t quick = least_of(quick_ticks), slow = least_of(slow_ticks);
	uint64_t apart = quick < slow ? slow - quick : quick - slow;

	if (apart * 1000 > quick)
		die("%u instructions take %llu or %llu ticks, not counted: use scripts/vm --icount",
		    CALIBRATION, (unsigned long long)quick, (unsigned long long)slow);
	ticks_per_1000 = (quick * 1000 + CALIBRATION / 2) / CALIBRATION;
	fprintf(stderr, "%u instructions are %llu ticks\n", CALIBRATION, (unsigned long long)quick);
}

/* Two eventfds for each vring, and some more. */
static void raise_nofile(void)
{
	struct rlimit limit = { 3 * NR_VRINGS, 3 * NR_VRINGS };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die_errno(errno, "cannot raise the number of open files");
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die_errno(errno, "eventfd");
	return fd;
}

/* A back-end polls its kick eventfd: waiters are in its queue, traced or not. */
static void poll_by_epoll(int kick)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, kick, &event))
		die_errno(errno, "epoll");
}

static void path_open(struct path *p)
{
	p->kick = new_eventfd();
	poll_by_epoll(p->kick);
	p->call = new_eventfd();
	hop_vm_open(&p->vm);
	hop_vm_ioeventfd(&p->vm, p->kick);
	hop_vm_irqfd(&p->vm, p->call);
}

/* From the taken kick to the entry that takes the interrupt. */
static void answer(struct path *p, uint64_t ticks[NR_HOPS])
{
	uint64_t at[4];

	at[0] = __rdtsc();
	drain_eventfd(p->kick);
	at[1] = __rdtsc();
	signal_eventfd(p->call);
	at[2] = __rdtsc();
	hop_vm_run(&p->vm);
	at[3] = __rdtsc();
	ticks[HOP_WAKE] = at[1] - at[0];
	ticks[HOP_CALL_INJECT] = at[2] - at[1];
	ticks[HOP_EXIT_ENTRY] = at[3] - at[2];
}

/* Through all hops, once from a kick by write(2) and once from the guest's. */
static void go(struct path *p, uint64_t ticks[NR_HOPS])
{
	uint64_t begin;

	begin = __rdtsc();
	signal_eventfd(p->kick);
	ticks[HOP_KICK_WRITE] = __rdtsc() - begin;
	answer(p, ticks);

	begin = __rdtsc();
	hop_vm_run(&p->vm);
	ticks[HOP_RUN] = __rdtsc() - begin;

	begin = __rdtsc();
	hop_vm_run(&p->vm);
	ticks[HOP_DOORBELL] = __rdtsc() - begin;
	answer(p, ticks);
}

static struct cost measure(struct path *p)
{
	static uint64_t samples[NR_HOPS][ROUNDS];
	uint64_t ticks[NR_HOPS];
	struct cost cost;

	for (int i = 0; i < WARM_UP; i++)
		go(p, ticks);
	for (int i = 0; i < ROUNDS; i++) {
		go(p, ticks);
		for (int hop = 0; hop < NR_HOPS; hop++)
			samples[hop][i] = ticks[hop];
	}
	for (int hop = 0; hop < NR_HOPS; hop++)
		cost.of[hop] = (double)percentile_u64(samples[hop], ROUNDS, 50) * 1000 /
			       (double)ticks_per_1000;
	return cost;
}

static struct cost less(struct cost a, const struct cost *base)
{
	for (int hop = 0; hop < NR_HOPS; hop++)
		a.of[hop] -= base->of[hop];
	return a;
}

/* From the guest's doorbell to the exit after the entry that takes its interrupt. */
static double total(const struct cost *c)
{
	return c->of[HOP_DOORBELL] + c->of[HOP_WAKE] + c->of[HOP_CALL_INJECT] +
	       c->of[HOP_EXIT_ENTRY];
}

static void print_pair(const char *name, double ours, double other)
{
	printf("pair\t%s\t%.1f\t%.1f\n", name, ours, other);
}

static void print_costs(const char *what, const struct cost *c)
{
	fprintf(stderr, "%-8s", what);
	for (int hop = 0; hop < NR_HOPS; hop++)
		fprintf(stderr, " %s %.1f", hop_names[hop], c->of[hop]);
	fputc('\n', stderr);
}

/* Its programs are compiled first, which takes a while where instructions are counted. */
static bool measure_bpftrace(struct path *p, struct cost *cost)
{
	if (!bpftrace_attach())
		return false;
	*cost = measure(p);
	bpftrace_detach(ROUNDS + WARM_UP);
	return true;
}

static struct cost measure_kprobes(struct path *p)
{
	struct cost cost;

	kprobes_attach();
	cost = measure(p);
	kprobes_detach(ROUNDS + WARM_UP);
	return cost;
}

static uint32_t register_vring(struct vlnl *nl, int kick, int call)
{
	struct vlnl_vring_add add = {
		.label = "bench",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = kick,
		.call_fd = call,
	};
	struct vl_err err;
	uint32_t id;

	if (vlnl_vring_add(nl, &add, &id, &err))
		die("%s", err.msg);
	return id;
}

/*
 * Each go() is two hits of each hop, and those through the other path are none: a
 * module that misses some would be cheap for the wrong reason.
 */
static void check_counters(struct vlnl *nl, uint32_t id, uint64_t expected)
{
	static const enum vlnl_counter hits[] = {
		VLNL_COUNTER_KICKS,   VLNL_COUNTER_WAKES,   VLNL_COUNTER_CALLS,
		VLNL_COUNTER_INJECTS, VLNL_COUNTER_ENTRIES,
	};
	struct vlnl_counters counters;
	struct vl_err err;

	if (vlnl_counters_get(nl, id, &counters, &err))
		die("%s", err.msg);
	for (size_t i = 0; i < ARRAY_SIZE(hits); i++)
		if (counters.value[hits[i]] != expected)
			die("the module counts %llu %s, %llu took place",
			    (unsigned long long)counters.value[hits[i]],
			    vlnl_counter_info[hits[i]].name, (unsigned long long)expected);
}

/* Many others; some of the calls interrupt a vCPU that never runs. */
struct crowd {
	int kicks[NR_VRINGS - 1];
	int calls[NR_VRINGS - 1];
	int vm;
};

static void crowd_open(struct crowd *crowd)
{
	for (size_t i = 0; i < ARRAY_SIZE(crowd->calls); i++) {
		crowd->kicks[i] = new_eventfd();
		crowd->calls[i] = new_eventfd();
	}
	crowd->vm = hop_vm_crowd(crowd->calls, NR_VCPUS - 1);
}

/* From @begin to @end there are more vrings; those with a vCPU have it interrupted. */
static void crowd_register(struct crowd *crowd, struct vlnl *nl, int begin, int end)
{
	for (int i = begin; i < end; i++) {
		register_vring(nl, crowd->kicks[i], crowd->calls[i]);
		if (i < NR_VCPUS - 1)
			signal_eventfd(crowd->calls[i]);
	}
}

struct traced {
	struct cost own;
	struct cost foreign;
	struct cost few; /* NR_VCPUS vrings, each of which waits for its own vCPU */
	struct cost many; /* NR_VRINGS */
	struct cost reasons; /* the same, and exits are told by their reason */
	struct cost discovery; /* the same, while vrings are looked for */
};

static void tell_layout(struct vlnl *nl)
{
	struct vl_err err;

	if (vlnl_layout_tell(nl, &err) < 0)
		die("%s", err.msg);
}

static void discover(struct vlnl *nl)
{
	struct vl_err err;

	if (vlnl_discover_on(nl, false, &err))
		die("%s", err.msg);
}

static struct traced measure_module(struct path *own, struct path *foreign, struct crowd *crowd)
{
	struct traced traced;
	struct vl_err err;
	struct vlnl *nl;
	uint32_t id;

	if (vlnl_open(&nl, &err))
		die("%s", err.msg);
	id = register_vring(nl, own->kick, own->call);
	traced.own = measure(own);
	traced.foreign = measure(foreign);
	check_counters(nl, id, 2 * (WARM_UP + ROUNDS));
	crowd_register(crowd, nl, 0, NR_VCPUS - 1);
	traced.few = measure(own);
	crowd_register(crowd, nl, NR_VCPUS - 1, NR_VRINGS - 1);
	traced.many = measure(own);
	tell_layout(nl);
	traced.reasons = measure(own);
	discover(nl);
	traced.discovery = measure(own);
	check_counters(nl, id, 2 * 5 * (WARM_UP + ROUNDS));
	vlnl_close(nl);
	return traced;
}

static void print_all(const char *what, const struct cost *c, const struct cost *base)
{
	struct cost added = less(*c, base);

	print_costs(what, &added);
}

/* In a doorbell are two runs beside the kick. */
static double kick_of(const struct cost *c)
{
	return c->of[HOP_DOORBELL] - 2 * c->of[HOP_RUN];
}

/* Each hop against its limit. */
static void print_limits(const struct cost *own)
{
	double kick = kick_of(own);

	print_pair("kick", kick, HOP_LIMIT);
	print_pair("wake", own->of[HOP_WAKE], HOP_LIMIT);
	print_pair("call-inject", own->of[HOP_CALL_INJECT], 2 * HOP_LIMIT);
	print_pair("exit-entry", own->of[HOP_EXIT_ENTRY], 2 * HOP_LIMIT);
	print_pair("cycle",
		   kick + own->of[HOP_WAKE] + own->of[HOP_CALL_INJECT] + own->of[HOP_EXIT_ENTRY],
		   CYCLE_LIMIT);
}

/* What more is added while more is to be known; all of them with NR_VRINGS. */
static void print_more(const struct traced *traced, const struct cost *base)
{
	struct cost many = less(traced->many, base);
	struct cost reasons = less(traced->reasons, base);
	struct cost discovery = less(traced->discovery, base);

	print_costs("many", &many);
	print_costs("reasons", &reasons);
	print_costs("discover", &discovery);
	print_pair("reasons", reasons.of[HOP_EXIT_ENTRY] - many.of[HOP_EXIT_ENTRY], MORE_LIMIT);
	print_pair("discover-kick", kick_of(&discovery) - kick_of(&reasons), MORE_LIMIT);
	print_pair("discover-call", discovery.of[HOP_CALL_INJECT] - reasons.of[HOP_CALL_INJECT],
		   MORE_LIMIT);
}

/* What is added, and the whole round. */
static void print_against(const char *name, double own, double other, double base)
{
	char round[32];

	snprintf(round, sizeof(round), "round-%s", name);
	print_pair(name, own, other);
	print_pair(round, base + own, base + other);
}

static void run(const char *module, struct path *own, struct path *foreign, struct crowd *crowd)
{
	struct cost base, base_foreign, kprobes, bpftrace, idle;
	struct traced traced;
	bool has_bpftrace;

	base = measure(own);
	base_foreign = measure(foreign);
	kprobes = measure_kprobes(own);
	has_bpftrace = measure_bpftrace(own, &bpftrace);
	module_load(module);
	idle = measure(own);
	traced = measure_module(own, foreign, crowd);
	module_unload();

	print_costs("base", &base);
	print_all("kprobes", &kprobes, &base);
	if (has_bpftrace)
		print_all("bpftrace", &bpftrace, &base);
	print_all("own", &traced.own, &base);
	print_all("foreign", &traced.foreign, &base_foreign);

	print_pair("idle", total(&idle), total(&base));
	print_pair("round", total(&traced.own), total(&base));
	print_pair("vcpus", total(&traced.few), total(&traced.own));
	print_pair("vrings", total(&traced.many), total(&traced.few));

	print_more(&traced, &base);

	kprobes = less(kprobes, &base);
	traced.own = less(traced.own, &base);
	traced.foreign = less(traced.foreign, &base_foreign);
	print_limits(&traced.own);
	print_against("kprobes", total(&traced.own), total(&kprobes), total(&base));
	if (has_bpftrace) {
		bpftrace = less(bpftrace, &base);
		print_against("bpftrace", total(&traced.own), total(&bpftrace), total(&base));
	}
	print_pair("foreign", total(&traced.foreign), total(&kprobes));
}

int main(int argc, char **argv)
{
	static struct crowd crowd;
	struct path own, foreign;
	int runs = argc == 3 ? atoi(argv[2]) : 0;

	if (runs <= 0) {
		fputs("usage: bench-hops MODULE RUNS\n", stderr);
		return 2;
	}
	calibrate();
	path_open(&own);
	path_open(&foreign);
	raise_nofile();
	crowd_open(&crowd);
	for (int i = 0; i < runs; i++)
		run(argv[1], &own, &foreign, &crowd);
	return 0;
}
