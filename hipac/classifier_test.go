package hipac_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

func build[T any](t *testing.T, l *rules.List[T], opts *hipac.Options) *hipac.Classifier[T] {
	t.Helper()
	c, err := hipac.Build(context.Background(), l, opts)
	require.NoError(t, err)
	return c
}

func listOf(t *testing.T, s *rules.Schema, texts ...string) *rules.List[string] {
	t.Helper()
	b := rules.NewBuilder[string](s)
	for _, text := range texts {
		conds, err := s.ParseConds(text)
		require.NoError(t, err)
		_, err = b.Add(rules.Rule[string]{Conds: conds, Value: text})
		require.NoError(t, err)
	}
	return b.List()
}

var engines = map[string]*hipac.Options{"tree": nil, "index": {Engine: hipac.Index}, "tree for all": {AllMatches: true}}

func TestAnEmptyListMatchesNothing(t *testing.T) {
	for name, opts := range engines {
		t.Run(name, func(t *testing.T) {
			c := build(t, listOf(t, rules.IPv4Tuple), opts)
			_, ok := c.Lookup(rules.IPv4Tuple.NewKey())
			require.False(t, ok)
			require.Empty(t, c.LookupAll(rules.IPv4Tuple.NewKey(), nil, 0))
			require.Empty(t, c.Executed(rules.IPv4Tuple.NewKey(), nil))
			require.Zero(t, c.Len())
			require.Zero(t, c.Stats().Rows)
		})
	}
}

func TestASchemaWithoutFieldsMatchesTheFirstRule(t *testing.T) {
	s := rules.MustSchema()
	for name, opts := range engines {
		t.Run(name, func(t *testing.T) {
			c := build(t, listOf(t, s, "any", "any"), opts)
			m, ok := c.Lookup(s.NewKey())
			require.True(t, ok)
			require.Equal(t, 0, m.Position)
			require.Len(t, c.LookupAll(s.NewKey(), nil, 0), 2)
		})
	}
}

func TestEdgesOfConditions(t *testing.T) {
	s := rules.IPv4Tuple
	for name, opts := range engines {
		t.Run(name, func(t *testing.T) {
			l := listOf(t, s,
				"dport={}",               // nothing
				"dport!=*",               // nothing
				"dport=80 dport=81",      // nothing: both at once
				"dport=80,443 dport!=80", // 443
				"proto=0x1/0x3",          // proto&3 == 1
				"dport=*",                // any, if there is one
				"any")
			c := build(t, l, opts)
			for _, x := range []struct {
				dport uint64
				proto uint64
				none  bool
				want  int
			}{{80, 6, false, 5}, {443, 6, false, 3}, {80, 17, false, 4}, {80, 2, true, 6}, {0, 5, true, 4}} {
				k := s.NewKey()
				s.Set(k, 3, rules.U64(x.dport))
				s.Set(k, 4, rules.U64(x.proto))
				if x.none {
					s.SetAbsent(k, 3)
				}
				m, ok := c.Lookup(k)
				require.True(t, ok)
				require.Equal(t, x.want, m.Position, "%+v", x)
				requireSame(t, l, c, k)
			}
			if name != "index" {
				require.Equal(t, 3, c.Stats().Never)
			}
		})
	}
}

func TestIdentitiesAndValuesTravelWithTheMatch(t *testing.T) {
	type tag struct {
		name string
		n    int
	}
	b := rules.NewBuilder[*tag](rules.IPv4Tuple)
	one := &tag{"one", 1}
	conds := []rules.Cond{rules.In(3, rules.Point(1))}
	_, err := b.Add(rules.Rule[*tag]{ID: 77, Value: one, Conds: conds})
	require.NoError(t, err)
	_, err = b.Add(rules.Rule[*tag]{ID: 5, Unknown: "match owner"})
	require.NoError(t, err)
	l := b.List()
	c := build(t, l, nil)
	conds[0] = rules.In(3, rules.Point(2)) // the caller's slice is the caller's
	k := rules.IPv4Tuple.NewKey()
	rules.IPv4Tuple.Set(k, 3, rules.U64(1))
	m, ok := c.Lookup(k)
	require.True(t, ok)
	require.Equal(t, hipac.Match[*tag]{ID: 77, Position: 0, Value: one}, m)
	rules.IPv4Tuple.Set(k, 3, rules.U64(2))
	m, ok = c.Lookup(k)
	require.True(t, ok)
	require.Equal(t, hipac.Match[*tag]{ID: 5, Position: 1, Unknown: true}, m)
	var ids []rules.ID
	for m := range c.Rules() {
		ids = append(ids, m.ID)
	}
	require.Equal(t, []rules.ID{77, 5}, ids)
}

