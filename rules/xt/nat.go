package xt

// Targets that change addresses and ports: DNAT, SNAT, MASQUERADE, REDIRECT,
// NETMAP. They see the first packet of a connection only, and decide for all
// of it. Which address of a range a connection gets is a hash of its
// addresses, the same as Linux's on machines with the low byte first; a source
// port that is drawn at random comes from State.Random. The kernel avoids what
// other connections use, which is not known here: the answers are those of a
// machine without other connections.

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// NATKind is which address of the packet changes, and to what.
type NATKind uint8

// The kinds.
const (
	DNAT       NATKind = iota // destination, to one of a range
	SNAT                      // source, to one of a range
	Masquerade                // source, to the address of the interface that it leaves by
	Redirect                  // destination, to the address of the interface that it came in by
	Netmap                    // either, by the hook: the upper bits
)

// NAT is a target that translates addresses.
type NAT struct {
	Name string // of the target
	Kind NATKind
	// MapAddr says that there is a range of addresses, Lo to Hi. For Netmap Hi
	// has the bits behind the prefix set.
	MapAddr bool
	Lo, Hi  [4]uint32
	// MapPort says that there is a range of ports, Shift that a port moves with
	// its distance from Base.
	MapPort        bool
	PortLo, PortHi uint16
	Shift          bool
	Base           uint16
	// Random draws a port even where the packet's would do; Persistent gives a
	// client the same address for all it talks to.
	Random, Persistent bool
}

// needsRandom is what a target says that draws lots.
const needsRandom = "random numbers"

// Apply translates. The action behind it accepts the packet.
func (n *NAT) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, n.Name, unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	dst := n.Kind == DNAT || n.Kind == Redirect
	if n.Kind == Netmap {
		hooks := t.hooks(at)
		if dst = hooks&dstHooks != 0; dst == (hooks&srcHooks != 0) {
			return rules.Unsure, "the hook"
		}
	}
	old, port, field := p.Src, p.SrcPort, "src"
	if dst {
		old, port, field = p.Dst, p.DstPort, "dst"
	}
	addr := old
	switch n.Kind {
	case Netmap:
		for i := range addr {
			mask := ^(n.Lo[i] ^ n.Hi[i])
			addr[i] = addr[i]&^mask | n.Lo[i]&mask
		}
		if p.Family == 4 {
			addr[0], addr[1], addr[2] = old[0], old[1], old[2]
		}
	case Masquerade:
		if p.Family == 4 && old[3] == 0 { // a host that has no address yet
			t.Record(at, n.Name, "", "the source is 0.0.0.0, and stays", "")
			return rules.Yes, ""
		}
		if p.Env == nil || p.Env.Has&packet.HasOutAddr == 0 {
			// In a kernel no table comes behind this one, so that nothing can ask.
			t.Record(at, n.Name, field, "src "+endpoint(&old, port, p)+" -> the address of "+interfaceName(p.OutIface, p.Known&packet.KnownOut != 0), "")
			return rules.Yes, ""
		}
		if addr = p.Env.OutAddr; isZero(&addr, p.Family) {
			return rules.DropNow, ""
		}
	case Redirect:
		known := false
		if addr, known = t.redirectTo(at); !known {
			who := "the address of " + interfaceName(p.InIface, p.Known&packet.KnownIn != 0)
			t.Record(at, n.Name, field, "dst "+endpoint(&old, port, p)+" -> "+who, "")
			return rules.Unsure, who
		}
		if isZero(&addr, p.Family) {
			return rules.DropNow, ""
		}
	default:
		if n.MapAddr && (dst || n.Random || !n.holds(&old, port, p)) {
			addr = n.choose(p)
		}
	}
	to := port
	if p.Has&packet.HasPorts != 0 {
		var ok bool
		if to, ok = n.port(port, dst, t.State); !ok {
			return rules.Unsure, needsRandom
		}
	}
	t.addressEffect(at, n.Name, field, &old, &addr, field+" "+endpoint(&old, port, p)+" -> "+endpoint(&addr, to, p))
	if addr != old || to != port {
		t.translate(dst, addr, to)
	}
	return rules.Yes, ""
}

