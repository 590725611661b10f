// SPDX-License-Identifier: GPL-2.0-only
/* Generic netlink, see t_genl.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "t_genl.h"

/* Below the kernel's half of the address space, with 4 or 5 levels of page tables. */
#define KERNEL_HALF 0xff00000000000000ull

struct take_family {
	uint16_t id;
};

static int take_family_attr(const struct nlattr *attr, void *data)
{
	struct take_family *f = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		f->id = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_family_attr, data);
}

static int open_socket(struct t_genl *g)
{
	struct timeval deadline = { .tv_sec = 20 };
	int one = 1;

	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!g->nl)
		return -errno;
	if (mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    setsockopt(mnl_socket_get_fd(g->nl), SOL_SOCKET, SO_RCVTIMEO, &deadline,
		       sizeof(deadline)))
		return -errno;
	return 0;
}

int t_genl_open(struct t_genl *g, const char *family)
{
	return t_genl_open_parts(g, family, T_GENL_BUF);
}

int t_genl_open_parts(struct t_genl *g, const char *family, unsigned int part)
{
	struct take_family f = { 0 };
	struct nlmsghdr *nlh;
	int ret;

	memset(g, 0, sizeof(*g));
	g->part = part;
	ret = open_socket(g);
	if (!ret) {
		g->family = GENL_ID_CTRL;
		nlh = t_genl_start(g, CTRL_CMD_GETFAMILY, NLM_F_ACK);
		mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, family);
		ret = t_genl_call(g, take_family, &f);
	}
	if (ret) {
		t_genl_close(g);
		return ret;
	}
	g->family = f.id;
	return 0;
}

struct take_group {
	const char *name;
	uint32_t id;
};

static void take_group(const struct nlattr *nest, struct take_group *t)
{
	const struct nlattr *attr;
	const char *name = "";
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(attr);
	}
	if (!strcmp(name, t->name))
		t->id = id;
}

static int take_groups(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *nest;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			mnl_attr_for_each_nested(nest, attr)
				take_group(nest, data);
	return MNL_CB_OK;
}

int t_genl_group(struct t_genl *g, const char *family, const char *name, uint32_t *group)
{
	struct take_group t = { .name = name };
	uint16_t own = g->family;
	struct nlmsghdr *nlh;
	int ret;

	g->family = GENL_ID_CTRL;
	nlh = t_genl_start(g, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, family);
	ret = t_genl_call(g, take_groups, &t);
	g->family = own;
	*group = t.id;
	return ret ? ret : t.id ? 0 : -ENOENT;
}

int t_genl_join(struct t_genl *g, const char *family, const char *name)
{
	uint32_t group;
	int ret = t_genl_group(g, family, name, &group);

	if (!ret && mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		ret = -errno;
	return ret;
}

void t_genl_close(struct t_genl *g)
{
	if (g->nl)
		mnl_socket_close(g->nl);
	g->nl = NULL;
}

struct nlmsghdr *t_genl_start(struct t_genl *g, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(g->request);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = g->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++g->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = 1;
	return nlh;
}

/* The attribute of our own request that starts at @offset of the message. */
static uint16_t attr_at(struct t_genl *g, uint32_t offset)
{
	const struct nlmsghdr *nlh = (const void *)g->request;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if ((const char *)attr - g->request == offset)
			return mnl_attr_get_type(attr);
	return UINT16_MAX;
}

static void take_ack(struct t_genl *g, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*e);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	mnl_attr_for_each(attr, nlh, skip) {
		switch (mnl_attr_get_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			strncpy(g->ack_msg, mnl_attr_get_str(attr), sizeof(g->ack_msg) - 1);
			break;
		case NLMSGERR_ATTR_OFFS:
			g->ack_attr = attr_at(g, mnl_attr_get_u32(attr));
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			g->ack_miss = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static void look_into(struct t_genl *g, const char *from, const char *to)
{
	uint64_t v;

	for (; from + sizeof(v) <= to; from += 4) {
		memcpy(&v, from, sizeof(v));
		if (v >= KERNEL_HALF && v < -4096ull)
			g->leak = v;
	}
}

/*
 * Payloads are aligned to 4 bytes, and no field of the family is ever this large:
 * an address is what is left. A header and half the time after it can look like one,
 * so attributes with others in them are not looked at as a whole.
 */
static void look_for_address(struct t_genl *g, const void *attrs, size_t bytes)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload(attrs, bytes) {
		const char *payload = mnl_attr_get_payload(attr);
		uint16_t len = mnl_attr_get_payload_len(attr);

		if (attr->nla_type & NLA_F_NESTED)
			look_for_address(g, payload, len);
		else
			look_into(g, payload, payload + len);
	}
}

/* All that comes after the generic netlink header. */
static void look_at_message(struct t_genl *g, const struct nlmsghdr *nlh)
{
	const size_t header = sizeof(struct genlmsghdr);

	if (mnl_nlmsg_get_payload_len(nlh) > header)
		look_for_address(g, mnl_nlmsg_get_payload_offset(nlh, header),
				 mnl_nlmsg_get_payload_len(nlh) - header);
}

/* Returns 1 to go on reading, else what t_genl_call() returns. */
static int take_message(struct t_genl *g, const struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	int ret;

	if (nlh->nlmsg_seq != g->seq)
		return -EPROTO;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		g->dump_intr = 1;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		take_ack(g, nlh);
		return e->error;
	case NLMSG_DONE:
		ret = *(const int *)mnl_nlmsg_get_payload(nlh);
		return ret < 0 ? ret : 0;
	default:
		/* Past the header, whose all-ones lengths cannot happen. */
		look_at_message(g, nlh);
		if (cb && cb(nlh, data) == MNL_CB_ERROR)
			return -EBADMSG;
		return 1;
	}
}

int t_genl_call(struct t_genl *g, mnl_cb_t cb, void *data)
{
	const struct nlmsghdr *req = (const void *)g->request;
	const struct nlmsghdr *nlh;
	int len, ret;

	g->ack_msg[0] = 0;
	g->ack_attr = 0;
	g->ack_miss = 0;
	g->dump_intr = 0;
	if (mnl_socket_sendto(g->nl, req, req->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		len = mnl_socket_recvfrom(g->nl, g->answer, g->part);
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (nlh = (const void *)g->answer; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			ret = take_message(g, nlh, cb, data);
			if (ret <= 0)
				return ret;
		}
	}
}

int t_genl_next(struct t_genl *g, mnl_cb_t cb, void *data)
{
	int len = mnl_socket_recvfrom(g->nl, g->answer, sizeof(g->answer));
	const struct nlmsghdr *nlh;

	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	for (nlh = (const void *)g->answer; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		look_at_message(g, nlh);
		if (nlh->nlmsg_seq || nlh->nlmsg_pid || cb(nlh, data) == MNL_CB_ERROR)
			return -EBADMSG;
	}
	return 0;
}
