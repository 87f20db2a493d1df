package exercises

// Tables of chains: jumps, gotos, returns, rules that only count, policies.

import (
	"bytes"
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
)

// tablePoints are what tables reach.
func tablePoints() []string {
	out := []string{"chain: decides", "chain: jump", "chain: goto", "chain: return", "chain: counts", "chain: policy", "chain: left without a policy", "chain: unknown",
		"chain: copied into its callers", "chain: called", "chain: of one family"}
	for _, w := range chains.All()[1:] {
		out = append(out, "table: "+w.Name)
	}
	return out
}

// randomTable draws a table: chains jump to later ones alone.
func randomTable(t *drive.Trial) (*rules.Table, error) {
	r := t.Rand
	s := &schemas[r.IntN(len(schemas))]
	table := &rules.Table{Name: "filter", Schema: s.schema}
	if s.schema == rules.IPTuple || s.schema == rules.Firewall {
		table.Family = []int{0, 4, 6}[r.IntN(3)]
	}
	number := 1 + r.IntN(7)
	for chain := range number {
		c := workload.RandomConfig{Rules: r.IntN(1 + 4<<r.IntN(4)), Seed: r.Uint64(), Pool: 2 + r.IntN(30),
			Constrain: min(0.9, s.asks*(0.2+0.9*r.Float64())/float64(s.schema.Len()))}
		if r.IntN(3) > 0 {
			c = c.Everything()
			c.Unknown = r.IntN(4) == 0
		}
		l, err := workload.Random(s.schema, c)
		if err != nil {
			return nil, err
		}
		b := rules.NewBuilder[rules.Action](s.schema)
		for i, x := range l.All() {
			a := rules.Action{Number: i + 1}
			switch p := r.IntN(20); {
			case p < 7 && len(x.Conds) > 0:
				a.Kind, a.Verdict = rules.Decide, []rules.Verdict{rules.Accept, rules.Drop, rules.Reject}[r.IntN(3)]
			case p < 14 && chain+1 < number:
				a.Kind, a.Chain = rules.Jump, chain+1+r.IntN(number-chain-1)
				if r.IntN(4) == 0 {
					a.Kind = rules.Goto
				}
			case p < 16 && chain > 0:
				a.Kind = rules.Return
			}
			unknown := x.Unknown
			if _, err := b.Add(rules.Rule[rules.Action]{Conds: x.Conds, Unknown: unknown, Continue: a.Kind == rules.Pass, Value: a}); err != nil {
				return nil, err
			}
		}
		table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint("chain", chain), Rules: b.List()})
	}
	table.Chains[0].Policy = []rules.Verdict{rules.Accept, rules.Drop, rules.NoVerdict}[r.IntN(3)]
	return table, table.Check(rules.Limits{})
}

// tableKeys draws packets for a table: some that rules decide, and as many others
// where there are.
func tableKeys(t *drive.Trial, table *rules.Table, entry, n int) ([]uint32, error) {
	var hits, misses []uint32
	w := table.Schema.KeyLen()
	for _, mode := range []workload.Mode{workload.Mixed, workload.Misses} {
		c := workload.PacketConfig{N: n, Seed: t.Rand.Uint64(), Mode: mode, Absent: []float64{0, 0, 0.05, 0.2}[t.Rand.IntN(4)]}
		source, err := workload.NewTableSource(table, entry, c)
		if err != nil {
			return nil, err
		}
		for range n {
			k := table.Schema.NewKey()
			if _, err := source.Next(k); err != nil {
				return nil, err
			}
			if r := table.Evaluate(k, entry, nil); r.By.Rule >= 0 {
				hits = append(hits, k...)
			} else {
				misses = append(misses, k...)
			}
		}
	}
	few := max(min(len(hits), len(misses))/w, n/16)
	return append(hits[:min(len(hits), 2*few*w, n*w)], misses[:min(len(misses), 2*few*w, n*w)]...), nil
}

