package iptables

// The match hashlimit: rates in packets and in bytes, and how they are
// printed. What a rate is rounded to is the kernel's own resolution.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var hashlimitMatch = module{kind: "match", name: "hashlimit", summary: "a rate for each address, port or combination", class: Stateful,
	modelled: true, finish: finishHashlimit, oneOf: [][]string{{"hashlimit-upto", "hashlimit-above"}}, options: []option{
		{name: "hashlimit-upto", aliases: []string{"hashlimit"}, words: 1, not: true, parse: parseHashRate, help: "up to this rate", form: hashRateForm},
		{name: "hashlimit-above", words: 1, not: true, parse: parseHashRate, help: "above this rate", form: hashRateForm},
		{name: "hashlimit-burst", words: 1, notes: []string{"with a rate in bytes at least the bytes of a second"}, parse: parseHashBurst, help: "packets, or bytes, at once",
			form: Form{Kind: "number", Syntax: "N[kb|mb]", Min: 1, Max: maxHashBurst, Default: "5 packets"}},
		{name: "hashlimit-mode", words: 1, parse: parseHashMode, help: "what has a rate of its own; none: all packets together",
			form: Form{Kind: "set", Syntax: "PART[,PART...]", Symbols: symbolNames(hashModes)}},
		{name: "hashlimit-name", words: 1, required: true, parse: parseHashName, help: "the table; rules may share one", form: Form{Kind: "text", Syntax: "NAME", MaxLen: maxHashName}},
		{name: "hashlimit-htable-size", words: 1, parse: number(0, math.MaxUint32, -1), help: "buckets", form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32, Default: "as the machine's memory has it; here 8192"}},
		{name: "hashlimit-htable-max", words: 1, parse: number(0, math.MaxUint32, -1), help: "entries; what would need more is dropped", form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32, Default: "8 for each bucket"}},
		{name: "hashlimit-htable-gcinterval", words: 1, parse: number(1, math.MaxUint32, -1), help: "how often old entries are looked for",
			form: Form{Kind: "number", Syntax: "N", Min: 1, Max: math.MaxUint32, Unit: "milliseconds", Default: "1000"}},
		{name: "hashlimit-htable-expire", words: 1, parse: number(1, math.MaxUint32, -1), help: "after which time idle entries are old",
			form: Form{Kind: "number", Syntax: "N", Min: 1, Max: math.MaxUint32, Unit: "milliseconds", Default: "the unit of the rate"}},
		{name: "hashlimit-srcmask", words: 1, parse: parseHashMask, help: "length of the source prefixes that have a rate", form: Form{Kind: "prefix", Syntax: "LENGTH|MASK", Default: "a single address"}},
		{name: "hashlimit-dstmask", words: 1, parse: parseHashMask, help: "length of the destination prefixes that have a rate", form: Form{Kind: "prefix", Syntax: "LENGTH|MASK", Default: "a single address"}},
		{name: "hashlimit-rate-match", parse: noValue, help: "count in intervals, without a token bucket"},
		{name: "hashlimit-rate-interval", words: 1, parse: number(1, math.MaxInt32, -1), help: "the interval of --hashlimit-rate-match",
			form: Form{Kind: "number", Syntax: "N", Min: 1, Max: math.MaxInt32, Unit: "seconds", Default: "the unit of the rate"}},
	}}

var hashRateForm = Form{Kind: "rate", Syntax: "N[/second|/minute|/hour|/day]|N[k|m]b/s"}

const (
	maxHashBurst  = 1000000 // in packets
	maxHashName   = 254
	usualSweep    = 1000 // milliseconds
	byteExpire    = 15   // seconds that an entry of a rate in bytes lives
	byteExpireAll = 60   // and with a burst
)

// hashModes are in the order of print.
var hashModes = []rules.Symbol{{Name: "srcip", Value: uint64(xt.HashSource)}, {Name: "srcport", Value: uint64(xt.HashSourcePort)},
	{Name: "dstip", Value: uint64(xt.HashDest)}, {Name: "dstport", Value: uint64(xt.HashDestPort)}}

// hashArgs is what the options of a rule say.
type hashArgs struct {
	period, seconds uint64 // of a rate in packets
	bytes           bool
	cost            uint64 // of a rate in bytes
	burst           uint64
	hasBurst, raw   bool // raw: the burst is a plain number
	parts           uint64
	name            string
}

