package exercises

// A user's own rules: packets aimed at them in every way, cells, mutations, relations
// between parts of them, edits, and their text.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/fuzz/smallworld"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
)

// ownShare is the part of the time that a user's own rules have, of what all others
// have together.
const ownShare = 1.5

// Own returns the exercises about a user's own rules: a list, or tables of chains.
func Own(set *files.Rules) ([]*drive.Exercise, error) {
	var all []*drive.Exercise
	var list *rules.List[int]
	var err error
	var text func(w *bytes.Buffer) error
	format := "native"
	switch {
	case set.Native != nil:
		list, err = numbered(set.Native)
		text = func(w *bytes.Buffer) error { return native.Write(w, set.Native) }
	case set.ClassBench != nil:
		list, err = numbered(set.ClassBench)
		text = func(w *bytes.Buffer) error { return writeNumbered(w, list) }
	default:
		for _, t := range set.Tables.Tables {
			for _, root := range t.Roots() {
				all = append(all, ownTable(t, root))
			}
		}
		list, err = longestChain(set.Tables.Tables)
		if set.Tables.Iptables != nil {
			text = func(w *bytes.Buffer) error { return iptables.Write(w, set.Tables.Iptables, true) }
		}
		format = "iptables"
	}
	if err != nil {
		return nil, err
	}
	if (list == nil || list.Len() == 0) && all == nil {
		return nil, errors.New("there are no rules to check")
	}
	if list != nil && list.Len() > 0 {
		all = append(all, ownList(list)...)
	}
	if text != nil {
		all = append(all, ownText(format, text))
	}
	var weight, others float64
	for _, e := range all {
		e.Group = "your rules"
		e.Weight = max(e.Weight, 1)
		weight += e.Weight
	}
	for _, e := range All() {
		others += max(e.Weight, 1)
	}
	for _, e := range all {
		e.Weight *= ownShare * others / weight
	}
	return all, nil
}

func writeNumbered(w *bytes.Buffer, l *rules.List[int]) error {
	b := rules.NewBuilder[string](l.Schema())
	for i, r := range l.All() {
		if _, err := b.Add(rules.Rule[string]{Conds: r.Conds, Value: strconv.Itoa(i)}); err != nil {
			return err
		}
	}
	return native.Write(w, b.List())
}

