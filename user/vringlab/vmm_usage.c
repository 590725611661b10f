// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include <vringlab/vmm.h>

#include "vmm.h"

void vmm_usage(FILE *f)
{
	fputs("usage: vringlab vmm --kernel FILE [--initrd FILE] [OPTION]...\n"
	      "       vringlab vmm --guest hello [OPTION]...\n"
	      "       vringlab vmm --guest ring-ping --socket PATH [OPTION]...\n"
	      "       vringlab vmm --guest exit-cost|irq-cost|doorbell-storm [OPTION]...\n\n"
	      "Runs Linux or a micro-guest on KVM. Its output goes to stdout, a report after\n"
	      "it; the exit code tells whether it succeeded, which Linux has when it powers\n"
	      "off.\n\n"
	      "  --kernel FILE       boots a bzImage (vmlinuz) or an ELF image with a PVH entry\n"
	      "  --guest hello       adds 2 and 2 in real mode and prints the sum\n"
	      "  --guest ring-ping   kicks a virtqueue and checks each answer\n"
	      "  --guest exit-cost   measures what each kind of exit takes\n"
	      "  --guest irq-cost    measures what an interrupt takes\n"
	      "  --guest doorbell-storm  rings doorbells as fast as it can\n"
	      "  --timeout DURATION  stop a guest that has not ended by then, in ns, us,\n"
	      "                      ms or s (default 120s; hello 10s; Linux never)\n"
	      "  --kvm PATH          KVM device (default " VMM_KVM_PATH ")\n"
	      "  --dump-regs         print the registers to stderr, before and after\n"
	      "  --json              report as JSON\n"
	      "  --help              print this\n\n"
	      "Linux only; its serial console is on stdin and stdout, Ctrl-A x quits:\n"
	      "  --initrd FILE       what it unpacks or mounts as its first file system\n"
	      "  --append STRING     its command line, for example console=ttyS0\n"
	      "  --cpus N            vCPUs, 1 to 64 (default 1)\n"
	      "  --pages KIND        of guest memory: base, thp or hugetlb (default base)\n"
	      "  --device KIND[,KEY=VALUE]...  a virtio device, see vringlab-vmm(1): net, blk,\n"
	      "                      vsock, rng or console\n\n"
	      "Linux, hello and ring-ping:\n"
	      "  --memory SIZE       guest memory, K, M and G allowed (default 256M, 128K, 16M)\n\n"
	      "micro-guests only:\n"
	      "  --explain           tell each call to KVM as it happens; of hello also each\n"
	      "                      exit\n\n"
	      "all of them but hello:\n"
	      "  --count N           iterations, for ring-ping each of them one kick, for\n"
	      "                      doorbell-storm doorbells (default 1000)\n\n"
	      "ring-ping and doorbell-storm:\n"
	      "  --doorbell pio|mmio kick by an I/O port or by memory (default pio)\n\n"
	      "doorbell-storm only:\n"
	      "  --eventfds N        doorbells, each with its eventfd (default 1)\n\n"
	      "hello only:\n"
	      "  --irqchip none|lapic|pc  interrupt controllers in the kernel (default none)\n\n"
	      "ring-ping only:\n"
	      "  --socket PATH       vhost-user back-end that serves the virtqueue\n"
	      "  --reconnect         when the back-end is lost, go on with the next one there\n"
	      "  --size BYTES        of each buffer, K and M allowed (default 64)\n"
	      "  --queue-size N      descriptors, a power of two (default 256)\n"
	      "  --depth N           chains of two descriptors per kick (default 1)\n"
	      "  --wait halt|spin    how to wait for the interrupt (default halt)\n",
	      f);
}