// redirectTo returns the address that REDIRECT sends the packet to: loopback
// for packets of the machine's own, else that of the interface.
func (t *Traversal) redirectTo(at rules.Place) (addr [4]uint32, known bool) {
	p := &t.Packet
	if t.hooks(at) == hookOutput || t.hooks(at)&hookOutput != 0 && p.Known&packet.KnownIn != 0 && p.InIface == (rules.Value{}) {
		if p.Family == 4 {
			return [4]uint32{2: 0xffff, 3: 127<<24 | 1}, true
		}
		return [4]uint32{3: 1}, true
	}
	if p.Env == nil || p.Env.Has&packet.HasInAddr == 0 {
		return addr, false
	}
	return p.Env.InAddr, true
}

func isZero(a *[4]uint32, family uint8) bool {
	if family == 4 {
		return a[3] == 0
	}
	return *a == [4]uint32{}
}

// holds reports whether the source is in the range already.
func (n *NAT) holds(a *[4]uint32, port uint16, p *packet.Packet) bool {
	for i, w := range a {
		if w != n.Lo[i] || w != n.Hi[i] {
			lo, hi := wordsCmp(a, &n.Lo), wordsCmp(a, &n.Hi)
			if lo < 0 || hi > 0 {
				return false
			}
			break
		}
	}
	return !n.MapPort || p.Has&packet.HasPorts == 0 || port >= n.PortLo && port <= n.PortHi
}

