//go:build linux

package kernel

// What packet.Packet reads on demand - options, extension headers, indices -
// and which matches drop a packet with a broken header: random packets with
// headers that are cut, too long or contradictory, one match at a time. This
// judges the packet's accessors alone, without a rule set of ours.

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

// answer is what a match says of a packet.
type answer uint8

const (
	misses answer = iota
	holds
	drops
	unseen // the kernel threw the packet away before its rules
)

func (a answer) String() string { return [...]string{"misses", "holds", "drops", "unseen"}[a] }

// reading is a match, and the answer that the packet's accessors give.
type reading struct {
	family int // 4, 6, or 0 for both
	text   string
	proto  uint8         // of -p, 0 without
	broken packet.Broken // bits of packets that are dropped
	holds  func(p *packet.Packet) bool
}

func (r *reading) answer(p *packet.Packet) answer {
	broken := p.Broken()
	if r.proto != 0 {
		if broken&packet.BrokenProto != 0 {
			return drops
		}
		if p.Has&packet.HasProto == 0 || p.Proto != r.proto {
			return misses
		}
	}
	if broken&r.broken != 0 {
		return drops
	}
	if r.holds(p) {
		return holds
	}
	return misses
}

func found[V any](get func(p *packet.Packet) (V, packet.Status), is func(v V) bool) func(p *packet.Packet) bool {
	return func(p *packet.Packet) bool { v, s := get(p); return s == packet.Found && is(v) }
}

func present[V any](get func(p *packet.Packet) (V, bool), is func(v V) bool) func(p *packet.Packet) bool {
	return func(p *packet.Packet) bool { v, ok := get(p); return ok && is(v) }
}

func hasKind(get func(p *packet.Packet) (packet.OptionSet, packet.Status), kind uint8) func(p *packet.Packet) bool {
	return found(get, func(s packet.OptionSet) bool { return s.Has(kind) })
}

// lowPort holds for destination ports, or either port, up to 1000.
func lowPort(either bool) func(p *packet.Packet) bool {
	return func(p *packet.Packet) bool {
		if p.FragOffset != 0 {
			return false
		}
		b := p.Bytes(p.HeaderOffset(), 4, make([]byte, 4))
		return b != nil && (binary.BigEndian.Uint16(b[2:]) <= 1000 || either && binary.BigEndian.Uint16(b) <= 1000)
	}
}

func optionsLength(number uint8, is func(n int) bool) func(p *packet.Packet) bool {
	return func(p *packet.Packet) bool { _, n, ok := p.OptionsHeader(number); return ok && is(n) }
}

func headers(is func(set uint8) bool) func(p *packet.Packet) bool {
	return present((*packet.Packet).ExtHeaderSet, is)
}

func segment(which int, upperHalf bool) func(p *packet.Packet) bool {
	return func(p *packet.Packet) bool {
		r, ok := p.SegmentRouting()
		if !ok {
			return false
		}
		a, ok := p.SID(r, which)
		return ok && a[0]>>31 == 1 == upperHalf
	}
}

// tag is a segment routing tag as the match compares it: in the machine's order.
func tag(r packet.SegmentRouting) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], r.Tag)
	return binary.NativeEndian.Uint16(b[:])
}

