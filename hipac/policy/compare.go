package policy

// Comparing two functions: the merged sequence of their steps, and the regions
// where they say different things.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"time"

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
	// Time is how long it may take before the result is partial; 0 is as long as
	// the context lasts.
	Time time.Duration
	// Regions is the number of regions that are returned, the largest ones. The
	// others are counted: see Difference.Left.
	Regions int
	// Memory is the number of bytes that the walk may take, half of it before the
	// result is partial and half of it for boxes that wait to be joined.
	Memory int64
	// Join makes one region of neighbours in which the same change of verdict is
	// made by other rules: see Region.Olds. Of two lists without verdicts (see OfList)
	// a change from rule to rule is the same whichever they are.
	Join bool
	// Complete says that packets have all fields of the schema. Otherwise they have
	// ports, TCP flags and ICMP types by their protocol, unless they are fragments,
	// and may be without any other field but addresses and protocol.
	Complete bool
}

// What Options are when they do not say.
const (
	DefaultSteps   int64 = 200_000_000
	DefaultRegions       = 1000
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

// Region is a set of packets of which two functions say different things: a product
// of sets of values.
type Region struct {
	// Conds are the conditions that the packets of the region meet, and no others
	// that are compared, of Difference.Schema.
	Conds []rules.Cond
	// Old and New are what is decided, and by which rules: of the witness.
	Old, New Decision
	// Olds and News are the rules that decide there, in order: up to 64 pairs of
	// them, and of lists without verdicts as many as a short search finds. Without Options.Join it is one on each side.
	Olds, News []rules.Place
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
}

// Change is a change of verdict, and how many packets it is about. Of two lists
// without verdicts whose regions are joined, a rule's verdict is no word.
type Change struct {
	Old, New string
	Regions  int
	// Packets is the number of packets, and Perhaps that in regions which depend on
	// tests.
	Packets, Perhaps *big.Int
}

// Difference is how two functions differ.
type Difference struct {
	// Schema has the fields of both.
	Schema *rules.Schema
	// Regions are disjoint, the largest first.
	Regions []Region
	// Left is the number of further regions that were not kept. They are in
	// Changes.
	Left int
	// Changes sums the regions by what changes, the largest first.
	Changes []Change
	// Packets is the number of packets that were compared.
	Packets *big.Int
	// Partial is not nil when there may be more: the limit that was reached.
	Partial error
	// Boxes is the number of boxes that were looked at.
	Boxes int64
}

// Same reports whether the functions say the same of every packet.
func (d *Difference) Same() bool { return len(d.Changes) == 0 && d.Partial == nil }

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
	p.apart = o.Join && old.plain && new.plain
	d, _, err := p.difference(ctx, &o)
	return d, err
}

// difference walks all packets and keeps what differs. space is the number of
// packets in what was kept, with what is opaque.
func (p *pair) difference(ctx context.Context, o *Options) (d *Difference, space *big.Int, err error) {
	d = &Difference{Schema: p.schema, Packets: new(big.Int)}
	c := newCells(p, o.Join, max(o.Regions, min(keptToJoin, int(o.Memory/2/bytesOfCell))))
	err = p.walk(ctx, o, func(b region.Box, i, j int32) bool {
		c.add(b, p.steps(i, j))
		return true
	}, &d.Boxes)
	if d.Partial, err = p.limit(ctx, err, o, d.Boxes); err != nil {
		return nil, nil, err
	}
	c.finish()
	c.trim(o.Regions)
	for i := range c.list {
		sets := c.setsOf(&c.list[i])
		who, err := p.deciders(ctx, sets, c.list[i].who)
		if err != nil {
			return nil, nil, err
		}
		d.Regions = append(d.Regions, p.region(sets, who, c.count(&c.list[i])))
	}
	sort.SliceStable(d.Regions, func(i, j int) bool { return d.Regions[i].Packets.Cmp(d.Regions[j].Packets) > 0 })
	d.Left, d.Changes = c.left, c.changes()
	for i := range p.within {
		sets := p.within[i].Sets()
		ids := make([]int32, len(sets))
		for k := range sets {
			ids[k] = c.id(k, sets[k])
		}
		d.Packets.Add(d.Packets, p.made.count(sets, ids))
	}
	return d, c.space, nil
}

