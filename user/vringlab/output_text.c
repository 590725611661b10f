// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include <vringlab/err.h>

#include "line.h"
#include "output.h"
#include "report.h"

/* Rows of one histogram that a terminal of 24 lines can show with its header. */
#define HIST_ROWS 18u
#define BAR_WIDTH 38u

static void add_number(struct line *line, const char *text, uint64_t value)
{
	line_text(line, text);
	line_number(line, value);
}

static void print_owner(FILE *f, const struct vlnl_vring *v)
{
	struct line line = { .len = 0 };

	if (!v->owner_pid && !v->vm)
		return;
	line_text(&line, "#  ");
	if (v->owner_pid) {
		line_text(&line, " of ");
		line_text(&line, v->owner_comm);
		add_number(&line, ", pid ", v->owner_pid);
	}
	if (v->vm)
		add_number(&line, v->owner_pid ? ", VM " : " VM ", v->vm);
	if (v->vm && v->vcpu >= 0)
		add_number(&line, ", last interrupt to vCPU ", (uint64_t)v->vcpu);
	line_end(&line, f);
}

static void print_identity(FILE *f, const struct vlnl_vring *v)
{
	struct line line = { .len = 0 };

	add_number(&line, "# vring ", v->id);
	line_text(&line, " '");
	line_text(&line, v->label);
	line_text(&line, "': ");
	line_text(&line, vlnl_backend_name(v->backend));
	line_text(&line, " back-end");
	if (v->pid)
		add_number(&line, ", pid ", v->pid);
	if (v->persist)
		line_text(&line, ", persistent");
	if (v->device) {
		add_number(&line, ", queue ", v->queue);
		add_number(&line, " of device ", v->device);
	}
	if (v->size)
		add_number(&line, ", size ", v->size);
	line_end(&line, f);
	print_owner(f, v);
}

/* Where kicks come from and calls go to, one a line. */
static void print_facts(FILE *f, const struct vlnl_vring *v)
{
	if (v->kick_eventfd_id >= 0)
		fprintf(f, "#   kick: eventfd-id %" PRId64 "\n", v->kick_eventfd_id);
	for (unsigned int i = 0; i < v->nr_ioeventfds; i++) {
		const struct vlnl_ioeventfd *io = &v->ioeventfds[i];

		fprintf(f, "#   kick: %s 0x%" PRIx64 ", ", io->pio ? "port" : "MMIO", io->address);
		if (io->length)
			fprintf(f, "%" PRIu32 " bytes", io->length);
		else
			fputs("any length", f);
		if (io->has_datamatch)
			fprintf(f, ", value 0x%" PRIx64, io->datamatch);
		fputc('\n', f);
	}
	if (v->call_eventfd_id >= 0)
		fprintf(f, "#   call: eventfd-id %" PRId64 "\n", v->call_eventfd_id);
	for (unsigned int i = 0; i < v->nr_gsis; i++)
		fprintf(f, "#   call: GSI %" PRIu32 "\n", v->gsis[i]);
}

static void print_time(FILE *f, const struct report *report, const struct report_time *t, bool ns)
{
	char buf[OUTPUT_TIME_SIZE];

	if (t->end_ns)
		fprintf(f, "# %s%s since the last %s\n",
			output_time(buf, t->end_ns - t->begin_ns, ns), ns ? " ns" : "",
			report->period == REPORT_SINCE_LAST ? "report" : "reset");
}

static void print_counters(FILE *f, const struct vlnl_counters *c, bool all)
{
	struct line line = { .len = 0 };
	unsigned int hidden = 0;

	line_text(&line, "# counter               count  what");
	line_end(&line, f);
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++) {
		const struct vlnl_counter_info *info = &vlnl_counter_info[i];

		if (!(c->present & UINT64_C(1) << i))
			continue;
		if (!c->value[i] && !all) {
			hidden++;
			continue;
		}
		line_left(&line, info->name, 16);
		line_text(&line, " ");
		line_column_number(&line, c->value[i], line.len < 28 ? 29 - line.len : 1);
		line_text(&line, "  ");
		line_text(&line, info->doc);
		line_end(&line, f);
	}
	if (!hidden)
		return;
	add_number(&line, "# ", hidden);
	line_text(&line, " more are 0 (--all shows them)");
	line_end(&line, f);
}

static void add_time(struct line *line, uint64_t time_ns, bool ns)
{
	char buf[OUTPUT_TIME_SIZE];

	line_column(line, output_time(buf, time_ns, ns), 9);
}

static void add_times(struct line *line, const struct vl_hist *h, bool ns)
{
	add_time(line, h->min, ns);
#define ADD_QUANTILE(name, ppm) add_time(line, vl_hist_quantile(h, ppm), ns);
	OUTPUT_QUANTILES(ADD_QUANTILE)
#undef ADD_QUANTILE
	add_time(line, h->max, ns);
}