var readings = []reading{
	{0, "-p tcp -m tcp --dport 0:1000", packet.TCP, packet.BrokenTCP, lowPort(false)},
	{0, "-p tcp -m tcp --tcp-option 2", packet.TCP, packet.BrokenTCP | packet.BrokenTCPOptions, hasKind((*packet.Packet).TCPOptions, 2)},
	{0, "-p tcp -m tcp --tcp-option 1", packet.TCP, packet.BrokenTCP | packet.BrokenTCPOptions, hasKind((*packet.Packet).TCPOptions, 1)},
	{0, "-p tcp -m tcp --tcp-option 5", packet.TCP, packet.BrokenTCP | packet.BrokenTCPOptions, hasKind((*packet.Packet).TCPOptions, 5)},
	{0, "-p tcp -m tcpmss --mss 1000:2000", packet.TCP, packet.BrokenMSS, found((*packet.Packet).MSS, func(v uint16) bool { return v >= 1000 && v <= 2000 })},
	{0, "-p tcp -m tcpmss ! --mss 0:65535", packet.TCP, packet.BrokenMSS, func(p *packet.Packet) bool { _, s := p.MSS(); return s == packet.Absent }},
	{0, "-p tcp -m ecn --ecn-tcp-cwr", packet.TCP, 0, present((*packet.Packet).ECNFlags, func(v uint8) bool { return v&0x80 != 0 })},
	{0, "-p tcp -m ecn ! --ecn-tcp-ece", packet.TCP, 0, present((*packet.Packet).ECNFlags, func(v uint8) bool { return v&0x40 == 0 })},
	{0, "-p udp -m udp --dport 0:1000", packet.UDP, packet.BrokenUDP, lowPort(false)},
	{0, "-p tcp -m multiport --dports 0:1000", packet.TCP, packet.BrokenPorts, lowPort(false)},
	{0, "-p dccp -m multiport --ports 0:1000", packet.DCCP, packet.BrokenPorts, lowPort(true)},
	{0, "-p sctp -m sctp --dport 0:1000", packet.SCTP, packet.BrokenSCTP, lowPort(false)},
	{0, "-p dccp -m dccp --dport 0:1000", packet.DCCP, packet.BrokenDCCP, lowPort(false)},
	{0, "-p dccp -m dccp --dccp-types REQUEST,DATA,SYNC", packet.DCCP, packet.BrokenDCCP, found((*packet.Packet).DCCPType, func(v uint8) bool { return v == 0 || v == 2 || v == 8 })},
	{0, "-p dccp -m dccp --dccp-option 2", packet.DCCP, packet.BrokenDCCP | packet.BrokenDCCPOptions, hasKind((*packet.Packet).DCCPOptions, 2)},
	{4, "-p icmp -m icmp --icmp-type 3", packet.ICMP, packet.BrokenICMP, func(p *packet.Packet) bool { return p.Has&packet.HasICMP != 0 && p.ICMPType == 3 }},
	{6, "-p icmpv6 -m icmp6 --icmpv6-type 3", packet.ICMPv6, packet.BrokenICMP, func(p *packet.Packet) bool { return p.Has&packet.HasICMP != 0 && p.ICMPType == 3 }},
	{4, "-p ah -m ah --ahspi 0:0x02000000", packet.AH, packet.BrokenAH, found((*packet.Packet).Auth, func(a packet.Auth) bool { return a.SPI <= 0x02000000 })},
	{6, "-m ah --ahspi 0:0x02000000", 0, packet.BrokenAH, found((*packet.Packet).Auth, func(a packet.Auth) bool { return a.SPI <= 0x02000000 })},
	{6, "-m ah --ahlen 12", 0, packet.BrokenAH, found((*packet.Packet).Auth, func(a packet.Auth) bool { return (int(a.Length)+2)*4 == 12 })},
	{6, "-m ah --ahres", 0, packet.BrokenAH, found((*packet.Packet).Auth, func(a packet.Auth) bool { return a.Reserved == 0 })},
	{0, "-p esp -m esp --espspi 0:0x02000000", packet.ESP, packet.BrokenESP, found((*packet.Packet).ESPSPI, func(v uint32) bool { return v <= 0x02000000 })},
	{0, "-p ipcomp -m ipcomp --ipcompspi 0:0x0200", packet.IPComp, packet.BrokenIPComp, found((*packet.Packet).CPI, func(v uint16) bool { return v <= 0x0200 })},
	{6, "-m frag --fragid 0:0x01020380", 0, packet.BrokenFrag, present((*packet.Packet).FragmentHeader, func(f packet.FragmentHeader) bool { return f.ID <= 0x01020380 })},
	{6, "-m frag --fragres", 0, packet.BrokenFrag, present((*packet.Packet).FragmentHeader, func(f packet.FragmentHeader) bool { return f.Reserved == 0 })},
	{6, "-m frag --fragfirst", 0, packet.BrokenFrag, present((*packet.Packet).FragmentHeader, func(f packet.FragmentHeader) bool { return f.Offset == 0 })},
	{6, "-m frag --fragmore", 0, packet.BrokenFrag, present((*packet.Packet).FragmentHeader, func(f packet.FragmentHeader) bool { return f.More })},
	{6, "-m rt --rt-type 2", 0, packet.BrokenRouting, present((*packet.Packet).RoutingHeader, func(r packet.RoutingHeader) bool { return r.Type == 2 })},
	{6, "-m rt --rt-segsleft 0:2", 0, packet.BrokenRouting, present((*packet.Packet).RoutingHeader, func(r packet.RoutingHeader) bool { return r.SegsLeft <= 2 })},
	{6, "-m rt --rt-len 16", 0, packet.BrokenRouting, present((*packet.Packet).RoutingHeader, func(r packet.RoutingHeader) bool { return r.Length == 16 })},
	{6, "-m hbh --hbh-len 16", 0, packet.BrokenHopByHop, optionsLength(packet.HopByHop, func(n int) bool { return n == 16 })},
	{6, "-m hbh ! --hbh-len 16", 0, packet.BrokenHopByHop, optionsLength(packet.HopByHop, func(n int) bool { return n != 16 })},
	{6, "-m dst --dst-len 16", 0, packet.BrokenDestOptions, optionsLength(packet.DestOptions, func(n int) bool { return n == 16 })},
	{6, "-m dst ! --dst-len 16", 0, packet.BrokenDestOptions, optionsLength(packet.DestOptions, func(n int) bool { return n != 16 })},
	{6, "-m ipv6header --header prot --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtProt != 0 })},
	{6, "-m ipv6header --header none --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtNone != 0 })},
	{6, "-m ipv6header --header esp --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtESP != 0 })},
	{6, "-m ipv6header --header auth --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtAuth != 0 })},
	{6, "-m ipv6header --header frag,route,prot", 0, 0, headers(func(s uint8) bool { return s == packet.ExtFrag|packet.ExtRoute|packet.ExtProt })},
	{6, "-m ipv6header ! --header prot", 0, 0, headers(func(s uint8) bool { return s != packet.ExtProt })},
	{6, "-m ipv6header --header dst --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtDst != 0 })},
	{6, "-m ipv6header --header hop --soft", 0, 0, headers(func(s uint8) bool { return s&packet.ExtHop != 0 })},
	{6, "-p mh -m mh --mh-type 0:3", packet.Mobility, packet.BrokenMH, found((*packet.Packet).MobilityType, func(v uint8) bool { return v <= 3 })},
	{6, "-m srh --srh-next-hdr 6", 0, 0, present((*packet.Packet).SegmentRouting, func(r packet.SegmentRouting) bool { return r.Next == 6 })},
	{6, "-m srh --srh-hdr-len-eq 2", 0, 0, present((*packet.Packet).SegmentRouting, func(r packet.SegmentRouting) bool { return r.Length == 2 })},
	{6, "-m srh --srh-segs-left-lt 2", 0, 0, present((*packet.Packet).SegmentRouting, func(r packet.SegmentRouting) bool { return r.SegsLeft < 2 })},
	{6, "-m srh --srh-last-entry-gt 1", 0, 0, present((*packet.Packet).SegmentRouting, func(r packet.SegmentRouting) bool { return r.Last > 1 })},
	{6, "-m srh --srh-tag 258", 0, 0, present((*packet.Packet).SegmentRouting, func(r packet.SegmentRouting) bool { return tag(r) == 258 })},
	{6, "-m srh --srh-psid ::/1", 0, 0, segment(packet.PreviousSID, false)},
	{6, "-m srh --srh-nsid ::/1", 0, 0, segment(packet.NextSID, false)},
	{6, "-m srh --srh-lsid ::/1", 0, 0, segment(packet.LastSID, false)},
	{6, "-m srh ! --srh-psid ::/1", 0, 0, segment(packet.PreviousSID, true)},
}

func TestAnswersFromDamagedHeadersAreTheKernels(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			w := newWorld(t, family)
			r := rand.New(rand.NewPCG(*seed, uint64(family)))
			for i := range readings {
				if m := &readings[i]; m.family == 0 || m.family == family {
					compareAnswers(t, w, r, m)
				}
			}
		})
	}
}

// compareAnswers sends packets past a rule that all of them meet and the rule
// with the match.
func compareAnswers(t *testing.T, w *world, r *rand.Rand, m *reading) {
	t.Helper()
	text := "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING\n-A PREROUTING " + m.text + "\nCOMMIT\n"
	if _, err := tryRun(text, w.tool()+"-restore"); err != nil {
		t.Logf("not compared, the kernel or the tool has it not: %s", m.text)
		return
	}
	table := openTable(t, w.family, "raw")
	chain := table.find("PREROUTING")
	var before, after [][]count
	before = table.read(t, before)
	seen := map[answer]int{}
	for range 1500 {
		proto := m.proto
		if proto == 0 {
			proto = []uint8{packet.TCP, packet.UDP, packet.ESP, 99}[r.IntN(4)]
		}
		data := damaged(r, w.family, proto)
		var p packet.Packet
		require.NoError(t, p.DecodeIP(data))
		_, err := syscall.Write(w.in, data)
		require.NoError(t, err)
		after = table.read(t, after)
		moved := func(rule int) bool { return after[chain][rule].packets > before[chain][rule].packets }
		kernel := unseen
		switch {
		case moved(1):
			kernel = holds
		case moved(2): // the policy
			kernel = misses
		case moved(0):
			kernel = drops
		}
		before, after = after, before
		seen[kernel]++
		if want := m.answer(&p); kernel != unseen && want != kernel {
			t.Errorf("%s: ours %v, the kernel's %v, of %x", m.text, want, kernel, data)
		}
	}
	require.Greater(t, seen[misses], 10, "%s: %v", m.text, seen)
	require.Greater(t, seen[holds], 0, "%s: %v", m.text, seen)
	require.Equal(t, m.broken != 0 || m.proto != 0 && w.family == 6, seen[drops] > 0, "%s: %v", m.text, seen)
	require.Less(t, seen[unseen], 700, "%s: %v", m.text, seen)
}

func TestTheMatchesOfDamagedHeadersAreDifferent(t *testing.T) {
	texts := map[string]bool{}
	for _, m := range readings {
		require.False(t, texts[m.text+fmt.Sprint(m.family)], m.text)
		texts[m.text+fmt.Sprint(m.family)] = true
		require.Equal(t, m.proto != 0, strings.HasPrefix(m.text, "-p "), m.text)
	}
}
