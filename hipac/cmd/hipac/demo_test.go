package main

import (
	"bytes"
	"flag"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

var update = flag.Bool("update", false, "write the demonstration's capture and the golden files anew")

// demoPacket is a packet of the demonstration, or the bytes of a frame.
type demoPacket struct {
	iface    string
	src, dst string
	packet.Packet
	cut int // keep only so many bytes of the frame; 0: all
}

func tcp(sport, dport uint16, flags uint8) packet.Packet {
	return packet.Packet{Proto: packet.TCP, SrcPort: sport, DstPort: dport, TCPFlags: flags}
}

func udp(sport, dport uint16) packet.Packet {
	return packet.Packet{Proto: packet.UDP, SrcPort: sport, DstPort: dport, Length: 28 + 32}
}

func icmp(typ, code uint8) packet.Packet {
	return packet.Packet{Proto: packet.ICMP, ICMPType: typ, ICMPCode: code, Length: 84}
}

const (
	synFlag = 2
	synAck  = 0x12
	ackFlag = 0x10
	pshAck  = 0x18
)

// demoPackets are what the demonstration's firewall meets.
func demoPackets() []demoPacket {
	first, later := udp(40000, 8001), udp(0, 0)
	first.MoreFragments, first.Length = true, 1500
	later.FragOffset, later.Length = 185, 300
	damaged := tcp(40001, 80, synFlag)
	return []demoPacket{
		{"lan0", "10.1.2.3", "203.0.113.34", tcp(51514, 443, synFlag), 0},
		{"wan0", "203.0.113.34", "10.1.2.3", tcp(443, 51514, synAck), 0},
		{"lan0", "10.1.2.3", "203.0.113.34", tcp(51514, 443, ackFlag), 0},
		{"wan0", "192.0.2.77", "198.51.100.2", tcp(33012, 443, synFlag), 0},
		{"wan0", "192.0.2.77", "198.51.100.2", tcp(33013, 22, synFlag), 0},
		{"wan0", "192.0.2.77", "198.51.100.3", tcp(33014, 25, synFlag), 0},
		{"wan0", "192.0.2.77", "198.51.100.4", tcp(33015, 80, synFlag), 0},
		{"dmz0", "198.51.100.2", "192.0.2.77", tcp(443, 33012, synAck), 0},
		{"dmz0", "198.51.100.2", "192.0.2.99", tcp(50022, 443, synFlag), 0},
		{"lan0", "10.1.7.20", "198.51.100.2", tcp(60100, 22, synFlag), 0},
		{"lan0", "10.1.2.3", "198.51.100.2", tcp(60101, 22, synFlag), 0},
		{"lan0", "10.1.2.3", "192.0.2.53", udp(5353, 53), 0},
		{"wan0", "192.0.2.53", "10.1.0.53", udp(53, 40053), 0},
		{"vpn0", "10.8.0.5", "10.1.2.9", tcp(49152, 8005, synFlag), 0},
		{"vpn1", "10.8.0.9", "10.1.2.9", tcp(49153, 3389, synFlag), 0},
		{"wan0", "203.0.113.66", "198.51.100.2", tcp(1024, 80, synFlag), 0},
		{"wan0", "10.1.2.3", "198.51.100.2", tcp(1025, 80, synFlag), 0},
		{"wan0", "192.0.2.50", "198.51.100.2", icmp(8, 0), 0},
		{"wan0", "192.0.2.50", "10.1.2.3", icmp(5, 1), 0},
		{"lan0", "10.1.2.3", "192.0.2.50", icmp(13, 0), 0},
		{"vpn0", "10.8.0.5", "10.1.2.9", first, 0},
		{"vpn0", "10.8.0.5", "10.1.2.9", later, 0},
		{"wan0", "192.0.2.13", "198.51.100.2", damaged, 30},
		{"lan0", "2001:db8::3", "2001:db8::80", tcp(51600, 443, synFlag), 0},
		{"wan0", "192.0.2.80", "198.51.100.2", tcp(443, 2048, pshAck), 0},
		{"dmz0", "198.51.100.3", "192.0.2.25", udp(1900, 1900), 0},
	}
}

// writeDemo writes the demonstration's capture.
func writeDemo(t *testing.T, w io.Writer) {
	iface := func(name string) pcapgo.NgInterface {
		return pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9, SnapLength: 65535}
	}
	names := []string{"wan0", "lan0", "dmz0", "vpn0", "vpn1"}
	ng, err := pcapgo.NewNgWriterInterface(w, iface(names[0]), pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "hipac"}})
	require.NoError(t, err)
	index := map[string]int{names[0]: 0}
	for _, n := range names[1:] {
		id, err := ng.AddInterface(iface(n))
		require.NoError(t, err)
		index[n] = id
	}
	at := time.Date(2024, 5, 14, 9, 30, 0, 0, time.UTC)
	for i, p := range demoPackets() {
		p.SetAddrs(netip.MustParseAddr(p.src), netip.MustParseAddr(p.dst))
		p.TTL = 63
		p.SMAC, p.DMAC = 0x020000000001, 0x020000000002
		data := p.AppendEthernet(nil)
		wire := len(data)
		if p.cut > 0 {
			data, wire = data[:p.cut], p.cut
		}
		at = at.Add(time.Duration(3+i*i%17) * time.Millisecond)
		require.NoError(t, ng.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: wire, InterfaceIndex: index[p.iface]}, data))
	}
	require.NoError(t, ng.Flush())
}

func TestTheCommandOfTheDemoGivesTheSame(t *testing.T) {
	demo := output(t, "")
	_, command, ok := strings.Cut(demo, "\n  hipac ")
	require.True(t, ok)
	command, table, _ := strings.Cut(command, "\n\n")
	t.Chdir("../../..")
	got := invoke(t, "", strings.Fields(command)...)
	require.Equal(t, exitOK, got.code)
	require.Equal(t, "hipac: hipac/cmd/hipac/demo/office.pcapng: packet 23 at byte 4072: truncated packet: ends inside the IP header\n", got.stderr)
	require.Equal(t, table, strings.ReplaceAll(got.stdout, "hipac/cmd/hipac/demo/", ""))
}

func TestDemoCaptureIsWhatItsGeneratorMakes(t *testing.T) {
	var b bytes.Buffer
	writeDemo(t, &b)
	if *update {
		require.NoError(t, os.WriteFile("demo/office.pcapng", b.Bytes(), 0o644))
		return
	}
	require.Equal(t, b.Bytes(), demoCapture)
}
