package compare

// Engines in this process, as contestants; a peer's process has the same loops
// around its engines.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Where Built.Bytes comes from.
const (
	bytesTold = "told by the engine"
	bytesHeap = "growth of the heap"
)

// Local returns the contestant of a maker's engines, which run in this process.
func Local(m *Maker) Contestant { return &local{maker: m} }

type local struct {
	maker *Maker

	engine Engine
	words  int // of a key
	keys   []uint32
	out    []int32
	cannot []int // numbers of keys that cannot be asked about
}

func (m *Maker) about() About {
	a := About{Name: m.Name, Title: m.Title, Source: m.Source, Note: m.Note, VerdictOnly: m.VerdictOnly}
	if m.Skip != nil {
		a.Skip = m.Skip()
	}
	return a
}

func (c *local) About() About { return c.maker.about() }

func (c *local) Load(ctx context.Context, l *rules.List[string], bytes int64) (Built, error) {
	if err := c.Close(); err != nil {
		return Built{}, err
	}
	if err := ctx.Err(); err != nil {
		return Built{}, err
	}
	if why := c.About().Skip; why != "" {
		return Built{}, fmt.Errorf("%s: %w here: %s", c.maker.Name, ErrUnsupported, why)
	}
	heap := heapBytes()
	ctx, done := watchCPU(ctx, func() (time.Duration, error) { return ProcessTime(), nil })
	defer done()
	cpu, wall := ProcessTime(), time.Now()
	e, err := c.maker.Make(ctx, l, bytes)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, ErrCPU) {
			err = cause
		}
		return Built{}, fmt.Errorf("%s: %w", c.maker.Name, err)
	}
	b := Built{CPU: ProcessTime() - cpu, Wall: time.Since(wall)}
	if b.Bytes, b.BytesFrom = e.Bytes(), bytesTold; b.Bytes <= 0 {
		b.Bytes, b.BytesFrom = max(0, heapBytes()-heap), bytesHeap
	}
	_, b.Updates = e.(Updater)
	c.engine, c.words = e, l.Schema().KeyLen()
	return b, nil
}

// heapBytes returns the bytes of the heap without rubbish.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what pools held went in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

var errNotLoaded = errors.New("no rules are loaded")

func (c *local) Keys(_ context.Context, keys []uint32) (notAsked int, err error) {
	if c.engine == nil {
		return 0, errNotLoaded
	}
	if len(keys) == 0 || len(keys)%c.words != 0 {
		return 0, fmt.Errorf("%d words are no array of keys of %d words each", len(keys), c.words)
	}
	n := len(keys) / c.words
	c.keys, c.out, c.cannot = keys, make([]int32, n), nil
	if err := c.ask(); err != nil {
		return len(c.cannot), fmt.Errorf("%s: %w", c.maker.Name, err)
	}
	if p, ok := c.engine.(Preparer); ok {
		if err := p.Prepare(c.keys); err != nil {
			return 0, fmt.Errorf("%s: %w", c.maker.Name, err)
		}
	}
	return len(c.cannot), nil
}

// ask finds the keys that the engine cannot be asked about, and puts others into
// their places, in a copy.
func (c *local) ask() error {
	asker, limited := c.engine.(Asker)
	if !limited {
		return nil
	}
	var can []int
	for i := range c.out {
		if asker.CanAsk(c.key(i)) {
			can = append(can, i)
		} else {
			c.cannot = append(c.cannot, i)
		}
	}
	switch {
	case len(c.cannot) == 0:
		return nil
	case len(can) == 0:
		return fmt.Errorf("%w: it can be asked about none of the packets", ErrUnsupported)
	}
	c.keys = append([]uint32(nil), c.keys...)
	for i, at := range c.cannot {
		copy(c.key(at), c.key(can[i%len(can)]))
	}
	return nil
}

// first is the engine's.
func (c *local) first(from int, out []int32) {
	if p, ok := c.engine.(Preparer); ok {
		p.FirstPrepared(from, out)
		return
	}
	c.engine.First(c.keys[from*c.words:(from+len(out))*c.words], out)
}

func (c *local) key(i int) rules.Key { return c.keys[i*c.words : (i+1)*c.words : (i+1)*c.words] }

// within reports why keys from..to are not among those given, or nil.
func (c *local) within(from, to int) error {
	if c.engine == nil {
		return errNotLoaded
	}
	if from < 0 || to < from || to > len(c.out) {
		return fmt.Errorf("there are no keys %d to %d: there are %d", from, to, len(c.out))
	}
	return nil
}

func (c *local) Answers(_ context.Context, from int, out []int32) error {
	to := from + len(out)
	if err := c.within(from, to); err != nil {
		return err
	}
	c.first(from, out)
	for _, i := range c.cannot {
		if from <= i && i < to {
			out[i-from] = NotAsked
		}
	}
	return nil
}

func (c *local) Pass(ctx context.Context, from, to, repeat int) (time.Duration, error) {
	if err := c.within(from, to); err != nil {
		return 0, err
	}
	out := c.out[from:to]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := ThreadTime()
	for range repeat {
		c.first(from, out)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return ThreadTime() - start, nil
}

func (c *local) Edit(ctx context.Context, edits []Edit, took []time.Duration) error {
	if c.engine == nil {
		return errNotLoaded
	}
	if len(took) < len(edits) {
		return fmt.Errorf("room for the times of %d edits, and there are %d", len(took), len(edits))
	}
	u, ok := c.engine.(Updater)
	if !ok {
		return fmt.Errorf("%s: %w: its rules cannot be edited", c.maker.Name, ErrUnsupported)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock := clockCost()
	for i, e := range edits {
		edit := u.Delete
		if e.Insert {
			edit = u.Insert
		}
		start := ThreadTime()
		err := edit(int(e.Position))
		took[i] = max(0, ThreadTime()-start-clock)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: edit %d: %w", c.maker.Name, i+1, err)
		}
	}
	return nil
}

// clockCost returns what reading the clock before and after nothing makes of it:
// the median of many such pairs, on the thread that the caller has locked.
func clockCost() time.Duration {
	var pairs [101]time.Duration
	for i := range pairs {
		start := ThreadTime()
		pairs[i] = ThreadTime() - start
	}
	slices.Sort(pairs[:])
	return pairs[len(pairs)/2]
}

func (c *local) Close() error {
	if c.engine != nil {
		c.engine.Close()
	}
	c.engine, c.keys, c.out, c.cannot = nil, nil, nil, nil
	return nil
}
