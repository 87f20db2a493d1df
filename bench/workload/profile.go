package workload

// Profiles: the statistics that the rule sets of a family are drawn from.
// Shares are percentages or any other integers; only their ratio counts.

// PortClass is one of the five classes of port ranges in ClassBench.
type PortClass uint8

// The port classes.
const (
	WC PortClass = iota // no condition
	HI                  // 1024-65535
	LO                  // 0-1023
	AR                  // any other range
	EM                  // one port
	numPortClasses
)

// String returns the two letters of the class.
func (c PortClass) String() string {
	return [...]string{"WC", "HI", "LO", "AR", "EM", "??"}[min(c, numPortClasses)]
}

// share is an outcome and its weight.
type share struct{ what, weight int }

// pair is a pair of port classes and its weight.
type pair struct {
	src, dst PortClass
	weight   int
}

// anyProto stands for no condition on the protocol.
const anyProto = -1

// proto is a protocol, its weight, and the port classes that rules for it
// use; none means WC/WC.
type proto struct {
	number, weight int
	ports          []pair
}

// block is one part of the mixture of prefix lengths: source and destination
// length are drawn independently from its two lists.
type block struct {
	weight   int
	src, dst []share
}

// trie says how the addresses of a family branch, see tree.
type trie struct {
	branch [4]int // percent of nodes with two children, per octet
	skew   int    // percent; 1 - light/heavy child, as in the ClassBench paper
	reuse  int    // percent of prefixes taken from an earlier rule
}

// ports are the numbers behind the classes EM and AR, the most used first: the
// k-th is drawn with a weight of 1/k.
type ports struct {
	exact  []uint16
	extra  int // more exact ports, drawn from the seed
	ranges [][2]uint16
}

// profile describes a family. Lengths are those of IPv4, before smoothing.
type profile struct {
	name       string
	protos     []proto
	lengths    []block
	src, dst   trie
	sport      ports
	dport      ports
	correlated int  // percent of rules whose addresses share their first bits
	accept     int  // percent of rules that accept
	noDefault  bool // no rule for every packet at the end
}

const (
	icmp   = 1
	igmp   = 2
	tcp    = 6
	udp    = 17
	gre    = 47
	esp    = 50
	ah     = 51
	icmpv6 = 58
	ospf   = 89
)

// Port lists that several families share.
var (
	services  = []uint16{80, 53, 25, 443, 22, 123, 21, 110, 23, 161, 389, 514, 139, 445, 143, 69, 119, 1433, 3389, 8080}
	databases = []uint16{1521, 1433, 135, 1526, 139, 445, 3306, 389, 88, 5432, 3389, 2049, 111, 8443, 50000}
	sources   = []uint16{53, 123, 20, 161, 750, 88, 500, 25, 80}
	highRange = [][2]uint16{{1025, 65535}, {20, 21}, {137, 139}, {6000, 6063}}
	manyRange = [][2]uint16{{20, 21}, {137, 139}, {5000, 5100}, {33434, 33523}, {161, 162}, {2300, 2400}, {6660, 6669}, {1812, 1813}, {49152, 65535}}
)

// host, any and so on are lists of lengths.
var (
	host = []share{{32, 1}}
	wild = []share{{0, 1}}
)

