/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the kernel schedules a thread: its policy and priority, as rtla(1) writes them.
 */
#ifndef VRINGLAB_THREAD_SCHED_H
#define VRINGLAB_THREAD_SCHED_H

/**
 * struct thread_sched - A policy and a priority
 * @policy:	SCHED_OTHER, SCHED_RR or SCHED_FIFO.
 * @priority:	1 to 99; of SCHED_OTHER the nice value, -20 to 19.
 */
struct thread_sched {
	int policy;
	int priority;
};

/**
 * thread_sched_parse() - Parse "o:NICE", "r:PRIORITY" or "f:PRIORITY"
 * @text:	Text.
 * @sched:	Set on success only.
 *
 * There is no SCHED_DEADLINE (d): such a thread cannot be pinned.
 *
 * Return: 0, %-EINVAL or %-ERANGE.
 */
int thread_sched_parse(const char *text, struct thread_sched *sched);

/**
 * thread_sched_set() - Have the calling thread scheduled so
 * @sched:	How.
 *
 * Return: 0, or %-EPERM without CAP_SYS_NICE and beyond the limits (RLIMIT_RTPRIO,
 * RLIMIT_NICE), or in a cgroup that has no real-time run time.
 */
int thread_sched_set(const struct thread_sched *sched);

/**
 * thread_sched_check() - May a thread of this process be scheduled so?
 * @sched:	How.
 *
 * It is tried by a thread that does nothing else.
 *
 * Return: as thread_sched_set(), or a negative errno of pthread_create(3).
 */
int thread_sched_check(const struct thread_sched *sched);

#endif /* VRINGLAB_THREAD_SCHED_H */
