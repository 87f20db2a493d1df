package nftables

// Statements: what a rule asks and does, in the order of its expressions.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// building is a rule of the listing as far as it has been read.
type building struct {
	t        *tableReader
	ways     []labelled
	verdicts []*value // of the ways' labels, of a rule with a vmap
	action   rules.Action
	ended    bool // there is a verdict
	tests    []rules.Step
	targets  []rules.Target
	writes   []string
	late     bool   // a test with a memory stands before
	effect   string // the statement with an effect that stands before
	unknown  []string
	doubtful bool     // something not modelled may decide, or change the packet
	text     []string // of the whole rule
	does     []string // of what is neither a comparison nor a counter
}

// lack notes something that is not modelled.
func (b *building) lack(u *unmodelled, at int) error {
	if u.at == 0 {
		u.at = at
	}
	b.t.r.unsupported(u.name, u.at)
	if !slices.Contains(b.unknown, u.name) {
		b.unknown = append(b.unknown, u.name)
	}
	if len(u.deps) > 0 && !b.late && b.effect == "" {
		return b.conjoin([]labelled{{way: u.deps}}, at)
	}
	return nil
}

// conjoin has one of the ways hold besides what was asked before.
func (b *building) conjoin(ways []labelled, at int) error {
	r := b.t.r
	if len(ways)*len(b.ways) > r.limits.MaxElements {
		err := r.errorAt(at, "", fmt.Sprintf("the rule stands for more than %d rules", r.limits.MaxElements))
		err.Err = rules.ErrLimit
		return err
	}
	if len(ways) == 1 && len(b.ways) == 1 {
		b.ways[0] = labelled{append(b.ways[0].way, ways[0].way...), max(b.ways[0].label, ways[0].label)}
		return nil
	}
	out := make([]labelled, 0, len(ways)*len(b.ways))
	for _, old := range b.ways {
		for _, w := range ways {
			out = append(out, labelled{append(slices.Clip(old.way), w.way...), max(old.label, w.label)})
		}
	}
	b.ways = out
	return nil
}

// ask takes ways over: as conditions, or, behind a test with a memory, as tests.
func (b *building) ask(ways []labelled, tests []rules.Test, v *value) error {
	text := textOf(v)
	if b.effect != "" {
		return b.lack(&unmodelled{name: "match behind " + b.effect}, v.at)
	}
	for _, t := range tests {
		b.tests = append(b.tests, rules.Step{Test: t, Text: text})
	}
	if tests != nil {
		return nil
	}
	if !b.late {
		return b.conjoin(ways, v.at)
	}
	lists := make([][]rules.Test, len(ways))
	for i, w := range ways {
		for _, c := range w.way {
			lists[i] = append(lists[i], xt.FieldTest(fieldIn(c.Field(), b.t.kind), c))
		}
	}
	b.tests = append(b.tests, rules.Step{Test: xt.AnyOf(lists...), Text: text})
	return nil
}

// statement reads one statement.
func (b *building) statement(v *value) error {
	r := b.t.r
	key, x := v.only()
	if x == nil {
		return r.expect(v, "a statement: match, counter, a verdict or another")
	}
	if b.ended {
		return r.errorAt(v.at, key, "nothing can stand behind a verdict")
	}
	b.text = append(b.text, textOf(v))
	err := b.read(key, x, v)
	var u *unmodelled
	if errors.As(err, &u) {
		return b.lack(u, v.at)
	}
	if err != nil && !placed(err) {
		limit := r.errorAt(v.at, "", err.Error())
		if errors.Is(err, rules.ErrLimit) {
			limit.Err = rules.ErrLimit
		}
		return limit
	}
	return err
}

// placed reports whether an error says where it is.
func placed(err error) bool {
	var p *rules.ParseError
	return errors.As(err, &p)
}

