// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <json-c/printbuf.h>

#include "json_text.h"
#include "line.h"

static void flush(struct json_text *t, const struct line *line)
{
	printbuf_memappend(t->pb, line->buf, (int)line->len);
}

static void new_line(const struct json_text *t, struct line *line)
{
	/* As deep as a report goes, and more. */
	static const char start[] = "\n                                ";
	size_t len = 1 + 2 * (size_t)t->level;

	if (t->flags & JSON_C_TO_STRING_PRETTY)
		line_append(line, start, len < sizeof(start) ? len : sizeof(start) - 1);
}

static void separate(struct json_text *t, struct line *line)
{
	if (t->any)
		line_text(line, ",");
	new_line(t, line);
	t->any = true;
}

static void add_name(struct json_text *t, struct line *line, const char *name)
{
	separate(t, line);
	line_text(line, "\"");
	line_text(line, name);
	line_text(line, t->flags & JSON_C_TO_STRING_SPACED ? "\": " : "\":");
}

void json_text_open(struct json_text *t, const char *bracket)
{
	printbuf_memappend(t->pb, bracket, 1);
	t->level++;
	t->any = false;
}

void json_text_close(struct json_text *t, const char *bracket)
{
	struct line line;

	line.len = 0;
	t->level--;
	if (t->any)
		new_line(t, &line);
	line_text(&line, bracket);
	flush(t, &line);
	t->any = true;
}

void json_text_item(struct json_text *t)
{
	struct line line;

	line.len = 0;
	separate(t, &line);
	flush(t, &line);
}

void json_text_name(struct json_text *t, const char *name)
{
	struct line line;

	line.len = 0;
	add_name(t, &line, name);
	flush(t, &line);
}

void json_text_number(struct json_text *t, const char *name, uint64_t value)
{
	struct line line;

	line.len = 0;
	add_name(t, &line, name);
	line_number(&line, value);
	flush(t, &line);
}

void json_text_string(struct json_text *t, const char *name, const char *value)
{
	struct line line;

	line.len = 0;
	add_name(t, &line, name);
	line_text(&line, "\"");
	line_text(&line, value);
	line_text(&line, "\"");
	flush(t, &line);
}

void json_text_null(struct json_text *t, const char *name)
{
	struct line line;

	line.len = 0;
	add_name(t, &line, name);
	line_text(&line, "null");
	flush(t, &line);
}
