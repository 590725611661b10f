/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel modules in and out, and what one leaves behind.
 */
#ifndef VRINGLAB_SELFTESTS_T_KMOD_H
#define VRINGLAB_SELFTESTS_T_KMOD_H

#include <stdbool.h>

/**
 * t_kmod_path() - Where vringlab.ko is
 *
 * Return: $VRINGLAB_KO, or NULL.
 */
const char *t_kmod_path(void);

/** t_kmod_loaded() - Is a module of this name in the kernel? */
bool t_kmod_loaded(const char *name);

/** t_kmod_insmod() - Load a file; 0 or a negative errno of finit_module(2). */
int t_kmod_insmod(const char *path);

/** t_kmod_rmmod() - Unload; 0 or a negative errno of delete_module(2). */
int t_kmod_rmmod(const char *name);

/** t_kmod_modprobe() - Load by name with what it needs; 0 or modprobe's exit code. */
int t_kmod_modprobe(const char *name);

/**
 * t_kmod_vendor() - KVM's module for this processor
 *
 * Return: "kvm_amd", "kvm_intel", or NULL if it can do neither.
 */
const char *t_kmod_vendor(void);

/** t_tracefs() - Where tracefs is mounted, mounted if need be; NULL if it cannot be. */
const char *t_tracefs(void);

#endif /* VRINGLAB_SELFTESTS_T_KMOD_H */
