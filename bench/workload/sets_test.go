package workload

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
	"github.com/hipac-go/classifier/rules/packet"
)

func makeSet(t testing.TB, c Config) *Set {
	t.Helper()
	set, err := Make(c)
	require.NoError(t, err, "%+v", c)
	return set
}

// eachKind calls f for a set of every kind and address family.
func eachKind(t *testing.T, n int, f func(t *testing.T, set *Set)) {
	for _, k := range Kinds() {
		for _, six := range []bool{false, true} {
			if six && !k.IPv6 {
				continue
			}
			name := k.Name
			if six {
				name += "/ipv6"
			}
			c := Config{Family: k.Name, Rules: n, Seed: 3, IPv6: six}
			if k.Has("Prefixes") {
				c.Prefixes = 0.3
			}
			t.Run(name, func(t *testing.T) { f(t, makeSet(t, c)) })
		}
	}
}

// text writes a set in a format; "" when the format cannot hold it.
func text(t *testing.T, set *Set, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := set.Write(&b, format); err != nil {
		if set.Kind.Holds(format) == nil {
			require.ErrorIs(t, err, rules.ErrUnsupported)
		}
		return ""
	}
	return b.String()
}

func sameConds(t *testing.T, want, got []rules.Cond, position int) {
	t.Helper()
	require.Equal(t, string(appendConds(nil, want)), string(appendConds(nil, got)), "rule %d", position+1)
}

func TestWrittenSetsReadBackToTheSameRules(t *testing.T) {
	holds := map[string]int{}
	eachKind(t, 400, func(t *testing.T, set *Set) {
		if s := text(t, set, FormatNative); s != "" {
			holds[FormatNative]++
			l, err := native.Read(strings.NewReader(s), native.Options{Schemas: []*rules.Schema{NFHiPAC, NFHiPAC6}})
			require.NoError(t, err)
			require.Same(t, set.List.Schema(), l.Schema())
			require.Equal(t, digest(set.List), digest(l))
		}
		if s := text(t, set, FormatClassBench); s != "" {
			holds[FormatClassBench]++
			l, err := classbench.Read(strings.NewReader(s), classbench.Options{})
			require.NoError(t, err)
			require.Same(t, set.List.Schema(), l.Schema())
			require.Equal(t, set.List.Len(), l.Len())
			for i, r := range l.All() {
				sameConds(t, set.List.At(i).Conds, r.Conds, i)
			}
		}
		s := text(t, set, FormatIptables)
		if s == "" {
			return
		}
		holds[FormatIptables]++
		rs, err := iptables.Read(strings.NewReader(s), iptables.Options{})
		require.NoError(t, err)
		var again bytes.Buffer
		require.NoError(t, iptables.Write(&again, rs, false))
		_, body, _ := strings.Cut(s, "\n")
		for _, p := range []uint8{igmp, gre, ospf} { // written as numbers, since tools look names up
			body = strings.ReplaceAll(body, fmt.Sprintf(" -p %d ", p), fmt.Sprintf(" -p %s ", rules.ProtocolName(p)))
		}
		_, printed, _ := strings.Cut(again.String(), "\n")
		require.Equal(t, body, printed, "what is written is what iptables-save prints")
		if set.List != nil {
			sameDecisions(t, set.List, rs)
			return
		}
		n := 0
		for i := range rs.Tables[0].Chains {
			n += rs.Tables[0].Chains[i].Rules.Len()
		}
		require.Equal(t, set.Rules, n)
	})
	require.Equal(t, map[string]int{FormatNative: 12*2 + 6 + 7, FormatClassBench: 12*2 + 2 + 2, FormatIptables: 12*2 + 2 + 4 + 2 + 2}, holds)
}

