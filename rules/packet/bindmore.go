package packet

// The fields of a key that few rule sets ask for: what is read from the
// packet's bytes on demand, and what Meta says of the connection and the system.

import "github.com/hipac-go/classifier/rules"

// The sources behind fromBytes.
const (
	fromHotdrop source = fromBytes + iota
	fromTCPOpts0
	fromTCPOpts1
	fromMSS
	fromECNFlags
	fromAHSPI
	fromAHLen
	fromAHRes
	fromESPSPI
	fromCPI
	fromDCCPType
	fromDCCPOpts0
	fromDCCPOpts1
	fromFragID
	fromRTType
	fromRTSegs
	fromRTLen
	fromHBHLen
	fromDstLen
	fromExtHeaders
	fromMHType
	fromSRHNext
	fromSRHLen
	fromSRHSegs
	fromSRHLast
	fromSRHTag
	fromSRHPrevious
	fromSRHNextSID
	fromSRHLastSID
	fromEUI64
	fromCTMark
	fromCTStatus
	fromCTExpire
	fromCTLabels
	fromCTDir
	fromCTProto
	fromCTOrigSrc
	fromCTOrigDst
	fromCTReplSrc
	fromCTReplDst
	fromCTOrigSrcPort
	fromCTOrigDstPort
	fromCTReplSrcPort
	fromCTReplDstPort
	fromCTHelper
	fromCPU
	fromInGroup
	fromOutGroup
	fromRealm
	fromSrcType
	fromDstType
)

func init() {
	for name, from := range map[string]source{
		"hotdrop": fromHotdrop, "tcpopts0": fromTCPOpts0, "tcpopts1": fromTCPOpts1, "mss": fromMSS, "ecnflags": fromECNFlags,
		"ahspi": fromAHSPI, "ahlen": fromAHLen, "ahres": fromAHRes, "espspi": fromESPSPI, "cpi": fromCPI,
		"dccptype": fromDCCPType, "dccpopts0": fromDCCPOpts0, "dccpopts1": fromDCCPOpts1,
		"fragid": fromFragID, "rttype": fromRTType, "rtsegs": fromRTSegs, "rtlen": fromRTLen,
		"hbhlen": fromHBHLen, "dstlen": fromDstLen, "exthdrs": fromExtHeaders, "mhtype": fromMHType,
		"srhnext": fromSRHNext, "srhlen": fromSRHLen, "srhsegs": fromSRHSegs, "srhlast": fromSRHLast, "srhtag": fromSRHTag,
		"srhpsid": fromSRHPrevious, "srhnsid": fromSRHNextSID, "srhlsid": fromSRHLastSID, "eui64": fromEUI64,
		"ctmark": fromCTMark, "ctstatus": fromCTStatus, "ctexpire": fromCTExpire, "ctlabels": fromCTLabels,
		"ctdir": fromCTDir, "ctproto": fromCTProto,
		"ctorigsrc": fromCTOrigSrc, "ctorigdst": fromCTOrigDst, "ctreplsrc": fromCTReplSrc, "ctrepldst": fromCTReplDst,
		"ctorigsport": fromCTOrigSrcPort, "ctorigdport": fromCTOrigDstPort, "ctreplsport": fromCTReplSrcPort, "ctrepldport": fromCTReplDstPort,
		"cthelper": fromCTHelper, "cpu": fromCPU, "ingroup": fromInGroup, "outgroup": fromOutGroup, "realm": fromRealm,
		"srctype": fromSrcType, "dsttype": fromDstType,
	} {
		sources[name] = from
	}
}

// put stores a value wider than 64 bits; it reports false, and does nothing,
// when the field is too narrow.
func (st *step) put(k rules.Key, v rules.Value) bool {
	if v.BitLen() > int(st.bits) {
		return false
	}
	for w, i := v, int(st.last); i >= int(st.first); i-- {
		k[i] = uint32(w.Lo)
		w = w.Shr(32)
	}
	return true
}

// shortPorts returns the ports of a transport header that is short of its
// fixed length but has them.
func (p *Packet) shortPorts() (src, dst uint16, ok bool) {
	if p.Notes&ShortHeader == 0 || p.data == nil {
		return 0, 0, false
	}
	switch p.Proto {
	case TCP, UDP, UDPLite, SCTP, DCCP:
	default:
		return 0, 0, false
	}
	var buf scratch
	h, s := p.read(p.TransportOffset-p.NetOffset, 4, &buf)
	if s != Found {
		return 0, 0, false
	}
	return uint16(h[0])<<8 | uint16(h[1]), uint16(h[2])<<8 | uint16(h[3]), true
}

// more returns the value of a source behind fromBytes.
func (p *Packet) more(from source, h holds) (rules.Value, bool) {
	if from >= fromCTMark {
		return p.system(from, h)
	}
	v, s := uint64(0), Absent
	switch from {
	case fromHotdrop:
		return rules.U64(uint64(p.Broken())), true
	case fromTCPOpts0, fromTCPOpts1:
		set, s := p.TCPOptions()
		return set.half(int(from - fromTCPOpts0)), s == Found
	case fromDCCPOpts0, fromDCCPOpts1:
		set, s := p.DCCPOptions()
		return set.half(int(from - fromDCCPOpts0)), s == Found
	case fromMSS:
		var x uint16
		x, s = p.MSS()
		v = uint64(x)
	case fromECNFlags:
		flags, ok := p.ECNFlags()
		return rules.U64(uint64(flags)), ok
	case fromAHSPI, fromAHLen, fromAHRes:
		var a Auth
		a, s = p.Auth()
		v = uint64(a.SPI)
		switch from {
		case fromAHLen:
			v = uint64(a.Length)
		case fromAHRes:
			v = uint64(a.Reserved)
		}
	case fromESPSPI:
		var x uint32
		x, s = p.ESPSPI()
		v = uint64(x)
	case fromCPI:
		var x uint16
		x, s = p.CPI()
		v = uint64(x)
	case fromDCCPType:
		var x uint8
		x, s = p.DCCPType()
		v = uint64(x)
	case fromMHType:
		var x uint8
		x, s = p.MobilityType()
		v = uint64(x)
	default:
		return p.moreIPv6(from)
	}
	return rules.U64(v), s == Found
}

