package packet

// Binding: from a decoded packet to the key of any schema. The fields are
// found by name once, when the Binder is made; filling a key is then a walk
// over a short plan without a look at names, and without allocating.

import "github.com/hipac-go/classifier/rules"

// source says where the value of a key's field comes from.
type source uint8

const (
	fromNothing source = iota
	fromSrc
	fromDst
	fromSrcPort
	fromDstPort
	fromProto
	fromIn
	fromOut
	fromFrag
	fromTCPFlags
	fromICMPType
	fromICMPCode
	fromCTState
	fromMark
	fromDSCP
	fromECN
	fromTOS
	fromLength
	fromTTL
	fromVLAN
	fromSMAC
	fromDMAC
	fromPktType
	fromFamily
	fromFlags
	fromBytes // and all behind it: see bindmore.go
)

var sources = map[string]source{
	"src": fromSrc, "dst": fromDst, "sport": fromSrcPort, "dport": fromDstPort, "proto": fromProto,
	"iif": fromIn, "oif": fromOut, "frag": fromFrag, "tcpflags": fromTCPFlags,
	"icmptype": fromICMPType, "icmpcode": fromICMPCode, "ctstate": fromCTState, "mark": fromMark,
	"dscp": fromDSCP, "ecn": fromECN, "tos": fromTOS, "length": fromLength, "ttl": fromTTL,
	"vlan": fromVLAN, "smac": fromSMAC, "dmac": fromDMAC, "pkttype": fromPktType,
	"family": fromFamily, "flags": fromFlags,
}

// holds says which addresses an address field can hold.
type holds uint8

const (
	holdsBoth holds = iota // 128 bits, IPv4 as IPv4-mapped
	holds4
	holds6
)

// step fills one field of the key.
type step struct {
	from  source
	holds holds
	bits  uint8
	first uint8 // first word of the field
	last  uint8 // last word
	field uint8
}

// head is the way of filling the first five fields at once.
type head uint8

const (
	headNone  head = iota
	headV4         // src dst sport dport proto, IPv4 addresses
	headV6         // the same with IPv6 addresses
	headMixed      // the same with addresses of either family
)

// Binder fills keys of one schema. It is immutable; any number of goroutines
// may use it.
type Binder struct {
	head  head
	words int
	steps []step // what head does not do
	// ports4 is set for schemas with the field hotdrop: ports are present as
	// soon as their four bytes are.
	ports4 bool
	from   []source // of all fields, for Lost
}

