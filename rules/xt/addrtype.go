package xt

// Match addrtype: of which type an address is, by a routing table or by what
// the caller says of the packet.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/route"
)

// AddrType is what a rule asks of the type of an address.
type AddrType struct {
	Types route.Type // any of them in IPv4, see route.Match for IPv6
	Not   bool
	// Dst asks of the destination instead of the source.
	Dst bool
	// In and Out ask for the interface that the packet came in by, or leaves
	// by, only.
	In, Out bool
}

// AddrTypeTest returns the test. Without routes the packet's Env is asked, and
// what does not depend on routes answered from the address alone.
func AddrTypeTest(a AddrType, routes *route.Table) rules.Test { return &typeTest{a, routes} }

type typeTest struct {
	AddrType
	routes *route.Table
}

func (a *typeTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	p := &t.Packet
	v4 := p.Family == 4
	addr := p.SrcAddr()
	if a.Dst {
		addr = p.DstAddr()
	}
	types := route.TypesOfAddress(addr)
	const own = route.Unspec | route.Unicast | route.Multicast
	switch {
	case v4 && types != 0, !v4 && (a.Types&^own == 0 || a.Types&own&^types != 0):
	case a.routes != nil:
		dev, known := "", true
		switch {
		case a.In:
			dev, _ = p.InIface.Name()
			known = p.Known&packet.KnownIn != 0
		case a.Out:
			dev, _ = p.OutIface.Name()
			known = p.Known&packet.KnownOut != 0
		}
		if !known {
			return rules.Unsure, "the interface"
		}
		types = a.routes.Types(addr, dev)
	default:
		said, known := a.said(p)
		if !known {
			return rules.Unsure, "addrtype"
		}
		if types |= said; v4 {
			types = said
		}
	}
	return answer(route.Match(v4, a.Types, types) != a.Not), ""
}

// said returns what the caller says of the packet.
func (a *typeTest) said(p *packet.Packet) (types uint16, known bool) {
	e := p.Env
	if e == nil {
		return 0, false
	}
	src, dst, has := e.SrcType, e.DstType, packet.HasAddrTypes
	switch {
	case a.In:
		src, dst, has = e.SrcTypeIn, e.DstTypeIn, packet.HasAddrTypesIn
	case a.Out:
		src, dst, has = e.SrcTypeOut, e.DstTypeOut, packet.HasAddrTypesOut
	}
	if a.Dst {
		src = dst
	}
	return src, e.Has&has != 0
}
