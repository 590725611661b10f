// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether the module looks for virtqueues that nobody registers.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

static int take_discover(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	return vlnl_parse_discover(nlh, data, err);
}

int vlnl_discover_get(struct vlnl *nl, struct vlnl_discover *discover, struct vl_err *err)
{
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_DISCOVER_GET, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	ret = vlnl_transact(nl, nlh, take_discover, discover, err);
	if (ret)
		vl_err_prefix(err, "cannot ask whether vrings are looked for");
	return ret;
}

static int set(struct vlnl *nl, bool on, bool persist, struct vl_err *err)
{
	struct nlmsghdr *nlh;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_DISCOVER_SET, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_DISCOVER_ENABLED, on) ||
	    (persist &&
	     !mnl_attr_put_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_DISCOVER_PERSIST, 0, NULL)))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	return vlnl_transact(nl, nlh, NULL, NULL, err);
}

/* The module measures on the first eventfd it sees written what all have in common. */
static void show_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return;
	eventfd_write(fd, 1);
	close(fd);
}

int vlnl_discover_on(struct vlnl *nl, bool persist, struct vl_err *err)
{
	int ret = set(nl, true, persist, err);

	if (ret) {
		vl_err_prefix(err, "cannot look for vrings");
		return ret;
	}
	show_eventfd();
	/* What it does not know it does not find; that is no failure of the others. */
	vlnl_layout_tell(nl, NULL);
	return 0;
}

int vlnl_discover_off(struct vlnl *nl, struct vl_err *err)
{
	int ret = set(nl, false, false, err);

	if (ret)
		vl_err_prefix(err, "cannot stop looking for vrings");
	return ret;
}
