//go:build linux

package kernel

// Rule sets of nftables' own. They are written in the conditions of package
// rules, one rule a line, from which both sides are made: a table of chains, and
// a script for nft.
//
//	table inet
//	chain PREROUTING DROP
//	any => pass
//	src=10.0.0.0/8,192.0.2.9 dport!=1-1023 proto=tcp => jump u1
//	chain u1
//	tcpflags=0x2/0x12 proto=tcp => return
//
// Lists become sets: within the rule, or named ones with intervals, or one set
// of concatenations for several fields. Which of them is told by the rule's
// text, so that the same case gives the same script.

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// nftTableName is the name of the table in the kernel.
const nftTableName = "hipac"

// nftSchema are the fields of such rules. Those of the transport header are its
// bytes, whatever the protocol; see nftKey.
func nftSchema(family int) *rules.Schema {
	addr := rules.IPv4
	if family == 6 {
		addr = rules.IPv6
	}
	return rules.MustSchema(
		rules.Field{Name: "src", Kind: addr}, rules.Field{Name: "dst", Kind: addr},
		rules.Field{Name: "sport", Bits: 16}, rules.Field{Name: "dport", Bits: 16}, rules.Field{Name: "proto", Bits: 8},
		rules.Field{Name: "iif", Kind: rules.Name}, rules.Field{Name: "frag", Bits: 1},
		rules.Field{Name: "tcpflags", Bits: 8}, rules.Field{Name: "icmptype", Bits: 8}, rules.Field{Name: "icmpcode", Bits: 8},
		rules.Field{Name: "dscp", Bits: 6}, rules.Field{Name: "ecn", Bits: 2}, rules.Field{Name: "length", Bits: 32}, rules.Field{Name: "ttl", Bits: 8},
		rules.Field{Name: "mark", Bits: 32}, rules.Field{Name: "pkttype", Bits: 8})
}

// nftProgram is a rule set that was read.
type nftProgram struct {
	family string // of the table: ip, ip6, inet
	table  *rules.Table
	texts  [][]string // of the rules, by chain
}

var nftActions = map[string]rules.Action{
	"pass":   {Kind: rules.Pass},
	"accept": {Kind: rules.Decide, Verdict: rules.Accept},
	"drop":   {Kind: rules.Decide, Verdict: rules.Drop},
	"return": {Kind: rules.Return},
}

// readNFT reads a program.
func readNFT(family int, text string) (*nftProgram, error) {
	p := &nftProgram{table: &rules.Table{Name: nftTableName, Schema: nftSchema(family)}}
	s := p.table.Schema
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "chain" {
			c := rules.Chain{Name: words[1]}
			if len(words) > 2 {
				c.Policy, _ = rules.ParseVerdict(words[2])
			}
			p.table.Chains = append(p.table.Chains, c)
		}
	}
	at := -1
	var list *rules.Builder[rules.Action]
	end := func() {
		if list != nil {
			p.table.Chains[at].Rules = list.List()
		}
	}
	for n, line := range lines {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case words[0] == "table" && len(words) == 2 && slices.Contains([]string{"ip", "ip6", "inet"}, words[1]):
			p.family = words[1]
			continue
		case words[0] == "chain" && len(words) > 1:
			end()
			at++
			list = rules.NewBuilder[rules.Action](s)
			p.texts = append(p.texts, nil)
			continue
		}
		conds, action, ok := strings.Cut(line, " => ")
		if !ok || list == nil {
			return nil, fmt.Errorf("line %d: %q is no rule of a chain", n+1, line)
		}
		r := rules.Rule[rules.Action]{}
		var err error
		if r.Conds, err = s.ParseConds(conds); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		verb, to, _ := strings.Cut(action, " ")
		switch a, known := nftActions[verb]; {
		case known:
			r.Value = a
		case verb == "jump" || verb == "goto":
			r.Value = rules.Action{Kind: rules.Jump, Chain: p.table.Find(to)}
			if verb == "goto" {
				r.Value.Kind = rules.Goto
			}
		default:
			return nil, fmt.Errorf("line %d: %q is no action", n+1, action)
		}
		r.Continue = r.Value.Kind == rules.Pass
		r.Value.Number, r.Value.Text = list.Len()+1, action
		if _, err := list.Add(r); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		p.texts[at] = append(p.texts[at], line)
	}
	end()
	if p.family == "" || p.table.Find(entryChain) < 0 {
		return nil, fmt.Errorf("a program has a table and a chain %s", entryChain)
	}
	return p, p.table.Check(rules.Limits{})
}

