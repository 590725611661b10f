/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Busy polling: before it sleeps, the loop looks for a bounded time whether there
 * is work, in memory that peers write to.
 *
 * A wake-up across CPUs costs tens of microseconds whatever the mechanism, a look
 * at a shared cache line a tenth of one. The price is the CPU time spent looking,
 * which is bounded, counted, and nothing while it is switched off.
 */
#ifndef VRINGLAB_LOOP_SPIN_H
#define VRINGLAB_LOOP_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* loop_set_spin(): never, and as it pays off. */
#define LOOP_SPIN_OFF 0u
#define LOOP_SPIN_AUTO UINT32_MAX

/* The most that LOOP_SPIN_AUTO comes to, and what it begins with. */
#define LOOP_SPIN_AUTO_MAX_US 200u
#define LOOP_SPIN_AUTO_MIN_US 10u

/**
 * struct loop_spinner - Somewhere to look for work
 * @fn:		Called again and again while the loop spins: does what work there is
 *		and returns whether there was any.
 * @arm:	Called before the loop sleeps: ask to be woken for new work. Returns
 *		whether work came before that can have been seen; then the loop does
 *		not sleep. May be NULL.
 * @disarm:	The loop is awake and spins again: wake-ups are not needed. Called once
 *		after each @arm, also after one that found work. May be NULL.
 * @ctx:	For the three.
 * @loop:	The library's, as the following.
 * @prev:	Before it.
 * @next:	After it.
 * @armed:	Between @arm and @disarm.
 *
 * None of the three is called while spinning is off: a spinner is then armed from
 * the start, and has to be armed when it is added. All are called on the loop's
 * thread, and may add and remove spinners, themselves included.
 */
struct loop_spinner {
	bool (*fn)(void *ctx);
	bool (*arm)(void *ctx);
	void (*disarm)(void *ctx);
	void *ctx;
	struct loop *loop;
	struct loop_spinner *prev;
	struct loop_spinner *next;
	bool armed;
};

/**
 * loop_spinner_add() - Have the loop look here, too
 * @loop:	Loop.
 * @spinner:	Not owned, and not added already. It is taken as armed.
 */
void loop_spinner_add(struct loop *loop, struct loop_spinner *spinner);

/**
 * loop_spinner_remove() - Look here no more
 * @spinner:	May be one that was never added, then nothing happens. Is neither armed
 *		nor disarmed for it.
 */
void loop_spinner_remove(struct loop_spinner *spinner);

/**
 * loop_set_spin() - Say for how long to look before sleeping
 * @loop:	Loop.
 * @us:		Microseconds without any work after which the loop sleeps;
 *		LOOP_SPIN_OFF, the default; or LOOP_SPIN_AUTO.
 *
 * With LOOP_SPIN_AUTO the time adapts as KVM's halt polling does: work that came
 * shortly after the loop had gone to sleep makes it longer, up to
 * LOOP_SPIN_AUTO_MAX_US, and a long sleep makes it shorter, down to none.
 *
 * Completions of the loop itself end the spinning as well: sockets, timers and
 * eventfds are served as if it slept. Without spinners the loop does not spin.
 */
void loop_set_spin(struct loop *loop, uint32_t us);

/**
 * struct loop_spin_stats - What spinning cost, and what it was good for
 * @window_ns:	For how long the loop would look now.
 * @spins:	Times it looked in vain at least once.
 * @hits:	Times of these that it found work before the time was over.
 * @sleeps:	Times it slept.
 * @idle_ns:	Time spent looking in vain, in all. CPU time, as far as the loop was
 *		not preempted.
 */
struct loop_spin_stats {
	uint64_t window_ns;
	uint64_t spins;
	uint64_t hits;
	uint64_t sleeps;
	uint64_t idle_ns;
};

/**
 * loop_get_spin_stats() - Read what spinning cost
 * @loop:	Loop.
 * @stats:	Filled in.
 */
void loop_get_spin_stats(const struct loop *loop, struct loop_spin_stats *stats);

#endif /* VRINGLAB_LOOP_SPIN_H */
