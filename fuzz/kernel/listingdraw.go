//go:build linux

package kernel

// Random scripts for nft: what package rules/nftables models, in nft's words.

import (
	"fmt"
	"strings"
)

// scriptWriter draws a script.
type scriptWriter struct {
	*generator
	table string // "inet hipac"
	inet  bool
	sets  []string // commands
	n     int      // sets so far
}

// script draws a rule set.
func (g *generator) script() string {
	w := &scriptWriter{generator: g, table: "inet " + nftTableName, inet: true}
	if g.oneIn(2) {
		w.inet = false
		w.table = map[int]string{4: "ip ", 6: "ip6 "}[g.family] + nftTableName
	}
	chains := 1 + g.IntN(6)
	var rules []string
	for i := range chains {
		name := fmt.Sprintf("u%d", i)
		n := 2 + g.IntN(8)
		if i == 0 {
			name, n = entryChain, 10+g.IntN(10)
			rules = append(rules, fmt.Sprintf("add rule %s %s counter", w.table, name))
		}
		for range n {
			rules = append(rules, fmt.Sprintf("add rule %s %s %s", w.table, name, w.rule(i, chains)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "add table %s\n", w.table)
	fmt.Fprintf(&b, "add chain %s %s { type filter hook prerouting priority -300; policy %s; }\n", w.table, entryChain, pick(g, "accept", "drop"))
	for i := 1; i < chains; i++ {
		fmt.Fprintf(&b, "add chain %s u%d\n", w.table, i)
	}
	b.WriteString(strings.Join(w.sets, ""))
	for _, r := range rules {
		b.WriteString(strings.Join(strings.Fields(r), " ") + "\n")
	}
	return b.String()
}

// further names a chain behind the i-th; "" where there is none.
func (w *scriptWriter) further(i, chains int) string {
	if i+1 >= chains {
		return ""
	}
	return fmt.Sprintf("u%d", i+1+w.IntN(chains-i-1))
}

// rule draws a rule of the i-th chain.
func (w *scriptWriter) rule(i, chains int) string {
	proto, conds := w.conditions()
	to := w.further(i, chains)
	if w.oneIn(7) {
		return conds + " " + w.vmap(proto, to)
	}
	if w.oneIn(12) {
		conds += " limit rate " + pick(w.generator, "1/day burst 20 packets", "over 1/day burst 7 packets", "1 kbytes/day burst 9 kbytes", "over 2/week burst 5 packets")
		if w.oneIn(3) { // asked of what the limit lets through
			if _, more := w.one(proto); !compares(more) && !differs(more) {
				conds += " " + more
			}
		}
	}
	mark := ""
	if w.oneIn(8) {
		mark = pick(w.generator, "meta mark set 1", "meta mark set 0x10", "meta mark set meta mark | 2", "meta mark set meta mark & 0xfffffffe", "meta mark set meta mark ^ 3")
	}
	action := pick(w.generator, "", "", "accept", "drop", "return", "continue", "")
	if to != "" && !w.oneIn(3) {
		action = pick(w.generator, "jump ", "jump ", "goto ") + to
	}
	if strings.TrimSpace(conds) == "" { // would end the chain too soon
		action = ""
	}
	return conds + " counter " + mark + " " + action
}

// conditions draws what a rule asks, and the protocol whose header it may ask for.
func (w *scriptWriter) conditions() (proto, conds string) {
	icmp := map[int]string{4: "icmp", 6: "icmpv6"}[w.family]
	proto = pick(w.generator, "tcp", "tcp", "udp", "sctp", "dccp", "th", icmp, "")
	var parts []string
	if proto == "th" {
		parts = append(parts, "meta l4proto { tcp, udp }")
	}
	for range w.IntN(4) {
		_, c := w.one(proto)
		if text := strings.Join(parts, " "); compares(c) && compares(text) || differs(c) && differs(text) {
			continue
		}
		parts = append(parts, c)
	}
	return proto, strings.Join(parts, " ")
}

// compares reports whether conditions compare by order: of two such, side by side, nft
// 1.0.6 lists one, of whatever they are.
func compares(text string) bool { return strings.ContainsAny(text, "<>") }

// differs reports whether conditions have a "!=" that is about no set, or one of one
// value, which nft takes for that: of two such, side by side, nft 1.0.6 makes one of both operands together.
func differs(text string) bool {
	for _, part := range strings.SplitAfter(text, "!= ")[1:] {
		set, _, _ := strings.Cut(part, "}")
		if part[0] != '{' && part[0] != '@' || part[0] == '{' && !strings.Contains(set, ",") {
			return true
		}
	}
	return false
}

// operand draws an operand of a protocol's header, or of others, with a way to draw
// values of it: disjoint ones, of a number each.
func (w *scriptWriter) operand(proto string) (name string, value func(n int) string, values int) {
	g := w.generator
	ip := map[int]string{4: "ip", 6: "ip6"}[w.family]
	switch n := g.IntN(16); {
	case n < 4:
		list := []string{"10.0.0.1", "10.0.0.2-10.0.0.200", "10.0.1.0/24", "10.128.0.0/9", "192.0.2.0/25", "192.0.2.128/25", "192.0.3.9", "192.0.3.128-223.255.255.255", "224.0.0.0/4"}
		if w.family == 6 {
			list = []string{"2001:db8::1", "2001:db8::2-2001:db8::ffff", "2001:db8:0:1::/64", "2001:db8:8000::/33", "2001:db9::/32", "2002::/16", "fe80::/10"}
		}
		return ip + " " + pick(g, "saddr", "daddr"), func(n int) string { return list[n] }, len(list)
	case n < 8 && proto != "" && !strings.HasPrefix(proto, "icmp"):
		list := []string{"0", "1-21", "22", "23-79", "80", "81-442", "443", "444-1023", "1024-8080", "8081-65534", "65535"}
		return proto + " " + pick(g, "sport", "dport", "dport"), func(n int) string { return list[n] }, len(list)
	case n < 8 && proto != "":
		list := []string{"0", "1-2", "3", "4-7", "8", "9-127", "128", "129-254", "255"}
		return proto + " " + pick(g, "type", "type", "code"), func(n int) string { return list[n] }, len(list)
	case n == 8 && proto == "": // else nft takes it for what the header asks, and does not list it
		list := []string{"1", "6", "17", "33", "47", "58", "132"}
		return "meta l4proto", func(n int) string { return list[n] }, len(list)
	case n == 9:
		list := []string{"0", "1", "2-9", "10", "46", "47-62", "63"}
		return ip + " dscp", func(n int) string { return list[n] }, len(list)
	case n == 10:
		list := []string{"0", "1", "2-62", "63", "64", "65-127", "128-253", "254", "255"}
		return map[int]string{4: "ip ttl", 6: "ip6 hoplimit"}[w.family], func(n int) string { return list[n] }, len(list)
	case n == 11:
		list := []string{"0-59", "60", "61-99", "100-499", "500", "501-1399", "1400-2000"}
		return pick(g, "meta length", ip+" length"), func(n int) string { return list[n] }, len(list)
	case n == 12:
		list := []string{"0", "1", "2", "3-15", "16", "17-255"}
		return "meta mark", func(n int) string { return list[n] }, len(list)
	case n == 13:
		list := []string{`"` + device + `"`, `"eth0"`, `"ppp*"`, `"lo"`}
		return "iifname", func(n int) string { return list[n] }, len(list)
	case n == 14 && proto == "tcp":
		list := []string{"syn", "ack", "syn | ack", "fin | ack", "psh | ack", "rst", "0x0", "0xff"}
		return "tcp flags", func(n int) string { return list[n] }, len(list)
	case n == 15 && w.inet:
		list := []string{"ipv4", "ipv6"}
		return "meta nfproto", func(n int) string { return list[n] }, len(list)
	}
	return w.operand(proto)
}

// several draws distinct values, and says whether one is an interval.
func (w *scriptWriter) several(value func(int) string, values int) (list []string, interval bool) {
	for _, n := range w.Perm(values)[:1+w.IntN(min(values, 5))] {
		v := value(n)
		list = append(list, v)
		interval = interval || strings.ContainsAny(v, "/*") || strings.Contains(v[1:], "-")
	}
	return list, interval
}

// misread reports whether nft 1.0.6 makes named sets of the operands that it asks in
// the wrong order of bytes, or fails to list.
func misread(key string) bool {
	return strings.Contains(key, "ip6 dscp") || strings.Contains(key, "tcp flags")
}

// plainNumber reports whether an operand is a number of a width of its own, which
// nft 1.0.6 loses when it lists a concatenation.
func plainNumber(name string) bool {
	return strings.HasSuffix(name, "length") || strings.HasSuffix(name, "ttl") || strings.HasSuffix(name, "hoplimit")
}

// set returns a set of elements: in the rule, or a named one.
func (w *scriptWriter) set(kind, key, elements string) string {
	if !w.oneIn(3) || misread(key) {
		return "{ " + elements + " }"
	}
	w.n++
	name := fmt.Sprintf("s%d", w.n)
	w.sets = append(w.sets, fmt.Sprintf("add %s %s %s { typeof %s; flags interval; elements = { %s }; }\n", kind, w.table, name, key, elements))
	return "@" + name
}

// one draws a condition.
func (w *scriptWriter) one(proto string) (name, cond string) {
	g := w.generator
	not := pick(g, "", "", "!= ")
	switch g.IntN(14) {
	case 0:
		return w.concatenation(proto, not)
	case 1:
		return w.odd(proto)
	case 2:
		if proto == "tcp" {
			return "tcp flags", "tcp flags " + pick(g, "syn", "!= syn", "== syn", "! syn", "& (syn | ack) == syn", "& (fin | syn | rst | ack) != ack",
				"& (syn | ack) { syn, ack }", "syn,ack", "! fin,rst", "{ syn, syn | ack, ack }", ">= 16", "& 0x17 == 0x10-0x17")
		}
	case 3:
		if w.family == 4 {
			return "ip saddr", pick(g, "ip saddr & 0.0.0.255 "+not+"1", "ip daddr & 255.0.255.0 "+pick(g, "== ", "!= ")+"10.0.1.0", "ip saddr & 255.255.254.0 { 10.0.0.0, 192.0.2.0 }",
				"ip saddr & 0.0.3.1 != { 0.0.0.1, 0.0.2.0 }", "ip daddr < 10.0.0.2", "ip daddr >= 192.0.2.9", "ip saddr & 255.255.255.0 > 10.0.0.0")
		}
		return "ip6 saddr", pick(g, "ip6 saddr & ::ff "+pick(g, "== ", "!= ")+"::1", "ip6 daddr & ffff:ffff:: == 2001:db8::", "ip6 daddr & ffff:ffff:0:8000:: != 2001:db8::")
	case 4:
		return "meta mark", pick(g, "meta mark & 0x3 "+pick(g, "== ", "!= ")+"1", "meta mark | 1 == 3", "meta mark ^ 2 != 3", "meta mark > 1", "meta mark & 0x12 { 0x2, 0x10 }", "meta mark < 2", "meta mark & 0xfffffff0 == 0x10-0x20")
	}
	name, value, values := w.operand(proto)
	if g.oneIn(2) {
		v := value(g.IntN(values))
		if not == "" && g.oneIn(6) && !strings.ContainsAny(v, "-/\"|*ip") {
			not = pick(g, "< ", "> ", "<= ", ">= ")
		}
		if name == "tcp flags" && not == "" {
			not = "== "
		}
		return name, name + " " + not + v
	}
	list, _ := w.several(value, values)
	return name, name + " " + not + w.set("set", name, strings.Join(list, ", "))
}

// odd draws a condition of those that have one form.
func (w *scriptWriter) odd(proto string) (name, cond string) {
	g := w.generator
	list := []string{"meta pkttype host", "meta pkttype != { broadcast, multicast }", `iifname "` + device[:3] + `*"`, `iifname != "` + device[:3] + `*"`,
		`iif "lo"`, `iif != "lo"`, `oifname "eth0"`, `oifname != "eth*"`, "meta protocol { ip, ip6 }", "meta protocol != ip6"}
	if proto == "tcp" {
		list = append(list, "tcp option maxseg exists", "tcp option sack-perm missing", "tcp option timestamp exists", "tcp option maxseg size 1000-1460", "tcp option maxseg size != 1460")
	}
	if w.family == 4 {
		list = append(list, "ip frag-off & 0x1fff == 0", "ip frag-off & 0x1fff != 0", "ip protocol tcp", "ip protocol != { tcp, udp }", "ip ecn ce", "ip ecn != { ect0, ect1 }", "ip length > 100")
	} else {
		list = append(list, "ip6 nexthdr { tcp, 58 }", "ip6 nexthdr != { tcp, udp }", "exthdr frag exists", "exthdr hbh missing", "exthdr dst exists", "exthdr rt missing", "ip6 ecn ce",
			"ip6 length 20-60", "frag id 1-9", "rt type 0", "mh type != 5")
	}
	if w.inet {
		list = append(list, "ip saddr 10.0.0.0/8", "ip6 saddr != 2001:db8::/33", "ip6 hoplimit 64", "ip ttl != 64")
	}
	if proto == "" { // else nft takes the bytes of one header for those of the other
		list = append(list, map[int]string{4: "icmp type echo-request icmp code 0", 6: "icmpv6 type echo-request icmpv6 code != 1"}[w.family])
		if w.inet {
			list = append(list, "icmp type 8", "icmpv6 type != 128")
		}
	}
	if proto == "dccp" {
		list = append(list, "dccp type request", "dccp type != { data, reset }")
	}
	return "", pick(g, list...)
}

// concatenation draws a set of several operands.
func (w *scriptWriter) concatenation(proto, not string) (name, cond string) {
	key, elements := w.product(proto, true, func() string { return "" })
	return key, key + " " + not + w.set("set", key, strings.Join(elements, ", "))
}

// product draws the key of a concatenation, and elements with what stands behind
// each.
func (w *scriptWriter) product(proto string, wide bool, behind func() string) (key string, elements []string) {
	var names []string
	var values []func(int) string
	var sizes []int
	for len(names) < 2+w.IntN(2) {
		name, value, n := w.operand(proto)
		if strings.Contains(strings.Join(names, " . "), name) || name == "tcp flags" || strings.HasSuffix(name, "dscp") || plainNumber(name) {
			continue
		}
		names, values, sizes = append(names, name), append(values, value), append(sizes, n)
	}
	seen := map[string]bool{}
	for range 1 + w.IntN(6) {
		var parts []string
		for i, value := range values {
			v := value(w.IntN(sizes[i]))
			if wide && w.oneIn(8) && strings.HasSuffix(names[i], "addr") { // it may overlap with others
				v = map[int]string{4: "0.0.0.0/0", 6: "::/0"}[w.family]
			}
			parts = append(parts, v)
		}
		e := strings.Join(parts, " . ")
		if !seen[e] {
			elements = append(elements, e+behind())
		}
		seen[e] = true
	}
	return strings.Join(names, " . "), elements
}

// vmap draws a map of verdicts.
func (w *scriptWriter) vmap(proto, to string) string {
	var key string
	verdict := func() string {
		// A chain may change the mark: there is one way to it at most.
		if strings.Contains(key, "mark") {
			return " : " + pick(w.generator, "accept", "drop", "return", "continue")
		}
		if to != "" && w.oneIn(2) {
			return " : " + pick(w.generator, "jump ", "goto ") + to
		}
		return " : " + pick(w.generator, "accept", "drop", "return", "continue")
	}
	var elements []string
	if w.oneIn(2) {
		key, elements = w.product(proto, false, func() string { return "" })
		for i := range elements {
			elements[i] += verdict()
		}
	} else {
		name, value, values := w.operand(proto)
		for strings.HasSuffix(name, "dscp") { // whose maps nft 1.0.6 lists as raw bytes
			name, value, values = w.operand(proto)
		}
		key = name
		list, _ := w.several(value, values)
		for _, v := range list {
			elements = append(elements, v+verdict())
		}
		if w.oneIn(4) {
			elements = append(elements, "*"+verdict())
		}
	}
	text := strings.Join(elements, ", ")
	if w.oneIn(3) && !misread(key) {
		w.n++
		name := fmt.Sprintf("s%d", w.n)
		w.sets = append(w.sets, fmt.Sprintf("add map %s %s { typeof %s : verdict; flags interval; elements = { %s }; }\n", w.table, name, key, text))
		return key + " vmap @" + name
	}
	return key + " vmap { " + text + " }"
}
