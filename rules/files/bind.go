package files

// Keys of another schema: packets that are being read go on as keys of rules that
// have taken the place of others.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
)

// Binding is how the packets of a file become keys of a schema.
type Binding struct {
	schema   *rules.Schema
	defaults []fieldValue
	binder   *packet.Binder // nil when the schema equals that of before
	whole    *whole         // for tables
}

// Bind returns how the packets become keys of the schema, for Rebind. Any
// goroutine may call it. It is an error when a flag says what no field of the
// schema can hold, and for lists when the packets are text and the schema is
// another one than that of NewPackets: their columns are those of its fields.
func (p *Packets) Bind(s *rules.Schema) (*Binding, error) {
	b := &Binding{schema: s}
	var err error
	if p.tables {
		b.whole, err = newWhole(s, p.flags)
		return b, err
	}
	if b.defaults, err = defaultsOf(s, p.flags); err != nil {
		return nil, err
	}
	if s.Equal(p.read) {
		return b, nil
	}
	if p.capture == nil {
		return nil, fmt.Errorf("%s: the packets are text, whose columns are the fields of the rules it was opened for, and the new rules have others", p.name)
	}
	b.binder = packet.NewBinder(s)
	return b, nil
}

// Rebind has Next make keys of the binding's schema. Of the packet that Next
// read last it makes a new key, k, and returns what Next had; its error was err.
// A Binding is used once.
func (p *Packets) Rebind(b *Binding, k rules.Key, info capture.Info, err error) capture.Info {
	row := p.row
	if p.whole != nil {
		row = p.whole.row
	}
	p.schema, p.defaults, p.binder = b.schema, b.defaults, b.binder
	if b.whole != nil {
		copy(b.whole.row, row)
		p.whole = b.whole
	}
	if err == nil {
		info.Outside = p.bind(k)
	}
	return info
}

// bind makes the key of the packet that was read last, and reports whether there
// is none.
func (p *Packets) bind(k rules.Key) bool {
	outside := p.outside
	switch {
	case p.whole != nil:
		return !p.whole.fill(p.capture, k)
	case p.binder != nil:
		outside = !p.binder.Key(p.capture.Packet(), k)
	default:
		copy(k, p.row)
	}
	for _, d := range p.defaults {
		if k[0]>>d.field&1 != 0 {
			p.schema.Set(k, d.field, d.value)
		}
	}
	return outside
}
