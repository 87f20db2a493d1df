package iptables

// The commands of a rule file beyond -A: rules are inserted, replaced and
// deleted, chains made, emptied, renamed and deleted, as iptables-restore does
// it when it meets the same lines. They change a chain's rules through an
// order of line numbers (commandorder.go); the rules are put in it at COMMIT.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// command is what a line of a rule file does.
type command struct {
	letter byte
	name   string
	usage  string
	run    func(f *fileReader, c *call) error // nil: known, and refused
}

// call is a command in a line: its word, and the words behind it, of which the
// command takes its own off.
type call struct {
	*command
	at    word
	glued word // "c" of -Ac and --append=c
	has   bool // there is one
}

// commands are those of iptables-restore.
var commands []command

func init() {
	commands = []command{
		{'A', "append", "-A CHAIN rule", (*fileReader).appendRule},
		{'I', "insert", "-I CHAIN [NUMBER] rule", (*fileReader).insertRule},
		{'D', "delete", "-D CHAIN NUMBER or -D CHAIN rule", (*fileReader).deleteRule},
		{'R', "replace", "-R CHAIN NUMBER rule", (*fileReader).replaceRule},
		{'C', "check", "-C CHAIN rule", (*fileReader).checkRule},
		{'N', "new-chain", "-N CHAIN", (*fileReader).newChain},
		{'X', "delete-chain", "-X [CHAIN]", (*fileReader).deleteChains},
		{'E', "rename-chain", "-E OLD NEW", (*fileReader).renameChain},
		{'F', "flush", "-F [CHAIN]", (*fileReader).flush},
		{'Z', "zero", "-Z [CHAIN [NUMBER]]", (*fileReader).zero},
		{'P', "policy", "-P CHAIN POLICY", (*fileReader).policy},
		{'L', "list", "", nil},
		{'S', "list-rules", "", nil},
	}
}

const expectedCommand = "expected a command: -A, -I, -D, -R or -C CHAIN with a rule, -P CHAIN POLICY, -N, -X, -E, -F or -Z, :CHAIN or COMMIT"

// findCommand returns the command that a word is. Long names may
// be cut short where no other option begins like that.
func findCommand(w word, cut bool) (found call, ok bool) {
	if w.quoted || len(w.text) < 2 || w.text[0] != '-' {
		return found, false
	}
	if w.text[1] != '-' {
		for i := range commands {
			if c := &commands[i]; c.letter == w.text[1] {
				return call{c, w, word{text: w.text[2:], column: w.column + 2}, len(w.text) > 2}, true
			}
		}
		return found, false
	}
	name, value, has := strings.Cut(w.text[2:], "=")
	for i := range commands {
		c := &commands[i]
		switch {
		case c.name == name:
			return call{c, w, word{text: value, column: w.column + len(w.text) - len(value)}, has}, true
		case cut && name != "" && strings.HasPrefix(c.name, name):
			if found.command != nil {
				return call{}, false
			}
			found.command = c
		}
	}
	if found.command == nil {
		return found, false
	}
	for i := range ruleOptions {
		if strings.HasPrefix(ruleOptions[i].name, name) {
			return call{}, false
		}
	}
	return call{found.command, w, word{text: value, column: w.column + len(w.text) - len(value)}, has}, true
}

// takeCommand takes the command out of the words of the line. It is the first
// word as a rule; options may stand in front of it.
func (f *fileReader) takeCommand() (*call, error) {
	p := &f.rule
	first := p.words[p.pos]
	c := &f.call
	var ok bool
	*c, ok = findCommand(first, true)
	for i := p.pos + 1; !ok && i < len(p.words); i++ {
		if *c, ok = findCommand(p.words[i], false); ok {
			copy(p.words[p.pos+1:i+1], p.words[p.pos:i])
		}
	}
	switch {
	case !ok:
		return nil, f.errorAt(first, expectedCommand)
	case c.run == nil:
		return nil, f.errorAt(c.at, "-%c prints rules, and has no place in a file of them", c.letter)
	}
	p.pos++
	// Options that stood in front are now behind the command, and its own words
	// behind them: bring those forward.
	if c.at.column > first.column {
		n := 0
		for p.pos+n < len(p.words) && p.words[p.pos+n].column < c.at.column {
			n++
		}
		own := 0
		for at := p.pos + n; at+own < len(p.words) && own < c.most() && !startsOption(p.words[at+own]); own++ {
			w := p.words[at+own]
			copy(p.words[p.pos+own+1:at+own+1], p.words[p.pos+own:at+own])
			p.words[p.pos+own] = w
		}
	}
	return c, nil
}

