package main

// Packets that a rule drops because it cannot read them ("hotdrop"), and why.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// dropReason says why a rule that does not match drops the packet.
type dropReason uint8

const (
	notDropped      dropReason = iota
	droppedFragment            // a fragment of TCP that would overwrite the header
	droppedHeader              // a header that is cut or contradicts itself
	droppedByMatch             // another reason of a match, such as a full table
)

// String returns the reason as reports have it.
func (d dropReason) String() string {
	return [...]string{"", "it is a fragment of TCP that begins inside the header", "a header that the rule reads is cut or contradicts itself", "a match of the rule gives it up"}[d]
}

// whyDropped returns the reason for which rule r dropped the packet.
func whyDropped(p *packet.Packet, r *rules.Rule[rules.Action]) dropReason {
	if p.FragOffset != 0 && p.Notes&packet.TinyFragment != 0 {
		return droppedFragment
	}
	if p.Notes&(packet.ShortHeader|packet.BrokenChain) != 0 {
		return droppedHeader
	}
	if e := r.Value.Ext; e != nil {
		broken := uint32(p.Broken())
		for _, d := range e.Demands {
			if d.Bits&broken != 0 {
				return droppedHeader
			}
		}
	}
	return droppedByMatch
}
