package iptables

// The file: tables, chain declarations, rules and COMMIT.

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/route"
	"github.com/hipac-go/classifier/rules/xt"
)

// maxChainName is the length of the longest chain name in the kernel.
const maxChainName = 28

type fileReader struct {
	file   string
	limits rules.Limits
	allow  bool
	// told is true when the caller said which family the file is for.
	told bool
	// reversed takes reversed ranges for empty ones.
	reversed   bool
	users      func(string) (uint32, bool)
	groups     func(string) (uint32, bool)
	lines      *lines.Reader
	line       int
	rs         *Ruleset
	path       string // of the rule in a JSON document, with ": " behind it
	in         string // the chain that the line works on; "" outside of rules
	ruleNumber int    // that the line's rule has in it; 0: none
	failures   failures
	sets       *ipset.Sets
	changes    map[string]bool // sets that rules of the file change
	routes     *route.Table
	matches    map[string]func([]string) (rules.Test, error)
	targets    map[string]func([]string) (RegisteredTarget, error)
	typed      map[route.Type][]rules.Interval // addresses of types, by routes

	cur  *tableReader // between *TABLE and COMMIT
	hook hook         // of the current rule's chain when it is built-in
	rule ruleParser

	features map[string]int // index in found
	found    []rules.Feature
	foundAt  []int // line that each was counted on last
	strings  map[string]string
	text     *strings.Builder // chunk of rule text
	kept     int              // bytes of rule text so far
	bytes    int64            // of rules, for Limits.MaxMemory
	chunk    []rules.Cond     // of kept conditions
	demands  []*rules.Extension
	reports  map[xt.Report]*xt.Report
	done     []*tableReader // tables that have their COMMIT
	call     call           // of the line
	terse    bool           // errors of values say no more than the reason
	alone    bool           // a value is read without its rule: what other options say is not asked
	looked   int            // rules that commands have looked at
	absent   []absence      // chains that rules name and that there are not
	named    map[string]any // what rules share by a name: lists of recent, tables of hashlimit

	labelNames map[string]uint64 // of connection labels
}

// absence is a name that is neither a chain nor a target.
type absence struct {
	table, name string
	first       *rules.ParseError
	lines       int // that name it
}

type tableReader struct {
	name   string
	line   int // of its COMMIT
	chains []chainReader
	byName map[string]int // index in chains, plus 1
	rules  int            // in all chains
	// deleted says that some of the chains are deleted.
	deleted bool
	// broken are names of chains whose declaration is in error.
	broken map[string]bool
}

type chainReader struct {
	name           string
	hook           hook // of built-in chains
	declared       bool
	policy         rules.Verdict
	packets, bytes uint64
	rules          []rawRule
	lines          []ruleLine
	limited        []limitedRule
	calls          []int     // chains that its rules go to
	order          *sequence // of the lines, once commands have changed it
	deleted        bool
	skipped        int  // rules that are not kept, since the file is refused
	set            bool // the policy is given
}

// limitedRule is a rule that is not valid on every hook.
type limitedRule struct {
	hooks hook
	title string
	line  int
	at    word
	// from and to are its lines in the chain, from 0; once the table has its
	// COMMIT, from is the place of the first in the order of the rules.
	from, to int
}

// Read reads a whole file. Nothing is returned from a file with an error in
// it. Errors are *rules.ParseError with file, line, column, rule and the
// offending word, or an *rules.UnsupportedError that lists all that is not modelled.
// The file is read to its end, but for limits: several errors, of which the
// first ten are kept, are joined in the order of their lines, what is not
// modelled behind them. A table that stands twice is replaced by the second, as
// iptables-restore does it; where the first gives a chain the policy DROP and
// the second gives it none, the tools differ, and the file is refused. It takes
// time linear in the length of the file and the number of rules that its
// address lists make.
func Read(src io.Reader, o Options) (*Ruleset, error) {
	f := newFileReader(o)
	if len(o.Sets.All()) > 0 {
		var err error
		if src, err = f.findChanges(src); err != nil {
			return nil, err
		}
	}
	f.lines = lines.NewReader(src, o.File, f.limits)
	var err error
	if f.labelNames, err = parseLabelNames(o.ConnLabels); err != nil {
		return nil, &rules.ParseError{File: o.File, Reason: err.Error()}
	}
	switch o.Family {
	case 4, 6:
		err = f.readAll(f.next)
	case 0:
		err = f.readAll(f.detectFamily())
	default:
		return nil, fmt.Errorf("iptables: family %d is not 4, 6 or 0", o.Family)
	}
	return f.end(err)
}

