package nftables

// From the statements of a rule to the rules of the model.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// Sizes in bytes, for Limits.MaxMemory, as rules.Builder counts them.
const (
	ruleBytes      = 128
	condBytes      = 64
	intervalBytes  = 32
	extensionBytes = 160
	testBytes      = 128
)

// rawRule is a rule of the model whose conditions are about fields of the universe.
type rawRule struct {
	conds   []rules.Cond
	action  rules.Action
	comment string
	unknown string
}

func (r *rawRule) bytes() int64 {
	n := ruleBytes + condBytes*len(r.conds) + len(r.comment) + len(r.unknown)
	for i := range r.conds {
		ranges, _ := r.conds[i].Intervals()
		n += intervalBytes * len(ranges)
	}
	if e := r.action.Ext; !e.Plain() {
		n += extensionBytes + testBytes*len(e.Tests)
	}
	return int64(n)
}

// rule reads a rule.
func (t *tableReader) rule(c *chainReader, x *value) error {
	r := t.r
	b := &building{t: t, ways: []labelled{{}}}
	expr := x.get("expr")
	for i := range expr.list {
		if err := b.statement(&expr.list[i]); err != nil {
			return err
		}
	}
	comment := x.get("comment").or()
	c.texts = append(c.texts, b.ruleText(x, comment))
	if c.nat {
		b.unknown = append(b.unknown, "chain of type nat")
	}
	b.action.Number, b.action.Text = len(c.texts), strings.Join(b.does, " ")
	actions, err := b.actions()
	if err != nil {
		return err
	}
	err = b.settle(actions)
	var u *unmodelled
	if errors.As(err, &u) {
		err = b.lack(u, x.at)
	}
	if err != nil {
		return err
	}
	if t.rules += len(b.ways); t.rules > r.limits.MaxRules {
		err := r.errorAt(x.at, "", fmt.Sprintf("table %s has more than %d rules", t.name, r.limits.MaxRules))
		err.Err = rules.ErrLimit
		return err
	}
	if len(r.found) > 0 && !r.allow {
		return nil // the listing is refused: keep no more of it
	}
	unknown := strings.Join(b.unknown, ", ")
	ext := b.extension()
	for n, w := range b.ways {
		one := rawRule{conds: t.simple(w.way), action: actions[w.label], comment: comment, unknown: unknown}
		if a := &one.action; unknown != "" && (b.doubtful || c.nat) && a.Kind == rules.Pass {
			a.Kind, a.Verdict = rules.Decide, rules.Unknown
		}
		one.action.Ext, one.action.Piece = ext, n > 0
		r.bytes += one.bytes() + int64(len(c.texts[len(c.texts)-1].text))
		if r.bytes > r.limits.MaxMemory {
			err := r.errorAt(x.at, "", fmt.Sprintf("the rules take more than %d bytes of memory", r.limits.MaxMemory))
			err.Err = rules.ErrLimit
			return err
		}
		c.rules = append(c.rules, one)
	}
	return nil
}

// ruleText is the rule for people.
func (b *building) ruleText(x *value, comment string) ruleText {
	out := ruleText{text: strings.Join(b.text, " "), line: b.t.r.lineOf(x.at)}
	if h := x.get("handle"); h != nil {
		out.handle, _ = h.number()
	}
	if comment != "" {
		out.text += fmt.Sprintf(" comment %q", comment)
	}
	if out.text == "" {
		out.text = "(empty)"
	}
	return out
}

// actions are what the ways of the rule lead to, by their labels.
func (b *building) actions() ([]rules.Action, error) {
	if b.verdicts == nil {
		return []rules.Action{b.action}, nil
	}
	var out []rules.Action
	for _, v := range b.verdicts {
		a, err := b.t.decide(v)
		if err != nil {
			return nil, err
		}
		a.Number, a.Text = b.action.Number, strings.TrimSpace(strings.TrimSuffix(b.action.Text, "vmap")+a.Text)
		a.Packets, a.Bytes = b.action.Packets, b.action.Bytes
		out = append(out, a)
	}
	return out, nil
}

