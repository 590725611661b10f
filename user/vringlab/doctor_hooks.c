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
#include "report.h"

#define HOP(name) VLNL_HOP(VRINGLAB_HOP_##name)
#define FUNCTION(function, in, at)                                                                \
	{                                                                                         \
		.name = #function, .module = in, .type = VRINGLAB_PROBE_TYPE_FUNCTION, .hops = at \
	}
#define TRACEPOINT(tracepoint, in, at)                                                     \
	{                                                                                  \
		.name = #tracepoint, .module = in, .type = VRINGLAB_PROBE_TYPE_TRACEPOINT, \
		.hops = at                                                                 \
	}

/* What the module of this version would tell: see probes[] in module/hooks.c. */
static const struct vlnl_probe expected[] = {
	FUNCTION(eventfd_signal_mask, "", HOP(KICK) | HOP(CALL)),
	FUNCTION(eventfd_write, "", HOP(KICK) | HOP(CALL)),
	FUNCTION(irqfd_wakeup, "kvm", HOP(CALL) | HOP(INJECT)),
	FUNCTION(irqfd_inject, "kvm", HOP(INJECT)),
	TRACEPOINT(io_uring_complete, "", HOP(WAKE)),
	TRACEPOINT(kvm_exit, "kvm", HOP(EXIT)),
	TRACEPOINT(kvm_apic_accept_irq, "kvm", HOP(INJECT)),
	TRACEPOINT(kvm_entry, "kvm", HOP(ENTRY)),
};

#define NR_EXPECTED ((int)(sizeof(expected) / sizeof(expected[0])))

static const char *const hop_costs[VLNL_NR_HOPS] = {
	[VRINGLAB_HOP_EXIT] = "span exit-kick stays empty",
	[VRINGLAB_HOP_KICK] = "it is not known who kicked",
	[VRINGLAB_HOP_WAKE] = "wakes by a completion of io_uring are not seen",
	[VRINGLAB_HOP_CALL] = "calls of irqfds are not seen, or not known by whom",
	[VRINGLAB_HOP_INJECT] = "interrupts are not seen, or not all: span call-inject",
	[VRINGLAB_HOP_ENTRY] = "spans inject-entry and kick-entry stay empty",
};

static const char hook_costs[] = "the hops it is for are seen in part, or not at all";
static const char load_kvm[] = "modprobe kvm_intel or kvm_amd";
static const char load_holder[] = "load the module that holds it";
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

/* Sets state IDLE or ABSENT from "ADDRESS TYPE SYMBOL [MODULE]", addresses unread. */
static int look_up(struct vlnl_probe *probes, int nr)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[1024], symbol[512], module[64];
	bool any = false;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		module[0] = 0;
		if (sscanf(line, "%*s %*s %511s [%63[^]]]", symbol, module) < 1)
			continue;
		any = true;
		for (int i = 0; i < nr; i++)
			if (is_symbol_of(&probes[i], symbol, module))
				probes[i].state = VRINGLAB_PROBE_STATE_IDLE;
	}
	fclose(f);
	return any ? nr : -ENODATA;
}

static int guess(struct vlnl_probe **probes)
{
	struct vlnl_probe *all = malloc(sizeof(expected));
	int ret;

	if (!all)
		return -ENOMEM;
	memcpy(all, expected, sizeof(expected));
	for (int i = 0; i < NR_EXPECTED; i++)
		all[i].state = VRINGLAB_PROBE_STATE_ABSENT;
	ret = look_up(all, NR_EXPECTED);
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

static void name_hops(const struct vlnl_probe *p, char *text, size_t size)
{
	size_t len = 0;

	text[0] = 0;
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++)
		if (p->hops & VLNL_HOP(hop) && len < size)
			len += snprintf(text + len, size - len, "%s%s", len ? ", " : "",
					vlnl_hop_name(hop));
}

static void add_hook(struct doctor *d, const struct vlnl_probe *p, bool loaded)
{
	const char *state = vlnl_probe_state_name(p->state);
	struct doctor_finding *f;
	char hops[96];

	name_hops(p, hops, sizeof(hops));
	if (works(p) && !loaded)
		state = "in this kernel";
	if (!works(p) && !holder_is_loaded(p))
		f = doctor_add(d, DOCTOR_MISSING, "hook", p->name, "%s is not loaded, for %s",
			       p->module, hops);
	else
		f = doctor_add(d, works(p) ? DOCTOR_OK : DOCTOR_MISSING, "hook", p->name,
			       "%s%s%s, for %s", state, p->error ? ": " : "",
			       p->error ? vl_strerror(p->error) : "", hops);
	if (p->state == VRINGLAB_PROBE_STATE_FAILED)
		doctor_advise(f, hook_costs, see_log);
	else if (!holder_is_loaded(p))
		doctor_advise(f, hook_costs, strcmp(p->module, "kvm") ? load_holder : load_kvm);
	else
		doctor_advise(f, hook_costs, "use a kernel that has it");
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
		if (!(report->probes[i].hops & VLNL_HOP(hop)))
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
		nr = guess(&probes);
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
		add_hook(d, &probes[i], loaded);
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++)
		add_hop(d, &report, hop,
			(hop == VRINGLAB_HOP_KICK || hop == VRINGLAB_HOP_CALL) &&
				!sees_eventfds(probes, nr));
	free(probes);
}
