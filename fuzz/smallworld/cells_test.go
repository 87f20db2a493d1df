package smallworld

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

func TestEveryWayIsRightAtTheCornersOfCells(t *testing.T) {
	var total CellReport
	check := func(l *rules.List[string], n int, all []ways.Way) {
		t.Helper()
		b := rules.NewBuilder[string](l.Schema())
		for _, r := range l.All() {
			if len(r.Conds) < 2 { // they hold for most packets
				continue
			}
			_, err := b.Add(*r)
			require.NoError(t, err)
		}
		numbered, err := ways.Numbered(b.List())
		require.NoError(t, err)
		r, err := CheckCells(context.Background(), numbered, all, n, 1)
		require.NoError(t, err)
		require.Equal(t, n, r.Cells)
		require.GreaterOrEqual(t, r.Comparisons, r.Corners*len(all))
		total.Add(r)
	}
	all := ways.All()[1:]
	for i, family := range []string{"acl1", "fw1", "ipc1"} {
		l, err := workload.Generate(workload.Config{Family: family, Rules: 2000, Seed: uint64(i)})
		require.NoError(t, err)
		check(l, 100, all)
		l, err = workload.Generate(workload.Config{Family: family, Rules: 300, Seed: uint64(i), IPv6: true})
		require.NoError(t, err)
		check(l, 100, all)
	}
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, rules.Firewall} {
		for seed := range uint64(6) {
			c := workload.RandomConfig{Rules: 20 << seed, Seed: seed, Pool: 8 << seed, Constrain: min(0.9, 6/float64(s.Len()))}
			if seed%2 == 1 {
				c = c.Everything()
			}
			l, err := workload.Random(s, c)
			require.NoError(t, err)
			check(l, 40, all)
		}
	}
	require.Greater(t, total.Matched, total.Cells/5)
	require.Less(t, total.Matched, total.Cells*4/5)
	t.Logf("%+v", total)
}

func TestCellsOfAListCoverEveryPacketOnce(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 4}, rules.Field{Name: "b", Bits: 4})
	for seed := range uint64(50) {
		l, err := workload.Random(s, workload.RandomConfig{Rules: 5, Seed: seed, Unions: true, Negation: true, OrAbsent: true})
		require.NoError(t, err)
		n, err := ways.Numbered(l)
		require.NoError(t, err)
		c := NewCells(n)
		for f := range 2 {
			next := uint64(0)
			for i := range c.Elementary(f) {
				iv := c.interval(f, i)
				require.Equal(t, next, iv.Lo.Lo)
				require.GreaterOrEqual(t, iv.Hi.Lo, iv.Lo.Lo)
				next = iv.Hi.Lo + 1
				for v := iv.Lo.Lo; v <= iv.Hi.Lo; v++ {
					require.Equal(t, i, c.find(f, rules.U64(v)))
					for _, r := range l.All() {
						for j := range r.Conds {
							if d := &r.Conds[j]; d.Field() == f {
								require.Equal(t, d.Holds(iv.Lo, true), d.Holds(rules.U64(v), true), "inside a cell all values are alike")
							}
						}
					}
				}
			}
			require.Equal(t, uint64(16), next)
		}
	}
}

func TestAllCornersOfACellAreChecked(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 8}, rules.Field{Name: "b", Bits: 8}, rules.Field{Name: "c", Bits: 8})
	l, err := rules.NewList(s, rules.Rule[int]{Conds: s.MustConds("a=3-9 b=7-20 c=5")})
	require.NoError(t, err)
	seen := map[string]bool{}
	c := NewCells(l)
	r, err := c.Check(context.Background(), []string{"looking"}, []*ways.Answerer{{First: func(keys []uint32, out []int) {
		for i := range out {
			k := rules.Key(keys[i*s.KeyLen():][:s.KeyLen()])
			seen[fmt.Sprint(k)] = true
			out[i] = ways.None
			if _, ok := l.First(k); ok {
				out[i] = 0
			}
		}
	}}}, 300, 1)
	require.NoError(t, err)
	require.Greater(t, r.Matched, 100)
	for _, a := range []int{0, 2, 3, 9, 10, 255} {
		for _, b := range []int{0, 6, 7, 20, 21, 255} {
			for _, c := range []int{0, 4, 5, 6, 255} {
				require.True(t, seen[fmt.Sprint(rules.Key{0, uint32(a), uint32(b), uint32(c)})], "%d %d %d", a, b, c)
			}
		}
	}
}

func TestAWrongWayIsFoundOutByCells(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: 500, Seed: 3})
	require.NoError(t, err)
	n, err := ways.Numbered(l)
	require.NoError(t, err)
	for _, wrong := range []ways.Way{
		ways.Forgetful(700)(ways.All()[1]),
		ways.Altered(ways.All()[1], func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond {
			if i%50 == 7 {
				return ways.ShortOfTheEnd(s, i, conds)
			}
			return conds
		}),
	} {
		_, err := CheckCells(context.Background(), n, []ways.Way{wrong}, 2000, 1)
		var d *compare.Difference
		require.ErrorAs(t, err, &d)
		require.Equal(t, wrong.Name, d.Engine)
	}
}
