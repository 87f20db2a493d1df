package main

// The command gen rules: rule sets by name, as files.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

type genRulesCmd struct {
	Family string `required:"" placeholder:"NAME" help:"Kind of the rules, see above; list: all of them, a line each."`
	Rules  int    `default:"1000" placeholder:"N" help:"Number of rules (default 1000), 1 to 4,194,304 where the list above does not say otherwise."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Which of the sets (default 1): the same flags give the same file on every machine."`
	IPv6   bool   `name:"ipv6" help:"IPv6 addresses instead of IPv4."`
	Format string `enum:"auto,native,classbench,iptables" default:"auto" placeholder:"FORMAT" help:"native, classbench or iptables; when not given native, and iptables for sets that are chains."`
	Out    string `short:"o" placeholder:"FILE" help:"File to write; - for standard output."`
	Stats  bool   `help:"Print the statistics of the set; without --out nothing else is made of it."`

	Smoothness       *int     `placeholder:"BITS" group:"Knobs of ClassBench" help:"Spread pairs of prefix lengths binomially by up to so many bits, 0 to 64 (default 2)."`
	AddressScope     *float64 `placeholder:"S" group:"Knobs of ClassBench" help:"Shorter (-1) or longer (1) prefixes than the family has (default 0); =-0.5 for negative ones."`
	ApplicationScope *float64 `placeholder:"S" group:"Knobs of ClassBench" help:"More wild (-1) or more exact (1) ports than the family has (default 0)."`
	Base             string   `placeholder:"NAME" group:"Knobs of other sets" help:"firewall, nf-hipac: the family of the 5-tuples (default fw1)."`
	Prefixes         *float64 `placeholder:"SHARE" group:"Knobs of other sets" help:"blocklist: share of prefixes among the addresses, 0 to 1 (default 0.1)."`
	Chains           *int     `placeholder:"N" group:"Knobs of other sets" help:"chains: number of chains (default one for ten rules)."`
}

// defaultPrefixes is the share of prefixes in a blocklist.
const defaultPrefixes = 0.1

// Help is shown in front of the flags.
func (genRulesCmd) Help() string {
	var b bytes.Buffer
	b.WriteString("Families:\n\n")
	writeKinds(&b, "    ")
	fmt.Fprintf(&b, `
Numbers may have k, M and G for powers of 1000.

The ClassBench families, the knobs and their meaning follow D. E. Taylor, J. S.
Turner: ClassBench: A Packet Classification Benchmark, IEEE/ACM Transactions on
Networking 15(3), 2007; profiles are the project's own.

Formats: native holds every list; classbench holds lists over the 5-tuple, and
not what rules do with packets; iptables is the text of iptables-save, of a list
the chain FORWARD of the table filter. A format that cannot hold a set is refused.
firewall asks for VLANs, which neither of the others has; of the adversarial sets
classbench holds shortprefixes and wild, iptables these.

%s

Examples:

    bench gen rules --family fw1 --rules 100k --seed 1 --out fw1.rules
    bench gen rules --family acl3 --rules 10000 --ipv6 --format classbench --out -
    bench gen rules --family kube-proxy --rules 20000 --out services.save
    bench gen rules --family ipc1 --rules 10000 --address-scope=-0.5 --stats
`, restNote())
	return b.String()
}

// restNote says which families end in a rule for every packet.
func restNote() string {
	var without, others []string
	for _, k := range workload.Kinds() {
		switch classBench := slices.Contains(workload.Families(), k.Name); {
		case classBench && !k.Rest:
			without = append(without, k.Name)
		case !classBench && k.Rest:
			others = append(others, k.Name)
		}
	}
	return fmt.Sprintf("Sets of the ClassBench families but %s, of %s end in a rule for every packet: no packet is a miss, but for gen packets --but-last. "+
		"Those of the other families have no such rule at their end, but for wild, which is nothing else.", enumerated(without), enumerated(others))
}

