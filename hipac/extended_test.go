package hipac_test

// Tables whose rules have tests and targets, and packets that are cut inside a
// header: the compiled table against the walk.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

var marked = rules.MustSchema(rules.Field{Name: "a", Bits: 3}, rules.Field{Name: "b", Bits: 3},
	rules.Field{Name: "mark", Bits: 2}, rules.Field{Name: "hotdrop", Bits: 32})

// subject is a packet that targets change. What is done to it is written down.
type subject struct {
	key rules.Key
	log []string
}

func (s *subject) Key() rules.Key             { return s.key }
func (s *subject) Enters(t *rules.Table) bool { return t.Admits(s.key) }

// oracle answers by a sum over the key, and notes that it was asked when it
// has a memory. One that changes packets adds 1 to the mark, whatever it says.
type oracle struct {
	seed     uint32
	stateful bool
	changes  bool
}

func (o *oracle) Ask(s rules.Subject) (rules.Outcome, string) {
	sub := s.(*subject)
	if o.stateful {
		sub.log = append(sub.log, fmt.Sprintf("asked %d", o.seed))
	}
	sum := (sub.key[1]*3 + sub.key[2]*5 + sub.key[3]*7 + o.seed) % 12
	if o.changes && sum != 9 {
		marked.Set(sub.key, 2, rules.U64(uint64(sub.key[3]+1)%4))
	}
	switch {
	case sum < 5:
		return rules.Yes, ""
	case sum < 9:
		return rules.No, ""
	case sum == 9:
		return rules.Unsure, fmt.Sprint("test ", o.seed)
	case sum == 10:
		return rules.DropBehind, ""
	}
	return rules.DropNow, ""
}

// marker sets the mark, or only makes a note.
type marker struct {
	mark    int
	outcome rules.Outcome
}

func (m *marker) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	sub := s.(*subject)
	sub.log = append(sub.log, fmt.Sprintf("target at %v: %d %q", at, m.mark, unsure))
	if unsure == "" && m.mark >= 0 {
		marked.Set(sub.key, 2, rules.U64(uint64(m.mark)))
	}
	return m.outcome, map[bool]string{true: "luck"}[m.outcome == rules.Unsure]
}

// extend gives rules of the table tests, targets and demands.
func extend(r *rand.Rand, t *rules.Table) {
	for c := range t.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for _, rule := range t.Chains[c].Rules.All() {
			own := *rule
			e := &rules.Extension{}
			ahead := 0 // tests in front of those that change the packet
			for range []int{0, 0, 0, 1, 2}[r.IntN(5)] {
				stateful := r.IntN(2) == 0
				changes := stateful && r.IntN(3) == 0
				e.Tests = append(e.Tests, rules.Step{Test: &oracle{r.Uint32N(1000), stateful, changes}, Stateful: stateful, Changes: changes})
				if changes {
					e.Writes = []string{"mark"}
				} else if e.Writes == nil {
					ahead++
				}
			}
			if r.IntN(5) == 0 {
				outcome := []rules.Outcome{rules.Yes, rules.Yes, rules.Yes, rules.No, rules.DropNow, rules.Unsure}[r.IntN(6)]
				e.Target = &marker{-1, outcome}
				if r.IntN(2) == 0 {
					e.Target, e.Writes = &marker{r.IntN(4), outcome}, []string{"mark", "field that no rule asks for"}
				}
			}
			for range r.IntN(3) {
				e.Demands = append(e.Demands, rules.Demand{Bits: 1 << r.IntN(3), Conds: r.IntN(len(own.Conds) + 1), Tests: r.IntN(ahead + 1)})
			}
			if !e.Plain() || len(e.Demands) > 0 {
				own.Value.Ext = e
			}
			if _, err := b.Add(own); err != nil {
				panic(err)
			}
		}
		t.Chains[c].Rules = b.List()
	}
}

