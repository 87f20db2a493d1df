package cisco

// What lists say of packets: a table written from the documentation of IOS, and
// random lists whose answers are known from how they were made.

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// emptyKey returns a key of a packet without any field.
func emptyKey() rules.Key {
	k := Schema.NewKey()
	for i := range Schema.Len() {
		Schema.SetAbsent(k, i)
	}
	return k
}

// key makes a key of conditions such as "src=10.0.0.1 dport=80".
func key(t *testing.T, text string) rules.Key {
	t.Helper()
	k := emptyKey()
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		require.True(t, ok, word)
		i := Schema.MustIndex(name)
		v, err := Schema.Field(i).ParseValue(value)
		require.NoError(t, err)
		Schema.Set(k, i, v)
	}
	return k
}

func TestEntriesDecideAsIOSDocumentsThem(t *testing.T) {
	const (
		web   = "src=10.0.0.1 dst=192.0.2.1 proto=tcp frag=0 sport=40000 dport=80 tcpflags=SYN ttl=64 dscp=0 ecn=0"
		later = "src=10.0.0.1 dst=192.0.2.1 proto=tcp frag=1 ttl=64 dscp=0 ecn=0" // the rest of web
		ping  = "src=10.0.0.1 dst=192.0.2.1 proto=icmp frag=0 icmptype=8 icmpcode=0 ttl=64 dscp=0 ecn=0"
		short = "src=10.0.0.1 dst=192.0.2.1 proto=tcp frag=0 ttl=64 dscp=0 ecn=0"
	)
	for _, tt := range []struct {
		entries, packet, verdict string
		line                     int // that decides; 0 the implicit deny
	}{
		{"permit tcp any any eq www", web, Permit, 2},
		{"permit tcp any any eq 443", web, Deny, 0},
		{"deny tcp any any eq 22 80\npermit ip any any", web, Deny, 2},
		{"permit tcp any any neq 22 443", web, Permit, 2},
		{"permit tcp any any neq 22 80", web, Deny, 0},
		{"permit tcp any any lt 80", web, Deny, 0},
		{"permit tcp any any lt 81", web, Permit, 2},
		{"permit tcp any any gt 80", web, Deny, 0},
		{"permit tcp any any lt 0\npermit tcp any any gt 65535", web, Deny, 0},
		{"permit tcp any any range 80 80", web, Permit, 2},
		{"permit tcp any gt 1023 any", web, Permit, 2},
		{"permit udp any any eq 80", web, Deny, 0},
		{"permit 6 any any", web, Permit, 2},
		{"permit ip 10.0.0.0 0.0.0.255 192.0.2.0 0.0.0.255", web, Permit, 2},
		{"permit ip 10.9.9.1 0.255.255.0 any", web, Permit, 2}, // a wildcard with holes: ends in .1
		{"permit ip 10.9.9.2 0.255.255.0 any", web, Deny, 0},
		{"permit ip 1.2.3.4 255.255.255.255 any", web, Permit, 2},
		{"permit ip host 10.0.0.1 host 192.0.2.1", web, Permit, 2},
		{"permit tcp any any established", web, Deny, 0},
		{"permit tcp any any established", strings.Replace(web, "=SYN", "=ACK+SYN", 1), Permit, 2},
		{"permit tcp any any established", strings.Replace(web, "=SYN", "=RST", 1), Permit, 2},
		{"permit tcp any any match-all +syn -ack", web, Permit, 2},
		{"permit tcp any any match-all +syn +ack", web, Deny, 0},
		{"permit tcp any any match-any +syn +ack", web, Permit, 2},
		{"permit tcp any any match-any -syn +ack", web, Deny, 0},
		{"permit tcp any any match-any -syn -ack", web, Permit, 2},
		{"permit tcp any any syn", web, Permit, 2},
		{"permit icmp any any echo", ping, Permit, 2},
		{"permit icmp any any 8", ping, Permit, 2},
		{"permit icmp any any 8 1", ping, Deny, 0},
		{"permit icmp any any unreachable\npermit icmp any any", ping, Permit, 3},
		{"permit ip any any dscp ef", web, Deny, 0},
		{"permit ip any any dscp ef", strings.Replace(web, "dscp=0", "dscp=46", 1), Permit, 2},
		{"permit ip any any precedence critical", strings.Replace(web, "dscp=0", "dscp=46", 1), Permit, 2},
		{"permit ip any any precedence 5 tos 12", strings.Replace(web, "dscp=0", "dscp=46", 1), Permit, 2},
		{"permit ip any any tos 13", strings.Replace(strings.Replace(web, "dscp=0", "dscp=46", 1), "ecn=0", "ecn=3", 1), Permit, 2},
		{"permit ip any any ttl lt 64", web, Deny, 0},
		{"permit ip any any ttl range 64 65 log", web, Permit, 2},
		// The six kinds of lines of document 8014.
		{"permit ip any any", later, Permit, 2},
		{"deny ip any any", later, Deny, 2},
		{"permit tcp any any eq 80", later, Permit, 2},
		{"permit tcp any any eq 22", later, Permit, 2},
		{"deny tcp any any eq 80\npermit ip any any", later, Permit, 3},
		{"permit tcp any any fragments", later, Permit, 2},
		{"permit tcp any any fragments", web, Deny, 0},
		{"deny tcp any any fragments\npermit tcp any any eq 22", later, Deny, 2},
		{"permit tcp host 10.9.9.9 any eq 80", later, Deny, 0},
		{"permit udp any any eq 80", later, Deny, 0},
		{"permit tcp any any established", later, Permit, 2},
		{"permit tcp any any eq 80 ttl eq 1", later, Deny, 0},
		{"permit tcp any any eq 80", short, Deny, 0},
		{"30 permit ip any any\n20 deny tcp any any", web, Deny, 3},
		{"", web, Permit, 0},
	} {
		text := "ip access-list extended A\n " + strings.ReplaceAll(tt.entries, "\n", "\n ") + "\n"
		lists, err := Read(strings.NewReader(text), Options{})
		require.NoError(t, err, text)
		i, ok := lists[0].Rules.First(key(t, tt.packet))
		require.True(t, ok)
		require.Equal(t, tt.verdict, lists[0].Rules.At(i).Value, "%s: %s", tt.entries, tt.packet)
		require.Equal(t, tt.line, lists[0].Lines[i], "%s: %s", tt.entries, tt.packet)
	}
}

