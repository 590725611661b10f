/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --trace: virtqueues that are registered with the module.
 */
#ifndef VRINGLAB_TRACE_H
#define VRINGLAB_TRACE_H

struct vl_err;
struct vlnl;

/**
 * trace_open() - Open the module for vrings to be registered
 * @nl:		Set on success only.
 * @err:	What is missing, and the cure; may be NULL.
 *
 * Return: 0, or
 * * %-EPERM - CAP_NET_ADMIN is missing
 * * other - from vlnl_open()
 */
int trace_open(struct vlnl **nl, struct vl_err *err);

#endif /* VRINGLAB_TRACE_H */
