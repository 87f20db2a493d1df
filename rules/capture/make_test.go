package capture

// Captures made by hand for the tests, in either byte order.

import (
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

// order is what the builders need of a byte order.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var orders = map[string]order{"little": binary.LittleEndian, "big": binary.BigEndian}

// ip returns the n-th IP packet of the tests: from 10.0.0.n, to port n.
func ip(n int) []byte {
	p := packet.Packet{Proto: packet.TCP, SrcPort: 4242, DstPort: uint16(n), TCPFlags: 2, TTL: 64, Length: uint32(40 + n%5)}
	p.SetAddrs(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), netip.MustParseAddr("192.0.2.7"))
	return p.AppendIP(nil)
}

func pcapHeader(o order, magic, link uint32) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 0xffffffff) // a snap length of 4 GB
	return o.AppendUint32(b, link)
}

func pcapRecord(o order, b []byte, sec, frac uint32, data []byte, wire int) []byte {
	b = o.AppendUint32(b, sec)
	b = o.AppendUint32(b, frac)
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, uint32(wire))
	return append(b, data...)
}

// ng builds a pcapng file block by block and remembers where they begin.
type ng struct {
	o  order
	b  []byte
	at []int
}

func (g *ng) block(kind uint32, body []byte) *ng {
	g.at = append(g.at, len(g.b))
	g.b = g.o.AppendUint32(g.b, kind)
	g.b = g.o.AppendUint32(g.b, uint32(len(body)+12))
	g.b = append(g.b, body...)
	g.b = g.o.AppendUint32(g.b, uint32(len(body)+12))
	return g
}

func (g *ng) section() *ng {
	b := g.o.AppendUint32(nil, 0x1a2b3c4d)
	b = g.o.AppendUint16(b, 1)
	b = g.o.AppendUint16(b, 0)
	return g.block(0x0a0d0d0a, append(b, 255, 255, 255, 255, 255, 255, 255, 255))
}

func (g *ng) option(b []byte, code uint16, value []byte) []byte {
	b = g.o.AppendUint16(b, code)
	b = g.o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (g *ng) iface(link uint16, snap uint32, options []byte) *ng {
	b := g.o.AppendUint16(nil, link)
	b = g.o.AppendUint16(b, 0)
	b = g.o.AppendUint32(b, snap)
	return g.block(1, append(b, options...))
}

func padded(data []byte) []byte {
	out := append([]byte(nil), data...)
	for len(out)%4 != 0 {
		out = append(out, 0xee)
	}
	return out
}

func (g *ng) enhanced(iface uint32, ts uint64, data []byte, wire int, options []byte) *ng {
	b := g.o.AppendUint32(nil, iface)
	b = g.o.AppendUint32(b, uint32(ts>>32))
	b = g.o.AppendUint32(b, uint32(ts))
	b = g.o.AppendUint32(b, uint32(len(data)))
	b = g.o.AppendUint32(b, uint32(wire))
	return g.block(6, append(append(b, padded(data)...), options...))
}

func (g *ng) simple(data []byte, wire int) *ng {
	return g.block(3, append(g.o.AppendUint32(nil, uint32(wire)), padded(data)...))
}

// readAll returns copies of all records and the error that ended them.
func readAll(t testing.TB, r io.Reader) ([]Record, error) {
	t.Helper()
	c, err := NewReader(r, "test.pcap")
	if err != nil {
		return nil, err
	}
	var out []Record
	for {
		rec, err := c.Next()
		if err != nil {
			_, again := c.Next()
			require.Equal(t, err, again, "the end and errors stay")
			return out, err
		}
		rec.Data = append([]byte(nil), rec.Data...)
		out = append(out, rec)
	}
}

func utc(sec, nsec int64) time.Time { return time.Unix(sec, nsec).UTC() }
