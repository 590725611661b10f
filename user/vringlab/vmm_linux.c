// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab vmm --kernel: a Linux guest, its console on standard input and output.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/machine.h>
#include <vringlab/vmm_regs.h>

#include "command.h"
#include "output.h"
#include "vmm.h"
#include "vmm_bench.h"
#include "vmm_console.h"
#include "vmm_devices.h"
#include "vmm_sandbox.h"
#include "vmm_trace.h"

/* What has ended the run: the machine by itself, or something else. */
enum stop {
	STOP_MACHINE,
	STOP_TIMEOUT,
	STOP_SIGNAL,
	STOP_QUIT,
	STOP_OUTPUT,
};

struct linux_run {
	const struct vmm_options *options;
	struct machine_config config;
	struct boot boot;
	struct loop *loop;
	struct vmm_console *console;
	struct machine *machine;
	struct vmm_devices *devices;
	struct vmm_trace *trace;
	struct vmm_bench *bench;
	struct loop_op *timer;
	enum stop stop;
	int signal;
	bool stopped;
};

static void stop(struct linux_run *run, enum stop why)
{
	if (!run->stopped)
		run->stop = why;
	run->stopped = true;
	loop_stop(run->loop);
}

static void on_ended(void *ctx, int res)
{
	(void)res;
	stop(ctx, STOP_MACHINE);
}

static void on_timeout(void *ctx, int res)
{
	(void)res;
	stop(ctx, STOP_TIMEOUT);
}

static void on_signal(void *ctx, int signal)
{
	struct linux_run *run = ctx;

	run->signal = signal;
	stop(run, STOP_SIGNAL);
}

static void on_console(void *ctx, int res)
{
	stop(ctx, res < 0 ? STOP_OUTPUT : STOP_QUIT);
}

static bool console_tx(void *ctx, uint8_t byte)
{
	struct linux_run *run = ctx;

	return vmm_console_tx(run->console, byte);
}

static void console_rx_room(void *ctx)
{
	struct linux_run *run = ctx;

	vmm_console_rx_room(run->console);
}

static int create_loop(struct linux_run *run, struct vl_err *err)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;
	int ret;

	ret = loop_create_restricted(&run->loop, err);
	if (ret)
		return ret;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	ret = loop_signals(run->loop, &set, on_signal, run);
	if (ret)
		return vl_err_set(err, ret, "cannot take signals: %s", vl_strerror(ret));
	return vmm_console_create(&run->console, run->loop, on_console, run, err);
}

/* All of the guest, in the order in which KVM wants it. */
static int create_machine(struct linux_run *run, struct vl_err *err)
{
	const struct vmm_options *o = run->options;
	struct boot_machine tables = { .nr_cpus = run->config.nr_cpus };
	uint8_t *ram;
	int ret;

	/* the VM, its memory, its interrupt controllers and a PC's few devices */
	ret = machine_create(&run->machine, &run->config, err);
	if (ret)
		return ret;
	ret = vmm_devices_create(&run->devices, machine_vm(run->machine), run->loop, o->devices,
				 o->nr_devices, run->trace, err);
	if (ret)
		return ret;
	if (run->bench)
		ret = vmm_bench_start(run->bench, machine_vm(run->machine), run->loop, run->devices,
				      run->trace, err);
	if (ret)
		return ret;
	tables.virtio_mmio = vmm_devices_mmio(run->devices);
	ram = vmm_memory_at(machine_vm(run->machine), 0, run->boot.low);
	ret = boot_load(&run->boot, &tables, ram, err);
	if (ret)
		return ret;
	return machine_create_vcpus(run->machine, err);
}

static int start(struct linux_run *run, struct vl_err *err)
{
	struct vmm_regs regs;
	int ret;

	ret = machine_get_regs(run->machine, &regs, err);
	if (ret)
		return ret;
	boot_start_regs(&run->boot, &regs);
	if (run->options->dump_regs)
		vmm_dump_regs(&regs, "before");
	ret = vmm_console_start(run->console, machine_serial(run->machine), err);
	if (ret)
		return ret;
	if (run->options->timeout_ns)
		ret = loop_timer(run->loop, run->options->timeout_ns, on_timeout, run, &run->timer);
	if (ret)
		return vl_err_set(err, ret, "cannot start a timer: %s", vl_strerror(ret));
	ret = vmm_sandbox_enter(run->options, run->trace, err);
	if (!ret)
		ret = machine_start(run->machine, &regs, run->loop, on_ended, run, err);
	return ret ? ret : vmm_sandbox_settle(run->options, run->trace, err);
}

static int run_machine(struct linux_run *run, struct vl_err *err)
{
	int ret;

	ret = start(run, err);
	if (ret)
		return ret;
	ret = loop_run(run->loop);
	return ret ? vl_err_set(err, ret, "cannot wait for events: %s", vl_strerror(ret)) : 0;
}

static const char *end_name(const struct linux_run *run, enum machine_end end)
{
	static const char *const stops[] = {
		[STOP_TIMEOUT] = "timeout",
		[STOP_SIGNAL] = "signal",
		[STOP_QUIT] = "quit",
		[STOP_OUTPUT] = "output-lost",
	};
	static const char *const ends[] = {
		[MACHINE_RUNS] = "failed",
		[MACHINE_POWER_OFF] = "power-off",
		[MACHINE_RESET] = "reset",
		[MACHINE_PANIC] = "panic",
		[MACHINE_TRIPLE_FAULT] = "triple-fault",
		[MACHINE_FAILED] = "failed",
	};

	return run->stop == STOP_MACHINE ? ends[end] : stops[run->stop];
}

