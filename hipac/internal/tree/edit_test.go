package tree

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// edited is a tree under edit beside the rules that it should have, by label.
type edited struct {
	t      *testing.T
	frame  *lower.Frame
	schema *rules.Schema
	fixed  []Fixed
	conds  map[uint32][]rules.Cond
	labels []uint32 // in the tree, ascending
	ed     *Editor
	root   Ref
	cfg    Config

	edits, rebuilt int
}

// Holds asks the rules themselves.
func (e *edited) Holds(label uint32, _ bool, key []uint32) bool {
	return matches(e.schema, e.conds[label], key)
}

func matches(s *rules.Schema, conds []rules.Cond, key []uint32) bool {
	r := rules.Rule[int]{Conds: conds}
	return r.Matches(s, key)
}

func (e *edited) entry(label uint32) (Entry, bool) {
	box := make([]lower.Span, e.schema.KeyLen())
	one := e.frame.Box(e.conds[label], box)
	return Entry{Label: label, Inexact: one.Inexact, Box: box}, one.Possible
}

// newEdited builds a live tree of rules.
func newEdited(t *testing.T, s *rules.Schema, list [][]rules.Cond, cfg Config, fixed []Fixed) *edited {
	e := &edited{t: t, frame: lower.NewFrame(s), schema: s, fixed: fixed, conds: map[uint32][]rules.Cond{}}
	for i, c := range list {
		label := uint32(i+1) << 12
		e.conds[label] = c
		e.labels = append(e.labels, label)
	}
	e.build(cfg)
	return e
}

func (e *edited) build(cfg Config) {
	cfg.Live = true
	e.cfg = cfg
	boxes, err := e.frame.Lower(context.Background(), e.labels, func(i int) []rules.Cond { return e.conds[e.labels[i]] }, nil)
	require.NoError(e.t, err)
	b := NewBuilder(context.Background(), cfg)
	b.Grow(boxes, 0)
	e.root, err = b.Root(e.fixed, nil)
	require.NoError(e.t, err)
	e.ed = NewEditor(b.Tree(), e.frame, cfg, func(l uint32) []rules.Cond { return e.conds[l] })
}

func (e *edited) insert(label uint32, c []rules.Cond) {
	i, found := slices.BinarySearch(e.labels, label)
	require.False(e.t, found)
	e.conds[label] = c
	e.labels = slices.Insert(e.labels, i, label)
	if r, ok := e.entry(label); ok {
		root, err := e.ed.Insert(e.root, e.fixed, r)
		e.done(root, err)
	}
}

func (e *edited) delete(label uint32) {
	i, found := slices.BinarySearch(e.labels, label)
	require.True(e.t, found)
	e.labels = slices.Delete(e.labels, i, i+1)
	if r, ok := e.entry(label); ok {
		root, err := e.ed.Delete(e.root, e.fixed, r)
		e.done(root, err)
	}
}

// done takes the outcome of an edit.
func (e *edited) done(root Ref, err error) {
	if err == ErrRebuild {
		e.rebuilt++
		e.build(e.cfg)
		return
	}
	require.NoError(e.t, err)
	e.root = root
	e.edits++
}

// version is what a reader holds.
type version struct {
	tree   *Tree
	root   Ref
	labels []uint32
}

func (e *edited) version() version {
	return version{e.ed.Tree(e), e.root, slices.Clone(e.labels)}
}

// check compares a version with the walk along its rules.
func (e *edited) check(v version, key rules.Key, what string) {
	want := NoMatch
	var all []uint32
	for _, l := range v.labels {
		if matches(e.schema, e.conds[l], key) {
			all = append(all, l)
			want = min(want, l)
		}
	}
	if got := v.tree.First(v.root, key); got != want {
		require.Failf(e.t, "first", "%s: key %v: got %d, want %d", what, key, got, want)
	}
	from := key[len(key)-1] << 11
	i, _ := slices.BinarySearch(all, from)
	want = NoMatch
	if i < len(all) {
		want = all[i]
	}
	require.Equal(e.t, want, v.tree.FirstFrom(v.root, key, from), what)
	got := v.tree.All(v.root, key, nil)
	slices.Sort(got)
	require.Equal(e.t, all, got, what)
	rank, _ := v.tree.Measure(v.root, key)
	require.Equal(e.t, v.tree.First(v.root, key), rank)
}

