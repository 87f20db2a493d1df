// Package nftables reads what "nft -j list ruleset" prints (libnftables-json(5))
// into tables of package rules: one for each table of the families ip, ip6 and inet,
// named "ip:NAME", "ip6:NAME" and "inet:NAME". Base chains are those that packets
// enter at, with their policies; other chains are gone to by jump and goto. All
// tables share one schema: the 5-tuple, and what else their rules ask for, with
// fields named as package rules/packet names them. Packets are best sent through
// the tables as an xt.Traversal.
//
// # What is modelled
//
//	payload ip         saddr daddr protocol dscp ecn ttl length; frag-off & 0x1fff against 0
//	payload ip6        saddr daddr dscp ecn hoplimit length; nexthdr, but for extension headers
//	payload tcp        sport dport flags
//	payload udp udplite sctp dccp th   sport dport; dccp type
//	payload icmp icmpv6                type code
//	payload ah esp comp                spi, spi, cpi
//	payload ether      saddr daddr
//	exthdr             hbh, dst, rt, frag: exists or missing; frag id, rt type, mh type
//	tcp option         exists or missing (but nop, eol); maxseg size
//	meta               length protocol nfproto l4proto mark pkttype iif oif (by name) iifname oifname skuid skgid
//	ct                 state status mark direction protocol; original and reply: saddr daddr proto-src proto-dst
//	left of operators  &, | and ^ with constants; concatenations
//	operators          == != < > <= >= in !
//	right of them      values, ranges, prefixes, names with "*", sets, named sets, concatenations of these
//	vmap               anonymous and named, with concatenations and "*"
//	verdicts           accept drop reject queue jump goto return continue
//	counter            its numbers, when nothing is asked behind it; named ones are read and not used
//	limit              packets and bytes, over; named ones, which rules share
//	log dup            effects; likewise "ct helper", "ct timeout", "ct expectation", meta nftrace set
//	meta mark set      a number; (meta mark & number) ^ number; ct mark & number
//	ct mark set        the same the other way
//	meta priority set  a class
//	notrack            in chains that stand in front of connection tracking
//	comment, handle    Rule.Comment; the text that Ruleset.Rule gives
//
// # What is refused
//
// All else: an [rules.UnsupportedError] lists every such thing with its place. Among it are
// tables of the families arp, bridge and netdev, the hooks ingress and egress, chains
// of type nat and their statements, sets that rules change, fib, socket, quotas,
// hashes and random numbers, the time of day, other fields of headers and raw ones,
// matches on a connection in front of connection tracking, elements with statements
// other than counter, and comparisons or limits behind a statement that has an
// effect (log, meta mark set). With Options.AllowUnknown such rules are kept as
// unknown (see rules.Rule.Unknown): an unknown match keeps the rule's other
// conditions, which it can only narrow; an unknown statement that may decide or
// change the packet makes the rule's answer unknown.
//
// # Semantics
//
// They are the kernel's:
//
//   - A rule breaks off where the packet does not have what it reads: no comparison
//     holds, "!=" and the looking up in a set that it is not in included. nft leaves
//     out of a listing what another expression implies: a field of TCP needs the
//     protocol TCP, one of IPv4 a packet of IPv4, "reject with icmp" too.
//   - A set of bits without an operator ("ct state new", op "in") holds when any of
//     them is set; with == it is compared as a whole.
//   - An element of a set is in it as long as the listing has it: timeouts have no
//     effect. What a set matches that overlaps in its parts is found once.
//   - A verdict map becomes several rules with one Action.Number, of which a packet
//     meets at most one; so do sets of concatenations. Where nothing is found the rule breaks off.
//   - Interfaces by their index (iif, oif) are those of the name in the listing.
//   - Base chains of one hook are passed in the order of their priorities, see
//     Ruleset.Path; what one accepts goes on to the next.
//   - ct state is absent, and nothing asked of it holds, for packets of which nobody
//     said it, as in package rules/iptables.
//
// Where it differs: fragments other than the first have no transport header here.
// Newer kernels say so too; those up to Linux 6.18 take their content for it, where
// nothing in front of the rules (connection tracking) puts fragments together. Packets
// of another protocol than TCP, UDP, UDPLite, SCTP and DCCP have no ports, which
// "th dport" without a protocol would find in the kernel. A transport header that
// ends inside the packet's is absent as a whole, of which the kernel reads the first
// bytes. The protocol of an IPv6 packet with an authentication header is the one
// behind it; for nftables it is 51.
//
// # What a listing may not say
//
// A listing is as good as the nft that prints it; this package cannot see what is
// lost there. Those of nftables 1.0.6 that were found by comparing with the kernel: it
// takes "ip6 nexthdr tcp", or "meta l4proto" of another protocol, in front of a field of
// the transport header for what that field asks, and leaves it out; of two comparisons
// by "<" and ">" in a row, or by "!=" of neighbouring fields, it loads or lists one, of
// whatever they are; it lists numbers of a width of their own (TTL, length) in
// concatenations as 0; it reads named sets of "ip6 dscp" in the wrong order of bytes.
//
// Sources: nft(8) and libnftables-json(5) of nftables 1.0.6, and the behaviour of
// Linux 6.18, with which package fuzz/kernel compares it.
package nftables
