package packet

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// raw reads hexadecimal text; blanks are for the reader's eye, and "*n" behind
// a group repeats it n times.
func raw(t testing.TB, text string) []byte {
	t.Helper()
	var out []byte
	for _, group := range strings.Fields(text) {
		digits, times, many := strings.Cut(group, "*")
		n := 1
		if many {
			n = 0
			for _, c := range times {
				n = 10*n + int(c-'0')
			}
		}
		b, err := hex.DecodeString(digits)
		require.NoError(t, err, group)
		for range n {
			out = append(out, b...)
		}
	}
	return out
}

const (
	ether4 = "0a0000000002 0a0000000001 0800 "
	tcp20  = "1092 01bb 00000001 00000002 50 12 ffff 0000 0000 "
	// The IPv4 headers are those of 10.0.0.1 > 192.0.2.7; %TTT is the total length.
	v4addrs = "0a000001 c0000207 "
	// 2001:db8::1 > 2001:db8::2
	v6addrs = "20010db8 0000*5 0001 20010db8 0000*5 0002 "
)

func ip4(total, frag, proto string) string {
	return "45b8" + total + "0001" + frag + "40" + proto + "0000 " + v4addrs
}

func ip6(payload, next string) string { return "6b800000" + payload + next + "40 " + v6addrs }

