// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/parse.h>

struct suffix {
	const char *text;
	uint64_t factor;
};

/* Parses digits and one suffix out of a table that ends with a NULL text. */
static int parse_scaled(const char *text, const struct suffix *suffixes, uint64_t min, uint64_t max,
			uint64_t *value)
{
	uint64_t number;
	char *end;

	/* strtoull() would take leading space and a sign */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, strncasecmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return -errno;

	while (suffixes->text && strcmp(suffixes->text, end))
		suffixes++;
	if (!suffixes->text)
		return -EINVAL;
	if (__builtin_mul_overflow(number, suffixes->factor, &number))
		return -ERANGE;
	if (number < min || number > max)
		return -ERANGE;
	*value = number;
	return 0;
}

int vl_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	static const struct suffix none[] = { { "", 1 }, { NULL, 0 } };

	return parse_scaled(text, none, min, max, value);
}

int vl_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	static const struct suffix units[] = {
		{ "", 1 },	     { "K", 1ULL << 10 }, { "M", 1ULL << 20 },
		{ "G", 1ULL << 30 }, { NULL, 0 },
	};

	return parse_scaled(text, units, min, max, bytes);
}

int vl_parse_duration_ns(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns)
{
	static const struct suffix units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { NULL, 0 },
	};

	return parse_scaled(text, units, min_ns, max_ns, ns);
}
