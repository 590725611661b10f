// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

static int take_id(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	return vlnl_parse_threshold_id(nlh, data, err);
}

static bool put_add(struct nlmsghdr *nlh, const struct vlnl_threshold *t)
{
	const size_t size = VLNL_SEND_SIZE;

	return (!t->vring_id ||
		mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_THRESHOLD_VRING_ID, t->vring_id)) &&
	       mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_THRESHOLD_SPAN, t->span) &&
	       mnl_attr_put_u64_check(nlh, size, VRINGLAB_A_THRESHOLD_NS, t->ns) &&
	       mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_THRESHOLD_ACTIONS, t->actions) &&
	       (!t->once || mnl_attr_put_check(nlh, size, VRINGLAB_A_THRESHOLD_ONCE, 0, NULL));
}

int vlnl_threshold_add(struct vlnl *nl, struct vlnl_threshold *threshold, struct vl_err *err)
{
	struct nlmsghdr *nlh;
	uint32_t id = 0;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_THRESHOLD_ADD, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!put_add(nlh, threshold))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = vlnl_transact(nl, nlh, take_id, &id, err);
	if (!ret && !id)
		ret = vl_err_set(err, -EPROTO, "the module did not tell the id");
	if (ret) {
		vl_err_prefix(err, "cannot add a threshold of %s", vlnl_span_name(threshold->span));
		return ret;
	}
	threshold->id = id;
	return 0;
}

int vlnl_threshold_del(struct vlnl *nl, uint32_t id, struct vl_err *err)
{
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_THRESHOLD_DEL, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_THRESHOLD_ID, id))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = vlnl_transact(nl, nlh, NULL, NULL, err);
	if (ret)
		vl_err_prefix(err, "cannot delete threshold %u", id);
	return ret;
}
