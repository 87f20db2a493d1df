/* What Go asks of librte_acl, in calls that take whole passes. */
#ifndef HIPAC_ACL_H
#define HIPAC_ACL_H

#include <stddef.h>
#include <stdint.h>

/* The rule of a 5-tuple; addresses as words, the highest first, of which IPv4
 * has one. Prefix lengths are per word. */
struct tuple_rule {
	uint32_t userdata;
	int32_t priority;
	uint32_t src[4], dst[4];
	uint8_t src_bits[4], dst_bits[4];
	uint16_t sport_first, sport_last, dport_first, dport_last;
	uint8_t proto, proto_mask;
};

struct acl;

const char *acl_version(void);
/* Starts DPDK with so many MiB of memory, without huge pages or devices. 0, or -1
 * with the reason in why. */
int acl_start(int mib, char *why, size_t n);
/* Reports whether an algorithm runs on this machine. */
int acl_can(int algorithm);
/* Makes a classifier; NULL with an errno in *error. *bytes is the growth of the heap
 * by the build. */
struct acl *acl_make(const struct tuple_rule *rules, uint32_t n, int ipv6, size_t max_size, int *error, size_t *bytes);
void acl_free(struct acl *a);
/* The bytes of a packet in the array that acl_first reads. */
size_t acl_packet_bytes(int ipv6);
/* Classifies n packets that follow one another, in bursts, with an algorithm or, for
 * 0, the library's own choice, and stores the position of the first rule or -1. */
int acl_first(const struct acl *a, const uint8_t *packets, size_t size, int32_t *out, uint32_t n, uint32_t burst, int algorithm);

#endif
