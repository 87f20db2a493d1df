package cases

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/fuzz/kernel"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

func text(t *testing.T, c drive.Case) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, c.Write(&b))
	return b.String()
}

// small returns a context for shrinking.
func small(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(stop)
	return ctx
}

func TestCasesAreReadAsTheyWereWritten(t *testing.T) {
	random, err := workload.Random(rules.Firewall, workload.RandomConfig{Rules: 30, Seed: 1}.Everything())
	require.NoError(t, err)
	l, err := ways.Numbered(random)
	require.NoError(t, err)
	keys, err := workload.Packets(l, workload.PacketConfig{N: 5, Seed: 1, Absent: 0.2})
	require.NoError(t, err)
	h, err := histories.Generate(histories.Config{Kind: "odd", Seed: 3, Rules: 10, Steps: 20})
	require.NoError(t, err)
	for _, c := range []drive.Case{
		&List{Rules: l, Keys: keys.Words(), Ways: ways.All()[1:2]},
		&Table{Table: jumps(t), Keys: []uint32{0, 10 << 24, 0, 0, 80, 6}, Ways: chains.All()[1:2]},
		&History{h, hipac.LiveOptions{LeafRows: 2, NoBackground: true}},
		&Relation{Relation: relations.All()[0], Seed: 5, Rules: 12},
		&Relation{Relation: relations.All()[0], Seed: 5, Rules: 12, From: l},
		versionsOfJumps(t),
		&Seeded{Name: ChainHistory, Seed: 3, Rules: 10},
		&Seeded{Name: chains.Relations()[0].Name, Seed: 3, Rules: 10},
		&Text{"native", "hipac 1\nschema ipv4\n"},
		&Bytes{[]byte{1, 2, 255}, 40, packet.LinkEthernet},
		&Kernel{kernel.Case{Way: "nft", Family: 4, Seed: 9, Program: "table ip\nchain PREROUTING DROP\nany => pass\n", Packets: [][]byte{{0x45, 0}, {0x46}}}},
	} {
		written := text(t, c)
		again, err := Read(strings.NewReader("# a comment\n\n"+written), Options{})
		require.NoError(t, err, written)
		var lines []string // but for the ways: a case that is read is for all
		for _, line := range strings.SplitAfter(written, "\n") {
			if !strings.HasPrefix(line, "way ") {
				lines = append(lines, line)
			}
		}
		var ours []string
		for _, line := range strings.SplitAfter(text(t, again), "\n") {
			if !strings.HasPrefix(line, "way ") {
				ours = append(ours, line)
			}
		}
		require.Equal(t, lines, ours)
		require.NoError(t, again.Check())
		require.Equal(t, c.Size(), again.Size())
	}
}

// jumps returns a table with a jump, a goto and a return.
func jumps(t *testing.T) *rules.Table {
	f, err := os.Open("../testdata/regress/example-table.txt")
	require.NoError(t, err)
	defer f.Close()
	c, err := Read(f, Options{})
	require.NoError(t, err)
	return c.(*Table).Table
}

// confused is a way to evaluate tables that takes a goto for a jump.
var confused = chains.Way{Name: "confused", Build: func(t *rules.Table) (*chains.Answerer, error) {
	c := *t
	c.Chains = append([]rules.Chain(nil), t.Chains...)
	for i := range c.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for _, r := range t.Chains[i].Rules.All() {
			r := *r
			if r.Value.Kind == rules.Goto {
				r.Value.Kind = rules.Jump
			}
			if _, err := b.Add(r); err != nil {
				return nil, err
			}
		}
		c.Chains[i].Rules = b.List()
	}
	return &chains.Answerer{Run: c.Run}, nil
}}