// sameDecisions requires that rule i of the list is rule i+1 of chain FORWARD,
// for packets at the rules' corners.
func sameDecisions(t *testing.T, l *rules.List[string], rs *iptables.Ruleset) {
	t.Helper()
	table := rs.Tables[0]
	forward := table.Find("FORWARD")
	require.Equal(t, l.Len(), table.Chains[forward].Rules.Len())
	keys, err := Packets(l, PacketConfig{N: 1000, Seed: 1})
	require.NoError(t, err)
	family := 4
	if l.Schema().Field(0).Kind == rules.IPv6 {
		family = 6
	}
	mine, theirs := packet.NewBinder(l.Schema()), packet.NewBinder(table.Schema)
	a, b := l.Schema().NewKey(), table.Schema.NewKey()
	decided := map[int]bool{}
	for i := range keys.Len() {
		made := PacketOf(l.Schema(), keys.At(i), family)
		p := packet.Packet{Meta: made.Meta}
		require.NoError(t, p.DecodeEthernet(made.AppendEthernet(nil)))
		require.True(t, mine.Key(&p, a))
		require.True(t, theirs.Key(&p, b))
		want := 0 // the policy
		if at, ok := l.First(a); ok {
			want = at + 1
		}
		got := table.Evaluate(b, forward, nil)
		if got.Dropped {
			continue // a header that iptables cannot read, such as half an IPv6 extension
		}
		number := 0
		if got.By.Rule >= 0 {
			number = table.Chains[forward].Rules.At(got.By.Rule).Value.Number
		}
		require.Equal(t, want, number, "packet %d: %v", i, p)
		decided[want] = true
	}
	if l.Len() > 100 && !l.At(0).Matches(l.Schema(), a) {
		require.Greater(t, len(decided), 10, "packets come to many rules")
	}
}

func TestRealToolsLoadWhatIsWritten(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	for _, tool := range []string{"iptables-legacy-restore", "ip6tables-legacy-restore", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if out, err := exec.Command("unshare", "-n", "iptables-legacy-restore", "--test", "/dev/null").CombinedOutput(); err != nil {
		t.Skipf("iptables-legacy-restore does not run here: %s", out)
	}
	eachKind(t, 200, func(t *testing.T, set *Set) {
		s := text(t, set, FormatIptables)
		if s == "" {
			t.Skip("the format cannot hold it")
		}
		tool := "iptables-legacy-restore"
		if set.family == 6 {
			tool = "ip6tables-legacy-restore"
		}
		cmd := exec.Command("unshare", "-n", tool)
		cmd.Stdin = strings.NewReader(s)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out), "they warn of rules that never match")
	})
}

func TestIPv6RulesAskForProtocolsThatPacketsHave(t *testing.T) {
	seen := map[uint64]bool{}
	for _, name := range Families() {
		for _, kind := range []string{"", KindNFHiPAC, KindFirewall} {
			c := Config{Family: name, Rules: 1500, Seed: 3, IPv6: true}
			if kind != "" {
				c.Family, c.Base = kind, name
			}
			l := makeSet(t, c).List
			proto := l.Schema().MustIndex("proto")
			for _, r := range l.All() {
				for i := range r.Conds {
					if r.Conds[i].Field() == proto {
						iv, ok := singleInterval(&r.Conds[i])
						require.True(t, ok)
						seen[iv.Lo.Lo] = true
					}
				}
			}
		}
	}
	require.Equal(t, map[uint64]bool{tcp: true, udp: true, icmpv6: true, gre: true, esp: true, ospf: true}, seen)
}

func TestIPv6RulesForExtensionHeadersAreNotWrittenAsProtocols(t *testing.T) {
	for _, six := range []bool{false, true} {
		s := rules.IPv4Tuple
		if six {
			s = rules.IPv6Tuple
		}
		for _, proto := range []uint64{43, 44, 50, 51, 59, 60, 135} {
			b := rules.NewBuilder[string](s)
			_, err := b.Add(rules.Rule[string]{Conds: []rules.Cond{rules.In(4, rules.Point(proto))}, Value: Drop})
			require.NoError(t, err)
			err = WriteSave(&bytes.Buffer{}, b.List())
			if six && (proto == 43 || proto == 44 || proto == 51 || proto == 60) {
				require.ErrorIs(t, err, rules.ErrUnsupported)
				require.ErrorContains(t, err, "an extension header in IPv6")
				require.ErrorContains(t, err, "would never match")
			} else {
				require.NoError(t, err)
			}
		}
	}
}

func TestSetsHaveTheRulesAskedFor(t *testing.T) {
	for _, k := range Kinds() {
		for _, n := range []int{k.Least, k.Least + 1, 77, 1234} {
			set := makeSet(t, Config{Family: k.Name, Rules: n})
			if set.List != nil {
				require.Equal(t, n, set.List.Len(), k.Name)
			}
			require.LessOrEqual(t, set.Rules, n)
			require.GreaterOrEqual(t, set.Rules, n-4, k.Name)
		}
	}
}