// requireNoRest requires that all rows that the root reaches, whether keys get
// there or not, are those of rules that there are.
func (e *edited) requireNoRest(what string) {
	t := e.ed.b.tree
	t.dead = e.ed.dead
	t.EachRow(e.root, func(label uint32, inexact bool) {
		_, found := slices.BinarySearch(e.labels, label)
		require.True(e.t, found, "%s: a row of %d is left", what, label)
	})
}

// ruleSource is a generator of rules and keys out of few values, so that rules nest,
// touch, cross and repeat.
type ruleSource struct {
	r      *rand.Rand
	s      *rules.Schema
	values [][]rules.Value
	odd    bool // with conditions that are no box
}

func newRuleSource(r *rand.Rand, s *rules.Schema, n int, odd bool) *ruleSource {
	p := &ruleSource{r: r, s: s, values: make([][]rules.Value, s.Len()), odd: odd}
	for i := range p.values {
		f := s.Field(i)
		for range n {
			v := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(f.Max())
			p.values[i] = append(p.values[i], v, v.Next().And(f.Max()))
		}
		p.values[i] = append(p.values[i], rules.Value{}, f.Max())
	}
	return p
}

func (p *ruleSource) value(i int) rules.Value { return p.values[i][p.r.IntN(len(p.values[i]))] }

func (p *ruleSource) rule() (out []rules.Cond) {
	for i := range p.s.Len() {
		f := p.s.Field(i)
		a, b := p.value(i), p.value(i)
		if b.Less(a) {
			a, b = b, a
		}
		switch p.r.IntN(6) {
		case 0, 1:
			bits := f.Bits
			if p.r.IntN(2) == 0 {
				bits = p.r.IntN(f.Bits + 1)
			}
			out = append(out, rules.In(i, rules.PrefixInterval(a, bits, f.Bits)))
		case 2:
			out = append(out, rules.In(i, rules.Interval{Lo: a, Hi: b}))
		case 3:
			if !p.odd {
				break
			}
			c := rules.In(i, rules.Interval{Lo: a, Hi: a}, rules.Interval{Lo: b, Hi: b})
			if p.r.IntN(2) == 0 {
				c = rules.Masked(i, a, b)
			}
			if p.r.IntN(3) == 0 {
				c = c.Negate()
			}
			if p.r.IntN(3) == 0 {
				c = c.OrAbsent()
			}
			out = append(out, c)
		}
	}
	return out
}

func (p *ruleSource) key() rules.Key {
	k := p.s.NewKey()
	for i := range p.s.Len() {
		v := p.value(i)
		switch p.r.IntN(8) {
		case 0:
			v = rules.Value{Hi: p.r.Uint64(), Lo: p.r.Uint64()}
		case 1:
			v = v.Prev()
		}
		p.s.Set(k, i, v)
		if p.odd && p.r.IntN(10) == 0 {
			p.s.SetAbsent(k, i)
		}
	}
	return k
}

