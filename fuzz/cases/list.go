package cases

// A list with packets, to be answered in some ways as the linear matcher does.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// List is a list of rules with packets for it. Values of rules are their positions.
type List struct {
	Rules *rules.List[int]
	Keys  []uint32 // one behind the other, in one batch
	Ways  []ways.Way
}

// Kind says what is alike: what went wrong in the same way.
func (c *List) Kind() string {
	if len(c.Ways) == 1 {
		return "list, " + c.Ways[0].Name
	}
	return "list"
}

// Size says how large it is.
func (c *List) Size() string {
	return plural(c.Rules.Len(), "rule") + ", " + plural(len(c.Keys)/c.Rules.Schema().KeyLen(), "packet")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// guarded makes a panic an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// Check asks all ways, and compares. The error is a *compare.Difference, or what a
// build or a lookup ended in.
func (c *List) Check() error { return c.check(c.Rules, c.Keys) }

func (c *List) check(l *rules.List[int], keys []uint32) error {
	s := l.Schema()
	linear, err := ways.Linear().Build(l)
	if err != nil {
		return err
	}
	want := ways.Ask(s, linear, keys, true)
	for _, w := range c.Ways {
		if err := guarded(func() error {
			a, err := w.Build(l)
			if err != nil {
				return err
			}
			_, err = ways.Ask(s, a, keys, true).Compare(w.Name, s, keys, want)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// listOf returns the list of rules, with identities or without, whose values are
// positions.
func listOf(s *rules.Schema, rs []rules.Rule[int], ids bool) (*rules.List[int], error) {
	b := rules.NewBuilder[int](s)
	for i, r := range rs {
		r.Value = i
		if !ids {
			r.ID = 0
		}
		if _, err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

func rulesOf[T any](l *rules.List[T]) []rules.Rule[T] {
	out := make([]rules.Rule[T], 0, l.Len())
	for _, r := range l.All() {
		out = append(out, *r)
	}
	return out
}

// Shrink leaves out ways, packets, rules and conditions, and makes packets plain.
func (c *List) Shrink(ctx context.Context) drive.Case {
	out := *c
	fails := func(l *rules.List[int], keys []uint32) bool { return out.check(l, keys) != nil }
	if !fails(c.Rules, c.Keys) {
		return c // it does not come again
	}
	for _, w := range c.Ways {
		if one := (List{c.Rules, c.Keys, []ways.Way{w}}); len(c.Ways) > 1 && one.Check() != nil {
			out.Ways = one.Ways
			break
		}
	}
	s := c.Rules.Schema()
	for was := ""; was != out.Size() && ctx.Err() == nil; {
		was = out.Size()
		out.fewerPackets(ctx)
		rs := rulesOf(out.Rules)
		ids := !out.Rules.SequentialIDs()
		take := func(list []rules.Rule[int]) bool {
			l, err := listOf(s, list, ids)
			if err != nil || !fails(l, out.Keys) {
				return false
			}
			out.Rules = l
			return true
		}
		if ids {
			ids = false
			ids = !take(rs)
		}
		rs = fewer(ctx, rs, take)
		plainer(ctx, s, rs, take)
	}
	w := s.KeyLen()
	for at := 0; at+w <= len(out.Keys); at += w {
		narrower(ctx, s, out.Keys[at:at+w], func(k rules.Key) bool {
			keys := slices.Clone(out.Keys)
			copy(keys[at:], k)
			if !fails(out.Rules, keys) {
				return false
			}
			out.Keys = keys
			return true
		})
	}
	return &out
}

// fewerPackets leaves packets out: most often the one that differs is enough.
func (c *List) fewerPackets(ctx context.Context) {
	var d *compare.Difference
	if err := c.Check(); errors.As(err, &d) && c.check(c.Rules, d.Key) != nil {
		c.Keys = slices.Clone(d.Key)
		return
	}
	w := c.Rules.Schema().KeyLen()
	var all []rules.Key
	for at := 0; at+w <= len(c.Keys); at += w {
		all = append(all, rules.Key(c.Keys[at:at+w]))
	}
	fewer(ctx, all, func(keep []rules.Key) bool {
		keys := slices.Concat(keep...)
		if c.check(c.Rules, keys) == nil {
			return false
		}
		c.Keys = keys
		return true
	})
}

// Write writes the case.
func (c *List) Write(w io.Writer) error {
	var lines [][2]string
	for _, way := range c.Ways {
		lines = append(lines, [2]string{"way", way.Name})
	}
	if len(c.Ways) > 3 {
		lines = nil
	}
	s := c.Rules.Schema()
	if err := writeHead(w, "list", append(lines, packetLines(s, c.Keys)...)...); err != nil {
		return err
	}
	return writeRules(w, c.Rules, func(i int, _ *rules.Rule[int]) string { return fmt.Sprint(i) })
}

func readList(f *file, o Options) (*List, error) {
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	c := &List{}
	rs := make([]rules.Rule[int], 0, l.Len())
	for _, r := range l.All() {
		rs = append(rs, rules.Rule[int]{ID: r.ID, Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown})
	}
	if c.Rules, err = listOf(l.Schema(), rs, true); err != nil {
		return nil, err
	}
	for _, w := range ways.All()[1:] {
		c.Ways = append(c.Ways, o.Wrong.List(w))
	}
	c.Keys, err = readPackets(f, l.Schema())
	return c, err
}

// tellPacket writes a packet by its fields.
func tellPacket(s *rules.Schema, k rules.Key) string {
	var parts, absent []string
	for f := range s.Len() {
		field := s.Field(f)
		if v, ok := s.Get(k, f); ok {
			parts = append(parts, field.Name+"="+field.FormatValue(v))
		} else {
			absent = append(absent, field.Name)
		}
	}
	text := strings.Join(parts, " ")
	if absent != nil {
		text += " without " + strings.Join(absent, ", ")
	}
	return strings.TrimSpace(text)
}

// tellRule writes a rule in a line.
func tellRule[T any](s *rules.Schema, r *rules.Rule[T]) string {
	text := rules.FormatRule(s, r)
	if r.Continue {
		text += " (goes on)"
	}
	if r.Unknown != "" {
		text += " (unknown)"
	}
	return text
}

// matches is what tellAnswers writes where all holds.
const matches = "matches"

// tellAnswers writes what a rule asks of a packet: that all holds, or what does not.
func tellAnswers(answers []rules.Answer) string {
	var fail []string
	for _, a := range answers {
		if a.Outcome != rules.Yes {
			got := a.Got
			if !a.Present {
				got = "absent"
			}
			fail = append(fail, fmt.Sprintf("%s does not hold: %s is %s", a.Wanted, a.Field, got))
		}
	}
	if fail == nil {
		return matches
	}
	return strings.Join(fail, "; ")
}

// tellMost is the number of rules up to which all are told, and of more than that
// those that matter.
const tellMost = 20

// tellRules tells n rules, each by a line and whether it matters.
func tellRules(w io.Writer, n int, line func(i int) (text string, matters bool)) {
	told := 0
	for i := range n {
		text, matters := line(i)
		if n <= tellMost || matters && told < tellMost {
			told++
			fmt.Fprintln(w, text)
		}
	}
	if told < n {
		fmt.Fprintf(w, "and %s\n", plural(n-told, "more rule"))
	}
}

// Explain writes the rules, the packet, both answers, what each rule has to say to
// the packet, and what the compiled structure looks like.
func (c *List) Explain(w io.Writer) {
	err := c.Check()
	var d *compare.Difference
	if !errors.As(err, &d) {
		fmt.Fprintf(w, "%v\n", err)
		return
	}
	s := c.Rules.Schema()
	fmt.Fprintf(w, "packet: %s\n", tellPacket(s, d.Key))
	if n := len(c.Keys) / s.KeyLen(); n > 1 {
		fmt.Fprintf(w, "in a batch of %d packets\n", n)
	}
	fmt.Fprintf(w, "%s, the linear matcher: %s\n%s, %s: %s\n", d.Question, answer(d.Want), d.Question, d.Engine, answer(d.Got))
	tellRules(w, c.Rules.Len(), func(i int) (string, bool) {
		r := c.Rules.At(i)
		text := tellAnswers(r.Explain(s, d.Key))
		return fmt.Sprintf("rule %d: %s: %s", i, tellRule(s, r), text), text == matches || d.Got == strconv.Itoa(i)
	})
	_ = guarded(func() error {
		t, err := hipac.Build(context.Background(), c.Rules, nil)
		if err != nil {
			return err
		}
		n, work := t.Stats().Nodes, t.Work(d.Key)
		fmt.Fprintf(w, "the tree by default: %+v; the lookup: %+v\n", n, work)
		return nil
	})
}

func answer(text string) string {
	if text == "-1" {
		return "no rule"
	}
	return text
}
