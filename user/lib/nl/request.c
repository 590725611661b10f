// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include <linux/genetlink.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

struct nlmsghdr *vlnl_request(struct vlnl *nl, uint16_t family, uint8_t cmd, uint8_t version,
			      uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->send_buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

/* What a request has led to so far. */
struct transaction {
	const struct nlmsghdr *request;
	vlnl_answer_fn answer;
	void *data;
	struct vl_err *err;
	int ret; /* of the first answer that was refused */
	bool interrupted;
	bool done;
};

static void take_message(struct transaction *t, const struct nlmsghdr *nlh)
{
	int ret;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		t->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		return;
	case NLMSG_ERROR:
	case NLMSG_DONE:
		t->done = true;
		if (t->ret)
			return;
		t->ret = vlnl_parse_ack(nlh, t->request, t->err);
		return;
	}
	if (t->ret || !t->answer)
		return;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		ret = vl_err_set(t->err, -EPROTO, "the kernel's answer is cut short");
	else
		ret = t->answer(nlh, t->data, t->err);
	if (ret < 0)
		t->ret = ret;
}

static int receive(struct vlnl *nl, struct transaction *t)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->recv_buf;
	ssize_t got;
	int left;

	do
		got = mnl_socket_recvfrom(nl->sock, nl->recv_buf, sizeof(nl->recv_buf));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return vl_err_set(t->err, -errno, "cannot receive from the kernel: %s",
				  vl_strerror(errno));

	for (left = got; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		/* What an earlier request that failed in the middle left behind. */
		if (nlh->nlmsg_pid != nl->portid || nlh->nlmsg_seq != t->request->nlmsg_seq)
			continue;
		take_message(t, nlh);
	}
	return 0;
}

int vlnl_transact(struct vlnl *nl, struct nlmsghdr *request, vlnl_answer_fn answer, void *data,
		  struct vl_err *err)
{
	struct transaction t = {
		.request = request,
		.answer = answer,
		.data = data,
		.err = err,
	};

	if (mnl_socket_sendto(nl->sock, request, request->nlmsg_len) < 0)
		return vl_err_set(err, -errno, "cannot send to the kernel: %s", vl_strerror(errno));
	while (!t.done) {
		int ret = receive(nl, &t);

		if (ret)
			return ret;
	}
	/* The kernel's word for a dump of a module that is going; gone, it is ENOENT. */
	if (t.ret == -EPROTONOSUPPORT && request->nlmsg_type == nl->family)
		return vl_err_set(err, -ENOENT, "the module vringlab is being unloaded");
	if (!t.ret && t.interrupted)
		return vl_err_set(err, -EINTR, "the list changed while it was read");
	return t.ret;
}
