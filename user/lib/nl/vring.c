// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

static int take_id(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	return vlnl_parse_vring_id(nlh, data, err);
}

static bool put_add(struct nlmsghdr *nlh, const struct vlnl_vring_add *req)
{
	const size_t size = VLNL_SEND_SIZE;

	return mnl_attr_put_strz_check(nlh, size, VRINGLAB_A_VRING_LABEL, req->label) &&
	       mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_VRING_BACKEND, req->backend) &&
	       mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_VRING_KICK_FD, req->kick_fd) &&
	       mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_VRING_CALL_FD, req->call_fd) &&
	       (!req->pid || mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_VRING_PID, req->pid)) &&
	       (!req->has_wake_user_data ||
		mnl_attr_put_u64_check(nlh, size, VRINGLAB_A_VRING_WAKE_USER_DATA,
				       req->wake_user_data)) &&
	       (!req->persist || mnl_attr_put_check(nlh, size, VRINGLAB_A_VRING_PERSIST, 0, NULL));
}

int vlnl_vring_add(struct vlnl *nl, const struct vlnl_vring_add *req, uint32_t *id,
		   struct vl_err *err)
{
	struct nlmsghdr *nlh;
	uint32_t new_id = 0;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_VRING_ADD, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!put_add(nlh, req))
		return vl_err_set(err, -EINVAL, "cannot register a vring: label too long");
	ret = vlnl_transact(nl, nlh, take_id, &new_id, err);
	if (!ret && !new_id)
		ret = vl_err_set(err, -EPROTO, "the module did not tell the id");
	if (ret) {
		vl_err_prefix(err, "cannot register vring '%s'", req->label);
		return ret;
	}
	*id = new_id;
	return 0;
}

int vlnl_vring_del(struct vlnl *nl, uint32_t id, struct vl_err *err)
{
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_VRING_DEL, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_VRING_ID, id))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = vlnl_transact(nl, nlh, NULL, NULL, err);
	if (ret)
		vl_err_prefix(err, "cannot delete vring %u", id);
	return ret;
}
