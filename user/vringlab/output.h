/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A report as text and as JSON.
 *
 * Text has a '#' in front of every line that is not data, columns without space
 * inside, and at most 80 columns, or more only where a number needs them.
 */
#ifndef VRINGLAB_OUTPUT_H
#define VRINGLAB_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report;
struct report_vcpus;
struct vl_err;
struct vlnl_threshold;

/* Enough for 2^64 seconds with a unit. */
#define OUTPUT_TIME_SIZE 24

/**
 * output_time() - A time with three significant digits and its unit
 * @buf:	At least OUTPUT_TIME_SIZE.
 * @ns:		Nanoseconds.
 * @plain:	Nanoseconds as a plain number instead.
 *
 * Return: @buf.
 */
const char *output_time(char *buf, uint64_t ns, bool plain);

/**
 * struct output_options - What to print
 * @json:	JSON rather than text; always has all of everything.
 * @lines:	JSON in one line, as many follow each other.
 * @all:	Counters that are 0 too.
 * @busy:	Only vrings that did something; text only.
 * @ns:		Times as plain nanoseconds.
 * @span:	Only this enum vringlab_span, or -1 for all.
 */
struct output_options {
	bool json;
	bool lines;
	bool all;
	bool busy;
	bool ns;
	int span;
};

/**
 * output_stat() - Counters and percentiles
 * @f:		Where to.
 * @report:	What.
 * @options:	How; @span is not used.
 * @err:	What went wrong.
 *
 * Return: 0, or
 * * %-ENOMEM - no memory for the JSON
 * * other - from writing to @f
 */
int output_stat(FILE *f, const struct report *report, const struct output_options *options,
		struct vl_err *err);

/**
 * output_hist() - Histograms
 * @f:		Where to.
 * @report:	What.
 * @options:	How; @all is not used.
 * @err:	What went wrong.
 *
 * Return: as output_stat().
 */
int output_hist(FILE *f, const struct report *report, const struct output_options *options,
		struct vl_err *err);

/**
 * output_vcpus() - vCPUs, their counters and exit reasons
 * @f:		Where to.
 * @report:	What.
 * @options:	How; only @json and @all are used.
 * @err:	What went wrong.
 *
 * Return: as output_stat().
 */
int output_vcpus(FILE *f, const struct report_vcpus *report, const struct output_options *options,
		 struct vl_err *err);

/**
 * output_thresholds() - Thresholds and their hits
 * @f:		Where to.
 * @thresholds:	What.
 * @nr:		How many.
 * @options:	How; only @json and @ns are used.
 * @err:	What went wrong.
 *
 * Return: as output_stat().
 */
int output_thresholds(FILE *f, const struct vlnl_threshold *thresholds, unsigned int nr,
		      const struct output_options *options, struct vl_err *err);

/* The percentiles of every table, JSON included. */
#define OUTPUT_QUANTILES(X) \
	X("p50", 500000)    \
	X("p90", 900000)    \
	X("p99", 990000)    \
	X("p99.9", 999000)

/* output_json.c; return the object or NULL. */
struct json_object;
struct vlnl_vring;
struct vlnl_discover;
struct json_object *output_discover_json(const struct vlnl_discover *discover);
struct json_object *output_vring_json(const struct vlnl_vring *vring);
struct json_object *output_stat_json(const struct report *report);
struct json_object *output_hist_json(const struct report *report, int span);

/* output_threshold.c */
struct vlnl_hit;
struct json_object *output_hit_json(const struct vlnl_hit *hit);
struct json_object *output_thresholds_json(const struct vlnl_threshold *t, unsigned int nr);
void output_thresholds_text(FILE *f, const struct vlnl_threshold *t, unsigned int nr, bool ns);

/* output_text.c */
void output_stat_text(FILE *f, const struct report *report, const struct output_options *options);
void output_hist_text(FILE *f, const struct report *report, const struct output_options *options);

/* output_vcpu.c */
struct json_object *output_vcpus_json(const struct report_vcpus *report);
void output_vcpus_text(FILE *f, const struct report_vcpus *report,
		       const struct output_options *options);

#endif /* VRINGLAB_OUTPUT_H */