func addrs4(p *Packet) {
	p.SetAddrs(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.7"))
}

func addrs6(p *Packet) {
	p.SetAddrs(netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"))
}

// TestDecodeFillsFields holds every layer and every way of a missing header
// to the fields written beside it.
func TestDecodeFillsFields(t *testing.T) {
	const l3 = HasProto | HasLength
	const ether = HasSMAC | HasDMAC | HasPktType
	tcp := func(p *Packet) {
		addrs4(p)
		p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags = l3|HasPorts|HasTCPFlags, TCP, 4242, 443, 0x12
		p.TOS, p.TTL, p.Length = 0xb8, 64, 40
		p.TransportOffset, p.End = 20, 40
	}
	shift := func(p *Packet, n int) { p.NetOffset += n; p.TransportOffset += n; p.End += n }
	mac := func(p *Packet) {
		p.Has |= ether
		p.SMAC, p.DMAC = 0x0a0000000001, 0x0a0000000002
	}
	tcp6 := func(p *Packet, ext int) {
		tcp(p)
		addrs6(p)
		p.Length = uint32(60 + ext)
		p.TransportOffset, p.End = 40+ext, 60+ext
	}
	tests := []struct {
		name string
		link LinkType
		data string
		want func(p *Packet)
	}{
		{"raw TCP", LinkRaw, ip4("0028", "0000", "06") + tcp20, tcp},
		{"raw by its old numbers", LinkRaw12, ip4("0028", "0000", "06") + tcp20, tcp},
		{"IPv4 by its link type", LinkIPv4, ip4("0028", "4000", "06") + tcp20, tcp},
		{"padding behind the packet", LinkRaw14, ip4("0028", "0000", "06") + tcp20 + "ff*30", tcp},
		{"Ethernet", LinkEthernet, ether4 + ip4("0028", "0000", "06") + tcp20, func(p *Packet) { tcp(p); shift(p, 14); mac(p) }},
		{"Ethernet broadcast", LinkEthernet, "ff*6 0a0000000001 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 14)
			mac(p)
			p.DMAC, p.PktType = 0xffffffffffff, Broadcast
		}},
		{"Ethernet multicast", LinkEthernet, "01005e000001 0a0000000001 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 14)
			mac(p)
			p.DMAC, p.PktType = 0x01005e000001, Multicast
		}},
		{"VLAN", LinkEthernet, "0a0000000002 0a0000000001 8100 6123 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 18)
			mac(p)
			p.VLAN, p.Has = 0x123, p.Has|HasVLAN
		}},
		{"QinQ shows the outer tag", LinkEthernet, "0a0000000002 0a0000000001 88a8 0064 8100 0007 86dd " + ip6("0014", "06") + tcp20, func(p *Packet) {
			tcp6(p, 0)
			shift(p, 22)
			mac(p)
			p.VLAN, p.Has = 100, p.Has|HasVLAN
		}},
		{"priority tag", LinkEthernet, "0a0000000002 0a0000000001 8100 e000 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 18)
			mac(p)
			p.Has |= HasVLAN
		}},
		{"cooked, broadcast", LinkSLL, "0001 0001 0006 0a0000000001 0000 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 16)
			p.SMAC, p.PktType, p.Has = 0x0a0000000001, Broadcast, p.Has|HasSMAC|HasPktType
		}},
		{"cooked, outgoing on a tunnel", LinkSLL, "0004 fffe 0000 0000*4 0800 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			shift(p, 16)
		}},
		{"cooked v2, for another host", LinkSLL2, "86dd 0000 00000003 0001 03 06 0a0000000001 0000 " + ip6("0014", "06") + tcp20, func(p *Packet) {
			tcp6(p, 0)
			shift(p, 20)
			p.SMAC, p.PktType, p.Has = 0x0a0000000001, OtherHost, p.Has|HasSMAC|HasPktType
		}},
		{"null, little endian", LinkNull, "02000000 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) { tcp(p); shift(p, 4) }},
		{"null, big endian", LinkNull, "0000001e " + ip6("0014", "06") + tcp20, func(p *Packet) { tcp6(p, 0); shift(p, 4) }},
		{"loop", LinkLoop, "00000002 " + ip4("0028", "0000", "06") + tcp20, func(p *Packet) { tcp(p); shift(p, 4) }},
		{"IPv4 options", LinkRaw, "47b8 0030 0001 0000 40 06 0000 " + v4addrs + "01*8 " + tcp20, func(p *Packet) {
			tcp(p)
			p.Length, p.TransportOffset, p.End = 48, 28, 48
		}},
		{"first fragment", LinkRaw, ip4("0028", "2000", "06") + tcp20, func(p *Packet) { tcp(p); p.MoreFragments = true }},
		{"later fragment", LinkRaw, ip4("0028", "20b9", "06") + tcp20, func(p *Packet) {
			addrs4(p)
			p.Has, p.Proto, p.TOS, p.TTL, p.Length, p.End = l3, TCP, 0xb8, 64, 40, 40
			p.MoreFragments, p.FragOffset = true, 185
		}},
		{"TCP fragment at offset 1", LinkRaw, ip4("0028", "0001", "06") + tcp20, func(p *Packet) {
			addrs4(p)
			p.Has, p.Proto, p.TOS, p.TTL, p.Length, p.End = l3, TCP, 0xb8, 64, 40, 40
			p.FragOffset, p.Notes = 1, TinyFragment
		}},
		{"UDP fragment at offset 1", LinkRaw, ip4("0028", "0001", "11") + tcp20, func(p *Packet) {
			addrs4(p)
			p.Has, p.Proto, p.TOS, p.TTL, p.Length, p.End = l3, UDP, 0xb8, 64, 40, 40
			p.FragOffset = 1
		}},
		{"TCP header short of a byte", LinkRaw, ip4("0027", "0000", "06") + tcp20, func(p *Packet) {
			tcp(p)
			p.Has, p.SrcPort, p.DstPort, p.TCPFlags = l3, 0, 0, 0
			p.Notes, p.Length, p.End = ShortHeader, 39, 39
		}},
		{"TCP header cut by the capture behind the flags", LinkRaw, ip4("0028", "0000", "06") + tcp20[:len("1092 01bb 00000001 00000002 50 12 ")], func(p *Packet) {
			tcp(p)
			p.Notes, p.End = Cut, 34
		}},
		{"TCP header cut by the capture before the flags", LinkRaw, ip4("0028", "0000", "06") + "1092 01bb 00000001 00000002 50", func(p *Packet) {
			tcp(p)
			p.Has, p.TCPFlags = l3|HasPorts, 0
			p.Notes, p.End = Cut, 33
		}},
		{"TCP header cut by the capture inside the ports", LinkRaw, ip4("0028", "0000", "06") + "1092 01", func(p *Packet) {
			tcp(p)
			p.Has, p.SrcPort, p.DstPort, p.TCPFlags = l3, 0, 0, 0
			p.Notes, p.End = Cut, 23
		}},
		{"UDP", LinkRaw, ip4("001c", "0000", "11") + "0035 1000 0008 0000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3|HasPorts, UDP, 53, 4096, 0, 28, 28
		}},
		{"UDPLite", LinkRaw, ip4("001c", "0000", "88") + "0035 1000 0008 0000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3|HasPorts, UDPLite, 53, 4096, 0, 28, 28
		}},
		{"UDP header short of a byte", LinkRaw, ip4("001b", "0000", "11") + "0035 1000 0008 00", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, UDP, 0, 0, 0, 27, 27
			p.Notes = ShortHeader
		}},
		{"SCTP", LinkRaw, ip4("0020", "0000", "84") + "0035 1000 0000 0000 00000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3|HasPorts, SCTP, 53, 4096, 0, 32, 32
		}},
		{"DCCP header short of a byte", LinkRaw, ip4("001f", "0000", "21") + "0035 1000 0000 0000 000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, DCCP, 0, 0, 0, 31, 31
			p.Notes = ShortHeader
		}},
		{"ICMP", LinkRaw, ip4("001c", "0000", "01") + "0304 0000 00000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3|HasICMP, ICMP, 0, 0, 0, 28, 28
			p.ICMPType, p.ICMPCode = 3, 4
		}},
		{"ICMP header short of a byte", LinkRaw, ip4("001b", "0000", "01") + "0304 0000 000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, ICMP, 0, 0, 0, 27, 27
			p.Notes = ShortHeader
		}},
		{"ICMPv6 in IPv4 is not ICMP", LinkRaw, ip4("001c", "0000", "3a") + "8000 0000 00000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, ICMPv6, 0, 0, 0, 28, 28
		}},
		{"GRE has no ports", LinkRaw, ip4("001c", "0000", "2f") + "0000 0800 00000000", func(p *Packet) {
			tcp(p)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, 47, 0, 0, 0, 28, 28
		}},
		{"IPv6 TCP", LinkIPv6, ip6("0014", "06") + tcp20, func(p *Packet) { tcp6(p, 0) }},
		{"ICMPv6", LinkRaw, ip6("0008", "3a") + "8601 0000 00000000", func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3|HasICMP, ICMPv6, 0, 0, 0, 48, 48
			p.ICMPType, p.ICMPCode = 0x86, 1
		}},
		{"extension headers: hop by hop, routing, options, AH", LinkRaw,
			ip6("004c", "00") + "2b00 0000*3  3c01 0000*7  3300 0000*3  0604 0000*11 " + tcp20, func(p *Packet) { tcp6(p, 56) }},
		{"ESP hides what follows", LinkRaw, ip6("0008", "32") + "00*8", func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, 50, 0, 0, 0, 48, 48
		}},
		{"no next header", LinkRaw, ip6("0000", "3b"), func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.Length, p.End = l3, 59, 0, 0, 0, 40, 40
		}},
		{"IPv6 atomic fragment", LinkRaw, ip6("001c", "2c") + "0600 0000 00000001 " + tcp20, func(p *Packet) { tcp6(p, 8) }},
		{"IPv6 first fragment", LinkRaw, ip6("001c", "2c") + "0600 0001 00000001 " + tcp20, func(p *Packet) {
			tcp6(p, 8)
			p.MoreFragments = true
		}},
		{"IPv6 later fragment", LinkRaw, ip6("001c", "2c") + "0600 0009 00000001 " + tcp20, func(p *Packet) {
			tcp6(p, 8)
			p.Has, p.SrcPort, p.DstPort, p.TCPFlags, p.TransportOffset = l3, 0, 0, 0, 0
			p.MoreFragments, p.FragOffset = true, 1 // and no TinyFragment: the kernel's is of IPv4
		}},
		{"IPv6 later fragment of an extension header", LinkRaw, ip6("001c", "2c") + "3c00 0010 00000001 " + tcp20, func(p *Packet) {
			tcp6(p, 8)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.TransportOffset = HasLength, 0, 0, 0, 0, 0
			p.FragOffset, p.Notes = 2, BrokenChain
		}},
		{"chain beyond the packet", LinkRaw, ip6("0008", "3c") + "2b00 0000*3", func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.TransportOffset = HasLength, 0, 0, 0, 0, 0
			p.Notes, p.Length, p.End = BrokenChain, 48, 48
		}},
		{"extension header longer than the packet", LinkRaw, ip6("0008", "3c") + "06ff 0000*3", func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.SrcPort, p.DstPort, p.TCPFlags, p.TransportOffset = l3, 0, 0, 0, 40+2048
			p.Notes, p.Length, p.End = ShortHeader, 48, 48
		}},
		{"chain cut by the capture", LinkRaw, ip6("001c", "3c") + "06", func(p *Packet) {
			tcp6(p, 0)
			p.Has, p.Proto, p.SrcPort, p.DstPort, p.TCPFlags, p.TransportOffset = HasLength, 0, 0, 0, 0, 0
			p.Notes, p.Length, p.End = Cut, 68, 41
		}},
		{"jumbogram", LinkRaw, ip6("0000", "00") + "0600 c204 00020000 " + tcp20, func(p *Packet) {
			tcp6(p, 8)
			p.Has, p.Length = HasProto|HasPorts|HasTCPFlags, 0
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			data := raw(t, tc.data)
			var want, got Packet
			want.Family = 4
			tc.want(&want)
			require.NoError(t, got.Decode(data, tc.link))
			require.Equal(t, got.End-got.NetOffset, got.Captured())
			got.Detach()
			require.Equal(t, want, got)

			again := Packet{Has: 0xffff, Notes: 0xff, VLAN: 7, TCPFlags: 9, SMAC: 1, FragOffset: 3, PktType: 2, TransportOffset: 1}
			require.NoError(t, again.Decode(data, tc.link))
			again.Detach()
			require.Equal(t, want, again, "what p held before must not matter")

			var direct Packet
			switch tc.link {
			case LinkEthernet:
				require.NoError(t, direct.DecodeEthernet(data))
			case LinkRaw, LinkIPv4, LinkIPv6:
				require.NoError(t, direct.DecodeIP(data))
			default:
				return
			}
			direct.Detach()
			require.Equal(t, want, direct)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tags := "8100 0001 "
	tests := []struct {
		name string
		link LinkType
		data string
		kind error
		text string
	}{
		{"nothing", LinkRaw, "", ErrTruncated, "IP header"},
		{"a frame without its type", LinkEthernet, "00*13", ErrTruncated, "link header"},
		{"a frame without its tag", LinkEthernet, "00*12 8100 0001 08", ErrTruncated, "link header"},
		{"a cooked header in part", LinkSLL, "00*15", ErrTruncated, "link header"},
		{"a cooked v2 header in part", LinkSLL2, "00*19", ErrTruncated, "link header"},
		{"a family in part", LinkNull, "00*3", ErrTruncated, "link header"},
		{"an IPv4 header in part", LinkRaw, ip4("0028", "0000", "06")[:len(ip4("0028", "0000", "06"))-3], ErrTruncated, "IP header"},
		{"IPv4 options in part", LinkRaw, "46" + ip4("0028", "0000", "06")[2:] + "01*3", ErrTruncated, "IP header"},
		{"an IPv6 header in part", LinkRaw, ip6("0014", "06")[:len(ip6("0014", "06"))-3], ErrTruncated, "IP header"},
		{"ARP", LinkEthernet, "00*12 0806 00*28", ErrNotIP, "EtherType"},
		{"an 802.3 length", LinkEthernet, "00*12 0026 00*40", ErrNotIP, "EtherType"},
		{"AppleTalk", LinkLoop, "00000010", ErrNotIP, "address family"},
		{"IP version 5", LinkRaw, "55" + ip4("0028", "0000", "06")[2:], ErrMalformed, "version is neither"},
		{"IPv6 as IPv4", LinkIPv4, ip6("0000", "3b"), ErrMalformed, "not 4"},
		{"IPv4 as IPv6", LinkIPv6, ip4("0028", "0000", "06") + tcp20, ErrMalformed, "not 6"},
		{"a header length of 16", LinkRaw, "44" + ip4("0028", "0000", "06")[2:], ErrMalformed, "below 20"},
		{"a total length of 19", LinkRaw, ip4("0013", "0000", "06"), ErrMalformed, "below the header length"},
		{"a total length inside the options", LinkRaw, "46" + ip4("0016", "0000", "06")[2:] + "01*4", ErrMalformed, "below the header length"},
		{"nine VLAN tags", LinkEthernet, "00*12 " + strings.Repeat(tags, 9) + "0800", ErrMalformed, "VLAN"},
		{"65 extension headers", LinkRaw, ip6("0210", "3c") + strings.Repeat("3c00 0000*3 ", 64) + "0600 0000*3 ", ErrMalformed, "extension headers"},
		{"USB", 220, "00*64", ErrLinkType, "not one of"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var p Packet
			err := p.Decode(raw(t, tc.data), tc.link)
			require.ErrorIs(t, err, tc.kind)
			require.ErrorContains(t, err, tc.text)
			var typed *Error
			require.ErrorAs(t, err, &typed)
		})
	}
	t.Run("a chain of 64 extension headers is taken", func(t *testing.T) {
		var p Packet
		require.NoError(t, p.DecodeIP(raw(t, ip6("0214", "3c")+strings.Repeat("3c00 0000*3 ", 63)+"0600 0000*3 "+tcp20)))
		require.EqualValues(t, 443, p.DstPort)
	})
}

