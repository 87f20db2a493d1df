package iptables

// The plain verdicts, RETURN and REJECT, and readers of values that targets
// share.

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
		options: []option{{name: "reject-with", words: 1, help: "the answer", notes: []string{"tcp-reset needs -p tcp"}, parse: parseRejectWith,
			form: Form{Kind: "enum", Syntax: "TYPE", Symbols: append(rejectTypes(4), rejectTypes(6)...), Default: "icmp-port-unreachable, icmp6-port-unreachable"}}}, finish: finishReject},
}

// noValue reads an option without a value.
func noValue(*argument) error { return nil }

// text reads a word of at most max bytes, which is printed as it is.
func text(max int) func(*argument) error {
	return func(a *argument) error {
		s := a.vals[0].text
		if len(s) > max {
			return fmt.Errorf("longer than %d bytes", max)
		}
		a.p.scratch = appendPlain(a.p.scratch, s)
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

// exactly reads one of the words.
func exactly(words ...string) func(*argument) error {
	return func(a *argument) error {
		if !contains(words, a.vals[0].text) {
			return fmt.Errorf("not %s", joinNames(words))
		}
		a.write(a.vals[0].text)
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

// rejectNames are the answers of REJECT, each followed by its short form.
var rejectNames = [2][]string{
	{"icmp-net-unreachable", "net-unreach", "icmp-host-unreachable", "host-unreach", "icmp-proto-unreachable", "proto-unreach",
		"icmp-port-unreachable", "port-unreach", "icmp-net-prohibited", "net-prohib", "icmp-host-prohibited", "host-prohib",
		"tcp-reset", "tcp-rst", "icmp-admin-prohibited", "admin-prohib"},
	{"icmp6-no-route", "no-route", "icmp6-adm-prohibited", "adm-prohibited", "icmp6-addr-unreachable", "addr-unreach",
		"icmp6-port-unreachable", "port-unreach", "tcp-reset", "tcp-reset", "icmp6-policy-fail", "policy-fail",
		"icmp6-reject-route", "reject-route"},
}

func parseRejectWith(a *argument) error {
	names := rejectNames[(a.p.family()-4)/2]
	text := a.vals[0].text
	for i, n := range names { // the first that begins so
		if text != "" && len(text) <= len(n) && strings.EqualFold(n[:len(text)], text) {
			a.write(names[i&^1])
			return nil
		}
	}
	return fmt.Errorf("not %s", joinNames(rejectTypes(a.p.family())))
}

// rejectTypes are the long names of the answers of REJECT.
func rejectTypes(family int) (full []string) {
	names := rejectNames[(family-4)/2]
	for i := 0; i < len(names); i += 2 {
		full = append(full, names[i])
	}
	return full
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
