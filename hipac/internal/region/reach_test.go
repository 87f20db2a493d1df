package region

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// pointOf returns the coordinates of a packet.
func pointOf(x *Space, k rules.Key) Point {
	p := make(Point, len(x.dims))
	for i := range x.dims {
		d := &x.dims[i]
		v, present := x.schema.Get(k, d.field)
		switch {
		case d.kind == bitDim && present && v.Shr(d.bit).And(rules.U64(1)) != (rules.Value{}):
			p[i] = 1
		case d.kind == valueDim && present:
			p[i] = d.at(v)
		}
	}
	return p
}

// gets walks the rules of a sequence up to position to.
func (d *drawn) gets(p Point, to int) bool {
	from := 0
	for i := range to {
		if i < from || !d.q.covers(int32(i), p.Box()) {
			continue
		}
		if from = int(d.q.Items[i].Next); from == 0 || from > to {
			return false
		}
	}
	return true
}

func TestABoxGetsToAPlaceWhenSomePacketOfItDoes(t *testing.T) {
	reached := [2]int{}
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		d := draw(t, rng)
		x, q := d.q.Space, d.q
		for i := range q.Items {
			to := rng.IntN(len(q.Items) + 1)
			boxes, err := (&Piece{Hull: q.Hull(i), Unions: q.Unions(i)}).Boxes(nil)
			require.NoError(t, err)
			for _, b := range boxes {
				got, err := q.Reach(context.Background(), b, q.Meeting(b, 0, to), to, x.Feasible, Limits{})
				require.NoError(t, err)
				some := false
				covering := q.Covering(b, to)
				packets(tiny, func(k rules.Key) {
					p := pointOf(x, k)
					if !holds(x, b, k) {
						return
					}
					gets := d.gets(p, to)
					some = some || gets
					var scratch []int32
					if q.Gets(p, to, &scratch) != gets {
						t.Fatalf("seed %d: %v gets to %d: %v", seed, k, to, gets)
					}
					if covering != None && !q.covers(covering, p.Box()) {
						t.Fatalf("seed %d: item %d does not match %v", seed, covering, k)
					}
				})
				require.Equal(t, some, got.Found != nil, "seed %d, item %d, to %d", seed, i, to)
				if some {
					reached[1]++
					k, ok := x.Witness(got.Found)
					require.True(t, ok)
					require.True(t, holds(x, b, k))
					require.True(t, d.gets(pointOf(x, k), to))
					continue
				}
				reached[0]++
				if x.Feasible(b) {
					require.NotEmpty(t, got.By)
				}
			}
		}
	}
	require.Positive(t, reached[0])
	require.Positive(t, reached[1])
}

func TestWhatDecidesAPacketIsWhatTheRulesSay(t *testing.T) {
	for seed := range uint64(20) {
		d := draw(t, rand.New(rand.NewPCG(seed, 4)))
		for i := range d.rules {
			d.rules[i].side = Both
		}
		packets(tiny, func(k rules.Key) {
			got := d.q.Decides(d.q.At(pointOf(d.q.Space, k), len(d.q.Items), nil), nil, nil)
			if got != None {
				got = d.q.Items[got].Rule
			}
			if want := d.decide(k, OnlyB); int(got) != want {
				t.Fatalf("seed %d: %v: rule %d, not %d", seed, k, got, want)
			}
		})
	}
}