func TestBothFamiliesLiveInOneSet(t *testing.T) {
	c := build(t, listOf(t, rules.IPTuple, "src=10.0.0.0/8 dport=22", "src=2001:db8::/32", "src=0.0.0.0/0 dport=80", "dport=80"), nil)
	look := func(src, dst string, dport uint16) int {
		m, ok := c.LookupTuple(rules.Tuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), DstPort: dport, Proto: 6})
		if !ok {
			return -1
		}
		return m.Position
	}
	require.Equal(t, 0, look("10.1.2.3", "192.0.2.1", 22))
	require.Equal(t, -1, look("11.1.2.3", "192.0.2.1", 22))
	require.Equal(t, 1, look("2001:db8::1", "2001:db8::2", 22))
	require.Equal(t, 2, look("192.0.2.9", "192.0.2.1", 80))
	require.Equal(t, 3, look("2001:db9::1", "2001:db8::2", 80))
	// A key may mix families; it meets the rules as it would one by one.
	require.Equal(t, 2, look("192.0.2.9", "2001:db8::2", 80))
	require.Equal(t, 0, look("10.0.0.1", "2001:db8::2", 22))
}

func TestATupleThatTheSchemaCannotHoldMatchesNothing(t *testing.T) {
	c := build(t, listOf(t, rules.IPv4Tuple, "any"), nil)
	_, ok := c.LookupTuple(rules.Tuple{Src: netip.MustParseAddr("::1"), Dst: netip.MustParseAddr("::2")})
	require.False(t, ok)
	_, ok = c.LookupTuple(rules.Tuple{Src: netip.MustParseAddr("::ffff:1.2.3.4"), Dst: netip.MustParseAddr("1.2.3.4")})
	require.True(t, ok)
	_, ok = c.Lookup(make(rules.Key, 3))
	require.False(t, ok)
}

func TestLookupsAllocateNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, mixed} {
		pool := pools(r, s)
		c := build(t, randomList(r, s, 300, pool), &hipac.Options{AllMatches: true})
		k := s.NewKey()
		dst := make([]hipac.Match[int], 0, 300)
		keys, out := make([]uint32, 64*s.KeyLen()), make([]int32, 64)
		tuple := rules.Tuple{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")}
		require.Zero(t, allocsPerRun(200, func() {
			randomKey(r, s, pool, k)
			c.Lookup(k)
			c.LookupTuple(tuple)
			c.LookupBatch(keys, out)
			c.LookupAll(k, dst, 0)
			c.Executed(k, dst)
		}))
	}
}

func TestBatchesGiveWhatSingleLookupsGive(t *testing.T) {
	for name, opts := range engines {
		for schema, s := range map[string]*rules.Schema{"IPv4": rules.IPv4Tuple, "both families": rules.IPTuple, "IPv6": rules.IPv6Tuple} {
			t.Run(name+", "+schema, func(t *testing.T) { requireBatches(t, s, opts) })
		}
	}
}

