// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of a device, on PCI and by MMIO alike: what it may do when, and that what
 * it must not do changes nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include <kselftest_harness.h>

#include "kvm.h"
#include "t_fds.h"
#include "t_virtio.h"

#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)
#define PACKED (1ull << VIRTIO_F_RING_PACKED)

/* clang-format off */
FIXTURE(device)
{
	struct t_virtio v;
	struct t_virtio_backend *be;
	struct vl_err err;
	int fds_before;
};

FIXTURE_VARIANT(device)
{
	bool mmio;
};

FIXTURE_VARIANT_ADD(device, pci)
{
	.mmio = false,
};

FIXTURE_VARIANT_ADD(device, mmio)
{
	.mmio = true,
};

/* clang-format on */

FIXTURE_SETUP(device)
{
	REQUIRE_KVM();
	self->fds_before = t_fds_count(0);
	ASSERT_EQ(0, t_virtio_init(&self->v, variant->mmio, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	self->be = &self->v.backend;
}

FIXTURE_TEARDOWN(device)
{
	t_virtio_exit(&self->v);
	EXPECT_EQ(0u, self->v.live);
	EXPECT_FALSE(self->be->started);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

static uint64_t kicks(const struct t_virtio *v, unsigned int index)
{
	eventfd_t value = 0;

	return eventfd_read(v->backend.queues[index].kick_fd, &value) ? 0 : value;
}

TEST_F(device, a_driver_that_does_all_right_has_its_queues_served)
{
	struct t_virtio *v = &self->v;

	EXPECT_EQ(0, t_virtio_status(v));
	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1 | 1 << 5));
	t_virtio_setup(v, 0, 64);
	t_virtio_setup(v, 2, 128);
	EXPECT_EQ(0u, self->be->starts);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	ASSERT_EQ(1u, self->be->starts);
	EXPECT_EQ(VERSION_1 | 1 << 5, self->be->features);
	EXPECT_TRUE(self->be->queues[0].enabled);
	EXPECT_FALSE(self->be->queues[1].enabled);
	EXPECT_EQ(64, self->be->queues[0].size);
	EXPECT_EQ(128, self->be->queues[2].size);
	EXPECT_EQ(0x26000u, self->be->queues[2].desc_gpa);
	EXPECT_EQ(0x27000u, self->be->queues[2].driver_gpa);
	EXPECT_EQ(0x28000u, self->be->queues[2].device_gpa);
	EXPECT_EQ(2u, v->live);
	t_virtio_set_status(v, 0);
	EXPECT_EQ(0, t_virtio_status(v));
	EXPECT_EQ(1u, self->be->stops);
	EXPECT_EQ(0u, v->live);
	EXPECT_EQ(0u, v->failures);
}

TEST_F(device, what_the_transport_has_no_part_in_is_not_offered)
{
	EXPECT_EQ(T_VIRTIO_FEATURES, t_virtio_features(&self->v));
}

TEST_F(device, features_that_were_not_offered_are_not_ok)
{
	struct t_virtio *v = &self->v;

	EXPECT_FALSE(t_virtio_negotiate(v, VERSION_1 | 1 << 6));
	EXPECT_FALSE(t_virtio_negotiate(v, VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM));
	/* no legacy driver */
	EXPECT_FALSE(t_virtio_negotiate(v, 1 << 5));
	EXPECT_FALSE(t_virtio_negotiate(v, 0));
	/* without it there is no way on */
	t_virtio_setup(v, 0, 64);
	EXPECT_FALSE(t_virtio_enabled(v));
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(T_VIRTIO_DRIVER, t_virtio_status(v));
	EXPECT_EQ(0u, self->be->starts);
	/* it can be tried again without a reset */
	t_virtio_set_features(v, VERSION_1);
	t_virtio_set_status(v, T_VIRTIO_FEATURES_OK);
	EXPECT_EQ(T_VIRTIO_FEATURES_OK, t_virtio_status(v));
}

TEST_F(device, features_stay_once_they_are_ok)
{
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	t_virtio_set_features(v, UINT64_MAX);
	t_virtio_setup(v, 0, 64);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(VERSION_1, self->be->features);
}

TEST_F(device, status_bits_are_only_taken_by_a_reset)
{
	struct t_virtio *v = &self->v;

	t_virtio_drive(v);
	t_virtio_set_status(v, T_VIRTIO_ACK);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	t_virtio_set_status(v, VIRTIO_CONFIG_S_NEEDS_RESET | 0x30);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	t_virtio_set_status(v, VIRTIO_CONFIG_S_FAILED);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_FAILED, t_virtio_status(v));
	EXPECT_EQ(1u, self->be->starts);
	EXPECT_EQ(0u, self->be->stops);
}

