// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include <vringlab/pc.h>

#include "internal.h"

#define PAGE_SIZE 4096u
#define MIB_SHIFT 20

static uint64_t host_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		return UINT64_MAX;
	return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

int machine_check(const struct machine_config *config, struct vl_err *err)
{
	uint64_t page = config->pages == VMM_PAGES_HUGETLB ? VMM_HUGE_PAGE_SIZE : PAGE_SIZE;
	uint64_t host = host_memory();

	if (config->memory < MACHINE_MEMORY_MIN)
		return vl_err_set(err, -EINVAL, "%llu bytes of memory are too few: it takes 2M",
				  (unsigned long long)config->memory);
	if (config->memory % page)
		return vl_err_set(err, -EINVAL, "%llu bytes of memory are not in pages of %lluK",
				  (unsigned long long)config->memory,
				  (unsigned long long)page >> 10);
	if (!config->nr_cpus || config->nr_cpus > MACHINE_CPUS_MAX)
		return vl_err_set(err, -EINVAL, "%u vCPUs: a machine has 1 to %u", config->nr_cpus,
				  MACHINE_CPUS_MAX);
	if (config->memory > host)
		return vl_err_set(err, -ENOMEM,
				  "%lluM of guest memory: the host has %lluM, swap included",
				  (unsigned long long)config->memory >> MIB_SHIFT,
				  (unsigned long long)host >> MIB_SHIFT);
	return 0;
}

static void serial_irq(void *ctx, bool level)
{
	struct machine *machine = ctx;

	/* cannot fail for a pin of an irqchip that is there */
	vmm_gsi_set_line(machine->vm, PC_COM1_GSI, level, NULL);
}

static bool serial_tx(void *ctx, uint8_t byte)
{
	struct machine *machine = ctx;

	return machine->config.console.tx(machine->config.console_ctx, byte);
}

static void serial_rx_room(void *ctx)
{
	struct machine *machine = ctx;

	machine->config.console.rx_room(machine->config.console_ctx);
}

static int add_serial(struct machine *machine, struct vl_err *err)
{
	struct vmm_range range = {
		.bus = VMM_BUS_PIO,
		.addr = PC_COM1_PORT,
		.size = SERIAL_PORTS,
		.ops = &serial_range_ops,
		.name = "serial port",
	};

	machine->serial_ops = (struct serial_ops){ serial_tx, serial_rx_room, serial_irq };
	machine->serial = serial_create(&machine->serial_ops, machine);
	if (!machine->serial)
		return vl_err_set(err, -ENOMEM, "no memory for a serial port");
	range.ctx = machine->serial;
	return vmm_bus_add(machine->vm, &range, err);
}

static int add_memory(struct machine *machine, struct vl_err *err)
{
	const struct machine_config *config = &machine->config;
	uint64_t low = config->memory;
	int ret;

	if (low > PC_LOW_MEMORY_MAX)
		low = PC_LOW_MEMORY_MAX;
	ret = vmm_memory_add_pages(machine->vm, 0, low, config->pages, NULL, err);
	if (ret || low == config->memory)
		return ret;
	return vmm_memory_add_pages(machine->vm, PC_HIGH_MEMORY_GPA, config->memory - low,
				    config->pages, NULL, err);
}

static int init(struct machine *machine, struct vl_err *err)
{
	int ret;

	ret = machine_check(&machine->config, err);
	if (!ret)
		ret = vmm_create(&machine->vm, machine->config.kvm_path, err);
	if (!ret)
		ret = add_memory(machine, err);
	if (!ret)
		ret = vmm_irqchip_create(machine->vm, VMM_IRQCHIP_PC, err);
	if (!ret)
		ret = vmm_pit_create(machine->vm, err);
	if (!ret)
		ret = add_serial(machine, err);
	return ret ? ret : machine_power_init(machine, err);
}

int machine_create(struct machine **machine, const struct machine_config *config,
		   struct vl_err *err)
{
	struct machine *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a machine");
	new->config = *config;
	pthread_mutex_init(&new->pm1_lock, NULL);
	ret = init(new, err);
	if (ret)
		machine_destroy(new);
	else
		*machine = new;
	return ret;
}

void machine_destroy(struct machine *machine)
{
	struct machine_result result;

	if (!machine)
		return;
	machine_stop(machine, &result);
	for (unsigned int i = 0; i < machine->nr_vcpus; i++)
		vmm_vcpu_destroy(machine->vcpu[i].vcpu);
	serial_destroy(machine->serial);
	vmm_destroy(machine->vm);
	pthread_mutex_destroy(&machine->pm1_lock);
	free(machine);
}

struct vmm *machine_vm(const struct machine *machine)
{
	return machine->vm;
}

struct serial *machine_serial(const struct machine *machine)
{
	return machine->serial;
}
