// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rtnetlink: a socket, and one request after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

#include "internal.h"
#include "rtnl.h"

static int connect_kernel(struct rtnl *rtnl, struct vl_err *err)
{
	int on = 1;

	rtnl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl->sock || mnl_socket_bind(rtnl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return vl_err_set(err, -errno, "cannot open an rtnetlink socket: %s",
				  vl_strerror(errno));
	rtnl->portid = mnl_socket_get_portid(rtnl->sock);
	/* only messages are the worse without them */
	mnl_socket_setsockopt(rtnl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(rtnl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int rtnl_open(struct rtnl **rtnl, struct vl_err *err)
{
	struct rtnl *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for an rtnetlink socket");
	ret = connect_kernel(new, err);
	if (ret) {
		rtnl_close(new);
		return ret;
	}
	*rtnl = new;
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	if (rtnl->sock)
		mnl_socket_close(rtnl->sock);
	free(rtnl);
}

struct rtnl_request rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags,
				 const void *header, size_t size)
{
	struct rtnl_request request = {
		.nlh = mnl_nlmsg_put_header(rtnl->send_buf),
		.header = size,
	};

	request.nlh->nlmsg_type = type;
	request.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request.nlh->nlmsg_seq = ++rtnl->seq;
	memcpy(mnl_nlmsg_put_extra_header(request.nlh, size), header, size);
	return request;
}

void rtnl_put(struct rtnl_request *request, uint16_t type, const void *data, size_t size)
{
	if (!mnl_attr_put_check(request->nlh, RTNL_SEND_SIZE, type, size, data))
		request->full = true;
}

void rtnl_put_u32(struct rtnl_request *request, uint16_t type, uint32_t value)
{
	rtnl_put(request, type, &value, sizeof(value));
}

void rtnl_put_name(struct rtnl_request *request, uint16_t type, const char *name)
{
	rtnl_put(request, type, name, strlen(name) + 1);
}

struct nlattr *rtnl_nest(struct rtnl_request *request, uint16_t type)
{
	struct nlattr *nest = mnl_attr_nest_start_check(request->nlh, RTNL_SEND_SIZE, type);

	if (!nest)
		request->full = true;
	return nest;
}

void rtnl_nest_end(struct rtnl_request *request, struct nlattr *nest)
{
	if (nest)
		mnl_attr_nest_end(request->nlh, nest);
}

/* What a request has led to so far. */
struct transaction {
	const struct rtnl_request *request;
	rtnl_answer_fn answer;
	void *data;
	struct vl_err *err;
	int ret;
	bool done;
};

static void take_message(struct transaction *t, const struct nlmsghdr *nlh)
{
	int ret;

	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
		t->done = true;
		ret = vlnl_parse_ack_after(nlh, t->request->nlh, t->request->header, t->err);
	} else {
		ret = t->answer ? t->answer(nlh, t->data, t->err) : 0;
	}
	/* the first failure is the one to tell of */
	if (!t->ret)
		t->ret = ret;
}

static int receive(struct rtnl *rtnl, struct transaction *t)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)rtnl->recv_buf;
	ssize_t got;
	int left;

	do
		got = mnl_socket_recvfrom(rtnl->sock, rtnl->recv_buf, sizeof(rtnl->recv_buf));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return vl_err_set(t->err, -errno, "cannot receive from the kernel: %s",
				  vl_strerror(errno));
	for (left = got; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_pid == rtnl->portid && nlh->nlmsg_seq == t->request->nlh->nlmsg_seq)
			take_message(t, nlh);
	return 0;
}

int rtnl_transact(struct rtnl *rtnl, const struct rtnl_request *request, rtnl_answer_fn answer,
		  void *data, struct vl_err *err)
{
	struct transaction t = {
		.request = request,
		.answer = answer,
		.data = data,
		.err = err,
	};
	int ret;

	if (request->full)
		return vl_err_set(err, -EMSGSIZE, "the request is too long");
	if (mnl_socket_sendto(rtnl->sock, request->nlh, request->nlh->nlmsg_len) < 0)
		return vl_err_set(err, -errno, "cannot send to the kernel: %s", vl_strerror(errno));
	while (!t.done) {
		ret = receive(rtnl, &t);
		if (ret)
			return ret;
	}
	return t.ret;
}
