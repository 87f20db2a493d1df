package hipac

// Explanations: why a list or a chain decides a packet as it does, and why a rule
// that one has in mind did not.

import (
	"errors"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// ErrNoList means that a classifier does not have what an explanation needs: it was
// built with FirstMatchOnly.
var ErrNoList = errors.New("the rules are not kept: see Options.FirstMatchOnly")

// Why says why a rule did not decide a packet.
type Why uint8

// The reasons.
const (
	// Decided: it did.
	Decided Why = iota
	// Failed: a condition or a test of it does not hold; see Reason.Answers.
	Failed
	// Behind: it matches, and Reason.By had decided before; of a chain, or had sent
	// the packet elsewhere.
	Behind
	// GoesOn: it matches, and does not decide by itself: it continues, jumps or
	// returns.
	GoesOn
	// NotEntered: the packet did not come to its chain; see Reason.Ways.
	NotEntered
)

var whyNames = [...]string{"decided", "failed", "behind", "goes on", "not entered"}

// String returns the reason's name: decided, failed, behind, goes on, not entered.
func (w Why) String() string { return whyNames[w] }

// Reason is why a rule did not decide a packet.
type Reason struct {
	Why Why
	// At is the rule; of a list Chain is 0.
	At rules.Place
	// Answers say of each condition, and of each test, what came of it. The first
	// one of Failed that does not hold is Failed.
	Answers []rules.Answer
	// By is what decided before. Rule is -1 for a policy.
	By rules.Place
	// Ways are, of a chain that was not entered, the rules that lead there and why
	// they did not; none lead to a chain that nobody calls.
	Ways []Reason
}

// Failed returns the first condition or test that does not hold, nil when all do.
func (r *Reason) Failed() *rules.Answer { return failed(r.Answers) }

func failed(answers []rules.Answer) *rules.Answer {
	for i := range answers {
		if a := &answers[i]; a.Asked && a.Outcome != rules.Yes {
			return a
		}
	}
	return nil
}

// Explanation is why a list decides a packet as it does.
type Explanation[T any] struct {
	// Matched is false when no rule decides; Match is the one that does.
	Matched bool
	Match   Match[T]
	// Answers are what the rule compared.
	Answers []rules.Answer
	// Next are the rules that would decide if all in front of them were not there,
	// in order. Continue rules are left out.
	Next []Match[T]
}

// Explain says why the list decides a packet as it does, with up to most rules that
// would be next; 0: all. What it finds is what Lookup and LookupAll find. It fails
// with ErrNoList where the rules are not there.
func (c *Classifier[T]) Explain(k rules.Key, most int) (e Explanation[T], err error) {
	l := c.source()
	if l == nil {
		return e, ErrNoList
	}
	if err := c.schema.CheckKey(k); err != nil {
		return e, err
	}
	e.Match, e.Matched = c.Lookup(k)
	if !e.Matched {
		return e, nil
	}
	e.Answers = answersOf(l, e.Match.Position, k)
	for _, m := range c.LookupAll(k, nil, 0) {
		if m.Position > e.Match.Position && !l.At(m.Position).Continue && (most <= 0 || len(e.Next) < most) {
			e.Next = append(e.Next, m)
		}
	}
	return e, nil
}

func answersOf[T any](l *rules.List[T], i int, k rules.Key) []rules.Answer {
	r := l.At(i)
	out := r.Explain(l.Schema(), k)
	if r.Unknown != "" {
		out = append(out, rules.Answer{Wanted: r.Unknown, Outcome: rules.Unsure, Asked: true, Needs: r.Unknown})
	}
	return out
}

// WhyNot says why the rule at a position did not decide a packet. It fails as
// Explain.
func (c *Classifier[T]) WhyNot(k rules.Key, position int) (r Reason, err error) {
	l := c.source()
	switch {
	case l == nil:
		return r, ErrNoList
	case position < 0 || position >= l.Len():
		return r, errors.New("no such rule")
	}
	if err := c.schema.CheckKey(k); err != nil {
		return r, err
	}
	by, decided := c.Position(k)
	r = Reason{At: rules.Place{Rule: position}, By: rules.Place{Rule: -1}, Answers: answersOf(l, position, k)}
	if decided {
		r.By.Rule = by
	}
	switch rule := l.At(position); {
	case !rule.Matches(l.Schema(), k):
		r.Why = Failed
	case decided && by < position:
		r.Why = Behind
	case rule.Continue:
		r.Why = GoesOn
	}
	return r, nil
}

// WhyNot says why the rule at a place of a table did not decide a packet that enters
// the table at a chain. It traces the packet, so targets change s and rules with a
// memory remember it. It fails where the trace is longer than DefaultMaxSteps.
func (t *Tables) WhyNot(s rules.Subject, stop rules.Stop, at rules.Place) (Reason, error) {
	if at.Chain < 0 || at.Chain >= len(stop.Table.Chains) || at.Rule < 0 || at.Rule >= stop.Table.Chains[at.Chain].Rules.Len() {
		return Reason{}, errors.New("no such rule")
	}
	trace := t.Trace(s, rules.Path{stop}, TraceOptions{All: true})
	if trace.Left > 0 {
		return Reason{}, errors.New("the packet's way is too long to be told")
	}
	w := whyNot{table: stop.Table, entry: stop.Chain, result: trace.Result.Result}
	if len(trace.Stops) > 0 {
		w.steps = trace.Stops[0].Steps
	}
	return w.of(at, nil), nil
}

// whyNot asks a trace.
type whyNot struct {
	table  *rules.Table
	entry  int
	steps  []Step
	result rules.Result
}

// of returns the reason of a rule. asked are the chains whose ways are being asked
// for.
func (w *whyNot) of(at rules.Place, asked []int) Reason {
	r := Reason{At: at, By: w.result.By}
	entered := at.Chain == w.entry && w.result.Verdict != rules.NoVerdict
	for i := range w.steps {
		s := &w.steps[i]
		if s.Kind == Executed {
			if a := &w.table.Chains[s.At.Chain].Rules.At(s.At.Rule).Value; (a.Kind == rules.Jump || a.Kind == rules.Goto) && a.Chain == at.Chain {
				entered = true
			}
		}
		if s.At != at || s.Kind != Executed && s.Kind != Missed && s.Kind != Unreadable {
			continue
		}
		r.Answers = s.Answers
		switch {
		case w.result.By == at:
			r.Why = Decided
		case s.Kind == Executed:
			r.Why = GoesOn
		default:
			r.Why = Failed
		}
		if s.Kind == Executed || r.Why == Decided {
			return r // it counts more than a pass that missed
		}
	}
	if r.Answers != nil || r.Why == Failed {
		return r
	}
	if entered {
		// The packet left the chain in front of it.
		r.Why = Behind
		for i := range w.steps {
			if s := &w.steps[i]; s.Kind == Executed && s.At.Chain == at.Chain && s.At.Rule < at.Rule {
				if kind := w.table.Chains[s.At.Chain].Rules.At(s.At.Rule).Value.Kind; kind == rules.Return || kind == rules.Goto {
					r.By = s.At
				}
			}
		}
		return r
	}
	r.Why = NotEntered
	if slices.Contains(asked, at.Chain) {
		return r
	}
	asked = append(slices.Clip(asked), at.Chain)
	for c := range w.table.Chains {
		for i, caller := range w.table.Chains[c].Rules.All() {
			if a := &caller.Value; (a.Kind == rules.Jump || a.Kind == rules.Goto) && a.Chain == at.Chain && len(r.Ways) < maxWays {
				r.Ways = append(r.Ways, w.of(rules.Place{Chain: c, Rule: i}, asked))
			}
		}
	}
	return r
}

// maxWays bounds the callers of a chain that are told.
const maxWays = 16
