package rules

// Evaluation of a packet by a table: the walk over its chains, rule by rule.
// It is to chains what the linear matcher is to lists, the definition of the
// right answer.

// Place is a rule of a table, or a chain's policy.
type Place struct {
	Chain int // index in Table.Chains
	Rule  int // position in the chain's list; -1 for the policy
}

// Result is the outcome of evaluating a packet.
type Result struct {
	Verdict Verdict
	// By is the rule or the policy that decided.
	By Place
	// Needs says what is missing when the verdict is Unknown: "owner", "the
	// set blocked".
	Needs string
	// Dropped is true when the rule dropped the packet because it could not be
	// read ("hotdrop"): the rule did not match it, and is not executed.
	Dropped bool
}

// keyOnly is a packet of which nothing but its key is known.
type keyOnly Key

func (k keyOnly) Key() Key             { return Key(k) }
func (k keyOnly) Enters(t *Table) bool { return t.Admits(Key(k)) }

// KeyOnly returns a Subject that is known by its key alone. Tests and targets
// that ask for more are unsure of it.
func KeyOnly(k Key) Subject { return keyOnly(k) }

// Evaluate is Run for a packet that is known by its key alone.
func (t *Table) Evaluate(k Key, chain int, trace func(Place)) Result {
	return t.Run(keyOnly(k), chain, trace)
}

// Run walks the table from a chain and returns what becomes of the packet.
// When trace is not nil it is called for every rule executed, in order, the
// deciding one included, and not for policies. A packet that does not enter
// the table gets NoVerdict at once. Targets change s on the way. Where s is a
// Partial, a rule that asks for a field that nobody knows is Unsure, unless
// something else says that it does not match.
func (t *Table) Run(s Subject, chain int, trace func(Place)) Result {
	if !s.Enters(t) {
		return Result{Verdict: NoVerdict, By: Place{chain, -1}}
	}
	type frame struct{ chain, next, deep int }
	var stack []frame
	entry, next := chain, 0
	deep := 0 // chains that led here: more than there are is a loop, of chains that no root leads to
	k, lack := s.Key(), lostOf(s)
	for {
		if deep > len(t.Chains) {
			return Result{Verdict: Unknown, By: Place{chain, -1}, Needs: "an end: the chain is reached from itself"}
		}
		c := &t.Chains[chain]
		if next >= c.Rules.Len() {
			if len(stack) == 0 {
				return Result{Verdict: t.Chains[entry].Policy, By: Place{entry, -1}}
			}
			top := stack[len(stack)-1]
			chain, next, deep = top.chain, top.next, top.deep
			stack = stack[:len(stack)-1]
			continue
		}
		here := Place{chain, next}
		r := c.Rules.At(next)
		next++
		e := r.Value.Ext
		var outcome Outcome
		var needs string
		switch {
		case lack.nothing():
			if e != nil && e.Unreadable(t, r, s) {
				return Result{Verdict: Drop, By: here, Dropped: true}
			}
			if !r.Matches(t.Schema, k) {
				continue
			}
			outcome, needs = e.Outcome(r, s)
		default:
			if e != nil {
				switch lack.unreadable(e, t, r, s) {
				case Yes:
					return Result{Verdict: Drop, By: here, Dropped: true}
				case Unsure:
					if trace != nil {
						trace(here)
					}
					return Result{Verdict: Unknown, By: here, Needs: lack.missing}
				}
			}
			switch lack.hold(r.Conds, t.Schema, k) {
			case No:
				continue
			case Yes:
				outcome, needs = e.Outcome(r, s)
			default:
				outcome, needs = e.unsureOutcome(lack.missing, s)
			}
		}
		if e.Changes() {
			k = s.Key() // asking may change the packet, whatever the answer
		}
		switch outcome {
		case No:
			continue
		case DropNow:
			return Result{Verdict: Drop, By: here, Dropped: true}
		}
		if trace != nil {
			trace(here)
		}
		if outcome == DropBehind {
			if e.Target != nil {
				e.Target.Apply(s, here, "")
			}
			return Result{Verdict: Drop, By: here}
		}
		if outcome == Unsure && e.Ends(r) {
			return Result{Verdict: Unknown, By: here, Needs: needs}
		}
		if e != nil && e.Target != nil {
			if outcome == Unsure {
				e.Target.Apply(s, here, needs)
				continue
			}
			switch outcome, needs = e.Target.Apply(s, here, ""); outcome {
			case No:
				continue
			case DropNow:
				return Result{Verdict: Drop, By: here}
			case Unsure:
				return Result{Verdict: Unknown, By: here, Needs: needs}
			}
			if e.Changes() {
				k = s.Key()
			}
		}
		switch r.Value.Kind {
		case Decide:
			return Result{Verdict: r.Value.Verdict, By: here}
		case Jump:
			stack = append(stack, frame{chain, next, deep})
			chain, next = r.Value.Chain, 0
			deep++
		case Goto:
			chain, next = r.Value.Chain, 0
			deep++
		case Return:
			next = c.Rules.Len()
		}
	}
}