// limit tells limits, which make a result partial, from errors.
func (p *pair) limit(ctx context.Context, err error, o *Options, boxes int64) (partial, failed error) {
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, region.ErrLimit) && boxes > o.Steps:
		return fmt.Errorf("%w: %d boxes", rules.ErrLimit, o.Steps), nil
	case errors.Is(err, region.ErrLimit):
		return fmt.Errorf("%w: %d bytes", rules.ErrLimit, o.Memory), nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return fmt.Errorf("%w: %v", rules.ErrLimit, o.Time.Round(time.Millisecond)), nil
	}
	return nil, err
}

// Each hands the regions of difference to visit as they are found: disjoint, and
// neither joined nor in order. It returns nil when visit returns false, and
// rules.ErrLimit when a limit is reached. Conditions, packets and witness are
// those of the schema s.
func Each(ctx context.Context, old, new *Function, o Options, visit func(s *rules.Schema, r Region) bool) error {
	p, err := merge(old, new, &o)
	if err != nil {
		return err
	}
	c := newCells(p, false, o.Regions)
	var boxes int64
	err = p.walk(ctx, &o, func(b region.Box, i, j int32) bool {
		sets := b.Sets()
		ids := make([]int32, len(sets))
		for d := range sets {
			ids[d] = c.id(d, sets[d])
		}
		return visit(p.schema, p.region(sets, []pairOf{p.steps(i, j)}, p.made.count(sets, ids)))
	}, &boxes)
	partial, err := p.limit(ctx, err, &o, boxes)
	return cmp.Or(err, partial)
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
	all      region.Box // what all packets that are compared have in common
	made     *makeup
	// steps of the items: of the old function and of the new one, -1: of the other
	oldStep, newStep []int

	// A query is about one verdict: all others are alike, and none.
	about, none string
	// apart is about lists without verdicts whose regions are joined: all that counts
	// is that packets are decided otherwise.
	apart bool

	numbers  map[string]int32 // of verdicts
	verdicts []string
}

// merge merges two functions.
func merge(old, new *Function, o *Options) (*pair, error) { return mergeAbout(old, new, o, "", "") }

// mergeAbout merges two functions for a question about one verdict; all others are
// none.
func mergeAbout(old, new *Function, o *Options, about, none string) (*pair, error) {
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
	p := &pair{schema: s, old: old, new: new, about: about, none: none}
	p.numbers = map[string]int32{}
	oldConds, within := old.on(s)
	newConds, more := new.on(s)
	_, asked := (&Function{schema: old.schema, within: o.Within}).on(s)
	both := slices.Concat(within, more)
	within = slices.Concat(both, asked)

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
	var bound bonds
	if !o.Complete {
		bound = noteBonds(x)
	}
	x.Freeze()
	p.made = newMakeup(x, bound, o.Complete)
	p.seq = region.NewSequence(x)
	p.all = x.All()
	if pieces, err := x.Pieces(both); err == nil && len(pieces) == 1 && pieces[0].Unions == nil {
		p.all = pieces[0].Hull
	}
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
	value := func(v string) int32 {
		if p.about != "" && v != p.about {
			v = p.none
		}
		return p.number(v)
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

// number numbers a verdict.
func (p *pair) number(v string) int32 {
	n, ok := p.numbers[v]
	if !ok {
		n = int32(len(p.verdicts))
		p.numbers[v] = n
		p.verdicts = append(p.verdicts, v)
	}
	return n
}

// walk walks all packets that the comparison is about.
func (p *pair) walk(ctx context.Context, o *Options, leaf region.Leaf, boxes *int64) error {
	if o.Time > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, o.Time)
		defer done()
	}
	on := true
	for _, w := range p.within {
		meeting := p.seq.Meeting(w, 0, len(p.seq.Items))
		n, err := p.seq.Walk(ctx, w, meeting, region.Question{Apart: p.apart, Limits: region.Limits{Steps: max(1, o.Steps-*boxes), Held: o.Memory / 8}}, func(b region.Box, i, j int32) bool {
			if p.made.some(b) {
				on = leaf(b, i, j)
			}
			return on
		})
		*boxes += n
		if err != nil || !on {
			return err
		}
	}
	return nil
}

const (
	// unknownStep is in place of a step of which it is not known yet which one it is.
	unknownStep = -2
	// Bounds of the search for those.
	mostBoxesAgain = 512
	mostStepsAgain = 20_000
)

