/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module says of one vCPU, and what KVM itself says of it.
 */
#ifndef VRINGLAB_SELFTESTS_T_VCPU_H
#define VRINGLAB_SELFTESTS_T_VCPU_H

#include <stdint.h>

#include <linux/vringlab.h>

#include "t_genl.h"

#define T_NR_REASONS 1024

/**
 * struct t_vcpu - One vCPU
 * @has:	Bit per VRINGLAB_A_VCPU_* received.
 * @v:		Numbers by VRINGLAB_A_VCPU_*; see T_VCPU().
 * @nr_reasons:	How many exit reasons there were.
 * @reason:	Exits by code.
 */
struct t_vcpu {
	uint32_t has;
	uint64_t v[VRINGLAB_A_VCPU_MAX + 1];
	unsigned int nr_reasons;
	uint64_t reason[T_NR_REASONS + 32];
};

/* T_VCPU(&c, EXITS) */
#define T_VCPU(c, name) ((c)->v[VRINGLAB_A_VCPU_##name])

/** t_vcpu_get() - Send vcpu-get for one. */
int t_vcpu_get(struct t_genl *g, uint32_t id, struct t_vcpu *c);

/**
 * t_vcpu_dump() - All vCPUs
 * @c:		Array of @max.
 *
 * Return: how many there are, which may be more than @max, or a negative errno.
 */
int t_vcpu_dump(struct t_genl *g, struct t_vcpu *c, unsigned int max);

/**
 * t_vcpu_find() - The vCPU of a thread
 * @tid:	Thread.
 * @vcpu_id:	KVM's number.
 * @c:		Filled if it is there.
 *
 * Return: its id, 0 if there is none, or a negative errno.
 */
int t_vcpu_find(struct t_genl *g, uint32_t tid, uint32_t vcpu_id, struct t_vcpu *c);

/**
 * t_vcpu_broken() - Is it in itself consistent?
 *
 * Return: "" if so, else which law it breaks, in a static buffer.
 */
const char *t_vcpu_broken(const struct t_vcpu *c);

/** t_vcpu_print() - All that is not zero, one "# name value" a line. */
void t_vcpu_print(const struct t_vcpu *c);

/**
 * t_kvm_stat() - One of KVM's own statistics
 * @stats:	From KVM_GET_STATS_FD of a vCPU, which waits while the vCPU runs; this
 *		does not.
 * @name:	Its name there.
 * @value:	Set on success only.
 *
 * Return: 0, %-ENOENT where there is none of this name, or another errno.
 */
int t_kvm_stat(int stats, const char *name, uint64_t *value);

#endif /* VRINGLAB_SELFTESTS_T_VCPU_H */
