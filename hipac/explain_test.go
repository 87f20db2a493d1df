package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

func TestExplanationsOfAListAreThoseOfItsRulesOneByOne(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 2})
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := rules.NewBuilder[int](s)
		for i := range 1 + rng.IntN(8) {
			r := rules.Rule[int]{Value: i, Continue: rng.IntN(5) == 0}
			for f := range 2 {
				if rng.IntN(2) == 0 {
					lo := rng.Uint64N(4)
					r.Conds = append(r.Conds, rules.In(f, rules.Span(lo, lo+rng.Uint64N(4-lo))))
				}
			}
			_, err := b.Add(r)
			require.NoError(t, err)
		}
		l := b.List()
		c, err := hipac.Build(context.Background(), l, nil)
		require.NoError(t, err)
		k := s.NewKey()
		for f := range 2 {
			s.Set(k, f, rules.U64(rng.Uint64N(4)))
		}
		e, err := c.Explain(k, 0)
		require.NoError(t, err)
		first, decided := l.First(k)
		require.Equal(t, decided, e.Matched)
		var next []int
		for i, r := range l.All() {
			why, err := c.WhyNot(k, i)
			require.NoError(t, err)
			require.Equal(t, r.Explain(s, k), why.Answers)
			matches := r.Matches(s, k)
			want := hipac.Failed
			switch {
			case decided && i == first:
				want = hipac.Decided
			case matches && decided && i > first:
				want = hipac.Behind
				if !r.Continue {
					next = append(next, i)
				}
			case matches:
				want = hipac.GoesOn
			}
			require.Equal(t, want, why.Why, "seed %d rule %d", seed, i)
			require.Equal(t, !matches, why.Failed() != nil)
			if want == hipac.Behind {
				require.Equal(t, first, why.By.Rule)
			}
		}
		var got []int
		for _, m := range e.Next {
			got = append(got, m.Position)
		}
		require.Equal(t, next, got)
	}
}

func TestExplanationsNeedTheRulesAndAKey(t *testing.T) {
	l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[int]{})
	require.NoError(t, err)
	c, err := hipac.Build(context.Background(), l, nil)
	require.NoError(t, err)
	_, err = c.Explain(rules.Key{1}, 0)
	require.Error(t, err)
	_, err = c.WhyNot(rules.Key{1}, 0)
	require.Error(t, err)
	_, err = c.WhyNot(rules.IPv4Tuple.NewKey(), 1)
	require.ErrorContains(t, err, "no such rule")
}

const branches = `*filter
:INPUT DROP
:web - [0:0]
:mail - [0:0]
:lone - [0:0]
-A INPUT -p tcp --dport 80 -j web
-A INPUT -p tcp --dport 25 -j mail
-A INPUT -j LOG
-A INPUT -p tcp -j ACCEPT
-A INPUT -p udp -j ACCEPT
-A web -s 10.0.0.0/8 -j RETURN
-A web -j DROP
-A mail -j ACCEPT
-A lone -j ACCEPT
COMMIT
`

// A way as long as can be told is told; one of a step more is an error.
func TestWhyNotHasALimitOfSteps(t *testing.T) {
	p, err := describe.Parse("tcp 10.0.0.1:1 > 192.0.2.1:80")
	require.NoError(t, err)
	walk := func(more int) (steps, left int, err error) {
		set, err := iptables.Read(strings.NewReader("*filter\n:INPUT DROP\n:often -\n"+strings.Repeat("-A INPUT -j often\n", 250)+
			strings.Repeat("-A INPUT -j LOG\n", more)+strings.Repeat("-A often -j LOG\n", 250)+"COMMIT\n"), iptables.Options{})
		require.NoError(t, err)
		table := set.Table("filter")
		tables, err := hipac.BuildTables(context.Background(), set.Tables, nil)
		require.NoError(t, err)
		s := xt.NewTraversal(table.Schema)
		s.Packet = p.Packet
		at := rules.Stop{Table: table, Chain: table.Find("INPUT")}
		trace := tables.Trace(s, rules.Path{at}, hipac.TraceOptions{All: true})
		_, err = tables.WhyNot(s, at, rules.Place{Chain: at.Chain, Rule: 3})
		return len(trace.Stops[0].Steps), int(trace.Left), err
	}
	steps, left, err := walk(0)
	require.NoError(t, err)
	require.Zero(t, left)
	more := hipac.DefaultMaxSteps - steps
	_, left, err = walk(more)
	require.NoError(t, err)
	require.Zero(t, left)
	_, left, err = walk(more + 1)
	require.EqualError(t, err, "the packet's way is too long to be told")
	require.Equal(t, 1, left)
}

