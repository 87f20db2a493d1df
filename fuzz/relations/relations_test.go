package relations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

func TestRelationsHold(t *testing.T) {
	for _, relation := range All() {
		t.Run(relation.Name, func(t *testing.T) {
			t.Parallel()
			var total Report
			for seed := range uint64(200) {
				r, err := relation.Check(seed, []int{3, 12, 40, 90}[seed%4])
				require.NoError(t, err)
				total.Add(r)
			}
			t.Logf("%+v", total)
			require.GreaterOrEqual(t, total.Changes, 200)
			require.Equal(t, total.Packets, total.Hits+total.Misses)
			require.GreaterOrEqual(t, total.Comparisons, total.Packets)
			share := float64(total.Hits) / float64(total.Packets)
			require.Greater(t, share, 0.2)
			require.Less(t, share, 0.8)
		})
	}
}

// finds checks a relation with wrong ways until one is found out, and whether the
// seed finds it again. fault makes the function that makes ways wrong.
func finds(t *testing.T, relation Relation, fault func() func(ways.Way) ways.Way) bool {
	for seed := uint64(1); seed <= 60; seed++ {
		_, err := relation.CheckWrapped(seed, 40, fault())
		if err == nil {
			continue
		}
		var d *compare.Difference
		require.ErrorAs(t, err, &d)
		require.Contains(t, err.Error(), fmt.Sprintf("%s: seed %d, size 40: ", relation.Name, seed))
		_, again := relation.CheckWrapped(seed, 40, fault())
		require.EqualError(t, again, err.Error())
		return true
	}
	return false
}

func TestEveryRelationFindsAWayThatIsWrongNowAndThen(t *testing.T) {
	for _, relation := range All() {
		t.Run(relation.Name, func(t *testing.T) {
			require.True(t, finds(t, relation, func() func(ways.Way) ways.Way { return ways.Forgetful(97) }))
		})
	}
}

// alter makes all ways wrong whose names contain a word.
func alter(word string, how func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond) func(ways.Way) ways.Way {
	return func(w ways.Way) ways.Way {
		if strings.Contains(w.Name, word) {
			return ways.Altered(w, how)
		}
		return w
	}
}

// everyOther returns a function that makes every second build of a way wrong.
func everyOther() func(ways.Way) ways.Way {
	return func(w ways.Way) ways.Way {
		builds, right, wrong := 0, w.Build, ways.Altered(w, ways.ShortOfTheEnd).Build
		w.Build = func(l *rules.List[int]) (*ways.Answerer, error) {
			if builds++; builds%2 == 0 {
				return wrong(l)
			}
			return right(l)
		}
		return w
	}
}

// dropping returns an alteration that drops conditions.
func dropping(drop func(s *rules.Schema, i int, c *rules.Cond) bool) func(*rules.Schema, int, []rules.Cond) []rules.Cond {
	return func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond {
		return slices.DeleteFunc(conds, func(c rules.Cond) bool { return drop(s, i, &c) })
	}
}

// A fault that is always there is invisible to relations whose two sides have it
// alike; what is to be found is found.
func TestRelationsFindFaultsOfTheirKind(t *testing.T) {
	byName := map[string]Relation{}
	left := map[string]bool{}
	for _, r := range All() {
		byName[r.Name], left[r.Name] = r, true
	}
	for _, fault := range []struct {
		name string
		wrap func(ways.Way) ways.Way
		by   []string
	}{
		{"intervals end one value early", alter("", ways.ShortOfTheEnd), []string{
			"a rule is split in two", "a hidden rule is inserted"}},
		{"intervals of some positions end one value early", alter("", func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond {
			if i%7 == 5 {
				return ways.ShortOfTheEnd(s, i, conds)
			}
			return conds
		}), []string{"rules that do not overlap change places", "a rule is split in two"}},
		{"of an interval that begins with 0 only the end counts", alter("", func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond {
			for j := range conds {
				if ivs, ok := plain(&conds[j]); ok && len(ivs) == 1 && ivs[0].Lo == (rules.Value{}) {
					conds[j] = rules.In(conds[j].Field(), rules.Interval{Lo: ivs[0].Hi, Hi: ivs[0].Hi})
				}
			}
			return conds
		}), []string{"a rule is widened"}},
		{"addresses above 64 bits are not compared", alter("", dropping(func(s *rules.Schema, _ int, c *rules.Cond) bool {
			return s.Field(c.Field()).Bits > 64
		})), []string{"IPv4 addresses are mapped to IPv6"}},
		{"the second field is not compared", alter("", dropping(func(_ *rules.Schema, _ int, c *rules.Cond) bool { return c.Field() == 1 })),
			[]string{"fields change places, with a new one among them"}},
		{"live lists end intervals early", alter("live", ways.ShortOfTheEnd), []string{
			"rules are inserted and deleted", "rules are inserted in any order", "options differ", "batches differ"}},
		{"trees of an option end intervals early", alter("no copies", ways.ShortOfTheEnd), []string{"options differ"}},
		{"batches end intervals early", alter("batch by", ways.ShortOfTheEnd), []string{"options differ", "batches differ"}},
		{"every other list ends intervals early", everyOther(), []string{"a list is written and read again"}},
		{"saved classifiers end intervals early", alter("saved", ways.ShortOfTheEnd), []string{"a classifier is saved and loaded", "options differ"}},
		{"many workers end intervals early", alter("workers", ways.ShortOfTheEnd), []string{"one worker or many"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for _, name := range fault.by {
				require.True(t, finds(t, byName[name], func() func(ways.Way) ways.Way { return fault.wrap }), name)
				delete(left, name)
			}
		})
	}
	require.Empty(t, left, "relations that nothing here is found by")
}
