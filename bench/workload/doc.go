// Package workload makes rule sets and packets for tests and benchmarks. All
// of it is deterministic: the same configuration gives the same rules and the
// same packets on every machine.
//
// # Rule sets
//
// [Make] makes a set of any of the [Kinds] by its name, [Set.Write] writes it as
// a file of the native format, of ClassBench or of iptables-save ([WriteSave]).
//
//   - [Generate] makes 5-tuple sets in the style of ClassBench, of any of the
//     twelve families acl1-acl5, fw1-fw5, ipc1, ipc2, for IPv4 or IPv6.
//   - [FirewallSet] makes sets over the 20 fields of rules.Firewall, most of
//     them wild in most rules, both address families in one set.
//   - [NFHiPACSet] makes sets over the 12 dimensions of the original nf-HiPAC.
//   - [Adversarial] makes 5-tuple sets that are hard for one kind of
//     classifier or another.
//   - [Random] makes small, dense sets over any schema, with every feature of
//     the rule model, for tests that compare answers.
//
// Make alone has blocklists (single sources to drop and prefixes), and sets that
// are chains: those that kube-proxy makes for services, and many small ones.
//
// [Statistics] measures a list: wildcards, prefix lengths, port classes,
// protocols, distinct values, nesting, overlap; [StatisticsOfTable] chains.
//
// # Packets
//
// [Packets] makes keys for a list of any schema: at the corners of its rules,
// in their overlaps, inside one rule after the other, by flows, or at random;
// [Trace] is the mode of ClassBench's own traces. A [Source] makes them one by
// one, for chains too ([NewTableSource]); asked what matches and what lookups cost,
// it finds packets that no rule decides, and packets that cost most ([Worst]).
// Keys can be such as packets have ([PacketConfig.Real]); [PacketOf] and
// [AppendFrame] make the packets.
//
// # Where the profiles come from
//
// A family's profile is a few rounded tables: the protocol mix, the classes of
// port ranges that go with each protocol, the pairs of source and destination
// prefix lengths that go with each pair of classes, how many first bits both
// addresses share, and how the addresses branch and nest. The form, the five
// port classes and the knobs follow
//
//	D. E. Taylor, J. S. Turner: ClassBench: A Packet Classification
//	Benchmark. IEEE/ACM Transactions on Networking 15(3), 2007
//	(sections III "Analysis of real filter sets" and IV),
//
// which publishes the statistics of twelve real filter sets from providers and
// vendors: TCP and UDP make up most rules, then wildcards and ICMP; port
// ranges are wildcards, one exact number, 1024-65535 and rarely anything else,
// and the pair of classes depends on the protocol; most prefix pairs lie in a
// few spikes of the total length; prefixes nest a handful deep; branching is
// skewed. Two older studies say the same of other sets and are kept to:
//
//	P. Gupta, N. McKeown: Packet Classification on Multiple Fields. SIGCOMM
//	1999 (793 classifiers: few distinct ranges and protocols, rules share
//	their field values, rules are often redundant but rarely many).
//	F. Baboescu, G. Varghese: Scalable Packet Classification. SIGCOMM 2001
//	(a prefix rarely has more than a few others above it; firewalls have many
//	wildcards in one of the two addresses).
//
// The numbers in the tables are our own, rounded, of the shape and order of
// magnitude of sets that ClassBench's generator makes; they are no copy of its
// parameter files. Held against such sets of the same family and size, of
// 10,000 and 100,000 rules:
//
//   - pairs of prefix lengths lie within a total variation of 0.2, in the
//     firewalls within 0.06; those of port classes within 0.05;
//   - different sources, destinations and pairs of both are as many within a
//     factor of 2, in most families within 1.2; in sets of 1,000 rules, where
//     chance has its say, within 3;
//   - prefixes nest as deep, and a packet matches as many rules, within about a
//     half.
//
// Deviations: a set has as many rules as asked for, where ClassBench drops
// those that are alike; about one rule in a hundred stands later than it
// should, so that some are hidden; protocols that the originals number in a
// made-up way are TCP, UDP and ICMP here; branching is told by bands of levels.
package workload
