// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM as an object: what can be refused is refused with its errno and a
 * message that names the request, and memory is what a vhost-user back-end needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_vcpu.h>

#include "kvm.h"

/* Open descriptors of this process; they must be as many after a failure. */
static int nr_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

TEST(a_missing_device_is_named_with_the_cure)
{
	struct vmm *vm = NULL;
	struct vl_err err;
	int fds = nr_fds();

	EXPECT_EQ(-ENOENT, vmm_create(&vm, "/dev/no-kvm-here", &err));
	EXPECT_EQ(NULL, vm);
	EXPECT_EQ(-ENOENT, err.code);
	EXPECT_NE(NULL, strstr(err.msg, "/dev/no-kvm-here"));
	EXPECT_NE(NULL, strstr(err.msg, "load kvm_intel or kvm_amd"));
	EXPECT_EQ(fds, nr_fds());
}

TEST(another_device_is_not_taken_for_kvm)
{
	struct vmm *vm = NULL;
	struct vl_err err;
	int fds = nr_fds();

	EXPECT_EQ(-ENOTTY, vmm_create(&vm, "/dev/null", &err));
	EXPECT_NE(NULL, strstr(err.msg, "KVM_GET_API_VERSION on /dev/null"));
	EXPECT_NE(NULL, strstr(err.msg, "not a KVM device"));
	EXPECT_EQ(fds, nr_fds());
}

TEST(a_device_without_permission_is_named_with_the_cure)
{
	char path[] = "/tmp/vringlab-kvm-XXXXXX";
	int fd = mkstemp(path);
	int status = 0;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchmod(fd, 0));
	close(fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct vl_err err = { 0 };
		struct vmm *vm = NULL;

		/* root passes any mode */
		if (!geteuid() && seteuid(65534))
			_exit(2);
		if (vmm_create(&vm, path, &err) != -EACCES || !strstr(err.msg, path) ||
		    !strstr(err.msg, "join its group"))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	unlink(path);
}

/* clang-format off */
FIXTURE(vm)
{
	struct vmm *vm;
	struct vl_err err;
};

/* clang-format on */

FIXTURE_SETUP(vm)
{
	REQUIRE_KVM();
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(vm)
{
	vmm_destroy(self->vm);
}

TEST_F(vm, memory_is_sealed_and_shared)
{
	const struct vmm_memory *mem = NULL;
	uint8_t byte = 0;

	ASSERT_EQ(0, vmm_memory_add(self->vm, 0x10000, 0x4000, &mem, &self->err));
	EXPECT_EQ(0x10000, mem->gpa);
	EXPECT_EQ(0x4000, mem->size);
	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, fcntl(mem->fd, F_GET_SEALS));
	EXPECT_EQ(-1, ftruncate(mem->fd, 0x1000));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(FD_CLOEXEC, fcntl(mem->fd, F_GETFD));
	mem->host[0x3fff] = 0x5a;
	EXPECT_EQ(1, pread(mem->fd, &byte, 1, 0x3fff));
	EXPECT_EQ(0x5a, byte);
}

TEST_F(vm, memory_is_found_by_address_and_never_beyond)
{
	const struct vmm_memory *mem = NULL;

	ASSERT_EQ(0, vmm_memory_add(self->vm, 0x10000, 0x4000, &mem, NULL));
	EXPECT_EQ(mem->host, vmm_memory_at(self->vm, 0x10000, 0x4000));
	EXPECT_EQ(mem->host + 0x3fff, vmm_memory_at(self->vm, 0x13fff, 1));
	EXPECT_EQ(NULL, vmm_memory_at(self->vm, 0x10000, 0x4001));
	EXPECT_EQ(NULL, vmm_memory_at(self->vm, 0xffff, 1));
	EXPECT_EQ(NULL, vmm_memory_at(self->vm, 0x14000, 1));
	EXPECT_EQ(NULL, vmm_memory_at(self->vm, 0x10000, 0));
	EXPECT_EQ(NULL, vmm_memory_at(self->vm, 0x10001, UINT64_MAX));
}

TEST_F(vm, memory_that_is_not_in_pages_is_refused)
{
	EXPECT_EQ(-EINVAL, vmm_memory_add(self->vm, 0, 0, NULL, NULL));
	EXPECT_EQ(-EINVAL, vmm_memory_add(self->vm, 0, 0x800, NULL, NULL));
	EXPECT_EQ(-EINVAL, vmm_memory_add(self->vm, 0x800, 0x1000, NULL, NULL));
	EXPECT_EQ(-EINVAL, vmm_memory_add(self->vm, UINT64_MAX - 0xfff, 0x2000, NULL, NULL));
}

TEST_F(vm, memory_that_overlaps_is_refused_by_kvm)
{
	int fds;

	ASSERT_EQ(0, vmm_memory_add(self->vm, 0, 0x4000, NULL, NULL));
	fds = nr_fds();
	EXPECT_EQ(-EEXIST, vmm_memory_add(self->vm, 0x3000, 0x1000, NULL, &self->err));
	EXPECT_NE(NULL,
		  strstr(self->err.msg, "KVM_SET_USER_MEMORY_REGION on 0x1000 bytes at 0x3000"))
	{
		TH_LOG("%s", self->err.msg);
	}
	EXPECT_EQ(fds, nr_fds());
	EXPECT_EQ(0, vmm_memory_add(self->vm, 0x4000, 0x1000, NULL, NULL));
}

