package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Sets that aim at one mechanism of the tree each: random ones rarely meet
// them.

func requireFirst(t *testing.T, l *rules.List[int], keys []rules.Key) {
	t.Helper()
	for _, opts := range []*hipac.Options{nil, {LeafRows: 1}, {LeafRows: 512}, {Engine: hipac.Index}} {
		c := build(t, l, opts)
		for _, k := range keys {
			want, ok := l.First(k)
			got, found := c.Position(k)
			if want != got || ok != found {
				require.Failf(t, "wrong first match", "%+v key %x: got %d %v, want %d %v", opts, []uint32(k), got, found, want, ok)
			}
		}
	}
}

func prefix(field int, v uint64, length int) rules.Cond {
	return rules.In(field, rules.PrefixInterval(rules.U64(v), length, 32))
}

// A table skips the bits that its rules share. A rule that covers a slot for
// keys with these bits does not cover it for the others that land there.
func TestSkippedBitsHideNothing(t *testing.T) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[int](s)
	add := func(conds ...rules.Cond) {
		_, err := b.Add(rules.Rule[int]{Conds: conds})
		require.NoError(t, err)
	}
	for x := range uint64(8) {
		for y := range uint64(30) {
			add(prefix(0, 10<<24|x<<20|y<<8, 24), rules.In(3, rules.Point(y)))
		}
		add(prefix(0, 10<<24|x<<20, 12))
	}
	add(s.Present(0), rules.In(4, rules.Point(6)))
	add(s.Present(0))
	add()
	var keys []rules.Key
	for _, top := range []uint32{0, 10, 11, 74, 138, 192, 255} {
		for x := range uint32(16) {
			for y := range uint32(40) {
				for _, proto := range []uint8{6, 17} {
					k := rules.Tuple4{Src: top<<24 | x<<20 | y<<8, DstPort: uint16(y), Proto: proto}.Key()
					keys = append(keys, k[:])
				}
			}
		}
	}
	requireFirst(t, b.List(), keys)
}

// Nor do skipped bits make a field present: an absent one has words 0, and
// lands in a slot whose rules all have other bits.
func TestSkippedBitsMakeNothingPresent(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 16})
	b := rules.NewBuilder[int](s)
	for x := range uint64(8) {
		for y := range uint64(30) {
			_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{prefix(0, 10<<24|x<<20|y<<8, 24), rules.In(1, rules.Point(y))}})
			require.NoError(t, err)
		}
	}
	for _, conds := range [][]rules.Cond{{s.Present(0)}, nil} {
		_, err := b.Add(rules.Rule[int]{Conds: conds})
		require.NoError(t, err)
	}
	var keys []rules.Key
	for y := range uint64(40) {
		k := s.NewKey()
		s.Set(k, 1, rules.U64(y))
		absent := append(rules.Key{}, k...)
		s.SetAbsent(absent, 0)
		keys = append(keys, k, absent)
	}
	requireFirst(t, b.List(), keys)
}

// An address is IPv4 when all of its first 96 bits say so, not most.
func TestAddressesThatAreNearlyIPv4AreNot(t *testing.T) {
	s := rules.IPTuple
	mapped := rules.PrefixInterval(rules.Value{Lo: 0xffff << 32}, 96, 128)
	l, err := rules.NewList(s,
		rules.Rule[int]{Conds: []rules.Cond{rules.In(0, mapped), rules.In(1, mapped)}},
		rules.Rule[int]{Conds: []rules.Cond{rules.In(0, mapped)}},
		rules.Rule[int]{})
	require.NoError(t, err)
	var keys []rules.Key
	for f := range 2 {
		for bit := range 128 {
			k := s.NewKey()
			v := rules.Value{Lo: 0xffff<<32 | 7}
			s.Set(k, 0, v)
			s.Set(k, 1, v)
			s.Set(k, f, v.Xor(rules.U64(1).Shl(bit)))
			keys = append(keys, k)
		}
	}
	requireFirst(t, l, keys)
}

// Every column of the widest schemas counts.
func TestAllColumnsOfAllFieldsAreCompared(t *testing.T) {
	for _, width := range []int{128, 33, 32, 17, 16, 8} {
		fields := make([]rules.Field, rules.MaxFields)
		for i := range fields {
			fields[i] = rules.Field{Name: fmt.Sprintf("f%d", i), Bits: width}
		}
		s := rules.MustSchema(fields...)
		v := rules.Value{Hi: 5<<32 | 5, Lo: 5<<32 | 5}.And(rules.Ones(width))
		point := func(v rules.Value) rules.Interval { return rules.Interval{Lo: v, Hi: v} }
		var all, last []rules.Cond
		for f := range fields {
			all = append(all, rules.In(f, point(v)))
			if f == len(fields)-1 {
				v = v.Next()
			}
			last = append(last, rules.In(f, point(v)))
		}
		v = v.Prev()
		l, err := rules.NewList(s, rules.Rule[int]{Conds: all}, rules.Rule[int]{Conds: last}, rules.Rule[int]{Conds: all[:1]}, rules.Rule[int]{Conds: all[20:22]})
		require.NoError(t, err)
		var keys []rules.Key
		for f := -1; f < len(fields); f++ {
			for bit := 0; bit < width; bit += 5 {
				k := s.NewKey()
				for g := range fields {
					s.Set(k, g, v)
				}
				if f >= 0 {
					s.Set(k, f, v.Xor(rules.U64(1).Shl(bit)))
				}
				keys = append(keys, k)
			}
		}
		requireFirst(t, l, keys)
	}
}

