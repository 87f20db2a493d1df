package xt

// Tests on connections, tables of hashlimit and fingerprints of systems.

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

// conn gives the packet on the stage a connection.
func (s *stage) conn(id uint64) *packet.Conn {
	p := &s.tr.Packet
	p.Conn = &packet.Conn{ID: id, Orig: [2]packet.Endpoint{{Addr: p.Src}, {Addr: p.Dst}}}
	p.SetCTState(ctNew)
	return p.Conn
}

func TestConnLimitCountsConnectionsUntilTheyEnd(t *testing.T) {
	s := newStage(t)
	above := ConnLimit{Above: true, Limit: 2, Mask: noMask}.Test()
	upto := ConnLimit{Limit: 2, Mask: noMask}.Test()
	ask := func(id uint64) bool {
		s.conn(id)
		yes := s.ask(above)
		require.Equal(t, !yes, s.ask(upto))
		return yes
	}
	require.False(t, ask(1))
	require.False(t, ask(1), "the same connection counts once")
	require.False(t, ask(2))
	require.True(t, ask(3))
	require.True(t, ask(1), "and so it is for the first one")
	s.send("192.0.2.2", "198.51.100.1", 60)
	require.False(t, ask(4), "another address")
	s.send("192.0.2.1", "198.51.100.1", 60)
	s.tr.State.EndConnection(3)
	s.tr.State.EndConnection(3)
	s.tr.State.EndConnection(99)
	require.False(t, ask(2))
	require.True(t, ask(5))
	s.tr.Packet.Conn.Zone = 7
	require.False(t, s.ask(above), "zones are apart")
}

func TestConnLimitGroupsAddressesByItsMask(t *testing.T) {
	s := newStage(t)
	net := ConnLimit{Above: true, Limit: 1, Mask: [4]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 0xffffff00}, Dest: true}.Test()
	for i, want := range []bool{false, true, true} {
		s.send("192.0.2.1", fmt.Sprint("198.51.100.", i+1), 60).conn(uint64(i))
		require.Equal(t, want, s.ask(net))
	}
	s.send("192.0.2.1", "198.51.101.1", 60).conn(9)
	require.False(t, s.ask(net))
}

func TestConnLimitOfPacketsWithoutAConnection(t *testing.T) {
	s := newStage(t)
	c := ConnLimit{Above: true, Limit: 0, Mask: noMask}.Test()
	one := ConnLimit{Above: true, Limit: 1, Mask: noMask}.Test()
	o, needs := c.Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, needsConn, needs)
	s.tr.Packet.SetCTState(ctInvalid)
	require.True(t, s.ask(c), "it counts itself")
	require.False(t, s.ask(one), "and is gone with the packet")
	require.False(t, s.ask(one))
	s.tr.Packet.Notes = packet.ShortHeader
	o, _ = c.Ask(s.tr)
	require.Equal(t, rules.DropNow, o)
	s.tr.Packet.SetCTState(ctNew)
	o, _ = c.Ask(s.tr)
	require.Equal(t, rules.Unsure, o, "it has a connection, which is not known")
}

func TestConnLimitDropsConnectionsBeyondItsMemory(t *testing.T) {
	s := newStage(t)
	c := ConnLimit{Above: true, Limit: 5, Mask: noMask}.Test()
	for id := range uint64(MaxConnections) {
		s.tr.Packet.Conn = &packet.Conn{ID: id}
		_, _ = c.Ask(s.tr)
	}
	s.conn(MaxConnections)
	o, _ := c.Ask(s.tr)
	require.Equal(t, rules.DropNow, o)
	s.tr.State.EndConnection(7)
	require.True(t, s.ask(c))
}