// deciders returns the pairs of steps that decide somewhere in the sets, up to
// maxPairs of them, where the walk has left that open: that of the first packet, and
// others as far as the bounds go.
func (p *pair) deciders(ctx context.Context, sets region.Sets, who []pairOf) ([]pairOf, error) {
	if !slices.ContainsFunc(who, func(w pairOf) bool { return w.a == unknownStep || w.b == unknownStep }) {
		return who, nil
	}
	b := make(region.Box, len(sets))
	witness := p.made.witness(sets)
	who = []pairOf{p.steps(p.seq.Decide(p.seq.Space.PointOf(witness, func(d int) uint32 { return sets[d][0].Lo })))}
	left, steps := mostBoxesAgain, int64(mostStepsAgain)
	var each func(d int) error
	each = func(d int) error {
		if d < len(sets) {
			for _, s := range sets[d] {
				b[d] = s
				if err := each(d + 1); err != nil || left <= 0 || len(who) >= maxPairs {
					return err
				}
			}
			return nil
		}
		left--
		if !p.made.some(b) {
			return nil
		}
		n, err := p.seq.Walk(ctx, b, p.seq.Meeting(b, 0, len(p.seq.Items)), region.Question{Limits: region.Limits{Steps: steps}}, func(b region.Box, i, j int32) bool {
			if by := p.steps(i, j); !slices.Contains(who, by) && p.made.some(b) {
				who = append(who, by)
			}
			return len(who) < maxPairs
		})
		if steps -= n; errors.Is(err, region.ErrLimit) || steps <= 0 {
			left, err = 0, nil
		}
		return err
	}
	err := each(0)
	return who, err
}

// steps returns the steps of the items that decide.
func (p *pair) steps(i, j int32) pairOf {
	by := pairOf{-1, -1}
	if i == region.Undecided {
		by.a = unknownStep
	}
	if j == region.Undecided {
		by.b = unknownStep
	}
	if i >= 0 {
		by.a = int32(p.oldStep[i])
	}
	if j >= 0 {
		by.b = int32(p.newStep[j])
	}
	return by
}

// sizeOf tells sets of a dimension apart by size: about the number of values.
func (p *pair) sizeOf(d int, set []region.Span) float64 {
	x := p.seq.Space
	if _, ok := x.Kind(d); !ok {
		return float64(len(set))
	}
	n := 0.0
	for _, s := range set {
		n += x.Width(d, s)
	}
	return max(n, 1)
}

// joinOrder returns the dimensions in the order in which regions are joined: what
// reads best as a union first.
func (p *pair) joinOrder() []int {
	x := p.seq.Space
	rank := func(d int) int {
		switch kind, ok := x.Kind(d); {
		case !ok:
			return 0
		case kind == rules.IPv4 || kind == rules.IPv6 || kind == rules.IP:
			return 2
		}
		return 1
	}
	dims := make([]int, x.Dims())
	for d := range dims {
		dims[d] = d
	}
	slices.SortStableFunc(dims, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	return dims
}

// region describes the sets in which the steps decide.
func (p *pair) region(sets region.Sets, who []pairOf, packets *big.Int) Region {
	x := p.seq.Space
	r := Region{Conds: x.SetConds(sets, p.all), Packets: packets, Witness: p.made.witness(sets)}
	by := who[0]
	if len(who) > 1 {
		by = p.steps(p.seq.Decide(x.PointOf(r.Witness, func(d int) uint32 { return sets[d][0].Lo })))
	}
	r.Old, r.New = p.old.decision(by.a), p.new.decision(by.b)
	for _, w := range who {
		r.Olds, r.News = append(r.Olds, p.old.decision(w.a).At), append(r.News, p.new.decision(w.b).At)
	}
	r.Olds, r.News = distinct(r.Olds), distinct(r.News)
	texts, holds := x.OpaqueSets(sets)
	for i, t := range texts {
		text, isVague := strings.CutPrefix(t, vague)
		r.Unknown = r.Unknown || isVague
		if !holds[i] {
			text = "not " + text
		}
		r.Tests = append(r.Tests, text)
	}
	return r
}

// distinct returns the places in order, each once; policies last.
func distinct(in []rules.Place) []rules.Place {
	slices.SortFunc(in, func(a, b rules.Place) int {
		return cmp.Or(cmp.Compare(btoi(a.Rule < 0), btoi(b.Rule < 0)), cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Rule, b.Rule))
	})
	return slices.Compact(in)
}

// says returns the verdict of a step, or that of none.
func (f *Function) says(step int32) string {
	if step < 0 {
		return f.end
	}
	return f.steps[step].verdict
}

// decision returns what a step decides.
func (f *Function) decision(step int32) Decision {
	if step < 0 {
		return Decision{f.end, rules.Place{Rule: -1}}
	}
	s := &f.steps[step]
	return Decision{s.verdict, s.at}
}
