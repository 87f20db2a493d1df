package connections

// A watcher reads packets with gopacket and with the project's decoder, makes
// fragments whole, and follows every conversation: what it accepts, a stateful
// filter can follow as well.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

// watcher follows the packets of one run.
type watcher struct {
	t       require.TestingT
	g       *Generator
	last    time.Duration
	talks   map[int64]*talk
	pieces  map[string][]byte // of packets in fragments, without the IP header
	decoded packet.Packet
	defrag  *packet.Defragmenter

	packets, fragments, whole, errors int
	kinds                             map[string]int // packets by their kind, such as "SYN" or "icmp 3/3"
}

// talk is what was seen of a connection.
type talk struct {
	profile  int
	isn      [2]uint32
	began    [2]bool // the isn is known
	next     [2]int64
	seen     [2][]byte // bytes of the stream, and which of them were seen
	have     [2][]bool
	acked    [2]int64 // what the end has acknowledged of the other's stream
	fin      [2]int64 // where its FIN stands, 0: none
	reset    bool
	payload  [2][]string // datagrams
	ports    [2]uint16
	sent     map[string]uint8 // packets with their TTL, to look for what errors quote
	times    []time.Duration
	fromUser []bool
	flags    []string
}

func watch(t require.TestingT, g *Generator) *watcher { return watchSome(t, g, math.MaxInt) }

// watchSome looks at the first n packets.
func watchSome(t require.TestingT, g *Generator, n int) *watcher {
	w := &watcher{t: t, g: g, talks: map[int64]*talk{}, pieces: map[string][]byte{}, kinds: map[string]int{}}
	w.defrag = packet.NewDefragmenter(packet.DefragOptions{Timeout4: time.Hour, Timeout6: time.Hour, MaxMemory: 1 << 30,
		Now: func() time.Time { return time.Unix(0, 0).Add(w.last) }})
	for p := range g.All() {
		if w.packet(p); w.packets == n {
			break
		}
	}
	return w
}

func (w *watcher) packet(p Packet) {
	t := w.t
	w.packets++
	require.GreaterOrEqual(t, p.Time, w.last, "packets come in the order of time")
	w.last = p.Time
	data := bytes.Clone(p.Data)
	require.True(t, bytes.HasSuffix(data, p.Payload))
	require.Equal(t, data, p.frame[ethernetHeader:])
	c := w.talks[p.Connection]
	if c == nil {
		c = &talk{profile: p.Profile, sent: map[string]uint8{}}
		w.talks[p.Connection] = c
	}
	require.Equal(t, c.profile, p.Profile)

	// The project's decoder, and its defragmenter.
	require.NoError(t, w.decoded.Decode(data, packet.LinkRaw))
	require.Zero(t, w.decoded.Notes)
	require.EqualValues(t, len(data), w.decoded.Length)
	piece := w.decoded.MoreFragments || w.decoded.FragOffset > 0
	fate := w.defrag.Add(&w.decoded)
	if !piece {
		require.Equal(t, packet.NotFragment, fate)
		require.Zero(t, w.decoded.Broken())
		w.complete(p, c, data)
		return
	}
	w.fragments++
	limit := w.g.cfg.MTU
	if of := &w.g.profiles[p.Profile]; of.Fragments == 1 {
		limit = of.fragmentSize
	}
	require.LessOrEqual(t, len(data), limit)
	ours := w.collect(data)
	require.Equal(t, ours != nil, fate == packet.Reassembled)
	if ours != nil {
		w.whole++
		require.EqualValues(t, len(ours), w.decoded.Length)
		w.complete(p, c, ours)
	}
}

