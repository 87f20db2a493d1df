package hipac

// The tree of a list under edit: an editor with the roots of the newest version.

import (
	"context"
	"iter"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// change is a rule that comes into a tree or goes.
type change[T any] struct {
	key    uint32
	m      *member[T]
	insert bool
}

// liveTree is a tree under edit. member says what rule a key has.
type liveTree[T any] struct {
	*setting[T]
	ed     *tree.Editor
	roots  treeRoots
	member func(key uint32) *member[T]

	committed treeRoots // of the newest version
}

// built is a tree that was just built.
type built struct {
	tree  *tree.Tree
	roots treeRoots
}

// build builds the tree of n rules in order, by label.
func (s *setting[T]) build(ctx context.Context, all iter.Seq2[uint32, *member[T]], n int) (built, error) {
	keys, members := make([]uint32, 0, n), make([]*member[T], 0, n)
	for l, m := range all {
		keys, members = append(keys, m.key(l)), append(members, m)
	}
	b := tree.NewBuilder(ctx, s.cfg)
	var out built
	for _, pass := range []bool{false, true} {
		boxes, err := s.frame.Lower(ctx, keys, func(i int) []rules.Cond { return members[i].rule.Conds },
			func(i int) bool { return members[i].pass != pass })
		if err != nil {
			return built{}, buildError(err, s.limit)
		}
		if boxes.Len() == 0 {
			continue
		}
		b.Grow(boxes, 0)
		r := &out.roots.decide
		if pass {
			r = &out.roots.pass
		}
		if err := s.buildRoots(b, boxes, r); err != nil {
			return built{}, buildError(err, s.limit)
		}
	}
	out.tree = b.Tree()
	return out, nil
}

// buildRoots builds the trees of boxes. Unlike those of a classifier, both are
// there even where no rule asks for an address: one may come.
func (s *setting[T]) buildRoots(b *tree.Builder, boxes *lower.Boxes, r *roots) (err error) {
	if len(s.families) == 0 {
		r.general, err = b.Root(nil, nil)
		r.ipv4 = r.general
		return err
	}
	if s.family != 4 {
		dims := make([]int, len(s.fixed))
		for i, x := range s.fixed {
			dims[i] = -1
			for d := range boxes.Dims {
				if boxes.Dims[d].Word == x.Word {
					dims[i] = d
				}
			}
		}
		r.general, err = b.Root(nil, func(e int) bool {
			for i, d := range dims {
				if d < 0 || boxes.Dims[d].Spans[e] != (lower.Span{Lo: s.fixed[i].Value, Hi: s.fixed[i].Value}) {
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	if s.family != 6 {
		r.ipv4, err = b.Root(s.fixed, nil)
	}
	return err
}

// onlyIPv4 reports whether all keys in a box have IPv4 addresses alone.
func (s *setting[T]) onlyIPv4(box []lower.Span) bool {
	for _, x := range s.fixed {
		if box[x.Word] != (lower.Span{Lo: x.Value, Hi: x.Value}) {
			return false
		}
	}
	return len(s.fixed) > 0
}

func newLiveTree[T any](s *setting[T], b built, m func(key uint32) *member[T]) *liveTree[T] {
	t := &liveTree[T]{setting: s, roots: b.roots, member: m}
	t.ed = tree.NewEditor(b.tree, s.frame, s.cfg, func(key uint32) []rules.Cond { return t.member(key).rule.Conds })
	return t
}

// apply makes a change. box is scratch memory for a key's words.
func (t *liveTree[T]) apply(c change[T], box []lower.Span) error {
	if !c.m.possible {
		return nil
	}
	t.frame.Box(c.m.rule.Conds, box)
	e := tree.Entry{Label: c.key, Inexact: c.m.inexact, Box: box}
	if c.insert && t.ed.Dead(c.key) {
		return tree.ErrRebuild
	}
	r := &t.roots.decide
	if c.m.pass {
		r = &t.roots.pass
	}
	if len(t.families) == 0 {
		err := t.edit(&r.general, nil, e, c.insert)
		r.ipv4 = r.general
		return err
	}
	if t.family != 4 && !t.onlyIPv4(box) {
		if err := t.edit(&r.general, nil, e, c.insert); err != nil {
			return err
		}
	}
	if t.family != 6 {
		return t.edit(&r.ipv4, t.fixed, e, c.insert)
	}
	return nil
}

func (t *liveTree[T]) edit(root *tree.Ref, fixed []tree.Fixed, e tree.Entry, insert bool) (err error) {
	if insert {
		*root, err = t.ed.Insert(*root, fixed, e)
	} else {
		*root, err = t.ed.Delete(*root, fixed, e)
	}
	return err
}

// compactTables is compact for the tables alone.
func (t *liveTree[T]) compactTables() {
	t.did.copiedTables.Add(1)
	t.roots = rootsOf(t.ed.CompactTables(t.roots.list()))
}

// compact frees what versions before the newest alone reach.
func (t *liveTree[T]) compact(room tree.Room) {
	t.did.copied.Add(1)
	t.roots = rootsOf(t.ed.Compact(t.roots.list(), room))
}
