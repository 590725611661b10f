/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mappings of files that somebody else can truncate.
 *
 * A load or store beyond the end of a mapped file raises SIGBUS. Inside a guarded
 * range that costs its owner the contents, and no more: the range is replaced by
 * zeroes, the owner is told, and the access goes on. Any other SIGBUS goes where it
 * went before.
 */
#ifndef VHOST_USER_GUARD_H
#define VHOST_USER_GUARD_H

#include <signal.h>
#include <stddef.h>

struct guard;

/**
 * guard_add() - Guard a mapping
 * @guard:	Set on success only.
 * @start:	Of the mapping, page aligned.
 * @len:	Bytes; whole pages of the mapping's size.
 * @faulted:	Set to 1 when its file turns out to be shorter. Read it on the thread
 *		that uses the mapping; outlives the guard.
 *
 * The first one installs the handler, for the life of the process.
 *
 * Return: 0, %-ENOMEM, or from sigaction(2).
 */
int guard_add(struct guard **guard, void *start, size_t len, volatile sig_atomic_t *faulted);

/**
 * guard_remove() - Guard it no more
 * @guard:	Holder; NULL in it is allowed. Is NULL afterwards.
 *
 * To be called before the mapping is given up.
 */
void guard_remove(struct guard **guard);

#endif /* VHOST_USER_GUARD_H */
