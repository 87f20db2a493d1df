package exercises

// Which rules are hidden, against all packets of small universes.

import (
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func analyses() []*drive.Exercise {
	return []*drive.Exercise{{Name: "analysis: hidden rules", Group: "analysis", Points: []string{"analysis: a rule is hidden", "analysis: a rule is not hidden"},
		Run: func(ctx context.Context, t *drive.Trial) error {
			s, err := tinySchema()
			if err != nil {
				return err
			}
			l, err := randomList(t, s, size(t, 40))
			if err != nil {
				return err
			}
			a, err := hipac.Analyze(ctx, l)
			if err != nil {
				return err
			}
			keys := cases.EveryKey(s.schema, false)
			met := make([][]int, l.Len()) // packets that each rule matches
			for i, r := range l.All() {
				for n, k := range keys {
					if r.Matches(s.schema, k) {
						met[i] = append(met[i], n)
					}
				}
			}
			t.Counts.Rules += int64(l.Len())
			t.Counts.Packets += int64(len(keys))
			for i := range l.Len() {
				by, hidden := a.HiddenBy(i)
				t.Counts.Answers++
				if !hidden {
					t.Reach("analysis: a rule is not hidden")
					continue
				}
				t.Reach("analysis: a rule is hidden")
				h := l.At(by)
				if by >= i || h.Continue || h.Unknown != "" {
					return fmt.Errorf("rule %d is said to be hidden by rule %d, which hides nothing: %s", i, by, tell(l))
				}
				for _, n := range met[i] {
					if !slices.Contains(met[by], n) {
						return fmt.Errorf("rule %d is said to be hidden by rule %d, which does not match packet %v: %s", i, by, keys[n], tell(l))
					}
				}
			}
			return nil
		}}}
}

func tell(l *rules.List[string]) (text string) {
	for i, r := range l.All() {
		text += fmt.Sprintf("\n%d: %s", i, rules.FormatRule(l.Schema(), r))
	}
	return text
}
