//go:build linux

package kernel

// What the random comparison draws: for each kind of program rules, and packets
// from several sources, those of connections among them.

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hipac-go/classifier/bench/connections"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules/packet"
)

// kind is a kind of program, of one family.
type kind struct {
	way    string
	family int
	name   string
	draw   func(m *mixer) string
}

// kinds are those that are drawn, in turn.
func kinds(ways []string) (list []kind) {
	for _, way := range ways {
		for _, family := range []int{4, 6} {
			if way == wayListing {
				list = append(list, kind{way, family, "scripts", func(m *mixer) string { return m.generator.script() }})
				continue
			}
			if way == wayNFT {
				list = append(list, kind{way, family, "lists", func(m *mixer) string { return m.nftProgram() }})
				continue
			}
			said := func(program string) string { return program }
			if way == wayTranslated {
				said = func(program string) string {
					for _, u := range untranslated {
						program = u.from.ReplaceAllString(program, u.to)
					}
					return program
				}
			}
			list = append(list, kind{way, family, "headers", func(m *mixer) string {
				return said(strings.Replace(m.generator.program(), "-A ", "-A "+entryChain+"\n-A ", 1)) // which all packets meet
			}}, kind{way, family, "all matches", func(m *mixer) string { return said(m.program(pick(m.generator, "raw", "mangle"))) }})
		}
	}
	return list
}

// untranslated is what iptables-nft 1.8.9 does not translate, and what is said in
// its place: negated networks that have all addresses, which nftables refuses, and
// what is lost from the rule: negated ranges of all ports, flags outside the mask.
// Match limit becomes nftables' own, whose large bursts are not cut to 32 bits.
// Matches that hold and drop the packet at once are not counted by nftables.
var untranslated = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`! (-[sd] \S+/(?:0|::|0\.0\.0\.0)\s)`), "$1"},
	{regexp.MustCompile(`! (--[sd]port 0?:(?:65535)?\s)`), "$1"},
	{regexp.MustCompile(`(?:! )?(--tcp-flags) NONE \S+`), "$1 ALL SYN"},
	{regexp.MustCompile(`(--limit-burst) \d{3,}`), "$1 20"},
	{regexp.MustCompile(`! (--chunk-types|--dccp-option) `), "$1 "},
}

// drawCase draws the n-th case of a kind.
func drawCase(k kind, seed uint64, packets int) (*Case, error) {
	m := newMixer(rand.New(rand.NewPCG(seed, uint64(hash(k.way+k.name))<<8|uint64(k.family))), k.family)
	c := &Case{Way: k.way, Family: k.family, Seed: seed, Program: k.draw(m)}
	return c, m.packets(c, packets, nil)
}

// drawOwn draws a case of a user's own chain: packets that are aimed at its rules, and
// others. They come in by one of the interfaces that the rules name, by turns.
func drawOwn(o *Own, seed uint64, packets int) (*Case, error) {
	m := newMixer(rand.New(rand.NewPCG(seed, uint64(hash(o.Name))<<8|uint64(o.family))), o.family)
	c := &Case{Way: wayLegacy, Family: o.family, Seed: seed, Program: o.program}
	if len(o.interfaces) > 0 {
		c.Program = strings.ReplaceAll(c.Program, "-i "+pick(m.generator, o.interfaces...)+" ", "-i "+device+" ")
	}
	source, err := workload.NewTableSource(o.table, o.table.Find(entryChain), workload.PacketConfig{N: packets, Seed: seed, Real: true, Family: o.family})
	if err != nil {
		return nil, err
	}
	key := o.table.Schema.NewKey()
	return c, m.packets(c, packets, func() ([]byte, error) {
		if _, err := source.Next(key); err != nil {
			return nil, err
		}
		return workload.PacketOf(o.table.Schema, key, o.family).AppendIP(nil), nil
	})
}

// packets draws the packets of a case, most of them from a source of its own where it
// has one.
func (m *mixer) packets(c *Case, packets int, own func() ([]byte, error)) error {
	flows, err := m.flows(packets / 4)
	if err != nil {
		return err
	}
	var build packet.Packet
	for len(c.Packets) < packets {
		var list [][]byte
		switch n := m.IntN(16); {
		case own != nil && !m.oneIn(4):
			raw, err := own()
			if err != nil {
				return err
			}
			list = append(list, raw)
		case n < 6:
			m.generator.packet(&build)
			list = append(list, build.AppendIP(nil))
		case n < 11:
			list = append(list, m.shot().raw)
		case n < 14 && len(flows) > 0:
			list, flows = flows[:1], flows[1:]
		case n == 14:
			list = oddFragments(m.Rand, m.family, m.Uint32())
		default:
			list = append(list, damaged(m.Rand, m.family, pick(m.generator, packet.TCP, packet.TCP, packet.UDP, packet.DCCP, packet.Mobility, packet.ESP, uint8(99))))
		}
		for _, raw := range list {
			if known(c.Way, raw) && len(c.Packets) < packets {
				c.Packets = append(c.Packets, raw)
			}
		}
	}
	c.Packets = apart(c.Packets)
	return nil
}