func TestConnBytesGoesByWhatTheConnectionHasSeen(t *testing.T) {
	s := newStage(t)
	c := s.conn(1)
	c.Seen = [2]packet.Traffic{{Packets: 10, Bytes: 1000}, {Packets: 5, Bytes: 3000}}
	for _, x := range []struct {
		rule ConnBytes
		want bool
	}{
		{ConnBytes{Lo: 10, Hi: 10, Original: true}, true},
		{ConnBytes{Lo: 11, Hi: 99, Original: true}, false},
		{ConnBytes{Lo: 15, Hi: 15, Original: true, Reply: true}, true},
		{ConnBytes{Lo: 0, Hi: 4, Reply: true}, false},
		{ConnBytes{Lo: 3000, Hi: 3000, Reply: true, Mode: Bytes}, true},
		{ConnBytes{Lo: 600, Hi: 600, Reply: true, Mode: BytesPerPacket}, true},
		{ConnBytes{Lo: 266, Hi: 266, Original: true, Reply: true, Mode: BytesPerPacket}, true},
		{ConnBytes{Lo: 0, Hi: 266, Not: true, Original: true, Reply: true, Mode: BytesPerPacket}, false},
	} {
		require.Equal(t, x.want, s.ask(x.rule.Test()), x.rule)
	}
	c.Seen = [2]packet.Traffic{}
	require.True(t, s.ask(ConnBytes{Original: true, Mode: BytesPerPacket}.Test()), "of no packet the average is 0")
	s.tr.Packet.Conn = nil
	s.tr.Packet.SetCTState(ctInvalid)
	require.False(t, s.ask(ConnBytes{Hi: 1 << 60, Original: true}.Test()))
	require.False(t, s.ask(ConnBytes{Lo: 5, Hi: 6, Not: true, Original: true}.Test()))
}

func TestLabelsAreSetOnTheConnection(t *testing.T) {
	s := newStage(t)
	c := s.conn(1)
	require.True(t, s.ask(SetLabel(0, false)))
	require.False(t, s.ask(SetLabel(127, true)))
	require.Equal(t, [2]uint64{1, 1 << 63}, c.Labels)
	s.tr.Packet.Conn = nil
	s.tr.Packet.SetCTState(ctInvalid)
	require.False(t, s.ask(SetLabel(0, false)))
	require.True(t, s.ask(SetLabel(0, true)))
}

// The nodes were taken from the counters of a running kernel.
func TestClusterSpreadsConnectionsAsTheKernelDoes(t *testing.T) {
	s := newStage(t)
	nodes := func(seed, n uint32) (out string) {
		for i := range 16 {
			s.send(fmt.Sprint("10.1.0.", i+1), "10.2.0.1", 60).conn(uint64(i))
			for node := range n {
				if s.ask(Cluster{Nodes: n, Mask: 1 << node, Seed: seed}.Test()) {
					out += fmt.Sprint(node + 1)
					require.False(t, s.ask(Cluster{Nodes: n, Mask: 1 << node, Seed: seed, Not: true}.Test()))
				}
			}
		}
		return out
	}
	require.Equal(t, "1112222221122222", nodes(7, 2))
	require.Equal(t, "1353255551444134", nodes(0xdeadbeef, 5))
	six := Cluster{Nodes: 32, Mask: 0xffff, Seed: 7}.Test()
	first := s.send("2001:db8::1", "2001:db8::2", 60).conn(1)
	same := s.ask(six)
	first.Orig[0].Addr[3]++
	require.Equal(t, same, s.ask(six), "of IPv6 addresses the first word counts")
	s.tr.Packet.Conn.Status = statusExpected
	o, needs := Cluster{Nodes: 2, Mask: 1}.Test().Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, "the connection's master", needs)
	s.tr.Packet.Conn = nil
	s.tr.Packet.SetCTState(ctUntracked)
	require.False(t, s.ask(Cluster{Nodes: 2, Mask: 1, Not: true}.Test()))
}

func hashTable(parts uint8, change func(*HashTable)) *HashTable {
	h := &HashTable{Name: "h", Family: 4, Parts: parts, SrcLen: 32, DstLen: 32, Average: HashScale, Burst: 2, Sweep: 1000, Expire: 1000}
	if change != nil {
		change(h)
	}
	if err := h.Check(); err != nil {
		panic(err)
	}
	return h
}

