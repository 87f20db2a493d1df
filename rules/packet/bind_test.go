package packet

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// text writes a key's fields, "-" for absent ones.
func text(s *rules.Schema, k rules.Key) string {
	out := ""
	for i := range s.Len() {
		f := s.Field(i)
		if v, ok := s.Get(k, i); ok {
			out += fmt.Sprintf(" %s=%s", f.Name, f.FormatValue(v))
		} else {
			out += fmt.Sprintf(" %s=-", f.Name)
		}
	}
	return out[1:]
}

func keyText(t *testing.T, s *rules.Schema, p *Packet) string {
	t.Helper()
	k := s.NewKey()
	for i := range k {
		k[i] = 0xdeadbeef // the key may hold anything before
	}
	if !NewBinder(s).Key(p, k) {
		return "outside"
	}
	require.NoError(t, s.CheckKey(k))
	return text(s, k)
}

var (
	frame4 = ether4 + ip4("0028", "0000", "06") + tcp20
	frame6 = "01005e000001 0a0000000001 8100 0fff 86dd " + ip6("0008", "3a") + "8601 0000 00000000"
	late4  = ether4 + ip4("0028", "0007", "06") + tcp20
)

func TestKeyOfReadySchemas(t *testing.T) {
	tests := []struct {
		name   string
		schema *rules.Schema
		data   string
		want   string
	}{
		{"IPv4 in IPv4 tuple", rules.IPv4Tuple, frame4, "src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=443 proto=tcp"},
		{"fragment in IPv4 tuple", rules.IPv4Tuple, late4, "src=10.0.0.1 dst=192.0.2.7 sport=- dport=- proto=tcp"},
		{"IPv6 in IPv4 tuple", rules.IPv4Tuple, frame6, "outside"},
		{"IPv4 in IPv6 tuple", rules.IPv6Tuple, frame4, "outside"},
		{"ICMPv6 in IPv6 tuple", rules.IPv6Tuple, frame6, "src=2001:db8::1 dst=2001:db8::2 sport=- dport=- proto=ipv6-icmp"},
		{"IPv4 in the tuple of both", rules.IPTuple, frame4, "src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=443 proto=tcp"},
		{"IPv6 in the tuple of both", rules.IPTuple, frame6, "src=2001:db8::1 dst=2001:db8::2 sport=- dport=- proto=ipv6-icmp"},
		{"IPv4 in the firewall", rules.Firewall, frame4,
			"src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=443 proto=tcp iif=eth0 oif=- frag=0 tcpflags=SYN+ACK icmptype=- icmpcode=- " +
				"ctstate=NEW mark=0x2a dscp=0x2e ecn=0 length=40 ttl=64 vlan=- smac=0a:00:00:00:00:01 pkttype=unicast"},
		{"IPv6 in the firewall", rules.Firewall, frame6,
			"src=2001:db8::1 dst=2001:db8::2 sport=- dport=- proto=ipv6-icmp iif=eth0 oif=- frag=0 tcpflags=- icmptype=134 icmpcode=1 " +
				"ctstate=NEW mark=0x2a dscp=0x2e ecn=0 length=48 ttl=64 vlan=4095 smac=0a:00:00:00:00:01 pkttype=multicast"},
		{"a fragment in the firewall", rules.Firewall, late4,
			"src=10.0.0.1 dst=192.0.2.7 sport=- dport=- proto=tcp iif=eth0 oif=- frag=1 tcpflags=- icmptype=- icmpcode=- " +
				"ctstate=NEW mark=0x2a dscp=0x2e ecn=0 length=40 ttl=64 vlan=- smac=0a:00:00:00:00:01 pkttype=unicast"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var p Packet
			p.SetIn("eth0")
			p.SetCTState(8)
			p.Mark = 42
			require.NoError(t, p.DecodeEthernet(raw(t, tc.data)))
			require.Equal(t, tc.want, keyText(t, tc.schema, &p))
		})
	}
}