// A packet as the router sees it.
type seen struct {
	src, dst     uint32
	proto        int
	later        bool // a fragment other than the first
	header       bool // that of its protocol is there
	sport, dport int
	flags        int
	kind, code   int
	tos, ttl     int // the byte of the header
}

func (p *seen) key() rules.Key {
	k := emptyKey()
	set := func(i, v int) { Schema.Set(k, i, rules.U64(uint64(v))) }
	set(src, int(p.src))
	set(dst, int(p.dst))
	set(proto, p.proto)
	set(dscp, p.tos>>2)
	set(ecn, p.tos&3)
	set(ttl, p.ttl)
	set(frag, 0)
	if p.later {
		set(frag, 1)
	}
	if p.later || !p.header {
		return k
	}
	switch p.proto {
	case 6, 17:
		set(sport, p.sport)
		set(dport, p.dport)
		if p.proto == 6 {
			set(tcpflags, p.flags)
		}
	case 1:
		set(icmptype, p.kind)
		set(icmpcode, p.code)
	}
	return k
}

// part is a piece of an entry: its text, and what it asks of a packet.
type part struct {
	text string
	ask  func(*seen) bool
}

// maker makes entries and packets from small pools, so that they meet often.
type maker struct {
	*rand.Rand
	networks map[string]func(uint32) bool
	services map[string][]service
}

// service is what an entry asks of the protocol and what is behind it.
type service struct {
	proto  func(int) bool
	layer4 []func(*seen) bool
}

func pick[T any](m *maker, from ...T) T { return from[m.IntN(len(from))] }

// one returns one of the groups; "" when there is none.
func one[T any](m *maker, groups map[string]T) (name string, group T) {
	names := slices.Sorted(maps.Keys(groups))
	if len(names) > 0 {
		name = names[m.IntN(len(names))]
	}
	return name, groups[name]
}

func dotted(v uint32) string { return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255) }

func (m *maker) ip() uint32 {
	return 10<<24 | uint32(m.IntN(3))<<16 | uint32(m.IntN(3))<<8 | uint32(m.IntN(4))
}

