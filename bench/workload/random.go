package workload

// Random: rule sets over any schema for tests that compare answers. Values
// come from small pools, so that equal, nested, adjacent and crossing sets are
// common, and every feature of the rule model has a switch.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// RandomConfig asks for random rules. Its zero value, with Rules set, gives
// terminal rules of single intervals.
type RandomConfig struct {
	Rules int    // rules, 0 to rules.DefaultLimits.MaxRules
	Seed  uint64 // the same configuration and schema give the same rules
	// Pool is the number of points per field that the ends of intervals are
	// taken from; 0 means 6, at most 65,536.
	Pool int
	// Constrain is the share of fields that a rule asks for, 0 to 1; 0 means
	// 0.5. About one rule in a hundred has no conditions whatever it says.
	Constrain float64

	// Features, each used in some of the conditions or rules.
	Unions      bool // several intervals in a condition
	Masks       bool // value/mask, alone or on top of intervals
	Negation    bool
	OrAbsent    bool // conditions that hold for packets without the field
	Present     bool // full ranges
	EmptyUnions bool // conditions that hold for nothing
	Repeated    bool // two conditions on one field
	Continue    bool // non-terminal rules
	Identical   bool // the conditions of an earlier rule again
	Unknown     bool // rules that nobody can decide
	IDs         bool // identities that are not 1, 2, 3 ...
}

// Everything returns c with all features on.
func (c RandomConfig) Everything() RandomConfig {
	c.Unions, c.Masks, c.Negation, c.OrAbsent, c.Present, c.EmptyUnions = true, true, true, true, true, true
	c.Repeated, c.Continue, c.Identical, c.Unknown, c.IDs = true, true, true, true, true
	return c
}

