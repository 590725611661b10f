// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module in and out, in every order with those it looks at, with and without
 * a virtqueue: it refuses nothing, follows what comes and goes, and leaves
 * nothing.
 */
#include <linux/genetlink.h>

#include "module.h"

/* Loading KVM takes an emulated machine seconds: it is repeated by the variants. */
#define TIMES 2
#define MAX_PROBES 64

/*
 * A step of a test, as a person would do it:
 *
 *	+NAME, -NAME	load, unload; "cpu" is KVM's module for this processor
 *	reg, persist	register a virtqueue, for this socket's time or longer
 *	del		delete it by its id
 *	close		close the socket that registered it
 *
 * After each step all probes are in the state that follows from what is loaded
 * and registered, and the virtqueue, if any, counts.
 */

/* clang-format off */
FIXTURE(order) {
	const char *vendor;
	struct t_genl g;
	struct t_vring v;
	int kick;
	int call;
	uint64_t kicks;
	int hooks_before;
};

FIXTURE_VARIANT(order) {
	const char *steps;
	int times;
};

FIXTURE_VARIANT_ADD(order, alone_with_a_vring) {
	.steps = "+vringlab -vringlab +vringlab reg del -vringlab",
	.times = TIMES,
};

FIXTURE_VARIANT_ADD(order, first_of_all) {
	.steps = "+vringlab +kvm +cpu +vhost_net reg del -vhost_net -vhost -cpu -kvm -vringlab",
};

FIXTURE_VARIANT_ADD(order, last_of_all) {
	.steps = "+vhost_net +cpu +vringlab reg del -vringlab -cpu -kvm -vhost_net -vhost",
};

FIXTURE_VARIANT_ADD(order, others_come_and_go_while_a_vring_is_registered) {
	.steps = "+vringlab reg +kvm +cpu +vhost_net -vhost_net -vhost -cpu -kvm del -vringlab",
};

FIXTURE_VARIANT_ADD(order, others_go_and_come_back) {
	.steps = "+cpu +vringlab reg -cpu +cpu -cpu -kvm +cpu del -vringlab -cpu -kvm",
};

FIXTURE_VARIANT_ADD(order, out_with_a_vring_registered) {
	.steps = "+vringlab reg -vringlab",
	.times = TIMES,
};

FIXTURE_VARIANT_ADD(order, out_with_a_persistent_vring) {
	.steps = "+vringlab persist close -vringlab +vringlab persist close del -vringlab",
};

FIXTURE_VARIANT_ADD(order, out_right_after_the_socket) {
	.steps = "+vringlab reg close -vringlab",
	.times = TIMES,
};

/* clang-format on */

/* How many functions ftrace has patched, whoever wants them. */
static int nr_hooks(void)
{
	char path[96], line[512];
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/enabled_functions", t_tracefs() ?: "");
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		nr++;
	fclose(f);
	return nr;
}

/* What probes are for, once it was looked for in the list of symbols, which is long. */
static struct symbol {
	char probe[64];
	char module[64];
	char name[96];
	bool exists;
} symbols[MAX_PROBES];
static int nr_symbols;

static const struct symbol *symbol_of(const struct t_probe *p)
{
	int i;

	for (i = 0; i < nr_symbols; i++)
		if (!strcmp(symbols[i].probe, p->name))
			return &symbols[i];
	return NULL;
}

/* Those from the given one on, in one reading. */
static bool look_for_symbols(int from)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], *rest;
	const char *name, *in;
	int i;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		/* After the address and the type. */
		strtok_r(line, " ", &rest);
		strtok_r(NULL, " ", &rest);
		name = strtok_r(NULL, "\t\n", &rest);
		in = strtok_r(NULL, "[]\n", &rest) ?: "";
		for (i = from; name && i < nr_symbols; i++)
			if (!strcmp(symbols[i].name, name) && !strcmp(symbols[i].module, in))
				symbols[i].exists = true;
	}
	fclose(f);
	return true;
}

static bool is_loaded(const struct t_probe *p)
{
	return !p->module[0] || t_kmod_loaded(p->module);
}

/* Of the kernel and of the modules that are loaded. */
static bool learn_symbols(const struct t_probe *p, int nr)
{
	int i, from = nr_symbols;
	struct symbol *s;

	for (i = 0; i < nr && nr_symbols < MAX_PROBES; i++) {
		if (!is_loaded(&p[i]) || symbol_of(&p[i]))
			continue;
		s = &symbols[nr_symbols++];
		strcpy(s->probe, p[i].name);
		strcpy(s->module, p[i].module);
		snprintf(s->name, sizeof(s->name), "%s%s",
			 p[i].type == VRINGLAB_PROBE_TYPE_TRACEPOINT ? "__tracepoint_" : "",
			 p[i].name);
	}
	return from == nr_symbols || look_for_symbols(from);
}