// requireBatches compares batches of keys, of both families where the schema has
// them, with single lookups.
func requireBatches(t *testing.T, s *rules.Schema, opts *hipac.Options) {
	r := rand.New(rand.NewPCG(4, 1))
	pool := pools(r, s)
	if s == rules.IPTuple {
		for f := range 2 { // IPv4 addresses among the others
			for range 6 {
				pool[f] = append(pool[f], rules.U64(0xffff<<32|uint64(r.Uint32())))
			}
		}
	}
	c := build(t, randomList(r, s, 200, pool), opts)
	for _, n := range []int{0, 1, 7, 64, 65, 200} {
		keys := make([]uint32, n*s.KeyLen())
		for i := range n {
			randomKey(r, s, pool, keys[i*s.KeyLen():(i+1)*s.KeyLen()])
		}
		out := make([]int32, n+3)
		require.Equal(t, n, c.LookupBatch(keys, out))
		for i := range n {
			p, ok := c.Position(keys[i*s.KeyLen() : (i+1)*s.KeyLen()])
			if !ok {
				p = -1
			}
			require.Equal(t, int32(p), out[i])
		}
	}
}

// Rules of boxes alone, which vectors look up where there are any.
func TestBatchesOfBothFamiliesGiveWhatSingleLookupsGive(t *testing.T) {
	s := rules.IPTuple
	r := rand.New(rand.NewPCG(4, 2))
	var texts []string
	for i := range 40 {
		texts = append(texts, fmt.Sprintf("src=10.%d.0.0/16 dport=%d", i%7, 80+i%3), fmt.Sprintf("src=2001:db8:%d::/48 dport=%d", i%7, 80+i%3), fmt.Sprintf("dst=10.0.%d.0/24", i%9), fmt.Sprintf("dst=2001:db8::%d", i%9))
	}
	for _, batch := range hipac.Batches() {
		c := build(t, listOf(t, s, append(texts, "src=0.0.0.0/0 dst=0.0.0.0/0 dport=81", "dport=82")...), &hipac.Options{Batch: batch})
		w := s.KeyLen()
		for _, n := range []int{1, 2, 63, 64, 65, 300} {
			keys, out := make([]uint32, n*w), make([]int32, n)
			hits := map[int]bool{}
			for i := range n {
				address := func() netip.Addr {
					if r.IntN(2) == 0 {
						return netip.AddrFrom4([4]byte{10, byte(r.IntN(8)), byte(r.IntN(10)), byte(r.IntN(3))})
					}
					return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(r.IntN(8)), 15: byte(r.IntN(10))})
				}
				require.True(t, s.SetTuple(keys[i*w:i*w+w], rules.Tuple{Src: address(), Dst: address(), DstPort: uint16(79 + r.IntN(5)), Proto: 6}))
			}
			require.Equal(t, n, c.LookupBatch(keys, out))
			for i := range n {
				p, ok := c.Position(keys[i*w : i*w+w])
				if !ok {
					p = -1
				}
				require.EqualValues(t, p, out[i], "%v, %d keys, key %d", batch, n, i)
				hits[p] = true
			}
			require.True(t, n < 60 || len(hits) > 9)
		}
	}
}

func TestLookupAllStopsAtTheNumberAskedFor(t *testing.T) {
	c := build(t, listOf(t, rules.IPv4Tuple, "any", "dport=1", "any", "any"), nil)
	k := rules.IPv4Tuple.NewKey()
	require.Equal(t, []int{0, 2, 3}, positions(c.LookupAll(k, nil, 0)))
	require.Equal(t, []int{0, 2}, positions(c.LookupAll(k, nil, 2)))
	for _, wrong := range []rules.Key{nil, k[:1], k[:len(k)-1], append(k[:len(k):len(k)], 0)} {
		require.Empty(t, c.LookupAll(wrong, nil, 0), "a key of %d words", len(wrong))
		require.Empty(t, c.Executed(wrong, nil))
	}
	n := 0
	for range c.Matches(k) {
		if n++; n == 1 {
			break
		}
	}
	require.Equal(t, 1, n)
}

