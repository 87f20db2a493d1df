package chains

// Asking and comparing.

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

// Answer is what becomes of a packet.
type Answer struct {
	Result   rules.Result
	Executed []rules.Place
	After    *Packet // nil for a packet that was known by its key alone
}

// Inquiry is packets that are sent through a table.
type Inquiry struct {
	Keys    []rules.Key
	Entries []int // chains to enter at, each by all packets
	// More says that packets are Packets, which targets change; else they are
	// known by their keys alone.
	More bool
}

func (q *Inquiry) packet(t *rules.Table, k rules.Key) rules.Subject {
	if q.More {
		return NewPacket(t.Schema, k)
	}
	return rules.KeyOnly(k)
}

// Answers are those of an Inquiry, by entry and packet.
type Answers struct {
	All    []Answer
	Counts map[rules.Place]uint64
	Alone  bool // the way was also asked alone, and answered the same
}

// Ask returns an Answerer's answers. An Answerer that gives another answer when it
// is asked alone gives a *compare.Difference.
func Ask(name string, t *rules.Table, a *Answerer, q *Inquiry) (*Answers, error) {
	out := &Answers{All: make([]Answer, 0, len(q.Entries)*len(q.Keys)), Alone: a.Alone != nil}
	for _, entry := range q.Entries {
		for _, k := range q.Keys {
			p := q.packet(t, k)
			var x Answer
			x.Result = a.Run(p, entry, func(at rules.Place) { x.Executed = append(x.Executed, at) })
			x.After, _ = p.(*Packet)
			out.All = append(out.All, x)
			if a.Alone == nil {
				continue
			}
			p = q.packet(t, k)
			if r := a.Alone(p, entry); r != x.Result {
				return nil, differ(name, "verdict alone", k, entry, r, x.Result)
			}
			if after, ok := p.(*Packet); ok && !after.same(x.After) {
				return nil, differ(name, "packet afterwards, alone", k, entry, after, x.After)
			}
		}
	}
	if a.Counts != nil {
		out.Counts = a.Counts()
	}
	return out, nil
}

func differ(name, question string, k rules.Key, entry int, got, want any) error {
	return &compare.Difference{Engine: name, Question: fmt.Sprintf("%s from chain %d", question, entry), Key: k, Got: fmt.Sprint(got), Want: fmt.Sprint(want)}
}

// Compare compares answers got in the way of a name with those wanted, and returns
// the number of answers compared and the first difference, a *compare.Difference.
func (a *Answers) Compare(name string, t *rules.Table, q *Inquiry, want *Answers) (int, error) {
	n := 0
	for i := range a.All {
		n += 2
		k, entry := q.Keys[i%len(q.Keys)], q.Entries[i/len(q.Keys)]
		g, w := &a.All[i], &want.All[i]
		switch {
		case g.Result != w.Result:
			return n, differ(name, "verdict", k, entry, g.Result, w.Result)
		case !slices.Equal(g.Executed, w.Executed):
			return n, differ(name, "rules executed", k, entry, g.Executed, w.Executed)
		case g.After != nil && !g.After.same(w.After):
			return n, differ(name, "packet afterwards", k, entry, *g.After, *w.After)
		}
	}
	if a.Alone {
		n += len(a.All)
	}
	if a.Counts == nil {
		return n, nil
	}
	expected := want.counts(t, q)
	if a.Alone {
		for at := range expected {
			expected[at] *= 2
		}
	}
	if n += len(expected); !maps.Equal(expected, a.Counts) {
		return n, &compare.Difference{Engine: name, Question: "counters", Got: fmt.Sprint(a.Counts), Want: fmt.Sprint(expected)}
	}
	return n, nil
}

// counts returns how often rules were executed, and policies decided.
func (a *Answers) counts(t *rules.Table, q *Inquiry) map[rules.Place]uint64 {
	out := map[rules.Place]uint64{}
	for i := range a.All {
		x := &a.All[i]
		for _, at := range x.Executed {
			out[at]++
		}
		k, entry := q.Keys[i%len(q.Keys)], q.Entries[i/len(q.Keys)]
		if x.Result.By.Rule < 0 && t.Chains[entry].Policy != rules.NoVerdict && x.Result.Verdict != rules.Unknown && t.Admits(k) {
			out[rules.Place{Chain: entry, Rule: -1}]++
		}
	}
	return out
}

// Decided returns the number of packets that a rule decided.
func (a *Answers) Decided() int {
	n := 0
	for i := range a.All {
		if a.All[i].Result.By.Rule >= 0 {
			n++
		}
	}
	return n
}
