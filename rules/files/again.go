package files

// Files beside the rules that are read again and again: those that have not
// changed are the same objects, by which rules know that they ask the same.

import (
	"crypto/sha256"
	"hash"
	"io"

	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/route"
)

// Beside is what the last readings of the files beside the rules came to. With
// RuleFlags.Beside, sets and routes that are read again are the same objects while
// their files hold the same, so that rules that ask them are the same too
// (rules.Comparer). The zero Beside is ready to use; it is for one goroutine.
type Beside struct {
	sets   reading[*ipset.Sets]
	routes reading[*route.Table]
}

// Sets returns what the sets were when they were read last; nil: they were not.
func (b *Beside) Sets() *ipset.Sets { return b.sets.value }

// reading is what came of a file with a content.
type reading[T any] struct {
	sum    [sha256.Size]byte
	family int
	done   bool
	value  T
}

// again reads a file, and returns what it came to before if it holds the same.
func (x *reading[T]) again(r io.Reader, family int, read func(io.Reader) (T, error)) (T, error) {
	if x == nil {
		return read(r)
	}
	var sum hash.Hash = sha256.New()
	in := io.TeeReader(r, sum)
	value, err := read(in)
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	if err != nil {
		return value, err
	}
	next := reading[T]{family: family, done: true, value: value}
	sum.Sum(next.sum[:0])
	if x.done && x.sum == next.sum && x.family == family {
		return x.value, nil
	}
	*x = next
	return value, nil
}

func (b *Beside) ofSets() *reading[*ipset.Sets] {
	if b == nil {
		return nil
	}
	return &b.sets
}

func (b *Beside) ofRoutes() *reading[*route.Table] {
	if b == nil {
		return nil
	}
	return &b.routes
}
