// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members found by name in BTF that is made here: what kernels do to their
 * structures, and what they do not have.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>

#include <vringlab/btf.h>
#include <vringlab/err.h>

#include "kselftest_harness.h"

/* clang-format off */
FIXTURE(btf) {
	char dir[32];
	struct vl_btf *btf;
	struct vl_btf_member m;
	struct vl_err err;
};

/* clang-format on */

static void write_btf(struct __test_metadata *_metadata, const char *dir, const char *name,
		      const struct btf *btf)
{
	char path[64];
	const void *data;
	uint32_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	data = btf__raw_data(btf, &size);
	ASSERT_NE(NULL, data);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)size, write(fd, data, size));
	close(fd);
}

/*
 * struct plain { u32 a; u64 b; };
 * typedef const struct plain plain_t;
 * struct outer {
 *	u32 first;
 *	union {				// at 8
 *		u64 features;
 *		struct { u64 low; u64 high; };
 *	};
 *	plain_t in;			// at 24
 *	u32 bits : 3;			// at 40
 *	struct plain *pointer;		// at 48
 * };
 */
static void make_kernel(struct __test_metadata *_metadata, const char *dir, struct btf **kernel)
{
	struct btf *btf = btf__new_empty();
	int u32_id, u64_id, plain, anon, inner, alias;

	ASSERT_NE(NULL, btf);
	u32_id = btf__add_int(btf, "unsigned int", 4, 0);
	u64_id = btf__add_int(btf, "unsigned long", 8, 0);
	plain = btf__add_struct(btf, "plain", 16);
	btf__add_field(btf, "a", u32_id, 0, 0);
	btf__add_field(btf, "b", u64_id, 64, 0);
	alias = btf__add_typedef(btf, "plain_t", btf__add_const(btf, plain));
	inner = btf__add_struct(btf, NULL, 16);
	btf__add_field(btf, "low", u64_id, 0, 0);
	btf__add_field(btf, "high", u64_id, 64, 0);
	anon = btf__add_union(btf, NULL, 16);
	btf__add_field(btf, "features", u64_id, 0, 0);
	btf__add_field(btf, NULL, inner, 0, 0);
	plain = btf__add_ptr(btf, plain);
	btf__add_struct(btf, "outer", 56);
	btf__add_field(btf, "first", u32_id, 0, 0);
	btf__add_field(btf, NULL, anon, 64, 0);
	btf__add_field(btf, "in", alias, 192, 0);
	btf__add_field(btf, "bits", u32_id, 320, 3);
	ASSERT_EQ(0, btf__add_field(btf, "pointer", plain, 384, 0));
	write_btf(_metadata, dir, "vmlinux", btf);
	*kernel = btf;
}

/* struct own { struct plain p; u32 last; }, with a struct plain of the module's own. */
static void make_module(struct __test_metadata *_metadata, const char *dir, struct btf *kernel)
{
	struct btf *btf = btf__new_empty_split(kernel);
	int u32_id;

	ASSERT_NE(NULL, btf);
	u32_id = btf__find_by_name(kernel, "unsigned int");
	btf__add_struct(btf, "own", 24);
	btf__add_field(btf, "p", btf__find_by_name(kernel, "plain"), 0, 0);
	ASSERT_EQ(0, btf__add_field(btf, "last", u32_id, 128, 0));
	write_btf(_metadata, dir, "some_module", btf);
	btf__free(btf);
}

FIXTURE_SETUP(btf)
{
	struct btf *kernel = NULL;

	strcpy(self->dir, "/tmp/vl-btf-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	make_kernel(_metadata, self->dir, &kernel);
	make_module(_metadata, self->dir, kernel);
	btf__free(kernel);
	ASSERT_EQ(0, vl_btf_open(&self->btf, self->dir, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(btf)
{
	static const char *const files[] = { "vmlinux", "some_module", "broken" };
	char path[64];

	vl_btf_close(self->btf);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, files[i]);
		unlink(path);
	}
	rmdir(self->dir);
}

#define EXPECT_AT(offset_, size_, module, path)                                           \
	do {                                                                              \
		EXPECT_EQ(0, vl_btf_find(self->btf, module, path, &self->m, &self->err)); \
		EXPECT_EQ((uint32_t)(offset_), self->m.offset);                           \
		EXPECT_EQ((uint32_t)(size_), self->m.size);                               \
	} while (0)

#define EXPECT_NONE(error, module, path)                                                         \
	do {                                                                                     \
		self->err.msg[0] = '\0';                                                         \
		EXPECT_EQ(-(error), vl_btf_find(self->btf, module, path, &self->m, &self->err)); \
		EXPECT_NE('\0', self->err.msg[0]);                                               \
	} while (0)

TEST_F(btf, members_are_found_by_name)
{
	EXPECT_AT(0, 4, NULL, "plain.a");
	EXPECT_AT(8, 8, "", "plain.b");
	EXPECT_AT(0, 4, NULL, "outer.first");
	EXPECT_AT(48, 8, NULL, "outer.pointer");
}

TEST_F(btf, anonymous_structures_and_unions_are_descended_into)
{
	EXPECT_AT(8, 8, NULL, "outer.features");
	EXPECT_AT(8, 8, NULL, "outer.low");
	EXPECT_AT(16, 8, NULL, "outer.high");
}

TEST_F(btf, paths_go_through_typedefs_and_qualifiers)
{
	EXPECT_AT(24, 16, NULL, "outer.in");
	EXPECT_AT(32, 8, NULL, "outer.in.b");
}

TEST_F(btf, a_module_has_its_own_structures_and_the_kernels)
{
	EXPECT_AT(16, 4, "some_module", "own.last");
	EXPECT_AT(8, 8, "some_module", "own.p.b");
	EXPECT_AT(8, 8, "some_module", "plain.b");
	EXPECT_NONE(ENOENT, NULL, "own.last");
}

TEST_F(btf, what_there_is_not_is_ENOENT)
{
	EXPECT_NONE(ENOENT, NULL, "plain.c");
	EXPECT_NONE(ENOENT, NULL, "none.a");
	/* Not through a pointer, and not into what is no structure. */
	EXPECT_NONE(ENOENT, NULL, "outer.pointer.a");
	EXPECT_NONE(ENOENT, NULL, "plain.a.b");
	EXPECT_NONE(ENODEV, "other_module", "plain.a");
}

TEST_F(btf, what_has_no_place_is_refused)
{
	char long_path[512];

	EXPECT_NONE(ENOENT, NULL, "outer.bits");
	EXPECT_NONE(EINVAL, NULL, "plain");
	EXPECT_NONE(EINVAL, NULL, "plain.");
	EXPECT_NONE(EINVAL, NULL, ".a");
	EXPECT_NONE(EINVAL, NULL, "");
	EXPECT_NONE(EINVAL, "../etc", "plain.a");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	EXPECT_NONE(EINVAL, NULL, long_path);
}

TEST_F(btf, a_broken_file_is_an_error_with_its_name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/broken", self->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(6, write(fd, "broken", 6));
	close(fd);
	EXPECT_GT(0, vl_btf_find(self->btf, "broken", "plain.a", &self->m, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, path));
}

TEST_F(btf, a_kernel_without_btf_is_ENOENT_with_the_cure)
{
	struct vl_btf *none = NULL;

	EXPECT_EQ(-ENOENT, vl_btf_open(&none, "/nonexistent", &self->err));
	EXPECT_EQ(NULL, none);
	EXPECT_NE(NULL, strstr(self->err.msg, "CONFIG_DEBUG_INFO_BTF"));
}

TEST_HARNESS_MAIN
