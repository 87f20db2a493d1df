package region

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// tiny has 5 * 5 * 513 packets: two small fields, and one whose masks are bits.
var tiny = rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 2}, rules.Field{Name: "m", Bits: 9})

// packets calls visit with every packet of the schema.
func packets(s *rules.Schema, visit func(rules.Key)) {
	k := s.NewKey()
	var field func(f int)
	field = func(f int) {
		if f == s.Len() {
			visit(k)
			return
		}
		for v := range uint64(1) << s.Field(f).Bits {
			s.Set(k, f, rules.U64(v))
			field(f + 1)
		}
		s.SetAbsent(k, f)
		field(f + 1)
	}
	field(0)
}

// drawConds draws conditions of every kind.
func drawConds(rng *rand.Rand, s *rules.Schema) (out []rules.Cond) {
	for f := range s.Len() {
		top := s.Field(f).Max().Lo
		var c rules.Cond
		interval := func() rules.Interval {
			a, b := rng.Uint64N(top+1), rng.Uint64N(top+1)
			return rules.Span(min(a, b), max(a, b))
		}
		switch rng.IntN(8) {
		case 0, 1:
			c = rules.In(f, interval())
		case 2:
			c = rules.In(f, interval(), interval(), rules.Point(rng.Uint64N(top+1)))
		case 3:
			mask := rng.Uint64N(top + 1)
			if s.Field(f).Bits > enumerated { // few bits
				mask &= 1<<rng.IntN(9) | 1<<rng.IntN(8)
			}
			c = rules.Masked(f, rules.U64(rng.Uint64()&mask), rules.U64(mask))
			if rng.IntN(2) == 0 {
				c = rules.In(f, interval()).AndMasked(rules.U64(rng.Uint64()&mask), rules.U64(mask))
			}
		case 4:
			c = s.Present(f)
		default:
			continue
		}
		if rng.IntN(4) == 0 {
			c = c.Negate()
		}
		if rng.IntN(6) == 0 {
			c = c.OrAbsent()
		}
		out = append(out, c)
	}
	return out
}

// drawn is a merged sequence and the rules of its items.
type drawn struct {
	q     *Sequence
	rules []drawnRule
}

type drawnRule struct {
	conds []rules.Cond
	value int32
	next  int // of a rule that skips: the rule to go on at, or 0
	side  Side
}

func draw(t *testing.T, rng *rand.Rand) *drawn {
	d := &drawn{}
	x := NewSpace(tiny, nil)
	n := 1 + rng.IntN(7)
	for i := range n {
		r := drawnRule{conds: drawConds(rng, tiny), value: int32(rng.IntN(3)), side: []Side{Both, Both, Both, OnlyA, OnlyB}[rng.IntN(5)]}
		if rng.IntN(6) == 0 {
			r.next = i + 1 + rng.IntN(n-i)
		}
		x.Note(r.conds)
		d.rules = append(d.rules, r)
	}
	x.Freeze()
	d.q = NewSequence(x)
	var pieces [][]Piece
	starts := make([]int32, n+1)
	for i, r := range d.rules {
		p, err := x.Pieces(r.conds)
		require.NoError(t, err)
		pieces = append(pieces, p)
		starts[i+1] = starts[i] + int32(len(p))
	}
	for i, r := range d.rules {
		it := Item{Rule: int32(i), Value: r.value, Side: r.side}
		if r.next != 0 {
			it.Next = starts[r.next]
			if it.Next == 0 {
				it.Next = 1
			}
		}
		for _, p := range pieces[i] {
			d.q.Add(it, p)
		}
	}
	d.q.EndA, d.q.EndB = int32(rng.IntN(2)), int32(rng.IntN(2))
	d.q.Finish()
	return d
}

// decide walks the rules of one side.
func (d *drawn) decide(k rules.Key, not Side) int {
	from := 0
	for i, r := range d.rules {
		if i < from || r.side == not {
			continue
		}
		holds := true
		for j := range r.conds {
			c := &r.conds[j]
			v, present := tiny.Get(k, c.Field())
			holds = holds && c.Holds(v, present)
		}
		switch {
		case !holds:
		case r.next != 0:
			from = r.next
		default:
			return i
		}
	}
	return None
}

