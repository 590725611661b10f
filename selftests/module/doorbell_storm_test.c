// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that rings doorbells as fast as it can: what it has rung, what the eventfds
 * held and what the module has counted as kicks is the same, for each of them.
 */
#include <vringlab/err.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_storm.h>

#include "module.h"

#define COUNT 5000

/* clang-format off */
FIXTURE(storm) {
	struct t_genl g;
	struct vmm_storm storm;
	struct t_vring v[VMM_STORM_EVENTFDS_MAX];
	struct vl_err err;
	bool created;
};

FIXTURE_VARIANT(storm) {
	struct vmm_storm_config config;
};

FIXTURE_VARIANT_ADD(storm, pio) {
	.config = { .count = COUNT, .bus = VMM_BUS_PIO, .nr = 1 },
};

FIXTURE_VARIANT_ADD(storm, mmio) {
	.config = { .count = COUNT, .bus = VMM_BUS_MMIO, .nr = 1 },
};

FIXTURE_VARIANT_ADD(storm, pio_in_turn) {
	.config = { .count = COUNT, .bus = VMM_BUS_PIO, .nr = 3 },
};

FIXTURE_VARIANT_ADD(storm, mmio_in_turn) {
	.config = { .count = COUNT, .bus = VMM_BUS_MMIO, .nr = 8 },
};

/* clang-format on */

FIXTURE_SETUP(storm)
{
	OPEN_OR_SKIP(&self->g);
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "needs /dev/kvm: load kvm_amd or kvm_intel");
	ASSERT_EQ(0, vmm_storm_create(&self->storm, &variant->config, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	self->created = true;
	ASSERT_EQ(0, vmm_storm_start(&self->storm, &self->err));
	for (unsigned int i = 0; i < variant->config.nr; i++) {
		struct t_vring *v = &self->v[i];

		*v = (struct t_vring){
			.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
			.kick_fd = self->storm.fd[i],
			.call_fd = new_eventfd(_metadata, EFD_NONBLOCK),
		};
		snprintf(v->label, sizeof(v->label), "storm.%u", i);
		vring_add(_metadata, &self->g, v);
	}
}

FIXTURE_TEARDOWN(storm)
{
	if (self->created)
		vmm_storm_destroy(&self->storm);
	t_genl_close(&self->g);
}

static void run(struct __test_metadata *_metadata, FIXTURE_DATA(storm) * self)
{
	struct vmm_guest_io io = { .console_fd = -1 };
	struct vmm_vcpu *vcpu = self->storm.micro.vcpu;

	ASSERT_EQ(0, vmm_vcpu_start(vcpu, vmm_guest_exit, &io, &self->err));
	ASSERT_EQ(0, t_poll_until(vmm_vcpu_done_fd(vcpu), 100000));
	vmm_vcpu_join(vcpu, NULL);
	vmm_storm_settle(&self->storm);
	ASSERT_EQ(0, vmm_storm_check(&self->storm, io.status, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

TEST_F_TIMEOUT(storm, guest_eventfds_and_module_count_the_same, 120)
{
	uint64_t kicks = 0, wakes = 0;
	struct t_stats s;

	run(_metadata, self);
	for (unsigned int i = 0; i < variant->config.nr; i++) {
		stats_get(_metadata, &self->g, self->v[i].id, &s);
		EXPECT_EQ(self->storm.taken[i], T_CNT(&s, KICKS));
		EXPECT_EQ(self->storm.taken[i], T_CNT(&s, KICKS_KVM));
		EXPECT_EQ(0u, T_CNT(&s, MISSED));
		EXPECT_EQ(0u, T_CNT(&s, ACAUSAL));
		EXPECT_LAWFUL(&s);
		kicks += T_CNT(&s, KICKS);
		wakes += T_CNT(&s, WAKES);
	}
	EXPECT_EQ((uint64_t)COUNT, kicks);
	EXPECT_EQ(self->storm.wakes, wakes);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
