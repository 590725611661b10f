/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways to see the hops: kprobe trace events, a bpftrace program, vringlab.ko.
 */
#ifndef BENCH_TRACER_H
#define BENCH_TRACER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * kprobes_attach() - Enable a kprobe trace event at every hop
 *
 * By tracefs, as a person would: `p:GROUP/NAME FUNCTION`, no arguments fetched.
 */
void kprobes_attach(void);

/**
 * kprobes_detach() - Disable and remove them
 * @min_hits:	What each of them must have seen at least.
 */
void kprobes_detach(uint64_t min_hits);

/**
 * bpftrace_attach() - Start a bpftrace program that measures the hops of this process
 *
 * Return: whether it runs; not where there is no bpftrace
 */
bool bpftrace_attach(void);

/**
 * bpftrace_detach() - End it
 * @min_hits:	How often it must have seen each hop at least.
 */
void bpftrace_detach(uint64_t min_hits);

/**
 * module_load() - Load a kernel module
 * @path:	File.
 */
void module_load(const char *path);

/**
 * module_unload() - Unload vringlab.ko
 */
void module_unload(void);

#endif /* BENCH_TRACER_H */
