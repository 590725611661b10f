// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout: what the module asks, what it takes for an answer, and when it
 * forgets. Documentation/netlink/specs/vringlab.yaml.
 */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "module.h"

/* Nothing of ours reads through these two while no virtqueue is vhost's. */
#define OF_KERNEL "eventfd_ctx.id"
#define OF_VHOST "vhost_virtqueue.num"

/* clang-format off */
FIXTURE(layout) {
	struct t_genl g;
	struct vlnl *nl;
	struct vlnl_layout *members;
	int nr;
	struct vl_err err;
};

/* clang-format on */

static void look(struct __test_metadata *_metadata, FIXTURE_DATA(layout) * self)
{
	free(self->members);
	self->members = NULL;
	self->nr = vlnl_layout_dump(self->nl, &self->members, &self->err);
	ASSERT_LT(0, self->nr);
}

/* Each test begins with nothing told: the module is loaded for it. */
FIXTURE_SETUP(layout)
{
	if (!t_kmod_path())
		SKIP(return, "needs the module's file: set VRINGLAB_KO=");
	if (geteuid())
		SKIP(return, "needs CAP_SYS_MODULE: run as root");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	/* What else uses it would keep it. */
	t_kmod_rmmod("vhost_net");
	t_kmod_rmmod("vhost_vsock");
	t_kmod_modprobe("vhost");
	if (!t_kmod_loaded("vhost"))
		SKIP(return, "needs vhost as a module: build the kernel with CONFIG_VHOST_NET=m");
	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, vlnl_open(&self->nl, &self->err));
	look(_metadata, self);
}

FIXTURE_TEARDOWN(layout)
{
	free(self->members);
	vlnl_close(self->nl);
	t_genl_close(&self->g);
	t_kmod_rmmod("vringlab");
}

static const struct vlnl_layout *member(FIXTURE_DATA(layout) * self, const char *name)
{
	for (int i = 0; i < self->nr; i++)
		if (!strcmp(self->members[i].name, name))
			return &self->members[i];
	return NULL;
}

static int known(FIXTURE_DATA(layout) * self)
{
	int known = 0;

	for (int i = 0; i < self->nr; i++)
		known += self->members[i].known;
	return known;
}

static int set_in(struct t_genl *g, uint32_t generation, const char *name, uint32_t size,
		  uint32_t offset)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_LAYOUT_SET, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_GENERATION, generation);
	mnl_attr_put_strz(nlh, VRINGLAB_A_LAYOUT_NAME, name);
	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_SIZE, size);
	mnl_attr_put_u32(nlh, VRINGLAB_A_LAYOUT_OFFSET, offset);
	return t_genl_call(g, NULL, NULL);
}

static int set(FIXTURE_DATA(layout) * self, const char *name, uint32_t size, uint32_t offset)
{
	return set_in(&self->g, self->members[0].generation, name, size, offset);
}

#define EXPECT_REFUSED(error, attr, call)            \
	do {                                         \
		EXPECT_EQ(-(error), call);           \
		EXPECT_NE('\0', self->g.ack_msg[0]); \
		EXPECT_EQ(attr, self->g.ack_attr);   \
	} while (0)

TEST_F_TIMEOUT(layout, nothing_is_known_before_it_is_told, SLOW)
{
	EXPECT_EQ(0, known(self));
	EXPECT_NE(NULL, member(self, OF_KERNEL));
	EXPECT_STREQ("", member(self, OF_KERNEL)->module);
	EXPECT_NE(NULL, member(self, OF_VHOST));
	EXPECT_STREQ("vhost", member(self, OF_VHOST)->module);
}

