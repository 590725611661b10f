// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that vhost works in: how many there are, which virtqueue has which, a
 * virtqueue that changes its own under load, and whether they are the owner's threads.
 * More than one is for vhost-scsi alone.
 */
#include <dirent.h>
#include <pthread.h>

#include <linux/virtio_scsi.h>

#include "t_scsi.h"
#include "vhost.h"

#define QUEUES T_VHOST_QUEUES_MAX
#define STREAMS 2u
#define MOVES 24u

/* Those that are threads of this process. */
static unsigned int own_threads(void)
{
	char path[64], wanted[32], name[32];
	DIR *dir = opendir("/proc/self/task");
	unsigned int nr = 0;
	struct dirent *entry;

	snprintf(wanted, sizeof(wanted), "vhost-%d\n", getpid());
	while (dir && (entry = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		nr += fgets(name, sizeof(name), f) && !strcmp(name, wanted);
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return nr;
}

static int new_worker(const struct t_vhost *v, unsigned int *id)
{
	struct vhost_worker_state state = { 0 };
	int ret = t_vhost_ioctl(v, VHOST_NEW_WORKER, &state);

	*id = state.worker_id;
	return ret;
}

static int free_worker(const struct t_vhost *v, unsigned int id)
{
	struct vhost_worker_state state = { .worker_id = id };

	return t_vhost_ioctl(v, VHOST_FREE_WORKER, &state);
}

static int attach(const struct t_vhost *v, unsigned int queue, unsigned int id)
{
	struct vhost_vring_worker worker = { .index = queue, .worker_id = id };

	return t_vhost_ioctl(v, VHOST_ATTACH_VRING_WORKER, &worker);
}

static int worker_of(const struct t_vhost *v, unsigned int queue)
{
	struct vhost_vring_worker worker = { .index = queue, .worker_id = ~0u };
	int ret = t_vhost_ioctl(v, VHOST_GET_VRING_WORKER, &worker);

	return ret ? ret : (int)worker.worker_id;
}

FIXTURE(worker)
{
	struct t_vhost v;
	unsigned int first;
	unsigned int made[2];
};

FIXTURE_SETUP(worker)
{
	int ret;

	if (geteuid())
		SKIP(return, "makes a target of vhost_scsi: run as root");
	ret = t_scsi_make();
	if (ret == -ENODEV)
		SKIP(return, "needs a kernel with vhost_scsi and target_core_mod");
	ASSERT_EQ(0, ret)
	{
		TH_LOG("target: %s", strerror(-ret));
	}
	ASSERT_EQ(0, t_vhost_open(&self->v, "/dev/vhost-scsi", BIT(VIRTIO_F_VERSION_1)));
	ASSERT_EQ(0, t_vhost_start(&self->v, QUEUES));
	ret = worker_of(&self->v, 0);
	if (ret == -ENOTTY) {
		t_vhost_close(&self->v);
		t_scsi_remove();
		SKIP(return, "needs VHOST_GET_VRING_WORKER: use Linux 6.5 or later");
	}
	ASSERT_LE(0, ret);
	self->first = ret;
	ASSERT_EQ(0, t_scsi_endpoint(&self->v));
}

FIXTURE_TEARDOWN(worker)
{
	t_vhost_close(&self->v);
	t_scsi_remove();
}

TEST_F_TIMEOUT(worker, is_the_same_for_all_virtqueues_at_first, SLOW)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		EXPECT_EQ((int)self->first, worker_of(&self->v, i));
	}
	EXPECT_EQ(1u, own_threads());
}

static int ask_for_worker(void *v)
{
	unsigned int id;

	return new_worker(v, &id);
}

TEST_F_TIMEOUT(worker, is_made_by_the_owner, SLOW)
{
	struct t_vhost other = { .fd = open("/dev/vhost-scsi", O_RDWR | O_CLOEXEC) };
	unsigned int id;

	ASSERT_LE(0, other.fd);
	EXPECT_EQ(-EINVAL, new_worker(&other, &id));
	EXPECT_EQ(-EINVAL, worker_of(&other, 0));
	close(other.fd);
	EXPECT_EQ(-EPERM, in_child(ask_for_worker, &self->v));
}

