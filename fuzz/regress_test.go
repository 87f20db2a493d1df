package main

// Regression: generated rule sets up to 100,000 rules, and cases that once differed.

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/kernel"
	"github.com/hipac-go/classifier/rules"
)

var slow = flag.Bool("slow", false, "compare all twelve families at 100,000 rules, not three")

// size says how much to compare at a number of rules. The linear matcher
// takes up to a millisecond per packet and 100,000 rules.
type size struct {
	rules    int
	families []string
	packets  int
	o        compare.Options
}

func TestCasesThatOnceDifferedDoNotAnyMore(t *testing.T) {
	names, err := filepath.Glob("testdata/regress/*")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			c, err := cases.Read(f, cases.Options{})
			require.NoError(t, err)
			if _, ok := c.(*cases.Kernel); ok && kernel.Available() != nil {
				t.Skip(kernel.Available())
			}
			require.NoError(t, c.Check())
		})
	}
}

func TestEnginesAgreeWithTheLinearMatcherOverGeneratedSets(t *testing.T) {
	big := []string{"acl1", "fw1", "ipc1"}
	packets := 1000
	if *slow {
		big, packets = workload.Families(), 20000
	}
	for _, s := range []size{
		{1000, workload.Families(), 6000, compare.Options{AllEvery: 3, IndexEvery: 2}},
		{10000, workload.Families(), 4000, compare.Options{AllEvery: 20, IndexEvery: 5}},
		{100000, big, packets, compare.Options{AllEvery: 50, IndexEvery: 20}},
	} {
		for i, family := range s.families {
			t.Run(fmt.Sprintf("%s_%d", family, s.rules), func(t *testing.T) {
				l, err := workload.Generate(workload.Config{Family: family, Rules: s.rules, Seed: uint64(1 + i)})
				require.NoError(t, err)
				requireAgreement(t, l, s.packets, s.o)
			})
		}
	}
}

func requireAgreement(t *testing.T, l *rules.List[string], packets int, o compare.Options) {
	t.Helper()
	keys, err := workload.Packets(l, workload.PacketConfig{N: packets, Seed: 11, Mode: workload.Mixed})
	require.NoError(t, err)
	report, err := compare.Lists(l, keys, o)
	require.NoError(t, err)
	require.Equal(t, packets, report.Packets)
	require.Positive(t, report.Matched)
	require.Positive(t, report.AllAsked)
}

func TestEnginesAgreeOverIPv6AndFirewallSets(t *testing.T) {
	for _, n := range []int{300, 3000} {
		for _, family := range []string{"acl2", "fw3", "ipc2"} {
			t.Run(fmt.Sprintf("ipv6_%s_%d", family, n), func(t *testing.T) {
				l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 5, IPv6: true})
				require.NoError(t, err)
				requireAgreement(t, l, 2000, compare.Options{AllEvery: 4})
			})
			t.Run(fmt.Sprintf("firewall_%s_%d", family, n), func(t *testing.T) {
				l, err := workload.FirewallSet(workload.Config{Family: family, Rules: n, Seed: 5})
				require.NoError(t, err)
				for _, absent := range []float64{0, 0.2} {
					keys, err := workload.Packets(l, workload.PacketConfig{N: 2000, Seed: 3, Absent: absent})
					require.NoError(t, err)
					_, err = compare.Lists(l, keys, compare.Options{AllEvery: 4})
					require.NoError(t, err)
				}
			})
		}
	}
}

func TestEnginesAgreeOverAdversarialSets(t *testing.T) {
	for _, kind := range workload.Adversaries() {
		t.Run(kind.String(), func(t *testing.T) {
			l, err := workload.Adversarial(kind, 3000, 1)
			require.NoError(t, err)
			keys, err := workload.Packets(l, workload.PacketConfig{N: 1500, Seed: 1})
			require.NoError(t, err)
			_, err = compare.Lists(l, keys, compare.Options{AllEvery: 30, IndexEvery: 10})
			require.NoError(t, err)
		})
	}
}

func TestEnginesAgreeOverRandomSetsWithEveryFeature(t *testing.T) {
	schemas := map[string]*rules.Schema{
		"ipv4": rules.IPv4Tuple, "ip": rules.IPTuple, "firewall": rules.Firewall,
		"tiny": rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 3}, rules.Field{Name: "c", Bits: 2}),
		"wide": rules.MustSchema(rules.Field{Name: "a", Bits: 128}, rules.Field{Name: "b", Bits: 33}, rules.Field{Name: "c", Bits: 65}),
	}
	for name, s := range schemas {
		t.Run(name, func(t *testing.T) {
			matched, packets := 0, 0
			for seed := range uint64(40) {
				l, err := workload.Random(s, workload.RandomConfig{Rules: 5 << (seed % 7), Seed: seed, Constrain: 0.1 + 0.08*float64(seed%8)}.Everything())
				require.NoError(t, err)
				keys, err := workload.Packets(l, workload.PacketConfig{N: 300, Seed: seed, Absent: 0.1})
				require.NoError(t, err)
				report, err := compare.Lists(l, keys, compare.Options{})
				require.NoError(t, err, "seed %d", seed)
				matched += report.Matched
				packets += report.Packets
			}
			require.Greater(t, float64(matched)/float64(packets), 0.2)
		})
	}
}
