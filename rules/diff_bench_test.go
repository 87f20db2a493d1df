package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// benchRules returns n different 5-tuple rules.
func benchRules(rnd *rand.Rand, n int) []Rule[string] {
	out := make([]Rule[string], n)
	for i := range out {
		src, dst := U64(uint64(rnd.Uint32())), U64(uint64(rnd.Uint32()))
		out[i] = Rule[string]{Conds: []Cond{In(0, PrefixInterval(src, 24, 32)), In(1, PrefixInterval(dst, 28, 32)),
			In(3, Point(uint64(rnd.IntN(1<<16)))), In(4, Point(6))}, Value: "ACCEPT"}
	}
	return out
}

// BenchmarkDiff compares lists with few edits, shuffled ones, ones that have
// nothing in common, and ones with many equal rules.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		rnd := rand.New(rand.NewPCG(5, 9))
		list := func(rs []Rule[string]) *List[string] {
			l, err := NewList(IPv4Tuple, rs...)
			if err != nil {
				b.Fatal(err)
			}
			return l
		}
		rs := benchRules(rnd, n)
		from := list(rs)
		few := slices.Clone(rs)
		for range 10 {
			few = slices.Delete(few, n/2, n/2+1)
			few = slices.Insert(few, rnd.IntN(len(few)), benchRules(rnd, 1)...)
		}
		shuffled := slices.Clone(rs)
		rnd.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		kinds := func(k int) *List[string] {
			out := make([]Rule[string], n)
			for i := range out {
				out[i] = rs[rnd.IntN(k)]
			}
			return list(out)
		}
		for _, row := range []struct {
			name     string
			from, to *List[string]
		}{
			{"few", from, list(few)}, {"shuffled", from, list(shuffled)}, {"other", from, list(benchRules(rnd, n))},
			{"tenfold", kinds(n / 10), kinds(n / 10)}, {"alike", kinds(3), kinds(3)},
		} {
			b.Run(fmt.Sprintf("edits=%s/n=%dk", row.name, n/1000), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					Diff(row.from, row.to)
				}
			})
		}
	}
}
