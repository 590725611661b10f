// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "t_traffic.h"

static void *run(void *data)
{
	struct t_traffic *t = data;

	t->ret = t->ops->run(t);
	return NULL;
}

int t_traffic_start(struct t_traffic *t, const struct t_traffic_ops *ops)
{
	int ret;

	memset(t, 0, sizeof(*t));
	t->ops = ops;
	ret = ops->open(t);
	if (!ret)
		ret = -pthread_create(&t->thread, NULL, run, t);
	if (ret) {
		vl_err_prefix(&t->err, "%s", ops->name);
		return ret;
	}
	t->running = true;
	return 0;
}

int t_traffic_stop(struct t_traffic *t)
{
	if (!t->ops)
		return 0;
	if (t->running) {
		__atomic_store_n(&t->stop, true, __ATOMIC_RELAXED);
		pthread_join(t->thread, NULL);
	}
	t->running = false;
	t->ops->close(t);
	if (t->ret)
		vl_err_prefix(&t->err, "%s", t->ops->name);
	t->ops = NULL;
	return t->ret;
}
