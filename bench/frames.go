package main

// Frames: packets as bytes, from a capture or made from rules.

import (
	"fmt"
	"math/rand/v2"
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
		p := workload.PacketOf(l.Schema(), keys.At(i), family)
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
