package iptables

// The registry: one entry for every match and target, with its options, the
// families, protocols, tables and hooks that it is for, and how its values
// are read. Parser, printer and error messages all come from it; an option
// takes part in a rule only through its entry here.

import (
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// module is a match ("-m NAME"), a target ("-j NAME") or, nameless, the
// options that every rule has.
type module struct {
	kind    string // "match", "target" or ""
	name    string
	aliases []string
	summary string
	family  int     // 4 or 6; 0: both
	protos  []uint8 // needs -p with one of these; nil: no matter
	// protosFamily keeps protos to rules of that family; 0: both.
	protosFamily int
	tables       []string
	hooks        hook // where it is valid; 0: everywhere
	needs        need
	class        Class
	options      []option // in the order in which they are printed
	// oneOf are options of which there must be exactly one, anyOf those of which
	// there must be at least one, of each list.
	oneOf, anyOf [][]string
	notes        []string // what finish asks beyond all this, in words

	// modelled is false for modules whose meaning is not known here; their
	// options are still listed, so that a file can be split into its parts.
	modelled bool
	// reads are the headers that a match reads, bits of the field "hotdrop":
	// the kernel drops packets that are cut inside them.
	reads uint32
	// decides is what a modelled target does with a packet.
	decides rules.Action
	// mayDrop says that a target which decides nothing drops some packets: those
	// that it cannot change, or that are not its own.
	mayDrop bool
	// supply is what the caller supplies for some values of the options only;
	// what all need is found out by asking.
	supply []string
	// without is what follows for a native match without it, where that is not
	// that conditions do not hold.
	without string
	// writes names the fields that a target, or asking a match, may change.
	writes []string
	// finish checks the options together and adds what the module asks for
	// beyond them; nil: nothing.
	finish func(p *ruleParser, m *instance) error
}

// need says how many of its options a module wants.
type need uint8

const (
	needNothing need = iota
	needAny          // at least one
	needOne          // exactly one
)

// option is one option of a module.
type option struct {
	name     string   // long name, as printed
	aliases  []string // other long names
	short    byte     // "-s"; 0: none
	words    int      // words of its value
	not      bool     // may be negated with "!"
	required bool
	// excludes and requires are other options of the module that must not, and
	// must, be given with it.
	excludes, requires []string
	repeat             bool // may be given more than once
	// The family, protocols (of -p) and hooks that it is for, beyond the module's.
	family int
	protos []uint8
	hooks  hook
	notes  []string // what parse, and the module's finish, ask beyond all this, in words

	help string // what it says, in a few words
	form Form   // what its value looks like
	// sample is a value that asks for all that values may; "": any will do.
	sample string
	// parse reads the value, adds conditions to the rule and writes the
	// canonical value; nil: not modelled.
	parse func(a *argument) error
}

// argument is an option with its value in a rule.
type argument struct {
	p    *ruleParser
	m    *instance // nil for options of the rule itself
	opt  *option
	not  bool
	vals []word
	at   word // the option itself
	// silent options are not printed.
	silent bool
	// printAs replaces the option's name in print.
	printAs string
}

// write appends the canonical value.
func (a *argument) write(s string) { a.p.scratch = append(a.p.scratch, s...) }

// writeQuoted appends the canonical value as a quoted word.
func (a *argument) writeQuoted(s string) { a.p.scratch = appendQuoted(a.p.scratch, s) }

// writeNumber appends a decimal number.
func (a *argument) writeNumber(n uint64) { a.p.scratch = appendNumber(a.p.scratch, n) }

// add appends a condition, negated when the option is.
func (a *argument) add(c rules.Cond) {
	if a.not {
		c = c.Negate()
	}
	a.addAsIs(c)
}

// addAsIs appends a condition whatever the option's negation.
func (a *argument) addAsIs(c rules.Cond) { a.m.add(c) }

// addEither appends a choice between lists of conditions, no two of which
// hold for the same packet. The option's negation is already in them.
func (a *argument) addEither(lists ...[]rules.Cond) { a.m.addEither(lists...) }

// instance is a module in use in a rule. A rule may use a module twice.
type instance struct {
	mod   *module
	at    word
	given []givenOption
	extra []byte // options whose meaning is not known, as printed
	items []item // what it asks, in order
	noted bool   // has been reported as not modelled

	// target makes what a target does besides its verdict; nil: nothing. It is
	// called once for each rule of the kernel.
	target func() rules.Target
	// decides replaces the module's.
	decides *rules.Action
	// Whatever the module's options have to tell one another.
	data any
	// own is set for modules that the caller registered.
	own *registered
}

// item is a condition, a choice between lists of conditions, or a test.
type item struct {
	cond   rules.Cond
	either [][]rules.Cond
	test   func() rules.Test // called once for each rule of the kernel
	// stateful says that asking the test changes what later packets see.
	stateful bool
	// drops says that the test may drop the packet, whatever the matches behind
	// it say.
	drops bool
	// reads are headers that the condition reads beyond those of the module,
	// and only if all in front of it hold: bits of the field "hotdrop".
	reads uint32
	// asks names the field that the test asks, where it asks one.
	asks string
	// writes is the field of the packet that asking the test may change.
	writes string
}

// add appends a condition.
func (m *instance) add(c rules.Cond) { m.items = append(m.items, item{cond: c}) }

// addEither appends a choice between lists of conditions, no two of which
// hold for the same packet.
func (m *instance) addEither(lists ...[]rules.Cond) { m.items = append(m.items, item{either: lists}) }

// addTest appends a test that depends on the packet alone, or on what the
// caller says of it.
func (m *instance) addTest(t rules.Test) {
	m.items = append(m.items, item{test: func() rules.Test { return t }})
}

// addSupplied appends a condition, negated when the option is, on a field that
// only the caller can know: without it the answer is unknown, for want of what
// needs says.
func (a *argument) addSupplied(c rules.Cond, needs string) {
	if a.not {
		c = c.Negate()
	}
	t := xt.SuppliedField(fieldIn(c.Field(), a.p.family()), c, needs)
	a.m.addTest(t)
	a.m.items[len(a.m.items)-1].asks = universe[c.Field()].Name
}

// addDropping appends a test that drops packets that it cannot read.
func (m *instance) addDropping(t rules.Test) {
	m.items = append(m.items, item{test: func() rules.Test { return t }, drops: true})
}

// addStateful appends a test with a memory. make is called once for each rule
// of the kernel that the line becomes: each has a memory of its own.
func (m *instance) addStateful(make func() rules.Test) {
	m.items = append(m.items, item{test: make, stateful: true})
}

// addWriting appends a test that may change a field of the packet when it is
// asked.
func (m *instance) addWriting(field string, t rules.Test) {
	m.items = append(m.items, item{test: func() rules.Test { return t }, stateful: true, writes: field})
}

type givenOption struct {
	opt      *option
	not      bool
	silent   bool
	printAs  string
	from, to int // of its value in ruleParser.scratch
	column   int // of the option in the line
}

func (m *instance) has(name string) bool { return m.option(name) != nil }

// option returns the option of that name as it is given, or nil.
func (m *instance) option(name string) *givenOption {
	for i := range m.given {
		if m.given[i].opt.name == name {
			return &m.given[i]
		}
	}
	return nil
}

// find returns the module's option of that long name, or nil.
func (m *module) find(name string) *option {
	for i := range m.options {
		o := &m.options[i]
		if o.name == name {
			return o
		}
		for _, a := range o.aliases {
			if a == name {
				return o
			}
		}
	}
	return nil
}

// title is what messages call the module.
func (m *module) title() string { return m.kind + " " + m.name }

// hook is a set of the places where the kernel looks at a table.
type hook uint8

const (
	hookPrerouting hook = 1 << iota
	hookInput
	hookForward
	hookOutput
	hookPostrouting
)

var hookNames = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// String lists the hooks' chains.
func (h hook) String() string {
	var names []string
	for i, n := range hookNames {
		if h>>i&1 != 0 {
			names = append(names, n)
		}
	}
	return joinNames(names)
}

// builtin are the tables and the hooks that they have.
var builtin = map[string]hook{
	"raw":      hookPrerouting | hookOutput,
	"mangle":   hookPrerouting | hookInput | hookForward | hookOutput | hookPostrouting,
	"nat":      hookPrerouting | hookInput | hookOutput | hookPostrouting,
	"filter":   hookInput | hookForward | hookOutput,
	"security": hookInput | hookForward | hookOutput,
}

var (
	matchByName  = map[string]*module{}
	targetByName = map[string]*module{}
	// protoMatch is the match that an option after -p stands for.
	protoMatch = map[uint8][2]*module{}
)

func init() {
	modules := notModelled()
	for _, list := range [][]module{portMatches, matches, packetMatches, connMatches, stateMatches, payloadMatches, environmentMatches,
		targets, verdictTargets, natTargets, mangleTargets, reportTargets} {
		modules = append(modules, list...)
	}
	for i := range modules {
		m := &modules[i]
		m.mend()
		if n := len(m.options); n > 64 {
			panic("iptables: too many options")
		}
		byName := matchByName
		if m.kind == "target" {
			byName = targetByName
		}
		for _, n := range append([]string{m.name}, m.aliases...) {
			if byName[n] != nil {
				panic("iptables: " + m.kind + " " + n + " twice in the registry")
			}
			byName[n] = m
		}
	}
	for proto, names := range map[uint8][2]string{
		protoTCP: {"tcp", "tcp"}, protoUDP: {"udp", "udp"}, protoUDPLite: {"udplite", "udplite"}, protoSCTP: {"sctp", "sctp"}, protoDCCP: {"dccp", "dccp"},
		protoICMP: {"icmp", ""}, protoICMPv6: {"", "icmp6"}, protoAH: {"ah", "ah"}, protoESP: {"esp", "esp"}, protoIPComp: {"ipcomp", "ipcomp"}, protoMH: {"", "mh"},
	} {
		protoMatch[proto] = [2]*module{matchByName[names[0]], matchByName[names[1]]}
	}
}

// implicit returns the match that knows the options of a protocol, or nil.
func implicit(proto uint8, family int) *module {
	pair := protoMatch[proto]
	if family == 6 {
		return pair[1]
	}
	return pair[0]
}

// IP protocol numbers that modules ask for.
const (
	protoICMP    = 1
	protoTCP     = 6
	protoUDP     = 17
	protoDCCP    = 33
	protoESP     = 50
	protoAH      = 51
	protoICMPv6  = 58
	protoIPComp  = 108
	protoSCTP    = 132
	protoMH      = 135
	protoUDPLite = 136
)

// protoList writes the protocols that m needs: "tcp, udp or sctp".
func protoList(protos []uint8) string {
	names := make([]string, len(protos))
	for i, p := range protos {
		names[i] = rules.ProtocolName(p)
	}
	return joinNames(names)
}

// joinNames writes "a, b or c".
func joinNames(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
