// Package compare asks every engine the same questions as the linear matcher
// and reports where the answers differ. It is what all differential tests
// share: the regression tests over generated sets, the fuzz targets and the
// metamorphic tests.
package compare

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Keys are packets: At(i) for 0 <= i < Len(), which must not change.
type Keys interface {
	Len() int
	At(i int) rules.Key
}

// KeyList is Keys from a slice.
type KeyList []rules.Key

// Len returns the number of keys.
func (k KeyList) Len() int { return len(k) }

// At returns key i.
func (k KeyList) At(i int) rules.Key { return k[i] }

// Difference is a packet that an engine answers otherwise than the linear
// matcher.
type Difference struct {
	Engine   string
	Question string // "first match", "all matches", "executed", "batch of 64", "rule"
	Key      rules.Key
	Got      string
	Want     string
}

// Error says the difference in a line.
func (d *Difference) Error() string {
	return fmt.Sprintf("%s: %s of packet %v: got %s, want %s", d.Engine, d.Question, []uint32(d.Key), d.Got, d.Want)
}

// Options say what to compare.
type Options struct {
	// AllEvery asks for all matches and the rules executed on every n-th
	// packet: the linear matcher needs the whole list for that. 0 means 1.
	AllEvery int
	// IndexEvery asks the index engine about every n-th packet. 0 means 1.
	IndexEvery int
}

// Report says what was compared.
type Report struct {
	Packets, Matched int
	AllAsked         int
}

// Lists compiles the list for every engine and every batch path, and compares
// their answers to the linear matcher's, using all cores. It returns the first difference it meets
// as the error, or the error of a build.
func Lists[T comparable](l *rules.List[T], keys Keys, o Options) (Report, error) {
	o.AllEvery, o.IndexEvery = max(o.AllEvery, 1), max(o.IndexEvery, 1)
	ctx := context.Background()
	paths := hipac.Batches()
	tree, err := hipac.Build(ctx, l, &hipac.Options{AllMatches: true, Batch: paths[0]})
	if err != nil {
		return Report{}, err
	}
	index, err := hipac.Build(ctx, l, &hipac.Options{Engine: hipac.Index})
	if err != nil {
		return Report{}, err
	}
	w := l.Schema().KeyLen()
	words := make([]uint32, 0, w*keys.Len())
	for i := range keys.Len() {
		words = append(words, keys.At(i)...)
	}
	batches := answers(nil, "tree "+paths[0].String(), tree, words)
	for _, path := range paths[1:] {
		c, err := hipac.Build(ctx, l, &hipac.Options{FirstMatchOnly: true, Batch: path})
		if err != nil {
			return Report{}, err
		}
		batches = answers(batches, "tree "+path.String(), c, words)
	}
	few := min(keys.Len(), 70/o.IndexEvery+1) // they take microseconds each
	batches = answers(batches, "index", index, words[:few*w])

	var (
		mu     sync.Mutex
		report = Report{Packets: keys.Len()}
		first  error
		wg     sync.WaitGroup
	)
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		wg.Go(func() {
			matched, asked := 0, 0
			for i := worker; i < keys.Len(); i += workers {
				k := keys.At(i)
				want := -1
				if p, ok := l.First(k); ok {
					want = p
					matched++
				}
				err := one("tree", l, tree, k, want)
				for b := range batches {
					if err == nil {
						err = batches[b].check(i, k, want)
					}
				}
				if err == nil && i%o.IndexEvery == 0 {
					err = one("index", l, index, k, want)
				}
				if err == nil && i%o.AllEvery == 0 {
					asked++
					if err = all("tree", l, tree, k); err == nil {
						err = all("index", l, index, k)
					}
				}
				if err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			report.Matched += matched
			report.AllAsked += asked
			mu.Unlock()
		})
	}
	wg.Wait()
	return report, first
}

// one compares the first match, and what comes with it.
func one[T comparable](engine string, l *rules.List[T], c *hipac.Classifier[T], k rules.Key, want int) error {
	m, ok := c.Lookup(k)
	if !ok {
		m.Position = -1
	}
	if m.Position != want {
		return &Difference{engine, "first match", k, fmt.Sprint(m.Position), fmt.Sprint(want)}
	}
	if !ok {
		return nil
	}
	if r := l.At(want); m.ID != r.ID || m.Value != r.Value || m.Unknown != (r.Unknown != "") {
		return &Difference{engine, "rule", k, fmt.Sprint(m), fmt.Sprint(*r)}
	}
	return nil
}

// all compares all matches and the rules executed.
func all[T comparable](engine string, l *rules.List[T], c *hipac.Classifier[T], k rules.Key) error {
	positions := func(ms []hipac.Match[T]) (out []int) {
		for _, m := range ms {
			out = append(out, m.Position)
		}
		return out
	}
	want := slices.Collect(l.Matches(k))
	if got := positions(c.LookupAll(k, nil, 0)); !slices.Equal(got, want) {
		return &Difference{engine, "all matches", k, fmt.Sprint(got), fmt.Sprint(want)}
	}
	if len(want) > 2 {
		if got := positions(c.LookupAll(k, nil, 2)); !slices.Equal(got, want[:2]) {
			return &Difference{engine, "first two matches", k, fmt.Sprint(got), fmt.Sprint(want[:2])}
		}
	}
	want = slices.Collect(l.Executed(k))
	if got := positions(c.Executed(k, nil)); !slices.Equal(got, want) {
		return &Difference{engine, "executed", k, fmt.Sprint(got), fmt.Sprint(want)}
	}
	return nil
}

// Tables is Lists for a table of chains, entered at a chain.
func Tables(t *rules.Table, entry int, keys Keys) (Report, error) {
	report := Report{Packets: keys.Len()}
	for _, e := range []hipac.Engine{hipac.Tree, hipac.Index} {
		c, err := hipac.BuildTable(context.Background(), t, &hipac.Options{Engine: e})
		if err != nil {
			return report, err
		}
		for i := range keys.Len() {
			k := keys.At(i)
			var want, got []rules.Place
			w := t.Evaluate(k, entry, func(p rules.Place) { want = append(want, p) })
			g := c.Trace(k, entry, func(p rules.Place) { got = append(got, p) })
			switch {
			case w != g || w != c.Evaluate(k, entry):
				return report, &Difference{e.String(), "verdict", k, fmt.Sprint(g), fmt.Sprint(w)}
			case !slices.Equal(want, got):
				return report, &Difference{e.String(), "executed", k, fmt.Sprint(got), fmt.Sprint(want)}
			}
			if w.By.Rule >= 0 {
				report.Matched++
			}
		}
	}
	return report, nil
}
