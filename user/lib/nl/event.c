// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the module tells unasked.
 */
#include <errno.h>
#include <sys/socket.h>

#include <linux/genetlink.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

static int join(struct vlnl *nl, uint32_t group, struct vl_err *err)
{
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return vl_err_set(err, -errno, "cannot listen to netlink group %u: %s", group,
				  vl_strerror(errno));
	return 0;
}

int vlnl_listen(struct vlnl *nl, struct vl_err *err)
{
	int ret;

	if (!nl->vrings_group)
		return vl_err_set(err, -EOPNOTSUPP,
				  "the module tells nobody of its vrings: install a newer one");
	/* The controller's, first: it tells when the family goes. */
	ret = join(nl, GENL_ID_CTRL, err);
	if (!ret)
		ret = join(nl, nl->vrings_group, err);
	if (!ret && nl->threshold_group)
		ret = join(nl, nl->threshold_group, err);
	return ret;
}

static bool is_our_end(const struct vlnl *nl, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nlh->nlmsg_type != GENL_ID_CTRL || genl->cmd != CTRL_CMD_DELFAMILY)
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(*genl))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			return mnl_attr_get_u16(attr) == nl->family;
	return false;
}

/* Returns 1 for an event, 0 for what is none of ours. */
static int take_event(const struct vlnl *nl, const struct nlmsghdr *nlh, struct vlnl_event *event,
		      struct vl_err *err)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct vlnl_event e = { .type = VLNL_EVENT_GONE };
	int ret;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl))
		return vl_err_set(err, -EPROTO, "the kernel's message is cut short");
	if (is_our_end(nl, nlh)) {
		*event = e;
		return 1;
	}
	if (nlh->nlmsg_type != nl->family)
		return 0;
	switch (genl->cmd) {
	case VRINGLAB_CMD_VRING_ADD_NTF:
		e.type = VLNL_EVENT_ADDED;
		break;
	case VRINGLAB_CMD_VRING_DEL_NTF:
		e.type = VLNL_EVENT_DELETED;
		break;
	case VRINGLAB_CMD_THRESHOLD_NTF:
		e.type = VLNL_EVENT_HIT;
		break;
	default:
		return 0;
	}
	if (e.type == VLNL_EVENT_HIT)
		ret = vlnl_parse_hit(nlh, &e.hit, err);
	else
		ret = vlnl_parse_vring(nlh, &e.vring, err);
	if (ret)
		return ret;
	*event = e;
	return 1;
}

/* What is still there is from before the loss. */
static void drop_all(struct vlnl *nl)
{
	const int fd = mnl_socket_get_fd(nl->sock);

	while (recv(fd, nl->recv_buf, sizeof(nl->recv_buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

int vlnl_event_next(struct vlnl *nl, struct vlnl_event *event, struct vl_err *err)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->recv_buf;
	ssize_t got;
	int ret = 0;

	while (!ret) {
		got = mnl_socket_recvfrom(nl->sock, nl->recv_buf, sizeof(nl->recv_buf));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			drop_all(nl);
			*event = (struct vlnl_event){ .type = VLNL_EVENT_LOST };
			return 0;
		}
		if (got < 0)
			return vl_err_set(err, -errno, "cannot receive from the kernel: %s",
					  vl_strerror(errno));
		/* Each is a datagram of its own. */
		if (mnl_nlmsg_ok(nlh, got))
			ret = take_event(nl, nlh, event, err);
	}
	return ret < 0 ? ret : 0;
}
