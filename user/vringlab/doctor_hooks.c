// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions and tracepoints that the module hooks, and the hops that it sees by
 * them: told by the module where it is loaded, else by the kernel's list of symbols.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "doctor.h"
#include "doctor_probe.h"
#include "report.h"

static const char *const hop_costs[VLNL_NR_HOPS] = {
	[VRINGLAB_HOP_EXIT] = "span exit-kick stays empty",
	[VRINGLAB_HOP_KICK] = "it is not known who kicked",
	[VRINGLAB_HOP_WAKE] = "wakes by a completion of io_uring, or some of vhost, are not seen",
	[VRINGLAB_HOP_CALL] = "calls of irqfds are not seen, or not known by whom",
	[VRINGLAB_HOP_INJECT] = "interrupts are not seen, or not all: span call-inject",
	[VRINGLAB_HOP_ENTRY] = "spans inject-entry and kick-entry stay empty",
};

static const char hook_costs[] = "what it is for is seen in part, or not at all";
static const char load_kvm[] = "modprobe kvm_intel or kvm_amd";
static const char load_holder[] = "load the module that holds it";
static const char arm[] = "echo 1 >/sys/kernel/debug/kprobes/enabled";
static const char see_log[] = "see the errno; end other tracers, sysctl kernel.ftrace_enabled=1";

/* Ask the module; -ENOENT while there is none. */
static int ask(struct vlnl_probe **probes)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, NULL);

	if (ret)
		return ret;
	ret = vlnl_probe_dump(nl, probes, NULL);
	vlnl_close(nl);
	return ret;
}

/* A tracepoint itself is data, which not every kernel lists; it comes with a function. */
static bool is_symbol_of(const struct vlnl_probe *p, const char *symbol, const char *module)
{
	static const char prefix[] = "__traceiter_";
	bool is_tracepoint = p->type == VRINGLAB_PROBE_TYPE_TRACEPOINT;

	if (is_tracepoint && strncmp(symbol, prefix, sizeof(prefix) - 1))
		return false;
	if (strcmp(symbol + (is_tracepoint ? sizeof(prefix) - 1 : 0), p->name))
		return false;
	/* What may be a module can be built in. */
	return !module[0] || !strcmp(module, p->module);
}

/*
 * Sets state IDLE or ABSENT from "ADDRESS TYPE SYMBOL [MODULE]", addresses unread. There are
 * more than a hundred thousand, too many for sscanf().
 */
static int look_up(struct vlnl_probe *probes, int nr)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	const char *symbol, *module;
	char line[1024], *rest;
	bool any = false;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (!strtok_r(line, " ", &rest) || !strtok_r(NULL, " ", &rest))
			continue;
		symbol = strtok_r(NULL, "\t\n", &rest);
		module = strtok_r(NULL, "[]\n", &rest);
		if (!symbol)
			continue;
		any = true;
		for (int i = 0; i < nr; i++)
			if (is_symbol_of(&probes[i], symbol, module ? module : ""))
				probes[i].state = VRINGLAB_PROBE_STATE_IDLE;
	}
	fclose(f);
	return any ? nr : -ENODATA;
}

static unsigned int release_of(const struct doctor *d)
{
	unsigned int major = 0, minor = 0;

	/* Of an unknown release all is expected of a 0.0. */
	if (sscanf(d->release, "%u.%u", &major, &minor) != 2)
		return 0;
	return DOCTOR_RELEASE(major, minor);
}

static int guess(const struct doctor *d, struct vlnl_probe **probes)
{
	const unsigned int release = release_of(d);
	const struct doctor_probe *p;
	struct vlnl_probe *all;
	int ret, nr = 0;

	for (p = NULL; (p = doctor_probe_next(p, release));)
		nr++;
	all = calloc(nr, sizeof(*all));
	if (!all)
		return -ENOMEM;
	nr = 0;
	for (p = NULL; (p = doctor_probe_next(p, release));)
		all[nr++] = p->probe;
	ret = look_up(all, nr);
	if (ret < 0)
		free(all);
	else
		*probes = all;
	return ret;
}

static bool holder_is_loaded(const struct vlnl_probe *p)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s", p->module);
	return !p->module[0] || !access(path, F_OK);
}

static bool works(const struct vlnl_probe *p)
{
	return p->state == VRINGLAB_PROBE_STATE_IDLE || p->state == VRINGLAB_PROBE_STATE_ATTACHED;
}

/* vhost's modules come when a VM wants them; until then there is nothing to see. */
static bool waits_for_vhost(const struct vlnl_probe *p)
{
	return !strncmp(p->module, "vhost", 5) && !holder_is_loaded(p);
}

