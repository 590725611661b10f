// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a guest of discover_guest_up_test.sh. It does what it is told
 * on the console, a command a line:
 *
 *   load		load what is in /modules and not loaded, by name
 *   unload MODULE
 *   up ADDRESS PEER MAC	give eth0 the address, and the peer a fixed place
 *   ping NR BATCH	NR echo requests, BATCH of them before their replies are read
 *   stream PORT NR	NR bytes through vsock to the host, and back
 *   stat		what the drivers have counted
 *
 * The last line of each answer is "=" and what became of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip_icmp.h>

#define DEV "eth0"
/* Of an emulated machine in an emulated machine. */
#define DEADLINE_S 60
#define GSTATS_MAX 1024u

static struct in_addr peer;

static int load_file(const char *name)
{
	int fd, ret;

	fd = openat(AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST ? -errno : 0;
	close(fd);
	return ret;
}

static int load(void)
{
	struct dirent **names;
	int i, ret = 0, nr = chdir("/modules") ? -1 : scandir(".", &names, NULL, alphasort);

	if (nr < 0)
		return -errno;
	for (i = 0; i < nr; i++) {
		if (!ret && names[i]->d_name[0] != '.')
			ret = load_file(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ret;
}

static void set_address(struct sockaddr *to, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(to, &in, sizeof(in));
}

/* Without ARP, what is on the wire is known. */
static int up(const char *address, const char *to, const char *mac)
{
	struct ifreq ifr = { .ifr_name = DEV };
	struct arpreq arp = { .arp_flags = ATF_PERM, .arp_dev = DEV };
	unsigned char *m = (unsigned char *)arp.arp_ha.sa_data;
	int ret = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_address(&ifr.ifr_addr, address);
	if (fd < 0 || ioctl(fd, SIOCSIFADDR, &ifr))
		ret = -errno;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!ret && ioctl(fd, SIOCSIFFLAGS, &ifr))
		ret = -errno;
	set_address(&arp.arp_pa, to);
	inet_pton(AF_INET, to, &peer);
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4],
		   &m[5]) != 6)
		ret = -EINVAL;
	if (!ret && ioctl(fd, SIOCSARP, &arp))
		ret = -errno;
	close(fd);
	return ret;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *word = data;
	uint32_t sum = 0;

	for (; len; len -= 2)
		sum += *word++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static int send_echo(int fd, unsigned int seq)
{
	struct icmphdr echo = { .type = ICMP_ECHO, .un.echo.sequence = htons(seq) };

	echo.checksum = checksum(&echo, sizeof(echo));
	return send(fd, &echo, sizeof(echo), 0) == (ssize_t)sizeof(echo) ? 0 : -errno;
}

static int receive_reply(int fd)
{
	unsigned char packet[256];
	ssize_t len;

	do {
		len = recv(fd, packet, sizeof(packet), 0);
		if (len < 0)
			return -errno;
	} while (len < 28 || packet[20] != ICMP_ECHOREPLY);
	return 0;
}

static int connect_to(int fd, const void *address, socklen_t len)
{
	const struct timeval deadline = { .tv_sec = DEADLINE_S };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)) ||
	    connect(fd, address, len))
		return -errno;
	return 0;
}

static int ping(unsigned int nr, unsigned int batch)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = peer };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	int ret = connect_to(fd, &to, sizeof(to));
	unsigned int sent = 0, received = 0;

	while (!ret && received < nr) {
		for (; !ret && sent < nr && sent - received < batch; sent++)
			ret = send_echo(fd, sent);
		for (; !ret && received < sent; received++)
			ret = receive_reply(fd);
	}
	close(fd);
	return ret;
}

/* The host sends back as much as it got, once it has it all. */
static int stream(unsigned int port, size_t nr)
{
	const struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = connect_to(fd, &to, sizeof(to));
	static unsigned char buf[4096];
	size_t done;
	ssize_t len = 1;

	for (done = 0; !ret && done < nr; done += len) {
		len = send(fd, buf, nr - done < sizeof(buf) ? nr - done : sizeof(buf), 0);
		if (len < 0)
			ret = -errno;
	}
	if (!ret && shutdown(fd, SHUT_WR))
		ret = -errno;
	for (done = 0; !ret && len; done += len) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			ret = -errno;
	}
	close(fd);
	return ret ?: done == nr ? 0 : -ENODATA;
}

