// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "t.h"
#include "t_threshold.h"

#define BIT(n) (1u << (n))

static int take_threshold_attr(const struct nlattr *attr, void *data)
{
	struct t_threshold *t = data;

	t->has |= BIT(mnl_attr_get_type(attr));
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_THRESHOLD_ID:
		t->id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_THRESHOLD_VRING_ID:
		t->vring_id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_THRESHOLD_SPAN:
		t->span = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_THRESHOLD_NS:
		t->ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_THRESHOLD_ACTIONS:
		t->actions = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_THRESHOLD_HITS:
		t->hits = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_THRESHOLD_LOST:
		t->lost = mnl_attr_get_u64(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take_threshold(const struct nlmsghdr *nlh, void *data)
{
	memset(data, 0, sizeof(struct t_threshold));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_threshold_attr, data);
}

static int take_id(const struct nlmsghdr *nlh, void *data)
{
	struct t_threshold t;
	int ret = take_threshold(nlh, &t);

	*(uint32_t *)data = t.id;
	return ret;
}

int t_threshold_add(struct t_genl *g, struct t_threshold *t)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_THRESHOLD_ADD, NLM_F_ACK);

	if (t->has & BIT(VRINGLAB_A_THRESHOLD_VRING_ID))
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_VRING_ID, t->vring_id);
	if (t->has & BIT(VRINGLAB_A_THRESHOLD_SPAN))
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_SPAN, t->span);
	if (t->has & BIT(VRINGLAB_A_THRESHOLD_NS))
		mnl_attr_put_u64(nlh, VRINGLAB_A_THRESHOLD_NS, t->ns);
	if (t->has & BIT(VRINGLAB_A_THRESHOLD_ACTIONS))
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_ACTIONS, t->actions);
	if (t->has & BIT(VRINGLAB_A_THRESHOLD_ONCE))
		mnl_attr_put(nlh, VRINGLAB_A_THRESHOLD_ONCE, 0, NULL);
	t->id = 0;
	return t_genl_call(g, take_id, &t->id);
}

static struct nlmsghdr *start_with_id(struct t_genl *g, uint8_t cmd, uint32_t id)
{
	struct nlmsghdr *nlh = t_genl_start(g, cmd, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_ID, id);
	return nlh;
}

int t_threshold_del(struct t_genl *g, uint32_t id)
{
	start_with_id(g, VRINGLAB_CMD_THRESHOLD_DEL, id);
	return t_genl_call(g, NULL, NULL);
}

int t_threshold_get(struct t_genl *g, uint32_t id, struct t_threshold *t)
{
	start_with_id(g, VRINGLAB_CMD_THRESHOLD_GET, id);
	return t_genl_call(g, take_threshold, t);
}

struct taken {
	unsigned int nr;
	unsigned int max;
	struct t_threshold *to;
};

static int take_dumped(const struct nlmsghdr *nlh, void *data)
{
	struct taken *taken = data;

	if (taken->nr++ < taken->max)
		return take_threshold(nlh, taken->to + taken->nr - 1);
	return MNL_CB_OK;
}

int t_threshold_dump(struct t_genl *g, struct t_threshold *t, unsigned int max)
{
	struct taken taken = { .max = max, .to = t };
	int ret;

	t_genl_start(g, VRINGLAB_CMD_THRESHOLD_GET, NLM_F_DUMP);
	ret = t_genl_call(g, take_dumped, &taken);
	return ret ? ret : (int)taken.nr;
}

int t_threshold_listen(struct t_genl *g)
{
	uint32_t group;
	int ret = t_genl_group(g, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_THRESHOLD, &group);

	if (ret)
		return ret;
	return mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
		       -errno :
		       0;
}

static int take_hit_attr(const struct nlattr *attr, void *data)
{
	struct t_hit *hit = data;

	hit->has |= BIT(mnl_attr_get_type(attr));
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_HIT_THRESHOLD_ID:
		hit->threshold_id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_HIT_VRING_ID:
		hit->vring_id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_HIT_SPAN:
		hit->span = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_HIT_NS:
		hit->ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_HIT_STAMP_NS:
		hit->stamp_ns = mnl_attr_get_u64(attr);
		break;
	}
	return MNL_CB_OK;
}

int t_threshold_hear(struct t_genl *g, struct t_hit *hit, int timeout_ms)
{
	const struct nlmsghdr *nlh = (const void *)g->answer;
	const struct genlmsghdr *genl;
	ssize_t len;
	int ret;

	memset(hit, 0, sizeof(*hit));
	ret = t_poll_until(mnl_socket_get_fd(g->nl), timeout_ms);
	if (ret)
		return ret;
	/* One message at a time: that is how they are sent. */
	len = mnl_socket_recvfrom(g->nl, g->answer, sizeof(g->answer));
	if (len < 0)
		return -errno;
	genl = mnl_nlmsg_get_payload(nlh);
	if (!mnl_nlmsg_ok(nlh, len) || nlh->nlmsg_type != g->family ||
	    genl->cmd != VRINGLAB_CMD_THRESHOLD_NTF)
		return -EBADMSG;
	return mnl_attr_parse(nlh, sizeof(*genl), take_hit_attr, hit) == MNL_CB_OK ? 0 : -EBADMSG;
}
