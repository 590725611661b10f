// SPDX-License-Identifier: GPL-2.0-only
/*
 * In this order:
 *
 *	set up, with all privileges
 *	no_new_privs, capabilities dropped, filter on all threads
 *	vCPUs' threads: placed, capabilities dropped, a smaller filter on top
 *	CAP_SYS_NICE dropped, where vCPUs' threads needed it to have a priority; what
 *	registers virtqueues keeps CAP_NET_ADMIN
 *	guest runs; the loop handles what it does
 */
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include <vringlab/err.h>

#include "command.h"
#include "vmm.h"
#include "vmm_sandbox.h"
#include "vmm_terminal.h"

struct message {
	char text[256];
	size_t len;
};

static void add_text(struct message *m, const char *text)
{
	while (*text && m->len < sizeof(m->text))
		m->text[m->len++] = *text++;
}

static void add_number(struct message *m, uint64_t number, unsigned int base)
{
	char digits[21] = "";
	char *first = digits + sizeof(digits) - 1;

	do {
		first--;
		*first = "0123456789abcdef"[number % base];
	} while (number /= base);
	add_text(m, first);
}

/* What is done here signal-safety(7) allows. */
static void violation(const char *thread, int nr, uint64_t second)
{
	struct message m = { .len = 0 };

	terminal_restore();
	add_text(&m, "vringlab: ended by its sandbox: thread ");
	add_text(&m, thread);
	add_text(&m, " has made system call ");
	add_number(&m, nr, 10);
	add_text(&m, " (second argument 0x");
	add_number(&m, second, 16);
	add_text(&m, "), which is not one of a VMM's ('ausyscall ");
	add_number(&m, nr, 10);
	add_text(&m, "' names it); --no-sandbox goes without\n");
	if (write(STDERR_FILENO, m.text, m.len) < 0)
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

int vmm_sandbox_check(const struct vmm_options *options, struct vl_err *err)
{
	return options->no_sandbox ? 0 : sandbox_check(err);
}

/* The module asks for it with each virtqueue, of who sends and of who has opened the socket. */
static uint64_t capabilities(bool registers)
{
	return registers ? 1ull << CAP_NET_ADMIN : 0;
}

int vmm_sandbox_enter(const struct vmm_options *options, bool registers, struct vl_err *err)
{
	uint64_t keep = options->threads.has_sched ? 1ull << CAP_SYS_NICE : 0;
	const struct sandbox_rule *rules;
	unsigned int nr;
	int ret;

	if (options->no_sandbox)
		return 0;
	keep |= capabilities(registers);
	ret = sandbox_drop_capabilities(keep, err);
	if (ret)
		return ret;
	rules = vmm_rules_all(&nr, getpid());
	return sandbox_enter(rules, nr, violation, err);
}

int vmm_sandbox_enter_vcpu(void *ctx, unsigned int id, struct vl_err *err)
{
	const struct vmm_options *options = ctx;
	const struct sandbox_rule *rules;
	unsigned int nr;
	int ret = vmm_threads_enter_vcpu(&options->threads, id, err);

	if (ret || options->no_sandbox)
		return ret;
	ret = sandbox_drop_capabilities(0, err);
	if (ret)
		return ret;
	rules = vmm_rules_vcpu(&nr);
	return sandbox_enter_thread(rules, nr, err);
}

int vmm_sandbox_settle(const struct vmm_options *options, bool registers, struct vl_err *err)
{
	return options->no_sandbox ? 0 : sandbox_drop_capabilities(capabilities(registers), err);
}
