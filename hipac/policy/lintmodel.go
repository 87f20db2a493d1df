package policy

// The rules of a rule set as Lint looks at them: each rule of the file once, with
// all ways to come to it, over one space of packets.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

// subject is a rule of the file.
type subject struct {
	at     rules.Place // its first piece
	pieces int
	kind   rules.ActionKind
	effect bool
	unsure bool
	ways   []wayRef

	state state
	// A packet that gets to the rule, by its coordinates, and the way on which.
	box   region.Box
	point region.Point // the first of box
	way   wayRef
	// next decides the packet at the point without the rule, for as long as it is
	// there.
	next    int32
	finding *Finding // that is handed out when the chains are known
	tried   bool     // whether it is needed could not be found out
	proven  bool     // point and next show that the rule is needed
	single  bool     // it is needed, since nothing else says the same
}

// wayRef is a way of a function.
type wayRef struct{ fn, way int32 }

// state is what was found out about a rule.
type state uint8

const (
	notAsked  state = iota
	live            // some packet gets to it
	dead            // none does
	isNever         // and its own conditions are why
	isOutside       // and the ways to its chain are why
	unsolved        // nobody knows: a limit was reached
)

// lint is a run.
type lint struct {
	ctx     context.Context
	o       LintOptions
	fs      []*Function
	seqs    []*region.Sequence
	first   [][]int32 // of a function, the first item of a step; and behind the last one
	stepOf  [][]int32 // of a function, the step of an item
	space   *region.Space
	packets *makeup
	some    func(region.Box) bool // whether a box holds a packet; nil: all do
	unknown []int                 // dimensions of what is not modelled
	values  map[string]int32
	counts  []int     // steps by value, over all functions
	gone    [][]bool  // items that were taken out, of each function
	all     []subject // in the order of the file
	index   [][]int32 // by chain and position in its list: the subject
	yield   func(Finding) bool
	steps   atomic.Int64
	limited atomic.Int64 // questions that were given up
}

