/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of text, put together without printf(): a report has a dozen of them for
 * each of a thousand vrings.
 */
#ifndef VRINGLAB_LINE_H
#define VRINGLAB_LINE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What is longer is cut off. */
#define LINE_SIZE 256u

/* Enough for any of 64 bits and a NUL. */
#define LINE_U64_SIZE 21u

/**
 * struct line - A line under way; zeroes are an empty one
 * @len:	Bytes of @buf in use.
 * @buf:	The text so far.
 */
struct line {
	size_t len;
	char buf[LINE_SIZE];
};

/**
 * line_digits() - A number as text
 * @buf:	At least LINE_U64_SIZE.
 * @value:	Number.
 *
 * Return: where the NUL is.
 */
char *line_digits(char *buf, uint64_t value);

/**
 * line_append() - Append so many bytes
 * @line:	Line.
 * @text:	Text.
 * @len:	Its length.
 */
void line_append(struct line *line, const char *text, size_t len);

/**
 * line_text() - Append text
 * @line:	Line.
 * @text:	Text.
 *
 * Inline, for the length of most is known to the compiler.
 */
static inline void line_text(struct line *line, const char *text)
{
	line_append(line, text, strlen(text));
}

/**
 * line_number() - Append a number
 * @line:	Line.
 * @value:	Number.
 */
void line_number(struct line *line, uint64_t value);

/**
 * line_left() - Append text, and blanks behind it up to a width
 * @line:	Line.
 * @text:	Text.
 * @width:	Least number of bytes to append.
 */
void line_left(struct line *line, const char *text, size_t width);

/**
 * line_column() - Append blanks, at least one, and text, up to a width
 * @line:	Line.
 * @text:	Text.
 * @width:	Least number of bytes to append.
 */
void line_column(struct line *line, const char *text, size_t width);

/**
 * line_column_number() - Likewise, a number
 * @line:	Line.
 * @value:	Number.
 * @width:	Least number of bytes to append.
 */
void line_column_number(struct line *line, uint64_t value, size_t width);

/**
 * line_end() - Write the line and its newline, and begin the next
 * @line:	Line.
 * @f:		Where to; ferror() tells of failure.
 */
void line_end(struct line *line, FILE *f);

#endif /* VRINGLAB_LINE_H */
