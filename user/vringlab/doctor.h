/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vringlab doctor finds out about this machine: a list of findings, gathered by
 * one function for each subject, which look and change nothing.
 */
#ifndef VRINGLAB_DOCTOR_H
#define VRINGLAB_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vl_err;

/**
 * enum doctor_state - How it is
 * @DOCTOR_OK:	As it should be.
 * @DOCTOR_LIMITED: Works in part, or needs something done first.
 * @DOCTOR_MISSING: Is not there, or does not work.
 * @DOCTOR_UNKNOWN: Could not be looked at.
 */
enum doctor_state { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_MISSING, DOCTOR_UNKNOWN, DOCTOR_STATES };

/**
 * struct doctor_finding - One thing that was looked at
 * @check:	Its name, SUBJECT.WHAT, without space.
 * @state:	How it is.
 * @needed:	Nothing can be traced while it is missing.
 * @found:	What was seen.
 * @costs:	What does not work because of it; NULL where it is ok.
 * @cure:	What to do, NULL if nothing can be done.
 */
struct doctor_finding {
	char check[192];
	enum doctor_state state;
	bool needed;
	char found[256];
	const char *costs;
	const char *cure;
};

/**
 * struct doctor - All of them
 * @findings:	In the order in which they were found.
 * @nr:		Count.
 * @no_memory:	There are more, for which there was no memory.
 * @spare:	Takes those.
 * @release:	The running kernel's, as uname -r says it.
 */
struct doctor {
	struct doctor_finding *findings;
	size_t nr;
	bool no_memory;
	struct doctor_finding spare;
	char release[65];
};

/**
 * doctor_add() - Add a finding
 * @d:		Doctor.
 * @state:	How it is.
 * @subject:	What it is about; with @name the name of the check.
 * @name:	What was looked at.
 * @fmt:	printf() format of what was seen.
 *
 * Return: the finding, never NULL, until the next is added.
 */
struct doctor_finding *doctor_add(struct doctor *d, enum doctor_state state, const char *subject,
				  const char *name, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/**
 * doctor_advise() - Say what a finding costs, and what to do
 * @f:		Finding; one that is ok stays without advice.
 * @costs:	A string constant.
 * @cure:	A string constant, or NULL.
 */
void doctor_advise(struct doctor_finding *f, const char *costs, const char *cure);

/**
 * doctor_verdict() - All in all
 * @d:		Doctor.
 *
 * Return: %DOCTOR_MISSING if something is missing without which nothing can be
 * traced, %DOCTOR_OK if all is ok, else %DOCTOR_LIMITED.
 */
enum doctor_state doctor_verdict(const struct doctor *d);

/**
 * doctor_free() - Free what the findings are in
 * @d:		Doctor.
 */
void doctor_free(struct doctor *d);

/**
 * doctor_read_line() - Read the first line of a file
 * @path:	File.
 * @line:	Set on success only, without the newline.
 * @size:	Of @line.
 *
 * Return: 0 or a negative errno.
 */
int doctor_read_line(const char *path, char *line, size_t size);

/**
 * doctor_kmod_installed() - Find a module among those of the running kernel
 * @d:		Doctor.
 * @name:	Module, with underscores.
 * @path:	Set to its file if there is one; may be NULL.
 * @size:	Of @path.
 *
 * Return: 1 or 0; a negative errno if there is no index of modules to look at.
 */
int doctor_kmod_installed(const struct doctor *d, const char *name, char *path, size_t size);

/* The subjects, each in the file of its name, doctor_*.c. */
void doctor_look_at_module(struct doctor *d);
void doctor_look_at_kernel(struct doctor *d);
void doctor_look_at_config(struct doctor *d);
void doctor_look_at_hooks(struct doctor *d);
void doctor_look_at_access(struct doctor *d);
void doctor_look_at_uring(struct doctor *d);
void doctor_look_at_kvm(struct doctor *d);
void doctor_look_at_vhost(struct doctor *d);

/**
 * doctor_must_be_signed() - Does this kernel refuse modules that are not signed?
 *
 * Return: why, or NULL if it does not.
 */
const char *doctor_must_be_signed(void);

/**
 * doctor_print_text() - Print the findings as a table
 * @f:		Where to.
 * @d:		Doctor.
 */
void doctor_print_text(FILE *f, const struct doctor *d);

/**
 * doctor_print_json() - Print the findings as JSON
 * @f:		Where to.
 * @d:		Doctor.
 * @err:	What went wrong.
 *
 * Return: 0 or %-ENOMEM.
 */
int doctor_print_json(FILE *f, const struct doctor *d, struct vl_err *err);

#endif /* VRINGLAB_DOCTOR_H */