func tables() []*drive.Exercise {
	return []*drive.Exercise{
		{Name: "random tables of chains", Group: "tables of chains", Weight: 8, Points: tablePoints(), Run: func(ctx context.Context, t *drive.Trial) error {
			table, err := randomTable(t)
			if err != nil {
				return err
			}
			keys, err := tableKeys(t, table, 0, 80)
			if err != nil {
				return err
			}
			return checkTable(ctx, t, table, 0, keys, 99)
		}},
		generatedTables("tables of many chains", workload.KindChains, 1500),
		generatedTables("tables of kube-proxy", workload.KindKubeProxy, 800),
	}
}

func generatedTables(name, kind string, most int) *drive.Exercise {
	return &drive.Exercise{Name: name, Group: "tables of chains", Weight: 1, Run: func(ctx context.Context, t *drive.Trial) error {
		set, err := workload.Make(workload.Config{Family: kind, Rules: 30 + t.Rand.IntN(most), Seed: t.Rand.Uint64(), IPv6: t.Rand.IntN(4) == 0})
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := set.Write(&text, workload.FormatIptables); err != nil {
			return err
		}
		rs, err := iptables.Read(&text, iptables.Options{})
		if err != nil {
			return err
		}
		table := rs.Tables[t.Rand.IntN(len(rs.Tables))]
		roots := table.Roots()
		entry := roots[t.Rand.IntN(len(roots))]
		keys, err := tableKeys(t, table, entry, 100)
		if err != nil {
			return err
		}
		return checkTable(ctx, t, table, entry, keys, 3)
	}}
}

// checkTable evaluates packets in a number of ways, and counts.
func checkTable(ctx context.Context, t *drive.Trial, table *rules.Table, entry int, keys []uint32, most int) error {
	all := chains.All()[1:]
	if most < len(all) {
		t.Rand.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
		all = all[:most]
	}
	if err := reachTable(ctx, t, table, entry, keys); err != nil {
		return err
	}
	for _, w := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := []chains.Way{t.WrongTable(w)}
		r, err := cases.CheckTable(table, entry, keys, some)
		t.Counts.Answers += int64(r.Answers)
		if err != nil {
			return &drive.Failure{Err: err, Case: &cases.Table{Table: table, Entry: entry, Keys: keys, Ways: some}}
		}
		t.Reach("table: " + w.Name)
	}
	return nil
}

// reachTable reaches what the walk of the packets shows, and what the compiled table
// is like.
func reachTable(ctx context.Context, t *drive.Trial, table *rules.Table, entry int, keys []uint32) error {
	r, err := cases.CheckTable(table, entry, keys, nil)
	if err != nil {
		return err
	}
	for i := range table.Chains {
		t.Counts.Rules += int64(table.Chains[i].Rules.Len())
	}
	t.Counts.Packets += int64(r.Packets)
	t.Counts.Hits += int64(r.Decided)
	t.Counts.Misses += int64(r.Packets - r.Decided)
	kinds := map[rules.ActionKind]string{rules.Decide: "decides", rules.Jump: "jump", rules.Goto: "goto", rules.Return: "return", rules.Pass: "counts"}
	for _, p := range r.Executed {
		x := table.Chains[p.Chain].Rules.At(p.Rule)
		t.Reach("chain: " + kinds[x.Value.Kind])
		t.ReachIf(x.Unknown != "", "chain: unknown")
	}
	if r.Decided < r.Packets {
		if table.Chains[entry].Policy == rules.NoVerdict {
			t.Reach("chain: left without a policy")
		} else {
			t.Reach("chain: policy")
		}
	}
	t.ReachIf(table.Family != 0, "chain: of one family")
	c, err := hipac.BuildTable(ctx, table, nil)
	if err != nil {
		return err
	}
	stats := c.Stats()
	reachNodes(t, stats.Nodes)
	t.ReachIf(stats.Entries > stats.Rules, "chain: copied into its callers")
	t.ReachIf(stats.Entries <= stats.Rules && len(table.Chains) > 2, "chain: called")
	return nil
}
