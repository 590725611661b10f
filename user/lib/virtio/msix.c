// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A source is an irqfd while its vector can be delivered. While it cannot, its eventfd
 * has what was signalled: that is the pending bit.
 *
 * KVM interrupts for what an eventfd holds when it becomes an irqfd (kvm_irqfd_assign())
 * and takes what is left of that when it no longer is one (irqfd_shutdown()), both
 * against what is signalled meanwhile: nothing is lost, nor pending for a second time.
 */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_gsi.h>

#include "msix.h"

int msix_init(struct msix *m, struct vmm *vm, unsigned int nr_vectors, unsigned int nr_sources)
{
	*m = (struct msix){ .vm = vm, .nr_vectors = nr_vectors, .nr_sources = nr_sources };
	m->vectors = calloc(nr_vectors, sizeof(*m->vectors));
	m->sources = calloc(nr_sources, sizeof(*m->sources));
	if (!m->vectors || !m->sources) {
		msix_exit(m);
		return -ENOMEM;
	}
	/* PCI Local Bus Specification 3.0 section 6.8.2.9: masked after reset */
	for (unsigned int i = 0; i < nr_vectors; i++)
		m->vectors[i].masked = true;
	for (unsigned int i = 0; i < nr_sources; i++)
		m->sources[i] = (struct msix_source){ .fd = -1, .vector = MSIX_NO_VECTOR };
	return 0;
}

void msix_exit(struct msix *m)
{
	for (unsigned int i = 0; m->sources && i < m->nr_sources; i++)
		msix_bind(m, i, MSIX_NO_VECTOR, NULL);
	free(m->sources);
	free(m->vectors);
	*m = (struct msix){ 0 };
}

static bool deliverable(const struct msix *m, const struct msix_vector *v)
{
	return m->enabled && !m->function_masked && !v->masked;
}

static void detach(struct msix *m, struct msix_source *s)
{
	if (s->attached)
		vmm_irqfd_detach(m->vm, s->fd, m->vectors[s->vector].gsi, NULL);
	s->attached = false;
}

static void attach(struct msix *m, struct msix_source *s, struct vl_err *err)
{
	if (!s->attached)
		s->attached = !vmm_irqfd_add(m->vm, s->fd, m->vectors[s->vector].gsi, -1, err);
}

/* The route first: what is pending must find it. */
static void sync_source(struct msix *m, struct msix_source *s, struct vl_err *err)
{
	struct msix_vector *v = &m->vectors[s->vector];

	if (!deliverable(m, v))
		detach(m, s);
	else if (!vmm_gsi_route(m->vm, v->gsi, v->address, v->data, err))
		attach(m, s, err);
}

static void sync_vector(struct msix *m, unsigned int vector, struct vl_err *err)
{
	for (unsigned int i = 0; i < m->nr_sources && m->vectors[vector].users; i++)
		if (m->sources[i].vector == vector)
			sync_source(m, &m->sources[i], err);
}

static void unbind(struct msix *m, struct msix_source *s)
{
	struct msix_vector *v;

	if (s->vector == MSIX_NO_VECTOR)
		return;
	detach(m, s);
	v = &m->vectors[s->vector];
	s->vector = MSIX_NO_VECTOR;
	if (!--v->users)
		vmm_gsi_free(m->vm, v->gsi);
}

uint16_t msix_bind(struct msix *m, unsigned int source, uint16_t vector, struct vl_err *err)
{
	struct msix_source *s = &m->sources[source];
	struct msix_vector *v;

	if (vector == s->vector)
		return vector;
	unbind(m, s);
	if (vector >= m->nr_vectors)
		return MSIX_NO_VECTOR;
	v = &m->vectors[vector];
	/* a VM has so many: VIRTIO 1.2 section 4.1.5.1.2.1 lets us say no */
	if (!v->users && vmm_gsi_alloc(m->vm, &v->gsi, NULL))
		return MSIX_NO_VECTOR;
	v->users++;
	s->vector = vector;
	sync_source(m, s, err);
	return vector;
}

void msix_control(struct msix *m, bool enabled, bool function_masked, struct vl_err *err)
{
	if (enabled == m->enabled && function_masked == m->function_masked)
		return;
	m->enabled = enabled;
	m->function_masked = function_masked;
	for (unsigned int i = 0; i < m->nr_sources; i++)
		if (m->sources[i].vector != MSIX_NO_VECTOR)
			sync_source(m, &m->sources[i], err);
}

/* An entry, and where in it; NULL if not all of the access is inside of one. */
static struct msix_vector *entry_at(const struct msix *m, uint64_t offset, unsigned int len)
{
	unsigned int at = offset % MSIX_ENTRY_SIZE;

	if (offset / MSIX_ENTRY_SIZE >= m->nr_vectors || at + len > MSIX_ENTRY_SIZE)
		return NULL;
	return &m->vectors[offset / MSIX_ENTRY_SIZE];
}

void msix_table_read(const struct msix *m, uint64_t offset, void *data, unsigned int len)
{
	const struct msix_vector *v = entry_at(m, offset, len);
	uint32_t words[4];

	memset(data, 0, len);
	if (!v)
		return;
	words[0] = htole32(v->address);
	words[1] = htole32(v->address >> 32);
	words[2] = htole32(v->data);
	words[3] = htole32(v->masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
	memcpy(data, (uint8_t *)words + offset % MSIX_ENTRY_SIZE, len);
}

static void set_word(struct msix_vector *v, unsigned int at, uint32_t value)
{
	switch (at) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		v->address = (v->address & ~0xffffffffull) | (value & ~3u);
		break;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		v->address = (uint32_t)v->address | (uint64_t)value << 32;
		break;
	case PCI_MSIX_ENTRY_DATA:
		v->data = value;
		break;
	case PCI_MSIX_ENTRY_VECTOR_CTRL:
		v->masked = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
}

/* PCI Local Bus Specification 3.0 section 6.8.2: 4 or 8 bytes, aligned. */
void msix_table_write(struct msix *m, uint64_t offset, const void *data, unsigned int len,
		      struct vl_err *err)
{
	struct msix_vector *v = entry_at(m, offset, len);
	uint32_t word;

	if (!v || len < sizeof(word) || offset % len)
		return;
	for (unsigned int i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)data + i, sizeof(word));
		set_word(v, offset % MSIX_ENTRY_SIZE + i, le32toh(word));
	}
	sync_vector(m, offset / MSIX_ENTRY_SIZE, err);
}

static bool holds_something(const struct msix_source *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };

	return !s->attached && poll(&fd, 1, 0) == 1 && fd.revents & POLLIN;
}

void msix_pba_read(const struct msix *m, uint64_t offset, void *data, unsigned int len)
{
	uint8_t *bytes = data;

	memset(data, 0, len);
	for (unsigned int i = 0; i < m->nr_sources; i++) {
		const struct msix_source *s = &m->sources[i];
		unsigned int byte = s->vector / 8;

		if (s->vector != MSIX_NO_VECTOR && byte >= offset && byte < offset + len &&
		    holds_something(s))
			bytes[byte - offset] |= 1u << s->vector % 8;
	}
}
