// SPDX-License-Identifier: LGPL-2.1-or-later
#include <vringlab/vring_log.h>

bool vring_log_covers(const struct vring_log *log, uint64_t gpa, uint64_t len)
{
	if (!len)
		return true;
	if (len - 1 > UINT64_MAX - gpa)
		return false;
	return (gpa + (len - 1)) / VRING_LOG_PAGE / 8 < log->bytes;
}

void vring_log_mark(const struct vring_log *log, uint64_t gpa, uint64_t len)
{
	uint64_t page = gpa / VRING_LOG_PAGE;
	uint64_t last;

	if (!len)
		return;
	last = len - 1 > UINT64_MAX - gpa ? UINT64_MAX : gpa + (len - 1);
	last /= VRING_LOG_PAGE;
	/* the write before it: who sees the bit sees what was written */
	for (; page <= last && page / 8 < log->bytes; page++)
		__atomic_fetch_or(&log->bits[page / 8], 1u << page % 8, __ATOMIC_RELEASE);
}
