// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-startexit: milliseconds from the start of a command to its end.
 *
 *   bench-startexit EXIT_STATUS OUTPUT COMMAND [ARGUMENT]...
 *
 * The command must print OUTPUT and a newline, and end with EXIT_STATUS: the
 * time of a command that failed is not a measurement.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

extern char **environ;

/* A pipe holds the output, so that no reader takes CPU time meanwhile. */
static pid_t start(char **command, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	ret = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
	if (ret)
		die_errno(ret, "cannot start %s", command[0]);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void check_output(int fd, const char *expected, const char *command)
{
	char text[256] = "";
	ssize_t nr = read(fd, text, sizeof(text) - 1);
	size_t len = strlen(expected);

	if (nr < 0)
		die_errno(errno, "cannot read what %s printed", command);
	if ((size_t)nr == len + 1 && !memcmp(text, expected, len) && text[len] == '\n')
		return;
	text[strcspn(text, "\n")] = '\0';
	die("%s printed '%s...', not '%s'", command, text, expected);
}

int main(int argc, char **argv)
{
	uint64_t begin, end;
	int out[2], status;
	pid_t pid;

	if (argc < 4) {
		fputs("usage: bench-startexit EXIT_STATUS OUTPUT COMMAND [ARGUMENT]...\n", stderr);
		return 2;
	}
	if (pipe2(out, O_CLOEXEC))
		die_errno(errno, "pipe2");
	begin = now_ns();
	pid = start(argv + 3, out[1]);
	if (waitpid(pid, &status, 0) < 0)
		die_errno(errno, "waitpid");
	end = now_ns();
	close(out[1]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != atoi(argv[1]))
		die("%s ended with wait status 0x%x, not with exit status %s", argv[3], status,
		    argv[1]);
	check_output(out[0], argv[2], argv[3]);
	printf("%.3f\n", (double)(end - begin) / 1e6);
	return 0;
}
