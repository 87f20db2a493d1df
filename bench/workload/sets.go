package workload

// Sets by name: every kind of rule set that there is, with a line about each,
// and one function that makes them all.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// Kind is a kind of rule set.
type Kind struct {
	Name    string
	Summary string // one line
	// Chains says that the set is chains that call one another, and no list:
	// its text is that of iptables-save alone.
	Chains bool
	// IPv6 says that there are sets of IPv6 addresses.
	IPv6 bool
	// Rest says that in all sets of two rules and more the last rule is for every
	// packet.
	Rest bool
	// Least and Most are the number of rules of the smallest and of the largest
	// set.
	Least, Most int
	// Knobs are the fields of Config that the kind looks at, beyond Family,
	// Rules, Seed and IPv6: "Smoothness", "AddressScope", "PortScope", "Base",
	// "Prefixes", "Chains".
	Knobs []string
	// bytes is the memory that making a set takes at its peak, per rule: the
	// measured figure for a million rules and a third more, rounded.
	bytes int64
}

// Has reports whether the kind looks at a field of Config.
func (k *Kind) Has(knob string) bool { return slices.Contains(k.Knobs, knob) }

// Bytes estimates the memory that making a set of n rules takes at its peak,
// from measurements of sets of a million rules; it is rather too much than too
// little.
func (k *Kind) Bytes(n int) int64 { return k.bytes*int64(n) + 16<<20 }

// Names of the kinds that are neither a family nor adversarial.
const (
	KindFirewall  = "firewall"
	KindNFHiPAC   = "nf-hipac"
	KindKubeProxy = "kube-proxy"
	KindChains    = "chains"
	KindBlocklist = "blocklist"
)

var classBenchKnobs = []string{"Smoothness", "AddressScope", "PortScope"}

var familySummaries = map[byte]string{
	'a': "access list: specific destinations, wild source ports",
	'f': "firewall: one of the two addresses wild in most rules, source ports",
	'i': "chains of a host: a mixture of access list and firewall",
}

var adversarySummaries = [numAdversaries]string{
	Nested:        "rules within one another in every field, the innermost first",
	Shifted:       "ranges of half a field, each a step beyond the one before",
	Crossing:      "every rule asks for one field, by turns",
	Wide:          "random ranges over a tenth or more of every field",
	ShortPrefixes: "random prefixes of 0 to 16 bits, and nothing else",
	Same:          "the same rule again and again",
	Wild:          "rules without conditions",
}

// Kinds returns all kinds: the twelve families, the others, the adversarial
// ones.
func Kinds() []Kind {
	var all []Kind
	for _, name := range Families() {
		all = append(all, Kind{Name: name, Summary: familySummaries[name[0]], IPv6: true, Rest: !findProfile(name).noDefault, Least: 1,
			Knobs: classBenchKnobs, bytes: 1300})
	}
	all = append(all,
		Kind{Name: KindFirewall, Summary: "the 20 fields of the schema firewall, both address families in one set", IPv6: true, Rest: true, Least: 1,
			Knobs: append([]string{"Base"}, classBenchKnobs...), bytes: 2000},
		Kind{Name: KindNFHiPAC, Summary: "the 12 dimensions of nf-HiPAC: connection state, interfaces, fragments, SYN, ICMP, TTL", IPv6: true, Rest: true, Least: 1,
			Knobs: append([]string{"Base"}, classBenchKnobs...), bytes: 2000},
		Kind{Name: KindKubeProxy, Summary: "the chains that kube-proxy makes for services and their endpoints, in table nat", IPv6: true, Chains: true, Least: kubeLeast, Most: kubeMost, bytes: 1500},
		Kind{Name: KindChains, Summary: "one chain for every ten rules, entered by destination: the load test of 2003", IPv6: true, Chains: true, Least: 2,
			Knobs: []string{"Chains"}, bytes: 500},
		Kind{Name: KindBlocklist, Summary: "single source addresses to drop, and some prefixes", IPv6: true, Least: 1, Knobs: []string{"Prefixes"}, bytes: 600},
	)
	for _, a := range Adversaries() {
		all = append(all, Kind{Name: a.String(), Summary: "adversarial: " + adversarySummaries[a], Least: 1, bytes: 1400})
	}
	for i := range all {
		if all[i].Most == 0 {
			all[i].Most = rules.DefaultLimits.MaxRules
		}
	}
	return all
}

