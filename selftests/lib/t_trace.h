/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of events/vringlab/ as tracefs prints them, in a trace instance of
 * the test's own or in the top one.
 */
#ifndef VRINGLAB_SELFTESTS_T_TRACE_H
#define VRINGLAB_SELFTESTS_T_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct t_trace - One trace buffer
 * @dir:	Its folder in tracefs, "" if it is not open.
 * @instance:	Made by t_trace_open().
 */
struct t_trace {
	char dir[128];
	bool instance;
};

/**
 * t_trace_open() - Take a buffer, empty and with no event of ours enabled
 * @t:		Filled.
 * @name:	Of a new instance, or NULL for the top buffer.
 * @size_kb:	Of each CPU's part.
 *
 * Return: 0, %-ENOENT without tracefs, or another negative errno.
 */
int t_trace_open(struct t_trace *t, const char *name, const char *size_kb);

/** t_trace_close() - Disable our events and give the buffer back; 0 or a negative errno. */
int t_trace_close(struct t_trace *t);

/** t_trace_put_in() - Write @text to a file of the folder @dir; 0 or a negative errno. */
int t_trace_put_in(const char *dir, const char *file, const char *text);

/** t_trace_put() - Write @text to a file of the buffer; 0 or a negative errno. */
int t_trace_put(const struct t_trace *t, const char *file, const char *text);

/** t_trace_get_number() - The number in a file of the buffer, or a negative errno. */
long t_trace_get_number(const struct t_trace *t, const char *file);

/** t_trace_lost() - How many events are not in the buffer any more, or a negative errno. */
long t_trace_lost(const struct t_trace *t);

/**
 * t_trace_fn - Takes an event
 * @event:	Its name, without the system.
 * @fields:	The rest of the line, with a space ahead of each field.
 */
typedef void (*t_trace_fn)(const char *event, const char *fields, void *data);

/**
 * t_trace_read() - All events of one vring, in their order
 * @t:		Buffer; nothing is consumed.
 * @file:	"trace" or "snapshot".
 * @vring:	Its id.
 * @fn:		Called for each.
 * @data:	For @fn.
 *
 * Return: how many there were, or a negative errno.
 */
long t_trace_read(const struct t_trace *t, const char *file, uint32_t vring, t_trace_fn fn,
		  void *data);

/** t_trace_field() - A field's number; false if there is no such field. */
bool t_trace_field(const char *fields, const char *name, int64_t *value);

#endif /* VRINGLAB_SELFTESTS_T_TRACE_H */
