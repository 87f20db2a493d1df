package cases

// The bytes of a packet through the decoder.

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/hipac-go/classifier/fuzz/decode"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Bytes are the bytes of a packet as a capture has them.
type Bytes struct {
	Data []byte
	Wire int // length of the packet, of which Data is the beginning
	Link packet.LinkType
}

// Kind says what is alike.
func (c *Bytes) Kind() string { return "packet" }

// Size says how large it is.
func (c *Bytes) Size() string { return plural(len(c.Data), "byte") }

// Check decodes it.
func (c *Bytes) Check() error {
	_, err := CheckBytes(c.Data, c.Wire, c.Link)
	return err
}

// byteSchemas are what packets become keys of.
var byteSchemas = []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall,
	rules.MustSchema(rules.Field{Name: "length", Bits: 16}, rules.Field{Name: "proto", Bits: 8}, rules.Field{Name: "flags", Bits: 16},
		rules.Field{Name: "mss", Bits: 16}, rules.Field{Name: "tos", Bits: 8}, rules.Field{Name: "dmac", Bits: 48})}

// Decoded is what became of bytes.
type Decoded struct {
	Refused  bool
	Family   uint8
	Fragment bool
	Cut      bool // not all was captured
	Lost     bool // and a field of some schema lay behind
	Short    bool // a header is not wholly in the packet
	Ext      bool // the transport header is not right behind the IPv6 header
	VLAN     bool
}

// CheckBytes decodes bytes, whole and in pieces, and makes keys. A slow decoder finds
// the same fields and refuses the same; nothing panics; what is refused is refused with
// a reason; keys are keys; pieces give the same; and what a beginning of the bytes tells
// is what the whole tells, but for fields that are lost.
func CheckBytes(data []byte, wire int, link packet.LinkType) (d Decoded, err error) {
	err = guarded(func() error { return checkBytes(&d, data, wire, link) })
	return d, err
}

func checkBytes(d *Decoded, data []byte, wire int, link packet.LinkType) error {
	var p packet.Packet
	err := p.DecodeWire(data, wire, link)
	var pieces packet.Packet
	var segments packet.Segments
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+int(rest[0])%23)
		segments = append(segments, rest[:n:n])
		rest = rest[n:]
	}
	again := pieces.DecodeSegmentsWire(segments, wire, link)
	if (err == nil) != (again == nil) {
		return fmt.Errorf("whole: %v, in pieces: %v", err, again)
	}
	if err := slowly(&p, err, data, wire, link); err != nil {
		return err
	}
	if err != nil {
		d.Refused = true
		if !errors.As(err, new(*packet.Error)) {
			return fmt.Errorf("refused without a reason: %w", err)
		}
		return nil
	}
	switch {
	case p.Family != 4 && p.Family != 6:
		return fmt.Errorf("family %d", p.Family)
	case p.NetOffset < 0 || p.NetOffset+20 > p.End || p.End > len(data):
		return fmt.Errorf("the packet is from %d to %d of %d bytes", p.NetOffset, p.End, len(data))
	case p.VLAN >= 1<<12 || p.FragOffset >= 1<<13 || p.SMAC >= 1<<48 || p.DMAC >= 1<<48:
		return fmt.Errorf("a field is too large: %+v", p)
	case p.FragOffset != 0 && p.Has&(packet.HasPorts|packet.HasTCPFlags|packet.HasICMP) != 0:
		return fmt.Errorf("a later fragment has a transport header: %+v", p)
	case p.Broken() != pieces.Broken():
		return fmt.Errorf("broken: %x whole, %x in pieces", p.Broken(), pieces.Broken())
	}
	d.Family, d.Fragment, d.Cut, d.VLAN = p.Family, p.FragOffset != 0, p.Notes&packet.Cut != 0, p.Has&packet.HasVLAN != 0
	d.Short = p.Notes&packet.ShortHeader != 0
	d.Ext = p.Family == 6 && p.TransportOffset > p.NetOffset+40
	for _, s := range byteSchemas {
		b := packet.NewBinder(s)
		k, other := s.NewKey(), s.NewKey()
		for i := range k {
			k[i] = math.MaxUint32
		}
		ok := b.Key(&p, k)
		if ok != b.Key(&pieces, other) {
			return fmt.Errorf("%s: whole and in pieces differ in the family", s)
		}
		if !ok {
			continue
		}
		if err := s.CheckKey(k); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		if !slices.Equal(k, other) {
			return fmt.Errorf("whole: %s\nin pieces: %s", tellPacket(s, k), tellPacket(s, other))
		}
		lost := b.Lost(&p)
		d.Lost = d.Lost || lost != 0
		if lost != b.Lost(&pieces) {
			return fmt.Errorf("lost fields: %x whole, %x in pieces", lost, b.Lost(&pieces))
		}
		if err := beginnings(s, b, data, wire, link, k, lost); err != nil {
			return err
		}
	}
	if p.Has&packet.HasProto != 0 {
		if err := new(packet.Packet).DecodeIP(p.AppendIP(nil)); err != nil {
			return fmt.Errorf("made from what was decoded: %w", err)
		}
	}
	return nil
}

