/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vringlab doctor knows of the module's probes, also where the module is not
 * loaded and cannot be asked.
 */
#ifndef VRINGLAB_DOCTOR_PROBE_H
#define VRINGLAB_DOCTOR_PROBE_H

#include <stdbool.h>

#include <vringlab/nl.h>

#define DOCTOR_RELEASE(major, minor) ((major) << 16 | (minor))

/**
 * struct doctor_probe - A probe
 * @probe:	As the module would tell it; absent.
 * @purpose:	What it serves, NULL where that is its hops.
 * @costs:	What does not work without it.
 * @one_of:	It suffices that one of those with this purpose works.
 * @since:	DOCTOR_RELEASE() of the first kernel for which the module has it, 0 for all.
 */
struct doctor_probe {
	struct vlnl_probe probe;
	const char *purpose;
	const char *costs;
	bool one_of;
	unsigned int since;
};

/**
 * doctor_probe_find() - Look a probe up
 * @name:	Function or tracepoint.
 *
 * Return: the probe, NULL for one that a newer module has.
 */
const struct doctor_probe *doctor_probe_find(const char *name);

/**
 * doctor_probe_next() - Go through the probes
 * @p:		The one before, NULL to begin.
 * @release:	DOCTOR_RELEASE() of the kernel.
 *
 * Return: the next that the module has on this kernel, NULL at the end.
 */
const struct doctor_probe *doctor_probe_next(const struct doctor_probe *p, unsigned int release);

#endif /* VRINGLAB_DOCTOR_PROBE_H */
