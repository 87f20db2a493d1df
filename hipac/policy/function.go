package policy

// What a rule set makes of packets, as a sequence of steps: the first step that
// matches a packet decides, or goes on further behind. Chains that are jumped to
// are laid out where they are called.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// maxSteps bounds the steps of a function: chains that call the next one twice
// double at every call.
const maxSteps = 1 << 21

// Function is what a rule set decides. It is immutable and safe for any number of
// goroutines. Make one with OfList or OfChain.
type Function struct {
	schema *rules.Schema
	steps  []step
	end    string
	within []rules.Cond // the packets that it is asked about
	rules  int          // rules that may decide
	ways   []way        // every rule, for each way to come to it, in order; of a list, or marked
	table  *rules.Table // nil: of a list
	entry  int          // the chain of the table
	plain  bool         // the verdicts are the rules' contents
	// unmodelled are the names of what rules ask that nobody knows.
	unmodelled map[string]bool
	times      map[string]int // how often each came so far, by text
}

// way is a rule, where it is come to in one of the ways.
type way struct {
	at       rules.Place
	from, to int32 // its steps, and those of the chains that it calls
	kind     rules.ActionKind
	effect   bool // it does something besides, or what it calls does
	unsure   bool // it asks for something with a memory, or not modelled
	conds    []rules.Cond
	tests    []string
}

// step is a rule, or one way to come to it.
type step struct {
	conds   []rules.Cond
	tests   []string // hold besides the conditions
	verdict string
	skip    bool // to the step next, without a verdict
	next    int
	at      rules.Place
	note    string // what the step does that the verdict does not say
}

// OfList returns the function of a list. verdict says what the rule at a position
// decides, in the words that regions will have; nil: the rule's own conditions and
// value by content, so that only equal rules decide the same. Rules marked Continue
// decide nothing. What no rule decides is end.
func OfList[T any](l *rules.List[T], verdict func(position int) string, end string) *Function {
	f := &Function{schema: l.Schema(), end: end, plain: verdict == nil}
	for i, r := range l.All() {
		s := step{conds: r.Conds, at: rules.Place{Rule: i}}
		if r.Unknown != "" {
			s.tests = []string{f.isUnmodelled(r.Unknown)}
		}
		n := int32(len(f.steps))
		w := way{at: s.at, from: n, to: n, effect: r.Continue, unsure: s.tests != nil, conds: r.Conds, tests: s.tests}
		if r.Continue {
			f.ways = append(f.ways, w)
			continue
		}
		w.kind, w.to = rules.Decide, n+1
		f.ways = append(f.ways, w)
		if verdict != nil {
			s.verdict = verdict(i)
		} else {
			s.verdict = rules.FormatRule(l.Schema(), r)
			if v := fmt.Sprint(r.Value); v != "" {
				s.verdict += " => " + v
			}
		}
		f.steps = append(f.steps, s)
	}
	f.rules = len(f.steps)
	return f
}

// OfChain returns the function of a chain of a table: what becomes of packets
// that enter the table there. Its verdicts are those of rules.Verdict as words;
// NONE where nothing decides. It fails with rules.ErrLimit where the chains, laid
// out, are more than two million steps.
func OfChain(t *rules.Table, chain int) (*Function, error) { return ofChain(t, chain, false) }

// ofChain is OfChain. marked: with the ways to rules, and steps that do nothing for
// the rules that have none, so that each rule has a place of its own.
func ofChain(t *rules.Table, chain int, marked bool) (*Function, error) {
	if chain < 0 || chain >= len(t.Chains) {
		return nil, fmt.Errorf("table %s has no chain %d", t.Name, chain)
	}
	f := &Function{schema: t.Schema, end: word(t.Chains[chain].Policy), within: family(t), table: t, entry: chain}
	l := layout{t: t, f: f, marked: marked, times: map[string]int{}}
	if err := l.chain(chain, nil, nil); err != nil {
		return nil, err
	}
	for i := range t.Chains {
		f.rules += t.Chains[i].Rules.Len()
	}
	return f, nil
}

