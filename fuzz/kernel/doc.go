// Package kernel compares our answers with the running kernel's: rules are
// loaded in a network namespace of the test's own, packets are written to a
// TUN device in it, and the kernel's counters of every rule must be the ones
// that we predict, behind every packet.
//
//   - run.go is the random comparison as a program calls it (Run, Available,
//     Replay). Rule sets are drawn and loaded in three ways: by the legacy tools,
//     the same text by the tools that translate it for nftables, and by nft, as
//     flat lists and chains of nftables' own with sets, intervals and
//     concatenations, and as scripts in its own words, of which what it lists is read
//     back (listing.go). comparison.go sends the packets and compares; shrink.go
//     makes what differs small, and case.go writes it as a file that replays.
//   - own.go makes a user's own chains ready for it: what depends on more than the
//     packet is left out, and the rest stands in table raw.
//   - generate.go, mix.go, nftdraw.go and listingdraw.go draw programs; packets.go, damage.go and
//     draw.go packets: of few values, byte by byte, with damaged headers, and of
//     connections on which much goes wrong.
//   - counters.go and nftcounters.go read the kernel's counters in the process
//     itself, by socket options and by netlink.
//   - judge_test.go loads a program on both sides and compares the counters of
//     rules and policies, packets and bytes, with those of the walk over the
//     chains and of the compiled table; where the namespace has routes, also
//     the bytes of the packets that are sent on.
//   - cases_test.go runs the case tables: rules of each extension, packets of
//     its own, and a pool of plain and malformed packets that all are shown.
//     Those of matches that need nothing but the packet are in native.go,
//     headers.go, payload.go and state.go, of which random programs are mixed.
//     coverage_test.go fails when an extension or an option of the registry is
//     in no table, or matches no packet, or misses none.
//   - random_test.go draws programs of matches on connections.
//   - run_test.go runs the random comparison, replays testdata/cases, and sees
//     that differences are found and nothing is left behind.
//   - refused_test.go has rules that the kernel, or its tool, refuses.
//   - trace_test.go compares the lines of target TRACE with "hipac trace".
//   - save_test.go compares what iptables-save prints with what we print, but
//     for SAVE-DIFFERENCES.md of package rules/iptables.
//
// The tests need root, /dev/net/tun, the legacy iptables tools, ip and ipset,
// and are skipped with the reason where there are none, or fail when the
// environment says HIPAC_KERNEL=required. "-sets N" draws more programs, "-seed N"
// others, "-packets N" is how many packets each is shown; "-case FILE" replays a
// case.
//
// # How much a comparison says
//
// Where all counters are read behind every packet (legacy), packets are compared
// one by one. A reading takes longer in nftables: there up to 16 packets of
// different lengths are sent between two of them, so that the packets and bytes
// that a rule counted tell which packets it met, but for sums of lengths that are
// the same. What differs is repeated one by one.
//
// # What is not compared
//
// The list is in coverage_test.go, with the reasons: extensions that are not in
// this kernel (ipvs, LED) or not in any recent one (CLUSTERIP, SAME, ULOG);
// those that iptables 1.8.9 has no library for (udplite, l2tp); IPsec policies
// and SELinux contexts, which need associations and labels; osf, whose
// fingerprints a program of its own loads; rates that the kernel estimates by a
// timer (rateest, but for bounds that no rate comes near); connlimit asked twice
// of a packet, which depends on the tick of the clock; helpers and timeout
// policies of connection tracking; pinned programs of bpf.
//
// Ports that are drawn by lot (SNAT --random) are left out when bytes are
// compared; statistic --mode random is compared by how often it holds. What
// programs learn of packets (NFLOG, NFQUEUE, LOG) is compared as far as counters
// go. Of target TRACE the part in front of the packet's description is compared:
// the rest comes in the kernel's own log alone, which is closed to namespaces.
//
// In the ways "translated" and "listing" packets are left out whose headers are broken, fragments
// other than the first, and IPv6 packets with an authentication header: iptables
// 1.8.9 turns -p, ports and TCP flags into expressions of nftables', which see
// these otherwise than the matches do. Left out there are rules that lose something
// on the way, or that the kernel refuses: negated ranges of all ports, flags
// outside their mask, negated networks of all addresses, large bursts of match
// limit, and negated chunk types and DCCP options, which drop a packet before its
// rule counts it. Of nft 1.0.6, named sets of dscp and ecn of IPv6 are left out,
// which it asks in the wrong order of bytes, and two "!=" side by side, of which it
// makes one of both fields together.
//
// In the way "listing" all that nft 1.0.6 lists as something else is left out: named
// sets and maps of TCP flags and of dscp, which it may not survive; concatenations of
// plain numbers (lengths, TTLs) and of parts of bytes; two comparisons by "<" or ">" in
// a rule, of which it lists one; "meta l4proto" and "ip6 nexthdr" in front of a field of
// the transport header, which it takes for what that field asks, and does not list; and
// TCP options that are not whole, which nftables does not see.
package kernel