// script writes the program for nft.
func (p *nftProgram) script() (string, error) {
	var sets, chains strings.Builder
	s := p.table.Schema
	for i := range p.table.Chains { // a chain must be there before a rule goes to it
		c := &p.table.Chains[i]
		fmt.Fprintf(&chains, "add chain %s %s %s", p.family, nftTableName, c.Name)
		if c.Policy != rules.NoVerdict {
			fmt.Fprintf(&chains, " { type filter hook prerouting priority -300; policy %s; }", strings.ToLower(c.Policy.String()))
		}
		chains.WriteString("\n")
	}
	for i := range p.table.Chains {
		c := &p.table.Chains[i]
		for n, r := range c.Rules.All() {
			w := nftWriter{s: s, family: p.family, v6: s.Field(0).Kind == rules.IPv6, sets: &sets, name: fmt.Sprintf("s%d_%d", i, n), style: hash(p.texts[i][n])}
			text, err := w.rule(r)
			if err != nil {
				return "", fmt.Errorf("chain %s, rule %d: %w", c.Name, n+1, err)
			}
			action := r.Value.Text
			if action == "pass" {
				action = ""
			}
			fmt.Fprintf(&chains, "add rule %s %s %s %s counter %s\n", p.family, nftTableName, c.Name, text, action)
		}
	}
	return fmt.Sprintf("flush ruleset\nadd table %s %s\n", p.family, nftTableName) + sets.String() + chains.String(), nil
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// nftWriter writes one rule.
type nftWriter struct {
	s      *rules.Schema
	family string
	v6     bool
	sets   *strings.Builder // named sets are added here
	name   string           // of the rule's own sets
	style  uint32
	proto  string // the protocol whose name stands in front of its fields
	parts  []string
	// negated says that there is a comparison with "!=" already.
	negated bool
	done    map[int]bool // conditions that are written
}

// protocols that nft knows fields of by name.
var nftProtocols = map[uint64]string{packet.TCP: "tcp", packet.UDP: "udp", packet.SCTP: "sctp", packet.DCCP: "dccp", packet.UDPLite: "udplite", packet.ICMP: "icmp", packet.ICMPv6: "icmpv6"}

// expression returns how nft calls the field, and the type of its set elements.
func (w *nftWriter) expression(field string) string {
	ip, ttl := "ip", "ip ttl"
	if w.v6 {
		ip, ttl = "ip6", "ip6 hoplimit"
	}
	switch field {
	case "src":
		return ip + " saddr"
	case "dst":
		return ip + " daddr"
	case "sport", "dport":
		if w.proto != "" && !strings.HasPrefix(w.proto, "icmp") {
			return w.proto + " " + field
		}
		return "th " + field
	case "dscp", "ecn":
		return ip + " " + field
	case "ttl":
		return ttl
	}
	return map[string]string{"proto": "meta l4proto", "iif": "iifname", "tcpflags": "tcp flags", "icmptype": w.proto + " type", "icmpcode": w.proto + " code",
		"length": "meta length", "mark": "meta mark", "pkttype": "meta pkttype", "frag": "ip frag-off & 0x1fff"}[field]
}

// only returns the one value that a condition lets through.
func only(c *rules.Cond) (uint64, bool) {
	list, ranged := c.Intervals()
	_, _, masked := c.Mask()
	if c.Negated() || masked || !ranged || len(list) != 1 || list[0].Lo != list[0].Hi {
		return 0, false
	}
	return list[0].Lo.Lo, true
}

// rule writes the conditions.
func (w *nftWriter) rule(r *rules.Rule[rules.Action]) (string, error) {
	w.done = map[int]bool{}
	of := map[string]int{} // the condition on a field
	for i := range r.Conds {
		of[w.s.Field(r.Conds[i].Field()).Name] = i
	}
	if i, ok := of["proto"]; ok {
		if v, ok := only(&r.Conds[i]); ok {
			w.proto = nftProtocols[v]
		}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := of[n]; return ok })
	}
	switch {
	case has("tcpflags") && w.proto != "tcp", has("icmptype", "icmpcode") && !strings.HasPrefix(w.proto, "icmp"):
		return "", fmt.Errorf("fields of a protocol without the protocol")
	case has("tcpflags", "icmptype", "icmpcode"), w.proto != "" && !strings.HasPrefix(w.proto, "icmp") && has("sport", "dport"):
		w.done[of["proto"]] = w.style&1 == 0 // nft asks for the protocol itself
	}
	w.concatenate(r)
	for i := range r.Conds {
		if w.done[i] {
			continue
		}
		text, err := w.cond(&r.Conds[i], i)
		if err != nil {
			return "", err
		}
		w.parts = append(w.parts, text)
	}
	return strings.Join(w.parts, " "), nil
}

