package packet

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// placeSlowly is place by its description: runs in any order, a byte at a time.
func placeSlowly(runs []fragRun, at, end int) ([]fragRun, placing) {
	last := -1 // the run that ends last
	for i, r := range runs {
		if last < 0 || r.end > runs[last].end {
			last = i
		}
	}
	if last >= 0 && at == runs[last].end { // in order
		runs = slices.Clone(runs)
		runs[last].end = end
		return runs, placed
	}
	for _, r := range runs {
		inside := 0
		for x := at; x < end; x++ {
			if r.at <= x && x < r.end {
				inside++
			}
		}
		switch {
		case inside == end-at:
			return runs, duplicate
		case inside > 0:
			return runs, overlap
		}
	}
	return append(slices.Clone(runs), fragRun{at, end}), placed
}

func TestFragmentsArePlacedInRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(101, 102))
	counts := map[placing]int{}
	for range 3000 {
		var q fragQueue
		var runs []fragRun
		end := 8*r.IntN(12) + 1 + r.IntN(8) // of the whole: the last fragment may be odd, and of one byte
		for range 20 {
			at := 8 * r.IntN(end/8+1)
			to := min(at+8*(1+r.IntN(4)), end)
			if to <= at {
				continue
			}
			var want placing
			runs, want = placeSlowly(runs, at, to)
			require.Equal(t, want, q.place(at, to), "%d to %d beside %v", at, to, runs)
			counts[want]++
			slices.SortFunc(runs, func(a, b fragRun) int { return a.at - b.at })
			require.Equal(t, runs, q.runs)
		}
	}
	require.Len(t, counts, 3)
}

func TestADefragmenterHasTheLimitsThatItIsGiven(t *testing.T) {
	d := NewDefragmenter(DefragOptions{})
	require.Equal(t, DefaultTimeout4, d.opts.Timeout4)
	require.Equal(t, DefaultTimeout6, d.opts.Timeout6)
	require.Equal(t, DefaultMaxMemory, d.opts.MaxMemory)
	d = NewDefragmenter(DefragOptions{Timeout4: 1, Timeout6: 1, MaxMemory: 1})
	require.Equal(t, []any{time.Duration(1), time.Duration(1), 1}, []any{d.opts.Timeout4, d.opts.Timeout6, d.opts.MaxMemory})
	d = NewDefragmenter(DefragOptions{Timeout4: -1, Timeout6: -1, MaxMemory: -1})
	require.Equal(t, []any{DefaultTimeout4, DefaultTimeout6, DefaultMaxMemory}, []any{d.opts.Timeout4, d.opts.Timeout6, d.opts.MaxMemory})
}

// addAll gives fragments of a payload, cut at the ends, to a Defragmenter, and
// returns the fate of the last one.
func addAll(t *testing.T, family uint8, df []bool, ends ...int) (p Packet, fate Fate) {
	t.Helper()
	d := NewDefragmenter(DefragOptions{})
	at := 0
	for i, end := range ends {
		f := Packet{Family: family, Proto: 99, FragOffset: uint16(at / 8), MoreFragments: i < len(ends)-1}
		f.Length = uint32(map[uint8]int{4: 20, 6: 48}[family] + end - at)
		data := f.AppendIP(nil)
		if df != nil && df[i] {
			data[6] |= 0x40
		}
		require.NoError(t, p.DecodeIP(data))
		if fate = d.Add(&p); i < len(ends)-1 {
			require.Equal(t, Held, fate)
		}
		at = end
	}
	if fate == Reassembled {
		require.Zero(t, d.Memory())
	}
	return p, fate
}

func TestTheLongestPacketThatFragmentsMake(t *testing.T) {
	p, fate := addAll(t, 4, nil, 32768, 65535-20)
	require.Equal(t, Reassembled, fate)
	require.EqualValues(t, 65535, p.Length)
	_, fate = addAll(t, 4, nil, 32768, 65536-20)
	require.Equal(t, Discarded, fate)
	p, fate = addAll(t, 6, nil, 32768, 65535)
	require.Equal(t, Reassembled, fate)
	require.EqualValues(t, 65535+40, p.Length)
	_, fate = addAll(t, 6, nil, 32768, 65536)
	require.Equal(t, Discarded, fate)
}

