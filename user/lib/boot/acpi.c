// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ACPI tables, Advanced Configuration and Power Interface Specification 6.3:
 *
 *   RSDP ── XSDT ┬─ FADT ┬─ FACS
 *                │       └─ DSDT   dsdt.asl
 *                ├─ MADT   local APICs, the IOAPIC
 *                └─ MCFG   where PCI's configuration space is
 */
#include <string.h>

#include "internal.h"

#define OEM_ID "VRNGLB"
#define OEM_TABLE_ID "VRINGLAB"
#define CREATOR_ID "VRLB"

/* 5.2.9.3 and 5.2.9, "IA-PC Boot Architecture Flags" and "Fixed ACPI Description Table" */
#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_ASPM (1u << 4)
#define BOOT_NO_CMOS_RTC (1u << 5)
#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_FIXED_RTC (1u << 6)
#define FADT_RESET_REG (1u << 10)

/* 5.2.12: of the MADT and its structures */
#define MADT_HAS_PICS (1u << 0)
#define MADT_LAPIC_ENABLED (1u << 0)
#define MADT_ALL_CPUS 0xffu
#define MADT_HIGH_LEVEL 0x000du
#define TIMER_IRQ 0u
#define TIMER_GSI 2u
#define NMI_LINT 1u

#define GAS_IO 1u
#define GAS_BYTE 1u
#define GAS_WORD 2u

struct acpi_head {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_address {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_head head;
	uint64_t table[3];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_head head;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t profile;
	uint16_t sci_gsi;
	uint32_t smi_command;
	uint8_t smi_values[4];
	uint32_t pm1a_event;
	uint32_t pm1b_event;
	uint32_t pm1a_control;
	uint32_t pm1b_control;
	uint32_t pm2_control;
	uint32_t pm_timer;
	uint32_t gpe[2];
	uint8_t pm1_event_length;
	uint8_t pm1_control_length;
	uint8_t pm2_control_length;
	uint8_t pm_timer_length;
	uint8_t gpe_and_cst[4];
	uint16_t c2_latency;
	uint16_t c3_latency;
	uint8_t flush_and_duty[6];
	uint8_t rtc_alarm[3];
	uint16_t boot_flags;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor_revision;
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct acpi_address x_pm1a_event;
	struct acpi_address x_pm1b_event;
	struct acpi_address x_pm1a_control;
	struct acpi_address x_others[7];
	uint64_t hypervisor;
} __attribute__((packed));

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint8_t others[24];
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));

struct acpi_mcfg {
	struct acpi_head head;
	uint64_t reserved0;
	uint64_t address;
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus;
	uint32_t reserved1;
} __attribute__((packed));

struct acpi_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct acpi_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t first_gsi;
} __attribute__((packed));

struct acpi_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct acpi_lapic_nmi {
	uint8_t type;
	uint8_t length;
	uint8_t processor_uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct acpi_madt {
	struct acpi_head head;
	uint32_t lapic_address;
	uint32_t flags;
	struct acpi_ioapic ioapic;
	struct acpi_override timer;
	struct acpi_override sci;
	struct acpi_lapic_nmi nmi;
	struct acpi_lapic lapic[PC_CPUS_MAX];
} __attribute__((packed));

/* dsdt.S */
extern const uint8_t boot_dsdt_start[], boot_dsdt_end[];

/* Where the next table goes. */
struct area {
	uint8_t *ram;
	uint64_t gpa;
};

static uint8_t checksum(const void *bytes, size_t nr)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (nr--)
		sum += *byte++;
	return -sum;
}

/* Returns its address. There is room for all that acpi.c writes: PC_ACPI_SIZE. */
static uint64_t put(struct area *area, const void *table, size_t bytes)
{
	uint64_t gpa = area->gpa;

	memcpy(area->ram + gpa, table, bytes);
	/* a FACS wants 64 */
	area->gpa = (gpa + bytes + 63) & ~63ull;
	return gpa;
}

static uint64_t put_table(struct area *area, struct acpi_head *head, const char *signature,
			  uint8_t revision, uint32_t length)
{
	memcpy(head->signature, signature, sizeof(head->signature));
	head->length = length;
	head->revision = revision;
	memcpy(head->oem_id, OEM_ID, sizeof(head->oem_id));
	memcpy(head->oem_table_id, OEM_TABLE_ID, sizeof(head->oem_table_id));
	head->oem_revision = 1;
	memcpy(head->creator_id, CREATOR_ID, sizeof(head->creator_id));
	head->creator_revision = 1;
	head->checksum = 0;
	head->checksum = checksum(head, length);
	return put(area, head, length);
}

static struct acpi_address port(uint64_t address, unsigned int bytes, unsigned int access)
{
	return (struct acpi_address){
		.space = GAS_IO,
		.bit_width = bytes * 8,
		.access_size = access,
		.address = address,
	};
}

