package hipac_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestPathsOfCompiledTablesAgreeWithTheWalk(t *testing.T) {
	type event struct {
		stop int
		at   rules.Place
		left rules.Verdict
	}
	stops := map[int]int{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		pool := pools(r, rules.Firewall)
		var tables []*rules.Table
		var path rules.Path
		for range 1 + r.IntN(5) {
			table := randomTable(r, rules.Firewall, 3, 4, pool)
			table.Chains[0].Policy = rules.Accept
			tables = append(tables, table)
			path = append(path, rules.Stop{Table: table})
		}
		path = append(path, rules.Stop{Table: randomTable(r, rules.Firewall, 3, 4, pool)}) // not compiled
		c, err := hipac.BuildTables(context.Background(), tables, &hipac.Options{Engine: []hipac.Engine{hipac.Tree, hipac.Index}[seed%2]})
		require.NoError(t, err)
		require.Len(t, c.All(), len(tables))
		k := rules.Firewall.NewKey()
		for range 50 {
			randomKey(r, rules.Firewall, pool, k)
			var want, got []event
			watch := func(list *[]event) *rules.Observer {
				return &rules.Observer{
					Executed: func(stop int, at rules.Place) { *list = append(*list, event{stop: stop, at: at}) },
					Left:     func(stop int, r rules.Result) { *list = append(*list, event{stop, r.By, r.Verdict}) },
				}
			}
			w := path.Run(rules.KeyOnly(k), watch(&want))
			require.Equal(t, w, c.Run(rules.KeyOnly(k), path, watch(&got)))
			require.Equal(t, want, got)
			require.Equal(t, w, c.Run(rules.KeyOnly(k), path, nil))
			stops[w.Stop]++
		}
	}
	for stop := range 4 {
		require.Greater(t, stops[stop], 50, "%v", stops)
	}
}

func TestBuildTablesNamesTheTableThatCannotBeBuilt(t *testing.T) {
	_, err := hipac.BuildTables(context.Background(), []*rules.Table{{Name: "odd"}}, nil)
	require.ErrorContains(t, err, "table odd: ")
	_, err = hipac.BuildTables(context.Background(), []*rules.Table{nil}, nil)
	require.Error(t, err)
}