func TestOffsetsOfFragmentsAreNoFlags(t *testing.T) {
	for _, at := range []int{2048, 4096, 8192, 16384} { // bits of the byte that has "don't fragment"
		for _, end := range []int{2*at - 8, 2*at + 8} { // the one is longer or the other
			p, fate := addAll(t, 4, nil, at, end)
			require.Equal(t, Reassembled, fate)
			require.Zero(t, p.Bytes(6, 1, nil)[0])
		}
		p, fate := addAll(t, 4, []bool{true, false}, at, 2*at-8)
		require.Equal(t, Reassembled, fate)
		require.EqualValues(t, 0x40, p.Bytes(6, 1, nil)[0], "the longest fragment had it")
		p, fate = addAll(t, 4, []bool{false, true}, at, 2*at-8)
		require.Equal(t, Reassembled, fate)
		require.Zero(t, p.Bytes(6, 1, nil)[0])
	}
}

func TestFirstFragmentsOfEveryLengthBelowTheirHeaders(t *testing.T) {
	for _, c := range []struct {
		proto uint8
		least int
	}{{TCP, 20}, {UDP, 8}, {ICMPv6, 8}, {SCTP, 1}, {99, 1}, {noNext, 0}} {
		for n := range 32 {
			data := append(raw(t, ip6("0000", "2c")), append([]byte{c.proto, 0, 0, 1, 0, 0, 0, 1}, make([]byte, n)...)...)
			data[5] = byte(8 + n)
			var p Packet
			require.NoError(t, p.DecodeIP(data))
			fate := NewDefragmenter(DefragOptions{}).Add(&p)
			switch {
			case n < c.least:
				require.Equal(t, NotFragment, fate, "protocol %d, %d bytes", c.proto, n)
			case n == 0:
				require.Equal(t, Discarded, fate, "protocol %d, %d bytes", c.proto, n)
			case n%8 != 0:
				require.Equal(t, NotFragment, fate, "protocol %d, %d bytes", c.proto, n)
			default:
				require.Equal(t, Held, fate, "protocol %d, %d bytes", c.proto, n)
			}
		}
	}
}

func TestFragmentsOfIPv6ThatCannotBeReadFarEnough(t *testing.T) {
	fate := func(d *Defragmenter, data []byte) Fate {
		var p Packet
		require.NoError(t, p.DecodeIP(data))
		return d.Add(&p)
	}
	d := NewDefragmenter(DefragOptions{})
	for n := 4; n < 8; n++ { // of the fragment header
		data := append(raw(t, ip6("0000", "2c")), []byte{99, 0, 0, 9, 0, 0, 0, 1}[:n]...)
		data[5] = byte(n)
		require.Equal(t, Discarded, fate(d, data))
	}
	require.Equal(t, NotFragment, fate(d, raw(t, ip6("0000", "00")+"2c00 c204 00010000 6300 0001 00000001 0000*4")), "a jumbogram")
	require.Zero(t, d.Waiting())
	// A chain that goes on beyond the first fragment is not looked at further.
	require.Equal(t, Held, fate(d, raw(t, ip6("0010", "2c")+"3c00 0001 00000001 3c01 000000000000")))
	require.Equal(t, 1, d.Waiting())

	// What would end beyond 65535 is thrown away alone; the others wait.
	d = NewDefragmenter(DefragOptions{})
	first := Packet{Family: 6, Proto: 99, MoreFragments: true, Length: 48 + 32768}
	require.Equal(t, Held, fate(d, first.AppendIP(nil)))
	last := Packet{Family: 6, Proto: 99, FragOffset: 32768 / 8, Length: 48 + 32768}
	require.Equal(t, Discarded, fate(d, last.AppendIP(nil)))
	require.Equal(t, 1, d.Waiting())

	// A whole that has more extension headers than a packet may.
	d = NewDefragmenter(DefragOptions{})
	var chain []byte
	for range MaxExtHeaders + 1 {
		chain = append(chain, DestOptions, 0, 0, 0, 0, 0, 0, 0)
	}
	for at := 0; at < len(chain); at += 264 {
		more, want := byte(1), Held
		if at+264 >= len(chain) {
			more, want = 0, Discarded
		}
		data := append(raw(t, ip6("0000", "2c")), DestOptions, 0, byte(at>>8), byte(at)|more, 0, 0, 0, 5)
		data = append(data, chain[at:min(at+264, len(chain))]...)
		data[4], data[5] = byte((len(data)-40)>>8), byte(len(data)-40)
		require.Equal(t, want, fate(d, data), "at %d", at)
	}
	require.Zero(t, d.Waiting())
}