func TestHashLimitHasABucketForEachKey(t *testing.T) {
	for parts, want := range map[uint8]int{0: 2, HashSource: 4, HashDest: 4, HashSource | HashDest: 8, HashSourcePort: 4, HashDestPort: 2, HashSource | HashSourcePort: 8} {
		s := newStage(t)
		l := HashLimit(hashTable(parts, nil), false, false, false)
		yes := 0
		for i := range 32 {
			s.send(fmt.Sprint("192.0.2.", i&1), fmt.Sprint("192.0.2.", 2+i>>1&1), 60)
			s.tr.Packet.SrcPort += uint16(i >> 2 & 1)
			yes += s.count(1, l)
		}
		require.Equal(t, want, yes, "parts %b", parts)
	}
	s := newStage(t)
	net := HashLimit(hashTable(HashSource, func(h *HashTable) { h.SrcLen = 24 }), true, false, false)
	require.Equal(t, 1, s.send("192.0.2.1", "192.0.2.9", 60).count(3, net), "above the rate")
	require.Equal(t, 3, s.send("192.0.2.2", "192.0.2.9", 60).count(3, net))
	require.Equal(t, 1, s.send("192.0.3.2", "192.0.2.9", 60).count(3, net))
}

func TestHashLimitRefillsAndForgets(t *testing.T) {
	s := newStage(t)
	l := HashLimit(hashTable(HashSource, func(h *HashTable) { h.Average, h.Expire, h.Sweep = 60*HashScale, 3000, 2000 }), false, false, false) // one a minute
	require.Equal(t, 2, s.count(5, l))
	require.Equal(t, 1, s.tr.State.HashEntries("h", 4))
	require.Equal(t, 0, s.wait(2900*time.Millisecond).count(5, l), "still known, and idle no more")
	require.Equal(t, 0, s.wait(2900*time.Millisecond).count(5, l))
	require.Equal(t, 0, s.wait(60*time.Second-5800*time.Millisecond-54200*time.Millisecond).count(1, l))
	require.Equal(t, 2, s.wait(5*time.Second).count(5, l), "swept away, and new")
	require.Equal(t, 0, s.wait(3*time.Second).count(1, l), "expired, but not swept yet: sweeps are at even seconds")
	s.wait(10 * time.Second)
	require.Equal(t, 0, s.tr.State.HashEntries("h", 4))
	require.Equal(t, 0, s.tr.State.HashEntries("other", 4))

	slow := HashLimit(hashTable(0, func(h *HashTable) { h.Name, h.Expire = "slow", 1<<30 }), false, false, false)
	require.Equal(t, 2, s.count(5, slow))
	require.Equal(t, 0, s.wait(996*time.Millisecond).count(5, slow))
	require.Equal(t, 1, s.wait(4*time.Millisecond).count(5, slow))
	require.Equal(t, 2, s.wait(time.Hour).count(5, slow))
}

func TestHashLimitDropsWhatItsTableHasNoRoomFor(t *testing.T) {
	s := newStage(t)
	l := HashLimit(hashTable(HashSource, func(h *HashTable) { h.Size, h.Max = 2, 3 }), false, false, false)
	for i := range 5 {
		o, _ := l.Ask(s.send(fmt.Sprint("192.0.2.", i), "192.0.2.9", 60).tr)
		require.Equal(t, i < 3, o == rules.Yes)
		require.Equal(t, i >= 3, o == rules.DropNow)
	}
	require.Equal(t, 3, s.tr.State.HashEntries("h", 4))
	require.True(t, s.wait(2*time.Second).ask(l), "there is room again")
}

func TestHashLimitCountsBytes(t *testing.T) {
	s := newStage(t)
	// 1600 bytes a second; a bucket holds a second's worth.
	byteTable := func(name string, refills uint64) *HashTable {
		return hashTable(0, func(h *HashTable) {
			h.Name, h.Bytes, h.Average, h.Burst, h.Expire = name, true, ByteRate(1600), refills, 1<<30
		})
	}
	s.send("192.0.2.1", "192.0.2.9", 160-1) // counts as 160
	require.Equal(t, 10, s.count(99, HashLimit(byteTable("a", 0), false, false, true)))
	require.Equal(t, 5, s.wait(500*time.Millisecond).count(99, HashLimit(byteTable("a", 0), false, false, true)))
	require.Equal(t, 30, s.count(99, HashLimit(byteTable("b", 2), false, false, true)), "the bucket is filled up twice")
	require.EqualValues(t, 1600, BytesOf(ByteRate(1600)))
	require.EqualValues(t, uint64(1<<32-1), ByteRate(15))
	require.Zero(t, BytesOf(ByteRate(1)))
	require.NotZero(t, BytesOf(0))
}

