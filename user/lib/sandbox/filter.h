/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program of a filter.
 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <linux/filter.h>

struct sandbox_rule;
struct vl_err;

/* Sets @prog, whose filter is the caller's to free. Returns 0, -ENOMEM or -E2BIG. */
int filter_make(struct sock_fprog *prog, const struct sandbox_rule *rules, unsigned int nr,
		struct vl_err *err);

#endif /* SANDBOX_FILTER_H */