/*
 * The others are for vrings that the module finds, which it does not look for here:
 * those in vhost, and those that serve no hop, except for what is counted of vCPUs.
 */
static bool is_for_registered(const struct t_probe *p)
{
	if (!strncmp(p->module, "vhost", strlen("vhost")))
		return false;
	return p->nr_hops || !strcmp(p->name, "kvm_arch_vcpu_destroy") ||
	       !strcmp(p->name, "kvm_vcpu_wakeup");
}

static enum vringlab_probe_state expected_state(const struct t_probe *p, bool registered)
{
	const struct symbol *s = is_loaded(p) ? symbol_of(p) : NULL;

	if (!s || !s->exists)
		return VRINGLAB_PROBE_STATE_ABSENT;
	return registered && is_for_registered(p) ? VRINGLAB_PROBE_STATE_ATTACHED :
						    VRINGLAB_PROBE_STATE_IDLE;
}

/* Detaching is not the deleter's time, so it may still be under way. */
static bool states_are(struct t_probe *p, int *nr, bool registered)
{
	struct t_genl g;
	bool are;
	int i;

	if (t_genl_open(&g, VRINGLAB_FAMILY_NAME))
		return false;
	*nr = t_probe_dump(&g, p, MAX_PROBES);
	t_genl_close(&g);
	are = learn_symbols(p, *nr);
	for (i = 0; i < *nr && are; i++)
		are = p[i].state == expected_state(&p[i], registered);
	return are && *nr > 0;
}

static void expect_states(struct __test_metadata *_metadata, bool registered, const char *step)
{
	struct t_probe p[MAX_PROBES];
	int i, nr = 0;

	if (EVENTUALLY(states_are(p, &nr, registered)))
		return;
	EXPECT_LT(0, nr);
	for (i = 0; i < nr; i++)
		EXPECT_EQ(expected_state(&p[i], registered), p[i].state)
		{
			TH_LOG("after %s: %s of %s, errno %u", step, p[i].name,
			       p[i].module[0] ? p[i].module : "the kernel", p[i].error);
		}
}

static void expect_nothing_left(struct __test_metadata *_metadata, int hooks_before)
{
	char path[96];
	struct t_genl g;

	EXPECT_FALSE(t_kmod_loaded("vringlab"));
	EXPECT_EQ(-ENOENT, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	ASSERT_NE(NULL, t_tracefs());
	snprintf(path, sizeof(path), "%s/events/vringlab", t_tracefs());
	EXPECT_NE(0, access(path, F_OK));
	EXPECT_EQ(hooks_before, nr_hooks());
}

static void expect_event_files(struct __test_metadata *_metadata)
{
	static const char *const events[] = { "kick", "wake", "call", "inject", "entry" };
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		snprintf(path, sizeof(path), "%s/events/vringlab/%s/format", t_tracefs(),
			 events[i]);
		EXPECT_EQ(0, access(path, R_OK))
		{
			TH_LOG("no %s", path);
		}
	}
}

static void unload_others(const char *vendor)
{
	t_kmod_rmmod("vhost_net");
	t_kmod_rmmod("vhost");
	t_kmod_rmmod(vendor);
	t_kmod_rmmod("kvm");
}

FIXTURE_SETUP(order)
{
	if (!t_kmod_path())
		SKIP(return, "needs the module's file: set VRINGLAB_KO=");
	if (geteuid())
		SKIP(return, "needs CAP_SYS_MODULE: run as root");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	if (strstr(variant->steps, "cpu")) {
		self->vendor = t_kmod_vendor();
		if (!self->vendor)
			SKIP(return, "needs a processor with SVM or VMX: scripts/vm has one");
		unload_others(self->vendor);
		if (t_kmod_loaded("kvm") || t_kmod_loaded("vhost"))
			SKIP(return, "needs kvm and vhost unused: end what uses them");
	}
	self->hooks_before = nr_hooks();
	ASSERT_LE(0, self->hooks_before);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, 0);
}

FIXTURE_TEARDOWN(order)
{
	t_genl_close(&self->g);
	t_kmod_rmmod("vringlab");
	if (!self->vendor)
		return;
	unload_others(self->vendor);
	/* What the machine had, for the programs after this one. */
	EXPECT_EQ(0, t_kmod_modprobe(self->vendor));
}

static void load(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self, const char *name)
{
	if (!strcmp(name, "vringlab")) {
		ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
		ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
		expect_event_files(_metadata);
	} else {
		ASSERT_EQ(0, t_kmod_modprobe(strcmp(name, "cpu") ? name : self->vendor));
	}
}

static void unload(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self, const char *name)
{
	const char *real = strcmp(name, "cpu") ? name : self->vendor;
	int ret = t_kmod_rmmod(real);

	ASSERT_EQ(0, ret)
	{
		TH_LOG("cannot unload %s: %s", real, strerror(-ret));
	}
	if (strcmp(name, "vringlab"))
		return;
	t_genl_close(&self->g);
	self->v.id = 0;
	expect_nothing_left(_metadata, self->hooks_before);
}