/* As many columns as add_times() has. */
#define NO_TIME "        -"
#define NO_QUANTILE(name, ppm) NO_TIME
static const char no_times[] = NO_TIME OUTPUT_QUANTILES(NO_QUANTILE) NO_TIME;
#undef NO_QUANTILE

static void print_span(FILE *f, unsigned int span, const struct vl_hist *h, bool ns)
{
	struct line line = { .len = 0 };

	line_left(&line, vlnl_span_name(span), 13);
	line_column_number(&line, h->count, 12);
	if (h->count)
		add_times(&line, h, ns);
	else
		line_text(&line, no_times);
	line_end(&line, f);
}

static void print_spans(FILE *f, const struct report_vring *rv, bool ns)
{
	struct line line = { .len = 0 };

	line_text(&line, ns ? "# span (ns)  " : "# span       ");
	line_column(&line, "count", 12);
	line_column(&line, "min", 9);
#define ADD_QUANTILE_HEAD(name, ppm) line_column(&line, name, 9);
	OUTPUT_QUANTILES(ADD_QUANTILE_HEAD)
#undef ADD_QUANTILE_HEAD
	line_column(&line, "max", 9);
	line_end(&line, f);
	for (unsigned int s = 0; s < VLNL_NR_SPANS; s++)
		if (rv->spans[s])
			print_span(f, s, rv->spans[s], ns);
}

/* What is the matter with each of its probes. */
static void print_probes(FILE *f, const struct report *report, uint32_t hop)
{
	for (unsigned int i = 0; i < report->nr_probes; i++) {
		const struct vlnl_probe *p = &report->probes[i];

		if (!(p->hops & VLNL_HOP(hop)))
			continue;
		fprintf(f, "#   %s %s: %s", vlnl_probe_type_name(p->type), p->name,
			vlnl_probe_state_name(p->state));
		if (p->error)
			fprintf(f, ", %s", vl_strerror(p->error));
		fputc('\n', f);
	}
}

/* Why a hop has no stamps, or not all. */
static void print_missing_hops(FILE *f, const struct report *report)
{
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++) {
		switch (report_sight(report, hop)) {
		case REPORT_SEEN:
			continue;
		case REPORT_SEEN_IN_PART:
			fprintf(f, "# hop %s is seen by its eventfd only:\n", vlnl_hop_name(hop));
			break;
		case REPORT_NOT_SEEN:
			fprintf(f, "# hop %s is not seen, its spans stay empty:\n",
				vlnl_hop_name(hop));
			break;
		}
		print_probes(f, report, hop);
	}
}

static void print_discover(FILE *f, const struct vlnl_discover *d)
{
	if (d->lost)
		fprintf(f, "# discovery has lost %" PRIu64 " things: not all vrings are shown\n",
			d->lost);
}

/* And why that may be, and what to do. */
static bool print_none(FILE *f, const struct report *report)
{
	if (report->nr_vrings)
		return false;
	fputs("no vrings registered or found\n", f);
	if (report->discover.enabled)
		fputs("# discovery is on: vrings appear when they are set up or used\n", f);
	else
		fputs("# discovery is off: 'vringlab discover on', as root, finds those of vhost,\n"
		      "# vhost-user and KVM\n",
		      f);
	print_discover(f, &report->discover);
	return true;
}

static bool is_idle(const struct vlnl_counters *c)
{
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++)
		if (c->value[i])
			return false;
	return true;
}

static void print_vring(FILE *f, const struct report *report, const struct report_vring *rv,
			const struct output_options *options)
{
	print_identity(f, &rv->vring);
	if (rv->vring.has_wake_user_data)
		fprintf(f, "# io_uring user_data of a wake: 0x%" PRIx64 "\n",
			rv->vring.wake_user_data);
	if (options->all)
		print_facts(f, &rv->vring);
	print_time(f, report, &rv->time, options->ns);
	print_counters(f, &rv->counters, options->all);
	print_spans(f, rv, options->ns);
}

void output_stat_text(FILE *f, const struct report *report, const struct output_options *options)
{
	unsigned int idle = 0;

	if (print_none(f, report))
		return;
	for (unsigned int i = 0; i < report->nr_vrings; i++) {
		const struct report_vring *rv = &report->vrings[i];

		if (options->busy && is_idle(&rv->counters)) {
			idle++;
			continue;
		}
		if (i > idle)
			fputc('\n', f);
		print_vring(f, report, rv, options);
	}
	if (idle)
		fprintf(f, "# %u vrings did nothing (--all shows them)\n", idle);
	print_discover(f, &report->discover);
	if (report->nr_thresholds)
		output_thresholds_text(f, report->thresholds, report->nr_thresholds, options->ns);
	print_missing_hops(f, report);
}

/*
 * Buckets are joined by twos until the rows fit, at most to whole powers of two:
 * bucket numbers of one row differ in their low @shift bits only.
 */
