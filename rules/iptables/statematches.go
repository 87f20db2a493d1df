package iptables

// Matches that remember earlier packets. Here: limit, recent, quota, statistic
// and nfacct. Each rule of the kernel gets a test of its own, and with it a
// memory; recent and nfacct share theirs by a name.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var stateMatches = []module{
	{kind: "match", name: "limit", summary: "an average rate of packets", class: Stateful, modelled: true, finish: finishLimit, options: []option{
		{name: "limit", words: 1, parse: parseLimitRate, help: "packets in a second, minute, hour or day",
			form: Form{Kind: "rate", Syntax: "N[/second|/minute|/hour|/day]", Default: "3/hour"}},
		{name: "limit-burst", words: 1, parse: number(1, 10000, 5), help: "packets that match at once",
			form: Form{Kind: "number", Syntax: "N", Min: 1, Max: 10000, Unit: "packets", Default: "5"}}}},
	{kind: "match", name: "recent", summary: "lists of addresses seen lately", class: Stateful, modelled: true, finish: finishRecent,
		oneOf: [][]string{{"set", "rcheck", "update", "remove"}}, options: []option{
			{name: "set", not: true, parse: noValue, help: "add the address to the list"},
			{name: "rcheck", not: true, parse: noValue, help: "is the address in the list?"},
			{name: "update", not: true, parse: noValue, help: "is it, and add this packet when it is"},
			{name: "remove", not: true, parse: noValue, help: "is it, and take it away"},
			{name: "seconds", words: 1, excludes: []string{"set", "remove"}, parse: number(1, math.MaxUint32, -1), help: "only packets of the last N seconds count",
				form: Form{Kind: "number", Syntax: "N", Min: 1, Max: math.MaxUint32, Unit: "seconds"}},
			{name: "reap", excludes: []string{"set", "remove"}, requires: []string{"seconds"}, parse: noValue, help: "drop the address that was quiet longest, when it was for --seconds"},
			{name: "hitcount", words: 1, notes: []string{"above 0 not with --set or --remove"}, parse: number(0, xt.MaxHitCount, 0), help: "it has sent at least N packets",
				form: Form{Kind: "number", Syntax: "N", Max: xt.MaxHitCount, Unit: "packets", Default: "1"}},
			{name: "rttl", excludes: []string{"set", "remove"}, parse: noValue, help: "only when the TTL is that of the packet before"},
			{name: "name", words: 1, parse: parseRecentName, help: "the list", form: Form{Kind: "text", Syntax: "NAME", MaxLen: maxRecentName, Default: "DEFAULT"}},
			{name: "mask", words: 1, parse: parseRecentMask, help: "the part of addresses that the list tells apart", form: Form{Kind: "address", Syntax: "ADDRESS", Default: "the whole address"}},
			{name: "rsource", parse: noValue, help: "go by the source (the default)"},
			{name: "rdest", parse: noValue, help: "go by the destination"}}},
	{kind: "match", name: "quota", summary: "so many bytes and no more", class: Stateful, modelled: true, options: []option{
		{name: "quota", words: 1, not: true, required: true, parse: parseQuota, help: "bytes that match",
			form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint64, Unit: "bytes"}}}},
	{kind: "match", name: "statistic", summary: "some packets, by chance or by count", class: Stateful, modelled: true, finish: finishStatistic, options: []option{
		{name: "mode", words: 1, required: true, parse: oneOf("random", "nth"), help: "by chance, or by count", form: Form{Kind: "enum", Symbols: []string{"random", "nth"}}},
		{name: "probability", words: 1, not: true, notes: []string{"needed with --mode random", "not with --mode nth"}, excludes: []string{"every", "packet"}, parse: parseProbability, help: "the chance of each packet (random)",
			form: Form{Kind: "number", Syntax: "P in 0..1, to 1/2147483648"}},
		{name: "every", words: 1, not: true, requires: []string{"packet"}, notes: []string{"needed with --mode nth", "not with --mode random"}, parse: number(1, math.MaxUint32, -1), help: "one packet of N (nth)", form: Form{Kind: "number", Syntax: "N", Min: 1, Max: math.MaxUint32}},
		{name: "packet", words: 1, requires: []string{"every"}, notes: []string{"below --every"}, parse: number(0, math.MaxUint32-1, -1), help: "the first one, from 0 (nth)",
			form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32 - 1}}}},
	{kind: "match", name: "nfacct", summary: "count packets in a named account; true, or with a quota once that is used up", class: Stateful, modelled: true, options: []option{
		{name: "nfacct-name", words: 1, required: true, parse: parseAccount, help: "the account", form: Form{Kind: "text", Syntax: "NAME", MaxLen: maxAccount}}}},
	{kind: "match", name: "osf", summary: "the system that a connection's first packet comes from", family: 4, class: Stateful, modelled: true,
		protos: []uint8{protoTCP}, hooks: hookPrerouting | hookInput | hookForward, supply: []string{"osf fingerprints"}, finish: finishOSF, options: []option{
			{name: "genre", words: 1, not: true, required: true, parse: text(maxGenre), help: "the system, as the fingerprints name it (the kernel takes no notice of \"!\")",
				form: Form{Kind: "text", Syntax: "NAME", MaxLen: maxGenre}},
			{name: "ttl", words: 1, parse: number(0, 2, -1), help: "0: the fingerprint's TTL; 1: not above it; 2: any",
				form: Form{Kind: "number", Syntax: "N", Max: 2, Default: "0"}},
			{name: "log", words: 1, parse: number(0, 2, -1), help: "write to the log, and match all known systems: 0 each that fits, 1 the first, 2 as 0",
				form: Form{Kind: "number", Syntax: "N", Max: 2}}}},
	timeMatch, hashlimitMatch, rateestMatch,
}