func TestTablesWithTestsAndTargetsAgreeWithTheWalk(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		pool := pools(r, marked)
		table := randomTable(r, marked, 1+r.IntN(10), 1+r.IntN(12), pool)
		table.Family = 0
		extend(r, table)
		require.NoError(t, table.Check(rules.Limits{}))
		for _, opts := range []*hipac.Options{nil, {Engine: hipac.Index}} {
			c, err := hipac.BuildTable(context.Background(), table, opts)
			require.NoError(t, err)
			for i := range 120 {
				if i == 90 {
					require.NoError(t, c.BuildCut(context.Background()))
				}
				k := marked.NewKey()
				randomKey(r, marked, pool, k)
				hot := uint64(0)
				if i >= 60 && i%3 == 0 {
					hot = uint64(r.IntN(8))
				}
				marked.Set(k, 3, rules.U64(hot))
				entry := 0
				if i%10 == 9 {
					entry = r.IntN(len(table.Chains))
				}
				var want, got []rules.Place
				one, two := &subject{key: append(rules.Key{}, k...)}, &subject{key: append(rules.Key{}, k...)}
				w := table.Run(one, entry, func(p rules.Place) { want = append(want, p) })
				g := c.Run(two, entry, func(p rules.Place) { got = append(got, p) })
				require.Equal(t, w, g, "seed %d packet %d key %v", seed, i, k)
				require.Equal(t, want, got, "rules executed, seed %d packet %d key %v", seed, i, k)
				require.Equal(t, one, two, "what was done, seed %d packet %d key %v", seed, i, k)
				three := &subject{key: k}
				require.Equal(t, w, c.Run(three, entry, nil))
				require.Equal(t, one, three)
				kinds[w.Verdict.String()]++
				if w.Dropped {
					kinds["dropped"]++
				}
				if len(one.log) > 2 {
					kinds["several effects"]++
				}
				if hot != 0 && w.Dropped {
					kinds["dropped, cut"]++
				}
			}
		}
	}
	for _, kind := range []string{"NONE", "ACCEPT", "DROP", "UNKNOWN", "dropped", "dropped, cut", "several effects"} {
		require.Greater(t, kinds[kind], 500, "%s was hardly tried: %v", kind, kinds)
	}
}

func TestChainsThatSetWhatTheirJumpAsksForAreCalled(t *testing.T) {
	mark := func(n int) rules.Action {
		return rules.Action{Ext: &rules.Extension{Target: &marker{n, rules.Yes}, Writes: []string{"mark"}}}
	}
	list := func(rs ...rules.Rule[rules.Action]) *rules.List[rules.Action] {
		l, err := rules.NewList(marked, rs...)
		require.NoError(t, err)
		return l
	}
	conds := func(text string) []rules.Cond { return marked.MustConds(text) }
	table := &rules.Table{Schema: marked, Chains: []rules.Chain{
		{Name: "A", Policy: rules.Drop, Rules: list(rules.Rule[rules.Action]{Conds: conds("mark=1"), Value: rules.Action{Kind: rules.Jump, Chain: 1}})},
		{Name: "b", Rules: list(rules.Rule[rules.Action]{Value: mark(2), Continue: true},
			rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept}})},
	}}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	k := marked.NewKey()
	marked.Set(k, 2, rules.U64(1))
	require.Equal(t, rules.Accept, c.Run(&subject{key: k}, 0, nil).Verdict)
	require.Equal(t, 3, c.Stats().Entries)
}

func TestCopiesStayBelowAboutTheSizeOfTheTable(t *testing.T) {
	// Each chain calls the next one twice: copied everywhere that would be 2^20.
	jump := func(to int) rules.Rule[rules.Action] {
		return rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: to}}
	}
	table := &rules.Table{Schema: marked}
	for i := range 20 {
		b := rules.NewBuilder[rules.Action](marked)
		for range 2 {
			if i < 19 {
				_, err := b.Add(jump(i + 1))
				require.NoError(t, err)
			}
		}
		for v := range 4 {
			_, err := b.Add(rules.Rule[rules.Action]{Conds: marked.MustConds(fmt.Sprintf("a=%d mark=%d", i%8, v)), Value: rules.Action{Kind: rules.Return}})
			require.NoError(t, err)
		}
		table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint("c", i), Rules: b.List()})
	}
	table.Chains[0].Policy = rules.Accept
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	st := c.Stats()
	require.Greater(t, st.Entries, st.Rules, "some are copied")
	require.Less(t, st.Entries, 2*st.Rules+1024+100)
}

