// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t_foreign.h"

/* How often to look whether the program listens. */
#define LOOK_MS 50

int t_foreign_init(struct t_foreign *b)
{
	int ret;

	*b = (struct t_foreign){ .child = T_CHILD_NONE };
	ret = t_tmpdir_create(b->dir);
	if (ret)
		return ret;
	snprintf(b->socket, sizeof(b->socket), "%s/socket", b->dir);
	return 0;
}

int t_foreign_start(struct t_foreign *b, const char *const argv[])
{
	int ret = t_child_start(&b->child, argv);

	if (ret)
		return ret;
	for (int left = T_DEADLINE_MS; left > 0; left -= LOOK_MS) {
		ret = vu_frontend_connect(&b->fe, b->socket, T_DEADLINE_MS, &b->err);
		if (ret != -ENOENT && ret != -ECONNREFUSED)
			return ret;
		if (t_child_wait(&b->child, LOOK_MS) != -ETIMEDOUT)
			return -ECHILD;
	}
	return ret;
}

static int make_rings(struct t_foreign *b, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++) {
		ret = t_ring_create(&b->rings[i]);
		b->rings[i].base = i * (uint64_t)T_RING_MEM_BYTES;
	}
	return ret;
}

int t_foreign_open(struct t_foreign *b, const struct vu_frontend_wish *wish, unsigned int nr)
{
	struct vu_frontend_region regions[T_FOREIGN_QUEUES];
	int ret = make_rings(b, nr);

	if (!ret)
		ret = vu_frontend_open(b->fe, wish, &b->err);
	for (unsigned int i = 0; i < nr && !ret; i++)
		regions[i] = t_ring_region(&b->rings[i]);
	if (!ret)
		ret = vu_frontend_set_mem_table(b->fe, regions, nr, &b->err);
	for (unsigned int i = 0; i < nr && !ret; i++) {
		const struct vu_frontend_vring vring = t_ring_vring(&b->rings[i], i);

		ret = vu_frontend_start_vring(b->fe, &vring, &b->err);
	}
	return ret;
}

void t_foreign_exit(struct t_foreign *b)
{
	vu_frontend_destroy(b->fe);
	t_child_kill(&b->child);
	for (unsigned int i = 0; i < T_FOREIGN_QUEUES; i++)
		t_ring_destroy(&b->rings[i]);
	t_tmpdir_remove(b->dir);
}

const char *t_foreign_said(const struct t_foreign *b, char *buf, size_t size)
{
	ssize_t len = 0;

	if (!t_poll_until(b->child.err, LOOK_MS))
		len = read(b->child.err, buf, size - 1);
	buf[len > 0 ? len : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

const char *t_peers(void)
{
	static char path[512];
	const char *src = getenv("VRINGLAB_SRC");

	if (src && *src)
		snprintf(path, sizeof(path), "%s/scripts/peers", src);
	return path;
}

int t_newer_version(const char *package, char *text, size_t size)
{
	char command[600];
	FILE *f;

	snprintf(text, size, "no scripts/peers: give the project's folder in VRINGLAB_SRC=");
	if (access(t_peers(), X_OK))
		return -ENOENT;
	snprintf(command, sizeof(command), "'%s' version %s 2>&1", t_peers(), package);
	f = popen(command, "re");
	if (!f)
		return -ENOENT;
	if (!fgets(text, (int)size, f))
		snprintf(text, size, "%s said nothing", t_peers());
	text[strcspn(text, "\n")] = '\0';
	return pclose(f) ? -ENOENT : 0;
}
