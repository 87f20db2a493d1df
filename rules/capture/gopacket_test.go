package capture

// Comparisons with gopacket: its pcap and pcapng writers and readers with our
// reader, its layer decoders and serializers with our packets.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// layerFields is what gopacket's layers say of a frame, in the words of
// packet.Packet. Lengths, offsets and notes are left out.
func layerFields(t *testing.T, data []byte, first gopacket.Decoder) packet.Packet {
	t.Helper()
	var p packet.Packet
	addLayers(&p, data, first)
	return p
}

func addLayers(p *packet.Packet, data []byte, first gopacket.Decoder) {
	// gopacket does not look into fragments; the first one has the header.
	firstFragment := func(l gopacket.Layer, next layers.IPProtocol) {
		if p.FragOffset == 0 && len(l.LayerPayload()) > 0 {
			addLayers(p, l.LayerPayload(), next)
		}
	}
	pk := gopacket.NewPacket(data, first, gopacket.NoCopy)
	mac := func(a net.HardwareAddr) uint64 { return binary.BigEndian.Uint64(append([]byte{0, 0}, a...)) }
	be := binary.BigEndian
	for _, l := range pk.Layers() {
		if p.Has&(packet.HasPorts|packet.HasICMP) != 0 {
			return // what follows is inside a tunnel or another protocol
		}
		switch l := l.(type) {
		case *layers.Ethernet:
			p.Has |= packet.HasSMAC | packet.HasDMAC | packet.HasPktType
			p.SMAC, p.DMAC = mac(l.SrcMAC), mac(l.DstMAC)
			switch {
			case bytes.Equal(l.DstMAC, layers.EthernetBroadcast):
				p.PktType = packet.Broadcast
			case l.DstMAC[0]&1 != 0:
				p.PktType = packet.Multicast
			}
		case *layers.Dot1Q:
			if p.Has&packet.HasVLAN == 0 {
				p.VLAN, p.Has = l.VLANIdentifier, p.Has|packet.HasVLAN
			}
		case *layers.IPv4:
			p.Family, p.TOS, p.TTL, p.Proto = 4, l.TOS, l.TTL, uint8(l.Protocol)
			p.Has |= packet.HasProto | packet.HasLength
			p.Length, p.FragOffset, p.MoreFragments = uint32(l.Length), l.FragOffset, l.Flags&layers.IPv4MoreFragments != 0
			p.Src[2], p.Src[3] = 0xffff, be.Uint32(l.SrcIP.To4())
			p.Dst[2], p.Dst[3] = 0xffff, be.Uint32(l.DstIP.To4())
			if p.MoreFragments {
				firstFragment(l, l.Protocol)
			}
		case *layers.IPv6:
			p.Family, p.TOS, p.TTL, p.Proto = 6, l.TrafficClass, l.HopLimit, uint8(l.NextHeader)
			p.Has |= packet.HasProto | packet.HasLength
			p.Length = uint32(l.Length) + 40
			for i := range 4 {
				p.Src[i], p.Dst[i] = be.Uint32(l.SrcIP[4*i:]), be.Uint32(l.DstIP[4*i:])
			}
		case *layers.IPv6HopByHop:
			p.Proto = uint8(l.NextHeader)
		case *layers.IPv6Destination:
			p.Proto = uint8(l.NextHeader)
		case *layers.IPSecAH:
			if p.Family == 6 {
				p.Proto = uint8(l.NextHeader)
			}
		case *layers.IPv6Fragment:
			p.Proto, p.FragOffset, p.MoreFragments = uint8(l.NextHeader), l.FragmentOffset, l.MoreFragments
			firstFragment(l, l.NextHeader)
		case *layers.TCP:
			p.Has |= packet.HasPorts | packet.HasTCPFlags
			p.SrcPort, p.DstPort, p.TCPFlags = uint16(l.SrcPort), uint16(l.DstPort), l.Contents[13]
		case *layers.UDP:
			p.Has |= packet.HasPorts
			p.SrcPort, p.DstPort = uint16(l.SrcPort), uint16(l.DstPort)
		case *layers.UDPLite:
			p.Has |= packet.HasPorts
			p.SrcPort, p.DstPort = uint16(l.SrcPort), uint16(l.DstPort)
		case *layers.SCTP:
			p.Has |= packet.HasPorts
			p.SrcPort, p.DstPort = uint16(l.SrcPort), uint16(l.DstPort)
		case *layers.ICMPv4:
			if p.Family == 4 {
				p.Has |= packet.HasICMP
				p.ICMPType, p.ICMPCode = l.TypeCode.Type(), l.TypeCode.Code()
			}
		case *layers.ICMPv6:
			if p.Family == 6 {
				p.Has |= packet.HasICMP
				p.ICMPType, p.ICMPCode = l.TypeCode.Type(), l.TypeCode.Code()
			}
		}
	}
}

