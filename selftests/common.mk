# SPDX-License-Identifier: GPL-2.0-only
#
# What every ring's Makefile is: programs by wildcard, on the kernel's lib.mk.
#
# *_test.c is built and linked with all user libraries and ../lib; *_test.sh is
# copied beside them, so that $(O)/selftests is a tree that runs by itself, also
# inside a VM, without the kernel source:
#
#   RING/NAME_test[.sh]   the programs
#   lib/                  what shell tests source: lib/ktap.sh
#   bin/                  a link to the command, or a copy of it when installed
#
# O= build folder; KSRC= kernel source; VRINGLAB_SRC= the project, for a copy of
# this folder that lives in a kernel tree.

selftests_dir := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
VRINGLAB_SRC ?= $(patsubst %/,%,$(dir $(selftests_dir)))
O ?= $(VRINGLAB_SRC)/build
abs_o := $(abspath $(O))
ring := $(notdir $(CURDIR))

ifneq ($(MAKECMDGOALS),clean)
ifeq ($(wildcard $(VRINGLAB_SRC)/user/Makefile),)
$(error $(VRINGLAB_SRC) is not vringlab's source: give VRINGLAB_SRC=)
endif
endif

include $(selftests_dir)/ksrc.mk

OUTPUT := $(abs_o)/selftests/$(ring)
$(shell mkdir -p $(OUTPUT) $(abs_o)/selftests/lib)

TEST_GEN_PROGS := $(patsubst %.c,%,$(sort $(wildcard *_test.c)))
# Custom, because lib.mk would run the source folder's copy.
TEST_CUSTOM_PROGS := $(addprefix $(OUTPUT)/,$(sort $(wildcard *_test.sh)))

user_libs := $(foreach l,backend virtio machine boot vmm device nl vhost_user uring vring sandbox \
	util,$(abs_o)/user/lib/libvl_$(l).a)
test_lib := $(OUTPUT)/libt.a
test_lib_objs := $(patsubst $(selftests_dir)/lib/%.c,$(OUTPUT)/lib-%.o, \
	$(sort $(wildcard $(selftests_dir)/lib/*.c)))
shell_lib := $(patsubst $(selftests_dir)/%,$(abs_o)/selftests/%, \
	$(sort $(wildcard $(selftests_dir)/lib/*.sh))) \
	$(abs_o)/selftests/lib/ktap_helpers.sh
command_link := $(abs_o)/selftests/bin/vringlab

PKGS := liburing libmnl libbpf json-c
# The harness is the kernel's: its own warnings are not ours to fix.
CPPFLAGS += -isystem $(KSRC)/tools/testing/selftests -I$(selftests_dir)/lib \
	-I$(VRINGLAB_SRC)/user/include -I$(VRINGLAB_SRC)/include/uapi \
	$(shell pkg-config --cflags $(PKGS)) -MMD -MP -MF $@.d
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith \
	-Wwrite-strings -pthread $(if $(WERROR),-Werror) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
# An unused fixture parameter is how the harness works, not a mistake.
CFLAGS += -Wno-unused-parameter
LDLIBS += $(test_lib) $(user_libs) $(shell pkg-config --libs $(PKGS))

# lib.mk's own rule would compile the headers that a .d file names.
OVERRIDE_TARGETS := 1

# lib.mk finds its settings file only inside a kernel tree.
settings := $(firstword $(wildcard settings) $(selftests_dir)/settings)
export kselftest_override_timeout ?= $(shell sed -n 's/^timeout=//p' $(settings))

# For tests of the sources themselves.
export VRINGLAB_SRC KSRC CC

# The first target must be lib.mk's: nothing above defines one.
include $(KSRC)/tools/testing/selftests/lib.mk

ifdef INSTALL_PATH
# kselftest's own use rsync, for no other reason than -a.
define INSTALL_SINGLE_RULE
	$(if $(INSTALL_LIST),@mkdir -p $(INSTALL_PATH) && cp -RL $(INSTALL_LIST) $(INSTALL_PATH)/)
endef
install: ring_shared
.PHONY: ring_shared
ring_shared: all
	@mkdir -p $(INSTALL_PATH)/../lib $(INSTALL_PATH)/../bin
	@cp $(selftests_dir)/config $(settings) $(INSTALL_PATH)/
	@cp $(shell_lib) $(INSTALL_PATH)/../lib/
	@cp -L $(command_link) $(INSTALL_PATH)/../bin/
endif

$(OUTPUT)/%_test: %_test.c $(test_lib) $(user_libs)
	$(call msg,CC,,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS)

all: $(TEST_CUSTOM_PROGS) $(shell_lib) $(command_link)

$(OUTPUT)/%.sh: %.sh
	$(call msg,COPY,,$@)
	$(Q)install -m 0755 $< $@

$(abs_o)/selftests/lib/%.sh: $(selftests_dir)/lib/%.sh
	$(call msg,COPY,,$@)
	$(Q)install -m 0644 $< $@

$(abs_o)/selftests/lib/ktap_helpers.sh: $(KSRC)/tools/testing/selftests/kselftest/ktap_helpers.sh
	$(call msg,COPY,,$@)
	$(Q)install -m 0644 $< $@

# Relative, so that it holds wherever the build folder is seen.
$(command_link):
	$(Q)mkdir -p $(@D) && ln -sfn ../../user/vringlab $@

$(test_lib): $(test_lib_objs)
	$(call msg,AR,,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OUTPUT)/lib-%.o: $(selftests_dir)/lib/%.c
	$(call msg,CC,,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The libraries are user/Makefile's to build. USER_BUILT=1 says they were, so
# that rings built in parallel do not all do it.
ifndef USER_BUILT
$(user_libs): user_build ;
.PHONY: user_build
user_build:
	$(Q)+$(MAKE) --no-print-directory -C $(VRINGLAB_SRC)/user -f fuzz/fuzz.mk O=$(abs_o) \
		all libs replay
endif

EXTRA_CLEAN := $(OUTPUT)

-include $(wildcard $(OUTPUT)/*.d)
