package iptables

// Targets that decide: queues and proxies.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var verdictTargets = []module{
	{kind: "target", name: "NFQUEUE", summary: "hand the packet to a program, which decides", modelled: true, decides: verdict(rules.Queue), finish: finishQueue, options: []option{
		{name: "queue-num", words: 1, help: "number of the queue", form: Form{Kind: "number", Syntax: "NUMBER", Max: 65535, Default: "0"}, parse: number(0, 65535, -1)},
		{name: "queue-balance", excludes: []string{"queue-num"}, words: 1, help: "choose one of these queues by the packet's addresses", form: Form{Kind: "text", Syntax: "FROM:TO", Max: 65534}, parse: parseQueueBalance},
		{name: "queue-bypass", help: "accept the packet when no program listens", parse: noValue},
		{name: "queue-cpu-fanout", requires: []string{"queue-balance"}, help: "choose the queue by the CPU, not by the addresses", parse: noValue},
	}},
	{kind: "target", name: "TPROXY", summary: "hand the packet to a transparent socket of this machine", class: Environment, modelled: true, protos: []uint8{protoTCP, protoUDP},
		tables: mangleTables, hooks: hookPrerouting, writes: []string{"mark"}, decides: verdict(rules.Accept), finish: finishTPROXY, options: []option{
			{name: "on-port", words: 1, required: true, help: "its port, 0: the packet's", form: Form{Kind: "number", Syntax: "PORT", Max: 65535}, parse: func(a *argument) error {
				n, err := parseDecimalPort(a.vals[0].text)
				dataOf[xt.TPROXY](a.m).Port = uint16(n)
				a.writeNumber(n)
				return err
			}},
			{name: "on-ip", words: 1, help: "its address", form: Form{Kind: "address", Syntax: "ADDRESS", Default: "the interface's"}, parse: func(a *argument) (err error) {
				d := dataOf[xt.TPROXY](a.m)
				ip, err := parseHost(a.vals[0].text, a.p.family())
				if err != nil {
					return err
				}
				d.Addr, err = natAddr(ip.String(), a.p.family())
				a.write(natAddrText(&d.Addr, a.p.family()))
				return err
			}},
			{name: "tproxy-mark", words: 1, help: "the mark becomes (itself and not mask) xor value", form: Form{Kind: "masked", Syntax: "VALUE[/MASK]", Max: 1<<32 - 1, Default: "0/0"}, parse: func(a *argument) error {
				v, m, err := parseMasked(a.vals[0].text, 1<<32-1)
				d := dataOf[xt.TPROXY](a.m)
				d.Value, d.Mask = uint32(v), uint32(m)
				a.write(fmt.Sprintf("0x%x/0x%x", v, m))
				return err
			}},
		}},
	{kind: "target", name: "SYNPROXY", summary: "answer the beginning of TCP connections in place of the server", modelled: true, protos: []uint8{protoTCP},
		hooks: hookInput | hookForward, decides: verdict(rules.Stolen), finish: func(p *ruleParser, m *instance) error {
			m.target = sharedTarget(&xt.SYNPROXY{})
			return nil
		}, options: []option{
			{name: "sack-perm", help: "the server knows selective acknowledgements", parse: noValue},
			{name: "timestamp", help: "the server knows timestamps", parse: noValue},
			{name: "wscale", words: 1, help: "the server's window scale", form: formByte, parse: number(0, 255, -1)},
			{name: "mss", words: 1, help: "the server's maximum segment size", form: Form{Kind: "number", Syntax: "VALUE", Max: 65535, Unit: "bytes"}, parse: number(0, 65535, -1)},
			{name: "ecn", help: "the server knows explicit congestion notification", parse: noValue},
		}},
	{kind: "target", name: "CLUSTERIP", summary: "keep the packet from all machines of a cluster but one (gone since Linux 6.3)", family: 4, mayDrop: true, modelled: true,
		hooks: hookInput, writes: []string{"ctmark"}, finish: finishClusterIP, notes: []string{"the rule needs -d with the cluster's address"}, options: []option{
			{name: "new", requires: []string{"hashmode", "clustermac", "total-nodes", "local-node"}, help: "make the cluster", parse: noValue},
			{name: "hashmode", words: 1, requires: []string{"new"}, help: "what to spread by", form: Form{Kind: "enum", Syntax: "MODE", Symbols: symbolNames(clusterModes)}, parse: parseClusterMode},
			{name: "clustermac", words: 1, requires: []string{"new"}, help: "Ethernet address of the cluster", form: Form{Kind: "text", Syntax: "MAC"}, parse: parseClusterMAC},
			{name: "total-nodes", words: 1, requires: []string{"new"}, help: "number of machines", form: Form{Kind: "number", Syntax: "NUMBER", Min: 1, Max: 16}, parse: number(1, 16, -1)},
			{name: "local-node", words: 1, requires: []string{"new"}, help: "number of this machine", form: Form{Kind: "number", Syntax: "NUMBER", Min: 1, Max: 16}, parse: number(1, 16, -1)},
			{name: "hash-init", words: 1, requires: []string{"new"}, help: "seed of the hash", form: Form{Kind: "number", Syntax: "NUMBER", Max: 1<<32 - 1, Default: "0"}, parse: number(0, 1<<32-1, -1)},
		}},
	{kind: "target", name: "QUEUE", summary: "hand the packet to a program, which decides", modelled: true, decides: verdict(rules.Queue)},
}

