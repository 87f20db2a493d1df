package packet

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// everyField are schemas with all names that a Binder knows, of the widths
// that the documentation of NewBinder states.
var everyField = sync.OnceValue(func() []*rules.Schema {
	n := func(name string, bits int) rules.Field { return rules.Field{Name: name, Bits: bits} }
	return []*rules.Schema{
		rules.MustSchema(n("src", 128), n("dst", 128), n("sport", 16), n("dport", 16), n("proto", 8),
			rules.Field{Name: "hotdrop", Kind: rules.Bits, Bits: 32, Symbols: BrokenNames}, n("tcpopts0", 128), n("tcpopts1", 128), n("mss", 16), n("ecnflags", 8),
			n("ahspi", 32), n("ahlen", 8), n("ahres", 16), n("espspi", 32), n("cpi", 16), n("dccptype", 4), n("dccpopts0", 128), n("dccpopts1", 128)),
		rules.MustSchema(n("fragid", 32), n("rttype", 8), n("rtsegs", 8), n("rtlen", 16), n("hbhlen", 16), n("dstlen", 16),
			rules.Field{Name: "exthdrs", Kind: rules.Bits, Bits: 8, Symbols: ExtHeaders}, n("mhtype", 8),
			n("srhnext", 8), n("srhlen", 8), n("srhsegs", 8), n("srhlast", 8), n("srhtag", 16), n("srhpsid", 128), n("srhnsid", 128), n("srhlsid", 128), n("eui64", 1)),
		rules.MustSchema(n("cpu", 32), n("ingroup", 32), n("outgroup", 32), n("realm", 32), n("ctmark", 32),
			rules.Field{Name: "ctstatus", Kind: rules.Bits, Bits: 32, Symbols: CTStatuses}, n("ctdir", 1), n("ctproto", 8),
			rules.Field{Name: "ctorigsrc", Kind: rules.IP}, rules.Field{Name: "ctorigdst", Kind: rules.IPv4}, rules.Field{Name: "ctreplsrc", Kind: rules.IPv6}, n("ctrepldst", 32),
			n("ctorigsport", 16), n("ctorigdport", 16), n("ctreplsport", 16), n("ctrepldport", 16), n("ctexpire", 32), n("ctlabels", 128),
			rules.Field{Name: "cthelper", Kind: rules.Name},
			rules.Field{Name: "srctype", Kind: rules.Bits, Bits: 12, Symbols: AddrTypes}, rules.Field{Name: "dsttype", Kind: rules.Bits, Bits: 12, Symbols: AddrTypes}),
	}
})

// everything calls all accessors and returns what they say.
func everything(t *testing.T, p *Packet) (out []any) {
	add := func(xs ...any) { out = append(out, xs...) }
	for _, s := range everyField() {
		k := s.NewKey()
		ok := NewBinder(s).Key(p, k)
		require.True(t, ok)
		require.NoError(t, s.CheckKey(k))
		add(k)
	}
	for _, number := range []uint8{HopByHop, Routing, Fragment, AuthHeader, DestOptions} {
		add(p.ExtHeader(number))
	}
	for _, number := range []uint8{HopByHop, DestOptions} {
		at, length, ok := p.OptionsHeader(number)
		add(at, length, ok)
		for end, next, n := at+length, at+2, 0; ok; n++ {
			require.Less(t, n, 3000)
			typ, length, after, s := p.Option(next, end)
			add(typ, length, after, s)
			if s != Found {
				break
			}
			require.Greater(t, after, next)
			next = after
		}
	}
	f, ok := p.FragmentHeader()
	add(f, ok)
	if r, ok := p.RoutingHeader(); ok {
		add(r)
		add(p.RoutingReserved(r))
		for i := -1; i <= r.Addrs(); i++ {
			add(p.RoutingAddr(r, i))
		}
	}
	for c, n := (Chunk{}), 0; ; n++ {
		var s Status
		c, s = p.Chunk(c)
		add(c, s)
		if s != Found {
			break
		}
		require.Less(t, n, 70000)
	}
	add(p.HeaderOffset(), p.Captured())
	add(p.Auth())
	for _, decode := range []func(*Packet) error{p.DecodeInner, p.DecodeQuoted} {
		var inner Packet
		err := decode(&inner)
		if err != nil {
			inner = Packet{}
		}
		add(err, p.Broken(), inner.Captured())
		inner.Detach()
		add(inner)
	}
	return out
}

// cut splits data at random; the pieces have no capacity to spare.
func cut(r *rand.Rand, data []byte) (segs Segments) {
	for len(data) > 0 {
		n := min(len(data), []int{0, 1, 2, 3, 5, 8, 13, 20, 34, 40, 60, 300}[r.IntN(12)])
		segs = append(segs, append(make([]byte, 0, n), data[:n]...)[:n:n])
		data = data[n:]
	}
	return append(segs, nil)
}

