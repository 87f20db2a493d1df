//go:build dpdk

/* librte_acl behind a few functions; the layout of rules and packets. */

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_vect.h>
#include <rte_version.h>

#include "acl.h"

const char *acl_version(void) { return rte_version(); }

/* DPDK's heap has large pages where it is used in earnest. Here none are reserved
 * for it; but the kernel makes them of private memory when it is asked to, of a
 * memfd, which DPDK prefers, seldom. So there is no memfd, and it is asked. In fw1
 * and ipc1 sets of 10,000 rules, of 96 and 180 MB, a lookup took a seventh less on
 * the mean of three runs each, which differed by a half among themselves. */
int memfd_create(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

static int large_pages(const struct rte_memseg_list *l, void *unused)
{
	(void)unused;
	if (!l->external)
		madvise(l->base_va, l->len, MADV_HUGEPAGE); /* none is no error */
	return 0;
}

int acl_start(int mib, char *why, size_t n)
{
	char memory[32];
	char *args[] = {"peers", "--no-shconf", "--no-huge", "--no-pci", "--no-telemetry", "-l", NULL, "-m", memory,
		/* DPDK leaves the widest registers alone unless it is told. */
		"--force-max-simd-bitwidth=512", "--log-level=*:error", NULL};
	char core[32];
	cpu_set_t cpus;
	int i, rc;

	snprintf(memory, sizeof(memory), "%d", mib);
	/* It binds the thread to a core of those that the process may run on; that is
	 * undone, for others to be measured in the same way. */
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) {
		snprintf(why, n, "sched_getaffinity: %s", strerror(errno));
		return -1;
	}
	for (i = 0; i < CPU_SETSIZE - 1 && !CPU_ISSET(i, &cpus); i++)
		;
	snprintf(core, sizeof(core), "%d", i);
	args[6] = core;
	rc = rte_eal_init(sizeof(args) / sizeof(*args) - 1, args);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (rc < 0) {
		snprintf(why, n, "rte_eal_init: %s", rte_strerror(rte_errno));
		return -1;
	}
	rte_memseg_list_walk(large_pages, NULL);
	return 0;
}

/* Packets and rules of IPv4: a byte for the protocol first, as the library wants it,
 * then groups of four bytes. */
struct packet4 {
	uint8_t proto, pad[3];
	uint32_t src, dst;
	uint16_t sport, dport;
};

struct packet6 {
	uint8_t proto, pad[3];
	uint32_t src[4], dst[4];
	uint16_t sport, dport;
};

size_t acl_packet_bytes(int ipv6) { return ipv6 ? sizeof(struct packet6) : sizeof(struct packet4); }

enum { FIELDS4 = 5, FIELDS6 = 11 };

RTE_ACL_RULE_DEF(rule4, FIELDS4);
RTE_ACL_RULE_DEF(rule6, FIELDS6);

static void layout(struct rte_acl_config *c, int ipv6)
{
	uint32_t words = ipv6 ? 8 : 2, i, n = 0;
	uint32_t ports = 4 + 4 * words;

	c->defs[n] = (struct rte_acl_field_def){RTE_ACL_FIELD_TYPE_BITMASK, 1, n, 0, 0};
	n++;
	for (i = 0; i < words; i++, n++)
		c->defs[n] = (struct rte_acl_field_def){RTE_ACL_FIELD_TYPE_MASK, 4, n, 1 + i, 4 + 4 * i};
	c->defs[n] = (struct rte_acl_field_def){RTE_ACL_FIELD_TYPE_RANGE, 2, n, 1 + words, ports};
	n++;
	c->defs[n] = (struct rte_acl_field_def){RTE_ACL_FIELD_TYPE_RANGE, 2, n, 1 + words, ports + 2};
	c->num_fields = n + 1;
	c->num_categories = 1;
}

