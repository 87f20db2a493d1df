package describe

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

func TestDescriptionsHaveOneCanonicalForm(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW":        "tcp 10.0.0.1:4242 > 192.0.2.7:443 SYN in=eth0 ctstate=NEW",
		"tcp 10.0.0.1 > 192.0.2.7:https ctstate=ESTABLISHED":           "tcp 10.0.0.1:50000 > 192.0.2.7:443 ACK ctstate=ESTABLISHED",
		" 10.0.0.1:1 -> 10.0.0.2:2  tcp ack,syn":                       "tcp 10.0.0.1:1 > 10.0.0.2:2 SYN,ACK",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 flags=none":                       "tcp 10.0.0.1:1 > 10.0.0.2:2 flags=none",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 options=mss:1460,sackok,nop":      "tcp 10.0.0.1:1 > 10.0.0.2:2 SYN options=mss:1460,sackok,nop",
		"udp [2001:db8::1]:5353 > [ff02::fb]:5353 hl=255":              "udp [2001:db8::1]:5353 > [ff02::fb]:5353 ttl=255",
		"udp 10.0.0.1:1 > 10.0.0.2:2 dscp=AF21 ecn=1":                  "udp 10.0.0.1:1 > 10.0.0.2:2 tos=0x49",
		`udp 10.0.0.1:1 > 10.0.0.2:2 payload="a\x00\"\n é"`:            `udp 10.0.0.1:1 > 10.0.0.2:2 payload="a\x00\"\n \xc3\xa9"`,
		"icmp 10.0.0.1 > 10.0.0.2":                                     "icmp 10.0.0.1 > 10.0.0.2 type=8",
		"icmp 10.0.0.1 > 10.0.0.2 type=destination-unreachable code=1": "icmp 10.0.0.1 > 10.0.0.2 type=3 code=1",
		"icmp6 fe80::1 > ff02::1 type=router-solicitation":             "icmpv6 fe80::1 > ff02::1 type=133",
		"udp 10.0.0.1 > 10.0.0.2 frag mf":                              "udp 10.0.0.1 > 10.0.0.2 mf frag=1480",
		"udp 2001:db8::1 > 2001:db8::2 frag=8":                         "udp 2001:db8::1 > 2001:db8::2 frag=8",
		"10.0.0.1 > 10.0.0.2 proto=47 length=100":                      "gre 10.0.0.1 > 10.0.0.2 length=100",
		"253 10.0.0.1 > 10.0.0.2":                                      "253 10.0.0.1 > 10.0.0.2",
		"esp 10.0.0.1 > 10.0.0.2 spi=0x100":                            "esp 10.0.0.1 > 10.0.0.2 spi=0x100",
		"ah 10.0.0.1 > 10.0.0.2 spi=7 payload=x":                       `ah 10.0.0.1 > 10.0.0.2 spi=0x7 payload="x"`,
		"ipcomp 10.0.0.1 > 10.0.0.2 cpi=9":                             "ipcomp 10.0.0.1 > 10.0.0.2 cpi=0x9",
		"udp 10.0.0.1:1 > 10.0.0.2:2 vlan=7":                           "udp 10.0.0.1:1 > 10.0.0.2:2 dmac=02:00:00:00:00:02 vlan=7",
		"udp 10.0.0.1:1 > 10.0.0.2:2 mac=0a:00:00:00:00:01 pkttype=broadcast": "udp 10.0.0.1:1 > 10.0.0.2:2 mac=0a:00:00:00:00:01 dmac=02:00:00:00:00:02 " +
			"pkttype=broadcast",
		"udp 10.0.0.1:1 > 10.0.0.2:2 out=eth0 uid=1000 gid=0 ctmark=7 mark=255 time=2024-05-14T09:30:00Z": "udp 10.0.0.1:1 > 10.0.0.2:2 out=eth0 ctmark=0x7 mark=0xff " +
			"uid=1000 gid=0 time=2024-05-14T09:30:00Z",
		"udp 10.0.0.1:1 > 10.0.0.2:2 in= uid=none cgroup=/a srctype=LOCAL dsttype=UNICAST cpu=0 physin=p0": "udp 10.0.0.1:1 > 10.0.0.2:2 in= uid=none cgroup=/a cpu=0 " +
			"srctype=LOCAL dsttype=UNICAST physin=p0",
		"udp 10.0.0.1:1 > 10.0.0.2:2 mtu=1500 inaddr=10.0.0.2 outaddr=2001:db8::1 rpfilter=loose socket=wildcard ipsec=none ipvs=none physin=none": "udp 10.0.0.1:1 > 10.0.0.2:2 " +
			"mtu=1500 inaddr=10.0.0.2 outaddr=2001:db8::1 rpfilter=loose socket=wildcard ipsec=none ipvs=none physin=none",
	} {
		p, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p.String())
		again, err := Parse(p.String())
		require.NoError(t, err)
		require.Equal(t, p.Data, again.Data, text)
		require.Equal(t, p.Packet, again.Packet, text)
		requireChecksums(t, p)
	}
}

