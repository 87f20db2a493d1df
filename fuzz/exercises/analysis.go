package exercises

// Which rules are hidden, against all packets of small universes.

import (
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func analyses() []*drive.Exercise {
	return []*drive.Exercise{{Name: "analysis: hidden rules", Group: "analysis", Points: []string{"analysis: a rule is hidden", "analysis: a rule is not hidden"},
		Run: func(ctx context.Context, t *drive.Trial) error {
			s := &schemas[4] // tiny
			if s.name != "tiny" {
				return fmt.Errorf("the schema tiny is %s", s.name)
			}
			l, err := randomList(t, s, size(t, 40))
			if err != nil {
				return err
			}
			a, err := hipac.Analyze(ctx, l)
			if err != nil {
				return err
			}
			keys := everyKey(s.schema)
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

// everyKey returns all packets of a schema, absent fields included.
func everyKey(s *rules.Schema) (out []rules.Key) {
	k := s.NewKey()
	var next func(f int)
	next = func(f int) {
		if f == s.Len() {
			out = append(out, slices.Clone(k))
			return
		}
		for v := range uint64(1) << s.Field(f).Bits {
			s.Set(k, f, rules.U64(v))
			next(f + 1)
		}
		s.SetAbsent(k, f)
		next(f + 1)
		s.Set(k, f, rules.Value{})
	}
	next(0)
	return out
}

func tell(l *rules.List[string]) (text string) {
	for i, r := range l.All() {
		text += fmt.Sprintf("\n%d: %s", i, rules.FormatRule(l.Schema(), r))
	}
	return text
}