// rateUnits are in the order in which a rate's print tries them.
var rateUnits = []struct {
	name    string
	full    string
	seconds uint64
}{{"day", "day", 24 * 60 * 60}, {"hour", "hour", 60 * 60}, {"min", "minute", 60}, {"sec", "second", 1}}

// parseRate reads "N/unit", a unit being any beginning of its name, as the
// time between two packets in 1/scale seconds; without a unit it is seconds.
func parseRate(s string, scale uint64) (period, seconds uint64, err error) {
	num, unit, has := strings.Cut(s, "/")
	n, err := strconv.ParseUint(num, 10, 32)
	if err != nil || n == 0 {
		return 0, 0, fmt.Errorf("not a rate: N, N/second, N/minute, N/hour or N/day, with N at least 1")
	}
	seconds = 1
	if has {
		seconds = 0
		for _, u := range rateUnits {
			if unit != "" && len(unit) <= len(u.full) && strings.EqualFold(unit, u.full[:len(unit)]) {
				seconds = u.seconds
			}
		}
		if seconds == 0 {
			return 0, 0, fmt.Errorf("the unit of a rate is second, minute, hour or day, or the beginning of one")
		}
	}
	if period = scale * seconds / n; period == 0 {
		return 0, 0, fmt.Errorf("more than %d packets a second", scale)
	}
	return period, seconds, nil
}

// appendRate writes a rate, and returns the seconds of its unit.
func appendRate(b []byte, period, scale uint64) ([]byte, uint64) {
	use := rateUnits[len(rateUnits)-1]
	for i := 1; i < len(rateUnits); i++ {
		if whole := rateUnits[i].seconds * scale; period > whole || whole/period < whole%period {
			use = rateUnits[i-1]
			break
		}
	}
	return append(append(appendNumber(b, use.seconds*scale/period), '/'), use.name...), use.seconds
}