func TestAWalkFindsThePacketsThatEveryPacketFinds(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := draw(t, rng)
		x := d.q.Space
		var found []struct {
			box  Box
			a, b int32
		}
		all := x.All()
		_, err := d.q.Walk(context.Background(), all, d.q.Meeting(all, 0, len(d.q.Items)), Question{}, func(b Box, a, b2 int32) bool {
			if x.Feasible(b) {
				found = append(found, struct {
					box  Box
					a, b int32
				}{append(Box(nil), b...), a, b2})
			}
			return true
		})
		require.NoError(t, err)
		rule := func(i int32) int {
			if i < 0 {
				return None
			}
			return int(d.q.Items[i].Rule)
		}
		value := func(i int, end int32) int32 {
			if i < 0 {
				return end
			}
			return d.rules[i].value
		}
		count, differ := new(big.Int), int64(0)
		for _, f := range found {
			count.Add(count, x.Count(f.box))
			k, ok := x.Witness(f.box)
			require.True(t, ok)
			require.Equal(t, d.decide(k, OnlyB), rule(f.a), "seed %d", seed)
			require.Equal(t, d.decide(k, OnlyA), rule(f.b), "seed %d", seed)
		}
		packets(tiny, func(k rules.Key) {
			a, b := d.decide(k, OnlyB), d.decide(k, OnlyA)
			in := 0
			for _, f := range found {
				if holds(x, f.box, k) {
					in++
					if rule(f.a) != a || rule(f.b) != b {
						t.Fatalf("seed %d: %v: rules %d and %d, not %d and %d", seed, k, rule(f.a), rule(f.b), a, b)
					}
				}
			}
			if value(a, d.q.EndA) != value(b, d.q.EndB) {
				differ++
				if in != 1 {
					t.Fatalf("seed %d: %v is in %d boxes, not 1", seed, k, in)
				}
			} else if in != 0 {
				t.Fatalf("seed %d: %v is in %d boxes, not 0", seed, k, in)
			}
		})
		require.Equal(t, fmt.Sprint(differ), scaled(x, count), "seed %d", seed)
	}
}

// holds reports whether k is in the box, by the conditions of it.
func holds(x *Space, b Box, k rules.Key) bool {
	for _, c := range x.Conds(b) {
		v, present := x.schema.Get(k, c.Field())
		if !c.Holds(v, present) {
			return false
		}
	}
	return true
}

// scaled counts the fields that nobody asks for too.
func scaled(x *Space, n *big.Int) string {
	n = new(big.Int).Set(n)
	for f, d := range x.values {
		if d < 0 {
			n.Mul(n, new(big.Int).Add(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), uint(x.schema.Field(f).Bits))))
		}
	}
	return n.String()
}

func TestARuleDecidesSomethingOrNot(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		d := draw(t, rng)
		reached := map[int]bool{}
		packets(tiny, func(k rules.Key) { reached[d.decide(k, OnlyB)] = true })
		for i, r := range d.rules {
			if r.side == OnlyB || r.next != 0 {
				continue
			}
			from := int32(0)
			for int(from) < len(d.q.Items) && int(d.q.Items[from].Rule) < i {
				from++
			}
			to := from
			found := false
			for int(to) < len(d.q.Items) && int(d.q.Items[to].Rule) == i {
				to++
			}
			for p := from; p < to && !found; p++ {
				hull := append(Box(nil), d.q.Hull(int(p))...)
				_, err := d.q.Walk(context.Background(), hull, d.q.Meeting(hull, 0, int(to)),
					Question{Without: [2]int32{from, to}, Alone: true, Const: true, ConstValue: 99}, func(b Box, a, _ int32) bool {
						if a >= from && a < to && d.q.Space.Feasible(b) {
							found = true
						}
						return !found
					})
				require.NoError(t, err)
			}
			require.Equal(t, reached[i], found, "seed %d, rule %d", seed, i)
		}
	}
}

func TestWalksEndAtTheirLimits(t *testing.T) {
	d := draw(t, rand.New(rand.NewPCG(3, 1)))
	all := d.q.Space.All()
	_, err := d.q.Walk(context.Background(), all, d.q.Meeting(all, 0, len(d.q.Items)), Question{Limits: Limits{Steps: 1}}, func(Box, int32, int32) bool { return true })
	require.ErrorIs(t, err, ErrLimit)
}
