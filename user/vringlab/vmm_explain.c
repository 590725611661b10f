// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step is what the library did: it is told by an observer of its calls, and
 * the registers after an exit by asking KVM for them, which are steps too.
 *
 *   |  a structure: what is asked, or what has changed
 *   =  the answer
 *   !  why the guest stopped
 *   >  what the VMM does about it
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/vmm_exit.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_observe.h>
#include <vringlab/vmm_regs.h>
#include <vringlab/vmm_vcpu.h>

#include "vmm_explain.h"

#define TEXT_SIZE 4096u
#define TOLD_MAX 64u

enum role {
	ROLE_OTHER,
	ROLE_KVM,
	ROLE_VM,
	ROLE_VCPU,
};

static struct {
	bool runs;
	bool quiet;
	unsigned int steps;
	int kvm_fd;
	int vm_fd;
	int vcpu_fd;
	const struct kvm_run *run;
	size_t run_size;
	struct kvm_run before;
	bool has_regs;
	bool has_sregs;
	struct vmm_regs regs;
	/* purposes that have been told */
	const char *told[TOLD_MAX];
	unsigned int nr_told;
} explained;

static enum role role_of(int fd)
{
	if (fd == explained.kvm_fd)
		return ROLE_KVM;
	if (fd == explained.vm_fd)
		return ROLE_VM;
	return fd == explained.vcpu_fd ? ROLE_VCPU : ROLE_OTHER;
}

static bool is_told(const char *purpose)
{
	for (unsigned int i = 0; i < explained.nr_told; i++)
		if (explained.told[i] == purpose)
			return true;
	if (explained.nr_told < TOLD_MAX)
		explained.told[explained.nr_told++] = purpose;
	return false;
}

