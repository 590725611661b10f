// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module says of its hooks.
 */
#include "netlink.h"

/* clang-format off */
FIXTURE(probes) {
	struct t_genl g;
	struct t_probe p[128];
	int nr;
};

/* clang-format on */

FIXTURE_SETUP(probes)
{
	OPEN_OR_SKIP(&self->g);
	/* Some are attached only then. */
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	self->nr = t_probe_dump(&self->g, self->p, 128);
	ASSERT_LT(0, self->nr);
	ASSERT_GE(128, self->nr);
}

FIXTURE_TEARDOWN(probes)
{
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(probes, none_is_idle_or_failed_while_vrings_are_looked_for, SLOW)
{
	int i, attached = 0;

	for (i = 0; i < self->nr; i++) {
		const struct t_probe *p = &self->p[i];

		EXPECT_LE(p->type, (uint32_t)VRINGLAB_PROBE_TYPE_RETURN);
		EXPECT_TRUE(p->state == VRINGLAB_PROBE_STATE_ATTACHED ||
			    p->state == VRINGLAB_PROBE_STATE_ABSENT)
		{
			TH_LOG("%s is in state %u, errno %u", p->name, p->state, p->error);
		}
		EXPECT_EQ(0u, p->error);
		attached += p->state == VRINGLAB_PROBE_STATE_ATTACHED;
	}
	EXPECT_LT(0, attached);
}

static uint32_t documented_hops(const char *name)
{
#define HOP(hop) (1u << VRINGLAB_HOP_##hop)
	static const struct {
		const char *name;
		uint32_t hops;
	} known[] = {
		{ "eventfd_signal_mask", HOP(KICK) | HOP(CALL) },
		{ "eventfd_write", HOP(KICK) | HOP(CALL) },
		{ "irqfd_wakeup", HOP(CALL) | HOP(INJECT) },
		{ "handle_tx_kick", HOP(WAKE) },
		{ "handle_rx_kick", HOP(WAKE) },
		{ "vhost_vsock_handle_tx_kick", HOP(WAKE) },
		{ "vhost_vsock_handle_rx_kick", HOP(WAKE) },
		{ "vhost_scsi_ctl_handle_kick", HOP(WAKE) },
		{ "vhost_scsi_evt_handle_kick", HOP(WAKE) },
		{ "vhost_scsi_handle_kick", HOP(WAKE) },
		{ "handle_vq_kick", HOP(WAKE) },
		{ "vhost_add_used_and_signal", HOP(CALL) },
		{ "vhost_add_used_and_signal_n", HOP(CALL) },
		{ "vhost_signal", HOP(CALL) },
		{ "irqfd_inject", HOP(INJECT) },
		{ "add_wait_queue_priority_exclusive", HOP(KICK) },
		{ "io_uring_complete", HOP(WAKE) },
		{ "kvm_exit", HOP(EXIT) },
		{ "kvm_apic_accept_irq", HOP(INJECT) },
		{ "kvm_entry", HOP(ENTRY) },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return known[i].hops;
	return 0;
#undef HOP
}

/* As Documentation/hops.rst has it. */
TEST_F_TIMEOUT(probes, each_names_every_hop_it_serves_once, SLOW)
{
	uint32_t all = 0;
	int i;

	for (i = 0; i < self->nr; i++) {
		const struct t_probe *p = &self->p[i];

		EXPECT_EQ(documented_hops(p->name), p->hops)
		{
			TH_LOG("%s", p->name);
		}
		EXPECT_EQ((unsigned int)__builtin_popcount(p->hops), p->nr_hops);
		all |= p->hops;
	}
	/* No hop is without one. */
	EXPECT_EQ((1u << (VRINGLAB_HOP_ENTRY + 1)) - 1, all);
}

TEST_F_TIMEOUT(probes, each_is_listed_once, SLOW)
{
	int i, j;

	for (i = 0; i < self->nr; i++)
		for (j = 0; j < i; j++)
			EXPECT_FALSE(!strcmp(self->p[i].name, self->p[j].name) &&
				     self->p[i].type == self->p[j].type &&
				     !strcmp(self->p[i].module, self->p[j].module))
			{
				TH_LOG("%s twice", self->p[i].name);
			}
}

/* Those that wait for a return and are in this kernel; @state and @error are theirs all. */
static bool returns_are(struct t_genl *g, uint32_t state, uint32_t error)
{
	struct t_probe p[128];
	int i, nr = t_probe_dump(g, p, 128), found = 0;

	for (i = 0; i < nr; i++) {
		if (p[i].type != VRINGLAB_PROBE_TYPE_RETURN ||
		    p[i].state == VRINGLAB_PROBE_STATE_ABSENT)
			continue;
		found++;
		if (p[i].state != state || p[i].error != error) {
			printf("# %s is in state %u, errno %u\n", p[i].name, p[i].state,
			       p[i].error);
			return false;
		}
	}
	return found;
}

static int kprobes_enable(const char *value)
{
	int fd = open("/sys/kernel/debug/kprobes/enabled", O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, value, 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

/* clang-format off */
FIXTURE(kprobes_switch) {
	struct t_genl g;
};

/* clang-format on */

FIXTURE_SETUP(kprobes_switch)
{
	int ret;

	OPEN_OR_SKIP(&self->g);
	ret = kprobes_enable("1");
	if (ret)
		SKIP(return, "needs kprobes/enabled of debugfs (%s): mount it", strerror(-ret));
}

FIXTURE_TEARDOWN(kprobes_switch)
{
	kprobes_enable("1");
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(kprobes_switch, off_while_attached_is_told, SLOW)
{
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	if (!returns_are(&self->g, VRINGLAB_PROBE_STATE_ATTACHED, 0))
		SKIP(return, "needs KVM or vhost: load kvm_amd or kvm_intel");
	ASSERT_EQ(0, kprobes_enable("0"));
	EXPECT_TRUE(returns_are(&self->g, VRINGLAB_PROBE_STATE_FAILED, ECANCELED));
	ASSERT_EQ(0, kprobes_enable("1"));
	EXPECT_TRUE(returns_are(&self->g, VRINGLAB_PROBE_STATE_ATTACHED, 0));
}

TEST_F_TIMEOUT(kprobes_switch, off_before_attaching_is_told, SLOW)
{
	ASSERT_EQ(0, kprobes_enable("0"));
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	EXPECT_TRUE(returns_are(&self->g, VRINGLAB_PROBE_STATE_FAILED, ECANCELED));
	ASSERT_EQ(0, kprobes_enable("1"));
	EXPECT_TRUE(returns_are(&self->g, VRINGLAB_PROBE_STATE_ATTACHED, 0));
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
