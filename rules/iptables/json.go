package iptables

// Rule sets as JSON. A document is
//
//	{"format": "hipac-iptables", "version": 1, "family": 4, "tables": [TABLE ...]}
//	TABLE   {"name": "filter", "chains": [CHAIN ...]}
//	CHAIN   {"name": "INPUT", "policy": "DROP", "packets": 0, "bytes": 0, "rules": [RULE ...]}
//	RULE    {"packets": 0, "bytes": 0, "options": [OPTION ...], "matches": [MODULE ...],
//	         "target": MODULE, or "jump": "CHAIN", or "goto": "CHAIN"}
//	MODULE  {"name": "tcp", "options": [OPTION ...]}
//	OPTION  {"name": "dport", "not": true, "values": ["80"]}
//
// where all but names, and format to tables, may be left out, and user chains
// have no policy and no counters. Names and values are what stands in a line
// of text, without quotes; one that is not UTF-8 is written {"hex": "ff61"}.
// Schema returns the JSON Schema.

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// The format of documents and its version.
const (
	jsonFormat  = "hipac-iptables"
	jsonVersion = 1
)

// option, module and rule are the parts of a rule in JSON.
type (
	jsonOption struct {
		name   string
		not    bool
		values []string
	}
	jsonModule struct {
		name    string
		options []jsonOption
	}
	jsonRule struct {
		line           int
		packets, bytes uint64
		options        []jsonOption
		matches        []jsonModule
		target         *jsonModule
		jump, jumpKey  string // the key is "jump" or "goto"
	}
)

// WriteJSON writes the rules as a JSON document, counters of rules included
// when counters is set. What ReadJSON reads of it prints the same with Write.
func WriteJSON(w io.Writer, rs *Ruleset, counters bool) error {
	if err := rs.check(); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "{\"format\": %q, \"version\": %d, \"family\": %d, \"tables\": [", jsonFormat, jsonVersion, rs.Family)
	var words []word
	var b []byte
	for i, t := range rs.Tables {
		b = appendJSON(append(b[:0], separator(i, "\n  ")...), "name", t.Name)
		out.Write(append(b, `, "chains": [`...))
		for c := range t.Chains {
			chain := &t.Chains[c]
			b = appendJSON(append(b[:0], separator(c, "\n    ")...), "name", chain.Name)
			if chain.Policy != rules.NoVerdict {
				b = fmt.Appendf(b, `, "policy": %q, "packets": %d, "bytes": %d`, chain.Policy, chain.Packets, chain.Bytes)
			}
			b = append(b, `, "rules": [`...)
			for n := range rs.lines[i][c] {
				l := &rs.lines[i][c][n]
				var err error
				if words, _, err = splitWords(words[:0], l.text, 0); err != nil {
					return err
				}
				r := splitRule(words, t)
				if counters {
					r.packets, r.bytes = l.packets, l.bytes
				}
				b = r.append(append(b, separator(n, "\n      ")...))
				out.Write(b)
				b = b[:0]
			}
			out.Write(append(b, "]}"...))
		}
		out.WriteString("]}")
	}
	out.WriteString("]}\n")
	return out.Flush()
}

// separator stands in front of the n-th object of a list.
func separator(n int, indent string) string {
	if n > 0 {
		return "," + indent + "{"
	}
	return indent + "{"
}

