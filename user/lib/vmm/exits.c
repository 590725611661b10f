// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vringlab/vmm_exit.h>

#include "internal.h"

/*
 * By number and not by macro, so that exits of kernels newer than the header we
 * are built with have their names: include/uapi/linux/kvm.h up to Linux 6.16.
 */
static const char *const exit_names[] = {
	[0] = "KVM_EXIT_UNKNOWN",
	[1] = "KVM_EXIT_EXCEPTION",
	[2] = "KVM_EXIT_IO",
	[3] = "KVM_EXIT_HYPERCALL",
	[4] = "KVM_EXIT_DEBUG",
	[5] = "KVM_EXIT_HLT",
	[6] = "KVM_EXIT_MMIO",
	[7] = "KVM_EXIT_IRQ_WINDOW_OPEN",
	[8] = "KVM_EXIT_SHUTDOWN",
	[9] = "KVM_EXIT_FAIL_ENTRY",
	[10] = "KVM_EXIT_INTR",
	[11] = "KVM_EXIT_SET_TPR",
	[12] = "KVM_EXIT_TPR_ACCESS",
	[13] = "KVM_EXIT_S390_SIEIC",
	[14] = "KVM_EXIT_S390_RESET",
	[15] = "KVM_EXIT_DCR",
	[16] = "KVM_EXIT_NMI",
	[17] = "KVM_EXIT_INTERNAL_ERROR",
	[18] = "KVM_EXIT_OSI",
	[19] = "KVM_EXIT_PAPR_HCALL",
	[20] = "KVM_EXIT_S390_UCONTROL",
	[21] = "KVM_EXIT_WATCHDOG",
	[22] = "KVM_EXIT_S390_TSCH",
	[23] = "KVM_EXIT_EPR",
	[24] = "KVM_EXIT_SYSTEM_EVENT",
	[25] = "KVM_EXIT_S390_STSI",
	[26] = "KVM_EXIT_IOAPIC_EOI",
	[27] = "KVM_EXIT_HYPERV",
	[28] = "KVM_EXIT_ARM_NISV",
	[29] = "KVM_EXIT_X86_RDMSR",
	[30] = "KVM_EXIT_X86_WRMSR",
	[31] = "KVM_EXIT_DIRTY_RING_FULL",
	[32] = "KVM_EXIT_AP_RESET_HOLD",
	[33] = "KVM_EXIT_X86_BUS_LOCK",
	[34] = "KVM_EXIT_XEN",
	[35] = "KVM_EXIT_RISCV_SBI",
	[36] = "KVM_EXIT_RISCV_CSR",
	[37] = "KVM_EXIT_NOTIFY",
	[38] = "KVM_EXIT_LOONGARCH_IOCSR",
	[39] = "KVM_EXIT_MEMORY_FAULT",
	[40] = "KVM_EXIT_TDX",
};

static const char *const suberror_names[] = {
	[1] = "KVM_INTERNAL_ERROR_EMULATION",
	[2] = "KVM_INTERNAL_ERROR_SIMUL_EX",
	[3] = "KVM_INTERNAL_ERROR_DELIVERY_EV",
	[4] = "KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON",
};

static const char *const system_event_names[] = {
	[1] = "KVM_SYSTEM_EVENT_SHUTDOWN",  [2] = "KVM_SYSTEM_EVENT_RESET",
	[3] = "KVM_SYSTEM_EVENT_CRASH",	    [4] = "KVM_SYSTEM_EVENT_WAKEUP",
	[5] = "KVM_SYSTEM_EVENT_SUSPEND",   [6] = "KVM_SYSTEM_EVENT_SEV_TERM",
	[7] = "KVM_SYSTEM_EVENT_TDX_FATAL",
};

static const char *name_of(const char *const *names, size_t nr, uint32_t number)
{
	return number < nr && names[number] ? names[number] : "unknown";
}

const char *vmm_exit_name(uint32_t reason)
{
	return name_of(exit_names, ARRAY_SIZE(exit_names), reason);
}

const char *vmm_suberror_name(uint32_t suberror)
{
	return name_of(suberror_names, ARRAY_SIZE(suberror_names), suberror);
}

/* A line that is being written; what does not fit is dropped. */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *fmt, ...)
{
	va_list ap;
	int ret;

	if (text->len >= text->size)
		return;
	va_start(ap, fmt);
	ret = vsnprintf(text->buf + text->len, text->size - text->len, fmt, ap);
	va_end(ap);
	if (ret > 0)
		text->len += ret;
}

static void add_bytes(struct text *text, const uint8_t *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		add(text, " %02x", bytes[i]);
}

static void add_words(struct text *text, const __u64 *words, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		add(text, " %#llx", (unsigned long long)words[i]);
}

static void add_io(struct text *text, const struct kvm_run *run, size_t run_size)
{
	uint64_t bytes = (uint64_t)run->io.size * run->io.count;
	bool out = run->io.direction == KVM_EXIT_IO_OUT;

	add(text, ": %s port %#x, %u x %u bytes", out ? "write to" : "read from", run->io.port,
	    run->io.count, run->io.size);
	if (!out || run->io.data_offset > run_size || bytes > run_size - run->io.data_offset)
		return;
	add(text, ", data");
	add_bytes(text, (const uint8_t *)run + run->io.data_offset, bytes > 16 ? 16 : bytes);
}

