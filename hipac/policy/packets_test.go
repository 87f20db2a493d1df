package policy_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// headers has fields that packets have by their protocol.
var headers = rules.MustSchema(rules.Field{Name: "src", Kind: rules.IPv4, Bits: 32}, rules.Field{Name: "dport", Kind: rules.Port, Bits: 16},
	rules.Field{Name: "proto", Kind: rules.Proto, Bits: 8}, rules.Field{Name: "frag", Bits: 1},
	rules.Field{Name: "tcpflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags}, rules.Field{Name: "icmptype", Bits: 8},
	rules.Field{Name: "ctstate", Bits: 8, Kind: rules.Bits, Symbols: rules.CTStates})

// real calls visit with packets that headers could be of, one for each way in which
// rules of drawHeader can tell them apart.
func real(visit func(rules.Key)) {
	type values map[string][]int // -1: absent
	for _, w := range []values{
		{"proto": {6}, "frag": {0}, "dport": {0, 22, 23, 80}, "tcpflags": {0, 2, 16, 18}, "icmptype": {-1}},
		{"proto": {17, 132}, "frag": {0}, "dport": {0, 22, 23, 80}, "tcpflags": {-1}, "icmptype": {-1}},
		{"proto": {1}, "frag": {0}, "dport": {-1}, "tcpflags": {-1}, "icmptype": {0, 8, 9}},
		{"proto": {6, 17, 132, 1}, "frag": {1}, "dport": {-1}, "tcpflags": {-1}, "icmptype": {-1}},
		{"proto": {0, 58}, "frag": {0, 1}, "dport": {-1}, "tcpflags": {-1}, "icmptype": {-1}},
	} {
		w["src"] = []int{0, 10 << 24, 11 << 24}
		w["ctstate"] = []int{-1, 1, 2, 4, 8, 16, 1 + 64, 2 + 64, 8 + 64, 16 + 64}
		k := headers.NewKey()
		var field func(int)
		field = func(f int) {
			if f == headers.Len() {
				visit(k)
				return
			}
			for _, v := range w[headers.Field(f).Name] {
				if headers.Set(k, f, rules.U64(uint64(v))); v < 0 {
					headers.SetAbsent(k, f)
				}
				field(f + 1)
			}
		}
		field(0)
	}
}

// drawHeader draws conditions as firewalls have them, and as they should not.
func drawHeader(rng *rand.Rand) (out []rules.Cond) {
	for _, texts := range [][]string{
		{"src=10.0.0.0/8", "src!=10.0.0.0/8"}, {"proto=6", "proto=17", "proto=1", "proto!=6", "proto=6,17"},
		{"dport=22", "dport=22-79", "dport!=22", "dport?=80-65535"}, {"frag=1", "frag=0"},
		{"tcpflags=SYN/SYN+ACK", "tcpflags!=SYN/SYN+ACK"}, {"icmptype=8", "icmptype!=8"},
		{"ctstate!=none/ESTABLISHED+RELATED", "ctstate=NEW/NEW", "ctstate=DNAT/DNAT", "ctstate?!=INVALID/INVALID"},
	} {
		if rng.IntN(3) > 0 {
			continue
		}
		c, err := headers.ParseCond(texts[rng.IntN(len(texts))])
		if err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}

func TestDifferencesAreOfPacketsThatThereAre(t *testing.T) {
	draw := func(rng *rand.Rand) *rules.List[string] {
		b := rules.NewBuilder[string](headers)
		for range 1 + rng.IntN(6) {
			_, err := b.Add(rules.Rule[string]{Conds: drawHeader(rng), Value: []string{"ACCEPT", "DROP"}[rng.IntN(2)]})
			require.NoError(t, err)
		}
		return b.List()
	}
	decide := func(l *rules.List[string], k rules.Key) policy.Decision {
		if i, ok := l.First(k); ok {
			return policy.Decision{Verdict: l.At(i).Value, At: rules.Place{Rule: i}}
		}
		return policy.Decision{Verdict: "NONE", At: rules.Place{Rule: -1}}
	}
	of := func(l *rules.List[string]) *policy.Function {
		return policy.OfList(l, func(i int) string { return l.At(i).Value }, "NONE")
	}
	impossible := 0
	for seed := range seeds(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		old, other := draw(rng), draw(rng)
		join := rng.IntN(2) == 0
		d, err := policy.Compare(context.Background(), of(old), of(other), policy.Options{Join: join})
		require.NoError(t, err)
		differ := false
		real(func(k rules.Key) {
			a, b := decide(old, k), decide(other, k)
			in := 0
			for _, r := range d.Regions {
				if !holds(headers, r.Conds, k) {
					continue
				}
				in++
				if a.Verdict != r.Old.Verdict || b.Verdict != r.New.Verdict || !slices.Contains(r.Olds, a.At) || !slices.Contains(r.News, b.At) {
					t.Fatalf("seed %d: %v is decided by %v and %v, not as in %v", seed, k, a, b, r)
				}
			}
			want := 0
			if a.Verdict != b.Verdict {
				want, differ = 1, true
			}
			if in != want {
				t.Fatalf("seed %d: %v is in %d regions, not %d", seed, k, in, want)
			}
		})
		require.Equal(t, differ, !d.Same(), "seed %d", seed)
		for _, r := range d.Regions {
			require.True(t, holds(headers, r.Conds, r.Witness), "seed %d", seed)
			require.Equal(t, []policy.Decision{r.Old, r.New}, []policy.Decision{decide(old, r.Witness), decide(other, r.Witness)}, "seed %d", seed)
			require.True(t, isReal(r.Witness), "seed %d: %v", seed, r.Witness)
		}
		every, err := policy.Compare(context.Background(), of(old), of(other), policy.Options{Complete: true})
		require.NoError(t, err)
		if d.Same() && !every.Same() {
			impossible++ // they differ in packets of ICMP with ports, or the like
		}
	}
	require.NotZero(t, impossible)
}

// isReal reports whether a packet has the fields of its protocol.
func isReal(k rules.Key) bool {
	get := func(name string) int {
		if v, ok := headers.Get(k, headers.MustIndex(name)); ok {
			return int(v.Lo)
		}
		return -1
	}
	proto, first := get("proto"), get("frag") != 1
	return (get("dport") >= 0) == (first && slices.Contains([]int{6, 17, 33, 132, 136}, proto)) &&
		(get("tcpflags") >= 0) == (first && proto == 6) && (get("icmptype") >= 0) == (first && proto == 1)
}

// Packets have addresses of one family: rules that ask for both match none.
func TestPacketsAreOfOneFamily(t *testing.T) {
	s := rules.IPTuple
	list := func(texts ...string) *policy.Function {
		b := rules.NewBuilder[string](s)
		for i, text := range texts {
			_, err := b.Add(rules.Rule[string]{Conds: s.MustConds(text), Value: []string{"DROP", "ACCEPT"}[i%2]})
			require.NoError(t, err)
		}
		l := b.List()
		return policy.OfList(l, func(i int) string { return l.At(i).Value }, "none")
	}
	compare := func(a, b *policy.Function, o policy.Options) *policy.Difference {
		d, err := policy.Compare(context.Background(), a, b, o)
		require.NoError(t, err)
		require.NoError(t, d.Partial)
		return d
	}
	// Whatever comes behind these two, no packet gets to it.
	both := []string{"src=0.0.0.0/0", "dst!=0.0.0.0/0"}
	require.True(t, compare(list(both...), list(append(both, "src!=0.0.0.0/0 dst=0.0.0.0/0")...), policy.Options{}).Same())
	report, err := policy.CollectLint(context.Background(), policy.LintOptions{KeepAll: true}, list("src=10.0.0.0/8 dst=fd00::1", "src=10.0.0.0/8 dst=10.0.0.1"))
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, policy.Never, report.Findings[0].Code)

	for _, cond := range []string{"src=2001:db8::/32 dport=80", "dst=2001:db8::/32", "src!=0.0.0.0/0", "src=192.0.2.0/24", "dst=fd00::1 src!=fd00::/8", "dst=::1/::1"} {
		for _, rest := range [][]string{{"proto=tcp"}, {"src=10.0.0.0/8"}, {"dst=10.0.0.1"}, {"src=fe80::/10 dst=fe80::/10"}} {
			d := compare(list(rest...), list(append(rest, cond)...), policy.Options{})
			require.NotEmpty(t, d.Regions, cond)
			for _, r := range d.Regions {
				src, _ := s.Get(r.Witness, 0)
				dst, _ := s.Get(r.Witness, 1)
				require.Equal(t, src.Addr().Is4In6(), dst.Addr().Is4In6(), "%s %s: %s > %s", cond, rest, src.Addr(), dst.Addr())
				require.True(t, (&rules.Rule[int]{Conds: s.MustConds(cond)}).Matches(s, r.Witness))
			}
		}
	}
}
