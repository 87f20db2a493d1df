package describe

// From what a description says to the packet's bytes and what is known of it,
// and back from a decoded packet.

import (
	"encoding/binary"
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// build makes the bytes of the packet and decodes them.
func (p *Packet) build() error {
	s := &p.spec
	var h packet.Packet
	h.SetAddrs(s.src, s.dst)
	if s.src.Is4In6() {
		h.Family = 6
	}
	h.Proto, h.SrcPort, h.DstPort, h.TCPFlags = s.proto, s.sport, s.dport, s.flags
	h.ICMPType, h.ICMPCode, h.TTL, h.TOS = s.icmpType, s.icmpCode, s.ttl, s.tos
	h.FragOffset, h.MoreFragments = s.offset, s.more
	prefix := s.prefix()
	empty := h.AppendIP(nil)
	least := len(empty) + len(prefix) + len(s.options) + len(s.payload)
	if s.more { // AppendIP counts the payload in units of 8 bytes
		least = max(least, len(empty))
	}
	most := 65535
	if h.Family == 6 {
		most += 40
	}
	switch {
	case least > most:
		return &Error{Text: "payload", Reason: fmt.Sprintf("the packet would be %d bytes long; at most %d", least, most)}
	case s.hasLength && (int(s.length) < least || int(s.length) > most):
		return &Error{Text: fmt.Sprintf("length=%d", s.length), Reason: fmt.Sprintf("headers and payload take %d bytes; at most %d can be", least, most)}
	}
	h.Length = uint32(least)
	if s.hasLength {
		h.Length = s.length
	}
	ip := h.AppendIP(nil)
	s.patch(ip, len(empty), prefix)
	p.Data, p.Link = ip, packet.LinkRaw
	if s.ethernet {
		frame := packet.Packet{SMAC: s.smac, DMAC: s.dmac, VLAN: s.vlan, Family: h.Family}
		if s.hasVLAN {
			frame.Has = packet.HasVLAN
		}
		head := frame.AppendEthernet(nil)
		head = head[:len(head)-len(frame.AppendIP(nil))]
		p.Data, p.Link = append(head, ip...), packet.LinkEthernet
	}
	if err := p.Decode(p.Data, p.Link); err != nil {
		return &Error{Reason: err.Error()}
	}
	if s.hasPktType {
		p.PktType, p.Has = s.pktType, p.Has|packet.HasPktType
	}
	s.meta.apply(&p.Packet)
	p.Time = s.time
	return nil
}

// prefix returns the bytes of a header that AppendIP does not know.
func (s *spec) prefix() []byte {
	switch {
	case s.offset != 0:
	case s.proto == protoESP && s.hasSPI:
		return append(binary.BigEndian.AppendUint32(nil, s.spi), 0, 0, 0, 0)
	case s.proto == protoAH && s.hasSPI:
		return append(binary.BigEndian.AppendUint32([]byte{59, 4, 0, 0}, s.spi), make([]byte, 16)...)
	case s.proto == protoIPComp && s.hasCPI:
		return binary.BigEndian.AppendUint16([]byte{59, 0}, s.cpi)
	}
	return nil
}

// patch writes what AppendIP left out into an IP packet whose headers it
// made: body is where the payload of a packet without options begins.
func (s *spec) patch(ip []byte, body int, prefix []byte) {
	header := 40
	if s.dst.Is4() {
		header = 20
		binary.BigEndian.PutUint16(ip[4:], s.id)
		if s.df {
			ip[6] |= 0x40
		}
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip[:header]))
	} else if s.offset != 0 || s.more {
		header += 8
	}
	if s.more {
		body = header + s.headerLen() // it may have grown to 8 bytes
	}
	copy(ip[body:], prefix)
	copy(ip[body+len(prefix)+len(s.options):], s.payload)
	if s.offset != 0 {
		return
	}
	check := 0
	switch s.proto {
	case packet.TCP:
		t := ip[header:]
		binary.BigEndian.PutUint32(t[4:], s.seq)
		binary.BigEndian.PutUint32(t[8:], s.ack)
		t[12] += byte(len(s.options)/4) << 4
		if s.hasWindow {
			binary.BigEndian.PutUint16(t[14:], s.window)
		}
		copy(t[20:], s.options)
		check = 16
	case packet.UDP, packet.UDPLite, packet.DCCP:
		check = 6
	case packet.ICMP, packet.ICMPv6:
		check = 2
	default:
		return // without a checksum, or, SCTP, with one that covers zeros
	}
	t := ip[header:]
	t[check], t[check+1] = 0, 0
	c := uint32(0)
	if s.proto != packet.ICMP {
		c = uint32(s.proto) + uint32(len(t))
		if from := 12; header == 20 {
			c += uint32(sum(0, ip[from:20]))
		} else {
			c += uint32(sum(0, ip[8:40]))
		}
	}
	v := ^sum(c, t)
	if v == 0 && (s.proto == packet.UDP || s.proto == packet.UDPLite) {
		v = 0xffff
	}
	binary.BigEndian.PutUint16(t[check:], v)
}

