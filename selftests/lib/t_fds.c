// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "t_fds.h"

int t_fds_count(pid_t pid)
{
	char path[64] = "/proc/self/fd";
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	/* the folder's own fd was counted where it is the caller's */
	return nr - !pid;
}

int t_maps_count(pid_t pid)
{
	char path[64] = "/proc/self/maps", line[512], shared;
	int nr = 0;
	FILE *f;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		nr += sscanf(line, "%*s %*c%*c%*c%c", &shared) == 1 && shared == 's';
	fclose(f);
	return nr;
}
