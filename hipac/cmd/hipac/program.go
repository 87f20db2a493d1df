package main

// A program: compiled rules of whatever kind - a flat list, or the chains of
// a table - behind one interface, with all that reports ask of them.

import (
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/saved"
)

// outcome is what became of a packet. It is small and comparable, so that
// packets can be counted by it.
type outcome struct {
	kind    outcomeKind
	verdict rules.Verdict // of a table
	stop    int8          // of a path of tables
	dropped dropReason    // by a rule of a table that cannot read the packet
	chain   int32         // of a table
	rule    int32         // position in the list or chain, -1 for none
}

type outcomeKind uint8

const (
	decided outcomeKind = iota // by the rule
	nothing                    // no rule matches, or the chain's policy decides
	unsure                     // the rule asks for something unknown
	foreign                    // the table does not see packets of this family
	known                      // the table nat does not see packets of known connections
	bad                        // the packet cannot be decoded
)

// program is compiled rules. All methods may be called concurrently, but for
// decide where inOrder says so.
type program interface {
	schema() *rules.Schema
	// decide classifies a packet: its key, and the rest of it, where targets
	// leave their effects.
	decide(k rules.Key, e *entry) outcome
	// inOrder says that packets must be decided one after the other, since
	// rules remember them.
	inOrder() bool
	// outside is the outcome for a packet whose addresses no key can hold.
	outside() outcome

	// appendID appends the line of --output id, without its end.
	appendID(dst []byte, o outcome) []byte
	// verdict names what becomes of the packet.
	verdict(o outcome) string
	// ref says which rule it was; chain is "" for lists, rule the number from 1
	// or "policy", "family" or "known", "" when there is none.
	ref(o outcome) (chain, rule string)
	// table names the table of the rule on a way through several; else "".
	table(o outcome) string
	// describe returns the rule's text and comment.
	describe(o outcome) (text, comment string)
	// unknown returns what is missing for the packet of an unsure outcome.
	unknown(o outcome, e *entry) string

	// asks says how many rules that a packet can come to have a condition on
	// each field.
	asks() []int

	// carry finds outcomes of an older version among this one's: those of rules
	// that are still there, and of policies and the like.
	carry(old program, from map[outcome]int) map[outcome]outcome

	// what is a line about the rules: "25 rules in 6 chains of table filter".
	what() string
	// stats is what the compiler says; false for the linear engine.
	stats() (hipac.Stats, bool)
	// costs is what each rule takes of the structure; nil for other engines.
	costs() []hipac.RuleCost
}

// engine says how packets are looked up.
type engine string

const (
	engineTree   engine = "tree"
	engineIndex  engine = "index"
	engineLinear engine = "linear"
)

func (e engine) options() *hipac.Options {
	if e == engineIndex {
		return &hipac.Options{Engine: hipac.Index, FirstMatchOnly: true}
	}
	return &hipac.Options{FirstMatchOnly: true}
}

// compiled is a program and how it was made.
type compiled struct {
	program
	engine  engine
	build   time.Duration
	reloads int // in front of this version
}

// textValue is the verdict of a native rule.
func textValue(value string) string { return value }

// compile compiles the rules that file holds as the flags ask.
func (a *app) compile(file *files.Rules, e engine, way *wayFlags, seed uint64) (*compiled, error) {
	path, err := way.way(file)
	if err != nil {
		return nil, err
	}
	c, err := a.compileAs(file, e, path, seed)
	if err != nil {
		return nil, err
	}
	if p, ok := c.program.(*tableProgram); ok {
		p.hook = string(way.Hook)
	}
	return c, nil
}

func (a *app) compileAs(file *files.Rules, e engine, path rules.Path, seed uint64) (c *compiled, err error) {
	c = &compiled{engine: e}
	start := a.now()
	switch {
	case path != nil:
		c.program, err = newTableProgram(a.ctx, file, path, e, seed, start)
	case file.Native != nil:
		c.program, err = listProgramOf(a.ctx, file, file.Native, saved.String[string]{}, e, textValue)
	default:
		c.program, err = listProgramOf(a.ctx, file, file.ClassBench, classbench.Codec{}, e, nil)
	}
	c.build = a.now().Sub(start)
	if err != nil {
		if a.ctx.Err() != nil {
			return nil, errInterrupted
		}
		return nil, files.Error(file.Name, err)
	}
	return c, nil
}