// headerLen returns the length of the transport header that AppendIP makes.
func (s *spec) headerLen() int {
	switch {
	case s.offset != 0:
		return 0
	case s.proto == packet.TCP:
		return 20
	case s.proto == packet.SCTP, s.proto == packet.DCCP:
		return 12
	case s.hasPorts(), s.isICMP():
		return 8
	}
	return 0
}

// sum adds b as 16-bit numbers to c, with carries added again (RFC 1071).
func sum(c uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		c += uint32(b[0])<<8 | uint32(b[1])
		c = c>>16 + c&0xffff
	}
	if len(b) == 1 {
		c += uint32(b[0]) << 8
	}
	for c > 0xffff {
		c = c>>16 + c&0xffff
	}
	return uint16(c)
}

// apply gives a decoded packet what is known besides its bytes.
func (m *meta) apply(p *packet.Packet) {
	if m.hasIn {
		p.SetIn(m.in)
	}
	if m.hasOut {
		p.SetOut(m.out)
	}
	if m.hasMark {
		p.Mark = m.mark
	}
	if m.hasState {
		p.SetCTState(m.state)
	}
	if m.tracked() {
		p.Conn = m.conn(p)
	}
	e := m.env
	any := e.Has != 0
	if m.hasTypes {
		e.Has, any = e.Has|packet.HasAddrTypes, true
	}
	if m.hasUID || m.hasGID {
		owner := m.owner
		e.Owner, any = &owner, true
	}
	if m.hasCgroup {
		group := m.cgroup
		e.Cgroup, any = &group, true
	}
	if m.bridge {
		e.Bridge, any = &packet.Bridge{Bridged: m.physOut != "", In: name(m.physIn), Out: name(m.physOut)}, true
	}
	if any {
		p.Env = &e
	}
}

func name(s string) rules.Value {
	if s == "" {
		return rules.Value{}
	}
	return rules.NameValue(s)
}

// Bits of the connection state, see rules.CTStates.
const (
	ctEstablished = 2
	ctRelated     = 4
	ctNew         = 8
)

// tracked reports whether the packet has a connection.
func (m *meta) tracked() bool {
	if m.hasState {
		return m.state&(ctEstablished|ctRelated|ctNew) != 0
	}
	return m.hasConn || m.hasStatus || m.reply || m.cthelper != ""
}

// conn returns the packet's connection: between its own addresses, no
// translation, as far along as its state says.
func (m *meta) conn(p *packet.Packet) *packet.Conn {
	from, to := packet.Endpoint{Addr: p.Src, Port: p.SrcPort}, packet.Endpoint{Addr: p.Dst, Port: p.DstPort}
	if m.reply {
		from, to = to, from
	}
	c := &packet.Conn{ID: 1, Reply: m.reply, Proto: p.Proto, Zone: m.ctzone, Mark: m.ctmark, Helper: m.cthelper,
		Orig: [2]packet.Endpoint{from, to}, Repl: [2]packet.Endpoint{to, from},
		Seen: [2]packet.Traffic{{Packets: max(m.seenPackets, 1), Bytes: m.seenBytes}}}
	if m.seenBytes == 0 {
		c.Seen[0].Bytes = uint64(p.Length)
	}
	switch {
	case m.hasStatus:
		c.Status = m.status
	case m.state&ctEstablished != 0:
		c.Status = 2 | 4 | 8 // SEEN_REPLY, ASSURED, CONFIRMED
	case m.state&ctRelated != 0:
		c.Status = 1 // EXPECTED
	}
	return c
}

// specOf describes a decoded packet.
func specOf(p *packet.Packet) *spec {
	s := &spec{proto: p.Proto, src: p.SrcAddr(), dst: p.DstAddr(), sport: p.SrcPort, dport: p.DstPort, flags: p.TCPFlags,
		icmpType: p.ICMPType, icmpCode: p.ICMPCode, ttl: p.TTL, hasTTL: true, tos: p.TOS, more: p.MoreFragments, offset: p.FragOffset,
		length: p.Length, hasLength: p.Has&packet.HasLength != 0}
	if p.Has&packet.HasSMAC != 0 && p.Has&packet.HasDMAC != 0 {
		s.ethernet, s.smac, s.dmac = true, p.SMAC, p.DMAC
	}
	if p.Has&packet.HasVLAN != 0 {
		s.ethernet, s.hasVLAN, s.vlan = true, true, p.VLAN
	}
	m := &s.meta
	if p.Known&packet.KnownIn != 0 {
		m.in, _ = p.InIface.Name()
		m.hasIn = true
	}
	if p.Known&packet.KnownOut != 0 {
		m.out, _ = p.OutIface.Name()
		m.hasOut = true
	}
	if p.Known&packet.KnownCTState != 0 {
		m.state, m.hasState = p.CTState, true
	}
	m.mark = p.Mark
	if c := p.Conn; c != nil {
		m.ctmark, m.ctzone, m.cthelper, m.reply = c.Mark, c.Zone, c.Helper, c.Reply
	}
	if e := p.Env; e != nil && e.Owner != nil {
		m.owner, m.hasUID, m.hasGID = *e.Owner, true, e.Owner.Exists
	}
	return s
}
