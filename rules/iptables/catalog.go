package iptables

// The catalogue: what matches and targets there are, what options they have
// and what values those take, from the registry that the parser works with.

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Catalog is all that the rule language has. It is immutable.
type Catalog struct {
	Matches []*Extension `json:"matches"` // by name
	Targets []*Extension `json:"targets"` // by name
	Options []Param      `json:"options"` // those that every rule has, in the order of print
	Tables  []TableInfo  `json:"tables"`  // in the order in which a packet meets them
	Hooks   []HookInfo   `json:"hooks"`   // in the order in which a packet meets them
}

// Extension describes a match or a target.
type Extension struct {
	Kind     string   `json:"kind"` // "match" or "target"
	Name     string   `json:"name"`
	Aliases  []string `json:"aliases,omitempty"`
	Summary  string   `json:"summary,omitempty"`
	Families []int    `json:"families"` // 4, 6 or both
	// Supported says that rules with it are read, printed, checked and
	// evaluated. Of the others names and options are known.
	Supported bool  `json:"supported"`
	Class     Class `json:"class"`
	// Protocols are those of which the rule's -p must name one; none: no matter.
	Protocols []string `json:"protocols,omitempty"`
	// ProtocolsFamily is the family whose rules Protocols is about; 0: both.
	ProtocolsFamily int `json:"protocolsFamily,omitempty"`
	// Tables and Hooks are all the places where it may stand: hooks that one of
	// the tables has.
	Tables []string `json:"tables"`
	Hooks  []string `json:"hooks"`
	// Terminal targets end the packet's way through the chain.
	Terminal bool   `json:"terminal,omitempty"`
	Decides  string `json:"decides,omitempty"` // the verdict of a terminal target, or RETURN
	// MayDrop says that a target which is not terminal drops some packets.
	MayDrop bool `json:"mayDrop,omitempty"`
	// Headers are those that a match reads, by the names of packet.BrokenNames:
	// packets that are cut inside them are dropped.
	Headers []string `json:"readsHeaders,omitempty"`
	// Reads are the fields of packets that its conditions are about, Writes
	// those that a target may change.
	Reads  []string `json:"reads,omitempty"`
	Writes []string `json:"writes,omitempty"`
	// Supply is what the caller of an evaluation has to supply besides the
	// packet's bytes, Without what follows when it is not supplied.
	Supply  []string `json:"supply,omitempty"`
	Without string   `json:"without,omitempty"`
	// Needs is "at least one" or "exactly one" when so many of the options must
	// be given, beyond the mandatory ones.
	Needs string `json:"needs,omitempty"`
	// OneOf are lists of options of which exactly one must be given, AnyOf lists
	// of which at least one must.
	OneOf [][]string `json:"oneOf,omitempty"`
	AnyOf [][]string `json:"anyOf,omitempty"`
	// Notes are what else is asked of a rule with it, in words.
	Notes  []string `json:"notes,omitempty"`
	Params []Param  `json:"params,omitempty"` // in the order of print

	mod *module
}

// Param describes an option.
type Param struct {
	Name      string   `json:"name"` // without "--"
	Aliases   []string `json:"aliases,omitempty"`
	Short     string   `json:"short,omitempty"` // "s" for -s
	Help      string   `json:"help,omitempty"`
	Mandatory bool     `json:"mandatory,omitempty"`
	Negatable bool     `json:"negatable,omitempty"`
	// Repeatable says that it may be given more than once for one match.
	Repeatable bool `json:"repeatable,omitempty"`
	// Words is the number of words of its value; -1: one that may be left out.
	Words int  `json:"words"`
	Form  Form `json:"form"`
	// Bits is the width of its numbers, 8 to 64; 0 where there are none, or no
	// bound.
	Bits int `json:"bits,omitempty"`
	// Separator stands between the items of lists and sets, or the ends of
	// ranges.
	Separator string `json:"separator,omitempty"`
	// Open says that a range may have one end left out.
	Open bool `json:"open,omitempty"`
	// Prints are the symbols that are printed in another way than they are
	// written, mostly as numbers.
	Prints    []SymbolPrint `json:"prints,omitempty"`
	Supported bool          `json:"supported"`
	// Excludes and Requires are options that must not, and must, be given with
	// it.
	Excludes []string `json:"excludes,omitempty"`
	Requires []string `json:"requires,omitempty"`
	// Families, Protocols (of -p, one of them) and Hooks are those that it is for,
	// where they are fewer than those of the match or target.
	Families  []int    `json:"families,omitempty"`
	Protocols []string `json:"protocols,omitempty"`
	Hooks     []string `json:"hooks,omitempty"`
	// Notes are what else it asks of the rule, in words.
	Notes []string `json:"notes,omitempty"`
	// Reads are the fields that it asks of a packet.
	Reads []string `json:"reads,omitempty"`

	opt *option
}

// SymbolPrint is a symbol, and how it is printed.
type SymbolPrint struct {
	Name  string `json:"name"`
	Print string `json:"print"`
}

