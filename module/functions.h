/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions whose entry is hooked, by ftrace.
 *
 * All under one lock, that of hooks.c.
 */
#ifndef _VRINGLAB_FUNCTIONS_H
#define _VRINGLAB_FUNCTIONS_H

#include <linux/ftrace.h>
#include <linux/types.h>

/* As many as there can be at once. */
#define VL_FUNCTIONS_MAX 64

/**
 * struct vl_function - A function whose entry is hooked
 * @addr:	Where ftrace calls from it, 0 while it is absent.
 * @func:	What is called.
 * @ret:	Of the last attempt to hook it: 0 or a negative errno.
 */
struct vl_function {
	unsigned long addr;
	ftrace_func_t func;
	int ret;
};

void vl_functions_init(unsigned long write);
void vl_functions_add(struct vl_function **functions, unsigned int nr);
void vl_functions_del(struct vl_function **functions, unsigned int nr);
void vl_functions_exit(void);

#endif /* _VRINGLAB_FUNCTIONS_H */
