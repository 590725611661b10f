# SPDX-License-Identifier: GPL-2.0-only
#
# 'make help' lists the targets and the variables.

O ?= build
prefix ?= /usr/local
DESTDIR ?=
src := $(CURDIR)
out := $(abspath $(O))

# kbuild takes O= and CC= for its own, lib.mk sets CC itself: no variable is
# handed down unless it is named below.
MAKEOVERRIDES :=
given = $(foreach v,$(1),$(if $(filter command environment%,$(origin $(v))),$(v)='$($(v))'))

Q := $(if $(V),,@)
submake = $(Q)+$(MAKE) $(if $(V),,--no-print-directory)

# The kernel to build for. The running one's headers, else those of the default
# kernel that scripts/setup fetched; a target that needs them says if there are none.
ifeq ($(KDIR),)
KDIR := $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell $(src)/scripts/kernels kdir default 2>/dev/null))
endif
# Not include/config/kernel.release: a distribution's may name its source's.
krelease = $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
kmod = $(out)/kmod/$(krelease)

user_args = O='$(out)' $(call given,AR CC CFLAGS CPPFLAGS LDFLAGS LLVM SANITIZE V WERROR)
test_args = O='$(out)' $(call given,CC INSTALL_PATH KSRC LLVM RING SANITIZE V WERROR)
# An empty O=, because make has exported ours. KCC= is the module's compiler: it
# must suit the kernel's, so CC= is not handed on.
kbuild_args = O= M='$(kmod)' $(if $(KCC),CC='$(KCC)') \
	$(call given,ARCH C CF CROSS_COMPILE KCFLAGS LLVM V W) \
	$(if $(WERROR),KCFLAGS='$(KCFLAGS) -Werror')

.PHONY: all module user selftests run_tests check matrix interop torture fuzz demo bench style \
	setup install modules_install dkms_install clean help bad_module need_kdir

all: user ## everything: the command, and the module for KDIR where that exists
ifneq ($(wildcard $(KDIR)/Makefile),)
all: module
else
	@echo "  (no module: no kernel headers in '$(KDIR)'; give KDIR=, or run 'make setup')"
endif

user: ## the command 'vringlab' and its libraries
	$(submake) -C user $(user_args) all

module: need_kdir ## vringlab.ko for KDIR, in O/kmod/RELEASE/module
	$(Q)scripts/kmod-stage '$(src)' '$(kmod)'
	$(submake) -C '$(KDIR)' $(kbuild_args) modules

bad_module: need_kdir
	$(Q)mkdir -p '$(kmod)/bad' && ln -sf '$(src)'/selftests/module/bad/* '$(kmod)/bad/'
	$(submake) -C '$(KDIR)' $(kbuild_args) M='$(kmod)/bad' modules

need_kdir:
	$(if $(krelease),,$(error no prepared kernel in '$(KDIR)': give KDIR=, or run 'make setup'))

selftests: user ## build the tests of all rings, or of those in RING=
	$(submake) -C selftests $(test_args) all

run_tests: user ## run them here and now, with kselftest's own runner
	$(submake) -C selftests $(test_args) run_tests

check: setup ## build and run everything, also in VMs, and count the results
	$(Q)+O='$(out)' scripts/check $(CHECK_ARGS)

matrix: setup ## module, vhost and kvm tests on all kernels, into Documentation
	$(Q)+O='$(out)' scripts/matrix

interop: ## the tests with other implementations of vhost-user
	$(Q)scripts/setup --interop
	$(Q)+O='$(out)' scripts/check --ring interop $(CHECK_ARGS)

torture: ## the module ring and more, on kernels of our own that hate bugs
	$(Q)scripts/setup --torture
	$(Q)scripts/kernels --debug
	$(Q)+O='$(out)' scripts/check --ring torture $(CHECK_ARGS)

fuzz: setup ## libFuzzer on what peers and guests can write; FUZZ=pattern selects
	$(Q)+O='$(out)' scripts/fuzz $(if $(FUZZ_TIME),--time '$(FUZZ_TIME)') $(FUZZ)

demo: setup ## one kick followed end to end, in a VM
	$(submake) $(call given,V) O='$(out)' user
	$(submake) $(call given,V) O='$(out)' KDIR="$$(scripts/kernels kdir default)" module
	$(Q)O='$(out)' scripts/demo

bench: setup ## measure, beside a peer or a limit; BENCH=pattern selects
	$(submake) $(call given,V) O='$(out)' user
	$(Q)O='$(out)' scripts/bench

style: ## every linter, on every file
	$(Q)+O='$(out)' scripts/style

setup: ## install what is missing, fetch the kernels; DRY_RUN=1 only says what
	$(Q)scripts/setup $(if $(DRY_RUN),--dry-run)

install: user ## the command, below DESTDIR and prefix
	$(submake) -C user $(user_args) prefix='$(prefix)' DESTDIR='$(DESTDIR)' install

mod_path = $(or $(INSTALL_MOD_PATH),$(DESTDIR))
modules_install: module ## the module for KDIR, below DESTDIR or INSTALL_MOD_PATH
	$(Q)$(call given,INSTALL_MOD_STRIP) scripts/kmod-install '$(KDIR)' '$(krelease)' \
		'$(kmod)/module/vringlab.ko' '$(mod_path)' \
		$(if $(SIGN_KEY)$(SIGN_CERT),'$(SIGN_KEY)' '$(SIGN_CERT)')

version := $(file <VERSION)
dkms_tree = $(DESTDIR)/usr/src/vringlab-$(version)
dkms_install: ## the module's source for dkms, below DESTDIR
	$(Q)rm -rf '$(out)/dkms' '$(dkms_tree)'
	$(Q)scripts/kmod-stage '$(src)' '$(out)/dkms'
	$(Q)mkdir -p '$(dkms_tree)' && cp -RL '$(out)/dkms/.' COPYING '$(dkms_tree)'
	$(Q)sed 's/#MODULE_VERSION#/$(version)/' dkms.conf.in >'$(dkms_tree)/dkms.conf'

clean: ## remove what was built; not the downloads in .cache
	rm -rf '$(out)/user' '$(out)/kmod' '$(out)/selftests' '$(out)/check' \
		'$(out)/style' '$(out)/fuzz' '$(out)/dkms' '$(out)'/bench.*
	$(Q)if [ -d '$(out)' ]; then rmdir --ignore-fail-on-non-empty '$(out)'; fi

help: ## this text
	@echo 'targets:'
	@sed -n 's/^\([a-z_]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | \
		while IFS="$$(printf '\t')" read -r t h; do printf '  %-16s %s\n' "$$t" "$$h"; done
	@printf '%s\n' '' 'variables:' \
		'  O=build          where to build' \
		'  KDIR=            kernel to build the module for; default: the running one,' \
		'                   else the default one of scripts/setup' \
		'  KSRC=            kernel source, for kselftest and checkpatch; default: fetched' \
		'  V=1              show the commands' \
		'  W=1  C=2         more warnings, sparse (module)' \
		'  LLVM=1  CC=      compiler; CC= is for user code only, KCC= for the module' \
		'  WERROR=1         warnings are errors' \
		'  SANITIZE=        user code and tests, for example address,undefined' \
		'  prefix=$(prefix)  DESTDIR=' \
		'  SIGN_KEY= SIGN_CERT=  for modules_install: a key and its certificate' \
		'  RING="pure kvm"  rings for selftests and run_tests' \
		'  CHECK_ARGS=      options of scripts/check' \
		'  BENCH=           pattern of measurements' \
		'  FUZZ=            pattern of fuzz targets' \
		'  FUZZ_TIME=60     seconds for each'
