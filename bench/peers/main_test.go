package main

// Every peer held against the linear matcher, on sets that it can express, and
// the reasons for those that it cannot.

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// The test binary is also the program, when it is started without arguments.
func TestMain(m *testing.M) {
	if len(os.Args) == 1 {
		main()
		return
	}
	os.Exit(m.Run())
}

func generated(t *testing.T, family string, n int, ipv6 bool) *rules.List[string] {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 7, IPv6: ipv6})
	require.NoError(t, err)
	return l
}

// written makes a list of conditions, one rule each.
func written(t *testing.T, s *rules.Schema, conds ...string) *rules.List[string] {
	t.Helper()
	b := rules.NewBuilder[string](s)
	for _, text := range conds {
		r := rules.Rule[string]{}
		for text != "" {
			word, rest, _ := strings.Cut(text, " ")
			switch word {
			case "continue":
				r.Continue = true
			default:
				c, err := s.ParseCond(word)
				require.NoError(t, err)
				r.Conds = append(r.Conds, c)
			}
			text = rest
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	return b.List()
}

// prefixes is a list over the destination alone, prefixes within one another in
// any order.
func prefixes(t *testing.T, s *rules.Schema, n int) *rules.List[string] {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: "acl1", Rules: n, Seed: 3, IPv6: s == rules.IPv6Tuple})
	require.NoError(t, err)
	b := rules.NewBuilder[string](s)
	for i, r := range l.All() {
		var keep []rules.Cond
		for _, c := range r.Conds {
			if c.Field() == 1 {
				keep = append(keep, c)
			}
		}
		if i == n/2 {
			keep = nil // all that comes later is hidden
		}
		_, err := b.Add(rules.Rule[string]{Conds: keep})
		require.NoError(t, err)
	}
	return b.List()
}

// check loads the list, and requires right answers.
func check(t *testing.T, c compare.Contestant, l *rules.List[string]) compare.Checked {
	t.Helper()
	_, err := c.Load(t.Context(), l, 1<<30)
	require.NoError(t, err)
	mixed, err := workload.Packets(l, workload.PacketConfig{N: 2000, Seed: 5})
	require.NoError(t, err)
	keys := slices.Clone(mixed.Words())
	for i := 0; i < mixed.Len(); i += 2 {
		// Where rules ask for no protocol, hardly any packet is of a common one.
		keys[(i+1)*l.Schema().KeyLen()-1] = []uint32{6, 17}[i/2%2]
	}
	res, err := compare.Check(t.Context(), c, l, keys)
	require.NoError(t, err)
	require.NoError(t, res.Err())
	require.Greater(t, res.Packets, 500)
	_, err = c.Pass(t.Context(), 100, 1900, 2)
	require.NoError(t, err)
	return res
}

func TestPeersAnswerAsTheLinearMatcher(t *testing.T) {
	own := rules.IPv4Tuple
	sets := map[string]*rules.List[string]{
		"acl1":   generated(t, "acl1", 200, false),
		"fw1":    generated(t, "fw1", 200, false),
		"ipc1":   generated(t, "ipc1", 200, false),
		"acl1-6": generated(t, "acl1", 150, true),
		"fw1-6":  generated(t, "fw1", 150, true),
		"dst":    prefixes(t, rules.IPv4Tuple, 400),
		"dst-6":  prefixes(t, rules.IPv6Tuple, 400),
		"corners": written(t, own,
			"src=10.0.0.0/8 dport=80 proto=tcp", "src=10.1.0.0/16 dport=1-65535", "continue dst=192.0.2.0/24", "dst={}",
			"dst=0.0.0.0/255.0.0.0", "dst=192.0.2.1 dport=65535 proto=udp", "dst=192.0.2.0/25 sport=*", "dst=192.0.2.0/24 proto=*", "src=255.255.255.255 dport=53"),
	}
	expressed := map[string][]string{
		"tailscale": {"acl1", "acl1-6", "dst", "dst-6", "corners"},
		"nebula":    {"acl1", "acl1-6", "dst", "dst-6", "corners"},
		"bart":      {"dst", "dst-6"},
	}
	for _, m := range makers() {
		t.Run(m.Name, func(t *testing.T) {
			c := compare.Local(m)
			defer c.Close()
			if why := c.About().Skip; why != "" {
				t.Skip(why)
			}
			names, some := expressed[m.Name]
			for name, l := range sets {
				if some && !slices.Contains(names, name) {
					_, err := c.Load(t.Context(), l, 1<<30)
					require.ErrorIs(t, err, compare.ErrUnsupported, name)
					require.ErrorContains(t, err, ": not supported: rule ", name)
					continue
				}
				t.Run(name, func(t *testing.T) { check(t, c, l) })
			}
		})
	}
}

