//go:build linux

package kernel

// Packets byte by byte, malformed ones included: what the builder of package
// packet cannot say.

import (
	"encoding/binary"
	"iter"
	"maps"
	"net/netip"
	"slices"
)

// shot is a packet on its way into the kernel.
type shot struct {
	name string
	raw  []byte
	// frame is the Ethernet header in front of the packet, on TAP devices.
	frame []byte
	back  bool // comes in by the second device
	// local packets are sent by the namespace itself.
	local bool
}

// head is an IP header to be written; the zero head is that of a plain packet.
type head struct {
	src, dst string
	tos      uint8
	ttl      uint8 // 0: 64
	ttlZero  bool
	id       uint16
	frag     uint16 // IPv4: the flags and the offset in units of 8 bytes
	opts     []byte // IPv4 options
	ext      []ext  // IPv6 extension headers
	proto    uint8
	size     int // total length, when larger than what there is
	cut      int // of the transport header and payload keep so many bytes, -1: none
	behind   int // bytes behind the packet's end
}

// ext is an IPv6 extension header; its first byte is written by the head.
type ext struct {
	number uint8
	body   []byte
}

// ip returns an IP packet. Its payload is l4, with zeros as far as size says.
func (h head) ip(family int, l4 []byte) []byte {
	switch {
	case h.cut < 0:
		l4 = nil
	case h.cut > 0 && h.cut < len(l4):
		l4 = l4[:h.cut]
	}
	if h.ttl == 0 && !h.ttlZero {
		h.ttl = 64
	}
	addr := func(s, usual string) []byte {
		if s == "" {
			s = usual
		}
		return netip.MustParseAddr(s).AsSlice()
	}
	var b []byte
	if family == 4 {
		for len(h.opts)%4 != 0 {
			h.opts = append(h.opts, 0)
		}
		ihl := 20 + len(h.opts)
		total := max(ihl+len(l4), h.size)
		b = make([]byte, ihl, total)
		b[0], b[1] = 0x40|uint8(ihl/4), h.tos
		binary.BigEndian.PutUint16(b[2:], uint16(total))
		binary.BigEndian.PutUint16(b[4:], h.id)
		binary.BigEndian.PutUint16(b[6:], h.frag)
		b[8], b[9] = h.ttl, h.proto
		copy(b[12:], addr(h.src, "10.0.0.1"))
		copy(b[16:], addr(h.dst, "192.0.2.9"))
		copy(b[20:], h.opts)
		binary.BigEndian.PutUint16(b[10:], checksum(b))
		b = append(b, l4...)
		b = append(b, make([]byte, total-len(b))...)
	} else {
		b = make([]byte, 40)
		b[0], b[1] = 0x60|h.tos>>4, h.tos<<4
		next := &b[6]
		b[7] = h.ttl
		copy(b[8:], addr(h.src, "2001:db8::1"))
		copy(b[24:], addr(h.dst, "2001:db8:1::9"))
		*next = h.proto
		for i, e := range h.ext {
			number := h.proto
			if i+1 < len(h.ext) {
				number = h.ext[i+1].number
			}
			body := slices.Clone(e.body)
			body[0] = number
			b = append(b, body...)
		}
		if len(h.ext) > 0 {
			b[6] = h.ext[0].number
		}
		b = append(b, l4...)
		if len(b) < h.size {
			b = append(b, make([]byte, h.size-len(b))...)
		}
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	return append(b, make([]byte, h.behind)...)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// join puts byte strings together.
func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// byName walks a map in the order of its names.
func byName[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

func be16(v int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// Flags of TCP.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
	urg
	ece
	cwr
)

// tcp returns a TCP header with options, padded with zeros to a multiple of 4.
func tcp(sport, dport int, flags uint8, opts ...byte) []byte {
	for len(opts)%4 != 0 {
		opts = append(opts, 0)
	}
	return join(be16(sport), be16(dport), be32(1), be32(2), []byte{byte(5+len(opts)/4) << 4, flags}, be16(65535), be16(0), be16(0), opts)
}

// tcpSeq is tcp with a sequence number and one that is acknowledged.
func tcpSeq(sport, dport int, flags uint8, seq, acked uint32) []byte {
	b := tcp(sport, dport, flags)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], acked)
	return b
}

// fixChecksum sets the checksum of TCP, UDP, UDPLite, ICMP or ICMPv6 in a
// packet without extension headers and options.
func fixChecksum(family int, b []byte) {
	at, proto := 20, b[9]
	addrs := b[12:20]
	if family == 6 {
		at, proto, addrs = 40, b[6], b[8:40]
	}
	l4 := b[at:]
	where := map[uint8]int{6: 16, 17: 6, 136: 6, 1: 2, 58: 2}[proto]
	if where == 0 {
		return
	}
	l4[where], l4[where+1] = 0, 0
	pseudo := join(addrs, []byte{0, proto}, be16(len(l4)), l4)
	if proto == 1 {
		pseudo = l4
	}
	sum := checksum(pseudo)
	if sum == 0 && proto != 1 && proto != 6 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(l4[where:], sum)
}

// tcpDoff is tcp with a data offset, in words, of its own.
func tcpDoff(doff uint8, l4 []byte) []byte {
	b := slices.Clone(l4)
	b[12] = doff<<4 | b[12]&15
	return b
}

func udp(sport, dport, payload int) []byte {
	return join(be16(sport), be16(dport), be16(8+payload), be16(0), make([]byte, payload))
}

func icmp(typ, code uint8) []byte {
	b := []byte{typ, code, 0, 0, 0x12, 0x34, 0, 1}
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// sctp returns an SCTP header and chunks.
func sctp(sport, dport int, chunks ...[]byte) []byte {
	return join(be16(sport), be16(dport), be32(0x01020304), be32(0), join(chunks...))
}

// chunk is an SCTP chunk, padded to a multiple of 4; its length is that of the
// body and the header.
func chunk(typ, flags uint8, body int) []byte {
	return join([]byte{typ, flags}, be16(4+body), make([]byte, (body+3)&^3))
}

// dccp returns a DCCP header of a type with options behind it.
func dccp(sport, dport int, typ uint8, opts ...byte) []byte {
	for len(opts)%4 != 0 {
		opts = append(opts, 0)
	}
	fixed := []int{0: 20, 1: 28, 2: 16, 3: 24, 4: 24, 5: 24, 6: 24, 7: 28, 8: 24, 9: 24}
	n := 16
	if int(typ) < len(fixed) {
		n = fixed[typ]
	}
	b := make([]byte, n, n+len(opts))
	binary.BigEndian.PutUint16(b, uint16(sport))
	binary.BigEndian.PutUint16(b[2:], uint16(dport))
	b[4], b[8] = uint8((n+len(opts))/4), typ<<1|1
	return append(b, opts...)
}

func ah(next uint8, length uint8, reserved int, spi uint32) []byte {
	return join([]byte{next, length}, be16(reserved), be32(spi), make([]byte, int(length)*4))
}

// pool is a list of packets that every extension is shown: plain ones, and the
// corners of headers.
func pool(family int) []shot {
	var list []shot
	add := func(name string, h head, l4 []byte) {
		if h.size == 0 && h.cut == 0 && len(list)%3 == 0 {
			h.size = 100 + 7*len(list)
		}
		list = append(list, shot{name: name, raw: h.ip(family, l4)})
	}
	const (
		pTCP, pUDP, pSCTP, pDCCP, pLite = 6, 17, 132, 33, 136
	)
	pICMP := uint8(1)
	if family == 6 {
		pICMP = 58
	}
	for _, f := range []uint8{0, syn, syn | ack, ack, ack | psh, fin | ack, rst, rst | ack, syn | ece | cwr, 0xff, fin | psh | urg, syn | fin} {
		add("tcp flags", head{proto: pTCP}, tcp(1024+int(f), 80, f))
	}
	for _, p := range [][2]int{{0, 0}, {1, 65535}, {65535, 1}, {22, 443}, {443, 22}, {53, 53}, {1023, 1024}, {1024, 1023}, {8080, 80}} {
		add("tcp ports", head{proto: pTCP}, tcp(p[0], p[1], ack))
		add("udp ports", head{proto: pUDP}, udp(p[0], p[1], 20))
		add("udplite ports", head{proto: pLite}, udp(p[0], p[1], 0))
		add("sctp ports", head{proto: pSCTP}, sctp(p[0], p[1], chunk(0, 3, 12)))
		add("dccp ports", head{proto: pDCCP}, dccp(p[0], p[1], 0))
	}
	types := []uint8{0, 3, 8, 255, 11, 13, 128, 1, 129, 135}
	for _, typ := range types {
		for _, code := range []uint8{0, 1, 4} {
			add("icmp", head{proto: pICMP}, icmp(typ, code))
		}
	}
	for _, tos := range []uint8{0, 1, 2, 3, 4, 0x10, 0x12, 0x28, 0xb8, 0xfc, 0xff} {
		add("tos", head{proto: pUDP, tos: tos}, udp(5, 6, 0))
	}
	for _, ttl := range []uint8{0, 1, 2, 63, 65, 128, 254, 255} {
		add("ttl", head{proto: pUDP, ttl: ttl, ttlZero: true}, udp(5, 6, 0))
	}
	for _, proto := range []uint8{2, 4, 41, 47, 50, 51, 89, 103, 108, 115, 135, 253, 255} {
		if family == 6 && proto == 51 {
			continue // walked over, see below
		}
		add("protocol", head{proto: proto}, make([]byte, 64))
		add("protocol without bytes", head{proto: proto}, nil)
		add("protocol with 7 bytes", head{proto: proto, cut: 7}, make([]byte, 64))
	}
	// Transport headers that are cut.
	full := map[uint8][]byte{pTCP: tcp(80, 443, syn), pUDP: udp(80, 443, 0), pLite: udp(80, 443, 0), pSCTP: sctp(80, 443, chunk(1, 0, 16)), pDCCP: dccp(80, 443, 1), pICMP: icmp(8, 0)}
	for _, proto := range []uint8{pTCP, pUDP, pLite, pSCTP, pDCCP, pICMP} {
		for _, n := range []int{-1, 1, 3, 4, 7, 8, 11, 12, 13, 16, 19, 20} {
			if n < len(full[proto]) {
				add("cut", head{proto: proto, cut: n}, full[proto])
			}
		}
	}
	// TCP options, and TCP headers that disagree with themselves.
	nop := byte(1)
	for name, opts := range byName(map[string][]byte{
		"mss":                 {2, 4, 5, 0xb4},
		"mss 0":               {2, 4, 0, 0},
		"mss last":            {nop, nop, nop, nop, 2, 4, 0xff, 0xff},
		"mss of length 3":     {2, 3, 5, nop},
		"mss of length 0":     {2, 0, 5, 0xb4},
		"mss twice":           {2, 4, 1, 0, 2, 4, 2, 0},
		"mss behind the end":  {0, 0, 0, 0, 2, 4, 5, 0xb4},
		"usual":               {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, nop, 3, 3, 7},
		"option longer":       {8, 40, 0, 0},
		"option of length 0":  {8, 0, 4, 2},
		"option of length 1":  {8, 1, 4, 2},
		"option cut":          {nop, nop, nop, 2},
		"unknown option":      {253, 4, 1, 2, 19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"forty bytes of nops": {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	}) {
		add("tcp options: "+name, head{proto: pTCP}, tcp(80, 443, syn, opts...))
		add("tcp options, ack: "+name, head{proto: pTCP}, tcp(80, 443, ack, opts...))
	}
	add("tcp header of 16 bytes", head{proto: pTCP}, tcpDoff(4, tcp(80, 443, syn)))
	add("tcp header of 0 bytes", head{proto: pTCP}, tcpDoff(0, tcp(80, 443, syn)))
	add("tcp header beyond the end", head{proto: pTCP, size: 1}, tcpDoff(15, tcp(80, 443, syn, 2, 4, 1, 2)))
	// Other headers.
	for _, typ := range []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} {
		add("dccp type", head{proto: pDCCP}, dccp(80, 443, typ, 1, 38, 3, 2, 32, 3, 4, 0))
	}
	short := dccp(80, 443, 2)
	short[4] = 2 // shorter than its fixed part
	add("dccp offset too small", head{proto: pDCCP}, short)
	long := dccp(80, 443, 2)
	long[4] = 200
	add("dccp offset beyond", head{proto: pDCCP}, long)
	for name, chunks := range byName(map[string][][]byte{
		"data":            {chunk(0, 0, 12)},
		"data flags":      {chunk(0, 7, 12)},
		"init":            {chunk(1, 0, 16)},
		"abort":           {chunk(6, 1, 0)},
		"several":         {chunk(3, 0, 12), chunk(0, 2, 13), chunk(0, 1, 14), chunk(64, 0, 20)},
		"shutdown":        {chunk(14, 1, 0)},
		"asconf":          {chunk(193, 0, 8), chunk(128, 0, 4)},
		"no chunk":        nil,
		"chunk of zero":   {{0, 0, 0, 0}},
		"chunk of length": {{1, 0, 0, 3}},
		"chunk beyond":    {{1, 0, 0xff, 0xff}},
		"half a chunk":    {{1, 0}},
	}) {
		list = append(list, shot{name: "sctp " + name, raw: head{proto: pSCTP}.ip(family, sctp(80, 443, chunks...))})
	}
	for _, spi := range []uint32{0, 1, 500, 501, 0x7fffffff, 0x80000000, 0xffffffff} {
		add("esp", head{proto: 50}, join(be32(spi), make([]byte, 16)))
		add("ipcomp", head{proto: 108}, join([]byte{6, 0}, be16(int(spi))))
		if family == 4 {
			add("ah", head{proto: 51}, ah(6, 4, 0, spi))
		}
	}
	add("lengths", head{proto: pUDP, size: 28}, udp(7, 8, 0))
	for _, n := range []int{29, 60, 61, 100, 576, 1280, 1400, 1499} {
		add("lengths", head{proto: pUDP, size: n}, udp(7, 8, 0))
	}
	add("bytes behind the end", head{proto: pUDP, behind: 30}, udp(7, 8, 4))
	if family == 4 {
		list = append(list, pool4()...)
	} else {
		list = append(list, pool6()...)
	}
	return list
}

// pool4 has what only IPv4 has.
func pool4() (list []shot) {
	add := func(name string, h head, l4 []byte) { list = append(list, shot{name: name, raw: h.ip(4, l4)}) }
	for _, proto := range []uint8{6, 17, 1, 132, 33, 136, 47, 50, 51, 108} {
		for _, frag := range []uint16{0x2000, 0x4000, 1, 2, 0x2001, 0x2004, 0x1fff, 0x8000} {
			if frag&0x1fff == 0x1fff {
				add("last fragment", head{proto: proto, frag: frag, id: 7}, make([]byte, 8))
				continue
			}
			add("fragment", head{proto: proto, frag: frag, id: uint16(proto)}, tcp(80, 443, syn))
		}
	}
	for _, src := range []string{"0.0.0.0", "255.255.255.255", "127.0.0.1", "10.0.0.2", "10.0.1.255", "10.128.0.0", "192.0.2.9", "224.0.0.5", "192.168.1.77", "172.16.5.4"} {
		for _, dst := range []string{"10.0.0.1", "192.0.3.9", "224.0.0.5", "255.255.255.255", "203.0.113.200"} {
			add("addresses", head{proto: 17, src: src, dst: dst}, udp(9, 10, 0))
		}
	}
	for name, opts := range byName(map[string][]byte{
		"router alert":  {148, 4, 0, 0},
		"source route":  {131, 7, 4, 10, 0, 0, 9, 0},
		"record route":  {7, 7, 4, 0, 0, 0, 0, 0},
		"nops":          {1, 1, 1, 1},
		"broken option": {131, 1, 0, 0},
		"timestamp":     {68, 8, 5, 0, 0, 0, 0, 0},
	}) {
		add("ip options: "+name, head{proto: 6, opts: opts}, tcp(80, 443, syn))
		add("ip options, cut: "+name, head{proto: 6, opts: opts, cut: 10}, tcp(80, 443, syn))
	}
	return list
}

// The IPv6 extension headers.
const (
	hopByHop  = 0
	routing   = 43
	fragment6 = 44
	auth      = 51
	noNext    = 59
	dstOpts   = 60
	mobility  = 135
)

// options is a hop-by-hop or destination options header.
func options(number uint8, opts ...byte) ext {
	for (len(opts)+2)%8 != 0 {
		opts = append(opts, 0) // Pad1
	}
	return ext{number, join([]byte{0, byte((len(opts)+2)/8 - 1)}, opts)}
}

func frag6(offset int, more bool, id uint32) ext {
	f := offset << 3
	if more {
		f |= 1
	}
	return ext{fragment6, join([]byte{0, 0}, be16(f), be32(id))}
}

// route is a routing header with room for addresses.
func route(typ, left uint8, addrs ...string) ext {
	b := []byte{0, byte(2 * len(addrs)), typ, left, 0, 0, 0, 0}
	for _, a := range addrs {
		b = append(b, netip.MustParseAddr(a).AsSlice()...)
	}
	return ext{routing, b}
}

func ah6(length uint8, reserved int, spi uint32) ext {
	return ext{auth, join([]byte{0, length}, be16(reserved), be32(spi), make([]byte, int(length)*4))}
}

// pool6 has what only IPv6 has.
func pool6() (list []shot) {
	add := func(name string, h head, l4 []byte) { list = append(list, shot{name: name, raw: h.ip(6, l4)}) }
	pads := []byte{1, 4, 0, 0, 0, 0}
	chains := map[string][]ext{
		"hop":             {options(hopByHop, pads...)},
		"hop with alert":  {options(hopByHop, 5, 2, 0, 0, 1, 0)},
		"hop long":        {options(hopByHop, 1, 3, 0, 0, 0, 5, 2, 0, 0, 1, 3, 0, 0, 0)},
		"dst":             {options(dstOpts, pads...)},
		"dst with home":   {options(dstOpts, 201, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
		"hop dst":         {options(hopByHop, pads...), options(dstOpts, pads...)},
		"rt0":             {route(0, 1, "2001:db8::77")},
		"rt0 two":         {route(0, 2, "2001:db8::77", "2001:db8::78")},
		"rt0 empty":       {route(0, 0)},
		"rt2":             {route(2, 1, "2001:db8::79")},
		"srh":             {srh(0, 1, 1, 0x1234, "2001:db8::a1", "2001:db8::a2")},
		"srh at the end":  {srh(0, 2, 0, 0, "2001:db8::a1", "2001:db8::a2", "2001:db8::a3")},
		"first fragment":  {frag6(0, true, 0x12345678)},
		"atomic fragment": {frag6(0, false, 9)},
		"later fragment":  {frag6(185, true, 0x12345678)},
		"offset 1":        {frag6(1, false, 500)},
		"last fragment":   {frag6(370, false, 0xffffffff)},
		"ah":              {ah6(4, 0, 500)},
		"ah reserved":     {ah6(4, 1, 501)},
		"ah long":         {ah6(10, 0, 0xffffffff)},
		"many":            {options(hopByHop, pads...), options(dstOpts, pads...), route(0, 0, "2001:db8::77"), frag6(0, true, 77), ah6(4, 0, 1), options(dstOpts, pads...)},
		"dst before frag": {options(dstOpts, pads...), frag6(10, true, 5)},
		"frag then dst":   {frag6(0, true, 5), options(dstOpts, pads...)},
	}
	for name, chain := range byName(chains) {
		for _, proto := range []uint8{6, 17, 58, 132, noNext, 50, 108, mobility} {
			l4 := map[uint8][]byte{6: tcp(80, 443, syn, 2, 4, 5, 0xb4), 17: udp(80, 443, 8), 58: icmp(128, 0), 132: sctp(80, 443, chunk(0, 0, 12)),
				50: join(be32(500), make([]byte, 12)), 108: {6, 0, 1, 0xf4}, mobility: mh(1)}[proto]
			add(name, head{proto: proto, ext: chain}, l4)
		}
		add(name+", tcp cut", head{proto: 6, ext: chain, cut: 9}, tcp(80, 443, syn))
	}
	for typ := range uint8(20) {
		add("mobility", head{proto: mobility}, mh(typ))
	}
	bad := mh(5)
	bad[0] = 6 // payload proto other than "none"
	add("mobility with payload", head{proto: mobility}, bad)
	add("mobility cut", head{proto: mobility, cut: 5}, mh(5))
	bad = mh(5)
	bad[1] = 20
	add("mobility beyond", head{proto: mobility}, bad)
	for _, src := range []string{"::", "2001:db8::2", "2001:db8:0:1::1", "fe80::1", "2002::1:2:3:4", "2001:db8:8000::"} {
		for _, dst := range []string{"2001:db8::1", "ff02::1", "ff05::2", "fe80::2", "2001:db9::"} {
			add("addresses", head{proto: 17, src: src, dst: dst}, udp(9, 10, 0))
		}
	}
	for n := 1; n < 40; n += 3 { // extension headers that end beyond the packet
		whole := head{proto: 6, ext: []ext{options(dstOpts, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), ah6(4, 0, 500)}}.ip(6, nil)
		if cut := slices.Clone(whole[:40+n]); n < len(whole)-40 {
			binary.BigEndian.PutUint16(cut[4:], uint16(n))
			list = append(list, shot{name: "extension headers cut", raw: cut})
		}
	}
	return list
}

// mh is a mobility header.
func mh(typ uint8) []byte {
	return []byte{noNext, 1, typ, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
}

// srh is a segment routing header.
func srh(flags, last, left uint8, tag int, segments ...string) ext {
	e := route(4, left, segments...)
	e.body[4], e.body[5] = last, flags
	binary.BigEndian.PutUint16(e.body[6:], uint16(tag))
	return e
}