func TestDecodeComparesIPLengthToTheWire(t *testing.T) {
	for name, data := range map[string][]byte{
		"IPv4": raw(t, ether4+ip4("0064", "0000", "06")+tcp20),
		"IPv6": raw(t, "0a0000000002 0a0000000001 86dd "+ip6("003c", "06")+tcp20),
	} {
		var p Packet
		require.NoError(t, p.DecodeWire(data, 114, LinkEthernet), name)
		require.Equal(t, Cut, p.Notes, name)
		require.EqualValues(t, 100, p.Length, name)
		require.EqualValues(t, 443, p.DstPort, name)
		require.ErrorIs(t, p.DecodeWire(data, 113, LinkEthernet), ErrMalformed, name)
	}
}

// TestDecodeOfEveryPrefix cuts packets at every byte: an IP header that is
// whole decodes and is marked as cut, anything less is truncated.
func TestDecodeOfEveryPrefix(t *testing.T) {
	for name, tc := range map[string]struct {
		data  string
		whole int // bytes up to the end of the IP header
	}{
		"IPv4":         {ether4 + ip4("0028", "0000", "06") + tcp20, 34},
		"IPv6 chain":   {"0a0000000002 0a0000000001 86dd " + ip6("004c", "00") + "2b00 0000*3  3c01 0000*7  3300 0000*3  0604 0000*11 " + tcp20, 54},
		"IPv6 in QinQ": {"0a0000000002 0a0000000001 88a8 0001 8100 0002 86dd " + ip6("001c", "2c") + "0600 0001 00000001 " + tcp20, 62},
	} {
		data := raw(t, tc.data)
		for n := range len(data) {
			var p Packet
			err := p.Decode(data[:n:n], LinkEthernet)
			if n < tc.whole {
				require.ErrorIs(t, err, ErrTruncated, "%s cut to %d", name, n)
				continue
			}
			require.NoError(t, err, "%s cut to %d", name, n)
			require.Equal(t, Cut, p.Notes, "%s cut to %d", name, n)
			require.Equal(t, n >= len(data)-6, p.Has&HasTCPFlags != 0, "%s cut to %d", name, n)
			require.Equal(t, n >= len(data)-16, p.Has&HasPorts != 0, "%s cut to %d", name, n)
		}
	}
}

func TestMetaOutlivesDecode(t *testing.T) {
	var p Packet
	p.SetIn("eth0")
	p.SetOut("")
	p.SetCTState(8)
	p.Mark = 7
	want := p.Meta
	require.NoError(t, p.DecodeIP(raw(t, ip4("0028", "0000", "06")+tcp20)))
	require.Equal(t, want, p.Meta)
	require.Equal(t, rules.NameValue("eth0"), p.InIface)
	require.Equal(t, "10.0.0.1", p.SrcAddr().String())
	require.Equal(t, "192.0.2.7", p.DstAddr().String())
	require.EqualValues(t, 46, p.DSCP())
	require.EqualValues(t, 0, p.ECN())
	require.False(t, p.Frag())
}

func TestLinkTypeNames(t *testing.T) {
	require.True(t, LinkSLL2.Supported())
	require.Equal(t, "linux_sll2", LinkSLL2.String())
	require.False(t, LinkType(220).Supported())
	require.Equal(t, "link type 220", LinkType(220).String())
	require.False(t, errors.Is(errEtherType, ErrMalformed))
}