static unsigned int count_rows(const struct vl_hist *h, unsigned int shift)
{
	unsigned int rows = 0;

	for (unsigned int i = 0; i < h->nr_buckets; i++)
		if (!i || h->buckets[i].index >> shift != h->buckets[i - 1].index >> shift)
			rows++;
	return rows;
}

static unsigned int choose_shift(const struct vl_hist *h)
{
	unsigned int shift = 0;

	while (shift < h->sub_bits && count_rows(h, shift) > HIST_ROWS)
		shift++;
	return shift;
}

/* Sums the row that begins with bucket @i; returns the first bucket after it. */
static unsigned int sum_row(const struct vl_hist *h, unsigned int i, unsigned int shift,
			    uint64_t *count)
{
	uint32_t row = h->buckets[i].index >> shift;

	*count = 0;
	while (i < h->nr_buckets && h->buckets[i].index >> shift == row)
		*count += h->buckets[i++].count;
	return i;
}

static uint64_t tallest_row(const struct vl_hist *h, unsigned int shift)
{
	uint64_t tallest = 0, count;

	for (unsigned int i = 0; i < h->nr_buckets;) {
		i = sum_row(h, i, shift, &count);
		if (count > tallest)
			tallest = count;
	}
	return tallest;
}

static void print_row(FILE *f, const struct vl_hist *h, uint32_t row, unsigned int shift,
		      uint64_t count, uint64_t tallest, bool ns)
{
	static const char stars[] = "**************************************";
	uint32_t first = row << shift, last = ((row + 1) << shift) - 1;
	uint64_t end = vl_hist_start(h->sub_bits, last) + vl_hist_width(h->sub_bits, last);
	char from[OUTPUT_TIME_SIZE], below[OUTPUT_TIME_SIZE] = "inf";
	int width;

	_Static_assert(sizeof(stars) - 1 == BAR_WIDTH, "a full bar");
	output_time(from, vl_hist_start(h->sub_bits, first), ns);
	/* The last bucket has no end. */
	if (last < VL_HIST_BUCKETS_MAX - 1)
		output_time(below, end, ns);
	/* Rounded up: a bar of no length would look like no values. */
	width = (int)((double)count * BAR_WIDTH / (double)tallest + 0.999);
	if (width > (int)BAR_WIDTH)
		width = BAR_WIDTH;
	fprintf(f, "%9s %9s %11" PRIu64 " %6.2f%% %.*s\n", from, below, count,
		100.0 * (double)count / (double)h->count, width, stars);
}

static void print_bars(FILE *f, const struct vl_hist *h, bool ns)
{
	unsigned int shift = choose_shift(h);
	uint64_t tallest = tallest_row(h, shift), count;

	fprintf(f, "# %7s %9s %11s %7s\n", ns ? "from ns" : "from", "below", "count", "share");
	for (unsigned int i = 0; i < h->nr_buckets;) {
		uint32_t row = h->buckets[i].index >> shift;

		i = sum_row(h, i, shift, &count);
		print_row(f, h, row, shift, count, tallest, ns);
	}
}

static void print_summary(FILE *f, const struct vl_hist *h, bool ns)
{
	char buf[OUTPUT_TIME_SIZE];

	fprintf(f, "# min %s", output_time(buf, h->min, ns));
#define PRINT_QUANTILE(name, ppm) \
	fprintf(f, "  " name " %s", output_time(buf, vl_hist_quantile(h, ppm), ns));
	OUTPUT_QUANTILES(PRINT_QUANTILE)
#undef PRINT_QUANTILE
	fprintf(f, "  max %s\n", output_time(buf, h->max, ns));
}

static void print_hist(FILE *f, unsigned int span, const struct vl_hist *h, bool ns)
{
	char mean[OUTPUT_TIME_SIZE];

	if (!h->count) {
		fprintf(f, "# span %s: no values\n", vlnl_span_name(span));
		return;
	}
	fprintf(f, "# span %s: %" PRIu64 " values, mean %s%s\n", vlnl_span_name(span), h->count,
		output_time(mean, h->sum / h->count, ns), ns ? " ns" : "");
	print_bars(f, h, ns);
	print_summary(f, h, ns);
}

void output_hist_text(FILE *f, const struct report *report, const struct output_options *options)
{
	if (print_none(f, report))
		return;
	for (unsigned int i = 0; i < report->nr_vrings; i++) {
		const struct report_vring *rv = &report->vrings[i];

		if (i)
			fputc('\n', f);
		print_identity(f, &rv->vring);
		print_time(f, report, &rv->time, options->ns);
		for (int s = 0; s < VLNL_NR_SPANS; s++)
			if (rv->spans[s] && (options->span < 0 || options->span == s))
				print_hist(f, s, rv->spans[s], options->ns);
	}
	print_missing_hops(f, report);
}