func newFileReader(o Options) *fileReader {
	f := &fileReader{file: o.File, limits: o.Limits.OrDefault(), allow: o.AllowUnknown, told: o.Family != 0, reversed: o.ReversedRanges, users: o.Users, groups: o.Groups, rs: &Ruleset{Family: o.Family},
		features: map[string]int{}, strings: map[string]string{}, text: &strings.Builder{}, sets: o.Sets, routes: o.Routes, matches: o.Matches, targets: o.Targets}
	f.rule.f = f
	return f
}

// end returns the rules when all has been read, or all that is wrong: err, if
// any, which ended the reading, the errors before it, what is missing, and what
// is not modelled.
func (f *fileReader) end(err error) (*Ruleset, error) {
	err = f.allErrors(err)
	if len(f.found) > 0 && !f.allow {
		unsupported := &rules.UnsupportedError{Features: f.found}
		if err != nil {
			return nil, errors.Join(err, unsupported)
		}
		return nil, unsupported
	}
	if err != nil {
		return nil, err
	}
	if err := f.finish(); err != nil {
		return nil, err
	}
	f.rs.Unknown = f.found
	return f.rs, nil
}

// next returns the next line as a string.
func (f *fileReader) next() (string, int, error) {
	b, n, err := f.lines.Next()
	return string(b), n, err
}

func (f *fileReader) readAll(next func() (string, int, error)) error {
	for {
		line, n, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		f.line, f.in, f.ruleNumber = n, "", 0
		if err := f.readLine(line); err != nil && !f.goOn(err) {
			return err
		}
	}
	f.in = ""
	if f.cur != nil {
		return f.errorLine("table "+f.cur.name+" has no COMMIT; nothing is taken from an incomplete file", "")
	}
	return nil
}

func (f *fileReader) readLine(line string) error {
	text := strings.TrimRight(line, " \t\r")
	start := 0
	for start < len(text) && isBlank(text[start]) {
		start++
	}
	if start == len(text) || text[start] == '#' {
		return nil
	}
	switch c := text[start]; {
	case c == '*':
		f.failures.lost = false
		err := f.beginTable(text[start+1:])
		f.failures.lost = err != nil && f.cur == nil
		return err
	case f.cur == nil && f.failures.lost:
		return nil // it goes with an error that has been noted
	case f.cur == nil:
		f.failures.lost = true
		return f.errorLine("outside of a table: expected *TABLE", text[start:])
	case c == ':':
		return f.declareChain(text, start+1)
	case text[start:] == "COMMIT":
		return f.commit()
	}
	return f.readRule(text, start)
}

func (f *fileReader) beginTable(name string) error {
	if f.cur != nil {
		f.goOn(f.errorLine("table "+f.cur.name+" has no COMMIT", "*"+name))
		f.cur = nil
	}
	name = strings.TrimLeft(name, " \t")
	hooks, ok := builtin[name]
	if !ok {
		return f.errorLine("not a table: raw, mangle, nat, filter or security", name)
	}
	t := &tableReader{name: name, byName: map[string]int{}}
	for i, n := range hookNames {
		if hooks>>i&1 != 0 {
			t.chains = append(t.chains, chainReader{name: n, hook: 1 << i, policy: rules.Accept})
			t.byName[n] = len(t.chains)
		}
	}
	f.cur = t
	return nil
}

