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

// anyClass stands for every port class.
const anyClass = numPortClasses

// cell is a source and a destination prefix length and their weight.
type cell struct{ src, dst, weight int }

// lengths are the pairs of prefix lengths of rules with a pair of port
// classes.
type lengths struct {
	sport, dport PortClass
	cells        []cell
}

// bands are percentages by band of levels of a trie: from the levels 0, 6, 14,
// 18, 21, 24, 28, 30 and 31 on.
type bands [numBands]int

const numBands = 9

// trie says how the addresses of a family branch, see grower.
type trie struct {
	deep         int    // most prefixes that hold one another, length 0 aside
	spread       [3]int // levels that branch evenly in sets of 1k, 10k and 100k rules, in tenths
	branch, skew bands  // nodes with two children; 1 - light/heavy child
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
	name      string
	protos    []proto
	lengths   []lengths // the first that fits counts
	common    []share   // first bits that both addresses share, if they are as long
	paired    int       // percent of rules whose destinations go by their sources
	src, dst  trie
	sport     ports
	dport     ports
	accept    int  // percent of rules that accept
	noDefault bool // no rule for every packet at the end
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
	sctp   = 132
)

// Port lists that several families share.
var (
	services  = []uint16{80, 53, 25, 443, 22, 123, 21, 110, 23, 161, 389, 514, 139, 445, 143, 69, 119, 1433, 3389, 8080}
	databases = []uint16{1521, 1433, 135, 1526, 139, 445, 3306, 389, 88, 5432, 3389, 2049, 111, 8443, 50000}
	sources   = []uint16{53, 123, 20, 161, 750, 88, 500, 25, 80}
	highRange = [][2]uint16{{1025, 65535}, {20, 21}, {137, 139}, {6000, 6063}}
	manyRange = [][2]uint16{{20, 21}, {137, 139}, {5000, 5100}, {33434, 33523}, {161, 162}, {2300, 2400}, {6660, 6669}, {1812, 1813}, {49152, 65535}}
)

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