// concatenate writes the conditions on addresses and ports as one set, where
// they are lists and the style says so.
func (w *nftWriter) concatenate(r *rules.Rule[rules.Action]) {
	if w.style>>1&1 == 0 {
		return
	}
	elements := []string{""}
	var fields []string
	var used []int
	for i := range r.Conds {
		c := &r.Conds[i]
		name := w.s.Field(c.Field()).Name
		list, ranged := c.Intervals()
		_, _, masked := c.Mask()
		if !slices.Contains([]string{"src", "dst", "sport", "dport"}, name) || !ranged || masked || c.Negated() || len(list) == 0 || len(list)*len(elements) > 200 {
			continue
		}
		var more []string
		for _, e := range elements {
			for _, iv := range list {
				if e != "" {
					more = append(more, e+" . "+w.interval(c.Field(), iv))
				} else {
					more = append(more, w.interval(c.Field(), iv))
				}
			}
		}
		elements, fields, used = more, append(fields, w.expression(name)), append(used, i)
	}
	if len(fields) < 2 {
		return
	}
	for _, i := range used {
		w.done[i] = true
	}
	key := strings.Join(fields, " . ")
	fmt.Fprintf(w.sets, "add set %s %s %s { typeof %s; flags interval; elements = { %s }; }\n", w.family, nftTableName, w.name, key, strings.Join(elements, ", "))
	w.parts = append(w.parts, key+" @"+w.name)
}

// interval writes an element of a set, or the right side of a comparison.
func (w *nftWriter) interval(field int, iv rules.Interval) string {
	f := w.s.Field(field)
	if f.Kind == rules.IPv4 || f.Kind == rules.IPv6 {
		return f.FormatInterval(iv)
	}
	if f.Name == "pkttype" && iv.Lo == iv.Hi && iv.Lo.Lo < 4 {
		return [...]string{"host", "broadcast", "multicast", "other"}[iv.Lo.Lo]
	}
	if f.Kind == rules.Name {
		if stem, ok := strings.CutSuffix(f.FormatInterval(iv), "+"); ok {
			return fmt.Sprintf("%q", stem+"*")
		}
		return fmt.Sprintf("%q", f.FormatInterval(iv))
	}
	if iv.Lo == iv.Hi {
		return fmt.Sprint(iv.Lo.Lo)
	}
	return fmt.Sprintf("%d-%d", iv.Lo.Lo, iv.Hi.Lo)
}