func (b *building) read(key string, x, v *value) error {
	switch key {
	case "match":
		b.action.Packets, b.action.Bytes = 0, 0 // what counted before counted other packets too
		ways, tests, err := b.t.compare(x)
		if err != nil {
			return err
		}
		return b.ask(ways, tests, v)
	case "vmap":
		b.action.Packets, b.action.Bytes = 0, 0
		return b.vmap(x, v)
	case "counter":
		return b.counter(x)
	case "limit":
		b.action.Packets, b.action.Bytes = 0, 0
		return b.limit(x, v)
	case "accept", "drop", "continue", "return", "jump", "goto", "queue", "reject":
		b.ended = true
		b.does = append(b.does, textOf(v))
		return b.verdict(v)
	case "log", "dup", "ct helper", "ct timeout", "ct expectation", "last":
		if key == "last" {
			return nil
		}
		b.act(&xt.Report{Name: key, Detail: detail(key, x)}, "", v)
		return nil
	case "mangle":
		return b.mangle(x, v)
	case "notrack":
		if way := b.t.tracked[b.t.chain]; way != inFront {
			b.doubtful = true
			return &unmodelled{name: "statement notrack behind connection tracking", at: v.at}
		}
		b.act(&xt.CT{Name: "notrack", NoTrack: true}, "ctstate", v)
		return nil
	}
	b.doubtful = true
	if key == "xt" {
		key = "xt, a match or target of iptables"
		if n := x.get("name"); n != nil {
			key += ": " + n.text
		}
	}
	return &unmodelled{name: "statement " + key, at: v.at}
}

// detail is what an effect says besides its name.
func detail(key string, x *value) string {
	if x.kind == isString {
		return x.text
	}
	return strings.TrimSpace(strings.TrimPrefix(textOf(&value{kind: isObject, keys: []string{key}, list: []value{*x}}), key))
}

// act adds an effect; writes is the field that it changes.
func (b *building) act(t rules.Target, writes string, v *value) {
	b.targets = append(b.targets, t)
	b.does = append(b.does, textOf(v))
	b.effect, _ = v.only()
	if writes != "" && !slices.Contains(b.writes, writes) {
		b.writes = append(b.writes, writes)
	}
}

func (b *building) counter(x *value) error {
	r := b.t.r
	switch x.kind {
	case isNull, isString:
		return nil
	}
	if err := r.members(x, "counter", "packets", "bytes"); err != nil {
		return err
	}
	for _, part := range []struct {
		key string
		to  *uint64
	}{{"packets", &b.action.Packets}, {"bytes", &b.action.Bytes}} {
		if m := x.get(part.key); m != nil {
			n, ok := m.number()
			if !ok {
				return r.expect(m, "a whole number")
			}
			*part.to = n
		}
	}
	return nil
}

