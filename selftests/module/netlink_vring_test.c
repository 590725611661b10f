// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registering one virtqueue: what is taken, how it is described, and what each bad
 * request is told. Documentation/netlink/specs/vringlab.yaml.
 */
#include <sys/wait.h>

#include "netlink_vring.h"

TEST_F_TIMEOUT(vring, add_tells_the_id_and_get_describes_it, SLOW)
{
	struct t_vring got;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(self->v.id, got.id);
	EXPECT_STREQ("netlink.0", got.label);
	EXPECT_EQ(VRINGLAB_BACKEND_VHOST_USER, got.backend);
	EXPECT_EQ((uint32_t)getpid(), got.pid);
	EXPECT_EQ(HAS(ID) | HAS(LABEL) | HAS(BACKEND) | HAS(PID), got.has & ~HAS(PAD));
}

TEST_F_TIMEOUT(vring, get_describes_all_that_was_given, SLOW)
{
	struct t_vring got;

	self->v.has |= HAS(WAKE_USER_DATA) | HAS(PERSIST) | HAS(PID);
	self->v.wake_user_data = 0x1122334455667788;
	self->v.pid = getppid();
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(0x1122334455667788u, got.wake_user_data);
	EXPECT_EQ((uint32_t)getppid(), got.pid);
	EXPECT_TRUE(got.has & HAS(PERSIST));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

TEST_F_TIMEOUT(vring, backend_is_unknown_unless_given, SLOW)
{
	struct t_vring got;

	self->v.has &= ~HAS(BACKEND);
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_TRUE(got.has & HAS(BACKEND));
	EXPECT_EQ(VRINGLAB_BACKEND_UNKNOWN, got.backend);
}

TEST_F_TIMEOUT(vring, counters_and_hists_start_at_zero_and_are_complete, SLOW)
{
	struct t_stats s;
	int i;

	vring_add(_metadata, &self->g, &self->v);
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(self->v.id, s.id);
	for (i = VRINGLAB_A_COUNTERS_KICKS; i <= VRINGLAB_A_COUNTERS_MAX; i++) {
		EXPECT_TRUE(s.has & (1ull << i))
		{
			TH_LOG("no counter %d", i);
		}
		EXPECT_EQ(0u, s.v[i])
		{
			TH_LOG("counter %d", i);
		}
	}
	for (i = 0; i < T_NR_SPANS; i++) {
		EXPECT_EQ((uint32_t)i, s.hist[i].span);
		EXPECT_EQ(0u, s.hist[i].count);
	}
	EXPECT_LAWFUL(&s);
}

TEST_F_TIMEOUT(vring, labels_of_1_to_31_printable_characters_are_taken, SLOW)
{
	static const char *const good[] = {
		"x", "!", "~", "a.b/c-d_e:0", "0123456789012345678901234567890",
	};
	struct t_vring got;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		strcpy(self->v.label, good[i]);
		vring_add(_metadata, &self->g, &self->v);
		ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
		EXPECT_STREQ(good[i], got.label);
		EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
	}
}

TEST_F_TIMEOUT(vring, bad_labels_are_EINVAL, SLOW)
{
	static const char *const bad[] = {
		"",
		" ",
		"a b",
		"a\tb",
		"a\n",
		"\x7f",
		"\x80",
		"caf\xc3\xa9",
		"\x1b[31m",
		"01234567890123456789012345678901",
		"012345678901234567890123456789012345678901234567890123456789",
	};
	int before = nr_vrings(_metadata, &self->g);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(self->v.label, bad[i]);
		EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_LABEL, t_vring_add(&self->g, &self->v));
	}
	EXPECT_EQ(before, nr_vrings(_metadata, &self->g));
}

