package xt

// The match dccp with a negated option, which is no condition: where the
// options cannot be read the kernel drops the packet, and still counts the rule.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// NoDCCPOption returns the test that the DCCP header has no option of a kind.
// It holds, and drops the packet behind the rule, when the options are cut.
func NoDCCPOption(kind uint8) rules.Test { return noDCCPOption(kind) }

type noDCCPOption uint8

func (n noDCCPOption) Ask(s rules.Subject) (rules.Outcome, string) {
	t := bytesOf(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	set, is := t.Packet.DCCPOptions()
	switch {
	case is == packet.Found:
		return answer(!set.Has(uint8(n))), ""
	case is == packet.Uncaptured:
		return rules.Unsure, uncaptured
	case is == packet.Short:
		return rules.DropBehind, ""
	}
	return rules.No, ""
}
