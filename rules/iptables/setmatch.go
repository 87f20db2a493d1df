package iptables

// Match set: sets that never change and have one dimension become conditions;
// the others are asked at the leaf.

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

var setMatch = module{kind: "match", name: "set", summary: "sets of addresses and ports (ipset)", class: Environment, modelled: true,
	options: []option{
		{name: "match-set", aliases: []string{"set"}, words: 2, not: true, required: true, parse: parseMatchSet, help: "the packet is in the set, by its source or destination in each dimension",
			form: Form{Kind: "list", Syntax: "NAME src|dst[,...]", Items: ipset.MaxDirections, Symbols: []string{"src", "dst"}}},
		{name: "return-nomatch", parse: noValue, help: "exceptions in the set match, and other entries do not"},
		{name: "update-counters", not: true, parse: parseUpdate, help: "count the packet in the entry that it is in; negated, do not"},
		{name: "update-subcounters", not: true, parse: parseUpdate, help: "the same for entries of members of a list of sets"},
		{name: "packets-eq", words: 1, not: true, excludes: []string{"packets-lt", "packets-gt"}, parse: parseSetCounter, help: "packets that the entry has counted", form: numberForm("COUNT", 1<<64-1, "packets")},
		{name: "packets-lt", words: 1, excludes: []string{"packets-gt"}, parse: parseSetCounter, help: "the same, fewer", form: numberForm("COUNT", 1<<64-1, "packets")},
		{name: "packets-gt", words: 1, parse: parseSetCounter, help: "the same, more", form: numberForm("COUNT", 1<<64-1, "packets")},
		{name: "bytes-eq", words: 1, not: true, excludes: []string{"bytes-lt", "bytes-gt"}, parse: parseSetCounter, help: "bytes that the entry has counted", form: numberForm("COUNT", 1<<64-1, "bytes")},
		{name: "bytes-lt", words: 1, excludes: []string{"bytes-gt"}, parse: parseSetCounter, help: "the same, fewer", form: numberForm("COUNT", 1<<64-1, "bytes")},
		{name: "bytes-gt", words: 1, parse: parseSetCounter, help: "the same, more", form: numberForm("COUNT", 1<<64-1, "bytes")},
	},
	finish: finishSet}

// setUse is what an instance of match set asks.
type setUse struct {
	name    string
	query   ipset.Query
	not     bool
	packets bool // a comparison of packets is given
	bytes   bool
}

func (m *instance) setUse() *setUse {
	u, ok := m.data.(*setUse)
	if !ok {
		u = &setUse{}
		m.data = u
	}
	return u
}

// maxSetName is the length of the longest name of a set in the kernel.
const maxSetName = 31

// setDirections reads the name of a set and its directions, as match set and
// target SET have them, and writes them.
func (a *argument) setDirections() (name string, d ipset.Directions, err error) {
	if name = a.vals[0].text; name == "" || len(name) > maxSetName {
		return name, d, fmt.Errorf("the name of a set has 1 to %d bytes", maxSetName)
	}
	for rest, more := a.vals[1].text, true; more; d.N++ {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		switch {
		case d.N == ipset.MaxDirections:
			return name, d, fmt.Errorf("more than %d directions", ipset.MaxDirections)
		case item == "src":
			d.Src |= 1 << d.N
		case item != "dst":
			return name, d, fmt.Errorf("%q is not src or dst", rules.Excerpt(item))
		}
	}
	if s := a.p.f.sets.Find(name); s != nil && s.Family != 0 && s.Family != a.p.family() {
		return name, d, fmt.Errorf("set %s is for IPv%d, and these are IPv%d rules", name, s.Family, a.p.family())
	}
	a.p.scratch = appendWord(a.p.scratch, a.vals[0].text)
	a.write(" " + a.vals[1].text)
	return name, d, nil
}

func parseMatchSet(a *argument) (err error) {
	u := a.m.setUse()
	u.not = a.not
	u.name, u.query.Directions, err = a.setDirections()
	return err
}

func parseUpdate(a *argument) error {
	u := a.m.setUse()
	if a.silent = !a.not; a.opt.name == "update-counters" {
		u.query.KeepCounters = a.not
	} else {
		u.query.KeepSubCounters = a.not
	}
	return nil
}

func parseSetCounter(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 1<<64-1)
	if err != nil {
		return err
	}
	a.writeNumber(n)
	u := a.m.setUse()
	what, how, _ := strings.Cut(a.opt.name, "-")
	to, given := &u.query.Packets, &u.packets
	if what == "bytes" {
		to, given = &u.query.Bytes, &u.bytes
	}
	if *given {
		return fmt.Errorf("only one of --%[1]s-eq, --%[1]s-lt and --%[1]s-gt", what)
	}
	*given = true
	op := map[string]ipset.CompareOp{"eq": ipset.Equal, "lt": ipset.Less, "gt": ipset.Greater}[how]
	if a.not {
		op = ipset.NotEqual
	}
	*to = ipset.Comparison{Op: op, Value: n}
	return nil
}

