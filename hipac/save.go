package hipac

// Saving: a compiled classifier as a file. The format is that of package
// rules/saved; the sections that a lookup needs are arrays as they stand in
// memory, so that a file that is mapped needs no more than a check.

import (
	"fmt"
	"io"
	"math"

	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// Codec turns the values of rules into bytes and back; see saved.Codec. Package
// saved has some for strings, numbers and verdicts.
type Codec[T any] = saved.Codec[T]

// Sections of a classifier.
const (
	sectionMeta    = "meta" // numbers, in the order of saveMeta
	sectionIDs     = "idnt" // also one of package saved, which writes it with the rules
	sectionPassing = "pass" // 32 bits: positions of rules that continue, ascending
	sectionUnknown = "unkn" // the same of unknown rules
	sectionNever   = "nevr" // the same of rules that can never match
	sectionDrawn   = "drwn" // 32 bits: keys of packets drawn from the rules

	instanceFirst = 0 // the tree of the first match, and all that is not a tree
	instanceAll   = 1 // the tree of all matches
)

// Save writes the classifier, for Load and Open. The same rules with the same
// options give the same bytes, whatever machine compiled them and on how many
// cores.
//
// What the classifier keeps is saved. One built without FirstMatchOnly and
// AllMatches keeps its list: the file has the rules themselves, with identities,
// comments and values, and a classifier loaded from it answers all that this one
// does. FirstMatchOnly leaves out the rules, and AllMatches has what LookupAll
// needs in their place.
//
// It takes some time for each rule and a few bytes of memory per condition, and
// reads what it writes twice. Errors are those of w and of the codec;
// rules.ErrUnsupported for the engine Index, which makes no arrays; and
// rules.ErrLimit for a condition of more than a million intervals, or for rules
// that would need a chain of leaves of more than 33 million.
func (c *Classifier[T]) Save(w io.Writer, codec Codec[T]) error {
	if c.tree == nil {
		return fmt.Errorf("%w: a classifier of the engine %s cannot be saved", rules.ErrUnsupported, Index)
	}
	out := saved.NewWriter(saved.KindList)
	if err := out.AddSchema(c.schema); err != nil {
		return err
	}
	if l := c.source(); l != nil {
		if err := saved.AddRules(out, l); err != nil {
			return err
		}
	} else {
		addWords(out, sectionIDs, idWords(c.rules.ids))
	}
	if err := saved.AddValues(out, c.rules.n, func(i int) T { return c.rules.values[i] }, codec); err != nil {
		return err
	}
	addWords(out, sectionPassing, c.rules.passing)
	var unknown []uint32
	for i := range c.rules.n {
		if _, is := c.rules.unknown[int32(i)]; is {
			unknown = append(unknown, uint32(i))
		}
	}
	addWords(out, sectionUnknown, unknown)
	addWords(out, sectionNever, c.never)
	addWords(out, sectionDrawn, c.drawn)
	n := uint32(c.rules.n)
	if err := saveTree(out, instanceFirst, c.tree, c.schema, n, savedRoot{c.decide, 0, n}); err != nil {
		return err
	}
	var all *allMatches
	if c.opts.AllMatches {
		all = c.all.Load()
		if err := saveTree(out, instanceAll, all.tree, c.schema, n, savedRoot{all.every, 0, n}, savedRoot{all.continues, 0, n}); err != nil {
			return err
		}
	}
	out.Add(sectionMeta, instanceFirst, c.saveMeta(all))
	_, err := out.WriteTo(w)
	return err
}

func addWords[W saved.Word](w *saved.Writer, name string, words []W) {
	if len(words) > 0 {
		w.Add(name, instanceFirst, saved.Bytes(words))
	}
}

func idWords(ids []rules.ID) []uint64 {
	out := make([]uint64, len(ids))
	for i, id := range ids {
		out[i] = uint64(id)
	}
	return out
}

// saveMeta returns the numbers about the classifier; Loader.meta reads them.
func (c *Classifier[T]) saveMeta(all *allMatches) []byte {
	var n saved.Numbers
	n.PutInt(c.opts.LeafRows)
	n.Put(math.Float64bits(c.opts.Replication))
	n.PutBool(c.opts.FirstMatchOnly)
	n.PutBool(all != nil)
	n.PutInt(c.stats.Inexact)
	for i := range c.stats.Fields {
		n.PutInt(c.stats.Fields[i].Rules)
	}
	list := []roots{c.decide}
	if all != nil {
		list = append(list, all.every, all.continues)
	}
	for _, r := range list {
		n.Put(uint64(r.general))
		n.Put(uint64(r.ipv4))
	}
	return n.Bytes()
}

// source returns the list of rules, nil when it is not kept. That of a loaded
// classifier is made when it is asked for first.
func (c *Classifier[T]) source() *rules.List[T] {
	if c.list != nil || c.lazy == nil {
		return c.list
	}
	return c.lazy.get(c.rules.values)
}

// List returns the list of rules that was compiled, and false when the classifier
// does not keep it: with Options.AllMatches or FirstMatchOnly. A classifier that
// was loaded makes it when it is asked for first, which takes as long as making
// it took.
func (c *Classifier[T]) List() (*rules.List[T], bool) {
	l := c.source()
	return l, l != nil
}

// savedRoot is the roots of the rules of ranks from lo up to hi.
type savedRoot struct {
	roots
	lo, hi uint32
}

// saveTree adds the sections of a tree of n ranks, once it is sure that they can
// be loaded: a tree that is deeper than a loader allows cannot.
func saveTree(w *saved.Writer, instance int, t *tree.Tree, s *rules.Schema, n uint32, all ...savedRoot) error {
	l := t.Checked(s, int(n))
	for i := range all {
		if err := all[i].check(l, all[i].lo, all[i].hi); err != nil {
			return fmt.Errorf("%w: the tree cannot be saved: %v", rules.ErrLimit, err)
		}
	}
	t.Save(w, instance)
	return nil
}

// check checks the roots of rules of ranks from lo up to hi.
func (r *roots) check(l *tree.Loaded, lo, hi uint32) error {
	if err := l.Check(r.general, lo, hi); err != nil {
		return err
	}
	if r.ipv4 == r.general {
		return nil
	}
	return l.Check(r.ipv4, lo, hi)
}