static void reg(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self, bool persist)
{
	if (!self->g.nl)
		ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD) | (persist ? HAS(PERSIST) : 0),
		.label = "load.0",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
	vring_add(_metadata, &self->g, &self->v);
	self->kicks = 0;
}

static void expect_counting(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self,
			    const char *step)
{
	struct t_stats s;
	struct t_genl g;

	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	self->kicks++;
	stats_get(_metadata, &g, self->v.id, &s);
	EXPECT_EQ(self->kicks, T_CNT(&s, KICKS))
	{
		TH_LOG("after %s", step);
	}
	EXPECT_LAWFUL(&s);
	t_genl_close(&g);
}

static void do_step(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self, const char *step)
{
	bool was_persistent = self->v.has & HAS(PERSIST);

	if (*step == '+') {
		load(_metadata, self, step + 1);
	} else if (*step == '-') {
		unload(_metadata, self, step + 1);
	} else if (!strcmp(step, "del")) {
		if (!self->g.nl)
			ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
		ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
		self->v.id = 0;
	} else if (!strcmp(step, "close")) {
		t_genl_close(&self->g);
		if (!was_persistent)
			self->v.id = 0;
	} else {
		reg(_metadata, self, !strcmp(step, "persist"));
	}
	if (!t_kmod_loaded("vringlab"))
		return;
	/* Right after the socket means right after. */
	if (strcmp(step, "close") || was_persistent)
		expect_states(_metadata, self->v.id, step);
	if (self->v.id)
		expect_counting(_metadata, self, step);
}

TEST_F_TIMEOUT(order, works_and_leaves_nothing, SLOW)
{
	char steps[256], *step, *rest;
	int i;

	for (i = 0; i < (variant->times ?: 1); i++) {
		strcpy(steps, variant->steps);
		for (step = strtok_r(steps, " ", &rest); step; step = strtok_r(NULL, " ", &rest))
			do_step(_metadata, self, step);
	}
}

/* clang-format off */
FIXTURE(ftrace_switch) {
	struct t_genl g;
	struct t_vring v;
	int kick;
	bool loaded;
};

/* clang-format on */

static int ftrace_enable(const char *value)
{
	int fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, value, 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

FIXTURE_SETUP(ftrace_switch)
{
	if (!t_kmod_path() || geteuid())
		SKIP(return, "needs root and the module's file: set VRINGLAB_KO=");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	self->kick = new_eventfd(_metadata, 0);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "switch",
		.kick_fd = self->kick,
		.call_fd = new_eventfd(_metadata, 0),
	};
}

FIXTURE_TEARDOWN(ftrace_switch)
{
	EXPECT_EQ(0, ftrace_enable("1"));
	t_genl_close(&self->g);
	EXPECT_EQ(0, t_kmod_rmmod("vringlab"));
}

TEST_F_TIMEOUT(ftrace_switch, off_means_EOPNOTSUPP_and_back_on_it_works, SLOW)
{
	struct t_probe p[MAX_PROBES];
	struct t_stats s;
	int i, nr, ret, failed = 0;

	ret = ftrace_enable("0");
	if (ret == -EOPNOTSUPP)
		SKIP(return, "this kernel does not switch ftrace off: use one before 7.3");
	if (ret)
		SKIP(return, "needs ftrace with nothing attached: end other tracers");
	EXPECT_EQ(-EOPNOTSUPP, t_vring_add(&self->g, &self->v));
	EXPECT_NE(0, self->g.ack_msg[0]);
	EXPECT_EQ(0, t_vring_dump(&self->g, NULL, 0));
	nr = t_probe_dump(&self->g, p, MAX_PROBES);
	for (i = 0; i < nr; i++) {
		failed += p[i].state == VRINGLAB_PROBE_STATE_FAILED;
		EXPECT_NE((uint32_t)VRINGLAB_PROBE_STATE_ATTACHED, p[i].state);
		EXPECT_EQ(p[i].state == VRINGLAB_PROBE_STATE_FAILED, !!p[i].error)
		{
			TH_LOG("%s: state %u, errno %u", p[i].name, p[i].state, p[i].error);
		}
	}
	EXPECT_LT(0, failed);
	ASSERT_EQ(0, ftrace_enable("1"));
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
}

TEST_F_TIMEOUT(ftrace_switch, cannot_silence_a_registered_vring, SLOW)
{
	struct t_stats s;
	int ret;

	vring_add(_metadata, &self->g, &self->v);
	ret = ftrace_enable("0");
	/* Refused, or without effect on us: but never silence. */
	EXPECT_TRUE(!ret || ret == -EBUSY || ret == -EOPNOTSUPP)
	{
		TH_LOG("errno %d", -ret);
	}
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
}

TEST_HARNESS_MAIN
