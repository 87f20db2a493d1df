package workload

// Packets for chains: a rule's own conditions are joined by those of the rules
// that lead to its chain, so that packets come to it.

import "github.com/hipac-go/classifier/rules"

// NewTableSource returns a source of packets that enter a table at a chain. They
// are drawn for the rules of all chains that can be come to from there, as
// NewSource draws them for a list: a rule stands for its own conditions and
// those of one way to it, the first that is found. What rules before it take
// away, and what is asked beyond conditions, such as chance, is not considered.
// Origins count these rules in the order in which they are found. The table must
// have been checked. Packets of tables are Real as a rule: keys of their schemas
// may have fields that say how a packet is broken.
func NewTableSource(t *rules.Table, entry int, c PacketConfig) (*Source, error) {
	if c.Family == 0 {
		c.Family = t.Family
	}
	return newSource(waysOf(t, entry), c)
}

// ways are the rules of chains with the ways to them.
type ways struct {
	schema *rules.Schema
	rules  []way
	to     [][]rules.Cond // conditions of the way to each chain
}

type way struct {
	conds []rules.Cond
	chain int32
}

func waysOf(t *rules.Table, entry int) *ways {
	w := &ways{schema: t.Schema, to: make([][]rules.Cond, len(t.Chains))}
	found := make([]bool, len(t.Chains))
	found[entry] = true
	for queue := []int{entry}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, r := range t.Chains[at].Rules.All() {
			w.rules = append(w.rules, way{r.Conds, int32(at)})
			to := r.Value.Chain
			if k := r.Value.Kind; (k == rules.Jump || k == rules.Goto) && !found[to] {
				found[to] = true
				w.to[to] = append(append([]rules.Cond{}, w.to[at]...), r.Conds...)
				queue = append(queue, to)
			}
		}
	}
	return w
}

func (w *ways) Len() int              { return len(w.rules) }
func (w *ways) Schema() *rules.Schema { return w.schema }

func (w *ways) CondsAt(i int) []rules.Cond {
	r := &w.rules[i]
	to := w.to[r.chain]
	if len(to) == 0 {
		return r.conds
	}
	return append(append(make([]rules.Cond, 0, len(to)+len(r.conds)), r.conds...), to...)
}
