package policy

// Comparing two functions: the merged sequence of their steps, and the regions
// where they say different things.

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

// Options bound a comparison and narrow it. The zero value is no narrowing, with
// DefaultSteps, DefaultRegions and DefaultMemory.
type Options struct {
	// Within are conditions, of the old function's schema, that the packets meet
	// which are compared.
	Within []rules.Cond
	// Steps is the number of boxes that are looked at before the result is
	// partial. A million take about a second.
	Steps int64
	// Regions is the number of regions that are kept before the result is partial.
	Regions int
	// Memory is the number of bytes that the walk and the regions may take.
	Memory int64
	// Complete says that packets have all fields of the schema. Otherwise a packet
	// may be without any field but addresses and protocol.
	Complete bool
}

// What Options are when they do not say.
const (
	DefaultSteps   int64 = 200_000_000
	DefaultRegions       = 2_000_000
	DefaultMemory  int64 = 1 << 30
)

// ErrSchema means that the functions ask about different things: a field of one
// name is of another kind in the other.
var ErrSchema = errors.New("the rule sets have different fields")

// Decision is what one function says in a region.
type Decision struct {
	Verdict string
	// At is the rule that decides, and Rule -1 where none does: a policy, or the
	// end of a list. For a list Chain is 0.
	At rules.Place
}

// Region is a box of packets of which two functions say different things.
type Region struct {
	// Conds are the conditions that the packets of the region meet, and no others,
	// of Difference.Schema.
	Conds    []rules.Cond
	Old, New Decision
	// Tests are matches on which it depends besides: they hold, or do not where
	// the text begins with "not ".
	Tests []string
	// Unknown says that one of them has a memory or is not modelled: whether there
	// are such packets nobody can say.
	Unknown bool
	// Packets is the number of different packets: of values of the fields that
	// either rule set asks for. A field that is absent is one value of it.
	Packets *big.Int
	// Witness is a packet of the region.
	Witness rules.Key

	box  region.Box
	a, b int32
}

// Change is a change of verdict, and how many packets it is about.
type Change struct {
	Old, New string
	Regions  int
	Packets  *big.Int
}

// Difference is how two functions differ.
type Difference struct {
	// Schema has the fields of both.
	Schema *rules.Schema
	// Regions are disjoint, the largest first.
	Regions []Region
	// Changes sums the regions by what changes, the largest first.
	Changes []Change
	// Partial is not nil when there may be more: the limit that was reached.
	Partial error
	// Boxes is the number of boxes that were looked at.
	Boxes int64
}

// Same reports whether the functions say the same of every packet.
func (d *Difference) Same() bool { return len(d.Regions) == 0 && d.Partial == nil }

// Compare returns where two functions differ. It fails with ErrSchema, and with
// the context's error; where a limit is reached the difference is Partial.
//
// It takes O(n log n) for rule sets of n rules that are nearly the same, and as
// much more as their rules overlap where they differ.
func Compare(ctx context.Context, old, new *Function, o Options) (*Difference, error) {
	p, err := merge(old, new, &o)
	if err != nil {
		return nil, err
	}
	d := &Difference{Schema: p.schema}
	err = p.walk(ctx, &o, func(r Region) bool {
		d.Regions = append(d.Regions, r)
		return len(d.Regions) < o.Regions
	}, &d.Boxes)
	switch {
	case errors.Is(err, region.ErrLimit):
		d.Partial = fmt.Errorf("%w after %d boxes", rules.ErrLimit, d.Boxes)
	case err != nil:
		return nil, err
	case len(d.Regions) >= o.Regions:
		d.Partial = fmt.Errorf("%w: %d regions", rules.ErrLimit, o.Regions)
	}
	d.Regions = p.join(d.Regions)
	p.finish(d)
	return d, nil
}

// Each hands the regions of difference to visit as they are found: disjoint, and
// neither merged nor in order. It returns nil when visit returns false, and
// rules.ErrLimit when a limit is reached. Conditions, packets and witness are
// those of the schema that it returns.
func Each(ctx context.Context, old, new *Function, o Options, visit func(s *rules.Schema, r Region) bool) error {
	p, err := merge(old, new, &o)
	if err != nil {
		return err
	}
	var boxes int64
	err = p.walk(ctx, &o, func(r Region) bool {
		p.describe(&r)
		return visit(p.schema, r)
	}, &boxes)
	if errors.Is(err, region.ErrLimit) {
		return fmt.Errorf("%w after %d boxes", rules.ErrLimit, boxes)
	}
	return err
}

