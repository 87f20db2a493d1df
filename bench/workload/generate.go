package workload

// Generate: 5-tuple rule sets of the twelve families.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Config asks for a rule set of a family.
type Config struct {
	// Family is one of Families(); for Make the name of any of Kinds().
	Family string
	// Rules is the number of rules, 1 to rules.DefaultLimits.MaxRules. The set
	// has exactly that many: where a family's addresses do not suffice, they
	// spread out.
	Rules int
	// Seed selects one of the sets. The same configuration gives the same set.
	Seed uint64
	// Smoothness, AddressScope and PortScope are the knobs of ClassBench's
	// generator (Taylor, Turner: ClassBench: A Packet Classification Benchmark,
	// IEEE/ACM Transactions on Networking 15(3), 2007, section V), and mean what
	// they mean there.
	//
	// Smoothness says how far the structure of the profile is blurred, for
	// sets that keep to its address structure less than to the letter. It
	// spreads pairs of prefix lengths around those of the profile, binomially,
	// by up to this many bits of both together: 0 means 2, which published
	// ClassBench sets are commonly made with; a negative number means none; at
	// most 64, where little of the profile is left.
	Smoothness int
	// AddressScope, -1 to 1, shifts the draw of pairs of prefix lengths, which
	// stand in the order of their total, towards short (negative) or long
	// (positive) ones: a uniform u becomes u+s*u*(1-u), quadratic as there.
	AddressScope float64
	// PortScope, -1 to 1, which the original tool also calls application scope,
	// shifts the draw of pairs of port classes in the same way, towards
	// wildcards (negative) or exact ports (positive).
	PortScope float64
	// IPv6 makes rules of the schema rules.IPv6Tuple instead of
	// rules.IPv4Tuple. Prefix lengths become those of IPv6 that play the same
	// part: 16, 24, 28 and 32 bits become 32, 48, 64 and 128. ICMP and IGMP
	// become ICMPv6, and AH, which is no protocol but an extension header there,
	// ESP.
	IPv6 bool

	// The rest is for Make alone.

	// Base is the family whose 5-tuples the kinds firewall and nf-hipac have;
	// "" means fw1.
	Base string
	// Prefixes is the share of prefixes in a blocklist, 0 to 1; the others are
	// single addresses.
	Prefixes float64
	// Chains is the number of chains of the kind chains; 0 means one for ten
	// rules, at most half as many as rules.
	Chains int
}

// The values of generated rules.
const (
	Accept = "ACCEPT"
	Drop   = "DROP"
)

// Generate returns a rule set. The value of a rule is Accept or Drop. No two
// rules have the same conditions; a wildcard is no condition. Where one rule
// lies within another it comes first, but for about one in a hundred; in most
// families the last rule drops everything. It takes O(rules log rules) time, a
// few microseconds a rule, and at its peak about 1 kB a rule of memory, half
// of which the list keeps.
func Generate(c Config) (*rules.List[string], error) {
	p := findProfile(c.Family)
	if p == nil {
		return nil, fmt.Errorf("workload: unknown family %q (known: %v)", c.Family, Families())
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	r := newRNG(c.Seed, "generate "+p.name)
	schema := rules.IPv4Tuple
	if c.IPv6 {
		schema = rules.IPv6Tuple
	}
	last := !p.noDefault && c.Rules > 1
	tuples := newMaker(p, c).distinct(r, c.Rules-b2i(last))
	places, conds := make([]int, len(tuples)), 0
	for i := range tuples {
		places[i] = tuples[i].specificity()
		conds += tuples[i].conds()
	}
	b := rules.NewBuilder[string](schema)
	slab := make([]rules.Cond, 0, conds) // one piece of memory for all conditions
	for _, i := range order(r, places) {
		from := len(slab)
		slab = tuples[i].appendConds(slab, schema, [5]int{0, 1, 2, 3, 4})
		value := Drop
		if r.chance(p.accept) {
			value = Accept
		}
		if _, err := b.Add(rules.Rule[string]{Conds: slab[from:len(slab):len(slab)], Value: value}); err != nil {
			return nil, err
		}
	}
	if last {
		if _, err := b.Add(rules.Rule[string]{Value: Drop}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

func (c *Config) check() error {
	if c.Rules < 1 || c.Rules > rules.DefaultLimits.MaxRules {
		return fmt.Errorf("workload: %d rules: not in 1..%d", c.Rules, rules.DefaultLimits.MaxRules)
	}
	if c.Smoothness > 64 {
		return fmt.Errorf("workload: smoothness %d: at most 64", c.Smoothness)
	}
	if !(c.AddressScope >= -1 && c.AddressScope <= 1 && c.PortScope >= -1 && c.PortScope <= 1) {
		return fmt.Errorf("workload: scopes %v and %v: not in -1..1", c.AddressScope, c.PortScope)
	}
	return nil
}

func (c *Config) smoothness() int {
	if c.Smoothness == 0 {
		return 2
	}
	return max(0, c.Smoothness)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
