package cases

// Cases of package policy: with a fault they are made small, and are the same when
// they are read again.

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

var few = rules.MustSchema(rules.Field{Name: "a", Bits: 3}, rules.Field{Name: "b", Bits: 3})

// meaning returns a case of rules, of which so many are the old ones.
func meaning(t *testing.T, olds int, texts ...string) *Meaning {
	b := rules.NewBuilder[string](few)
	for _, text := range texts {
		_, err := b.Add(rules.Rule[string]{Conds: few.MustConds(text), Value: []string{"ACCEPT", "DROP"}[b.Len()%2]})
		require.NoError(t, err)
	}
	return &Meaning{Rules: b.List(), Olds: olds}
}

func TestMeaningsAreCheckedAgainstEveryPacket(t *testing.T) {
	differs := meaning(t, 3, "a=1-3", "b=2", "a=1-3 b=0-4", "a=2", "b=2", "a=1-3 b=0-5", "a=7 b=7")
	lint := meaning(t, Alone, "a=1-3", "b=2", "a=2 b=1", "a=5", "a=5 b=2", "a=1-4 b=3")
	for _, c := range []*Meaning{differs, lint} {
		require.NoError(t, c.Check())
		require.Positive(t, c.Regions+c.Findings)
		require.Equal(t, 81, c.Packets)
		require.Positive(t, c.Decided)
		var text bytes.Buffer
		require.NoError(t, c.Write(&text))
		again, err := Read(&text, Options{})
		require.NoError(t, err)
		require.NoError(t, again.Check())
		require.Equal(t, c.Size(), again.Size())
		require.Equal(t, c.Olds, again.(*Meaning).Olds)
		require.Equal(t, c.Packets, again.(*Meaning).Packets)
	}
}

func TestFaultsInWhatIsSaidOfAllPacketsAreFoundAndMadeSmall(t *testing.T) {
	for name, wrong := range map[string]func(*policy.Difference){
		"a region is left out": func(d *policy.Difference) { d.Regions = d.Regions[:max(len(d.Regions)-1, 0)] },
		"a region stands twice": func(d *policy.Difference) {
			d.Regions = append(d.Regions, d.Regions[:min(len(d.Regions), 1)]...)
		},
		"packets are counted wrongly": func(d *policy.Difference) { d.Packets.Add(d.Packets, d.Packets) },
		"another rule decides": func(d *policy.Difference) {
			for i := range d.Regions {
				d.Regions[i].New.At.Rule++
			}
		},
		"a region is too large": func(d *policy.Difference) {
			for i := range d.Regions {
				d.Regions[i].Conds = nil
			}
		},
	} {
		c := meaning(t, 3, "a=1-3", "b=2", "a=4 b=0-4", "a=2", "b=2", "a=1-3 b=0-5", "a=7 b=7")
		c.wrong = func(d *policy.Difference, _ *policy.LintReport) { wrong(d) }
		require.Error(t, c.Check(), name)
		require.LessOrEqual(t, c.Shrink(small(t)).(*Meaning).Rules.Len(), 2, name)
	}
	for name, wrong := range map[string]func(*policy.LintReport){
		"nothing is found": func(r *policy.LintReport) { r.Findings = nil },
		"another rule is meant": func(r *policy.LintReport) {
			for i := range r.Findings {
				for j := range r.Findings[i].Rules {
					r.Findings[i].Rules[j].Rule = 0
				}
			}
		},
		"rules that are needed are said not to be": func(r *policy.LintReport) {
			r.Findings = append(r.Findings, policy.Finding{Code: policy.Irredundant, Others: []rules.Place{{Rule: 0}}})
		},
	} {
		c := meaning(t, Alone, "a=1-3", "b=2", "a=2 b=1", "a=5", "a=5 b=2", "a=1-4 b=3")
		c.wrong = func(_ *policy.Difference, r *policy.LintReport) { wrong(r) }
		require.Error(t, c.Check(), name)
		require.LessOrEqual(t, c.Shrink(small(t)).(*Meaning).Rules.Len(), 3, name)
	}
}
