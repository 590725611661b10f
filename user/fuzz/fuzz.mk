# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzz targets, NAME_fuzz.c each; no part of the installed command. With the
# rules of ../Makefile:
#
#   make -C user -f fuzz/fuzz.mk O=/some/where replay
#   make -C user -f fuzz/fuzz.mk O=/other/place LLVM=1 \
#		SANITIZE=fuzzer-no-link,address,undefined fuzz
#
# A replay program runs files through its target once each, and needs no fuzzer:
# `make check` replays user/fuzz/corpus/NAME with it.

ifneq ($(findstring fuzzer,$(SANITIZE)),)
# A finding stops there; and loads of memory are told of, for race.c.
override CFLAGS := -O2 -g -fno-sanitize-recover=undefined -fsanitize-coverage=trace-loads
endif

include Makefile

fuzz_out := $(out)/fuzz
fuzz_names := $(patsubst fuzz/%_fuzz.c,%,$(sort $(wildcard fuzz/*_fuzz.c)))
# What the targets share.
fuzz_common := $(patsubst fuzz/%.c,$(fuzz_out)/%.o, \
	$(filter-out %_fuzz.c fuzz/replay.c,$(sort $(wildcard fuzz/*.c))))

ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(fuzz_out)/race.o: all_cflags += -fno-sanitize-coverage=trace-loads
endif

.PHONY: fuzz replay
fuzz: $(fuzz_names:%=$(fuzz_out)/fuzz-%)
replay: $(fuzz_names:%=$(fuzz_out)/replay-%)

fuzz_link = $(Q)$(CC) $(all_ldflags) $(1) -o $@ $(filter %.o,$^) \
	$(call rev,$(lib_archives)) $(PKG_LIBS)

$(fuzz_out)/fuzz-%: $(fuzz_out)/%_fuzz.o $(fuzz_common) $(lib_archives)
	$(call say,LD)
	$(call fuzz_link,-fsanitize=fuzzer)

$(fuzz_out)/replay-%: $(fuzz_out)/%_fuzz.o $(fuzz_out)/replay.o $(fuzz_common) $(lib_archives)
	$(call say,LD)
	$(call fuzz_link,)

# Kept, or make would take them for steps on the way.
.SECONDARY: $(fuzz_names:%=$(fuzz_out)/%_fuzz.o) $(fuzz_out)/replay.o $(fuzz_common)

-include $(fuzz_names:%=$(fuzz_out)/%_fuzz.d) $(fuzz_common:.o=.d) $(fuzz_out)/replay.d
