package packet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// split cuts an IP packet without fragment header into fragments whose
// payloads end at the given offsets, multiples of 8, and at the packet's end.
// In IPv6 the fragment header goes behind unfragmentable bytes of headers.
func split(data []byte, id uint32, unfragmentable int, ends []int) (out [][]byte) {
	v6 := data[0]>>4 == 6
	head := int(data[0]&15) * 4
	prev := 6
	if v6 {
		head = 40 + unfragmentable
		if unfragmentable > 0 {
			prev = 40 // there is one extension header
		}
	}
	body := data[head:]
	at := 0
	for i := 0; i <= len(ends); i++ {
		end, more := len(body), uint16(0)
		if i < len(ends) {
			end, more = ends[i], 1
		}
		f := append([]byte(nil), data[:head]...)
		if v6 {
			f = append(f, f[prev], 0, byte(at>>8), byte(at)|byte(more))
			f[prev] = Fragment
			f = binary.BigEndian.AppendUint32(f, id)
			binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40+end-at))
		} else {
			binary.BigEndian.PutUint16(f[2:], uint16(head+end-at))
			binary.BigEndian.PutUint16(f[4:], uint16(id))
			binary.BigEndian.PutUint16(f[6:], uint16(at/8)|more<<13)
		}
		out = append(out, append(f, body[at:end]...))
		at = end
	}
	return out
}

// wholeAndFragments builds a random packet and cuts it.
func wholeAndFragments(r *rand.Rand, id uint32) (whole []byte, fragments [][]byte) {
	p := randomPacket(r)
	p.FragOffset, p.MoreFragments, p.Proto, p.Length = 0, false, []uint8{TCP, UDP, 99}[r.IntN(3)], uint32(100+r.IntN(2000))
	x := Extras{ID: uint32(uint16(id)), IPOptions: make([]byte, r.IntN(3)*4)}
	unfragmentable := 0
	if r.IntN(2) == 0 {
		x.ExtHeaders = []ExtHeader{{DestOptions, []byte{1, 4, 0, 0, 0, 0}}}
		unfragmentable = 8
	}
	for range 2000 {
		x.Payload = append(x.Payload, byte(r.IntN(256)))
	}
	x.Payload = x.Payload[:r.IntN(2000)]
	whole = p.AppendIPWith(nil, &x)
	var ends []int
	room := len(whole) - 60
	for at := 24 + 8*r.IntN(20); at < room; at += 8 * (1 + r.IntN(40)) {
		ends = append(ends, at)
	}
	if len(ends) == 0 {
		ends = []int{24}
	}
	return whole, split(whole, id, unfragmentable, ends)
}

func TestFragmentsInAnyOrderMakeThePacketAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	for round := range 100 {
		type piece struct {
			data []byte
			of   int
		}
		var pieces []piece
		var wholes [][]byte
		for i := range 5 { // five packets of different identification, in a jumble
			whole, fragments := wholeAndFragments(r, uint32(round*5+i+1))
			wholes = append(wholes, whole)
			for _, f := range fragments {
				pieces = append(pieces, piece{f, i})
			}
		}
		r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		d := NewDefragmenter(DefragOptions{})
		done := map[int]bool{}
		for _, f := range pieces {
			buf := append([]byte(nil), f.data...)
			p := Packet{Meta: Meta{Mark: 9}}
			require.NoError(t, p.DecodeSegments(cut(r, buf), LinkRaw))
			p.SMAC, p.Has = 5, p.Has|HasSMAC
			fate := d.Add(&p)
			clear(buf) // nothing of it is referred to
			if fate == Held {
				continue
			}
			require.Equal(t, Reassembled, fate)
			require.False(t, done[f.of])
			done[f.of] = true
			require.Equal(t, wholes[f.of], p.Bytes(0, p.Captured(), nil))
			require.EqualValues(t, len(wholes[f.of]), p.Length)
			require.False(t, p.MoreFragments || p.Frag())
			require.EqualValues(t, 5, p.SMAC)
			require.EqualValues(t, 9, p.Mark)
			var want Packet
			require.NoError(t, want.DecodeIP(wholes[f.of]))
			want.SMAC, want.Has, want.Meta = p.SMAC, want.Has|HasSMAC, p.Meta
			want.Detach()
			p.Detach()
			require.Equal(t, want, p)
		}
		require.Len(t, done, 5)
		require.Zero(t, d.Memory())
		require.Zero(t, d.Waiting())
	}
}

