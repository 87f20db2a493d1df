package cisco

// The lines of a configuration: which ones are about access lists, and which ones
// are passed over. See doc.go for the rules.

import (
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// section is what the lines that follow a line belong to.
type section uint8

const (
	inOther   section = iota // lines that are about other things
	inList                   // entries of parser.list
	inGroup                  // members of parser.group
	inFree                   // lists of another kind, whose entries look alike
	inRefused                // entries of a list that is not modelled
	inBanner                 // text up to parser.banner
)

// parser reads the lines of a text.
type parser struct {
	text
	limits rules.Limits
	want   string // Options.List
	bytes  int64  // taken, as Limits.MaxMemory counts

	lists  []*accessList
	byName map[string]*accessList
	groups map[string]*group

	section section
	list    *accessList
	group   *group
	show    bool // the list is from `show ip access-lists`
	banner  string
	begin   *rules.ParseError // of the banner, for the case that it has no end

	faults faults // of neither a list nor a group
	kept   int    // errors
}

func newParser(r io.Reader, opts Options) *parser {
	return &parser{
		text: text{in: lines.NewReader(r, opts.File, opts.Limits)}, limits: opts.Limits.OrDefault(), want: opts.List,
		byName: map[string]*accessList{}, groups: map[string]*group{},
	}
}

// read reads all lines. An error ends the reading; others are kept.
func (p *parser) read() error {
	for {
		line, _, err := p.in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		p.line, p.pos, p.at = string(line), 0, 0
		a, err := p.one()
		switch {
		case err == nil:
		case a != nil:
			if !p.goOn(&a.faults, a.name, err) {
				return err
			}
		case p.section == inGroup && p.group != nil:
			if !p.goOn(&p.group.faults, "object-group "+p.group.name, err) {
				return err
			}
		case !p.goOn(&p.faults, "", err):
			return err
		}
	}
	if p.section == inBanner {
		p.goOn(&p.faults, "", p.begin)
	}
	return nil
}

// one reads a line. An error is in the list.
func (p *parser) one() (*accessList, error) {
	if p.section == inBanner {
		if strings.Contains(p.line, p.banner) {
			p.section = inOther
		}
		return nil, nil
	}
	word := p.key()
	indented := p.at > 0
	switch {
	case word == "" || word[0] == '!':
		return nil, nil
	case isList(word, p.peek()):
		if err := p.in.CheckUTF8([]byte(p.line)); err != nil && word != "access-list" {
			return nil, err
		}
		return p.global(word)
	case p.section == inList && (entryWord(word) || indented):
		if !entryWord(word) && (word == "exit" || word == "end") {
			p.section = inOther
			return nil, nil
		}
		if err := p.in.CheckUTF8([]byte(p.line)); err != nil {
			return p.list, err
		}
		return p.list, p.entryLine(p.list, word)
	case p.section == inGroup && (indented || memberWord(word)):
		if word == "exit" || word == "end" {
			p.section = inOther
			return nil, nil
		}
		if err := p.in.CheckUTF8([]byte(p.line)); err != nil {
			return nil, err
		}
		return nil, p.member(word)
	case p.section == inRefused && (indented || entryWord(word)):
		return nil, nil
	case indented && p.section == inFree:
		return nil, nil
	case word == "permit" || word == "deny" || digits(word) && (p.peek() == "permit" || p.peek() == "deny"):
		p.section = inOther
		return nil, p.fail("an entry of a list, but no access list begins before it")
	case indented:
		return nil, nil
	}
	return nil, p.other(word)
}

// isList reports whether a line that begins with the words is about access lists
// or object groups, wherever it stands and however short its words are written.
func isList(word, next string) bool {
	switch word {
	case "ip", "ipv6", "mac", "arp", "no", "default", "ethernet-services":
		return isPrefix(next, "access-list", "acce") || (word == "no" || word == "default") && (isPrefix(next, "object-group", "obj") || next == "ip" || next == "ipv6" || next == "mac")
	case "extended", "standard", "reflexive":
		return next == "ip" || next == "mac" || next == "ipv6"
	}
	return isPrefix(word, "access-list", "access-l") || isPrefix(word, "object-group", "object-g")
}

// isPrefix reports whether word is the beginning of whole, and at least least.
func isPrefix(word, whole, least string) bool {
	return strings.HasPrefix(whole, word) && strings.HasPrefix(word, least)
}

// freeSections are the commands whose sections have lines that look like entries of
// access lists, and are about routes and labels.
var freeSections = []string{
	"ip as-path", "ip community-list", "ip extcommunity-list", "ip prefix-list", "ipv6 prefix-list", "cts", "parser view", "policy-map",
}

// other begins a section that is about something else.
func (p *parser) other(word string) error {
	p.section = inOther
	if word == "banner" {
		return p.beginBanner()
	}
	line := strings.ToLower(strings.Join(strings.Fields(p.line[:min(len(p.line), 100)]), " ")) + " "
	for _, s := range freeSections {
		if strings.HasPrefix(line, s+" ") {
			p.section = inFree
		}
	}
	return nil
}

// beginBanner begins a banner: a kind, and text between two marks.
func (p *parser) beginBanner() error {
	next := p.key()
	switch next {
	case "motd", "login", "exec", "incoming", "slip-ppp", "prompt-timeout", "config-save":
		next = p.word()
	default: // without a kind
	}
	if next == "" {
		return nil
	}
	text := p.line[p.at:]
	p.banner = text[:1]
	if strings.HasPrefix(text, "^C") {
		p.banner = "^C"
	}
	if strings.Contains(text[len(p.banner):], p.banner) {
		return nil
	}
	p.section = inBanner
	p.begin = p.in.Error(p.at+1, rules.Excerpt(text), fmt.Sprintf("the banner does not end: no line has %q again", p.banner), nil)
	return nil
}

// global reads a line that is about access lists or object groups.
func (p *parser) global(word string) (*accessList, error) {
	p.section, p.show = inOther, false
	switch word {
	case "access-list":
		return p.numbered()
	case "ip":
		if p.key() == "access-list" {
			return p.named()
		}
	case "ipv6", "mac", "arp", "ethernet-services":
		next := p.key()
		if shown := next == "access" && p.peek() == "list"; shown || next == "access-list" {
			if shown {
				p.key()
			}
			name := p.word()
			if strings.EqualFold(name, "extended") || strings.EqualFold(name, "standard") {
				name = p.word()
			}
			return p.refusedList(name, "access lists of the kind "+word)
		}
	case "object-group":
		return nil, p.beginGroup()
	case "extended", "standard", "reflexive":
		return p.shown(word)
	case "no", "default":
		next := p.key()
		if next == "ip" || next == "ipv6" || next == "mac" {
			next = p.key()
		}
		if !isPrefix(next, "access-list", "acce") && !isPrefix(next, "object-group", "obj") || harmless[p.peek()] {
			return nil, nil
		}
		return nil, p.refuse("a command that takes away: this reads a configuration as it is, not a change to one")
	}
	return nil, p.fail("an abbreviated command: expected it in full, as `show running-config` prints it")
}

// harmless are the words behind "ip access-list" of commands that are not about what
// is in lists: how they are logged, stored and applied.
var harmless = map[string]bool{
	"logging": true, "log-update": true, "persistent": true, "helper": true, "match-local-traffic": true,
}

// refusedList notes a list that is not modelled. Its name is one of the file's.
func (p *parser) refusedList(name, what string) (*accessList, error) {
	err := p.refuse("%s", what)
	p.section = inRefused
	if name == "" {
		return nil, err
	}
	a, limit := p.addList(name, what, true)
	if limit != nil {
		return nil, limit
	}
	return a, err
}

// numberKinds are the ranges of numbers of access lists.
var numberKinds = []struct {
	lo, hi int
	kind   string
}{
	{1, 99, "standard"}, {100, 199, "extended"}, {200, 299, "by protocol type code"}, {300, 399, "of DECnet"}, {400, 499, "of XNS"},
	{500, 599, "of XNS"}, {600, 699, "of AppleTalk"}, {700, 799, "of MAC addresses"}, {800, 899, "of IPX"}, {900, 999, "of IPX"},
	{1000, 1099, "of IPX SAP"}, {1100, 1199, "of MAC addresses"}, {1200, 1299, "of IPX"}, {1300, 1999, "standard"}, {2000, 2699, "extended"},
	{2700, 2799, "of MPLS"},
}

func kindOf(n int) string {
	for _, k := range numberKinds {
		if n >= k.lo && n <= k.hi {
			return k.kind
		}
	}
	return ""
}

// numbered reads a line "access-list NUMBER ...".
func (p *parser) numbered() (*accessList, error) {
	name := p.word()
	switch strings.ToLower(name) {
	case "compiled", "dynamic-extended":
		return nil, p.end()
	case "rate-limit":
		return nil, p.refuse("access lists of the kind rate-limit")
	}
	n, ok := number(name, 9999)
	kind := kindOf(n)
	switch {
	case !ok || kind == "":
		return nil, p.fail("expected the number of an access list, 1 to 2799; lists with names begin with `ip access-list` (those of an ASA are another format)")
	case kind != "standard" && kind != "extended":
		return p.refusedList(name, "access lists "+kind)
	}
	a, err := p.addList(name, kind, false)
	if err == nil {
		err = p.in.CheckUTF8([]byte(p.line))
	}
	if err != nil {
		return a, err
	}
	return a, p.entryLine(a, p.key())
}

// named reads a line "ip access-list KIND NAME".
func (p *parser) named() (*accessList, error) {
	kind := p.key()
	switch {
	case kind == "standard" || kind == "extended":
	case harmless[kind]:
		return nil, nil
	case kind == "resequence":
		return nil, p.refuse("a command that numbers entries anew: this reads a configuration as it is, not a change to one")
	case kind == "role-based" || kind == "fqdn" || kind == "reflexive":
		return p.refusedList(p.word(), kind+" access lists")
	case kind == "hardware":
		return nil, p.refuse("what hardware does with packets that lists do not see in full")
	default:
		return nil, p.fail("expected standard or extended")
	}
	name := p.word()
	if name == "" {
		return nil, p.fail("expected the name of the list")
	}
	if n, ok := number(name, 9999); digits(name) && (!ok || kindOf(n) != kind) {
		return nil, p.fail("the number is not one of %s lists", kind)
	}
	a, err := p.addList(name, kind, false)
	if err != nil {
		return nil, err
	}
	p.section, p.list = inList, a
	return a, p.end()
}

// shown reads a line "Extended IP access list NAME", as `show ip access-lists`
// prints it.
func (p *parser) shown(kind string) (*accessList, error) {
	family := p.key()
	if p.key() != "access" || p.key() != "list" {
		return nil, p.fail(`expected "access list"`)
	}
	name := p.word()
	if name == "" {
		return nil, p.fail("expected the name of the list")
	}
	if family != "ip" || kind == "reflexive" {
		return p.refusedList(name, kind+" "+family+" access lists")
	}
	a, err := p.addList(name, kind, false)
	if err != nil {
		return nil, err
	}
	p.section, p.list, p.show = inList, a, true
	if w := p.word(); w != "" && !strings.EqualFold(w, "(compiled)") {
		return a, p.fail("text behind the name of the list")
	}
	return a, nil
}

// addList returns the list of a name, which is a new one or of the same kind.
func (p *parser) addList(name, kind string, refused bool) (*accessList, error) {
	key := name
	if refused {
		key = kind + " " + name // names of lists of other kinds are theirs
	}
	a := p.byName[key]
	if a != nil {
		if a.kind != kind {
			return nil, p.fail("list %s begins at line %d as one that is %s", rules.Excerpt(name), a.line, a.kind)
		}
		return a, nil
	}
	if len(p.lists) >= p.limits.MaxChains {
		return nil, p.limit("more than %d lists", p.limits.MaxChains)
	}
	a = &accessList{name: name, kind: kind, line: p.in.Number(), refused: refused}
	p.lists, p.byName[key] = append(p.lists, a), a
	return a, p.take(len(name) + 200)
}

// take counts memory.
func (p *parser) take(n int) error {
	if p.bytes += int64(n); p.bytes > p.limits.MaxMemory {
		return p.limit("the lists take more than %d bytes of memory", p.limits.MaxMemory)
	}
	return nil
}