func TestTablesAreShrunken(t *testing.T) {
	s := rules.IPv4Tuple
	table := &rules.Table{Name: "t", Schema: s}
	add := func(policy rules.Verdict, rs ...rules.Rule[rules.Action]) {
		l, err := rules.NewList(s, rs...)
		require.NoError(t, err)
		table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint("c", len(table.Chains)), Policy: policy, Rules: l})
	}
	do := func(conds string, a rules.Action) rules.Rule[rules.Action] {
		return rules.Rule[rules.Action]{Conds: s.MustConds(conds), Value: a, Continue: a.Kind == rules.Pass}
	}
	add(rules.Accept, do("dport=7", rules.Action{Kind: rules.Decide, Verdict: rules.Drop}), do("proto=tcp", rules.Action{}), do("src=10.0.0.0/8", rules.Action{Kind: rules.Jump, Chain: 1}),
		do("any", rules.Action{Kind: rules.Decide, Verdict: rules.Accept}))
	add(rules.NoVerdict, do("sport=0-1000", rules.Action{Kind: rules.Jump, Chain: 2}), do("dport=80,443 proto=tcp", rules.Action{Kind: rules.Goto, Chain: 3}), do("proto=tcp", rules.Action{Kind: rules.Decide, Verdict: rules.Drop}))
	add(rules.NoVerdict, do("dport=9", rules.Action{Kind: rules.Return}))
	add(rules.NoVerdict, do("dst=1.2.3.4", rules.Action{Kind: rules.Decide, Verdict: rules.Reject}))
	require.NoError(t, table.Check(rules.Limits{}))
	keys, err := workload.Packets(table.Chains[1].Rules, workload.PacketConfig{N: 400, Seed: 1})
	require.NoError(t, err)
	for i := range keys.Len() {
		keys.At(i)[1] = 10 << 24
	}
	c := &Table{Table: table, Keys: keys.Words(), Ways: append(chains.All()[1:], confused)}
	require.Error(t, c.Check())
	less := c.Shrink(small(t)).(*Table)
	require.Error(t, less.Check())
	require.LessOrEqual(t, ruleCount(less.Table), 3, text(t, less))
	require.LessOrEqual(t, len(less.Table.Chains), 3)
	require.Len(t, less.Ways, 1)
	require.Len(t, less.Keys, s.KeyLen())
	var told bytes.Buffer
	less.Explain(&told)
	require.Contains(t, told.String(), "the walk over the chains: ")
	require.Contains(t, told.String(), "confused: ")
	require.Contains(t, told.String(), "goto ")
	again, err := Read(strings.NewReader(text(t, less)), Options{})
	require.NoError(t, err)
	require.NoError(t, again.Check())
}

func TestListsAreShrunkenToTheRuleThePacketAndTheWay(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: 800, Seed: 2})
	require.NoError(t, err)
	n, err := ways.Numbered(l)
	require.NoError(t, err)
	keys, err := workload.Packets(l, workload.PacketConfig{N: 300, Seed: 2, Mode: workload.Corners})
	require.NoError(t, err)
	tree := ways.All()[1]
	c := &List{n, keys.Words(), []ways.Way{tree, ways.Altered(tree, ways.ShortOfTheEnd)}}
	require.Error(t, c.Check())
	less := c.Shrink(small(t)).(*List)
	require.Error(t, less.Check())
	require.Equal(t, "1 rule, 1 packet", less.Size())
	require.Len(t, less.Rules.At(0).Conds, 1)
	require.Equal(t, "tree, altered", less.Ways[0].Name)
	var told bytes.Buffer
	less.Explain(&told)
	require.Regexp(t, `^packet: src=.*\nfirst match, the linear matcher: 0\nfirst match, tree, altered: no rule\nrule 0: .*: matches\nthe tree by default: `, told.String())
}

func TestWhatDoesNotComeAgainStaysAsItIs(t *testing.T) {
	l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[int]{})
	require.NoError(t, err)
	for _, c := range []drive.Case{&List{Rules: l, Ways: ways.All()[1:]}, &Text{"native", "x"}, &Bytes{Data: []byte{1}}, &Table{Table: jumps(t)}} {
		require.NoError(t, c.Check())
		require.Equal(t, c, c.Shrink(small(t)))
	}
}

func TestFewerFindsTheItemsThatMatter(t *testing.T) {
	var items []int
	for i := range 1000 {
		items = append(items, i)
	}
	asked := 0
	got := fewer(small(t), items, func(keep []int) bool {
		asked++
		found := 0
		for _, i := range keep {
			if i == 17 || i == 720 || i == 721 {
				found++
			}
		}
		return found == 3
	})
	require.Equal(t, []int{17, 720, 721}, got)
	require.Less(t, asked, 300)
	ended, stop := context.WithCancel(context.Background())
	stop()
	require.Equal(t, items, fewer(ended, items, func([]int) bool { return true }))
}

func TestPacketsBecomePlain(t *testing.T) {
	s := rules.IPv4Tuple
	k := rules.Key{0, 0xdeadbeef, 0x12345678, 7, 0xffff, 6}
	s.SetAbsent(k, 2)
	got := narrower(small(t), s, k, func(k rules.Key) bool { return k[1]&0x100 == 0 && k[4] >= 0x1234 })
	require.Equal(t, rules.Key{0, 0, 0, 0, 0x1234, 0}, got)
}

