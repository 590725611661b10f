// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "line.h"

char *line_digits(char *buf, uint64_t value)
{
	char digits[LINE_U64_SIZE], *first = digits + sizeof(digits) - 1;
	size_t len;

	*first = '\0';
	do {
		first--;
		first[0] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	len = (size_t)(digits + sizeof(digits) - 1 - first);
	memcpy(buf, first, len + 1);
	return buf + len;
}

/* One byte stays for the newline. */
static size_t room(const struct line *line)
{
	return LINE_SIZE - 1 - line->len;
}

void line_append(struct line *line, const char *text, size_t len)
{
	if (len > room(line))
		len = room(line);
	memcpy(line->buf + line->len, text, len);
	line->len += len;
}

static void append_blanks(struct line *line, size_t nr)
{
	if (nr > room(line))
		nr = room(line);
	memset(line->buf + line->len, ' ', nr);
	line->len += nr;
}

void line_number(struct line *line, uint64_t value)
{
	char digits[LINE_U64_SIZE];

	line_append(line, digits, (size_t)(line_digits(digits, value) - digits));
}

void line_left(struct line *line, const char *text, size_t width)
{
	size_t len = strlen(text);

	line_append(line, text, len);
	if (len < width)
		append_blanks(line, width - len);
}

void line_column(struct line *line, const char *text, size_t width)
{
	size_t len = strlen(text);

	append_blanks(line, len < width ? width - len : 1);
	line_append(line, text, len);
}

void line_column_number(struct line *line, uint64_t value, size_t width)
{
	char digits[LINE_U64_SIZE];

	line_digits(digits, value);
	line_column(line, digits, width);
}

void line_end(struct line *line, FILE *f)
{
	line->buf[line->len++] = '\n';
	fwrite_unlocked(line->buf, 1, line->len, f);
	line->len = 0;
}
