package chains

// Packets of which more than their key is known, and what rules ask of them and do
// to them beyond conditions and verdicts.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// Packet is a packet that targets change and that remembers what it was asked.
type Packet struct {
	schema *rules.Schema
	key    rules.Key
	asked  int
	// Applied are the rules whose targets were applied, by their texts.
	Applied []string
}

// NewPacket returns a packet with a copy of the key.
func NewPacket(s *rules.Schema, k rules.Key) *Packet {
	return &Packet{schema: s, key: slices.Clone(k)}
}

// Key returns the packet's fields as they are now.
func (p *Packet) Key() rules.Key { return p.key }

// Enters reports whether the table admits the packet.
func (p *Packet) Enters(t *rules.Table) bool { return t.Admits(p.key) }

// same reports whether the same was done to two packets.
func (p *Packet) same(o *Packet) bool {
	return slices.Equal(p.key, o.key) && p.asked == o.asked && slices.Equal(p.Applied, o.Applied)
}

// Mark is a target that sets a field of a Packet. Of packets that are known by
// their keys alone it is unsure.
type Mark struct {
	Name  string // of the rule, for Packet.Applied
	Field int
	Value uint64
}

// Apply sets the field and goes on with the next rule.
func (m *Mark) Apply(s rules.Subject, _ rules.Place, unsure string) (rules.Outcome, string) {
	p, ok := s.(*Packet)
	if !ok {
		return rules.Unsure, "the packet"
	}
	if unsure != "" {
		p.Applied = append(p.Applied, m.Name+" perhaps")
		return rules.Yes, ""
	}
	p.Applied = append(p.Applied, m.Name)
	p.schema.Set(p.key, m.Field, rules.U64(m.Value))
	return rules.Yes, ""
}

// Every is a test with a memory: of all such tests that are asked of a packet, it
// holds for the second, the fourth, and so on. Asking it of a packet that does not
// come to it therefore changes the answers to others.
type Every struct{}

// Ask counts, and answers by the count.
func (Every) Ask(s rules.Subject) (rules.Outcome, string) {
	p, ok := s.(*Packet)
	if !ok {
		return rules.Unsure, "the count"
	}
	if p.asked++; p.asked%2 == 0 {
		return rules.Yes, ""
	}
	return rules.No, ""
}

// marks returns what a rule that sets a field does besides its action.
func marks(s *rules.Schema, name string, field int, value uint64) *rules.Extension {
	return &rules.Extension{Target: &Mark{name, field, value}, Writes: []string{s.Field(field).Name}}
}

// every returns what a rule with a test with a memory asks.
func every() *rules.Extension {
	return &rules.Extension{Tests: []rules.Step{{Test: Every{}, Text: "every second", Stateful: true}}}
}
