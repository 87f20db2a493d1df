package iptables

// Match addrtype: with a routing table its types are sets of addresses.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/route"
	"github.com/hipac-go/classifier/rules/xt"
)

var addrtypeMatch = module{kind: "match", name: "addrtype", summary: "types of addresses, as the routing tables say", class: Environment, modelled: true, supply: []string{"addrtype"},
	options: []option{
		{name: "src-type", words: 1, not: true, parse: parseAddrType, help: "type of the source address", form: addrTypeForm},
		{name: "dst-type", words: 1, not: true, parse: parseAddrType, help: "type of the destination address", form: addrTypeForm},
		{name: "limit-iface-in", hooks: hookPrerouting | hookInput | hookForward, excludes: []string{"limit-iface-out"}, parse: noValue, help: "asked of the interface that the packet came in by only"},
		{name: "limit-iface-out", hooks: laterHooks, parse: noValue, help: "asked of the interface that the packet leaves by only"},
	},
	finish: finishAddrType, anyOf: [][]string{{"src-type", "dst-type"}}}

var addrTypeForm = Form{Kind: "set", Syntax: "TYPE[,TYPE...]", Symbols: symbolNames(packet.AddrTypes)}

func parseAddrType(a *argument) error {
	var set route.Type
next:
	for rest, more := a.vals[0].text, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ",")
		for _, s := range packet.AddrTypes {
			// Names may be cut short; the first one that fits counts.
			if name != "" && len(name) <= len(s.Name) && strings.EqualFold(s.Name[:len(name)], name) {
				set |= route.Type(s.Value)
				continue next
			}
		}
		return fmt.Errorf("%q is not %s", rules.Excerpt(name), symbolList(packet.AddrTypes))
	}
	if a.p.family() == 6 {
		const lacks = route.Broadcast | route.Blackhole | ^(route.Prohibit - 1)
		if set&lacks != 0 {
			return fmt.Errorf("IPv6 addresses have the types UNSPEC, UNICAST, LOCAL, ANYCAST, MULTICAST and UNREACHABLE only")
		}
	}
	types, _ := a.m.data.(*[2]route.Type)
	if types == nil {
		types = &[2]route.Type{}
		a.m.data = types
	}
	if a.opt.name == "src-type" {
		types[0] = set
	} else {
		types[1] = set
	}
	a.p.scratch = appendSet(a.p.scratch, uint64(set), packet.AddrTypes)
	return nil
}

func finishAddrType(p *ruleParser, m *instance) error {
	in, out := m.has("limit-iface-in"), m.has("limit-iface-out")
	types := m.data.(*[2]route.Type)
	for i, name := range [...]string{"src-type", "dst-type"} {
		g := m.option(name)
		if g == nil {
			continue
		}
		if p.f.routes != nil && !in && !out {
			if list := p.f.typeIntervals(types[i]); len(list) <= maxSetIntervals {
				c := rules.In([...]int{fieldSrc, fieldDst}[i], list...)
				if g.not {
					c = c.Negate()
				}
				m.add(c)
				continue
			}
		}
		m.addTest(xt.AddrTypeTest(xt.AddrType{Types: types[i], Not: g.not, Dst: i == 1, In: in, Out: out}, p.f.routes))
	}
	return nil
}

// typeIntervals returns the addresses of the types, worked out once.
func (f *fileReader) typeIntervals(t route.Type) []rules.Interval {
	list, ok := f.typed[t]
	if !ok {
		if f.typed == nil {
			f.typed = map[route.Type][]rules.Interval{}
		}
		list = f.routes.Intervals(f.rs.Family, t)
		f.typed[t] = list
	}
	return list
}
