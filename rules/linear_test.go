package rules

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// tinyCond is a condition on a field of three bits, as a set of its values.
type tinyCond struct {
	field  int
	values uint8 // bit v: holds for value v
	absent bool
}

func TestLinearMatcherAgreesWithSetsOfValues(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 1))
	s := MustSchema(Field{Name: "a", Bits: 3}, Field{Name: "b", Bits: 3})
	for range 400 {
		var tiny [][]tinyCond
		var goOn []bool
		b := NewBuilder[int](s)
		for range rnd.IntN(6) {
			var conds []Cond
			var sets []tinyCond
			for range rnd.IntN(4) {
				d := tinyCond{field: rnd.IntN(2), absent: rnd.IntN(3) == 0}
				var c Cond
				if rnd.IntN(3) == 0 {
					want, mask := uint8(rnd.IntN(8)), uint8(rnd.IntN(8))
					c = Masked(d.field, U64(uint64(want)), U64(uint64(mask)))
					for v := range uint8(8) {
						if v&mask == want {
							d.values |= 1 << v
						}
					}
				} else {
					d.values = uint8(rnd.Uint32())
					var ivs []Interval
					for v := range uint64(8) {
						if d.values>>v&1 != 0 {
							ivs = append(ivs, Point(v))
						}
					}
					rnd.Shuffle(len(ivs), func(i, j int) { ivs[i], ivs[j] = ivs[j], ivs[i] })
					c = In(d.field, ivs...)
				}
				if rnd.IntN(3) == 0 {
					c, d.values = c.Negate(), ^d.values
				}
				if d.absent {
					c = c.OrAbsent()
				}
				conds, sets = append(conds, c), append(sets, d)
			}
			r := Rule[int]{Conds: conds, Continue: rnd.IntN(4) == 0}
			_, err := b.Add(r)
			require.NoError(t, err)
			tiny, goOn = append(tiny, sets), append(goOn, r.Continue)
		}
		l := b.List()
		k := s.NewKey()
		for packet := range 81 { // per field: eight values and absent
			values := [2]int{packet % 9, packet / 9}
			for f, v := range values {
				if v == 8 {
					s.SetAbsent(k, f)
				} else {
					s.Set(k, f, U64(uint64(v)))
				}
			}
			var matches, executed []int
			first := -1
			for i, sets := range tiny {
				holds := true
				for _, d := range sets {
					if v := values[d.field]; v == 8 {
						holds = holds && d.absent
					} else {
						holds = holds && d.values>>v&1 != 0
					}
				}
				if !holds {
					continue
				}
				matches = append(matches, i)
				if first < 0 {
					executed = append(executed, i)
					if !goOn[i] {
						first = i
					}
				}
			}
			got, ok := l.First(k)
			require.Equal(t, first >= 0, ok)
			if ok {
				require.Equal(t, first, got)
			}
			require.Equal(t, matches, slices.Collect(l.Matches(k)))
			require.Equal(t, executed, slices.Collect(l.Executed(k)))
		}
	}
}

func TestUnknownRuleMatchesWhereItsConditionsHold(t *testing.T) {
	l, err := NewList(IPv4Tuple, Rule[int]{Conds: []Cond{In(3, Point(80))}, Unknown: "owner"}, Rule[int]{})
	require.NoError(t, err)
	for port, want := range map[uint16]int{80: 0, 81: 1} {
		k := Tuple4{DstPort: port}.Key()
		i, ok := l.First(k[:])
		require.True(t, ok)
		require.Equal(t, want, i)
	}
}
