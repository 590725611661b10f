// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad requests, of every command there is: each attribute of the family's policies
 * in each form that it must not have. All are refused, in words, and change nothing.
 */
#include "netlink.h"
#include "t_policy.h"

/* clang-format off */
FIXTURE(requests) {
	struct t_genl g;
	struct t_policy p;
	uint64_t before;
};

/* clang-format on */

FIXTURE_SETUP(requests)
{
	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_policy_read(&self->p, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_policy_sum(&self->p, &self->g, &self->before));
}

FIXTURE_TEARDOWN(requests)
{
	uint64_t after;

	EXPECT_EQ(0, t_policy_sum(&self->p, &self->g, &after));
	EXPECT_EQ(self->before, after);
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

/* One attribute of one command, as the policy has it. */
struct subject {
	const struct t_policy_op *op;
	const struct t_policy_attr *attr;
	uint16_t type;
};

/* Every attribute of every command that is no dump; NULL ends it. */
static bool next_subject(const struct t_policy *p, struct subject *s)
{
	const struct t_policy_op *op = s->op ?: p->ops - 1;
	unsigned int type = s->op ? s->type : T_POLICY_ATTRS;

	for (;;) {
		if (++type >= T_POLICY_ATTRS) {
			type = 0;
			if (++op == p->ops + p->nr_ops)
				return false;
		}
		if (!(op->flags & GENL_CMD_CAP_DO) || op->doit < 0)
			continue;
		*s = (struct subject){ op, &p->attrs[op->doit][type], type };
		if (s->attr->type != NL_ATTR_TYPE_INVALID)
			return true;
	}
}

#define FOR_EACH_SUBJECT(s) for (s = (struct subject){}; next_subject(&self->p, &s);)

static bool is_nest(const struct t_policy_attr *attr)
{
	return attr->type == NL_ATTR_TYPE_NESTED || attr->type == NL_ATTR_TYPE_NESTED_ARRAY;
}

/* With a value that it may have. */
static void put_good(struct nlmsghdr *nlh, const struct subject *s, uint16_t flags)
{
	unsigned int size = t_policy_size(s->attr->type);

	if (size)
		mnl_attr_put(nlh, s->type | flags, size, &s->attr->min);
	else if (s->attr->type == NL_ATTR_TYPE_STRING || s->attr->type == NL_ATTR_TYPE_NUL_STRING)
		mnl_attr_put(nlh, s->type | flags, 2, "x");
	else
		mnl_attr_put(nlh, s->type | flags, 0, NULL);
}

static struct nlmsghdr *start(struct t_genl *g, const struct subject *s)
{
	return t_genl_start(g, s->op->cmd, NLM_F_ACK);
}

/* Which command and attribute an expectation is about. */
#define ABOUT(s) TH_LOG("command %u, attribute %u", (s).op->cmd, (s).type)

TEST_F_TIMEOUT(requests, have_policies_for_all_that_changes_something, SLOW)
{
	unsigned int i, nr = 0, subjects = 0;
	struct subject s;

	/* Seven of vring-add, and the id of five others. */
	FOR_EACH_SUBJECT(s)
	subjects++;
	EXPECT_LE(12u, subjects);
	for (i = 0; i < self->p.nr_ops; i++) {
		const struct t_policy_op *op = &self->p.ops[i];

		EXPECT_TRUE(op->flags & (GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP));
		if (op->flags & GENL_ADMIN_PERM)
			nr++;
	}
	EXPECT_LE(2u, nr);
	ASSERT_NE(NULL, t_policy_op(&self->p, VRINGLAB_CMD_VRING_ADD));
	EXPECT_TRUE(t_policy_op(&self->p, VRINGLAB_CMD_VRING_ADD)->flags & GENL_ADMIN_PERM);
}

TEST_F_TIMEOUT(requests, with_a_number_of_the_wrong_size_are_EINVAL, SLOW)
{
	static const char zeros[16];
	struct subject s;
	unsigned int len;

	FOR_EACH_SUBJECT(s)
	{
		unsigned int size = t_policy_size(s.attr->type);

		for (len = 0; size && len < sizeof(zeros); len++) {
			if (len == size)
				continue;
			mnl_attr_put(start(&self->g, &s), s.type, len, zeros);
			EXPECT_REFUSED(EINVAL, s.type, t_genl_call(&self->g, NULL, NULL));
		}
	}
}

TEST_F_TIMEOUT(requests, with_a_flag_that_has_a_value_are_ERANGE, SLOW)
{
	struct subject s;

	FOR_EACH_SUBJECT(s)
	{
		if (s.attr->type != NL_ATTR_TYPE_FLAG)
			continue;
		mnl_attr_put_u32(start(&self->g, &s), s.type, 1);
		EXPECT_REFUSED(ERANGE, s.type, t_genl_call(&self->g, NULL, NULL));
	}
}

TEST_F_TIMEOUT(requests, with_a_string_that_is_too_long_or_has_no_end_are_EINVAL, SLOW)
{
	static const char zero;
	char text[4096];
	struct subject s;

	memset(text, 'x', sizeof(text));
	FOR_EACH_SUBJECT(s)
	{
		if (s.attr->type != NL_ATTR_TYPE_NUL_STRING || !s.attr->max_len)
			continue;
		mnl_attr_put(start(&self->g, &s), s.type, 1, text);
		EXPECT_REFUSED(EINVAL, s.type, t_genl_call(&self->g, NULL, NULL));
		mnl_attr_put(start(&self->g, &s), s.type, sizeof(text), text);
		EXPECT_REFUSED(EINVAL, s.type, t_genl_call(&self->g, NULL, NULL));
		mnl_attr_put(start(&self->g, &s), s.type, 0, &zero);
		EXPECT_REFUSED(EINVAL, s.type, t_genl_call(&self->g, NULL, NULL));
	}
}

static uint64_t type_max(uint32_t type)
{
	return UINT64_MAX >> (64 - 8 * t_policy_size(type));
}

TEST_F_TIMEOUT(requests, with_a_number_outside_its_range_are_ERANGE, SLOW)
{
	unsigned int nr = 0;
	struct subject s;

	FOR_EACH_SUBJECT(s)
	{
		unsigned int size = t_policy_size(s.attr->type);
		uint64_t over = s.attr->max + 1, under = s.attr->min - 1;

		/* None of the family's numbers is signed. */
		ASSERT_FALSE(s.attr->type >= NL_ATTR_TYPE_S8 && s.attr->type <= NL_ATTR_TYPE_S64);
		if (size && s.attr->max && s.attr->max < type_max(s.attr->type)) {
			mnl_attr_put(start(&self->g, &s), s.type, size, &over);
			EXPECT_REFUSED(ERANGE, s.type, t_genl_call(&self->g, NULL, NULL));
			nr++;
		}
		if (size && s.attr->min) {
			mnl_attr_put(start(&self->g, &s), s.type, size, &under);
			EXPECT_REFUSED(ERANGE, s.type, t_genl_call(&self->g, NULL, NULL));
			nr++;
		}
	}
	/* The back-end and the span are numbers of an enum. */
	EXPECT_LE(2u, nr);
}

TEST_F_TIMEOUT(requests, that_give_an_attribute_twice_are_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;
	struct subject s;

	FOR_EACH_SUBJECT(s)
	{
		if (is_nest(s.attr))
			continue;
		nlh = start(&self->g, &s);
		put_good(nlh, &s, 0);
		put_good(nlh, &s, 0);
		EXPECT_REFUSED(EINVAL, s.type, t_genl_call(&self->g, NULL, NULL));
	}
}

TEST_F_TIMEOUT(requests, with_a_nest_that_is_none_or_the_reverse_are_EINVAL, SLOW)
{
	struct subject s;

	FOR_EACH_SUBJECT(s)
	{
		put_good(start(&self->g, &s), &s, is_nest(s.attr) ? 0 : NLA_F_NESTED);
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
		{
			ABOUT(s);
		}
		EXPECT_NE(0, self->g.ack_msg[0]);
	}
}

TEST_F_TIMEOUT(requests, with_garbage_in_a_nest_are_refused, SLOW)
{
	char garbage[64];
	struct subject s;

	memset(garbage, 0xa5, sizeof(garbage));
	FOR_EACH_SUBJECT(s)
	{
		if (!is_nest(s.attr) || s.attr->nested < 0)
			continue;
		mnl_attr_put(start(&self->g, &s), s.type | NLA_F_NESTED, sizeof(garbage), garbage);
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
		{
			ABOUT(s);
		}
		EXPECT_NE(0, self->g.ack_msg[0]);
	}
}

TEST_F_TIMEOUT(requests, in_the_other_byte_order_are_EINVAL, SLOW)
{
	struct subject s;

	FOR_EACH_SUBJECT(s)
	{
		if (is_nest(s.attr))
			continue;
		put_good(start(&self->g, &s), &s, NLA_F_NET_BYTEORDER);
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
		{
			ABOUT(s);
		}
		EXPECT_NE(0, self->g.ack_msg[0]);
	}
}

static bool takes(const struct t_policy *p, int table, uint16_t type)
{
	return table >= 0 && type < T_POLICY_ATTRS &&
	       p->attrs[table][type].type != NL_ATTR_TYPE_INVALID;
}

/* Of every number that fits, and the largest. */
static void expect_unknown_refused(struct __test_metadata *_metadata, FIXTURE_DATA(requests) * self,
				   const struct t_policy_op *op, int table, uint16_t flags)
{
	uint16_t type;

	for (type = 0; type <= T_POLICY_ATTRS; type++) {
		uint16_t sent = type == T_POLICY_ATTRS ? (uint16_t)NLA_TYPE_MASK : type;

		if (takes(&self->p, table, sent))
			continue;
		mnl_attr_put_u32(t_genl_start(&self->g, op->cmd, flags), sent, 0);
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
		{
			TH_LOG("command %u, attribute %u", op->cmd, sent);
		}
		EXPECT_NE(0, self->g.ack_msg[0]);
	}
}

TEST_F_TIMEOUT(requests, with_attributes_that_they_do_not_have_are_EINVAL, SLOW)
{
	unsigned int i;

	for (i = 0; i < self->p.nr_ops; i++) {
		const struct t_policy_op *op = &self->p.ops[i];

		if (op->flags & GENL_CMD_CAP_DO)
			expect_unknown_refused(_metadata, self, op, op->doit, NLM_F_ACK);
		if (op->flags & GENL_CMD_CAP_DUMP)
			expect_unknown_refused(_metadata, self, op, op->dump, NLM_F_DUMP);
	}
}

/* 6.1 has no words here, for it gives the start of a dump nowhere to put them. */
TEST_F_TIMEOUT(requests, for_dumps_of_vrings_take_no_attributes, SLOW)
{
	static const uint8_t cmds[] = { VRINGLAB_CMD_VRING_GET, VRINGLAB_CMD_COUNTERS_GET,
					VRINGLAB_CMD_HIST_GET, VRINGLAB_CMD_PROBE_GET };
	size_t i;

	for (i = 0; i < sizeof(cmds); i++) {
		mnl_attr_put_u32(t_genl_start(&self->g, cmds[i], NLM_F_DUMP), VRINGLAB_A_VRING_ID,
				 1);
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL));
	}
}