// lintAll looks for everything.
func lintAll(ctx context.Context, o LintOptions, fs []*Function, yield func(Finding) bool) error {
	if len(fs) == 0 {
		return fmt.Errorf("%w: there is none", ErrFunctions)
	}
	fs = slices.Clone(fs)
	for i, f := range fs {
		if f.table != fs[0].table || f.table == nil && len(fs) > 1 {
			return ErrFunctions
		}
		if f.table != nil {
			var err error
			if fs[i], err = ofChain(f.table, f.entry, true); err != nil {
				return err
			}
		}
	}
	if o.Named <= 0 {
		o.Named = defaultNamed
	}
	if o.RuleSteps <= 0 {
		o.RuleSteps = defaultRuleSteps
	}
	if o.Steps <= 0 {
		o.Steps = DefaultSteps
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	l := &lint{ctx: ctx, o: o, fs: fs, yield: yield, values: map[string]int32{}}
	if o.Time > 0 {
		var stop context.CancelFunc
		l.ctx, stop = context.WithTimeout(ctx, o.Time)
		defer stop()
	}
	err := l.run()
	switch {
	case errors.Is(err, errEnded):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case l.ctx.Err() != nil:
		return fmt.Errorf("%w: %v", rules.ErrLimit, o.Time)
	case err != nil:
		return err
	case l.limited.Load() > 0:
		return fmt.Errorf("%w: %d questions about rules were given up after %d boxes", rules.ErrLimit, l.limited.Load(), l.steps.Load())
	}
	return nil
}

func (l *lint) run() error {
	if err := l.model(); err != nil {
		return err
	}
	for _, stage := range []func() error{l.never, l.reach, l.chains, l.unneeded, l.neighbours, l.overlaps, l.reduce} {
		if err := stage(); err != nil {
			return err
		}
	}
	return nil
}

// found hands out a finding.
func (l *lint) found(f Finding) error {
	if len(f.Rules) > 0 {
		f.Chain = f.Rules[0].Chain
	}
	if !l.yield(f) {
		return errEnded
	}
	return nil
}

// model builds the sequences and the subjects.
func (l *lint) model() error {
	s := l.fs[0].schema
	x := region.NewSpace(s, func(field int) bool { return !l.o.Complete && mayLack(s.Field(field)) })
	items := int64(0)
	for _, f := range l.fs {
		x.Note(f.within)
		for i := range f.ways {
			x.Note(f.ways[i].conds)
			for _, t := range f.ways[i].tests {
				x.Opaque(t)
			}
		}
		for i := range f.steps {
			for _, t := range f.steps[i].tests {
				x.Opaque(t)
			}
		}
		items += int64(len(f.steps))
	}
	if t := l.fs[0].table; t != nil {
		for i := range t.Chains {
			for _, r := range t.Chains[i].Rules.All() {
				x.Note(r.Conds)
			}
		}
	}
	var bound bonds
	if !l.o.Complete {
		bound = noteBonds(x)
	}
	x.Freeze()
	if need := items * int64(x.Dims()) * 20; need > l.o.Memory {
		return fmt.Errorf("%w: %d rules, counted for every way to come to them, that ask for %d different things take %d MB", rules.ErrLimit, items, x.Dims(), need>>20)
	}
	l.space, l.packets = x, newMakeup(x, bound, l.o.Complete)
	bits := slices.ContainsFunc(l.packets.groups, func(g group) bool { return len(g.dims) > len(g.fields) })
	if bits || len(l.packets.bound) > 0 {
		l.some = l.packets.some
	}
	unmodelled := map[string]bool{}
	for _, f := range l.fs {
		for t := range f.unmodelled {
			unmodelled[t] = true
		}
	}
	for t := range unmodelled {
		if d, ok := x.OpaqueDim(t); ok {
			l.unknown = append(l.unknown, d)
		}
	}
	for _, f := range l.fs {
		if err := l.sequence(f); err != nil {
			return err
		}
	}
	l.subjects()
	return l.ctx.Err()
}

// sequence builds that of a function.
func (l *lint) sequence(f *Function) error {
	value := func(v string) int32 {
		n, ok := l.values[v]
		if !ok {
			n = int32(len(l.values))
			l.values[v] = n
			l.counts = append(l.counts, 0)
		}
		return n
	}
	q := region.NewSequence(l.space)
	q.EndA = value(f.end)
	q.EndB = q.EndA
	l.counts[q.EndA]++
	first := make([]int32, len(f.steps)+1)
	var stepOf []int32
	for i := range f.steps {
		if i%1024 == 0 && l.ctx.Err() != nil {
			return l.ctx.Err()
		}
		s := &f.steps[i]
		first[i] = int32(len(q.Items))
		pieces, err := l.space.Pieces(s.conds, s.tests...)
		if err != nil {
			return fmt.Errorf("rule %s: %w", l.name(s.at), err)
		}
		if len(pieces) == 0 { // an item all the same, which matches nothing: a place of its own
			none := region.Piece{Hull: make(region.Box, l.space.Dims())}
			for d := range none.Hull {
				none.Hull[d] = region.Span{Lo: math.MaxUint32}
			}
			pieces = []region.Piece{none}
		}
		v := value(s.verdict)
		if !s.skip {
			l.counts[v]++
		}
		for _, p := range pieces {
			it := region.Item{Rule: int32(i), Value: v}
			if s.skip {
				it.Next = int32(s.next)
			}
			q.Add(it, p)
			stepOf = append(stepOf, int32(i))
		}
	}
	first[len(f.steps)] = int32(len(q.Items))
	for i := range q.Items {
		if it := &q.Items[i]; it.Next != 0 {
			it.Next = first[it.Next]
		}
	}
	q.Finish()
	l.seqs, l.first, l.stepOf = append(l.seqs, q), append(l.first, first), append(l.stepOf, stepOf)
	return nil
}

// subjects gathers the rules of the file.
func (l *lint) subjects() {
	t := l.fs[0].table
	if t == nil {
		ways := l.fs[0].ways
		l.index = [][]int32{make([]int32, len(ways))}
		for i := range ways {
			l.index[0][i] = int32(i)
			l.all = append(l.all, subject{at: ways[i].at, pieces: 1, kind: ways[i].kind, effect: ways[i].effect, unsure: ways[i].unsure})
		}
	} else {
		for c := range t.Chains {
			index := make([]int32, t.Chains[c].Rules.Len())
			for i, r := range t.Chains[c].Rules.All() {
				if !together(t.Chains[c].Rules, i) {
					l.all = append(l.all, subject{at: rules.Place{Chain: c, Rule: i}, kind: r.Value.Kind, effect: effect(r.Value.Ext)})
				}
				index[i] = int32(len(l.all) - 1)
				s := &l.all[index[i]]
				s.pieces++
			}
			l.index = append(l.index, index)
		}
	}
	for fn, f := range l.fs {
		for w := range f.ways {
			s := l.subject(f.ways[w].at)
			s.ways = append(s.ways, wayRef{int32(fn), int32(w)})
			s.effect = s.effect || f.ways[w].effect
			s.unsure = s.unsure || f.ways[w].unsure
		}
	}
}

// together reports whether the rule at a position is one with that before it: both
// are pieces of one rule of the file, and do the same. Those of a map of verdicts are
// looked at one by one.
func together(l *rules.List[rules.Action], i int) bool {
	a := &l.At(i).Value
	if i == 0 || !a.Piece {
		return false
	}
	before := &l.At(i - 1).Value
	return a.Kind == before.Kind && a.Verdict == before.Verdict && a.Chain == before.Chain
}

func (l *lint) subject(at rules.Place) *subject { return &l.all[l.index[at.Chain][at.Rule]] }

// span returns the positions of a way's items: from, and before to.
func (l *lint) span(w wayRef) (from, to int) {
	x := &l.fs[w.fn].ways[w.way]
	return int(l.first[w.fn][x.from]), int(l.first[w.fn][x.to])
}

// boxes returns the packets that a rule matches on a way, as disjoint boxes.
func (l *lint) boxes(w wayRef) (out []region.Box, err error) {
	f := l.fs[w.fn]
	x := &f.ways[w.way]
	if len(f.within) == 0 && x.kind == rules.Decide && !x.effect { // one step, whose items they are
		q := l.seqs[w.fn]
		for i, to := l.span(w); i < to; i++ {
			p := region.Piece{Hull: q.Hull(i), Unions: q.Unions(i)}
			if len(p.Hull) > 0 && p.Hull[0].Lo > p.Hull[0].Hi {
				continue
			}
			if out, err = p.Boxes(out); err != nil {
				return nil, fmt.Errorf("rule %s: %w", l.name(x.at), err)
			}
		}
		return l.real(out), nil
	}
	return l.boxesOf(x.at, slices.Concat(f.within, x.conds), x.tests)
}

// boxesOf returns the packets for which conditions and tests hold.
func (l *lint) boxesOf(at rules.Place, conds []rules.Cond, tests []string) (out []region.Box, err error) {
	pieces, err := l.space.Pieces(conds, tests...)
	for i := 0; i < len(pieces) && err == nil; i++ {
		out, err = pieces[i].Boxes(out)
	}
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", l.name(at), err)
	}
	return l.real(out), nil
}

