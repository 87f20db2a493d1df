package hipac

// Lookups of decoded packets: package rules/packet decodes, a binder fills the
// schema's fields by their names.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// LookupPacket returns the first terminal rule that matches a decoded packet,
// and false when none does. The schema's fields are filled by their names, see
// packet.Binder; a packet whose addresses the schema cannot hold matches
// nothing. It allocates nothing.
func (c *Classifier[T]) LookupPacket(p *packet.Packet) (Match[T], bool) {
	if n := c.schema.KeyLen(); n <= shortKey {
		var buf [shortKey]uint32
		return c.lookupPacket(p, buf[:n])
	}
	var buf [rules.MaxKeyWords]uint32
	return c.lookupPacket(p, buf[:c.schema.KeyLen()])
}

func (c *Classifier[T]) lookupPacket(p *packet.Packet, k rules.Key) (Match[T], bool) {
	if !c.binder.Key(p, k) {
		return Match[T]{}, false
	}
	return c.Lookup(k)
}

// EvaluatePacket is Evaluate for a decoded packet. A packet whose addresses
// the schema cannot hold gets NoVerdict.
func (t *Table) EvaluatePacket(p *packet.Packet, entry int) rules.Result {
	var buf [rules.MaxKeyWords]uint32
	k := rules.Key(buf[:t.source.Schema.KeyLen()])
	if !t.binder.Key(p, k) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	return t.Evaluate(k, entry)
}

// LookupPacket is Classifier.LookupPacket for a version of a live list.
func (s *Snapshot[T]) LookupPacket(p *packet.Packet) (Match[T], bool) {
	if s.words <= shortKey {
		var buf [shortKey]uint32
		return s.lookupPacket(p, buf[:s.words])
	}
	var buf [rules.MaxKeyWords]uint32
	return s.lookupPacket(p, buf[:s.words])
}

func (s *Snapshot[T]) lookupPacket(p *packet.Packet, k rules.Key) (Match[T], bool) {
	if !s.binder.Key(p, k) {
		return Match[T]{}, false
	}
	return s.Lookup(k)
}