func (m *maker) address(groups bool) (string, func(uint32) bool) {
	v := m.ip()
	switch n := m.IntN(7); {
	case n == 0:
		return "any", func(uint32) bool { return true }
	case n == 1:
		return "host " + dotted(v), func(a uint32) bool { return a == v }
	case n == 2 && groups && len(m.networks) > 0:
		name, in := one(m, m.networks)
		return "object-group " + name, in
	}
	w := pick[uint32](m, 0xff, 0xffff, 0xff00, 0x00ff00ff, 3, 0, 0xffffffff, 0x0000feff, 2)
	return dotted(v) + " " + dotted(w), func(a uint32) bool {
		for bit := range 32 {
			if w>>bit&1 == 0 && a>>bit&1 != v>>bit&1 {
				return false
			}
		}
		return true
	}
}

// ports makes a comparison; of a member of a group when one is true.
func (m *maker) ports(proto string, one bool) (string, func(int) bool) {
	names := map[string]string{
		"tcp 80": "www", "udp 53": "domain", "tcp 53": "domain", "tcp 514": "cmd", "udp 514": "syslog", "udp 512": "biff",
		"tcp 512": "exec", "tcp-udp 53": "domain",
	}
	port := func() (string, int) {
		n := pick(m, 53, 80, 512, 514, 0, 65535, 79, 81)
		if name := names[fmt.Sprint(proto, " ", n)]; name != "" && m.IntN(2) == 0 {
			return name, n
		}
		return fmt.Sprint(n), n
	}
	a, x := port()
	b, y := port()
	switch n := m.IntN(6); {
	case n == 0:
		return "lt " + a, func(v int) bool { return v < x }
	case n == 1:
		return "gt " + a, func(v int) bool { return v > x }
	case n == 2:
		if x > y {
			a, b, x, y = b, a, y, x
		}
		return "range " + a + " " + b, func(v int) bool { return v >= x && v <= y }
	case n == 3 && !one:
		return "neq " + a + " " + b, func(v int) bool { return v != x && v != y }
	case n == 4 && !one:
		return "eq " + a + " " + b, func(v int) bool { return v == x || v == y }
	}
	return "eq " + a, func(v int) bool { return v == x }
}

func sourcePort(f func(int) bool) func(*seen) bool { return func(p *seen) bool { return f(p.sport) } }
func destPort(f func(int) bool) func(*seen) bool   { return func(p *seen) bool { return f(p.dport) } }

func (m *maker) icmp() (string, func(*seen) bool) {
	switch m.IntN(4) {
	case 0:
		return "echo", func(p *seen) bool { return p.kind == 8 }
	case 1:
		return "port-unreachable", func(p *seen) bool { return p.kind == 3 && p.code == 3 }
	case 2:
		return "3", func(p *seen) bool { return p.kind == 3 }
	}
	return "3 1", func(p *seen) bool { return p.kind == 3 && p.code == 1 }
}

func isProto(n int) func(int) bool { return func(p int) bool { return p == n } }

