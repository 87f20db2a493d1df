package workload

// Chains: rules in many small chains.

import (
	"bytes"
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// manyChains returns the text of a table filter of c.Rules rules in c.Chains
// chains, one for ten rules when that is 0: 10,000 rules in 1,000 chains are
// the set whose loading the netfilter developers discussed in 2003. Each chain
// is about one network of destinations, entered by a rule of FORWARD; its rules
// are sources, protocols and ports. No chain calls another, no rule is like
// another of its chain, and what a chain does not decide goes on behind its
// jump, to the policy at last.
func manyChains(c Config) ([]byte, error) {
	r := newRNG(c.Seed, "chains")
	width, step, tool := 32, 24, "iptables-save"
	base := rules.U64(10 << 24)
	if c.IPv6 {
		width, step, tool = 128, 64, "ip6tables-save"
		base = rules.Value{Hi: 0xfd00_0000_0000_0000}
	}
	field := rules.Field{Kind: rules.IPv4, Bits: 32}
	if c.IPv6 {
		field = rules.Field{Kind: rules.IPv6, Bits: 128}
	}
	chains := c.Chains
	if chains == 0 {
		chains = min(max(1, c.Rules/10), rules.DefaultLimits.MaxChains-8)
	}
	if chains > 1<<16 && !c.IPv6 {
		step = 30 // as many networks as chains may be
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Written by bench as by %s\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n", tool)
	for i := range chains {
		fmt.Fprintf(&out, ":net%06d - [0:0]\n", i)
	}
	network := func(i int) string {
		return fmt.Sprintf("%s/%d", field.FormatValue(base.Or(rules.U64(uint64(i)).Shl(width-step))), step)
	}
	for i := range chains {
		fmt.Fprintf(&out, "-A FORWARD -d %s -j net%06d\n", network(i), i)
	}
	inside := c.Rules - chains
	seen := map[string]bool{}
	for i := range chains {
		clear(seen)
		// The first chains have one rule more than the others.
		for n := inside/chains + b2i(i < inside%chains); n > 0; {
			source := ""
			if r.IntN(4) > 0 {
				iv := rules.PrefixInterval(anywhere(r, width), []int{width / 4, width / 2, width * 3 / 4, width}[r.IntN(4)], width)
				length, _ := iv.PrefixLen(width)
				source = fmt.Sprintf(" -s %s/%d", field.FormatValue(iv.Lo), length)
			}
			proto := [...]string{"tcp", "tcp", "tcp", "udp"}[r.IntN(4)]
			port := services[r.IntN(len(services))]
			if r.IntN(4) == 0 {
				port = uint16(1024 + r.IntN(1<<15))
			}
			rule := fmt.Sprintf("-A net%06d%s -p %s -m %[3]s --dport %[4]d", i, source, proto, port)
			if seen[rule] {
				continue
			}
			seen[rule] = true
			n--
			fmt.Fprintf(&out, "%s -j %s\n", rule, [...]string{"ACCEPT", "ACCEPT", "DROP"}[r.IntN(3)])
		}
	}
	out.WriteString("COMMIT\n")
	return out.Bytes(), nil
}
