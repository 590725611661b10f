/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libmnl has for attributes, inline: of a thousand virtqueues there are a
 * hundred thousand attributes, and its functions are in a shared library.
 */
#ifndef VRINGLAB_LIB_NL_ATTR_H
#define VRINGLAB_LIB_NL_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

/* Where the attributes of a message or of a nest end. */
static inline const char *attr_end_of_message(const struct nlmsghdr *nlh)
{
	return (const char *)nlh + nlh->nlmsg_len;
}

static inline const char *attr_end(const struct nlattr *attr)
{
	return (const char *)attr + attr->nla_len;
}

/* Whether a whole attribute begins at @attr. */
static inline bool attr_ok(const struct nlattr *attr, const char *end)
{
	ptrdiff_t left = end - (const char *)attr;

	return left >= (ptrdiff_t)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       attr->nla_len <= left;
}

static inline const struct nlattr *attr_next(const struct nlattr *attr)
{
	return (const struct nlattr *)((const char *)attr + MNL_ALIGN(attr->nla_len));
}

static inline unsigned int attr_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

static inline const struct nlattr *attr_first_in(const struct nlattr *nest)
{
	return nest + 1;
}

static inline const struct nlattr *attr_first(const struct nlmsghdr *nlh, size_t header)
{
	return (const struct nlattr *)((const char *)(nlh + 1) + MNL_ALIGN(header));
}

/* Copies a number; false if the attribute is none or of another size. */
static inline bool attr_get(const struct nlattr *attr, void *value, size_t size)
{
	if (!attr || attr->nla_len != sizeof(*attr) + size)
		return false;
	memcpy(value, attr + 1, size);
	return true;
}

#define attr_for_each(attr, nlh, header)                                              \
	for (attr = attr_first(nlh, header); attr_ok(attr, attr_end_of_message(nlh)); \
	     attr = attr_next(attr))

#define attr_for_each_nested(attr, nest) \
	for (attr = attr_first_in(nest); attr_ok(attr, attr_end(nest)); attr = attr_next(attr))

#endif /* VRINGLAB_LIB_NL_ATTR_H */
