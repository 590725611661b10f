/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MSI-X: vectors that the guest writes, and eventfds that signal them.
 *
 * Everything here is called with the lock of the device.
 */
#ifndef VIRTIO_MSIX_H
#define VIRTIO_MSIX_H

#include <stdbool.h>
#include <stdint.h>

struct vl_err;
struct vmm;

/* VIRTIO 1.2 section 4.1.4.3: VIRTIO_MSI_NO_VECTOR. */
#define MSIX_NO_VECTOR 0xffffu

#define MSIX_ENTRY_SIZE 16u

/**
 * struct msix_vector - An entry of the table
 * @address:	Message address.
 * @data:	Message data.
 * @masked:	Bit 0 of Vector Control.
 * @users:	Sources that signal it.
 * @gsi:	While there are any: the GSI that is routed to the message.
 */
struct msix_vector {
	uint64_t address;
	uint32_t data;
	bool masked;
	unsigned int users;
	unsigned int gsi;
};

/**
 * struct msix_source - Something that can interrupt
 * @fd:		eventfd, the caller's.
 * @vector:	Which vector, MSIX_NO_VECTOR for none.
 * @attached:	It is an irqfd of the vector's GSI. Else it holds what is pending.
 */
struct msix_source {
	int fd;
	uint16_t vector;
	bool attached;
};

struct msix {
	struct vmm *vm;
	bool enabled;
	bool function_masked;
	unsigned int nr_vectors;
	unsigned int nr_sources;
	struct msix_vector *vectors;
	struct msix_source *sources;
};

int msix_init(struct msix *m, struct vmm *vm, unsigned int nr_vectors, unsigned int nr_sources);
void msix_exit(struct msix *m);

/* Returns the vector that @source has then: MSIX_NO_VECTOR where it cannot have @vector. */
uint16_t msix_bind(struct msix *m, unsigned int source, uint16_t vector, struct vl_err *err);

/* Message Control was written. */
void msix_control(struct msix *m, bool enabled, bool function_masked, struct vl_err *err);

void msix_table_read(const struct msix *m, uint64_t offset, void *data, unsigned int len);
void msix_table_write(struct msix *m, uint64_t offset, const void *data, unsigned int len,
		      struct vl_err *err);
void msix_pba_read(const struct msix *m, uint64_t offset, void *data, unsigned int len);

#endif /* VIRTIO_MSIX_H */
