package main

// A packet in one line: "10.0.0.5:4242 > 192.0.2.10:443 tcp SYN".

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// describePacket writes a decoded packet.
func describePacket(p *packet.Packet) string {
	var b strings.Builder
	ports := p.Has&packet.HasPorts != 0
	writeAddr(&b, p.SrcAddr(), p.SrcPort, ports)
	b.WriteString(" > ")
	writeAddr(&b, p.DstAddr(), p.DstPort, ports)
	if p.Has&packet.HasProto != 0 {
		b.WriteByte(' ')
		b.WriteString(protoName(p.Proto))
	}
	if p.Has&packet.HasTCPFlags != 0 {
		b.WriteByte(' ')
		b.WriteString(tcpFlags(p.TCPFlags))
	}
	if p.Has&packet.HasICMP != 0 {
		b.WriteByte(' ')
		b.WriteString(icmpName(p.Family, p.ICMPType, p.ICMPCode))
	}
	switch {
	case p.Frag():
		fmt.Fprintf(&b, " fragment at %d", 8*int(p.FragOffset))
	case p.MoreFragments:
		b.WriteString(" first fragment")
	}
	switch n := noteOf(p); {
	case n == noteCut:
		b.WriteString(" cut")
	case p.Notes&packet.ShortHeader != 0:
		b.WriteString(" short header")
	case n == noteShort:
		b.WriteString(" broken header")
	}
	if p.Known&packet.KnownIn != 0 {
		writeIface(&b, " in ", p.InIface)
	}
	if p.Known&packet.KnownOut != 0 {
		writeIface(&b, " out ", p.OutIface)
	}
	return b.String()
}

func writeIface(b *strings.Builder, word string, v rules.Value) {
	if name, ok := v.Name(); ok && name != "" {
		b.WriteString(word)
		b.WriteString(name)
	}
}

func writeAddr(b *strings.Builder, a netip.Addr, port uint16, hasPort bool) {
	if hasPort {
		b.WriteString(netip.AddrPortFrom(a, port).String())
		return
	}
	b.WriteString(a.String())
}

func protoName(n uint8) string {
	if name := rules.ProtocolName(n); name != "" {
		return name
	}
	return "proto " + strconv.Itoa(int(n))
}

func tcpFlags(flags uint8) string {
	if flags == 0 {
		return "no flags"
	}
	var names []string
	for _, s := range rules.TCPFlags {
		if uint64(flags)&s.Value != 0 {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, "+")
}

// The types of ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861) that are worth a
// name.
var icmpNames = map[uint8]map[uint8]string{
	4: {0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request", 11: "time exceeded", 12: "parameter problem"},
	6: {1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request", 129: "echo reply",
		133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement"},
}

func icmpName(family, typ, code uint8) string {
	name, ok := icmpNames[family][typ]
	if !ok {
		name = fmt.Sprintf("type %d", typ)
	}
	if code != 0 {
		name += fmt.Sprintf(" code %d", code)
	}
	return name
}

// describer writes keys of one schema: the 5-tuple as in describePacket, the
// other fields that are present as name=value.
type describer struct {
	schema                         *rules.Schema
	src, dst, sport, dport, protoF int
}

// describers is the describer of the schema at hand.
type describers struct{ last *describer }

func (x *describers) of(s *rules.Schema) *describer {
	if x.last == nil || x.last.schema != s {
		x.last = newDescriber(s)
	}
	return x.last
}

func newDescriber(s *rules.Schema) *describer {
	return &describer{s, s.Index("src"), s.Index("dst"), s.Index("sport"), s.Index("dport"), s.Index("proto")}
}

func (d *describer) describe(k rules.Key) string {
	var parts []string
	done := uint32(0)
	if d.src >= 0 && d.dst >= 0 {
		parts = append(parts, d.end(k, d.src, d.sport), ">", d.end(k, d.dst, d.dport))
		done |= 1<<d.src | 1<<d.dst
		for _, f := range []int{d.sport, d.dport} {
			if f >= 0 {
				done |= 1 << f
			}
		}
	}
	if d.protoF >= 0 {
		if v, ok := d.schema.Get(k, d.protoF); ok {
			parts = append(parts, d.schema.Field(d.protoF).FormatValue(v))
		}
		done |= 1 << d.protoF
	}
	for i := range d.schema.Len() {
		if done>>i&1 != 0 {
			continue
		}
		if v, ok := d.schema.Get(k, i); ok {
			f := d.schema.Field(i)
			if f.Name == "hotdrop" || f.Name == "mark" && v == (rules.Value{}) {
				continue // nothing that anybody said
			}
			parts = append(parts, f.Name+"="+f.FormatValue(v))
		}
	}
	return strings.Join(parts, " ")
}

// end writes an address and its port, where the packet has them.
func (d *describer) end(k rules.Key, addr, port int) string {
	text := "?"
	if v, ok := d.schema.Get(k, addr); ok {
		text = d.schema.Field(addr).FormatValue(v)
	}
	if port < 0 {
		return text
	}
	v, ok := d.schema.Get(k, port)
	if !ok {
		return text
	}
	if strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	return text + ":" + v.String()
}

// describeEntry writes a packet of a chunk.
func (d *describer) describeEntry(e *entry, k rules.Key) string {
	switch {
	case e.err != nil:
		return e.err.Err.Error()
	case e.packet.Family != 0 && (!e.text || e.info.Outside):
		return describePacket(&e.packet)
	case e.info.Outside:
		return "a packet of another address family"
	}
	return d.describe(k)
}