// NewBinder returns the Binder of a schema. The schema's fields are filled by
// their names:
//
//	src dst          addresses (kinds ipv4, ipv6, ip; numbers of 32 bits are
//	                 IPv4 addresses, of 128 bits those of either family)
//	sport dport      ports of TCP, UDP, UDPLite, SCTP, DCCP
//	proto            IP protocol
//	iif oif          interface names, from Meta (kind name)
//	frag             1 in a fragment that is not the first, else 0
//	tcpflags         byte 13 of the TCP header
//	icmptype icmpcode
//	ctstate mark     from Meta
//	dscp ecn tos     parts of TOS or traffic class, and the whole byte
//	length           IP total length; absent in packets above 65535 bytes when
//	                 the field has 16 bits
//	ttl              TTL or hop limit
//	vlan             VLAN id of the outermost tag
//	smac dmac        Ethernet addresses
//	pkttype          see PktType; of Loopback, Multicast in IPv6 and for
//	                 IPv4's multicast destinations, else Broadcast
//	family           4 or 6
//	flags            with 16 bits, ClassBench's sixth field: the TCP flags
//	                 shifted left by 8 for protocol 6, the ICMP type shifted
//	                 left by 8 for protocol 1
//
// These are read from the packet's bytes when a key is filled (with the bits
// they take), so that only schemas that have them pay for them:
//
//	hotdrop          (bits) see Broken; always present
//	tcpopts0 tcpopts1 (128) sets of TCP option kinds, 0-127 and 128-255, see
//	                 TCPOptions
//	mss              (16) see MSS
//	ecnflags         (8) see ECNFlags
//	ahspi ahlen ahres (32, 8, 16) authentication header: index, length as in the
//	                 header (match ah compares (ahlen+2)*4), reserved
//	espspi cpi       (32, 16) indices of ESP and of IPComp
//	dccptype         (4)
//	dccpopts0 dccpopts1 (128) sets of DCCP option kinds
//	fragid           (32) of the IPv6 fragment header
//	rttype rtsegs rtlen (8, 8, 16) routing header: type, segments left, length
//	                 in bytes
//	hbhlen dstlen    (16) length in bytes of the hop-by-hop and destination
//	                 options header
//	exthdrs          (8) see ExtHeaders and ExtHeaderSet
//	mhtype           (8) mobility header type
//	srhnext srhlen srhsegs srhlast srhtag (8, 8, 8, 8, 16) see SegmentRouting
//	srhpsid srhnsid srhlsid (128) its segments, see SID
//	eui64            (1) see EUI64
//
// And these from Meta, absent where its Conn or Env, or the bit of Env.Has, is
// missing:
//
//	ctmark ctstatus ctexpire ctlabels (32, 32, 32, 128)
//	ctdir ctproto    (1, 8) 1 is the reply direction
//	ctorigsrc ctorigdst ctreplsrc ctrepldst: addresses, like src and dst, but
//	                 absent where the field cannot hold them
//	ctorigsport ctorigdport ctreplsport ctrepldport (16)
//	cthelper         (kind name)
//	cpu ingroup outgroup realm (32)
//	srctype dsttype  (12) bits of AddrTypes
//
// In schemas with the field hotdrop, sport and dport are present as soon as
// their four bytes are in the packet, as match multiport reads them; rules of
// other matches tell by hotdrop that the header is short.
//
// Fields of other names are absent, and so are values that do not fit the
// field's width.
func NewBinder(s *rules.Schema) *Binder {
	b := &Binder{words: s.KeyLen(), ports4: s.Index("hotdrop") >= 0}
	for i := range s.Len() {
		f := s.Field(i)
		first, n := s.FieldWords(i)
		st := step{from: sources[f.Name], bits: uint8(f.Bits), first: uint8(first), last: uint8(first + n - 1), field: uint8(i)}
		switch st.from {
		case fromSrc, fromDst:
			switch {
			case f.Kind == rules.IPv6:
				st.holds = holds6
			case f.Bits == 32:
				st.holds = holds4
			case f.Bits != 128 || f.Kind == rules.Name:
				st.from = fromNothing
			}
		case fromIn, fromOut, fromCTHelper:
			if f.Kind != rules.Name {
				st.from = fromNothing
			}
		case fromCTOrigSrc, fromCTOrigDst, fromCTReplSrc, fromCTReplDst:
			switch {
			case f.Kind == rules.IPv6:
				st.holds = holds6
			case f.Bits == 32:
				st.holds = holds4
			case f.Bits != 128 || f.Kind == rules.Name:
				st.from = fromNothing
			}
		case fromFlags:
			if f.Bits != 16 {
				st.from = fromNothing
			}
		}
		b.steps = append(b.steps, st)
		b.from = append(b.from, st.from)
	}
	b.findHead()
	return b
}

// findHead recognizes the 5-tuple in its usual order and widths at the
// beginning of the schema.
func (b *Binder) findHead() {
	if len(b.steps) < 5 || b.steps[0].holds != b.steps[1].holds {
		return
	}
	for i, want := range [...]source{fromSrc, fromDst, fromSrcPort, fromDstPort, fromProto} {
		st := b.steps[i]
		least := uint8(16)
		if want == fromProto {
			least = 8
		}
		if st.from != want || i >= 2 && (st.first != st.last || st.bits < least) {
			return
		}
	}
	b.head = [...]head{holdsBoth: headMixed, holds4: headV4, holds6: headV6}[b.steps[0].holds]
	b.steps = b.steps[5:]
}

const (
	absentPorts = 1<<2 | 1<<3
	absentProto = 1 << 4
)

