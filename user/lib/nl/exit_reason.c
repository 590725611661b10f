// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's own names of exit reasons, out of the headers it gives to user space.
 */
#include <stddef.h>

#include <asm/svm.h>
#include <asm/vmx.h>

#include <vringlab/nl.h>

/* Exception vectors, which <asm/svm.h> uses and does not define. */
enum {
	DE_VECTOR = 0,
	DB_VECTOR = 1,
	BP_VECTOR = 3,
	OF_VECTOR = 4,
	BR_VECTOR = 5,
	UD_VECTOR = 6,
	NM_VECTOR = 7,
	DF_VECTOR = 8,
	TS_VECTOR = 10,
	NP_VECTOR = 11,
	SS_VECTOR = 12,
	GP_VECTOR = 13,
	PF_VECTOR = 14,
	MF_VECTOR = 16,
	AC_VECTOR = 17,
	MC_VECTOR = 18,
	XM_VECTOR = 19,
};

struct reason {
	uint32_t code;
	const char *name;
};

static const struct reason vmx[] = { VMX_EXIT_REASONS };
static const struct reason svm[] = { SVM_EXIT_REASONS };

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *find(const struct reason *reasons, size_t nr, uint32_t code)
{
	for (size_t i = 0; i < nr; i++)
		if (reasons[i].code == code)
			return reasons[i].name;
	return NULL;
}

const char *vlnl_exit_reason_name(uint32_t isa, uint32_t code)
{
	switch (isa) {
	case VRINGLAB_ISA_VMX:
		return find(vmx, ARRAY_SIZE(vmx), code);
	case VRINGLAB_ISA_SVM:
		return find(svm, ARRAY_SIZE(svm), code);
	default:
		return NULL;
	}
}