// units of rates, in seconds or bytes.
var units = map[string]uint64{"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800,
	"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20, "gbytes": 1 << 30}

// limit adds the test of a rate, which rules share that name it.
func (b *building) limit(x, v *value) error {
	if b.effect != "" {
		return &unmodelled{name: "statement limit behind " + b.effect}
	}
	t, err := b.t.rate(x)
	if err != nil {
		return err
	}
	b.tests = append(b.tests, rules.Step{Test: t, Text: textOf(v), Stateful: true})
	b.late = true
	return nil
}

// rate returns the test of a limit statement, or of the limit that it names.
func (t *tableReader) rate(x *value) (rules.Test, error) {
	r := t.r
	if x.kind == isString {
		l := t.limits[x.text]
		if l == nil {
			return nil, r.errorAt(x.at, x.text, "the table has no such limit")
		}
		if l.test == nil {
			test, err := t.rate(l.v)
			if err != nil {
				return nil, err
			}
			l.test = test
		}
		return l.test, nil
	}
	if x.kind != isObject {
		return nil, r.expect(x, "a limit: an object, or a name")
	}
	limit := xt.RateLimit{}
	if rate := x.get("rate"); rate != nil {
		n, ok := rate.number()
		if !ok || n == 0 {
			return nil, r.expect(rate, "a rate, a whole number above 0")
		}
		limit.Rate = n
	} else {
		return nil, r.expect(x, `a limit with "rate" and "per"`)
	}
	unit := func(key, usual string) (uint64, bool, error) {
		m, name := x.get(key), usual
		if m != nil {
			name = m.text
		}
		if name == "packets" {
			return 1, false, nil
		}
		n := units[name]
		if bytes := strings.HasSuffix(name, "bytes"); n == 0 || bytes != (key != "per") {
			if m == nil {
				m = x
			}
			return 0, false, r.expect(m, "a unit: second, minute, hour, day or week; bytes, kbytes or mbytes")
		}
		return n, true, nil
	}
	seconds, _, err := unit("per", "second")
	if err != nil {
		return nil, err
	}
	scale, inBytes, err := unit("rate_unit", "packets")
	if err != nil {
		return nil, err
	}
	limit.Per, limit.Bytes, limit.Rate = seconds, inBytes, limit.Rate*scale
	if burst := x.get("burst"); burst != nil {
		n, ok := burst.number()
		if !ok {
			return nil, r.expect(burst, "a whole number")
		}
		usual := "packets"
		if inBytes {
			usual = "bytes"
		}
		scale, burstBytes, err := unit("burst_unit", usual)
		if err != nil {
			return nil, err
		}
		if n > 0 && burstBytes != inBytes {
			return nil, r.expect(burst, "a burst in the unit of the rate")
		}
		limit.Burst = n * scale
	}
	if inv := x.get("inv"); inv != nil {
		if inv.kind != isBool {
			return nil, r.expect(inv, "true or false")
		}
		limit.Over = inv.text == "true"
	}
	test, err := limit.Test()
	if err != nil {
		return nil, r.errorAt(x.at, "", err.Error())
	}
	return test, nil
}

// vmap adds a verdict map.
func (b *building) vmap(x, v *value) error {
	b.ended = true
	if b.late || b.effect != "" {
		b.doubtful = true
		return &unmodelled{name: "vmap behind a limit or a statement with an effect"}
	}
	ways, verdicts, err := b.t.vmap(x)
	if err != nil {
		b.doubtful = true
		return err
	}
	b.does = append(b.does, "vmap")
	b.verdicts = verdicts
	return b.conjoin(ways, v.at)
}

// decide returns what a verdict does.
func (t *tableReader) decide(v *value) (rules.Action, error) {
	key, x := v.only()
	a := rules.Action{Text: textOf(v)}
	switch key {
	case "accept":
		a.Kind, a.Verdict = rules.Decide, rules.Accept
	case "drop":
		a.Kind, a.Verdict = rules.Decide, rules.Drop
	case "reject":
		a.Kind, a.Verdict = rules.Decide, rules.Reject
	case "queue":
		a.Kind, a.Verdict = rules.Decide, rules.Queue
	case "continue":
		a.Kind = rules.Pass
	case "return":
		a.Kind = rules.Return
	case "jump", "goto":
		if a.Kind = rules.Jump; key == "goto" {
			a.Kind = rules.Goto
		}
		if x.kind != isObject {
			return a, t.r.expect(x, `an object with a member "target"`)
		}
		target, err := t.r.text(x, "target")
		if err != nil {
			return a, err
		}
		to, ok := t.byName[target]
		if !ok {
			return a, t.r.errorAt(x.get("target").at, target, "the table has no such chain")
		}
		if t.chains[to].base.hook != "" {
			return a, t.r.errorAt(x.get("target").at, target, "a base chain, which no rule can go to")
		}
		a.Chain = to
	default:
		return a, t.r.expect(v, "a verdict: accept, drop, continue, return, jump or goto")
	}
	return a, nil
}

// verdict ends the rule.
func (b *building) verdict(v *value) error {
	key, x := v.only()
	a, err := b.t.decide(v)
	if err != nil {
		return err
	}
	packets, bytes := b.action.Packets, b.action.Bytes
	b.action = a
	b.action.Packets, b.action.Bytes = packets, bytes
	if key != "reject" || x.kind != isObject {
		return nil
	}
	family := 0
	if kind := x.get("type"); kind != nil {
		switch kind.text {
		case "icmp":
			family = 4
		case "icmpv6":
			family = 6
		case "icmpx", "tcp reset":
		default:
			return b.t.r.expect(kind, "icmp, icmpv6, icmpx or tcp reset")
		}
	}
	if family == 0 || family == b.t.family {
		return nil
	}
	conds, ok := b.t.ofFamily(family)
	if !ok {
		conds = []rules.Cond{rules.In(fieldSrc)}
	}
	effect := b.effect
	b.effect = "" // a packet that it does not reject has the effect all the same
	if effect != "" {
		return &unmodelled{name: "statement reject of one family behind " + effect}
	}
	return b.ask([]labelled{{way: conds}}, nil, v)
}

// mangle reads a statement that sets a mark, or another value that the kernel
// keeps beside the packet.
func (b *building) mangle(x, v *value) error {
	r := b.t.r
	if err := r.members(x, "mangle", "key", "value"); err != nil {
		return err
	}
	key, val := x.get("key"), x.get("value")
	if key == nil || val == nil {
		return r.expect(x, `"key" and "value"`)
	}
	name := textOf(key)
	b.doubtful = true
	lacking := &unmodelled{name: "statement " + name + " set", at: v.at}
	switch name {
	case "meta nftrace":
		b.doubtful = false
		b.act(&xt.Report{Name: "nftrace", Detail: textOf(val)}, "", v)
		return nil
	case "meta priority":
		n, ok := classOf(val)
		if !ok {
			return lacking
		}
		b.doubtful = false
		b.act(&xt.Classify{Priority: n}, "", v)
		return nil
	case "meta mark", "ct mark":
	default:
		return lacking
	}
	of, mask, bits, ok := b.t.marks(val)
	if !ok {
		return &unmodelled{name: "statement " + name + " set to such a value", at: v.at}
	}
	var target rules.Target
	writes := strings.ReplaceAll(strings.TrimPrefix(name, "meta "), " ", "")
	switch {
	case name == "meta mark" && of == "":
		target = &xt.Mark{Value: bits, Mask: 1<<32 - 1}
	case name == "meta mark" && of == "meta mark":
		target = &xt.Mark{Value: bits, Mask: ^mask}
	case name == "meta mark" && bits == 0:
		target = &xt.ConnMark{Mode: xt.ConnMarkRestore, CTMask: mask, NFMask: 1<<32 - 1}
	case name == "ct mark" && of == "":
		target = &xt.ConnMark{Mode: xt.ConnMarkSet, Value: bits, CTMask: 1<<32 - 1}
	case name == "ct mark" && of == "ct mark":
		target = &xt.ConnMark{Mode: xt.ConnMarkSet, Value: bits, CTMask: ^mask}
	case name == "ct mark" && bits == 0:
		target = &xt.ConnMark{Mode: xt.ConnMarkSave, CTMask: 1<<32 - 1, NFMask: mask}
	default:
		return &unmodelled{name: "statement " + name + " set to such a value", at: v.at}
	}
	if of == "ct mark" { // the rule breaks off where there is no connection
		o := b.t.known("ct mark")
		if err := b.ask([]labelled{{way: way{rules.InOrder(o.field, o.everything())}}}, nil, v); err != nil {
			return err
		}
		if b.effect != "" {
			return nil // noted by ask
		}
	}
	b.doubtful = false
	b.act(target, writes, v)
	return nil
}

// marks takes the value of a mark apart: (of & mask) ^ bits, of being "meta mark",
// "ct mark" or nothing.
func (t *tableReader) marks(v *value) (of string, mask, bits uint32, ok bool) {
	if v.kind == isNumber {
		n, err := strconv.ParseUint(v.text, 10, 32)
		return "", 0, uint32(n), err == nil
	}
	o, err := t.operand(t.r, v)
	if err != nil || o.name() != "meta mark" && o.name() != "ct mark" {
		return "", 0, 0, false
	}
	if !o.masked {
		return o.name(), 1<<32 - 1, 0, true
	}
	return o.name(), uint32(o.mask.Lo), uint32(o.xor.Lo), true
}

// classOf reads a queueing class: "1:10", a number, none.
func classOf(v *value) (uint32, bool) {
	if v.kind == isNumber {
		n, err := strconv.ParseUint(v.text, 10, 32)
		return uint32(n), err == nil
	}
	if v.kind != isString {
		return 0, false
	}
	switch v.text {
	case "none":
		return 0, true
	case "root":
		return 1<<32 - 1, true
	}
	major, minor, ok := strings.Cut(v.text, ":")
	if !ok {
		return 0, false
	}
	if major == "" {
		major = "0"
	}
	if minor == "" {
		minor = "0"
	}
	a, err1 := strconv.ParseUint(major, 16, 16)
	c, err2 := strconv.ParseUint(minor, 16, 16)
	return uint32(a<<16 | c), err1 == nil && err2 == nil
}

// several applies targets one after the other.
type several []rules.Target

// Apply applies all, or up to the first that ends the matter.
func (s *several) Apply(sub rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	for _, t := range *s {
		if o, needs := t.Apply(sub, at, unsure); o != rules.Yes && unsure == "" {
			return o, needs
		}
	}
	return rules.Yes, ""
}
