// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/cpulist.h>
#include <vringlab/err.h>

#include "command.h"
#include "vmm.h"

static int bad_list(const char *option, const char *text, int code)
{
	switch (code) {
	case -E2BIG:
		return usage_error("vmm", "--%s %s: these are too many CPUs", option, text);
	case -ERANGE:
		return usage_error("vmm", "--%s %s: a CPU's number is at most %u", option, text,
				   VL_CPUS_MAX - 1);
	}
	return usage_error("vmm", "--%s %s: it takes a list of CPUs, as 0,2-5", option, text);
}

int vmm_threads_parse_pin(struct vmm_threads *threads, const char *text)
{
	int nr = vl_cpulist_parse(text, threads->pin, MACHINE_CPUS_MAX);

	if (nr < 0)
		return bad_list("pin", text, nr);
	threads->nr_pin = nr;
	return 0;
}

int vmm_threads_parse_house_keeping(struct vmm_threads *threads, const char *text)
{
	unsigned int cpus[VL_CPUS_MAX];
	int nr = vl_cpulist_parse(text, cpus, VL_CPUS_MAX);

	if (nr < 0)
		return bad_list("house-keeping", text, nr);
	CPU_ZERO(&threads->house_keeping);
	for (int i = 0; i < nr; i++)
		CPU_SET(cpus[i], &threads->house_keeping);
	threads->keeps_house = true;
	return 0;
}

int vmm_threads_parse_priority(struct vmm_threads *threads, const char *text)
{
	if (thread_sched_parse(text, &threads->sched))
		return usage_error(
			"vmm", "--priority %s: it takes o:NICE (-20 to 19), r:N or f:N (1 to 99)",
			text);
	threads->has_sched = true;
	return 0;
}

/* Is it one that this process may use? */
static int check_cpu(const struct vmm_threads *threads, const char *option, unsigned int cpu,
		     struct vl_err *err)
{
	long nr = sysconf(_SC_NPROCESSORS_CONF);
	char list[128];

	if (CPU_ISSET(cpu, &threads->allowed))
		return 0;
	if (nr > 0 && cpu >= nr)
		return vl_err_set(err, -ENODEV, "--%s: there is no CPU %u, this machine has 0-%ld",
				  option, cpu, nr - 1);
	return vl_err_set(err, -EPERM,
			  "--%s: this process may not run on CPU %u, but on %s: the others are "
			  "offline, or not in its affinity (taskset) or cpuset",
			  option, cpu, vl_cpulist_print(&threads->allowed, list, sizeof(list)));
}

static int check_cpus(const struct vmm_threads *threads, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < threads->nr_pin; i++)
		ret = check_cpu(threads, "pin", threads->pin[i], err);
	for (unsigned int cpu = 0; !ret && threads->keeps_house && cpu < VL_CPUS_MAX; cpu++)
		if (CPU_ISSET(cpu, &threads->house_keeping))
			ret = check_cpu(threads, "house-keeping", cpu, err);
	return ret;
}

static int priority_error(const struct thread_sched *sched, int code, struct vl_err *err)
{
	if (code != -EPERM)
		return vl_err_set(err, code, "--priority: %s", vl_strerror(code));
	if (sched->policy == SCHED_OTHER)
		return vl_err_set(err, code,
				  "--priority o:%d needs CAP_SYS_NICE, or a limit of nice that "
				  "allows it ('ulimit -e %d')",
				  sched->priority, 20 - sched->priority);
	return vl_err_set(err, code,
			  "--priority %c:%d needs CAP_SYS_NICE, or a limit of real-time priority "
			  "that allows it ('ulimit -r %d'), and a cgroup with real-time run time",
			  sched->policy == SCHED_RR ? 'r' : 'f', sched->priority, sched->priority);
}

static int check_priority(const struct vmm_threads *threads, struct vl_err *err)
{
	int ret = threads->has_sched ? thread_sched_check(&threads->sched) : 0;

	return ret ? priority_error(&threads->sched, ret, err) : 0;
}

static int set_affinity(const cpu_set_t *set, const char *option, struct vl_err *err)
{
	if (!sched_setaffinity(0, sizeof(*set), set))
		return 0;
	return vl_err_set(err, -errno, "--%s: sched_setaffinity: %s", option, vl_strerror(errno));
}

static int start(struct vmm_threads *threads, struct vl_err *err)
{
	int ret;

	if (!threads->nr_pin && !threads->keeps_house)
		return check_priority(threads, err);
	if (sched_getaffinity(0, sizeof(threads->allowed), &threads->allowed))
		return vl_err_set(err, -errno, "sched_getaffinity: %s", vl_strerror(errno));
	ret = check_cpus(threads, err);
	if (!ret)
		ret = check_priority(threads, err);
	if (!ret && threads->keeps_house)
		ret = set_affinity(&threads->house_keeping, "house-keeping", err);
	return ret;
}

int vmm_threads_start(struct vmm_threads *threads, unsigned int nr_vcpus)
{
	struct vl_err err;

	if (threads->nr_pin && threads->nr_pin != nr_vcpus)
		return usage_error("vmm", "--pin: %u CPUs for %u vCPUs: it takes one for each",
				   threads->nr_pin, nr_vcpus);
	return start(threads, &err) ? fail(&err, EXIT_FAILED) : 0;
}

/* A thread has the affinity of the one that made it. */
static int place(const struct vmm_threads *threads, unsigned int id, struct vl_err *err)
{
	cpu_set_t set;

	if (!threads->nr_pin)
		return threads->keeps_house ? set_affinity(&threads->allowed, "pin", err) : 0;
	CPU_ZERO(&set);
	CPU_SET(threads->pin[id], &set);
	return set_affinity(&set, "pin", err);
}

int vmm_threads_enter_vcpu(const struct vmm_threads *threads, unsigned int id, struct vl_err *err)
{
	int ret = place(threads, id, err);

	if (ret || !threads->has_sched)
		return ret;
	ret = thread_sched_set(&threads->sched);
	return ret ? priority_error(&threads->sched, ret, err) : 0;
}
