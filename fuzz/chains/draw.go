package chains

// Drawing tables and packets: values come from small pools, so that equal, nested
// and adjacent intervals are common, and packets lie at their ends. Every rule has
// a text of its own by which it is known again wherever it goes.

import (
	"fmt"
	"math/rand/v2"

	"github.com/hipac-go/classifier/rules"
)

var schemas = []*rules.Schema{
	rules.MustSchema(rules.Field{Name: "m", Bits: 2}, rules.Field{Name: "a", Bits: 3}, rules.Field{Name: "b", Bits: 2}),
	rules.MustSchema(rules.Field{Name: "m", Bits: 4}, rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 16}, rules.Field{Name: "c", Bits: 100}),
	rules.IPv4Tuple, rules.IPTuple, rules.Firewall,
}

// drawer draws tables over one schema.
type drawer struct {
	r      *rand.Rand
	schema *rules.Schema
	pools  [][]rules.Value
	next   int // of the texts of rules
	more   bool
}

func newDrawer(r *rand.Rand) *drawer {
	d := &drawer{r: r, schema: schemas[r.IntN(len(schemas))], more: r.IntN(3) == 0}
	d.pools = make([][]rules.Value, d.schema.Len())
	for f := range d.pools {
		field := d.schema.Field(f)
		pool := []rules.Value{{}, field.Max()}
		for range 2 + r.IntN(3) {
			v := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(field.Max())
			if field.Kind == rules.IP && r.IntN(4) > 0 {
				v = rules.U64(0xffff<<32 | 10<<24 | r.Uint64N(1<<10)<<8)
			}
			if v != (rules.Value{}) && v != field.Max() {
				pool = append(pool, v, v.Next(), v.Prev())
			}
		}
		d.pools[f] = pool
	}
	return d
}

func (d *drawer) value(f int) rules.Value { return d.pools[f][d.r.IntN(len(d.pools[f]))] }

func (d *drawer) interval(f int) rules.Interval {
	a, z := d.value(f), d.value(f)
	switch bits := d.schema.Field(f).Bits; d.r.IntN(4) {
	case 0:
		return rules.Interval{Lo: a, Hi: a}
	case 1:
		return rules.PrefixInterval(a, d.r.IntN(bits+1), bits)
	}
	if z.Less(a) {
		a, z = z, a
	}
	return rules.Interval{Lo: a, Hi: z}
}

func (d *drawer) cond(f int) rules.Cond {
	c := rules.In(f, d.interval(f))
	switch d.r.IntN(12) {
	case 0:
		c = rules.In(f, d.interval(f), d.interval(f))
	case 1:
		c = rules.Masked(f, d.value(f), d.value(f))
	case 2:
		c = c.Negate()
	}
	if d.r.IntN(12) == 0 {
		c = c.OrAbsent()
	}
	return c
}

// conds draws none to three conditions.
func (d *drawer) conds() (out []rules.Cond) {
	for range d.r.IntN(3) + d.r.IntN(2) {
		out = append(out, d.cond(d.r.IntN(d.schema.Len())))
	}
	return out
}

// text returns the text of a new rule.
func (d *drawer) text() string {
	d.next++
	return fmt.Sprint("r", d.next)
}

