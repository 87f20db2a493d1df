package iptables

// The targets that are modelled: verdicts, RETURN, and those that report a
// packet without changing what later rules see of it, which count as passing
// it on. The latter's options are checked for form and kept as text.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

func verdict(v rules.Verdict) rules.Action { return rules.Action{Kind: rules.Decide, Verdict: v} }

var (
	filterTables = []string{"filter", "raw", "mangle", "security"} // all but nat
	laterHooks   = hookForward | hookOutput | hookPostrouting
)

var targets = []module{
	{kind: "target", name: "ACCEPT", summary: "let the packet through", modelled: true, decides: verdict(rules.Accept)},
	{kind: "target", name: "DROP", summary: "drop the packet", modelled: true, decides: verdict(rules.Drop), tables: filterTables},
	{kind: "target", name: "RETURN", summary: "go back to the calling chain, or to the policy", modelled: true, decides: rules.Action{Kind: rules.Return}},
	{kind: "target", name: "REJECT", summary: "drop the packet and tell its sender", modelled: true, decides: verdict(rules.Reject), tables: []string{"filter"},
		options: []option{{name: "reject-with", words: 1, parse: parseRejectWith}}, finish: finishReject},
	{kind: "target", name: "LOG", summary: "write the packet to the kernel's log", modelled: true, options: []option{
		{name: "log-prefix", words: 1, parse: prefix(29)},
		{name: "log-level", words: 1, parse: parseLogLevel},
		{name: "log-tcp-sequence", parse: noValue},
		{name: "log-tcp-options", parse: noValue},
		{name: "log-ip-options", parse: noValue},
		{name: "log-uid", parse: noValue},
		{name: "log-macdecode", parse: noValue},
	}},
	{kind: "target", name: "NFLOG", summary: "hand a copy to a listener", modelled: true, options: []option{
		{name: "nflog-prefix", words: 1, parse: prefix(63)},
		{name: "nflog-group", words: 1, parse: number(0, 65535, 0)},
		{name: "nflog-range", words: 1, parse: number(0, 1<<32-1, -1)},
		{name: "nflog-size", words: 1, parse: number(0, 1<<32-1, -1)},
		{name: "nflog-threshold", words: 1, parse: number(0, 65535, 1)},
	}},
	{kind: "target", name: "ULOG", summary: "hand a copy to a listener (old)", family: 4, modelled: true, options: []option{
		{name: "ulog-prefix", words: 1, parse: prefix(31)},
		{name: "ulog-nlgroup", words: 1, parse: number(1, 32, 1)},
		{name: "ulog-cprange", words: 1, parse: number(0, 1<<32-1, 0)},
		{name: "ulog-qthreshold", words: 1, parse: number(1, 50, 1)},
	}},
	{kind: "target", name: "AUDIT", summary: "write an audit record", modelled: true, options: []option{
		{name: "type", words: 1, required: true, parse: oneOf("accept", "drop", "reject")},
	}},
	{kind: "target", name: "TRACE", summary: "trace the packet", modelled: true, tables: []string{"raw"}},
	{kind: "target", name: "TEE", summary: "send a copy to another host", modelled: true, options: []option{
		{name: "gateway", words: 1, required: true, parse: parseHost},
		{name: "oif", words: 1, parse: text(rules.MaxNameLen)},
	}},
	{kind: "target", name: "RATEEST", summary: "feed a rate estimator", modelled: true, options: []option{
		{name: "rateest-name", words: 1, required: true, parse: text(15)},
		{name: "rateest-interval", words: 1, required: true, parse: parseMillis},
		{name: "rateest-ewmalog", words: 1, required: true, parse: parseMillis},
	}},
	{kind: "target", name: "IDLETIMER", summary: "restart a timer", modelled: true, options: []option{
		{name: "timeout", words: 1, required: true, parse: number(1, 1<<32-1, -1)},
		{name: "label", words: 1, required: true, parse: text(27)},
		{name: "alarm", parse: noValue},
		{name: "send_nl_msg", parse: noValue},
	}},
	{kind: "target", name: "LED", summary: "light a lamp", modelled: true, options: []option{
		{name: "led-trigger-id", words: 1, required: true, parse: text(27)},
		{name: "led-delay", words: 1, parse: text(10)},
		{name: "led-always-blink", parse: noValue},
	}},
	{kind: "target", name: "CHECKSUM", summary: "fill in the checksum", modelled: true, tables: []string{"mangle"}, options: []option{
		{name: "checksum-fill", required: true, parse: noValue},
	}},
	{kind: "target", name: "CLASSIFY", summary: "choose the queueing class", modelled: true, hooks: laterHooks, options: []option{
		{name: "set-class", words: 1, required: true, parse: parseClass},
	}},
}

// noValue reads an option without a value.
func noValue(*argument) error { return nil }

// text reads a word of at most max bytes.
func text(max int) func(*argument) error {
	return func(a *argument) error {
		s := a.vals[0].text
		if len(s) > max {
			return fmt.Errorf("longer than %d bytes", max)
		}
		a.writeQuoted(s)
		return nil
	}
}

