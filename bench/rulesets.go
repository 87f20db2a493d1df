package main

// The sets of rules that contestants are compared over: from the generator, by
// family and size, or from a file.

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
)

// setFlags are the flags that name sets.
type setFlags struct {
	Family []string `placeholder:"LIST" help:"Families of the generator, with commas between them; \"bench gen rules --family list\" has all of them."`
	Rules  []int    `placeholder:"LIST" help:"Numbers of rules, with commas between them."`
	Seed   uint64   `default:"1" placeholder:"N" help:"Seed of rules and packets (default 1)."`
	IPv6   bool     `name:"ipv6" help:"IPv6 addresses instead of IPv4."`
	File   string   `placeholder:"FILE" help:"Rules of a native or ClassBench file instead."`
}

// ruleset is a set to be: it is made when its turn has come.
type ruleset struct {
	name   string // family or file
	rules  int
	family string // of addresses, "IPv4" or "IPv6"; "" for a file
	make   func() (*rules.List[string], error)
}

// sets returns the sets that the flags ask for, family by family; families and
// sizes are what is taken where none are given. All flags are checked before
// anything is made.
func (f *setFlags) sets(a *app, families []string, sizes []int) ([]ruleset, error) {
	if f.File != "" {
		if len(f.Family) > 0 || len(f.Rules) > 0 || f.IPv6 {
			return nil, files.BadUsage("--file is instead of --family, --rules and --ipv6")
		}
		set, err := f.read(a)
		if err != nil {
			return nil, err
		}
		return []ruleset{set}, nil
	}
	if len(f.Family) > 0 {
		families = once(f.Family)
	}
	if len(f.Rules) > 0 {
		sizes = slices.Clone(f.Rules)
		slices.Sort(sizes) // what is too much for an engine is too much with more rules
		sizes = slices.Compact(sizes)
	}
	addresses := "IPv4"
	if f.IPv6 {
		addresses = "IPv6"
	}
	var all []ruleset
	for _, family := range families {
		k, err := workload.FindKind(family)
		switch {
		case err != nil:
			return nil, files.BadUsage("--family: %v", err)
		case k.Chains:
			return nil, files.BadUsage("--family: sets of %s are chains that call one another, and no list of rules", k.Name)
		case f.IPv6 && !k.IPv6:
			return nil, files.BadUsage("--ipv6: sets of %s are IPv4 only", k.Name)
		}
		for _, n := range sizes {
			if n < k.Least || n > k.Most {
				return nil, files.BadUsage("--rules %d: not in %d..%d, which sets of %s can have", n, k.Least, k.Most, k.Name)
			}
			all = append(all, ruleset{family, n, addresses, func() (*rules.List[string], error) {
				if err := checkMemory(fmt.Sprintf("making %d rules", n), k.Bytes(n)); err != nil {
					return nil, err
				}
				c := workload.Config{Family: family, Rules: n, Seed: f.Seed, IPv6: f.IPv6}
				if k.Has("Prefixes") {
					c.Prefixes = defaultPrefixes
				}
				set, err := workload.Make(c)
				if err != nil {
					return nil, err
				}
				return set.List, nil
			}})
		}
	}
	return all, nil
}

// once returns a list without what it has had before.
func once[T comparable](list []T) (short []T) {
	for _, x := range list {
		if !slices.Contains(short, x) {
			short = append(short, x)
		}
	}
	return short
}

// read returns the set of --file.
func (f *setFlags) read(a *app) (ruleset, error) {
	in, _, err := a.readRules(&files.RuleFlags{Rules: f.File, RulesFormat: "auto", Fields: 5})
	if err != nil {
		return ruleset{}, err
	}
	l := in.Native
	switch {
	case in.ClassBench != nil:
		if l, err = withText(in.ClassBench); err != nil {
			return ruleset{}, files.Error(in.Name, err)
		}
	case l == nil:
		return ruleset{}, files.BadUsage("%s holds iptables rules, which are chains and no list", in.Name)
	}
	if l.Len() == 0 {
		return ruleset{}, fmt.Errorf("%s: no rules, and so nothing to measure", in.Name)
	}
	return ruleset{filepath.Base(f.File), l.Len(), "", func() (*rules.List[string], error) { return l, nil }}, nil
}

// withText returns the same rules with texts for values.
func withText(l *rules.List[classbench.Flags]) (*rules.List[string], error) {
	b := rules.NewBuilder[string](l.Schema())
	for _, r := range l.All() {
		if _, err := b.Add(rules.Rule[string]{ID: r.ID, Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// Names of traffic, as on the command line.
var trafficNames = []string{"uniform", "zipf", "misses", "worst"}

// trafficMetric returns the metric of lookups with a traffic.
func trafficMetric(traffic string) string {
	if traffic == "uniform" {
		return "lookup"
	}
	return "lookup_" + traffic
}

// mostWorst bounds the number of different packets of worst, which are kept while
// they are searched for.
const mostWorst = 100_000

// traffic makes packets for a list, in random order. Packets that miss are, where
// a last rule is for every packet, those that it decides.
func traffic(l *rules.List[string], name string, n int, seed uint64) (*trace, error) {
	mode, ok := workload.ParseMode(name)
	if !ok {
		return nil, fmt.Errorf("there is no traffic %q", name)
	}
	c := workload.PacketConfig{N: n, Seed: seed, Mode: mode}
	if mode == workload.Worst {
		// As many different ones as there are packets inside rules, or else they stay
		// in caches. With ten tries for each, 100,000 packets of fw1 with 10,000 rules
		// and of acl1 with 100,000 all cost what the costliest one did, as did 1,000
		// of 100,000 tries; it took a second.
		c.Flows = min(n, mostWorst)
		c.Tries = 10 * c.Flows
	}
	src, err := listSource(&genPacketsCmd{Mode: name, ButLast: name == "misses" && compare.Rest(l, l.Len()-1)}, l, c)
	if err != nil {
		return nil, err
	}
	t := &trace{name: name, width: l.Schema().KeyLen(), n: n}
	t.words = make([]uint32, n*t.width)
	for i := range n {
		if _, err := src.Next(t.key(i)); err != nil {
			return nil, fmt.Errorf("%s packets: %w", name, err)
		}
	}
	t.shuffle(seed)
	return t, nil
}