/* Does another one that serves the same work in its place? */
static bool is_replaced(const struct report *report, const struct vlnl_probe *p)
{
	const struct doctor_probe *it = doctor_probe_find(p->name), *other;

	if (!it || !it->one_of || p->state != VRINGLAB_PROBE_STATE_ABSENT)
		return false;
	for (unsigned int i = 0; i < report->nr_probes; i++) {
		other = doctor_probe_find(report->probes[i].name);
		if (other && other->one_of && !strcmp(other->purpose, it->purpose) &&
		    works(&report->probes[i]))
			return true;
	}
	return false;
}

static void name_purpose(const struct vlnl_probe *p, char *text, size_t size)
{
	const struct doctor_probe *known = doctor_probe_find(p->name);
	size_t len = 0;

	snprintf(text, size, "%s", known && known->purpose ? known->purpose : "no hop");
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++)
		if (p->hops & VLNL_HOP(hop) && len < size)
			len += snprintf(text + len, size - len, "%s%s", len ? ", " : "",
					vlnl_hop_name(hop));
}

static const char *cure_of(const struct vlnl_probe *p)
{
	if (p->state == VRINGLAB_PROBE_STATE_FAILED)
		return p->error == ECANCELED ? arm : see_log;
	if (!holder_is_loaded(p))
		return strcmp(p->module, "kvm") ? load_holder : load_kvm;
	return "use a kernel that has it";
}

static void add_hook(struct doctor *d, const struct report *report, const struct vlnl_probe *p,
		     bool loaded)
{
	const struct doctor_probe *known = doctor_probe_find(p->name);
	const char *state = vlnl_probe_state_name(p->state);
	struct doctor_finding *f;
	char purpose[96];
	bool ok = works(p) || waits_for_vhost(p) || is_replaced(report, p);

	name_purpose(p, purpose, sizeof(purpose));
	if (works(p) && !loaded)
		state = "in this kernel";
	else if (is_replaced(report, p))
		state = "another function does it in this kernel";
	if (!works(p) && !holder_is_loaded(p))
		f = doctor_add(d, ok ? DOCTOR_OK : DOCTOR_MISSING, "hook", p->name,
			       "%s is not loaded, for %s", p->module, purpose);
	else
		f = doctor_add(d, ok ? DOCTOR_OK : DOCTOR_MISSING, "hook", p->name,
			       "%s%s%s, for %s", state, p->error ? ": " : "",
			       p->error ? vl_strerror(p->error) : "", purpose);
	doctor_advise(f, known ? known->costs : hook_costs, cure_of(p));
}

/* Without either of these two the module registers nothing. */
static bool sees_eventfds(const struct vlnl_probe *probes, int nr)
{
	for (int i = 0; i < nr; i++)
		if (works(&probes[i]) && (!strcmp(probes[i].name, "eventfd_signal_mask") ||
					  !strcmp(probes[i].name, "eventfd_write")))
			return true;
	return false;
}

static void add_hop(struct doctor *d, const struct report *report, uint32_t hop, bool needed)
{
	enum report_sight sight = report_sight(report, hop);
	enum doctor_state state = sight == REPORT_NOT_SEEN ? DOCTOR_MISSING : DOCTOR_OK;
	unsigned int of = 0, working = 0;
	struct doctor_finding *f;

	for (unsigned int i = 0; i < report->nr_probes; i++) {
		if (!(report->probes[i].hops & VLNL_HOP(hop)) ||
		    waits_for_vhost(&report->probes[i]))
			continue;
		of++;
		working += works(&report->probes[i]);
	}
	if (state == DOCTOR_OK && working < of)
		state = DOCTOR_LIMITED;
	f = doctor_add(d, state, "hop", vlnl_hop_name(hop), "%u of %u hooks", working, of);
	f->needed = needed;
	if (needed)
		f->state = DOCTOR_MISSING;
	doctor_advise(f, needed ? "no vring can be registered" : hop_costs[hop],
		      "see its hooks above");
}

void doctor_look_at_hooks(struct doctor *d)
{
	struct vlnl_probe *probes = NULL;
	struct doctor_finding *f;
	struct report report;
	bool loaded = true;
	int nr = ask(&probes);

	if (nr < 0) {
		loaded = false;
		nr = guess(d, &probes);
	}
	if (nr < 0) {
		f = doctor_add(d, DOCTOR_UNKNOWN, "hook", "symbols", "/proc/kallsyms: %s",
			       vl_strerror(nr));
		doctor_advise(f, "it is not known which hops this kernel shows",
			      "load the module, or run it as root");
		return;
	}
	report = (struct report){ .probes = probes, .nr_probes = nr };
	for (int i = 0; i < nr; i++)
		add_hook(d, &report, &probes[i], loaded);
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++)
		add_hop(d, &report, hop,
			(hop == VRINGLAB_HOP_KICK || hop == VRINGLAB_HOP_CALL) &&
				!sees_eventfds(probes, nr));
	free(probes);
}
