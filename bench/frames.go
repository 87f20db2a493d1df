package main

// Frames: packets as bytes, from a capture or made from rules.

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
)

// frames are packets one behind the other in one piece of memory, in the order
// in which they are decoded.
type frames struct {
	name  string // where they come from
	data  []byte
	list  []frame
	metas []packet.Meta // of each frame, or one that all have
}

// frame is the first bytes of a packet in frames.data, all headers among them.
type frame struct {
	at, n, wire int
	link        packet.LinkType
}

// add appends a packet, of which p is what was decoded. What is behind the
// headers stays away: nothing reads it, and it would keep packets apart that a
// network card brings into the cache.
func (f *frames) add(data []byte, wire int, link packet.LinkType, p *packet.Packet) {
	const header = 64 // longer than what is decoded of any behind that of IP
	f.put(data[:min(len(data), max(p.TransportOffset, p.NetOffset)+header)], wire, link, p.Meta)
}

func (f *frames) put(data []byte, wire int, link packet.LinkType, m packet.Meta) {
	f.list = append(f.list, frame{len(f.data), len(data), wire, link})
	f.data = append(f.data, data...)
	f.metas = append(f.metas, m)
}

// meta returns what is known of frame i besides its bytes.
func (f *frames) meta(i int) packet.Meta {
	if len(f.metas) == 1 {
		return f.metas[0]
	}
	return f.metas[i]
}

// decode decodes frame i; p.Meta must have been set already when there is one
// Meta for all. Frames can be decoded: those that cannot were left out.
func (f *frames) decode(p *packet.Packet, i int) {
	x := &f.list[i]
	if len(f.metas) > 1 {
		p.Meta = f.metas[i]
	}
	_ = p.DecodeWire(f.data[x.at:x.at+x.n:x.at+x.n], x.wire, x.link)
}

// shuffled returns the frames in random order.
func (f *frames) shuffled(seed uint64) *frames {
	out := &frames{name: f.name, data: make([]byte, 0, len(f.data)), list: make([]frame, 0, len(f.list))}
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(f.list)) {
		x := f.list[i]
		out.put(f.data[x.at:x.at+x.n], x.wire, x.link, f.metas[i])
	}
	if !slices.ContainsFunc(out.metas, func(m packet.Meta) bool { return m != out.metas[0] }) {
		out.metas = out.metas[:1]
	}
	return out
}

// readFrames reads a capture for rules of the schema.
func (a *app) readFrames(path string, m *files.MetaFlags, s *rules.Schema) (*frames, error) {
	f := &frames{name: path}
	ctstate := uint8(0)
	if m.Ctstate != "" {
		v, err := rules.Firewall.Field(rules.Firewall.MustIndex("ctstate")).ParseValue(m.Ctstate)
		if err != nil {
			return nil, files.BadUsage("--ctstate: %v", err)
		}
		ctstate = uint8(v.Lo)
	}
	var text error
	if m.Meta != "" {
		return nil, files.BadUsage("--meta: packets of one Meta are measured; --in-interface, --out-interface and --ctstate say what it is")
	}
	flags := files.PacketFlags{Packets: path, PacketsFormat: "auto", MetaFlags: *m}
	if m.Tables { // what flags say is added below, whether rules ask for it or not
		flags.MetaFlags = files.MetaFlags{CaptureInterface: m.CaptureInterface}
	}
	err := a.eachPacket(&flags, s, s.NewKey(),
		func(in *files.Packets, info capture.Info) (more bool) {
			src := in.Capture()
			if src == nil {
				text = fmt.Errorf("%s: a capture is wanted, pcap or pcapng, and this is %s text: bench lookup measures it", in.Name(), in.Format())
				return false
			}
			p := *src.Packet()
			if p.Known&packet.KnownIn == 0 && m.InInterface != "" {
				p.SetIn(m.InInterface)
			}
			if p.Known&packet.KnownOut == 0 && m.OutInterface != "" {
				p.SetOut(m.OutInterface)
			}
			if m.Ctstate != "" {
				p.SetCTState(ctstate)
			}
			rec := src.Record()
			f.add(rec.Data, rec.Wire, rec.Link, &p)
			return len(f.data) < mostBytes/2 // there will be a shuffled copy
		})
	switch {
	case text != nil:
		return nil, text
	case err == nil && len(f.list) == 0:
		err = fmt.Errorf("%s: no packets that can be decoded", path)
	}
	return f, err
}

