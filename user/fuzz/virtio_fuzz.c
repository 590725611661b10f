// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile guest: any access to config space, BARs, registers and ports of devices on
 * PCI and by MMIO, in a real VM, whose back-ends call, change and fail as they like.
 * What a back-end is told is checked; and after it all a driver can begin anew.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop_errand.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>

#include "fuzz.h"
#include "uring.h"

#define STEPS_MAX 256u
#define TURNS 3u

#define DEVICES 3u
#define MMIO_DEVICE 2u
#define MMIO_GPA 0xf0000000u
#define MMIO_GSI 10u
#define QUEUES 3u
#define SIZE_MAX_OF_RING 128u
#define CONFIG_BYTES 20u
#define ECAM_SLOT 0x8000u
#define FEATURES (0xfull | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED)

/**
 * struct device - A device and its back-end
 * @be:		As the transport sees it.
 * @t:		The transport.
 * @start_ret:	What its start returns.
 * @started:	It was started and not stopped.
 * @live:	Virtqueues that the owner was told of.
 * @queues:	What it was started with.
 * @config:	Its config space.
 */
struct device {
	struct virtio_backend be;
	struct virtio_transport *t;
	int start_ret;
	bool started;
	unsigned int live;
	struct virtio_queue queues[QUEUES];
	uint8_t config[CONFIG_BYTES];
};

/**
 * struct rig - The devices of a VM
 * @in:		What the guest does.
 * @bus:	PCI.
 * @devices:	Two on PCI, at the slots 1 and 2, and one by MMIO.
 */
struct rig {
	struct fuzz_input *in;
	struct pci_bus *bus;
	struct device devices[DEVICES];
};

static struct loop *loop;
static struct vmm *vm;

/* The back-end: what a transport must not do, whatever the guest does */

static int start(struct virtio_backend *be, uint64_t features, const struct virtio_queue *queues,
		 unsigned int nr, struct vl_err *err)
{
	struct device *d = (struct device *)be;

	FUZZ_CHECK(!d->started && nr == QUEUES);
	FUZZ_CHECK(!(features & ~FEATURES) && features & 1ull << VIRTIO_F_VERSION_1);
	for (unsigned int i = 0; i < nr; i++) {
		const struct virtio_queue *q = &queues[i];

		FUZZ_CHECK(q->index == i && q->kick_fd >= 0 && q->call_fd >= 0);
		FUZZ_CHECK(q->size && q->size <= SIZE_MAX_OF_RING);
		FUZZ_CHECK(features & 1ull << VIRTIO_F_RING_PACKED || !(q->size & (q->size - 1)));
		d->queues[i] = *q;
	}
	if (d->start_ret)
		return vl_err_set(err, d->start_ret, "it does not start");
	d->started = true;
	return 0;
}

static void stop(struct virtio_backend *be)
{
	((struct device *)be)->started = false;
}

static void get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	FUZZ_CHECK(size && offset < CONFIG_BYTES && size <= CONFIG_BYTES - offset);
	memcpy(buf, ((struct device *)be)->config + offset, size);
}

static void set_config(struct virtio_backend *be, uint32_t offset, const void *buf, uint32_t size)
{
	FUZZ_CHECK(size && offset < CONFIG_BYTES && size <= CONFIG_BYTES - offset);
	memcpy(((struct device *)be)->config + offset, buf, size);
}

static const struct virtio_backend_ops backend_ops = {
	.start = start,
	.stop = stop,
	.get_config = get_config,
	.set_config = set_config,
};

static void queue_started(void *ctx, const struct virtio_backend *be,
			  const struct virtio_queue *queue)
{
	struct device *d = ctx;

	(void)be;
	FUZZ_CHECK(queue->enabled && d->started && d->live < QUEUES);
	d->live++;
}

static void queue_stopped(void *ctx, const struct virtio_backend *be,
			  const struct virtio_queue *queue)
{
	struct device *d = ctx;

	(void)be;
	FUZZ_CHECK(queue->enabled && !d->started && d->live);
	d->live--;
}