// moreIPv6 is more for what only IPv6 packets have.
func (p *Packet) moreIPv6(from source) (rules.Value, bool) {
	if p.Family != 6 {
		return rules.Value{}, false
	}
	v, ok := uint64(0), false
	switch from {
	case fromFragID:
		var f FragmentHeader
		f, ok = p.FragmentHeader()
		v = uint64(f.ID)
	case fromRTType, fromRTSegs, fromRTLen:
		var r RoutingHeader
		r, ok = p.RoutingHeader()
		switch from {
		case fromRTType:
			v = uint64(r.Type)
		case fromRTSegs:
			v = uint64(r.SegsLeft)
		default:
			v = uint64(r.Length)
		}
	case fromHBHLen, fromDstLen:
		number := uint8(HopByHop)
		if from == fromDstLen {
			number = DestOptions
		}
		var n int
		_, n, ok = p.OptionsHeader(number)
		v = uint64(n)
	case fromExtHeaders:
		var set uint8
		set, ok = p.ExtHeaderSet()
		v = uint64(set)
	case fromEUI64:
		var is bool
		if is, ok = p.EUI64(); is {
			v = 1
		}
	default:
		r, has := p.SegmentRouting()
		if !has {
			return rules.Value{}, false
		}
		ok = true
		switch from {
		case fromSRHNext:
			v = uint64(r.Next)
		case fromSRHLen:
			v = uint64(r.Length)
		case fromSRHSegs:
			v = uint64(r.SegsLeft)
		case fromSRHLast:
			v = uint64(r.Last)
		case fromSRHTag:
			v = uint64(r.Tag)
		case fromSRHPrevious, fromSRHNextSID, fromSRHLastSID:
			a, ok := p.SID(r, int(from-fromSRHPrevious))
			return wordsValue(&a), ok
		}
	}
	return rules.U64(v), ok
}

func wordsValue(w *[4]uint32) rules.Value {
	return rules.Value{Hi: uint64(w[0])<<32 | uint64(w[1]), Lo: uint64(w[2])<<32 | uint64(w[3])}
}

// system returns what Conn and Env say.
func (p *Packet) system(from source, h holds) (rules.Value, bool) {
	if from >= fromCPU {
		return p.environment(from)
	}
	c := p.Conn
	if c == nil {
		return rules.Value{}, false
	}
	v := uint64(0)
	switch from {
	case fromCTMark:
		v = uint64(c.Mark)
	case fromCTStatus:
		v = uint64(c.Status)
	case fromCTExpire:
		v = uint64(c.Expires)
	case fromCTLabels:
		return rules.Value{Hi: c.Labels[1], Lo: c.Labels[0]}, true
	case fromCTDir:
		if c.Reply {
			v = 1
		}
	case fromCTProto:
		v = uint64(c.Proto)
	case fromCTOrigSrc:
		return address(&c.Orig[0].Addr, p.Family, h)
	case fromCTOrigDst:
		return address(&c.Orig[1].Addr, p.Family, h)
	case fromCTReplSrc:
		return address(&c.Repl[0].Addr, p.Family, h)
	case fromCTReplDst:
		return address(&c.Repl[1].Addr, p.Family, h)
	case fromCTOrigSrcPort:
		v = uint64(c.Orig[0].Port)
	case fromCTOrigDstPort:
		v = uint64(c.Orig[1].Port)
	case fromCTReplSrcPort:
		v = uint64(c.Repl[0].Port)
	case fromCTReplDstPort:
		v = uint64(c.Repl[1].Port)
	case fromCTHelper:
		return rules.NameValue(c.Helper), true
	}
	return rules.U64(v), true
}

// address returns an address of a packet of the given family for a field that
// holds h.
func address(w *[4]uint32, family uint8, h holds) (rules.Value, bool) {
	switch {
	case h == holdsBoth || h == holds6 && family == 6:
		return wordsValue(w), true
	case h == holds4 && family == 4:
		return rules.U64(uint64(w[3])), true
	}
	return rules.Value{}, false
}

func (p *Packet) environment(from source) (rules.Value, bool) {
	e := p.Env
	if e == nil {
		return rules.Value{}, false
	}
	v, need := uint64(0), EnvFields(0)
	switch from {
	case fromCPU:
		v, need = uint64(e.CPU), HasCPU
	case fromInGroup:
		v, need = uint64(e.InGroup), HasInGroup
	case fromOutGroup:
		v, need = uint64(e.OutGroup), HasOutGroup
	case fromRealm:
		v, need = uint64(e.Realm), HasRealm
	case fromSrcType:
		v, need = uint64(e.SrcType), HasAddrTypes
	case fromDstType:
		v, need = uint64(e.DstType), HasAddrTypes
	}
	return rules.U64(v), e.Has&need != 0
}