// fieldsAlone clears what layerFields does not know.
func fieldsAlone(p packet.Packet) packet.Packet {
	p.Notes, p.NetOffset, p.TransportOffset, p.End = 0, 0, 0, 0
	p.Detach()
	return p
}

func serialize(t *testing.T, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...))
	return append([]byte(nil), b.Bytes()...)
}

// TestDecodeEqualsGopacket serializes random well-formed frames with gopacket
// and holds our decoder to its decoders.
func TestDecodeEqualsGopacket(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	kinds := map[string]int{}
	for range 10_000 {
		eth := &layers.Ethernet{SrcMAC: randomBytes(r, 6), DstMAC: randomBytes(r, 6)}
		if r.IntN(8) == 0 {
			eth.DstMAC = layers.EthernetBroadcast
		}
		stack := []gopacket.SerializableLayer{eth}
		next := &eth.EthernetType
		for range max(0, r.IntN(5)-2) {
			tag := &layers.Dot1Q{VLANIdentifier: uint16(r.IntN(4096)), Priority: uint8(r.IntN(8))}
			*next = []layers.EthernetType{layers.EthernetTypeDot1Q, layers.EthernetTypeQinQ}[r.IntN(2)]
			next = &tag.Type
			stack = append(stack, tag)
		}
		type network interface {
			gopacket.NetworkLayer
			gopacket.SerializableLayer
		}
		var ipLayer network
		var proto func(layers.IPProtocol)
		six, fragment := r.IntN(2) == 0, uint16(0)
		if r.IntN(6) == 0 {
			fragment = uint16(1 + r.IntN(8191))
		}
		if !six {
			*next = layers.EthernetTypeIPv4
			v4 := &layers.IPv4{Version: 4, TOS: uint8(r.Uint32()), TTL: uint8(r.Uint32()), Id: uint16(r.Uint32()), SrcIP: randomBytes(r, 4), DstIP: randomBytes(r, 4), FragOffset: fragment}
			if r.IntN(4) == 0 {
				v4.Flags |= layers.IPv4MoreFragments
			}
			if r.IntN(4) == 0 {
				v4.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 7, OptionData: make([]byte, 5)}}
			}
			ipLayer, proto = v4, func(p layers.IPProtocol) { v4.Protocol = p }
			stack = append(stack, v4)
		} else {
			*next = layers.EthernetTypeIPv6
			v6 := &layers.IPv6{Version: 6, TrafficClass: uint8(r.Uint32()), FlowLabel: r.Uint32() & 0xfffff, HopLimit: uint8(r.Uint32()), SrcIP: randomBytes(r, 16), DstIP: randomBytes(r, 16)}
			ipLayer, proto = v6, func(p layers.IPProtocol) { v6.NextHeader = p }
			stack = append(stack, v6)
			ext := func(kind layers.IPProtocol, length int, options ...byte) {
				proto(kind)
				b := append(append([]byte{0, byte(length/8 - 1)}, options...), make([]byte, length-2-len(options))...)
				if kind == layers.IPProtocolAH {
					b[1] = byte(length/4 - 2)
				}
				at := len(stack)
				stack = append(stack, gopacket.Payload(b))
				proto = func(p layers.IPProtocol) { b[0] = byte(p); stack[at] = gopacket.Payload(b) }
			}
			if r.IntN(4) == 0 {
				ext(layers.IPProtocolIPv6HopByHop, 8, 5, 2)
			}
			if r.IntN(4) == 0 {
				ext(layers.IPProtocolIPv6Destination, 16, 1, 12)
			}
			if fragment != 0 || r.IntN(6) == 0 {
				ext(layers.IPProtocolIPv6Fragment, 8, byte(fragment>>5), byte(fragment<<3)|byte(r.IntN(2)))
				b := stack[len(stack)-1].(gopacket.Payload)
				b[1] = 0
			}
			if fragment == 0 && r.IntN(4) == 0 {
				ext(layers.IPProtocolAH, 24)
			}
		}
		kind := r.IntN(7)
		var l4 gopacket.SerializableLayer
		sport, dport := uint16(r.Uint32()), uint16(r.Uint32())
		switch kind {
		case 0:
			tcp := &layers.TCP{SrcPort: layers.TCPPort(sport), DstPort: layers.TCPPort(dport), SYN: r.IntN(2) == 0, ACK: r.IntN(2) == 0, ECE: r.IntN(2) == 0, CWR: r.IntN(2) == 0, FIN: r.IntN(2) == 0}
			require.NoError(t, tcp.SetNetworkLayerForChecksum(ipLayer))
			proto(layers.IPProtocolTCP)
			l4 = tcp
		case 1:
			udp := &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
			require.NoError(t, udp.SetNetworkLayerForChecksum(ipLayer))
			proto(layers.IPProtocolUDP)
			l4 = udp
		case 2:
			proto(layers.IPProtocolSCTP)
			l4 = &layers.SCTP{SrcPort: layers.SCTPPort(sport), DstPort: layers.SCTPPort(dport)}
		case 3:
			proto(layers.IPProtocolUDPLite)
			l4 = gopacket.Payload(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, sport), dport))
		case 4:
			proto(layers.IPProtocolICMPv4)
			l4 = &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(uint8(r.Uint32()), uint8(r.Uint32()))}
			if six {
				proto(layers.IPProtocolNoNextHeader)
				l4 = gopacket.Payload(nil)
			}
		case 5:
			proto(layers.IPProtocolGRE)
			l4 = gopacket.Payload(make([]byte, 8))
			if six {
				icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(uint8(r.Uint32()), uint8(r.Uint32()))}
				require.NoError(t, icmp.SetNetworkLayerForChecksum(ipLayer))
				proto(layers.IPProtocolICMPv6)
				l4 = icmp
			}
		case 6:
			proto(200) // nothing that anybody knows
			l4 = gopacket.Payload(nil)
		}
		stack = append(stack, l4, gopacket.Payload(make([]byte, 8+r.IntN(40))))
		data := serialize(t, stack...)
		want := layerFields(t, data, layers.LayerTypeEthernet)
		var got packet.Packet
		require.NoError(t, got.DecodeWire(data, len(data), packet.LinkEthernet), "%x", data)
		require.Equal(t, want, fieldsAlone(got), "%x", data)
		kinds[fmt.Sprint(kind, six, want.FragOffset != 0)]++
	}
	require.Len(t, kinds, 28, "every kind was met: %v", kinds)
}