// sameInSegments holds a packet in segments to the same packet in one buffer.
func sameInSegments(t *testing.T, r *rand.Rand, data []byte, link LinkType, wire int) {
	var whole, parts Packet
	segs := cut(r, data)
	err := whole.DecodeWire(data, wire, link)
	require.Equal(t, err, parts.DecodeSegmentsWire(segs, wire, link))
	if err != nil {
		return
	}
	require.Equal(t, everything(t, &whole), everything(t, &parts), "%x", data)
	var bytes []byte
	for at := 0; ; {
		piece := parts.Piece(at)
		if len(piece) == 0 {
			break
		}
		bytes = append(bytes, piece...)
		at += len(piece)
	}
	require.Equal(t, data[whole.NetOffset:whole.End], bytes)
	buf := make([]byte, 64)
	for range 10 {
		at, n := r.IntN(len(bytes)+2), r.IntN(64)
		got := parts.Bytes(at, n, buf)
		require.Equal(t, at+n <= len(bytes), got != nil, "%d bytes at %d of %d", n, at, len(bytes))
		if got != nil {
			require.Equal(t, bytes[at:at+n], got)
		}
		require.Equal(t, got, whole.Bytes(at, n, nil), "in one buffer nothing is copied")
	}
	require.Nil(t, parts.Bytes(-1, 1, buf))
	require.Nil(t, parts.Piece(-1))
	whole.Detach()
	parts.Detach()
	require.Equal(t, whole, parts)
	require.Zero(t, parts.Captured())
	require.Nil(t, parts.Piece(0))
	require.Nil(t, parts.Bytes(0, 1, buf))
	require.Zero(t, parts.Broken())
}

func TestSegmentsGiveTheAnswersOfOneBuffer(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 4000 {
		data, link := randomBytes(r)
		sameInSegments(t, r, data, link, len(data)+r.IntN(2)*2000)
	}
}

// randomBytes builds a packet, mostly a well-formed one, and damages some.
func randomBytes(r *rand.Rand) ([]byte, LinkType) {
	p := randomPacket(r)
	data := p.AppendEthernet(nil)
	if p.Family == 6 && r.IntN(2) == 0 {
		data = insertChain(r, p.AppendIP(nil))
		if r.IntN(3) == 0 {
			damage(r, data)
		}
		return data[:len(data)-r.IntN(3)*r.IntN(len(data)/3)], LinkRaw
	}
	if r.IntN(2) == 0 {
		damage(r, data[14:])
	}
	return data, LinkEthernet
}

func damage(r *rand.Rand, data []byte) {
	for range r.IntN(4) {
		data[r.IntN(min(len(data), 100))] = byte([]int{0, 1, 4, 6, 43, 44, 51, 60, 80, 255}[r.IntN(10)])
	}
}

// insertChain puts extension headers of random content between the header and
// the payload of an IPv6 packet.
func insertChain(r *rand.Rand, ip []byte) []byte {
	next := ip[6]
	var chain []byte
	for range r.IntN(5) {
		number := []uint8{HopByHop, Routing, Routing, Fragment, AuthHeader, DestOptions}[r.IntN(6)]
		units := r.IntN(4)
		var h []byte
		switch number {
		case Fragment:
			h = []byte{next, 0, 0, byte(r.IntN(2)), 1, 2, 3, byte(r.IntN(256))}
		case AuthHeader:
			h = make([]byte, units*4+8)
		default:
			h = make([]byte, units*8+8)
		}
		for i := 2; i < len(h) && number != Fragment; i++ {
			h[i] = byte(r.IntN(6))
		}
		h[0] = next
		if number != Fragment {
			h[1] = byte(units)
		}
		next = number
		chain = append(h, chain...)
	}
	out := append(append(append([]byte(nil), ip[:40]...), chain...), ip[40:]...)
	out[6] = next
	n := len(out) - 40
	out[4], out[5] = byte(n>>8), byte(n)
	return out
}

func TestSegmentsWithoutBytesAreTruncated(t *testing.T) {
	var p Packet
	for _, segs := range []Segments{nil, {}, {nil, nil}, {{0x45}}, {{0x45}, {0}}} {
		require.ErrorIs(t, p.DecodeSegments(segs, LinkRaw), ErrTruncated)
	}
	require.Zero(t, Segments{nil, {}}.Len())
}

func TestDecodeAndAccessorsDoNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	var packets []Segments
	for range 50 {
		build := randomPacket(r)
		packets = append(packets, cut(r, build.AppendIP(nil)))
	}
	var p Packet
	p.Conn, p.Env = &Conn{Helper: "ftp"}, &Env{Has: HasCPU}
	schemas := everyField()
	var binders []*Binder
	var keys []rules.Key
	for _, s := range schemas {
		binders, keys = append(binders, NewBinder(s)), append(keys, s.NewKey())
	}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for _, segs := range packets {
			if p.DecodeSegments(segs, LinkRaw) != nil {
				panic("not a packet")
			}
			for i, b := range binders {
				b.Key(&p, keys[i])
			}
			p.Chunk(Chunk{})
			p.Broken()
		}
	}))
}
