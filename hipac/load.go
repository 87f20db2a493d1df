package hipac

// Loading: a classifier over the bytes of a file, which are checked first.

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"sync"

	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/saved"
)

// LoadOptions say how to load. A nil *LoadOptions is the zero LoadOptions.
type LoadOptions struct {
	// Schema is what the rules must be of; the loaded classifier has this very
	// schema then, so that its keys are those of other rules. Without it the
	// schema is the file's: one of those in package rules if it has the same
	// fields, else a new one.
	Schema *rules.Schema

	// Batch is as in Options.
	Batch Batch

	// NoMap makes Open read the file into memory instead of mapping it.
	NoMap bool
}

// lazyList is the list of a loaded classifier.
type lazyList[T any] struct {
	once  sync.Once
	rules *saved.Rules
	list  *rules.List[T]
}

func (l *lazyList[T]) get(values []T) *rules.List[T] {
	l.once.Do(func() {
		list, err := saved.ListOf(l.rules, values, saved.NoLimits)
		if err != nil {
			panic("hipac: rules that were checked: " + err.Error())
		}
		l.list = list
	})
	return l.list
}

// Load reads a classifier that Save wrote into memory. See LoadBytes.
func Load[T any](r io.Reader, codec Codec[T], o *LoadOptions) (*Classifier[T], error) {
	data, err := saved.Read(r)
	if err != nil {
		return nil, err
	}
	return LoadBytes(data, codec, o)
}