// OfTable returns the functions of the chains that packets enter the table at.
func OfTable(t *rules.Table) (out []*Function, err error) {
	for _, c := range t.Roots() {
		f, err := OfChain(t, c)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// isUnmodelled takes note of something that nobody knows, and returns its name: nobody
// knows whether it holds the second time because it did the first.
func (f *Function) isUnmodelled(text string) string {
	if f.unmodelled == nil {
		f.unmodelled, f.times = map[string]bool{}, map[string]int{}
	}
	name := vague + text
	f.times[text]++
	for f.unmodelled[name] {
		name = fmt.Sprintf("%s%s (%d)", vague, text, max(f.times[text], 2))
		if f.unmodelled[name] {
			f.times[text]++
		}
	}
	f.unmodelled[name] = true
	return name
}

// word returns a verdict as regions name it.
func word(v rules.Verdict) string {
	if v == rules.NoVerdict {
		return "NONE"
	}
	return v.String()
}

// family returns the conditions on the packets that enter the table.
func family(t *rules.Table) (out []rules.Cond) {
	if t.Family == 0 {
		return nil
	}
	text := "0.0.0.0/0"
	for _, name := range []string{"src", "dst"} {
		i := t.Schema.Index(name)
		if i < 0 || t.Schema.Field(i).Kind != rules.IP {
			continue
		}
		c, err := t.Schema.ParseCond(name + "=" + text)
		if err != nil {
			continue
		}
		if t.Family == 6 {
			c = c.Negate()
		}
		out = append(out, c)
	}
	return out
}

// layout lays chains out.
type layout struct {
	t       *rules.Table
	f       *Function
	marked  bool
	times   map[string]int // how often a test with a memory came so far
	changed []string       // fields that a rule so far may have changed
	depth   int
}

// chain appends the steps of a chain that is entered by packets for which conds
// and tests hold.
func (l *layout) chain(chain int, conds []rules.Cond, tests []string) error {
	if l.depth++; l.depth > rules.DefaultLimits.MaxDepth {
		return fmt.Errorf("chain %s: %w: jumps nest more than %d deep", l.t.Chains[chain].Name, rules.ErrLimit, rules.DefaultLimits.MaxDepth)
	}
	defer func() { l.depth-- }()
	var returns []int // steps that leave this chain
	for i, r := range l.t.Chains[chain].Rules.All() {
		if len(l.f.steps) > maxSteps {
			return fmt.Errorf("%w: the chains are more than %d rules where they are called", rules.ErrLimit, maxSteps)
		}
		a := &r.Value
		at, from, mark := rules.Place{Chain: chain, Rule: i}, int32(len(l.f.steps)), len(l.f.ways)
		if l.marked {
			l.f.ways = append(l.f.ways, way{})
		}
		mine, more := l.conds(conds, r.Conds)
		also := append(append(append([]string(nil), tests...), more...), l.tests(r, mine, tests, at)...)
		if r.Unknown != "" {
			also = append(also, l.f.isUnmodelled(r.Unknown))
		}
		s := step{conds: mine, tests: also, at: at, note: a.Text}
		switch a.Kind {
		case rules.Decide:
			s.verdict = word(a.Verdict)
			l.f.steps = append(l.f.steps, s)
		case rules.Return:
			s.skip = true
			returns = append(returns, len(l.f.steps))
			l.f.steps = append(l.f.steps, s)
		case rules.Jump, rules.Goto:
			if err := l.chain(a.Chain, mine, also); err != nil {
				return err
			}
			if a.Kind == rules.Goto { // from the end of that chain back to where this one returns to
				s.skip = true
				returns = append(returns, len(l.f.steps))
				l.f.steps = append(l.f.steps, s)
			}
		}
		if l.marked {
			l.mark(way{at: at, from: from, kind: a.Kind, effect: effect(a.Ext), conds: mine, tests: also}, mark)
		}
		if a.Ext.Changes() {
			l.changed = append(l.changed, a.Ext.Writes...)
		}
	}
	for _, i := range returns {
		l.f.steps[i].next = len(l.f.steps)
	}
	return nil
}

// effect reports whether a rule does more than to decide: it changes the packet,
// leaves a note, or asking it changes what others see.
func effect(e *rules.Extension) bool {
	if e == nil {
		return false
	}
	for _, t := range e.Tests {
		if t.Stateful || t.Changes || t.Drops {
			return true
		}
	}
	return e.Target != nil || e.Changes()
}

// mark takes note of the way to a rule, whose number is mark.
func (l *layout) mark(w way, mark int) {
	if w.from == int32(len(l.f.steps)) {
		l.f.steps = append(l.f.steps, step{conds: w.conds, tests: w.tests, skip: true, next: int(w.from) + 1, at: w.at})
	}
	w.to = int32(len(l.f.steps))
	for _, t := range w.tests {
		w.unsure = w.unsure || strings.HasPrefix(t, vague)
	}
	for k := mark + 1; k < len(l.f.ways); k++ {
		w.effect = w.effect || l.f.ways[k].effect
	}
	l.f.ways[mark] = w
}

// vague marks a test whose answer is no function of the packet.
const vague = "?"

// conds returns the conditions of a rule and of the way to it. Those on fields that
// a rule before may have changed are nothing but texts.
func (l *layout) conds(way, own []rules.Cond) (out []rules.Cond, texts []string) {
	out = append(make([]rules.Cond, 0, len(way)+len(own)), way...)
	for i := range own {
		c := &own[i]
		if name := l.t.Schema.Field(c.Field()).Name; contains(l.changed, name) {
			texts = append(texts, vague+l.t.Schema.FormatCond(c)+", which a rule before may have changed")
			continue
		}
		out = append(out, *c)
	}
	return out, texts
}

// tests returns the texts of a rule's tests. A test that may drop the packet gets
// a step of its own.
func (l *layout) tests(r *rules.Rule[rules.Action], conds []rules.Cond, way []string, at rules.Place) (out []string) {
	if r.Value.Ext == nil {
		return nil
	}
	for _, t := range r.Value.Ext.Tests {
		text := t.Text
		if t.Stateful || t.Changes {
			l.times[text]++
			text = fmt.Sprintf("%s%s (%d)", vague, text, l.times[text])
		}
		if t.Drops {
			before := append(append(append([]string(nil), way...), out...), vague+text+" drops the packet")
			l.f.steps = append(l.f.steps, step{conds: conds, tests: before, verdict: word(rules.Drop), at: at, note: text})
		}
		out = append(out, text)
	}
	return out
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// Schema returns the schema of the rules.
func (f *Function) Schema() *rules.Schema { return f.schema }

// Steps returns the number of rules, counted once for every way to come to them.
func (f *Function) Steps() int { return len(f.steps) }

// on returns the steps' conditions moved to another schema that has the fields by
// name, and the conditions of within.
func (f *Function) on(s *rules.Schema) (conds [][]rules.Cond, within []rules.Cond) {
	index := make([]int, f.schema.Len())
	same := s == f.schema
	for i := range index {
		index[i] = s.Index(f.schema.Field(i).Name)
	}
	move := func(in []rules.Cond) []rules.Cond {
		if same {
			return in
		}
		out := make([]rules.Cond, len(in))
		for i := range in {
			out[i] = in[i].On(index[in[i].Field()])
		}
		return out
	}
	conds = make([][]rules.Cond, len(f.steps))
	for i := range f.steps {
		conds[i] = move(f.steps[i].conds)
	}
	return conds, move(f.within)
}

// content says what a step is, for steps of two functions to be the same. Conditions
// are written by the common schema.
func (f *Function) content(s *rules.Schema, conds []rules.Cond, i int) string {
	st := &f.steps[i]
	var b strings.Builder
	for k := range conds {
		b.WriteString(s.FormatCond(&conds[k]))
		b.WriteByte(' ')
	}
	for _, t := range st.tests {
		b.WriteByte(0)
		b.WriteString(t)
	}
	b.WriteByte(1)
	if st.skip {
		b.WriteString("skip")
	}
	b.WriteString(st.verdict)
	return b.String()
}

// Verdicts returns all that the function may say, in order.
func (f *Function) Verdicts() []string {
	out := []string{f.end}
	for i := range f.steps {
		if s := &f.steps[i]; !s.skip {
			out = append(out, s.verdict)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
