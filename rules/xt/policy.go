package xt

// Match policy: the IPsec transformations of a packet.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// MaxPolicy is the number of elements of the longest PolicyMatch.
const MaxPolicy = 4

// PolicyMatch asks for the IPsec transformations that a packet has undergone
// or, with Out, is to undergo.
type PolicyMatch struct {
	Out bool
	// None holds for packets without transformations; the other parts do not
	// count then.
	None bool
	// Strict wants as many transformations as there are elements, each meeting
	// its element in the order in which packet.Policy has them. Without it, one
	// of the transformations must meet the first element. (Linux compares
	// packets that arrive with two transformations or more with something that
	// is not in the rule; here it is the rule's elements.)
	Strict   bool
	Elements []PolicyElement
}

// PolicyElement is what one transformation must be like. nil parts are not
// asked.
type PolicyElement struct {
	ReqID, SPI *IDRange
	Proto      *IDRange // IP protocol
	Mode       *IDRange // 0 transport, 1 tunnel
	Src, Dst   *MaskedAddr
}

// MaskedAddr is a condition on an address in the form of packet.Packet.Src.
type MaskedAddr struct {
	Addr, Mask [4]uint32
	Not        bool
}

func (m *MaskedAddr) holds(a *[4]uint32) bool {
	for i := range a {
		if (a[i]^m.Addr[i])&m.Mask[i] != 0 {
			return m.Not
		}
	}
	return !m.Not
}

// Test returns the test, or an error when there are too many elements. It
// needs packet.Env.Policy.
func (m PolicyMatch) Test() (rules.Test, error) {
	if len(m.Elements) > MaxPolicy {
		return nil, fmt.Errorf("%d elements: at most %d", len(m.Elements), MaxPolicy)
	}
	return &policyTest{m}, nil
}

type policyTest struct{ m PolicyMatch }

func (p *policyTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.Policy == nil {
		return rules.Unsure, "policy"
	}
	list := t.Packet.Env.Policy.In
	if p.m.Out {
		list = t.Packet.Env.Policy.Out
	}
	return answer(p.holds(list)), ""
}

func (p *policyTest) holds(list []packet.Transformation) bool {
	elements := p.m.Elements
	switch {
	case p.m.None || len(list) == 0:
		return p.m.None && len(list) == 0
	case p.m.Strict:
		if len(list) != len(elements) {
			return false
		}
		for i := range list {
			if !elements[i].holds(&list[i]) {
				return false
			}
		}
		return true
	}
	for i := range list {
		if len(elements) == 0 || elements[0].holds(&list[i]) {
			return true
		}
	}
	return false
}

func (e *PolicyElement) holds(x *packet.Transformation) bool {
	mode := uint32(0)
	if x.Tunnel {
		mode = 1
	}
	return (e.Src == nil || e.Src.holds(&x.Src)) && (e.Dst == nil || e.Dst.holds(&x.Dst)) &&
		(e.Proto == nil || e.Proto.holds(uint32(x.Proto))) && (e.Mode == nil || e.Mode.holds(mode)) &&
		(e.SPI == nil || e.SPI.holds(x.SPI)) && (e.ReqID == nil || e.ReqID.holds(x.ReqID))
}
