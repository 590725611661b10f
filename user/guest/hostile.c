// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile: writes anything to config space, BARs, registers, virtqueues and doorbells
 * of the virtio devices that it is given, in the order that its seed has; between that
 * it drives them as a driver does, so that there is something to break. In the end each
 * is to work.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>

#include "hostile.h"
#include "lib/access.h"
#include "lib/cpu.h"
#include "lib/virtio.h"

#define RINGS_EACH 8u
#define RING_SIZE_MAX 256u
#define DRIVER_AT 0x1000u
#define DEVICE_AT 0x2000u
#define FEATURES_OK \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)

static struct hostile_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;
static uint64_t random;

/* xorshift64* */
static uint64_t draw(uint64_t end)
{
	random ^= random >> 12;
	random ^= random << 25;
	random ^= random >> 27;
	return (random * 0x2545f4914f6cdd1dull >> 16) % end;
}

/* In the devices' memory, for data. */
static uint64_t data_gpa(void)
{
	return param->shared_gpa + HOSTILE_SHARED_BYTES / 2 + draw(HOSTILE_SHARED_BYTES / 2);
}

static uint64_t any_value(void)
{
	switch (draw(5)) {
	case 0:
		return draw(16);
	case 1:
		return draw(0x10000);
	case 2:
		return 1ull << draw(64);
	case 3:
		return data_gpa() & ~0xfull;
	default:
		return draw(UINT64_MAX);
	}
}

/*
 * Not an NMI, an SMI or an INIT as a message of MSI-X: with these a guest ends itself,
 * which is between it and KVM.
 */
static uint64_t harmless(uint64_t value)
{
	return value & ~0x0000070000000700ull;
}

static void access_at(uint64_t addr)
{
	unsigned int len = 1u << draw(4);

	if (draw(3))
		poke(addr, len, harmless(any_value()));
	else
		peek(addr, len);
}

static uint64_t config_of(unsigned int slot)
{
	return param->ecam_gpa + slot * 0x8000ull;
}

static struct virtio_device device_at(unsigned int i)
{
	if (i < param->nr_pci)
		return (struct virtio_device){ .config = config_of(i + 1) };
	return (struct virtio_device){
		.mmio = true,
		.regs = param->mmio_gpa + (i - param->nr_pci) * 0x1000ull,
	};
}

/* A BAR can be where the guest itself is, which would end it by its own hand. */
static struct virtio_device reach(unsigned int i)
{
	struct virtio_device d = device_at(i);

	if (virtio_base(&d) - param->window_gpa > param->window_size - VIRTIO_BAR_BYTES)
		virtio_place(&d, param->window_gpa);
	return d;
}

static unsigned int nr_devices(void)
{
	return param->nr_pci + param->nr_mmio;
}

/* Each device has some rings for itself, as long as there are any. */
static struct virtio_ring ring_of(unsigned int device, uint16_t index)
{
	unsigned int nr = (device * RINGS_EACH + index % RINGS_EACH) % HOSTILE_RINGS;
	uint64_t gpa = param->shared_gpa + nr * (uint64_t)HOSTILE_RING_BYTES;

	return (struct virtio_ring){
		.index = index,
		.size = RING_SIZE_MAX,
		.desc = gpa,
		.driver = gpa + DRIVER_AT,
		.device = gpa + DEVICE_AT,
	};
}

/* What it does */

static void any_config(unsigned int device)
{
	unsigned int slot = draw(4) ? device + 1 : draw(32);

	access_at(config_of(slot) + (draw(4) ? draw(0x100) : draw(0x1000)));
}

static void any_port(unsigned int device)
{
	port_write(0xcf8, 4, 1u << 31 | (device + 1) << 11 | draw(0x100));
	if (draw(2))
		port_write(0xcf8 + draw(8), 1u << draw(3), harmless(any_value()));
	else
		port_read(0xcf8 + draw(8), 1u << draw(3));
}

static void any_register(unsigned int device)
{
	struct virtio_device d = reach(device);

	access_at(virtio_base(&d) + draw(d.mmio ? 0x200 : VIRTIO_BAR_BYTES));
}

static void low_register(unsigned int device)
{
	struct virtio_device d = reach(device);

	access_at(virtio_base(&d) + draw(d.mmio ? 0x110 : 0x40));
}

static void any_address(unsigned int device)
{
	(void)device;
	access_at(param->window_gpa + draw(param->window_size));
}

static void reset(unsigned int device)
{
	struct virtio_device d = reach(device);

	virtio_set_status(&d, 0);
}

static void kick(unsigned int device)
{
	struct virtio_device d = reach(device);

	virtio_kick(&d, draw(8) ? draw(RINGS_EACH) : draw(0x10000));
}

static void move(unsigned int device)
{
	struct virtio_device d = device_at(device);

	virtio_place(&d, param->window_gpa + draw(64) * (VIRTIO_BAR_BYTES / 2));
}

static void use_msix(unsigned int device)
{
	struct virtio_device d = reach(device);
	uint64_t entry = virtio_base(&d) + VIRTIO_BAR_MSIX + draw(16) * PCI_MSIX_ENTRY_SIZE;

	if (d.mmio)
		return;
	/* MSI-X is the first capability */
	poke(d.config + peek(d.config + PCI_CAPABILITY_LIST, 1) + PCI_MSIX_FLAGS, 2, draw(4) << 14);
	poke(entry, 8, draw(4) ? 0xfee00000 : harmless(any_value()));
	poke(entry + PCI_MSIX_ENTRY_DATA, 4, harmless(any_value()));
	poke(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, draw(2));
	peek(virtio_base(&d) + VIRTIO_BAR_PBA, 8);
}

