// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>

#include <vringlab/err.h>

#include "fuzz.h"
#include "uring.h"

struct loop *fuzz_loop(void)
{
	struct loop *loop;
	struct vl_err err;
	int ret = loop_create(&loop, &err);

	if (ret) {
		fprintf(stderr, "%s\n", err.msg);
		exit(ret == -EPERM || ret == -ENOSYS ? 4 : 1);
	}
	return loop;
}

static void nothing(void *ctx, int res)
{
	(void)ctx;
	(void)res;
}

void fuzz_turn(struct loop *loop, unsigned int nr)
{
	/* with a task to do the loop does not wait for events */
	struct loop_task task = { .fn = nothing };

	while (nr--) {
		loop_task_add(loop, &task);
		FUZZ_CHECK(!loop_run_once(loop, 0));
	}
}

unsigned int fuzz_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	FUZZ_CHECK(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}