// real leaves out the boxes without a packet.
func (l *lint) real(boxes []region.Box) []region.Box {
	if l.some == nil {
		return boxes
	}
	return slices.DeleteFunc(boxes, func(b region.Box) bool { return !l.some(b) })
}

// name is how texts call a rule.
func (l *lint) name(at rules.Place) string {
	if l.o.Name != nil {
		return l.o.Name(at)
	}
	t := l.fs[0].table
	if t == nil {
		return strconv.Itoa(at.Rule + 1)
	}
	n := at.Rule + 1
	if number := t.Chains[at.Chain].Rules.At(at.Rule).Value.Number; number > 0 {
		n = number
	}
	return t.Chains[at.Chain].Name + "/" + strconv.Itoa(n)
}

// names writes "rule 1", "rules 1, 2 and 3", "rules 1, 2 and 7 others".
func (l *lint) names(at []rules.Place, more int) string {
	var words []string
	for _, p := range at {
		words = append(words, l.name(p))
	}
	switch {
	case more == 1:
		words = append(words, "another")
	case more > 1:
		words = append(words, fmt.Sprintf("%d others", more))
	}
	if len(words) == 1 {
		return "rule " + words[0]
	}
	return "rules " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// named puts the subjects in order and cuts those that are too many to name.
func (l *lint) named(subjects []int32) (at []rules.Place, more int) {
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	for _, s := range subjects[:min(len(subjects), l.o.Named)] {
		at = append(at, l.all[s].at)
	}
	return at, max(0, len(subjects)-l.o.Named)
}

// limits are those of a question.
func (l *lint) limits() region.Limits {
	return region.Limits{Steps: max(1, min(l.o.RuleSteps, l.o.Steps-l.steps.Load())), Held: l.o.Memory / 8}
}

// helper is what one goroutine needs.
type helper struct {
	rng     *rand.Rand
	scratch []int32
	point   region.Point
	box     region.Box
	out     [][]bool // items of the rule that is asked about, of each function
	packets *makeup
}

func (l *lint) helper() *helper {
	h := &helper{rng: rand.New(rand.NewPCG(1, 1)), point: make(region.Point, l.space.Dims()), packets: l.packets}
	for _, q := range l.seqs {
		h.out = append(h.out, make([]bool, len(q.Items)))
	}
	return h
}

// draw draws a point of the box: each coordinate is a bound of it, or between. Where
// fields are bound together it is of some world of each group of them; it may be no
// packet all the same.
func (h *helper) draw(b region.Box) region.Point {
	h.box = append(h.box[:0], b...)
	for _, g := range h.packets.bound {
		first := h.rng.IntN(len(g.worlds))
		for k := range g.worlds {
			if clip(h.box, g.worlds[(first+k)%len(g.worlds)], g.dims, h.rng.IntN) {
				break
			}
		}
	}
	for d, s := range h.box {
		switch h.rng.IntN(4) {
		case 0:
			h.point[d] = s.Lo
		case 1:
			h.point[d] = s.Hi
		default:
			h.point[d] = s.Lo + uint32(h.rng.Uint64N(uint64(s.Hi-s.Lo)+1))
		}
	}
	return h.point
}

// clip makes the box what of it is in a world, of a group with these dimensions, by
// a choice among so many spans.
func clip(b region.Box, w world, dims []int, choose func(int) int) bool {
	if !meets(b, w) {
		return false
	}
	for _, d := range dims {
		if w[d] == nil {
			continue
		}
		var hit [16]region.Span
		n := 0
		for _, s := range w[d] {
			if s = (region.Span{Lo: max(s.Lo, b[d].Lo), Hi: min(s.Hi, b[d].Hi)}); s.Lo <= s.Hi && n < len(hit) {
				hit[n] = s
				n++
			}
		}
		b[d] = hit[choose(n)]
	}
	return true
}

// inside returns a point of a box that holds packets: a packet, but for bits.
func (h *helper) inside(b region.Box) region.Point {
	b = slices.Clone(b)
	for _, g := range h.packets.bound {
		for _, w := range g.worlds {
			if clip(b, w, g.dims, func(int) int { return 0 }) {
				break
			}
		}
	}
	return b.Corner()
}

// holds reports whether a box holds a packet.
func (l *lint) holds(b region.Box) bool { return l.some == nil || l.some(b) }

// possible reports whether there is a packet at the point.
func (l *lint) possible(p region.Point) bool { return l.some == nil || l.some(p.Box()) }

// witness returns a packet of the box.
func (l *lint) witness(b region.Box) rules.Key { return l.packets.witness(b.Sets()) }

// chunk is the number of rules that are asked about before what was found is
// handed out.
const chunk = 2048

// each asks about all rules, on all processors; ask may change its subject and
// nothing else. What it returns is handed out in the order of the rules.
func (l *lint) each(ask func(h *helper, s *subject) ([]Finding, error)) error {
	workers := min(runtime.GOMAXPROCS(0), 16)
	helpers := make([]*helper, workers)
	for first := 0; first < len(l.all); first += chunk {
		part := l.all[first:min(len(l.all), first+chunk)]
		answers := make([][]Finding, len(part))
		errs := make([]error, workers)
		var next atomic.Int64
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() {
				if helpers[w] == nil {
					helpers[w] = l.helper()
				}
				h := helpers[w]
				for i := next.Add(1) - 1; int(i) < len(part) && errs[w] == nil; i = next.Add(1) - 1 {
					// The same packets are drawn whoever asks.
					h.rng = rand.New(rand.NewPCG(uint64(first)+uint64(i), 7))
					if errs[w] = l.ctx.Err(); errs[w] == nil {
						answers[i], errs[w] = ask(h, &part[i])
					}
				}
			})
		}
		wait.Wait()
		for _, fs := range answers {
			for _, f := range fs {
				if err := l.found(f); err != nil {
					return err
				}
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// gaveUp takes note of the steps of a walk, and reports whether it was given up
// at a limit; another error is returned.
func (l *lint) gaveUp(steps int64, err error) (bool, error) {
	l.steps.Add(steps)
	if errors.Is(err, region.ErrLimit) {
		l.limited.Add(1)
		return true, nil
	}
	return false, err
}
