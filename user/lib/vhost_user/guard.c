// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handler reads a list that other threads change meanwhile, and may take no
 * lock: nodes are never freed, only used again, and each has a sequence count that
 * is odd while it changes. The thread that faults is the one that owns the mapping
 * that it touched, so that the node it is looking for does not change.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "guard.h"

struct guard {
	struct guard *next;
	bool used; /* under the lock */
	atomic_uint sequence;
	atomic_uintptr_t start;
	atomic_size_t len;
	/* of a volatile sig_atomic_t */
	atomic_uintptr_t faulted;
};

/* The first struct guard */
static atomic_uintptr_t guards;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static struct sigaction before;

static struct guard *first_guard(void)
{
	return (struct guard *)atomic_load(&guards);
}

/* What a guard was at one moment; false if it is being changed. */
static bool read_guard(struct guard *g, uintptr_t *start, size_t *len,
		       volatile sig_atomic_t **faulted)
{
	unsigned int sequence = atomic_load_explicit(&g->sequence, memory_order_acquire);

	*start = atomic_load_explicit(&g->start, memory_order_relaxed);
	*len = atomic_load_explicit(&g->len, memory_order_relaxed);
	*faulted = (volatile sig_atomic_t *)atomic_load_explicit(&g->faulted, memory_order_relaxed);
	/* pairs with the fence of change(): fields of a later change show it here */
	atomic_thread_fence(memory_order_acquire);
	return !(sequence & 1) &&
	       atomic_load_explicit(&g->sequence, memory_order_relaxed) == sequence;
}

/* Replaces the range that @addr is in. Async-signal-safe: mmap(2) is a system call. */
static bool contain(uintptr_t addr)
{
	volatile sig_atomic_t *faulted;
	uintptr_t start;
	size_t len;

	for (struct guard *g = first_guard(); g; g = g->next) {
		if (!read_guard(g, &start, &len, &faulted) || addr - start >= len)
			continue;
		if (mmap((void *)start, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			return false;
		*faulted = 1;
		return true;
	}
	return false;
}

static void hand_on(int signal_nr, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(signal_nr, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signal_nr);
	} else {
		/* the access is made again, or the signal sent again, and ends the process */
		sigaction(signal_nr, &before, NULL);
		if (info->si_code <= 0)
			raise(signal_nr);
	}
}

static void on_sigbus(int signal_nr, siginfo_t *info, void *context)
{
	int saved = errno;

	if (info->si_code != BUS_ADRERR || !contain((uintptr_t)info->si_addr))
		hand_on(signal_nr, info, context);
	errno = saved;
}

static int install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};

	if (installed)
		return 0;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &before))
		return -errno;
	installed = true;
	return 0;
}

static void change(struct guard *g, uintptr_t start, size_t len, volatile sig_atomic_t *faulted)
{
	atomic_fetch_add_explicit(&g->sequence, 1, memory_order_relaxed);
	/* pairs with the fence of read_guard() */
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&g->start, start, memory_order_relaxed);
	atomic_store_explicit(&g->len, len, memory_order_relaxed);
	atomic_store_explicit(&g->faulted, (uintptr_t)faulted, memory_order_relaxed);
	atomic_fetch_add_explicit(&g->sequence, 1, memory_order_release);
}

/* One that is not used, or a new one at the head of the list. */
static struct guard *get_guard(void)
{
	struct guard *g = first_guard();

	while (g && g->used)
		g = g->next;
	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return NULL;
		g->next = first_guard();
		atomic_store(&guards, (uintptr_t)g);
	}
	g->used = true;
	return g;
}

int guard_add(struct guard **guard, void *start, size_t len, volatile sig_atomic_t *faulted)
{
	struct guard *g = NULL;
	int ret;

	pthread_mutex_lock(&lock);
	ret = install();
	if (!ret) {
		g = get_guard();
		if (g)
			change(g, (uintptr_t)start, len, faulted);
		else
			ret = -ENOMEM;
	}
	pthread_mutex_unlock(&lock);
	if (!ret)
		*guard = g;
	return ret;
}

void guard_remove(struct guard **guard)
{
	struct guard *g = *guard;

	*guard = NULL;
	if (!g)
		return;
	pthread_mutex_lock(&lock);
	change(g, 0, 0, NULL);
	g->used = false;
	pthread_mutex_unlock(&lock);
}
