// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ports by which a guest ends its machine: ACPI's sleep control and reset
 * register, the keyboard controller's reset line, pvpanic.
 */
#include <pthread.h>
#include <string.h>

#include <vringlab/pc.h>

#include "internal.h"

/* ACPI 6.3, 4.8.3.1 and 4.8.3.2: PM1 event and PM1 control. */
#define PM1_STATUS_BYTES 2u
#define PM1_CONTROL (PC_PM1_CONTROL_PORT - PC_PM1_EVENT_PORT)
#define CONTROL_SCI_EN (1u << 0)
#define CONTROL_SLP_TYP_SHIFT 10
#define CONTROL_SLP_TYP_MASK 7u
#define CONTROL_SLP_EN (1u << 13)

/* Pulses the output port's bit 0, which is the CPU's reset line. */
#define I8042_RESET 0xfeu

/* docs/specs/pvpanic in QEMU: what can be told, and is. */
#define PANIC_PANICKED (1u << 0)

static uint16_t pm1_control(const struct machine *machine)
{
	return machine->pm1[PM1_CONTROL] | machine->pm1[PM1_CONTROL + 1] << 8;
}

static void pm1_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct machine *machine = ctx;

	pthread_mutex_lock(&machine->pm1_lock);
	memcpy(data, machine->pm1 + offset, len);
	pthread_mutex_unlock(&machine->pm1_lock);
}

static void pm1_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct machine *machine = ctx;
	uint16_t control;

	pthread_mutex_lock(&machine->pm1_lock);
	memcpy(machine->pm1 + offset, data, len);
	/* no event ever happens */
	memset(machine->pm1, 0, PM1_STATUS_BYTES);
	control = pm1_control(machine);
	/* ACPI is always on, and SLP_EN reads as zero */
	machine->pm1[PM1_CONTROL] |= CONTROL_SCI_EN;
	machine->pm1[PM1_CONTROL + 1] &= ~(CONTROL_SLP_EN >> 8);
	pthread_mutex_unlock(&machine->pm1_lock);
	if (control & CONTROL_SLP_EN &&
	    (control >> CONTROL_SLP_TYP_SHIFT & CONTROL_SLP_TYP_MASK) == PC_SLP_TYP_S5)
		machine_end(machine, MACHINE_POWER_OFF);
}

static void reset_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	const uint8_t *value = data;

	(void)offset;
	(void)len;
	if (*value == PC_RESET_VALUE)
		machine_end(ctx, MACHINE_RESET);
}

/* Its status: the input buffer is empty. */
static void i8042_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	(void)ctx;
	(void)offset;
	memset(data, 0, len);
}

static void i8042_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	const uint8_t *command = data;

	(void)offset;
	(void)len;
	if (*command == I8042_RESET)
		machine_end(ctx, MACHINE_RESET);
}

static void panic_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	(void)ctx;
	(void)offset;
	memset(data, PANIC_PANICKED, len);
}

static void panic_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	const uint8_t *events = data;

	(void)offset;
	(void)len;
	if (*events & PANIC_PANICKED)
		machine_end(ctx, MACHINE_PANIC);
}

int machine_power_init(struct machine *machine, struct vl_err *err)
{
	static const struct vmm_range_ops pm1 = { pm1_read, pm1_write };
	static const struct vmm_range_ops reset = { .write = reset_write };
	static const struct vmm_range_ops i8042 = { i8042_read, i8042_write };
	static const struct vmm_range_ops panic = { panic_read, panic_write };
	const struct vmm_range ranges[] = {
		{ VMM_BUS_PIO, PC_PM1_EVENT_PORT, sizeof(machine->pm1), &pm1, machine, "ACPI PM1" },
		{ VMM_BUS_PIO, PC_RESET_PORT, 1, &reset, machine, "ACPI reset" },
		{ VMM_BUS_PIO, PC_I8042_PORT, 1, &i8042, machine, "i8042" },
		{ VMM_BUS_PIO, PC_PANIC_PORT, 1, &panic, machine, "pvpanic" },
	};
	int ret = 0;

	machine->pm1[PM1_CONTROL] = CONTROL_SCI_EN;
	for (size_t i = 0; !ret && i < sizeof(ranges) / sizeof(ranges[0]); i++)
		ret = vmm_bus_add(machine->vm, &ranges[i], err);
	return ret;
}