// slowly compares what became of bytes with what the slow decoder makes of them.
func slowly(p *packet.Packet, refused error, data []byte, wire int, link packet.LinkType) error {
	at, vlan, ok := decode.Begin(data, uint32(link))
	var want decode.Outline
	if ok {
		want, ok = decode.IP(data[at:], wire-at)
	}
	switch {
	case ok != (refused == nil):
		return fmt.Errorf("decoded: %v; slowly: taken is %t", refused, ok)
	case !ok:
		return nil
	case p.NetOffset != at:
		return fmt.Errorf("the IP header is at %d; slowly: %d", p.NetOffset, at)
	case p.Has&packet.HasVLAN != 0 && int(p.VLAN) != vlan, p.Has&packet.HasVLAN == 0 && vlan != -1:
		return fmt.Errorf("VLAN %d; slowly: %d", p.VLAN, vlan)
	}
	got := decode.Outline{Family: p.Family, TOS: p.TOS, TTL: p.TTL, Proto: p.Proto, TCPFlags: p.TCPFlags, ICMPType: p.ICMPType, ICMPCode: p.ICMPCode,
		Has: uint16(p.Has & fromIP), Notes: uint8(p.Notes), More: p.MoreFragments, Frag: p.FragOffset, SrcPort: p.SrcPort, DstPort: p.DstPort,
		Length: p.Length, Src: p.SrcAddr(), Dst: p.DstAddr(), Transport: max(p.TransportOffset-at, 0), End: p.End - at}
	if got != want {
		return fmt.Errorf("decoded: %+v\nslowly: %+v", got, want)
	}
	return nil
}

// fromIP are the fields that the IP packet has or has not.
const fromIP = packet.HasProto | packet.HasPorts | packet.HasTCPFlags | packet.HasICMP | packet.HasLength

// beginnings compares what a beginning of the bytes tells with what all of them do.
func beginnings(s *rules.Schema, b *packet.Binder, data []byte, wire int, link packet.LinkType, whole rules.Key, wholeLost uint32) error {
	k := s.NewKey()
	for n := len(data) - 1; n > 0; n = n * 7 / 8 {
		var p packet.Packet
		if p.DecodeWire(data[:n:n], wire, link) != nil || !b.Key(&p, k) {
			continue
		}
		lost := b.Lost(&p)
		for f := range s.Len() {
			if lost>>f&1 != 0 || wholeLost>>f&1 != 0 {
				continue
			}
			v, ok := s.Get(k, f)
			w, had := s.Get(whole, f)
			if v != w || ok != had {
				return fmt.Errorf("of the first %d of %d bytes: %s; of all: %s; the field %s is not lost", n, len(data), tellPacket(s, k), tellPacket(s, whole), s.Field(f).Name)
			}
		}
	}
	return nil
}

// Shrink cuts bytes off, and makes them 0.
func (c *Bytes) Shrink(ctx context.Context) drive.Case {
	if c.Check() == nil {
		return c
	}
	out := *c
	try := func(next Bytes) bool {
		if ctx.Err() != nil || next.Check() == nil {
			return false
		}
		out = next
		return true
	}
	for size := len(out.Data) / 2; size > 0; size /= 2 {
		for len(out.Data) > size && try(Bytes{out.Data[:len(out.Data)-size], out.Wire, out.Link}) {
		}
	}
	try(Bytes{out.Data, len(out.Data), out.Link})
	for i := range out.Data {
		if data := slices.Clone(out.Data); data[i] != 0 {
			data[i] = 0
			try(Bytes{data, out.Wire, out.Link})
		}
	}
	return &out
}

// Explain writes what differs, and the bytes.
func (c *Bytes) Explain(w io.Writer) {
	fmt.Fprintf(w, "%v\n%d of %d bytes, link %s: %x\n", c.Check(), len(c.Data), c.Wire, c.Link, c.Data)
}

// Write writes the case.
func (c *Bytes) Write(w io.Writer) error {
	return writeHead(w, "packet", [2]string{"link", strconv.FormatUint(uint64(c.Link), 10)}, [2]string{"wire", strconv.Itoa(c.Wire)},
		[2]string{"bytes", hex.EncodeToString(c.Data)})
}

func readBytes(f *file) (*Bytes, error) {
	link, err := f.number("link")
	if err != nil {
		return nil, err
	}
	wire, err := f.number("wire")
	if err != nil {
		return nil, err
	}
	data, err := hex.DecodeString(f.last("bytes"))
	if err != nil {
		return nil, fmt.Errorf("bytes: %w", err)
	}
	return &Bytes{data, int(wire), packet.LinkType(link)}, nil
}
