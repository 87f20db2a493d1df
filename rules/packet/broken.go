package packet

// Hotdrop: the kernel drops a packet at once, at the first rule whose match
// cannot read the header that it needs. Which matches would do so is a set of
// bits per packet; rules ask for it like for any field.

import "github.com/hipac-go/classifier/rules"

// Broken says which matches drop the packet because a header that they read is
// not wholly in it, by the packet's own length, or contradicts itself. What
// was merely not captured sets no bit. Where a match is just false on a short
// header there is no bit.
type Broken uint32

// The bits of Broken, each with the matches that drop the packet.
const (
	BrokenProto       Broken = 1 << iota // a protocol in an IPv6 rule: the chain of extension headers is broken
	BrokenTCP                            // tcp: less than 20 bytes, or an IPv4 fragment at offset 1
	BrokenTCPOptions                     // tcp with --tcp-option: the header says that it is below 20 bytes or longer than the packet
	BrokenUDP                            // udp, udplite: less than 8 bytes
	BrokenICMP                           // icmp, icmp6: less than 8 bytes
	BrokenPorts                          // multiport: less than 4 bytes
	BrokenSCTP                           // sctp: less than 12 bytes
	BrokenDCCP                           // dccp: less than 12 bytes
	BrokenDCCPOptions                    // dccp with --dccp-option: as BrokenTCPOptions
	BrokenAH                             // ah: less than 12 bytes, or (IPv6) less than it says, or not found before the chain breaks
	BrokenESP                            // esp: less than 8 bytes
	BrokenIPComp                         // ipcomp: less than 4 bytes
	BrokenMH                             // mh: less than 6 bytes, or another header follows
	BrokenFrag                           // frag: less than 8 bytes, or not found before the chain breaks
	BrokenRouting                        // rt: less than 4 bytes or than it says, or not found before the chain breaks
	BrokenHopByHop                       // hbh: less than 2 bytes or than it says, or not found before the chain breaks
	BrokenDestOptions                    // dst: the same
	BrokenMSS                            // tcpmss: as BrokenTCP or BrokenTCPOptions, in later fragments too, see MSS
)

// The drops of all these matches but udplite were compared with those of Linux
// 6.18, with damaged and shortened packets sent through a TUN device.

// BrokenNames are the bits of Broken, for the field hotdrop.
var BrokenNames = []rules.Symbol{{Name: "PROTO", Value: uint64(BrokenProto)}, {Name: "TCP", Value: uint64(BrokenTCP)},
	{Name: "TCPOPTS", Value: uint64(BrokenTCPOptions)}, {Name: "UDP", Value: uint64(BrokenUDP)}, {Name: "ICMP", Value: uint64(BrokenICMP)},
	{Name: "PORTS", Value: uint64(BrokenPorts)}, {Name: "SCTP", Value: uint64(BrokenSCTP)}, {Name: "DCCP", Value: uint64(BrokenDCCP)},
	{Name: "DCCPOPTS", Value: uint64(BrokenDCCPOptions)}, {Name: "AH", Value: uint64(BrokenAH)}, {Name: "ESP", Value: uint64(BrokenESP)},
	{Name: "IPCOMP", Value: uint64(BrokenIPComp)}, {Name: "MH", Value: uint64(BrokenMH)}, {Name: "FRAG", Value: uint64(BrokenFrag)},
	{Name: "RT", Value: uint64(BrokenRouting)}, {Name: "HBH", Value: uint64(BrokenHopByHop)}, {Name: "DST", Value: uint64(BrokenDestOptions)},
	{Name: "MSS", Value: uint64(BrokenMSS)}}

// Broken returns which matches would drop the packet. A packet that was not
// decoded from bytes has no bits.
func (p *Packet) Broken() (b Broken) {
	if p.data == nil {
		return 0
	}
	if p.Family == 6 {
		b = p.brokenChain()
	}
	if p.Has&HasProto == 0 {
		return b
	}
	if p.Proto == TCP {
		if _, s := p.tcpOptions(p.HeaderOffset()); s == Short {
			b |= BrokenMSS
		}
	}
	if p.FragOffset != 0 {
		if p.Notes&TinyFragment != 0 {
			b |= BrokenTCP
		}
		return b
	}
	n := p.total() - (p.TransportOffset - p.NetOffset)
	below := func(least int, bit Broken) {
		if n < least {
			b |= bit
		}
	}
	switch p.Proto {
	case TCP:
		below(20, BrokenTCP)
		below(4, BrokenPorts)
		if n >= 20 && b&BrokenMSS != 0 {
			b |= BrokenTCPOptions
		}
	case UDP, UDPLite:
		below(8, BrokenUDP)
		below(4, BrokenPorts)
	case SCTP:
		below(12, BrokenSCTP)
		below(4, BrokenPorts)
	case DCCP:
		below(12, BrokenDCCP)
		below(4, BrokenPorts)
		if n >= 12 {
			if _, at, k, s := p.dccp(); s == Found && (k < 0 || k > 0 && at+k > p.total()) {
				b |= BrokenDCCPOptions
			}
		}
	case ICMP, ICMPv6:
		if (p.Proto == ICMP) == (p.Family == 4) {
			below(8, BrokenICMP)
		}
	case AH: // of IPv4; in IPv6 it is an extension header
		below(12, BrokenAH)
	case ESP:
		below(8, BrokenESP)
	case IPComp:
		below(4, BrokenIPComp)
	case Mobility:
		if _, s := p.MobilityType(); s == Short {
			b |= BrokenMH
		}
	}
	return b
}

// brokenChain returns the bits of the extension headers of an IPv6 packet.
func (p *Packet) brokenChain() (b Broken) {
	exts := p.exts
	if p.Notes&BrokenChain != 0 {
		b, exts = BrokenProto, 0xff
	}
	if exts == 0 {
		return 0
	}
	for _, h := range &brokenExts {
		if exts&h.ext == 0 {
			continue
		}
		if at, length, s := p.ExtHeader(h.number); s == Short || s == Found && at+max(h.least, length) > p.total() {
			b |= h.bit
		}
	}
	return b
}

// brokenExts are the extension headers whose matches drop the packet when the
// header has less than the least of bytes, or than its length says. That was
// held to Linux 6.18; older kernels take a header shorter than it says for one
// that does not match, but for the fixed part.
var brokenExts = [...]struct {
	number, ext uint8
	least       int
	bit         Broken
}{
	{HopByHop, ExtHop, 2, BrokenHopByHop}, {DestOptions, ExtDst, 2, BrokenDestOptions}, {Routing, ExtRoute, 4, BrokenRouting},
	{Fragment, ExtFrag, 8, BrokenFrag}, {AuthHeader, ExtAuth, 12, BrokenAH},
}
