package bitvec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkFirst measures the first match of random keys, by kind of set.
func BenchmarkFirst(b *testing.B) {
	for _, name := range []string{"nested", "sliding", "crossing", "gaps", "wide", "tenths", "failing", "firewall"} {
		for _, n := range []int{1000, 4000, 100000} {
			r := rand.New(rand.NewPCG(1, 2))
			var s *set
			switch name {
			case "failing":
				s = failing(n)
			case "firewall":
				s = firewall(n)
			case "gaps":
				s = newSet(n, wideWords, hostile[name](r, n))
			default:
				s = newSet(n, tuple, hostile[name](r, n))
			}
			arena := s.build(b, math.MaxInt64)
			keys := make([][]uint32, 4096)
			for i := range keys {
				keys[i] = randomKey(r, s)
				if name == "failing" {
					keys[i] = []uint32{1, 1, 1, 1, 1}
				}
			}
			b.Run(fmt.Sprintf("set=%s/n=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				var w Work
				hits := 0
				for i := 0; b.Loop(); i++ {
					var c Cursor
					c.Open(arena, 0, keys[i%len(keys)], 0)
					if _, _, ok := c.Next(NoTag); ok {
						hits++
					}
					w.Words += c.Work.Words
					w.Failed += c.Work.Failed
				}
				b.ReportMetric(float64(w.Words)/float64(b.N), "words/op")
				b.ReportMetric(float64(w.Failed)/float64(b.N), "failed/op")
				b.ReportMetric(float64(hits)/float64(b.N), "hits/op")
			})
		}
	}
}

// BenchmarkBuild measures planning and writing a bucket.
func BenchmarkBuild(b *testing.B) {
	for _, name := range []string{"nested", "crossing", "wide"} {
		n := 100000
		s := newSet(n, tuple, hostile[name](rand.New(rand.NewPCG(1, 2)), n))
		b.Run(fmt.Sprintf("set=%s/n=%d", name, n), func(b *testing.B) {
			for b.Loop() {
				p, _ := New(s.dims, nil, s.entries, nil, math.MaxInt64)
				arena := p.Append(nil, tagOf)
				b.ReportMetric(float64(8*len(arena))/float64(n), "B/entry")
			}
		})
	}
}