func TestSameConfigurationGivesTheSameSetOfEveryKind(t *testing.T) {
	for _, k := range Kinds() {
		format := FormatNative
		if k.Chains {
			format = FormatIptables
		}
		c := Config{Family: k.Name, Rules: 150, Seed: 9}
		first := text(t, makeSet(t, c), format)
		require.Equal(t, first, text(t, makeSet(t, c), format), k.Name)
		seeded := !strings.Contains("nested shifted crossing same wild", k.Name)
		c.Seed++
		require.Equal(t, seeded, first != text(t, makeSet(t, c), format), k.Name)
	}
}

func TestSetsAndRealPacketsAreKeptForGood(t *testing.T) {
	for kind, want := range map[string]string{
		KindNFHiPAC: "fc6a1219978aa8b9", KindKubeProxy: "8f52b82161f9316d", KindChains: "b44a18d1c3def84b", KindBlocklist: "3651ffd404bfa435",
	} {
		c := Config{Family: kind, Rules: 500, Seed: 1}
		if kind == KindBlocklist {
			c.Prefixes = 0.1
		}
		set := makeSet(t, c)
		format := FormatNative
		if set.List == nil {
			format = FormatIptables
		}
		require.Equal(t, want, fmt.Sprintf("%016x", hashString(text(t, set, format))), kind)
	}
	h := uint64(1)
	for _, w := range packets(t, makeSet(t, Config{Family: KindNFHiPAC, Rules: 500, Seed: 1}).List, PacketConfig{N: 3000, Seed: 8, Real: true}).Words() {
		h = mix(h ^ uint64(w))
	}
	require.Equal(t, "bf1eeb328e1f38f7", fmt.Sprintf("%016x", h))
}

func TestBlocklistsAreSingleAddressesAndAShareOfPrefixes(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, share := range []float64{0, 0.25, 1} {
			l := makeSet(t, Config{Family: KindBlocklist, Rules: 4000, Seed: 1, Prefixes: share, IPv6: six}).List
			st := Statistics(l)
			require.InDelta(t, 1-share, st.Fields[0].Exact, 1e-9)
			require.Equal(t, 4000, st.Fields[0].Distinct)
			require.InDelta(t, 1.0, st.Fields[1].Wildcard, 1e-9)
			half := 24
			if six {
				half = 48
			}
			require.InDelta(t, share/2, st.Fields[0].Prefixes[half], share*0.1)
			near := map[rules.Interval]int{}
			for _, r := range l.All() {
				ivs, _ := r.Conds[0].Intervals()
				near[rules.PrefixInterval(ivs[0].Lo, l.Schema().Field(0).Bits-8, l.Schema().Field(0).Bits)]++
			}
			if share == 0 {
				require.InDelta(t, 0.65, float64(len(near))/4000, 0.1, "four in ten lie in neighbourhoods")
			}
		}
	}
}

func TestSetsOfNFHiPACAskForItsDimensions(t *testing.T) {
	for _, six := range []bool{false, true} {
		st := Statistics(makeSet(t, Config{Family: KindNFHiPAC, Rules: 5000, Seed: 1, IPv6: six}).List)
		require.Len(t, st.Fields, 13)
		wild := 0.0
		for _, f := range st.Fields {
			if six && f.Name == "frag" {
				require.InDelta(t, 1, f.Wildcard, 1e-9)
				continue
			}
			require.Less(t, f.Wildcard, 1.0, f.Name)
			wild += f.Wildcard / 13
		}
		require.Greater(t, wild, 0.6)
	}
}

func TestChainsAreAsManyAsAskedFor(t *testing.T) {
	for chains, want := range map[int]int{0: 100, 1: 1, 500: 500} {
		set := makeSet(t, Config{Family: KindChains, Rules: 1000, Chains: chains})
		rs, err := iptables.Read(strings.NewReader(text(t, set, FormatIptables)), iptables.Options{})
		require.NoError(t, err)
		st := StatisticsOfTable(rs.Tables[0])
		require.Equal(t, want+1, st.Chains)
		require.Equal(t, want, st.Jumps)
		require.Equal(t, 1000, st.Rules)
		require.Equal(t, 2, st.Depth)
		require.Equal(t, want, st.Targets["jump"])
	}
}