TEST_F_TIMEOUT(worker, has_an_id_and_is_freed_when_no_virtqueue_has_it, SLOW)
{
	struct t_vhost *v = &self->v;

	ASSERT_EQ(0, new_worker(v, &self->made[0]));
	ASSERT_EQ(0, new_worker(v, &self->made[1]));
	EXPECT_NE(self->first, self->made[0]);
	EXPECT_NE(self->first, self->made[1]);
	EXPECT_NE(self->made[0], self->made[1]);
	EXPECT_EQ(3u, own_threads());

	EXPECT_EQ(0, attach(v, T_SCSI_REQUEST, self->made[0]));
	EXPECT_EQ((int)self->made[0], worker_of(v, T_SCSI_REQUEST));
	EXPECT_EQ((int)self->first, worker_of(v, T_SCSI_REQUEST + 1));
	EXPECT_EQ(-EBUSY, free_worker(v, self->made[0]));
	EXPECT_EQ(-EBUSY, free_worker(v, self->first));
	EXPECT_EQ(0, free_worker(v, self->made[1]));
	EXPECT_EQ(-ENODEV, free_worker(v, self->made[1]));
	EXPECT_EQ(-ENODEV, attach(v, T_SCSI_REQUEST, self->made[1]));
	EXPECT_EQ(-ENODEV, attach(v, T_SCSI_REQUEST, 12345));
	EXPECT_EQ(-ENOBUFS, attach(v, 100000, self->made[0]));
	EXPECT_EQ(-ENOBUFS, worker_of(v, 100000));
	EXPECT_EQ((int)self->made[0], worker_of(v, T_SCSI_REQUEST));

	EXPECT_EQ(0, attach(v, T_SCSI_REQUEST, self->first));
	EXPECT_EQ(0, free_worker(v, self->made[0]));
	EXPECT_TRUE(EVENTUALLY(own_threads() == 1));
}

/**
 * struct stream - Commands, one after the other
 * @v:		Device.
 * @queue:	Virtqueue.
 * @stop:	Come to an end.
 * @sent:	So far.
 * @ret:	0, or what went wrong.
 */
struct stream {
	struct t_vhost *v;
	unsigned int queue;
	bool *stop;
	unsigned int sent;
	int ret;
};

static int send_command(struct stream *s)
{
	struct t_vhost_queue *q = &s->v->queues[s->queue];
	int ret = t_scsi_stage(s->v, s->queue);

	if (ret >= 0)
		ret = t_vhost_kick(s->v, s->queue);
	if (ret)
		return ret;
	s->sent++;
	while (t_vhost_reap(s->v, s->queue) != (int64_t)s->sent) {
		ret = t_poll_until(q->call, T_DEADLINE_MS);
		if (ret)
			return ret;
		t_vhost_calls(s->v, s->queue);
	}
	return t_scsi_response(s->v, s->queue) == VIRTIO_SCSI_S_OK ? 0 : -EIO;
}

static void *run(void *data)
{
	struct stream *s = data;

	while (!s->ret && !__atomic_load_n(s->stop, __ATOMIC_RELAXED))
		s->ret = send_command(s);
	return NULL;
}

TEST_F_TIMEOUT(worker, changes_under_load_and_no_command_is_lost, SLOW)
{
	struct stream streams[STREAMS];
	pthread_t threads[STREAMS];
	unsigned int workers[3];
	bool stop = false;

	ASSERT_EQ(0, new_worker(&self->v, &self->made[0]));
	ASSERT_EQ(0, new_worker(&self->v, &self->made[1]));
	workers[0] = self->first;
	workers[1] = self->made[0];
	workers[2] = self->made[1];
	for (unsigned int i = 0; i < STREAMS; i++) {
		streams[i] = (struct stream){
			.v = &self->v,
			.queue = T_SCSI_REQUEST + i,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run, &streams[i]));
	}
	for (unsigned int i = 0; i < MOVES; i++) {
		EXPECT_EQ(0, attach(&self->v, T_SCSI_REQUEST + i % STREAMS, workers[i % 3]));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < STREAMS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, streams[i].ret);
		EXPECT_LT(0u, streams[i].sent);
		EXPECT_EQ((int64_t)streams[i].sent, t_vhost_reap(&self->v, T_SCSI_REQUEST + i));
	}
	for (unsigned int i = 0; i < STREAMS; i++) {
		EXPECT_EQ(0, attach(&self->v, T_SCSI_REQUEST + i, self->first));
	}
	EXPECT_EQ(0, free_worker(&self->v, self->made[0]));
	EXPECT_EQ(0, free_worker(&self->v, self->made[1]));
}

