/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where members are in the running kernel's structures, by name, from its BTF.
 *
 * By name and not by type id: from 6.18 on, a module's BTF may have a type of its own
 * for one that the kernel has too.
 */
#ifndef VRINGLAB_BTF_H
#define VRINGLAB_BTF_H

#include <stdint.h>

struct vl_btf;
struct vl_err;

/* Where the kernel shows its own and its modules' BTF. */
#define VL_BTF_DIR "/sys/kernel/btf"

/**
 * struct vl_btf_member - A member that was found
 * @offset:	Bytes from the structure's begin.
 * @size:	Bytes.
 */
struct vl_btf_member {
	uint32_t offset;
	uint32_t size;
};

/**
 * vl_btf_open() - Read the kernel's own BTF
 * @btf:	Set on success only.
 * @dir:	Folder of the files, %VL_BTF_DIR.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for a kernel without BTF, or another errno.
 */
int vl_btf_open(struct vl_btf **btf, const char *dir, struct vl_err *err);

/**
 * vl_btf_close() - Forget all that was read
 * @btf:	From vl_btf_open(); NULL is allowed.
 */
void vl_btf_close(struct vl_btf *btf);

/**
 * vl_btf_find() - Find a member
 * @btf:	From vl_btf_open().
 * @module:	Module that has the structure, NULL or "" for the kernel itself.
 * @path:	struct.member[.member]...; anonymous structures and unions on the way
 *		are not named.
 * @member:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or
 * * %-ENODEV - the module is not loaded, or has no BTF
 * * %-ENOENT - there is no such structure, or it has no such member, or that is a
 *   bit field
 * * %-EINVAL - what is asked for is no path
 * * other - from reading the BTF
 */
int vl_btf_find(struct vl_btf *btf, const char *module, const char *path,
		struct vl_btf_member *member, struct vl_err *err);

#endif /* VRINGLAB_BTF_H */