// collect takes a fragment and returns the packet when it is whole.
func (w *watcher) collect(data []byte) []byte {
	var head, body []byte
	var id string
	var offset int
	var more bool
	if data[0]>>4 == 4 {
		field := binary.BigEndian.Uint16(data[6:])
		require.Zero(w.t, field&(1<<14), "DF in a fragment")
		require.Zero(w.t, sumOf16(data[:20]), "checksum of the header of a fragment")
		head, body, offset, more = data[:20], data[20:], int(field&0x1fff)*8, field>>13&1 == 1
		id = string(data[12:20]) + string(data[4:6])
	} else {
		require.EqualValues(w.t, 44, data[6])
		field := binary.BigEndian.Uint16(data[42:])
		head, body, offset, more = data[:40], data[48:], int(field&^7), field&1 == 1
		head[6] = data[40]
		id = string(data[8:40]) + string(data[44:48])
	}
	if offset == 0 {
		w.pieces[id] = append(bytes.Clone(head), body...)
		return nil
	}
	whole, ok := w.pieces[id]
	if !ok || len(whole) != len(head)+offset { // one before it was lost
		delete(w.pieces, id)
		return nil
	}
	whole = append(whole, body...)
	w.pieces[id] = whole
	if more {
		return nil
	}
	delete(w.pieces, id)
	if whole[0]>>4 == 4 {
		binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
		whole[6], whole[7] = 0, 0
		sumIPv4(whole)
	} else {
		binary.BigEndian.PutUint16(whole[4:], uint16(len(whole)-40))
	}
	return whole
}

// sumOf16 is the checksum of b as RFC 1071 writes it: 0 when it is right.
func sumOf16(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum>>16 > 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// complete looks at a packet that is no fragment, or is whole again.
func (w *watcher) complete(p Packet, c *talk, data []byte) {
	t := w.t
	first := layers.LayerTypeIPv4
	if w.g.v6 {
		first = layers.LayerTypeIPv6
	}
	read := gopacket.NewPacket(data, first, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
	// What is said on the port of a protocol need not be that protocol.
	if of := w.g.profiles[p.Profile].Payload; read.TransportLayer() == nil || of == DNS || of == NTP {
		require.Nil(t, read.ErrorLayer())
	}
	for _, l := range read.Layers() {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, l.SetNetworkLayerForChecksum(read.NetworkLayer()))
		}
	}
	err, wrong := read.VerifyChecksums()
	require.NoError(t, err)
	require.Empty(t, wrong)
	from, to := w.ends(read)
	c.times = append(c.times, p.Time)
	c.fromUser = append(c.fromUser, p.FromClient)
	end := server
	if p.FromClient {
		end = client
	}
	kind := ""
	switch l := read.Layers()[1].(type) {
	case *layers.TCP:
		kind = w.segment(c, end, l)
	case *layers.UDP:
		require.NotZero(t, l.Checksum, "which would say that there is none")
		kind = "datagram"
		c.payload[end] = append(c.payload[end], string(l.Payload))
	case *layers.ICMPv4:
		kind = fmt.Sprintf("icmp %d/%d", l.TypeCode.Type(), l.TypeCode.Code())
		if typ := l.TypeCode.Type(); typ != 0 && typ != 8 {
			w.quote(c, data[20:], data[28:], to)
		} else {
			c.payload[end] = append(c.payload[end], string(data[24:]))
		}
	case *layers.ICMPv6:
		kind = fmt.Sprintf("icmpv6 %d/%d", l.TypeCode.Type(), l.TypeCode.Code())
		if l.TypeCode.Type() < 128 {
			w.quote(c, data[40:], data[48:], to)
		} else {
			c.payload[end] = append(c.payload[end], string(data[44:]))
		}
	default:
		require.Fail(t, "a layer that is not expected", "%T", l)
	}
	require.NotEqual(t, from, to)
	w.kinds[kind]++
	c.flags = append(c.flags, kind)
	c.sent[quotable(data)] = ttl(data)
}

func (w *watcher) ends(p gopacket.Packet) (from, to string) {
	f := p.NetworkLayer().NetworkFlow()
	return f.Src().String(), f.Dst().String()
}

// quotable is a packet without what changes on its way, cut to what every error
// quotes of it.
func quotable(data []byte) string {
	b := bytes.Clone(data)
	if b[0]>>4 == 4 {
		b[6], b[7], b[8], b[10], b[11] = 0, 0, 0, 0, 0 // flags and offset, TTL, checksum
		return string(b[4:28])                         // without the length, which is a fragment's
	}
	b[7] = 0
	return string(b[8:48])
}

func ttl(data []byte) uint8 {
	if data[0]>>4 == 4 {
		return data[8]
	}
	return data[7]
}

