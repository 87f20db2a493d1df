package iptables

// Targets that report a packet or remember it, and change nothing that later
// rules see.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var reportTargets = []module{
	report(module{name: "LOG", summary: "write the packet to the kernel's log", options: []option{
		{name: "log-prefix", words: 1, help: "text in front of the line; what is longer is cut", form: Form{Kind: "text", Syntax: "TEXT", MaxLen: 29}, parse: prefix(29)},
		{name: "log-level", words: 1, help: "syslog level", form: Form{Kind: "enum", Syntax: "LEVEL", Max: 7, Symbols: symbolNames(logLevels), Default: "4"}, parse: parseLogLevel},
		{name: "log-tcp-sequence", help: "sequence numbers too", parse: noValue},
		{name: "log-tcp-options", help: "TCP options too", parse: noValue},
		{name: "log-ip-options", help: "IP options too", parse: noValue},
		{name: "log-uid", help: "the user of the socket too", parse: noValue},
		{name: "log-macdecode", help: "Ethernet addresses too", parse: noValue},
	}}),
	report(module{name: "NFLOG", summary: "hand a copy to a listener", options: []option{
		{name: "nflog-prefix", words: 1, help: "text with the packet; what is longer is cut", form: Form{Kind: "text", Syntax: "TEXT", MaxLen: 63}, parse: prefix(63)},
		{name: "nflog-group", words: 1, help: "listener's group", form: Form{Kind: "number", Syntax: "NUMBER", Max: 65535, Default: "0"}, parse: number(0, 65535, 0)},
		{name: "nflog-range", excludes: []string{"nflog-size"}, words: 1, help: "no effect, see --nflog-size", form: Form{Kind: "number", Syntax: "BYTES", Max: 1<<32 - 1, Unit: "bytes", Default: "0"}, parse: number(0, 1<<32-1, 0)},
		{name: "nflog-size", words: 1, help: "bytes of the packet to copy", form: Form{Kind: "number", Syntax: "BYTES", Max: 1<<32 - 1, Unit: "bytes"}, parse: number(0, 1<<32-1, -1)},
		{name: "nflog-threshold", words: 1, help: "packets to collect before they are sent", form: Form{Kind: "number", Syntax: "NUMBER", Max: 65535, Unit: "packets", Default: "0"}, parse: number(0, 65535, 0)},
	}}),
	report(module{name: "ULOG", summary: "hand a copy to a listener (gone since Linux 3.17)", family: 4, options: []option{
		{name: "ulog-prefix", words: 1, help: "text with the packet; what is longer is cut", form: Form{Kind: "text", Syntax: "TEXT", MaxLen: 31}, parse: prefix(31)},
		{name: "ulog-nlgroup", words: 1, help: "listener's group", form: Form{Kind: "number", Syntax: "NUMBER", Min: 1, Max: 32, Default: "1"}, parse: number(1, 32, 1)},
		{name: "ulog-cprange", words: 1, help: "bytes of the packet to copy, 0: all", form: Form{Kind: "number", Syntax: "BYTES", Max: 1<<32 - 1, Unit: "bytes", Default: "0"}, parse: number(0, 1<<32-1, 0)},
		{name: "ulog-qthreshold", words: 1, help: "packets to collect before they are sent", form: Form{Kind: "number", Syntax: "NUMBER", Min: 1, Max: 50, Unit: "packets", Default: "1"}, parse: number(1, 50, 1)},
	}}),
	report(module{name: "AUDIT", summary: "write an audit record", options: []option{
		{name: "type", words: 1, required: true, help: "what it says of the packet", form: Form{Kind: "enum", Syntax: "TYPE", Symbols: []string{"accept", "drop", "reject"}}, parse: oneOf("accept", "drop", "reject")},
	}}),
	report(module{name: "TRACE", summary: "trace the packet's way through the rules", tables: []string{"raw"}}),
	report(module{name: "TEE", summary: "send a copy to another host", options: []option{
		{name: "gateway", words: 1, required: true, help: "the host", form: Form{Kind: "address", Syntax: "ADDRESS"}, parse: parseGateway},
		{name: "oif", words: 1, help: "by this interface", form: Form{Kind: "text", Syntax: "INTERFACE", MaxLen: rules.MaxNameLen}, parse: text(rules.MaxNameLen)},
	}}),
	report(module{name: "IDLETIMER", summary: "start a timer again that tells when nothing comes", options: []option{
		{name: "timeout", words: 1, required: true, help: "time without a packet", form: Form{Kind: "number", Syntax: "SECONDS", Min: 1, Max: 2147482, Unit: "seconds"}, parse: number(1, 2147482, -1)},
		{name: "label", words: 1, required: true, help: "the timer's name", form: Form{Kind: "text", Syntax: "NAME", MaxLen: 27}, parse: text(27)},
		{name: "alarm", help: "count time that the machine sleeps too", parse: noValue},
		{name: "send_nl_msg", help: "tell by netlink too (Android)", parse: noValue},
	}}),
	report(module{name: "LED", summary: "light a lamp", options: []option{
		{name: "led-trigger-id", words: 1, required: true, help: "end of the trigger's name", form: Form{Kind: "text", Syntax: "NAME", MaxLen: 16}, parse: parseTriggerName},
		{name: "led-delay", words: 1, help: "time that it stays on", form: Form{Kind: "number", Syntax: "MILLISECONDS|inf", Max: 1<<32 - 1, Unit: "milliseconds", Default: "0"}, parse: parseLEDDelay},
		{name: "led-always-blink", help: "blink for every packet, lit or not", parse: noValue},
	}}),
	{kind: "target", name: "RATEEST", summary: "feed a rate estimator", class: Stateful, modelled: true, finish: finishRateEst, options: []option{
		{name: "rateest-name", words: 1, required: true, help: "the estimator's name; what is longer is cut", form: Form{Kind: "text", Syntax: "NAME", MaxLen: 15}, parse: func(a *argument) error {
			s := a.vals[0].text
			if s == "" {
				return fmt.Errorf("empty")
			}
			s = s[:min(len(s), 15)]
			dataOf[rateEst](a.m).name = strings.Clone(s)
			a.writeQuoted(s)
			return nil
		}},
		{name: "rateest-interval", words: 1, required: true, help: "time between measurements, 0.25 to 8 seconds in powers of two", form: Form{Kind: "time", Syntax: "TIME", Unit: "seconds"}, parse: func(a *argument) error {
			return parseMicros(a, &dataOf[rateEst](a.m).interval)
		}},
		{name: "rateest-ewmalog", words: 1, notes: []string{"a time constant of 2 to 2^30 intervals"}, required: true, help: "time constant of the average", form: Form{Kind: "time", Syntax: "TIME", Unit: "seconds"}, parse: func(a *argument) error {
			return parseMicros(a, &dataOf[rateEst](a.m).average)
		}},
	}},
}

