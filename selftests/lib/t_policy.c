// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "t_policy.h"

static struct t_policy_op *op_of(struct t_policy *p, uint32_t cmd)
{
	unsigned int i;

	for (i = 0; i < p->nr_ops; i++)
		if (p->ops[i].cmd == cmd)
			return &p->ops[i];
	if (i == T_POLICY_OPS)
		return NULL;
	p->ops[i] = (struct t_policy_op){ .cmd = cmd, .doit = -1, .dump = -1 };
	p->nr_ops++;
	return &p->ops[i];
}

const struct t_policy_op *t_policy_op(const struct t_policy *p, uint8_t cmd)
{
	unsigned int i;

	for (i = 0; i < p->nr_ops; i++)
		if (p->ops[i].cmd == cmd)
			return &p->ops[i];
	return NULL;
}

unsigned int t_policy_size(uint32_t type)
{
	switch (type) {
	case NL_ATTR_TYPE_U8:
	case NL_ATTR_TYPE_S8:
		return 1;
	case NL_ATTR_TYPE_U16:
	case NL_ATTR_TYPE_S16:
		return 2;
	case NL_ATTR_TYPE_U32:
	case NL_ATTR_TYPE_S32:
		return 4;
	case NL_ATTR_TYPE_U64:
	case NL_ATTR_TYPE_S64:
		return 8;
	}
	return 0;
}

static int take_op(struct t_policy *p, const struct nlattr *nest)
{
	uint32_t cmd = 0, flags = 0;
	const struct nlattr *attr;
	struct t_policy_op *op;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_OP_ID)
			cmd = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_OP_FLAGS)
			flags = mnl_attr_get_u32(attr);
	}
	op = op_of(p, cmd);
	if (!op)
		return MNL_CB_ERROR;
	op->flags = flags;
	return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *op;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_OPS)
			mnl_attr_for_each_nested(op, attr)
				if (take_op(data, op) == MNL_CB_ERROR)
					return MNL_CB_ERROR;
	return MNL_CB_OK;
}

/* Which tables the command's policies are. */
static int take_op_policy(struct t_policy *p, const struct nlattr *nest)
{
	struct t_policy_op *op = op_of(p, mnl_attr_get_type(nest));
	const struct nlattr *attr;

	if (!op)
		return MNL_CB_ERROR;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_POLICY_DO)
			op->doit = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_POLICY_DUMP)
			op->dump = mnl_attr_get_u32(attr);
	}
	return op->doit < T_POLICY_TABLES && op->dump < T_POLICY_TABLES ? MNL_CB_OK : MNL_CB_ERROR;
}

static void take_fact(struct t_policy_attr *a, const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case NL_POLICY_TYPE_ATTR_TYPE:
		a->type = mnl_attr_get_u32(attr);
		break;
	case NL_POLICY_TYPE_ATTR_MIN_VALUE_U:
	case NL_POLICY_TYPE_ATTR_MIN_VALUE_S:
		a->min = mnl_attr_get_u64(attr);
		break;
	case NL_POLICY_TYPE_ATTR_MAX_VALUE_U:
	case NL_POLICY_TYPE_ATTR_MAX_VALUE_S:
		a->max = mnl_attr_get_u64(attr);
		break;
	case NL_POLICY_TYPE_ATTR_MIN_LENGTH:
		a->min_len = mnl_attr_get_u32(attr);
		break;
	case NL_POLICY_TYPE_ATTR_MAX_LENGTH:
		a->max_len = mnl_attr_get_u32(attr);
		break;
	case NL_POLICY_TYPE_ATTR_POLICY_IDX:
		a->nested = mnl_attr_get_u32(attr);
		break;
	}
}

/* A table, one of its attributes in it, its facts in that. */
static int take_table(struct t_policy *p, const struct nlattr *table)
{
	unsigned int t = mnl_attr_get_type(table);
	const struct nlattr *of, *fact;

	mnl_attr_for_each_nested(of, table) {
		unsigned int type = mnl_attr_get_type(of);
		struct t_policy_attr a = { .nested = -1 };

		mnl_attr_for_each_nested(fact, of)
			take_fact(&a, fact);
		if (t >= T_POLICY_TABLES || type >= T_POLICY_ATTRS || a.nested >= T_POLICY_TABLES)
			return MNL_CB_ERROR;
		p->attrs[t][type] = a;
	}
	return MNL_CB_OK;
}

static int take_policy(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *in;
	int ret = MNL_CB_OK;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) != CTRL_ATTR_OP_POLICY &&
		    mnl_attr_get_type(attr) != CTRL_ATTR_POLICY)
			continue;
		mnl_attr_for_each_nested(in, attr) {
			ret = mnl_attr_get_type(attr) == CTRL_ATTR_POLICY ?
				      take_table(data, in) :
				      take_op_policy(data, in);
			if (ret == MNL_CB_ERROR)
				return ret;
		}
	}
	return ret;
}

int t_policy_read(struct t_policy *p, const char *family)
{
	struct t_genl *g = malloc(sizeof(*g));
	struct nlmsghdr *nlh;
	int ret;

	memset(p, 0, sizeof(*p));
	if (!g)
		return -ENOMEM;
	ret = t_genl_open(g, "nlctrl");
	if (!ret) {
		nlh = t_genl_start(g, CTRL_CMD_GETFAMILY, NLM_F_ACK);
		mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, family);
		ret = t_genl_call(g, take_family, p);
	}
	if (!ret) {
		nlh = t_genl_start(g, CTRL_CMD_GETPOLICY, NLM_F_DUMP);
		mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, family);
		ret = t_genl_call(g, take_policy, p);
	}
	t_genl_close(g);
	free(g);
	return ret == -EBADMSG ? -E2BIG : ret;
}

/* FNV-1a, of what follows the header, which has the sequence number. */
static int add_message(const struct nlmsghdr *nlh, void *data)
{
	const unsigned char *byte = mnl_nlmsg_get_payload(nlh);
	size_t i, len = mnl_nlmsg_get_payload_len(nlh);
	uint64_t *sum = data;

	for (i = 0; i < len; i++)
		*sum = (*sum ^ byte[i]) * 0x100000001b3ull;
	return MNL_CB_OK;
}

int t_policy_sum(const struct t_policy *p, struct t_genl *g, uint64_t *sum)
{
	unsigned int i;
	int ret = 0;

	*sum = 0xcbf29ce484222325ull;
	for (i = 0; i < p->nr_ops && !ret; i++) {
		if (!(p->ops[i].flags & GENL_CMD_CAP_DUMP))
			continue;
		t_genl_start(g, p->ops[i].cmd, NLM_F_DUMP);
		ret = t_genl_call(g, add_message, sum);
	}
	return ret;
}