// TableInfo describes a table.
type TableInfo struct {
	Name   string   `json:"name"`
	Chains []string `json:"chains"` // built-in ones, in the order of the hooks
	Help   string   `json:"help"`
}

// HookInfo describes a place where the kernel looks at tables.
type HookInfo struct {
	Name   string   `json:"name"`
	Tables []string `json:"tables"` // in the order in which they are looked at
	Help   string   `json:"help"`
}

// Describe returns the catalogue. It is made once; the result is shared.
var Describe = sync.OnceValue(func() *Catalog {
	c := &Catalog{Tables: tableInfos, Hooks: hookInfos}
	for _, o := range ruleOptions {
		c.Options = append(c.Options, describeOption(nil, &o))
	}
	list := func(byName map[string]*module) (list []*Extension) {
		for name, m := range byName {
			if name == m.name {
				list = append(list, describeModule(m))
			}
		}
		sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
		return list
	}
	c.Matches, c.Targets = list(matchByName), list(targetByName)
	return c
})

var tableInfos = []TableInfo{
	{"raw", []string{"PREROUTING", "OUTPUT"}, "before connections are tracked: exemptions, tracing"},
	{"mangle", []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, "changes of packets and marks"},
	{"nat", []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, "address translation, asked for the first packet of a connection"},
	{"filter", []string{"INPUT", "FORWARD", "OUTPUT"}, "what is let through"},
	{"security", []string{"INPUT", "FORWARD", "OUTPUT"}, "security marks"},
}

var hookInfos = []HookInfo{
	{"PREROUTING", []string{"raw", "mangle", "nat"}, "packets that come in, before they are routed"},
	{"INPUT", []string{"mangle", "filter", "security", "nat"}, "packets for the machine itself"},
	{"FORWARD", []string{"mangle", "filter", "security"}, "packets that go through"},
	{"OUTPUT", []string{"raw", "mangle", "nat", "filter", "security"}, "packets of the machine itself"},
	{"POSTROUTING", []string{"mangle", "nat"}, "packets that go out, behind routing"},
}

// Find returns the match or target of a name or alias, or nil. The kind "" is
// either, matches first.
func (c *Catalog) Find(kind, name string) *Extension {
	for _, list := range c.lists(kind) {
		for _, e := range list {
			if e.Name == name || contains(e.Aliases, name) {
				return e
			}
		}
	}
	return nil
}

// Nearest returns up to three names of matches or targets that look like name,
// the nearest first.
func (c *Catalog) Nearest(kind, name string) []string {
	var names []string
	for _, list := range c.lists(kind) {
		for _, e := range list {
			names = append(append(names, e.Name), e.Aliases...)
		}
	}
	return nearest(name, names)
}

func (c *Catalog) lists(kind string) [][]*Extension {
	switch kind {
	case "match":
		return [][]*Extension{c.Matches}
	case "target":
		return [][]*Extension{c.Targets}
	case "":
		return [][]*Extension{c.Matches, c.Targets}
	}
	return nil
}

// Find returns the option of a name, alias or one-letter name, or nil; dashes
// in front do not matter.
func (e *Extension) Find(name string) *Param { return findParam(e.Params, name) }

func findParam(params []Param, name string) *Param {
	name = strings.TrimLeft(name, "-")
	for i := range params {
		if p := &params[i]; p.Name == name || contains(p.Aliases, name) || name != "" && p.Short == name {
			return p
		}
	}
	return nil
}

// Option returns the option of every rule that has the name, alias or
// one-letter name, or nil.
func (c *Catalog) Option(name string) *Param { return findParam(c.Options, name) }

func describeModule(m *module) *Extension {
	e := &Extension{Kind: m.kind, Name: m.name, Aliases: m.aliases, Summary: m.summary, Supported: m.modelled, Class: m.class,
		Writes: m.writes, mod: m}
	if !m.modelled && e.Summary == "" {
		e.Summary = "known by name and options only"
	}
	if e.Families = []int{4, 6}; m.family != 0 {
		e.Families = []int{m.family}
	}
	for _, p := range m.protos {
		e.Protocols = append(e.Protocols, rules.ProtocolName(p))
	}
	for _, t := range tableInfos {
		if m.tables == nil || contains(m.tables, t.Name) {
			e.Tables = append(e.Tables, t.Name)
		}
	}
	var of hook
	for _, t := range e.Tables {
		of |= builtin[t]
	}
	for i, n := range hookNames {
		if of>>i&1 != 0 && (m.hooks == 0 || m.hooks>>i&1 != 0) {
			e.Hooks = append(e.Hooks, n)
		}
	}
	if m.kind == "target" && m.modelled {
		e.MayDrop = m.mayDrop
		switch d := m.decides; d.Kind {
		case rules.Decide:
			e.Terminal, e.Decides = true, d.Verdict.String()
		case rules.Return:
			e.Terminal, e.Decides = true, "RETURN"
		}
	}
	switch m.needs {
	case needAny:
		e.Needs = "at least one"
	case needOne:
		e.Needs = "exactly one"
	}
	for i := range m.options {
		e.Params = append(e.Params, describeOption(m, &m.options[i]))
	}
	describeTogether(e, m)
	var headers uint32
	var remembers bool
	e.Reads, e.Supply, headers, remembers = probe(m)
	e.Supply = union(e.Supply, m.supply)
	for _, s := range packet.BrokenNames {
		if uint64(headers|m.reads)&s.Value != 0 {
			e.Headers = append(e.Headers, s.Name)
		}
	}
	for _, p := range e.Params {
		e.Reads = union(e.Reads, p.Reads)
	}
	for _, f := range e.Reads {
		if s := suppliedField(f); s != "" {
			e.Supply = union(e.Supply, []string{s})
		}
	}
	if remembers || m.class == Stateful && m.kind == "target" {
		e.Supply = union(e.Supply, []string{"a memory for what rules remember"})
	}
	if e.Supply != nil {
		e.Without = "unknown"
		if m.class == Native && m.kind == "match" {
			e.Without = cmp.Or(m.without, "conditions on it do not hold, negated or not")
		}
	}
	return e
}