TEST_F(vm, memory_pieces_are_bounded)
{
	for (unsigned int i = 0; i < VMM_MEMORY_MAX; i++)
		ASSERT_EQ(0, vmm_memory_add(self->vm, i * 0x10000, 0x1000, NULL, NULL));
	EXPECT_EQ(-ENOSPC, vmm_memory_add(self->vm, 0x1000000, 0x1000, NULL, NULL));
}

TEST_F(vm, a_second_vcpu_of_the_same_id_is_refused)
{
	struct vmm_vcpu *first = NULL, *second = NULL;
	int fds;

	ASSERT_EQ(0, vmm_vcpu_create(&first, self->vm, 0, &self->err));
	fds = nr_fds();
	EXPECT_EQ(-EEXIST, vmm_vcpu_create(&second, self->vm, 0, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "KVM_CREATE_VCPU on vCPU 0"));
	EXPECT_EQ(fds, nr_fds());
	EXPECT_EQ(-EINVAL, vmm_vcpu_create(&second, self->vm, 1u << 30, &self->err));
	vmm_vcpu_destroy(first);
}

TEST_F(vm, the_irqchip_comes_before_vcpus)
{
	struct vmm_vcpu *vcpu = NULL;

	ASSERT_EQ(0, vmm_vcpu_create(&vcpu, self->vm, 0, &self->err));
	EXPECT_GT(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "create the irqchip first"))
	{
		TH_LOG("%s", self->err.msg);
	}
	EXPECT_EQ(-EINVAL, vmm_irqchip_create(self->vm, VMM_IRQCHIP_PC, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "before the first vCPU"));
	vmm_vcpu_destroy(vcpu);
}

TEST_F(vm, a_second_irqchip_is_refused)
{
	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_PC, &self->err));
	EXPECT_EQ(-EEXIST, vmm_irqchip_create(self->vm, VMM_IRQCHIP_PC, &self->err));
	EXPECT_EQ(-EEXIST, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
}

TEST_F(vm, an_irqfd_needs_an_irqchip_and_a_vector)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	EXPECT_EQ(-EINVAL, vmm_irqfd_attach(self->vm, fd, 0, 0x30, NULL, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "irqchip"));
	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	EXPECT_EQ(-EINVAL, vmm_irqfd_attach(self->vm, fd, 0, 15, NULL, &self->err));
	EXPECT_EQ(-EINVAL, vmm_irqfd_attach(self->vm, fd, 0, 256, NULL, &self->err));
	EXPECT_EQ(-EINVAL, vmm_irqfd_attach(self->vm, fd, 255, 0x30, NULL, &self->err));
	EXPECT_EQ(-EBADF, vmm_irqfd_attach(self->vm, 9999, 0, 0x30, NULL, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "KVM_IRQFD on fd 9999"));
	close(fd);
}

TEST_F(vm, an_irqfd_is_attached_once_and_again_after_detach)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	unsigned int gsi = 0, other = 0;

	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	ASSERT_EQ(0, vmm_irqfd_attach(self->vm, fd, 0, 0x30, &gsi, &self->err));
	EXPECT_EQ(-EBUSY, vmm_irqfd_attach(self->vm, fd, 0, 0x31, NULL, &self->err));
	EXPECT_EQ(0, vmm_irqfd_detach(self->vm, fd, gsi, &self->err));
	EXPECT_EQ(0, vmm_irqfd_attach(self->vm, fd, 0, 0x31, &other, &self->err));
	EXPECT_NE(gsi, other);
	close(fd);
}

TEST_F(vm, an_ioeventfd_address_is_taken_once)
{
	struct vmm_ioeventfd io = { .bus = VMM_BUS_PIO, .addr = 0x600, .len = 2 };

	io.fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, vmm_ioeventfd_attach(self->vm, &io, &self->err));
	EXPECT_EQ(-EEXIST, vmm_ioeventfd_attach(self->vm, &io, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "for 2-byte writes to port 0x600"));
	EXPECT_EQ(0, vmm_ioeventfd_detach(self->vm, &io, &self->err));
	EXPECT_EQ(-ENOENT, vmm_ioeventfd_detach(self->vm, &io, &self->err));
	io.len = 3;
	EXPECT_EQ(-EINVAL, vmm_ioeventfd_attach(self->vm, &io, &self->err));
	close(io.fd);
}

TEST_F(vm, an_ioeventfd_takes_only_eventfds)
{
	struct vmm_ioeventfd io = { .bus = VMM_BUS_PIO, .addr = 0x600, .len = 2, .fd = 9999 };

	EXPECT_EQ(-EBADF, vmm_ioeventfd_attach(self->vm, &io, &self->err));
	io.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, vmm_ioeventfd_attach(self->vm, &io, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "not an eventfd"));
	close(io.fd);
}

TEST_HARNESS_MAIN