// frag is a fragment for the table below: the bytes from at to end.
type frag struct {
	at, end int
	more    bool
	tos     uint8
	df      bool
}

func (f frag) bytes(family uint8) []byte {
	p := Packet{Family: family, Proto: 99, TOS: f.tos, FragOffset: uint16(f.at / 8), Length: uint32(20 + f.end - f.at)}
	if family == 6 {
		p.Length = uint32(48 + f.end - f.at)
	}
	x := Extras{ID: 7}
	for i := f.at; i < f.end; i++ {
		x.Payload = append(x.Payload, byte(i))
	}
	p.MoreFragments = true // a fragment header in IPv6
	b := p.AppendIPWith(nil, &x)
	n := len(b) - (f.end-f.at+7)&^7 + f.end - f.at // AppendIP rounds the length
	b = b[:n]
	if family == 6 {
		binary.BigEndian.PutUint16(b[4:], uint16(n-40))
		if !f.more {
			b[43] &^= 1
		}
		return b
	}
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	if !f.more {
		b[6] &^= 0x20
	}
	if f.df {
		b[6] |= 0x40
	}
	return b
}

// TestOddFragments: what becomes of fragments that contradict each other; the
// order of events was compared with Linux 6.18.
func TestOddFragments(t *testing.T) {
	const h, r, d, n = Held, Reassembled, Discarded, NotFragment
	m := func(at, end int) frag { return frag{at: at, end: end, more: true} }
	l := func(at, end int) frag { return frag{at: at, end: end} }
	tos := func(f frag, tos uint8) frag { f.tos = tos; return f }
	for _, tc := range []struct {
		name      string
		fragments []frag
		v4, v6    []Fate
	}{
		{"in order", []frag{m(0, 16), m(16, 32), l(32, 35)}, []Fate{h, h, r}, []Fate{h, h, r}},
		{"the last one first", []frag{l(32, 35), m(16, 32), m(0, 16)}, []Fate{h, h, r}, []Fate{h, h, r}},
		{"a duplicate", []frag{m(0, 16), m(0, 16), l(16, 20)}, []Fate{h, d, r}, []Fate{h, d, r}},
		{"a part of what is there", []frag{m(0, 16), m(16, 32), m(8, 24), l(32, 40)}, []Fate{h, h, d, r}, []Fate{h, h, d, r}},
		{"an overlap throws all away", []frag{m(0, 16), m(8, 24), l(24, 32), m(16, 24), m(0, 16)}, []Fate{h, d, h, h, r}, []Fate{h, d, h, h, r}},
		{"what spans two runs is an overlap", []frag{m(16, 24), l(32, 40), m(8, 16), m(8, 24), m(0, 8)}, []Fate{h, h, h, d, h}, []Fate{h, h, h, d, h}},
		{"a gap is filled in part by too much", []frag{m(0, 8), m(24, 32), m(8, 32)}, []Fate{h, h, d}, []Fate{h, h, d}},
		{"beyond the end", []frag{l(16, 20), m(24, 32), m(0, 16)}, []Fate{h, d, h}, []Fate{h, d, r}},
		{"two ends", []frag{l(16, 20), l(16, 19), m(0, 16)}, []Fate{h, d, h}, []Fate{h, d, r}},
		{"the end before what is there", []frag{m(16, 32), l(8, 16), m(0, 8)}, []Fate{h, d, h}, []Fate{h, d, h}},
		{"an empty one", []frag{m(0, 16), m(16, 16), l(16, 20)}, []Fate{h, d, h}, []Fate{h, d, r}},
		{"an empty last one leaves its mark in IPv6", []frag{l(16, 16), m(0, 16)}, []Fate{d, h}, []Fate{d, r}},
		{"a length that is no multiple of 8", []frag{m(0, 19), l(16, 20)}, []Fate{h, r}, []Fate{n, h}},
		{"one that is first and last", []frag{l(0, 5)}, []Fate{n}, []Fate{r}},
		{"ECN: one with congestion experienced", []frag{tos(m(0, 8), 2), tos(m(8, 16), 3), tos(l(16, 20), 2)}, []Fate{h, h, r}, []Fate{h, h, r}},
		{"ECN: not capable and capable", []frag{m(0, 8), tos(l(8, 12), 2)}, []Fate{h, d}, []Fate{h, d}},
		{"ECN: not capable and congestion experienced", []frag{tos(m(0, 8), 3), l(8, 12)}, []Fate{h, d}, []Fate{h, d}},
	} {
		for family, want := range map[uint8][]Fate{4: tc.v4, 6: tc.v6} {
			t.Run(fmt.Sprintf("%s, IPv%d", tc.name, family), func(t *testing.T) {
				d := NewDefragmenter(DefragOptions{})
				var got []Fate
				for _, f := range tc.fragments {
					var p Packet
					require.NoError(t, p.DecodeIP(f.bytes(family)))
					got = append(got, d.Add(&p))
					if got[len(got)-1] == Reassembled {
						for i, b := range p.Bytes(p.TransportOffset, p.End-p.TransportOffset, nil) {
							require.EqualValues(t, i, b)
						}
						require.Zero(t, p.exts&ExtFrag)
						if strings.Contains(tc.name, "ECN") {
							require.EqualValues(t, 3, p.ECN())
						}
					}
				}
				require.Equal(t, want, got)
			})
		}
	}
}