TEST_F_TIMEOUT(requests, with_bytes_left_over_are_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;
	struct subject s;
	unsigned int len;

	FOR_EACH_SUBJECT(s)
	{
		for (len = 1; len < NLA_HDRLEN; len++) {
			nlh = start(&self->g, &s);
			put_good(nlh, &s, 0);
			memset((char *)nlh + nlh->nlmsg_len, 0, len);
			nlh->nlmsg_len += len;
			EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
			{
				ABOUT(s);
			}
			EXPECT_NE(0, self->g.ack_msg[0]);
		}
	}
}

TEST_F_TIMEOUT(requests, whose_attribute_is_longer_than_they_are_are_EINVAL, SLOW)
{
	static const uint16_t lengths[] = { 0, 1, NLA_HDRLEN - 1, 256, UINT16_MAX };
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	struct subject s;
	size_t i;

	FOR_EACH_SUBJECT(s)
	{
		for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			nlh = start(&self->g, &s);
			attr = mnl_nlmsg_get_payload_tail(nlh);
			put_good(nlh, &s, 0);
			attr->nla_len = lengths[i];
			EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
			{
				ABOUT(s);
			}
			EXPECT_NE(0, self->g.ack_msg[0]);
		}
	}
}

TEST_F_TIMEOUT(requests, with_a_reserved_field_that_is_not_zero_are_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;
	unsigned int i;

	for (i = 0; i < self->p.nr_ops; i++) {
		bool dump = !(self->p.ops[i].flags & GENL_CMD_CAP_DO);

		nlh = t_genl_start(&self->g, self->p.ops[i].cmd, dump ? NLM_F_DUMP : NLM_F_ACK);
		((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->reserved = 1;
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL))
		{
			TH_LOG("command %u", self->p.ops[i].cmd);
		}
		EXPECT_NE(0, self->g.ack_msg[0]);
	}
}

TEST_F_TIMEOUT(requests, for_what_is_no_command_are_EOPNOTSUPP, SLOW)
{
	unsigned int cmd;

	for (cmd = 0; cmd <= UINT8_MAX; cmd++) {
		const struct t_policy_op *op = t_policy_op(&self->p, cmd);

		if (!op || !(op->flags & GENL_CMD_CAP_DO)) {
			t_genl_start(&self->g, cmd, NLM_F_ACK);
			EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
		}
		if (!op || !(op->flags & GENL_CMD_CAP_DUMP)) {
			t_genl_start(&self->g, cmd, NLM_F_DUMP);
			EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
		}
	}
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