func TestServicesOfKubeProxyHaveChainsOfTheirOwn(t *testing.T) {
	set := makeSet(t, Config{Family: KindKubeProxy, Rules: 3000, Seed: 4})
	rs, err := iptables.Read(strings.NewReader(text(t, set, FormatIptables)), iptables.Options{})
	require.NoError(t, err)
	table := rs.Table("nat")
	st := StatisticsOfTable(table)
	require.Equal(t, 7, st.Depth)
	require.Equal(t, "KUBE-SERVICES", st.Longest)
	count := map[string]int{}
	for _, c := range table.Chains {
		require.LessOrEqual(t, len(c.Name), 28, "longer names are refused by iptables")
		for _, prefix := range []string{"KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-"} {
			if strings.HasPrefix(c.Name, prefix) {
				count[prefix]++
			}
		}
		if strings.HasPrefix(c.Name, "KUBE-SEP-") {
			require.Equal(t, 2, c.Rules.Len())
		}
	}
	require.Equal(t, st.Most-1, count["KUBE-SVC-"], "a rule in KUBE-SERVICES for each, and one for node ports")
	require.Equal(t, st.Targets["DNAT"], count["KUBE-SEP-"])
	require.InDelta(t, 0.1, float64(count["KUBE-EXT-"])/float64(count["KUBE-SVC-"]), 0.06)
	require.Equal(t, st.Tests-1-count["KUBE-SEP-"]+count["KUBE-SVC-"], 0, "all endpoints but the last are drawn, and one asks what addresses are local")
	require.Contains(t, st.String(), "table nat: rules ")
}

func TestUnknownKindsGetTheNearestOrAll(t *testing.T) {
	_, err := FindKind("fw9")
	require.EqualError(t, err, `there is no family "fw9"; near it: fw1, fw2, fw3, fw4, fw5`)
	_, err = FindKind("kubeproxy")
	require.EqualError(t, err, `there is no family "kubeproxy"; near it: kube-proxy`)
	_, err = FindKind("something else entirely")
	require.ErrorContains(t, err, "there are acl1, acl2")
	require.ErrorContains(t, err, "shortprefixes")
}

func TestConfigurationsThatDoNotFitTheKindAreErrors(t *testing.T) {
	for want, c := range map[string]Config{
		`unknown`:                      {Family: "nonsense?", Rules: 1},
		"kube-proxy: 12 rules":         {Family: KindKubeProxy, Rules: 12},
		"not in 1..":                   {Family: KindBlocklist},
		"no such sets of IPv6":         {Family: "wide", Rules: 10, IPv6: true},
		"no knob Smoothness":           {Family: KindBlocklist, Rules: 10, Smoothness: 3},
		"no knob Base":                 {Family: "acl1", Rules: 10, Base: "fw1"},
		"no knob Chains":               {Family: "acl1", Rules: 10, Chains: 2},
		"no knob Prefixes":             {Family: "acl1", Rules: 10, Prefixes: 0.5},
		"a share of prefixes of 1.5":   {Family: KindBlocklist, Rules: 10, Prefixes: 1.5},
		"6 chains: at most half":       {Family: KindChains, Rules: 10, Chains: 6},
		`unknown family "kube-proxy"`:  {Family: KindFirewall, Rules: 10, Base: KindKubeProxy},
		"scopes 3 and 0: not in -1..1": {Family: "acl1", Rules: 10, AddressScope: 3},
	} {
		_, err := Make(c)
		if want == "unknown" {
			want = "there is no family"
		}
		require.ErrorContains(t, err, want)
	}
}

func TestFormatsRefuseWhatTheyCannotHold(t *testing.T) {
	for _, tt := range []struct{ family, format, want string }{
		{KindKubeProxy, FormatNative, "chains that call one another"}, {KindChains, FormatClassBench, "chains that call one another"},
		{KindFirewall, FormatIptables, "VLANs"}, {KindFirewall, FormatClassBench, "beyond the 5-tuple"},
		{KindNFHiPAC, FormatClassBench, "beyond the 5-tuple"}, {"wide", FormatIptables, "a range of protocols"},
		{"wide", FormatClassBench, "is no prefix"}, {"acl1", "yaml", `no format "yaml"`},
	} {
		err := makeSet(t, Config{Family: tt.family, Rules: 20}).Write(&bytes.Buffer{}, tt.format)
		require.ErrorContains(t, err, tt.want)
	}
}