// maxSetIntervals is how many intervals a set may have to become a condition:
// every rule that asks it keeps them, while a set at the leaf is kept once and
// asked in the time of a look into a table.
const maxSetIntervals = 1024

func finishSet(p *ruleParser, m *instance) error {
	u := m.setUse()
	u.query.ReturnNoMatch = m.has("return-nomatch")
	set := p.f.sets.Find(u.name)
	fixed := set != nil && p.f.fixed(set)
	if fixed && p.setConditions(m, u, set) {
		return nil
	}
	test := xt.InSet(p.f.sets, u.name, u.query, u.not, fixed)
	if set == nil || fixed {
		m.addTest(test)
	} else {
		m.addStateful(func() rules.Test { return test })
	}
	return nil
}

// fixed reports whether no packet changes the set, nor its members.
func (f *fileReader) fixed(s *ipset.Set) bool {
	if f.changes == nil || f.changes[s.Name] || !s.Static() { // without a look ahead any may change
		return false
	}
	for _, name := range s.Members() {
		if member := f.sets.Find(name); member == nil || f.changes[name] || !member.Static() {
			return false
		}
	}
	return true
}

// setConditions asks for what is in a set of one dimension by conditions, and
// reports whether that can be done.
func (p *ruleParser) setConditions(m *instance, u *setUse, s *ipset.Set) bool {
	if u.query.N < 1 || s.Dimensions() != 1 {
		return false
	}
	list, ok := s.Intervals(u.query.ReturnNoMatch)
	if !ok || len(list) > maxSetIntervals {
		return false
	}
	src := u.query.Src&1 != 0
	negated := func(c rules.Cond) rules.Cond {
		if u.not {
			return c.Negate().OrAbsent()
		}
		return c
	}
	switch s.Type {
	case "hash:mac":
		if !src {
			return false // no field has the destination's
		}
		m.add(negated(rules.In(fieldSMAC, list...)))
	case "bitmap:port":
		p.portSet(m, u, list, src)
	default:
		f := fieldDst
		if src {
			f = fieldSrc
		}
		c := rules.In(f, list...)
		if u.not {
			c = c.Negate()
		}
		m.add(c)
	}
	return true
}

// portSet asks for the ports of TCP and UDP, of which the whole header must be
// there.
func (p *ruleParser) portSet(m *instance, u *setUse, list []rules.Interval, src bool) {
	f := fieldDport
	if src {
		f = fieldSport
	}
	broken := rules.U64(uint64(packet.BrokenTCP | packet.BrokenUDP))
	has := rules.In(fieldProto, rules.Point(protoTCP), rules.Point(protoUDP))
	whole := rules.Masked(fieldHotdrop, rules.Value{}, broken)
	in := rules.In(f, list...)
	if !u.not {
		m.add(in)
		m.add(has)
		m.add(whole)
		return
	}
	m.addEither([]rules.Cond{has.Negate().OrAbsent()}, []rules.Cond{has, whole.Negate()}, []rules.Cond{has, whole, in.Negate().OrAbsent()})
}

// findChanges reads the file ahead, and notes the names of the sets that its
// rules change: until then it is not known which sets are static.
func (f *fileReader) findChanges(src io.Reader) (io.Reader, error) {
	data, err := io.ReadAll(io.LimitReader(src, int64(f.limits.MaxInput)+1)) // the reader of lines refuses the rest
	if err != nil {
		return nil, err
	}
	f.changes = map[string]bool{}
	var words []word
	for rest := data; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if !bytes.Contains(line, []byte("-set")) {
			continue
		}
		words, _, _ = splitWords(words[:0], string(line), 0)
		for i := range words[:max(len(words)-1, 0)] {
			if w := words[i].text; w == "--add-set" || w == "--del-set" {
				f.changed(words[i+1].text)
			} else if name, ok := strings.CutPrefix(w, "--add-set="); ok {
				f.changed(name)
			} else if name, ok := strings.CutPrefix(w, "--del-set="); ok {
				f.changed(name)
			}
		}
	}
	return bytes.NewReader(data), nil
}

// changed notes that rules change a set, and so the members of a list.
func (f *fileReader) changed(name string) {
	f.changes[name] = true
	if s := f.sets.Find(name); s != nil {
		for _, member := range slices.Clone(s.Members()) {
			f.changes[member] = true
		}
	}
}
