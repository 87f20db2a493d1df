//go:build linux

package kernel

// Random programs out of everything: rules put together from the matches of
// the tables, in chains that call one another, with targets that change what
// later rules see; and packets of the pool, many of them with a byte changed or
// an end cut off.

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules/packet"
)

// fragment is a part of a rule: conditions that need a protocol, or not.
type fragment struct {
	proto string // with "-p" and its negation, "" for none
	text  string
	once  bool // no other with the same name may be in a program
	own   bool // has options of the rule itself
}

// fragments are the matches of the case tables that the packets of a TUN
// device can be asked in the tables raw and mangle.
func fragments(family int) (list []fragment) {
	for _, e := range plainTables() {
		if e.family != 0 && e.family != family || len(e.head) > 0 {
			continue
		}
		all := slices.Concat(e.rules, map[int][]string{4: e.rules4, 6: e.rules6}[family])
		for _, r := range all {
			if strings.Contains(r, "-j ") || strings.Contains(r, "-m time") {
				continue
			}
			f := fragment{once: strings.Contains(r, "hashlimit"), own: e.kind == "rule"}
			words := strings.Fields(r)
			for i := 0; i+1 < len(words); i++ {
				if words[i] == "-p" {
					from := i
					if i > 0 && words[i-1] == "!" {
						from--
					}
					f.proto = strings.Join(words[from:i+2], " ")
					words = slices.Delete(words, from, i+2)
					break
				}
			}
			if f.text = keepQuotes(r, strings.Join(words, " "), f.proto); f.text != "" {
				list = append(list, f)
			}
		}
	}
	return list
}

// keepQuotes returns the rule without its protocol, blanks in quotes as they
// were.
func keepQuotes(rule, joined, proto string) string {
	if !strings.Contains(rule, `"`) {
		return joined
	}
	return strings.TrimSpace(strings.Replace(rule, proto, "", 1))
}

type mixer struct {
	*generator
	fragments []fragment
	byProto   map[string][]fragment
	protos    []string
	used      map[string]bool // that may be there once only
	pool      []shot
}

func newMixer(r *rand.Rand, family int) *mixer {
	m := &mixer{generator: &generator{r, family}, fragments: fragments(family), byProto: map[string][]fragment{}, pool: append(pool(family), append(textShots(family), talk(family)...)...)}
	for _, f := range m.fragments {
		if m.byProto[f.proto] == nil && f.proto != "" && f.proto[0] != '!' {
			m.protos = append(m.protos, f.proto)
		}
		m.byProto[f.proto] = append(m.byProto[f.proto], f)
	}
	return m
}

// conditions puts matches together.
func (m *mixer) conditions() string {
	proto := ""
	if !m.oneIn(3) {
		proto = pick(m.generator, m.protos...)
	}
	var texts []string
	own := false
	for range 1 + m.IntN(3) {
		list := m.byProto[""]
		if proto != "" && !m.oneIn(3) {
			list = m.byProto[proto]
		}
		f := pick(m.generator, list...)
		if f.own && own || f.once && m.used[f.text] {
			continue
		}
		own = own || f.own
		if f.once {
			m.used[f.text] = true
		}
		texts = append(texts, f.text)
	}
	if m.oneIn(4) {
		texts = append(texts, m.payload())
	}
	return strings.TrimSpace(proto + " " + strings.Join(texts, " "))
}

// payload returns a random match on the packet's bytes.
func (m *mixer) payload() string {
	if m.oneIn(2) {
		word := pick(m.generator, "GET", "needle", "NEEDLE", "aaab", "ababac", "e", "one two", "HTTP/1.1")
		from := m.IntN(len(word))
		text := "-m string " + m.not() + `--string "` + strings.TrimSpace(word[from:from+1+m.IntN(len(word)-from)]) + `" --algo ` + pick(m.generator, "bm", "kmp")
		if strings.Contains(text, `""`) {
			return "-m length --length 0:100"
		}
		if m.oneIn(3) {
			lo := m.IntN(70)
			text += fmt.Sprintf(" --from %d --to %d", lo, lo+m.IntN(60))
		}
		if m.oneIn(3) {
			text += " --icase"
		}
		return text
	}
	var tests []string
	for range 1 + m.IntN(2) {
		test := fmt.Sprintf("%#x", m.IntN(70))
		for range m.IntN(4) {
			test += pick(m.generator, fmt.Sprintf("&%#x", pick(m.generator, 0xff, 0xffff, 0x3c, 0xf, uint32(0xffffffff))), fmt.Sprintf(">>%d", m.IntN(32)), fmt.Sprintf("<<%d", m.IntN(9)), fmt.Sprintf("@%d", m.IntN(60)), ">>22&0x3c@0")
		}
		a, b := m.Uint32(), m.Uint32N(300)
		tests = append(tests, test+"="+pick(m.generator, fmt.Sprintf("%#x", b), fmt.Sprintf("0:%#x", a), fmt.Sprintf("%d,0x50:0xffff", b), "0:0xffffffff"))
	}
	return "-m u32 " + m.not() + `--u32 "` + strings.Join(tests, "&&") + `"`
}