// prefix reads a word and cuts it to max bytes, as the tools do.
func prefix(max int) func(*argument) error {
	return func(a *argument) error {
		s := a.vals[0].text
		if s == "" {
			return fmt.Errorf("empty")
		}
		a.writeQuoted(s[:min(len(s), max)])
		return nil
	}
}

// number reads a number in lo..hi; usual is not printed.
func number(lo, hi uint64, usual int64) func(*argument) error {
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, hi)
		if err != nil || n < lo {
			return fmt.Errorf("not a number in %d..%d", lo, hi)
		}
		a.silent = usual >= 0 && n == uint64(usual)
		a.writeNumber(n)
		return nil
	}
}

// oneOf reads one of the words, in any case.
func oneOf(words ...string) func(*argument) error {
	return func(a *argument) error {
		for _, w := range words {
			if strings.EqualFold(w, a.vals[0].text) {
				a.write(w)
				return nil
			}
		}
		return fmt.Errorf("not %s", joinNames(words))
	}
}

var logLevels = []rules.Symbol{{Name: "emerg", Value: 0}, {Name: "panic", Value: 0}, {Name: "alert", Value: 1}, {Name: "crit", Value: 2},
	{Name: "err", Value: 3}, {Name: "error", Value: 3}, {Name: "warning", Value: 4}, {Name: "warn", Value: 4},
	{Name: "notice", Value: 5}, {Name: "info", Value: 6}, {Name: "debug", Value: 7}}

func parseLogLevel(a *argument) error {
	const usual = 4
	n, err := parseSymbol(a.vals[0].text, 7, logLevels)
	a.silent = n == usual
	a.writeNumber(n)
	return err
}

func parseHost(a *argument) error {
	ip, err := parseAddr(a.vals[0].text, a.p.family())
	if err == nil {
		a.p.scratch = appendAddr(a.p.scratch, addrValue(ip), a.p.family())
	}
	return err
}

// parseMillis reads a time such as 250ms or 0.5s and prints milliseconds.
func parseMillis(a *argument) error {
	s := a.vals[0].text
	for _, unit := range []struct {
		name   string
		millis float64
	}{{"msec", 1}, {"ms", 1}, {"us", 0.001}, {"usec", 0.001}, {"secs", 1000}, {"sec", 1000}, {"s", 1000}} {
		if num, ok := strings.CutSuffix(s, unit.name); ok {
			var x float64
			if n, err := fmt.Sscanf(num+" ", "%f ", &x); n == 1 && err == nil && x > 0 && x < 1e6 {
				a.write(fmt.Sprintf("%.1fms", x*unit.millis))
				return nil
			}
		}
	}
	return fmt.Errorf("not a time such as 250ms or 0.5s")
}

func parseClass(a *argument) error {
	major, minor, ok := strings.Cut(a.vals[0].text, ":")
	x, err1 := parseNumber("0x"+major, 0xffff)
	y, err2 := parseNumber("0x"+minor, 0xffff)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("not MAJOR:MINOR, each up to four hexadecimal digits")
	}
	a.write(fmt.Sprintf("%04x:%04x", x, y))
	return nil
}

// rejectNames are the answers of REJECT, each followed by its short form.
var rejectNames = [2][]string{
	{"icmp-net-unreachable", "net-unreach", "icmp-host-unreachable", "host-unreach", "icmp-proto-unreachable", "proto-unreach",
		"icmp-port-unreachable", "port-unreach", "icmp-net-prohibited", "net-prohib", "icmp-host-prohibited", "host-prohib",
		"tcp-reset", "tcp-rst", "icmp-admin-prohibited", "admin-prohib"},
	{"icmp6-no-route", "no-route", "icmp6-adm-prohibited", "adm-prohibited", "icmp6-addr-unreachable", "addr-unreach",
		"icmp6-port-unreachable", "port-unreach", "tcp-reset", "tcp-rst", "icmp6-policy-fail", "policy-fail",
		"icmp6-reject-route", "reject-route"},
}

func parseRejectWith(a *argument) error {
	names := rejectNames[(a.p.family()-4)/2]
	for i, n := range names {
		if strings.EqualFold(n, a.vals[0].text) {
			a.write(names[i&^1])
			return nil
		}
	}
	var full []string
	for i := 0; i < len(names); i += 2 {
		full = append(full, names[i])
	}
	return fmt.Errorf("not %s", joinNames(full))
}

// finishReject adds the answer that REJECT gives when not told, as the tools
// print it, and keeps TCP resets to TCP.
func finishReject(p *ruleParser, m *instance) error {
	if len(m.given) == 0 {
		from := len(p.scratch)
		p.scratch = append(p.scratch, []string{"icmp-port-unreachable", "icmp6-port-unreachable"}[(p.family()-4)/2]...)
		m.given = append(m.given, givenOption{opt: &m.mod.options[0], from: from, to: len(p.scratch)})
	}
	with := p.scratch[m.given[0].from:m.given[0].to]
	if string(with) == "tcp-reset" && (p.proto != protoTCP || p.protoNot) {
		return fmt.Errorf("--reject-with tcp-reset needs -p tcp")
	}
	return nil
}
