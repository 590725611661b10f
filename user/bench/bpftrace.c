// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "tracer.h"

/*
 * What the module does, as a person would write it: each hop of this process is
 * stamped, counted, and its span goes into a histogram.
 */
static const char program[] =
	"BEGIN { printf(\"ready\\n\"); }"
	"tracepoint:kvm:kvm_exit /pid == $1/ { @exit = nsecs; @exits++; }"
	"kprobe:eventfd_signal_mask /pid == $1/ {"
	"	@kick = nsecs; @kicks++; @exit_kick = hist(@kick - @exit); }"
	"kprobe:eventfd_read /pid == $1/ {"
	"	@wake = nsecs; @wakes++; @kick_wake = hist(@wake - @kick); }"
	"kprobe:eventfd_write /pid == $1/ {"
	"	@call = nsecs; @calls++; @wake_call = hist(@call - @wake); }"
	"tracepoint:kvm:kvm_apic_accept_irq /pid == $1/ {"
	"	@inject = nsecs; @injects++; @call_inject = hist(@inject - @call); }"
	"tracepoint:kvm:kvm_entry /pid == $1 && @inject/ {"
	"	@entries++; @inject_entry = hist(nsecs - @inject);"
	"	@kick_entry = hist(nsecs - @kick); @inject = 0; }";

static const char *const counters[] = { "@exits", "@kicks",   "@wakes",
					"@calls", "@injects", "@entries" };

static pid_t child;
static FILE *output;

static void run(int out)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getppid());
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execlp("bpftrace", "bpftrace", "-e", program, pid, (char *)NULL);
	_exit(127);
}

/* Reads up to the line that starts with @text. */
static bool wait_for(const char *text, char line[256])
{
	while (fgets(line, 256, output))
		if (!strncmp(line, text, strlen(text)))
			return true;
	return false;
}

bool bpftrace_attach(void)
{
	char line[256];
	int fds[2];

	if (pipe(fds))
		die_errno(errno, "pipe");
	child = fork();
	if (child < 0)
		die_errno(errno, "fork");
	if (!child)
		run(fds[1]);
	close(fds[1]);
	output = fdopen(fds[0], "r");
	if (!output)
		die_errno(errno, "fdopen");
	if (wait_for("ready", line))
		return true;
	fclose(output);
	waitpid(child, NULL, 0);
	return false;
}

/* Counters are printed in the order of their names, whatever that is. */
void bpftrace_detach(uint64_t min_hits)
{
	unsigned int seen = 0;
	char line[256];

	kill(child, SIGINT);
	while (wait_for("@", line)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
			if (!strcmp(line, counters[i]) && strtoull(colon + 1, NULL, 10) >= min_hits)
				seen++;
	}
	fclose(output);
	waitpid(child, NULL, 0);
	if (seen != ARRAY_SIZE(counters))
		die("bpftrace saw %u of %zu hops at least %llu times", seen, ARRAY_SIZE(counters),
		    (unsigned long long)min_hits);
}
