package chains

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestRelationsBetweenTablesHold(t *testing.T) {
	for _, relation := range Relations() {
		t.Run(relation.Name, func(t *testing.T) {
			t.Parallel()
			var total relations.Report
			for seed := range uint64(48) {
				r, err := relation.Check(seed, []int{3, 12, 40, 90}[seed%4])
				require.NoError(t, err)
				total.Add(r)
			}
			t.Logf("%+v", total)
			require.GreaterOrEqual(t, total.Changes, 48)
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
func finds(t *testing.T, relation Relation, fault func() func(Way) Way) bool {
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
	for _, relation := range Relations() {
		t.Run(relation.Name, func(t *testing.T) {
			require.True(t, finds(t, relation, func() func(Way) Way { return Forgetful(41) }))
		})
	}
}

type alteration = func(t *rules.Table, chain int, r *rules.Rule[rules.Action])

// shortOfTheEnd has intervals of more than a value lose their last one.
func shortOfTheEnd(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
	for i := range r.Conds {
		if ivs, ok := plain(&r.Conds[i]); ok && len(ivs) == 1 && ivs[0].Lo != ivs[0].Hi {
			r.Conds[i] = rules.In(r.Conds[i].Field(), rules.Interval{Lo: ivs[0].Lo, Hi: ivs[0].Hi.Prev()})
		}
	}
}

// always makes all ways wrong whose names contain a word.
func always(word string, how alteration) func() func(Way) Way {
	return func() func(Way) Way {
		return func(w Way) Way {
			if strings.Contains(w.Name, word) {
				return Altered(w, how)
			}
			return w
		}
	}
}

// everyOther makes every second build of a way wrong.
func everyOther(how alteration) func() func(Way) Way {
	return func() func(Way) Way {
		return func(w Way) Way {
			builds, right, wrong := 0, w.Build, Altered(w, how).Build
			w.Build = func(t *rules.Table) (*Answerer, error) {
				if builds++; builds%2 == 0 {
					return wrong(t)
				}
				return right(t)
			}
			return w
		}
	}
}

// A fault that is always there is invisible to relations whose two sides have it
// alike; what is to be found is found.
func TestRelationsBetweenTablesFindFaultsOfTheirKind(t *testing.T) {
	byName := map[string]Relation{}
	left := map[string]bool{}
	for _, r := range Relations() {
		byName[r.Name], left[r.Name] = r, true
	}
	returns := func(do rules.Action) alteration {
		return func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Return {
				do.Text = r.Value.Text
				r.Value = do
			}
		}
	}
	for _, fault := range []struct {
		name string
		wrap func() func(Way) Way
		by   []string
	}{
		{"chains of some names end intervals early", always("", func(t *rules.Table, chain int, r *rules.Rule[rules.Action]) {
			if strings.HasPrefix(t.Chains[chain].Name, "c") {
				shortOfTheEnd(t, chain, r)
			}
		}), []string{"chains are renamed", "rules become a chain", "callers get chains of their own"}},
		{"jumps into the third chain are lost", always("", func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Jump && r.Value.Chain == 2 {
				r.Value.Kind = rules.Pass
			}
		}), []string{"chains change places", "callers get chains of their own"}},
		{"the last chain is empty", always("", func(t *rules.Table, chain int, r *rules.Rule[rules.Action]) {
			if chain == len(t.Chains)-1 {
				r.Conds = []rules.Cond{rules.In(0)}
			}
		}), []string{"chains come that nothing leads to"}},
		{"jumps ask for nothing", always("", func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Jump {
				r.Conds = nil
			}
		}), []string{"a chain that is jumped to once takes the place of the jump", "conditions of a jump move to the rules of its chain",
			"a last goto becomes a jump"}},
		{"jumps do not come back", always("", faults["a jump does not come back"]), []string{"rules become a chain", "a rule that counts leads to an empty chain"}},
		{"gotos come back", always("", faults["a goto comes back"]), []string{"a goto becomes a jump and a return"}},
		{"returns drop", always("", returns(rules.Action{Kind: rules.Decide, Verdict: rules.Drop})), []string{"a chain ends in a return"}},
		{"returns only count", always("", func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Return {
				r.Value.Kind = rules.Pass
			}
		}), []string{"a goto becomes a jump and a return", "rules come behind one that ends the chain"}},
		{"drops accept", always("", func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Verdict == rules.Drop {
				r.Value.Verdict = rules.Accept
			}
		}), []string{"a chain ends in its policy"}},
		{"intervals end one value early", always("", shortOfTheEnd), []string{"a rule is split in two", "lists of ports and states become several rules"}},
		{"every other table ends intervals early", everyOther(shortOfTheEnd), []string{"rules that do not overlap change places", "a set takes the place of its addresses",
			"a file is written and read again"}},
		{"live tables end intervals early", always("live, after", shortOfTheEnd), []string{"rules and chains come and go again"}},
		{"live tables of rules in any order end intervals early", always("live, inserted", shortOfTheEnd), []string{"rules come in any order"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for _, name := range fault.by {
				assert.True(t, finds(t, byName[name], fault.wrap), name)
				delete(left, name)
			}
		})
	}
	require.Empty(t, left, "relations that nothing here is found by")
}

func TestSomeTablesHaveChainsThatAreCalledRatherThanCopied(t *testing.T) {
	called := 0
	for seed := range uint64(60) {
		d := newDrawer(rand.New(rand.NewPCG(seed, 1)))
		table, err := d.table(90)
		require.NoError(t, err)
		walked, most := map[int]int{}, 0
		for i := len(table.Chains) - 1; i >= 0; i-- {
			for _, r := range table.Chains[i].Rules.All() {
				if walked[i]++; r.Value.Kind == rules.Jump {
					walked[i] += walked[r.Value.Chain]
				}
			}
			most = max(most, walked[i])
		}
		c, err := hipac.BuildTable(context.Background(), table, nil)
		require.NoError(t, err)
		if st := c.Stats(); most > 3000 && st.Entries < most {
			called++
		}
	}
	require.Greater(t, called, 2)
}
