/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module tells about the vrings, gathered so that it can be printed:
 * plain structs, which a test can make up.
 */
#ifndef VRINGLAB_REPORT_H
#define VRINGLAB_REPORT_H

#include <vringlab/nl.h>

struct vl_err;

/**
 * enum report_period - Of which time the numbers are
 * @REPORT_ALL_TIME: Since the registration.
 * @REPORT_SINCE_RESET: Since the last reset.
 * @REPORT_RESET: Likewise, and this is the next one.
 * @REPORT_SINCE_LAST: Since the report before, see report_diff().
 */
enum report_period {
	REPORT_ALL_TIME,
	REPORT_SINCE_RESET,
	REPORT_RESET,
	REPORT_SINCE_LAST,
};

/**
 * struct report_time - From when to when, on CLOCK_MONOTONIC
 * @begin_ns:	The reset, or the report, before.
 * @end_ns:	When it was read.
 */
struct report_time {
	uint64_t begin_ns;
	uint64_t end_ns;
};

/**
 * struct report_vring - One vring
 * @vring:	Its identity.
 * @time:	Of which time its numbers are; zeroes with %REPORT_ALL_TIME.
 * @counters:	Its counters.
 * @spans:	Its histograms by enum vringlab_span, NULL where the module has
 *		none; of the report.
 */
struct report_vring {
	struct vlnl_vring vring;
	struct report_time time;
	struct vlnl_counters counters;
	struct vl_hist *spans[VLNL_NR_SPANS];
};

/**
 * struct report - All of it
 * @period:	Of which time.
 * @read_ns:	When the module was asked, on CLOCK_MONOTONIC.
 * @vrings:	The vrings.
 * @nr_vrings:	Count.
 * @probes:	The module's probes.
 * @nr_probes:	Count.
 * @thresholds:	The module's thresholds.
 * @nr_thresholds: Count.
 * @discover:	Whether it looks for vrings.
 * @hists:	What @vrings point into, packed.
 */
struct report {
	enum report_period period;
	uint64_t read_ns;
	struct report_vring *vrings;
	unsigned int nr_vrings;
	struct vlnl_probe *probes;
	unsigned int nr_probes;
	struct vlnl_threshold *thresholds;
	unsigned int nr_thresholds;
	struct vlnl_discover discover;
	struct vlnl_hist *hists;
};

/**
 * report_read() - Ask the module
 * @report:	Set on success only; end it with report_free().
 * @which:	Id or label of the vrings wanted, NULL for all.
 * @period:	Of which time; not %REPORT_SINCE_LAST.
 * @err:	What went wrong.
 *
 * Return: 0, or
 * * %-ENOENT - the module is not loaded
 * * %-ENXIO - no vring is called @which
 * * %-EPERM - %REPORT_RESET without CAP_NET_ADMIN
 * * other - from vlnl_open() and the dumps
 */
int report_read(struct report *report, const char *which, enum report_period period,
		struct vl_err *err);

/**
 * report_read_from() - Likewise, by a client that is there
 * @report:	Set on success only; end it with report_free().
 * @nl:		Client.
 * @which:	As report_read().
 * @period:	Likewise.
 * @err:	What went wrong.
 *
 * Return: as report_read().
 */
int report_read_from(struct report *report, struct vlnl *nl, const char *which,
		     enum report_period period, struct vl_err *err);

/**
 * report_free() - Free what report_read() allocated
 * @report:	Report.
 */
void report_free(struct report *report);

/**
 * report_diff() - What was between two reports
 * @diff:	Set on success only; end it with report_free().
 * @now:	The later one; gives up all but its vrings.
 * @before:	The earlier one.
 * @err:	What went wrong.
 *
 * Both are of %REPORT_ALL_TIME. A vring that came in between is in it as a whole.
 *
 * Return: 0 or %-ENOMEM.
 */
int report_diff(struct report *diff, struct report *now, const struct report *before,
		struct vl_err *err);

/**
 * struct report_vcpus - The vCPUs that vrings have to do with
 * @vcpus:	The vCPUs.
 * @nr_vcpus:	Count.
 */
struct report_vcpus {
	struct vlnl_vcpu *vcpus;
	unsigned int nr_vcpus;
};

/**
 * report_vcpus_read() - Ask the module for the vCPUs
 * @report:	Set on success only; end it with report_vcpus_free().
 * @err:	What went wrong.
 *
 * Return: 0, %-ENOENT if the module is not loaded, other from vlnl_open() and
 * vlnl_vcpu_dump()
 */
int report_vcpus_read(struct report_vcpus *report, struct vl_err *err);

/**
 * report_vcpus_free() - Free what report_vcpus_read() allocated
 * @report:	Report.
 */
void report_vcpus_free(struct report_vcpus *report);

/**
 * report_vcpus_diff() - What was between two reports
 * @diff:	Set on success only; end it with report_vcpus_free().
 * @now:	The later one.
 * @before:	The earlier one.
 * @err:	What went wrong.
 *
 * Return: 0 or %-ENOMEM.
 */
int report_vcpus_diff(struct report_vcpus *diff, const struct report_vcpus *now,
		      const struct report_vcpus *before, struct vl_err *err);

/**
 * enum report_sight - How far the module sees a hop
 * @REPORT_SEEN: One of its probes works.
 * @REPORT_SEEN_IN_PART: None does, but eventfds themselves show some of it, and
 *	what they do not show matters to one of the vrings.
 * @REPORT_NOT_SEEN: It has probes, none of them works, and nothing else shows it.
 */
enum report_sight {
	REPORT_SEEN,
	REPORT_SEEN_IN_PART,
	REPORT_NOT_SEEN,
};

/**
 * report_sight() - Does the module see a hop?
 * @report:	Report.
 * @hop:	enum vringlab_hop.
 *
 * Signals of an eventfd, kicks and calls, and reads of it, which are wakes, need
 * no probe. A wake that is the completion of an io_uring poll does.
 *
 * Return: how far.
 */
enum report_sight report_sight(const struct report *report, uint32_t hop);

#endif /* VRINGLAB_REPORT_H */
