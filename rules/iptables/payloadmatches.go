package iptables

// Matches that read the bytes of the packet.

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var payloadMatches = []module{
	{kind: "match", name: "string", summary: "a text in the packet's bytes", modelled: true, class: Payload, finish: finishString, oneOf: [][]string{{"string", "hex-string"}}, options: []option{
		{name: "string", words: 1, not: true, parse: parseString,
			help: "the text", form: Form{Kind: "text", Syntax: "TEXT", MaxLen: xt.MaxPattern}},
		{name: "hex-string", words: 1, not: true, parse: parseHexString,
			help: "the text, with bytes in hexadecimal between bars; a backslash takes the next byte as it is", form: Form{Kind: "text", Syntax: "TEXT|0d 0a|TEXT"}},
		{name: "algo", words: 1, required: true, parse: parseAlgo,
			help: "how Linux looks for it", form: Form{Kind: "enum", Syntax: "bm|kmp", Symbols: []string{"bm", "kmp"}}},
		{name: "from", words: 1, notes: []string{"not above --to"}, parse: parseStringBound,
			help: "where to begin, counted from the IP header", form: Form{Kind: "number", Syntax: "OFFSET", Max: 65535, Unit: "bytes", Default: "0"}},
		{name: "to", words: 1, parse: parseStringBound,
			help: "where the text must have ended", form: Form{Kind: "number", Syntax: "OFFSET", Max: 65535, Unit: "bytes", Default: "65535"}},
		{name: "icase", parse: parseIcase, help: "large and small letters are the same"},
	}},
	{kind: "match", name: "bpf", summary: "a program of the packet filter machine", modelled: true, class: Payload, needs: needOne, options: []option{
		{name: "bytecode", words: 1, parse: parseBytecode,
			help: "the program, as numbers", form: Form{Kind: "program", Syntax: "N,CODE JT JF K,...", Items: xt.MaxProgram}},
		{name: "object-pinned", words: 1, parse: parsePinned,
			help: "a program in the file system for them, which is not read", form: Form{Kind: "text", Syntax: "PATH", MaxLen: maxPinned}},
	}},
	{kind: "match", name: "u32", summary: "numbers in the packet's bytes", modelled: true, class: Payload, options: []option{
		{name: "u32", words: 1, not: true, required: true, parse: parseU32,
			help: "what the 32 bits at an offset from the IP header must be", form: Form{Kind: "program", Syntax: "OFFSET[OPERATOR NUMBER...]=MIN[:MAX],...&&...", Items: xt.MaxU32}},
	}},
}

// partsOf returns what the options of a module have told so far.
func partsOf[T any](m *instance) *T {
	if d, ok := m.data.(*T); ok {
		return d
	}
	d := new(T)
	m.data = d
	return d
}

type stringParts struct {
	match xt.StringMatch
	to    bool // is given
}

// pattern takes the pattern of a string match and writes it: as text when it
// can be printed and read again, else in hexadecimal.
func (a *argument) pattern(s []byte) error {
	if len(s) == 0 {
		return fmt.Errorf("empty")
	}
	if len(s) > xt.MaxPattern {
		return fmt.Errorf("longer than %d bytes", xt.MaxPattern)
	}
	d := partsOf[stringParts](a.m)
	d.match.Pattern, d.match.Not = s, a.not
	plain := s[len(s)-1] != '\\'
	for _, c := range s {
		plain = plain && c >= ' ' && c <= '~'
	}
	if !plain {
		a.printAs = "hex-string"
		a.write(fmt.Sprintf(`"|%x|"`, s))
		return nil
	}
	a.printAs = "string"
	b := append(a.p.scratch, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	a.p.scratch = append(b, '"')
	return nil
}

func parseString(a *argument) error { return a.pattern([]byte(a.vals[0].text)) }

func parseHexString(a *argument) error {
	s, err := readHexString(a.vals[0].text)
	if err != nil {
		return err
	}
	return a.pattern(s)
}

// readHexString reads text with bytes in hexadecimal between bars. As in the
// tools, blanks may stand in front of the first byte and one behind each, and
// the byte behind a closing bar is text whatever it is.
func readHexString(s string) ([]byte, error) {
	var out []byte
	hex := false
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && hex:
			return nil, fmt.Errorf("backslash between bars, byte %d", i+1)
		case s[i] == '\\':
			if i+1 == len(s) {
				return nil, fmt.Errorf("nothing behind the backslash at the end")
			}
			out = append(out, s[i+1])
			i += 2
			continue
		case s[i] == '|':
			hex = !hex
			for i++; hex && i < len(s) && s[i] == ' '; i++ {
			}
			if i == len(s) {
				continue
			}
		}
		if !hex {
			out = append(out, s[i])
			i++
			continue
		}
		if len(s)-i < 3 {
			return nil, fmt.Errorf("the hexadecimal part that ends at byte %d is not closed by a bar, or has an odd number of digits", len(s))
		}
		b, err := strconv.ParseUint(s[i:i+2], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("byte %d: not two hexadecimal digits", i+1)
		}
		out = append(out, byte(b))
		if i += 2; s[i] == ' ' {
			i++
		}
	}
	return out, nil
}

