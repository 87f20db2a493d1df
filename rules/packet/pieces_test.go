package packet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/decode"
)

// keysOf returns the keys of a packet in schemas that have every field between
// them, but for what the link layer says.
func keysOf(t *testing.T, p *Packet) (out [][]uint32) {
	t.Helper()
	for _, s := range everyField() {
		k := s.NewKey()
		require.True(t, NewBinder(s).Key(p, k))
		for i := range s.Len() {
			switch s.Field(i).Name {
			case "smac", "dmac", "pkttype", "vlan", "eui64":
				s.SetAbsent(k, i)
			}
		}
		out = append(out, k)
	}
	return out
}

// A packet is the same wherever it begins in its bytes, in one piece or several,
// in a Packet that held another one, and as a copy.
func TestFieldsAreTheSameWhereverThePacketBegins(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	var behind, pieces Packet
	for range 3000 {
		data := decode.Draw(r)
		var p Packet
		if p.DecodeIP(data) != nil {
			continue
		}
		want := keysOf(t, &p)
		frame := append(raw(t, "0a0000000002 0a0000000001 8100 0007 "+map[byte]string{4: "0800", 6: "86dd"}[data[0]>>4]), data...)
		require.NoError(t, behind.DecodeEthernet(frame))
		require.Equal(t, want, keysOf(t, &behind), "%x", data)
		require.Equal(t, p.Broken(), behind.Broken())
		require.Equal(t, p.MaybeBroken(), behind.MaybeBroken())
		require.Equal(t, p.PortsLost(), behind.PortsLost())
		require.Equal(t, p.HeaderOffset(), behind.HeaderOffset())

		segs := cut(r, frame)
		if r.IntN(3) == 0 {
			segs = Segments{frame[:18], frame[18:]} // the link header is a piece
		}
		require.NoError(t, pieces.DecodeSegments(segs, LinkEthernet))
		require.Equal(t, outlineOf(&behind), outlineOf(&pieces), "%x", data)
		require.Equal(t, want, keysOf(t, &pieces), "%x", data)
		require.NotEmpty(t, pieces.Piece(0))

		buf := make([]byte, 0, r.IntN(2*len(data)))
		var all []byte
		for at := 0; at < pieces.Captured(); at += len(pieces.Piece(at)) {
			all = append(all, pieces.Piece(at)...)
		}
		require.Equal(t, p.Captured(), pieces.Captured())
		require.Equal(t, data[:p.End], all)
		require.Equal(t, all, pieces.Rewrite(buf))
		require.Equal(t, want, keysOf(t, &pieces))
		require.Equal(t, pieces.Captured(), len(pieces.Piece(0)), "a copy is one piece")
	}
}

func TestACopyThatHasGrownTakesThePlaceOfThePacket(t *testing.T) {
	var p Packet
	require.NoError(t, p.DecodeEthernet(raw(t, frame4)))
	b := p.Rewrite(nil)
	require.Len(t, b, 40)
	require.Equal(t, 40, cap(b[:40:40]))
	p.Replace(append(b, 1, 2, 3))
	require.Equal(t, 43, p.Captured())
	require.Equal(t, p.NetOffset+43, p.End)
	require.Equal(t, []byte{1, 2, 3}, p.Bytes(40, 3, nil))
	p.Replace(b[:24])
	require.Equal(t, 24, p.Captured())
	require.Nil(t, p.Bytes(24, 1, nil))
	p.Detach()
	require.Nil(t, p.Rewrite(nil))
	require.Zero(t, p.HeaderOffset())
}

func TestFixedHeadersOfEveryTypeOfDCCP(t *testing.T) {
	more := [16]int{4, 12, 0, 8, 8, 8, 8, 12, 8, 8, 12, 12, 12, 12, 12, 12} // RFC 4340, 5.2 to 5.8; the rest as the kernel has it
	for typ, n := range more {
		for long := range 2 {
			fixed := 12 + 4*long + n
			require.Equal(t, fixed, dccpFixed(uint8(typ<<1|long)))
			for words := range 20 {
				for total := 12; total <= 80; total += 4 { // of the packet behind the IP header
					p := Packet{Family: 4, Proto: 99, Length: uint32(20 + total)}
					data := p.AppendEthernet(nil)
					data[14+9] = DCCP
					h := data[34:]
					h[4], h[8] = uint8(words), uint8(typ<<1|long)
					for i := fixed; i < total; i++ {
						h[i] = 1 // an option without length
					}
					var q Packet
					require.NoError(t, q.DecodeEthernet(data))
					got, s := q.DCCPType()
					require.Equal(t, Found, s)
					require.EqualValues(t, typ, got)
					set, s := q.DCCPOptions()
					options := 4*words - fixed
					switch {
					case options < 0 || options > 0 && 4*words > total:
						require.Equal(t, Short, s, "type %d, %d words of %d bytes", typ, words, total)
						require.NotZero(t, q.Broken()&BrokenDCCPOptions)
					default:
						require.Equal(t, Found, s)
						require.Equal(t, options > 0, set.Has(1))
						require.Zero(t, q.Broken())
					}
				}
			}
		}
	}
}

func TestSegmentsAreGatheredFromAnyOffset(t *testing.T) {
	r := rand.New(rand.NewPCG(93, 94))
	for range 300 {
		data := make([]byte, r.IntN(100))
		for i := range data {
			data[i] = byte(i)
		}
		segs := cut(r, data)
		require.Equal(t, len(data), segs.Len())
		for at := range len(data) + 2 {
			for _, n := range []int{0, 1, 2, 7, 200} {
				buf := make([]byte, n)
				got := segs.gather(at, buf)
				require.Equal(t, min(n, max(len(data)-at, 0)), got)
				require.Equal(t, append([]byte{}, data[min(at, len(data)):][:got]...), buf[:got])
			}
		}
	}
}

func TestSegmentsOfOptionsThatEndWithTheHeader(t *testing.T) {
	// TCP headers of every length, with the maximum segment size as the last option.
	for words := 6; words <= 15; words++ {
		p := Packet{Family: 4, Proto: TCP, Length: uint32(20 + 4*words)}
		data := p.AppendEthernet(nil)
		h := data[34:]
		h[12] = uint8(words) << 4
		for i := 20; i < 4*words-4; i++ {
			h[i] = 1
		}
		copy(h[4*words-4:], []byte{2, 4, 0x12, 0x34})
		var q Packet
		require.NoError(t, q.DecodeEthernet(data))
		mss, s := q.MSS()
		require.Equal(t, Found, s)
		require.EqualValues(t, 0x1234, mss)
		for beyond := range 4 { // the packet ends within the options
			binary.BigEndian.PutUint16(data[16:], uint16(20+4*words-1-beyond))
			require.NoError(t, q.DecodeEthernet(data))
			_, s = q.MSS()
			require.Equal(t, Short, s)
			_, s = q.TCPOptions()
			require.Equal(t, Short, s)
		}
	}
}
