package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

// Sets that lead the paths of LookupBatch into all their branches. The number of
// words in a key is what decides which path takes it.

// wordsSchema returns a schema whose keys have so many words, the first included,
// of fields of widths drawn from those given.
func wordsSchema(r *rand.Rand, words int, widths ...int) *rules.Schema {
	var fields []rules.Field
	for left := words - 1; left > 0; {
		f := rules.Field{Name: fmt.Sprint("f", len(fields)), Bits: min(widths[r.IntN(len(widths))], 32*left)}
		fields, left = append(fields, f), left-(f.Bits+31)/32
	}
	return rules.MustSchema(fields...)
}

func TestEnginesAgreeForKeysOfEveryLength(t *testing.T) {
	for _, words := range []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 33, 100} {
		t.Run(fmt.Sprint(words), func(t *testing.T) {
			matched := 0
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, uint64(words)))
				widths := [][]int{{16, 32, 8, 16, 70}, {32, 128, 1}, {16, 9}, {32}}[seed%4]
				if words > rules.MaxFields {
					widths = []int{128, 127, 100}
				}
				s := wordsSchema(r, words, widths...)
				require.Equal(t, words, s.KeyLen())
				c := workload.RandomConfig{Rules: 25 << (seed % 5), Seed: seed, Pool: 40, Constrain: min(1, 3/float64(s.Len()))}
				if seed%2 == 1 {
					c = c.Everything()
				}
				l, err := workload.Random(s, c)
				require.NoError(t, err)
				keys, err := workload.Packets(l, workload.PacketConfig{N: 260, Seed: seed, Absent: 0.05 * float64(seed%3)})
				require.NoError(t, err)
				report, err := compare.Lists(l, keys, compare.Options{AllEvery: 3})
				require.NoError(t, err, "seed %d", seed)
				matched += report.Matched
			}
			require.Positive(t, matched)
		})
	}
}

// Columns of leaves that differ from one leaf to the next: rules that ask for
// other fields in every region of the first.
func TestEnginesAgreeWhereRegionsAskForOtherFields(t *testing.T) {
	for words := 3; words <= 12; words++ {
		t.Run(fmt.Sprint(words), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(words), 5))
			s := wordsSchema(r, words, 16, 32, 8)
			b := rules.NewBuilder[int](s)
			for i := range 600 {
				region := uint64(i) % 64
				conds := []rules.Cond{rules.In(0, rules.Point(region))}
				for range 1 + r.IntN(3) {
					f := 1 + (int(region)+r.IntN(3))%(s.Len()-1)
					lo := r.Uint64N(200)
					conds = append(conds, rules.In(f, rules.Span(lo, lo+r.Uint64N(56))))
				}
				if i%50 == 0 {
					conds = conds[1:]
				}
				_, err := b.Add(rules.Rule[int]{Conds: conds, Value: i})
				require.NoError(t, err)
			}
			keys, err := workload.Packets(b.List(), workload.PacketConfig{N: 600, Seed: 2, Absent: 0.01})
			require.NoError(t, err)
			report, err := compare.Lists(b.List(), keys, compare.Options{AllEvery: 10, IndexEvery: 3})
			require.NoError(t, err)
			require.Greater(t, report.Matched, 100)
			require.Less(t, report.Matched, report.Packets)
		})
	}
}

// Packets of one family, of the other, and nearly of one, side by side in a
// batch of keys that hold either.
func TestEnginesAgreeOnPacketsOfBothFamilies(t *testing.T) {
	s := rules.IPTuple
	r := rand.New(rand.NewPCG(1, 6))
	b := rules.NewBuilder[int](s)
	address := func() rules.Value {
		mapped := rules.Value{Lo: 0xffff<<32 | 10<<24 | r.Uint64N(64)<<12}
		switch r.IntN(8) {
		case 0, 1, 2:
			return rules.Value{Hi: 0x20010db8<<32 | r.Uint64N(64), Lo: r.Uint64N(4)}
		case 3: // not quite IPv4
			return mapped.Xor(rules.U64(1).Shl(32 + r.IntN(96)))
		}
		return mapped
	}
	for i := range 800 {
		var conds []rules.Cond
		for f := range 2 {
			if r.IntN(3) > 0 {
				conds = append(conds, rules.In(f, rules.PrefixInterval(address(), []int{0, 32, 64, 96, 104, 116, 120, 128}[r.IntN(8)], 128)))
			}
		}
		if len(conds) == 0 || r.IntN(2) == 0 {
			conds = append(conds, rules.In(3, rules.Point(r.Uint64N(50))))
		}
		if r.IntN(10) == 0 {
			conds = append(conds, rules.In(2, rules.Point(1), rules.Point(3)), rules.Masked(4, rules.U64(2), rules.U64(6)))
		}
		_, err := b.Add(rules.Rule[int]{Conds: conds, Value: i})
		require.NoError(t, err)
	}
	var keys compare.KeyList
	for range 3000 {
		k := s.NewKey()
		s.Set(k, 0, address())
		s.Set(k, 1, address())
		for f := 2; f < 5; f++ {
			s.Set(k, f, rules.U64(r.Uint64N(60)))
		}
		if r.IntN(9) == 0 {
			s.SetAbsent(k, r.IntN(5))
		}
		keys = append(keys, k)
	}
	report, err := compare.Lists(b.List(), keys, compare.Options{AllEvery: 5, IndexEvery: 3})
	require.NoError(t, err)
	require.Greater(t, report.Matched, 500)
}

func TestEnginesAgreeOverWideSets(t *testing.T) {
	for _, family := range []string{"acl1", "acl4", "fw2", "fw5", "ipc2"} {
		t.Run(family, func(t *testing.T) {
			l, err := workload.Generate(workload.Config{Family: family, Rules: 2000, Seed: 8, Smoothness: 10, AddressScope: -0.7, PortScope: -0.5})
			require.NoError(t, err)
			for _, mode := range []workload.Mode{workload.Corners, workload.Misses, workload.Trace} {
				keys, err := workload.Packets(l, workload.PacketConfig{N: 1500, Seed: 4, Mode: mode})
				require.NoError(t, err)
				_, err = compare.Lists(l, keys, compare.Options{AllEvery: 50, IndexEvery: 20})
				require.NoError(t, err)
			}
		})
	}
}

// Sets so small that their tree is a leaf, or nothing.
func TestEnginesAgreeOverTinySets(t *testing.T) {
	matched := 0
	for n := range 40 {
		l, err := workload.Generate(workload.Config{Family: workload.Families()[n%12], Rules: n + 1, Seed: uint64(n)})
		require.NoError(t, err)
		six, err := workload.Generate(workload.Config{Family: "acl3", Rules: n + 1, Seed: uint64(n), IPv6: true})
		require.NoError(t, err)
		any, err := workload.Random(rules.Firewall, workload.RandomConfig{Rules: n, Seed: uint64(n)}.Everything())
		require.NoError(t, err)
		for _, l := range []*rules.List[string]{l, six, any} {
			keys, err := workload.Packets(l, workload.PacketConfig{N: 130, Seed: 2, Absent: 0.02 * float64(n%2)})
			require.NoError(t, err)
			report, err := compare.Lists(l, keys, compare.Options{})
			require.NoError(t, err, "%d rules of %v", n, l.Schema())
			matched += report.Matched
		}
	}
	require.Greater(t, matched, 1000)
}
