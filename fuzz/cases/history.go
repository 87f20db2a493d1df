package cases

// A history of edits of a live list.

import (
	"context"
	"fmt"
	"io"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// History is a history with the options of the list.
type History struct {
	History *histories.History
	Options hipac.LiveOptions
}

// Kind says what is alike.
func (c *History) Kind() string { return "history" }

// Size says how large it is.
func (c *History) Size() string {
	edits := 0
	for i := range c.History.Steps {
		edits += len(c.History.Steps[i].Edits)
	}
	return fmt.Sprintf("%s at first, %s in %s", plural(len(c.History.First), "rule"), plural(edits, "edit"), plural(len(c.History.Steps), "step"))
}

// Check runs the history. The error is a *histories.Difference.
func (c *History) Check() error {
	_, err := histories.Run(c.History, c.Options)
	return err
}

// Shrink leaves out steps, edits and rules.
func (c *History) Shrink(ctx context.Context) drive.Case {
	d, ok := c.Check().(*histories.Difference)
	if !ok {
		return c
	}
	d = histories.ShrinkUntil(ctx, d)
	out := &History{d.History.Part(), c.Options}
	if l := listThen(d, ways.All()[1:]); l != nil {
		return l.Shrink(ctx)
	}
	if less := out.usedRules(); less.Check() != nil {
		return less
	}
	return out
}

// listThen returns the list of a difference and its packet as a case by itself, when
// it needs no edits to go wrong; nil when it does.
func listThen(d *histories.Difference, some []ways.Way) *List {
	if d.Key == nil {
		return nil
	}
	var rs []rules.Rule[int]
	for _, x := range d.List {
		rs = append(rs, d.History.Pool[x.Rule])
	}
	l, err := listOf(d.History.Schema, rs, true)
	if err != nil {
		return nil
	}
	c := &List{Rules: l, Keys: d.Key, Ways: some}
	if c.Check() == nil {
		return nil
	}
	return c
}

// usedRules returns the history with the rules that it uses alone.
func (c *History) usedRules() *History {
	h := c.History.Part()
	n := len(h.Pool)
	number := map[int]int{}
	var pool []rules.Rule[int]
	take := func(i int) int {
		i = (i%n + n) % n
		if _, ok := number[i]; !ok {
			number[i] = len(pool)
			pool = append(pool, h.Pool[i])
		}
		return number[i]
	}
	var first []int
	for _, i := range h.First {
		first = append(first, take(i))
	}
	steps := make([]histories.Step, len(h.Steps))
	for i, s := range h.Steps {
		steps[i] = histories.Step{End: s.End}
		for _, e := range s.Edits {
			if e.Op <= histories.InsertAfter || e.Op == histories.Replace || e.Op == histories.Wrong {
				e.Rule = take(e.Rule)
			} else {
				e.Rule = 0
			}
			steps[i].Edits = append(steps[i].Edits, e)
		}
	}
	if len(pool) == 0 {
		return c
	}
	h.Pool, h.First, h.Steps = pool, first, steps
	return &History{h, c.Options}
}

// Explain writes the history and what differs.
func (c *History) Explain(w io.Writer) {
	err := c.Check()
	if d, ok := err.(*histories.Difference); ok {
		fmt.Fprintf(w, "step %d: %s\n", d.Step, d.What)
		explainThen(w, d)
	} else if err != nil {
		fmt.Fprintf(w, "%v\n", err)
	}
	fmt.Fprint(w, c.History)
}

// explainThen writes the packet of a difference, and what each rule of the list had to
// say to it.
func explainThen(w io.Writer, d *histories.Difference) {
	if d.Key == nil {
		return
	}
	h := d.History
	fmt.Fprintf(w, "packet: %s\nthe list then:\n", tellPacket(h.Schema, d.Key))
	for i, x := range d.List {
		if i == tellMost {
			fmt.Fprintf(w, "  and %s\n", plural(len(d.List)-i, "more rule"))
			break
		}
		r := &h.Pool[x.Rule]
		fmt.Fprintf(w, "  identity %d: %s: %s\n", x.ID, tellRule(h.Schema, r), tellAnswers(r.Explain(h.Schema, d.Key)))
	}
}

// Write writes the case.
func (c *History) Write(w io.Writer) error {
	h := c.History.Part()
	if err := writeHead(w, "history", [2]string{"history", histories.Replay(h, c.Options)}); err != nil {
		return err
	}
	l, err := rules.NewList(h.Schema, h.Pool...)
	if err != nil {
		return err
	}
	return writeRules(w, l, func(i int, _ *rules.Rule[int]) string { return fmt.Sprint(i) })
}

func readHistory(f *file) (*History, error) {
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	var pool []rules.Rule[int]
	for _, r := range l.All() {
		pool = append(pool, rules.Rule[int]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown})
	}
	h, o, err := histories.FromReplayOf(f.last("history"), l.Schema(), pool)
	if err != nil {
		return nil, err
	}
	return &History{h, o}, nil
}