TEST_F(device, sizes_that_a_ring_cannot_have_are_ignored)
{
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	t_virtio_select(v, 0);
	EXPECT_EQ(T_VIRTIO_SIZE_MAX, t_virtio_size(v));
	t_virtio_setup(v, 0, 0);
	t_virtio_setup(v, 1, T_VIRTIO_SIZE_MAX * 2);
	t_virtio_setup(v, 2, 96);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	for (unsigned int i = 0; i < T_VIRTIO_QUEUES; i++)
		EXPECT_EQ(T_VIRTIO_SIZE_MAX, self->be->queues[i].size);
}

TEST_F(device, a_packed_ring_has_any_size)
{
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1 | PACKED));
	t_virtio_setup(v, 0, 96);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(96, self->be->queues[0].size);
	EXPECT_EQ(VERSION_1 | PACKED, self->be->features);
}

TEST_F(device, an_enabled_queue_stays_as_it_is)
{
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	t_virtio_setup(v, 1, 32);
	t_virtio_set_size(v, 64);
	t_virtio_set_addresses(v, 1, 2, 3);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(32, self->be->queues[1].size);
	EXPECT_EQ(0x23000u, self->be->queues[1].desc_gpa);
	/* and none comes later */
	t_virtio_setup(v, 0, 64);
	EXPECT_FALSE(t_virtio_enabled(v));
	EXPECT_EQ(1u, v->live);
}

TEST_F(device, a_queue_is_set_up_when_features_are_ok)
{
	struct t_virtio *v = &self->v;

	t_virtio_set_status(v, T_VIRTIO_DRIVER);
	t_virtio_setup(v, 0, 64);
	EXPECT_FALSE(t_virtio_enabled(v));
}

TEST_F(device, there_are_no_queues_beyond_the_last_one)
{
	static const uint16_t indices[] = { T_VIRTIO_QUEUES, 0x7fff, 0xffff };
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	for (unsigned int i = 0; i < 3; i++) {
		t_virtio_setup(v, indices[i], 64);
		EXPECT_EQ(0, t_virtio_size(v));
		EXPECT_FALSE(t_virtio_enabled(v));
		t_virtio_kick(v, indices[i]);
	}
}

TEST_F(device, a_kick_before_the_start_is_found_by_it_and_none_survives_a_reset)
{
	struct t_virtio *v = &self->v;

	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	t_virtio_kick(v, 0);
	t_virtio_setup(v, 0, 64);
	t_virtio_setup(v, 1, 64);
	t_virtio_kick(v, 0);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(1, kicks(v, 0));
	EXPECT_EQ(0, kicks(v, 1));
	t_virtio_kick(v, 1);
	ASSERT_EQ(0, eventfd_write(self->be->queues[1].call_fd, 1));
	t_virtio_set_status(v, 0);
	EXPECT_EQ(0, kicks(v, 1));
	t_virtio_turn(v);
	t_virtio_drive(v);
	EXPECT_EQ(0, kicks(v, 1));
}

TEST_F(device, a_reset_at_any_step_is_a_new_start)
{
	struct t_virtio *v = &self->v;

	for (unsigned int step = 0; step < 6; step++) {
		t_virtio_set_status(v, T_VIRTIO_ACK);
		if (step >= 1)
			t_virtio_set_status(v, T_VIRTIO_DRIVER);
		if (step >= 2)
			t_virtio_set_features(v, VERSION_1 | PACKED);
		if (step >= 3)
			t_virtio_set_status(v, T_VIRTIO_FEATURES_OK);
		if (step >= 4)
			t_virtio_setup(v, 2, 96);
		if (step >= 5)
			t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
		t_virtio_set_status(v, 0);
		EXPECT_EQ(0, t_virtio_status(v));
		t_virtio_select(v, 2);
		EXPECT_FALSE(t_virtio_enabled(v));
		EXPECT_EQ(T_VIRTIO_SIZE_MAX, t_virtio_size(v));
		/* of the features nothing is left: packed was one */
		t_virtio_drive(v);
		EXPECT_EQ(VERSION_1, self->be->features);
		t_virtio_set_status(v, 0);
	}
	EXPECT_EQ(7u, self->be->starts);
	EXPECT_EQ(7u, self->be->stops);
}

TEST_F(device, a_backend_that_does_not_start_needs_a_reset)
{
	struct t_virtio *v = &self->v;

	self->be->start_ret = -ENODEV;
	t_virtio_drive(v);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, t_virtio_status(v));
	EXPECT_EQ(1u, v->failures);
	EXPECT_EQ(-ENODEV, v->failure.code);
	EXPECT_STREQ("test0: told to fail", v->failure.msg);
	EXPECT_EQ(0u, v->live);
	/* it may work the next time */
	self->be->start_ret = 0;
	t_virtio_drive(v);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	EXPECT_EQ(3u, v->live);
	EXPECT_EQ(1u, v->failures);
}

TEST_F(device, a_backend_that_fails_needs_a_reset_and_tells_once)
{
	struct t_virtio *v = &self->v;
	struct vl_err err;

	vl_err_set(&err, -EPIPE, "it is gone");
	t_virtio_drive(v);
	self->be->be.failed(&self->be->be, &err);
	self->be->be.failed(&self->be->be, &err);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, t_virtio_status(v));
	EXPECT_EQ(1u, v->failures);
	EXPECT_EQ(-EPIPE, v->failure.code);
	t_virtio_drive(v);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	EXPECT_EQ(2u, self->be->starts);
	EXPECT_EQ(1u, self->be->stops);
}

