//go:build linux

package kernel

// Defragmentation: with conntrack in the namespace the kernel makes packets of
// fragments before its rules see them. Sequences of fragments, in order and
// not, some of them duplicated, overlapping, empty or with another end, must
// come out behind the same fragment as from packet.Defragmenter, with the same
// length, ECN and "don't fragment" bit.

import (
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