func TestKeyWithoutMeta(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "oif", Kind: rules.Name}, rules.Field{Name: "iif", Kind: rules.Name},
		rules.Field{Name: "mark", Bits: 32}, rules.Field{Name: "ctstate", Bits: 8})
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, ip4("0028", "0000", "06")+tcp20)))
	require.Equal(t, "oif=- iif=- mark=0 ctstate=-", keyText(t, s, &p))

	p.SetIn("")
	p.SetOut("br-lan")
	k := s.NewKey()
	require.True(t, NewBinder(s).Key(&p, k))
	require.EqualValues(t, 1<<3, k[0], "an interface that is known not to exist is present, with the empty name")
	name, ok := s.Get(k, s.MustIndex("oif"))
	require.True(t, ok)
	require.Equal(t, rules.NameValue("br-lan"), name)
}

func TestKeyOfOtherSchemas(t *testing.T) {
	tcp := ip4("0028", "0000", "06") + tcp20
	icmp := ip4("001c", "0000", "01") + "0304 0000 00000000"
	icmp6 := ip6("0008", "3a") + "8601 0000 00000000"
	f := func(name string, bits int) rules.Field { return rules.Field{Name: name, Bits: bits} }
	tests := []struct {
		name   string
		fields []rules.Field
		data   string
		want   string
	}{
		{"no fields", nil, tcp, ""},
		{"unknown names", []rules.Field{f("user", 32), f("srcport", 16)}, tcp, "user=- srcport=-"},
		{"ClassBench flags of TCP", []rules.Field{f("flags", 16)}, tcp, "flags=4608"},
		{"ClassBench flags of ICMP", []rules.Field{f("flags", 16)}, icmp, "flags=768"},
		{"ClassBench flags of ICMPv6", []rules.Field{f("flags", 16)}, icmp6, "flags=-"},
		{"flags of another width", []rules.Field{f("flags", 8)}, tcp, "flags=-"},
		{"flags of a wider field", []rules.Field{f("flags", 32)}, tcp, "flags=-"},
		{"tos, family, dmac", []rules.Field{f("tos", 8), f("family", 8), {Name: "dmac", Kind: rules.MAC}}, tcp, "tos=184 family=4 dmac=-"},
		{"addresses as numbers", []rules.Field{f("dst", 32), f("src", 128)}, tcp, "dst=3221225991 src=281470849515521"},
		{"IPv6 and a 32-bit number", []rules.Field{f("dst", 32)}, icmp6, "outside"},
		{"addresses of odd widths", []rules.Field{f("src", 48), f("dst", 8)}, icmp6, "src=- dst=-"},
		{"addresses as names", []rules.Field{{Name: "src", Kind: rules.Name}}, tcp, "src=-"},
		{"interfaces as numbers", []rules.Field{f("iif", 32)}, tcp, "iif=-"},
		{"wider fields", []rules.Field{f("sport", 40), f("proto", 128), f("ttl", 96), f("dport", 64)}, tcp, "sport=4242 proto=6 ttl=64 dport=443"},
		{"a narrow field that the value fits", []rules.Field{f("proto", 3), f("dport", 9)}, tcp, "proto=6 dport=443"},
		{"a narrow field that the value does not fit", []rules.Field{f("proto", 2), f("dport", 8)}, tcp, "proto=- dport=-"},
		{"the tuple in another order", []rules.Field{{Name: "proto", Kind: rules.Proto}, {Name: "dport", Kind: rules.Port}, {Name: "src", Kind: rules.IP}}, tcp,
			"proto=tcp dport=443 src=10.0.0.1"},
		{"mixed address fields", []rules.Field{{Name: "src", Kind: rules.IPv4}, {Name: "dst", Kind: rules.IPv6}, f("sport", 16), f("dport", 16), f("proto", 8)}, tcp, "outside"},
		{"a tuple and more", []rules.Field{{Name: "src", Kind: rules.IPv4}, {Name: "dst", Kind: rules.IPv4}, f("sport", 16), f("dport", 16), f("proto", 8), f("icmptype", 8)}, icmp,
			"src=10.0.0.1 dst=192.0.2.7 sport=- dport=- proto=1 icmptype=3"},
		{"a tuple of narrow fields", []rules.Field{{Name: "src", Kind: rules.IPv4}, {Name: "dst", Kind: rules.IPv4}, f("sport", 12), f("dport", 16), f("proto", 8)}, tcp,
			"src=10.0.0.1 dst=192.0.2.7 sport=- dport=443 proto=6"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := rules.MustSchema(tc.fields...)
			var p Packet
			require.NoError(t, p.DecodeIP(raw(t, tc.data)))
			got := ""
			if s.Len() > 0 {
				got = keyText(t, s, &p)
			} else {
				require.True(t, NewBinder(s).Key(&p, s.NewKey()))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestLengthBeyondTheFieldIsAbsent(t *testing.T) {
	p := Packet{Family: 6, Proto: UDP, Length: 65535 + 40}
	var q Packet
	require.NoError(t, q.DecodeIP(p.AppendIP(nil)))
	require.EqualValues(t, 65575, q.Length)
	s := rules.MustSchema(rules.Field{Name: "length", Bits: 16})
	require.Equal(t, "length=-", keyText(t, s, &q))
	wide := rules.MustSchema(rules.Field{Name: "length", Bits: 32})
	require.Equal(t, "length=65575", keyText(t, wide, &q))
}

// TestKeyEqualsSetTuple holds the Binder to the model's own way of filling a
// 5-tuple.
func TestKeyEqualsSetTuple(t *testing.T) {
	for _, data := range []string{frame4, frame6, late4} {
		var p Packet
		require.NoError(t, p.DecodeEthernet(raw(t, data)))
		tuple := rules.Tuple{Src: p.SrcAddr(), Dst: p.DstAddr(), SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto, NoPorts: p.Has&HasPorts == 0}
		for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple} {
			want, got := s.NewKey(), s.NewKey()
			held := s.SetTuple(want, tuple)
			require.Equal(t, held, NewBinder(s).Key(&p, got))
			if held {
				require.Equal(t, want, got)
			}
		}
	}
}

func TestDecodeAndKeyDoNotAllocate(t *testing.T) {
	frames := [][]byte{raw(t, frame4), raw(t, frame6), raw(t, late4), raw(t, "00*12 0806 00*28"), raw(t, "00*20")}
	var p Packet
	p.SetIn("eth0")
	var binders []*Binder
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall} {
		binders = append(binders, NewBinder(s))
	}
	key := make(rules.Key, rules.MaxKeyWords)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, data := range frames {
			if p.Decode(data, LinkEthernet) != nil {
				continue
			}
			for _, b := range binders {
				b.Key(&p, key)
			}
		}
	}))
	buf := make([]byte, 0, 128)
	q := Packet{Proto: TCP, Length: 100}
	q.SetAddrs(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"))
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = q.AppendEthernet(buf[:0]) }))
}