func TestPeersRefuseWhatIsNo5Tuple(t *testing.T) {
	three := rules.MustSchema(rules.Field{Name: "src", Kind: rules.IPv4}, rules.Field{Name: "dst", Kind: rules.IPv4}, rules.Field{Name: "mark", Kind: rules.Number, Bits: 32})
	unknown, err := rules.NewList(rules.IPv4Tuple, rules.Rule[string]{Unknown: "the weather"})
	require.NoError(t, err)
	for _, l := range []*rules.List[string]{
		written(t, three, "mark=7"),
		written(t, rules.IPTuple, "dport=80"),
		written(t, rules.Firewall, "dport=80"),
		written(t, rules.IPv4Tuple, "src!=10.0.0.0/8"),
		written(t, rules.IPv4Tuple, "src=10.0.0.1-10.0.0.9"),
		written(t, rules.IPv4Tuple, "dport=80,443"),
		written(t, rules.IPv4Tuple, "dport=1-9 dport=3"),
		written(t, rules.IPv4Tuple, "proto=5-7"),
		written(t, rules.IPv4Tuple, "src=10.0.0.1/255.0.255.0"),
		unknown,
	} {
		for _, m := range makers() {
			c := compare.Local(m)
			_, err := c.Load(t.Context(), l, 1<<30)
			require.ErrorIs(t, err, compare.ErrUnsupported, "%s: %s", m.Name, l.Schema())
			require.NoError(t, c.Close())
		}
	}
}

func TestNebulaCountsPortsBeforeItMakesThem(t *testing.T) {
	l := written(t, rules.IPv4Tuple, "dport=1-65535 proto=tcp", "dport=1-65535 proto=udp")
	for _, m := range makers() {
		if m.Name == "nebula" {
			_, err := compare.Local(m).Load(t.Context(), l, 1<<20)
			require.ErrorIs(t, err, compare.ErrMemory)
		}
	}
}

func TestEmptyListsMatchNothing(t *testing.T) {
	l := written(t, rules.IPv4Tuple)
	for _, m := range makers() {
		c := compare.Local(m)
		if _, err := c.Load(t.Context(), l, 1<<30); err != nil {
			require.ErrorIs(t, err, compare.ErrUnsupported, m.Name)
			continue
		}
		_, err := c.Keys(t.Context(), []uint32{0, 1, 2, 3, 4, 6})
		require.NoError(t, err)
		out := []int32{7}
		require.NoError(t, c.Answers(t.Context(), 0, out))
		require.Equal(t, int32(-1), out[0], m.Name)
		require.NoError(t, c.Close())
	}
}

func TestProgramRepliesOnWhatWasStandardOutput(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	p, err := compare.Start(t.Context(), exe)
	require.NoError(t, err)
	l := generated(t, "acl1", 200, false)
	for _, c := range p.Contestants() {
		a := c.About()
		require.NotEmpty(t, a.Title, a.Name)
		require.NotEmpty(t, a.Note, a.Name)
		if a.Name != "gvisor" && a.Name != "dpdk-acl-scalar" || a.Skip != "" {
			continue
		}
		check(t, c, l)
		require.NoError(t, c.Close())
	}
}