// extension is what the rule asks and does beyond conditions and verdict; nil:
// nothing.
func (b *building) extension() *rules.Extension {
	if b.tests == nil && b.targets == nil {
		return nil
	}
	e := &rules.Extension{Tests: b.tests, Writes: b.writes}
	switch len(b.targets) {
	case 0:
	case 1:
		e.Target = b.targets[0]
	default:
		all := several(b.targets)
		e.Target = &all
	}
	return e
}

// settle sees to it that a packet meets one way of the rule at most, also when the
// rule, or a chain that it jumps to, changes what the ways ask: the packet must not
// meet another one then. Such ways become one test; those of a map stand in front of
// the only one that jumps.
func (b *building) settle(actions []rules.Action) error {
	if len(b.ways) < 2 {
		return nil
	}
	changed := map[int]bool{}
	for _, f := range b.writes {
		changed[fieldAt[f]] = true
	}
	jumps := func(w labelled) int {
		if actions[w.label].Kind == rules.Jump {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(b.ways, func(x, y labelled) int {
		if j := jumps(x) - jumps(y); j != 0 {
			return j
		}
		return x.label - y.label
	})
	n := 0
	for _, w := range b.ways {
		if jumps(w) > 0 {
			n++
			b.t.changes(actions[w.label].Chain, changed)
		}
	}
	// What all ways ask does not tell them apart.
	var common way
	for _, c := range b.ways[0].way {
		if !slices.ContainsFunc(b.ways[1:], func(w labelled) bool { return !w.way.has(c) }) {
			common = append(common, c)
		}
	}
	asks := slices.ContainsFunc(b.ways, func(w labelled) bool {
		return slices.ContainsFunc(w.way, func(c rules.Cond) bool { return changed[c.Field()] && !common.has(c) })
	})
	switch {
	case !asks || b.verdicts != nil && n < 2:
		return nil
	case b.verdicts != nil:
		return &unmodelled{name: "vmap whose jumps change what it asks"}
	}
	lists := make([][]rules.Test, len(b.ways))
	for i, w := range b.ways {
		for _, c := range w.way {
			if !common.has(c) {
				lists[i] = append(lists[i], xt.FieldTest(fieldIn(c.Field(), b.t.kind), c))
			}
		}
	}
	b.tests = slices.Insert(b.tests, 0, rules.Step{Test: xt.AnyOf(lists...), Text: strings.Join(b.text, " ")})
	b.ways = []labelled{{way: common}}
	return nil
}

// has reports whether a condition is one of the way's.
func (w way) has(c rules.Cond) bool {
	return slices.ContainsFunc(w, func(d rules.Cond) bool { return d.Equal(&c) })
}

// simple orders conditions by their fields and makes one of those of the same field
// that are plain intervals, or of which one is, and the other its negation.
func (t *tableReader) simple(w way) []rules.Cond {
	out := make([]rules.Cond, 0, len(w))
	for _, c := range w {
		same := slices.IndexFunc(out, func(o rules.Cond) bool {
			return o.Field() == c.Field() && isPlain(&o) && isPlain(&c) && !(o.Negated() && c.Negated())
		})
		if same >= 0 {
			bits := fieldIn(c.Field(), t.kind).Bits
			out[same] = rules.InOrder(c.Field(), intersect(values(&out[same], bits), values(&c, bits)))
			continue
		}
		if slices.ContainsFunc(out, func(o rules.Cond) bool { return o.Equal(&c) }) {
			continue
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b rules.Cond) int { return a.Field() - b.Field() })
	return out
}

// isPlain reports whether a condition is that a field has one of some values, or
// none of them.
func isPlain(c *rules.Cond) bool {
	_, _, masked := c.Mask()
	_, ranged := c.Intervals()
	return ranged && !masked && !c.AllowsAbsent()
}

// values returns those of a plain condition.
func values(c *rules.Cond, bits int) []rules.Interval {
	list, _ := c.Intervals()
	if c.Negated() {
		return complement(list, bits)
	}
	return list
}