// Constant returns the function that says the same of every packet of a schema.
func Constant(s *rules.Schema, verdict string) *Function {
	return &Function{schema: s, end: verdict}
}

// pair is two functions merged.
type pair struct {
	schema   *rules.Schema
	old, new *Function
	seq      *region.Sequence
	within   []region.Box
	// steps of the items: of the old function and of the new one, -1: of the other
	oldStep, newStep []int
}

// merge merges two functions.
func merge(old, new *Function, o *Options) (*pair, error) {
	if o.Steps <= 0 {
		o.Steps = DefaultSteps
	}
	if o.Regions <= 0 {
		o.Regions = DefaultRegions
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	s, err := common(old.schema, new.schema)
	if err != nil {
		return nil, err
	}
	p := &pair{schema: s, old: old, new: new}
	oldConds, within := old.on(s)
	newConds, more := new.on(s)
	_, asked := (&Function{schema: old.schema, within: o.Within}).on(s)
	within = slices.Concat(within, more, asked)

	x := region.NewSpace(s, func(field int) bool { return !o.Complete && mayLack(s.Field(field)) })
	x.Note(within)
	contents := func(f *Function, conds [][]rules.Cond) []string {
		out := make([]string, len(f.steps))
		for i := range f.steps {
			x.Note(conds[i])
			for _, t := range f.steps[i].tests {
				x.Opaque(t)
			}
			out[i] = f.content(s, conds[i], i)
		}
		return out
	}
	pairs := align(contents(old, oldConds), contents(new, newConds))
	x.Freeze()
	p.seq = region.NewSequence(x)
	pieces, err := x.Pieces(within)
	if err != nil {
		return nil, err
	}
	for _, piece := range pieces {
		if p.within, err = piece.Boxes(p.within); err != nil {
			return nil, err
		}
	}
	return p, p.lay(pairs, oldConds, newConds)
}

// mayLack reports whether packets may be without a field: of any but addresses and
// protocol.
func mayLack(f *rules.Field) bool {
	switch f.Kind {
	case rules.IPv4, rules.IPv6, rules.IP, rules.Proto:
		return false
	}
	return true
}

// common returns a schema that has the fields of both.
func common(a, b *rules.Schema) (*rules.Schema, error) {
	if a == b || a.Equal(b) {
		return a, nil
	}
	var fields []rules.Field
	for i := range a.Len() {
		fields = append(fields, *a.Field(i))
	}
	more := false
	for i := range b.Len() {
		f := b.Field(i)
		j := a.Index(f.Name)
		if j < 0 {
			fields = append(fields, *f)
			more = true
			continue
		}
		if g := a.Field(j); g.Bits != f.Bits || g.Kind != f.Kind {
			return nil, fmt.Errorf("%w: %s has %d bits in one and %d in the other, or another kind", ErrSchema, f.Name, g.Bits, f.Bits)
		}
	}
	if !more {
		return a, nil
	}
	s, err := rules.NewSchema(fields...)
	if err != nil {
		return nil, fmt.Errorf("%w: together they have too many: %w", ErrSchema, err)
	}
	return s, nil
}

// lay puts the steps of both functions in one sequence. pairs has for each step of
// the old function the same one of the new, or -1.
func (p *pair) lay(pairs []int, oldConds, newConds [][]rules.Cond) error {
	x := p.seq.Space
	values := map[string]int32{}
	value := func(v string) int32 {
		n, ok := values[v]
		if !ok {
			n = int32(len(values))
			values[v] = n
		}
		return n
	}
	p.seq.EndA, p.seq.EndB = value(p.old.end), value(p.new.end)
	// The order first: steps of the new function alone in front of the next shared one.
	type merged struct{ old, new int }
	var order []merged
	next := 0
	for i, j := range pairs {
		if j < 0 {
			order = append(order, merged{i, -1})
			continue
		}
		for ; next < j; next++ {
			order = append(order, merged{-1, next})
		}
		order = append(order, merged{i, j})
		next = j + 1
	}
	for ; next < len(p.new.steps); next++ {
		order = append(order, merged{-1, next})
	}
	oldAt, newAt := make([]int, len(p.old.steps)+1), make([]int, len(p.new.steps)+1)
	oldAt[len(p.old.steps)], newAt[len(p.new.steps)] = len(order), len(order)
	for k, m := range order {
		if m.old >= 0 {
			oldAt[m.old] = k
		}
		if m.new >= 0 {
			newAt[m.new] = k
		}
	}
	start := make([]int32, len(order)+1) // the items of places in the order
	var skips []int                      // items whose Next is a place yet
	for k, m := range order {
		start[k] = int32(len(p.seq.Items))
		toOld, toNew := 0, 0
		if m.old >= 0 && p.old.steps[m.old].skip {
			toOld = oldAt[p.old.steps[m.old].next]
		}
		if m.new >= 0 && p.new.steps[m.new].skip {
			toNew = newAt[p.new.steps[m.new].next]
		}
		parts := []merged{m}
		if m.old >= 0 && m.new >= 0 && toOld != toNew { // it goes on at different places
			parts = []merged{{m.old, -1}, {-1, m.new}}
		}
		for _, m := range parts {
			it := region.Item{}
			f, conds, i, to := p.old, oldConds, m.old, toOld
			switch {
			case m.new < 0:
				it.Side = region.OnlyA
			case m.old < 0:
				it.Side = region.OnlyB
				f, conds, i, to = p.new, newConds, m.new, toNew
			}
			s := &f.steps[i]
			it.Value = value(s.verdict)
			pieces, err := x.Pieces(conds[i], s.tests...)
			if err != nil {
				return fmt.Errorf("rule %d: %w", s.at.Rule+1, err)
			}
			for _, piece := range pieces {
				if s.skip {
					it.Next = int32(to)
					skips = append(skips, len(p.seq.Items))
				}
				p.seq.Add(it, piece)
				p.oldStep, p.newStep = append(p.oldStep, m.old), append(p.newStep, m.new)
			}
		}
	}
	start[len(order)] = int32(len(p.seq.Items))
	for _, i := range skips {
		p.seq.Items[i].Next = start[p.seq.Items[i].Next]
	}
	p.seq.Finish()
	return nil
}

// walk walks all packets that the comparison is about.
func (p *pair) walk(ctx context.Context, o *Options, visit func(Region) bool, boxes *int64) error {
	x := p.seq.Space
	for _, w := range p.within {
		meeting := p.seq.Meeting(w, 0, len(p.seq.Items))
		n, err := p.seq.Walk(ctx, w, meeting, region.Question{Limits: region.Limits{Steps: o.Steps, Held: o.Memory / 8}}, func(b region.Box, i, j int32) bool {
			if !x.Feasible(b) {
				return true
			}
			return visit(Region{box: slices.Clone(b), a: i, b: j})
		})
		*boxes += n
		if err != nil {
			return err
		}
	}
	return nil
}

// describe fills in a region from its box and the items that decide.
func (p *pair) describe(r *Region) {
	x := p.seq.Space
	r.Conds = x.Conds(r.box)
	r.Packets = x.Count(r.box)
	r.Witness, _ = x.Witness(r.box)
	r.Old = decision(p.old, p.oldStep, r.a)
	r.New = decision(p.new, p.newStep, r.b)
	texts, holds := x.Opaques(r.box)
	for i, t := range texts {
		text, isVague := strings.CutPrefix(t, vague)
		r.Unknown = r.Unknown || isVague
		if !holds[i] {
			text = "not " + text
		}
		r.Tests = append(r.Tests, text)
	}
}

func decision(f *Function, steps []int, item int32) Decision {
	if item < 0 {
		return Decision{f.end, rules.Place{Rule: -1}}
	}
	s := &f.steps[steps[item]]
	return Decision{s.verdict, s.at}
}

// finish fills in the regions, puts them in order and sums them up.
func (p *pair) finish(d *Difference) {
	sums := map[[2]string]*Change{}
	for i := range d.Regions {
		r := &d.Regions[i]
		p.describe(r)
		key := [2]string{r.Old.Verdict, r.New.Verdict}
		c := sums[key]
		if c == nil {
			c = &Change{Old: key[0], New: key[1], Packets: new(big.Int)}
			sums[key] = c
		}
		c.Regions++
		c.Packets.Add(c.Packets, r.Packets)
	}
	sort.SliceStable(d.Regions, func(i, j int) bool { return d.Regions[i].Packets.Cmp(d.Regions[j].Packets) > 0 })
	for _, c := range sums {
		d.Changes = append(d.Changes, *c)
	}
	sort.Slice(d.Changes, func(i, j int) bool {
		a, b := d.Changes[i], d.Changes[j]
		if c := a.Packets.Cmp(b.Packets); c != 0 {
			return c > 0
		}
		return a.Old+"\x00"+a.New < b.Old+"\x00"+b.New
	})
}