func TestEditedTreesAnswerAsTheListAfterEveryEdit(t *testing.T) {
	wide := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 40},
		rules.Field{Name: "c", Bits: 16}, rules.Field{Name: "d", Bits: 16}, rules.Field{Name: "e", Bits: 8},
		rules.Field{Name: "f", Bits: 128}, rules.Field{Name: "g", Bits: 20})
	one := rules.MustSchema(rules.Field{Name: "a", Bits: 32})
	for _, c := range []struct {
		name   string
		schema *rules.Schema
		plain  bool
		odd    bool
		values int
		cfg    Config
	}{
		{"plain", rules.IPv4Tuple, true, false, 4, Config{}},
		{"plain, inexact", rules.IPv4Tuple, true, true, 4, Config{}},
		{"plain, many values", rules.IPv4Tuple, true, false, 300, Config{}},
		{"plain, small buckets", rules.IPv4Tuple, true, true, 8, Config{bucketRows: 14}},
		{"plain, leaves of one", rules.IPv4Tuple, true, false, 40, Config{LeafRows: 1}},
		{"one field", one, false, true, 40, Config{LeafRows: 2}},
		{"wide", wide, false, false, 6, Config{}},
		{"wide, inexact", wide, false, true, 6, Config{LeafRows: 2}},
		{"wide, small buckets", wide, false, true, 6, Config{bucketRows: 14}},
		{"IPv6", rules.IPv6Tuple, false, true, 20, Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, 7))
				p := newRuleSource(r, c.schema, c.values, c.odd)
				var list [][]rules.Cond
				for range []int{0, 5, 30, 200, 600, 1500}[seed] {
					list = append(list, p.rule())
				}
				cfg := c.cfg
				cfg.Plain = c.plain
				e := newEdited(t, c.schema, list, cfg, nil)
				var held []version
				for step := range 300 {
					switch grow := step%100 < 60; {
					case len(e.labels) > 0 && (!grow || r.IntN(3) == 0):
						e.delete(e.labels[r.IntN(len(e.labels))])
					default:
						label := uint32(r.IntN((len(list)+10)<<12)) + 1
						if _, used := e.conds[label]; !used {
							e.insert(label, p.rule())
						}
					}
					if r.IntN(40) == 0 {
						e.root = e.ed.Compact([]Ref{e.root}, r.IntN(2) == 0)[0]
					}
					if r.IntN(40) == 0 {
						e.root = e.ed.CompactTables([]Ref{e.root})[0]
					}
					if r.IntN(40) == 0 { // as in the background
						c, roots := Copy(e.ed.Tree(e), []Ref{e.root}, Tight)
						e.root = roots[0]
						e.ed = NewEditor(c, e.frame, e.cfg, func(l uint32) []rules.Cond { return e.conds[l] })
					}
					v := e.version()
					for range 4 {
						e.check(v, p.key(), fmt.Sprintf("seed %d, step %d", seed, step))
					}
					e.requireNoRest(fmt.Sprintf("seed %d, step %d", seed, step))
					if r.IntN(10) == 0 {
						held = append(held, v)
					}
				}
				require.Less(t, 20*e.rebuilt, e.edits+20)
				for i, v := range held {
					for range 10 {
						e.check(v, p.key(), fmt.Sprintf("held version %d", i))
					}
				}
			}
		})
	}
}

func TestDeletedRulesLeaveNoRowWhereNoKeyGets(t *testing.T) {
	// Ranges of few ends, and rules that say nothing: the leaf at the root grows,
	// and is cut by other bits of the word than leaves below later on.
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		ends := []uint64{0, 1<<32 - 1, uint64(r.Uint32()), uint64(r.Uint32())}
		e := newEdited(t, s, nil, Config{}, nil)
		for i := range 150 {
			var conds []rules.Cond
			if r.IntN(3) == 0 {
				a, b := ends[r.IntN(4)], ends[r.IntN(4)]
				conds = append(conds, rules.In(0, rules.Span(min(a, b), max(a, b))))
			}
			e.insert(uint32(r.IntN(1<<12))<<12|uint32(i)+1, conds)
		}
		for len(e.labels) > 0 {
			e.delete(e.labels[r.IntN(len(e.labels))])
			e.requireNoRest(fmt.Sprintf("seed %d, %d rules left", seed, len(e.labels)))
		}
		require.Zero(t, e.rebuilt)
	}
}