// Key fills k, a key of the Binder's schema, from p. It reports false, and
// leaves k unspecified, when the schema's address fields cannot hold the
// packet's addresses (an IPv6 packet and IPv4 fields, or the reverse): such a
// packet is outside the rule set and no rule with an address field is about
// it. len(k) must be the schema's KeyLen.
func (b *Binder) Key(p *Packet, k rules.Key) bool {
	k = k[:b.words]
	absent := uint32(0)
	var tail []uint32 // sport, dport, proto
	switch b.head {
	case headV4:
		if p.Family != 4 {
			return false
		}
		_ = k[5]
		k[1], k[2] = p.Src[3], p.Dst[3]
		tail = k[3:6]
	case headV6, headMixed:
		if b.head == headV6 && p.Family != 6 {
			return false
		}
		*(*[4]uint32)(k[1:5]) = p.Src
		*(*[4]uint32)(k[5:9]) = p.Dst
		tail = k[9:12]
	}
	if b.head != headNone {
		// Absent ports and an absent protocol are 0 in p, as a key wants them.
		tail[0], tail[1], tail[2] = uint32(p.SrcPort), uint32(p.DstPort), uint32(p.Proto)
		if p.Has&HasPorts == 0 {
			absent = absentPorts
			if b.ports4 {
				if src, dst, ok := p.shortPorts(); ok {
					tail[0], tail[1] = uint32(src), uint32(dst)
					absent = 0
				}
			}
		}
		if p.Has&HasProto == 0 {
			absent |= absentProto
		}
		if len(b.steps) == 0 {
			k[0] = absent
			return true
		}
	}
	for i := range b.steps {
		st := &b.steps[i]
		var v uint64
		ok := true
		switch st.from {
		case fromSrc, fromDst:
			if st.holds == holds4 && p.Family != 4 || st.holds == holds6 && p.Family != 6 {
				return false
			}
			w := &p.Src
			if st.from == fromDst {
				w = &p.Dst
			}
			if st.holds == holds4 {
				k[st.first] = w[3]
			} else {
				copy(k[st.first:], w[:])
			}
			continue
		case fromIn, fromOut:
			name, known := p.InIface, p.Known&KnownIn
			if st.from == fromOut {
				name, known = p.OutIface, p.Known&KnownOut
			}
			if known == 0 {
				name = rules.Value{}
				absent |= 1 << st.field
			}
			w := (*[4]uint32)(k[st.first:])
			w[0], w[1], w[2], w[3] = uint32(name.Hi>>32), uint32(name.Hi), uint32(name.Lo>>32), uint32(name.Lo)
			continue
		case fromSrcPort, fromDstPort:
			src, dst := p.SrcPort, p.DstPort
			if ok = p.Has&HasPorts != 0; !ok && b.ports4 {
				src, dst, ok = p.shortPorts()
			}
			if v = uint64(src); st.from == fromDstPort {
				v = uint64(dst)
			}
		case fromProto:
			v, ok = uint64(p.Proto), p.Has&HasProto != 0
		case fromFrag:
			if p.FragOffset != 0 {
				v = 1
			}
		case fromTCPFlags:
			v, ok = uint64(p.TCPFlags), p.Has&HasTCPFlags != 0
		case fromICMPType:
			v, ok = uint64(p.ICMPType), p.Has&HasICMP != 0
		case fromICMPCode:
			v, ok = uint64(p.ICMPCode), p.Has&HasICMP != 0
		case fromCTState:
			v, ok = uint64(p.CTState), p.Known&KnownCTState != 0
		case fromMark:
			v = uint64(p.Mark)
		case fromDSCP:
			v = uint64(p.TOS >> 2)
		case fromECN:
			v = uint64(p.TOS & 3)
		case fromTOS:
			v = uint64(p.TOS)
		case fromLength:
			v, ok = uint64(p.Length), p.Has&HasLength != 0
		case fromTTL:
			v = uint64(p.TTL)
		case fromVLAN:
			v, ok = uint64(p.VLAN), p.Has&HasVLAN != 0
		case fromSMAC:
			v, ok = p.SMAC, p.Has&HasSMAC != 0
		case fromDMAC:
			v, ok = p.DMAC, p.Has&HasDMAC != 0
		case fromPktType:
			v, ok = uint64(p.linkType()), p.Has&HasPktType != 0
		case fromFamily:
			v = uint64(p.Family)
		case fromFlags:
			switch {
			case p.Has&HasTCPFlags != 0:
				v = uint64(p.TCPFlags) << 8
			case p.Has&HasICMP != 0 && p.Proto == ICMP:
				v = uint64(p.ICMPType) << 8
			default:
				ok = false
			}
		case fromNothing:
			ok = false
		default:
			var w rules.Value
			if w, ok = p.more(st.from, st.holds); ok && w.Hi != 0 {
				ok = st.put(k, w)
				if ok {
					continue
				}
			}
			v = w.Lo
		}
		if !ok || v>>st.bits != 0 {
			v = 0
			absent |= 1 << st.field
		}
		k[st.last] = uint32(v)
		if st.first != st.last {
			k[st.last-1] = uint32(v >> 32)
			for w := st.first; w+1 < st.last; w++ {
				k[w] = 0
			}
		}
	}
	k[0] = absent
	return true
}
