/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of 'vringlab vmm'.
 */
#ifndef VRINGLAB_CMD_VMM_H
#define VRINGLAB_CMD_VMM_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vmm_ring_ping.h>
#include <vringlab/vmm_vcpu.h>

struct vl_err;
struct vmm_guest_io;
struct vu_session;

struct vmm_options {
	const char *guest;
	const char *kvm_path;
	const char *socket;
	uint32_t given; /* options that not every guest has */
	struct vmm_ring_ping_config ping;
	uint64_t timeout_ns; /* 0 while not given */
	struct {
		bool has_irqchip;
		enum vmm_irqchip irqchip;
	} hello;
	uint64_t memory;
	bool explain;
	bool dump_regs;
	bool json;
	bool reconnect;
};

/* vmm_run.c */
/*
 * Runs the guest until it ends, a signal or the deadline comes, or the back-end of
 * @session (or NULL) is lost for good: a session that persists gets the next one,
 * and the guest runs on meanwhile. Returns 0 if it ended by itself, whatever its
 * status; else a negative errno with @err filled.
 */
int vmm_run(const struct vmm_options *options, struct vmm_vcpu *vcpu, struct vu_session *session,
	    struct vmm_guest_io *io, struct vmm_vcpu_result *result, struct vl_err *err);
int vmm_exit_code(int code);

/* vmm_hello.c, vmm_ping.c: run the guest, report, return the exit code */
int vmm_run_hello(const struct vmm_options *options);
int vmm_run_ping(const struct vmm_options *options);

/* vmm_report.c */
void vmm_report_hello(const struct vmm_options *options, const struct vmm_vcpu_result *result,
		      bool ok);
/* @lost: back-ends. */
void vmm_report_ping(const struct vmm_options *options, const struct vmm_ring_ping_result *ping,
		     const struct vmm_vcpu_result *result, uint64_t lost, bool ok);

#endif /* VRINGLAB_CMD_VMM_H */