// splitRule takes a printed rule of table t apart.
func splitRule(words []word, t *rules.Table) *jsonRule {
	r := &jsonRule{}
	var mod *module // of options
	var options *[]jsonOption = &r.options
	take := func() (s string) {
		if len(words) > 0 {
			s, words = words[0].text, words[1:]
		}
		return s
	}
	unknown := false
	for len(words) > 0 {
		o := jsonOption{}
		if words[0].text == "!" && !words[0].quoted && len(words) > 1 {
			o.not = true
			take()
		}
		switch w := take(); {
		case w == "-m":
			name := take()
			r.matches = append(r.matches, jsonModule{name: name})
			mod = matchByName[name]
			options, unknown = &r.matches[len(r.matches)-1].options, mod == nil
		case w == "-g":
			r.jump, r.jumpKey = take(), "goto"
		case w == "-j":
			name := take()
			if mod = targetByName[name]; mod == nil && t.Find(name) >= 0 {
				r.jump, r.jumpKey = name, "jump"
				continue
			}
			r.target = &jsonModule{name: name}
			options, unknown = &r.target.options, mod == nil
		case len(w) > 1 && w[1] != '-':
			n := 0
			for i := range ruleOptions {
				if ruleOptions[i].short == w[1] {
					o.name, n = ruleOptions[i].name, ruleOptions[i].words
				}
			}
			for ; n > 0; n-- {
				o.values = append(o.values, take())
			}
			r.options = append(r.options, o)
		default:
			o.name = w[min(2, len(w)):]
			var opt *option
			if !unknown && mod != nil {
				opt = mod.find(o.name)
			}
			for n := 0; len(words) > 0; n++ {
				if opt != nil && opt.words >= 0 {
					if n == opt.words {
						break
					}
				} else if optionAhead(words) || opt != nil && n == 1 {
					break
				}
				o.values = append(o.values, take())
			}
			*options = append(*options, o)
		}
	}
	return r
}

// optionAhead reports whether the first of the words looks like an option, or
// like the "!" before one.
func optionAhead(words []word) bool {
	if w := words[0]; w.text == "!" && !w.quoted {
		return len(words) > 1 && looksLikeOption(words[1])
	}
	return looksLikeOption(words[0])
}

// append writes the rule behind its opening brace.
func (r *jsonRule) append(b []byte) []byte {
	some := false
	key := func(name string) {
		if some {
			b = append(b, ", "...)
		}
		some = true
		b = append(append(append(b, '"'), name...), "\": "...)
	}
	if r.packets|r.bytes != 0 {
		key("packets")
		b = appendNumber(b, r.packets)
		key("bytes")
		b = appendNumber(b, r.bytes)
	}
	if len(r.options) > 0 {
		key("options")
		b = appendJSONOptions(b, r.options)
	}
	if len(r.matches) > 0 {
		key("matches")
		for i := range r.matches {
			b = append(b, "[, "[min(i, 1):1+2*min(i, 1)]...)
			b = r.matches[i].append(b)
		}
		b = append(b, ']')
	}
	if r.target != nil {
		key("target")
		b = r.target.append(b)
	}
	if r.jumpKey != "" {
		key(r.jumpKey)
		b = appendJSONString(b, r.jump)
	}
	return append(b, '}')
}

func (m *jsonModule) append(b []byte) []byte {
	b = appendJSON(append(b, '{'), "name", m.name)
	if len(m.options) > 0 {
		b = appendJSONOptions(append(b, `, "options": `...), m.options)
	}
	return append(b, '}')
}

func appendJSONOptions(b []byte, options []jsonOption) []byte {
	b = append(b, '[')
	for i := range options {
		if i > 0 {
			b = append(b, ", "...)
		}
		o := &options[i]
		if b = appendJSON(append(b, '{'), "name", o.name); o.not {
			b = append(b, `, "not": true`...)
		}
		for j, v := range o.values {
			if j == 0 {
				b = append(b, `, "values": [`...)
			} else {
				b = append(b, ", "...)
			}
			if b = appendJSONString(b, v); j == len(o.values)-1 {
				b = append(b, ']')
			}
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendJSON(b []byte, key, value string) []byte {
	return appendJSONString(append(append(append(b, '"'), key...), "\": "...), value)
}

// appendJSONString writes a string, or {"hex": ...} when it is not UTF-8.
func appendJSONString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return append(hex.AppendEncode(append(b, `{"hex": "`...), []byte(s)), `"}`...)
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c == 0x7f:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
