package xt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
)

// tableOf returns a table with one rule for each test.
func tableOf(t *testing.T, tests ...rules.Test) *rules.Table {
	t.Helper()
	b := rules.NewBuilder[rules.Action](rules.IPv4Tuple)
	for _, x := range tests {
		b.Add(rules.Rule[rules.Action]{Value: rules.Action{Ext: &rules.Extension{Tests: []rules.Step{{Test: x, Stateful: true}}}}})
	}
	return &rules.Table{Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Rules: b.List()}}}
}

func TestRulesThatStayKeepTheirMemoryWhenOthersGo(t *testing.T) {
	for name, fresh := range map[string]func() rules.Test{
		"limit":     func() rules.Test { return must(Limit(LimitScale*3600, 1)) },
		"quota":     func() rules.Test { return Quota(1000, false) },
		"nth":       func() rules.Test { return Nth(9, 0, false) },
		"connlimit": func() rules.Test { return ConnLimit{Limit: 1, Mask: noMask}.Test() },
	} {
		s := newStage(t)
		id := uint64(0)
		ask := func(x rules.Test) bool {
			id++
			s.conn(id)
			return s.ask(x)
		}
		alone, among, gone := fresh(), fresh(), fresh()
		for _, x := range []rules.Test{alone, among, gone} {
			require.True(t, ask(x), name)
			require.False(t, ask(x), name)
		}
		s.tr.State.ForgetOthers(tableOf(t, alone), tableOf(t, AnyOf([]rules.Test{FieldTest(rules.Field{Name: "mark", Bits: 32}, rules.Cond{}), among})))
		require.False(t, ask(alone), name)
		require.False(t, ask(among), name)
		require.True(t, ask(gone), name)
	}
}

func TestConnectionsThatOnlyRulesThatAreGoneHaveCountedAreForgotten(t *testing.T) {
	s := newStage(t)
	stays, goes := ConnLimit{Above: true, Limit: 2, Mask: noMask}.Test(), ConnLimit{Above: true, Limit: 2, Mask: noMask}.Test()
	for id := range uint64(3) {
		s.conn(id)
		s.ask(goes)
		if id > 0 {
			s.ask(stays)
		}
	}
	require.Equal(t, 5, s.tr.State.total)
	s.tr.State.ForgetOthers(tableOf(t, stays))
	require.Equal(t, 2, s.tr.State.total)
	require.Len(t, s.tr.State.counted, 2)
	s.conn(7)
	require.True(t, s.ask(stays))
	for _, id := range []uint64{0, 1, 2, 7} {
		s.tr.State.EndConnection(id)
	}
	require.Zero(t, s.tr.State.total)
	require.Empty(t, s.tr.State.counted)
	s.conn(8)
	require.False(t, s.ask(stays))
}

func TestSetsThatAreReadAnewAreWhatRulesAsk(t *testing.T) {
	s := newStage(t)
	read := func(text string) *ipset.Sets {
		sets, err := ipset.Read(strings.NewReader(text), ipset.Options{})
		require.NoError(t, err)
		return sets
	}
	src := ipset.Directions{N: 1, Src: 1}
	from := read("create x hash:ip\nadd x 192.0.2.1\ncreate y hash:ip\nadd y 192.0.2.1\n")
	x, y := InSet(from, "x", ipset.Query{Directions: src}, false, false), InSet(from, "y", ipset.Query{Directions: src}, false, false)
	s.send("192.0.2.1", "198.51.100.1", 60)
	require.True(t, s.ask(x))
	s.tr.DeleteFromSet(from, "x", src)
	require.False(t, s.ask(x))
	s.tr.State.UseSets(read("create x hash:ip\nadd x 192.0.2.1\n"))
	require.True(t, s.ask(x), "what packets had changed is forgotten")
	s.tr.State.UseSets(read("create x hash:ip\nadd x 192.0.2.2\n"))
	require.False(t, s.ask(x))
	require.True(t, s.ask(y), "a set that is in no other file")
}
