// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/virtio_ring.h>

#include "t_guest.h"

static uint64_t log_page(const struct t_guest *g, unsigned int page)
{
	return t_guest_gpa(g, (uint64_t)page * T_GUEST_PAGE) / T_GUEST_PAGE;
}

bool t_guest_is_marked(const struct t_guest *g, unsigned int page)
{
	uint64_t at = log_page(g, page);

	return __atomic_load_n(&g->log[at / 8], __ATOMIC_ACQUIRE) >> at % 8 & 1;
}

/* Takes the mark, and then what may be read is what was written before it. */
static bool take_mark(struct t_guest *g, unsigned int page)
{
	uint64_t at = log_page(g, page);
	uint8_t bit = 1u << at % 8;

	return __atomic_fetch_and(&g->log[at / 8], ~bit, __ATOMIC_ACQ_REL) & bit;
}

static void copy_page(struct t_guest *g, unsigned int page)
{
	memcpy(g->copy + (size_t)page * T_GUEST_PAGE, g->mem + (size_t)page * T_GUEST_PAGE,
	       T_GUEST_PAGE);
}

static void copy_pages(struct t_guest *g, unsigned int first, unsigned int end)
{
	for (unsigned int page = first; page < end; page++)
		copy_page(g, page);
}

void t_guest_copy_all(struct t_guest *g)
{
	copy_pages(g, 0, g->pages);
}

static unsigned int page_of(const struct t_guest *g, const void *host)
{
	return ((const uint8_t *)host - g->mem) / T_GUEST_PAGE;
}

static unsigned int device_area(const struct t_guest *g)
{
	return page_of(g, g->layout.packed ? (void *)g->layout.device : (void *)g->layout.used);
}

static unsigned int driver_area(const struct t_guest *g)
{
	return page_of(g, g->layout.packed ? (void *)g->layout.driver : (void *)g->layout.avail);
}

void t_guest_copy_driver(struct t_guest *g)
{
	copy_pages(g, 0, driver_area(g) + 1);
	copy_pages(g, g->tables, g->slots);
	for (unsigned int slot = 0; slot < T_GUEST_DEPTH; slot++) {
		unsigned int first = g->slots + slot * T_GUEST_SLOT_PAGES;

		copy_pages(g, first, first + T_GUEST_OUT_PAGES);
	}
}

unsigned int t_guest_pass(struct t_guest *g)
{
	unsigned int nr = 0;

	for (unsigned int page = 0; page < g->pages; page++) {
		if (!take_mark(g, page))
			continue;
		copy_page(g, page);
		nr++;
	}
	return nr;
}

int t_guest_find_difference(const struct t_guest *g)
{
	for (unsigned int page = 0; page < g->pages; page++)
		if (memcmp(g->copy + (size_t)page * T_GUEST_PAGE,
			   g->mem + (size_t)page * T_GUEST_PAGE, T_GUEST_PAGE))
			return page;
	return -1;
}

bool t_guest_has_stray_marks(const struct t_guest *g)
{
	unsigned int all = 0, ours = 0;

	for (uint64_t i = 0; i < g->log_bytes; i++)
		all += __builtin_popcount(g->log[i]);
	for (unsigned int page = 0; page < g->pages; page++)
		ours += t_guest_is_marked(g, page);
	return all != ours;
}

/* --- what the requests under way must leave ------------------------------------------ */

static void expect(bool *pages, uint64_t offset, uint64_t bytes)
{
	for (uint64_t at = offset / T_GUEST_PAGE;
	     bytes && at <= (offset + bytes - 1) / T_GUEST_PAGE; at++)
		pages[at] = true;
}

static void expect_request(const struct t_guest *g, const struct t_guest_request *req, bool *pages)
{
	unsigned int first = g->slots + req->slot * T_GUEST_SLOT_PAGES + T_GUEST_OUT_PAGES + 1;
	uint32_t bytes = req->in;

	if (!g->config.blk && req->out < bytes)
		bytes = req->out;
	expect(pages, (uint64_t)first * T_GUEST_PAGE + req->in_offset, bytes);
	pages[first + T_GUEST_IN_PAGES] = g->config.blk;
}

/* Three pages hold a used ring, four the descriptors. */
static bool may_be_marked(const struct t_guest *g, unsigned int page)
{
	unsigned int desc = page_of(g, g->layout.packed ? (void *)g->layout.ring : g->layout.desc);

	if (g->layout.packed && page >= desc && page < desc + 4)
		return true;
	return page >= device_area(g) && page < device_area(g) + (g->layout.packed ? 1 : 3);
}

int t_guest_find_unexpected(const struct t_guest *g)
{
	bool pages[4096] = { false };

	for (unsigned int id = 0; id < T_GUEST_NUM; id++)
		if (g->requests[id].busy)
			expect_request(g, &g->requests[id], pages);
	for (unsigned int page = 0; page < g->pages; page++)
		if (t_guest_is_marked(g, page) != pages[page] && !may_be_marked(g, page))
			return page;
	return -1;
}