func TestFirstMatchOnlyRefusesToLookForOtherMatches(t *testing.T) {
	c := build(t, listOf(t, rules.IPv4Tuple, "any"), &hipac.Options{FirstMatchOnly: true})
	_, ok := c.Lookup(rules.IPv4Tuple.NewKey())
	require.True(t, ok)
	require.Panics(t, func() { c.LookupAll(rules.IPv4Tuple.NewKey(), nil, 0) })
	require.Panics(t, func() { c.Executed(rules.IPv4Tuple.NewKey(), nil) })
}

func TestBuildsAreDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	l := randomList(r, mixed, 500, pools(r, mixed))
	a, b := build(t, l, nil), build(t, l, nil)
	require.True(t, reflect.DeepEqual(a.Stats(), b.Stats()))
	require.Equal(t, hipac.Fingerprint(a), hipac.Fingerprint(b))
}

func TestABuildKeepsItsMemoryLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	l := randomList(r, rules.IPv4Tuple, 2000, pools(r, rules.IPv4Tuple))
	for _, e := range []hipac.Engine{hipac.Tree, hipac.Index} {
		_, err := hipac.Build(context.Background(), l, &hipac.Options{Engine: e, MemoryLimit: 4096})
		require.ErrorIs(t, err, hipac.ErrMemoryLimit)
	}
}

func TestABuildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := rand.New(rand.NewPCG(5, 1))
	l := randomList(r, rules.IPv4Tuple, 5000, pools(r, rules.IPv4Tuple))
	for _, e := range []hipac.Engine{hipac.Tree, hipac.Index} {
		_, err := hipac.Build(ctx, l, &hipac.Options{Engine: e})
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestManyGoroutinesLookUpAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	pool := pools(r, mixed)
	l := randomList(r, mixed, 300, pool)
	for _, opts := range engines {
		c := build(t, l, opts)
		var wg sync.WaitGroup
		for g := range uint64(4) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(g, 7))
				k := mixed.NewKey()
				for range 200 {
					randomKey(r, mixed, pool, k)
					requireSame(t, l, c, k) // the first LookupAll of each races to build
				}
			})
		}
		wg.Wait()
	}
}

// Sets that no cut separates: the tree must stay within its bounds, and right.
func TestHostileSetsStayBoundedAndRight(t *testing.T) {
	s := rules.IPv4Tuple
	sets := map[string]func(r *rand.Rand, i, n int) []rules.Cond{
		"nested ranges": func(r *rand.Rand, i, n int) (cs []rules.Cond) {
			for f := range 4 {
				m := s.Field(f).Max().Lo
				step := m / uint64(2*n+2)
				cs = append(cs, rules.In(f, rules.Span(uint64(n-i)*step, m-uint64(n-i)*step)))
			}
			return cs
		},
		"sliding ranges": func(r *rand.Rand, i, n int) (cs []rules.Cond) {
			for f := range 4 {
				m := s.Field(f).Max().Lo
				step := m / 2 / uint64(n)
				cs = append(cs, rules.In(f, rules.Span(uint64(i)*step, m/2+uint64(i)*step)))
			}
			return cs
		},
		"random ranges": func(r *rand.Rand, i, n int) (cs []rules.Cond) {
			for f := range 4 {
				m := s.Field(f).Max().Lo
				a, b := r.Uint64N(m+1), r.Uint64N(m+1)
				cs = append(cs, rules.In(f, rules.Span(min(a, b), max(a, b))))
			}
			return cs
		},
		"identical rules": func(r *rand.Rand, i, n int) []rules.Cond {
			return []rules.Cond{rules.In(0, rules.Span(5, 9))}
		},
		"crossing wildcards": func(r *rand.Rand, i, n int) []rules.Cond {
			f := i % 4
			x := r.Uint64N(s.Field(f).Max().Lo)
			return []rules.Cond{rules.In(f, rules.Span(x, x))}
		},
		"negations": func(r *rand.Rand, i, n int) []rules.Cond {
			return []rules.Cond{rules.In(0, rules.Point(r.Uint64N(100))).Negate(), rules.In(3, rules.Point(uint64(i)))}
		},
	}
	for name, cond := range sets {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(8, 1))
			const n = 3000
			b := rules.NewBuilder[int](s)
			for i := range n {
				_, err := b.Add(rules.Rule[int]{Conds: cond(r, i, n)})
				require.NoError(t, err)
			}
			l := b.List()
			c := build(t, l, nil)
			st := c.Stats()
			require.LessOrEqual(t, st.Rows, 4*n+16, "copies beyond the budget")
			require.LessOrEqual(t, st.TreeBytes, 400*n)
			if name == "identical rules" {
				require.Equal(t, 1, st.Rows)
			}
			k := s.NewKey()
			for i := range 1500 {
				for f := range s.Len() {
					x := r.Uint64N(s.Field(f).Max().Lo + 1)
					if i%3 == 0 {
						x = r.Uint64N(200)
					}
					s.Set(k, f, rules.U64(x))
				}
				want, ok := l.First(k)
				got, found := c.Position(k)
				require.Equal(t, ok, found)
				require.Equal(t, want, got)
			}
		})
	}
}

