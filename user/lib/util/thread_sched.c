// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include <vringlab/parse.h>
#include <vringlab/thread_sched.h>

/* sched(7): what Linux has, whatever an other system's sched_get_priority_max(2) says */
#define REAL_TIME_MAX 99
#define NICE_MIN (-20)
#define NICE_MAX 19

static int parse_nice(const char *text, int *nice)
{
	bool negative = *text == '-';
	uint64_t value;
	int ret = vl_parse_u64(text + negative, 0, negative ? -NICE_MIN : NICE_MAX, &value);

	if (!ret)
		*nice = negative ? -(int)value : (int)value;
	return ret;
}

static int parse_real_time(const char *text, int *priority)
{
	uint64_t value;
	int ret = vl_parse_u64(text, 1, REAL_TIME_MAX, &value);

	if (!ret)
		*priority = value;
	return ret;
}

int thread_sched_parse(const char *text, struct thread_sched *sched)
{
	struct thread_sched parsed;
	int ret;

	if (!*text || text[1] != ':')
		return -EINVAL;
	switch (*text) {
	case 'o':
		parsed.policy = SCHED_OTHER;
		ret = parse_nice(text + 2, &parsed.priority);
		break;
	case 'r':
	case 'f':
		parsed.policy = *text == 'r' ? SCHED_RR : SCHED_FIFO;
		ret = parse_real_time(text + 2, &parsed.priority);
		break;
	default:
		return -EINVAL;
	}
	if (!ret)
		*sched = parsed;
	return ret;
}

/* Both calls are of one thread on Linux, whatever POSIX says. */
int thread_sched_set(const struct thread_sched *sched)
{
	bool real_time = sched->policy != SCHED_OTHER;
	struct sched_param param = { .sched_priority = real_time ? sched->priority : 0 };

	if (sched_setscheduler(0, sched->policy, &param))
		return -errno;
	if (real_time || !setpriority(PRIO_PROCESS, 0, sched->priority))
		return 0;
	/* setpriority(2) says EACCES where it is a privilege that is missing */
	return errno == EACCES ? -EPERM : -errno;
}

static void *try(void *arg)
{
	return (void *)(intptr_t)thread_sched_set(arg);
}

int thread_sched_check(const struct thread_sched *sched)
{
	struct thread_sched tried = *sched;
	pthread_t thread;
	void *result;
	int ret = pthread_create(&thread, NULL, try, &tried);

	if (ret)
		return -ret;
	pthread_join(thread, &result);
	return (int)(intptr_t)result;
}