// unknownOption says what is wrong with an option that no module in use knows.
func (p *ruleParser) unknownOption(w word, name string) error {
	if c, ok := findCommand(w, false); ok {
		return p.f.errorAt(w, "a second command: a line has one; -%c must stand on a line of its own", c.letter)
	}
	switch w.text {
	case "-t", "--table":
		return p.f.errorAt(w, "-t cannot be used in a rule file: the table is that of *TABLE above")
	case "-w", "--wait", "-W", "--wait-interval", "-n", "--numeric", "-v", "--verbose", "-x", "--exact", "-M", "--modprobe", "--line-numbers":
		return p.f.errorAt(w, "an option of the program iptables, not of a rule")
	}
	if p.f.quiet() {
		return p.f.errorAt(w, "unknown option")
	}
	return p.f.errorAt(w, "%s", p.lacking(name))
}

// most is the number of words that the command itself may take.
func (c *call) most() int {
	n := strings.Count(strings.TrimSuffix(c.usage, " rule"), " ")
	if c.letter == 'D' {
		n = 2
	}
	if c.has {
		n--
	}
	return n
}

func startsOption(w word) bool {
	return !w.quoted && w.text != "" && (w.text[0] == '-' || w.text[0] == '!')
}

// argument takes the next word of the command; must says that there has to be one.
func (f *fileReader) argument(c *call, must bool) (w word, ok bool, err error) {
	p := &f.rule
	if c.has {
		c.has = false
		return c.glued, true, nil
	}
	if p.pos < len(p.words) && !startsOption(p.words[p.pos]) {
		p.pos++
		return p.words[p.pos-1], true, nil
	}
	if must {
		return w, false, f.errorAt(c.at, "expected %s", c.usage)
	}
	return w, false, nil
}

// noMore refuses words behind a command that takes no rule.
func (f *fileReader) noMore(c *call) error {
	if p := &f.rule; p.pos < len(p.words) {
		return f.errorAt(p.words[p.pos], "nothing may stand behind %s", c.usage)
	}
	return nil
}

// chain takes the chain of a command that works on one. at is -1, without an
// error, for one that there is not: that is noted and reported with the others
// at the end.
func (f *fileReader) chain(c *call) (at int, err error) {
	w, _, err := f.argument(c, true)
	if err != nil {
		return -1, err
	}
	if at = f.cur.byName[w.text] - 1; at < 0 {
		defer func() { f.in = w.text }()
		f.missing(w, "no chain of this name is declared", false)
		return -1, nil
	}
	f.hook, f.in = f.cur.chains[at].hook, f.cur.chains[at].name
	return at, nil
}

// number takes the number of a rule of chain t, from 1; more is how many
// numbers behind the last rule's are fine.
func (f *fileReader) number(c *call, t *chainReader, must bool, more int) (n int, ok bool, err error) {
	w, ok, err := f.argument(c, must)
	if !ok {
		return 0, false, err
	}
	x, err := parseNumber(w.text, 1<<31-1)
	switch {
	case err != nil || x == 0:
		return 0, false, f.errorAt(w, "-%c: not the number of a rule", c.letter)
	case f.doomed(): // rules may be missing
		return 1, true, nil
	case x > uint64(t.live()+more) && more > 0:
		return 0, false, f.errorAt(w, "-%c: chain %s has %d rules: the number is in 1..%d", c.letter, t.name, t.live(), t.live()+more)
	case x > uint64(t.live()+more):
		return 0, false, f.errorAt(w, "-%c: chain %s has %d rules", c.letter, t.name, t.live())
	}
	return int(x), true, nil
}

// doomed reports whether the file is refused already, so that rules are only
// looked at for further errors.
func (f *fileReader) doomed() bool {
	return len(f.found) > 0 && !f.allow || len(f.absent) > 0 || f.failures.n > 0
}

// readSpec reads the rule of a command. Where there is no such chain, it is
// only checked.
func (f *fileReader) readSpec(at int) error {
	p := &f.rule
	err := p.parse()
	if err == nil && at < 0 {
		_, _, err = p.action()
	}
	return err
}

func (f *fileReader) appendRule(c *call) error {
	at, err := f.chain(c)
	if err != nil {
		return err
	}
	p := &f.rule
	f.ruleAt(at, 0)
	if err := f.readSpec(at); err != nil || at < 0 {
		f.skip(at)
		return err
	}
	t := &f.cur.chains[at]
	from := len(t.lines)
	if err := p.emit(at); err != nil || t.order == nil {
		return err
	}
	for id := from; id < len(t.lines); id++ {
		t.order.insert(t.order.n, int32(id))
	}
	return nil
}

