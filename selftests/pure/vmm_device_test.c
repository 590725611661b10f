// SPDX-License-Identifier: GPL-2.0-only
/*
 * --device of `vringlab vmm`: what it means, and that what it cannot mean is said with
 * the key that is wrong and what that takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

/* The command is no library; found beside user/include. */
#include "../vringlab/device.c"
#include "../vringlab/device_blk.c"
#include "../vringlab/device_console.c"
#include "../vringlab/device_net.c"
#include "../vringlab/device_simple.c"
#include "../vringlab/device_vsock.c"
#include "../vringlab/vmm_device.c"

#include "kselftest_harness.h"

FIXTURE(device)
{
	struct vmm_device devs[8];
	struct vmm_device *dev;
	unsigned int nr;
	struct vl_err err;
};

FIXTURE_SETUP(device)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(device)
{
	while (self->nr)
		vmm_device_free(&self->devs[--self->nr]);
}

static int read_it(FIXTURE_DATA(device) * self, const char *text)
{
	int ret = vmm_device_parse(self->devs, self->nr, text, &self->err);

	if (!ret)
		self->dev = &self->devs[self->nr++];
	return ret;
}

TEST_F(device, net_on_a_tap)
{
	const char *text = "net,tap=vl0,mac=02:00:00:00:00:01,mtu=1400,queues=4,bridge=br0,"
			   "address=192.0.2.1/24,queue-size=1024,transport=mmio,id=lan";

	ASSERT_EQ(0, read_it(self, text)) TH_LOG("%s", self->err.msg);
	EXPECT_STREQ("lan", self->dev->name);
	EXPECT_EQ(VIRTIO_ID_NET, self->dev->opt.kind->device_id);
	EXPECT_STREQ("vl0", self->dev->opt.tap);
	EXPECT_STREQ("br0", self->dev->opt.bridge);
	EXPECT_STREQ("192.0.2.1/24", self->dev->opt.address);
	EXPECT_EQ(1, self->dev->opt.mac[5]);
	EXPECT_EQ(1400, self->dev->opt.mtu);
	EXPECT_EQ(4, self->dev->opt.queues);
	EXPECT_EQ(1024, self->dev->queue_size);
	EXPECT_TRUE(self->dev->mmio);
	EXPECT_FALSE(self->dev->no_vhost);
	EXPECT_FALSE(self->dev->packed);
}

TEST_F(device, flags_are_on_or_off)
{
	ASSERT_EQ(0, read_it(self, "net,tap=t,vhost=off,packed")) TH_LOG("%s", self->err.msg);
	EXPECT_TRUE(self->dev->no_vhost);
	EXPECT_TRUE(self->dev->packed);
	ASSERT_EQ(0, read_it(self, "net,tap=t,vhost=on,packed=off")) TH_LOG("%s", self->err.msg);
	EXPECT_FALSE(self->dev->no_vhost);
	EXPECT_FALSE(self->dev->packed);
	ASSERT_EQ(0, read_it(self, "blk,file=/f,ro,direct=on")) TH_LOG("%s", self->err.msg);
	EXPECT_TRUE(self->dev->opt.read_only);
	EXPECT_TRUE(self->dev->opt.direct);
	ASSERT_EQ(0, read_it(self, "blk,file=/f,read-only=off")) TH_LOG("%s", self->err.msg);
	EXPECT_FALSE(self->dev->opt.read_only);
}

TEST_F(device, devices_have_names_of_their_own)
{
	ASSERT_EQ(0, read_it(self, "blk,file=/a"));
	ASSERT_EQ(0, read_it(self, "blk,file=/b,id=blk1"));
	ASSERT_EQ(0, read_it(self, "blk,socket=/s,queues=3"));
	EXPECT_STREQ("blk0", self->devs[0].name);
	EXPECT_STREQ("blk1", self->devs[1].name);
	EXPECT_STREQ("blk2", self->devs[2].name);
	EXPECT_STREQ("/s", self->devs[2].opt.socket);
	EXPECT_EQ(-EINVAL, read_it(self, "rng,id=blk2"));
	EXPECT_STREQ("--device rng,id=blk2: rng: id takes a name that no other device has, "
		     "not 'blk2'",
		     self->err.msg);
}

TEST_F(device, a_comma_in_a_value_is_written_twice)
{
	ASSERT_EQ(0, read_it(self, "blk,file=/a,,b,,,serial=x")) TH_LOG("%s", self->err.msg);
	EXPECT_STREQ("/a,b,", self->dev->opt.file);
	EXPECT_STREQ("x", self->dev->opt.serial);
}