func parseLimitRate(a *argument) error {
	period, _, err := parseRate(a.vals[0].text, xt.LimitScale)
	if err != nil {
		return err
	}
	a.m.data = uint32(period)
	a.p.scratch, _ = appendRate(a.p.scratch, period, xt.LimitScale)
	return nil
}

func finishLimit(p *ruleParser, m *instance) error {
	avg, ok := m.data.(uint32)
	if !ok { // 3 an hour
		avg = xt.LimitScale * 60 * 60 / 3
	}
	burst := uint64(5)
	if s := p.value(m, "limit-burst"); s != "" {
		burst, _ = parseNumber(s, 10000)
	}
	if _, err := xt.Limit(avg, uint32(burst)); err != nil {
		rate, _ := appendRate(nil, uint64(avg), xt.LimitScale)
		return fmt.Errorf("match limit: --limit %s with --limit-burst %d: %w", rate, burst, err)
	}
	m.addStateful(func() rules.Test {
		t, _ := xt.Limit(avg, uint32(burst))
		return t
	})
	rate, _ := appendRate(nil, uint64(avg), xt.LimitScale)
	m.printAll(" --limit %s", rate)
	if burst != 5 {
		m.extra = fmt.Appendf(m.extra, " --limit-burst %d", burst)
	}
	return nil
}

// Longest names in bytes.
const (
	maxRecentName = 199
	maxAccount    = 31
	maxGenre      = 31
)

// checkProcName refuses what cannot be the name of a file.
func checkProcName(s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("empty name")
	case len(s) > most:
		return fmt.Errorf("longer than %d bytes", most)
	case s == "." || s == ".." || strings.Contains(s, "/"):
		return fmt.Errorf("not a name: it must not be \".\" or \"..\" or have a \"/\"")
	}
	return nil
}

func parseRecentName(a *argument) error {
	if err := checkProcName(a.vals[0].text, maxRecentName); err != nil {
		return err
	}
	a.writeQuoted(a.vals[0].text)
	return nil
}

// recentMask is what parseRecentMask finds out for finishRecent.
type recentMask struct{ words [4]uint32 }

func parseRecentMask(a *argument) error {
	s := a.vals[0].text
	ip, err := parseHost(s, a.p.family())
	if err != nil {
		return err
	}
	a.p.scratch = appendAddr(a.p.scratch, addrValue(ip), a.p.family())
	a.m.data = recentMask{wordsOf(addrValue(ip), a.p.family())}
	return nil
}

func finishRecent(p *ruleParser, m *instance) error {
	ops := []string{"set", "rcheck", "update", "remove"}
	r := xt.RecentRule{TTL: m.has("rttl"), Reap: m.has("reap")}
	op := ""
	for i := range m.given {
		if g := &m.given[i]; contains(ops, g.opt.name) {
			op, r.Not = g.opt.name, g.not
		} else if g.opt.name == "rdest" || g.opt.name == "rsource" {
			r.Dest = g.opt.name == "rdest" // the last one counts
		}
	}
	r.Op = map[string]xt.RecentOp{"set": xt.RecentSet, "rcheck": xt.RecentCheck, "update": xt.RecentUpdate, "remove": xt.RecentRemove}[op]
	seconds, _ := parseNumber(p.value(m, "seconds"), math.MaxUint32)
	hits, _ := parseNumber(p.value(m, "hitcount"), xt.MaxHitCount)
	r.Seconds, r.Hits = uint32(seconds), uint32(hits)
	if r.Op == xt.RecentSet || r.Op == xt.RecentRemove {
		if hits > 0 {
			return fmt.Errorf("--hitcount of match recent needs --rcheck or --update, not --%s", op)
		}
	}
	name := "DEFAULT"
	for i := range m.given {
		if g := &m.given[i]; g.opt.name == "name" {
			name = unquoted(string(p.scratch[g.from:g.to]))
		}
	}
	mask, ok := m.data.(recentMask)
	if !ok {
		mask.words = [4]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32}
	}
	list := sharedInFile(p.f, "recent "+name, func() *xt.RecentList { return &xt.RecentList{Name: name, Mask: mask.words} })
	list.Keep(r.Hits)
	m.addStateful(func() rules.Test { return xt.Recent(list, r) })

	maskText := p.value(m, "mask")
	if maskText == "" {
		maskText = string(appendAddr(nil, rules.Ones(32+96*(p.family()/6)), p.family()))
	}
	m.printAll("%s --%s", pick(r.Not, " !", ""), op)
	add := func(yes bool, format string, args ...any) {
		if yes {
			m.extra = fmt.Appendf(m.extra, format, args...)
		}
	}
	add(seconds > 0, " --seconds %d", seconds)
	add(r.Reap, " --reap")
	add(hits > 0, " --hitcount %d", hits)
	add(r.TTL, " --rttl")
	add(true, " --name %s --mask %s --%s", appendPlain(nil, name), maskText, pick(r.Dest, "rdest", "rsource"))
	return nil
}

