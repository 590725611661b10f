// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-report: turns samples into a table and bench.json.
 *
 * Reads lines of tab-separated words:
 *
 *   entry NAME UNIT TARGET OTHER_NAME	declares an entry
 *   pair NAME OURS OTHER		one run of both, one after the other
 *   skip NAME REASON			a prerequisite is missing
 *   fail NAME REASON			it could not be measured
 *
 * A pair's ratio is OURS / OTHER, less is better; an entry's ratio is the median
 * of its pairs' ratios, so that what disturbs the machine for longer than one run
 * disturbs both sides of it.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define MAX_ENTRIES 256

struct entry {
	char *name;
	char *unit;
	char *other_name;
	char *skipped; /* reason, or NULL */
	char *failed; /* reason, or NULL */
	double target;
	double *ours;
	double *other;
	double *ratio;
	size_t nr_pairs;
};

struct report {
	struct entry entries[MAX_ENTRIES];
	size_t nr_entries;
};

static void *check_alloc(void *p)
{
	if (!p) {
		fputs("bench-report: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static char *copy(const char *text)
{
	return check_alloc(strdup(text));
}

static bool parse_number(const char *text, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return !errno && end != text && !*end && isfinite(*value);
}

static struct entry *find_entry(struct report *r, const char *name)
{
	for (size_t i = 0; i < r->nr_entries; i++)
		if (!strcmp(r->entries[i].name, name))
			return &r->entries[i];
	return NULL;
}

static const char *add_entry(struct report *r, char **word)
{
	struct entry *e = &r->entries[r->nr_entries];
	double target;

	if (r->nr_entries == MAX_ENTRIES)
		return "too many entries";
	if (find_entry(r, word[1]))
		return "entry declared twice";
	if (!parse_number(word[3], &target))
		return "target is not a number";
	*e = (struct entry){
		.name = copy(word[1]),
		.unit = copy(word[2]),
		.target = target,
		.other_name = copy(word[4]),
	};
	r->nr_entries++;
	return NULL;
}

static void append(double **values, size_t nr, double value)
{
	*values = check_alloc(realloc(*values, (nr + 1) * sizeof(**values)));
	(*values)[nr] = value;
}

static const char *add_pair(struct entry *e, char **word)
{
	double ours, other;

	if (!parse_number(word[2], &ours) || !parse_number(word[3], &other))
		return "not a number";
	if (other <= 0)
		return "nothing to compare with: the other side measured nothing";
	append(&e->ours, e->nr_pairs, ours);
	append(&e->other, e->nr_pairs, other);
	append(&e->ratio, e->nr_pairs, ours / other);
	e->nr_pairs++;
	return NULL;
}

/* The first reason is the one that led to the others. */
static const char *add_reason(char **reason, const char *text)
{
	if (!*reason)
		*reason = copy(text);
	return NULL;
}

/* Returns what is wrong with the line, or NULL. */
static const char *take_line(struct report *r, char *line)
{
	char *word[5] = { NULL };
	struct entry *e;
	size_t nr = 0;

	line[strcspn(line, "\n")] = '\0';
	while (nr < 5 && (word[nr] = strsep(&line, "\t")))
		nr++;
	if (line)
		return "too many words";
	if (nr == 5 && !strcmp(word[0], "entry"))
		return add_entry(r, word);
	if (nr < 3)
		return "too few words";
	e = find_entry(r, word[1]);
	if (!e)
		return "entry not declared";
	if (nr == 4 && !strcmp(word[0], "pair"))
		return add_pair(e, word);
	if (nr == 3 && !strcmp(word[0], "skip"))
		return add_reason(&e->skipped, word[2]);
	if (nr == 3 && !strcmp(word[0], "fail"))
		return add_reason(&e->failed, word[2]);
	return "not a line this program knows";
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @values. */
static double median(double *values, size_t nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

static bool measured(const struct entry *e)
{
	return e->nr_pairs && !e->skipped && !e->failed;
}

/* Four significant digits, but never an exponent. */
static const char *show(double value, char *buf, size_t size)
{
	int digits = value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0;

	if (value == floor(value))
		digits = 0;
	snprintf(buf, size, "%.*f", digits, value);
	return buf;
}

static bool print_entry(struct entry *e)
{
	char a[32], b[32];
	double ratio;
	bool met;

	if (e->failed || (!e->skipped && !e->nr_pairs)) {
		printf("%-22s FAILED: %s\n", e->name, e->failed ? e->failed : "no samples");
		return false;
	}
	if (e->skipped) {
		printf("%-22s skipped: %s\n", e->name, e->skipped);
		return true;
	}
	ratio = median(e->ratio, e->nr_pairs);
	met = ratio <= e->target;
	printf("%-22s %-5s %8s %8s  %6.3f %6.3f %6.3f %6.3f %4zu  %-6s  %s\n", e->name, e->unit,
	       show(median(e->ours, e->nr_pairs), a, sizeof(a)),
	       show(median(e->other, e->nr_pairs), b, sizeof(b)), ratio, e->ratio[0],
	       e->ratio[e->nr_pairs - 1], e->target, e->nr_pairs, met ? "met" : "MISSED",
	       e->other_name);
	return met;
}

/* json-c prints 17 digits of a plain double, which is noise here. */
static struct json_object *number(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	return check_alloc(json_object_new_double_s(strtod(text, NULL), text));
}

static struct json_object *string(const char *text)
{
	return check_alloc(json_object_new_string(text));
}

static struct json_object *json_entry(struct entry *e)
{
	struct json_object *o = check_alloc(json_object_new_object());
	double ratio = median(e->ratio, e->nr_pairs);

	json_object_object_add(o, "name", string(e->name));
	json_object_object_add(o, "unit", string(e->unit));
	json_object_object_add(o, "ours", number(median(e->ours, e->nr_pairs)));
	json_object_object_add(o, "other", number(median(e->other, e->nr_pairs)));
	json_object_object_add(o, "other_name", string(e->other_name));
	json_object_object_add(o, "ratio", number(ratio));
	json_object_object_add(o, "target", number(e->target));
	json_object_object_add(o, "met", json_object_new_boolean(ratio <= e->target));
	json_object_object_add(o, "runs", json_object_new_int64((int64_t)e->nr_pairs));
	json_object_object_add(o, "min", number(e->ratio[0]));
	json_object_object_add(o, "max", number(e->ratio[e->nr_pairs - 1]));
	return o;
}

static int write_json(struct report *r, const char *path)
{
	struct json_object *all = check_alloc(json_object_new_array());
	int ret;

	for (size_t i = 0; i < r->nr_entries; i++)
		if (measured(&r->entries[i]))
			json_object_array_add(all, json_entry(&r->entries[i]));
	ret = json_object_to_file_ext(path, all, JSON_C_TO_STRING_PRETTY);
	if (ret)
		fprintf(stderr, "bench-report: %s\n", json_util_get_last_err());
	json_object_put(all);
	return ret;
}

static int read_samples(struct report *r)
{
	const char *wrong;
	char *line = NULL;
	size_t size = 0;
	int nr = 0;

	while (getline(&line, &size, stdin) >= 0) {
		nr++;
		wrong = take_line(r, line);
		if (wrong) {
			fprintf(stderr, "bench-report: line %d: %s\n", nr, wrong);
			free(line);
			return -EINVAL;
		}
	}
	free(line);
	return 0;
}

static void free_report(struct report *r)
{
	for (size_t i = 0; i < r->nr_entries; i++) {
		struct entry *e = &r->entries[i];

		free(e->name);
		free(e->unit);
		free(e->other_name);
		free(e->skipped);
		free(e->failed);
		free(e->ours);
		free(e->other);
		free(e->ratio);
	}
}

static void usage(FILE *f)
{
	fputs("usage: bench-report [--strict] JSON_FILE <SAMPLES\n\n"
	      "  --strict  exit with 1 also when a target is missed\n",
	      f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "strict", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	static struct report report;
	bool strict = false, failed, ok = true;
	int c;

	while ((c = getopt_long(argc, argv, "hs", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (c != 's') {
			usage(stderr);
			return 2;
		}
		strict = true;
	}
	if (argc - optind != 1) {
		usage(stderr);
		return 2;
	}
	failed = read_samples(&report);
	if (!failed) {
		printf("%-22s %-5s %8s %8s  %6s %6s %6s %6s %4s  %-6s  %s\n", "# entry", "unit",
		       "ours", "other", "ratio", "min", "max", "target", "runs", "result",
		       "other is");
		for (size_t i = 0; i < report.nr_entries; i++) {
			struct entry *e = &report.entries[i];

			ok &= print_entry(e);
			failed |= !measured(e) && !e->skipped;
		}
		failed |= write_json(&report, argv[optind]) != 0;
	}
	free_report(&report);
	return failed || (strict && !ok);
}