static void print_packets(const char *what)
{
	char path[96], value[32];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/" DEV "/statistics/%s", what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, value, sizeof(value));
	printf("%s %.*s", what, (int)len, value);
	close(fd);
}

static unsigned int nr_gstats(int fd, struct ifreq *ifr)
{
	uint64_t buf[(sizeof(struct ethtool_sset_info) + sizeof(uint32_t) + 7) / 8] = { 0 };
	struct ethtool_sset_info *set = (void *)buf;

	set->cmd = ETHTOOL_GSSET_INFO;
	set->sset_mask = 1 << ETH_SS_STATS;
	ifr->ifr_data = (void *)set;
	return ioctl(fd, SIOCETHTOOL, ifr) || set->data[0] > GSTATS_MAX ? 0 : set->data[0];
}

/* virtio_net counts the doorbells of each virtqueue. */
static void print_kicks(void)
{
	static uint64_t
		names[(sizeof(struct ethtool_gstrings) + GSTATS_MAX * ETH_GSTRING_LEN) / 8 + 1];
	static uint64_t values[sizeof(struct ethtool_stats) / 8 + GSTATS_MAX];
	struct ethtool_gstrings *s = (void *)names;
	struct ethtool_stats *v = (void *)values;
	struct ifreq ifr = { .ifr_name = DEV };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int i, nr = nr_gstats(fd, &ifr);

	*s = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, nr };
	ifr.ifr_data = (void *)s;
	if (ioctl(fd, SIOCETHTOOL, &ifr))
		nr = 0;
	*v = (struct ethtool_stats){ ETHTOOL_GSTATS, nr };
	ifr.ifr_data = (void *)v;
	if (ioctl(fd, SIOCETHTOOL, &ifr))
		nr = 0;
	for (i = 0; i < nr; i++) {
		const char *name = (const char *)s->data + i * ETH_GSTRING_LEN;

		if (strstr(name, "_kicks"))
			printf("%.2s_kicks %llu\n", name, (unsigned long long)v->data[i]);
	}
	close(fd);
}

/* This guest has one processor: "24: COUNT  PCI-MSI... virtio0-input.0" */
static void print_interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "re");
	unsigned long count;
	char line[256], *name;

	while (f && fgets(line, sizeof(line), f)) {
		name = strrchr(line, ' ');
		if (name && !strncmp(name + 1, "virtio", 6) &&
		    sscanf(line, " %*u: %lu", &count) == 1)
			printf("irq:%.*s %lu\n", (int)strcspn(name + 1, "\n"), name + 1, count);
	}
	if (f)
		fclose(f);
}

static int stat_drivers(void)
{
	print_packets("rx_packets");
	print_packets("tx_packets");
	print_kicks();
	print_interrupts();
	return 0;
}

static int run(const char *line)
{
	char a[64], b[64], c[64];
	unsigned int n, m;

	if (!strcmp(line, "load"))
		return load();
	if (sscanf(line, "unload %63s", a) == 1)
		return syscall(SYS_delete_module, a, O_NONBLOCK) ? -errno : 0;
	if (sscanf(line, "up %63s %63s %63s", a, b, c) == 3)
		return up(a, b, c);
	if (sscanf(line, "ping %u %u", &n, &m) == 2)
		return ping(n, m);
	if (sscanf(line, "stream %u %u", &n, &m) == 2)
		return stream(n, m);
	if (!strcmp(line, "stat"))
		return stat_drivers();
	return -ENOSYS;
}

int main(void)
{
	struct termios t;
	char line[256];
	int ret;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	tcgetattr(0, &t);
	cfmakeraw(&t);
	tcsetattr(0, TCSANOW, &t);
	setlinebuf(stdout);
	puts("= ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		ret = run(line);
		printf("= %s\n", ret ? strerror(-ret) : "done");
	}
	return 1;
}
