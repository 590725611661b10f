// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offsets of members, as user space tells them: see layout.h.
 *
 * They hold for one build of the module that has the structure. When one comes or
 * goes, its offsets are forgotten, and the generation tells those who looked before
 * that what they saw may be of another build.
 */
#include "layout.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/sizes.h>
#include <linux/string.h>

/* The largest structure of which we know a member has 19 KiB. */
#define END SZ_32K

static const struct {
	const char *name;
	const char *module;
	u32 size;
} members[VL_LAYOUTS] = {
#define MEMBER(member_, module_, name_, size_) \
	[VL_LAYOUT_##member_] = { .name = name_, .module = module_, .size = size_ },
	VL_LAYOUT(MEMBER)
#undef MEMBER
};

unsigned int vl_layout_offsets[VL_LAYOUTS];

/* Protects what is below, and the writing of the above. */
static DEFINE_MUTEX(layout_lock);
static u32 generation;

u32 vl_layout_generation(void)
{
	return READ_ONCE(generation);
}

bool vl_layout_info(unsigned int i, struct vl_layout_info *info)
{
	if (i >= VL_LAYOUTS)
		return false;

	info->name = members[i].name;
	info->module = members[i].module;
	info->size = members[i].size;
	info->offset = vl_layout(i);
	return true;
}

static int find(const char *name)
{
	unsigned int i;

	for (i = 0; i < VL_LAYOUTS; i++)
		if (!strcmp(members[i].name, name))
			return i;

	return -ENOENT;
}

static int check(const struct vl_layout_req *req, unsigned int i, struct netlink_ext_ack *extack)
{
	u32 size = members[i].size;

	if (size && req->size != size) {
		NL_SET_ERR_MSG_ATTR(extack, req->size_attr,
				    "the member has another size than layout-get tells");
		return -EINVAL;
	}
	if (req->size > END || req->offset > END - req->size) {
		NL_SET_ERR_MSG_ATTR(extack, req->offset_attr,
				    "a member ends within 32768 bytes of its structure's begin");
		return -ERANGE;
	}
	if (req->offset & ((size ?: sizeof(void *)) - 1)) {
		NL_SET_ERR_MSG_ATTR(extack, req->offset_attr, "the member is not aligned");
		return -EINVAL;
	}

	return 0;
}

/* Who has read through an offset goes on to; it stays what it is. */
static int set_locked(const struct vl_layout_req *req, unsigned int i,
		      struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&layout_lock);

	if (req->generation != generation) {
		NL_SET_ERR_MSG_ATTR(extack, req->generation_attr,
				    "a module came or went since: look again");
		return -ESTALE;
	}
	if (vl_layout(i) >= 0 && vl_layout(i) != req->offset) {
		NL_SET_ERR_MSG_ATTR(
			extack, req->offset_attr,
			"another offset was told before: to correct it, reload vringlab");
		return -EEXIST;
	}

	WRITE_ONCE(vl_layout_offsets[i], req->offset + 1);
	return 0;
}

int vl_layout_set(const struct vl_layout_req *req, struct netlink_ext_ack *extack)
{
	int i, ret;

	i = find(req->name);
	if (i < 0) {
		NL_SET_ERR_MSG_ATTR(extack, req->name_attr,
				    "layout-get has no member of this name");
		return i;
	}

	ret = check(req, i, extack);
	if (ret)
		return ret;

	mutex_lock(&layout_lock);
	ret = set_locked(req, i, extack);
	mutex_unlock(&layout_lock);

	return ret;
}

/* A module of this name comes, or has gone and none of its code runs. */
void vl_layout_forget(const char *module)
{
	bool has = false;
	unsigned int i;

	mutex_lock(&layout_lock);
	for (i = 0; i < VL_LAYOUTS; i++) {
		if (!members[i].module || strcmp(members[i].module, module))
			continue;
		WRITE_ONCE(vl_layout_offsets[i], 0);
		has = true;
	}
	if (has)
		WRITE_ONCE(generation, generation + 1);
	mutex_unlock(&layout_lock);
}
