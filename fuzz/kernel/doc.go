// Package kernel compares our answers with the running kernel's: rules are
// loaded in a network namespace of the test's own, packets are written to a
// TUN device in it, and the kernel's counters of every rule must be the ones
// that we predict, behind every packet.
//
//   - judge_test.go loads a program on both sides and compares the counters of
//     rules and policies, packets and bytes, with those of the walk over the
//     chains and of the compiled table; where the namespace has routes, also
//     the bytes of the packets that are sent on.
//   - cases_test.go runs the case tables: rules of each extension, packets of
//     its own, and a pool of plain and malformed packets that all are shown.
//     coverage_test.go fails when an extension or an option of the registry is
//     in no table, or matches no packet, or misses none.
//   - random_test.go and chains_test.go draw programs and packets.
//   - refused_test.go has rules that the kernel, or its tool, refuses.
//   - trace_test.go compares the lines of target TRACE with "hipac trace".
//   - save_test.go compares what iptables-save prints with what we print, but
//     for SAVE-DIFFERENCES.md of package rules/iptables.
//
// The tests need root, /dev/net/tun, the legacy iptables tools, ip and ipset,
// and are skipped with the reason where there are none, or fail when the
// environment says HIPAC_KERNEL=required. "-sets N" draws more
// programs, "-seed N" others.
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
package kernel
