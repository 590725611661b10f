// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-alloc.so: counts a process's allocations, for LD_PRELOAD.
 *
 * The count is the 64-bit word that the file named by BENCH_ALLOC_FILE begins with.
 * All entries of the allocator that give memory count, each once; malloc_usable_size()
 * and the like do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* glibc's own names of what is replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static uint64_t nowhere;
static uint64_t *count = &nowhere;

static void __attribute__((constructor)) open_count(void)
{
	const char *path = getenv("BENCH_ALLOC_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED :
			   mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		abort();
	count = p;
}

static void add(void)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
	add();
	return __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	add();
	return __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	add();
	return __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
	add();
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	*p = memalign(alignment, size);
	return *p ? 0 : ENOMEM;
}