func TestNothingToCompileIsAnError(t *testing.T) {
	_, err := hipac.Build[int](context.Background(), nil, nil)
	require.Error(t, err)
	_, err = hipac.BuildTable(context.Background(), nil, nil)
	require.Error(t, err)
}

func TestBadOptionsAreRefused(t *testing.T) {
	l := listOf(t, rules.IPv4Tuple, "any")
	for _, o := range []hipac.Options{{Engine: 9}, {MemoryLimit: -1}, {LeafRows: -1}, {LeafRows: 513}, {Replication: -2}, {Replication: math.NaN()}, {Replication: 2000}, {AllMatches: true, FirstMatchOnly: true}} {
		_, err := hipac.Build(context.Background(), l, &o)
		require.ErrorContains(t, err, "options", "%+v", o)
	}
}

func TestADecodedPacketFindsTheRuleOfItsKey(t *testing.T) {
	var made packet.Packet
	made.SetAddrs(netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.2.1"))
	made.Proto, made.SrcPort, made.DstPort, made.TTL = packet.TCP, 4242, 443, 64
	var p packet.Packet
	require.NoError(t, p.DecodeIP(made.AppendIP(nil)))
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, rules.Firewall} {
		l := listOf(t, s, "dport=80", "src=10.0.0.0/8 dport=443 proto=tcp", "any")
		c := build(t, l, nil)
		m, ok := c.LookupPacket(&p)
		require.True(t, ok)
		require.Equal(t, 1, m.Position)
		live, err := hipac.NewLive(context.Background(), l, nil)
		require.NoError(t, err)
		m, ok = live.LookupPacket(&p)
		require.True(t, ok)
		require.Equal(t, rules.ID(2), m.ID)
		m, ok = live.LookupTuple(rules.Tuple{Src: p.SrcAddr(), Dst: p.DstAddr(), SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto})
		require.True(t, ok)
		require.Equal(t, rules.ID(2), m.ID)
		require.Zero(t, allocsPerRun(100, func() { c.LookupPacket(&p) }))
	}
	_, ok := build(t, listOf(t, rules.IPv6Tuple, "any"), nil).LookupPacket(&p)
	require.False(t, ok, "an IPv4 packet is outside an IPv6 rule set")

	l, err := rules.NewList(rules.Firewall, rules.Rule[rules.Action]{Conds: rules.Firewall.MustConds("dport=443"), Value: rules.Action{Kind: rules.Decide, Verdict: rules.Reject}})
	require.NoError(t, err)
	table, err := hipac.BuildTable(context.Background(), &rules.Table{Schema: rules.Firewall, Chains: []rules.Chain{{Name: "FORWARD", Policy: rules.Accept, Rules: l}}}, nil)
	require.NoError(t, err)
	require.Equal(t, rules.Reject, table.EvaluatePacket(&p, 0).Verdict)
	require.Zero(t, allocsPerRun(100, func() { table.EvaluatePacket(&p, 0) }))
}
