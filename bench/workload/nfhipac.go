package workload

// NFHiPACSet: rule sets over the dimensions of the original nf-HiPAC.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// NFHiPAC has the dimensions of nf-HiPAC 0.9 (M. Bellion, T. Heinz, 2002-2005),
// the packet filter that this project's algorithm comes from: connection state,
// source, destination, in and out interface, protocol, fragment, both ports,
// TCP SYN, ICMP type and code, TTL. Those are 12 there; here ICMP type and code
// are two fields, and SYN is a bit of the TCP flags, so that packets are decoded
// into keys by the fields' names. NFHiPAC6 is the same with IPv6 addresses, which
// the original did not have.
var (
	NFHiPAC  = nfHiPAC(rules.IPv4)
	NFHiPAC6 = nfHiPAC(rules.IPv6)
)

// nfHiPACFields are the fields beyond the addresses, as rules.Firewall has
// them.
var nfHiPACFields = []string{"sport", "dport", "proto", "iif", "oif", "frag", "tcpflags", "icmptype", "icmpcode", "ctstate", "ttl"}

func nfHiPAC(address rules.Kind) *rules.Schema {
	fields := []rules.Field{{Name: "src", Kind: address}, {Name: "dst", Kind: address}}
	for _, name := range nfHiPACFields {
		fields = append(fields, *rules.Firewall.Field(rules.Firewall.MustIndex(name)))
	}
	return rules.MustSchema(fields...)
}

// nfHiPACExtras are those of FirewallSet that the schema has the fields of.
var nfHiPACExtras = func() (list []extra) {
	for _, e := range extras {
		if slices.Contains(nfHiPACFields, e.field) {
			list = append(list, e)
		}
	}
	return list
}()

// NFHiPACSet is FirewallSet over NFHiPAC, all IPv4, or over NFHiPAC6, all IPv6
// and without conditions on fragments.
func NFHiPACSet(c Config) (*rules.List[string], error) {
	g := &firewall{s: NFHiPAC, extras: nfHiPACExtras}
	if c.IPv6 {
		// A fragment of IPv6 has its ports or not; no ip6tables rule asks for
		// the ones behind the first alone.
		g.s, g.extras = NFHiPAC6, slices.DeleteFunc(slices.Clone(nfHiPACExtras), func(e extra) bool { return e.field == "frag" })
	}
	return c.firewall(g, KindNFHiPAC)
}
