package main

// The command describe: what the language of iptables rules has - matches,
// targets, their options and the values that those take, tables and hooks -
// from the registry that rules are read with.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

type describeCmd struct {
	What   []string `arg:"" optional:"" name:"what" help:"match, target, option, table or hook; then a NAME; then a PARAM of it."`
	Output string   `enum:"text,json,schema" default:"text" help:"text, json, or schema: the JSON Schema of rule sets in JSON." placeholder:"FORM"`
	Schema bool     `help:"The same as --output schema."`
	Value  *string  `placeholder:"TEXT" help:"Check a value of the PARAM, and print it as it is printed in rules."`
	Not    bool     `help:"With --value: as with ! in front of the PARAM."`
	Family int      `enum:"4,6" default:"4" placeholder:"4|6" help:"With --value: whether in a rule of iptables or of ip6tables."`
}

// Help is what "hipac describe --help" adds.
func (describeCmd) Help() string {
	return `Examples:
  hipac describe match                        every match, one a line
  hipac describe target                       every target
  hipac describe match tcp                    what tcp looks at, and its options
  hipac describe match tcp dport              what values --dport takes
  hipac describe match tcp dport --value 80:http   checks a value
  hipac describe option                       the options that every rule has
  hipac describe hook                         hooks, and the tables of each
  hipac describe --output json match limit    the same for programs`
}

// Run prints what was asked for.
func (d *describeCmd) Run(a *app) error {
	if d.Schema || d.Output == "schema" {
		if len(d.What) > 0 {
			return files.UsageError{Reason: "the schema is that of all rules: it takes no name"}
		}
		_, err := a.stdout.Write(iptables.Schema())
		return err
	}
	if d.Value != nil {
		return d.check(a)
	}
	text, value, err := describeWords(iptables.Describe(), d.What)
	if err != nil {
		return err
	}
	if d.Output == "json" {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(value); err != nil {
			return err
		}
		text = b.String()
	}
	_, err = a.stdout.Write([]byte(text))
	return err
}