static void fill(struct rte_acl_field *f, const struct tuple_rule *r, int words)
{
	int i, n = 0;

	f[n].value.u8 = r->proto;
	f[n++].mask_range.u8 = r->proto_mask;
	for (i = 0; i < words; i++) {
		f[n].value.u32 = r->src[i];
		f[n++].mask_range.u32 = r->src_bits[i];
	}
	for (i = 0; i < words; i++) {
		f[n].value.u32 = r->dst[i];
		f[n++].mask_range.u32 = r->dst_bits[i];
	}
	f[n].value.u16 = r->sport_first;
	f[n++].mask_range.u16 = r->sport_last;
	f[n].value.u16 = r->dport_first;
	f[n].mask_range.u16 = r->dport_last;
}

struct acl {
	struct rte_acl_ctx *ctx;
};

static size_t heap_bytes(void)
{
	struct rte_malloc_socket_stats s;
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < rte_socket_count(); i++)
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &s) == 0)
			sum += s.heap_allocsz_bytes;
	return sum;
}

struct acl *acl_make(const struct tuple_rule *rules, uint32_t n, int ipv6, size_t max_size, int *error, size_t *bytes)
{
	static int made;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param p = {.name = name, .socket_id = SOCKET_ID_ANY,
		.rule_size = ipv6 ? RTE_ACL_RULE_SZ(FIELDS6) : RTE_ACL_RULE_SZ(FIELDS4), .max_rule_num = n};
	struct rte_acl_config c = {.max_size = max_size};
	struct acl *a = calloc(1, sizeof(*a));
	uint32_t i;
	int rc;

	if (a == NULL) {
		*error = ENOMEM;
		return NULL;
	}
	snprintf(name, sizeof(name), "peers%d", made++);
	a->ctx = rte_acl_create(&p);
	if (a->ctx == NULL) {
		*error = rte_errno;
		free(a);
		return NULL;
	}
	rc = 0;
	for (i = 0; i < n && rc == 0; i++) {
		struct rte_acl_rule_data data = {.category_mask = 1, .priority = rules[i].priority, .userdata = rules[i].userdata};
		if (ipv6) {
			struct rule6 r = {.data = data};
			fill(r.field, &rules[i], 4);
			rc = rte_acl_add_rules(a->ctx, (struct rte_acl_rule *)&r, 1);
		} else {
			struct rule4 r = {.data = data};
			fill(r.field, &rules[i], 1);
			rc = rte_acl_add_rules(a->ctx, (struct rte_acl_rule *)&r, 1);
		}
	}
	layout(&c, ipv6);
	*bytes = heap_bytes();
	if (rc == 0)
		rc = rte_acl_build(a->ctx, &c);
	if (rc != 0) {
		*error = -rc;
		acl_free(a);
		return NULL;
	}
	*bytes = heap_bytes() - *bytes;
	return a;
}

void acl_free(struct acl *a)
{
	if (a != NULL) {
		rte_acl_free(a->ctx);
		free(a);
	}
}

int acl_can(int algorithm)
{
	struct rte_acl_param p = {.name = "try", .socket_id = SOCKET_ID_ANY, .rule_size = RTE_ACL_RULE_SZ(FIELDS4), .max_rule_num = 1};
	struct rte_acl_ctx *ctx = rte_acl_create(&p);
	int can = ctx != NULL && rte_acl_set_ctx_classify(ctx, algorithm) == 0;

	rte_acl_free(ctx);
	return can;
}

int acl_first(const struct acl *a, const uint8_t *packets, size_t size, int32_t *out, uint32_t n, uint32_t burst, int algorithm)
{
	const uint8_t *data[64];
	uint32_t results[64];
	uint32_t i, m;
	int rc;

	for (; n > 0; n -= m, out += m) {
		m = n < burst ? n : burst;
		for (i = 0; i < m; i++, packets += size)
			data[i] = packets;
		rc = algorithm == RTE_ACL_CLASSIFY_DEFAULT
			? rte_acl_classify(a->ctx, data, results, m, 1)
			: rte_acl_classify_alg(a->ctx, data, results, m, 1, algorithm);
		if (rc != 0)
			return rc;
		for (i = 0; i < m; i++) /* 0 is no match */
			out[i] = (int32_t)results[i] - 1;
	}
	return 0;
}
