// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-user front-ends, as they give their back-ends the eventfds.
 *
 * What is sent over a Unix stream socket is looked at, without taking anything away:
 * a message that is exactly SET_VRING_KICK or SET_VRING_CALL with one descriptor,
 * an eventfd, is one; nothing else that is sent with an eventfd looks like it.
 * SET_VRING_NUM alone could be anything: it counts on a socket that has sent one of
 * the others, before or after.
 *
 * The sender is the front-end, and its socket the device. It ends with the socket.
 * Messages that are sent in pieces are not seen. One that lies in memory not present
 * at the moment is lost, if it comes with an eventfd or from a front-end.
 */
#include "vringlab.h"

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/pid.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "compat.h"
#include "found.h"
#include "hooks.h"

#define SET_VRING_NUM 8
#define SET_VRING_KICK 12
#define SET_VRING_CALL 13

#define VERSION 1
#define VERSION_MASK 3
#define NEED_REPLY BIT(3)

#define INDEX_MASK 0xff
#define NO_FD BIT(8)

#define NUM_MAX 32768

/**
 * struct message - All that matters of a message
 * @request:	What it is.
 * @flags:	Of the header.
 * @size:	Of the payload.
 * @low:	Payload: index and NO_FD, or an index.
 * @high:	Payload: 0, or a size.
 */
struct message {
	__le32 request;
	__le32 flags;
	__le32 size;
	__le32 low;
	__le32 high;
};

/*
 * Sockets that sent one, by their hash: of the many that are closed, those of
 * which there is nothing to tell are told apart by a bit.
 */
#define SENDER_BITS 12
static DECLARE_BITMAP(senders, 1 << SENDER_BITS);

/* Sizes that came before their eventfds; the newest stay. */
static struct size {
	const void *sk;
	u32 index;
	u32 num;
} sizes[256];

static unsigned int next_size;

static unsigned int sender_bit(const struct sock *sk)
{
	return hash_ptr(sk, SENDER_BITS);
}

static void remember(const struct vl_found *found)
{
	sizes[next_size] = (struct size){ found->dev, found->index, found->num };
	next_size = (next_size + 1) % ARRAY_SIZE(sizes);
}

static u32 recall(const struct vl_found *found)
{
	unsigned int i;
	u32 num = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i].sk != found->dev || sizes[i].index != found->index)
			continue;
		num = sizes[i].num;
		sizes[i].sk = NULL;
	}
	return num;
}

static void forget(const void *sk)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i].sk == sk)
			sizes[i].sk = NULL;
}

static void apply_size(struct vl_found *found)
{
	if (!vl_device_resize(found->dev, found->index, found->num))
		remember(found);
}

static void apply_eventfd(struct vl_found *found)
{
	/* Without an eventfd, it is not told from other protocols. */
	if (!found->file && !vl_device_known(found->dev))
		return;
	found->num = recall(found);
	vl_device_apply(found);
}

static void apply_gone(struct vl_found *found)
{
	forget(found->dev);
	vl_device_end(found->dev);
}

/* Discovery is off. */
void vl_vhost_user_end(void)
{
	lockdep_assert_held(&vl_vrings_lock);

	memset(sizes, 0, sizeof(sizes));
	bitmap_zero(senders, 1 << SENDER_BITS);
}

/* What is sent is the sender's to write at any time: it is read once. */
static bool read_message(const struct msghdr *msg, struct message *message)
{
	struct iov_iter iter = msg->msg_iter;
	size_t copied;

	pagefault_disable();
	copied = copy_from_iter(message, sizeof(*message), &iter);
	pagefault_enable();

	return copied == sizeof(*message);
}

/*
 * Return: the one descriptor that is sent along, -1 for none, -EINVAL for what no
 * front-end sends
 */
static int sent_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int fd = -1;

	if (!msg->msg_controllen)
		return -1;
	if (msg->msg_control_is_user)
		return -EINVAL;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		if (fd != -1 || cmsg->cmsg_len != CMSG_LEN(sizeof(fd)))
			return -EINVAL;
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		if (fd < 0)
			return -EINVAL;
	}
	return fd;
}