// group adds an object group, and returns its text.
func (m *maker) group() string {
	name := fmt.Sprintf("G%d", len(m.networks)+len(m.services))
	var b strings.Builder
	if m.IntN(2) == 0 {
		b.WriteString("object-group network " + name + "\n")
		var all []func(uint32) bool
		for range 1 + m.IntN(3) {
			v, w := m.ip(), m.ip()
			switch m.IntN(4) {
			case 0:
				fmt.Fprintf(&b, " host %s\n", dotted(v))
				all = append(all, func(a uint32) bool { return a == v })
			case 1:
				v, w = min(v, w), max(v, w)
				fmt.Fprintf(&b, " range %s %s\n", dotted(v), dotted(w))
				all = append(all, func(a uint32) bool { return v <= a && a <= w })
			case 2:
				fmt.Fprintf(&b, " %s %s\n", dotted(v), pick(m, "255.255.255.0", "/24"))
				all = append(all, func(a uint32) bool { return a>>8 == v>>8 })
			default:
				if inner, in := one(m, m.networks); inner != "" {
					fmt.Fprintf(&b, " group-object %s\n", inner)
					all = append(all, in)
				}
			}
		}
		if len(all) == 0 {
			b.WriteString(" any\n")
			all = append(all, func(uint32) bool { return true })
		}
		m.networks[name] = func(a uint32) bool {
			for _, in := range all {
				if in(a) {
					return true
				}
			}
			return false
		}
		return b.String()
	}
	b.WriteString("object-group service " + name + "\n")
	var all []service
	for range 1 + m.IntN(3) {
		switch m.IntN(5) {
		case 0:
			b.WriteString(" 47\n")
			all = append(all, service{proto: isProto(47)})
		case 1:
			text, ask := m.icmp()
			b.WriteString(" icmp " + text + "\n")
			all = append(all, service{isProto(1), []func(*seen) bool{ask}})
		case 2:
			text, ask := m.ports("tcp-udp", true)
			b.WriteString(" tcp-udp " + text + "\n")
			all = append(all, service{func(p int) bool { return p == 6 || p == 17 }, []func(*seen) bool{destPort(ask)}})
		case 3:
			from, askFrom := m.ports("tcp", true)
			to, askTo := m.ports("tcp", true)
			b.WriteString(" tcp source " + from + " " + strings.TrimPrefix(to, "eq ") + "\n")
			all = append(all, service{isProto(6), []func(*seen) bool{sourcePort(askFrom), destPort(askTo)}})
		default:
			if inner, in := one(m, m.services); inner != "" {
				fmt.Fprintf(&b, " group-object %s\n", inner)
				all = append(all, in...)
			}
		}
	}
	if len(all) == 0 {
		b.WriteString(" udp\n")
		all = append(all, service{proto: isProto(17)})
	}
	m.services[name] = all
	return b.String()
}

// line makes an entry, and what it says of a packet: whether it matches.
func (m *maker) line() (text string, permit bool, matches func(*seen) bool) {
	permit = m.IntN(2) == 0
	verb := "deny"
	if permit {
		verb = "permit"
	}
	var options []part // of the third layer
	var behind []string
	services := []service{{proto: func(int) bool { return true }}}
	source, inSource := m.address(true)
	dest, inDest := m.address(true)
	protocol, message, fragments := "ip", "", false
	switch m.IntN(6) {
	case 0, 1:
		protocol = pick(m, "tcp", "udp")
		n := map[string]int{"tcp": 6, "udp": 17}[protocol]
		s := service{proto: isProto(n)}
		if m.IntN(3) == 0 {
			text, ask := m.ports(protocol, false)
			source += " " + text
			s.layer4 = append(s.layer4, sourcePort(ask))
		}
		if m.IntN(3) > 0 {
			text, ask := m.ports(protocol, false)
			dest += " " + text
			s.layer4 = append(s.layer4, destPort(ask))
		}
		if n == 6 && m.IntN(3) == 0 {
			switch m.IntN(4) {
			case 0:
				behind = append(behind, "established")
				s.layer4 = append(s.layer4, func(p *seen) bool { return p.flags&16 != 0 || p.flags&4 != 0 })
			case 1:
				behind = append(behind, "match-all +syn -ack")
				s.layer4 = append(s.layer4, func(p *seen) bool { return p.flags&2 != 0 && p.flags&16 == 0 })
			case 2:
				behind = append(behind, "match-any +fin -ack +rst")
				s.layer4 = append(s.layer4, func(p *seen) bool { return p.flags&1 != 0 || p.flags&16 == 0 || p.flags&4 != 0 })
			default:
				behind = append(behind, "syn")
				s.layer4 = append(s.layer4, func(p *seen) bool { return p.flags&2 != 0 })
			}
		}
		services = []service{s}
	case 2:
		protocol = "icmp"
		s := service{proto: isProto(1)}
		if m.IntN(2) == 0 {
			text, ask := m.icmp()
			message = " " + text
			s.layer4 = append(s.layer4, ask)
		}
		services = []service{s}
	case 3:
		protocol = pick(m, "gre", "47")
		services = []service{{proto: isProto(47)}}
	case 4:
		if name, s := one(m, m.services); name != "" {
			protocol, services = "object-group "+name, s
		}
	}
	deep := false
	for _, s := range services {
		deep = deep || len(s.layer4) > 0
	}
	if m.IntN(5) == 0 {
		options = append(options, pick(m,
			part{"dscp ef", func(p *seen) bool { return p.tos>>2 == 46 }},
			part{"precedence flash", func(p *seen) bool { return p.tos>>5 == 3 }},
			part{"tos 5", func(p *seen) bool { return p.tos>>1&15 == 5 }},
			part{"precedence 5 tos min-delay", func(p *seen) bool { return p.tos>>5 == 5 && p.tos>>1&15 == 8 }},
			part{"ttl neq 1 64", func(p *seen) bool { return p.ttl != 1 && p.ttl != 64 }},
			part{"ttl range 1 63", func(p *seen) bool { return p.ttl >= 1 && p.ttl <= 63 }}))
	}
	if !deep && m.IntN(4) == 0 {
		fragments = true
		options = append(options, part{"fragments", func(p *seen) bool { return p.later }})
	}
	if m.IntN(4) == 0 {
		behind = append(behind, pick(m, "log", "log-input"))
	}
	for _, o := range options {
		behind = append(behind, o.text)
	}
	m.Shuffle(len(behind), func(i, j int) { behind[i], behind[j] = behind[j], behind[i] })
	text = strings.Join(append([]string{verb, protocol, source, dest + message}, behind...), " ")
	return text, permit, func(p *seen) bool {
		if !inSource(p.src) || !inDest(p.dst) {
			return false
		}
		for _, o := range options {
			if !o.ask(p) {
				return false
			}
		}
		for _, s := range services {
			if !s.proto(p.proto) {
				continue
			}
			switch {
			case len(s.layer4) == 0, p.later && permit && !fragments:
				return true
			case p.later || !p.header:
				continue
			}
			all := true
			for _, ask := range s.layer4 {
				all = all && ask(p)
			}
			if all {
				return true
			}
		}
		return false
	}
}