// enumerated joins names with commas, the last two with and.
func enumerated(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// writeKinds lists the kinds of rule sets.
func writeKinds(w io.Writer, indent string) {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	kinds := workload.Kinds()
	for i := 0; i < len(kinds); i++ {
		name := kinds[i].Name
		for i+1 < len(kinds) && kinds[i+1].Summary == kinds[i].Summary { // acl1 to acl5
			i++
		}
		if kinds[i].Name != name {
			name += "-" + kinds[i].Name
		}
		bounds := ""
		if k := &kinds[i]; k.Least > 1 || k.Most != rules.DefaultLimits.MaxRules {
			bounds = fmt.Sprintf(" (%s to %s rules)", thousands(k.Least), thousands(k.Most))
		}
		fmt.Fprintf(tab, "%s%s\t%s%s\n", indent, name, kinds[i].Summary, bounds)
	}
	tab.Flush()
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// config checks the flags, and returns what they ask for.
func (cmd *genRulesCmd) config() (c workload.Config, k *workload.Kind, err error) {
	if k, err = workload.FindKind(cmd.Family); err != nil {
		return c, nil, files.BadUsage("--family: %v", err)
	}
	if cmd.Format == "auto" {
		cmd.Format = workload.FormatNative
		if k.Chains {
			cmd.Format = workload.FormatIptables
		}
	}
	if err := k.Holds(cmd.Format); err != nil {
		return c, nil, files.BadUsage("--format %s: %v", cmd.Format, err)
	}
	if cmd.Rules < k.Least || cmd.Rules > k.Most {
		return c, nil, files.BadUsage("--rules %d: not in %d..%d, which sets of %s can have", cmd.Rules, k.Least, k.Most, k.Name)
	}
	c = workload.Config{Family: k.Name, Rules: cmd.Rules, Seed: cmd.Seed, IPv6: cmd.IPv6, Base: cmd.Base}
	for _, flag := range []struct {
		name, knob string
		set        bool
	}{
		{"smoothness", "Smoothness", cmd.Smoothness != nil}, {"address-scope", "AddressScope", cmd.AddressScope != nil},
		{"application-scope", "PortScope", cmd.ApplicationScope != nil}, {"base", "Base", cmd.Base != ""},
		{"prefixes", "Prefixes", cmd.Prefixes != nil}, {"chains", "Chains", cmd.Chains != nil},
	} {
		if flag.set && !k.Has(flag.knob) {
			return c, nil, files.BadUsage("--%s is not for sets of %s", flag.name, k.Name)
		}
	}
	if cmd.IPv6 && !k.IPv6 {
		return c, nil, files.BadUsage("--ipv6: sets of %s are IPv4 only", k.Name)
	}
	if s := cmd.Smoothness; s != nil {
		if *s < 0 || *s > 64 {
			return c, nil, files.BadUsage("--smoothness %d: not in 0..64", *s)
		}
		if c.Smoothness = *s; *s == 0 {
			c.Smoothness = -1
		}
	}
	for _, scope := range []struct {
		name string
		from *float64
		to   *float64
	}{{"address-scope", cmd.AddressScope, &c.AddressScope}, {"application-scope", cmd.ApplicationScope, &c.PortScope}} {
		if scope.from == nil {
			continue
		}
		if *scope.to = *scope.from; !(*scope.from >= -1 && *scope.from <= 1) {
			return c, nil, files.BadUsage("--%s %v: not in -1..1", scope.name, *scope.from)
		}
	}
	if k.Has("Prefixes") {
		if c.Prefixes = defaultPrefixes; cmd.Prefixes != nil {
			c.Prefixes = *cmd.Prefixes
		}
		if !(c.Prefixes >= 0 && c.Prefixes <= 1) {
			return c, nil, files.BadUsage("--prefixes %v: not in 0..1", c.Prefixes)
		}
	}
	if cmd.Chains != nil {
		c.Chains = *cmd.Chains
		if most := min(cmd.Rules/2, rules.DefaultLimits.MaxChains-8); c.Chains < 1 || c.Chains > most {
			return c, nil, files.BadUsage("--chains %d: not in 1..%d; each takes a rule to enter it and one of its own", c.Chains, most)
		}
	}
	if cmd.Base != "" {
		if base, err := workload.FindKind(cmd.Base); err != nil || !base.Has("Smoothness") || base.Has("Base") {
			return c, nil, files.BadUsage("--base %s: not one of the families %s", cmd.Base, strings.Join(workload.Families(), ", "))
		}
	}
	return c, k, nil
}

// Run makes the rules.
func (cmd *genRulesCmd) Run(a *app) error {
	if cmd.Family == "list" {
		writeKinds(a.stdout, "")
		return nil
	}
	c, k, err := cmd.config()
	if err != nil {
		return err
	}
	if cmd.Out == "" && !cmd.Stats {
		return files.BadUsage("--out FILE is missing; - is standard output")
	}
	if err := checkMemory(fmt.Sprintf("making %d rules", cmd.Rules), k.Bytes(cmd.Rules)); err != nil {
		return err
	}
	set, err := workload.Make(c)
	if err != nil {
		return err
	}
	if cmd.Out != "" {
		err := a.writeOut(cmd.Out, func(w io.Writer) error { return set.Write(w, cmd.Format) })
		if errors.Is(err, rules.ErrUnsupported) {
			err = files.BadUsage("--format %s cannot hold %s: %v; %s can hold it", cmd.Format, k.Name, err, workload.FormatNative)
		}
		if err != nil {
			return err
		}
	}
	if !cmd.Stats {
		return nil
	}
	text, err := setStatistics(set)
	if err != nil {
		return err
	}
	out := a.stdout
	if cmd.Out == "-" {
		out = a.stderr
	}
	_, err = io.WriteString(out, text)
	return err
}

// setStatistics describes a set.
func setStatistics(set *workload.Set) (string, error) {
	if set.List != nil {
		return workload.Statistics(set.List).String(), nil
	}
	var text bytes.Buffer
	if err := set.Write(&text, workload.FormatIptables); err != nil {
		return "", err
	}
	rs, err := iptables.Read(&text, iptables.Options{File: set.Kind.Name})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range rs.Tables {
		b.WriteString(workload.StatisticsOfTable(t).String())
	}
	return b.String(), nil
}
