package baselines

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

func lowered(s *rules.Schema, expand bool, conds ...rules.Cond) string {
	lw := lowering{schema: s, expand: expand}
	sets, ok := lw.rule(conds)
	if !ok {
		return "never"
	}
	out := ""
	for _, set := range sets {
		out += s.Field(set.field).Name + ":"
		for _, p := range set.pieces {
			out += fmt.Sprintf(" %v-%v", p.Lo, p.Hi)
			if p.masks() {
				out += fmt.Sprintf("&%v=%v", p.mask, p.want)
			}
		}
		if set.absent {
			out += " absent"
		}
		if set.loose {
			out += " loose"
		}
		out += ";"
	}
	return out
}

func TestConditionsBecomePieces(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 8}, rules.Field{Name: "b", Bits: 16})
	u := rules.U64
	for _, c := range []struct {
		conds  []rules.Cond
		expand bool
		want   string
	}{
		{nil, false, ""},
		{[]rules.Cond{rules.In(1, rules.Point(22), rules.Span(80, 90))}, false, "b: 22-22 80-90;"},
		{[]rules.Cond{rules.In(0, rules.Point(6)).Negate()}, false, "a: 0-5 7-255;"},
		{[]rules.Cond{rules.In(0)}, false, "never"},
		{[]rules.Cond{rules.In(0).OrAbsent()}, false, "a: absent;"},
		{[]rules.Cond{s.Present(0).Negate()}, false, "never"},
		{[]rules.Cond{rules.Masked(0, u(0x40), u(0xc0))}, false, "a: 64-127;"},
		{[]rules.Cond{rules.Masked(0, u(0x40), u(0xc0)).Negate()}, false, "a: 0-63 128-255;"},
		{[]rules.Cond{rules.Masked(0, u(2), u(0x17))}, false, "a: 0-255&23=2;"},
		{[]rules.Cond{rules.Masked(0, u(2), u(0xf3))}, true, "a: 2-2 6-6 10-10 14-14;"},
		{[]rules.Cond{rules.Masked(0, u(2), u(0xf3)).Negate()}, true, "a: 0-1 3-5 7-9 11-13 15-255;"},
		{[]rules.Cond{rules.Masked(0, u(1), u(3)).Negate()}, false, "a: 0-255&2=2 0-255&3=0;"},
		{[]rules.Cond{rules.In(0, rules.Span(0, 9)).AndMasked(u(1), u(3)).Negate()}, false, "a: 10-255 0-9&2=2 0-9&3=0;"},
		{[]rules.Cond{rules.In(0, rules.Span(0, 9)), rules.In(1, rules.Point(1)), rules.In(0, rules.Span(5, 20), rules.Point(2)).OrAbsent()}, false, "a: 2-2 5-9;b: 1-1;"},
		{[]rules.Cond{rules.Masked(0, u(1), u(1)), rules.Masked(0, u(0), u(5))}, false, "never"},
		{[]rules.Cond{rules.Masked(0, u(1), u(1)), rules.Masked(0, u(4), u(4))}, false, "a: 0-255&5=5;"},
	} {
		require.Equal(t, c.want, lowered(s, c.expand, c.conds...))
	}
}

// Boxes are held to the rules one by one: a packet lies in a box of a rule that
// is asked when it matches the rule, and only then.
func TestBoxesHoldWhereTheirRulesMatch(t *testing.T) {
	for seed := range uint64(20) {
		for _, expand := range []bool{false, true} {
			l, err := workload.Random(odd, workload.RandomConfig{Rules: 20, Seed: seed, Constrain: 0.3}.Everything())
			require.NoError(t, err)
			bx, err := newBoxes(context.Background(), l, expand, &budget{math.MaxInt64, "boxes"})
			require.NoError(t, err)
			words := packets(t, l, 400)
			n := odd.KeyLen()
			for at := 0; at < len(words); at += n {
				k := words[at : at+n]
				for i := range l.Len() {
					want := l.At(i).Matches(odd, rules.Key(k)) && !l.At(i).Continue
					got := false
					for b := bx.of[i]; b < bx.of[i+1]; b++ {
						got = got || bx.holds(b, k)
					}
					require.Equal(t, want, got, "seed %d rule %d key %v", seed, i, k)
				}
			}
		}
	}
}

func TestARuleHasABoundedNumberOfBoxes(t *testing.T) {
	b := rules.NewBuilder[string](rules.IPv4Tuple)
	var ports []rules.Interval
	for i := range uint64(15) {
		ports = append(ports, rules.Point(10*i))
	}
	for _, conds := range [][]rules.Cond{
		{rules.In(2, ports...)},
		{rules.In(2, ports...), rules.In(3, ports...)},
		{rules.In(2, ports[:2]...), rules.In(3, ports[:3]...), rules.In(4, ports[:3]...)},
	} {
		_, err := b.Add(rules.Rule[string]{Conds: conds})
		require.NoError(t, err)
	}
	bx, err := newBoxes(context.Background(), b.List(), false, &budget{math.MaxInt64, "boxes"})
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 15, 30, 36}, bx.of)
	require.False(t, bx.loose[0])
	require.True(t, bx.loose[15])
	require.True(t, bx.loose[30])
}

func TestTheLowestBoxIsFoundWhileBoxesComeAndGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	in := map[uint32]bool{}
	var h lowest
	for range 5000 {
		b := uint32(r.IntN(300))
		if !in[b] {
			in[b] = true
			h.add(b)
			continue
		}
		delete(in, b)
		want := none
		for x := range in {
			want = min(want, x)
		}
		require.Equal(t, want, h.drop(func(b uint32) bool { return in[b] }))
		require.LessOrEqual(t, len(h.heap), 2*len(in)+65)
	}
}
