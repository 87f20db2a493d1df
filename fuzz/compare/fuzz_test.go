package compare

import (
	"testing"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// FuzzMutatedSets changes generated sets, which look like those of real firewalls,
// by bytes, and compares all engines: ends move by one, rules get the conditions of
// others or lose some, change places, come twice, or begin where another ends.
func FuzzMutatedSets(f *testing.F) {
	f.Add(uint8(0), uint8(1), []byte{})
	for i := range workload.Families() {
		f.Add(uint8(i), uint8(3*i), []byte{0, 1, 2, 1, 4, 9, 2, 7, 8, 3, 5, 1, 4, 40, 3, 5, 30, 2, 6, 9, 0, byte(i), 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, family, seed uint8, data []byte) {
		if len(data) > 600 {
			return
		}
		families := workload.Families()
		l, err := workload.Generate(workload.Config{Family: families[int(family)%len(families)], Rules: 30 + int(seed)%40, Seed: uint64(seed), IPv6: family&0x80 != 0})
		if err != nil {
			t.Fatal(err)
		}
		s := l.Schema()
		var rs []rules.Rule[string]
		for _, r := range l.All() {
			rs = append(rs, rules.Rule[string]{Conds: append([]rules.Cond(nil), r.Conds...), Value: r.Value})
		}
		for len(data) >= 3 && len(rs) > 0 {
			rs = mutate(s, rs, data[0], int(data[1])%len(rs), int(data[2])%len(rs))
			data = data[3:]
		}
		mutated, err := rules.NewList(s, rs...)
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []workload.Mode{workload.Corners, workload.Mixed} {
			keys, err := workload.Packets(mutated, workload.PacketConfig{N: 70, Seed: uint64(seed), Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Lists(mutated, keys, Options{AllEvery: 3, IndexEvery: 3}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// mutate changes the rule at a position, with that at another one.
func mutate(s *rules.Schema, rs []rules.Rule[string], how byte, at, other int) []rules.Rule[string] {
	r, o := &rs[at], &rs[other]
	cond := func(r *rules.Rule[string]) *rules.Cond {
		if len(r.Conds) == 0 {
			return nil
		}
		return &r.Conds[int(how>>4)%len(r.Conds)]
	}
	span := func(c *rules.Cond) (rules.Interval, bool) {
		if c == nil {
			return rules.Interval{}, false
		}
		ivs, ok := c.Intervals()
		if !ok || len(ivs) != 1 {
			return rules.Interval{}, false
		}
		return ivs[0], true
	}
	c := cond(r)
	iv, ok := span(c)
	switch how & 15 {
	case 0, 1: // an end moves
		if ok && iv.Hi != s.Field(c.Field()).Max() {
			iv.Hi = iv.Hi.Next()
			*c = rules.In(c.Field(), iv)
		}
	case 2, 3:
		if ok && iv.Lo != iv.Hi {
			iv.Lo = iv.Lo.Next()
			*c = rules.In(c.Field(), iv)
		}
	case 4:
		if ok && iv.Lo != (rules.Value{}) {
			iv.Lo = iv.Lo.Prev()
			*c = rules.In(c.Field(), iv)
		}
	case 5, 6: // begins where the other ends
		if theirs, there := span(cond(o)); ok && there && cond(o).Field() == c.Field() && theirs.Hi != s.Field(c.Field()).Max() {
			from := theirs.Hi.Next()
			*c = rules.In(c.Field(), rules.Interval{Lo: from, Hi: from.Or(rules.Ones(int(how >> 5)).And(s.Field(c.Field()).Max()))})
		}
	case 7:
		if c != nil {
			*c = c.Negate()
		}
	case 8:
		if c != nil {
			*c = c.OrAbsent()
		}
	case 9:
		r.Conds = append([]rules.Cond(nil), o.Conds...)
	case 10:
		if len(r.Conds) > 2 {
			r.Conds = r.Conds[:len(r.Conds)-1]
		}
	case 11:
		rs[at], rs[other] = rs[other], rs[at]
	case 12:
		r.Continue = !r.Continue
	case 13:
		if len(rs) < 128 {
			rs = append(rs[:at+1], append([]rules.Rule[string]{{Conds: append([]rules.Cond(nil), o.Conds...), Value: o.Value}}, rs[at+1:]...)...)
		}
	case 14: // a union
		if theirs, there := span(cond(o)); ok && there && cond(o).Field() == c.Field() {
			*c = rules.In(c.Field(), iv, theirs)
		}
	case 15:
		if d := cond(o); d != nil {
			r.Conds = append(r.Conds, *d)
		}
	}
	return rs
}
