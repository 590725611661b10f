// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include <vringlab/err.h>

#include "line.h"
#include "output.h"

const char *output_time(char *buf, uint64_t ns, bool plain)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };

	char *end;

	if (plain || ns < 1000) {
		end = line_digits(buf, ns);
		strcpy(end, plain ? "" : "ns");
		return buf;
	}
	/* The first unit and number of decimals that need no more than 3 digits. */
	for (unsigned int u = 0; u < 3; u++) {
		uint64_t step = units[u].ns / 100;

		for (int decimals = 2; decimals >= 0; decimals--, step *= 10) {
			uint64_t steps = ns / step + (ns % step >= step / 2);
			unsigned int power = decimals == 2 ? 100 : decimals ? 10 : 1;

			if (steps >= 1000 && (u < 2 || decimals))
				continue;
			end = line_digits(buf, steps / power);
			if (decimals)
				*end++ = '.';
			if (decimals == 2)
				*end++ = (char)('0' + steps % 100 / 10);
			if (decimals)
				*end++ = (char)('0' + steps % 10);
			strcpy(end, units[u].name);
			return buf;
		}
	}
	return buf;
}

static int print_json(FILE *f, struct json_object *json, bool lines, struct vl_err *err)
{
	const int style = lines ? JSON_C_TO_STRING_PLAIN :
				  JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	const char *text;

	if (!json)
		return vl_err_set(err, -ENOMEM, "no memory for the JSON output");
	text = json_object_to_json_string_ext(json, style | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(f, "%s\n", text);
	json_object_put(json);
	return text ? 0 : vl_err_set(err, -ENOMEM, "no memory for the JSON output");
}

/* A full disk or a closed pipe is a failure, not an empty report. */
static int finish(FILE *f, struct vl_err *err)
{
	int failed = ferror(f);

	if (!fflush(f) && !failed)
		return 0;
	return vl_err_set(err, errno ? -errno : -EIO, "cannot write the output: %s",
			  vl_strerror(errno ? errno : EIO));
}

int output_stat(FILE *f, const struct report *report, const struct output_options *options,
		struct vl_err *err)
{
	int ret;

	errno = 0;
	if (!options->json) {
		output_stat_text(f, report, options);
		return finish(f, err);
	}
	ret = print_json(f, output_stat_json(report), options->lines, err);
	return ret ? ret : finish(f, err);
}

int output_hist(FILE *f, const struct report *report, const struct output_options *options,
		struct vl_err *err)
{
	int ret;

	errno = 0;
	if (!options->json) {
		output_hist_text(f, report, options);
		return finish(f, err);
	}
	ret = print_json(f, output_hist_json(report, options->span), options->lines, err);
	return ret ? ret : finish(f, err);
}

int output_vcpus(FILE *f, const struct report_vcpus *report, const struct output_options *options,
		 struct vl_err *err)
{
	int ret;

	errno = 0;
	if (!options->json) {
		output_vcpus_text(f, report, options);
		return finish(f, err);
	}
	ret = print_json(f, output_vcpus_json(report), options->lines, err);
	return ret ? ret : finish(f, err);
}

int output_thresholds(FILE *f, const struct vlnl_threshold *thresholds, unsigned int nr,
		      const struct output_options *options, struct vl_err *err)
{
	int ret;

	errno = 0;
	if (!options->json) {
		output_thresholds_text(f, thresholds, nr, options->ns);
		return finish(f, err);
	}
	ret = print_json(f, output_thresholds_json(thresholds, nr), options->lines, err);
	return ret ? ret : finish(f, err);
}