// TestGopacketAcceptsBuiltPackets holds the packets that we build to
// gopacket's decoders and its checksums.
func TestGopacketAcceptsBuiltPackets(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5_000 {
		p := packet.Packet{
			Proto: []uint8{packet.TCP, packet.UDP, packet.SCTP, packet.ICMP, packet.ICMPv6, packet.UDPLite, packet.DCCP}[r.IntN(7)],
			TOS:   uint8(r.Uint32()), TTL: uint8(r.Uint32()), SrcPort: uint16(r.Uint32()), DstPort: uint16(r.Uint32()),
			TCPFlags: uint8(r.Uint32()), ICMPType: 128, ICMPCode: uint8(r.Uint32()), Length: uint32(48 + r.IntN(1500)),
			SMAC: r.Uint64() >> 16, DMAC: r.Uint64() >> 16, VLAN: uint16(r.IntN(4096)),
		}
		if r.IntN(3) == 0 {
			p.Has = packet.HasVLAN
		}
		if r.IntN(2) == 0 {
			p.SetAddrs(netip.AddrFrom4([4]byte(randomBytes(r, 4))), netip.AddrFrom4([4]byte(randomBytes(r, 4))))
		} else {
			p.SetAddrs(netip.AddrFrom16([16]byte(randomBytes(r, 16))), netip.AddrFrom16([16]byte(randomBytes(r, 16))))
		}
		data := p.AppendEthernet(nil)
		var got packet.Packet
		require.NoError(t, got.Decode(data, packet.LinkEthernet))
		want := layerFields(t, data, layers.LayerTypeEthernet)
		if p.Proto == packet.DCCP { // gopacket has no such layer
			got.Has &^= packet.HasPorts
			got.SrcPort, got.DstPort = 0, 0
		}
		require.Equal(t, want, fieldsAlone(got), "%x", data)

		// The checksums: gopacket computes them anew from the decoded layers.
		pk := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
		var again []gopacket.SerializableLayer
		for _, l := range pk.Layers() {
			again = append(again, l.(gopacket.SerializableLayer))
			end := false // what follows is taken as it is
			switch l := l.(type) {
			case *layers.TCP:
				require.NoError(t, l.SetNetworkLayerForChecksum(pk.NetworkLayer()))
				end = true
			case *layers.UDP:
				require.NoError(t, l.SetNetworkLayerForChecksum(pk.NetworkLayer()))
				end = true
			case *layers.ICMPv6:
				require.NoError(t, l.SetNetworkLayerForChecksum(pk.NetworkLayer()))
				end = true
			case *layers.SCTP, *layers.ICMPv4:
				end = true
			case *layers.IPv4:
				end = p.Proto == packet.UDPLite || p.Proto == packet.DCCP || p.Proto == packet.ICMPv6
			case *layers.IPv6:
				end = p.Proto == packet.UDPLite || p.Proto == packet.DCCP || p.Proto == packet.ICMP
			}
			if end {
				again = append(again, gopacket.Payload(l.LayerPayload()))
				break
			}
		}
		require.Equal(t, data, serialize(t, again...), "protocol %d", p.Proto)
	}
}

