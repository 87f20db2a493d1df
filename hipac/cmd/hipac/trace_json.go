package main

// The trace of a packet for programs: a JSON object a line.

import (
	"bufio"
	"encoding/json"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

type traceJSON struct {
	Packet  int        `json:"packet"`
	Text    string     `json:"description"`
	Stops   []stopJSON `json:"way"`
	Near    []nearJSON `json:"near_misses,omitempty"`
	Left    int        `json:"steps_left_out,omitempty"`
	Verdict string     `json:"verdict"`
	By      *ruleJSON  `json:"by,omitempty"`
	Needs   string     `json:"needs,omitempty"`
}

type stopJSON struct {
	Table   string     `json:"table"`
	Chain   string     `json:"chain"`
	Verdict string     `json:"verdict"` // NONE: not entered
	Passed  int        `json:"passed"`  // rules that were passed and do not match
	Steps   []stepJSON `json:"steps,omitempty"`
}

// ruleJSON is a rule, or a policy when Rule is "policy".
type ruleJSON struct {
	Table string `json:"table,omitempty"`
	Chain string `json:"chain"`
	Rule  any    `json:"rule,omitempty"`
	Text  string `json:"text,omitempty"`
	Line  int    `json:"line,omitempty"`
}

type stepJSON struct {
	Kind string `json:"kind"` // rule, miss, return, policy, unreadable
	ruleJSON
	Depth    int          `json:"depth,omitempty"`
	Compared []answerJSON `json:"compared,omitempty"`
	Effects  []effectJSON `json:"effects,omitempty"`
}

type answerJSON struct {
	Field  string  `json:"field,omitempty"`
	Wanted string  `json:"wanted"`
	Got    *string `json:"got"`   // null: the packet does not have it, or a test
	Holds  *bool   `json:"holds"` // null: unknown, or not asked again
	Needs  string  `json:"needs,omitempty"`
}

type effectJSON struct {
	Target string `json:"target"`
	Text   string `json:"text"`
	Field  string `json:"field,omitempty"`
	Unsure string `json:"unsure,omitempty"`
}

type nearJSON struct {
	ruleJSON
	Failed answerJSON `json:"failed"`
	Held   int        `json:"held"`
}

func answerOf(a *rules.Answer) answerJSON {
	j := answerJSON{Field: a.Field, Wanted: a.Wanted, Needs: a.Needs}
	if a.Present {
		j.Got = &a.Got
	}
	if a.Asked && a.Outcome != rules.Unsure {
		holds := a.Outcome == rules.Yes
		j.Holds = &holds
	}
	return j
}

// json writes the trace.
func (w *packetWay) json(out *bufio.Writer) error {
	r := w.decider()
	j := traceJSON{Packet: w.number, Text: w.text, Verdict: r.Verdict.String(), Needs: r.Needs, Left: w.trace.Left, Stops: []stopJSON{}}
	index := 0
	for i := range w.trace.Stops {
		stop := &w.trace.Stops[i]
		t := stop.Stop.Table
		sj := stopJSON{Table: t.Name, Chain: t.Chains[stop.Stop.Chain].Name, Verdict: stop.Result.Verdict.String(), Passed: stop.Passed}
		for k := range stop.Steps {
			s := &stop.Steps[k]
			step := stepJSON{Kind: s.Kind.String(), Depth: s.Depth}
			step.Chain = t.Chains[s.At.Chain].Name
			if s.Kind == hipac.Executed || s.Kind == hipac.Missed || s.Kind == hipac.Unreadable {
				step.ruleJSON = w.ruleOf(i, s.At)
				step.Table = ""
			}
			if s.Kind == hipac.Policy {
				step.Text = t.Chains[s.At.Chain].Policy.String()
			}
			for a := range s.Answers {
				step.Compared = append(step.Compared, answerOf(&s.Answers[a]))
			}
			if s.Kind == hipac.Executed {
				for _, e := range w.effects[w.before[index]:w.before[index+1]] {
					step.Effects = append(step.Effects, effectJSON{e.Target, e.What(), e.Field, e.Unsure})
				}
			}
			index++
			sj.Steps = append(sj.Steps, step)
		}
		j.Stops = append(j.Stops, sj)
	}
	for i := range w.trace.Near {
		n := &w.trace.Near[i]
		j.Near = append(j.Near, nearJSON{w.ruleOf(n.Stop, n.At), answerOf(&n.Failed), n.Held})
	}
	if r.Stop >= 0 {
		by := w.ruleOf(r.Stop, r.By)
		j.By = &by
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(j)
}

// ruleOf describes a rule or a policy.
func (w *packetWay) ruleOf(stop int, at rules.Place) ruleJSON {
	t := w.path[stop].Table
	j := ruleJSON{Table: t.Name, Chain: t.Chains[at.Chain].Name}
	if at.Rule < 0 {
		j.Rule, j.Text = "policy", t.Chains[at.Chain].Policy.String()
		return j
	}
	j.Text, j.Rule, j.Line = w.ruleText(stop, at)
	return j
}

func (w *packetWay) ruleText(stop int, at rules.Place) (text string, number any, line int) {
	text, n, line := w.rule(stop, at)
	return text, n, line
}