func TestRelationsThatALinearMatcherRefutesBecomeLists(t *testing.T) {
	wrap := func(w ways.Way) ways.Way { return ways.Altered(w, ways.ShortOfTheEnd) }
	for _, r := range relations.All() {
		for seed := range uint64(8) {
			c := &Relation{Relation: r, Seed: seed, Rules: 16, Wrap: wrap}
			if c.Check() == nil {
				continue
			}
			ctx, stop := context.WithTimeout(context.Background(), time.Second)
			less := c.Shrink(ctx)
			stop()
			require.Error(t, less.Check(), r.Name)
			if l, ok := less.(*List); ok {
				require.LessOrEqual(t, l.Rules.Len(), 3, r.Name)
			}
			break
		}
	}
}

func TestTextsThatAreReadOtherwiseAreNoted(t *testing.T) {
	for _, format := range Formats() {
		n, err := CheckText(format, "nonsense\n")
		require.NoError(t, err, "a text that is refused")
		require.Zero(t, n)
	}
	n, err := CheckText("native", "hipac 1\nschema ipv4\nrule dport=80 => x\n")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = CheckText("other", "")
	require.Error(t, err)
	a, err := rules.NewList(rules.IPv4Tuple, rules.Rule[string]{Value: "a"})
	require.NoError(t, err)
	b, err := rules.NewList(rules.IPv4Tuple, rules.Rule[string]{Value: "b"})
	require.NoError(t, err)
	require.NoError(t, sameLists(a, a))
	require.Error(t, sameLists(a, b))
}

func TestHistoriesKeepTheirRules(t *testing.T) {
	h, err := histories.Generate(histories.Config{Kind: "ipv4", Seed: 3, Rules: 20, Steps: 12})
	require.NoError(t, err)
	c := &History{h, hipac.LiveOptions{NoBackground: true}}
	less := c.usedRules()
	require.Less(t, len(less.History.Pool), len(h.Pool))
	require.Len(t, less.History.Steps, len(h.Steps))
	require.NoError(t, less.Check())
	name := filepath.Join(t.TempDir(), "case")
	require.NoError(t, os.WriteFile(name, []byte(text(t, less)), 0o644))
}

// What differs in a history is told by the packet and the rules, and is a list by itself
// when that goes wrong without edits, too.
func TestDifferencesOfHistoriesAreToldByTheirPackets(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 4})
	h := &histories.History{Schema: s, Pool: []rules.Rule[int]{{Conds: []rules.Cond{rules.In(0, rules.Span(3, 5))}}, {Conds: []rules.Cond{rules.In(0, rules.Span(5, 9))}}}}
	k := s.NewKey()
	s.Set(k, 0, rules.U64(5))
	d := &histories.Difference{History: h, Key: k, List: []histories.Listed{{ID: 7, Rule: 1}, {ID: 4, Rule: 0}}}
	var out strings.Builder
	explainThen(&out, d)
	require.Equal(t, `packet: a=5
the list then:
  identity 7: a=5-9: matches
  identity 4: a=3-5: matches
`, out.String())
	tree := ways.All()[1]
	require.Nil(t, listThen(d, []ways.Way{tree}), "it goes right by itself")
	l := listThen(d, []ways.Way{ways.Altered(tree, func(_ *rules.Schema, position int, conds []rules.Cond) []rules.Cond {
		if position == 0 {
			return []rules.Cond{rules.In(0, rules.Span(1, 1))}
		}
		return conds
	})})
	require.NotNil(t, l)
	require.Equal(t, 2, l.Rules.Len())
	require.Error(t, l.Check())
	d.Key, out = nil, strings.Builder{}
	explainThen(&out, d)
	require.Empty(t, out.String(), "it is not about a packet")
	require.Nil(t, listThen(d, []ways.Way{tree}))
}

// A relation between tables that does not hold because a way is wrong is a case of a
// table: its rules and one packet.
func TestRelationsBetweenTablesShrinkToATable(t *testing.T) {
	wrong := func(w chains.Way) chains.Way {
		if w.Name == "walk" {
			return w
		}
		return chains.Altered(w, func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Return {
				r.Value.Kind, r.Continue = rules.Pass, true
			}
		})
	}
	for seed := range uint64(200) {
		all := chains.Relations()
		c := &Seeded{Name: all[seed%uint64(len(all))].Name, Seed: seed, Rules: 20, Wrap: wrong}
		if c.Check() == nil {
			continue
		}
		table, ok := c.Shrink(small(t)).(*Table)
		require.True(t, ok)
		require.Error(t, table.Check())
		require.LessOrEqual(t, ruleCount(table.Table), 4)
		require.Len(t, table.Keys, table.Table.Schema.KeyLen(), "one packet")
		c.Wrap = nil
		require.Nil(t, c.table(), "nothing is wrong without the fault")
		return
	}
	t.Fatal("the fault was never met")
}

