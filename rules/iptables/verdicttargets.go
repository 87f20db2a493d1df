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
		{name: "queue-balance", words: 1, help: "choose one of these queues by the packet's addresses", form: Form{Kind: "text", Syntax: "FROM:TO", Max: 65534}, parse: parseQueueBalance},
		{name: "queue-bypass", help: "accept the packet when no program listens", parse: noValue},
		{name: "queue-cpu-fanout", help: "choose the queue by the CPU, not by the addresses", parse: noValue},
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
	if m.has("queue-cpu-fanout") && !balance {
		return fmt.Errorf("--queue-cpu-fanout needs --queue-balance")
	}
	if balance && m.has("queue-num") {
		return fmt.Errorf("--queue-num and --queue-balance exclude one another")
	}
	if balance {
		target := *dataOf[xt.QueueBalance](m)
		target.ByCPU = m.has("queue-cpu-fanout")
		m.target = sharedTarget(&target)
	} else if !m.has("queue-num") {
		p.print(m, "queue-num", "0")
	}
	return nil
}
