// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink client where the module is not loaded.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "kselftest_harness.h"

FIXTURE(no_module)
{
	struct vl_err err;
	struct vlnl *nl;
};

FIXTURE_SETUP(no_module)
{
	memset(self, 0, sizeof(*self));
	if (!access("/sys/module/vringlab", F_OK))
		SKIP(return, "vringlab is loaded: run 'rmmod vringlab' first");
}

FIXTURE_TEARDOWN(no_module)
{
	vlnl_close(self->nl);
}

TEST_F(no_module, opening_fails_with_enoent_and_says_how_to_load_it)
{
	EXPECT_EQ(-ENOENT, vlnl_open(&self->nl, &self->err));
	EXPECT_EQ(NULL, self->nl);
	EXPECT_EQ(-ENOENT, self->err.code);
	EXPECT_NE(NULL, strstr(self->err.msg, "not loaded"));
	EXPECT_NE(NULL, strstr(self->err.msg, "modprobe vringlab"));
}

TEST_F(no_module, opening_again_and_again_leaks_no_descriptor)
{
	int before = dup(0);

	ASSERT_LE(0, before);
	close(before);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(-ENOENT, vlnl_open(&self->nl, NULL));
	/* The lowest free number is still the same. */
	EXPECT_EQ(before, dup(0));
	close(before);
}

TEST(closing_nothing_is_allowed)
{
	vlnl_close(NULL);
}

TEST_HARNESS_MAIN