/* The verdict on a machine that has ended by itself. */
static int judge_end(const struct machine_result *result, struct vl_err *err)
{
	switch (result->end) {
	case MACHINE_POWER_OFF:
		return 0;
	case MACHINE_RESET:
		return vl_err_set(err, -ECANCELED, "the guest has reset its machine");
	case MACHINE_PANIC:
		return vl_err_set(err, -ECANCELED, "the guest's kernel has panicked");
	case MACHINE_TRIPLE_FAULT:
		return vl_err_set(err, -ECANCELED, "the guest has reset its CPU by a triple fault");
	case MACHINE_RUNS:
	case MACHINE_FAILED:
		break;
	}
	*err = result->err;
	return err->code;
}

static int judge(const struct linux_run *run, const struct machine_result *result,
		 struct vl_err *err)
{
	char text[OUTPUT_TIME_SIZE];

	switch (run->stop) {
	case STOP_TIMEOUT:
		return vl_err_set(err, -ETIMEDOUT, "the guest did not end within %s (--timeout)",
				  output_time(text, run->options->timeout_ns, false));
	case STOP_SIGNAL:
		return vl_err_set(err, -EINTR, "stopped by SIG%s", sigabbrev_np(run->signal));
	case STOP_QUIT:
	case STOP_OUTPUT: /* the console says which error it was */
		return 0;
	case STOP_MACHINE:
		break;
	}
	return judge_end(result, err);
}

static void dump_after(const struct linux_run *run, enum machine_end end)
{
	bool is_crash = end == MACHINE_TRIPLE_FAULT || end == MACHINE_FAILED;
	struct vmm_regs regs;

	if ((run->options->dump_regs || is_crash) && !machine_get_regs(run->machine, &regs, NULL))
		vmm_dump_regs(&regs, "after");
}

static void report(const struct linux_run *run, const struct machine_result *result, bool ok)
{
	struct json_object *bench = NULL;

	if (!run->options->json) {
		if (run->bench)
			vmm_bench_print(run->bench);
		return;
	}
	if (run->bench)
		bench = vmm_bench_json(run->bench);
	vmm_report_linux(&run->config, result, end_name(run, result->end), bench, ok);
}

/* Returns the exit code. */
static int run_to_end(struct linux_run *run)
{
	struct machine_result result;
	struct vl_err err;
	int ret, lost;

	ret = run_machine(run, &err);
	loop_op_remove(&run->timer);
	vmm_devices_close(run->devices);
	machine_stop(run->machine, &result);
	if (!ret)
		ret = judge(run, &result, &err);
	if (!ret && run->bench)
		ret = vmm_bench_check(run->bench, &err);
	lost = vmm_console_destroy(run->console, run->stop != STOP_SIGNAL, ret ? NULL : &err);
	run->console = NULL;
	dump_after(run, result.end);
	if (!ret)
		ret = lost;
	report(run, &result, !ret);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}

static int run_guest(struct linux_run *run)
{
	struct vl_err err;
	int ret;

	ret = create_loop(run, &err);
	if (!ret)
		ret = create_machine(run, &err);
	/* once there is a VM, what is missing is not KVM */
	if (ret)
		ret = fail(&err, run->machine ? EXIT_FAILED : vmm_exit_code(ret));
	else
		ret = run_to_end(run);
	vmm_console_destroy(run->console, false, NULL);
	vmm_bench_destroy(run->bench);
	run->bench = NULL;
	vmm_devices_destroy(run->devices);
	machine_destroy(run->machine);
	loop_destroy(run->loop);
	return ret;
}

static int open_trace(struct linux_run *run, struct vl_err *err)
{
	const struct vmm_options *o = run->options;
	bool vhost = false;

	for (unsigned int i = 0; i < o->nr_devices; i++)
		vhost = vhost || vmm_device_has_vhost(&o->devices[i]);
	if (!o->trace && !o->nr_devices)
		return 0;
	return vmm_trace_open(&run->trace, o->trace, vhost, err);
}

static int run_traced(struct linux_run *run)
{
	struct vl_err err;
	int ret = open_trace(run, &err);

	if (ret)
		return fail(&err, vmm_exit_code(ret));
	ret = run_guest(run);
	vmm_trace_close(run->trace);
	return ret;
}

static int open_files(struct linux_run *run, struct vl_err *err)
{
	const struct vmm_options *o = run->options;
	struct boot_config boot = {
		.kernel = o->kernel,
		.initrd = o->initrd,
		.cmdline = o->append ? o->append : "",
		.memory = o->memory,
	};
	size_t bytes = 0;

	if (run->bench)
		boot.more = vmm_bench_initrd(run->bench, &bytes);
	boot.more_bytes = bytes;
	return boot_open(&run->boot, &boot, err);
}

static int run_planned(struct linux_run *run)
{
	struct vl_err err;
	int ret;

	ret = machine_check(&run->config, &err);
	if (!ret)
		ret = open_files(run, &err);
	if (ret)
		return fail(&err, EXIT_FAILED);
	ret = run_traced(run);
	boot_close(&run->boot);
	return ret;
}

int vmm_run_linux(const struct vmm_options *options)
{
	struct linux_run run = {
		.options = options,
		.config = {
			.kvm_path = options->kvm_path,
			.memory = options->memory,
			.pages = options->pages,
			.nr_cpus = options->cpus,
			.console = { .tx = console_tx, .rx_room = console_rx_room },
			.console_ctx = &run,
			.enter = vmm_sandbox_enter_vcpu,
			.enter_ctx = (void *)options,
		},
	};
	struct vl_err err;
	int ret;

	if (options->bench.nr && vmm_bench_create(&run.bench, options, &err))
		return err.code == -EINVAL ? usage_error("vmm", "%s", err.msg) :
					     fail(&err, EXIT_FAILED);
	ret = run_planned(&run);
	vmm_bench_destroy(run.bench);
	return ret;
}
