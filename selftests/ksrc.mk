# SPDX-License-Identifier: GPL-2.0-only
#
# Where kselftest comes from: KSRC=, the kernel tree this folder is in, or the
# source that scripts/setup fetched.

ifndef KSRC
KSRC := $(patsubst %/tools/testing/selftests/lib.mk,%,$(wildcard \
	$(abspath $(selftests_dir)/../lib.mk) $(abspath $(CURDIR)/../../lib.mk)))
endif
ifeq ($(KSRC),)
KSRC := $(shell $(VRINGLAB_SRC)/scripts/kernels ksrc 2>/dev/null)
endif
ifneq ($(MAKECMDGOALS),clean)
ifeq ($(wildcard $(KSRC)/tools/testing/selftests/lib.mk),)
$(error no kernel source in '$(KSRC)': run scripts/setup, or give KSRC=)
endif
endif
override KSRC := $(abspath $(KSRC))
