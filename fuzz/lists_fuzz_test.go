package main

// Fuzz targets that build rule lists and packets out of bytes, so that the
// coverage-guided fuzzer can steer every choice.

import (
	"testing"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

// fuzzSchema has a field of every number of key words.
var fuzzSchema = rules.MustSchema(
	rules.Field{Name: "tiny", Bits: 2},
	rules.Field{Name: "port", Kind: rules.Port},
	rules.Field{Name: "v4", Kind: rules.IPv4},
	rules.Field{Name: "mac", Kind: rules.MAC},
	rules.Field{Name: "three", Bits: 70},
	rules.Field{Name: "ip", Kind: rules.IP},
)

// choices reads decisions from bytes; when they run out, all are 0.
type choices struct{ data []byte }

func (c *choices) byte() int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b)
}

// value picks one of a few values of a field, which lie at its ends, next to
// one another, and at the borders of key words.
func (c *choices) value(f *rules.Field) rules.Value {
	b := c.byte()
	x := rules.U64(uint64(b & 7))
	switch b >> 3 & 7 {
	case 0:
		return x.And(f.Max())
	case 1:
		return rules.Value{Hi: f.Max().Hi, Lo: f.Max().Lo - x.Lo}.And(f.Max())
	case 2:
		return x.Shl(f.Bits / 2).And(f.Max())
	case 3:
		return x.Shl(max(f.Bits-3, 0)).And(f.Max())
	case 4:
		return x.Shl(32).Prev().And(f.Max())
	case 5:
		return x.Shl(32).And(f.Max())
	case 6:
		return rules.U64(0xffff<<32 | x.Lo).And(f.Max())
	}
	return rules.U64(0xffff<<32 | 10<<24 | x.Lo<<8).And(f.Max())
}

func (c *choices) interval(f *rules.Field) rules.Interval {
	a := c.value(f)
	switch b := c.byte(); b % 3 {
	case 0:
		return rules.Interval{Lo: a, Hi: a}
	case 1:
		return rules.PrefixInterval(a, b%(f.Bits+1), f.Bits)
	}
	z := c.value(f)
	if z.Less(a) {
		a, z = z, a
	}
	return rules.Interval{Lo: a, Hi: z}
}

func (c *choices) cond(s *rules.Schema, i int) rules.Cond {
	f := s.Field(i)
	b := c.byte()
	var out rules.Cond
	switch b & 7 {
	case 0:
		out = rules.Masked(i, c.value(f), c.value(f))
	case 1:
		out = s.Present(i)
	case 2:
		ivs := make([]rules.Interval, c.byte()%4)
		for j := range ivs {
			ivs[j] = c.interval(f)
		}
		out = rules.In(i, ivs...)
	case 3:
		out = rules.In(i, c.interval(f)).AndMasked(c.value(f), c.value(f))
	default:
		out = rules.In(i, c.interval(f))
	}
	if b&0x30 == 0x30 {
		out = out.Negate()
	}
	if b&0xc0 == 0xc0 {
		out = out.OrAbsent()
	}
	return out
}

func (c *choices) rule(s *rules.Schema) (r rules.Rule[int]) {
	b := c.byte()
	r.Continue = b&0xe0 == 0xe0
	if b&0x1c == 0x1c {
		r.Unknown = "match foo"
	}
	for range b & 3 {
		r.Conds = append(r.Conds, c.cond(s, c.byte()%s.Len()))
	}
	return r
}

func (c *choices) key(s *rules.Schema) rules.Key {
	k := s.NewKey()
	for i := range s.Len() {
		s.Set(k, i, c.value(s.Field(i)))
	}
	if b := c.byte(); b&0x80 != 0 {
		s.SetAbsent(k, b%s.Len())
	}
	return k
}

// FuzzLists compares every engine with the linear matcher.
func FuzzLists(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{5, 1, 2, 5, 60, 0, 1, 4, 3, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 200, 130})
	f.Add([]byte("a longer seed, whose letters make some rules of two or three conditions and packets that meet them"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		c := &choices{data}
		b := rules.NewBuilder[int](fuzzSchema)
		for range c.byte() % 64 {
			if _, err := b.Add(c.rule(fuzzSchema)); err != nil {
				t.Fatal(err)
			}
		}
		var keys compare.KeyList
		for range 24 {
			keys = append(keys, c.key(fuzzSchema))
		}
		if _, err := compare.Lists(b.List(), keys, compare.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzTables compares the compiled chains with the walk.
func FuzzTables(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("jump, goto and return among chains of a few rules, with a policy at the end of the first one of them"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		c := &choices{data}
		s := fuzzSchema
		table := &rules.Table{Name: "filter", Schema: s}
		chains := 1 + c.byte()%6
		for ch := range chains {
			b := rules.NewBuilder[rules.Action](s)
			for n := range c.byte() % 12 {
				r := c.rule(s)
				a := rules.Action{Number: n + 1}
				switch b := c.byte(); {
				case b&7 < 2:
					a.Kind = rules.Pass
				case b&7 < 4:
					a.Kind, a.Verdict = rules.Decide, rules.Verdict(1+b>>3%3)
				case b&7 < 7 && ch+1 < chains:
					a.Kind, a.Chain = rules.Jump, ch+1+b>>3%(chains-ch-1)
					if b&7 == 6 {
						a.Kind = rules.Goto
					}
				default:
					a.Kind = rules.Return
				}
				_, err := b.Add(rules.Rule[rules.Action]{Conds: r.Conds, Unknown: r.Unknown, Continue: a.Kind == rules.Pass, Value: a})
				if err != nil {
					t.Fatal(err)
				}
			}
			table.Chains = append(table.Chains, rules.Chain{Rules: b.List()})
		}
		table.Chains[0].Policy = rules.Drop
		if err := table.Check(rules.Limits{}); err != nil {
			t.Fatal(err)
		}
		var keys compare.KeyList
		for range 16 {
			keys = append(keys, c.key(s))
		}
		if _, err := compare.Tables(table, 0, keys); err != nil {
			t.Fatal(err)
		}
	})
}
