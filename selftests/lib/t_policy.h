/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a generic netlink family takes, as the kernel's controller tells it: its
 * commands, and the policy of each one's attributes. A test that goes by it covers
 * commands that are younger than the test.
 */
#ifndef VRINGLAB_SELFTESTS_T_POLICY_H
#define VRINGLAB_SELFTESTS_T_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "t_genl.h"

#define T_POLICY_OPS 64
#define T_POLICY_TABLES 32
#define T_POLICY_ATTRS 64

/**
 * struct t_policy_attr - What one attribute may be
 * @type:	NL_ATTR_TYPE_*, %NL_ATTR_TYPE_INVALID for one that is not taken.
 * @min:	Smallest number, as a signed one where @type is signed.
 * @max:	Largest number.
 * @min_len:	Shortest string or data.
 * @max_len:	Longest; 0 for no limit.
 * @nested:	Table of what is nested in it, -1 for none.
 */
struct t_policy_attr {
	uint32_t type;
	uint64_t min;
	uint64_t max;
	uint32_t min_len;
	uint32_t max_len;
	int nested;
};

/**
 * struct t_policy_op - One command
 * @cmd:	Its number.
 * @flags:	GENL_CMD_CAP_*, GENL_ADMIN_PERM.
 * @doit:	Table of what it takes, -1 for nothing; so is @dump.
 * @dump:	Likewise for a dump.
 */
struct t_policy_op {
	uint8_t cmd;
	uint32_t flags;
	int doit;
	int dump;
};

/**
 * struct t_policy - A family
 * @ops:	Its commands.
 * @nr_ops:	How many.
 * @attrs:	By table and number.
 */
struct t_policy {
	struct t_policy_op ops[T_POLICY_OPS];
	unsigned int nr_ops;
	struct t_policy_attr attrs[T_POLICY_TABLES][T_POLICY_ATTRS];
};

/**
 * t_policy_read() - Ask the controller
 * @p:		Filled.
 * @family:	Name.
 *
 * Return: 0, %-E2BIG where there is more than there is room for, or what the
 * controller said.
 */
int t_policy_read(struct t_policy *p, const char *family);

/** t_policy_op() - The command of this number, or NULL. */
const struct t_policy_op *t_policy_op(const struct t_policy *p, uint8_t cmd);

/** t_policy_size() - Bytes of a number of this type, 0 for what is none. */
unsigned int t_policy_size(uint32_t type);

/**
 * t_policy_sum() - All that the family tells, in one number
 * @p:		Family.
 * @g:		Socket of the family.
 * @sum:	Equal if every dump of every command is.
 *
 * Return: 0, or what a dump was answered.
 */
int t_policy_sum(const struct t_policy *p, struct t_genl *g, uint64_t *sum);

#endif /* VRINGLAB_SELFTESTS_T_POLICY_H */