// check checks a value.
func (d *describeCmd) check(a *app) error {
	_, found, err := describeWords(iptables.Describe(), d.What)
	if err != nil {
		return err
	}
	p, ok := found.(*iptables.Param)
	if !ok {
		return files.UsageError{Reason: "--value needs a PARAM: hipac describe match tcp dport --value 80"}
	}
	kind, name := "", ""
	if n := len(d.What); d.What[0] != "option" {
		name = d.What[n-2]
		kind = iptables.Describe().Find(strings.Join(d.What[:n-2], ""), name).Kind
	}
	text, err := iptables.Check(kind, name, p.Name, *d.Value, d.Not, d.Family)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// describeKinds are what the first word may be.
var describeKinds = []string{"match", "target", "option", "table", "hook"}

// describeWords returns what the words ask for, as text and as a value to be
// written as JSON.
func describeWords(c *iptables.Catalog, words []string) (string, any, error) {
	if len(words) == 0 {
		return describeOverview(c), c, nil
	}
	kind, rest := words[0], words[1:]
	if !slices.Contains(describeKinds, kind) {
		if c.Find("", kind) == nil {
			if kinds := kindsOf(c, rest); kinds != nil {
				return "", nil, unknownWord("match or target", kind, kinds)
			}
			return "", nil, unknownWord("match or target", kind, append(c.Nearest("", kind), near(kind, describeKinds)...))
		}
		kind, rest = "", words
	}
	if len(rest) > 2 || len(rest) > 1 && kind != "" && kind != "match" && kind != "target" {
		return "", nil, files.UsageError{Reason: fmt.Sprintf("%q is one word too many", rest[len(rest)-1])}
	}
	switch kind {
	case "option":
		return describeOptions(c, rest)
	case "table", "hook":
		return describePlaces(c, kind, rest)
	}
	if len(rest) == 0 {
		list := c.Matches
		if kind == "target" {
			list = c.Targets
		}
		return describeList(list), list, nil
	}
	e := c.Find(kind, rest[0])
	if e == nil {
		return "", nil, unknownWord(kind, rest[0], c.Nearest(kind, rest[0]))
	}
	if len(rest) == 1 {
		return describeExtension(e), e, nil
	}
	p := e.Find(rest[1])
	if p == nil {
		var names []string
		for _, p := range e.Params {
			names = append(names, p.Name)
		}
		err := unknownWord("option of "+e.Kind+" "+e.Name, rest[1], near(strings.TrimLeft(rest[1], "-"), names))
		return "", nil, err
	}
	return describeParam(e.Kind+" "+e.Name+" ", p), p, nil
}

// kindsOf returns the kinds of which there is one with the first name.
func kindsOf(c *iptables.Catalog, names []string) (kinds []string) {
	for _, kind := range describeKinds[:2] {
		if len(names) > 0 && c.Find(kind, names[0]) != nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// withoutDashes takes the dashes from words of a describe command that name an
// option of rules, such as -s and --dport, where they are not its own.
func withoutDashes(args []string) []string {
	if len(args) == 0 || args[0] != "describe" {
		return args
	}
	c := iptables.Describe()
	known := func(name string) bool {
		for _, list := range [][]*iptables.Extension{c.Matches, c.Targets} {
			for _, e := range list {
				if e.Find(name) != nil {
					return true
				}
			}
		}
		return c.Option(name) != nil
	}
	own := []string{"--output", "--schema", "--value", "--not", "--family", "--help", "-h"}
	out := slices.Clone(args)
	for i := 1; i < len(out) && out[i] != "--"; i++ {
		switch name := out[i]; {
		case name == "--value" || name == "--output" || name == "--family":
			i++
		case strings.HasPrefix(name, "-") && !slices.Contains(own, name) && known(name):
			out[i] = strings.TrimLeft(name, "-")
		}
	}
	return out
}

// near returns the names that begin like word.
func near(word string, names []string) (out []string) {
	for _, n := range names {
		if word != "" && n[0] == word[0] {
			out = append(out, n)
		}
	}
	return out
}

func unknownWord(what, word string, nearest []string) error {
	reason := fmt.Sprintf("there is no %s %q", what, word)
	if len(nearest) > 0 {
		reason += ": did you mean " + strings.Join(nearest, " or ") + "?"
	}
	return files.UsageError{Reason: reason}
}

func describeOverview(c *iptables.Catalog) string {
	count := func(list []*iptables.Extension) string {
		supported := 0
		for _, e := range list {
			if e.Supported {
				supported++
			}
		}
		if supported == len(list) {
			return strconv.Itoa(len(list))
		}
		return fmt.Sprintf("%d of %d that are known", supported, len(list))
	}
	return fmt.Sprintf(`The language of iptables rules, as this program reads it:

  matches   %-24s hipac describe match [NAME [PARAM]]
  targets   %-24s hipac describe target [NAME [PARAM]]
  options   %-24s hipac describe option [NAME]
  tables    %-24s hipac describe table [NAME]
  hooks     %-24s hipac describe hook [NAME]
`, count(c.Matches), count(c.Targets), strconv.Itoa(len(c.Options)), strconv.Itoa(len(c.Tables)), strconv.Itoa(len(c.Hooks)))
}

// describeList writes a line for each match or target.
func describeList(list []*iptables.Extension) string {
	wide := 0
	for _, e := range list {
		wide = max(wide, len(e.Name))
	}
	var b strings.Builder
	for _, e := range list {
		class := e.Class.String()
		if !e.Supported {
			class = "not modelled"
		}
		line := pad(e.Name, wide) + "  " + pad(class, 12) + "  " + pad(families(e.Families), 9) + "  " + e.Summary
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func families(list []int) string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = "IPv" + strconv.Itoa(f)
	}
	return strings.Join(names, " ")
}

// page is text in two columns: names, and what they stand for.
type page struct{ strings.Builder }

const (
	pageName  = 12
	pageWidth = 100
)

// row writes "  name  text", the text in as many lines as it takes. Without
// text it writes nothing.
func (p *page) row(name, text string) {
	if text == "" {
		return
	}
	indent := strings.Repeat(" ", pageName+2)
	line := "  " + pad(name, pageName)
	for _, w := range strings.Fields(text) {
		if width(line)+width(w) >= pageWidth && strings.TrimSpace(line) != "" {
			p.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += w + " "
	}
	p.WriteString(strings.TrimRight(line, " ") + "\n")
}

func describeExtension(e *iptables.Extension) string {
	var p page
	p.WriteString(e.Kind + " " + e.Name)
	if e.Summary != "" {
		p.WriteString(": " + e.Summary)
	}
	p.WriteString("\n\n")
	if !e.Supported {
		p.row("note", "not modelled: rules with it are refused, or kept as unknown ones when that is asked for")
	}
	p.row("also", strings.Join(e.Aliases, " "))
	p.row("families", families(e.Families))
	if e.Supported {
		p.row("class", e.Class.String()+": "+classHelp[e.Class])
	}
	protocols := strings.Join(e.Protocols, " ")
	if e.ProtocolsFamily != 0 {
		protocols += fmt.Sprintf(" (in rules of IPv%d)", e.ProtocolsFamily)
	}
	p.row("protocols", protocols)
	p.row("tables", strings.Join(e.Tables, " "))
	p.row("hooks", strings.Join(e.Hooks, " "))
	switch {
	case e.Kind != "target" || !e.Supported:
	case e.Decides == "RETURN":
		p.row("then", "the packet goes back to the calling chain, or to the policy")
	case e.Terminal:
		p.row("then", "the packet's verdict is "+e.Decides)
	case e.MayDrop:
		p.row("then", "the packet goes on to the next rule, unless the target drops it")
	default:
		p.row("then", "the packet goes on to the next rule")
	}
	p.row("reads", strings.Join(iptables.Titles(e.Reads), ", "))
	p.row("writes", strings.Join(iptables.Titles(e.Writes), ", "))
	if e.Headers != nil {
		p.row("headers", strings.Join(iptables.Titles(e.Headers), ", ")+": packets that are cut inside are dropped")
	}
	if e.Supply != nil {
		p.row("supply", strings.Join(e.Supply, "; ")+"; without it: "+e.Without)
	}
	if e.Needs != "" {
		p.row("needs", e.Needs+" of its options")
	}
	for _, names := range e.OneOf {
		p.row("needs", "exactly one of "+strings.Join(dashed(names), " "))
	}
	for _, names := range e.AnyOf {
		p.row("needs", "at least one of "+strings.Join(dashed(names), " "))
	}
	for _, n := range e.Notes {
		p.row("note", n)
	}
	if len(e.Params) > 0 {
		p.WriteString("\noptions\n")
		for i := range e.Params {
			optionRow(&p, &e.Params[i])
		}
	}
	return p.String()
}

var classHelp = map[iptables.Class]string{
	iptables.Native:      "compiled with the rest of the rule",
	iptables.Stateful:    "asks for more than the packet: earlier ones, its connection or the time; asked when the rest of the rule holds",
	iptables.Payload:     "reads the packet's bytes; asked when the rest of the rule holds",
	iptables.Environment: "asks what the system knows of the packet; the answer is unknown when nobody says it",
}

// usage writes an option as it stands in a rule: "[!] --dport PORT[:PORT]".
func usage(p *iptables.Param) string {
	s := "--" + p.Name
	if p.Short != "" {
		s = "-" + p.Short + ", " + s
	}
	if p.Negatable {
		s = "[!] " + s
	}
	if v := valueSyntax(p); v != "" {
		s += " " + v
	}
	return s
}

func valueSyntax(p *iptables.Param) string {
	switch {
	case p.Words == 0:
		return ""
	case p.Form.Syntax == "" && p.Words == 1 && len(p.Form.Symbols) > 0 && len(p.Form.Symbols) <= 6:
		return strings.Join(p.Form.Symbols, "|")
	case p.Form.Syntax == "" && p.Words < 0:
		return "[VALUE]"
	case p.Form.Syntax == "":
		return strings.TrimRight(strings.Repeat("VALUE ", p.Words), " ")
	}
	return p.Form.Syntax
}

func optionRow(p *page, o *iptables.Param) {
	line := "  " + usage(o)
	if o.Mandatory {
		line += "  (mandatory)"
	}
	if !o.Supported {
		line += "  (not modelled)"
	}
	p.WriteString(line + "\n")
	p.row("", o.Help)
	p.row("", strings.Join(o.Restrictions(), "; "))
}

func describeParam(of string, o *iptables.Param) string {
	var p page
	p.WriteString(of + "--" + o.Name)
	if o.Help != "" {
		p.WriteString(": " + o.Help)
	}
	p.WriteString("\n\n")
	p.row("usage", usage(o))
	p.row("also", strings.Join(dashed(o.Aliases), " "))
	if !o.Supported {
		p.row("note", "not modelled: rules with it are refused, or kept as unknown ones when that is asked for")
	}
	p.row("mandatory", yesNo(o.Mandatory))
	p.row("negatable", yesNo(o.Negatable))
	p.row("repeatable", yesNo(o.Repeatable))
	if len(o.Families) > 0 {
		p.row("families", families(o.Families))
	}
	p.row("protocols", strings.Join(o.Protocols, " "))
	p.row("hooks", strings.Join(o.Hooks, " "))
	p.row("excludes", strings.Join(dashed(o.Excludes), " "))
	p.row("requires", strings.Join(dashed(o.Requires), " "))
	if o.Words == 0 {
		p.row("value", "none")
	} else {
		p.row("value", o.Form.Kind+" "+o.Form.Syntax)
	}
	f := &o.Form
	if f.Max > 0 {
		p.row("range", fmt.Sprintf("%d..%d", f.Min, f.Max))
		if o.Open {
			p.row("", "an end of a range may be left out")
		}
		if f.Reversed {
			p.row("", "a range may have its first end above its last")
		}
	}
	p.row("unit", f.Unit)
	if f.MaxLen > 0 {
		p.row("length", fmt.Sprintf("at most %d bytes", f.MaxLen))
	}
	if f.Items > 0 {
		p.row("items", fmt.Sprintf("at most %d", f.Items))
	}
	p.row("default", f.Default)
	p.row("names", strings.Join(f.Symbols, " "))
	var prints []string
	for _, s := range o.Prints {
		prints = append(prints, s.Name+"="+s.Print)
	}
	p.row("printed", strings.Join(prints, " "))
	p.row("reads", strings.Join(iptables.Titles(o.Reads), ", "))
	for _, n := range o.Notes {
		p.row("note", n)
	}
	return p.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func dashed(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "--" + n
	}
	return out
}

func describeOptions(c *iptables.Catalog, rest []string) (string, any, error) {
	if len(rest) == 1 {
		p := c.Option(rest[0])
		if p == nil {
			var names []string
			for _, p := range c.Options {
				names = append(names, p.Name)
			}
			return "", nil, unknownWord("option of every rule", rest[0], near(strings.TrimLeft(rest[0], "-"), names))
		}
		return describeParam("option ", p), p, nil
	}
	var b strings.Builder
	for i := range c.Options {
		p := &c.Options[i]
		b.WriteString(strings.TrimRight(pad(p.Name, 14)+"  "+pad(usage(p), 36)+"  "+p.Help, " ") + "\n")
	}
	return b.String(), c.Options, nil
}

func describePlaces(c *iptables.Catalog, kind string, rest []string) (string, any, error) {
	var names, lines []string
	var values []any
	line := func(name string, parts []string, help string) {
		names = append(names, name)
		lines = append(lines, pad(name, 11)+"  "+pad(strings.Join(parts, " "), 46)+"  "+help+"\n")
	}
	if kind == "table" {
		for _, t := range c.Tables {
			line(t.Name, t.Chains, t.Help)
			values = append(values, t)
		}
	} else {
		for _, h := range c.Hooks {
			line(h.Name, h.Tables, h.Help)
			values = append(values, h)
		}
	}
	if len(rest) == 0 {
		return strings.Join(lines, ""), values, nil
	}
	i := slices.Index(names, rest[0])
	if i < 0 {
		return "", nil, files.UsageError{Reason: fmt.Sprintf("there is no %s %q: the %ss are %s", kind, rest[0], kind, strings.Join(names, ", "))}
	}
	return lines[i], values[i], nil
}