// cond writes one condition.
func (w *nftWriter) cond(c *rules.Cond, number int) (string, error) {
	f := w.s.Field(c.Field())
	left := w.expression(f.Name)
	is, not := "==", "!="
	if c.Negated() {
		is, not = not, is
	}
	list, ranged := c.Intervals()
	want, mask, masked := c.Mask()
	switch {
	case c.AllowsAbsent(), ranged && masked, ranged && len(list) == 0:
		return "", fmt.Errorf("a condition on %s that nft cannot say", f.Name)
	case f.Name == "frag":
		if v, ok := only(c); ok && v == 0 {
			return left + " == 0", nil
		}
		return left + " " + not + " 0", nil
	case masked && (f.Kind == rules.IPv4 || f.Kind == rules.IPv6):
		return fmt.Sprintf("%s & %s %s %s", left, f.FormatValue(mask), is, f.FormatValue(want)), nil
	case masked:
		return fmt.Sprintf("%s & %#x %s %#x", left, mask.Lo, is, want.Lo), nil
	case len(list) == 1:
		right := w.interval(c.Field(), list[0])
		// nft 1.0.6 makes one "!=" of two about fields side by side, which is another
		// condition. It does not so with ranges.
		if c.Negated() && list[0].Lo == list[0].Hi && f.Kind != rules.Name && f.Name != "pkttype" {
			if w.negated {
				right += "-" + right
			}
			w.negated = true
		}
		return fmt.Sprintf("%s %s %s", left, is, right), nil
	}
	var elements []string
	for _, iv := range list {
		elements = append(elements, w.interval(c.Field(), iv))
	}
	set := "{ " + strings.Join(elements, ", ") + " }"
	// nft 1.0.6 shifts fields of IPv6 that are in two bytes by the wrong order of
	// these bytes, when it compares them with a named set.
	if w.style>>2&1 == 1 && f.Kind != rules.Name && !(w.v6 && (f.Name == "dscp" || f.Name == "ecn")) {
		name := fmt.Sprintf("%s_%d", w.name, number)
		fmt.Fprintf(w.sets, "add set %s %s %s { typeof %s; flags interval; elements = %s; }\n", w.family, nftTableName, name, left, set)
		set = "@" + name
	}
	if c.Negated() {
		return left + " != " + set, nil
	}
	return left + " " + set, nil
}

// nftKey corrects the key of a packet, for nftables knows no headers that are too
// short, and has another notion of where the transport header is. It reads the
// bytes of a field where they are, whatever the protocol: behind the headers of
// IP, but of IPv6 the authentication header is a protocol, not one that is gone
// over. In the fragments behind the first it takes their content for a header in
// IPv4, and the IPv6 header in IPv6 (as Linux 6.18 does).
func nftKey(s *rules.Schema, p *packet.Packet, k rules.Key) {
	at, known := p.HeaderOffset(), p.Has&packet.HasProto != 0
	if auth, _, status := p.ExtHeader(packet.AuthHeader); status == packet.Found {
		at, known = auth, true
		s.Set(k, s.MustIndex("proto"), rules.U64(packet.AuthHeader))
	}
	var b []byte
	if n := min(p.End-p.NetOffset-at, 16); known && n > 0 {
		b = p.Bytes(at, n, make([]byte, 16))
	}
	set := func(name string, at, size int) {
		i := s.MustIndex(name)
		if at+size > len(b) {
			s.SetAbsent(k, i)
			return
		}
		v := uint64(b[at])
		if size == 2 {
			v = v<<8 | uint64(b[at+1])
		}
		s.Set(k, i, rules.U64(v))
	}
	set("sport", 0, 2)
	set("dport", 2, 2)
	set("tcpflags", 13, 1)
	set("icmptype", 0, 1)
	set("icmpcode", 1, 1)
}
