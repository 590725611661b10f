/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields of a ring that the other side reads or writes meanwhile.
 *
 * Each accessor touches memory exactly once and converts from or to the
 * little-endian of VIRTIO 1.x, so that a value which was checked cannot be read
 * again as something else. They do not order anything by themselves: the index
 * that publishes them does, with the acquire and release variants.
 */
#ifndef VRINGLAB_LIB_VRING_SHARED_H
#define VRINGLAB_LIB_VRING_SHARED_H

#include <endian.h>
#include <stdint.h>

#include <linux/virtio_types.h>

static inline uint16_t load_16(const __virtio16 *field)
{
	return le16toh(__atomic_load_n(field, __ATOMIC_RELAXED));
}

static inline uint32_t load_32(const __virtio32 *field)
{
	return le32toh(__atomic_load_n(field, __ATOMIC_RELAXED));
}

static inline uint64_t load_64(const __virtio64 *field)
{
	return le64toh(__atomic_load_n(field, __ATOMIC_RELAXED));
}

static inline void store_16(__virtio16 *field, uint16_t value)
{
	__atomic_store_n(field, htole16(value), __ATOMIC_RELAXED);
}

static inline void store_32(__virtio32 *field, uint32_t value)
{
	__atomic_store_n(field, htole32(value), __ATOMIC_RELAXED);
}

static inline void store_64(__virtio64 *field, uint64_t value)
{
	__atomic_store_n(field, htole64(value), __ATOMIC_RELAXED);
}

/* Pairs with store_release_16() of the same index on the other side. */
static inline uint16_t load_acquire_16(const __virtio16 *idx)
{
	return le16toh(__atomic_load_n(idx, __ATOMIC_ACQUIRE));
}

/* Pairs with load_acquire_16() of the same index on the other side. */
static inline void store_release_16(__virtio16 *idx, uint16_t value)
{
	__atomic_store_n(idx, htole16(value), __ATOMIC_RELEASE);
}

/* Of a packed descriptor's second half, which ends with its flags: pairs as above. */
static inline void store_release_64(__virtio64 *words, uint64_t value)
{
	__atomic_store_n(words, htole64(value), __ATOMIC_RELEASE);
}

/*
 * Of memory that need not be aligned, such as an indirect table. Volatile, so that
 * the compiler reads it here and not again where the value is used.
 */
static inline uint64_t load_unaligned_64(const void *from)
{
	struct __attribute__((packed, may_alias)) any {
		uint64_t value;
	};

	return le64toh(((const volatile struct any *)from)->value);
}

#endif /* VRINGLAB_LIB_VRING_SHARED_H */