TEST_F(device, a_backend_that_fails_before_the_driver_is_there_is_not_started)
{
	struct t_virtio *v = &self->v;
	struct vl_err err;

	vl_err_set(&err, -EPIPE, "it is gone");
	ASSERT_TRUE(t_virtio_negotiate(v, VERSION_1));
	self->be->be.failed(&self->be->be, &err);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, t_virtio_status(v));
	EXPECT_EQ(0u, self->be->starts);
}

TEST_F(device, config_space_is_the_backends)
{
	uint32_t at = t_virtio_config_gpa(&self->v);
	struct vmm *vm = self->v.vm;

	EXPECT_EQ(0x10u, t_mmio_read(vm, at, 1));
	EXPECT_EQ(0x1211u, t_mmio_read(vm, at + 1, 2));
	EXPECT_EQ(0x13121110u, t_mmio_read(vm, at, 4));
	EXPECT_EQ(0x1716151413121110u, t_mmio_read(vm, at, 8));
	/* its end is in the middle, and before */
	EXPECT_EQ(0x2726u, t_mmio_read(vm, at + T_VIRTIO_CONFIG - 2, 4));
	EXPECT_EQ(0u, t_mmio_read(vm, at + T_VIRTIO_CONFIG, 4));
	EXPECT_EQ(0u, t_mmio_read(vm, at + 0xef8, 8));
}

TEST_F(device, config_space_is_written_inside_of_it_by_who_knows_its_features)
{
	uint32_t at = t_virtio_config_gpa(&self->v);
	struct vmm *vm = self->v.vm;

	t_mmio_write(vm, at, 4, 0xaabbccdd);
	EXPECT_EQ(0x10, self->be->config[0]);
	ASSERT_TRUE(t_virtio_negotiate(&self->v, VERSION_1));
	t_mmio_write(vm, at, 4, 0xaabbccdd);
	EXPECT_EQ(0xdd, self->be->config[0]);
	EXPECT_EQ(0xaabbccddu, t_mmio_read(vm, at, 4));
	t_mmio_write(vm, at + T_VIRTIO_CONFIG - 2, 4, 0);
	t_mmio_write(vm, at + T_VIRTIO_CONFIG, 8, 0);
	EXPECT_EQ(0x2726u, t_mmio_read(vm, at + T_VIRTIO_CONFIG - 2, 2));
}

TEST_F(device, the_generation_tells_of_changes)
{
	uint32_t before = t_virtio_generation(&self->v);

	EXPECT_EQ(before, t_virtio_generation(&self->v));
	self->be->be.config_changed(&self->be->be);
	EXPECT_NE(before, t_virtio_generation(&self->v));
}

TEST_F(device, when_the_machine_ends_the_guest_can_ask_for_what_it_likes)
{
	struct t_virtio *v = &self->v;

	t_virtio_drive(v);
	loop_errands_close(v->errands);
	t_virtio_set_status(v, 0);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
	EXPECT_EQ(0u, t_mmio_read(v->vm, t_virtio_config_gpa(v), 4));
}

TEST_F(device, a_backend_that_no_driver_could_use_is_refused)
{
	struct virtio_transport_config config = t_virtio_config(&self->v);
	struct virtio_transport *t = NULL;
	struct t_virtio_backend other;

	config.backend = &other.be;
	t_virtio_backend_init(&other);
	other.be.num_queues = VIRTIO_TRANSPORT_QUEUES_MAX + 1;
	EXPECT_EQ(-EINVAL, virtio_pci_create(&t, &config, self->v.bus, 7, &self->err));
	EXPECT_EQ(-EINVAL, virtio_mmio_create(&t, &config, 0xf0001000, 11, &self->err));
	t_virtio_backend_init(&other);
	other.be.config_size = VIRTIO_TRANSPORT_CONFIG_MAX + 1;
	EXPECT_EQ(-EINVAL, virtio_pci_create(&t, &config, self->v.bus, 7, &self->err));
	t_virtio_backend_init(&other);
	other.be.features &= ~VERSION_1;
	EXPECT_EQ(-EINVAL, virtio_pci_create(&t, &config, self->v.bus, 7, &self->err));
	t_virtio_backend_init(&other);
	EXPECT_EQ(-EEXIST, virtio_pci_create(&t, &config, self->v.bus, 0, &self->err));
	EXPECT_EQ(-EEXIST, virtio_pci_create(&t, &config, self->v.bus, PCI_SLOTS, &self->err));
	EXPECT_EQ(-EEXIST, virtio_mmio_create(&t, &config, PCI_ECAM_GPA, 11, &self->err));
	EXPECT_EQ(NULL, t);
}

TEST_HARNESS_MAIN
