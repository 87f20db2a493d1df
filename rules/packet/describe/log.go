package describe

// Packets as the kernel writes them to its log, in the targets LOG and TRACE:
//
//	IN=eth0 OUT= MAC=... SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=1 DPT=2 ...
//
// The forms are those of Linux 6.18 with all that can be asked for: TCP
// sequence numbers, TCP and IP options, the socket's user.

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/hipac-go/classifier/rules/packet"
)

// AppendLog appends a packet as the kernel logs it, with the interfaces that it
// knows at the place: "" for none. Every word ends with a blank. Fields that a
// target may have changed are those of p, the others are read from its bytes;
// what is in neither is left out or 0.
func AppendLog(dst []byte, p *packet.Packet, in, out string) []byte {
	l := logger{dst: dst, p: p}
	l.add("IN=%s OUT=%s ", in, out)
	if in != "" {
		l.add("MAC=")
		if p.Has&packet.HasSMAC != 0 && p.Has&packet.HasDMAC != 0 {
			kind := 0x0800
			if p.Family == 6 {
				kind = 0x86dd
			}
			l.add("%s:%s:%02x:%02x", macText(p.DMAC), macText(p.SMAC), kind>>8, kind&255)
		}
		l.add(" ")
	}
	l.ip(true)
	if e := p.Env; e != nil && e.Owner != nil && e.Owner.Exists && e.Owner.File && in == "" && p.FragOffset == 0 {
		l.add("UID=%d GID=%d ", e.Owner.UID, e.Owner.GID)
	}
	if p.Mark != 0 {
		l.add("MARK=0x%x ", p.Mark)
	}
	return l.dst
}

type logger struct {
	dst []byte
	p   *packet.Packet
	buf [64]byte
}

func (l *logger) add(format string, args ...any) { l.dst = fmt.Appendf(l.dst, format, args...) }

// bytes returns n bytes of the packet, counted from the IP header, or fewer
// where it ends.
func (l *logger) bytes(at, n int) []byte {
	if n = min(n, l.p.Captured()-at, len(l.buf)); n <= 0 {
		return nil
	}
	return l.p.Bytes(at, n, l.buf[:])
}

func (l *logger) addr(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return a.StringExpanded()
}

// ip writes the IP header and what follows; outer is false for the packet that
// an ICMP error quotes.
func (l *logger) ip(outer bool) {
	p := l.p
	src, dst := p.SrcAddr(), p.DstAddr()
	if p.Family == 6 {
		src, dst = netip.AddrFrom16(src.As16()), netip.AddrFrom16(dst.As16())
	}
	l.add("SRC=%s DST=%s LEN=%d ", l.addr(src), l.addr(dst), p.Length)
	if p.Family == 6 {
		label := uint32(0)
		if b := l.bytes(0, 4); len(b) == 4 {
			label = binary.BigEndian.Uint32(b) & 0xfffff
		}
		l.add("TC=%d HOPLIMIT=%d FLOWLBL=%d ", p.TOS, p.TTL, label)
		if p.FragOffset != 0 || p.MoreFragments {
			l.add("FRAG:%d ", int(p.FragOffset)*8)
			if f, ok := p.FragmentHeader(); ok {
				l.add("ID=%08x ", f.ID)
			}
		}
	} else {
		l.add("TOS=0x%02X PREC=0x%02X TTL=%d ", p.TOS&0x1e, p.TOS&0xe0, p.TTL)
		if b := l.bytes(4, 4); len(b) == 4 {
			l.add("ID=%d ", binary.BigEndian.Uint16(b))
			for i, name := range []string{"CE", "DF", "MF"} {
				if b[2]<<i&0x80 != 0 {
					l.add("%s ", name)
				}
			}
		}
		if p.FragOffset != 0 {
			l.add("FRAG:%d ", p.FragOffset)
		}
		if b := l.bytes(0, 60); len(b) > 20 && int(b[0]&15)*4 > 20 {
			l.hex(b[20:min(len(b), int(b[0]&15)*4)])
		}
	}
	l.transport(outer)
}

// hex writes options.
func (l *logger) hex(b []byte) { l.add("OPT (%X) ", b) }

var logNames = map[uint8]string{packet.TCP: "TCP", packet.UDP: "UDP", packet.UDPLite: "UDPLITE", protoAH: "AH", protoESP: "ESP"}