TEST_F_TIMEOUT(vring, label_without_terminating_zero_is_EINVAL_or_taken_whole, SLOW)
{
	struct nlmsghdr *nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	struct t_vring all[2];
	int ret;

	mnl_attr_put_str(nlh, VRINGLAB_A_VRING_LABEL, "abcd");
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_KICK_FD, self->kick);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_CALL_FD, self->call);
	ret = t_genl_call(&self->g, NULL, NULL);
	if (!ret) {
		ASSERT_EQ(2, t_vring_dump(&self->g, all, 2));
		EXPECT_STREQ("abcd", all[1].label);
		return;
	}
	EXPECT_EQ(-EINVAL, ret);
	EXPECT_NE(0, self->g.ack_msg[0]);
}

TEST_F_TIMEOUT(vring, missing_attributes_are_EINVAL_and_named, SLOW)
{
	static const uint32_t needed[] = {
		VRINGLAB_A_VRING_LABEL,
		VRINGLAB_A_VRING_KICK_FD,
		VRINGLAB_A_VRING_CALL_FD,
	};
	uint32_t has = self->v.has;
	struct nlmsghdr *nlh;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		self->v.has = has & ~(1u << needed[i]);
		EXPECT_REFUSED(EINVAL, needed[i], t_vring_add(&self->g, &self->v));
	}
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_DEL, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_GET, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_COUNTERS_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_HIST_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_SPAN, VRINGLAB_SPAN_KICK_WAKE);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_HIST_VRING_ID, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, hist_get_without_a_span_is_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;

	vring_add(_metadata, &self->g, &self->v);
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_HIST_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_VRING_ID, self->v.id);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_HIST_SPAN, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, values_outside_their_enum_are_ERANGE, SLOW)
{
	struct t_hist h;

	/* What only the module can find. */
	self->v.backend = VRINGLAB_BACKEND_KVM;
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_VRING_BACKEND, t_vring_add(&self->g, &self->v));
	self->v.backend = UINT32_MAX;
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_VRING_BACKEND, t_vring_add(&self->g, &self->v));
	self->v.backend = VRINGLAB_BACKEND_VHOST;
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_HIST_SPAN,
		       t_hist_get(&self->g, self->v.id, T_NR_SPANS, &h));
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_HIST_SPAN,
		       t_hist_get(&self->g, self->v.id, UINT32_MAX, &h));
}

TEST_F_TIMEOUT(vring, attributes_of_the_wrong_size_are_EINVAL, SLOW)
{
	static const uint16_t attrs[] = {
		VRINGLAB_A_VRING_BACKEND, VRINGLAB_A_VRING_KICK_FD,	   VRINGLAB_A_VRING_CALL_FD,
		VRINGLAB_A_VRING_PID,	  VRINGLAB_A_VRING_WAKE_USER_DATA,
	};
	struct nlmsghdr *nlh;
	size_t i;

	for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
		mnl_attr_put_u16(nlh, attrs[i], 0);
		EXPECT_REFUSED(EINVAL, attrs[i], t_genl_call(&self->g, NULL, NULL));
	}
}

TEST_F_TIMEOUT(vring, attributes_a_request_does_not_have_are_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;

	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, 7);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_MAX + 1, 7);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_MAX + 1, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_DEL, NLM_F_ACK);
	mnl_attr_put_strz(nlh, VRINGLAB_A_VRING_LABEL, "x");
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_LABEL, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_ACK);
	mnl_attr_put_u64(nlh, VRINGLAB_A_COUNTERS_KICKS, 0);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_COUNTERS_KICKS, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, commands_that_are_not_there_are_EOPNOTSUPP, SLOW)
{
	t_genl_start(&self->g, VRINGLAB_CMD_MAX + 1, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_PROBE_GET, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_DUMP);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, unknown_ids_are_ENOENT, SLOW)
{
	struct t_vring got;
	struct t_stats s;
	struct t_hist h;
	uint32_t ids[3] = { 0, UINT32_MAX, 0 };
	size_t i;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	ids[2] = self->v.id;
	for (i = 0; i < 3; i++) {
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_VRING_ID, t_vring_del(&self->g, ids[i]));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_VRING_ID, t_vring_get(&self->g, ids[i], &got));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_COUNTERS_VRING_ID,
			       t_counters_get(&self->g, ids[i], &s));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_HIST_VRING_ID,
			       t_hist_get(&self->g, ids[i], VRINGLAB_SPAN_KICK_WAKE, &h));
	}
}