static void rig_init(struct rig *r, struct fuzz_input *in, struct loop_errands *errands)
{
	*r = (struct rig){ .in = in };
	FUZZ_CHECK(!pci_bus_create(&r->bus, vm, NULL));
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct device *d = &r->devices[i];
		const struct virtio_transport_config config = {
			.vm = vm,
			.loop = loop,
			.errands = errands,
			.backend = &d->be,
			.ops = { .queue_started = queue_started, .queue_stopped = queue_stopped },
			.ctx = d,
		};

		d->be = (struct virtio_backend){
			.ops = &backend_ops,
			.name = "fuzz",
			.device_id = i + 1,
			.features = FEATURES,
			.num_queues = QUEUES,
			.queue_size_max = SIZE_MAX_OF_RING,
			.config_size = CONFIG_BYTES,
		};
		if (i == MMIO_DEVICE)
			FUZZ_CHECK(!virtio_mmio_create(&d->t, &config, MMIO_GPA, MMIO_GSI, NULL));
		else
			FUZZ_CHECK(!virtio_pci_create(&d->t, &config, r->bus, i + 1, NULL));
	}
}

/* Accesses, as KVM tells them */

static uint64_t access_mmio(uint64_t gpa, unsigned int len, bool is_write, uint64_t value)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_MMIO };

	run.mmio.phys_addr = gpa;
	run.mmio.len = len;
	run.mmio.is_write = is_write;
	memcpy(run.mmio.data, &value, sizeof(value));
	vmm_bus_exit(vm, &run, NULL);
	value = 0;
	memcpy(&value, run.mmio.data, len);
	return value;
}

static uint32_t config_gpa(unsigned int device, unsigned int offset)
{
	return PCI_ECAM_GPA + (device + 1) * ECAM_SLOT + offset;
}

static uint32_t device_gpa(unsigned int device)
{
	if (device == MMIO_DEVICE)
		return MMIO_GPA;
	return access_mmio(config_gpa(device, PCI_BASE_ADDRESS_0), 4, false, 0) & ~0xfu;
}

/* Small numbers, or any. */
static uint64_t any_value(struct rig *r, uint8_t how)
{
	return how & 0x40 ? fuzz_u64(r->in) : fuzz_u8(r->in);
}

static void access_at(struct rig *r, uint64_t gpa, uint8_t how)
{
	bool is_write = how & 0x80;

	access_mmio(gpa, 1u << how % 4, is_write, is_write ? any_value(r, how) : 0);
}

static void any_address(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);

	access_at(r, fuzz_u32(r->in), how);
}

static void any_config(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in), slot = fuzz_u8(r->in) % PCI_SLOTS;

	access_at(r, PCI_ECAM_GPA + slot * ECAM_SLOT + fuzz_u16(r->in) % ECAM_SLOT, how);
}

static void header(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in), offset = fuzz_u8(r->in);

	access_at(r, config_gpa(how / 4 % 2, offset), how);
}

static void any_register(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);

	access_at(r, device_gpa(how / 4 % DEVICES) + fuzz_u16(r->in), how);
}

/* Common configuration, or the registers of MMIO. */
static void low_register(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);

	access_at(r, device_gpa(how / 4 % DEVICES) + fuzz_u8(r->in), how);
}

static void any_port(struct rig *r)
{
	struct {
		struct kvm_run run;
		uint32_t data[2];
	} io = { .run.exit_reason = KVM_EXIT_IO };
	uint8_t how = fuzz_u8(r->in);

	io.run.io.port = 0xcf6 + how / 4 % 16;
	io.run.io.size = 1u << how % 4 % 3;
	io.run.io.count = 1 + (how >> 6 & 1);
	io.run.io.direction = how & 0x80 ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	io.run.io.data_offset = (uint8_t *)io.data - (uint8_t *)&io.run;
	io.data[0] = fuzz_u32(r->in);
	io.data[1] = how & 1 ? fuzz_u32(r->in) : 1u << 31 | 1 << 11;
	vmm_bus_exit(vm, &io.run, NULL);
}

