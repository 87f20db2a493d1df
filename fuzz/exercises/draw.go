package exercises

// Drawing packets, of which about half are hits and half misses, and lists for which
// there are such.

import (
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
)

// keysFor draws up to n packets for a list: at corners, in overlaps, inside, and
// anywhere; as many hits as misses where there are enough of both. Packets that a
// rule without conditions decides, such as the last one of many lists, are misses
// here.
func keysFor[T any](t *drive.Trial, l *rules.List[T], n int) ([]uint32, error) {
	s := l.Schema()
	var hits, misses []rules.Key
	sort := func(k rules.Key) {
		if p, ok := l.First(k); ok && len(l.At(p).Conds) > 0 {
			hits = append(hits, k)
		} else {
			misses = append(misses, k)
		}
	}
	absent := []float64{0, 0, 0, 0.05, 0.3}[t.Rand.IntN(5)]
	for _, mode := range []workload.Mode{workload.Mixed, workload.Corners, workload.Misses} {
		ks, err := workload.Packets(l, workload.PacketConfig{N: n, Seed: t.Rand.Uint64(), Mode: mode, Absent: absent})
		if err != nil {
			return nil, err
		}
		for i := range ks.Len() {
			if k := ks.At(i); mode == workload.Mixed || len(misses) < n/2 || len(hits) < n/2 {
				sort(k)
			}
		}
	}
	for _, list := range [][]rules.Key{hits, misses} {
		t.Rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	// Of a list for which there are hardly any misses, or hits, a few more of the
	// others.
	few := min(len(hits), len(misses), (n+1)/2)
	a, b := min(len(hits), max(3*few, 4, n/8)), min(len(misses), max(3*few, 4, n/8))
	if a+b > n {
		a, b = min(a, max(n/2, n-b)), min(b, max(n/2, n-a))
	}
	out := make([]uint32, 0, n*s.KeyLen())
	for i := range max(a, b) {
		if i < a {
			out = append(out, hits[i]...)
		}
		if i < b {
			out = append(out, misses[i]...)
		}
	}
	return out, nil
}

// thinned returns a list without the terminal rules that take most of random packets:
// no more than some two thirds of them are hits.
func thinned[T any](t *drive.Trial, l *rules.List[T]) (*rules.List[T], error) {
	ks, err := workload.Packets(l, workload.PacketConfig{N: 100, Seed: t.Rand.Uint64()})
	if err != nil {
		return nil, err
	}
	gone := make([]bool, l.Len())
	s := l.Schema()
	for range 12 {
		taken := map[int]int{}
		hits, most := 0, 0
		for i := range ks.Len() {
			for p, r := range l.All() {
				if !gone[p] && !r.Continue && r.Matches(s, ks.At(i)) {
					hits++
					if taken[p]++; taken[p] > taken[most] {
						most = p
					}
					break
				}
			}
		}
		if hits <= ks.Len()*2/3 {
			break
		}
		gone[most] = true
	}
	b := rules.NewBuilder[T](s)
	for i, r := range l.All() {
		if gone[i] {
			continue
		}
		if _, err := b.Add(*r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// numbered returns the list with positions as values, with the identities that it
// has.
func numbered[T any](l *rules.List[T]) (*rules.List[int], error) {
	return valued(l, func(i int) int { return i })
}

// valued returns a list with other values, by position.
func valued[T, V any](l *rules.List[T], value func(i int) V) (*rules.List[V], error) {
	b := rules.NewBuilder[V](l.Schema())
	for i, r := range l.All() {
		if _, err := b.Add(rules.Rule[V]{ID: r.ID, Conds: r.Conds, Value: value(i), Continue: r.Continue, Unknown: r.Unknown}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// withoutWild returns a list without the rules of fewer than n conditions, which hold
// for most packets.
func withoutWild[T any](l *rules.List[T], n int) (*rules.List[T], error) {
	b := rules.NewBuilder[T](l.Schema())
	for _, r := range l.All() {
		if len(r.Conds) < n {
			continue
		}
		if _, err := b.Add(*r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}
