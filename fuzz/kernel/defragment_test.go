//go:build linux

package kernel

// Defragmentation: with conntrack in the namespace the kernel makes packets of
// fragments before its rules see them. Sequences of fragments, in order and
// not, some of them duplicated, overlapping, empty or with another end, must
// come out behind the same fragment as from packet.Defragmenter, with the same
// length, ECN and "don't fragment" bit.

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

func TestDefragmenterDoesAsTheKernel(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			w := newWorld(t, family)
			last := "-m u32 --u32 4&0x4000=0x4000"
			if family == 6 {
				last = "-m frag"
			}
			text := "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING\n-A PREROUTING -m tos --tos 1/3\n-A PREROUTING -m tos --tos 3/3\n" +
				"-A PREROUTING " + last + "\n-A OUTPUT -m conntrack --ctstate NEW\nCOMMIT\n"
			if _, err := tryRun(text, w.tool()+"-restore"); err != nil {
				t.Skipf("needs conntrack: %v", err)
			}
			if family == 4 { // which is not modelled
				if err := os.WriteFile("/proc/sys/net/ipv4/ipfrag_max_dist", []byte("0"), 0); err != nil {
					t.Skip(err)
				}
			}
			compareDefragmenters(t, w)
		})
	}
}

func compareDefragmenters(t *testing.T, w *world) {
	r := rand.New(rand.NewPCG(*seed, uint64(w.family)))
	table := openTable(t, w.family, "raw")
	chain := table.find("PREROUTING")
	var before, after [][]count
	before = table.read(t, before)
	d := packet.NewDefragmenter(packet.DefragOptions{MaxMemory: 1 << 30})
	fates := map[packet.Fate]int{}
	for id := range uint32(2500) {
		var story strings.Builder
		for _, data := range oddFragments(r, w.family, id+1) {
			var p packet.Packet
			require.NoError(t, p.DecodeIP(data))
			fate := d.Add(&p)
			fates[fate]++
			var want [4]count
			if fate == packet.NotFragment || fate == packet.Reassembled {
				_, fragment := p.FragmentHeader()
				marked := p.Family == 4 && p.Bytes(6, 1, nil)[0]&0x40 != 0 || p.Family == 6 && fragment
				for i, hit := range []bool{true, p.ECN() == 1, p.ECN() == 3, marked} {
					if hit {
						want[i] = count{1, uint64(p.Length)}
					}
				}
			}
			_, err := syscall.Write(w.in, data)
			require.NoError(t, err)
			after = table.read(t, after)
			var got [4]count
			for i := range got {
				a, b := after[chain][i], before[chain][i]
				got[i] = count{a.packets - b.packets, a.bytes - b.bytes}
			}
			before, after = after, before
			fmt.Fprintf(&story, "%x %v, kernel %v\n", data, fate, got)
			require.Equal(t, want, got, "packet %d:\n%s", id+1, &story)
		}
	}
	t.Log(fates)
	for _, fate := range []packet.Fate{packet.NotFragment, packet.Held, packet.Reassembled, packet.Discarded} {
		require.Greater(t, fates[fate], 100, "%v", fate)
	}
}

// oddFragments are the fragments of one packet of 24 to 100 bytes, and
// sometimes others that do not fit in.
func oddFragments(r *rand.Rand, family int, id uint32) (list [][]byte) {
	type fragment struct {
		at, end  int
		more     bool
		tos      uint8
		df, long bool // long: with options
	}
	size := []int{24, 40, 48, 64, 100}[r.IntN(5)]
	tos := []uint8{0, 0, 1, 2, 3}[r.IntN(5)]
	var fs []fragment
	for at := 0; at < size; {
		end := min(at+8*(1+r.IntN(4)), size)
		f := fragment{at, end, end < size, tos, r.IntN(2) == 0, r.IntN(4) == 0}
		if r.IntN(6) == 0 {
			f.tos = uint8(r.IntN(4))
		}
		fs = append(fs, f)
		at = end
	}
	if r.IntN(2) == 0 {
		r.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
	}
	for range []int{0, 0, 0, 1, 1, 2, 3}[r.IntN(7)] {
		f := fs[r.IntN(len(fs))]
		switch r.IntN(7) {
		case 0:
			f.at += 8
		case 1:
			f.end -= r.IntN(9)
		case 2:
			f.more = !f.more
		case 3:
			f.end += 8
		case 4:
			f.at = max(0, f.at-8)
		case 5:
			f.end = f.at
		}
		f.end = max(f.end, f.at)
		i := r.IntN(len(fs) + 1)
		fs = append(fs[:i], append([]fragment{f}, fs[i:]...)...)
	}
	proto := []uint8{packet.UDP, packet.TCP, 99}[r.IntN(3)]
	for _, f := range fs {
		var b []byte
		off := uint16(f.at)
		if family == 4 {
			b = []byte{0x45, f.tos, 0, 0, byte(id >> 8), byte(id), 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
			if f.long {
				b[0] = 0x46
				b = append(b, 1, 1, 1, 1)
			}
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)+f.end-f.at))
			off /= 8
			if f.more {
				off |= 0x2000
			}
			if f.df {
				off |= 0x4000
			}
			binary.BigEndian.PutUint16(b[6:], off)
			binary.BigEndian.PutUint16(b[10:], checksum(b))
		} else {
			b = make([]byte, 40)
			b[0], b[1], b[6], b[7] = 0x60, f.tos<<4, packet.Fragment, 64
			copy(b[8:], []byte{0x20, 1, 0xd, 0xb8, 15: 1})
			copy(b[24:], []byte{0x20, 1, 0xd, 0xb8, 15: 2})
			if f.long {
				b[6] = packet.DestOptions
				b = append(b, packet.Fragment, 0, 1, 4, 0, 0, 0, 0)
			}
			if f.more {
				off |= 1
			}
			b = append(b, proto, 0, byte(off>>8), byte(off))
			b = binary.BigEndian.AppendUint32(b, id)
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40+f.end-f.at))
		}
		for i := f.at; i < f.end; i++ {
			b = append(b, byte(i))
		}
		list = append(list, b)
	}
	return list
}
