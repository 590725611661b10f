// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_GSI_ROUTING replaces the whole table, the pins' routes that
 * KVM_CREATE_IRQCHIP made included: those come first here, as on a PC, where the
 * timer of GSI 0 is wired to the IOAPIC's pin 2.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/vmm_gsi.h>

#include "internal.h"

#define PIC_PINS 8u
#define TIMER_GSI 0u
#define TIMER_PIN 2u

/* Two for each of the PICs' pins, one for each other. */
#define PIN_ROUTES_MAX (2 * 2 * PIC_PINS + VMM_GSI_PINS)

static struct kvm_irq_routing_entry pin_route(unsigned int gsi, unsigned int chip, unsigned int pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static unsigned int fill_pins(struct kvm_irq_routing_entry *entry)
{
	unsigned int nr = 0;

	for (unsigned int gsi = 0; gsi < VMM_GSI_PINS; gsi++) {
		if (gsi < PIC_PINS)
			entry[nr++] = pin_route(gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
		else if (gsi < 2 * PIC_PINS)
			entry[nr++] = pin_route(gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - PIC_PINS);
		if (gsi == TIMER_GSI)
			entry[nr++] = pin_route(gsi, KVM_IRQCHIP_IOAPIC, TIMER_PIN);
		else if (gsi != TIMER_PIN)
			entry[nr++] = pin_route(gsi, KVM_IRQCHIP_IOAPIC, gsi);
	}
	return nr;
}

static unsigned int fill_msis(const struct vmm *vm, struct kvm_irq_routing_entry *entry)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < vm->nr_msis; i++) {
		const struct vmm_msi *msi = &vm->msis[i];

		if (!msi->routed)
			continue;
		entry[nr++] = (struct kvm_irq_routing_entry){
			.gsi = VMM_GSI_PINS + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi.address_lo = msi->address,
			.u.msi.address_hi = msi->address >> 32,
			.u.msi.data = msi->data,
		};
	}
	return nr;
}

/* With gsi_lock held. */
static int set_table(struct vmm *vm, struct vl_err *err)
{
	struct kvm_irq_routing *table;
	int ret;

	table = calloc(1,
		       sizeof(*table) + (PIN_ROUTES_MAX + vm->nr_msis) * sizeof(table->entries[0]));
	if (!table)
		return vl_err_set(err, -ENOMEM, "no memory for a table of routes");
	if (vm->has_pins)
		table->nr = fill_pins(table->entries);
	table->nr += fill_msis(vm, table->entries + table->nr);
	ret = vmm_ioctl(vm->vm_fd, KVM_SET_GSI_ROUTING, table, err, "a table of %u routes",
			table->nr);
	free(table);
	return ret < 0 ? ret : 0;
}

static int grow(struct vmm *vm, struct vl_err *err)
{
	struct vmm_msi *msis;

	if (vm->nr_msis == VMM_GSI_MSI_MAX)
		return vl_err_set(err, -ENOSPC, "a VM has at most %u GSIs for MSIs",
				  VMM_GSI_MSI_MAX);
	msis = realloc(vm->msis, (vm->nr_msis + 1) * sizeof(*msis));
	if (!msis)
		return vl_err_set(err, -ENOMEM, "no memory for a GSI");
	vm->msis = msis;
	msis[vm->nr_msis++] = (struct vmm_msi){ 0 };
	return 0;
}

int vmm_gsi_alloc(struct vmm *vm, unsigned int *gsi, struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
		{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	};
	unsigned int i = 0;
	int ret;

	if (!vm->has_irqchip)
		return vl_err_set(err, -EINVAL, "an irqfd needs a VM with an in-kernel irqchip");
	ret = vmm_require(vm->vm_fd, needed, ARRAY_SIZE(needed), err);
	if (ret)
		return ret;
	pthread_mutex_lock(&vm->gsi_lock);
	while (i < vm->nr_msis && vm->msis[i].used)
		i++;
	if (i == vm->nr_msis)
		ret = grow(vm, err);
	if (!ret) {
		vm->msis[i] = (struct vmm_msi){ .used = true };
		*gsi = VMM_GSI_PINS + i;
	}
	pthread_mutex_unlock(&vm->gsi_lock);
	return ret;
}

int vmm_gsi_route(struct vmm *vm, unsigned int gsi, uint64_t address, uint32_t data,
		  struct vl_err *err)
{
	struct vmm_msi *msi, former;
	int ret = 0;

	pthread_mutex_lock(&vm->gsi_lock);
	msi = &vm->msis[gsi - VMM_GSI_PINS];
	former = *msi;
	if (!former.routed || former.address != address || former.data != data) {
		msi->routed = true;
		msi->address = address;
		msi->data = data;
		ret = set_table(vm, err);
		if (ret)
			*msi = former;
	}
	pthread_mutex_unlock(&vm->gsi_lock);
	return ret;
}

void vmm_gsi_free(struct vmm *vm, unsigned int gsi)
{
	pthread_mutex_lock(&vm->gsi_lock);
	vm->msis[gsi - VMM_GSI_PINS] = (struct vmm_msi){ 0 };
	pthread_mutex_unlock(&vm->gsi_lock);
}

int vmm_gsi_set_line(struct vmm *vm, unsigned int gsi, bool level, struct vl_err *err)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };
	int ret = vmm_ioctl(vm->vm_fd, KVM_IRQ_LINE, &line, err, "GSI %u", gsi);

	return ret < 0 ? ret : 0;
}

int vmm_gsi_send_msi(struct vmm *vm, uint64_t address, uint32_t data, struct vl_err *err)
{
	struct kvm_msi msi = {
		.address_lo = address,
		.address_hi = address >> 32,
		.data = data,
	};
	int ret = vmm_ioctl(vm->vm_fd, KVM_SIGNAL_MSI, &msi, err, "address %#llx, data %#x",
			    (unsigned long long)address, data);

	return ret < 0 ? ret : 0;
}