func TestWhyARuleOfAChainDidNotDecide(t *testing.T) {
	set, err := iptables.Read(strings.NewReader(branches), iptables.Options{})
	require.NoError(t, err)
	table := set.Table("filter")
	tables, err := hipac.BuildTables(context.Background(), set.Tables, nil)
	require.NoError(t, err)
	why := func(packet, chain string, rule int) hipac.Reason {
		p, err := describe.Parse(packet)
		require.NoError(t, err)
		s := xt.NewTraversal(table.Schema)
		s.Packet = p.Packet
		r, err := tables.WhyNot(s, rules.Stop{Table: table, Chain: table.Find("INPUT")}, rules.Place{Chain: table.Find(chain), Rule: rule - 1})
		require.NoError(t, err)
		return r
	}
	const inside, outside = "tcp 10.0.0.1:1 > 192.0.2.1:80", "tcp 198.51.100.1:1 > 192.0.2.1:80"
	for _, tt := range []struct {
		packet, chain string
		rule          int
		want          hipac.Why
		failed        string
		by            string
	}{
		{inside, "INPUT", 4, hipac.Decided, "", ""},
		{inside, "INPUT", 1, hipac.GoesOn, "", ""},
		{inside, "INPUT", 3, hipac.GoesOn, "", ""},
		{inside, "INPUT", 2, hipac.Failed, "dport=25", ""},
		{inside, "INPUT", 5, hipac.Behind, "", "INPUT 4"},
		{inside, "web", 1, hipac.GoesOn, "", ""},
		{inside, "web", 2, hipac.Behind, "", "web 1"},
		{inside, "mail", 1, hipac.NotEntered, "", ""},
		{inside, "lone", 1, hipac.NotEntered, "", ""},
		{outside, "web", 1, hipac.Failed, "src=10.0.0.0/8", ""},
		{outside, "web", 2, hipac.Decided, "", ""},
		{outside, "INPUT", 4, hipac.Behind, "", "web 2"},
	} {
		r := why(tt.packet, tt.chain, tt.rule)
		require.Equal(t, tt.want, r.Why, "%s %s %d", tt.packet, tt.chain, tt.rule)
		if tt.want == hipac.Failed {
			require.Equal(t, tt.failed, r.Failed().Wanted)
		}
		if tt.by != "" {
			require.Equal(t, tt.by, fmt.Sprint(table.Chains[r.By.Chain].Name, " ", r.By.Rule+1))
		}
	}
	mail := why(inside, "mail", 1)
	require.Len(t, mail.Ways, 1)
	require.Equal(t, hipac.Failed, mail.Ways[0].Why)
	require.Equal(t, "dport=25", mail.Ways[0].Failed().Wanted)
	require.Empty(t, why(inside, "lone", 1).Ways)
	behind := why(outside, "mail", 1)
	require.Equal(t, hipac.Behind, behind.Ways[0].Why)
}

// The rule that decides, the one that would be next, and why another did not match.
func ExampleClassifier_Explain() {
	s := rules.IPv4Tuple
	l, _ := rules.NewList(s,
		rules.Rule[string]{Conds: s.MustConds("dport=22 src=10.0.0.0/8"), Value: "ACCEPT"},
		rules.Rule[string]{Conds: s.MustConds("dport=80"), Value: "ACCEPT"},
		rules.Rule[string]{Value: "DROP"})
	c, err := hipac.Build(context.Background(), l, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	k := s.NewKey()
	s.Set(k, s.MustIndex("src"), rules.U64(10<<24|1))
	s.Set(k, s.MustIndex("dport"), rules.U64(22))
	e, err := c.Explain(k, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rule", e.Match.Position+1, e.Match.Value)
	for _, a := range e.Answers {
		fmt.Println(" ", a.Wanted, "and it is", a.Got)
	}
	for _, m := range e.Next {
		fmt.Println("then rule", m.Position+1, m.Value)
	}
	why, err := c.WhyNot(k, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rule 2", why.Why, why.Failed().Wanted)
	// Output:
	// rule 1 ACCEPT
	//   dport=22 and it is 22
	//   src=10.0.0.0/8 and it is 10.0.0.1
	// then rule 3 DROP
	// rule 2 failed dport=80
}
