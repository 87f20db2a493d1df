package relations

// Drawing lists and packets: values come from small pools, so that equal, nested
// and adjacent intervals are common, and packets lie at their ends.

import (
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

var schemas = []*rules.Schema{
	rules.IPv4Tuple, rules.IPv4Tuple, rules.IPTuple, rules.IPv6Tuple, rules.Firewall,
	rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 3}, rules.Field{Name: "c", Bits: 2}),
	rules.MustSchema(rules.Field{Name: "a", Bits: 8}, rules.Field{Name: "b", Bits: 8}),
	rules.MustSchema(rules.Field{Name: "a", Bits: 128}, rules.Field{Name: "b", Bits: 33}, rules.Field{Name: "c", Bits: 65}),
}

// packets is how many a list gets.
const packets = 192

// list draws a list over a schema; nil is any. The values are positions. Rules
// that match nearly all packets are left out, so that there are misses.
func (t *trial) list(s *rules.Schema) (*rules.List[int], error) {
	switch {
	case t.from != nil && (s == nil || s == t.from.Schema()):
		part, err := t.part()
		if err != nil {
			return nil, err
		}
		return t.thin(part)
	case s == nil:
		s = schemas[t.r.IntN(len(schemas))]
	}
	c := workload.RandomConfig{
		Rules: 1 + t.size/2 + t.r.IntN(t.size), Seed: t.r.Uint64(), Pool: 4 + t.r.IntN(12),
		Constrain: min(0.95, (2+4*t.r.Float64())/float64(s.Len())),
	}
	switch t.r.IntN(3) {
	case 0:
		c = c.Everything()
		c.Unknown = t.r.IntN(2) == 0
	case 1:
		c.Unions, c.Continue, c.Identical = true, true, true
	}
	random, err := workload.Random(s, c)
	if err != nil {
		return nil, err
	}
	return t.thin(random)
}

// part draws rules of the list that lists are parts of, in its order: some that
// follow one another and some of all.
func (t *trial) part() (*rules.List[string], error) {
	n := t.from.Len()
	take := make([]bool, n)
	want := min(1+t.size/2+t.r.IntN(t.size), n)
	if n > 0 {
		for i, at := 0, t.r.IntN(n); i < want/2; i++ {
			take[(at+i)%n] = true
		}
		for range want - want/2 {
			take[t.r.IntN(n)] = true
		}
	}
	b := rules.NewBuilder[string](t.from.Schema())
	for i, r := range t.from.All() {
		if !take[i] {
			continue
		}
		if _, err := b.Add(rules.Rule[string]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// thin returns a list without rules that take too much: of packets inside rules and
// as many anywhere, no rule is to take more than a third, and all together no more
// than two thirds.
func (t *trial) thin(random *rules.List[string]) (*rules.List[int], error) {
	s := random.Schema()
	sample, err := workload.Packets(random, workload.PacketConfig{N: 64, Seed: t.r.Uint64()})
	if err != nil {
		return nil, err
	}
	matched := make([]bool, 2*sample.Len())
	total := 0
	b := rules.NewBuilder[int](s)
	order := t.r.Perm(random.Len())
	keep := make([]bool, random.Len())
	far := make([]rules.Key, sample.Len())
	for i := range far {
		far[i] = s.NewKey()
		for f := range s.Len() {
			s.Set(far[i], f, rules.Value{Hi: t.r.Uint64(), Lo: t.r.Uint64()}.And(s.Field(f).Max()))
		}
	}
	for _, i := range order {
		var new []int
		for j := range matched {
			k := rules.Key(nil)
			if j < sample.Len() {
				k = sample.At(j)
			} else {
				k = far[j-sample.Len()]
			}
			if !matched[j] && !random.At(i).Continue && random.At(i).Matches(s, k) {
				new = append(new, j)
			}
		}
		if len(new) > len(matched)/3 || total+len(new) > len(matched)*2/3 {
			continue
		}
		keep[i] = true
		total += len(new)
		for _, j := range new {
			matched[j] = true
		}
	}
	for i, r := range random.All() {
		if keep[i] {
			if _, err := b.Add(rules.Rule[int]{Conds: r.Conds, Value: b.Len(), Continue: r.Continue, Unknown: r.Unknown}); err != nil {
				return nil, err
			}
		}
	}
	return b.List(), nil
}

// keys draws packets for lists of one schema, about as many hits of the first
// list as misses, where there are any.
func (t *trial) keys(lists ...*rules.List[int]) ([]uint32, error) {
	s := lists[0].Schema()
	linear, err := ways.Linear().Build(lists[0])
	if err != nil {
		return nil, err
	}
	var hits, misses []rules.Key
	sort := func(k rules.Key) {
		answer := []int{0}
		if linear.First(k, answer); answer[0] != ways.None {
			hits = append(hits, k)
		} else {
			misses = append(misses, k)
		}
	}
	absent := []float64{0, 0, 0.05, 0.2}[t.r.IntN(4)]
	for _, l := range lists {
		for _, mode := range []workload.Mode{workload.Mixed, workload.Corners} {
			ks, err := workload.Packets(l, workload.PacketConfig{N: packets, Seed: t.r.Uint64(), Mode: mode, Absent: absent})
			if err != nil {
				return nil, err
			}
			for i := range ks.Len() {
				sort(ks.At(i))
			}
		}
	}
	for range packets {
		k := s.NewKey()
		for f := range s.Len() {
			s.Set(k, f, rules.Value{Hi: t.r.Uint64(), Lo: t.r.Uint64()}.And(s.Field(f).Max()))
		}
		sort(k)
	}
	// The later ones are drawn from the changed list.
	t.r.Shuffle(len(hits), func(i, j int) { hits[i], hits[j] = hits[j], hits[i] })
	t.r.Shuffle(len(misses), func(i, j int) { misses[i], misses[j] = misses[j], misses[i] })
	half := packets / 2
	n, m := min(len(hits), half), min(len(misses), half)
	var out []uint32
	for i := range max(n, m) {
		if i < n {
			out = append(out, hits[i]...)
		}
		if i < m {
			out = append(out, misses[i]...)
		}
	}
	return out, nil
}

// build returns the list of rules.
func build(s *rules.Schema, rs []rules.Rule[int]) (*rules.List[int], error) {
	b := rules.NewBuilder[int](s)
	for _, r := range rs {
		r.ID = 0
		if _, err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// rulesOf returns the rules of a list, for changes.
func rulesOf(l *rules.List[int]) []rules.Rule[int] {
	out := make([]rules.Rule[int], 0, l.Len())
	for _, r := range l.All() {
		out = append(out, *r)
	}
	return out
}