// suppliedField says which part of what the caller supplies a field comes
// from, "" for those of the packet's bytes.
func suppliedField(name string) string {
	switch {
	case name == "iif":
		return "the interface that the packet came in by"
	case name == "oif":
		return "the interface that the packet leaves by"
	case name == "mark":
		return "the packet's mark"
	case strings.HasPrefix(name, "ct"):
		return "the packet's connection"
	case name == "srctype" || name == "dsttype":
		return "what the routing tables say of its addresses"
	}
	return ""
}

func describeOption(m *module, o *option) Param {
	p := Param{Name: o.name, Aliases: o.aliases, Help: o.help, Mandatory: o.required, Negatable: o.not, Words: o.words, Form: o.form,
		Supported: o.parse != nil, Repeatable: o.repeat, Excludes: o.excludes, Requires: o.requires, opt: o}
	if o.short != 0 {
		p.Short = string(o.short)
	}
	if m == nil {
		p.Repeatable = p.Repeatable || o.name == "match"
		p.Reads = ruleOptionReads[o.name]
	} else if o.parse != nil {
		p.Reads = probeOption(m, o)
	}
	describeForm(m, &p)
	return p
}

// describeForm adds what follows from the form of the values, and from what
// the parser makes of some.
func describeForm(m *module, p *Param) {
	f := &p.Form
	if f.Max > 0 {
		p.Bits = 8
		for p.Bits < bits.Len64(f.Max) {
			p.Bits *= 2
		}
	}
	switch {
	case f.Kind == "list" || f.Kind == "set":
		p.Separator = ","
	case strings.Contains(f.Syntax, "[-"):
		p.Separator = "-"
	case f.Kind == "range":
		p.Separator = ":"
	}
	if !p.Supported || p.Words != 1 || m == nil {
		return
	}
	family := trialFamily(m)
	read := func(text string) (string, bool) {
		s, err := newTrial(m, family).read(p.opt, []word{{text: text, column: 1}}, false)
		return s, err == nil
	}
	if f.Kind == "range" && p.Separator != "" {
		_, p.Open = read(strconv.FormatUint(f.Min, 10) + p.Separator)
	}
	for _, name := range f.Symbols {
		if s, ok := read(name); ok && s != name && s != "" {
			p.Prints = append(p.Prints, SymbolPrint{name, s})
		}
	}
}

// ruleOptionReads are the fields that the options of every rule ask for.
var ruleOptionReads = map[string][]string{"source": {"src"}, "destination": {"dst"}, "in-interface": {"iif"}, "out-interface": {"oif"},
	"protocol": {"proto"}, "fragment": {"frag"}}

func union(a, b []string) []string {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(slices.Clip(a), x)
		}
	}
	return a
}

// nearest returns up to three of the names that are like name: those that it
// begins, and those at a small edit distance.
func nearest(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	const longest = 64 // names are shorter; a longer text is like none of them
	if len(name) > longest {
		return nil
	}
	var found []near
	lower := strings.ToLower(name)
	for _, n := range names {
		d := editDistance(lower, strings.ToLower(n))
		if len(lower) > 1 && strings.HasPrefix(strings.ToLower(n), lower) {
			d = min(d, 1)
		}
		if d <= max(1, len(name)/3) && !slices.ContainsFunc(found, func(f near) bool { return f.name == n }) {
			found = append(found, near{n, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].distance < found[j].distance })
	var out []string
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.name)
	}
	return out
}

// editDistance is the number of insertions, deletions, replacements and swaps
// of neighbours that turn a into b (the optimal string alignment distance).
func editDistance(a, b string) int {
	before, last, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(last[j]+1, cur[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, last, cur = last, cur, before
	}
	return last[len(b)]
}

// didYouMean writes " (did you mean a or b?)", or nothing.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (did you mean " + joinNames(names) + "?)"
}