TEST_F_TIMEOUT(layout, bad_answers_are_refused_and_change_nothing, SLOW)
{
	EXPECT_REFUSED(ENOENT, VRINGLAB_A_LAYOUT_NAME, set(self, "task_struct.cred", 8, 8));
	EXPECT_REFUSED(ENOENT, VRINGLAB_A_LAYOUT_NAME, set(self, "", 8, 8));
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_LAYOUT_SIZE, set(self, OF_VHOST, 8, 8));
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_LAYOUT_SIZE, set(self, OF_VHOST, 0, 8));
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_LAYOUT_OFFSET, set(self, OF_VHOST, 4, 2));
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_LAYOUT_OFFSET, set(self, OF_VHOST, 4, 32768));
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_LAYOUT_OFFSET, set(self, OF_VHOST, 4, UINT32_MAX - 3));
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_LAYOUT_OFFSET,
		       set(self, "vhost_virtqueue.poll", UINT32_MAX, 8));
	EXPECT_REFUSED(ESTALE, VRINGLAB_A_LAYOUT_GENERATION,
		       set_in(&self->g, self->members[0].generation + 1, OF_VHOST, 4, 8));
	look(_metadata, self);
	EXPECT_EQ(0, known(self));
}

TEST_F_TIMEOUT(layout, missing_attributes_are_EINVAL_and_named, SLOW)
{
	static const uint16_t attrs[] = {
		VRINGLAB_A_LAYOUT_GENERATION,
		VRINGLAB_A_LAYOUT_NAME,
		VRINGLAB_A_LAYOUT_SIZE,
		VRINGLAB_A_LAYOUT_OFFSET,
	};

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		struct nlmsghdr *nlh = t_genl_start(&self->g, VRINGLAB_CMD_LAYOUT_SET, NLM_F_ACK);

		for (size_t j = 0; j < sizeof(attrs) / sizeof(attrs[0]); j++) {
			if (j == i)
				continue;
			if (attrs[j] == VRINGLAB_A_LAYOUT_NAME)
				mnl_attr_put_strz(nlh, attrs[j], OF_VHOST);
			else
				mnl_attr_put_u32(nlh, attrs[j], 4);
		}
		EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL));
		EXPECT_EQ(attrs[i], self->g.ack_miss);
	}
}

TEST_F_TIMEOUT(layout, an_offset_is_told_once, SLOW)
{
	EXPECT_EQ(0, set(self, OF_VHOST, 4, 8));
	EXPECT_EQ(0, set(self, OF_VHOST, 4, 8));
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_LAYOUT_OFFSET, set(self, OF_VHOST, 4, 12));
	EXPECT_EQ(0, set(self, OF_KERNEL, 4, 32764));
	look(_metadata, self);
	EXPECT_EQ(2, known(self));
	EXPECT_EQ(8u, member(self, OF_VHOST)->offset);
	EXPECT_EQ(32764u, member(self, OF_KERNEL)->offset);
}

TEST_F_TIMEOUT(layout, is_void_when_the_module_goes_and_when_it_comes, SLOW)
{
	uint32_t before = self->members[0].generation;

	ASSERT_EQ(0, set(self, OF_VHOST, 4, 8));
	ASSERT_EQ(0, set(self, OF_KERNEL, 4, 8));
	ASSERT_EQ(0, t_kmod_rmmod("vhost"));
	EXPECT_REFUSED(ESTALE, VRINGLAB_A_LAYOUT_GENERATION,
		       set_in(&self->g, before, OF_VHOST, 4, 8));
	look(_metadata, self);
	EXPECT_FALSE(member(self, OF_VHOST)->known);
	EXPECT_TRUE(member(self, OF_KERNEL)->known);

	/* Told while it is away: of which build, nobody knows. */
	ASSERT_EQ(0, set(self, OF_VHOST, 4, 16));
	ASSERT_EQ(0, t_kmod_modprobe("vhost"));
	look(_metadata, self);
	EXPECT_FALSE(member(self, OF_VHOST)->known);
	EXPECT_TRUE(member(self, OF_KERNEL)->known);
}

