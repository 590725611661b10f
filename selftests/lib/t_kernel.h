/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bzImage that is made up: a good header, and code instead of a kernel.
 */
#ifndef T_KERNEL_H
#define T_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Where its parts are, in the file and in the guest. */
#define T_KERNEL_SETUP_BYTES (5 * 512u)
#define T_KERNEL_CODE_BYTES 4096u
#define T_KERNEL_BYTES (T_KERNEL_SETUP_BYTES + T_KERNEL_CODE_BYTES)
#define T_KERNEL_GPA (16ull << 20)
#define T_KERNEL_INIT_BYTES (8ull << 20)
#define T_KERNEL_CMDLINE_BYTES 255u

/* Writes T_KERNEL_BYTES; it starts at the first of @nr bytes of @code. */
void t_kernel_make(uint8_t *image, const void *code, size_t nr);

#endif /* T_KERNEL_H */