// requireChecksums checks the sums of the IPv4 header and of the transport.
func requireChecksums(t testing.TB, p *Packet) {
	t.Helper()
	ip := p.Data[p.NetOffset:]
	pseudo := uint32(0)
	if p.Family == 4 {
		require.EqualValues(t, 0xffff, sum(0, ip[:20]))
		pseudo = uint32(sum(0, ip[12:20]))
	} else {
		pseudo = uint32(sum(0, ip[8:40]))
	}
	if p.FragOffset != 0 {
		return
	}
	body := p.Data[p.TransportOffset:p.End]
	switch p.Proto {
	case packet.ICMP:
		pseudo = 0
	case packet.TCP, packet.UDP, packet.ICMPv6:
		pseudo += uint32(p.Proto) + uint32(len(body))
	default:
		return
	}
	require.EqualValues(t, 0xffff, sum(pseudo, body), p.String())
}

func TestADescribedPacketHasWhatItsDescriptionSays(t *testing.T) {
	p, err := Parse(`tcp 10.0.0.1:4242 > 192.0.2.7:443 PSH,ACK seq=7 ack=8 window=9 id=5 df ttl=3 options=mss:1460,wscale:7 payload="GET /" length=100 ` +
		`in=eth0 out=eth1 ctstate=ESTABLISHED ctdir=REPLY ctmark=0x10 mark=3 uid=1000 gid=100 realm=4 srctype=LOCAL time=2024-05-14T09:30:00+02:00`)
	require.NoError(t, err)
	require.Len(t, p.Data, 100)
	require.Equal(t, "GET /\x00", string(p.Data[48:54]))
	require.EqualValues(t, 7, binary.BigEndian.Uint32(p.Data[24:]))
	require.EqualValues(t, 8, binary.BigEndian.Uint32(p.Data[28:]))
	require.EqualValues(t, 9, binary.BigEndian.Uint16(p.Data[34:]))
	require.EqualValues(t, 0x18, p.TCPFlags)
	mss, status := p.MSS()
	require.Equal(t, packet.Found, status)
	require.EqualValues(t, 1460, mss)
	require.Equal(t, rules.NameValue("eth1"), p.OutIface)
	require.EqualValues(t, 2, p.CTState)
	c := p.Conn
	require.Equal(t, packet.Endpoint{Addr: p.Dst, Port: 443}, c.Orig[0])
	require.Equal(t, packet.Endpoint{Addr: p.Src, Port: 4242}, c.Repl[0])
	require.True(t, c.Reply)
	require.EqualValues(t, 0x10, c.Mark)
	require.EqualValues(t, 14, c.Status)
	require.Equal(t, &packet.Owner{Exists: true, File: true, UID: 1000, GID: 100}, p.Env.Owner)
	require.Equal(t, packet.HasRealm|packet.HasAddrTypes, p.Env.Has)
	require.Equal(t, time.Date(2024, 5, 14, 7, 30, 0, 0, time.UTC), p.Time.UTC())
	require.EqualValues(t, 3, p.Mark)

	p, err = Parse("udp 10.0.0.1:1 > 10.0.0.2:2 mtu=1500 inaddr=10.0.0.2 rpfilter=loose socket=transparent ipsec=none physin=none")
	require.NoError(t, err)
	require.Equal(t, packet.HasPathMTU|packet.HasInAddr, p.Env.Has)
	require.Equal(t, p.Dst, p.Env.InAddr)
	require.Equal(t, &packet.ReversePath{Type: 2}, p.Env.ReversePath)
	require.Equal(t, &packet.Socket{Found: true, Transparent: true}, p.Env.Socket)
	require.Equal(t, &packet.Policy{}, p.Env.Policy)
	require.Equal(t, &packet.Bridge{}, p.Env.Bridge)
	require.Nil(t, p.Env.IPVS)

	p, err = Parse("tcp 10.0.0.1:1 > 10.0.0.2:2 ctstate=INVALID")
	require.NoError(t, err)
	require.Nil(t, p.Conn, "an invalid packet has no connection")
	require.Nil(t, p.Env)
}