// unquoted is the reverse of appendQuoted.
func unquoted(s string) string {
	words, _, err := splitWords(nil, s, 0)
	if err != nil || len(words) != 1 {
		return s
	}
	return words[0].text
}

// sharedInFile returns what the rules of the file share by a name, made by
// fresh for the first of them.
func sharedInFile[T any](f *fileReader, name string, fresh func() *T) *T {
	if t, ok := f.named[name].(*T); ok {
		return t
	}
	if f.named == nil {
		f.named = map[string]any{}
	}
	t := fresh()
	f.named[name] = t
	return t
}

func parseQuota(a *argument) error {
	n, err := parseNumber(a.vals[0].text, math.MaxUint64)
	if err != nil {
		return err
	}
	not := a.not
	a.m.addStateful(func() rules.Test { return xt.Quota(n, not) })
	a.writeNumber(n)
	return nil
}

func parseProbability(a *argument) error {
	f, err := strconv.ParseFloat(a.vals[0].text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("not a chance in 0..1")
	}
	of31 := uint32(math.Round(f * (1 << 31)))
	a.m.data = of31
	a.write(fmt.Sprintf("%.11f", float64(of31)/(1<<31)))
	return nil
}

func finishStatistic(p *ruleParser, m *instance) error {
	mode := p.value(m, "mode")
	mine, others := []string{"probability"}, []string{"every", "packet"}
	if mode == "nth" {
		mine, others = others, mine
	}
	for _, n := range others {
		if m.has(n) {
			return fmt.Errorf("--%s is not for --mode %s", n, mode)
		}
	}
	if !m.has(mine[0]) {
		return fmt.Errorf("--mode %s needs --%s", mode, mine[0])
	}
	not := false
	for i := range m.given {
		not = not || m.given[i].not
	}
	if mode == "random" {
		of31 := m.data.(uint32)
		m.addStateful(func() rules.Test { return xt.Random(of31, not) })
		return nil
	}
	n, _ := parseNumber(p.value(m, "every"), math.MaxUint32)
	first, _ := parseNumber(p.value(m, "packet"), math.MaxUint32)
	if first >= n {
		return fmt.Errorf("--packet %d is not below --every %d", first, n)
	}
	m.addStateful(func() rules.Test { return xt.Nth(uint32(n), uint32(first), not) })
	return nil
}

func parseAccount(a *argument) error {
	name := a.vals[0].text
	if name == "" || len(name) > maxAccount {
		return fmt.Errorf("an account's name has 1 to %d bytes", maxAccount)
	}
	a.m.addStateful(func() rules.Test { return xt.Accounting(name) })
	a.writeQuoted(name)
	return nil
}

func finishOSF(p *ruleParser, m *instance) error {
	r := xt.OSF{Genre: unquoted(p.value(m, "genre")), Any: m.has("log"), TTL: xt.OSFTTL(p.num(m, "ttl", 0))}
	m.addTest(r.Test())
	return nil
}
