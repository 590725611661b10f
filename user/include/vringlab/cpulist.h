/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of CPUs, as taskset(1) and the kernel's files write them: "0,2-5,8-14:2".
 */
#ifndef VRINGLAB_CPULIST_H
#define VRINGLAB_CPULIST_H

#include <sched.h>
#include <stddef.h>

/* Numbers of CPUs are below this, that of cpu_set_t. */
#define VL_CPUS_MAX 1024u

/**
 * vl_cpulist_parse() - Parse a list of CPUs
 * @text:	Numbers and ranges with commas in between; "A-B:N" is each Nth of a range.
 * @cpus:	Filled in the order in which they are named; one that is named twice is
 *		there twice.
 * @max:	Entries of @cpus.
 *
 * Return: how many there are, or
 * * %-EINVAL - not a list, or a range that ends before it begins
 * * %-ERANGE - a number of %VL_CPUS_MAX or more
 * * %-E2BIG - more than @max
 */
int vl_cpulist_parse(const char *text, unsigned int *cpus, unsigned int max);

/**
 * vl_cpulist_print() - Write a set of CPUs as a list
 * @set:	Set.
 * @text:	Filled, cut off where it is too short.
 * @size:	Of @text.
 *
 * Return: @text.
 */
const char *vl_cpulist_print(const cpu_set_t *set, char *text, size_t size);

#endif /* VRINGLAB_CPULIST_H */
