// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab drive: exercise a vhost-user back-end without a guest.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <vringlab/err.h>

#include "command.h"
#include "drive.h"

static int exit_code(int ret)
{
	return ret == -EPERM || ret == -ENOSYS || ret == -ENOTSUP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

/* With --reconnect: again with the next back-end, if this one is lost meanwhile. */
static int persist(struct drive *d, int (*step)(struct drive *d, struct vl_err *err),
		   struct vl_err *err)
{
	int ret = step(d, err);

	while (ret && vu_session_may_retry(&d->session, ret)) {
		ret = vu_session_reconnect(&d->session, err);
		if (ret)
			return ret;
		ret = step(d, err);
	}
	return ret;
}

static void on_signal(int signal_nr)
{
	(void)signal_nr;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	drive_finish();
}

/*
 * The first one ends it well, with a report, the second one at once. Before there is
 * anything to report the first one does.
 */
static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int drive_all(struct drive *d, struct vl_err *err)
{
	const struct drive_kind *kind = d->opt->kind;
	int ret = vu_session_connect(&d->session, err);

	if (!ret && kind->open)
		ret = persist(d, kind->open, err);
	if (ret)
		return ret;
	catch_signals();
	ret = drive_load(d, err);
	if (!ret)
		ret = persist(d, drive_stop, err);
	return ret;
}

static int run(const struct drive_options *opt)
{
	struct drive *d = calloc(1, sizeof(*d));
	struct vl_err err;
	int ret;

	if (!d) {
		vl_err_set(&err, -ENOMEM, "out of memory");
		return fail(&err, EXIT_FAILED);
	}
	d->opt = opt;
	drive_queues_plan(d);
	drive_session_init(d);
	ret = drive_memory_create(d, &err);
	if (!ret)
		ret = drive_queues_create(d, &err);
	if (!ret)
		ret = drive_all(d, &err);
	if (!ret)
		drive_report(d);
	if (opt->kind->close)
		opt->kind->close(d);
	vu_session_destroy(&d->session);
	drive_queues_destroy(d);
	drive_memory_destroy(d);
	free(d);
	return ret ? fail(&err, exit_code(ret)) : EXIT_OK;
}

int cmd_drive(int argc, char **argv)
{
	struct drive_options opt;
	bool help;
	int ret = drive_options_parse(&opt, argc, argv, &help);

	return ret || help ? ret : run(&opt);
}