// versionsOfJumps are three versions of a table: without rules, with half of them, and
// with all but the first.
func versionsOfJumps(t *testing.T) *Versions {
	table := jumps(t)
	c := &Versions{Schema: table.Schema, Pool: placedRules(table), Keys: []uint32{0, 10 << 24, 0, 0, 80, 6}, LeafRows: 2, Counters: true, Versions: [][]int{{}, nil, nil}}
	for i := range table.Chains {
		c.Chains = append(c.Chains, rules.Chain{Name: fmt.Sprint("chain", i), Policy: table.Chains[i].Policy})
	}
	for i := range c.Pool {
		c.Versions[1+min(i, 1)] = append(c.Versions[1+min(i, 1)], i)
	}
	return c
}

func TestVersionsAreWhatTheWalkSays(t *testing.T) { require.NoError(t, versionsOfJumps(t).Check()) }

// rejecting makes live tables that were edited say DROP for REJECT.
func rejecting(w chains.Way) chains.Way {
	if w.Name != chains.AfterEdits {
		return w
	}
	return chains.Way{Name: w.Name, Build: func(t *rules.Table) (*chains.Answerer, error) {
		a, err := w.Build(t)
		if err != nil {
			return nil, err
		}
		return &chains.Answerer{Run: func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
			r := a.Run(p, chain, executed)
			if r.Verdict == rules.Reject && r.By.Rule >= 0 {
				r.Verdict = rules.Drop
			}
			return r
		}}, nil
	}}
}

// A live table that answers otherwise than the walk is told by the versions that it
// was, and one packet.
func TestHistoriesOfLiveTablesShrinkToVersions(t *testing.T) {
	for seed := range uint64(100) {
		c := &Seeded{Name: ChainHistory, Seed: seed, Rules: 25, Wrap: rejecting}
		if c.Check() == nil {
			continue
		}
		v, ok := c.Shrink(small(t)).(*Versions)
		require.True(t, ok)
		require.Error(t, v.Check())
		require.Len(t, v.Versions, 1, "it needs no edits")
		require.Len(t, v.Chains, 1)
		require.Len(t, v.Pool, 1)
		require.Empty(t, v.Pool[0].rule.Conds)
		require.Len(t, v.Keys, v.Schema.KeyLen(), "one packet")
		var told strings.Builder
		v.Explain(&told)
		require.Contains(t, told.String(), "rule 0, of chain 0: any => REJECT\nversion 0 has rules 0\n")
		require.Contains(t, told.String(), "live, after edits: {DROP")
		again, err := Read(strings.NewReader(text(t, v)), Options{})
		require.NoError(t, err)
		require.NoError(t, again.Check(), "nothing is wrong without the fault")
		again.(*Versions).Wrap = rejecting
		require.Error(t, again.Check())
		return
	}
	t.Fatal("the fault was never met")
}

func TestBadVersionsAreRefused(t *testing.T) {
	good := text(t, versionsOfJumps(t))
	for from, to := range map[string]string{"entry 0": "entry 9", "leafrows 2": "leafrows x", "counters true": "counters 7", "version none\n": "version 99\n"} {
		require.Contains(t, good, from)
		_, err := Read(strings.NewReader(strings.Replace(good, from, to, 1)), Options{})
		require.Error(t, err, to)
	}
}

// Of many rules those are told that match, as many as of few, and how many more there are.
func TestOfManyRulesThoseThatMatchAreTold(t *testing.T) {
	for _, c := range []struct {
		n, every int
		want     int
		more     string
	}{{0, 1, 0, ""}, {tellMost, 99, tellMost, ""}, {tellMost + 1, 5, 5, "and 16 more rules\n"}, {tellMost + 1, 1, tellMost, "and 1 more rule\n"}} {
		var b strings.Builder
		tellRules(&b, c.n, func(i int) (string, bool) { return fmt.Sprint("rule ", i), i%c.every == 0 })
		require.Equal(t, c.want, strings.Count(b.String(), "rule ")-strings.Count(c.more, "rule "), b.String())
		require.True(t, strings.HasSuffix(b.String(), c.more), b.String())
	}
}
