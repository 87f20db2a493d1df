package hipac

// Traces: the way of one packet along a path of tables, told rule by rule. The
// way itself is what evaluation of the compiled tables reports; only the
// reasons are asked of the rules.

import (
	"cmp"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// StepKind says what a step of a trace is.
type StepKind uint8

// The kinds of steps.
const (
	// Executed: the rule matches, or may match for all that is known.
	Executed StepKind = iota
	// Missed: the packet passed the rule, which does not match it.
	Missed
	// Returned: the packet came to the end of a chain that it was sent to.
	Returned
	// Policy: the policy of the chain that it entered at decides.
	Policy
	// Unreadable: the rule dropped the packet, because it is cut inside a header
	// that the rule reads; the rule does not match.
	Unreadable
)

var stepNames = [...]string{"rule", "miss", "return", "policy", "unreadable"}

// String returns the kind's name: rule, miss, return, policy, unreadable.
func (k StepKind) String() string { return stepNames[k] }

// Step is a step of a packet's way.
type Step struct {
	Kind StepKind
	// At is the rule. For Returned and Policy, Rule is the number of rules of
	// the chain.
	At rules.Place
	// Depth is the number of chains that wait for the packet to come back.
	Depth int
	// Answers say what the rule asked, and what came of it: of Executed all, of
	// Missed those in the way, and those behind them that are known.
	Answers []rules.Answer
}

// StopTrace is the way of a packet at one stop of its path.
type StopTrace struct {
	Stop  rules.Stop
	Steps []Step
	// Result is that of the stop; its verdict is NoVerdict when the packet did
	// not enter the table.
	Result rules.Result
	// Passed is the number of rules that the packet passed and that do not
	// match.
	Passed int
}

// NearMiss is a rule that a packet passed and that lacked only one thing.
type NearMiss struct {
	Stop int // index in Trace.Stops
	At   rules.Place
	// Failed is what did not hold.
	Failed rules.Answer
	// Held is the number of the rule's conditions and tests that did.
	Held int
}

// Trace is the way of a packet along a path.
type Trace struct {
	Stops []StopTrace // those that it came to
	// Near are the near misses: those with most that held first, those of one
	// number in the order of the way.
	Near   []NearMiss
	Result rules.PathResult
	// Left is the number of steps that were left out, see MaxSteps.
	Left int
}

// TraceOptions say how much a trace is to tell. The zero TraceOptions tell
// what happened, and no misses.
type TraceOptions struct {
	// Near is the number of near misses to find.
	Near int
	// All makes every rule that the packet passes a step.
	All bool
	// MaxSteps bounds the steps that are kept, the first ones; 0 means
	// DefaultMaxSteps. Chains that call one another several times can make a
	// packet take millions.
	MaxSteps int
	// Step is called for every step that is kept as it happens, before its
	// target is applied, with the index of the stop; nil: not called.
	Step func(stop int, s *Step)
}

// DefaultMaxSteps is far more than a reader wants, and some 10 MB.
const DefaultMaxSteps = 1 << 16

// Trace sends a packet along a path as Run does, and tells its way. It takes
// time and memory linear in the rules executed, and with Near or All in the
// rules of the chains that the packet goes through. Targets change s.
func (t *Tables) Trace(s rules.Subject, path rules.Path, o TraceOptions) *Trace {
	if o.MaxSteps == 0 {
		o.MaxSteps = DefaultMaxSteps
	}
	r := &tracer{s: s, path: path, opts: o, out: &Trace{}}
	r.out.Result = t.Run(s, path, &rules.Observer{Executed: r.executed, Left: r.left})
	r.trim(o.Near)
	return r.out
}

// tracer makes a Trace of what Run reports. It keeps the chains that wait for
// the packet, as the rules executed say.
type tracer struct {
	s      rules.Subject
	path   rules.Path
	opts   TraceOptions
	out    *Trace
	frames []position
	steps  int
}

// position is where the packet stands in a chain.
type position struct{ chain, next int }

func (r *tracer) stop(stop int) *StopTrace {
	for len(r.out.Stops) <= stop {
		at := r.path[len(r.out.Stops)]
		r.out.Stops = append(r.out.Stops, StopTrace{Stop: at})
		r.frames = append(r.frames[:0], position{chain: at.Chain})
	}
	return &r.out.Stops[stop]
}

func (r *tracer) add(stop int, s Step) {
	if s.Kind != Executed && s.Kind != Missed {
		s.At.Rule = max(s.At.Rule, 0)
	}
	if r.steps == r.opts.MaxSteps {
		r.out.Left++
		return
	}
	r.steps++
	t := &r.out.Stops[stop]
	t.Steps = append(t.Steps, s)
	if r.opts.Step != nil {
		r.opts.Step(stop, &t.Steps[len(t.Steps)-1])
	}
}

// comeTo goes on to a rule: chains that end before it are left, rules in front
// of it missed.
func (r *tracer) comeTo(stop int, at rules.Place) {
	for len(r.frames) > 0 {
		top := &r.frames[len(r.frames)-1]
		if top.chain == at.Chain && at.Rule >= top.next {
			r.missed(stop, top.chain, top.next, at.Rule)
			top.next = at.Rule + 1
			return
		}
		r.end(stop)
	}
}

// end leaves a chain at its end.
func (r *tracer) end(stop int) {
	top := r.frames[len(r.frames)-1]
	n := r.path[stop].Table.Chains[top.chain].Rules.Len()
	r.missed(stop, top.chain, top.next, n)
	r.frames = r.frames[:len(r.frames)-1]
	if top.chain != r.path[stop].Chain {
		r.add(stop, Step{Kind: Returned, At: rules.Place{Chain: top.chain, Rule: n}, Depth: len(r.frames)})
	}
}

func (r *tracer) executed(stop int, at rules.Place) {
	r.stop(stop)
	r.comeTo(stop, at)
	table := r.path[stop].Table
	rule := table.Chains[at.Chain].Rules.At(at.Rule)
	depth := max(len(r.frames)-1, 0)
	var answers []rules.Answer
	if r.steps < r.opts.MaxSteps {
		answers = r.answers(table, rule, true)
	}
	r.add(stop, Step{Kind: Executed, At: at, Depth: depth, Answers: answers})
	switch rule.Value.Kind {
	case rules.Jump:
		r.frames = append(r.frames, position{chain: rule.Value.Chain})
	case rules.Goto:
		r.frames[depth] = position{chain: rule.Value.Chain}
	case rules.Return:
		r.frames = r.frames[:depth]
	}
}

func (r *tracer) left(stop int, result rules.Result) {
	t := r.stop(stop)
	t.Result = result
	switch {
	case result.Verdict == rules.NoVerdict:
	case result.Dropped:
		r.comeTo(stop, result.By)
		rule := r.path[stop].Table.Chains[result.By.Chain].Rules.At(result.By.Rule)
		r.add(stop, Step{Kind: Unreadable, At: result.By, Depth: max(len(r.frames)-1, 0), Answers: r.answers(r.path[stop].Table, rule, false)})
	case result.By.Rule < 0:
		for len(r.frames) > 0 {
			r.end(stop)
		}
		n := r.path[stop].Table.Chains[result.By.Chain].Rules.Len()
		r.add(stop, Step{Kind: Policy, At: rules.Place{Chain: result.By.Chain, Rule: n}})
	}
}

// answers explains a rule. The tests of one that was executed have all held, or
// said that they do not know.
func (r *tracer) answers(table *rules.Table, rule *rules.Rule[rules.Action], executed bool) []rules.Answer {
	out := rule.Explain(table.Schema, r.s.Key())
	if p, ok := r.s.(rules.Partial); ok {
		fields, _, missing := p.Lost()
		for i := range out {
			if fields>>rule.Conds[i].Field()&1 != 0 {
				out[i].Outcome, out[i].Needs = rules.Unsure, missing
			}
		}
	}
	tests := rule.Value.Ext.ExplainTests(r.s)
	for i := range tests {
		if executed && !tests[i].Asked {
			tests[i].Outcome, tests[i].Asked = rules.Yes, true
		}
	}
	if out = append(out, tests...); rule.Unknown != "" {
		out = append(out, rules.Answer{Wanted: rule.Unknown, Outcome: rules.Unsure, Asked: true, Needs: rule.Unknown})
	}
	return out
}

// missed passes the rules of a chain from one up to another.
func (r *tracer) missed(stop, chain, from, to int) {
	t := &r.out.Stops[stop]
	t.Passed += max(to-from, 0)
	if r.opts.Near <= 0 && !r.opts.All {
		return
	}
	table := r.path[stop].Table
	k := r.s.Key()
	for i := from; i < to; i++ {
		rule := table.Chains[chain].Rules.At(i)
		if (!r.opts.All || r.steps == r.opts.MaxSteps) && failing(table.Schema, rule, k) > 1 {
			if r.opts.All {
				r.out.Left++
			}
			continue
		}
		at := rules.Place{Chain: chain, Rule: i}
		answers := r.answers(table, rule, false)
		settle(answers)
		if r.opts.All {
			r.add(stop, Step{Kind: Missed, At: at, Depth: max(len(r.frames)-1, 0), Answers: answers})
		}
		if r.opts.Near > 0 {
			r.near(stop, at, answers)
		}
	}
}

// failing returns the number of conditions that do not hold.
func failing(s *rules.Schema, rule *rules.Rule[rules.Action], k rules.Key) (n int) {
	for i := range rule.Conds {
		if c := &rule.Conds[i]; !c.Holds(s.Get(k, c.Field())) {
			n++
		}
	}
	return n
}

// settle finds out the answer of a test that was not asked again, of a rule
// that does not match: when all else holds, it said no.
func settle(answers []rules.Answer) {
	open := -1
	for i := range answers {
		switch a := &answers[i]; {
		case !a.Asked && open >= 0, a.Asked && a.Outcome != rules.Yes:
			return
		case !a.Asked:
			open = i
		}
	}
	if open >= 0 {
		answers[open].Asked, answers[open].Outcome = true, rules.No
	}
}

// near keeps a rule that lacked one thing. Rules of the list that stand for one
// rule of the file count once, by the one that held most.
func (r *tracer) near(stop int, at rules.Place, answers []rules.Answer) {
	miss := NearMiss{Stop: stop, At: at}
	failed := 0
	for i := range answers {
		switch a := &answers[i]; {
		case a.Asked && a.Outcome == rules.Yes:
			miss.Held++
		case a.Asked:
			miss.Failed = *a
			failed++
		}
	}
	if failed != 1 {
		return
	}
	list := r.path[stop].Table.Chains[at.Chain].Rules
	for i := len(r.out.Near) - 1; i >= 0; i-- {
		n := &r.out.Near[i]
		if n.Stop == stop && n.At.Chain == at.Chain && list.At(n.At.Rule).Value.Number == list.At(at.Rule).Value.Number {
			if miss.Held > n.Held {
				*n = miss
			}
			return
		}
		if n.Stop != stop || n.At.Chain != at.Chain {
			break
		}
	}
	r.out.Near = append(r.out.Near, miss)
	if len(r.out.Near) >= 4*r.opts.Near+64 {
		r.trim(r.opts.Near)
	}
}

// trim keeps the n nearest misses.
func (r *tracer) trim(n int) {
	slices.SortStableFunc(r.out.Near, func(a, b NearMiss) int { return cmp.Compare(b.Held, a.Held) })
	if len(r.out.Near) > n {
		r.out.Near = r.out.Near[:max(n, 0)]
	}
}
