/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A terminal whose keys all go to the guest, until this process ends in whatever way.
 */
#ifndef VRINGLAB_CMD_VMM_TERMINAL_H
#define VRINGLAB_CMD_VMM_TERMINAL_H

#include <stdbool.h>

struct vl_err;

/* Is @fd a terminal, and are we the ones who may read from it now? */
bool terminal_is_ours(int fd);

/* Raw mode; once in a process. Returns 0, or a negative errno of tcsetattr(3). */
int terminal_set_raw(int fd, struct vl_err *err);

/* As it was before; nothing where it is not raw. */
void terminal_restore(void);

#endif /* VRINGLAB_CMD_VMM_TERMINAL_H */