TEST_F_TIMEOUT(worker, goes_with_its_device, SLOW)
{
	for (unsigned int i = 0; i < 8; i++) {
		ASSERT_EQ(0, new_worker(&self->v, &self->made[0]));
	}
	EXPECT_EQ(0, attach(&self->v, T_SCSI_REQUEST, self->made[0]));
	EXPECT_EQ(9u, own_threads());
	t_vhost_close(&self->v);
	EXPECT_TRUE(EVENTUALLY(own_threads() == 0));
}

/* --- of other devices ------------------------------------------------------------------ */

FIXTURE(single)
{
	struct t_vhost v;
};

FIXTURE_VARIANT(single)
{
	bool vsock;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(single, net) { };
FIXTURE_VARIANT_ADD(single, vsock) { .vsock = true };
/* clang-format on */

FIXTURE_SETUP(single)
{
	if (variant->vsock)
		OPEN_VHOST_OR_SKIP(&self->v.fd, "vhost-vsock");
	else
		OPEN_VHOST_OR_SKIP(&self->v.fd, "vhost-net");
}

FIXTURE_TEARDOWN(single)
{
	close(self->v.fd);
}

TEST_F(single, worker_is_all_there_is)
{
	unsigned int id;

	ASSERT_EQ(0, t_vhost_ioctl(&self->v, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(-ENOTTY, new_worker(&self->v, &id));
	EXPECT_EQ(-ENOTTY, free_worker(&self->v, 0));
	EXPECT_EQ(-ENOTTY, attach(&self->v, 0, 0));
	EXPECT_EQ(-ENOTTY, worker_of(&self->v, 0));
}

static int set_fork(const struct t_vhost *v, uint8_t value)
{
	return t_vhost_ioctl(v, VHOST_SET_FORK_FROM_OWNER, &value);
}

static int get_fork(const struct t_vhost *v)
{
	uint8_t value = 0xff;
	int ret = t_vhost_ioctl(v, VHOST_GET_FORK_FROM_OWNER, &value);

	return ret ? ret : value;
}

TEST_F(single, worker_is_a_thread_of_the_owner_or_of_the_kernel)
{
	const struct t_vhost *v = &self->v;
	int ret = get_fork(v);

	/* Before there is an owner, a kernel without it does not come so far. */
	if (ret == -EPERM)
		SKIP(return, "needs a kernel with CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL");
	EXPECT_TRUE(ret == VHOST_FORK_OWNER_TASK || ret == VHOST_FORK_OWNER_KTHREAD);
	EXPECT_EQ(-EINVAL, set_fork(v, 2));
	EXPECT_EQ(-EINVAL, set_fork(v, 255));
	EXPECT_EQ(0, set_fork(v, VHOST_FORK_OWNER_TASK));
	EXPECT_EQ(VHOST_FORK_OWNER_TASK, get_fork(v));
	EXPECT_EQ(0, set_fork(v, VHOST_FORK_OWNER_KTHREAD));
	EXPECT_EQ(VHOST_FORK_OWNER_KTHREAD, get_fork(v));
	ASSERT_EQ(0, t_vhost_ioctl(v, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(0u, own_threads());
	EXPECT_EQ(-EBUSY, set_fork(v, VHOST_FORK_OWNER_TASK));
	EXPECT_EQ(VHOST_FORK_OWNER_KTHREAD, get_fork(v));
	if (variant->vsock)
		return;
	ASSERT_EQ(0, t_vhost_ioctl(v, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(0, set_fork(v, VHOST_FORK_OWNER_TASK));
	ASSERT_EQ(0, t_vhost_ioctl(v, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(1u, own_threads());
}

TEST_HARNESS_MAIN
