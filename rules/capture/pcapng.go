package capture

// pcapng: blocks of a type, a length, a body and the length again. A section
// header sets the byte order, interface blocks describe what packets were
// captured on, and three kinds of blocks hold packets; all others are passed
// over.

import (
	"encoding/binary"
	"io"
	"math/bits"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// orderMagic, in a section header, tells the section's byte order.
const orderMagic uint32 = 0x1a2b3c4d

const (
	blockInterface = 1
	blockPacket    = 2 // obsolete, still written by old programs
	blockSimple    = 3
	blockEnhanced  = 6

	optionEnd = 0
	// Of interfaces.
	optionName       = 2
	optionResolution = 9
	optionOffset     = 14
	// Of packets.
	optionFlags = 2

	// maxOptions is the longest list of options that is read; a longer one is
	// an error of an interface and is ignored with a packet.
	maxOptions = 256 << 10
	// maxInterfaceName bounds what is kept of a name. Linux has 15 bytes;
	// Windows' names have a GUID in them.
	maxInterfaceName = 255
)

// iface is an interface of the current section.
type iface struct {
	link   packet.LinkType
	snap   uint32
	name   string
	unit   uint64 // timestamp units in a second; 0 for a resolution beyond 64 bits
	offset int64  // seconds added to timestamps
}

func (r *Reader) openPcapng() error {
	r.order = binary.LittleEndian
	_, body, err := r.block()
	if err == nil {
		err = r.section(0, body)
	}
	return noPacket(err)
}

// noPacket takes the packet's number out of an error about what comes before
// the first packet.
func noPacket(err error) error {
	if e, ok := err.(*Error); ok {
		e.Packet = 0
	}
	return err
}

// block reads a block's type and length and returns the length of its body,
// without the trailing length. For a section header it sets the byte order and
// reads the body's first four bytes.
func (r *Reader) block() (kind, body uint32, err error) {
	at := r.in.at
	h := r.header[:12]
	if err := r.in.full(h[:8]); err != nil {
		return 0, 0, r.broken(at, "a block header", err)
	}
	kind = r.order.Uint32(h)
	least := uint32(12)
	if kind == magicSection {
		least = 28
		if err := r.in.full(h[8:12]); err != nil {
			return 0, 0, r.broken(at, "a section header", err)
		}
		switch orderMagic {
		case binary.LittleEndian.Uint32(h[8:]):
			r.order = binary.LittleEndian
		case binary.BigEndian.Uint32(h[8:]):
			r.order = binary.BigEndian
		default:
			return 0, 0, r.fail(at, nil, "section header with the byte order % x", h[8:12])
		}
	}
	length := r.order.Uint32(h[4:])
	if length < least || length%4 != 0 {
		return 0, 0, r.fail(at, nil, "a block of type %#x has a length of %d bytes", kind, length)
	}
	return kind, length - 12, nil
}

// trailer reads the length at the end of a block.
func (r *Reader) trailer(at int64, body uint32) error {
	if err := r.in.full(r.header[:4]); err != nil {
		return r.broken(at, "a block", err)
	}
	if length := r.order.Uint32(r.header[:]); length != body+12 {
		return r.fail(at, nil, "a block of %d bytes ends with a length of %d", body+12, length)
	}
	return nil
}

// skip passes over the last n bytes of a block's body, and its end.
func (r *Reader) skip(at int64, n, body uint32) error {
	if err := r.in.skip(n); err != nil {
		return r.broken(at, "a block", err)
	}
	return r.trailer(at, body)
}

// section reads the rest of a section header behind its byte order.
func (r *Reader) section(at int64, body uint32) error {
	h := r.header[:12] // major and minor version, section length
	if err := r.in.full(h); err != nil {
		return r.broken(at, "a section header", err)
	}
	if major, minor := r.order.Uint16(h), r.order.Uint16(h[2:]); major != 1 || minor != 0 && minor != 2 {
		return r.fail(at, nil, "pcapng version %d.%d is not supported, only 1.0", major, minor)
	}
	r.ifaces = r.ifaces[:0]
	return r.skip(at, body-16, body)
}

func (r *Reader) nextPcapng() (Record, error) {
	for {
		at := r.in.at
		end, err := r.in.atEnd()
		if end {
			return Record{}, io.EOF
		}
		if err != nil {
			return Record{}, r.broken(at, "a block header", err)
		}
		kind, body, err := r.block()
		if err != nil {
			return Record{}, err
		}
		switch kind {
		case blockEnhanced, blockPacket, blockSimple:
			return r.packetBlock(at, kind, body)
		case blockInterface:
			err = r.interfaceBlock(at, body)
		case magicSection:
			err = r.section(at, body)
		default:
			err = r.skip(at, body, body)
		}
		if err != nil {
			return Record{}, err
		}
	}
}

// interfaceBlock reads the description of an interface.
func (r *Reader) interfaceBlock(at int64, body uint32) error {
	if body < 8 {
		return r.fail(at, nil, "an interface block of %d bytes", body+12)
	}
	if len(r.ifaces) == MaxInterfaces {
		return r.fail(at, rules.ErrLimit, "more than %d interfaces in a section", MaxInterfaces)
	}
	if body-8 > maxOptions {
		return r.fail(at, rules.ErrLimit, "an interface block of %d bytes; at most %d are read", body+12, maxOptions)
	}
	b, err := r.data(at, body, "an interface block")
	if err != nil {
		return err
	}
	i := iface{link: packet.LinkType(r.order.Uint16(b)), snap: r.order.Uint32(b[4:]), unit: 1e6}
	for opts := b[8:]; ; {
		code, value, rest, ok := r.option(opts)
		if !ok {
			return r.fail(at, nil, "the options of an interface block are broken")
		}
		if code == optionEnd {
			break
		}
		opts = rest
		switch {
		case code == optionName:
			i.name = string(value[:min(len(value), maxInterfaceName)])
		case code == optionResolution && len(value) == 1:
			i.unit = unitsPerSecond(value[0])
		case code == optionOffset && len(value) == 8:
			i.offset = int64(r.order.Uint64(value))
		}
	}
	r.ifaces = append(r.ifaces, i)
	return r.trailer(at, body)
}

// unitsPerSecond returns what if_tsresol says: a power of 10 or, with the top
// bit, of 2; 0 when it is beyond 64 bits.
func unitsPerSecond(resolution byte) uint64 {
	exp := resolution & 0x7f
	if resolution&0x80 != 0 {
		return 1 << exp // 0 from 2^64 on
	}
	if exp > 19 {
		return 0
	}
	unit := uint64(1)
	for range exp {
		unit *= 10
	}
	return unit
}

// lastSecond ends the year 9999, the last that time.Time writes in its usual
// formats.
const lastSecond = 253402300799

// time converts a timestamp of the interface; the zero Time stands for one
// that makes no sense.
func (i *iface) time(ts uint64) time.Time {
	if i.unit == 0 {
		return time.Time{}
	}
	sec, frac := ts/i.unit, ts%i.unit
	if sec > lastSecond || i.offset > lastSecond || i.offset < -lastSecond {
		return time.Time{}
	}
	s := int64(sec) + i.offset
	if s < 0 || s > lastSecond {
		return time.Time{}
	}
	hi, lo := bits.Mul64(frac, 1e9)
	nano, _ := bits.Div64(hi, lo, i.unit)
	return time.Unix(s, int64(nano)).UTC()
}

// option splits off the first option of a list. The end of the list and an
// empty list are optionEnd; ok is false for an option beyond the list's end.
func (r *Reader) option(b []byte) (code uint16, value, rest []byte, ok bool) {
	if len(b) == 0 {
		return optionEnd, nil, nil, true
	}
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
	if code == optionEnd {
		return code, nil, nil, n == 0
	}
	padded := (n + 3) &^ 3
	if padded > len(b)-4 {
		return 0, nil, nil, false
	}
	return code, b[4 : 4+n], b[4+padded:], true
}

// packetBlock reads a block that holds a packet.
func (r *Reader) packetBlock(at int64, kind, body uint32) (Record, error) {
	fixed := uint32(20)
	if kind == blockSimple {
		fixed = 4
	}
	if body < fixed {
		return Record{}, r.fail(at, nil, "a packet block of %d bytes", body+12)
	}
	h := r.header[:fixed]
	if err := r.in.full(h); err != nil {
		return Record{}, r.broken(at, "a packet block", err)
	}
	index := uint32(0)
	switch kind {
	case blockEnhanced:
		index = r.order.Uint32(h)
	case blockPacket:
		index = uint32(r.order.Uint16(h))
	}
	if index >= uint32(len(r.ifaces)) {
		return Record{}, r.fail(at, nil, "interface %d is not among the %d that the section describes", index, len(r.ifaces))
	}
	i := &r.ifaces[index]
	if !i.link.Supported() {
		return Record{}, r.fail(at, packet.ErrLinkType, "link type %d of interface %d is not supported", uint32(i.link), index)
	}
	rec := Record{Offset: at, Link: i.link, Interface: i.name}
	var n, wire uint32
	if kind == blockSimple {
		wire = r.order.Uint32(h)
		if n = wire; i.snap != 0 {
			n = min(n, i.snap)
		}
	} else {
		rec.Time = i.time(uint64(r.order.Uint32(h[4:]))<<32 | uint64(r.order.Uint32(h[8:])))
		n, wire = r.order.Uint32(h[12:]), r.order.Uint32(h[16:])
	}
	room := body - fixed
	if n > room {
		return Record{}, r.fail(at, nil, "a packet of %d bytes in a block with room for %d", n, room)
	}
	data, err := r.data(at, n, "the packet's data")
	if err != nil {
		return Record{}, err
	}
	rec.Data, rec.Wire = data, max(int(wire), len(data))
	padding := min(-n&3, room-n)
	if err := r.in.skip(padding); err != nil {
		return Record{}, r.broken(at, "a packet block", err)
	}
	rest := room - n - padding
	if kind == blockSimple || rest == 0 || rest > maxOptions {
		return rec, r.skip(at, rest, body)
	}
	if rec.Direction, err = r.direction(at, rest); err != nil {
		return Record{}, err
	}
	return rec, r.trailer(at, body)
}

// direction reads a packet's options, n bytes, for the one that says which way
// it went.
func (r *Reader) direction(at int64, n uint32) (Direction, error) {
	if int(n) > len(r.options) {
		r.options = make([]byte, max(n, 256))
	}
	b := r.options[:n]
	if err := r.in.full(b); err != nil {
		return 0, r.broken(at, "a packet's options", err)
	}
	d := NoDirection
	for {
		code, value, rest, ok := r.option(b)
		if !ok {
			return 0, r.fail(at, nil, "the packet's options are broken")
		}
		if code == optionEnd {
			return d, nil
		}
		if b = rest; code == optionFlags && len(value) == 4 {
			switch r.order.Uint32(value) & 3 {
			case 1:
				d = Inbound
			case 2:
				d = Outbound
			}
		}
	}
}