// FindKind returns the kind of the name. The error names what is meant, or all
// that there is.
func FindKind(name string) (*Kind, error) {
	all := Kinds()
	var names, near []string
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
		names = append(names, all[i].Name)
		if distanceOf(strings.ToLower(name), all[i].Name) <= max(1, min(len(name), 12)/4) {
			near = append(near, all[i].Name)
		}
	}
	if near != nil {
		return nil, fmt.Errorf("there is no family %q; near it: %s", rules.Excerpt(name), strings.Join(near, ", "))
	}
	return nil, fmt.Errorf("there is no family %q; there are %s", rules.Excerpt(name), strings.Join(names, ", "))
}

// distanceOf is the number of letters to change, put in or take out (V. I.
// Levenshtein, 1966), cut off for long names.
func distanceOf(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner + b2i(a[i] != b[j])
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Set is a rule set of a kind: a list, or chains.
type Set struct {
	Kind  *Kind
	Rules int // of all chains together

	// List is the rules; nil for chains. Values are Accept and Drop.
	List *rules.List[string]

	family int    // of chains: 4 or 6
	text   []byte // of chains, as iptables-save prints it
}

// Make returns the set that the configuration asks for. It has exactly
// c.Rules rules, but for kube-proxy's, which may have up to 4 fewer. Knobs that the kind does not look at are an error unless
// they are zero.
func Make(c Config) (*Set, error) {
	k, err := FindKind(c.Family)
	if err != nil {
		return nil, fmt.Errorf("workload: %w", err)
	}
	if err := c.fits(k); err != nil {
		return nil, fmt.Errorf("workload: %s: %w", k.Name, err)
	}
	set := &Set{Kind: k, Rules: c.Rules, family: 4}
	if c.IPv6 {
		set.family = 6
	}
	switch k.Name {
	case KindFirewall:
		c.Family = c.Base
		set.List, err = FirewallSet(c)
	case KindNFHiPAC:
		c.Family = c.Base
		set.List, err = NFHiPACSet(c)
	case KindBlocklist:
		set.List, err = blocklist(c)
	case KindKubeProxy:
		set.text, set.Rules = kubeProxy(c)
	case KindChains:
		set.text, err = manyChains(c)
	default:
		if i := slices.Index(adversaryNames[:], k.Name); i >= 0 {
			set.List, err = Adversarial(Adversary(i), c.Rules, c.Seed)
		} else {
			set.List, err = Generate(c)
		}
	}
	if err != nil {
		return nil, err
	}
	return set, nil
}

// fits reports what of the configuration the kind cannot have.
func (c *Config) fits(k *Kind) error {
	if c.Rules < k.Least || c.Rules > k.Most {
		return fmt.Errorf("%d rules: not in %d..%d", c.Rules, k.Least, k.Most)
	}
	if c.IPv6 && !k.IPv6 {
		return fmt.Errorf("there are no such sets of IPv6 addresses")
	}
	for _, knob := range []struct {
		name string
		set  bool
	}{
		{"Smoothness", c.Smoothness != 0}, {"AddressScope", c.AddressScope != 0}, {"PortScope", c.PortScope != 0},
		{"Base", c.Base != ""}, {"Prefixes", c.Prefixes != 0}, {"Chains", c.Chains != 0},
	} {
		if knob.set && !k.Has(knob.name) {
			return fmt.Errorf("it has no knob %s", knob.name)
		}
	}
	if !(c.Prefixes >= 0 && c.Prefixes <= 1) {
		return fmt.Errorf("a share of prefixes of %v: not in 0..1", c.Prefixes)
	}
	if c.Chains < 0 || c.Chains > c.Rules/2 || c.Chains > rules.DefaultLimits.MaxChains-8 {
		return fmt.Errorf("%d chains: at most half as many as rules, and %d", c.Chains, rules.DefaultLimits.MaxChains-8)
	}
	return c.check()
}