// report completes a module of a target that leaves a note: of which options
// it was given.
func report(m module) module {
	m.kind, m.modelled = "target", true
	check := m.finish
	name := m.name
	m.finish = func(p *ruleParser, m *instance) error {
		if check != nil {
			if err := check(p, m); err != nil {
				return err
			}
		}
		var detail []byte
		for i := range m.mod.options {
			for j := range m.given {
				if g := &m.given[j]; g.opt == &m.mod.options[i] && !g.silent {
					if detail != nil {
						detail = append(detail, ' ')
					}
					detail = append(detail, g.opt.name...)
					if g.to > g.from {
						detail = append(append(detail, ' '), p.scratch[g.from:g.to]...)
					}
				}
			}
		}
		m.target = sharedTarget(p.f.report(name, p.f.internBytes(detail)))
		return nil
	}
	return m
}

// report returns the target of that name and detail; equal ones are one.
func (f *fileReader) report(name, detail string) *xt.Report {
	key := xt.Report{Name: name, Detail: detail}
	if r := f.reports[key]; r != nil {
		return r
	}
	if f.reports == nil {
		f.reports = map[xt.Report]*xt.Report{}
	}
	r := &key
	f.reports[key] = r
	return r
}

var logLevels = []rules.Symbol{{Name: "emerg", Value: 0}, {Name: "panic", Value: 0}, {Name: "alert", Value: 1}, {Name: "crit", Value: 2},
	{Name: "error", Value: 3}, {Name: "warning", Value: 4},
	{Name: "notice", Value: 5}, {Name: "info", Value: 6}, {Name: "debug", Value: 7}}

