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
	x := &packet.Extras{ID: uint32(s.id), Options: s.options, SPI: s.spi, Next: noNextHeader, Payload: []byte(s.payload)}
	if s.hasCPI {
		x.SPI = uint32(s.cpi)
	}
	least := len(h.AppendIPWith(nil, &packet.Extras{Options: s.options})) + len(s.payload)
	if s.more { // the payload counts in units of 8 bytes
		least = len(h.AppendIPWith(nil, x))
	}
	most := 65535
	if h.Family == 6 {
		most += 40
	}
	switch {
	case least > most:
		return &Error{Text: "payload", Reason: fmt.Sprintf("the packet would be %d bytes long; at most %d", least, most)}
	case s.hasLength && (int(s.length) < least || int(s.length) > most):
		return &Error{Text: "length", Reason: fmt.Sprintf("headers and payload take %d bytes; at most %d can be: length is in %d..%d", least, most, least, most)}
	}
	h.Length = uint32(least)
	if s.hasLength {
		h.Length = s.length
	}
	ip := h.AppendIPWith(nil, x)
	s.patch(ip)
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

const noNextHeader = 59

// patch writes what packet.Packet has no field for.
func (s *spec) patch(ip []byte) {
	header := 40
	if s.dst.Is4() {
		header = 20
		if s.df {
			ip[6] |= 0x40
			ip[10], ip[11] = 0, 0
			binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip[:header]))
		}
	} else if s.more {
		header += 8
	}
	if s.proto != packet.TCP || s.offset != 0 {
		return
	}
	t := ip[header:]
	binary.BigEndian.PutUint32(t[4:], s.seq)
	binary.BigEndian.PutUint32(t[8:], s.ack)
	if s.hasWindow {
		binary.BigEndian.PutUint16(t[14:], s.window)
	}
	t[16], t[17] = 0, 0
	addresses := ip[8:40]
	if header == 20 {
		addresses = ip[12:20]
	}
	binary.BigEndian.PutUint16(t[16:], ^sum(uint32(s.proto)+uint32(len(t))+uint32(sum(0, addresses)), t))
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
	if m.reverse != "" {
		e.ReversePath, any = &packet.ReversePath{Interface: m.reverse == "pass"}, true
		if m.reverse != "fail" {
			e.ReversePath.Type = 1 << 1 // UNICAST
		}
	}
	if m.socket != "" {
		e.Socket, any = &packet.Socket{Found: m.socket != "none", Wildcard: m.socket == "wildcard", Transparent: m.socket == "transparent"}, true
	}
	if m.ipsec != "" {
		e.Policy, any = &packet.Policy{}, true
	}
	if m.ipvs != "" {
		e.IPVS, any = &packet.IPVS{}, true
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

// Connect gives a packet whose connection state is known and which has no
// connection the Conn that goes with it: between its own addresses, without a
// translation, with a mark of 0; no Conn when the state is INVALID or
// UNTRACKED. A Conn without addresses is completed.
func Connect(p *packet.Packet) {
	if p.Known&packet.KnownCTState == 0 || p.Conn != nil && p.Conn.ID != 0 {
		return
	}
	m := meta{hasState: true, state: p.CTState}
	if p.Conn != nil {
		m.ctmark = p.Conn.Mark
	}
	if p.Conn = nil; m.tracked() {
		p.Conn = m.conn(p)
	}
}

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
	if m.reply {
		c.Seen[1] = packet.Traffic{Packets: 1, Bytes: uint64(p.Length)}
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
