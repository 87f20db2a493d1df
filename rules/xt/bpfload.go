package xt

// What bpf programs read: the packet's bytes, and Linux's extensions at
// negative offsets, which stand for what the system knows of the packet.

import (
	"github.com/hipac-go/classifier/rules/packet"
)

// load returns what an instruction of class LD loads. end says that the
// packet has not got it, which ends the program with 0.
func (b *bpfTest) load(t *Traversal, in *Instruction, a, x uint32, mem *[memWords]uint32) (v uint32, end bool, needs string) {
	size := 4
	switch in.Code & 0x18 {
	case bpfH:
		size = 2
	case bpfB:
		size = 1
	}
	switch in.Code & 0xe0 {
	case bpfIMM:
		return in.K, false, ""
	case bpfMEM:
		return mem[in.K%memWords], false, ""
	case bpfLEN:
		total, _ := packetLen(&t.Packet)
		return uint32(total), false, ""
	case bpfIND:
		return loadAt(t, x+in.K, size)
	}
	if in.K >= bpfExtOff {
		return extension(t, in.K-bpfExtOff, a, x)
	}
	return loadAt(t, in.K, size)
}

// loadAt reads at an offset that is negative in its upper half.
func loadAt(t *Traversal, off uint32, size int) (v uint32, end bool, needs string) {
	switch {
	case off >= bpfNetOff:
		off -= bpfNetOff
	case off >= bpfLinkOff:
		return 0, false, "the link-layer header"
	case off >= 1<<31:
		return 0, true, ""
	}
	v, g := load(&t.Packet, int64(off), size)
	if g == gotLess {
		return 0, false, needsPacket
	}
	return v, g == gotEnd, ""
}

func extension(t *Traversal, ext, a, x uint32) (v uint32, end bool, needs string) {
	p := &t.Packet
	switch ext {
	case extProtocol:
		if p.Family == 6 {
			return 0x86dd, false, ""
		}
		return 0x0800, false, ""
	case extPktType:
		if p.Has&packet.HasPktType == 0 {
			return 0, false, "the packet's type"
		}
		return uint32(p.PktType), false, ""
	case extMark:
		return p.Mark, false, ""
	case extCPU:
		if p.Env == nil || p.Env.Has&packet.HasCPU == 0 {
			return 0, false, "cpu"
		}
		return p.Env.CPU, false, ""
	case extXorX:
		return a ^ x, false, ""
	case extRandom:
		if t.State == nil {
			return 0, false, "random numbers"
		}
		return t.State.random(), false, ""
	case extPayload:
		return payloadOffset(p)
	case extNlAttr:
		total, _ := packetLen(p)
		if int64(a) > int64(total)-4 {
			return 0, false, ""
		}
		return findAttribute(p, int(a), total, x)
	case extNlAttrNest:
		total, _ := packetLen(p)
		if int64(a) > int64(total)-4 {
			return 0, false, ""
		}
		length, _, g := attribute(p, int(a))
		if g != gotAll {
			return 0, false, needsPacket
		}
		if length < 4 || length > total-int(a) {
			return 0, false, ""
		}
		return findAttribute(p, int(a)+4, int(a)+length, x)
	case extIfIndex, extHaType:
		return 0, false, "the interface's number"
	case extVLAN, extHasVLAN, extVLANProto:
		return 0, false, "the VLAN tag"
	}
	return 0, false, "the receive queue" // extQueue, extRxHash
}

// attribute reads the header of a netlink attribute, in the order of bytes of
// little-endian machines.
func attribute(p *packet.Packet, at int) (length int, typ uint32, g got) {
	v, g := load(p, int64(at), 4)
	return int(v>>24 | v>>8&0xff00), (v>>8&0xff | v<<8&0xff00) & 0x3fff, g
}

// findAttribute returns the offset of the first netlink attribute of a type in
// [at, end), 0 when there is none.
func findAttribute(p *packet.Packet, at, end int, typ uint32) (v uint32, ends bool, needs string) {
	for end-at >= 4 {
		length, has, g := attribute(p, at)
		if g != gotAll {
			return 0, false, needsPacket
		}
		if length < 4 || length > end-at {
			break
		}
		if has == typ {
			return uint32(at), false, ""
		}
		at += (length + 3) &^ 3
	}
	return 0, false, ""
}

// payloadOffset returns where the payload of the transport protocol begins.
// Linux looks through tunnels for it; that is not done here.
func payloadOffset(p *packet.Packet) (v uint32, end bool, needs string) {
	if p.FragOffset != 0 || p.Family == 6 && p.Has&packet.HasProto == 0 {
		return 0, false, "the offset of the payload"
	}
	at := p.TransportOffset - p.NetOffset
	switch p.Proto {
	case packet.TCP:
		v, g := load(p, int64(at)+12, 1)
		switch g {
		case gotLess:
			return 0, false, needsPacket
		case gotEnd:
			return uint32(at), false, ""
		}
		return uint32(at) + max(20, v>>4<<2), false, ""
	case packet.UDP, packet.UDPLite, packet.ICMP, packet.ICMPv6, 2: // IGMP
		return uint32(at) + 8, false, ""
	case packet.DCCP, packet.SCTP:
		return uint32(at) + 12, false, ""
	}
	return 0, false, "the offset of the payload"
}