func (m *maker) packet() *seen {
	return &seen{
		src: m.ip(), dst: m.ip(), proto: pick(m, 6, 6, 17, 1, 47), later: m.IntN(4) == 0, header: m.IntN(10) > 0,
		sport: pick(m, 53, 80, 79, 81, 512, 513, 514, 0, 65535), dport: pick(m, 53, 80, 79, 81, 512, 513, 514, 0, 65535),
		flags: m.IntN(64), kind: pick(m, 8, 3, 0), code: m.IntN(4), tos: pick(m, 0, 46<<2, 0x6a, 3<<5, 0xb0, 0xb2), ttl: pick(m, 1, 2, 63, 64, 255),
	}
}

func TestRandomListsAnswerAsTheyWereMade(t *testing.T) {
	type line struct {
		seq, number int
		permit      bool
		matches     func(*seen) bool
	}
	decided := map[string]int{}
	for seed := range uint64(1500) {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 9)), networks: map[string]func(uint32) bool{}, services: map[string][]service{}}
		var b strings.Builder
		number := 1
		for range m.IntN(5) {
			text := m.group()
			b.WriteString(text)
			number += strings.Count(text, "\n")
		}
		var lines []line
		b.WriteString("ip access-list extended A\n")
		seqs := m.Perm(40)
		numbered := m.IntN(2) == 0
		for i := range 1 + m.IntN(12) {
			text, permit, matches := m.line()
			number++
			l := line{i, number, permit, matches}
			b.WriteString(" ")
			if numbered {
				l.seq = 1 + seqs[i]
				fmt.Fprintf(&b, "%d ", l.seq)
			}
			b.WriteString(text + "\n")
			lines = append(lines, l)
		}
		lists, err := Read(strings.NewReader(b.String()), Options{})
		require.NoError(t, err, b.String())
		l := lists[len(lists)-1]
		for range 100 {
			p := m.packet()
			var first *line
			for i := range lines {
				if lines[i].matches(p) && (first == nil || lines[i].seq < first.seq) {
					first = &lines[i]
				}
			}
			want, at := Deny, 0
			if first != nil {
				at = first.number
				if first.permit {
					want = Permit
				}
			}
			i, ok := l.Rules.First(p.key())
			require.True(t, ok)
			decided[fmt.Sprint(want, p.later, at > 0)]++
			require.Equal(t, want, l.Rules.At(i).Value, "seed %d, line %d, %+v\n%s", seed, l.Lines[i], *p, b.String())
			require.Equal(t, at, l.Lines[i], "seed %d, %+v\n%s", seed, *p, b.String())
		}
	}
	require.Len(t, decided, 6, "%v", decided)
	for what, n := range decided {
		require.Greater(t, n, 1000, what)
	}
}