TEST_F(device, the_others)
{
	ASSERT_EQ(0, read_it(self, "vsock,cid=3"));
	EXPECT_EQ(3, self->dev->opt.cid);
	ASSERT_EQ(0, read_it(self, "vsock,socket=/v"));
	ASSERT_EQ(0, read_it(self, "rng"));
	ASSERT_EQ(0, read_it(self, "console,stdio"));
	EXPECT_TRUE(self->dev->opt.stdio);
	ASSERT_EQ(0, read_it(self, "console,input=/i,output=/o"));
	ASSERT_EQ(0, read_it(self, "net,socket=/n,mac=02:00:00:00:00:01,mtu=9000,packed"));
	ASSERT_EQ(0, read_it(self, "net,null,queues=2"));
}

TEST_F(device, what_is_wrong_is_said_with_its_key)
{
	static const struct {
		const char *text;
		const char *says;
	} wrong[] = {
		{ "", "no device ''" },
		{ "floppy", "no device 'floppy': there are net, blk, vsock, rng and console" },
		{ "loopback", "no device 'loopback'" },
		{ "net", "net needs tap NAME, or null, or socket PATH" },
		{ "net,", "net: a key is missing" },
		{ "net,=x", "net: a key is missing" },
		{ "net,tap", "net: tap takes a value, not ''" },
		{ "net,tap=", "net: tap takes a value, not ''" },
		{ "net,tap=a/b", "net: tap takes an interface's name, 1 to 15 characters" },
		{ "net,tap=a,mtu=5", "net: mtu takes 68 to 65535, not '5'" },
		{ "net,tap=a,mac=01:00:00:00:00:00", "net: mac takes a unicast address" },
		{ "net,tap=a,queues=0", "net: queues takes 1 to 64, not '0'" },
		{ "net,tap=a,queues=65", "net: queues takes 1 to 64, not '65'" },
		{ "net,tap=a,queue-size=100", "net: queue-size takes a power of 2, 1 to 32768" },
		{ "net,tap=a,queue-size=65536", "net: queue-size takes a power of 2" },
		{ "net,tap=a,vhost=yes", "net: vhost takes on or off, not 'yes'" },
		{ "net,tap=a,packed", "net: packed is not for vhost in the kernel" },
		{ "net,tap=a,file=/x", "net has no key 'file'" },
		{ "net,tap=a,transport=usb", "net: transport takes pci or mmio, not 'usb'" },
		{ "net,socket=/s,tap=a", "net: with socket the back-end's process has 'tap'" },
		{ "net,socket=/s,vhost=on", "net: with socket the back-end's process has 'vhost'" },
		{ "net,null,bridge=b", "bridge and address are a tap's" },
		{ "blk", "blk needs file PATH, or null-size BYTES, or socket PATH" },
		{ "blk,vhost=on,file=/f", "blk has no key 'vhost'" },
		{ "blk,socket=/s,ro", "with socket the back-end's process has 'read-only'" },
		{ "blk,file=/f,null-size=1M", "blk needs file PATH" },
		{ "blk,file=/f,block-size=1000", "blk: block-size takes a power of 2" },
		{ "blk,file=/f,id=", "blk: id takes a value" },
		{ "blk,file=/f,id=a.b", "blk: id takes 1 to 15 printable characters" },
		{ "blk,file=/f,id=sixteencharacter", "blk: id takes 1 to 15 printable characters" },
		{ "vsock", "vsock needs cid N, or socket PATH" },
		{ "vsock,cid=2", "vsock: cid takes 3 to 4294967294, not '2'" },
		{ "vsock,cid=3,packed", "vsock: packed is not for vhost in the kernel" },
		{ "vsock,cid=3,queues=2", "vsock: queues takes 1 to 1, not '2'" },
		{ "rng,stdio", "rng has no key 'stdio'" },
		{ "console", "console needs stdio, or input PATH, output PATH or both" },
		{ "console,stdio,input=/i", "console needs stdio" },
	};

	for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		EXPECT_EQ(-EINVAL, read_it(self, wrong[n].text));
		EXPECT_NE(NULL, strstr(self->err.msg, wrong[n].says))
		{
			TH_LOG("'%s': %s", wrong[n].text, self->err.msg);
		}
	}
	EXPECT_EQ(0, self->nr);
}

TEST_HARNESS_MAIN
