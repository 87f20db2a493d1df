package iptables

// The match rateest, which compares what rate estimators say with numbers or
// with one another.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var rateestMatch = module{kind: "match", name: "rateest", summary: "the rates that RATEEST estimates", class: Stateful,
	modelled: true, finish: finishRateest,
	oneOf: [][]string{{"rateest-lt", "rateest-gt", "rateest-eq"}, {"rateest", "rateest1"}},
	anyOf: [][]string{{"rateest-bps", "rateest-pps", "rateest-bps1", "rateest-pps1", "rateest-bps2", "rateest-pps2"}}, options: []option{
		{name: "rateest-delta", parse: noValue, help: "compare how far rates are below --rateest-bps1, --rateest-pps1 (and -bps2, -pps2)"},
		{name: "rateest", words: 1, parse: text(maxEstimator), help: "the estimator that is compared with numbers", form: estimatorForm},
		{name: "rateest1", words: 1, parse: text(maxEstimator), help: "the estimator that is compared with --rateest2, or without that as --rateest", form: estimatorForm},
		{name: "rateest2", words: 1, requires: []string{"rateest1"}, parse: text(maxEstimator), help: "the estimator that --rateest1 is compared with", form: estimatorForm},
		{name: "rateest-bps", words: optionalWord, parse: parseBitRate, help: "compare bytes; with --rateest: with this rate", form: bitRateForm},
		{name: "rateest-pps", words: optionalWord, parse: parsePacketRate, help: "compare packets; with --rateest: with this rate", form: packetRateForm},
		{name: "rateest-bps1", words: optionalWord, parse: parseBitRate, help: "the rate that the first is taken from", form: bitRateForm},
		{name: "rateest-pps1", words: optionalWord, parse: parsePacketRate, help: "the rate that the first is taken from", form: packetRateForm},
		{name: "rateest-bps2", words: optionalWord, parse: parseBitRate, help: "the rate that the second is taken from, or the first is compared with", form: bitRateForm},
		{name: "rateest-pps2", words: optionalWord, parse: parsePacketRate, help: "the rate that the second is taken from, or the first is compared with", form: packetRateForm},
		{name: "rateest-lt", not: true, parse: noValue, help: "less than"},
		{name: "rateest-gt", not: true, parse: noValue, help: "greater than"},
		{name: "rateest-eq", not: true, parse: noValue, help: "equal"},
	}}

const maxEstimator = 15

var (
	estimatorForm  = Form{Kind: "text", Syntax: "NAME", MaxLen: maxEstimator}
	bitRateForm    = Form{Kind: "rate", Syntax: "N[bit|kbit|mbit|gbit|tbit|bps|kbps|mbps|gbps|tbps]"}
	packetRateForm = Form{Kind: "number", Syntax: "N", Max: math.MaxUint32, Unit: "packets a second"}
)

// bitRateUnits are units of rates in bits a second.
var bitRateUnits = func() map[string]float64 {
	units := map[string]float64{"": 1}
	decimal, binary := 1.0, 1.0
	for _, prefix := range []string{"", "k", "m", "g", "t"} {
		units[prefix+"bit"], units[prefix+"bps"] = decimal, 8*decimal
		if prefix != "" {
			units[prefix+"ibit"], units[prefix+"ibps"] = binary, 8*binary
		}
		decimal, binary = 1000*decimal, 1024*binary
	}
	return units
}()

// parseBitRate reads a rate and writes it as it is printed. The kernel keeps
// whole bytes a second.
func parseBitRate(a *argument) error {
	if len(a.vals) == 0 {
		return nil
	}
	s := strings.ToLower(a.vals[0].text)
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	x, err := strconv.ParseFloat(digits, 64)
	unit, ok := bitRateUnits[s[len(digits):]]
	if err != nil || !ok || !(x >= 0 && x*unit/8 <= math.MaxUint32) {
		return fmt.Errorf("not a rate such as 500kbit or 2.5mbit, up to %dmbit", uint64(math.MaxUint32)*8/1000000)
	}
	a.write(showBitRate(uint64(x * unit / 8)))
	return nil
}