func TestHashLimitWithRateMatchCountsInIntervals(t *testing.T) {
	s := newStage(t)
	table := hashTable(0, func(h *HashTable) { h.Average, h.Burst, h.Interval, h.Expire = HashScale/10, 5, 1, 1<<30 }) // 10 a second
	upto, above := HashLimit(table, false, true, false), HashLimit(table, true, true, false)
	require.Equal(t, 15, s.count(40, upto))
	require.Equal(t, 40, s.wait(time.Second).count(40, above), "the second before was above it")
	require.Equal(t, 40, s.wait(time.Second).count(40, above))
	require.Equal(t, 0, s.wait(time.Second).count(5, upto))
	require.Equal(t, 5, s.wait(time.Second).count(5, upto))
	require.Equal(t, 5, s.wait(time.Second).count(5, upto))
}

func TestHashLimitRefusesWhatTheKernelRefuses(t *testing.T) {
	for name, h := range map[string]HashTable{
		"no sweep":         {Family: 4, Average: HashScale, Burst: 1, Expire: 1},
		"no expiry":        {Family: 4, Average: HashScale, Burst: 1, Sweep: 1},
		"prefix":           {Family: 4, Average: HashScale, Burst: 1, Sweep: 1, Expire: 1, SrcLen: 33},
		"no burst":         {Family: 4, Average: HashScale, Sweep: 1, Expire: 1},
		"rate of 0 in rm.": {Family: 4, Burst: 1, Sweep: 1, Expire: 1, Interval: 1},
		"bytes of nothing": {Family: 4, Bytes: true, Sweep: 1, Expire: 1},
	} {
		require.Error(t, h.Check(), name)
	}
	day := HashTable{Family: 6, Average: HashScale * Day, Burst: 5, Sweep: 1, Expire: 1, DstLen: 128}
	require.ErrorIs(t, day.Check(), ErrOverflow)
	day.Burst = 1
	require.NoError(t, day.Check())
}

func TestHashLimitTakesTheBytesOfOddPacketsForPorts(t *testing.T) {
	s := newStage(t)
	l := HashLimit(hashTable(HashSourcePort|HashDestPort, nil), false, false, false)
	decode := func(proto byte, frag uint16, payload ...byte) rules.Outcome {
		b := make([]byte, 20, 20+len(payload))
		b[0], b[8], b[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
		binary.BigEndian.PutUint16(b[6:], frag)
		require.NoError(t, s.tr.Packet.DecodeIP(append(b, payload...)))
		o, _ := l.Ask(s.tr)
		return o
	}
	require.Equal(t, rules.Yes, decode(17, 0, 1, 2, 3, 4, 0, 12, 0, 0, 0, 0, 0, 0))
	require.Equal(t, rules.Yes, decode(17, 3, 1, 2, 3, 4), "a later fragment with the same bytes")
	require.Equal(t, rules.No, decode(6, 0, 1, 2, 3, 4), "a cut header with the same bytes")
	require.Equal(t, rules.No, decode(50, 0, 1, 2, 3, 4), "a security parameter index")
	require.Equal(t, rules.No, decode(51, 0, 0, 0, 0, 0, 1, 2, 3, 4))
	require.Equal(t, rules.DropNow, decode(17, 0, 1, 2, 3))
	require.Equal(t, rules.Yes, decode(1, 0), "a protocol without ports")
	s.tr.Packet.Detach()
	s.tr.Packet.Proto, s.tr.Packet.Has = packet.ESP, packet.HasProto|packet.HasLength
	o, needs := l.Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, needsPorts, needs)
}

const systems = `
# systems of this test
S4:64:1:52:M*,N,W%2,N,N,S:One:1.0:a:first
T2:128:0:44:M512:@Two:2::second
*:255:1:40:.:Any:::no options
%128:64:1:48:M*,E,N,N,N:Four:4::multiples
`