// parseLogLevel reads a number or a name, in lower case as the tools want it.
func parseLogLevel(a *argument) error {
	const usual = 4
	text := a.vals[0].text
	n, err := parseNumber(text, 7)
	for _, s := range logLevels {
		if s.Name == text {
			n, err = s.Value, nil
		}
	}
	if err != nil {
		return fmt.Errorf("neither a number in 0..7 nor %s", symbolList(logLevels))
	}
	a.silent = n == usual
	a.writeNumber(n)
	return nil
}

func parseGateway(a *argument) error {
	ip, err := parseHost(a.vals[0].text, a.p.family())
	if err != nil {
		return err
	}
	if ip.IsUnspecified() {
		return fmt.Errorf("not the address of a host")
	}
	a.p.scratch = appendAddr(a.p.scratch, addrValue(ip), a.p.family())
	return nil
}

func parseLEDDelay(a *argument) error {
	if a.vals[0].text == "inf" {
		a.write("inf")
		return nil
	}
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	a.silent = n == 0
	a.writeNumber(n)
	return err
}

// rateEst is what the options of RATEEST have told.
type rateEst struct {
	name              string
	interval, average uint32 // microseconds
}

// parseMicros reads a time such as 250ms or 0.5s.
func parseMicros(a *argument, out *uint32) error {
	s := a.vals[0].text
	for _, unit := range []struct {
		name   string
		micros float64
	}{{"msecs", 1e3}, {"msec", 1e3}, {"ms", 1e3}, {"usecs", 1}, {"usec", 1}, {"us", 1}, {"secs", 1e6}, {"sec", 1e6}, {"s", 1e6}, {"", 1}} {
		if num, ok := strings.CutSuffix(s, unit.name); ok {
			x, err := strconv.ParseFloat(num, 64)
			if x *= unit.micros; err == nil && x >= 0 && x < 1<<32 {
				*out = uint32(x)
				return nil
			}
			break
		}
	}
	return fmt.Errorf("not a time such as 250ms or 0.5s, below 4294 seconds")
}

// finishRateEst finds the powers of two that the kernel works with: an
// interval of at least the given one, and a weight of the average.
func finishRateEst(p *ruleParser, m *instance) error {
	d := dataOf[rateEst](m)
	const quarter = 250000
	steps := 0
	for ; d.interval > quarter<<steps; steps++ {
		if steps == 5 {
			return fmt.Errorf("--rateest-interval is above 8 seconds")
		}
	}
	log := 1
	for ; log < 32; log++ {
		w := 1 - 1/float64(uint64(1)<<log)
		if float64(d.interval)/-math.Log(w) > float64(d.average) {
			break
		}
	}
	if log--; log == 0 || log >= 31 {
		return fmt.Errorf("--rateest-ewmalog is not a time constant of 2 to 2^30 intervals")
	}
	m.given = m.given[:0]
	p.print(m, "rateest-name", string(appendPlain(nil, d.name)))
	interval := uint32(quarter << steps)
	p.print(m, "rateest-interval", formatMicros(interval))
	p.print(m, "rateest-ewmalog", formatMicros(interval<<log)) // as far as it fits 32 bits, as the tools print it
	*p.f.fed(d.name) = true
	m.target = sharedTarget(&xt.RateEst{Estimator: xt.Estimator{Name: d.name, Interval: uint8(steps), EWMALog: uint8(log)}})
	return nil
}

func formatMicros(n uint32) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1fs", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1fms", float64(n)/1e3)
	}
	return fmt.Sprintf("%dus", n)
}

// parseTriggerName reads the name of a lamp's trigger, which is always printed
// in quotes.
func parseTriggerName(a *argument) error {
	s := a.vals[0].text
	if len(s) > a.opt.form.MaxLen {
		return fmt.Errorf("longer than %d bytes", a.opt.form.MaxLen)
	}
	a.p.scratch = quote(a.p.scratch, s)
	return nil
}