// Random returns a list of random rules over the schema, of which only the
// widths of the fields count. The values are "r1",
// "r2" and so on by position. It takes O(rules * fields).
func Random(s *rules.Schema, c RandomConfig) (*rules.List[string], error) {
	if c.Rules < 0 || c.Rules > rules.DefaultLimits.MaxRules {
		return nil, fmt.Errorf("workload: %d rules: not in 0..%d", c.Rules, rules.DefaultLimits.MaxRules)
	}
	if c.Pool < 0 || c.Pool > 1<<16 || !(c.Constrain >= 0 && c.Constrain <= 1) {
		return nil, fmt.Errorf("workload: pool %d, constrain %v: out of range", c.Pool, c.Constrain)
	}
	if c.Pool == 0 {
		c.Pool = 6
	}
	if c.Constrain == 0 {
		c.Constrain = 0.5
	}
	purpose := "random"
	for f := range s.Len() {
		purpose += fmt.Sprint(" ", s.Field(f).Bits)
	}
	r := newRNG(c.Seed, purpose)
	g := &randomizer{s: s, c: c, r: r, pools: make([][]rules.Value, s.Len())}
	for f := range g.pools {
		g.pools[f] = g.pool(s.Field(f))
	}
	b := rules.NewBuilder[string](s)
	var earlier [][]rules.Cond
	for i := range c.Rules {
		rule := rules.Rule[string]{Value: fmt.Sprintf("r%d", i+1)}
		if c.Identical && i > 0 && r.IntN(8) == 0 {
			rule.Conds = earlier[r.IntN(i)]
		} else {
			rule.Conds = g.conds()
		}
		earlier = append(earlier, rule.Conds)
		rule.Continue = c.Continue && r.IntN(4) == 0
		if c.Unknown && r.IntN(16) == 0 {
			rule.Unknown = "something"
		}
		if c.IDs {
			rule.ID = rules.ID(mix(c.Seed^uint64(i+1))&^0xffffff | uint64(i+1))
		}
		if _, err := b.Add(rule); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

type randomizer struct {
	s     *rules.Schema
	c     RandomConfig
	r     rng
	pools [][]rules.Value // ascending points per field
}

// pool draws the points of a field: 0, the largest value, and clusters of
// values that share their first bits, so that prefixes of all lengths nest.
func (g *randomizer) pool(f *rules.Field) []rules.Value {
	points := []rules.Value{{}, f.Max()}
	base := g.r.value(f.Bits)
	for len(points) < g.c.Pool {
		v := g.r.value(g.r.IntN(f.Bits) + 1)
		if g.r.IntN(3) > 0 {
			v = v.Xor(base)
		}
		points = append(points, v)
	}
	points = points[:max(1, g.c.Pool)]
	slices.SortFunc(points, rules.Value.Cmp)
	return slices.Compact(points)
}

func (g *randomizer) conds() []rules.Cond {
	if g.r.IntN(100) == 0 {
		return nil
	}
	var conds []rules.Cond
	for f := range g.s.Len() {
		if g.r.Float64() >= g.c.Constrain {
			continue
		}
		conds = append(conds, g.cond(f))
		if g.c.Repeated && g.r.IntN(10) == 0 {
			conds = append(conds, g.cond(f))
		}
	}
	g.r.Shuffle(len(conds), func(i, j int) { conds[i], conds[j] = conds[j], conds[i] })
	return conds
}

func (g *randomizer) cond(f int) rules.Cond {
	c := g.set(f)
	if g.c.Negation && g.r.IntN(6) == 0 {
		c = c.Negate()
	}
	if g.c.OrAbsent && g.r.IntN(6) == 0 {
		c = c.OrAbsent()
	}
	return c
}

func (g *randomizer) set(f int) rules.Cond {
	switch n := g.r.IntN(32); {
	case g.c.Present && n < 2:
		return g.s.Present(f)
	case g.c.EmptyUnions && n == 2:
		return rules.In(f)
	case g.c.Masks && n >= 3 && n < 8:
		want, mask := g.masked(f)
		return rules.Masked(f, want, mask)
	case g.c.Masks && n == 8:
		return rules.In(f, g.intervals(f)...).AndMasked(g.masked(f))
	}
	return rules.In(f, g.intervals(f)...)
}

// masked draws a value and a mask.
func (g *randomizer) masked(f int) (want, mask rules.Value) {
	width := g.s.Field(f).Bits
	full := rules.Ones(width)
	switch n := g.r.IntN(width + 1); g.r.IntN(4) {
	case 0:
		mask = full.Shl(n) // a prefix
	case 1:
		mask = rules.Ones(n) // the last bits
	case 2:
		mask = rules.U64(1).Shl(g.r.IntN(width)) // one bit
	default:
		mask = g.r.value(width)
	}
	mask = mask.And(full)
	want = g.point(f).And(mask)
	if g.c.EmptyUnions && g.r.IntN(16) == 0 {
		want = g.point(f) // bits outside the mask: holds for nothing
	}
	return want, mask
}

func (g *randomizer) intervals(f int) []rules.Interval {
	n := 1
	if g.c.Unions && g.r.IntN(3) == 0 {
		n += 1 + g.r.IntN(4)
	}
	out := make([]rules.Interval, n)
	for i := range out {
		out[i] = g.interval(f)
	}
	return out
}

// interval draws a point, a prefix, a cell that ends where another begins, or
// a range between two points, either end moved by one now and then.
func (g *randomizer) interval(f int) rules.Interval {
	field := g.s.Field(f)
	a, b := g.point(f), g.point(f)
	if b.Less(a) {
		a, b = b, a
	}
	switch g.r.IntN(6) {
	case 0:
		return rules.Interval{Lo: a, Hi: a}
	case 1:
		return rules.PrefixInterval(a, g.r.IntN(field.Bits+1), field.Bits)
	case 2, 3: // [a, b-1]: b begins the next cell
		if a != b {
			return rules.Interval{Lo: a, Hi: b.Prev()}
		}
	case 4:
		if a != b {
			return rules.Interval{Lo: a.Next(), Hi: b}
		}
	}
	return rules.Interval{Lo: a, Hi: b}
}

func (g *randomizer) point(f int) rules.Value {
	pool := g.pools[f]
	return pool[g.r.IntN(len(pool))]
}