func TestDontFragmentStaysWhenTheLongestFragmentHadIt(t *testing.T) {
	for _, tc := range []struct {
		first, last frag
		want        byte
	}{
		{frag{at: 0, end: 16, more: true, df: true}, frag{at: 16, end: 20}, 0x40},
		{frag{at: 0, end: 16, more: true}, frag{at: 16, end: 20, df: true}, 0},
	} {
		d := NewDefragmenter(DefragOptions{})
		var p Packet
		require.NoError(t, p.DecodeIP(tc.first.bytes(4)))
		require.Equal(t, Held, d.Add(&p))
		require.NoError(t, p.DecodeIP(tc.last.bytes(4)))
		require.Equal(t, Reassembled, d.Add(&p))
		require.Equal(t, tc.want, p.Bytes(6, 1, nil)[0])
	}
}

func TestFirstFragmentsWithoutAllHeadersAreLetThrough(t *testing.T) {
	for length, want := range map[uint32]Fate{56: NotFragment, 64: NotFragment, 72: Held} {
		p := Packet{Family: 6, Proto: TCP, MoreFragments: true, Length: 80}
		b := p.AppendIP(nil)[:length]
		binary.BigEndian.PutUint16(b[4:], uint16(length-40))
		require.NoError(t, p.DecodeIP(b))
		require.Equal(t, want, NewDefragmenter(DefragOptions{}).Add(&p), "%d bytes", length)
	}
}