// TestReaderEqualsPcapgo reads what pcapgo writes, and compares with what
// pcapgo reads.
func TestReaderEqualsPcapgo(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	type ngFile interface {
		WritePacket(gopacket.CaptureInfo, []byte) error
	}
	for _, format := range []string{"pcap", "pcap-ns", "pcapng"} {
		var file bytes.Buffer
		var w ngFile
		switch format {
		case "pcapng":
			ng, err := pcapgo.NewNgWriterInterface(&file, pcapgo.NgInterface{Name: "eth0", LinkType: layers.LinkTypeEthernet, SnapLength: 65535, TimestampResolution: 9}, pcapgo.DefaultNgWriterOptions)
			require.NoError(t, err)
			_, err = ng.AddInterface(pcapgo.NgInterface{Name: "tun0", LinkType: layers.LinkTypeRaw, TimestampResolution: 6})
			require.NoError(t, err)
			w = ng
			defer func() { require.NoError(t, ng.Flush()) }()
		default:
			pw := pcapgo.NewWriter(&file)
			if format == "pcap-ns" {
				pw = pcapgo.NewWriterNanos(&file)
			}
			require.NoError(t, pw.WriteFileHeader(65535, layers.LinkTypeEthernet))
			w = pw
		}
		for range 500 {
			data := randomBytes(r, r.IntN(200))
			ci := gopacket.CaptureInfo{Timestamp: utc(r.Int64N(1<<32), r.Int64N(1e9)), CaptureLength: len(data), Length: len(data) + r.IntN(3)}
			if format == "pcapng" {
				ci.InterfaceIndex = r.IntN(2)
			}
			require.NoError(t, w.WritePacket(ci, data))
		}
		if f, ok := w.(interface{ Flush() error }); ok {
			require.NoError(t, f.Flush())
		}
		got, err := readAll(t, bytes.NewReader(file.Bytes()))
		require.Equal(t, io.EOF, err, format)
		require.Len(t, got, 500, format)

		var theirs gopacket.PacketDataSource
		if format == "pcapng" {
			theirs, err = pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		} else {
			theirs, err = pcapgo.NewReader(&file)
		}
		require.NoError(t, err)
		for _, rec := range got {
			data, ci, err := theirs.ReadPacketData()
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, rec.Data))
			require.Equal(t, []any{ci.Timestamp, ci.Length}, []any{rec.Time, rec.Wire})
			name, link := "", packet.LinkEthernet
			if format == "pcapng" {
				name = []string{"eth0", "tun0"}[ci.InterfaceIndex]
				link = packet.LinkType(ci.AncillaryData[0].(layers.LinkType))
			}
			require.Equal(t, []any{name, link}, []any{rec.Interface, rec.Link})
		}
	}
}

func BenchmarkPackets(b *testing.B) {
	file := pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 101)
	const packets = 10_000
	for n := range packets {
		file = pcapRecord(binary.LittleEndian, file, 0, 0, ip(n), 100)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(file), "")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			n++
		}
		if n != packets {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(packets)/float64(time.Nanosecond), "ns/packet")
}
