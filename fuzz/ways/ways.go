// Package ways holds all ways in which the library answers about a list of rules
// behind one type, so that tests can ask each of them the same questions: the
// linear matcher, the tree with its options and batch paths, the index, classifiers
// that were saved and loaded, and live lists built at once and edit by edit.
//
// Answers are values of rules. A test gives rules the values by which it wants
// to know them again; by default, see Numbered, those are their positions.
package ways

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// None is the answer that no rule matches. Values of rules must not be negative.
const None = -1

// Answerer answers about one list. It is for one goroutine.
type Answerer struct {
	// First stores in out the value of the first rule that matches each of the
	// keys, which follow one another, or None.
	First func(keys []uint32, out []int)
	// All and Executed append the values of all rules that match a key, and of
	// those that are executed for it. Both are nil in ways that cannot say.
	All, Executed func(k rules.Key, dst []int) []int
}

// Way is a way to make an Answerer of a list.
type Way struct {
	Name  string
	Build func(l *rules.List[int]) (*Answerer, error)
}

// Numbered returns the list with positions as values.
func Numbered[T any](l *rules.List[T]) (*rules.List[int], error) {
	b := rules.NewBuilder[int](l.Schema())
	for i, r := range l.All() {
		if _, err := b.Add(rules.Rule[int]{Conds: r.Conds, Value: i, Continue: r.Continue, Unknown: r.Unknown}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// All returns every way that this processor has. The first is the linear matcher.
func All() []Way {
	out := []Way{
		Linear(),
		tree("tree", hipac.Options{AllMatches: true}),
		tree("tree, all matches on demand", hipac.Options{}),
		tree("tree, leaves of one rule", hipac.Options{AllMatches: true, LeafRows: 1}),
		tree("tree, long leaves", hipac.Options{AllMatches: true, LeafRows: 64}),
		tree("tree, no copies", hipac.Options{AllMatches: true, Replication: 0.01}),
		tree("tree, many copies", hipac.Options{AllMatches: true, Replication: 64, LeafRows: 2}),
		tree("tree, first match only", hipac.Options{FirstMatchOnly: true}),
		tree("index", hipac.Options{Engine: hipac.Index}),
		stored("saved", hipac.Options{AllMatches: true}),
	}
	for _, path := range hipac.Batches() {
		out = append(out,
			batch("batch by "+path.String(), hipac.Options{Batch: path, FirstMatchOnly: true}),
			batch("batch by "+path.String()+", short leaves", hipac.Options{Batch: path, FirstMatchOnly: true, LeafRows: 2, Replication: 16}),
			live("live batch by "+path.String(), path, true, false))
	}
	paths := hipac.Batches()
	out = append(out, storedBatch("saved, batch", paths[len(paths)-1]))
	return append(out, live("live", hipac.Batches()[0], false, false), live("live, edit by edit", hipac.Batches()[0], false, true),
		live("live, edit by edit, batch", hipac.Batches()[0], true, true))
}

// Linear returns the linear matcher as a way.
func Linear() Way {
	return Way{"linear", func(l *rules.List[int]) (*Answerer, error) {
		values := func(dst []int, positions func(func(int) bool)) []int {
			for p := range positions {
				dst = append(dst, l.At(p).Value)
			}
			return dst
		}
		return &Answerer{
			First: each(l.Schema(), func(k rules.Key) int {
				if p, ok := l.First(k); ok {
					return l.At(p).Value
				}
				return None
			}),
			All:      func(k rules.Key, dst []int) []int { return values(dst, l.Matches(k)) },
			Executed: func(k rules.Key, dst []int) []int { return values(dst, l.Executed(k)) },
		}, nil
	}}
}

// each looks keys up one by one.
func each(s *rules.Schema, one func(k rules.Key) int) func([]uint32, []int) {
	w := s.KeyLen()
	return func(keys []uint32, out []int) {
		for i := range out {
			out[i] = one(keys[i*w:][:w:w])
		}
	}
}

// asked is what classifiers and versions of live lists have in common.
type asked interface {
	Lookup(k rules.Key) (hipac.Match[int], bool)
	LookupAll(k rules.Key, dst []hipac.Match[int], most int) []hipac.Match[int]
	Executed(k rules.Key, dst []hipac.Match[int]) []hipac.Match[int]
}

// answerer asks one packet at a time.
func answerer(s *rules.Schema, c asked) *Answerer {
	var ms []hipac.Match[int]
	values := func(dst []int) []int {
		for _, m := range ms {
			dst = append(dst, m.Value)
		}
		return dst
	}
	return &Answerer{
		First: each(s, func(k rules.Key) int {
			if m, ok := c.Lookup(k); ok {
				return m.Value
			}
			return None
		}),
		All:      func(k rules.Key, dst []int) []int { ms = c.LookupAll(k, ms[:0], 0); return values(dst) },
		Executed: func(k rules.Key, dst []int) []int { ms = c.Executed(k, ms[:0]); return values(dst) },
	}
}

func tree(name string, o hipac.Options) Way {
	return Way{name, func(l *rules.List[int]) (*Answerer, error) {
		c, err := hipac.Build(context.Background(), l, &o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		a := answerer(l.Schema(), c)
		if o.FirstMatchOnly {
			a.All, a.Executed = nil, nil
		}
		return a, nil
	}}
}

// Tree returns the tree with options of a caller's choice as a way.
func Tree(name string, o hipac.Options) Way { return tree(name, o) }

func batch(name string, o hipac.Options) Way {
	return Way{name, func(l *rules.List[int]) (*Answerer, error) {
		c, err := hipac.Build(context.Background(), l, &o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return batched(l, c), nil
	}}
}

// batched asks many packets at a time.
func batched(l *rules.List[int], c *hipac.Classifier[int]) *Answerer {
	var positions []int32
	return &Answerer{First: func(keys []uint32, out []int) {
		positions = slices.Grow(positions[:0], len(out))[:len(out)]
		done := c.LookupBatch(keys, positions)
		for i := range out {
			switch p := positions[i]; {
			case i >= done:
				out[i] = None - 1
			case p < 0:
				out[i] = None
			default:
				out[i] = l.At(int(p)).Value
			}
		}
	}}
}

// stored makes a classifier, saves it and loads it again.
func stored(name string, o hipac.Options) Way {
	return Way{name, func(l *rules.List[int]) (*Answerer, error) {
		c, err := SaveAndLoad(l, &o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return answerer(l.Schema(), c), nil
	}}
}

func storedBatch(name string, path hipac.Batch) Way {
	return Way{name, func(l *rules.List[int]) (*Answerer, error) {
		c, err := SaveAndLoad(l, &hipac.Options{Batch: path, FirstMatchOnly: true})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return batched(l, c), nil
	}}
}

// Saved returns a classifier that was saved and loaded as a way.
func Saved(name string, o hipac.Options) Way { return stored(name, o) }

// SaveAndLoad returns a classifier of a list that was saved and loaded.
func SaveAndLoad(l *rules.List[int], o *hipac.Options) (*hipac.Classifier[int], error) {
	c, err := hipac.Build(context.Background(), l, o)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	codec := saved.Int[int]{}
	if err := c.Save(&file, codec); err != nil {
		return nil, err
	}
	return hipac.LoadBytes(file.Bytes(), codec, &hipac.LoadOptions{Schema: l.Schema(), Batch: o.Batch})
}

// live makes a live list, of all rules at once or edit by edit: the even ones, a
// rule that goes again, and the odd ones in between.
func live(name string, path hipac.Batch, batched, edits bool) Way {
	return Way{name, func(l *rules.List[int]) (*Answerer, error) {
		ctx := context.Background()
		start := l
		if edits {
			start = rules.NewBuilder[int](l.Schema()).List()
		}
		v, err := hipac.NewLive(ctx, start, &hipac.LiveOptions{Batch: path, NoBackground: true})
		if err == nil && edits {
			err = v.Edit(ctx, func(tx *hipac.Tx[int]) error { return insertAll(l, tx) })
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return Version(v.Snapshot(), batched), nil
	}}
}

func insertAll(l *rules.List[int], tx *hipac.Tx[int]) error {
	insert := func(at, i int) (rules.ID, error) {
		r := *l.At(i)
		r.ID = 0
		return tx.InsertAt(at, r)
	}
	for i := 0; i < l.Len(); i += 2 {
		id, err := insert(tx.Len(), i)
		if err == nil && i%4 == 0 {
			if err = tx.Delete(id); err == nil {
				_, err = insert(tx.Len(), i)
			}
		}
		if err != nil {
			return err
		}
	}
	for i := 1; i < l.Len(); i += 2 {
		if _, err := insert(i, i); err != nil {
			return err
		}
	}
	return nil
}

func firstOfBatch(s *hipac.Snapshot[int]) func([]uint32, []int) {
	values := make(map[rules.ID]int, s.Len())
	for _, r := range s.Rules() {
		values[r.ID] = r.Value
	}
	var ids []rules.ID
	return func(keys []uint32, out []int) {
		ids = slices.Grow(ids[:0], len(out))[:len(out)]
		done := s.LookupBatch(keys, ids)
		for i := range out {
			v, ok := values[ids[i]]
			switch {
			case i >= done || !ok && ids[i] != 0:
				out[i] = None - 1
			case !ok:
				out[i] = None
			default:
				out[i] = v
			}
		}
	}
}

// Version returns a version of a live list as an Answerer, which asks one packet
// at a time or, with batched, many.
func Version(s *hipac.Snapshot[int], batched bool) *Answerer {
	a := answerer(s.Schema(), s)
	if batched {
		a.First = firstOfBatch(s)
	}
	return a
}
