package hipac_test

// Tables that a program makes itself, without a parser that would have refused them:
// chains without a name, and rules of another schema.

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestTablesOfALiveSetHaveNamedChainsOfTheirSchema(t *testing.T) {
	list := func(s *rules.Schema) *rules.List[rules.Action] {
		l, err := rules.NewList[rules.Action](s)
		require.NoError(t, err)
		return l
	}
	table := func(name string, l *rules.List[rules.Action]) []*rules.Table {
		return []*rules.Table{{Name: "filter", Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Accept, Rules: list(rules.IPv4Tuple)}, {Name: name, Rules: l}}}}
	}
	good := table("web", list(rules.IPv4Tuple))
	live, err := hipac.NewLiveTables(ctx, good, nil)
	require.NoError(t, err)
	s := rules.MustSchema(rules.Field{Name: "src", Kind: rules.IPv4})
	other, err := rules.NewList(s, rules.Rule[rules.Action]{Conds: s.MustConds("src=10.0.0.1"), Value: rules.Action{Verdict: rules.Drop}})
	require.NoError(t, err)
	for _, tt := range []struct {
		tables []*rules.Table
		want   string
	}{
		{table("", list(rules.IPv4Tuple)), `table filter: chain 1 is called "": a name is not empty and does not begin with a zero byte`},
		{table("\x00web", list(rules.IPv4Tuple)), `table filter: chain 1 is called "\x00web": a name is not empty and does not begin with a zero byte`},
		{table("web", nil), "table filter: chain web: its rules are not of the table's schema"},
		{table("web", other), "table filter: chain web: its rules are not of the table's schema"},
	} {
		_, err := hipac.NewLiveTables(ctx, tt.tables, nil)
		require.EqualError(t, err, tt.want)
		_, err = live.Apply(ctx, tt.tables)
		if tt.tables[0].Chains[1].Rules != nil { // nil is no rules, as it has
			require.Error(t, err, tt.want)
		}
		require.Len(t, live.Snapshot().Table("filter", 0).Source().Chains, 2, "what was there stays")
	}
	// A table that gets another schema gets it in all chains.
	for _, rs := range []*rules.List[rules.Action]{nil, list(rules.IPv4Tuple)} {
		next := []*rules.Table{{Name: "filter", Schema: s, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Accept, Rules: other}, {Name: "web", Rules: rs}}}}
		_, err := live.Apply(ctx, next)
		require.EqualError(t, err, "table filter: chain web: its rules are not of the table's schema")
		require.Equal(t, rules.IPv4Tuple, live.Snapshot().Table("filter", 0).Schema(), "what was there stays")
	}
}
