// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A filter's program. Jumps reach 255 instructions; a list of a system call's values can
 * be longer, so that it is skipped by the one kind of jump that reaches further.
 *
 *	arch?    no: trap
 *	nr A?    no: next;  allow
 *	nr B?    no: next;  load argument;  value?  no: next value;  allow  ...  trap
 *	trap
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <vringlab/err.h>
#include <vringlab/sandbox.h>

#include "filter.h"

/* What a rule takes at most: load, mask, compare, return; and of a group 4 more. */
#define RULE_MAX 8u
#define FRAME 5u

#define DATA(field) offsetof(struct seccomp_data, field)

static void put(struct sock_fprog *prog, struct sock_filter insn)
{
	prog->filter[prog->len++] = insn;
}

static void load(struct sock_fprog *prog, size_t offset)
{
	put(prog, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* What follows is done if it is equal, and @skip instructions are skipped if not. */
static void if_equal(struct sock_fprog *prog, uint32_t value, uint8_t skip)
{
	put(prog, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
}

static void answer(struct sock_fprog *prog, uint32_t action)
{
	put(prog, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static uint32_t action_of(const struct sandbox_rule *rule)
{
	return rule->error ? SECCOMP_RET_ERRNO | (rule->error & SECCOMP_RET_DATA) :
			     SECCOMP_RET_ALLOW;
}

/* The lower half: what is looked at are int, or fits it. */
static void put_value(struct sock_fprog *prog, const struct sandbox_rule *rule)
{
	load(prog, DATA(args) + rule->arg * sizeof(uint64_t));
	if (rule->mask != UINT32_MAX)
		put(prog, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->mask));
	if_equal(prog, rule->value, 1);
	answer(prog, action_of(rule));
}

/* Rules of one number. Returns how many. */
static unsigned int put_group(struct sock_fprog *prog, const struct sandbox_rule *rules,
			      unsigned int nr)
{
	unsigned int n = 0, jump;

	if (rules->arg == SANDBOX_ANY) {
		if_equal(prog, rules->nr, 1);
		answer(prog, action_of(rules));
		return 1;
	}
	if_equal(prog, rules->nr, 0);
	prog->filter[prog->len - 1].jt = 1;
	jump = prog->len;
	put(prog, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	for (; n < nr && rules[n].nr == rules->nr; n++)
		put_value(prog, &rules[n]);
	answer(prog, SECCOMP_RET_TRAP);
	prog->filter[jump].k = prog->len - jump - 1;
	return n;
}

int filter_make(struct sock_fprog *prog, const struct sandbox_rule *rules, unsigned int nr,
		struct vl_err *err)
{
	if (nr * RULE_MAX + FRAME > BPF_MAXINSNS)
		return vl_err_set(err, -E2BIG, "%u rules are too many for a filter", nr);
	*prog = (struct sock_fprog){ .filter =
					     calloc(nr * RULE_MAX + FRAME, sizeof(*prog->filter)) };
	if (!prog->filter)
		return vl_err_set(err, -ENOMEM, "no memory for a filter");
	load(prog, DATA(arch));
	put(prog, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	answer(prog, SECCOMP_RET_TRAP);
	load(prog, DATA(nr));
	/* a number of x32 has a bit that none of ours has */
	for (unsigned int i = 0; i < nr;)
		i += put_group(prog, &rules[i], nr - i);
	answer(prog, SECCOMP_RET_TRAP);
	return 0;
}