// declareChain reads ":NAME POLICY [packets:bytes]" from behind the colon.
func (f *fileReader) declareChain(line string, start int) error {
	p := &f.rule
	p.reset()
	words, _, err := splitWords(p.words, line, start)
	if p.words = words; err != nil {
		return f.errorLine(err.Error(), line)
	}
	if len(words) < 2 || len(words) > 3 {
		return f.errorLine("expected :CHAIN POLICY [packets:bytes]", line)
	}
	name, policy := words[0], words[1]
	var packets, bytes uint64
	if len(words) == 3 && words[2].text != "-" {
		if packets, bytes, err = parseCounterPair(words[2].text); err != nil {
			return f.errorAt(words[2], "%s", err.Error())
		}
	}
	t := f.cur
	at := t.byName[name.text] - 1
	if at < 0 {
		if err := f.checkChainName(name); err != nil {
			return err
		}
		if policy.text != "-" {
			t.broke(name.text)
			return f.errorAt(policy, "user chain %s cannot have a policy: expected -", name.text)
		}
		return f.addChain(name) // whose counters the kernel does not keep
	}
	c := &t.chains[at]
	if c.declared && c.hook == 0 {
		return f.errorAt(name, "chain is declared twice")
	}
	c.declared, c.packets, c.bytes = true, packets, bytes
	if policy.text == "-" {
		return nil // stays what it was
	}
	return c.setPolicy(f, policy)
}

func (c *chainReader) setPolicy(f *fileReader, policy word) error {
	verdict, _ := rules.ParseVerdict(policy.text)
	if verdict != rules.Accept && verdict != rules.Drop {
		return f.errorAt(policy, "built-in chain %s needs the policy ACCEPT or DROP", c.name)
	}
	c.policy, c.set = verdict, true
	return nil
}

// checkChainName refuses a name that a user chain cannot have.
func (f *fileReader) checkChainName(w word) error {
	err := f.chainNameError(w)
	if err != nil {
		f.cur.broke(w.text)
	}
	return err
}

func (f *fileReader) chainNameError(w word) error {
	switch name := w.text; {
	case name == "" || strings.ContainsAny(name, " \t\r\v\f\"") || name[0] == '-' || name[0] == '!':
		return f.errorAt(w, "not a chain name")
	case len(name) > maxChainName:
		return f.errorAt(w, "chain name is longer than %d bytes", maxChainName)
	case targetByName[name] != nil:
		return f.errorAt(w, "chain has the name of a target")
	}
	for _, n := range hookNames {
		if n == w.text {
			return f.errorAt(w, "table %s has no chain of this name", f.cur.name)
		}
	}
	return nil
}

// readRule reads "[packets:bytes] -A CHAIN ...".
func (f *fileReader) readRule(line string, start int) error {
	p := &f.rule
	p.reset()
	var packets, bytes uint64
	if line[start] == '[' { // no blank has to follow the counters
		counters := word{text: line[start:], column: start + 1}
		if n := strings.IndexAny(counters.text, "] \t"); n >= 0 && counters.text[n] == ']' {
			counters.text = counters.text[:n+1]
		}
		var err error
		if packets, bytes, err = parseCounterPair(counters.text); err != nil {
			words, _, _ := splitWords(p.words, line, start+len(counters.text))
			f.guess(words)
			return f.errorAt(counters, "%s", err.Error())
		}
		start += len(counters.text)
	}
	words, column, err := splitWords(p.words, line, start)
	if p.words = words; err != nil {
		f.guess(words)
		return f.errorAt(word{text: line[column-1:], column: column}, "%s", err.Error())
	}
	if len(words) == 0 {
		return f.errorLine("expected a command behind the counters", line)
	}
	if f.told && f.otherFamily(words) {
		return nil
	}
	p.packets, p.bytes = packets, bytes
	c, err := f.takeCommand()
	if err != nil {
		return err
	}
	return c.run(f, c)
}

