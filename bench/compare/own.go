package compare

// Our own engines, and the linear walk that all are held against.

import (
	"context"
	"errors"
	"fmt"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// BatchKeys is the number of keys in a call of our batched lookup.
const BatchKeys = 64

// Own returns the makers of our own engines: "hipac" looks up one key at a time,
// "hipac-batch" BatchKeys at a time, "hipac-live" one key at a time in a list
// that can be edited, "hipac-index" one key at a time in the index engine.
// "reference" is the walk along the list that defines the right answer; "linear" is
// the name of a baseline, the same walk over rules packed for it.
func Own() []*Maker {
	const source = "this project"
	return []*Maker{
		{Name: "hipac", Title: "hipac", Source: source,
			Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
				return BuildOwn(ctx, l, &hipac.Options{FirstMatchOnly: true, MemoryLimit: bytes})
			}},
		{Name: "hipac-batch", Title: "hipac, 64 at a time", Source: source,
			Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
				c, err := build(ctx, l, &hipac.Options{FirstMatchOnly: true, MemoryLimit: bytes})
				return &batched{c, l.Schema().KeyLen()}, err
			}},
		{Name: "hipac-live", Title: "hipac, a list that is edited", Source: source,
			Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
				live, err := hipac.NewLive(ctx, l, &hipac.LiveOptions{MemoryLimit: bytes})
				if err != nil {
					return nil, ownError(err)
				}
				return newEdited(live, l), nil
			}},
		{Name: "hipac-index", Title: "hipac's field index", Source: source,
			Note: "It is there to check the tree, and to explain answers.",
			Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
				c, err := build(ctx, l, &hipac.Options{Engine: hipac.Index, MemoryLimit: bytes})
				return &single{c, l.Schema().KeyLen(), true}, err
			}},
		{Name: "reference", Title: "walk along the list", Source: source,
			Note: "It defines the right answer. Its memory is the list of rules, and counted as nothing here.",
			Make: func(_ context.Context, l *rules.List[string], _ int64) (Engine, error) {
				return &walk{l}, nil
			}},
	}
}

// BuildOwn returns the engine of "hipac" with other options. FirstMatchOnly must
// be set, which leaves the list of rules out of its memory.
func BuildOwn(ctx context.Context, l *rules.List[string], o *hipac.Options) (Engine, error) {
	c, err := build(ctx, l, o)
	return &single{c, l.Schema().KeyLen(), false}, err
}

func build(ctx context.Context, l *rules.List[string], o *hipac.Options) (*hipac.Classifier[string], error) {
	c, err := hipac.Build(ctx, l, o)
	return c, ownError(err)
}

// ownError says of an error what the caller asks of it.
func ownError(err error) error {
	if errors.Is(err, hipac.ErrMemoryLimit) {
		return fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return err
}

type single struct {
	*hipac.Classifier[string]
	words   int
	unknown bool // Stats does not count all
}

func (e *single) First(keys []uint32, out []int32) {
	for i := range out {
		at := i * e.words
		if m, ok := e.Lookup(keys[at : at+e.words : at+e.words]); ok {
			out[i] = int32(m.Position)
		} else {
			out[i] = -1
		}
	}
}

func (e *single) Bytes() int64 {
	if e.unknown {
		return 0
	}
	return int64(e.Stats().Bytes())
}

func (*single) Close() {}

type batched struct {
	*hipac.Classifier[string]
	words int
}

func (e *batched) First(keys []uint32, out []int32) {
	for len(out) > 0 {
		n := min(len(out), BatchKeys)
		e.LookupBatch(keys[:n*e.words], out[:n])
		keys, out = keys[n*e.words:], out[n:]
	}
}

func (e *batched) Bytes() int64 { return int64(e.Stats().Bytes()) }

func (*batched) Close() {}

// edited is a live list, and knows rules by their position in the first one.
type edited struct {
	live  *hipac.Live[string]
	list  *rules.List[string]
	words int
	out   []bool  // by position: the rule is out of the list
	count []int32 // of rules that are out, as a binary indexed tree
}

func newEdited(live *hipac.Live[string], l *rules.List[string]) *edited {
	return &edited{live: live, list: l, words: l.Schema().KeyLen(),
		out: make([]bool, l.Len()), count: make([]int32, l.Len()+1)}
}

func (e *edited) First(keys []uint32, out []int32) {
	for i := range out {
		at := i * e.words
		if m, ok := e.live.Lookup(keys[at : at+e.words : at+e.words]); ok {
			out[i] = int32(e.list.Position(m.ID))
		} else {
			out[i] = -1
		}
	}
}

func (e *edited) Bytes() int64 { return e.live.Snapshot().Bytes() }

func (*edited) Close() {}

func (e *edited) Delete(position int) error {
	if err := e.check(position, false); err != nil {
		return err
	}
	err := e.live.Edit(context.Background(), func(tx *hipac.Tx[string]) error { return tx.Delete(e.list.At(position).ID) })
	if err == nil {
		e.set(position, true)
	}
	return err
}

func (e *edited) Insert(position int) error {
	if err := e.check(position, true); err != nil {
		return err
	}
	place := position
	for i := position; i > 0; i -= i & -i {
		place -= int(e.count[i])
	}
	err := e.live.Edit(context.Background(), func(tx *hipac.Tx[string]) error {
		_, err := tx.InsertAt(place, *e.list.At(position))
		return err
	})
	if err == nil {
		e.set(position, false)
	}
	return err
}

func (e *edited) set(position int, out bool) {
	d := int32(1)
	if !out {
		d = -1
	}
	e.out[position] = out
	for i := position + 1; i < len(e.count); i += i & -i {
		e.count[i] += d
	}
}

func (e *edited) check(position int, out bool) error {
	if position < 0 || position >= len(e.out) {
		return fmt.Errorf("there is no rule at position %d: the list had %d", position, len(e.out))
	}
	switch {
	case e.out[position] == out:
		return nil
	case out:
		return fmt.Errorf("the rule at position %d is in the list already", position)
	}
	return fmt.Errorf("the rule at position %d is out of the list already", position)
}

type walk struct{ list *rules.List[string] }

func (e *walk) First(keys []uint32, out []int32) {
	w := e.list.Schema().KeyLen()
	for i := range out {
		out[i] = first(e.list, keys[i*w:(i+1)*w:(i+1)*w])
	}
}

func (*walk) Bytes() int64 { return 0 }

func (*walk) Close() {}

func first(l *rules.List[string], k rules.Key) int32 {
	if i, ok := l.First(k); ok {
		return int32(i)
	}
	return -1
}
