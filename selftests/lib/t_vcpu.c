// SPDX-License-Identifier: GPL-2.0-only
/* vcpu-get, see t_vcpu.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "t_vcpu.h"

static int take_reason(const struct nlattr *nest, struct t_vcpu *c)
{
	uint32_t code = UINT32_MAX;
	const struct nlattr *attr;
	uint64_t count = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == VRINGLAB_A_EXIT_REASON_CODE)
			code = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == VRINGLAB_A_EXIT_REASON_COUNT)
			count = mnl_attr_get_u64(attr);
	}
	/* In rising order, each once, none without an exit. */
	if (code >= sizeof(c->reason) / sizeof(c->reason[0]) || !count || c->reason[code])
		return MNL_CB_ERROR;
	c->reason[code] = count;
	c->nr_reasons++;
	return MNL_CB_OK;
}

static int take_attr(const struct nlattr *attr, void *data)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct t_vcpu *c = data;

	if (type > VRINGLAB_A_VCPU_MAX)
		return MNL_CB_ERROR;
	c->has |= 1u << type;
	if (type == VRINGLAB_A_VCPU_EXIT_REASON)
		return take_reason(attr, c);
	if (mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
		c->v[type] = mnl_attr_get_u64(attr);
	else if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		c->v[type] = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int take_vcpu(const struct nlmsghdr *nlh, void *data)
{
	memset(data, 0, sizeof(struct t_vcpu));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_attr, data);
}

int t_vcpu_get(struct t_genl *g, uint32_t id, struct t_vcpu *c)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_VCPU_ID, id);
	return t_genl_call(g, take_vcpu, c);
}

struct taken {
	unsigned int nr;
	unsigned int max;
	struct t_vcpu *to;
};

static int take_dumped(const struct nlmsghdr *nlh, void *data)
{
	struct taken *t = data;

	return t->nr++ < t->max ? take_vcpu(nlh, t->to + t->nr - 1) : MNL_CB_OK;
}

int t_vcpu_dump(struct t_genl *g, struct t_vcpu *c, unsigned int max)
{
	struct taken t = { .max = max, .to = c };
	int ret;

	t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_DUMP);
	ret = t_genl_call(g, take_dumped, &t);
	return ret ? ret : (int)t.nr;
}

struct wanted {
	uint32_t tid;
	uint32_t vcpu_id;
	int id;
	struct t_vcpu *to;
};

static int take_wanted(const struct nlmsghdr *nlh, void *data)
{
	struct wanted *w = data;
	struct t_vcpu c;

	if (take_vcpu(nlh, &c) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	if (T_VCPU(&c, TID) != w->tid || T_VCPU(&c, VCPU_ID) != w->vcpu_id)
		return MNL_CB_OK;
	*w->to = c;
	w->id = T_VCPU(&c, ID);
	return MNL_CB_OK;
}

int t_vcpu_find(struct t_genl *g, uint32_t tid, uint32_t vcpu_id, struct t_vcpu *c)
{
	struct wanted w = { .tid = tid, .vcpu_id = vcpu_id, .to = c };
	int ret;

	t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_DUMP);
	ret = t_genl_call(g, take_wanted, &w);
	return ret ? ret : w.id;
}

static char why[256];

static const char *broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return why;
}

const char *t_vcpu_broken(const struct t_vcpu *c)
{
	uint64_t exits = T_VCPU(c, EXITS_OTHER) + T_VCPU(c, EXITS_UNKNOWN);
	unsigned int code;

	for (code = 0; code < sizeof(c->reason) / sizeof(c->reason[0]); code++)
		exits += c->reason[code];
	if (exits != T_VCPU(c, EXITS))
		return broken("exits by reason are %" PRIu64 " of %" PRIu64, exits,
			      T_VCPU(c, EXITS));
	if (T_VCPU(c, ENTRIES) != T_VCPU(c, EXITS) && T_VCPU(c, ENTRIES) != T_VCPU(c, EXITS) + 1)
		return broken("%" PRIu64 " entries, %" PRIu64 " exits", T_VCPU(c, ENTRIES),
			      T_VCPU(c, EXITS));
	if (T_VCPU(c, HALTS_BLOCKED) > T_VCPU(c, HALTS) ||
	    T_VCPU(c, HALTS_SPURIOUS) > T_VCPU(c, HALTS))
		return broken("%" PRIu64 " halts, %" PRIu64 " blocked, %" PRIu64 " spurious",
			      T_VCPU(c, HALTS), T_VCPU(c, HALTS_BLOCKED),
			      T_VCPU(c, HALTS_SPURIOUS));
	if (T_VCPU(c, HALT_POLLS_FAIL) > T_VCPU(c, HALTS_BLOCKED))
		return broken("%" PRIu64 " polls failed, %" PRIu64 " halts blocked",
			      T_VCPU(c, HALT_POLLS_FAIL), T_VCPU(c, HALTS_BLOCKED));
	/* A halt's time has no other parts, but the end of one that did not block. */
	if (T_VCPU(c, HALT_NS) < T_VCPU(c, HALT_POLL_SUCCESS_NS) + T_VCPU(c, HALT_POLL_FAIL_NS) +
					 T_VCPU(c, HALT_WAIT_NS))
		return broken("%" PRIu64 " ns in halts are less than their parts",
			      T_VCPU(c, HALT_NS));
	return "";
}

void t_vcpu_print(const struct t_vcpu *c)
{
	static const char *const names[] = {
		[VRINGLAB_A_VCPU_ID] = "id",
		[VRINGLAB_A_VCPU_VM] = "vm",
		[VRINGLAB_A_VCPU_VCPU_ID] = "vcpu-id",
		[VRINGLAB_A_VCPU_PID] = "pid",
		[VRINGLAB_A_VCPU_TID] = "tid",
		[VRINGLAB_A_VCPU_ISA] = "isa",
		[VRINGLAB_A_VCPU_ENTRIES] = "entries",
		[VRINGLAB_A_VCPU_EXITS] = "exits",
		[VRINGLAB_A_VCPU_EXITS_OTHER] = "exits-other",
		[VRINGLAB_A_VCPU_EXITS_UNKNOWN] = "exits-unknown",
		[VRINGLAB_A_VCPU_HALTS] = "halts",
		[VRINGLAB_A_VCPU_HALTS_BLOCKED] = "halts-blocked",
		[VRINGLAB_A_VCPU_HALTS_SPURIOUS] = "halts-spurious",
		[VRINGLAB_A_VCPU_HALT_NS] = "halt-ns",
		[VRINGLAB_A_VCPU_HALT_POLLS_SUCCESS] = "halt-polls-success",
		[VRINGLAB_A_VCPU_HALT_POLLS_FAIL] = "halt-polls-fail",
		[VRINGLAB_A_VCPU_HALT_POLL_SUCCESS_NS] = "halt-poll-success-ns",
		[VRINGLAB_A_VCPU_HALT_POLL_FAIL_NS] = "halt-poll-fail-ns",
		[VRINGLAB_A_VCPU_HALT_WAIT_NS] = "halt-wait-ns",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && c->v[i])
			printf("# %s %" PRIu64 "\n", names[i], c->v[i]);
	for (i = 0; i < sizeof(c->reason) / sizeof(c->reason[0]); i++)
		if (c->reason[i])
			printf("# exit %#x: %" PRIu64 "\n", i, c->reason[i]);
}