func TestSystemsAreToldByTheirFirstPacket(t *testing.T) {
	table, err := ParseFingerprints(strings.NewReader(systems))
	require.NoError(t, err)
	require.Equal(t, 4, table.Len())
	s := newStage(t)
	syn := func(df bool, ttl byte, window uint16, flags byte, options ...byte) {
		b := make([]byte, 40+len(options))
		b[0], b[8], b[9] = 0x45, ttl, 6
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		if df {
			b[6] = 0x40
		}
		b[32], b[33] = byte(5+len(options)/4)<<4, flags
		binary.BigEndian.PutUint16(b[34:], window)
		copy(b[40:], options)
		require.NoError(t, s.tr.Packet.DecodeIP(b))
	}
	one := []byte{2, 4, 0x05, 0x78, 1, 3, 3, 9, 1, 1, 4, 2} // MSS 1400
	is := func(genre string) bool { return s.ask(OSF{Genre: genre}.Test()) }
	syn(true, 64, 5600, 2, one...)
	o, needs := OSF{Genre: "One"}.Test().Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, "osf fingerprints", needs)
	s.tr.State.SetFingerprints(table)
	require.True(t, is("One"))
	require.False(t, is("Two"))
	require.True(t, s.ask(OSF{Genre: "Two", Any: true}.Test()))
	for _, window := range []uint16{4 * 1460, 4 * 1448} {
		syn(true, 64, window, 2, one...)
		require.True(t, is("One"))
	}
	syn(true, 64, 5601, 2, one...)
	require.False(t, is("One"), "window")
	syn(false, 64, 5600, 2, one...)
	require.False(t, is("One"), "DF")
	syn(true, 64, 5600, 16, one...)
	require.False(t, is("One"), "not a SYN")
	syn(true, 64, 5600, 2, 2, 4, 0x05, 0x78, 1, 1, 3, 3, 9, 1, 4, 2)
	require.False(t, is("One"), "order of the options")
	syn(true, 60, 5600, 2, one...)
	require.False(t, is("One"), "TTL")
	require.True(t, s.ask(OSF{Genre: "One", TTL: TTLNotAbove}.Test()))
	syn(true, 65, 5600, 2, one...)
	require.False(t, s.ask(OSF{Genre: "One", TTL: TTLNotAbove}.Test()))
	require.True(t, s.ask(OSF{Genre: "One", TTL: TTLAny}.Test()))
	syn(false, 128, 2*552, 2, 2, 4, 2, 0)
	require.True(t, is("Two"))
	syn(true, 255, 77, 2)
	require.True(t, is("Any"))
	syn(true, 64, 1280, 2, 2, 4, 1, 1, 0, 1, 1, 1)
	require.True(t, is("Four"))
	syn(true, 64, 1281, 2, 2, 4, 1, 1, 0, 1, 1, 1)
	require.False(t, is("Four"))
}

func TestBadFingerprintsAreRefusedWithTheirLine(t *testing.T) {
	for line, reason := range map[string]string{
		"S4:64:1:60:M*:One:1:a":      "9 parts",
		"Sx:64:1:60:M*:One:1:a:b":    "window",
		"S4:256:1:60:M*:One:1:a:b":   "TTL",
		"S4:64:2:60:M*:One:1:a:b":    "DF",
		"S4:64:1:99999:M*:One:1:a:b": "size",
		"S4:64:1:60:M*,Q:One:1:a:b":  "option",
		"S4:64:1:60:M*::1:a:b":       "name",
		"70000:64:1:60:M*:One:1:a:b": "window",
		strings.Repeat("x", 100<<10): "too long",
	} {
		_, err := ParseFingerprints(strings.NewReader("# one\n" + line + "\n"))
		require.ErrorContains(t, err, reason)
	}
}

func TestHelpersThatCTGivesAreNotThoseThatExpectedTheConnection(t *testing.T) {
	s := newStage(t)
	c := s.conn(1)
	o, _ := (&CT{Name: "CT", Helper: "ftp"}).Apply(s.tr, rules.Place{}, "")
	require.Equal(t, rules.Yes, o)
	require.Equal(t, "helper ftp", s.tr.Effects[0].Detail)
	require.Empty(t, c.Helper, "as in the kernel, where the match helper does not hold for it")
}
