# SPDX-License-Identifier: LGPL-2.1-or-later
# How the guest's DSDT is compiled, which lib/boot/dsdt.S takes into the library.

# kept: it tells what iasl has read
.PRECIOUS: $(out)/lib/boot/dsdt.i

$(out)/lib/boot/dsdt.i: lib/boot/dsdt.asl $(flags)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -E -P -x assembler-with-cpp -MMD -MP -o $@ $< \
		-MMD -MP -MF $@.d -MT $@

$(out)/lib/boot/dsdt.aml: $(out)/lib/boot/dsdt.i
	$(call say,IASL)
	$(Q)$(IASL) -we -vs -p $(@:.aml=) $< >$(@:.aml=.log) 2>&1 || { cat $(@:.aml=.log); exit 1; }

$(out)/lib/boot/dsdt.o: $(out)/lib/boot/dsdt.aml
$(out)/lib/boot/dsdt.o: CPPFLAGS += -I$(out)/lib/boot

-include $(out)/lib/boot/dsdt.i.d
