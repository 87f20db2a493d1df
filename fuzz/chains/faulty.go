package chains

// Ways that are wrong on purpose, by which tests show that they would notice.

import (
	"github.com/hipac-go/classifier/rules"
)

// Forgetful returns a function that makes ways wrong now and then: every n-th
// answer, of all that are asked of the ways that it made, loses the last rule
// executed, or has another verdict. The ways are for one goroutine together.
func Forgetful(n int) func(Way) Way {
	count := 0
	return func(w Way) Way {
		build := w.Build
		return Way{w.Name + ", forgetful", func(t *rules.Table) (*Answerer, error) {
			a, err := build(t)
			if err != nil {
				return nil, err
			}
			run := a.Run
			a.Run = func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
				var all []rules.Place
				r := run(p, chain, func(at rules.Place) { all = append(all, at) })
				if count++; count%n == 0 {
					if len(all) > 0 && count/n%2 == 0 {
						all = all[:len(all)-1]
					} else {
						r.Verdict = (r.Verdict + 1) % 4
					}
				}
				for _, at := range all {
					executed(at)
				}
				return r
			}
			a.Alone = nil
			return a, nil
		}}
	}
}

// Altered returns the way with tables whose rules are altered before they are
// built. The rule's conditions may be changed in place, and its value.
func Altered(w Way, alter func(t *rules.Table, chain int, r *rules.Rule[rules.Action])) Way {
	return Way{w.Name + ", altered", func(t *rules.Table) (*Answerer, error) {
		other, err := with(t, alter)
		if err != nil {
			return nil, err
		}
		return w.Build(other)
	}}
}

// with returns a copy of the table with rules changed one by one.
func with(t *rules.Table, change func(t *rules.Table, chain int, r *rules.Rule[rules.Action])) (*rules.Table, error) {
	out := *t
	out.Chains = append([]rules.Chain(nil), t.Chains...)
	for i := range out.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for _, r := range t.Chains[i].Rules.All() {
			c := *r
			c.ID = 0
			c.Conds = append([]rules.Cond(nil), r.Conds...)
			change(t, i, &c)
			c.Continue = c.Value.Kind == rules.Pass
			if _, err := b.Add(c); err != nil {
				return nil, err
			}
		}
		out.Chains[i].Rules = b.List()
	}
	return &out, nil
}
