package xt

// Conditions as tests: for conditions that may be asked only behind a test
// with a memory, and for fields beyond those that a schema can hold.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// condTest asks a condition on one field of the packet.
type condTest struct {
	schema *rules.Schema // of the one field
	binder *packet.Binder
	cond   rules.Cond
	// needs is what packets without the field lack; "": they are without it, and
	// the condition does not hold.
	needs string
}

// FieldTest returns the test that condition c holds, whatever field of a
// schema it is about, of the packet's field f, which packet.Binder fills by
// its name.
func FieldTest(f rules.Field, c rules.Cond) rules.Test {
	// With the field hotdrop ports are there as soon as their bytes are, as the
	// matches on ports have it; whether the header is whole is asked for apart.
	s := rules.MustSchema(f, hotdropField)
	return &condTest{schema: s, binder: packet.NewBinder(s), cond: c.On(0)}
}

func (c *condTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	var buf [2 + rules.MaxFieldBits/32]uint32
	k := rules.Key(buf[:c.schema.KeyLen()])
	if !t.bindWith(c.binder, k) {
		return rules.No, ""
	}
	if c.binder.Lost(&t.Packet)&1 != 0 {
		return rules.Unsure, uncaptured
	}
	v, ok := c.schema.Get(k, 0)
	if !ok && c.needs != "" {
		return rules.Unsure, c.needs
	}
	return answer(c.cond.Holds(v, ok)), ""
}

// SuppliedField is FieldTest for a field that every packet has on a machine and
// only the caller can know: packets without it are Unsure, for want of what
// needs says.
func SuppliedField(f rules.Field, c rules.Cond, needs string) rules.Test {
	t := FieldTest(f, c).(*condTest)
	t.needs = needs
	return t
}

func answer(yes bool) rules.Outcome {
	if yes {
		return rules.Yes
	}
	return rules.No
}

// AnyOf returns the test that holds when all tests of one of the lists do.
func AnyOf(lists ...[]rules.Test) rules.Test { return anyOf(lists) }

type anyOf [][]rules.Test

func (a anyOf) Ask(s rules.Subject) (rules.Outcome, string) {
	result, missing := rules.No, ""
	for _, list := range a {
		each, needs := rules.Yes, ""
		for _, t := range list {
			o, n := t.Ask(s)
			if o == rules.DropNow || o == rules.No {
				each = o
				break
			}
			if o == rules.Unsure {
				each, needs = o, n
			}
		}
		switch each {
		case rules.Yes, rules.DropNow:
			return each, ""
		case rules.Unsure:
			result, missing = each, needs
		}
	}
	return result, missing
}

// Readable returns the test that drops packets that are cut inside one of the
// headers, bits of the field "hotdrop".
func Readable(bits uint32) rules.Test { return readable(bits) }

type readable uint32

var hotdropField = rules.Field{Name: "hotdrop", Bits: 32, Kind: rules.Bits}

var hotdropSchema = rules.MustSchema(hotdropField)

var hotdropBinder = packet.NewBinder(hotdropSchema)

func (r readable) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Yes, ""
	}
	var buf [2]uint32
	if t.bindWith(hotdropBinder, buf[:]) && buf[1]&uint32(r) != 0 {
		return rules.DropNow, ""
	}
	if uint32(t.Packet.MaybeBroken())&uint32(r) != 0 {
		return rules.Unsure, uncaptured
	}
	return rules.Yes, ""
}
