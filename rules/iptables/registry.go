package iptables

// The registry: one entry for every match and target, with its options, the
// families, protocols, tables and hooks that it is for, and how its values
// are read. Parser, printer and error messages all come from it; an option
// takes part in a rule only through its entry here.

import (
	"strings"

	"github.com/hipac-go/classifier/rules"
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
	tables  []string
	hooks   hook // where it is valid; 0: everywhere
	needs   need
	options []option // in the order in which they are printed

	// modelled is false for modules whose meaning is not known here; their
	// options are still listed, so that a file can be split into its parts.
	modelled bool
	// decides is what a modelled target does with a packet.
	decides rules.Action
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
func (a *argument) addAsIs(c rules.Cond) {
	a.p.conds = append(a.p.conds, c)
	if a.m != nil {
		a.m.emitted = true
	}
}

// addEither appends a choice between lists of conditions, no two of which
// hold for the same packet. The option's negation is already in them.
func (a *argument) addEither(lists ...[]rules.Cond) {
	a.p.choices = append(a.p.choices, lists)
	a.m.emitted = true
}

// instance is a module in use in a rule. A rule may use a module twice.
type instance struct {
	mod     *module
	at      word
	given   []givenOption
	extra   []byte // options whose meaning is not known, as printed
	emitted bool   // has added conditions
	noted   bool   // has been reported as not modelled
}

type givenOption struct {
	opt      *option
	not      bool
	silent   bool
	printAs  string
	from, to int // of its value in ruleParser.scratch
}

func (m *instance) has(name string) bool {
	for i := range m.given {
		if m.given[i].opt.name == name {
			return true
		}
	}
	return false
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
	modules := append(append(append(append([]module{}, portMatches...), matches...), targets...), notModelled()...)
	for i := range modules {
		m := &modules[i]
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

// Indices of the fields of rules.Firewall.
var (
	fieldSrc      = rules.Firewall.MustIndex("src")
	fieldDst      = rules.Firewall.MustIndex("dst")
	fieldSport    = rules.Firewall.MustIndex("sport")
	fieldDport    = rules.Firewall.MustIndex("dport")
	fieldProto    = rules.Firewall.MustIndex("proto")
	fieldIif      = rules.Firewall.MustIndex("iif")
	fieldOif      = rules.Firewall.MustIndex("oif")
	fieldFrag     = rules.Firewall.MustIndex("frag")
	fieldTCPFlags = rules.Firewall.MustIndex("tcpflags")
	fieldICMPType = rules.Firewall.MustIndex("icmptype")
	fieldICMPCode = rules.Firewall.MustIndex("icmpcode")
	fieldCTState  = rules.Firewall.MustIndex("ctstate")
	fieldMark     = rules.Firewall.MustIndex("mark")
	fieldDSCP     = rules.Firewall.MustIndex("dscp")
	fieldECN      = rules.Firewall.MustIndex("ecn")
	fieldLength   = rules.Firewall.MustIndex("length")
	fieldTTL      = rules.Firewall.MustIndex("ttl")
	fieldSMAC     = rules.Firewall.MustIndex("smac")
	fieldPktType  = rules.Firewall.MustIndex("pkttype")
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

// lacking says what an unknown option would need, from the modules that have
// it: a protocol, a match, or nothing that is known.
func lacking(name string, family int) string {
	var protos []uint8
	var modules []string
	for _, m := range append(append([]module{}, portMatches...), matches...) {
		if m.family != 0 && m.family != family || m.find(name) == nil {
			continue
		}
		if m.name == "multiport" || m.protos == nil {
			modules = append(modules, "-m "+m.name)
		} else {
			protos = append(protos, m.protos...)
		}
	}
	for _, m := range targets {
		if m.find(name) != nil {
			modules = append(modules, "-j "+m.name)
		}
	}
	switch {
	case protos != nil:
		return "--" + name + " needs -p " + protoList(protos) + " before it"
	case modules != nil:
		return "--" + name + " needs " + joinNames(modules) + " before it"
	}
	return "unknown option"
}