TEST_F_TIMEOUT(vring, ids_are_not_reused, SLOW)
{
	uint32_t seen[100];
	int i, j;

	for (i = 0; i < 100; i++) {
		seen[i] = vring_add(_metadata, &self->g, &self->v);
		ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
		for (j = 0; j < i; j++)
			ASSERT_NE(seen[i], seen[j]);
	}
}

TEST_F_TIMEOUT(vring, fds_that_are_none_are_EBADF, SLOW)
{
	int gone = new_eventfd(_metadata, 0);

	close(gone);
	self->v.kick_fd = gone;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = UINT32_MAX;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->kick;
	self->v.call_fd = gone;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = 1u << 31;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	/* What was refused holds nothing: the good fds are still free. */
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, fds_that_are_no_eventfds_are_EINVAL, SLOW)
{
	int pipe_fds[2];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	ASSERT_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
	self->v.kick_fd = null;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->kick;
	self->v.call_fd = pipe_fds[1];
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = mnl_socket_get_fd(self->g.nl);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, one_eventfd_for_kick_and_call_is_EINVAL, SLOW)
{
	int again = dup(self->kick);

	self->v.call_fd = self->kick;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	ASSERT_LE(0, again);
	self->v.call_fd = again;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, a_registered_eventfd_is_EEXIST, SLOW)
{
	int other = new_eventfd(_metadata, 0);
	int before, kick_again = dup(self->kick);

	ASSERT_LE(0, kick_again);
	vring_add(_metadata, &self->g, &self->v);
	before = nr_vrings(_metadata, &self->g);

	self->v.call_fd = other;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = kick_again;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->call;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = other;
	self->v.call_fd = self->kick;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	EXPECT_EQ(before, nr_vrings(_metadata, &self->g));
}

TEST_F_TIMEOUT(vring, a_deleted_eventfd_can_be_registered_at_once, SLOW)
{
	uint32_t first = vring_add(_metadata, &self->g, &self->v);

	ASSERT_EQ(0, t_vring_del(&self->g, first));
	EXPECT_NE(first, vring_add(_metadata, &self->g, &self->v));
}

TEST_F_TIMEOUT(vring, a_pid_that_is_none_is_ESRCH, SLOW)
{
	pid_t child = fork_child();
	int status;

	ASSERT_LE(0, child);
	if (!child)
		_exit(0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	self->v.has |= HAS(PID);
	self->v.pid = child;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
	self->v.pid = INT32_MAX;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
	self->v.pid = UINT32_MAX;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
}

TEST_F_TIMEOUT(vring, a_pid_is_of_the_callers_namespace_and_shown_in_the_initial_one, SLOW)
{
	struct t_vring got;
	struct t_genl g;
	pid_t child;
	int ready[2], ret = 0;
	char go;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	child = fork_child();
	ASSERT_LE(0, child);
	if (!child) {
		/* Persistent, so that the parent need not race with our end. */
		self->v.has |= HAS(PID) | HAS(PERSIST);
		self->v.pid = 1;
		ret = t_genl_open(&g, VRINGLAB_FAMILY_NAME);
		if (!ret)
			ret = t_vring_add(&g, &self->v);
		if (write(ready[1], &ret, sizeof(ret)) != sizeof(ret) ||
		    write(ready[1], &self->v.id, sizeof(self->v.id)) < 0)
			_exit(1);
		close(ready[1]);
		pause();
	}
	close(ready[1]);
	ASSERT_EQ(0, t_read_until(ready[0], &ret, sizeof(ret), T_DEADLINE_MS));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_read_until(ready[0], &self->v.id, sizeof(self->v.id), T_DEADLINE_MS));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ((uint32_t)child, got.pid);
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
	kill(child, SIGKILL);
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_NE(1, read(ready[0], &go, 1));
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
