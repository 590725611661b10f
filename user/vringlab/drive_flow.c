// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packets of a pair of virtqueues by their numbers: a network may lose them, and
 * may not change their order nor double them.
 */
#include <errno.h>
#include <stdlib.h>

#include "drive_net.h"

/* So far back it is known which ones came. */
#define HISTORY 4096u

static uint64_t due(const struct drive_flow *f)
{
	return f->highest > f->given_up ? f->highest : f->given_up;
}

uint64_t drive_flow_awaited(const struct drive_flow *f)
{
	return f->sent - due(f);
}

int drive_flow_create(struct drive_flow *f, unsigned int depth)
{
	f->depth = depth;
	f->came = calloc(HISTORY, sizeof(*f->came));
	f->sent_ns = calloc(depth, sizeof(*f->sent_ns));
	return f->came && f->sent_ns ? 0 : -ENOMEM;
}

void drive_flow_destroy(struct drive_flow *f)
{
	free(f->came);
	free(f->sent_ns);
}

uint64_t drive_flow_send(struct drive_flow *f, uint64_t now_ns)
{
	f->sent_ns[f->sent % f->depth] = now_ns;
	return f->sent++;
}

/* Those that are too old are waited for no more. */
void drive_flow_give_up(struct drive_flow *f, uint64_t now_ns, uint64_t loss_ns)
{
	while (drive_flow_awaited(f) && now_ns - f->sent_ns[due(f) % f->depth] >= loss_ns)
		f->given_up = due(f) + 1;
}

static enum drive_arrival behind(struct drive_flow *f, uint64_t seq)
{
	bool *came = &f->came[seq % HISTORY];

	if (f->highest - seq > HISTORY || *came)
		return DRIVE_DUPLICATE;
	*came = true;
	f->received++;
	return DRIVE_REORDERED;
}

enum drive_arrival drive_flow_receive(struct drive_flow *f, uint64_t seq, uint64_t *sent_ns)
{
	uint64_t skipped = seq - f->highest;

	*sent_ns = 0;
	if (seq < f->highest)
		return behind(f, seq);
	if (seq >= due(f) && seq < f->sent)
		*sent_ns = f->sent_ns[seq % f->depth];
	for (uint64_t i = 0; i < skipped && i < HISTORY; i++)
		f->came[(seq - 1 - i) % HISTORY] = false;
	f->came[seq % HISTORY] = true;
	f->highest = seq + 1;
	f->received++;
	return DRIVE_IN_ORDER;
}

/* Of those that were sent or, if others sent them, of those from the first on. */
uint64_t drive_flow_lost(const struct drive_flow *f)
{
	return (f->sent ? f->sent : f->highest - f->first) - f->received;
}
