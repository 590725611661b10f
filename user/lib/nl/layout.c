// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Answers the module's question where members are: see layout-get and layout-set.
 */
#include <errno.h>
#include <stdlib.h>

#include <vringlab/btf.h>
#include <vringlab/err.h>

#include "internal.h"

/* A module that comes or goes meanwhile makes us begin anew. */
#define TRIES 8

static int set_member(struct vlnl *nl, const struct vlnl_layout *asked,
		      const struct vl_btf_member *found, struct vl_err *err)
{
	const size_t size = VLNL_SEND_SIZE;
	struct nlmsghdr *nlh;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_LAYOUT_SET, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_LAYOUT_GENERATION, asked->generation) ||
	    !mnl_attr_put_strz_check(nlh, size, VRINGLAB_A_LAYOUT_NAME, asked->name) ||
	    !mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_LAYOUT_SIZE, found->size) ||
	    !mnl_attr_put_u32_check(nlh, size, VRINGLAB_A_LAYOUT_OFFSET, found->offset))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	return vlnl_transact(nl, nlh, NULL, NULL, err);
}

/* What this kernel lacks, or a module that is not loaded, is no failure. */
static int tell_member(struct vlnl *nl, struct vl_btf *btf, const struct vlnl_layout *asked,
		       struct vl_err *err)
{
	struct vl_btf_member found;
	int ret;

	ret = vl_btf_find(btf, asked->module, asked->name, &found, err);
	if (ret == -ENOENT || ret == -ENODEV)
		return 0;
	if (!ret)
		ret = set_member(nl, asked, &found, err);
	if (ret)
		vl_err_prefix(err, "cannot tell the module where %s is", asked->name);
	return ret ? ret : 1;
}

static int tell_all(struct vlnl *nl, struct vl_btf *btf, struct vl_err *err)
{
	struct vlnl_layout *asked;
	int nr, told = 0, ret = 0;

	nr = vlnl_layout_dump(nl, &asked, err);
	if (nr < 0)
		return nr;
	for (int i = 0; ret >= 0 && i < nr; i++) {
		ret = tell_member(nl, btf, &asked[i], err);
		told += ret;
	}
	free(asked);
	return ret < 0 ? ret : told;
}

int vlnl_layout_tell(struct vlnl *nl, struct vl_err *err)
{
	int ret = -ESTALE;

	/* Read anew each time: what was read may be of the module that has gone. */
	for (int i = 0; ret == -ESTALE && i < TRIES; i++) {
		struct vl_btf *btf;

		ret = vl_btf_open(&btf, VL_BTF_DIR, err);
		if (ret)
			return ret;
		ret = tell_all(nl, btf, err);
		vl_btf_close(btf);
	}
	return ret;
}
