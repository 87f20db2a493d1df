package main

// Paths: the ways to look up a key, behind one interface. A path's loops take
// what a caller gets from each lookup: the rule's identity is added up and its
// value stored.

import (
	"context"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// batchSize is the number of keys in a call of LookupBatch.
const batchSize = 64

// Names of the paths.
const (
	pathTree      = "tree"
	pathGo        = "tree-go"
	pathAVX512    = "tree-avx512"
	pathIndex     = "index"
	pathReference = "reference"

	// formerReference is what the reference was called before there was a
	// contestant "linear".
	formerReference = "linear"
)

// availablePaths returns the paths that this processor can run.
func availablePaths() []string {
	list := []string{pathTree, pathGo, pathAVX512, pathIndex, pathReference}
	if !hipac.BatchAVX512.Available() {
		list = slices.Delete(list, 2, 3)
	}
	return list
}

// choosePaths returns the paths of a list of names separated by commas, in the
// order of availablePaths; all for "".
func choosePaths(names string) ([]string, error) {
	available := availablePaths()
	if names == "" {
		return available, nil
	}
	var list []string
	for _, name := range strings.Split(names, ",") {
		if name = strings.TrimSpace(name); name == formerReference {
			name = pathReference
		}
		if !slices.Contains(available, name) {
			if name == pathAVX512 {
				return nil, files.BadUsage("--engines: this processor cannot run %s", name)
			}
			return nil, files.BadUsage("--engines: there is no %q; choose from %s", name, strings.Join(available, ","))
		}
		list = append(list, name)
	}
	return slices.DeleteFunc(available, func(name string) bool { return !slices.Contains(list, name) }), nil
}

// options returns the options of a path's classifier. FirstMatchOnly lets the
// list of rules go, which lookups of the first match do not need. The index
// keeps it.
func options(path string) *hipac.Options {
	switch path {
	case pathGo:
		return &hipac.Options{FirstMatchOnly: true, Batch: hipac.BatchGo}
	case pathAVX512:
		return &hipac.Options{FirstMatchOnly: true, Batch: hipac.BatchAVX512}
	case pathIndex:
		return &hipac.Options{Engine: hipac.Index}
	}
	return &hipac.Options{FirstMatchOnly: true}
}

// path looks up keys of a trace.
type path interface {
	// single looks up keys one after the other. It returns the sum of the
	// identities of the rules that matched.
	single(keys []uint32) uint64
	// dependent is single, but that where a key stands follows from the answer
	// for the one before, as far as the processor can tell, so that it cannot
	// begin a lookup ahead of that answer. After a packet that nothing matches it
	// can: it guesses the branch.
	dependent(keys []uint32) uint64
	// batch looks up batchSize keys a call.
	batch(keys []uint32) uint64
	// one returns the position of the rule that a lookup of its own finds, -1 for
	// none, and -2 when identity or value are not those of the rule there.
	one(k rules.Key) int32
	// positions fills out, one for each key, with those that batches find.
	positions(keys []uint32, out []int32)
	// allocates says that lookups do.
	allocates() bool
}

// zero is 0, which the compiler does not know.
var zero int

// kept takes values, so that a loop has to bring them into memory.
type kept[T any] [64]T

//go:noinline
func (k *kept[T]) look() {}

// compiledPath is a classifier's.
type compiledPath[T comparable] struct {
	*hipac.Classifier[T]
	list  *rules.List[T]
	index bool
}

func buildPath[T comparable](ctx context.Context, l *rules.List[T], name string) (*compiledPath[T], error) {
	c, err := hipac.Build(ctx, l, options(name))
	if err != nil {
		return nil, err
	}
	return &compiledPath[T]{c, l, name == pathIndex}, nil
}

// bytes returns the memory that the classifier keeps alive: what its statistics
// count, which are the tree, the values, and the identities of rules that are
// not numbered 1, 2, 3... What values point to is the caller's.
func (p *compiledPath[T]) bytes() int64 { return int64(p.Stats().Bytes()) }

func (p *compiledPath[T]) allocates() bool { return p.index }

func (p *compiledPath[T]) single(keys []uint32) (sum uint64) {
	c := p.Classifier
	var values kept[T]
	w := p.Schema().KeyLen()
	for at := 0; at+w <= len(keys); at += w {
		if m, ok := c.Lookup(keys[at : at+w : at+w]); ok {
			sum += uint64(m.ID)
			values[at%len(values)] = m.Value
		}
	}
	values.look()
	return sum
}

func (p *compiledPath[T]) dependent(keys []uint32) (sum uint64) {
	c := p.Classifier
	var values kept[T]
	w := p.Schema().KeyLen()
	none := zero
	for at := 0; at+w <= len(keys); {
		m, ok := c.Lookup(keys[at : at+w : at+w])
		if ok {
			sum += uint64(m.ID)
			values[at%len(values)] = m.Value
		}
		at += w + m.Position&none
	}
	values.look()
	return sum
}

func (p *compiledPath[T]) batch(keys []uint32) (sum uint64) {
	c := p.Classifier
	var values kept[T]
	var positions [batchSize]int32
	step := batchSize * p.Schema().KeyLen()
	for at := 0; at < len(keys); at += step {
		n := c.LookupBatch(keys[at:min(at+step, len(keys))], positions[:])
		for i, at := range positions[:n] {
			if at >= 0 {
				m := c.At(int(at))
				sum += uint64(m.ID)
				values[i] = m.Value
			}
		}
	}
	values.look()
	return sum
}

func (p *compiledPath[T]) one(k rules.Key) int32 {
	m, ok := p.Lookup(k)
	if !ok {
		return -1
	}
	if r := p.list.At(m.Position); r.ID != m.ID || r.Value != m.Value {
		return -2
	}
	return int32(m.Position)
}

func (p *compiledPath[T]) positions(keys []uint32, out []int32) {
	w := p.Schema().KeyLen()
	for at := 0; at < len(out); at += batchSize {
		end := min(at+batchSize, len(out))
		p.LookupBatch(keys[at*w:end*w], out[at:end])
	}
}

// referencePath is the walk along the list. It has no batches: 64 keys take 64
// walks.
type referencePath[T comparable] struct{ list *rules.List[T] }

func (p referencePath[T]) allocates() bool { return false }

func (p referencePath[T]) single(keys []uint32) (sum uint64) {
	var values kept[T]
	w := p.list.Schema().KeyLen()
	for at := 0; at+w <= len(keys); at += w {
		if i, ok := p.list.First(keys[at : at+w : at+w]); ok {
			r := p.list.At(i)
			sum += uint64(r.ID)
			values[at%len(values)] = r.Value
		}
	}
	values.look()
	return sum
}

func (p referencePath[T]) dependent(keys []uint32) (sum uint64) {
	var values kept[T]
	w := p.list.Schema().KeyLen()
	none := zero
	for at := 0; at+w <= len(keys); {
		i, ok := p.list.First(keys[at : at+w : at+w])
		if ok {
			r := p.list.At(i)
			sum += uint64(r.ID)
			values[at%len(values)] = r.Value
		}
		at += w + i&none
	}
	values.look()
	return sum
}

func (p referencePath[T]) batch(keys []uint32) uint64 { return p.single(keys) }

func (p referencePath[T]) one(k rules.Key) int32 {
	if i, ok := p.list.First(k); ok {
		return int32(i)
	}
	return -1
}

func (p referencePath[T]) positions(keys []uint32, out []int32) {
	w := p.list.Schema().KeyLen()
	for i := range out {
		out[i] = p.one(keys[i*w : i*w+w : i*w+w])
	}
}