// program returns a table with a few chains.
func (m *mixer) program(table string) string {
	m.used = map[string]bool{}
	var b strings.Builder
	chains := 1 + m.IntN(5)
	fmt.Fprintf(&b, "*%s\n:PREROUTING %s [0:0]\n", table, pick(m.generator, "ACCEPT", "DROP"))
	for i := 1; i < chains; i++ {
		fmt.Fprintf(&b, ":u%d - [0:0]\n", i)
	}
	b.WriteString("-A PREROUTING\n")
	changes := []string{"-j MARK --set-xmark 0x1/0x3", "-j MARK --or-mark 0x2", "-j MARK --set-mark 0", "-j MARK --xor-mark 0xffffffff"}
	if table == "mangle" {
		changes = append(changes, "-j TOS --set-tos 0x10/0x3f", "-j TOS --xor-tos 0xff", "-j DSCP --set-dscp 0x2e", "-p tcp -j TCPOPTSTRIP --strip-options 2,8", "-j MARK --set-mark 1")
		if m.family == 4 {
			changes = append(changes, "-j TTL --ttl-set 64", "-j TTL --ttl-dec 1", "-p tcp -j ECN --ecn-tcp-remove")
		} else {
			changes = append(changes, "-j HL --hl-set 64", "-j HL --hl-inc 1")
		}
	}
	for i := range chains {
		name, n := fmt.Sprintf("u%d", i), 1+m.IntN(6)
		if i == 0 {
			name, n = "PREROUTING", 6+m.IntN(8)
		}
		for range n {
			target := ""
			switch m.IntN(8) {
			case 0:
				target = pick(m.generator, "-j ACCEPT", "-j DROP", "-j RETURN")
			case 1, 2:
				target = pick(m.generator, changes...)
			case 3, 4, 5:
				if to := i + 1; to < chains {
					target = pick(m.generator, "-j", "-j", "-g") + fmt.Sprintf(" u%d", to+m.IntN(chains-to))
				}
			}
			conditions := m.conditions()
			if p, rest, ok := strings.Cut(target, " -j "); ok && p == "-p tcp" {
				target = "-j " + rest
				if !strings.HasPrefix(conditions, "-p tcp") {
					conditions = "-p tcp -m length --length 0:1000"
				}
			}
			b.WriteString(strings.TrimSpace("-A "+name+" "+conditions+" "+target) + "\n")
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// shot returns a packet of the pool, changed now and then, that can be decoded:
// not one of a hundred extension headers.
func (m *mixer) shot() *shot {
	for {
		s := m.anyShot()
		var p packet.Packet
		if p.DecodeIP(s.raw) == nil {
			return s
		}
	}
}

func (m *mixer) anyShot() *shot {
	s := m.pool[m.IntN(len(m.pool))]
	if m.oneIn(2) {
		return &s
	}
	b := slices.Clone(s.raw)
	s.name += ", changed"
	head := 40
	if m.family == 4 {
		head = int(b[0]&15) * 4
	}
	for range 1 + m.IntN(3) {
		switch n := m.IntN(8); {
		case n < 5 && len(b) > head: // in the transport header, or what follows
			b[head+m.IntN(min(len(b)-head, 40))] = pick(m.generator, byte(0), 1, 255, 6, byte(m.IntN(256)))
		case n == 5 && len(b) > head: // cut the end off, or all that is behind the IP header
			keep := m.IntN(len(b) - head)
			if m.oneIn(4) {
				keep = 0
			}
			b = b[:head+keep]
		case n == 6: // a little more
			b = append(b, make([]byte, m.IntN(30))...)
		case m.family == 4: // in the IP header, but for version and length
			at := pick(m.generator, 1, 4, 6, 7, 8, 9, 12, 15, 16, 19)
			b[at] = byte(m.IntN(256))
			if at == 6 {
				b[6] &= 0x3f
			}
		default:
			b[pick(m.generator, 1, 6, 7, 9, 12, 23, 39)] = byte(m.IntN(256))
		}
	}
	if m.family == 4 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], checksum(b[:head]))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	s.raw = b
	return &s
}