// apart orders packets so that there are few bursts; see bursts.
func apart(packets [][]byte) [][]byte {
	var list [][][]byte
	var lengths []map[int]bool
	open := 0 // those before are full
	for _, p := range packets {
		at := open
		for at < len(list) && (len(list[at]) == maxBurst || lengths[at][len(p)]) {
			at++
		}
		if at == len(list) {
			list, lengths = append(list, nil), append(lengths, map[int]bool{})
		}
		list[at] = append(list[at], p)
		lengths[at][len(p)] = true
		for open < len(list) && len(list[open]) == maxBurst {
			open++
		}
	}
	return slices.Concat(list...)
}

// known reports whether both sides can say what becomes of a packet. The tools
// that translate turn the protocol, and some matches of transport headers, into
// expressions of nftables', which do not drop packets whose headers are cut, take
// the content of later fragments for headers, and the authentication header of
// IPv6 for the protocol; and a match that drops a packet does so before the rule
// counts it, always. Such packets are left out there. What package rules/nftables
// reads is about the fields of package packet, and so they are for the way listing,
// with those whose TCP options are none.
func known(way string, raw []byte) bool {
	var p packet.Packet
	if p.DecodeIP(raw) != nil {
		return false
	}
	_, _, auth := p.ExtHeader(packet.AuthHeader)
	switch way {
	case wayTranslated, wayListing:
		return p.Broken() == 0 && !p.Frag() && auth == packet.Absent && (way == wayTranslated || wellFormed(&p))
	}
	return true
}

// wellFormed reports whether the options of a TCP packet are all in the header, and
// of the length that they should have. Others are taken for options by the matches of
// iptables, and by package packet, and by nftables they are not.
func wellFormed(p *packet.Packet) bool {
	if p.Proto != packet.TCP || p.Frag() {
		return true
	}
	at := p.HeaderOffset()
	var buf [60]byte
	h := p.Bytes(at, min(p.End-p.NetOffset-at, len(buf)), buf[:])
	if len(h) < 20 || int(h[12]>>4)*4 > len(h) {
		return false
	}
	for opts := h[20 : h[12]>>4*4]; len(opts) > 0; {
		switch {
		case opts[0] < 2:
			opts = opts[1:]
		case len(opts) < 2 || opts[1] < 2 || int(opts[1]) > len(opts) || opts[0] == 2 && opts[1] != 4:
			return false
		default:
			opts = opts[opts[1]:]
		}
	}
	return true
}

// flowProfiles are connections on which much goes wrong.
var flowProfiles = sync.OnceValues(func() ([]connections.Profile, error) {
	return connections.ParseProfiles(strings.NewReader(`
web: tcp, port 80 443 8080, 200-600 bytes one way, 100-3000 back, loss 5%, reset 20%, fragments 30%,
    refused 10%, unreachable 10%, time exceeded 5%, path mtu 1300 in 10%, silent 5%
mail: tcp, port 22 1023-1024, 40 bytes back, 24 one way, 100 back, teardown by server, loss 3%
question: udp, port 53, 35 bytes one way, 60-4000 back, tries 3, timeout 2s, fragments 30%, refused 20%, unreachable 10%, loss 10%
echo: icmp, 3 times (56-2000 one way), fragments 20%, loss 5%, unreachable 10%, time exceeded 10%
flood: tcp, port 80 443, half open, tries 2
`), "profiles")
})

// flows are the first packets of some connections between hosts of the pools.
func (m *mixer) flows(n int) (list [][]byte, err error) {
	profiles, err := flowProfiles()
	if err != nil {
		return nil, err
	}
	from, to := "10.0.0.0/29,10.0.1.248/29,192.0.2.0/28", "192.0.2.0/28,192.0.3.0/28,10.128.0.0/29"
	if m.family == 6 {
		from, to = "2001:db8::/125,2001:db8:0:1::/125", "2001:db8::/125,2001:db9::/125,2001:db8:8000::/125"
	}
	config := connections.Config{Count: int64(1 + n/4), Seed: m.Uint64(), IPv6: m.family == 6}
	for i := range profiles {
		config.Profiles = append(config.Profiles, connections.Weighted{Profile: profiles[i], Weight: 1})
	}
	if config.From, err = connections.ParseAddresses(from); err == nil {
		config.To, err = connections.ParseAddresses(to)
	}
	if err != nil {
		return nil, err
	}
	g, err := connections.New(config)
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	for p := range g.All() {
		if list = append(list, append([]byte(nil), p.Data...)); len(list) >= n {
			break
		}
	}
	return list, nil
}
