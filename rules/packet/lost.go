package packet

// What nobody knows of a packet because the capture ends in front of it. In a
// key such a field is absent, as one that the packet does not have; who must
// not confuse the two asks for it here.

// captureEnds reports whether the packet may go on behind what was captured.
func (p *Packet) captureEnds() bool {
	return p.data != nil && (p.Notes&Cut != 0 || p.Has&HasLength == 0)
}

// Lost returns the fields of the schema, bit i for field i, whose values lie
// behind the end of the capture. It is 0 for packets that were captured in full
// and takes time in proportion to the schema's fields for others.
func (b *Binder) Lost(p *Packet) (fields uint32) {
	if !p.captureEnds() {
		return 0
	}
	for i, from := range b.from {
		if p.lost(from, b.ports4) {
			fields |= 1 << i
		}
	}
	return fields
}

// protoLost reports whether the protocol lies behind the end of the capture,
// and all that belongs to it.
func (p *Packet) protoLost() bool { return p.Has&HasProto == 0 && p.Notes&BrokenChain == 0 }

// transportLost reports whether that holds for a field of the transport header
// of one of the protocols which is decoded at once, and is not there.
func (p *Packet) transportLost(has Fields, protos ...uint8) bool {
	if p.Has&has != 0 || p.FragOffset != 0 || p.Notes&(ShortHeader|BrokenChain) != 0 {
		return false
	}
	if p.protoLost() {
		return true
	}
	for _, proto := range protos {
		if p.Proto == proto {
			return true
		}
	}
	return false
}

// PortsLost reports whether ports, or type and code of ICMP, lie behind the end
// of the capture.
func (p *Packet) PortsLost() bool {
	return p.captureEnds() && p.transportLost(HasPorts|HasICMP, TCP, UDP, UDPLite, SCTP, DCCP, p.icmp())
}

// extLost reports whether an extension header of IPv6, as far as the packet has
// it, was not captured in full.
func (p *Packet) extLost(number uint8) bool {
	at, length, s := p.ExtHeader(number)
	return s == Uncaptured || s == Found && at+length <= p.total() && at+length > p.Captured()
}

// lost is Lost for one source.
func (p *Packet) lost(from source, ports4 bool) bool {
	s := Found
	switch from {
	case fromProto:
		return p.protoLost()
	case fromFrag:
		return p.Family == 6 && p.protoLost()
	case fromSrcPort, fromDstPort:
		if ports4 && p.Notes&ShortHeader != 0 && p.Has&HasPorts == 0 {
			var buf scratch
			_, s = p.read(p.TransportOffset-p.NetOffset, 4, &buf)
			return s == Uncaptured
		}
		return p.transportLost(HasPorts, TCP, UDP, UDPLite, SCTP, DCCP)
	case fromTCPFlags:
		return p.transportLost(HasTCPFlags, TCP)
	case fromICMPType, fromICMPCode:
		return p.transportLost(HasICMP, p.icmp())
	case fromFlags:
		return p.transportLost(HasTCPFlags|HasICMP, TCP, p.icmp())
	case fromHotdrop:
		return p.MaybeBroken() != 0
	case fromTCPOpts0, fromTCPOpts1:
		_, s = p.TCPOptions()
	case fromMSS:
		_, s = p.MSS()
	case fromECNFlags:
		return p.ecnLost()
	case fromDCCPOpts0, fromDCCPOpts1:
		_, s = p.DCCPOptions()
	case fromDCCPType:
		_, s = p.DCCPType()
	case fromESPSPI:
		_, s = p.ESPSPI()
	case fromCPI:
		_, s = p.CPI()
	case fromMHType:
		_, s = p.MobilityType()
	case fromAHSPI, fromAHLen, fromAHRes:
		_, s = p.Auth()
		return s == Uncaptured
	default:
		return p.Family == 6 && p.lostIPv6(from)
	}
	return s == Uncaptured || p.protoLost()
}

// icmp returns the protocol ICMP of the packet's family.
func (p *Packet) icmp() uint8 {
	if p.Family == 6 {
		return ICMPv6
	}
	return ICMP
}

func (p *Packet) lostIPv6(from source) bool {
	switch from {
	case fromFragID:
		return p.extLost(Fragment)
	case fromRTType, fromRTSegs, fromRTLen, fromSRHNext, fromSRHLen, fromSRHSegs, fromSRHLast, fromSRHTag:
		return p.extLost(Routing)
	case fromSRHPrevious, fromSRHNextSID, fromSRHLastSID:
		return p.extLost(Routing) || p.segmentLost(int(from-fromSRHPrevious))
	case fromHBHLen:
		return p.extLost(HopByHop)
	case fromDstLen:
		return p.extLost(DestOptions)
	case fromExtHeaders:
		_, s := p.extHeaderSet()
		return s == Uncaptured
	}
	return false
}

// segmentLost reports whether a segment, which may lie behind the routing header,
// was not captured.
func (p *Packet) segmentLost(which int) bool {
	r, ok := p.SegmentRouting()
	if !ok {
		return false
	}
	at, ok := r.segment(which)
	if !ok {
		return false
	}
	var buf scratch
	_, s := p.read(at, 16, &buf)
	return s == Uncaptured
}

// ecnLost reports whether the byte of ECNFlags was not captured.
func (p *Packet) ecnLost() bool {
	if p.FragOffset == 0 {
		return p.transportLost(HasTCPFlags, TCP)
	}
	if p.Has&HasProto == 0 || p.Proto != TCP {
		return false
	}
	at := p.HeaderOffset()
	if p.total()-at < 20 {
		return false
	}
	var buf scratch
	_, s := p.read(at+13, 1, &buf)
	return s == Uncaptured
}

// MaybeBroken returns the bits of Broken of which nobody knows whether the
// packet has them, because the capture ends in front of what says so.
func (p *Packet) MaybeBroken() (b Broken) {
	if !p.captureEnds() {
		return 0
	}
	if p.protoLost() {
		b = BrokenProto | BrokenTCP | BrokenTCPOptions | BrokenUDP | BrokenICMP | BrokenPorts | BrokenSCTP | BrokenDCCP |
			BrokenDCCPOptions | BrokenESP | BrokenIPComp | BrokenMH | BrokenMSS
	}
	if p.Family == 6 {
		for _, h := range &brokenExts {
			if _, _, s := p.ExtHeader(h.number); s == Uncaptured {
				b |= h.bit
			}
		}
	}
	switch {
	case p.Has&HasProto == 0:
	case p.Proto == TCP:
		if _, s := p.tcpOptions(p.HeaderOffset()); s == Uncaptured {
			b |= BrokenMSS
			if p.FragOffset == 0 {
				b |= BrokenTCPOptions
			}
		}
	case p.Proto == DCCP:
		if _, _, _, s := p.dccp(); s == Uncaptured {
			b |= BrokenDCCPOptions
		}
	case p.Proto == Mobility:
		if _, s := p.MobilityType(); s == Uncaptured {
			b |= BrokenMH
		}
	}
	return b &^ p.Broken()
}