// showBitRate writes bytes a second, in the largest unit that is exact.
func showBitRate(bytes uint64) string {
	switch bits := bytes * 8; {
	case bits >= 1e9 && bits%1e6 == 0:
		return fmt.Sprintf("%dMbit", bits/1e6)
	case bits >= 1e6 && bits%1e3 == 0:
		return fmt.Sprintf("%dKbit", bits/1e3)
	default:
		return fmt.Sprintf("%dbit", bits)
	}
}

// bytesOfRate is the reverse of parseBitRate's print.
func bytesOfRate(s string) uint64 {
	digits := strings.TrimRight(s, "KMbit")
	n, _ := strconv.ParseUint(digits, 10, 64)
	switch s[len(digits):] {
	case "Kbit":
		n *= 1e3
	case "Mbit":
		n *= 1e6
	}
	return n / 8
}

func parsePacketRate(a *argument) error {
	if len(a.vals) == 0 {
		return nil
	}
	return number(0, math.MaxUint32, -1)(a)
}

// fed returns where it is kept whether a rule of the file feeds the estimator.
// The kernel refuses a match whose estimator no rule has made; a file may be
// one of several tables, so here it is read, and the match is unsure.
func (f *fileReader) fed(name string) *bool {
	return sharedInFile(f, "rateest "+name, func() *bool { return new(bool) })
}

func finishRateest(p *ruleParser, m *instance) error {
	r := xt.RateTest{Delta: m.has("rateest-delta")}
	how := ""
	for i, n := range []string{"rateest-lt", "rateest-gt", "rateest-eq"} {
		if m.has(n) {
			how, r.How = n, xt.Compare(i)
		}
	}
	for i := range m.given {
		r.Not = r.Not || m.given[i].not
	}
	numbers := !m.has("rateest2")
	name1 := p.value(m, "rateest") + p.value(m, "rateest1")
	name2 := p.value(m, "rateest2")
	r.Name1, r.Name2 = unquoted(name1), unquoted(name2)
	if r.Name1 == "" || !numbers && r.Name2 == "" { // "" in quotes
		return fmt.Errorf("an estimator's name is not empty")
	}
	kinds := []struct {
		name          string
		asked         *bool
		first, second *uint64
	}{{"bps", &r.ByBytes, &r.Bytes1, &r.Bytes2}, {"pps", &r.ByPackets, &r.Packets1, &r.Packets2}}
	text := ""
	for _, k := range kinds {
		base := "rateest-" + k.name
		plain, first, second := p.value(m, base), p.value(m, base+"1"), p.value(m, base+"2")
		if *k.asked = m.has(base) || m.has(base+"1") || m.has(base+"2"); !*k.asked {
			continue
		}
		value := func(s string) uint64 {
			if k.name == "bps" {
				return bytesOfRate(s)
			}
			n, _ := parseNumber(s, math.MaxUint32)
			return n
		}
		if second == "" {
			second = plain
		}
		// A rate that is not given is 0.
		if *k.first, *k.second = 0, value(second); r.Delta {
			*k.first = value(first)
		} else if !numbers {
			*k.second = 0
		}
		show := func(x uint64) string {
			if k.name == "pps" {
				return fmt.Sprint(x)
			}
			return showBitRate(x)
		}
		if r.Delta {
			text += fmt.Sprintf(" --%s1 %s", base, show(*k.first))
		}
		if how != "" { // once is enough
			text += pick(r.Not, " !", "") + " --" + how
			how = ""
		}
		switch {
		case r.Delta:
			text += fmt.Sprintf(" --%s2 %s", base, show(*k.second))
		case numbers:
			text += fmt.Sprintf(" --%s %s", base, show(*k.second))
		default:
			text += " --" + base
		}
	}
	if text == "" {
		return fmt.Errorf("match rateest needs --rateest-bps or --rateest-pps, or their forms for --rateest-delta")
	}
	r.Fed1 = p.f.fed(r.Name1)
	if !numbers {
		r.Fed2 = p.f.fed(r.Name2)
	}
	m.addStateful(func() rules.Test { return r.Test() })
	m.printAll("%s --%s %s%s", pick(r.Delta, " --rateest-delta", ""), pick(numbers, "rateest", "rateest1"), name1, text)
	if !numbers {
		m.extra = fmt.Appendf(m.extra, " --rateest2 %s", name2)
	}
	return nil
}
