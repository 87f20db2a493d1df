package cases

import (
	"bytes"
	"testing"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

func TestCountersThatAFileHadAreNoDifference(t *testing.T) {
	b := rules.NewBuilder[rules.Action](rules.IPv4Tuple)
	_, err := b.Add(rules.Rule[rules.Action]{Conds: []rules.Cond{rules.In(4, rules.Point(6))}, Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop, Number: 1, Packets: 7, Bytes: 420}})
	require.NoError(t, err)
	table := &rules.Table{Name: "filter", Family: 4, Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "FORWARD", Policy: rules.Accept, Rules: b.List(), Packets: 3}}}
	keys := append(rules.IPv4Tuple.NewKey(), 0, 0, 0, 0, 0, 6)
	_, err = CheckTable(table, 0, keys, chains.All())
	require.NoError(t, err)
}

func TestADifferenceOfAllPacketsTogetherIsExplained(t *testing.T) {
	list := rules.NewBuilder[rules.Action](rules.IPv4Tuple).List()
	table := &rules.Table{Name: "filter", Family: 4, Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "FORWARD", Policy: rules.Accept, Rules: list}}}
	wrong := chains.Way{Name: "miscounting", Build: func(t *rules.Table) (*chains.Answerer, error) {
		return &chains.Answerer{Run: t.Run, Counts: func() map[rules.Place]uint64 { return map[rules.Place]uint64{{}: 5} }}, nil
	}}
	c := &Table{Table: table, Keys: rules.IPv4Tuple.NewKey(), Ways: []chains.Way{wrong}}
	var d *compare.Difference
	require.ErrorAs(t, c.Check(), &d)
	var out bytes.Buffer
	c.Explain(&out)
	require.Contains(t, out.String(), "counters, miscounting: map[{0 0}:5]")
}
