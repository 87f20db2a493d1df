package exercises

// Comparisons, queries and findings of package policy: of small universes against
// every packet, of others against packets at corners of the rules.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

func policies() []*drive.Exercise {
	return []*drive.Exercise{
		{Name: "policy: differences over every packet", Group: "analysis", Points: []string{"policy: lists differ", "policy: lists are the same", "policy: rules without verdicts", "policy: packets without fields"},
			Run: func(_ context.Context, t *drive.Trial) error {
				s, err := tinySchema()
				if err != nil {
					return err
				}
				l, err := randomList(t, s, size(t, 30))
				if err != nil {
					return err
				}
				return checkDifference(t, l, nil)
			}},
		{Name: "policy: differences at corners", Group: "analysis", Weight: 2, Run: func(_ context.Context, t *drive.Trial) error {
			s := &schemas[t.Rand.IntN(len(schemas))]
			l, err := randomList(t, s, size(t, 40))
			if err != nil {
				return err
			}
			return checkDifference(t, l, func(l *rules.List[string]) ([]uint32, error) {
				keys, err := workload.Packets(l, workload.PacketConfig{N: 80, Seed: t.Rand.Uint64(), Mode: workload.Mixed})
				if err != nil {
					return nil, err
				}
				var out []uint32
				for i := range keys.Len() {
					out = append(out, keys.At(i)...)
				}
				return out, nil
			})
		}},
		{Name: "policy: findings over every packet", Group: "analysis", Points: []string{"policy: findings"},
			Run: func(_ context.Context, t *drive.Trial) error {
				s, err := tinySchema()
				if err != nil {
					return err
				}
				l, err := randomList(t, s, size(t, 25))
				if err != nil {
					return err
				}
				if l, err = judged(t, l); err != nil {
					return err
				}
				c := &cases.Meaning{Rules: l, Olds: cases.Alone, Complete: t.Rand.IntN(2) == 0}
				return checkMeaning(t, c)
			}},
		{Name: "policy: queries over every packet", Group: "analysis", Points: []string{"query: no", "query: some", "query: all"}, Run: checkQuery},
	}
}

func tinySchema() (*schema, error) {
	s := &schemas[4]
	if s.name != "tiny" {
		return nil, fmt.Errorf("the schema tiny is %s", s.name)
	}
	return s, nil
}

// judged returns the list with verdicts as values, and without matches that nobody
// knows.
func judged(t *drive.Trial, l *rules.List[string]) (*rules.List[string], error) {
	b := rules.NewBuilder[string](l.Schema())
	for _, r := range l.All() {
		c := rules.Rule[string]{Conds: r.Conds, Continue: r.Continue, Value: []string{"ACCEPT", "DROP", "REJECT"}[t.Rand.IntN(3)]}
		if _, err := b.Add(c); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// checkDifference compares a list with a mutation of it, or with another one. keys
// draws packets; nil: every packet.
func checkDifference(t *drive.Trial, l *rules.List[string], keys func(*rules.List[string]) ([]uint32, error)) error {
	l, err := judged(t, l)
	if err != nil {
		return err
	}
	other, err := mutated(t.Rand, l)
	if err != nil {
		return err
	}
	if t.Rand.IntN(4) == 0 {
		if other, err = judged(t, other); err != nil {
			return err
		}
	}
	b := rules.NewBuilder[string](l.Schema())
	for _, list := range []*rules.List[string]{l, other} {
		for _, r := range list.All() {
			c := *r
			c.ID = 0
			if _, err := b.Add(c); err != nil {
				return err
			}
		}
	}
	c := &cases.Meaning{Rules: b.List(), Olds: l.Len(), Join: t.Rand.IntN(2) == 0, Plain: t.Rand.IntN(3) == 0, Complete: keys != nil || t.Rand.IntN(2) == 0}
	if keys != nil {
		if c.Keys, err = keys(c.Rules); err != nil || len(c.Keys) == 0 {
			return err
		}
	}
	return checkMeaning(t, c)
}

func checkMeaning(t *drive.Trial, c *cases.Meaning) error {
	err := c.Check()
	t.Counts.Rules += int64(c.Rules.Len())
	t.Counts.Packets += int64(c.Packets)
	t.Counts.Hits += int64(c.Decided)
	t.Counts.Misses += int64(c.Packets - c.Decided)
	t.Counts.Answers += int64(c.Packets)
	if err != nil {
		return &drive.Failure{Err: err, Case: c}
	}
	if c.Olds == cases.Alone {
		t.ReachIf(c.Findings > 0, "policy: findings")
		return nil
	}
	t.ReachIf(c.Regions > 0, "policy: lists differ")
	t.ReachIf(c.Regions == 0, "policy: lists are the same")
	t.ReachIf(!c.Complete, "policy: packets without fields")
	t.ReachIf(c.Plain && c.Join && c.Regions > 0, "policy: rules without verdicts")
	return nil
}

// checkQuery asks of which packets that meet the conditions of one list's rule another
// list says a verdict.
func checkQuery(ctx context.Context, t *drive.Trial) error {
	s, err := tinySchema()
	if err != nil {
		return err
	}
	l, err := randomList(t, s, size(t, 20))
	if err != nil {
		return err
	}
	if l, err = judged(t, l); err != nil {
		return err
	}
	asked, err := randomList(t, s, 3)
	if err != nil {
		return err
	}
	within := rules.Rule[int]{}
	if asked.Len() > 0 {
		within.Conds = asked.At(0).Conds
	}
	const verdict = "ACCEPT"
	complete := t.Rand.IntN(2) == 0
	f := policy.OfList(l, func(i int) string { return l.At(i).Value }, "NONE")
	a, err := policy.Query(ctx, f, within.Conds, verdict, policy.Options{Complete: complete, Regions: 1 << 20})
	if err != nil {
		return err
	}
	if a.Partial != nil {
		return a.Partial
	}
	some, all := false, true
	for _, k := range cases.EveryKey(s.schema, complete) {
		if !within.Matches(s.schema, k) {
			continue
		}
		p, decided := l.First(k)
		says := decided && l.At(p).Value == verdict
		some, all = some || says, all && says
		in := 0
		for i := range a.Regions {
			r := rules.Rule[int]{Conds: a.Regions[i].Conds}
			if r.Matches(s.schema, k) {
				in++
			}
		}
		if says && in != 1 || !says && in != 0 {
			return fmt.Errorf("packet %v meets %s: it is in %d regions of %s: %s", k, rules.FormatRule(s.schema, &within), in, verdict, tell(l))
		}
		t.Counts.Packets++
		t.Counts.Answers++
	}
	want := policy.Some
	switch {
	case !some:
		want = policy.No
	case all:
		want = policy.All
	}
	if a.Extent != want {
		return fmt.Errorf("packets that meet %s: %s of them %s, want %s: %s", rules.FormatRule(s.schema, &within), a.Extent, verdict, want, tell(l))
	}
	t.Counts.Rules += int64(l.Len())
	t.Reach("query: " + a.Extent.String())
	return nil
}