func parseQueueBalance(a *argument) error {
	const most = 65534
	if !strings.Contains(a.vals[0].text, ":") {
		return fmt.Errorf("not FROM:TO")
	}
	lo, hi, err := parseRange(a.vals[0].text, most, func(s string) (uint64, error) { return parseNumber(s, most) })
	if err == nil && lo == hi {
		err = fmt.Errorf("range has one number: use --queue-num")
	}
	d := dataOf[xt.QueueBalance](a.m)
	d.First, d.Count = uint16(lo), uint32(hi-lo+1)
	a.writeNumber(lo)
	a.write(":")
	a.writeNumber(hi)
	return err
}

// finishQueue adds the number that is printed when none is given.
func finishQueue(p *ruleParser, m *instance) error {
	balance := m.has("queue-balance")
	if balance {
		target := *dataOf[xt.QueueBalance](m)
		target.ByCPU = m.has("queue-cpu-fanout")
		m.target = sharedTarget(&target)
	} else if !m.has("queue-num") {
		p.print(m, "queue-num", "0")
	}
	return nil
}

func finishTPROXY(p *ruleParser, m *instance) error {
	target := *dataOf[xt.TPROXY](m)
	if !m.has("on-ip") {
		p.print(m, "on-ip", []string{"0.0.0.0", "::"}[(p.family()-4)/2])
		if p.family() == 4 {
			target.Addr[2] = 0xffff
		}
	}
	if !m.has("tproxy-mark") {
		p.print(m, "tproxy-mark", "0x0/0x0")
	}
	m.target = sharedTarget(&target)
	return nil
}

var clusterModes = []rules.Symbol{{Name: "sourceip", Value: 0}, {Name: "sourceip-sourceport", Value: 1}, {Name: "sourceip-sourceport-destport", Value: 2}}

func parseClusterMode(a *argument) error {
	for _, s := range clusterModes {
		if s.Name == a.vals[0].text {
			dataOf[xt.ClusterIP](a.m).Mode = xt.ClusterMode(s.Value)
			a.write(s.Name)
			return nil
		}
	}
	return fmt.Errorf("not %s", symbolList(clusterModes))
}

func parseClusterMAC(a *argument) error {
	mac, err := parseMAC(a.vals[0].text)
	if err == nil && mac>>40&1 == 0 {
		err = fmt.Errorf("not the address of a group")
	}
	for i := range 6 {
		if i > 0 {
			a.write(":")
		}
		a.write(fmt.Sprintf("%02X", uint8(mac>>(40-8*i))))
	}
	return err
}

// finishClusterIP asks for all that makes a cluster, or nothing: then an
// earlier rule has made it.
func finishClusterIP(p *ruleParser, m *instance) error {
	if len(p.dst) == 0 {
		return fmt.Errorf("target CLUSTERIP needs -d with the cluster's address")
	}
	target := *dataOf[xt.ClusterIP](m)
	if len(m.given) > 0 {
		target.Known = true
		for i := range m.given {
			g := &m.given[i]
			n, _ := parseDecimal(string(p.scratch[g.from:g.to]))
			switch g.opt.name {
			case "total-nodes":
				target.Total = uint16(n)
			case "local-node":
				target.Local = uint16(n)
			case "hash-init":
				target.Seed = uint32(n)
			}
		}
		if !m.has("hash-init") {
			p.print(m, "hash-init", "0")
		}
	}
	m.target = sharedTarget(&target)
	return nil
}