func TestPacketsThatMeetManyRulesAgreeWithTheWalk(t *testing.T) {
	longest := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 9))
		pool := pools(r, marked)
		table := &rules.Table{Schema: marked}
		const chains = 4
		for c := range chains {
			b := rules.NewBuilder[rules.Action](marked)
			for i := range 120 {
				rule := rules.Rule[rules.Action]{}
				for f := range 3 {
					if r.IntN(6) == 0 {
						rule.Conds = append(rule.Conds, randomCond(r, marked, f, pool[f]))
					}
				}
				a := rules.Action{Number: i + 1}
				switch n := r.IntN(40); {
				case n < 2 && c+1 < chains:
					a.Kind, a.Chain = rules.Jump, c+1+r.IntN(chains-c-1)
				case n == 6 && c+1 < chains && len(rule.Conds) > 0:
					a.Kind, a.Chain = rules.Goto, c+1+r.IntN(chains-c-1)
				case n == 7 && len(rule.Conds) > 0:
					a.Kind = rules.Return
				case n < 20:
					rule.Continue = true
				default:
					rule.Continue = true
					a.Ext = &rules.Extension{Target: &marker{-1, rules.Yes}}
					if r.IntN(3) == 0 {
						a.Ext = &rules.Extension{Target: &marker{r.IntN(4), rules.Yes}, Writes: []string{"mark"}}
					}
				}
				rule.Value = a
				_, err := b.Add(rule)
				require.NoError(t, err)
			}
			table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint("c", c), Rules: b.List()})
		}
		table.Chains[0].Policy = rules.Accept
		if table.Check(rules.Limits{MaxWalk: 1 << 17}) != nil {
			continue
		}
		for _, opts := range []*hipac.Options{nil, {Engine: hipac.Index}} {
			c, err := hipac.BuildTable(context.Background(), table, opts)
			require.NoError(t, err)
			for i := range 6 {
				k := marked.NewKey()
				randomKey(r, marked, pool, k)
				marked.Set(k, 3, rules.U64(0))
				var want, got []rules.Place
				one, two := &subject{key: append(rules.Key{}, k...)}, &subject{key: append(rules.Key{}, k...)}
				w := table.Run(one, 0, func(p rules.Place) { want = append(want, p) })
				g := c.Run(two, 0, func(p rules.Place) { got = append(got, p) })
				require.Equal(t, w, g, "seed %d packet %d", seed, i)
				require.Equal(t, want, got, "seed %d packet %d", seed, i)
				require.Equal(t, one, two, "seed %d packet %d", seed, i)
				longest = max(longest, len(one.log))
			}
		}
	}
	require.Greater(t, longest, 2000, "enough rules found")
}

func TestRulesBehindOneThatWritesAreNotHiddenByRulesInFrontOfIt(t *testing.T) {
	b := rules.NewBuilder[rules.Action](marked)
	for _, r := range []rules.Rule[rules.Action]{
		{Conds: marked.MustConds("mark=1"), Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop}},
		{Value: rules.Action{Ext: &rules.Extension{Target: &marker{1, rules.Yes}, Writes: []string{"mark"}}}, Continue: true},
		{Conds: marked.MustConds("mark=1 a=2"), Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept}},
	} {
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	table := &rules.Table{Schema: marked, Chains: []rules.Chain{{Name: "A", Policy: rules.Reject, Rules: b.List()}}}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	k := marked.NewKey()
	marked.Set(k, 0, rules.U64(2))
	require.Equal(t, rules.Accept, c.Run(&subject{key: k}, 0, nil).Verdict)
}