/* What a driver does, that a fuzzer would be long in finding */

static void write_status(unsigned int device, uint8_t status)
{
	if (device == MMIO_DEVICE)
		access_mmio(MMIO_GPA + VIRTIO_MMIO_STATUS, 4, true, status);
	else
		access_mmio(device_gpa(device) + VIRTIO_PCI_COMMON_STATUS, 1, true, status);
}

static uint8_t read_status(unsigned int device)
{
	if (device == MMIO_DEVICE)
		return access_mmio(MMIO_GPA + VIRTIO_MMIO_STATUS, 4, false, 0);
	return access_mmio(device_gpa(device) + VIRTIO_PCI_COMMON_STATUS, 1, false, 0);
}

static void set_features(unsigned int device, uint64_t features)
{
	uint32_t gpa = device_gpa(device);
	bool mmio = device == MMIO_DEVICE;

	for (unsigned int i = 0; i < 2; i++) {
		access_mmio(gpa + (mmio ? VIRTIO_MMIO_DRIVER_FEATURES_SEL :
					  VIRTIO_PCI_COMMON_GFSELECT),
			    4, true, i);
		access_mmio(gpa + (mmio ? VIRTIO_MMIO_DRIVER_FEATURES : VIRTIO_PCI_COMMON_GF), 4,
			    true, (uint32_t)(features >> 32 * i));
	}
}

static void enable_queue(unsigned int device, uint16_t index)
{
	uint32_t gpa = device_gpa(device);

	if (device == MMIO_DEVICE) {
		access_mmio(gpa + VIRTIO_MMIO_QUEUE_SEL, 4, true, index);
		access_mmio(gpa + VIRTIO_MMIO_QUEUE_READY, 4, true, 1);
		return;
	}
	access_mmio(gpa + VIRTIO_PCI_COMMON_Q_SELECT, 2, true, index);
	access_mmio(gpa + VIRTIO_PCI_COMMON_Q_MSIX, 2, true, index + 1);
	access_mmio(gpa + VIRTIO_PCI_COMMON_Q_ENABLE, 2, true, 1);
}

static void enable_memory(unsigned int device)
{
	if (device != MMIO_DEVICE)
		access_mmio(config_gpa(device, PCI_COMMAND), 2, true,
			    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void drive(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in), device = what % DEVICES;

	enable_memory(device);
	write_status(device, 0);
	write_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set_features(device, FEATURES & ~(what & 4 ? 1ull << VIRTIO_F_RING_PACKED : 0));
	write_status(device, VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned int i = 0; i < QUEUES; i++)
		if (what & 8u << i)
			enable_queue(device, i);
	if (what & 0x80)
		write_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
}

static unsigned int area(unsigned int device, unsigned int field)
{
	/* MSI-X is the first capability: of the test's knowledge, and so checked */
	unsigned int cap = access_mmio(config_gpa(device, PCI_CAPABILITY_LIST), 1, false, 0);

	FUZZ_CHECK(access_mmio(config_gpa(device, cap), 1, false, 0) == PCI_CAP_ID_MSIX);
	return field ? access_mmio(config_gpa(device, cap + field), 4, false, 0) : cap;
}

/* On or off, and an entry of the table masked or not. */
static void use_msix(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in), device = what & 1;
	uint64_t entry = device_gpa(device) + area(device, PCI_MSIX_TABLE) +
			 what / 2 % 4 * PCI_MSIX_ENTRY_SIZE;

	access_mmio(config_gpa(device, area(device, 0) + PCI_MSIX_FLAGS), 2, true,
		    (what & 8 ? PCI_MSIX_FLAGS_ENABLE : 0) |
			    (what & 16 ? PCI_MSIX_FLAGS_MASKALL : 0));
	access_mmio(entry, 8, true, 0xfee00000 | (what & 32 ? fuzz_u64(r->in) : 0));
	access_mmio(entry + 8, 8, true, (what & 64 ? 1ull << 32 : 0) | (0x40 + what));
	access_mmio(device_gpa(device) + area(device, PCI_MSIX_PBA), 8, false, 0);
}

