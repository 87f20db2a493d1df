package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// services makes a table as a cluster has it: a chain with a rule for each
// service, which jumps to a chain of its own, and that to one for each of two
// endpoints.
func services(b *testing.B, n int) *rules.Table {
	s := rules.Firewall
	t := &rules.Table{Name: "filter", Family: 4, Schema: s}
	chain := func(name string, policy rules.Verdict) *rules.Builder[rules.Action] {
		t.Chains = append(t.Chains, rules.Chain{Name: name, Policy: policy})
		return rules.NewBuilder[rules.Action](s)
	}
	add := func(l *rules.Builder[rules.Action], conds string, a rules.Action) {
		c, err := s.ParseConds(conds)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Add(rules.Rule[rules.Action]{Conds: c, Value: a}); err != nil {
			b.Fatal(err)
		}
	}
	input, all := chain("INPUT", rules.Drop), chain("services", rules.NoVerdict)
	add(input, "any", rules.Action{Kind: rules.Jump, Chain: 1})
	for i := range n {
		at := len(t.Chains)
		add(all, fmt.Sprintf("dst=10.%d.%d.%d dport=%d proto=tcp", i>>16, i>>8&255, i&255, 1000+i%50), rules.Action{Kind: rules.Jump, Chain: at})
		svc := chain(fmt.Sprint("svc", i), rules.NoVerdict)
		for j := range 2 {
			add(svc, fmt.Sprintf("src=10.%d.0.0/16", i%250), rules.Action{Kind: rules.Jump, Chain: at + 1 + j})
		}
		t.Chains[at].Rules = svc.List()
		for j := range 2 {
			ep := chain(fmt.Sprintf("sep%d-%d", i, j), rules.NoVerdict)
			add(ep, fmt.Sprintf("src=10.%d.%d.0/24", i%250, j), rules.Action{Kind: rules.Decide, Verdict: rules.Accept})
			t.Chains[at+1+j].Rules = ep.List()
		}
	}
	t.Chains[0].Rules, t.Chains[1].Rules = input.List(), all.List()
	return t
}

func BenchmarkLiveTables(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{100, 7000} {
		table := services(b, n)
		begin := time.Now()
		live, err := hipac.NewLiveTables(ctx, []*rules.Table{table}, &hipac.LiveOptions{NoBackground: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%d chains made in %v", len(table.Chains), time.Since(begin))
		s := table.Schema
		keys := make([]rules.Key, 1024)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range keys {
			k := s.NewKey()
			x := r.IntN(n)
			for f, v := range map[string]string{"src": fmt.Sprintf("10.%d.%d.9", x%250, r.IntN(3)), "dst": fmt.Sprintf("10.%d.%d.%d", x>>16, x>>8&255, x&255), "dport": fmt.Sprint(1000 + x%50), "proto": "tcp"} {
				c, err := s.ParseConds(f + "=" + v)
				if err != nil {
					b.Fatal(err)
				}
				in, _ := c[0].Intervals()
				s.Set(k, s.Index(f), in[0].Lo)
			}
			keys[i] = k
		}
		evaluate := func(name string, f func(k rules.Key) rules.Result) {
			b.Run(fmt.Sprintf("%s/chains=%d", name, len(table.Chains)), func(b *testing.B) {
				b.ReportAllocs()
				i, accepted := 0, 0
				for b.Loop() {
					if f(keys[i%len(keys)]).Verdict == rules.Accept {
						accepted++
					}
					i++
				}
				b.ReportMetric(float64(accepted)/float64(b.N), "accepted")
			})
		}
		evaluate("inlined", func(k rules.Key) rules.Result { return live.Snapshot().Table("filter", 4).Evaluate(k, 0) })
		edit := func(name string, f func(t *hipac.TableEdit, i int) error) {
			b.Run(fmt.Sprintf("%s/chains=%d", name, len(table.Chains)), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if err := live.Edit(ctx, func(tx *hipac.TablesTx) error {
						t, err := tx.Table("filter", 4)
						if err != nil {
							return err
						}
						i++
						return f(t, i)
					}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		accept := rules.Action{Kind: rules.Decide, Verdict: rules.Accept}
		var last rules.ID
		edit("rule", func(t *hipac.TableEdit, i int) error {
			c, err := t.Chain("sep7-1")
			if err != nil {
				return err
			}
			if i%2 == 1 {
				last, err = c.InsertAt(0, rules.Rule[rules.Action]{Value: accept})
				return err
			}
			return c.Delete(last)
		})
		edit("jump", func(t *hipac.TableEdit, i int) error {
			c, err := t.Chain("services")
			if err != nil {
				return err
			}
			if i%2 == 1 {
				conds, _ := s.ParseConds(fmt.Sprintf("dst=10.99.0.%d dport=80 proto=tcp", i%256))
				last, err = c.InsertAt(0, rules.Rule[rules.Action]{Conds: conds, Value: rules.Action{Kind: rules.Jump, Chain: 20}})
				return err
			}
			return c.Delete(last)
		})
		edit("chain", func(t *hipac.TableEdit, i int) error {
			if i%2 == 1 {
				_, err := t.NewChain("extra")
				return err
			}
			return t.DeleteChain("extra")
		})
		evaluate("chains", func(k rules.Key) rules.Result { return live.Snapshot().Table("filter", 4).Evaluate(k, 0) })
		evaluate("linear", func(k rules.Key) rules.Result {
			return live.Snapshot().Table("filter", 4).Source().Evaluate(k, 0, nil)
		})
	}
}