// Open loads a classifier from a file. Where the system can, the file is mapped:
// processes that open the same file share its memory, and what lookups do not
// touch need not stay in memory. Close unmaps it. See LoadBytes.
//
// A mapped file must not change. One that is to be replaced is written beside it
// and renamed over it ("hipac compile" does so): whoever has the old one open
// keeps it. A file that somebody writes to while it is open gives wrong answers,
// reads outside it, or ends the process with a fault; use LoadOptions.NoMap for
// files of which that cannot be ruled out.
func Open[T any](path string, codec Codec[T], o *LoadOptions) (*Classifier[T], error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, unmap, err := []byte(nil), func() error { return nil }, errNoMap
	if o == nil || !o.NoMap {
		data, unmap, err = mapFile(f)
	}
	if err != nil { // not a file to be mapped, or no system to do it
		if data, err = saved.Read(f); err != nil {
			return nil, err
		}
	}
	c, err := LoadBytes(data, codec, o)
	if err != nil {
		unmap()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.unmap = unmap
	return c, nil
}

// Close gives back the memory of a file that Open has mapped. No lookup may be
// under way; later ones match nothing, LookupAll and Executed panic, and so does
// Save. For other classifiers it does nothing. One that is not closed stays
// mapped until the process ends.
func (c *Classifier[T]) Close() error {
	if c.unmap == nil {
		return nil
	}
	unmap := c.unmap
	c.unmap = nil
	c.tree, c.decide, c.list, c.lazy = tree.Empty(), roots{}, nil, nil
	c.plain, c.vector, c.drawn = false, false, []uint32{}
	c.allOnce.Do(func() {})
	c.all.Store(nil)
	return unmap()
}

// LoadBytes returns the classifier that Save wrote to data, with the same codec.
// It answers as the one that was saved. It uses the data, which must not change,
// where it lies, if that is at a multiple of 64 in memory, else a copy; beyond
// that it takes memory for the values.
//
// Nothing in the data is trusted: checksums are compared, and everything that
// lookups follow without a look is checked, in time linear in the data, a few
// milliseconds for 100,000 rules. Whatever loads answers any key without reading
// outside, in no more steps than there are rules. The errors, for errors.Is, are
// those of package saved: ErrFormat, ErrTruncated, ErrDamaged, ErrVersion,
// ErrOther and ErrTooLarge; and errors of options.
//
// To edit the rules make a live list of them: NewLive of Classifier.List.
func LoadBytes[T any](data []byte, codec Codec[T], o *LoadOptions) (*Classifier[T], error) {
	var opts LoadOptions
	if o != nil {
		opts = *o
	}
	batch, err := opts.Batch.resolve()
	if err != nil {
		return nil, err
	}
	f, err := saved.Parse(data)
	if err != nil {
		return nil, err
	}
	if f.Kind != saved.KindList {
		return nil, saved.Other("it holds tables of chains, not a list of rules")
	}
	c := &Classifier[T]{}
	if c.schema, err = schemaOfFile(f, opts.Schema); err != nil {
		return nil, err
	}
	c.words, c.binder, c.families = c.schema.KeyLen(), packet.NewBinder(c.schema), familiesOf(c.schema)
	if err := c.loadRules(f, codec); err != nil {
		return nil, err
	}
	if err := c.loadTrees(f); err != nil {
		return nil, err
	}
	if err := f.Done(); err != nil {
		return nil, err
	}
	c.opts.Batch, c.opts.MemoryLimit, c.opts.Workers = batch, DefaultMemoryLimit, min(runtime.GOMAXPROCS(0), 256)
	c.plain = c.tree.Plain()
	c.vector = batch == BatchAVX512 && c.tree.Vector(c.words) && !c.tree.Inexact()
	return c, nil
}

// schemaOfFile returns the schema of a file, which must be want if that is given.
func schemaOfFile(f *saved.File, want *rules.Schema) (*rules.Schema, error) {
	if want == nil {
		return f.Schema()
	}
	s, err := f.Schema(want)
	if err == nil && s != want {
		return nil, saved.Other("its rules have the fields %v, not %v", s, want)
	}
	return s, err
}

// loadRules loads what is known of the rules.
func (c *Classifier[T]) loadRules(f *saved.File, codec Codec[T]) (err error) {
	in := &c.rules
	if in.values, err = saved.Values(f, codec); err != nil {
		return err
	}
	if in.n = len(in.values); in.n > maxRules {
		return saved.Other("it has %d rules, more than %d", in.n, maxRules)
	}
	if f.HasRules() {
		c.lazy = &lazyList[T]{}
		if c.lazy.rules, err = f.Rules(c.schema, in.n); err != nil {
			return err
		}
	}
	section := f.Optional(sectionIDs, instanceFirst)
	ids, err := saved.Words[uint64](section)
	if err != nil {
		return err
	}
	if len(ids) > 0 && len(ids) != in.n {
		return section.Damaged(0, "%d identities of %d rules", len(ids), in.n)
	}
	for _, id := range ids {
		in.ids = append(in.ids, rules.ID(id))
	}
	var unknown []uint32
	for _, s := range []struct {
		name string
		to   *[]uint32
	}{{sectionPassing, &in.passing}, {sectionUnknown, &unknown}, {sectionNever, &c.never}} {
		section := f.Optional(s.name, instanceFirst)
		if *s.to, err = saved.Words[uint32](section); err != nil {
			return err
		}
		next := uint32(0)
		for i, at := range *s.to {
			if at < next || int64(at) >= int64(in.n) {
				return section.Damaged(4*i, "rule %d behind %d, of %d", at, next, in.n)
			}
			next = at + 1
		}
	}
	if len(unknown) > 0 {
		in.unknown = make(map[int32]struct{}, len(unknown))
		for _, at := range unknown {
			in.unknown[int32(at)] = struct{}{}
		}
	}
	section = f.Optional(sectionDrawn, instanceFirst)
	if c.drawn, err = saved.Words[uint32](section); err != nil {
		return err
	}
	if len(c.drawn)%c.words != 0 {
		return section.Damaged(0, "%d words are not keys of %d", len(c.drawn), c.words)
	}
	return nil
}

// loadTrees loads the trees and what belongs to them.
func (c *Classifier[T]) loadTrees(f *saved.File) error {
	meta, err := f.Section(sectionMeta, instanceFirst)
	if err != nil {
		return err
	}
	n := saved.NewScanner(meta)
	c.opts.LeafRows = n.Int(512)
	c.opts.Replication = math.Float64frombits(n.Next())
	c.opts.FirstMatchOnly = n.Bool()
	c.opts.AllMatches = n.Bool()
	if r := c.opts.Replication; !(r >= 0 && r <= 1024) {
		n.Fail("a replication of %v", r)
	}
	s := &c.stats
	s.Rules, s.Never, s.Passing = c.rules.n, len(c.never), len(c.rules.passing)
	s.Inexact = n.Int(c.rules.n)
	s.Fields = make([]FieldStats, c.schema.Len())
	for i := range s.Fields {
		s.Fields[i] = FieldStats{Name: c.schema.Field(i).Name, Rules: n.Int(c.rules.n)}
	}
	readRoots := func() (r roots) {
		r.general, r.ipv4 = tree.Ref(n.Next()), tree.Ref(n.Next())
		return r
	}
	c.decide = readRoots()
	all := &allMatches{}
	if c.opts.AllMatches {
		all.every, all.continues = readRoots(), readRoots()
	}
	if err := n.End(); err != nil {
		return err
	}
	loaded, err := tree.Load(f, instanceFirst, c.schema, c.rules.n)
	if err != nil {
		return err
	}
	if err := c.decide.check(loaded, 0, uint32(c.rules.n)); err != nil {
		return err
	}
	c.tree = loaded.Tree
	if c.opts.AllMatches {
		if loaded, err = tree.Load(f, instanceAll, c.schema, c.rules.n); err != nil {
			return err
		}
		for _, r := range []*roots{&all.every, &all.continues} {
			if err := r.check(loaded, 0, uint32(c.rules.n)); err != nil {
				return err
			}
		}
		all.tree = loaded.Tree
		c.all.Store(all)
	}
	switch {
	case c.lazy == nil && !c.opts.AllMatches && !c.opts.FirstMatchOnly:
		return meta.Damaged(0, "the rules are missing")
	case c.lazy == nil && c.drawn == nil:
		c.drawn = []uint32{} // so that nobody draws some from the list
	}
	if c.lazy == nil || c.opts.AllMatches {
		c.allOnce.Do(func() {})
	}
	return nil
}
