/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subcommands: one function each, one row each in the table of vringlab.c.
 */
#ifndef VRINGLAB_COMMAND_H
#define VRINGLAB_COMMAND_H

struct vl_err;

/* Exit codes, the same for every subcommand; 4 is kselftest's KSFT_SKIP. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 4,
};

/**
 * fail() - Print the one message of a failed subcommand
 * @err:	What went wrong.
 * @exit_code:	Returned.
 *
 * Return: @exit_code.
 */
int fail(const struct vl_err *err, int exit_code);

/**
 * usage_error() - Print what is wrong with the command line
 * @command:	Subcommand, as in the table.
 * @fmt:	printf() format of the message.
 *
 * Points at ``vringlab COMMAND --help``.
 *
 * Return: %EXIT_USAGE.
 */
int usage_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * option_error() - Print why getopt_long() did not take an option
 * @command:	Subcommand, as in the table.
 * @opt:	What it returned; ':' for a value that is missing.
 * @argv:	What it was given; the option is before optind.
 *
 * Return: %EXIT_USAGE.
 */
int option_error(const char *command, int opt, char **argv);

/* argv[0] is the subcommand's name. */
int cmd_backend(int argc, char **argv);
int cmd_discover(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_drive(int argc, char **argv);
int cmd_hist(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_threshold(int argc, char **argv);
int cmd_vmm(int argc, char **argv);

#endif /* VRINGLAB_COMMAND_H */