static void add_mmio(struct text *text, const struct kvm_run *run)
{
	uint32_t len = run->mmio.len;

	add(text, ": %s address %#llx, %u bytes", run->mmio.is_write ? "write to" : "read from",
	    (unsigned long long)run->mmio.phys_addr, len);
	if (!run->mmio.is_write)
		return;
	add(text, ", data");
	add_bytes(text, run->mmio.data,
		  len > sizeof(run->mmio.data) ? sizeof(run->mmio.data) : len);
}

static void add_emulation(struct text *text, const struct kvm_run *run)
{
	uint32_t size = run->emulation_failure.insn_size;

	if (!run->emulation_failure.ndata ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	if (size > sizeof(run->emulation_failure.insn_bytes))
		size = sizeof(run->emulation_failure.insn_bytes);
	add(text, ", instruction");
	add_bytes(text, run->emulation_failure.insn_bytes, size);
}

static void add_internal_error(struct text *text, const struct kvm_run *run)
{
	uint32_t nr = run->internal.ndata;

	add(text, ": %s (%u)", vmm_suberror_name(run->internal.suberror), run->internal.suberror);
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		add_emulation(text, run);
	if (!nr)
		return;
	add(text, ", data");
	add_words(text, run->internal.data,
		  nr > ARRAY_SIZE(run->internal.data) ? ARRAY_SIZE(run->internal.data) : nr);
}

static void add_system_event(struct text *text, const struct kvm_run *run)
{
	uint32_t nr = run->system_event.ndata;

	add(text, ": %s (%u)",
	    name_of(system_event_names, ARRAY_SIZE(system_event_names), run->system_event.type),
	    run->system_event.type);
	if (!nr)
		return;
	add(text, ", data");
	add_words(text, run->system_event.data,
		  nr > ARRAY_SIZE(run->system_event.data) ? ARRAY_SIZE(run->system_event.data) :
							    nr);
}

static void add_msr(struct text *text, const struct kvm_run *run)
{
	add(text, ": MSR %#x, reason %#x", run->msr.index, run->msr.reason);
	if (run->exit_reason == KVM_EXIT_X86_WRMSR)
		add(text, ", data %#llx", (unsigned long long)run->msr.data);
}

/* Linux 6.8; at the union's start like all the others. */
static void add_memory_fault(struct text *text, const struct kvm_run *run)
{
	__u64 fault[3]; /* flags, gpa, size */

	memcpy(fault, &run->hw, sizeof(fault));
	add(text, ": flags %#llx, address %#llx, %llu bytes", (unsigned long long)fault[0],
	    (unsigned long long)fault[1], (unsigned long long)fault[2]);
}

static void add_details(struct text *text, const struct kvm_run *run, size_t run_size)
{
	switch (run->exit_reason) {
	case KVM_EXIT_UNKNOWN:
		add(text, ": hardware reason %#llx",
		    (unsigned long long)run->hw.hardware_exit_reason);
		break;
	case KVM_EXIT_EXCEPTION:
		add(text, ": exception %u, error code %#x", run->ex.exception, run->ex.error_code);
		break;
	case KVM_EXIT_IO:
		add_io(text, run, run_size);
		break;
	case KVM_EXIT_HYPERCALL:
		add(text, ": number %#llx", (unsigned long long)run->hypercall.nr);
		break;
	case KVM_EXIT_DEBUG:
		add(text, ": exception %u, pc %#llx", run->debug.arch.exception,
		    (unsigned long long)run->debug.arch.pc);
		break;
	case KVM_EXIT_MMIO:
		add_mmio(text, run);
		break;
	case KVM_EXIT_SHUTDOWN:
		add(text, ": triple fault, or the guest asked to be reset");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		add(text, ": hardware reason %#llx, CPU %u",
		    (unsigned long long)run->fail_entry.hardware_entry_failure_reason,
		    run->fail_entry.cpu);
		break;
	case KVM_EXIT_TPR_ACCESS:
		add(text, ": rip %#llx, %s", (unsigned long long)run->tpr_access.rip,
		    run->tpr_access.is_write ? "write" : "read");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		add_internal_error(text, run);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		add_system_event(text, run);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		add(text, ": vector %u", run->eoi.vector);
		break;
	case KVM_EXIT_HYPERV:
		add(text, ": type %u", run->hyperv.type);
		break;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		add_msr(text, run);
		break;
	case KVM_EXIT_XEN:
		add(text, ": type %u", run->xen.type);
		break;
	case KVM_EXIT_NOTIFY:
		add(text, ": flags %#x", run->notify.flags);
		break;
	case VMM_EXIT_MEMORY_FAULT:
		add_memory_fault(text, run);
		break;
	}
}

char *vmm_exit_describe(const struct kvm_run *run, size_t run_size, char *buf, size_t size)
{
	struct text text = { .buf = buf, .size = size };

	add(&text, "exit %s (%u)", vmm_exit_name(run->exit_reason), run->exit_reason);
	add_details(&text, run, run_size);
	return buf;
}