// rule draws a rule that leads to one of the chains, where there are any.
func (d *drawer) rule(to []int) rules.Rule[rules.Action] {
	r := rules.Rule[rules.Action]{Conds: d.conds(), Value: rules.Action{Text: d.text()}}
	a := &r.Value
	switch n := d.r.IntN(16); {
	case n < 4:
		a.Kind = rules.Pass
	case n < 8:
		a.Kind, a.Verdict = rules.Decide, []rules.Verdict{rules.Accept, rules.Drop, rules.Reject}[d.r.IntN(3)]
	case n < 10 || len(to) == 0:
		a.Kind = rules.Return
	case n < 14:
		a.Kind, a.Chain = rules.Jump, to[d.r.IntN(len(to))]
	default:
		a.Kind, a.Chain = rules.Goto, to[d.r.IntN(len(to))]
	}
	if len(r.Conds) == 0 && a.Kind != rules.Pass && a.Kind != rules.Jump { // else most packets end there
		r.Conds = append(r.Conds, d.cond(d.r.IntN(d.schema.Len())))
	}
	switch {
	case d.r.IntN(30) == 0:
		r.Unknown = "match foo"
	case d.more && d.r.IntN(8) == 0:
		a.Ext = every()
	case d.more && a.Kind == rules.Pass && d.r.IntN(2) == 0:
		a.Ext = marks(d.schema, a.Text, 0, d.value(0).Lo)
	}
	r.Continue = a.Kind == rules.Pass
	return r
}

// table draws a table of some chains, about so many rules, which lead to later
// chains alone. The first one or two have policies.
func (d *drawer) table(size int) (*rules.Table, error) {
	n := 2 + d.r.IntN(5)
	t := &rules.Table{Name: "filter", Schema: d.schema}
	roots := 1 + d.r.IntN(2)
	called := size >= 40 && d.r.IntN(8) == 0 // the last chain is large, with so many callers that it is not copied to them
	for i := range n {
		var to []int
		for j := max(i+1, roots); j < n; j++ {
			to = append(to, j)
		}
		c := rules.Chain{Name: fmt.Sprint("c", i)}
		if i < roots {
			c.Policy = []rules.Verdict{rules.Accept, rules.Drop}[d.r.IntN(2)]
		}
		var rs []rules.Rule[rules.Action]
		for range d.r.IntN(2*size/n + 2) {
			rs = append(rs, d.rule(to))
		}
		if called && len(to) > 0 {
			for range 600 / size {
				r := rules.Rule[rules.Action]{Conds: []rules.Cond{d.cond(d.r.IntN(d.schema.Len()))}, Value: rules.Action{Text: d.text(), Kind: rules.Jump, Chain: n - 1}}
				rs = append(rs, r)
			}
		} else if called {
			for range 200 {
				r := d.rule(nil)
				r.Conds = append(r.Conds, d.cond(d.r.IntN(d.schema.Len())), d.cond(d.r.IntN(d.schema.Len())))
				rs = append(rs, r)
			}
		}
		if i == 0 && len(to) > 0 { // or else most tables would be their first chain
			for _, chain := range to {
				if d.r.IntN(2) == 0 {
					r := d.rule(nil)
					r.Continue, r.Unknown = false, ""
					r.Value = rules.Action{Text: r.Value.Text, Kind: rules.Jump, Chain: chain}
					rs = append(rs, r)
				}
			}
			d.r.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
		}
		l, err := rules.NewList(d.schema, rs...)
		if err != nil {
			return nil, err
		}
		c.Rules = l
		t.Chains = append(t.Chains, c)
	}
	return t, t.Check(rules.Limits{})
}

// keys draws packets: of values of the pools, of rules, and of any.
func (d *drawer) keys(t *rules.Table, n int) []rules.Key {
	out := make([]rules.Key, n)
	for i := range out {
		k := d.schema.NewKey()
		for f := range d.pools {
			d.schema.Set(k, f, d.value(f))
			if d.r.IntN(40) == 0 {
				d.schema.SetAbsent(k, f)
			}
		}
		if c := t.Chains[d.r.IntN(len(t.Chains))].Rules; c.Len() > 0 && d.r.IntN(2) == 0 {
			conds := c.At(d.r.IntN(c.Len())).Conds
			for j := range conds {
				if ivs, _ := conds[j].Intervals(); len(ivs) > 0 && !conds[j].Negated() {
					iv := ivs[d.r.IntN(len(ivs))]
					v := iv.Lo
					if d.r.IntN(2) == 0 {
						v = iv.Hi
					}
					d.schema.Set(k, conds[j].Field(), v)
				}
			}
		}
		out[i] = k
	}
	return out
}
