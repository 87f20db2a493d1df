package nftables

// A second reading of listings, as simple as can be: expressions are evaluated as
// they stand in the JSON, for one packet, statement by statement. Random listings are
// compared with it.

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

type (
	object = map[string]any
	list   = []any
)

// naive evaluates one packet.
type naive struct {
	p      *packet.Packet
	chains map[string]list // rules: expressions
	sets   map[string]list // elements
	trace  []string        // of rules that matched: "chain/number"
}

var symbols = map[string]int64{"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58, "ipv4": 2, "ipv6": 10, "fin": 1, "syn": 2, "rst": 4, "ack": 16,
	"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64, "echo-request": 8, "host": 0, "multicast": 2}

// number returns what a constant stands for: names of interfaces are their bytes.
func number(v any) *big.Int {
	switch x := v.(type) {
	case float64:
		return big.NewInt(int64(x))
	case string:
		if a, err := netip.ParseAddr(x); err == nil {
			return new(big.Int).SetBytes(a.AsSlice())
		}
		if n, ok := symbols[x]; ok {
			return big.NewInt(n)
		}
		b := make([]byte, 16)
		copy(b, x)
		return new(big.Int).SetBytes(b)
	case list:
		n := new(big.Int)
		for _, y := range x {
			n.Or(n, number(y))
		}
		return n
	}
	panic(fmt.Sprint("no number: ", v))
}

// field returns what an expression reads, and false where the packet lacks it.
func (n *naive) field(v any) (*big.Int, bool) {
	p, x := n.p, v.(object)
	have := func(is bool, v uint64) (*big.Int, bool) { return new(big.Int).SetUint64(v), is }
	for key, arg := range x {
		switch key {
		case "payload":
			f := arg.(object)
			proto, field := f["protocol"].(string), f["field"].(string)
			transport := map[string]uint8{"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
			family := map[string]uint8{"ip": 4, "ip6": 6, "icmp": 4, "icmpv6": 6}
			is := (transport[proto] == 0 || p.Has&packet.HasProto != 0 && p.Proto == transport[proto]) && (family[proto] == 0 || p.Family == family[proto])
			switch field {
			case "saddr":
				return new(big.Int).SetBytes(p.SrcAddr().AsSlice()), is
			case "daddr":
				return new(big.Int).SetBytes(p.DstAddr().AsSlice()), is
			case "sport":
				return have(is && p.Has&packet.HasPorts != 0, uint64(p.SrcPort))
			case "dport":
				return have(is && p.Has&packet.HasPorts != 0, uint64(p.DstPort))
			case "flags":
				return have(is && p.Has&packet.HasTCPFlags != 0, uint64(p.TCPFlags))
			case "type":
				return have(is && p.Has&packet.HasICMP != 0, uint64(p.ICMPType))
			case "code":
				return have(is && p.Has&packet.HasICMP != 0, uint64(p.ICMPCode))
			case "ttl", "hoplimit":
				return have(is, uint64(p.TTL))
			case "length":
				if proto == "ip6" {
					return have(is, uint64(p.Length)-40)
				}
				return have(is, uint64(p.Length))
			case "dscp":
				return have(is, uint64(p.TOS>>2))
			}
		case "meta":
			switch arg.(object)["key"] {
			case "mark":
				return have(true, uint64(p.Mark))
			case "l4proto":
				return have(p.Has&packet.HasProto != 0, uint64(p.Proto))
			case "nfproto":
				return have(true, map[uint8]uint64{4: 2, 6: 10}[p.Family])
			case "length":
				return have(true, uint64(p.Length))
			case "iifname":
				name, _ := p.InIface.Name()
				return number(name), true
			}
		case "ct":
			return have(p.Known&packet.KnownCTState != 0, uint64(p.CTState&15)|uint64(p.CTState&16)<<2)
		case "&", "|", "^":
			args := arg.(list)
			v, ok := n.field(args[0])
			for _, c := range args[1:] {
				switch key {
				case "&":
					v = new(big.Int).And(v, number(c))
				case "|":
					v = new(big.Int).Or(v, number(c))
				default:
					v = new(big.Int).Xor(v, number(c))
				}
			}
			return v, ok
		}
	}
	panic(fmt.Sprint("no expression: ", v))
}

// within reports whether a value is a constant, or in a range or a prefix.
func within(v *big.Int, c any) bool {
	if o, ok := c.(object); ok {
		if r, ok := o["range"].(list); ok {
			return number(r[0]).Cmp(v) <= 0 && v.Cmp(number(r[1])) <= 0
		}
		p := o["prefix"].(object)
		a := netip.MustParseAddr(p["addr"].(string))
		shift := uint(a.BitLen() - int(p["len"].(float64)))
		return new(big.Int).Rsh(v, shift).Cmp(new(big.Int).Rsh(number(p["addr"]), shift)) == 0
	}
	if s, ok := c.(string); ok && strings.HasSuffix(s, "*") && s != "*" {
		b := make([]byte, 16)
		return strings.HasPrefix(string(v.FillBytes(b)), strings.TrimSuffix(s, "*"))
	}
	return v.Cmp(number(c)) == 0
}

// find looks the operands up among elements and returns the one that has them; last,
// "*".
func (n *naive) find(left any, elements list, pair bool) (found any, there, has bool) {
	parts, many := left.(object)["concat"].(list)
	if !many {
		parts = list{left}
	}
	var values []*big.Int
	for _, p := range parts {
		v, ok := n.field(p)
		if !ok {
			return nil, false, false
		}
		values = append(values, v)
	}
	var rest any
	for _, e := range elements {
		key := e
		if pair {
			key = e.(list)[0]
		}
		if o, ok := key.(object); ok && o["elem"] != nil {
			key = o["elem"].(object)["val"]
		}
		if key == "*" {
			rest = e
			continue
		}
		keys := list{key}
		if many {
			keys = key.(object)["concat"].(list)
		}
		all := true
		for i, v := range values {
			all = all && within(v, keys[i])
		}
		if all {
			return e, true, true
		}
	}
	return rest, rest != nil, true
}

// elements returns those of a set that stands there, or of a named one.
func (n *naive) elements(v any) (list, bool) {
	if s, ok := v.(string); ok && strings.HasPrefix(s, "@") {
		return n.sets[s[1:]], true
	}
	if o, ok := v.(object); ok && o["set"] != nil {
		return o["set"].(list), true
	}
	return nil, false
}

func (n *naive) match(m object) bool {
	op := m["op"].(string)
	if elements, ok := n.elements(m["right"]); ok {
		_, there, has := n.find(m["left"], elements, false)
		return has && there == (op == "==")
	}
	v, ok := n.field(m["left"])
	if !ok {
		return false
	}
	switch op {
	case "==":
		return within(v, m["right"])
	case "!=":
		return !within(v, m["right"])
	case "in":
		return new(big.Int).And(v, number(m["right"])).Sign() != 0
	case "!":
		return new(big.Int).And(v, number(m["right"])).Sign() == 0
	}
	c := v.Cmp(number(m["right"]))
	return map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
}

// chain runs a chain and returns "accept", "drop", or "" when it comes back.
func (n *naive) chain(name string) string {
	for i, r := range n.chains[name] {
		verdict := object{"continue": nil}
		matched := true
		for _, s := range r.(list) {
			for key, arg := range s.(object) {
				switch key {
				case "match":
					matched = n.match(arg.(object))
				case "vmap":
					o := arg.(object)
					elements, _ := n.elements(o["data"])
					found, there, _ := n.find(o["key"], elements, true)
					if matched = there; there {
						verdict = found.(list)[1].(object)
					}
				case "mangle":
					o := arg.(object)["value"]
					if c, ok := o.(float64); ok {
						n.p.Mark = uint32(c)
					} else {
						v, _ := n.field(o)
						n.p.Mark = uint32(v.Uint64())
					}
				case "counter":
				default:
					verdict = s.(object)
				}
			}
			if !matched {
				break
			}
		}
		if !matched {
			continue
		}
		n.trace = append(n.trace, fmt.Sprintf("%s/%d", name, i+1))
		for key, arg := range verdict {
			switch key {
			case "accept", "drop":
				return key
			case "return":
				return ""
			case "jump", "goto":
				if v := n.chain(arg.(object)["target"].(string)); v != "" || key == "goto" {
					return v
				}
			}
		}
	}
	return ""
}

// drawing draws listings and packets from small pools.
type drawing struct {
	*rand.Rand
	chains int
	sets   []any
}

func one[T any](d *drawing, of ...T) T { return of[d.IntN(len(of))] }

var (
	pool4     = []any{"10.0.0.1", "10.0.0.2", "10.0.1.0", "192.0.2.1"}
	pool6     = []any{"2001:db8::1", "2001:db8::2", "2001:db8:1::", "fe80::1"}
	poolPorts = []any{0, 1, 22, 23, 80, 65535}
)

// left draws an operand and values of it, single ones and intervals.
func (d *drawing) left() (left any, values list) {
	payload := func(proto, field string) any { return object{"payload": object{"protocol": proto, "field": field}} }
	meta := func(key string) any { return object{"meta": object{"key": key}} }
	numbers := func(list ...any) []any { return append(list, object{"range": []any{list[0], list[1]}}) }
	switch d.IntN(11) {
	case 0, 1:
		return payload("ip", one(d, "saddr", "daddr")), append(list{object{"prefix": object{"addr": "10.0.0.0", "len": one(d, 8, 24, 31, 0)}}, object{"range": []any{"10.0.0.1", "10.0.0.2"}}}, pool4...)
	case 2:
		return payload("ip6", one(d, "saddr", "daddr")), append(list{object{"prefix": object{"addr": "2001:db8::", "len": one(d, 32, 48, 127)}}}, pool6...)
	case 3, 4:
		return payload(one(d, "tcp", "udp", "tcp"), one(d, "sport", "dport")), append(list{object{"range": []any{1, 22}}, object{"range": []any{23, 80}}}, poolPorts...)
	case 5:
		return meta("l4proto"), list{"tcp", "udp", "icmp", "ipv6-icmp", 47}
	case 6:
		return meta("nfproto"), list{"ipv4", "ipv6"}
	case 7:
		return meta("mark"), numbers(0, 2, 1, 3, 4, 16)
	case 8:
		return meta("iifname"), list{"eth0", "eth1", "eth*", "lo"}
	case 9:
		return payload(one(d, "icmp", "icmpv6"), one(d, "type", "code")), numbers(0, 3, 8, 128)
	}
	return one(d, payload("ip", "ttl"), payload("ip6", "hoplimit"), payload("ip", "dscp"), meta("length"), payload("ip", "length"), payload("ip6", "length")), numbers(1, 46, 63, 60)
}

// some draws distinct values.
func (d *drawing) some(values list) (out list) {
	for _, i := range d.Perm(len(values))[:1+d.IntN(3)%len(values)] {
		out = append(out, values[i])
	}
	return out
}

// set is a set of elements, or the name of one.
func (d *drawing) set(kind string, elements list) any {
	if d.IntN(3) > 0 {
		return object{"set": elements}
	}
	name := fmt.Sprintf("s%d", len(d.sets))
	o := object{"family": "inet", "table": "t", "name": name, "elem": elements}
	if kind == "map" {
		o["map"] = "verdict"
	} else if i := d.IntN(len(elements)); d.IntN(2) == 0 {
		elements[i] = object{"elem": object{"val": elements[i], "comment": "x", "counter": object{"packets": 1, "bytes": 2}}}
	}
	d.sets = append(d.sets, object{kind: o})
	return "@" + name
}

func (d *drawing) match() any {
	m := func(op string, left, right any) any {
		return object{"match": object{"op": op, "left": left, "right": right}}
	}
	ct := object{"ct": object{"key": "state"}}
	flags := object{"payload": object{"protocol": "tcp", "field": "flags"}}
	mark := object{"meta": object{"key": "mark"}}
	saddr := object{"payload": object{"protocol": one(d, "ip", "ip"), "field": "saddr"}}
	switch d.IntN(12) {
	case 0:
		return m(one(d, "in", "!"), ct, one[any](d, "new", list{"established", "related"}, "untracked", list{"new", "invalid"}))
	case 1:
		return m(one(d, "==", "!="), ct, one[any](d, "new", object{"set": list{"established", "new"}}, object{"set": list{"invalid"}}))
	case 2:
		return m(one(d, "in", "!", "=="), flags, one[any](d, "syn", list{"syn", "ack"}, "rst"))
	case 3:
		return m(one(d, "==", "!="), object{"&": list{flags, list{"syn", "ack", "fin"}}}, one[any](d, "syn", list{"syn", "ack"}, object{"set": list{"syn", "ack"}}))
	case 4:
		return m(one(d, "==", "!="), object{one(d, "&", "|", "^"): list{mark, one(d, 1, 3, 16)}}, one[any](d, 1, 3, object{"set": list{0, 2}}, object{"set": list{1, 3, 17}}))
	case 5:
		return m(one(d, "==", "!="), object{"&": list{saddr, one(d, "255.0.0.255", "255.255.0.0", "0.0.0.3")}}, one[any](d, "10.0.0.1", "0.0.0.1", object{"set": list{"10.0.0.1", "10.0.0.0", "0.0.0.2"}}))
	case 6:
		var parts, elements list
		var values []list
		for range 2 + d.IntN(2) {
			l, v := d.left()
			parts, values = append(parts, l), append(values, v)
		}
		for range 1 + d.IntN(4) {
			var e list
			for _, v := range values {
				e = append(e, v[d.IntN(len(v))])
			}
			elements = append(elements, object{"concat": e})
		}
		return m(one(d, "==", "!="), object{"concat": parts}, d.set("set", elements))
	}
	left, values := d.left()
	switch d.IntN(4) {
	case 0:
		return m(one(d, "==", "!="), left, values[d.IntN(len(values))])
	case 1:
		for _, v := range values {
			if _, ok := v.(int); ok {
				return m(one(d, "<", "<=", ">", ">="), left, v)
			}
		}
	}
	return m(one(d, "==", "!="), left, d.set("set", d.some(values)))
}

func (d *drawing) verdict(chain int) object {
	if to := chain + 1; to < d.chains && d.IntN(2) == 0 {
		return object{one(d, "jump", "jump", "goto"): object{"target": fmt.Sprintf("u%d", to+d.IntN(d.chains-to))}}
	}
	return object{one(d, "accept", "drop", "return", "continue"): nil}
}

// vmap draws a map whose elements do not overlap.
func (d *drawing) vmap(chain int) any {
	left, values := d.left()
	elements := list{}
	for _, v := range d.some(values) {
		switch x := v.(type) {
		case object:
			continue
		case string:
			if strings.HasSuffix(x, "*") {
				continue
			}
		}
		elements = append(elements, list{v, d.verdict(chain)})
	}
	if d.IntN(3) == 0 {
		elements = append(elements, list{"*", d.verdict(chain)})
	}
	return object{"vmap": object{"key": left, "data": d.set("map", elements)}}
}

// listing draws a listing of one inet table, whose base chain is u0.
func (d *drawing) listing() object {
	d.chains, d.sets = 1+d.IntN(4), nil
	objects := list{object{"table": object{"family": "inet", "name": "t"}}}
	var ruleList list
	for c := range d.chains {
		chain := object{"family": "inet", "table": "t", "name": fmt.Sprintf("u%d", c)}
		if c == 0 {
			chain["hook"], chain["type"], chain["prio"], chain["policy"] = "input", "filter", 0, one(d, "accept", "drop")
		}
		objects = append(objects, object{"chain": chain})
		for range 2 + d.IntN(6) {
			var expr list
			for range d.IntN(4) {
				expr = append(expr, d.match())
			}
			expr = append(expr, object{"counter": object{"packets": 0, "bytes": 0}})
			mark := object{"meta": object{"key": "mark"}}
			switch d.IntN(6) {
			case 0:
				expr = append(expr, d.vmap(c))
			case 1:
				expr = append(expr, object{"mangle": object{"key": mark, "value": one[any](d, 1, 2, 16, object{"|": list{mark, 1}}, object{"^": list{mark, 3}})}})
				fallthrough
			default:
				if d.IntN(3) > 0 {
					expr = append(expr, d.verdict(c))
				}
			}
			ruleList = append(ruleList, object{"rule": object{"family": "inet", "table": "t", "chain": fmt.Sprintf("u%d", c), "expr": expr}})
		}
	}
	return object{"nftables": append(append(objects, d.sets...), ruleList...)}
}

// packet draws a packet.
func (d *drawing) packet() packet.Packet {
	pool := pool4
	p := packet.Packet{Proto: one[uint8](d, 6, 6, 17, 17, 1, 47), TTL: one[uint8](d, 0, 1, 46, 64), TOS: one[uint8](d, 0, 46<<2, 4), TCPFlags: one[uint8](d, 2, 18, 16, 4, 1), Length: one[uint32](d, 60, 63, 100, 1500),
		ICMPType: one[uint8](d, 0, 3, 8, 128), ICMPCode: one[uint8](d, 0, 3)}
	if d.IntN(2) == 0 {
		if pool = pool6; p.Proto == 1 {
			p.Proto = 58
		}
	}
	addr := func() netip.Addr { return netip.MustParseAddr(one(d, pool...).(string)) }
	p.SetAddrs(addr(), addr())
	p.SrcPort, p.DstPort = uint16(one(d, poolPorts...).(int)), uint16(one(d, poolPorts...).(int))
	if d.IntN(8) == 0 {
		p.FragOffset = 10
	}
	raw := p.AppendIP(nil)
	var out packet.Packet
	if err := out.DecodeIP(raw); err != nil {
		panic(err)
	}
	out.Mark = one[uint32](d, 0, 0, 1, 2, 3, 16)
	out.SetIn(one(d, "eth0", "eth1", "eth10", "lo", "et"))
	if d.IntN(4) > 0 {
		out.SetCTState(one[uint8](d, 1, 2, 4, 8, 16, 8|32))
	}
	return out
}

func TestRandomListingsMeanWhatTheyMeanToASecondReading(t *testing.T) {
	d := &drawing{Rand: rand.New(rand.NewPCG(1, 2))}
	refused, matched, ran := 0, 0, 0
	for range 700 {
		text, err := json.Marshal(d.listing())
		require.NoError(t, err)
		var doc object
		require.NoError(t, json.Unmarshal(text, &doc)) // all numbers are alike now
		rs, err := Read(strings.NewReader(string(text)), Options{})
		if err != nil {
			require.ErrorIs(t, err, rules.ErrUnsupported, "%s", text)
			refused++
			continue
		}
		n := &naive{chains: map[string]list{}, sets: map[string]list{}}
		policy := rules.Accept
		for _, o := range doc["nftables"].(list) {
			for kind, x := range o.(object) {
				x := x.(object)
				switch kind {
				case "chain":
					if x["policy"] == "drop" {
						policy = rules.Drop
					}
				case "rule":
					n.chains[x["chain"].(string)] = append(n.chains[x["chain"].(string)], x["expr"])
				case "set", "map":
					n.sets[x["name"].(string)], _ = x["elem"].(list)
				}
			}
		}
		table := rs.Tables[0]
		s := xt.NewTraversal(table.Schema)
		for range 40 {
			p := d.packet()
			s.Start(&p)
			var trace []string
			r := table.Run(s, table.Find("u0"), func(at rules.Place) {
				c := &table.Chains[at.Chain]
				trace = append(trace, fmt.Sprintf("%s/%d", c.Name, c.Rules.At(at.Rule).Value.Number))
			})
			q := p
			n.p, n.trace = &q, nil
			want := policy
			if v := n.chain("u0"); v != "" {
				want = map[string]rules.Verdict{"accept": rules.Accept, "drop": rules.Drop}[v]
			}
			require.Equal(t, want, r.Verdict, "%s\n%s\n%+v", text, dump(rs), p)
			require.Equal(t, n.trace, trace, "%s\n%s\n%+v", text, dump(rs), p)
			matched += len(trace)
			ran++
		}
	}
	t.Logf("%d packets met %d rules; %d listings were refused", ran, matched, refused)
	require.Less(t, refused, 70)
	require.Greater(t, matched, ran)
}
