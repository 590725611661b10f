# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random reads of 4 KiB. The same driver, and the same file, which is in memory.

blk_bytes=$((256 << 20))

# On tmpfs, and in the build folder; what is read of the latter is in the page cache.
memory_file=
cached_file=$build/bench.disk

make_files()
{
	memory_file=$(mktemp /dev/shm/vringlab-bench.XXXXXX) &&
		head -c "$blk_bytes" /dev/urandom >"$memory_file" &&
		cp "$memory_file" "$cached_file" && sync "$cached_file"
}

# NAME DEPTH: time and CPU time for a request; the driver sleeps, on the same CPU
reads()
{
	drive "$1" "$cpu" --time 250ms --depth "$2" | awk '{ print $1, $2 }'
}

# NAME DEPTH: median latency; driver and back-end poll, each on its CPU
polled_reads()
{
	drive "$1" "$far_cpu" --time 250ms --depth "$2" --poll | awk '{ print $3 }'
}

# DEPTH mean|median: time for a read of the file itself
file_reads()
{
	taskset -c "$cpu" "$bin/bench-reads" "$memory_file" "$1" 250 |
		awk -v which="$2" '{ print which == "mean" ? $1 : $2 }'
}

# NAME: time for a request
read_time()
{
	reads "$@" | awk '{ print $1 }'
}

blk_entries=(
	blk-null-{1,32}{,-cpu}
	blk-{1,32}{,-cpu,-poll,-file}
	blk-cached-{1,32}{,-cpu}
)

declare_blk()
{
	local depth

	for depth in 1 32; do
		declare_entry "blk-null-$depth" ns 0.83 "qemu-storage-daemon, null-co"
		declare_entry "blk-null-$depth-cpu" ns 0.80 "qemu-storage-daemon, null-co"
	done
	for depth in 1 32; do
		declare_entry "blk-$depth" ns 0.83 "qemu-storage-daemon, aio=io_uring"
		declare_entry "blk-$depth-cpu" ns 0.80 "qemu-storage-daemon, aio=io_uring"
		declare_entry "blk-$depth-poll" ns 0.83 "qemu-storage-daemon, the same, polling"
		declare_entry "blk-$depth-file" ns 1.18 "io_uring on the file"
	done
	for depth in 1 32; do
		declare_entry "blk-cached-$depth" ns 0.83 "qemu-storage-daemon, aio=io_uring"
		declare_entry "blk-cached-$depth-cpu" ns 0.80 "qemu-storage-daemon, aio=io_uring"
	done
}

serve_blk()
{
	local null=null-co,size=1073741824,read-zeroes=off
	local file=file,aio=io_uring,filename

	make_scratch
	make_files || return
	serve_ours null --null-size 1G &&
		serve_ours file --file "$memory_file" &&
		serve_ours file-poll --file "$memory_file" --poll-us 200 &&
		serve_ours cached --file "$cached_file" &&
		serve_qsd qsd-null 0 "$null" &&
		serve_qsd qsd-file 0 "$file=$memory_file" &&
		serve_qsd qsd-poll 200000 "$file=$memory_file" &&
		serve_qsd qsd-cached 0 "$file=$cached_file"
}

compare_blk()
{
	local depth

	for depth in 1 32; do
		compare "blk-null-$depth blk-null-$depth-cpu" "reads null $depth" \
			"reads qsd-null $depth"
		compare "blk-$depth blk-$depth-cpu" "reads file $depth" "reads qsd-file $depth"
		compare "blk-$depth-poll" "polled_reads file-poll $depth" \
			"polled_reads qsd-poll $depth"
		compare "blk-cached-$depth blk-cached-$depth-cpu" "reads cached $depth" \
			"reads qsd-cached $depth"
	done
	# one read at a time is no measure of anything but the wake-up, if one sleeps
	compare blk-1-file "polled_reads file-poll 1" "file_reads 1 median"
	compare blk-32-file "read_time file 32" "file_reads 32 mean"
}

bench_blk()
{
	declare_blk
	skip_without_qsd "${blk_entries[*]}"
	skip_without_far_cpu "blk-1-poll blk-32-poll blk-1-file"
	pending "${blk_entries[@]}" || return 0
	if serve_blk; then
		compare_blk
	else
		finish fail "${blk_entries[*]}" "$(last_words)"
	fi
	stop_servers
	rm -f "$memory_file" "$cached_file"
}
