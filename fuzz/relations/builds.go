package relations

// Relations between ways to build and to ask.

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// agree requires that all of some ways answer the same about a list as the first
// of them.
func (t *trial) agree(l *rules.List[int], keys []uint32, all []ways.Way) error {
	first, err := t.answers(all[0], l, keys)
	if err != nil {
		return err
	}
	for _, w := range all[1:] {
		got, err := t.answers(w, l, keys)
		if err != nil {
			return err
		}
		t.count(first)
		n, err := got.Compare(w.Name, l.Schema(), keys, first)
		t.report.Comparisons += n
		if err != nil {
			return err
		}
	}
	return nil
}

// drawn is a list and packets for it.
func (t *trial) drawn() (*rules.List[int], []uint32, error) {
	l, err := t.list(nil)
	if err != nil {
		return nil, nil, err
	}
	keys, err := t.keys(l)
	return l, keys, err
}

// edited is a live list to which edits have been made that leave it as a list is.
func (t *trial) edited(name string, edit func(l *rules.List[int]) (*hipac.Live[int], error)) ways.Way {
	batched := t.r.IntN(2) == 0
	return t.wrap(ways.Way{Name: name, Build: func(l *rules.List[int]) (*ways.Answerer, error) {
		v, err := edit(l)
		if err != nil {
			return nil, err
		}
		return ways.Version(v.Snapshot(), batched), nil
	}})
}

func (t *trial) live(l *rules.List[int]) (*hipac.Live[int], error) {
	paths := hipac.Batches()
	return hipac.NewLive(context.Background(), l, &hipac.LiveOptions{NoBackground: true, Batch: paths[t.r.IntN(len(paths))]})
}