static void move_bar(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);

	access_mmio(config_gpa(what & 1, PCI_BASE_ADDRESS_0), 4, true,
		    PCI_WINDOW_GPA + what / 2 % 8 * 0x4000);
	if (what & 0x40)
		enable_memory(what & 1);
}

static void backend_acts(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	struct device *d = &r->devices[what % DEVICES];
	const struct vl_err err = { .code = -EPIPE, .msg = "it is gone" };

	if (what & 4 && d->started)
		eventfd_write(d->queues[what / 32 % QUEUES].call_fd, 1);
	if (what & 8)
		d->be.config_changed(&d->be);
	if ((what & 0x1f) == 0x10)
		d->be.failed(&d->be, &err);
	if ((what & 0xf8) == 0xe0)
		d->start_ret = d->start_ret ? 0 : -ENODEV;
}

static void turn(struct rig *r)
{
	(void)r;
	fuzz_turn(loop, TURNS);
}

static void (*const steps[])(struct rig *) = {
	any_address, any_config, header,   any_register, any_register, low_register, low_register,
	any_port,    drive,	 use_msix, move_bar,	 backend_acts, backend_acts, turn,
};

/* Whatever was done, a reset is one, and a driver that does all right is served. */
static void begin_anew(struct rig *r, unsigned int device)
{
	const uint8_t features_ok = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
				    VIRTIO_CONFIG_S_FEATURES_OK;
	struct device *d = &r->devices[device];

	/* a place where nobody else is: a guest can put one BAR on another */
	for (unsigned int i = 0; i < MMIO_DEVICE; i++) {
		access_mmio(config_gpa(i, PCI_COMMAND), 2, true, 0);
		access_mmio(config_gpa(i, PCI_BASE_ADDRESS_0), 4, true, 0xd0000000 + i * 0x10000);
	}
	enable_memory(device);
	d->start_ret = 0;
	write_status(device, 0);
	FUZZ_CHECK(read_status(device) == 0 && !d->started && !d->live);
	set_features(device, FEATURES);
	write_status(device, features_ok);
	enable_queue(device, 1);
	write_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
	FUZZ_CHECK(read_status(device) == (features_ok | VIRTIO_CONFIG_S_DRIVER_OK));
	FUZZ_CHECK(d->started && d->live == 1);
}

static void rig_exit(struct rig *r)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		virtio_transport_destroy(r->devices[i].t);
		FUZZ_CHECK(!r->devices[i].started && !r->devices[i].live);
	}
	pci_bus_destroy(r->bus);
}

/* For the life of the process: what devices leave in it is found by those that follow. */
static void create_vm(void)
{
	struct vl_err err;

	loop = fuzz_loop();
	if (access(VMM_KVM_PATH, R_OK | W_OK)) {
		fprintf(stderr, "needs %s: load kvm_intel or kvm_amd, join group kvm\n",
			VMM_KVM_PATH);
		exit(4);
	}
	if (vmm_create(&vm, NULL, &err) || vmm_irqchip_create(vm, VMM_IRQCHIP_PC, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct loop_errands *errands;
	unsigned int fds;
	struct rig r;

	if (!vm)
		create_vm();
	fds = fuzz_count_fds();
	FUZZ_CHECK(!loop_errands_create(&errands, loop, NULL));
	rig_init(&r, &in, errands);
	for (unsigned int n = 0; n < STEPS_MAX && in.size; n++)
		steps[fuzz_u8(&in) % (sizeof(steps) / sizeof(steps[0]))](&r);
	begin_anew(&r, size % DEVICES);
	rig_exit(&r);
	loop_errands_destroy(errands);
	/* what came for an operation that was removed is over when the loop sees it */
	fuzz_turn(loop, TURNS);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
