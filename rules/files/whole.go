package files

// Whole packets: those that go through the tables of an iptables file, with
// their bytes where the file has them, and with what flags say of them.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
)

// columns are the fields that rows of text may have.
var columns = func() *rules.Schema {
	var fields []rules.Field
	for i := range rules.Firewall.Len() {
		fields = append(fields, *rules.Firewall.Field(i))
	}
	return rules.MustSchema(append(fields, rules.Field{Name: "tos", Bits: 8, Kind: rules.Hex}, rules.Field{Name: "ctmark", Bits: 32, Kind: rules.Hex})...)
}()

// IsColumn reports whether CSV packets for tables may have a column of the name.
func IsColumn(name string) bool { return columns.Index(name) >= 0 }

// whole makes packets of what a file has.
type whole struct {
	schema   *rules.Schema
	binder   *packet.Binder
	family   uint8          // of rows without an address
	row      rules.Key      // of columns
	meta     *describe.Meta // nil: nothing
	defaults []fieldValue   // of columns
	packet   packet.Packet
}

func newWhole(s *rules.Schema, f *MetaFlags) (*whole, error) {
	w := &whole{schema: s, binder: packet.NewBinder(s), family: 4, row: columns.NewKey()}
	if i := s.Index("src"); i >= 0 && s.Field(i).Kind == rules.IPv6 {
		w.family = 6
	}
	for _, d := range f.defaults() {
		i := columns.MustIndex(d.field)
		v, err := columns.Field(i).ParseValue(d.text)
		if err != nil {
			return nil, BadUsage("--%s: %v", d.flag, err)
		}
		w.defaults = append(w.defaults, fieldValue{i, v})
	}
	if f.Meta != "" {
		var err error
		if w.meta, err = describe.ParseMeta(f.Meta); err != nil {
			return nil, BadUsage("--meta: %v", err)
		}
	}
	return w, nil
}

// fill makes the packet that was read last, from a capture or from the row, and
// its key. It reports false for packets that the schema cannot hold.
func (w *whole) fill(c *capture.Packets, k rules.Key) bool {
	p := &w.packet
	ok := true
	if c != nil {
		*p = *c.Packet()
	} else {
		ok = w.fromRow()
	}
	said := p.Meta
	if w.meta != nil {
		w.meta.Apply(p)
	}
	for _, d := range w.defaults {
		setField(p, columns.Field(d.field).Name, d.value)
	}
	// What the file says of the packet goes before the flags.
	if said.Known&packet.KnownIn != 0 {
		p.InIface = said.InIface
	}
	if said.Known&packet.KnownOut != 0 {
		p.OutIface = said.OutIface
	}
	if said.Known&packet.KnownCTState != 0 {
		p.CTState = said.CTState
	}
	if said.Mark != 0 {
		p.Mark = said.Mark
	}
	describe.Connect(p)
	if !ok || !w.binder.Key(p, k) {
		return false
	}
	if c == nil {
		w.forget(k)
	}
	return true
}

// fromRow makes a packet of the row: TTL 64, without bytes. It reports false
// when the two addresses are of different families.
func (w *whole) fromRow() bool {
	p := &w.packet
	*p = packet.Packet{Family: w.family, TTL: 64}
	var families [2]uint8
	for i := range columns.Len() {
		v, ok := columns.Get(w.row, i)
		if !ok {
			continue
		}
		name := columns.Field(i).Name
		setField(p, name, v)
		if i < 2 {
			families[i] = 6
			if a := v.Addr(); a.Is4In6() || a.Is4() {
				families[i] = 4
			}
		}
	}
	for i, f := range families {
		if f != 0 {
			p.Family = f
		} else if families[1-i] == 4 || families[1-i] == 0 && w.family == 4 {
			// The address that is not there is 0.0.0.0, as IPv4-mapped.
			[]*[4]uint32{&p.Src, &p.Dst}[i][2] = 0xffff
		}
	}
	return families[0] == families[1] || families[0] == 0 || families[1] == 0
}

// setField sets a field of the packet that columns has.
func setField(p *packet.Packet, name string, v rules.Value) {
	x := v.Lo
	switch name {
	case "src":
		p.Src = words(v)
	case "dst":
		p.Dst = words(v)
	case "sport":
		p.SrcPort, p.Has = uint16(x), p.Has|packet.HasPorts
	case "dport":
		p.DstPort, p.Has = uint16(x), p.Has|packet.HasPorts
	case "proto":
		p.Proto, p.Has = uint8(x), p.Has|packet.HasProto
	case "iif":
		p.InIface, p.Known = v, p.Known|packet.KnownIn
	case "oif":
		p.OutIface, p.Known = v, p.Known|packet.KnownOut
	case "frag":
		p.FragOffset = uint16(x)
	case "tcpflags":
		p.TCPFlags, p.Has = uint8(x), p.Has|packet.HasTCPFlags
	case "icmptype":
		p.ICMPType, p.Has = uint8(x), p.Has|packet.HasICMP
	case "icmpcode":
		p.ICMPCode, p.Has = uint8(x), p.Has|packet.HasICMP
	case "ctstate":
		p.SetCTState(uint8(x))
	case "mark":
		p.Mark = uint32(x)
	case "dscp":
		p.TOS = p.TOS&3 | uint8(x)<<2
	case "ecn":
		p.TOS = p.TOS&^3 | uint8(x)
	case "tos":
		p.TOS = uint8(x)
	case "length":
		p.Length, p.Has = uint32(x), p.Has|packet.HasLength
	case "ttl":
		p.TTL = uint8(x)
	case "vlan":
		p.VLAN, p.Has = uint16(x), p.Has|packet.HasVLAN
	case "smac":
		p.SMAC, p.Has = x, p.Has|packet.HasSMAC
	case "dmac":
		p.DMAC, p.Has = x, p.Has|packet.HasDMAC
	case "pkttype":
		p.PktType, p.Has = uint8(x), p.Has|packet.HasPktType
	case "ctmark":
		if p.Conn == nil {
			p.Conn = &packet.Conn{}
		}
		p.Conn.Mark = uint32(x)
	}
}

func words(v rules.Value) [4]uint32 {
	return [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
}

// assumed are the fields that a packet made of a row always has, and the
// columns that say what they are.
var assumed = map[string]string{"src": "src", "dst": "dst", "frag": "frag", "dscp": "dscp", "ecn": "ecn", "ttl": "ttl"}

// forget makes those fields absent from the key that the row does not have, so
// that reports do not show what was assumed.
func (w *whole) forget(k rules.Key) {
	for i := range w.schema.Len() {
		column, ok := assumed[w.schema.Field(i).Name]
		if !ok {
			continue
		}
		_, given := columns.Get(w.row, columns.MustIndex(column))
		if !given && (column == "dscp" || column == "ecn") {
			_, given = columns.Get(w.row, columns.MustIndex("tos"))
		}
		if !given && k[0]>>i&1 == 0 {
			first, n := w.schema.FieldWords(i)
			clear(k[first : first+n])
			k[0] |= 1 << i
		}
	}
}
