// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab: one table of subcommands.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>

#include "command.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "vmm", cmd_vmm, "run Linux or a micro-guest on KVM" },
	{ "backend", cmd_backend, "serve devices to vhost-user front-ends" },
	{ "drive", cmd_drive, "exercise a vhost-user back-end without a guest" },
	{ "discover", cmd_discover, "find vrings that nobody registers" },
	{ "stat", cmd_stat, "show counters and latency percentiles of every vring" },
	{ "hist", cmd_hist, "show latency histograms" },
	{ "doctor", cmd_doctor, "tell what this machine lacks for tracing, and the cure" },
	{ "monitor", cmd_monitor, "show vrings as they come and go, and hits of thresholds" },
	{ "threshold", cmd_threshold, "act when a span is longer than it should be" },
};

int fail(const struct vl_err *err, int exit_code)
{
	fprintf(stderr, "vringlab: %s\n", err->msg);
	return exit_code;
}

int usage_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vringlab %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'vringlab %s --help'.\n", command);
	return EXIT_USAGE;
}

int option_error(const char *command, int opt, char **argv)
{
	const char *option = argv[optind - 1];

	return opt == ':' ? usage_error(command, "option '%s' needs a value", option) :
			    usage_error(command, "unknown option '%s'", option);
}

static void usage(FILE *f)
{
	fputs("usage: vringlab COMMAND [OPTION]...\n\n"
	      "Follows a virtqueue's kick to the interrupt that answers it.\n\n"
	      "commands:\n",
	      f);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n'vringlab COMMAND --help' shows a command's options.\n"
	      "exit codes: 0 ok, 1 failure, 2 usage, 4 not supported here\n",
	      f);
}

/*
 * Started without a standard stream, the next file opened would be in its place, and a
 * message to the user would go to a peer's socket. What is there now takes no output.
 */
static void keep_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* A file that must not grow (RLIMIT_FSIZE) is an error of who writes to it: EFBIG. */
static void ignore_limits(void)
{
	signal(SIGXFSZ, SIG_IGN);
}

/* A report that a full disk has not taken is none. */
static int check_output(int result)
{
	struct vl_err err;

	errno = 0;
	if ((!fflush(stdout) && !ferror(stdout)) || result != EXIT_OK)
		return result;
	/* of what failed before, stdio does not keep why */
	vl_err_set(&err, -EIO, "cannot write to standard output: %s",
		   errno ? vl_strerror(errno) : "a part of it is lost");
	return fail(&err, EXIT_FAILED);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("vringlab %s\n", VRINGLAB_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);

	fprintf(stderr, "vringlab: no command '%s'\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	keep_streams();
	ignore_limits();
	return check_output(run(argc, argv));
}