func (f *fileReader) insertRule(c *call) error {
	at, err := f.chain(c)
	if err != nil {
		return err
	}
	n := 1
	if at >= 0 {
		if x, ok, err := f.number(c, &f.cur.chains[at], false, 1); err != nil {
			return err
		} else if ok {
			n = x
		}
	} else if _, _, err := f.argument(c, false); err != nil {
		return err
	}
	p := &f.rule
	f.ruleAt(at, n)
	if err := f.readSpec(at); err != nil || at < 0 {
		f.skip(at)
		return err
	}
	t := &f.cur.chains[at]
	t.edit()
	from := len(t.lines)
	if err := p.emit(at); err != nil {
		return err
	}
	for id := from; id < len(t.lines); id++ { // each in front of the one before
		t.order.insert(n-1, int32(id))
	}
	return nil
}

func (f *fileReader) replaceRule(c *call) error {
	at, err := f.chain(c)
	if err != nil {
		return err
	}
	n := 1
	if at >= 0 {
		if n, _, err = f.number(c, &f.cur.chains[at], true, 0); err != nil {
			return err
		}
	} else if _, _, err := f.argument(c, true); err != nil {
		return err
	}
	p := &f.rule
	f.ruleAt(at, n)
	if err := f.readSpec(at); err != nil || at < 0 {
		return err
	}
	if len(p.src) > 1 || len(p.dst) > 1 {
		return f.errorAt(c.at, "-R: a list of addresses is more than one rule")
	}
	t := &f.cur.chains[at]
	t.edit()
	id := len(t.lines)
	if err := p.emit(at); err != nil || f.doomed() {
		t.skipped = max(0, t.skipped-1)
		return err
	}
	f.kill(t, n-1)
	t.order.insert(n-1, int32(id))
	return nil
}

func (f *fileReader) deleteRule(c *call) error {
	at, err := f.chain(c)
	if err != nil {
		return err
	}
	p := &f.rule
	if c.has || p.pos < len(p.words) && !startsOption(p.words[p.pos]) {
		if at < 0 {
			return nil
		}
		t := &f.cur.chains[at]
		n, _, err := f.number(c, t, true, 0)
		if err == nil {
			err = f.noMore(c)
		}
		if err != nil || f.doomed() {
			return err
		}
		t.edit()
		f.kill(t, n-1)
		return nil
	}
	return f.eachRule(c, at, func(t *chainReader, place int) {
		t.edit()
		f.kill(t, place)
	})
}

func (f *fileReader) checkRule(c *call) error {
	at, err := f.chain(c)
	if err != nil {
		return err
	}
	return f.eachRule(c, at, func(*chainReader, int) {})
}

// eachRule reads a rule and calls do with the place of the first rule of the
// chain that is printed the same, for each combination of its addresses.
func (f *fileReader) eachRule(c *call, at int, do func(t *chainReader, place int)) error {
	p := &f.rule
	if err := f.readSpec(at); err != nil || at < 0 {
		return err
	}
	_, target, err := p.action()
	if err != nil || f.doomed() {
		return err
	}
	t := &f.cur.chains[at]
	src, dst := orNone(p.src), orNone(p.dst)
	if n := len(src) * len(dst); n > f.limits.MaxElements {
		return f.limitError(fmt.Sprintf("the rule stands for more than %d rules", f.limits.MaxElements))
	}
	fixed := len(p.scratch)
	for i := range src {
		for j := range dst {
			p.scratch = p.appendRule(p.scratch[:fixed], &src[i], &dst[j], target)
			place := t.findText(string(p.scratch[fixed:]))
			if err := f.spend(t.live()); err != nil {
				return err
			}
			if place < 0 {
				return f.errorAt(c.at, "-%c: chain %s has no rule %s", c.letter, t.name, rules.Excerpt(string(p.scratch[fixed:])))
			}
			do(t, place)
		}
	}
	return nil
}

// maxEdits bounds how many rules the commands of a file may look at: editing
// is linear in the length of a chain.
const maxEdits = 1 << 30

func (f *fileReader) spend(n int) error {
	if f.looked += n; f.looked > maxEdits {
		return f.limitError(fmt.Sprintf("the commands of the file look at more than %d rules", maxEdits))
	}
	return nil
}
