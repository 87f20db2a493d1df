package main

// Packets of regions as the commands take them: in the language of descriptions.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

// wordsOf are the words of a description for fields.
var wordsOf = map[string]string{"iif": "in", "oif": "out", "tcpflags": "flags", "icmptype": "type", "icmpcode": "code", "ttl": "ttl", "tos": "tos", "dscp": "dscp",
	"ecn": "ecn", "length": "length", "mark": "mark", "smac": "mac", "dmac": "dmac", "vlan": "vlan", "pkttype": "pkttype", "ctstate": "ctstate", "ctmark": "ctmark",
	"ctstatus": "ctstatus", "ctdir": "ctdir", "cthelper": "cthelper", "cpu": "cpu", "ingroup": "ingroup", "outgroup": "outgroup", "realm": "realm",
	"srctype": "srctype", "dsttype": "dsttype", "mss": "options", "espspi": "spi", "ahspi": "spi", "cpi": "cpi"}

// describeKey describes the packet of a key, "" where a description of it would be
// of a packet that does not meet the conditions.
func describeKey(s *rules.Schema, k rules.Key, conds []rules.Cond) string {
	text := wordsOfKey(s, k)
	if text == "" {
		return ""
	}
	p, err := describe.Parse(text)
	if err != nil {
		return ""
	}
	got := keyOf(s, &p.Packet)
	r := rules.Rule[struct{}]{Conds: conds}
	if got == nil || !r.Matches(s, got) {
		return ""
	}
	return text
}

// keyOf returns the key of a packet, nil where the schema's addresses cannot hold
// its own.
func keyOf(s *rules.Schema, p *packet.Packet) rules.Key {
	t := xt.NewTraversal(s)
	t.Packet = *p
	k := slices.Clone(t.Key())
	if !packet.NewBinder(s).Key(p, s.NewKey()) {
		return nil
	}
	return k
}

// wordsOfKey writes what a description has words for, "" where it has none for a
// packet without addresses.
func wordsOfKey(s *rules.Schema, k rules.Key) string {
	get := func(name string) (rules.Value, *rules.Field, bool) {
		i := s.Index(name)
		if i < 0 {
			return rules.Value{}, nil, false
		}
		v, ok := s.Get(k, i)
		return v, s.Field(i), ok
	}
	addr := func(name, port string) (string, bool) {
		v, f, ok := get(name)
		if !ok || f.Kind != rules.IPv4 && f.Kind != rules.IPv6 && f.Kind != rules.IP {
			return "", false
		}
		text := f.FormatValue(v)
		n, _, ok := get(port)
		if !ok {
			return text, true
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return "", false
		}
		return netip.AddrPortFrom(a, uint16(n.Lo)).String(), true
	}
	proto, f, ok := get("proto")
	if !ok {
		return ""
	}
	head := f.FormatValue(proto)
	frag, _, _ := get("frag")
	fragment := frag == rules.U64(1)
	sport, dport := "sport", "dport"
	if !slices.Contains([]uint64{6, 17, 33, 132, 136}, proto.Lo) || fragment {
		sport, dport = "", ""
	}
	lacks := func(name string) bool {
		_, _, ok := get(name)
		return !ok && s.Index(name) >= 0
	}
	if sport != "" && (lacks(sport) || lacks(dport)) {
		fragment = true
	}
	src, ok := addr("src", sport)
	if !ok {
		return ""
	}
	dst, ok := addr("dst", dport)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%s %s > %s", head, src, dst)
	for i := range s.Len() {
		f := s.Field(i)
		word := wordsOf[f.Name]
		v, ok := s.Get(k, i)
		if word == "" || !ok {
			continue
		}
		value := f.FormatValue(v)
		switch f.Name {
		case "tcpflags", "ctstate", "ctstatus", "srctype", "dsttype":
			if v == (rules.Value{}) && f.Name != "tcpflags" {
				continue
			}
			value = strings.ReplaceAll(value, "+", ",")
		case "mark", "tos", "dscp", "ecn":
			if v == (rules.Value{}) {
				continue
			}
		case "mss":
			value = "mss:" + value
		case "ctdir":
			value = map[bool]string{true: "ORIGINAL", false: "REPLY"}[v == rules.Value{}]
		case "espspi", "cpi", "ahspi":
			if v == (rules.Value{}) {
				continue
			}
		}
		text += " " + word + "=" + value
	}
	if fragment {
		text += " frag"
	}
	return text
}
