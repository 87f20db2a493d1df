package order

// Speed of look-ups, counts and edits.

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchMaps calls f with maps of several lengths: spread, and with a quarter
// inserted at random places.
func benchMaps(b *testing.B, f func(b *testing.B, l *list, labels []uint32)) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		for _, state := range []string{"fresh", "grown"} {
			b.Run(fmt.Sprintf("n=%d/%s", n, state), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				l := newList(n)
				if state == "grown" {
					for range n / 4 {
						l.put(l.at(r.IntN(l.Len())))
					}
				}
				l.Freeze()
				labels := make([]uint32, 1<<16)
				for i := range labels {
					labels[i], _ = l.At(r.IntN(l.Len()))
				}
				b.ReportAllocs()
				b.ResetTimer()
				f(b, l, labels)
			})
		}
	}
}

var sink *rule

// Look-ups of a few labels again and again, as by packets of a few flows.
func BenchmarkGetWarm(b *testing.B) {
	benchMaps(b, func(b *testing.B, l *list, labels []uint32) {
		m := l.Freeze()
		for i := range b.N {
			sink = m.Get(labels[i&1023])
		}
	})
}

// Look-ups of labels at random, each one beginning when the one before ends.
func BenchmarkGetRandomInTurn(b *testing.B) {
	benchMaps(b, func(b *testing.B, l *list, labels []uint32) {
		m := l.Freeze()
		k := uint32(0)
		for i := range b.N {
			e := m.Get(labels[(uint32(i)+k)&(1<<16-1)])
			if e == nil {
				k++
			}
			k += e.label & 1 >> 1
			sink = e
		}
	})
}

func BenchmarkPosition(b *testing.B) {
	benchMaps(b, func(b *testing.B, l *list, labels []uint32) {
		m := l.Freeze()
		for i := range b.N {
			m.Position(labels[i&(1<<16-1)])
		}
	})
}

func BenchmarkAt(b *testing.B) {
	benchMaps(b, func(b *testing.B, l *list, labels []uint32) {
		m := l.Freeze()
		n := m.Len()
		for i := range b.N {
			_, sink = m.At(i * 7919 % n)
		}
	})
}

// One entry out and in again, each frozen: two edits.
func BenchmarkRemoveInsert(b *testing.B) {
	benchMaps(b, func(b *testing.B, l *list, labels []uint32) {
		m := l.Freeze()
		for i := range b.N {
			label := labels[i&(1<<16-1)]
			e := m.Edit()
			x := e.Remove(label)
			m = e.Freeze()
			e = m.Edit()
			e.Insert(label, x)
			m = e.Freeze()
		}
	})
}

func BenchmarkSpread(b *testing.B) {
	entries := make([]*rule, 100_000)
	for i := range entries {
		entries[i] = new(rule)
	}
	for range b.N {
		Spread(entries)
	}
}
