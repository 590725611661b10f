/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What json-c has no short form for.
 */
#ifndef VRINGLAB_JSON_ADD_H
#define VRINGLAB_JSON_ADD_H

#include <stdint.h>

#include <json-c/json.h>

/** json_add_u64() - A member that is a number. */
static inline void json_add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

#endif /* VRINGLAB_JSON_ADD_H */