func wordsCmp(a, b *[4]uint32) int {
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// choose returns the address of the range that the packet's connection gets.
func (n *NAT) choose(p *packet.Packet) [4]uint32 {
	if n.Lo == n.Hi {
		return n.Lo
	}
	swap := bits.ReverseBytes32
	src, dst, first := p.Src, p.Dst, 0
	if p.Family == 4 {
		src, dst, first = [4]uint32{p.Src[3]}, [4]uint32{p.Dst[3]}, 3
	}
	seed := uint32(0)
	if !n.Persistent {
		seed = swap(dst[3-first])
		if p.Conn != nil {
			seed ^= uint32(p.Conn.Zone)
		}
	}
	h := jhash4([4]uint32{swap(src[0]), swap(src[1]), swap(src[2]), swap(src[3])}, seed)
	addr, full := n.Lo, false
	for i := first; i < 4; i++ {
		lo, count := n.Lo[i], n.Hi[i]-n.Lo[i]+1
		if full {
			lo, count = 0, ^uint32(0)
		}
		addr[i] = lo + scale(h, count)
		full = full || addr[i] != n.Hi[i]
		if n.Persistent {
			continue
		}
		if n.Kind == DNAT { // the word that is there by now
			h ^= swap(addr[i])
		} else {
			h ^= swap(dst[i-first])
		}
	}
	return addr
}

// port returns the port that takes the place of one; ok is false when it is to
// be drawn and nothing draws.
func (n *NAT) port(port uint16, dst bool, s *State) (to uint16, ok bool) {
	if !n.Random && (!n.MapPort || !n.Shift && port >= n.PortLo && port <= n.PortHi) {
		return port, true
	}
	lo, count := uint32(n.PortLo), uint32(n.PortHi)-uint32(n.PortLo)+1
	if !n.MapPort {
		switch {
		case dst:
			return port, true
		case port < 512:
			lo, count = 1, 511
		case port < 1024:
			lo, count = 600, 1023-600+1
		default:
			lo, count = 1024, 65535-1024+1
		}
	}
	off := uint32(0)
	switch {
	case n.Shift:
		off = uint32(port - n.Base)
	case n.Random || !dst:
		if count == 1 {
			break
		}
		if s == nil {
			return 0, false
		}
		s.mu.Lock()
		off = s.random() & 0xffff
		s.mu.Unlock()
	}
	return uint16(lo + off%count), true
}

// Bits of the connection's state and status that say that it is translated.
const (
	ctSNAT     = 32
	ctDNAT     = 64
	statusSNAT = 0x10
	statusDNAT = 0x20
)

// translate gives the packet, and the packets in the reply direction of its
// connection, another address and port.
func (t *Traversal) translate(dst bool, addr [4]uint32, port uint16) {
	p := &t.Packet
	t.setAddress(dst, addr)
	if p.Has&packet.HasPorts != 0 {
		t.setPort(dst, port)
	}
	bit, status, end := uint8(ctSNAT), uint32(statusSNAT), 1
	if dst {
		bit, status, end = ctDNAT, statusDNAT, 0
	}
	if p.Known&packet.KnownCTState != 0 {
		p.CTState |= bit
	}
	if c := p.Conn; c != nil {
		c.Status |= status
		c.Repl[end].Addr = addr
		if p.Has&packet.HasPorts != 0 {
			c.Repl[end].Port = port
		}
	}
	t.Changed()
}

// setAddress changes an address of the packet, and of its bytes with the
// checksums.
func (t *Traversal) setAddress(dst bool, addr [4]uint32) {
	p := &t.Packet
	if p.Family == 6 {
		off := 8
		if dst {
			off = 24
		}
		b := t.bytes()
		for i, w := range addr {
			t.setWord(b, off+4*i, w)
		}
	} else {
		off := 12
		if dst {
			off = 16
		}
		t.setWord(t.bytes(), off, addr[3])
	}
	if dst {
		p.Dst = addr
	} else {
		p.Src = addr
	}
}

// setWord changes 32 bits of the IP header that checksums cover.
func (t *Traversal) setWord(b []byte, at int, w uint32) {
	if at+4 > len(b) {
		return
	}
	sum := t.transportSum(b)
	for i := 0; i < 4; i += 2 {
		old, new := binary.BigEndian.Uint16(b[at+i:]), uint16(w>>(16-8*i))
		binary.BigEndian.PutUint16(b[at+i:], new)
		if t.Packet.Family == 4 {
			fixChecksum(b, 10, old, new)
		}
		fixChecksum(b, sum, old, new)
	}
}

// setPort changes a port of the packet and of its bytes.
func (t *Traversal) setPort(dst bool, port uint16) {
	p := &t.Packet
	off := p.TransportOffset - p.NetOffset
	if dst {
		p.DstPort = port
		off += 2
	} else {
		p.SrcPort = port
	}
	if b := t.bytes(); b != nil && off+2 <= len(b) {
		old := binary.BigEndian.Uint16(b[off:])
		binary.BigEndian.PutUint16(b[off:], port)
		fixChecksum(b, t.transportSum(b), old, port)
	}
}

// transportSum returns where the checksum is that covers addresses and ports,
// -1 when there is none.
func (t *Traversal) transportSum(b []byte) int {
	p := &t.Packet
	if p.FragOffset != 0 || p.Has&packet.HasProto == 0 {
		return -1
	}
	off := p.TransportOffset - p.NetOffset
	switch p.Proto {
	case packet.TCP:
		return off + 16
	case packet.UDP:
		if off+8 > len(b) || b[off+6] == 0 && b[off+7] == 0 { // none was made
			return -1
		}
		return off + 6
	case packet.UDPLite, packet.DCCP:
		return off + 6
	case packet.ICMPv6:
		return off + 2
	}
	return -1
}

// endpoint writes an address, with the port of packets that have ports.
func endpoint(a *[4]uint32, port uint16, p *packet.Packet) string {
	ip := addrValue(a).Addr()
	if p.Family == 4 {
		ip = addrValue(a).Addr4()
	}
	if p.Has&packet.HasPorts == 0 {
		return ip.String()
	}
	return netip.AddrPortFrom(ip, port).String()
}

func interfaceName(v rules.Value, known bool) string {
	if name, ok := v.Name(); known && ok && name != "" {
		return strconv.Quote(name)[1 : len(name)+1]
	}
	return "the interface"
}

// addressEffect adds the change of an address.
func (t *Traversal) addressEffect(at rules.Place, target, field string, old, new *[4]uint32, detail string) {
	t.add(Effect{Rule: at, Target: target, Field: field, Detail: detail, Old: addrValue(old), New: addrValue(new)})
}

func addrValue(a *[4]uint32) rules.Value {
	return rules.Value{Hi: uint64(a[0])<<32 | uint64(a[1]), Lo: uint64(a[2])<<32 | uint64(a[3])}
}