func parseAlgo(a *argument) error {
	s := a.vals[0].text
	if s != "bm" && s != "kmp" {
		return fmt.Errorf("not bm or kmp")
	}
	partsOf[stringParts](a.m).match.BoyerMoore = s == "bm"
	a.write(s)
	return nil
}

func parseStringBound(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 65535)
	if err != nil {
		return err
	}
	d := partsOf[stringParts](a.m)
	if a.opt.name == "from" {
		d.match.From, a.silent = int(n), n == 0
	} else {
		d.match.To, d.to, a.silent = int(n), true, n == 65535
	}
	a.writeNumber(n)
	return nil
}

func parseIcase(a *argument) error {
	partsOf[stringParts](a.m).match.IgnoreCase = true
	return nil
}

func finishString(_ *ruleParser, m *instance) error {
	d := partsOf[stringParts](m)
	if !d.to {
		d.match.To = 65535
	}
	if d.match.From > d.match.To {
		return fmt.Errorf("--from %d is above --to %d", d.match.From, d.match.To)
	}
	t, err := d.match.Test()
	if err != nil {
		return err
	}
	m.addTest(t)
	return nil
}

func parseBytecode(a *argument) error {
	count, rest, _ := strings.Cut(a.vals[0].text, ",")
	n, err := parseNumber(strings.TrimSpace(count), 65535)
	if err != nil {
		return fmt.Errorf("number of instructions: %w", err)
	}
	if n < 1 || n > xt.MaxProgram {
		return fmt.Errorf("program of %d instructions: must be 1..%d", n, xt.MaxProgram)
	}
	program := make([]xt.Instruction, 0, n)
	for rest != "" {
		var text string
		text, rest, _ = strings.Cut(rest, ",")
		if len(program) == int(n) {
			return fmt.Errorf("more instructions than the %d that it says", n)
		}
		f := strings.Fields(text)
		if len(f) != 4 {
			return fmt.Errorf("instruction %d: %q is not four numbers", len(program), rules.Excerpt(text))
		}
		var v [4]uint64
		for i, max := range [4]uint64{65535, 255, 255, 1<<32 - 1} {
			if v[i], err = strconv.ParseUint(f[i], 10, 32); err != nil || v[i] > max {
				return fmt.Errorf("instruction %d: %q is not a number in 0..%d", len(program), rules.Excerpt(f[i]), max)
			}
		}
		program = append(program, xt.Instruction{Code: uint16(v[0]), JT: uint8(v[1]), JF: uint8(v[2]), K: uint32(v[3])})
	}
	if len(program) != int(n) {
		return fmt.Errorf("%d instructions instead of the %d that it says", len(program), n)
	}
	t, err := xt.NewBPF(program)
	if err != nil {
		return err
	}
	a.m.addTest(t)
	a.write(`"`)
	a.writeNumber(n)
	for _, in := range program {
		a.write(fmt.Sprintf(",%d %d %d %d", in.Code, in.JT, in.JF, in.K))
	}
	a.write(`"`)
	return nil
}

// maxPinned is the length of the longest path of a pinned program.
const maxPinned = 511

func parsePinned(a *argument) error {
	path := a.vals[0].text
	if path == "" || len(path) > maxPinned || strings.ContainsAny(path, " \t\r\n\v\f\"\\'") {
		return fmt.Errorf("not a path of 1..%d bytes without blanks and quotes", maxPinned)
	}
	a.m.addTest(xt.Missing("bpf object " + path))
	a.write(path)
	return nil
}