static void drive(unsigned int device)
{
	struct virtio_device d = device_at(device);
	uint64_t features;

	virtio_place(&d, param->window_gpa + device * (uint64_t)VIRTIO_BAR_BYTES);
	virtio_set_status(&d, 0);
	virtio_set_status(&d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	features = virtio_features(&d);
	if (draw(2))
		features &= draw(UINT64_MAX) | 1ull << VIRTIO_F_VERSION_1;
	virtio_set_features(&d, features);
	virtio_set_status(&d, FEATURES_OK);
	for (uint16_t i = 0, end = draw(4) ? RINGS_EACH : 1 + draw(RINGS_EACH); i < end; i++) {
		struct virtio_ring ring = ring_of(device, i);

		if (!draw(8))
			ring.size = 1u << draw(9);
		if (!draw(32))
			ring.device = any_value();
		/* else what is available there is of before, which ends most devices */
		if (draw(4))
			poke(ring.driver, 4, 0);
		virtio_set_ring(&d, &ring);
	}
	virtio_set_status(&d, FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	if (virtio_status(&d) == (FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK))
		param->starts++;
	else
		param->refused++;
}

/* A descriptor, of a request that some device may take for one of its own. */
static void fill_descriptor(const struct virtio_ring *ring)
{
	uint64_t desc = ring->desc + draw(RING_SIZE_MAX) * 16;
	uint64_t gpa = draw(16) ? data_gpa() : any_value();

	poke(desc, 8, gpa);
	poke(desc + 8, 4, draw(8) ? draw(0x1000) : any_value());
	poke(desc + 12, 2, draw(8) ? draw(4) : any_value());
	poke(desc + 14, 2, draw(8) ? draw(RING_SIZE_MAX) : any_value());
	gpa = data_gpa() & ~0xfull;
	poke(gpa, 4, draw(16));
	poke(gpa + 8, 8, draw(8) ? draw(64) : any_value());
}

/* Some become available, or any number. */
static void fill(unsigned int device)
{
	struct virtio_ring ring = ring_of(device, draw(RINGS_EACH));
	uint16_t avail = peek(ring.driver + 2, 2);

	for (unsigned int n = draw(8); n; n--) {
		fill_descriptor(&ring);
		poke(ring.driver + 4 + avail % RING_SIZE_MAX * 2, 2,
		     draw(16) ? draw(RING_SIZE_MAX) : any_value());
		avail++;
	}
	poke(ring.driver, 2, draw(2));
	poke(ring.driver + 2, 2, draw(32) ? avail : any_value());
	kick(device);
}

static void (*const acts[])(unsigned int device) = {
	any_config,  any_config, any_port, any_register, any_register, low_register, low_register,
	any_address, reset,	 kick,	   move,	 use_msix,     use_msix,     drive,
	drive,	     fill,	 fill,	   fill,	 fill,
};

/* All virtqueues that it has: vhost starts none without the others. */
static void set_rings(const struct virtio_device *d, unsigned int device)
{
	uint32_t size;

	for (uint16_t i = 0; i < RINGS_EACH && (size = virtio_queue_size(d, i)); i++) {
		struct virtio_ring ring = ring_of(device, i);

		if (ring.size > size)
			ring.size = size;
		memset((void *)ring.desc, 0, HOSTILE_RING_BYTES);
		virtio_set_ring(d, &ring);
	}
}

/* Whatever was done, a driver that does all right has a device that works. */
static bool works(unsigned int device)
{
	struct virtio_device d = device_at(device);

	virtio_set_status(&d, 0);
	if (virtio_status(&d))
		return false;
	virtio_set_status(&d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	virtio_set_features(&d, 1ull << VIRTIO_F_VERSION_1);
	virtio_set_status(&d, FEATURES_OK);
	set_rings(&d, device);
	virtio_set_status(&d, FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	return virtio_status(&d) == (FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* One BAR can lie on another: all leave their places before one has its own. */
static void place_all(void)
{
	for (unsigned int i = 0; i < param->nr_pci; i++)
		poke(config_of(i + 1) + PCI_COMMAND, 2, 0);
	for (unsigned int i = 0; i < nr_devices(); i++) {
		struct virtio_device d = device_at(i);

		virtio_place(&d, param->window_gpa + i * (uint64_t)VIRTIO_BAR_BYTES);
	}
}

void _start(void)
{
	init_exceptions();
	if (!head_is_good(HOSTILE_MAGIC, HOSTILE_VERSION, sizeof(*param)) || !nr_devices())
		leave(MICRO_BAD_PARAM);
	random = param->seed * 2 + 1;
	place_all();
	for (; param->done < param->count; param->done++)
		acts[draw(sizeof(acts) / sizeof(acts[0]))](draw(nr_devices()));
	place_all();
	for (unsigned int i = 0; i < nr_devices(); i++)
		if (works(i))
			param->works |= 1ull << i;
	leave(MICRO_OK);
}