func TestErrorsNameTheColumn(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                 "column 1: a description is PROTOCOL SOURCE",
		"tcp 10.0.0.1:1 10.0.0.2:2":                        "column 26: a description is",
		"tcp 10.0.0.1:1 >":                                 "column 17: a description is",
		"foo 10.0.0.1:1 > 10.0.0.2:2":                      `column 1: "foo": no protocol`,
		"tcp a 10.0.0.1:1 > 10.0.0.2:2":                    `column 5: "a": more than`,
		"10.0.0.1 > 10.0.0.2":                              "column 1: no protocol: begin with tcp",
		"tcp 10.0.0.x:1 > 10.0.0.2:2":                      `column 5: "10.0.0.x:1": not an address: "10.0.0.x"`,
		"tcp 10.0.0.1:x > 10.0.0.2:2":                      `column 5: "10.0.0.1:x": not a port: "x"`,
		"tcp 10.0.0.1:70000 > 10.0.0.2:2":                  `not a port: "70000"`,
		"tcp 10.0.0.1:1 > 10.0.0.2":                        `column 18: "10.0.0.2": no port: write 10.0.0.2:443`,
		"udp ::1:80 > ::2":                                 `column 14: "::2": no port: write [::2]:443`,
		"tcp [::1]:80 > fe80::1%eth0":                      `not an address`,
		"tcp [::1]:80 > 10.0.0.1:1":                        `column 16: "10.0.0.1:1": source and destination are of two families`,
		"icmp 10.0.0.1 > 10.0.0.2:80":                      `column 17: "10.0.0.2:80": icmp has no ports`,
		"icmp 10.0.0.1:1 > 10.0.0.2":                       `column 6: "10.0.0.1:1": icmp has no ports`,
		"udp 10.0.0.1 > 10.0.0.2:80 frag":                  "a later fragment has no ports",
		"icmp ::1 > ::2":                                   "between IPv6 addresses it is icmpv6",
		"icmpv6 10.0.0.1 > 10.0.0.2":                       "between IPv4 addresses it is icmp",
		"udp 10.0.0.1:1 > 10.0.0.2:2 SYN":                  `column 29: "SYN": flags is for tcp`,
		"tcp 10.0.0.1:1 > 10.0.0.2:2 type=8":               `column 29: "type=8": type is for icmp and icmpv6`,
		"tcp 10.0.0.1:1 > 10.0.0.2:2 cstate=NEW":           `column 29: "cstate=NEW": no such word; ctstate?`,
		"tcp 10.0.0.1:1 > 10.0.0.2:2 whatever":             "no such word; there are TCP flags and flags type",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 ctstate=OLD":          "no OLD: there are INVALID, ESTABLISHED",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 ttl=256":              "not a number in 0..255",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 ttl=5 hl=6":           `column 35: "hl=6": ttl is said twice`,
		"tcp 10.0.0.1:1 > 10.0.0.2:2 ttl":                  "ttl needs a value: ttl=N",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 ttl=":                 "an empty value",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 df=1":                 "df stands without a value",
		"tcp [::1]:1 > [::2]:2 df":                         "df is for IPv4",
		"udp 10.0.0.1:1 > 10.0.0.2:2 payload=\"a":          "the quote is not closed",
		"udp 10.0.0.1:1 > 10.0.0.2:2 \"a\"":                `a quote; texts are written NAME="TEXT"`,
		"udp 10.0.0.1:1 > 10.0.0.2:2 payload=\"a\"b":       "text behind the closing quote",
		"udp 10.0.0.1:1 > 10.0.0.2:2 payload=\"\\q\"":      "not a text as in Go",
		"udp 10.0.0.1:1 > 10.0.0.2:2 length=20":            `column 29: "length=20": headers and payload take 28 bytes; at most 65535 can be: length is in 28..65535`,
		"udp 10.0.0.1:1 > 10.0.0.2:2 ttl=3 len=20":         `column 35: "len=20": headers`,
		"udp 10.0.0.1:1 > 10.0.0.2:2 foo=1":                "no such word; there are TCP flags and flags type",
		"udp 10.0.0.1:1 > 10.0.0.2:2 length=70000":         "at most 65535 can be",
		"udp 10.0.0.1 > 10.0.0.2 frag=7":                   "not a multiple of 8",
		"udp 10.0.0.1:1 > 10.0.0.2:2 mac=1:2":              "not a MAC address",
		"udp 10.0.0.1:1 > 10.0.0.2:2 in=averylongname0123": "not the name of an interface",
		"udp 10.0.0.1:1 > 10.0.0.2:2 time=noon":            "write times as",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 options=foo":          `"foo" is no option`,
		"tcp 10.0.0.1:1 > 10.0.0.2:2 options=mss:x":        "mss needs a number of 16 bits",
		"tcp 10.0.0.1:1 > 10.0.0.2:2 options=timestamp,timestamp,timestamp,timestamp,timestamp": "a TCP header has room for 40",
		"esp 2001:db8::1 > 2001:db8::2 cpi=1":                                                   "cpi is for ipcomp",
		"udp 10.0.0.1:1 > 10.0.0.2:2 pkttype=odd":                                               "not one of unicast",
		"udp 10.0.0.1:1 > 10.0.0.2:2 ctdir=sideways":                                            "ORIGINAL or REPLY",
		"udp 10.0.0.1:1 > 10.0.0.2:2 dscp=AF55":                                                 "no class CS0-CS7",
		"icmp 10.0.0.1 > 10.0.0.2 type=ping":                                                    "no name of a type",
		"icmp 10.0.0.1 > 10.0.0.2 type=packet-too-big":                                          "not a type of this family",
		"udp 10.0.0.1:1 > 10.0.0.2:2 payload=\"" + strings.Repeat("x", 66000) + "\"":            "at most 65535",
		strings.Repeat("x", maxText+1):                                                          "at most",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
		require.ErrorAs(t, err, new(*Error))
	}
}