static int set_as_nobody(struct __test_metadata *_metadata, FIXTURE_DATA(layout) * self)
{
	int status;
	pid_t pid = fork_child();

	ASSERT_LE(0, pid);
	if (!pid) {
		struct t_genl g;

		/* All capabilities there, none here. */
		if (unshare(CLONE_NEWUSER) || t_genl_open(&g, VRINGLAB_FAMILY_NAME))
			_exit(2);
		_exit(set_in(&g, self->members[0].generation, OF_VHOST, 4, 8) == -EPERM ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F_TIMEOUT(layout, root_of_another_user_namespace_may_not_tell, SLOW)
{
	EXPECT_EQ(0, set_as_nobody(_metadata, self));
	look(_metadata, self);
	EXPECT_EQ(0, known(self));
}

/* What pahole prints of a structure. It reads all of the BTF first: the last one is kept. */
static char *pahole(const char *module, const char *structure)
{
	static char last[128], text[1 << 16];
	char command[256];
	size_t len = 0;
	FILE *f;

	snprintf(command, sizeof(command), "pahole %s -C %s /sys/kernel/btf/%s 2>/dev/null",
		 *module ? "--btf_base /sys/kernel/btf/vmlinux" : "", structure,
		 *module ? module : "vmlinux");
	if (!strcmp(command, last))
		return text;
	strcpy(last, command);
	f = popen(command, "re");
	if (f) {
		len = fread(text, 1, sizeof(text) - 1, f);
		pclose(f);
	}
	text[len] = '\0';
	return text;
}

/* What it makes of the same BTF; -1 where it does not tell. */
static int pahole_offset(const char *module, const char *structure, const char *name)
{
	char *text = pahole(module, structure);
	FILE *f = fmemopen(text, strlen(text), "r");
	char line[256], pattern[64], *at, *comment;
	int offset = -1;

	snprintf(pattern, sizeof(pattern), "%s;", name);
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, pattern);
		comment = strstr(line, "/*");
		if (at && at > line && strchr(" \t*", at[-1]) && comment && offset < 0)
			sscanf(comment, "/* %d", &offset);
	}
	if (f)
		fclose(f);
	return offset;
}

/* Members of the structure itself, whose place pahole prints on their own line. */
TEST_F_TIMEOUT(layout, what_the_library_tells_is_what_pahole_finds, 240)
{
	int compared = 0, told;

	if (pahole_offset("", "eventfd_ctx", "id") < 0)
		SKIP(return, "needs pahole and the kernel's BTF: run scripts/setup");
	told = vlnl_layout_tell(self->nl, &self->err);
	EXPECT_LT(0, told)
	{
		TH_LOG("%s", self->err.msg);
	}
	look(_metadata, self);
	EXPECT_EQ(told, known(self));
	for (int i = 0; i < self->nr; i++) {
		const struct vlnl_layout *m = &self->members[i];
		char name[64], *dot;
		int offset;

		strcpy(name, m->name);
		dot = strchr(name, '.');
		*dot = '\0';
		if (!m->known || strchr(dot + 1, '.'))
			continue;
		offset = pahole_offset(m->module, name, dot + 1);
		if (offset < 0)
			continue;
		EXPECT_EQ((uint32_t)offset, m->offset)
		{
			TH_LOG("%s", m->name);
		}
		compared++;
	}
	TH_LOG("%d told, %d of them compared", told, compared);
	EXPECT_LT(8, compared);
}

TEST_F_TIMEOUT(layout, all_that_vhost_needs_is_found_and_can_be_told_again, SLOW)
{
	int owners = 0, told = vlnl_layout_tell(self->nl, &self->err);

	ASSERT_LT(0, told);
	look(_metadata, self);
	for (int i = 0; i < self->nr; i++) {
		const struct vlnl_layout *m = &self->members[i];

		if (strstr(m->name, "mutex"))
			owners += m->known;
		else if (!*m->module || !strcmp(m->module, "vhost"))
			EXPECT_TRUE(m->known)
			{
				TH_LOG("%s", m->name);
			}
	}
	EXPECT_EQ(1, owners);
	EXPECT_EQ(told, vlnl_layout_tell(self->nl, &self->err));
}

TEST_HARNESS_MAIN