/* Each line of @text behind @prefix. */
static void print_lines(const char *prefix, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("    %s%.*s\n", prefix, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_call(const struct vmm_call *call)
{
	static const char *const roles[] = { "", "kvm ", "vm ", "vcpu " };
	const char *role = roles[role_of(call->fd)];

	printf("\n%2u  ", ++explained.steps);
	switch (call->kind) {
	case VMM_CALL_OPEN:
		printf("open(\"%s\")\n", call->on);
		break;
	case VMM_CALL_MMAP:
		printf("mmap(%s%d): %zu bytes\n", role, call->fd, call->size);
		break;
	case VMM_CALL_IOCTL:
		printf("ioctl(%s%d, %s)%s%s\n", role, call->fd, call->name, call->on[0] ? ": " : "",
		       call->on);
		break;
	}
}

static void print_general(const struct kvm_regs *regs)
{
	char text[TEXT_SIZE] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (!f)
		return;
	vmm_regs_print_general_changes(f, explained.has_regs ? &explained.regs.regs : NULL, regs);
	fclose(f);
	print_lines("| ", text[0] ? text : "as before");
	explained.regs.regs = *regs;
	explained.has_regs = true;
}

static void print_special(const struct kvm_sregs *sregs)
{
	char text[TEXT_SIZE] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (!f)
		return;
	vmm_regs_print_special_changes(f, explained.has_sregs ? &explained.regs.sregs : NULL,
				       sregs);
	fclose(f);
	print_lines("| ", text[0] ? text : "as before");
	explained.regs.sregs = *sregs;
	explained.has_sregs = true;
}

static void asked(void *ctx, const struct vmm_call *call)
{
	bool is_ioctl = call->kind == VMM_CALL_IOCTL;
	const char *purpose = vmm_explain_purpose(call);

	(void)ctx;
	if (explained.quiet)
		return;
	if (is_ioctl && call->request == KVM_RUN && !explained.runs) {
		explained.quiet = true;
		puts("\nFrom here on the guest runs, and nothing is explained.\n");
		fflush(stdout);
		return;
	}
	print_call(call);
	if (purpose && !is_told(purpose))
		print_lines("", purpose);
	if (is_ioctl && call->request == KVM_SET_REGS)
		print_general(call->arg);
	else if (is_ioctl && call->request == KVM_SET_SREGS)
		print_special(call->arg);
	else if (!is_ioctl || call->request != KVM_GET_SUPPORTED_CPUID)
		vmm_explain_argument(call);
	if (explained.run)
		explained.before = *explained.run;
	/* a guest that does not end is to be seen running */
	fflush(stdout);
}

static void learn_fd(const struct vmm_call *call)
{
	if (call->kind == VMM_CALL_OPEN)
		explained.kvm_fd = call->result;
	else if (call->kind == VMM_CALL_IOCTL && call->request == KVM_CREATE_VM)
		explained.vm_fd = call->result;
	else if (call->kind == VMM_CALL_IOCTL && call->request == KVM_CREATE_VCPU)
		explained.vcpu_fd = call->result;
}

static void print_number(const char *name, unsigned long long before, unsigned long long after)
{
	if (before != after)
		printf("    | kvm_run: %s %#llx -> %#llx\n", name, before, after);
}

/* The members that every exit has; the union is told by vmm_exit_describe(). */
static void print_run(void)
{
	const struct kvm_run *before = &explained.before, *run = explained.run;

	if (!run)
		return;
	if (before->exit_reason != run->exit_reason)
		printf("    | kvm_run: exit_reason %s (%u) -> %s (%u)\n",
		       vmm_exit_name(before->exit_reason), before->exit_reason,
		       vmm_exit_name(run->exit_reason), run->exit_reason);
	print_number("ready_for_interrupt_injection", before->ready_for_interrupt_injection,
		     run->ready_for_interrupt_injection);
	print_number("if_flag", before->if_flag, run->if_flag);
	print_number("flags", before->flags, run->flags);
	print_number("cr8", before->cr8, run->cr8);
	print_number("apic_base", before->apic_base, run->apic_base);
}

static void print_exit(void)
{
	char text[512];

	if (explained.run)
		print_lines("! ", vmm_exit_describe(explained.run, explained.run_size, text,
						    sizeof(text)));
}

static void print_ioctl_answer(const struct vmm_call *call)
{
	switch (call->request) {
	case KVM_GET_REGS:
		print_general(call->arg);
		break;
	case KVM_GET_SREGS:
		print_special(call->arg);
		break;
	case KVM_GET_SUPPORTED_CPUID:
		vmm_explain_argument(call);
		break;
	case KVM_RUN:
		print_run();
		print_exit();
		break;
	}
}

static void answered(void *ctx, const struct vmm_call *call)
{
	(void)ctx;
	if (explained.quiet)
		return;
	if (call->result < 0) {
		printf("    = -1 %s: %s\n", strerrorname_np(-call->result),
		       vl_strerror(call->result));
		fflush(stdout);
		return;
	}
	learn_fd(call);
	if (call->kind == VMM_CALL_MMAP) {
		explained.run = call->arg;
		explained.run_size = call->size;
		printf("    = %p\n", call->arg);
	} else {
		printf("    = %d\n", call->result);
	}
	if (call->kind == VMM_CALL_IOCTL)
		print_ioctl_answer(call);
	fflush(stdout);
}

void vmm_explain_start(bool runs)
{
	static const struct vmm_observer observer = { .asked = asked, .answered = answered };

	explained.runs = runs;
	explained.kvm_fd = -1;
	explained.vm_fd = -1;
	explained.vcpu_fd = -1;
	puts("Every call to KVM: | what it is given, or what has changed; = the answer;\n"
	     "! why the guest stopped; > what the VMM does then.");
	vmm_observe(&observer);
}

bool vmm_explains_exits(void)
{
	return explained.runs;
}

static void explain_console(const struct vmm_guest_io *io, const uint8_t *byte)
{
	printf("    > The port is the console. Byte %#04x", *byte);
	if (isprint(*byte))
		printf(", '%c',", *byte);
	puts(io->line_len ? " is kept until its line ends." :
			    " ends the line, which has been written above.");
}

static void explain_handled(const struct vmm_guest_io *io, const struct kvm_run *run, int ret)
{
	if (ret < 0)
		printf("    > That failed: %s\n", vl_strerror(ret));
	else if (ret == VMM_EXIT_NOT_KNOWN)
		puts("    > No device knows what to do: the guest is ended.");
	else if (ret == VMM_EXIT_GUEST_DONE)
		printf("    > The guest has ended, with status %u.\n", io->status);
	else
		explain_console(io, (const uint8_t *)run + run->io.data_offset);
	fflush(stdout);
}

int vmm_explain_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	const struct vmm_explained *e = ctx;
	struct vmm_regs regs;
	int ret;

	ret = vmm_regs_get(e->vcpu, &regs, err);
	if (ret)
		return ret;
	ret = vmm_guest_exit(e->io, run, err);
	explain_handled(e->io, run, ret);
	return ret;
}