func (l *logger) transport(outer bool) {
	p := l.p
	name, known := logNames[p.Proto]
	switch {
	case p.Has&packet.HasProto == 0:
		return
	case p.Proto == packet.ICMP && p.Family == 4:
		name, known = "ICMP", true
	case p.Proto == packet.ICMPv6 && p.Family == 6:
		name, known = "ICMPv6", true
	}
	if !known {
		l.add("PROTO=%d ", p.Proto)
		return
	}
	l.add("PROTO=%s ", name)
	if p.FragOffset != 0 {
		return
	}
	at := p.TransportOffset - p.NetOffset
	switch p.Proto {
	case packet.TCP:
		l.tcp(at)
	case packet.UDP, packet.UDPLite:
		l.add("SPT=%d DPT=%d ", p.SrcPort, p.DstPort)
		if b := l.bytes(at+4, 2); len(b) == 2 {
			l.add("LEN=%d ", binary.BigEndian.Uint16(b))
		}
	case packet.ICMP, packet.ICMPv6:
		l.icmp(at, outer)
	case protoESP:
		if b := l.bytes(at, 4); len(b) == 4 {
			l.add("SPI=0x%x ", binary.BigEndian.Uint32(b))
		}
	case protoAH:
		if b := l.bytes(at+4, 4); len(b) == 4 {
			l.add("SPI=0x%x ", binary.BigEndian.Uint32(b))
		}
	}
}

func (l *logger) tcp(at int) {
	p := l.p
	l.add("SPT=%d DPT=%d ", p.SrcPort, p.DstPort)
	b := l.bytes(at, 60)
	if len(b) < 20 {
		return
	}
	l.add("SEQ=%d ACK=%d WINDOW=%d RES=0x%02x ", binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]),
		binary.BigEndian.Uint16(b[14:]), b[12]&15<<2)
	for i, name := range []string{"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"} {
		if p.TCPFlags<<i&0x80 != 0 {
			l.add("%s ", name)
		}
	}
	l.add("URGP=%d ", binary.BigEndian.Uint16(b[18:]))
	if n := int(b[12]>>4) * 4; n > 20 {
		l.hex(b[20:min(n, len(b))])
	}
}

// icmp writes type and code, and what comes with them.
func (l *logger) icmp(at int, outer bool) {
	p := l.p
	l.add("TYPE=%d CODE=%d ", p.ICMPType, p.ICMPCode)
	b := l.bytes(at+4, 4)
	if len(b) < 4 {
		return
	}
	rest := binary.BigEndian.Uint32(b)
	quoted := false
	if p.Family == 4 {
		switch p.ICMPType {
		case 0, 8:
			l.add("ID=%d SEQ=%d ", rest>>16, rest&0xffff)
		case 12:
			l.add("PARAMETER=%d ", rest>>24)
			quoted = true
		case 5:
			l.add("GATEWAY=%s ", netip.AddrFrom4([4]byte(b)))
			quoted = true
		case 3, 4, 11:
			quoted = true
		}
	} else {
		switch p.ICMPType {
		case 128, 129:
			l.add("ID=%d SEQ=%d ", rest>>16, rest&0xffff)
		case 4:
			l.add("POINTER=%08x ", rest)
			quoted = true
		case 1, 3:
			quoted = true
		}
	}
	if quoted && outer {
		l.inner(at + 8)
	}
	switch {
	case p.Family == 4 && p.ICMPType == 3 && p.ICMPCode == 4:
		l.add("MTU=%d ", rest&0xffff)
	case p.Family == 6 && p.ICMPType == 2:
		l.add("MTU=%d ", rest)
	}
}

// inner writes the packet that an ICMP error quotes.
func (l *logger) inner(at int) {
	n := l.p.Captured() - at
	if n <= 0 {
		return
	}
	quote := logger{dst: l.dst, p: &packet.Packet{}}
	b := make([]byte, min(n, 256))
	b = l.p.Bytes(at, len(b), b)
	// The quote is cut where the error ends, as a capture would.
	if err := quote.p.DecodeWire(b, 1<<16, packet.LinkRaw); err != nil {
		return
	}
	quote.add("[")
	quote.ip(false)
	quote.add("] ")
	l.dst = quote.dst
}