// profiles are the twelve families. Shapes: acl has specific destinations and
// wild source ports; fw has one of the two addresses wild in most rules, and
// source ports; ipc is a mixture of both.
var profiles = []profile{
	{
		name: "acl1",
		protos: []proto{
			{tcp, 87, []pair{{WC, EM, 66}, {WC, WC, 21}, {WC, AR, 13}}},
			{anyProto, 8, nil}, {icmp, 3, nil},
			{udp, 2, []pair{{WC, EM, 90}, {WC, AR, 10}}},
		},
		lengths: []block{
			{68, host, host},
			{19, host, []share{{22, 9}, {25, 4}, {24, 3}, {16, 3}}},
			{12, []share{{24, 8}, {23, 4}}, host},
			{1, []share{{28, 3}, {8, 1}}, []share{{28, 3}, {0, 1}}},
		},
		src: trie{[4]int{60, 10, 20, 95}, 20, 50}, dst: trie{[4]int{45, 20, 15, 75}, 50, 75},
		dport:      ports{exact: databases, extra: 90, ranges: manyRange},
		correlated: 5, accept: 70,
	},
	{
		name: "acl2",
		protos: []proto{
			{anyProto, 46, nil},
			{tcp, 45, []pair{{WC, WC, 47}, {WC, EM, 39}, {WC, AR, 14}}},
			{udp, 7, []pair{{WC, EM, 76}, {WC, AR, 9}, {WC, WC, 8}, {WC, HI, 7}}},
			{icmp, 2, nil},
		},
		lengths: []block{
			{9, host, host},
			{28, []share{{24, 9}, {17, 6}, {16, 6}, {13, 6}}, host},
			{28, host, []share{{24, 12}, {16, 8}, {11, 6}}},
			{25, []share{{24, 12}, {16, 8}, {12, 5}}, []share{{24, 12}, {16, 8}, {12, 5}}},
			{5, wild, []share{{32, 3}, {24, 2}}},
			{5, []share{{32, 3}, {24, 2}}, wild},
		},
		src: trie{[4]int{75, 45, 30, 60}, 35, 35}, dst: trie{[4]int{75, 45, 35, 60}, 35, 40},
		dport:      ports{exact: services, extra: 6, ranges: highRange[:1]},
		correlated: 10, accept: 50,
	},
	{
		name: "acl3",
		protos: []proto{
			{tcp, 65, []pair{{WC, EM, 73}, {WC, AR, 15}, {WC, HI, 12}}},
			{udp, 26, []pair{{WC, EM, 77}, {WC, HI, 16}, {WC, AR, 7}}},
			{anyProto, 5, nil}, {icmp, 4, nil},
		},
		lengths: []block{
			{16, host, host},
			{45, []share{{24, 20}, {27, 16}, {26, 8}, {16, 4}}, host},
			{18, []share{{27, 10}, {24, 8}}, []share{{27, 14}, {30, 3}, {22, 2}}},
			{5, host, []share{{27, 4}, {24, 1}}},
			{8, wild, []share{{32, 7}, {27, 1}}},
			{8, []share{{24, 4}, {32, 2}, {16, 2}}, wild},
		},
		src: trie{[4]int{45, 15, 15, 60}, 45, 60}, dst: trie{[4]int{40, 10, 20, 60}, 45, 70},
		dport:      ports{exact: services, extra: 150, ranges: manyRange},
		correlated: 20, accept: 80,
	},
	{
		name: "acl4",
		protos: []proto{
			{tcp, 66, []pair{{WC, EM, 75}, {WC, AR, 15}, {WC, HI, 10}}},
			{udp, 25, []pair{{WC, EM, 75}, {WC, HI, 16}, {WC, AR, 9}}},
			{anyProto, 4, nil}, {icmp, 4, nil}, {gre, 1, nil},
		},
		lengths: []block{
			{20, host, host},
			{45, []share{{27, 17}, {24, 17}, {16, 7}, {12, 3}}, host},
			{16, []share{{27, 10}, {24, 6}}, []share{{27, 11}, {30, 4}, {23, 2}, {8, 1}}},
			{6, host, []share{{27, 4}, {30, 2}}},
			{6, wild, host},
			{7, []share{{24, 5}, {32, 2}}, wild},
		},
		src: trie{[4]int{45, 20, 15, 60}, 45, 60}, dst: trie{[4]int{55, 20, 30, 65}, 40, 55},
		dport:      ports{exact: services, extra: 200, ranges: manyRange},
		correlated: 20, accept: 80,
	},
	{
		name: "acl5",
		protos: []proto{
			{udp, 48, []pair{{WC, EM, 91}, {WC, HI, 9}}},
			{tcp, 35, []pair{{WC, EM, 79}, {WC, AR, 20}, {WC, HI, 1}}},
			{icmp, 16, nil}, {ospf, 1, nil},
		},
		lengths: []block{
			{52, host, host},
			{24, host, []share{{28, 3}, {27, 2}}},
			{18, []share{{16, 8}, {19, 6}, {24, 4}}, host},
			{6, []share{{17, 3}, {23, 3}}, []share{{28, 1}}},
		},
		src: trie{[4]int{40, 15, 10, 80}, 40, 65}, dst: trie{[4]int{50, 25, 15, 80}, 30, 55},
		dport:      ports{exact: []uint16{161, 9161, 80, 22, 123, 443, 5600, 514, 25, 53}, extra: 25, ranges: [][2]uint16{{1500, 1502}, {20, 21}}},
		correlated: 10, accept: 90, noDefault: true,
	},
	{
		name: "fw1",
		protos: []proto{
			{tcp, 57, []pair{{WC, EM, 76}, {WC, WC, 17}, {HI, HI, 7}}},
			{udp, 32, []pair{{WC, EM, 45}, {EM, WC, 30}, {HI, HI, 7}, {EM, EM, 7}, {HI, EM, 6}, {EM, HI, 5}}},
			{gre, 5, nil}, {icmp, 4, nil}, {anyProto, 2, nil},
		},
		lengths: []block{
			{61, wild, []share{{32, 57}, {21, 3}, {28, 1}}},
			{26, []share{{32, 16}, {28, 6}, {22, 4}}, wild},
			{11, []share{{32, 7}, {28, 4}}, []share{{32, 8}, {28, 2}, {21, 1}}},
			{2, wild, wild},
		},
		src: trie{[4]int{75, 50, 40, 60}, 30, 40}, dst: trie{[4]int{75, 55, 40, 70}, 30, 40},
		sport:      ports{exact: sources, extra: 2, ranges: highRange[:1]},
		dport:      ports{exact: services, extra: 20, ranges: manyRange[:3]},
		correlated: 10, accept: 75,
	},
	{
		name: "fw2",
		protos: []proto{
			{udp, 35, []pair{{EM, WC, 73}, {HI, WC, 27}}},
			{tcp, 26, []pair{{EM, WC, 65}, {HI, WC, 35}}},
			{anyProto, 25, nil}, {icmp, 13, nil}, {igmp, 1, nil},
		},
		lengths: []block{
			{60, []share{{24, 48}, {16, 8}, {32, 4}}, wild},
			{25, host, host},
			{13, wild, []share{{24, 12}, {32, 1}}},
			{2, wild, wild},
		},
		src: trie{[4]int{75, 65, 50, 50}, 20, 15}, dst: trie{[4]int{70, 55, 45, 50}, 25, 15},
		sport:      ports{exact: []uint16{53, 123, 119, 20, 500, 1645, 2049}},
		correlated: 5, accept: 75,
	},
	{
		name: "fw3",
		protos: []proto{
			{tcp, 57, []pair{{WC, EM, 84}, {HI, HI, 8}, {WC, WC, 8}}},
			{udp, 36, []pair{{WC, EM, 53}, {EM, WC, 40}, {HI, EM, 3}, {EM, HI, 3}, {AR, HI, 1}}},
			{icmp, 5, nil}, {anyProto, 2, nil},
		},
		lengths: []block{
			{62, wild, []share{{32, 59}, {21, 3}}},
			{27, []share{{32, 20}, {22, 5}, {11, 1}, {24, 1}}, wild},
			{7, []share{{22, 4}, {32, 3}}, []share{{32, 6}, {21, 1}}},
			{4, wild, wild},
		},
		src: trie{[4]int{70, 45, 40, 60}, 30, 45}, dst: trie{[4]int{75, 55, 40, 70}, 25, 45},
		sport:      ports{exact: sources, ranges: highRange[:1]},
		dport:      ports{exact: services, extra: 16},
		correlated: 10, accept: 80,
	},
	{
		name: "fw4",
		protos: []proto{
			{tcp, 63, []pair{{HI, EM, 45}, {EM, EM, 19}, {LO, EM, 18}, {HI, HI, 9}, {HI, WC, 3}, {EM, HI, 3}, {AR, WC, 2}, {WC, EM, 1}}},
			{udp, 28, []pair{{EM, EM, 44}, {EM, HI, 34}, {HI, EM, 9}, {HI, HI, 6}, {AR, HI, 2}, {HI, AR, 2}, {EM, LO, 2}, {WC, WC, 1}}},
			{anyProto, 7, nil}, {icmp, 2, nil},
		},
		lengths: []block{
			{36, wild, []share{{24, 30}, {22, 6}}},
			{27, host, host},
			{14, host, wild},
			{12, wild, host},
			{7, []share{{24, 6}, {7, 1}}, []share{{24, 4}, {32, 3}}},
			{4, wild, wild},
		},
		src: trie{[4]int{60, 40, 40, 55}, 35, 45}, dst: trie{[4]int{65, 50, 45, 60}, 30, 25},
		sport:      ports{exact: []uint16{10080, 7777, 20, 123, 53, 514}, extra: 12, ranges: [][2]uint16{{7000, 7009}, {32768, 61000}, {600, 1023}, {2000, 2002}}},
		dport:      ports{exact: []uint16{20, 700, 21, 79, 514, 513, 23, 80, 25, 53}, extra: 30, ranges: [][2]uint16{{7000, 7009}, {6000, 6063}, {2000, 2002}}},
		correlated: 10, accept: 60,
	},
	{
		name: "fw5",
		protos: []proto{
			{tcp, 52, []pair{{WC, EM, 69}, {WC, WC, 21}, {HI, HI, 7}, {HI, EM, 2}, {WC, AR, 1}}},
			{udp, 40, []pair{{WC, EM, 49}, {EM, WC, 40}, {EM, EM, 10}, {HI, AR, 1}}},
			{icmp, 6, nil}, {anyProto, 2, nil},
		},
		lengths: []block{
			{52, wild, []share{{32, 44}, {28, 8}}},
			{36, []share{{32, 25}, {22, 8}, {28, 3}}, wild},
			{7, []share{{32, 4}, {22, 3}}, []share{{32, 5}, {28, 2}}},
			{5, wild, wild},
		},
		src: trie{[4]int{75, 50, 40, 60}, 30, 40}, dst: trie{[4]int{75, 55, 45, 70}, 25, 35},
		sport:      ports{exact: sources},
		dport:      ports{exact: services, extra: 10, ranges: manyRange[:3]},
		correlated: 10, accept: 80,
	},
	{
		name: "ipc1",
		protos: []proto{
			{udp, 39, []pair{{WC, EM, 60}, {EM, WC, 20}, {WC, HI, 16}, {WC, AR, 2}, {HI, WC, 2}}},
			{anyProto, 32, nil},
			{tcp, 27, []pair{{WC, EM, 51}, {EM, WC, 27}, {WC, WC, 8}, {WC, AR, 8}, {AR, WC, 6}}},
			{icmp, 1, nil}, {gre, 1, nil}, {esp, 1, nil}, {ah, 1, nil},
		},
		lengths: []block{
			{22, host, host},
			{20, []share{{24, 16}, {27, 2}, {16, 2}}, host},
			{14, host, []share{{24, 10}, {27, 2}, {16, 2}}},
			{30, []share{{24, 25}, {27, 3}, {17, 2}}, []share{{25, 14}, {24, 10}, {16, 4}, {28, 2}}},
			{8, wild, []share{{24, 4}, {32, 3}, {16, 1}}},
			{5, []share{{24, 3}, {32, 2}}, wild},
			{1, wild, wild},
		},
		src: trie{[4]int{50, 25, 25, 65}, 40, 60}, dst: trie{[4]int{55, 30, 30, 70}, 35, 50},
		sport:      ports{exact: []uint16{161, 53, 25, 80, 1433, 123, 514}, extra: 25, ranges: manyRange[:4]},
		dport:      ports{exact: []uint16{514, 69, 80, 9003, 53, 25, 1433, 137, 123, 161}, extra: 40, ranges: manyRange},
		correlated: 25, accept: 65,
	},
	{
		name: "ipc2",
		protos: []proto{
			{icmp, 36, nil}, {anyProto, 28, nil},
			{udp, 26, []pair{{EM, EM, 59}, {EM, WC, 41}}},
			{tcp, 10, []pair{{WC, EM, 100}}},
		},
		lengths: []block{
			{52, wild, host},
			{27, host, host},
			{10, host, wild},
			{11, []share{{24, 1}}, host},
		},
		src: trie{[4]int{80, 60, 50, 60}, 20, 30}, dst: trie{[4]int{80, 65, 55, 70}, 20, 20},
		sport:      ports{exact: []uint16{123, 53}},
		dport:      ports{exact: []uint16{123, 22}},
		correlated: 5, accept: 75, noDefault: true,
	},
}

// Families returns the names of the twelve families.
func Families() []string {
	names := make([]string, len(profiles))
	for i := range profiles {
		names[i] = profiles[i].name
	}
	return names
}

func findProfile(name string) *profile {
	for i := range profiles {
		if profiles[i].name == name {
			return &profiles[i]
		}
	}
	return nil
}
