// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/virtio_ids.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vdev_console.h>

#include "device.h"
#include "json_add.h"

static const char *const console_options[] = { "stdio", "input", "output", NULL };

static const char console_usage[] =
	"  --stdio          reads standard input, and writes standard output\n"
	"  --input PATH     reads this file, pipe or terminal (default: nothing)\n"
	"  --output PATH    writes this file, pipe or terminal (default: nowhere)\n";

static const char *console_take(struct device_options *opt, const char *name, const char *arg)
{
	if (!strcmp(name, "stdio"))
		opt->stdio = true;
	else if (!strcmp(name, "input"))
		opt->input = arg;
	else
		opt->output = arg;
	return NULL;
}

static const char *console_check(const struct device_options *opt)
{
	if (opt->stdio == (opt->input || opt->output))
		return "console needs --stdio, or --input PATH, --output PATH or both";
	return NULL;
}

/* An end of a pipe or a terminal that nobody has opened yet is no reason to wait. */
static int open_end(const char *path, int standard, bool stdio, int flags, int *fd,
		    struct vl_err *err)
{
	*fd = -1;
	if (!stdio && !path)
		return 0;
	*fd = stdio ? fcntl(standard, F_DUPFD_CLOEXEC, 0) :
		      open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (*fd >= 0)
		return 0;
	return vl_err_set(err, -errno, "cannot open %s for a console: %s",
			  path ? path : "a standard stream", vl_strerror(errno));
}

static void set_size(struct vdev_console_config *config)
{
	struct winsize size;

	if (config->out_fd < 0 || ioctl(config->out_fd, TIOCGWINSZ, &size))
		return;
	config->cols = size.ws_col;
	config->rows = size.ws_row;
}

static int console_create(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
			  struct vl_err *err)
{
	struct vdev_console_config config = { .in_fd = -1, .out_fd = -1 };
	int ret = open_end(opt->input, STDIN_FILENO, opt->stdio, O_RDONLY, &config.in_fd, err);

	if (!ret)
		ret = open_end(opt->output, STDOUT_FILENO, opt->stdio,
			       O_WRONLY | O_CREAT | O_APPEND, &config.out_fd, err);
	if (ret) {
		vl_fd_close(&config.in_fd);
		return ret;
	}
	set_size(&config);
	return vdev_console_create(vdev, loop, &config, err);
}

static struct json_object *console_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_console_stats s;

	vdev_console_get_stats(vdev, &s);
	json_add_u64(o, "rx-bytes", s.rx_bytes);
	json_add_u64(o, "tx-bytes", s.tx_bytes);
	json_add_u64(o, "tx-dropped", s.tx_dropped);
	return o;
}

const struct device_kind device_console = {
	.name = "console",
	.device_id = VIRTIO_ID_CONSOLE,
	.help = "a terminal of one port: --stdio, or --input PATH and --output PATH",
	.queues_max = 1,
	.options = console_options,
	.usage = console_usage,
	.take = console_take,
	.check = console_check,
	.create = console_create,
	.destroy = vdev_console_destroy,
	.stats = console_stats,
};