// quote looks at what an error quotes.
func (w *watcher) quote(c *talk, message, quoted []byte, to string) {
	t := w.t
	w.errors++
	if quoted[0]>>4 == 4 {
		require.Zero(t, sumOf16(quoted[:20]), "checksum of the quoted header")
		require.LessOrEqual(t, len(message)+20, 576)
	} else {
		require.LessOrEqual(t, len(message)+40, 1280)
		if quoted[6] == 44 {
			quoted[6] = quoted[40]
			quoted = append(bytes.Clone(quoted[:40]), quoted[48:]...)
		}
	}
	seen, ok := c.sent[quotable(quoted)]
	require.True(t, ok, "an error quotes a packet that was seen")
	if kind := message[0]; kind == 11 || kind == 3 && w.g.v6 {
		require.EqualValues(t, 1, ttl(quoted), "it came to its last router")
	} else {
		require.Less(t, ttl(quoted), seen, "it went on from the observer")
		require.NotZero(t, ttl(quoted))
	}
}

// segment follows a TCP packet.
func (w *watcher) segment(c *talk, end int, l *layers.TCP) string {
	t := w.t
	other := 1 - end
	c.ports = [2]uint16{uint16(l.SrcPort), uint16(l.DstPort)}
	if l.RST && !c.began[end] && w.g.profiles[c.profile].Handshake != NoHandshake { // the answer to a SYN that nobody wants
		require.True(t, l.ACK)
		require.Equal(t, c.isn[other]+1, l.Ack)
		return "RST"
	}
	if !c.began[end] {
		c.began[end] = true
		c.isn[end] = l.Seq
		if !l.SYN { // it began before, or its SYN was lost before the observer
			c.isn[end]--
		}
	}
	at := int64(int32(l.Seq - c.isn[end]))
	require.GreaterOrEqual(t, at, int64(0))
	if l.ACK {
		if !c.began[other] {
			c.began[other], c.isn[other] = true, l.Ack-1
		}
		ack := int64(int32(l.Ack - c.isn[other]))
		require.LessOrEqual(t, ack, max(c.next[other], 1), "it acknowledges what was seen")
		require.GreaterOrEqual(t, ack, c.acked[end], "and does not take it back")
		c.acked[end] = ack
	}
	p := &w.g.profiles[c.profile]
	if n := len(l.Payload); n > 0 {
		require.LessOrEqual(t, at+int64(n), max(c.acked[other], 1)+int64(p.Window*p.mss), "it keeps to the window")
		require.LessOrEqual(t, n, p.mss)
	}
	if room := int(at) + len(l.Payload) - len(c.seen[end]); room > 0 {
		c.seen[end] = append(c.seen[end], make([]byte, room)...)
		c.have[end] = append(c.have[end], make([]bool, room)...)
	}
	for i, b := range l.Payload {
		j := int(at) + i
		if c.have[end][j] && c.seen[end][j] != b {
			require.Fail(t, "what is sent again is not the same")
		}
		c.seen[end][j], c.have[end][j] = b, true
	}
	after := at + int64(len(l.Payload))
	kind := "ACK"
	switch {
	case l.SYN:
		require.Zero(t, at)
		require.Len(t, l.Options, 3)
		after++
		kind = "SYN"
		if l.ACK {
			kind = "SYN-ACK"
		}
	case l.FIN:
		if c.fin[end] > 0 {
			require.Equal(t, c.fin[end], at)
		}
		c.fin[end] = at
		after++
		kind = "FIN"
	case l.RST:
		c.reset = true
		kind = "RST"
		require.LessOrEqual(t, at, max(c.next[end], 1), "a reset stands where the stream does")
	case len(l.Payload) > 0:
		kind = "data"
	}
	if kind != "RST" && c.fin[end] > 0 {
		require.LessOrEqual(t, after, c.fin[end]+1, "nothing is said behind the FIN")
	}
	c.next[end] = max(c.next[end], after)
	return kind
}

// stream returns what an end has said, and whether all of it was seen.
func (c *talk) stream(end int) (said []byte, whole bool) {
	n := c.next[end] - 1
	if c.fin[end] > 0 {
		n = c.fin[end] - 1
	}
	if n <= 0 {
		return nil, true
	}
	if int64(len(c.seen[end])) < n+1 {
		return nil, false
	}
	return c.seen[end][1 : n+1], !slices.Contains(c.have[end][1:n+1], false)
}