func (m *instance) hashArgs() *hashArgs {
	if m.data == nil {
		m.data = &hashArgs{burst: 5, raw: true}
	}
	return m.data.(*hashArgs)
}

// scaled reads a number with a unit of bytes behind it: "", "kb" or "mb", of
// which the "b" may be missing.
func scaled(s string) (n uint64, plain bool, err error) {
	digits := strings.TrimRight(s, "bkm")
	n, err = strconv.ParseUint(digits, 10, 64)
	factor := uint64(1)
	switch s[len(digits):] {
	case "":
		plain = true
	case "b":
	case "k", "kb":
		factor = 1 << 10
	case "m", "mb":
		factor = 1 << 20
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || n > math.MaxUint64/factor {
		return 0, false, fmt.Errorf("not a number, with kb or mb behind it for bytes")
	}
	return n * factor, plain, nil
}

func parseHashRate(a *argument) error {
	h, s := a.m.hashArgs(), a.vals[0].text
	if amount, unit, ok := strings.Cut(s, "/"); ok && strings.HasSuffix(amount, "b") {
		n, _, err := scaled(amount)
		if err != nil || n == 0 || !strings.HasPrefix("second", unit) || unit == "" {
			return fmt.Errorf("not a rate in bytes: Nb/s, Nkb/s or Nmb/s, with N at least 1")
		}
		h.bytes, h.cost = true, xt.ByteRate(n)
		if h.cost == 0 {
			return fmt.Errorf("a rate in bytes is below %dmb/s", uint64(math.MaxUint32)<<4>>20)
		}
		a.p.scratch = appendByteRate(a.p.scratch, h.cost)
		return nil
	}
	var err error
	if h.period, h.seconds, err = parseRate(s, xt.HashScale); err != nil {
		return err
	}
	a.p.scratch, _ = appendRate(a.p.scratch, h.period, xt.HashScale)
	return nil
}

var byteUnits = []struct {
	name string
	size uint64
}{{"m", 1 << 20}, {"k", 1 << 10}, {"", 1}}

// appendByteRate writes a rate in bytes; one below 16 bytes, which is rounded
// down to nothing, as the smallest that there is.
func appendByteRate(b []byte, cost uint64) []byte {
	r := max(xt.BytesOf(cost), 1)
	for _, u := range byteUnits {
		whole := uint32(r) &^ uint32(u.size-1) // 32 bits: rates above 4 GB are in bytes
		if r >= u.size && (u.size == 1 || xt.ByteRate(uint64(whole)) == cost) {
			return fmt.Appendf(b, "%d%sb/s", r/u.size, u.name)
		}
	}
	return b
}

func appendBytes(b []byte, n uint64) []byte {
	for _, u := range byteUnits {
		if n >= u.size {
			return fmt.Appendf(b, "%d%sb", n/u.size, u.name)
		}
	}
	return append(b, '0', 'b')
}

func parseHashBurst(a *argument) error {
	h := a.m.hashArgs()
	var err error
	if h.burst, h.raw, err = scaled(a.vals[0].text); err != nil {
		return err
	}
	if h.burst == 0 || h.raw && h.burst > maxHashBurst {
		return fmt.Errorf("not in 1..%d", maxHashBurst)
	}
	h.hasBurst = true
	a.write(a.vals[0].text)
	return nil
}

func parseHashMode(a *argument) error {
	if a.vals[0].text == "" {
		return nil
	}
	x, err := parseSet(a.vals[0].text, hashModes)
	if err != nil {
		return err
	}
	if strings.ToLower(a.vals[0].text) != a.vals[0].text {
		return fmt.Errorf("not in lower case")
	}
	a.m.hashArgs().parts = x
	a.p.scratch = appendSet(a.p.scratch, x, hashModes)
	return nil
}

// parseHashMask reads the length of a prefix, or its mask.
func parseHashMask(a *argument) error {
	length, _, err := parseMask(a.vals[0].text, 32+96*(a.p.family()/6))
	if err != nil {
		return err
	}
	if length < 0 {
		return fmt.Errorf("mask is not that of a prefix")
	}
	a.writeNumber(uint64(length))
	return nil
}

func parseHashName(a *argument) error {
	a.m.hashArgs().name = a.vals[0].text
	a.writeQuoted(a.vals[0].text)
	return checkProcName(a.vals[0].text, maxHashName)
}

// num returns the number that an option of the module has, or the usual one.
func (p *ruleParser) num(m *instance, name string, usual uint64) uint64 {
	s := p.value(m, name)
	if s == "" {
		return usual
	}
	n, _ := parseNumber(s, math.MaxUint64)
	return n
}

func finishHashlimit(p *ruleParser, m *instance) error {
	h := m.hashArgs()
	above := m.has("hashlimit-above")
	for i := range m.given {
		if m.given[i].not {
			above = !above
		}
	}
	full := 32 + 96*(p.family()/6)
	t := xt.HashTable{Name: h.name, Family: p.family(), Parts: uint8(h.parts), Bytes: h.bytes,
		SrcLen: int(p.num(m, "hashlimit-srcmask", uint64(full))), DstLen: int(p.num(m, "hashlimit-dstmask", uint64(full))),
		Size: uint32(min(p.num(m, "hashlimit-htable-size", 0), xt.MaxHashEntries)), Max: uint32(min(p.num(m, "hashlimit-htable-max", 0), xt.MaxHashEntries)),
		Sweep: uint32(p.num(m, "hashlimit-htable-gcinterval", usualSweep))}
	unit := h.seconds
	if h.bytes {
		t.Average, unit = h.cost, byteExpire
		if h.hasBurst {
			size := xt.BytesOf(h.cost)
			if h.burst < size || size == 0 {
				return fmt.Errorf("--hashlimit-burst is at least the bytes of a second: %db", size)
			}
			t.Burst, unit = h.burst/size, byteExpireAll
			if h.burst%size != 0 {
				t.Burst++
			}
		}
	} else {
		t.Average, t.Burst = h.period, h.burst
		if h.burst > maxHashBurst {
			return fmt.Errorf("--hashlimit-burst of packets is at most %d", maxHashBurst)
		}
	}
	t.Expire = uint32(p.num(m, "hashlimit-htable-expire", unit*1000))
	rateMatch := m.has("hashlimit-rate-match")
	if rateMatch {
		usual := uint64(1)
		if !h.bytes {
			t.Average /= h.seconds
			usual = h.seconds
		}
		t.Interval = uint32(p.num(m, "hashlimit-rate-interval", usual))
	}
	if err := t.Check(); err != nil {
		return fmt.Errorf("match hashlimit: %w", err)
	}
	table := sharedInFile(p.f, fmt.Sprintf("hashlimit%d %s", t.Family, t.Name), func() *xt.HashTable { return &t })
	m.addStateful(func() rules.Test { return xt.HashLimit(table, above, rateMatch, h.bytes) })

	// What is printed.
	var rate []byte
	if h.bytes {
		rate, unit = appendByteRate(nil, t.Average), byteExpire
		if t.Burst > 0 {
			rate = appendBytes(append(rate, " --hashlimit-burst "...), xt.BytesOf(t.Average)*t.Burst)
			unit = byteExpireAll
		}
	} else {
		rate, unit = appendRate(nil, t.Average, xt.HashScale)
		rate = fmt.Appendf(rate, " --hashlimit-burst %d", t.Burst)
	}
	m.printAll(" --hashlimit-%s %s", pick(above, "above", "upto"), rate)
	add := func(yes bool, format string, args ...any) {
		if yes {
			m.extra = fmt.Appendf(m.extra, " --hashlimit-"+format, args...)
		}
	}
	add(h.parts != 0, "mode %s", appendSet(nil, h.parts, hashModes))
	add(true, "name %s", appendPlain(nil, t.Name))
	add(t.Size != 0, "htable-size %d", t.Size)
	add(t.Max != 0, "htable-max %d", t.Max)
	add(t.Sweep != usualSweep, "htable-gcinterval %d", t.Sweep)
	add(uint64(t.Expire) != unit*1000, "htable-expire %d", t.Expire)
	add(t.SrcLen != full, "srcmask %d", t.SrcLen)
	add(t.DstLen != full, "dstmask %d", t.DstLen)
	add(rateMatch, "rate-match")
	add(rateMatch && t.Interval != 1, "rate-interval %d", t.Interval)
	return nil
}