// commit ends a table.
func (f *fileReader) commit() error {
	t := f.cur
	f.cur = nil
	t.line, f.in = f.line, ""
	if err := f.replace(t); err != nil {
		return err
	}
	f.done = append(f.done, t)
	if t.settle(); f.doomed() {
		return nil
	}
	if err := f.checkLoops(t); err != nil {
		return err
	}
	return f.checkHooks(t)
}

// finish makes rules.Tables of the tables that have been read.
func (f *fileReader) finish() error {
	used := make([]int, len(universe))
	for _, t := range f.done {
		for i := range t.chains {
			for j := range t.chains[i].rules {
				r := &t.chains[i].rules[j]
				for k := range r.conds {
					used[r.conds[k].Field()]++
				}
				if e := r.action.Ext; e != nil && len(e.Demands) > 0 {
					used[fieldHotdrop] = len(universe) * f.limits.MaxRules // the last one to go
				}
			}
		}
	}
	schema, place := choose(used, f.rs.Family)
	for _, t := range f.done {
		f.line = t.line
		table, err := f.table(t, schema, place)
		if err != nil {
			return err
		}
		f.rs.Tables, f.rs.read = append(f.rs.Tables, table), append(f.rs.read, table)
	}
	return nil
}

// table makes a table, whose conditions' fields have the given places in the
// schema.
func (f *fileReader) table(t *tableReader, schema *rules.Schema, place []int) (*rules.Table, error) {
	out := &rules.Table{Name: t.name, Family: f.rs.Family, Schema: schema, Chains: make([]rules.Chain, len(t.chains))}
	texts := make([][]ruleLine, len(t.chains))
	empty := rules.NewBuilder[rules.Action](schema).List()
	limits := f.limits
	limits.MaxMemory = 1 << 62 // counted while reading
	for i := range t.chains {
		c := &t.chains[i]
		out.Chains[i] = rules.Chain{Name: c.name, Policy: c.policy, Rules: empty, Packets: c.packets, Bytes: c.bytes}
		texts[i] = c.lines
		if len(c.rules) == 0 {
			continue
		}
		list := rules.NewBuilder[rules.Action](schema)
		list.SetLimits(limits)
		list.Own()
		list.Grow(len(c.rules))
		for j := range c.rules {
			r := &c.rules[j]
			f.placeFields(r, place)
			if _, err := list.Add(rules.Rule[rules.Action]{Conds: r.conds, Value: r.action, Comment: r.comment,
				Continue: r.action.Kind == rules.Pass, Unknown: r.unknown}); err != nil {
				return nil, f.errorLine(err.Error(), "")
			}
		}
		out.Chains[i].Rules = list.List()
		c.rules = nil
	}
	if err := out.Check(f.limits); err != nil {
		pe := &rules.ParseError{File: f.file, Line: f.line, Reason: err.Error()}
		if errors.Is(err, rules.ErrLimit) {
			pe.Err = rules.ErrLimit
		}
		return nil, pe
	}
	f.rs.lines = append(f.rs.lines, texts)
	return out, nil
}

// placeFields turns the conditions of a rule to the fields of the schema.
// Those on fields that it has no room for become tests; they have no effect,
// so that they may be asked before the others.
func (f *fileReader) placeFields(r *rawRule, place []int) {
	kept := r.conds[:0]
	var tests []rules.Step
	outside := func(c rules.Cond) bool { return place[c.Field()] < 0 }
	if !slices.ContainsFunc(r.conds, outside) {
		for i := range r.conds {
			r.conds[i] = r.conds[i].On(place[r.conds[i].Field()])
		}
		return
	}
	before := make([]int, 0, len(r.conds)) // tests in front of each condition
	for i := range r.conds {
		c := r.conds[i]
		before = append(before, len(tests))
		if to := place[c.Field()]; to >= 0 {
			kept = append(kept, c.On(to))
		} else {
			tests = append(tests, rules.Step{Test: fieldTest(c, f.rs.Family), Text: universe[c.Field()].Name})
		}
	}
	r.conds = kept
	e := &rules.Extension{Tests: tests}
	if old := r.action.Ext; old != nil {
		e.Tests = append(tests, old.Tests...)
		e.Target, e.Writes = old.Target, old.Writes
		for _, d := range old.Demands {
			moved := len(tests)
			if d.Tests == 0 && d.Conds < len(before) {
				moved = before[d.Conds]
			}
			e.Demands = append(e.Demands, rules.Demand{Bits: d.Bits, Conds: min(d.Conds-moved, len(kept)), Tests: d.Tests + moved})
		}
	}
	r.action.Ext = e
}