func TestFragmentsWaitForATime(t *testing.T) {
	now := time.Unix(1000, 0)
	d := NewDefragmenter(DefragOptions{Now: func() time.Time { return now }})
	add := func(family uint8, f frag) Fate {
		var p Packet
		require.NoError(t, p.DecodeIP(f.bytes(family)))
		return d.Add(&p)
	}
	for _, family := range []uint8{4, 6} {
		require.Equal(t, Held, add(family, frag{at: 0, end: 16, more: true}))
	}
	now = now.Add(DefaultTimeout4 - 1)
	require.Equal(t, Held, add(4, frag{at: 16, end: 24, more: true}), "the clock runs from the first fragment")
	now = now.Add(1)
	require.Equal(t, Held, add(4, frag{at: 24, end: 32}), "a new packet")
	require.Equal(t, 2, d.Waiting())
	require.Equal(t, Reassembled, add(6, frag{at: 16, end: 24}), "IPv6 waits longer")
	now = now.Add(DefaultTimeout6)
	require.Equal(t, Held, add(6, frag{at: 16, end: 24}))
	require.Equal(t, 1, d.Waiting())
}

func TestFragmentsTakeABoundedAmountOfMemory(t *testing.T) {
	now := time.Unix(1000, 0)
	const most = 100_000
	d := NewDefragmenter(DefragOptions{MaxMemory: most, Now: func() time.Time { return now }})
	p := Packet{Family: 4, Proto: UDP, MoreFragments: true, Length: 1500}
	fates := map[Fate]int{}
	for id := range uint32(2000) {
		var got Packet
		require.NoError(t, got.DecodeIP(p.AppendIPWith(nil, &Extras{ID: id + 1})))
		fates[d.Add(&got)]++
		require.LessOrEqual(t, d.Memory(), most+1500+queueOverhead+fragmentOverhead+60)
	}
	require.Greater(t, fates[Held], 40)
	require.Greater(t, fates[Discarded], 1900)
	now = now.Add(DefaultTimeout4)
	var got Packet
	require.NoError(t, got.DecodeIP(p.AppendIPWith(nil, &Extras{ID: 1})))
	require.Equal(t, Held, d.Add(&got), "room again when the old ones have timed out")
	require.Equal(t, 1, d.Waiting())
}

func TestFragmentsOfDifferentPacketsDoNotMix(t *testing.T) {
	base := Packet{Family: 4, Proto: 99, MoreFragments: true, Length: 40}
	base.Src[3], base.Dst[3] = 1, 2
	other := map[string]func(p *Packet, x *Extras){
		"source":         func(p *Packet, x *Extras) { p.Src[3] = 9 },
		"destination":    func(p *Packet, x *Extras) { p.Dst[3] = 9 },
		"identification": func(p *Packet, x *Extras) { x.ID = 9 },
		"protocol":       func(p *Packet, x *Extras) { p.Proto = 98 },
	}
	for name, change := range other {
		for _, family := range []uint8{4, 6} {
			d := NewDefragmenter(DefragOptions{})
			first, x := base, Extras{ID: 1}
			first.Family = family
			first.Length += 28 * uint32(family-4) / 2
			last := first
			last.FragOffset, last.MoreFragments = uint16(int(first.Length)-20-28*int(family-4)/2+7)/8, false
			change(&last, &x)
			var p Packet
			require.NoError(t, p.DecodeIP(first.AppendIPWith(nil, &Extras{ID: 1})))
			require.Equal(t, Held, d.Add(&p))
			require.NoError(t, p.DecodeIP(last.AppendIPWith(nil, &x)))
			want := Held
			if family == 6 && name == "protocol" {
				want = Reassembled // the first fragment's counts
			}
			require.Equal(t, want, d.Add(&p), "%s, IPv%d", name, family)
		}
	}
	t.Run("interface of link-local destinations", func(t *testing.T) {
		for dst, want := range map[uint32]Fate{0xfe800000: Held, 0xff020000: Held, 0x20010db8: Reassembled} {
			d := NewDefragmenter(DefragOptions{})
			for i, in := range []string{"eth0", "eth1"} {
				p := Packet{Family: 6, Proto: 99, MoreFragments: i == 0, FragOffset: uint16(i), Length: 56}
				p.Dst[0] = dst
				var got Packet
				require.NoError(t, got.DecodeIP(p.AppendIPWith(nil, &Extras{ID: 1})))
				got.InIface = rules.NameValue(in)
				fate := d.Add(&got)
				if i == 1 {
					require.Equal(t, want, fate, "%x", dst)
				}
			}
		}
	})
}