static uint64_t put_fadt(struct area *area)
{
	struct acpi_facs facs = { "FACS", .length = sizeof(facs), .version = 2 };
	struct acpi_fadt fadt = {
		.sci_gsi = PC_SCI_GSI,
		.pm1a_event = PC_PM1_EVENT_PORT,
		.pm1a_control = PC_PM1_CONTROL_PORT,
		.pm1_event_length = 4,
		.pm1_control_length = 2,
		/* no C2, no C3 */
		.c2_latency = 0xfff,
		.c3_latency = 0xfff,
		.boot_flags = BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_NO_FIXED_RTC | FADT_RESET_REG,
		.reset = port(PC_RESET_PORT, 1, GAS_BYTE),
		.reset_value = PC_RESET_VALUE,
		.minor_revision = 3,
		.x_pm1a_event = port(PC_PM1_EVENT_PORT, 4, GAS_WORD),
		.x_pm1a_control = port(PC_PM1_CONTROL_PORT, 2, GAS_WORD),
	};
	uint64_t dsdt;

	dsdt = put(area, boot_dsdt_start, boot_dsdt_end - boot_dsdt_start);
	fadt.dsdt = dsdt;
	fadt.x_dsdt = dsdt;
	/* both addresses of a FACS would be two of them */
	fadt.facs = put(area, &facs, sizeof(facs));
	return put_table(area, &fadt.head, "FACP", 6, sizeof(fadt));
}

static uint64_t put_madt(struct area *area, unsigned int nr_cpus)
{
	struct acpi_madt madt = {
		.lapic_address = PC_LAPIC_GPA,
		.flags = MADT_HAS_PICS,
		.ioapic = { .type = 1, .length = sizeof(madt.ioapic), .address = PC_IOAPIC_GPA },
		/* KVM wires the timer to pin 2 */
		.timer = { .type = 2,
			   .length = sizeof(madt.timer),
			   .irq = TIMER_IRQ,
			   .gsi = TIMER_GSI },
		.sci = { .type = 2,
			 .length = sizeof(madt.sci),
			 .irq = PC_SCI_GSI,
			 .gsi = PC_SCI_GSI,
			 .flags = MADT_HIGH_LEVEL },
		.nmi = { .type = 4,
			 .length = sizeof(madt.nmi),
			 .processor_uid = MADT_ALL_CPUS,
			 .lint = NMI_LINT },
	};

	for (unsigned int i = 0; i < nr_cpus; i++)
		madt.lapic[i] = (struct acpi_lapic){
			.length = sizeof(madt.lapic[i]),
			.processor_uid = i,
			.apic_id = i,
			.flags = MADT_LAPIC_ENABLED,
		};
	return put_table(area, &madt.head, "APIC", 4,
			 offsetof(struct acpi_madt, lapic) + nr_cpus * sizeof(madt.lapic[0]));
}

static uint64_t put_mcfg(struct area *area)
{
	struct acpi_mcfg mcfg = { .address = PC_ECAM_GPA };

	return put_table(area, &mcfg.head, "MCFG", 1, sizeof(mcfg));
}

void boot_acpi(const struct boot_machine *machine, uint8_t *ram)
{
	struct area area = { ram, PC_ACPI_GPA + 0x80 };
	struct acpi_rsdp rsdp = { .signature = "RSD PTR ", .revision = 2, .length = sizeof(rsdp) };
	struct acpi_xsdt xsdt = { 0 };

	_Static_assert(sizeof(rsdp) <= PC_VIRTIO_MMIO_MAP_GPA - PC_ACPI_GPA, "the map is behind");
	_Static_assert(sizeof(struct acpi_fadt) == 276, "a FADT of revision 6");
	xsdt.table[0] = put_fadt(&area);
	xsdt.table[1] = put_madt(&area, machine->nr_cpus);
	xsdt.table[2] = put_mcfg(&area);
	rsdp.xsdt = put_table(&area, &xsdt.head, "XSDT", 1, sizeof(xsdt));
	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	/* the first is of what revision 0 had */
	rsdp.checksum = checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(ram + PC_ACPI_GPA, &rsdp, sizeof(rsdp));
	memcpy(ram + PC_VIRTIO_MMIO_MAP_GPA, &machine->virtio_mmio, sizeof(machine->virtio_mmio));
}

unsigned int boot_virtio_mmio_gsi(unsigned int index)
{
	/* they are in the order of their digits */
#define GSI(digit, gsi) (gsi),
	static const uint8_t gsis[PC_VIRTIO_MMIO_MAX] = { PC_VIRTIO_MMIO_GSIS(GSI) };
#undef GSI

	return gsis[index];
}
