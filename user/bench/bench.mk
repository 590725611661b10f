# SPDX-License-Identifier: GPL-2.0-only
#
# The programs of scripts/bench; no part of the installed command. With the rules
# of ../Makefile:
#
#   make -C user -f bench/bench.mk O=/some/where bench

include Makefile

bench_out := $(out)/bench
bench_programs := attach exits hops reads report roundtrip stall startexit stat vring wakes
bench_bins := $(bench_programs:%=$(bench_out)/bench-%) $(bench_out)/bench-alloc.so \
	$(bench_out)/bench-traffic $(bench_out)/microvm.bin

bench_attach_objs := attach.o tracer.o common.o
bench_exits_objs := exits.o common.o
bench_hops_objs := hops.o hop_vm.o bpftrace.o tracer.o common.o
bench_reads_objs := reads.o common.o
bench_report_objs := report.o
bench_roundtrip_objs := roundtrip.o loopback.o common.o
bench_stall_objs := stall.o tracer.o common.o
bench_startexit_objs := startexit.o common.o
bench_stat_objs := stat.o tracer.o common.o
bench_vring_objs := vring.o common.o
bench_wakes_objs := wakes.o loopback.o common.o

# DPDK is a peer, and no part of what is built otherwise.
ifneq ($(shell pkg-config --exists libdpdk && echo yes),)
bench_bins += $(bench_out)/bench-dpdk-vhost
endif

.PHONY: bench
bench: all $(bench_bins)

# $(1): program
define bench_program
$(bench_out)/bench-$(1): $(bench_$(1)_objs:%=$(bench_out)/%) $(lib_archives)
	$$(call say,LD)
	$$(Q)$$(CC) $$(all_ldflags) -o $$@ $(bench_$(1)_objs:%=$(bench_out)/%) \
		$$(call rev,$$(lib_archives)) $$(PKG_LIBS) -lm
bench_objs += $(bench_$(1)_objs:%=$(bench_out)/%)
endef
$(foreach p,$(bench_programs),$(eval $(call bench_program,$(p))))

bench_objs += $(bench_out)/alloc.o $(bench_out)/dpdk_vhost.o $(bench_out)/traffic.o

# A guest that has no libraries runs it.
$(bench_out)/bench-traffic: $(bench_out)/traffic.o $(bench_out)/common.o
	$(call say,LD)
	$(Q)$(CC) $(all_ldflags) -static -o $@ $^

$(bench_out)/dpdk_vhost.o: PKG_CFLAGS += $(shell pkg-config --cflags libdpdk 2>/dev/null)
$(bench_out)/bench-dpdk-vhost: $(bench_out)/dpdk_vhost.o $(bench_out)/common.o
	$(call say,LD)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $$(pkg-config --libs libdpdk)

$(bench_out)/bench-alloc.so: $(bench_out)/alloc.o
	$(call say,LD)
	$(Q)$(CC) $(all_ldflags) -shared -o $@ $<

$(bench_out)/microvm.bin: $(bench_out)/microvm.o
	$(call say,OBJCOPY)
	$(Q)objcopy -O binary -j .text $< $@

-include $(bench_objs:.o=.d)