func TestPacketsThatAreNoFragmentsPass(t *testing.T) {
	d := NewDefragmenter(DefragOptions{Now: func() time.Time { panic("the clock is not asked") }})
	var p Packet
	for _, text := range []string{frame4, frame6} {
		require.NoError(t, p.DecodeEthernet(raw(t, text)))
		require.Zero(t, testing.AllocsPerRun(10, func() { require.Equal(t, NotFragment, d.Add(&p)) }))
	}
	d = NewDefragmenter(DefragOptions{})
	require.Equal(t, Discarded, d.Add(&Packet{Family: 4, FragOffset: 1}), "without bytes")
	require.NoError(t, p.DecodeIP(frag{at: 0, end: 16, more: true}.bytes(4)[:30]))
	require.Equal(t, Discarded, d.Add(&p), "not wholly captured")
	require.Equal(t, "reassembled", Reassembled.String())
}

// FuzzDefragment builds fragments from the bytes of a program, five bytes each,
// damages some, and holds what comes out to what went in.
func FuzzDefragment(f *testing.F) {
	f.Add([]byte{0, 0, 2, 1, 0, 0, 2, 2, 1, 0, 0, 4, 1, 0, 0})
	f.Add([]byte{1, 2, 2, 0, 0, 1, 0, 2, 1, 0, 1, 1, 2, 1, 0})
	r := rand.New(rand.NewPCG(51, 52))
	for range 20 {
		program := make([]byte, 60)
		for i := range program {
			program[i] = byte(r.IntN(6))
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) { checkDefragment(t, program) })
}

func checkDefragment(t *testing.T, program []byte) {
	now := time.Unix(0, 0)
	const most = 10_000
	d := NewDefragmenter(DefragOptions{MaxMemory: most, Now: func() time.Time { return now }})
	for ; len(program) >= 5; program = program[5:] {
		family := uint8(4 + program[0]&1*2)
		fr := frag{at: int(program[1]) * 8, end: int(program[1])*8 + int(program[2]), more: program[3]&1 != 0, tos: program[3] >> 1 & 3, df: program[3]&8 != 0}
		data := fr.bytes(family)
		if program[4] >= 128 {
			data[int(program[4]-128)%len(data)] ^= program[0]
		}
		now = now.Add(time.Duration(program[4]&7) * time.Second)
		var p Packet
		if p.DecodeIP(data) != nil {
			continue
		}
		fate := d.Add(&p)
		require.LessOrEqual(t, d.Memory(), most+len(data)+queueOverhead+fragmentOverhead+60)
		require.GreaterOrEqual(t, d.Memory(), 0)
		require.Equal(t, d.Waiting() == 0, d.Memory() == 0)
		if fate == Reassembled {
			everything(t, &p)
			require.EqualValues(t, p.Captured(), p.Length)
			require.False(t, p.Family == 4 && (p.MoreFragments || p.Frag()))
		}
	}
	now = now.Add(time.Hour)
	var p Packet
	require.NoError(t, p.DecodeIP(frag{at: 8, end: 16, more: true}.bytes(4)))
	require.Equal(t, Held, d.Add(&p))
	require.Equal(t, 1, d.Waiting())
}

func TestRandomProgramsOfFragments(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	for range 2000 {
		program := make([]byte, 5*(1+r.IntN(20)))
		for i := range program {
			program[i] = byte(r.IntN(8))
			if i%5 == 2 {
				program[i] = byte(8 * r.IntN(4))
			}
			if i%5 == 4 && r.IntN(4) == 0 {
				program[i] = byte(r.IntN(256))
			}
		}
		checkDefragment(t, program)
	}
}