var (
	sinkPacket Packet
	sinkKey    [rules.MaxKeyWords]uint32
)

func BenchmarkDecode(b *testing.B) {
	for _, bc := range []struct {
		name string
		data string
	}{
		{"tcp4", frame4},
		{"tcp6", "0a0000000002 0a0000000001 86dd " + ip6("0014", "06") + tcp20},
		{"tcp6-ext4", "0a0000000002 0a0000000001 86dd " + ip6("004c", "00") + "2b00 0000*3  3c01 0000*7  3300 0000*3  0604 0000*11 " + tcp20},
		{"vlan-icmp6", frame6},
	} {
		data := raw(b, bc.data)
		b.Run("packet="+bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := sinkPacket.Decode(data, LinkEthernet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	var p Packet
	p.SetIn("eth0")
	require.NoError(b, p.DecodeEthernet(raw(b, frame4)))
	for _, bc := range []struct {
		name   string
		schema *rules.Schema
	}{{"ipv4tuple", rules.IPv4Tuple}, {"iptuple", rules.IPTuple}, {"firewall", rules.Firewall}} {
		binder := NewBinder(bc.schema)
		key := rules.Key(sinkKey[:bc.schema.KeyLen()])
		b.Run("schema="+bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				binder.Key(&p, key)
			}
		})
	}
}