// More different sets of constrained fields than a class has numbers.
func TestManySetsOfConstrainedFields(t *testing.T) {
	fields := make([]rules.Field, 20)
	for i := range fields {
		fields[i] = rules.Field{Name: fmt.Sprintf("f%d", i), Bits: 8}
	}
	s := rules.MustSchema(fields...)
	b := rules.NewBuilder[int](s)
	const n = 70000
	for i := range n {
		var conds []rules.Cond
		for f := range fields {
			if (i+1)>>f&1 != 0 {
				conds = append(conds, rules.In(f, rules.Point(1)))
			}
		}
		_, err := b.Add(rules.Rule[int]{Conds: conds})
		require.NoError(t, err)
	}
	l := b.List()
	c := build(t, l, nil)
	for i := 0; i < n; i += 997 {
		k := s.NewKey()
		for f := range fields {
			if (i+1)>>f&1 != 0 {
				s.Set(k, f, rules.U64(1))
			} else if f%2 == 0 {
				s.SetAbsent(k, f)
			}
		}
		want, ok := l.First(k)
		got, found := c.Position(k)
		require.Equal(t, ok, found)
		require.Equal(t, want, got)
	}
}

// A chain that jumps at every rule is walked in time linear in its rules.
func TestAChainOfManyJumpsIsEvaluatedOnce(t *testing.T) {
	s := rules.IPv4Tuple
	const n = 20000
	b := rules.NewBuilder[rules.Action](s)
	for i := range n {
		a, pass := rules.Action{Kind: rules.Jump, Chain: 1}, false
		if i%2 == 1 {
			a, pass = rules.Action{Kind: rules.Pass}, true
		}
		_, err := b.Add(rules.Rule[rules.Action]{Value: a, Continue: pass})
		require.NoError(t, err)
	}
	empty := rules.NewBuilder[rules.Action](s).List()
	table := &rules.Table{Schema: s, Chains: []rules.Chain{{Name: "A", Policy: rules.Accept, Rules: b.List()}, {Name: "B", Rules: empty}}}
	for _, e := range []hipac.Engine{hipac.Tree, hipac.Index} {
		c, err := hipac.BuildTable(context.Background(), table, &hipac.Options{Engine: e})
		require.NoError(t, err)
		seen := 0
		r := c.Trace(s.NewKey(), 0, func(p rules.Place) {
			require.Equal(t, rules.Place{Chain: 0, Rule: seen}, p)
			seen++
		})
		require.Equal(t, n, seen)
		require.Equal(t, rules.Accept, r.Verdict)
		require.Equal(t, r, c.Evaluate(s.NewKey(), 0))
	}
}

func TestRulesWhoseContinueDoesNotFitAreRefused(t *testing.T) {
	for _, r := range []rules.Rule[rules.Action]{
		{Value: rules.Action{Kind: rules.Pass}},
		{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop}, Continue: true},
		{Value: rules.Action{Kind: 77}},
	} {
		l, err := rules.NewList(rules.IPv4Tuple, r)
		require.NoError(t, err)
		table := &rules.Table{Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "A", Policy: rules.Drop, Rules: l}}}
		_, err = hipac.BuildTable(context.Background(), table, nil)
		require.ErrorContains(t, err, "continues")
	}
}

// A table below one that skipped bits cuts all that is left of its slot; the
// bits skipped above are still unseen.
func TestBitsSkippedAboveStayUnseenBelow(t *testing.T) {
	s := rules.IPv4Tuple
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 6))
		b := rules.NewBuilder[int](s)
		var keys []rules.Key
		// Thinly spread addresses, and a crowd that fills some of their slots.
		var points []uint32
		for range 500 {
			points = append(points, r.Uint32N(1<<16))
		}
		for x := range uint32(64) {
			points = append(points, 3<<10|x)
		}
		slices.Sort(points)
		for _, x := range slices.Compact(points) {
			src := 10<<24 | x
			_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{rules.In(0, rules.Point(uint64(src)))}})
			require.NoError(t, err)
			for _, flip := range []uint32{0, 1 << 31, 1 << 23, 1 << 16} {
				k := rules.Tuple4{Src: src ^ flip}.Key()
				keys = append(keys, k[:])
			}
		}
		l := b.List()
		for _, opts := range []*hipac.Options{{LeafRows: 1}, {LeafRows: 1, Replication: 1}, {LeafRows: 3}} {
			c := build(t, l, opts)
			for i, k := range keys {
				got, found := c.Position(k)
				require.Equal(t, i%4 == 0, found, "key %x", []uint32(k))
				if found {
					require.Equal(t, i/4, got)
				}
			}
		}
	}
}