// longestChain returns the conditions of the chain with the most rules as a list; nil
// when there is none.
func longestChain(tables []*rules.Table) (*rules.List[int], error) {
	var longest *rules.List[rules.Action]
	for _, t := range tables {
		for i := range t.Chains {
			if l := t.Chains[i].Rules; longest == nil || l.Len() > longest.Len() {
				longest = l
			}
		}
	}
	if longest == nil {
		return nil, nil
	}
	b := rules.NewBuilder[int](longest.Schema())
	for i, r := range longest.All() {
		if _, err := b.Add(rules.Rule[int]{Conds: r.Conds, Value: i, Unknown: r.Unknown, Continue: r.Value.Kind == rules.Pass}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

func ownTable(table *rules.Table, root int) *drive.Exercise {
	return &drive.Exercise{Name: fmt.Sprintf("your rules: table %s, chain %s", table.Name, table.Chains[root].Name), Weight: 4,
		Run: func(ctx context.Context, t *drive.Trial) error {
			keys, err := tableKeys(t, table, root, 60)
			if err != nil {
				return err
			}
			return checkTable(ctx, t, table, root, keys, 3)
		}}
}

// builtWay is a way of which the answers about a list are asked again and again.
type builtWay struct {
	mu sync.Mutex
	a  *ways.Answerer
}

// built returns ways whose builds of one list are kept.
func built(l *rules.List[int]) func(t *drive.Trial, most int) []ways.Way {
	var mu sync.Mutex
	all := map[string]*builtWay{}
	return func(t *drive.Trial, most int) []ways.Way {
		some := someWays(t, most)
		for i, plain := range some {
			w := t.Wrong(plain)
			mu.Lock()
			b := all[w.Name]
			if b == nil {
				b = &builtWay{}
				all[w.Name] = b
			}
			mu.Unlock()
			some[i] = ways.Way{Name: w.Name, Build: func(other *rules.List[int]) (*ways.Answerer, error) {
				if other != l { // a smaller one
					return w.Build(other)
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.a == nil {
					a, err := w.Build(l)
					if err != nil {
						return nil, err
					}
					b.a = a
				}
				return t.Asked(plain.Name, b.locked()), nil
			}}
		}
		return some
	}
}

// locked returns the Answerer for many goroutines.
func (b *builtWay) locked() *ways.Answerer {
	out := &ways.Answerer{First: func(keys []uint32, out []int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.a.First(keys, out)
	}}
	if b.a.All != nil {
		out.All = func(k rules.Key, dst []int) []int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.a.All(k, dst)
		}
		out.Executed = func(k rules.Key, dst []int) []int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.a.Executed(k, dst)
		}
	}
	return out
}

func ownList(l *rules.List[int]) []*drive.Exercise {
	kept := built(l)
	var once sync.Once
	var cells *smallworld.Cells
	all := []*drive.Exercise{
		{Name: "your rules: packets", Weight: 8, Run: func(ctx context.Context, t *drive.Trial) error {
			n := max(24, min(600, mostLinear/(4*(l.Len()+1))))
			keys, err := keysFor(t, l, n)
			if err != nil {
				return err
			}
			return askAll(ctx, t, l, keys, kept(t, 4), true)
		}},
		{Name: "your rules: cells", Weight: 6, Run: func(ctx context.Context, t *drive.Trial) error {
			once.Do(func() { cells = smallworld.NewCells(l) })
			some := kept(t, 4)
			var names []string
			var as []*ways.Answerer
			for _, w := range some {
				if err := ctx.Err(); err != nil {
					return err
				}
				a, err := w.Build(l)
				if err != nil {
					return listFailure(err, l, nil, []ways.Way{w})
				}
				names, as = append(names, w.Name), append(as, a)
			}
			return cellsOf(ctx, t, cells, l, names, as, some)
		}},
		{Name: "your rules: mutated parts", Weight: 4, Run: func(ctx context.Context, t *drive.Trial) error {
			part, err := part(t, l, 400)
			if err != nil {
				return err
			}
			texts := rules.NewBuilder[string](l.Schema())
			for _, r := range part {
				if _, err := texts.Add(rules.Rule[string]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown}); err != nil {
					return err
				}
			}
			m, err := mutated(t.Rand, texts.List())
			if err != nil {
				return err
			}
			return checkList(ctx, t, m, 150, 6)
		}},
		{Name: "your rules: edits", Weight: 4, Run: func(_ context.Context, t *drive.Trial) error {
			pool, err := part(t, l, 300)
			if err != nil {
				return err
			}
			h, err := histories.GenerateOf(histories.Config{Seed: t.Seed, Rules: len(pool) * 2 / 3, Steps: 20 + t.Rand.IntN(80)}, l.Schema(), pool)
			if err != nil {
				return err
			}
			return checkHistory(t, h.Part())
		}},
	}
	for _, r := range relations.All() {
		all = append(all, relation("your rules: "+r.Name, r, l))
	}
	return all
}

// part draws rules of a list, in its order: at least one.
func part(t *drive.Trial, l *rules.List[int], most int) ([]rules.Rule[int], error) {
	n := min(1+size(t, most), l.Len())
	var out []rules.Rule[int]
	at := t.Rand.IntN(l.Len() - n + 1)
	for i := range n {
		r := *l.At(at + i)
		if t.Rand.IntN(8) == 0 {
			r = *l.At(t.Rand.IntN(l.Len()))
		}
		r.ID = 0
		out = append(out, r)
	}
	return out, nil
}

// mostDamaged is the number of bytes up to which a text is damaged.
const mostDamaged = 1 << 18

func ownText(format string, write func(*bytes.Buffer) error) *drive.Exercise {
	var once sync.Once
	var text string
	var failed error
	return &drive.Exercise{Name: "your rules: text", Weight: 1, Run: func(ctx context.Context, t *drive.Trial) error {
		once.Do(func() {
			var b bytes.Buffer
			failed = write(&b)
			text = b.String()
		})
		if failed != nil {
			return failed
		}
		if t.Number == 0 || len(text) > mostDamaged {
			return checkText(t, format, text, false)
		}
		for range 4 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := checkText(t, format, damaged(t.Rand, text), true); err != nil {
				return err
			}
		}
		return nil
	}}
}
