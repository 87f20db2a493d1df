package rules

// Chains: lists of rules that call one another, as iptables has them. A
// table's packets enter at a built-in chain; rules accept, drop, jump to
// another chain and come back. Evaluate walks them, and is to chains what the
// linear matcher is to lists: the definition of the right answer.

import (
	"fmt"
)

// Verdict is what becomes of a packet.
type Verdict uint8

// The verdicts. NoVerdict means that nothing decided: a packet left a chain
// that has no policy. Unknown means that a rule would have to decide that
// asks for something unknown; guessing would be a hole.
const (
	NoVerdict Verdict = iota
	Accept
	Drop
	Reject
	Unknown
	Queue  // handed to a program, which decides
	Stolen // taken by a target, which answers it itself
)

var verdictNames = [...]string{"NONE", "ACCEPT", "DROP", "REJECT", "UNKNOWN", "QUEUE", "STOLEN"}

// String returns the verdict in capitals, as iptables writes it.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// ParseVerdict reads a verdict in capitals, Unknown and NoVerdict excepted.
func ParseVerdict(s string) (Verdict, bool) {
	for v := Accept; v <= Stolen; v++ {
		if verdictNames[v] == s && v != Unknown {
			return v, true
		}
	}
	return NoVerdict, false
}

// ActionKind says what a rule of a chain does with a packet that it matches.
type ActionKind uint8

// The kinds of actions.
const (
	Pass   ActionKind = iota // count, and go on with the next rule
	Decide                   // end with Action.Verdict
	Jump                     // go through Action.Chain, then come back behind this rule
	Goto                     // go through Action.Chain, then return from this chain
	Return                   // go back behind the rule that jumped here, or to the policy
)

// Action is the value of a rule in a chain.
type Action struct {
	Kind    ActionKind
	Verdict Verdict // of Decide
	Chain   int     // of Jump and Goto: index in Table.Chains
	// Number is the rule's number in its chain as its file counts, from 1.
	// Several rules of a chain share one when a rule of the file became more
	// than one; at most one of those matches a packet.
	Number int
	// Piece says that the rule of the file which this one is of is that of the rule
	// before it, too. They may do different things: a map of verdicts becomes a rule
	// for each of them.
	Piece bool
	// Text is the target as its file writes it: "REJECT --reject-with tcp-reset".
	Text string
	// Packets and Bytes are the counters that the file had, 0 without.
	Packets, Bytes uint64
	// Ext is what the rule asks and does beyond conditions and verdict; nil:
	// nothing. Rules may share one.
	Ext *Extension
}

// Chain is a named list of rules.
type Chain struct {
	Name string
	// Policy decides packets that reach the end of a built-in chain; it is
	// NoVerdict in the others, from whose end packets return.
	Policy Verdict
	Rules  *List[Action]
	// Packets and Bytes are the policy's counters that the file had.
	Packets, Bytes uint64
}

// Table is a set of chains over one schema. It is immutable once Check has
// accepted it.
type Table struct {
	Name   string
	Family int // 4 or 6: the packets it sees; 0 for both
	Schema *Schema
	Chains []Chain
}

// Find returns the index of the named chain, or -1.
func (t *Table) Find(name string) int {
	for i := range t.Chains {
		if t.Chains[i].Name == name {
			return i
		}
	}
	return -1
}

// Roots returns the chains that packets enter at: those with a policy, or all
// of a table in which none has one.
func (t *Table) Roots() []int {
	var with, all []int
	for i := range t.Chains {
		if all = append(all, i); t.Chains[i].Policy != NoVerdict {
			with = append(with, i)
		}
	}
	if with == nil {
		return all
	}
	return with
}

// Check reports the first rule whose Continue does not fit its action (it is
// true for Pass and for nothing else), or the first chain whose rules are of
// another schema than the table's, or that jumps to a missing one; and of the
// chains that packets can come to (see Roots) the first that can come back to
// itself, that nests deeper than limits.MaxDepth, or that could make a packet
// walk more than limits.MaxWalk rules (chains that call the next one twice
// double the walk at every step). It takes time linear in the number of rules.
func (t *Table) Check(limits Limits) error {
	limits = limits.OrDefault()
	if t.Schema == nil {
		return fmt.Errorf("table %s has no schema", t.Name)
	}
	for i := range t.Chains {
		if c := &t.Chains[i]; c.Rules == nil || c.Rules.Schema() != t.Schema {
			return fmt.Errorf("table %s: chain %s: its rules are not of the table's schema", t.Name, c.Name)
		}
	}
	for i := range t.Chains {
		c := &t.Chains[i]
		for n, r := range c.Rules.All() {
			a := &r.Value
			if a.Kind > Return || r.Continue != (a.Kind == Pass) {
				return fmt.Errorf("table %s: chain %s: rule %d: only a rule that passes packets on continues", t.Name, c.Name, n+1)
			}
			if (a.Kind == Jump || a.Kind == Goto) && (a.Chain < 0 || a.Chain >= len(t.Chains)) {
				return fmt.Errorf("table %s: chain %s: rule %d goes to a chain that does not exist", t.Name, c.Name, a.Number)
			}
		}
	}
	const (
		unseen = iota
		active
		done
	)
	state := make([]uint8, len(t.Chains))
	depth := make([]int, len(t.Chains))  // chains below, this one included
	walk := make([]int64, len(t.Chains)) // rules that a packet may meet from here
	type frame struct{ chain, rule int }
	for _, root := range t.Roots() {
		if state[root] != unseen {
			continue
		}
		state[root] = active
		stack := []frame{{root, 0}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			c := &t.Chains[top.chain]
			depth[top.chain] = max(depth[top.chain], 1)
			if top.rule == c.Rules.Len() {
				state[top.chain] = done
				self := top.chain
				walk[self] += int64(c.Rules.Len())
				below := depth[self]
				if stack = stack[:len(stack)-1]; len(stack) > 0 {
					up := stack[len(stack)-1].chain
					depth[up] = max(depth[up], below+1)
					walk[up] += walk[self]
				}
				if below > limits.MaxDepth {
					return fmt.Errorf("table %s: chain %s nests %d chains: %w: at most %d", t.Name, c.Name, below, ErrLimit, limits.MaxDepth)
				}
				if walk[self] > int64(limits.MaxWalk) {
					return fmt.Errorf("table %s: chain %s: a packet could meet %d rules or more: %w: at most %d", t.Name, c.Name, walk[self], ErrLimit, limits.MaxWalk)
				}
				continue
			}
			r := c.Rules.At(top.rule)
			a := &r.Value
			top.rule++
			if a.Kind != Jump && a.Kind != Goto {
				continue
			}
			switch state[a.Chain] {
			case active:
				return fmt.Errorf("table %s: chain %s: rule %d: loop: %s is reached from itself", t.Name, c.Name, a.Number, t.Chains[a.Chain].Name)
			case done:
				depth[top.chain] = max(depth[top.chain], depth[a.Chain]+1)
				walk[top.chain] += walk[a.Chain]
			default:
				state[a.Chain] = active
				stack = append(stack, frame{a.Chain, 0})
			}
		}
	}
	return nil
}

// Admits reports whether packet k enters the table: one of a family only sees
// packets whose addresses src and dst, fields of kind IP, are of that family.
func (t *Table) Admits(k Key) bool {
	if t.Family == 0 {
		return true
	}
	for _, i := range t.Schema.tuple[:2] { // src and dst
		if i < 0 || t.Schema.fields[i].Kind != IP {
			continue
		}
		v, present := t.Schema.Get(k, i)
		if !present || v.is4in6() != (t.Family == 4) {
			return false
		}
	}
	return true
}