// checkLoops refuses chains that a built-in one leads to and that are reached
// from themselves, and names the way. As in the kernel, loops that no packet
// comes to are nobody's harm. It takes time linear in the rules that go to
// chains.
func (f *fileReader) checkLoops(t *tableReader) error {
	const (
		unseen = iota
		active
		done
	)
	state := make([]uint8, len(t.chains))
	type frame struct{ chain, call int }
	var path []frame
	for root := range t.chains {
		if state[root] != unseen || t.chains[root].hook == 0 {
			continue
		}
		state[root] = active
		path = append(path[:0], frame{root, 0})
		for len(path) > 0 {
			top := &path[len(path)-1]
			c := &t.chains[top.chain]
			if top.call == len(c.calls) {
				state[top.chain] = done
				path = path[:len(path)-1]
				continue
			}
			to := c.calls[top.call]
			switch top.call++; state[to] {
			case unseen:
				state[to] = active
				path = append(path, frame{to, 0})
			case active:
				var names []string
				for _, f := range path {
					if len(names) > 0 || f.chain == to {
						names = append(names, t.chains[f.chain].name)
					}
				}
				for j := range c.rules {
					if a := &c.rules[j].action; (a.Kind == rules.Jump || a.Kind == rules.Goto) && a.Chain == to {
						f.line, f.in, f.ruleNumber = c.lines[a.Number-1].line, c.name, a.Number
						return f.errorLine(fmt.Sprintf("the rule closes a loop in table %s: %s", t.name, loopPath(names)), "")
					}
				}
			}
		}
	}
	return nil
}

// loopPath writes the chains of a loop, shortened when there are many.
func loopPath(names []string) string {
	const shown = 10
	if n := len(names); n > shown {
		names = append(append(append([]string{}, names[:shown/2]...), fmt.Sprintf("(%d more)", n-shown)), names[n-shown/2:]...)
	}
	return strings.Join(names, " -> ") + " -> " + names[0]
}