// makeFrames makes up to n packets for a list of rules. A header cannot say all that a
// key can, such as ports without a protocol that has them: the packets are near
// the rules, and not all match what they were drawn from.
func makeFrames[T any](l *rules.List[T], family, n int, seed uint64) (*frames, error) {
	keys, err := workload.Packets(l, workload.PacketConfig{N: n, Seed: seed, Mode: workload.Uniform})
	if err != nil {
		return nil, err
	}
	f := &frames{name: fmt.Sprintf("made from the rules (seed %d)", seed)}
	var buf []byte
	for i := range keys.Len() {
		p := packetOf(l.Schema(), keys.At(i), family)
		buf = p.AppendEthernet(buf[:0])
		q := packet.Packet{Meta: p.Meta}
		if q.DecodeEthernet(buf) == nil {
			f.add(buf, len(buf), packet.LinkEthernet, &q)
		}
	}
	if len(f.list) == 0 {
		return nil, fmt.Errorf("no packets can be made for these rules: --pcap FILE gives them")
	}
	return f, nil
}

// packetOf returns a packet with the values that a key has for the fields that
// packet.Binder knows, of the family, or of the addresses' own when it is 0.
func packetOf(s *rules.Schema, k rules.Key, family int) *packet.Packet {
	// A packet as plain as can be, where the key says nothing.
	p := &packet.Packet{Proto: packet.UDP, TTL: 64, SMAC: 0x020000000001, DMAC: 0x020000000002}
	var src, dst [4]uint32
	set := map[string]func(rules.Value){
		"src":      func(v rules.Value) { src = words(v) },
		"dst":      func(v rules.Value) { dst = words(v) },
		"sport":    func(v rules.Value) { p.SrcPort = uint16(v.Lo) },
		"dport":    func(v rules.Value) { p.DstPort = uint16(v.Lo) },
		"proto":    func(v rules.Value) { p.Proto = uint8(v.Lo) },
		"frag":     func(v rules.Value) { p.FragOffset = 185 * uint16(v.Lo&1) },
		"tcpflags": func(v rules.Value) { p.TCPFlags = uint8(v.Lo) },
		"icmptype": func(v rules.Value) { p.ICMPType = uint8(v.Lo) },
		"icmpcode": func(v rules.Value) { p.ICMPCode = uint8(v.Lo) },
		"flags":    func(v rules.Value) { p.TCPFlags, p.ICMPType = uint8(v.Lo>>8), uint8(v.Lo>>8) },
		"dscp":     func(v rules.Value) { p.TOS |= uint8(v.Lo) << 2 },
		"ecn":      func(v rules.Value) { p.TOS |= uint8(v.Lo) & 3 },
		"tos":      func(v rules.Value) { p.TOS = uint8(v.Lo) },
		"length":   func(v rules.Value) { p.Length = uint32(min(v.Lo, 1500)) },
		"ttl":      func(v rules.Value) { p.TTL = uint8(v.Lo) },
		"vlan":     func(v rules.Value) { p.VLAN, p.Has = uint16(v.Lo), p.Has|packet.HasVLAN },
		"smac":     func(v rules.Value) { p.SMAC = v.Lo },
		"dmac":     func(v rules.Value) { p.DMAC = v.Lo },
		"iif":      func(v rules.Value) { p.InIface, p.Known = v, p.Known|packet.KnownIn },
		"oif":      func(v rules.Value) { p.OutIface, p.Known = v, p.Known|packet.KnownOut },
		"ctstate":  func(v rules.Value) { p.SetCTState(uint8(v.Lo)) },
		"mark":     func(v rules.Value) { p.Mark = uint32(v.Lo) },
	}
	for i := range s.Len() {
		field := s.Field(i)
		if f := set[field.Name]; f != nil {
			if v, ok := s.Get(k, i); ok {
				f(v)
			}
		}
		if family == 0 && (field.Name == "src" || field.Name == "dst") && field.Bits == 32 {
			family = 4
		} else if family == 0 && field.Kind == rules.IPv6 {
			family = 6
		}
	}
	if family == 0 {
		family = 6
		if mapped(src) || mapped(dst) {
			family = 4
		}
	}
	p.SetAddrs(address(src, family), address(dst, family))
	return p
}

func words(v rules.Value) [4]uint32 {
	return [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
}

// mapped reports whether an address of 128 bits is an IPv4 one.
func mapped(a [4]uint32) bool { return a[0]|a[1] == 0 && a[2] == 0xffff }

// address returns an address of the family, cut to IPv4 where need be.
func address(a [4]uint32, family int) netip.Addr {
	var b [16]byte
	for i, w := range a {
		b[4*i], b[4*i+1], b[4*i+2], b[4*i+3] = byte(w>>24), byte(w>>16), byte(w>>8), byte(w)
	}
	if family == 4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	if mapped(a) {
		b[0] = 0x20 // a mapped address would make an IPv4 packet
	}
	return netip.AddrFrom16(b)
}
