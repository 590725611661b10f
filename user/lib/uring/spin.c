// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Busy polling before a sleep.
 *
 *	turn:   spinners' fn, submit, completions
 *	        found something -> back to the caller, who comes again
 *	        nothing for the window -> arm all -> sleep -> disarm all
 */
#include <errno.h>
#include <stddef.h>

#include "internal.h"

/*
 * Turns between two looks at the clock, which costs about as much as a turn with
 * a few virtqueues.
 */
#define TURNS_PER_CLOCK 8

#define AUTO_MIN_NS (LOOP_SPIN_AUTO_MIN_US * 1000ull)
#define AUTO_MAX_NS (LOOP_SPIN_AUTO_MAX_US * 1000ull)

void loop_spinner_add(struct loop *loop, struct loop_spinner *spinner)
{
	spinner->loop = loop;
	spinner->armed = true;
	spinner->prev = NULL;
	spinner->next = loop->spin.first;
	if (spinner->next)
		spinner->next->prev = spinner;
	loop->spin.first = spinner;
}

void loop_spinner_remove(struct loop_spinner *spinner)
{
	struct loop *loop = spinner->loop;

	if (!loop)
		return;
	if (loop->spin.cursor == spinner)
		loop->spin.cursor = spinner->next;
	if (spinner->next)
		spinner->next->prev = spinner->prev;
	if (spinner->prev)
		spinner->prev->next = spinner->next;
	else
		loop->spin.first = spinner->next;
	spinner->loop = NULL;
}

/* The next one of a walk during which spinners may come and go. */
static struct loop_spinner *walk_next(struct loop *loop)
{
	struct loop_spinner *spinner = loop->spin.cursor;

	if (spinner)
		loop->spin.cursor = spinner->next;
	return spinner;
}

static bool run_spinners(struct loop *loop)
{
	struct loop_spinner *spinner;
	bool found = false;

	loop->spin.cursor = loop->spin.first;
	while ((spinner = walk_next(loop)))
		found |= spinner->fn(spinner->ctx);
	return found;
}

/* Returns whether one of them found work. */
static bool arm_spinners(struct loop *loop)
{
	struct loop_spinner *spinner;
	bool found = false;

	loop->spin.cursor = loop->spin.first;
	while ((spinner = walk_next(loop))) {
		if (spinner->armed)
			continue;
		spinner->armed = true;
		if (spinner->arm)
			found |= spinner->arm(spinner->ctx);
	}
	return found;
}

static void disarm_spinners(struct loop *loop)
{
	struct loop_spinner *spinner;

	loop->spin.cursor = loop->spin.first;
	while ((spinner = walk_next(loop))) {
		if (!spinner->armed)
			continue;
		spinner->armed = false;
		if (spinner->disarm)
			spinner->disarm(spinner->ctx);
	}
}

void loop_set_spin(struct loop *loop, uint32_t us)
{
	struct loop_spin *spin = &loop->spin;

	spin->automatic = us == LOOP_SPIN_AUTO;
	spin->on = us != LOOP_SPIN_OFF;
	/* begins without: the first short sleep is the first reason */
	spin->stats.window_ns = spin->automatic ? 0 : us * 1000ull;
	if (!spin->on)
		arm_spinners(loop);
}

void loop_get_spin_stats(const struct loop *loop, struct loop_spin_stats *stats)
{
	*stats = loop->spin.stats;
}

/* One look everywhere, without waiting. Returns whether anything was done. */
bool loop_spin_turn(struct loop *loop)
{
	bool found = loop->spin.on && run_spinners(loop);

	return loop_poll_now(loop) || found;
}

/* x86 only, as the rest of vringlab: the other hyperthread gets its turn. */
static inline void relax(void)
{
	__builtin_ia32_pause();
}

/* Turns until one finds something, or until @end_ns. Returns the time it ended. */
static uint64_t turn_until(struct loop *loop, uint64_t end_ns, bool *found)
{
	uint64_t now_ns;

	do {
		for (unsigned int i = 0; i < TURNS_PER_CLOCK; i++) {
			relax();
			*found = loop_spin_turn(loop);
			if (*found)
				return loop_now_ns();
		}
		now_ns = loop_now_ns();
	} while (now_ns < end_ns);
	return now_ns;
}

/* Looks for the window's time. Returns whether anything was done. */
static bool spin_window(struct loop *loop, uint64_t begin_ns, uint64_t deadline_ns)
{
	struct loop_spin *spin = &loop->spin;
	uint64_t end_ns = begin_ns + spin->stats.window_ns;
	bool found = false;
	uint64_t now_ns;

	now_ns = turn_until(loop, end_ns < deadline_ns ? end_ns : deadline_ns, &found);
	spin->stats.spins++;
	spin->stats.hits += found;
	spin->stats.idle_ns += now_ns - begin_ns;
	return found;
}

/*
 * After a sleep: would a longer window have made it needless? @waited_ns is the
 * time without work, spinning included, as halt_ns in KVM's kvm_vcpu_halt().
 */
static void adapt(struct loop_spin *spin, uint64_t waited_ns)
{
	uint64_t window_ns = spin->stats.window_ns;

	if (waited_ns > AUTO_MAX_NS)
		window_ns = window_ns / 2 < AUTO_MIN_NS ? 0 : window_ns / 2;
	else if (waited_ns > window_ns)
		window_ns = window_ns ? window_ns * 2 : AUTO_MIN_NS;
	spin->stats.window_ns = window_ns < AUTO_MAX_NS ? window_ns : AUTO_MAX_NS;
}

static int sleep_armed(struct loop *loop, uint64_t deadline_ns)
{
	int ret;

	if (arm_spinners(loop)) {
		disarm_spinners(loop);
		return 0;
	}
	loop->spin.stats.sleeps++;
	ret = loop_enter(loop, deadline_ns);
	disarm_spinners(loop);
	return loop_handle(loop, deadline_ns, ret);
}

/* In place of loop_wait() while spinning is on. */
int loop_spin_wait(struct loop *loop, uint64_t deadline_ns)
{
	struct loop_spin *spin = &loop->spin;
	uint64_t begin_ns;
	int ret;

	loop->rounds++;
	disarm_spinners(loop);
	if (loop_spin_turn(loop))
		return 0;
	/* no look at the clock before here: a loop with work to do has no time for it */
	begin_ns = loop_now_ns();
	if (begin_ns >= deadline_ns)
		return -ETIME;
	if (spin->stats.window_ns && spin_window(loop, begin_ns, deadline_ns))
		return 0;
	ret = sleep_armed(loop, deadline_ns);
	if (spin->automatic)
		adapt(spin, loop_now_ns() - begin_ns);
	return ret;
}
