/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of a JSON object, as text: for what a report has a hundred numbers of for
 * each of a thousand vrings, where json-c's object for each costs more than all else.
 *
 * To be used by a serializer of json_object_set_serializer(), whose arguments it takes.
 * Looks as what json-c makes of the flags PRETTY and SPACED together, or of neither.
 */
#ifndef VRINGLAB_JSON_TEXT_H
#define VRINGLAB_JSON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct printbuf;

/**
 * struct json_text - Text under way
 * @pb:		Where to.
 * @level:	How deep.
 * @flags:	JSON_C_TO_STRING_*.
 * @any:	The innermost object or array has a member.
 */
struct json_text {
	struct printbuf *pb;
	int level;
	int flags;
	bool any;
};

/** json_text_open() - Begin an object by "{", or an array by "[". */
void json_text_open(struct json_text *t, const char *bracket);

/** json_text_close() - And end it. */
void json_text_close(struct json_text *t, const char *bracket);

/** json_text_item() - What is opened next is an array's next. */
void json_text_item(struct json_text *t);

/** json_text_name() - What is opened next is the member of this name, which is plain. */
void json_text_name(struct json_text *t, const char *name);

/** json_text_number() - A member that is a number. */
void json_text_number(struct json_text *t, const char *name, uint64_t value);

/** json_text_string() - One that is a string, of characters that need no escape. */
void json_text_string(struct json_text *t, const char *name, const char *value);

/** json_text_null() - One that is not known. */
void json_text_null(struct json_text *t, const char *name);

#endif /* VRINGLAB_JSON_TEXT_H */
