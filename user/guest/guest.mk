# SPDX-License-Identifier: GPL-2.0-only
# How micro-guests are built: freestanding, linked to a flat binary, which
# lib/vmm/guests.S takes into the library.

OBJCOPY ?= objcopy

# Not the user's CFLAGS: no sanitizer, profiler or vector instruction runs there.
guest_cflags := -std=gnu11 -D_GNU_SOURCE $(WARN) $(if $(WERROR),-Werror) -O2 -m64 \
	-ffreestanding -nostdlib -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone \
	-mgeneral-regs-only
guest_ldflags := -m elf_x86_64 -nostdlib -static -z noexecstack \
	--build-id=none -T guest/guest.lds

# What guests in C share; of an archive, so that hello stays as small as it is.
guest_lib := $(out)/guest/lib/libguest.a
$(guest_lib): $(patsubst guest/%.c,$(out)/guest/%.o,$(sort $(wildcard guest/lib/*.c)))
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# kept: --dump-regs gives addresses, and the .elf has the symbols
.PRECIOUS: $(out)/guest/%.o $(out)/guest/%.elf

$(out)/guest/%.o: guest/%.c $(flags)
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(guest_cflags) -MMD -MP -c -o $@ $<

$(out)/guest/%.o: guest/%.S $(flags)
	$(call say,AS)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -m64 -MMD -MP -c -o $@ $<

$(out)/guest/%.elf: $(out)/guest/%.o $(guest_lib) guest/guest.lds
	$(call say,LD)
	$(Q)$(LD) $(guest_ldflags) -o $@ $< $(guest_lib)

$(out)/guest/%.bin: $(out)/guest/%.elf
	$(call say,OBJCOPY)
	$(Q)$(OBJCOPY) -O binary $< $@

# What runs in a Linux guest, without a C library: a program as any other.
linux_tools := $(out)/guest/linux/bench
linux_start := $(out)/guest/linux/start.o
$(linux_tools): %: %.o $(linux_start)
	$(call say,LD)
	$(Q)$(LD) -m elf_x86_64 -nostdlib -static -z noexecstack --build-id=none -s -o $@ \
		$< $(linux_start)

$(out)/lib/vmm/guests.o: $(guest_bins) $(linux_tools)

-include $(guest_bins:.bin=.d) $(linux_tools:=.d) $(wildcard $(out)/guest/lib/*.d)