// insertAndDelete inserts rules of another list and deletes them again, in one
// transaction or in several.
func insertAndDelete(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	others, err := t.list(l.Schema())
	if err != nil {
		return err
	}
	return t.agree(l, keys, []ways.Way{t.wrap(ways.All()[1]), t.edited("live, after insertions and deletions", func(l *rules.List[int]) (*hipac.Live[int], error) {
		ctx := context.Background()
		v, err := t.live(l)
		if err != nil {
			return nil, err
		}
		var in []rules.ID
		left := others.Len()
		for left > 0 || len(in) > 0 {
			err := v.Edit(ctx, func(tx *hipac.Tx[int]) error {
				for range 1 + t.r.IntN(8) {
					t.report.Changes++
					switch {
					case left > 0 && (len(in) == 0 || t.r.IntN(5) > 1):
						left--
						r := *others.At(left)
						r.ID, r.Value = 0, r.Value+l.Len()
						id, err := tx.InsertAt(t.r.IntN(tx.Len()+1), r)
						if err != nil {
							return err
						}
						in = append(in, id)
					case len(in) > 0:
						i := t.r.IntN(len(in))
						if err := tx.Delete(in[i]); err != nil {
							return err
						}
						in = slices.Delete(in, i, i+1)
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return v, nil
	})})
}

// insertInAnyOrder makes a list of rules that come in a random order.
func insertInAnyOrder(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	return t.agree(l, keys, []ways.Way{t.wrap(ways.All()[1]), t.edited("live, inserted in a random order", func(l *rules.List[int]) (*hipac.Live[int], error) {
		v, err := t.live(rules.NewBuilder[int](l.Schema()).List())
		if err != nil {
			return nil, err
		}
		var there []int // positions in l, ascending
		for _, i := range t.r.Perm(l.Len()) {
			at, _ := slices.BinarySearch(there, i)
			there = slices.Insert(there, at, i)
			r := *l.At(i)
			r.ID = 0
			t.report.Changes++
			if err := v.Edit(context.Background(), func(tx *hipac.Tx[int]) error { _, err := tx.InsertAt(at, r); return err }); err != nil {
				return nil, err
			}
		}
		return v, nil
	})})
}

// differInOptions asks all ways, and trees with options at random.
func differInOptions(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	all := ways.All()[1:]
	for range 3 {
		paths := hipac.Batches()
		o := hipac.Options{
			LeafRows: t.r.IntN(40), Replication: 8 * t.r.Float64(), Workers: t.r.IntN(5), AllMatches: t.r.IntN(2) == 0,
			Batch: paths[t.r.IntN(len(paths))],
		}
		all = append(all, ways.Tree(fmt.Sprintf("tree with %+v", o), o))
	}
	t.report.Changes += len(all) - 1
	for i := range all {
		all[i] = t.wrap(all[i])
	}
	return t.agree(l, keys, all)
}

// saveAndLoad asks classifiers before and after they are saved, with options at
// random. A list that is loaded is compiled anew.
func saveAndLoad(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	o := hipac.Options{LeafRows: t.r.IntN(20), Replication: 8 * t.r.Float64(), AllMatches: t.r.IntN(2) == 0}
	again := ways.Way{Name: "of a list that was saved", Build: func(l *rules.List[int]) (*ways.Answerer, error) {
		c, err := ways.SaveAndLoad(l, &hipac.Options{})
		if err != nil {
			return nil, err
		}
		list, ok := c.List()
		if !ok {
			return nil, fmt.Errorf("the list is not kept")
		}
		return ways.All()[1].Build(list)
	}}
	t.report.Changes++
	return t.agree(l, keys, []ways.Way{t.wrap(ways.Tree("before", o)), t.wrap(ways.Saved("saved", o)), t.wrap(again)})
}

// differInBatches asks in pieces of random lengths.
func differInBatches(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	w := l.Schema().KeyLen()
	all := []ways.Way{t.wrap(ways.All()[1])}
	for _, way := range ways.All()[1:] {
		way = t.wrap(way)
		pieces := way
		pieces.Name += ", in pieces"
		pieces.Build = func(l *rules.List[int]) (*ways.Answerer, error) {
			a, err := way.Build(l)
			if err != nil {
				return nil, err
			}
			return &ways.Answerer{First: func(keys []uint32, out []int) {
				for len(out) > 0 {
					n := min(len(out), 1+t.r.IntN(1<<t.r.IntN(9)))
					a.First(keys[:n*w:n*w], out[:n:n])
					keys, out = keys[n*w:], out[n:]
					t.report.Changes++
				}
			}}, nil
		}
		all = append(all, pieces)
	}
	return t.agree(l, keys, all)
}

// manyRules is the number from which builds take several goroutines.
const manyRules = 50000

// differInWorkers builds with different numbers of goroutines: for one seed in
// 256 a list that is large enough for that to matter, which takes about two
// seconds.
func differInWorkers(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	if t.seed%256 == 0 {
		big, err := workload.Random(rules.IPv4Tuple, workload.RandomConfig{Rules: manyRules + t.r.IntN(1000), Seed: t.r.Uint64(), Pool: 2000, Constrain: 0.9})
		if err != nil {
			return err
		}
		b := rules.NewBuilder[int](big.Schema())
		for _, r := range big.All() {
			if len(r.Conds) < 4 {
				continue
			}
			if _, err := b.Add(rules.Rule[int]{Conds: r.Conds, Value: b.Len()}); err != nil {
				return err
			}
		}
		l = b.List()
		if keys, err = t.keys(l); err != nil {
			return err
		}
	}
	t.report.Changes++
	many := 2 + t.r.IntN(15)
	return t.agree(l, keys, []ways.Way{
		t.wrap(ways.Tree("tree, one worker", hipac.Options{Workers: 1, AllMatches: true})),
		t.wrap(ways.Tree(fmt.Sprintf("tree, %d workers", many), hipac.Options{Workers: many, AllMatches: true})),
	})
}

// readAgain writes a list in the project's own format, as text or as JSON, and
// reads it.
func readAgain(t *trial) error {
	l, keys, err := t.drawn()
	if err != nil {
		return err
	}
	texts := rules.NewBuilder[string](l.Schema())
	for _, r := range l.All() {
		t.report.Changes++
		if _, err := texts.Add(rules.Rule[string]{Conds: r.Conds, Value: strconv.Itoa(r.Value), Continue: r.Continue, Unknown: r.Unknown}); err != nil {
			return err
		}
	}
	write := native.Write
	read := native.Read
	if t.r.IntN(2) == 0 {
		write, read = native.WriteJSON, native.ReadJSON
	}
	var file bytes.Buffer
	if err := write(&file, texts.List()); err != nil {
		return err
	}
	again, err := read(&file, native.Options{})
	if err != nil {
		return err
	}
	var rs []rules.Rule[int]
	for _, r := range again.All() {
		v, err := strconv.Atoi(r.Value)
		if err != nil {
			return err
		}
		rs = append(rs, rules.Rule[int]{Conds: r.Conds, Value: v, Continue: r.Continue, Unknown: r.Unknown})
	}
	other, err := build(again.Schema(), rs)
	if err != nil {
		return err
	}
	return t.equal(l, other, keys, keys, ways.None)
}