static pid_t peer_of(const struct sock *sk)
{
	struct pid *pid = READ_ONCE(sk->sk_peer_pid);

	return pid ? pid_nr(pid) : 0;
}

static struct vl_found *found_of(const struct sock *sk, u32 index,
				 void (*apply)(struct vl_found *found))
{
	struct vl_found *found = vl_found_get(apply);

	if (!found)
		return NULL;

	set_bit(sender_bit(sk), senders);
	found->kind = VRINGLAB_BACKEND_VHOST_USER;
	found->dev = sk;
	found->peer = peer_of(sk);
	found->index = index;
	return found;
}

static void sent_size(const struct sock *sk, const struct message *message, int fd)
{
	u32 index = le32_to_cpu(message->low), num = le32_to_cpu(message->high);
	struct vl_found *found;

	if (fd != -1 || index > INDEX_MASK || !num || num > NUM_MAX)
		return;

	found = found_of(sk, index, apply_size);
	if (!found)
		return;
	found->num = num;
	vl_found_post(found);
}

static void sent_eventfd(const struct sock *sk, const struct message *message, enum vl_role role,
			 int fd)
{
	u32 low = le32_to_cpu(message->low);
	bool has_fd = fd >= 0;
	struct vl_found *found;
	struct file *file = NULL;

	if (low & ~(INDEX_MASK | NO_FD) || message->high || !(low & NO_FD) != has_fd)
		return;
	if (fd >= 0)
		file = eventfd_fget(fd);
	if (IS_ERR(file))
		return;

	found = found_of(sk, low & INDEX_MASK, apply_eventfd);
	if (!found) {
		if (file)
			fput(file);
		return;
	}
	found->role = role;
	found->file = file;
	found->end = !file;
	vl_found_post(found);
}

static bool has_eventfd(struct msghdr *msg)
{
	int fd = sent_fd(msg);
	struct file *file = fd < 0 ? NULL : eventfd_fget(fd);

	if (IS_ERR_OR_NULL(file))
		return false;
	fput(file);
	return true;
}

static void lose(const struct sock *sk, struct msghdr *msg)
{
	if (test_bit(sender_bit(sk), senders) || has_eventfd(msg))
		vl_found_lose();
}

static void sent(const struct sock *sk, struct msghdr *msg)
{
	struct message message;
	u32 flags;
	int fd;

	if (!read_message(msg, &message)) {
		lose(sk, msg);
		return;
	}
	flags = le32_to_cpu(message.flags);
	if ((flags & VERSION_MASK) != VERSION || flags & ~(VERSION_MASK | NEED_REPLY) ||
	    le32_to_cpu(message.size) != sizeof(u64))
		return;

	fd = sent_fd(msg);
	if (fd < -1)
		return;
	switch (le32_to_cpu(message.request)) {
	case SET_VRING_NUM:
		sent_size(sk, &message, fd);
		break;
	case SET_VRING_KICK:
		sent_eventfd(sk, &message, VL_ROLE_KICK, fd);
		break;
	case SET_VRING_CALL:
		sent_eventfd(sk, &message, VL_ROLE_CALL, fd);
		break;
	}
}

void vl_on_unix_stream_sendmsg(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	const struct socket *sock = (void *)vl_ftrace_arg(fregs, 0);

	if (vl_ftrace_arg(fregs, 2) == sizeof(struct message))
		sent(sock->sk, (void *)vl_ftrace_arg(fregs, 1));
}

void vl_on_unix_release(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs)
{
	const struct sock *sk = ((struct socket *)vl_ftrace_arg(fregs, 0))->sk;
	struct vl_found *found;

	if (!sk || !test_bit(sender_bit(sk), senders))
		return;

	found = vl_found_get(apply_gone);
	if (!found)
		return;
	found->dev = sk;
	vl_found_post(found);
}