// missing notes a name that is not a chain, or neither that nor a target. They
// are reported together when the file has been read.
func (f *fileReader) missing(at word, reason string, orTarget bool) {
	if f.cur.broken[at.text] {
		return
	}
	for i := range f.absent {
		if a := &f.absent[i]; a.name == at.text && a.table == f.cur.name {
			a.lines++
			return
		}
	}
	if len(f.absent) >= maxAbsent {
		return
	}
	var names []string
	for i := range f.cur.chains {
		if c := &f.cur.chains[i]; !c.deleted && (c.hook == 0 || !orTarget) {
			names = append(names, c.name)
		}
	}
	if orTarget {
		for name := range targetByName {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	f.absent = append(f.absent, absence{f.cur.name, at.text, &rules.ParseError{File: f.file, Line: f.line, Column: at.column, Where: f.where(), Token: at.text,
		Reason: f.path + reason + didYouMean(nearest(at.text, names))}, 1})
}

// maxAbsent is how many missing chains are reported.
const maxAbsent = 100

// checkHooks refuses rules that are reached from a hook where they are not
// valid, as the kernel does. The chains have no loops.
func (f *fileReader) checkHooks(t *tableReader) error {
	any := false
	for i := range t.chains {
		any = any || t.chains[i].limited != nil
	}
	if !any {
		return nil
	}
	reached := make([]hook, len(t.chains))
	var todo []int
	for i := range t.chains {
		if t.chains[i].hook != 0 {
			reached[i] = t.chains[i].hook
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, to := range t.chains[c].calls {
			if reached[to]|reached[c] != reached[to] {
				reached[to] |= reached[c]
				todo = append(todo, to)
			}
		}
	}
	for i := range t.chains {
		for _, r := range t.chains[i].limited {
			if bad := reached[i] &^ r.hooks; bad != 0 {
				f.line, f.in, f.ruleNumber = r.line, t.chains[i].name, r.from+1
				return f.errorAt(r.at, "%s cannot be used in chain %s, which is reached from %s", r.title, t.chains[i].name, bad)
			}
		}
	}
	return nil
}

// parseCounterPair reads "[packets:bytes]".
func parseCounterPair(s string) (packets, bytes uint64, err error) {
	inner, ok1 := strings.CutPrefix(s, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	p, b, ok3 := strings.Cut(inner, ":")
	if ok1 && ok2 && ok3 {
		if packets, err = parseDecimal(p); err == nil {
			if bytes, err = parseDecimal(b); err == nil {
				return packets, bytes, nil
			}
		}
	}
	return 0, 0, errors.New("expected counters as [packets:bytes]")
}

func parseDecimal(s string) (uint64, error) {
	var n uint64
	for i := 0; i < len(s); i++ {
		d := uint64(s[i] - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, errors.New("not a 64-bit decimal number")
		}
		n = n*10 + d
	}
	if s == "" {
		return 0, errors.New("empty number")
	}
	return n, nil
}

// unsupported counts a line's use of a feature that is not modelled. Without a
// reason it says so.
func (f *fileReader) unsupported(name, reason string, at word) {
	i, ok := f.features[name]
	if !ok {
		i = len(f.found)
		f.features[name] = i
		switch {
		case reason != "":
		case i < maxAbsent:
			reason = notModelledReason(name)
		default:
			reason = name + " is not modelled"
		}
		f.foundAt = append(f.foundAt, 0)
		f.found = append(f.found, rules.Feature{Name: name, First: &rules.ParseError{File: f.file, Line: f.line, Column: at.column, Where: f.where(),
			Reason: f.path + reason, Err: rules.ErrUnsupported}})
	}
	if f.foundAt[i] != f.line {
		f.foundAt[i] = f.line
		f.found[i].Uses++
	}
}

// intern returns one copy of equal strings.
func (f *fileReader) intern(s string) string {
	if t, ok := f.strings[s]; ok {
		return t
	}
	f.strings[s] = s
	return s
}

func (f *fileReader) internBytes(b []byte) string {
	if t, ok := f.strings[string(b)]; ok {
		return t
	}
	return f.intern(string(b))
}

// keepChunk is how many bytes of rule text share one allocation.
const keepChunk = 64 << 10

// keep returns b as a string that lives with the Ruleset.
func (f *fileReader) keep(b []byte) string {
	if f.text.Cap()-f.text.Len() < len(b) {
		f.text = &strings.Builder{}
		f.text.Grow(max(min(keepChunk, 1024+f.kept), len(b)))
	}
	from := f.text.Len()
	f.text.Write(b)
	f.kept += len(b)
	return f.text.String()[from:]
}

func (f *fileReader) errorAt(w word, format string, args ...any) error {
	return &rules.ParseError{File: f.file, Line: f.line, Column: w.column, Where: f.where(), Token: w.text, Reason: f.path + fmt.Sprintf(format, args...)}
}

func (f *fileReader) errorLine(reason, token string) error {
	return &rules.ParseError{File: f.file, Line: f.line, Where: f.where(), Token: token, Reason: f.path + reason}
}

func (f *fileReader) limitError(reason string) error {
	return &rules.ParseError{File: f.file, Line: f.line, Where: f.where(), Reason: f.path + reason, Err: rules.ErrLimit}
}