func TestMetaIsGivenToAnyPacket(t *testing.T) {
	m, err := ParseMeta("in=eth0 ctstate=NEW ctmark=5 uid=1000 time=2024-05-14T09:30:00Z")
	require.NoError(t, err)
	require.Equal(t, 2024, m.Time().Year())
	a, err := Parse("tcp 10.0.0.1:1 > 10.0.0.2:2")
	require.NoError(t, err)
	b, err := Parse("udp 10.0.0.3:3 > 10.0.0.2:2 mark=9")
	require.NoError(t, err)
	m.Apply(&a.Packet)
	m.Apply(&b.Packet)
	require.NotSame(t, a.Conn, b.Conn)
	require.EqualValues(t, 5, b.Conn.Mark)
	require.EqualValues(t, 17, b.Conn.Proto)
	require.EqualValues(t, 9, b.Mark, "what the words do not mention stays")
	require.EqualValues(t, 1000, a.Env.Owner.UID)
	require.Equal(t, "udp 10.0.0.3:3 > 10.0.0.2:2 length=28 in=eth0 ctstate=NEW ctmark=0x5 mark=0x9 uid=1000 gid=0", Format(&b.Packet))

	// The link layer's words are for packets without a link header.
	m, err = ParseMeta("pkttype=broadcast mac=02:00:00:00:00:09")
	require.NoError(t, err)
	framed, err := Parse("udp 10.0.0.3:3 > 10.0.0.2:2 mac=02:00:00:00:00:07")
	require.NoError(t, err)
	m.Apply(&b.Packet)
	m.Apply(&framed.Packet)
	require.Equal(t, []any{uint64(0x020000000009), uint8(packet.Broadcast)}, []any{b.SMAC, b.PktType})
	require.NotZero(t, b.Has&packet.HasSMAC)
	require.NotZero(t, b.Has&packet.HasPktType)
	require.Equal(t, []any{uint64(0x020000000007), uint8(packet.Unicast)}, []any{framed.SMAC, framed.PktType})
	_, err = ParseMeta("in=eth0 ttl=5")
	require.EqualError(t, err, `column 9: "ttl=5": a word about a packet's bytes; here those about what its bytes do not say may stand`)
	_, err = ParseMeta("SYN")
	require.Error(t, err)
	_, err = ParseMeta("mark=x")
	require.EqualError(t, err, `column 1: "mark=x": not a number in 0..4294967295`)
}

func TestEveryWordIsDescribedAndWrittenBack(t *testing.T) {
	names := map[string]bool{}
	for _, w := range Words() {
		require.False(t, names[w.Name], w.Name)
		names[w.Name] = true
		require.NotEmpty(t, w.Help, w.Name)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW SYN,ACK options=mss:1460,253:beef", `udp [::1]:1 > [::2]:2 payload="\x00" vlan=7 mf`,
		"icmp 10.0.0.1 > 10.0.0.2 type=3 code=1 ctdir=reply length=99", "ah 10.0.0.1 > 10.0.0.2 spi=1 frag=8", "0 ::1 > ::2 uid=1 gid=2 cgroup=\"/a b\" physout=x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			require.ErrorAs(t, err, new(*Error))
			return
		}
		again, err := Parse(p.String())
		require.NoError(t, err, p.String())
		require.Equal(t, p.String(), again.String())
		require.Equal(t, p.Data, again.Data)
		require.Equal(t, fmt.Sprint(p.Meta.Known, p.Mark, p.Conn), fmt.Sprint(again.Meta.Known, again.Mark, again.Conn))
		_, err = ParseMeta(Format(&p.Packet))
		require.Error(t, err)
	})
}
