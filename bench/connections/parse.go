package connections

// Reading profiles from text. The format is in the package's documentation.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseError is an error in the text of profiles.
type ParseError struct {
	File   string // as given to ParseProfiles
	Line   int    // from 1
	Reason string
}

// Error returns file, line and reason.
func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// Limits of a file of profiles.
const (
	MaxFile     = 1 << 20 // bytes
	MaxProfiles = 1000
	maxName     = 32
)

// ParseProfiles reads the profiles of a file, in their order; name is what
// errors call it. All profiles are valid and have their defaults. What is wrong
// with the text is a *ParseError.
func ParseProfiles(r io.Reader, name string) ([]Profile, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	fail := func(line int, format string, args ...any) error {
		return &ParseError{name, line, fmt.Sprintf(format, args...)}
	}
	if len(text) > MaxFile {
		return nil, fail(1, "the file is longer than %d bytes", MaxFile)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the byte order mark that some editors write
	var list []Profile
	lines := map[string]int{}
	for _, b := range blocks(string(text)) {
		if b.indented {
			return nil, fail(b.line, "the line is indented, and no profile stands above it")
		}
		head, rest, found := strings.Cut(b.text, ":")
		if !found || strings.Contains(head, "\n") {
			head, _, _ = strings.Cut(b.text, "\n")
			return nil, fail(b.line, "%q: a profile begins with its name and a colon; lines that go on with it are indented", clip(head))
		}
		head = strings.TrimSpace(head)
		if err := checkName(head); err != nil {
			return nil, fail(b.line, "%v", err)
		}
		if before, ok := lines[head]; ok {
			return nil, fail(b.line, "profile %s is already on line %d", head, before)
		}
		lines[head] = b.line
		if len(list) == MaxProfiles {
			return nil, fail(b.line, "more than %d profiles", MaxProfiles)
		}
		p := parser{profile: Profile{Name: head}, seen: map[string]int{}}
		if line, err := p.items(item{rest, b.line}); err != nil {
			return nil, fail(line, "%s: %v", head, err)
		}
		p.profile.withDefaults(p.seen)
		if err := p.profile.Validate(); err != nil {
			line := b.line
			if at, ok := errors.AsType[itemError](err); ok && p.seen[at.item] > 0 {
				line = p.seen[at.item]
			}
			return nil, fail(line, "%s: %v", head, err)
		}
		list = append(list, p.profile)
	}
	if list == nil {
		return nil, fail(1, "the file holds no profile")
	}
	return list, nil
}

func checkName(s string) error {
	if s == "" || len(s) > maxName || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Errorf("%q is no name of a profile: 1 to %d of a-z, 0-9, - and _", clip(s), maxName)
	}
	if s == "list" {
		return errors.New("no profile is called list, which asks for the list of them")
	}
	return nil
}

// clip shortens what an error quotes.
func clip(s string) string {
	if s = strings.Join(strings.Fields(s), " "); len(s) <= 60 {
		return s
	}
	n := 60
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// block is the text of one profile with all its lines, without comments.
type block struct {
	text     string
	line     int
	indented bool
}

func blocks(text string) []block {
	var list []block
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimRight(line, " \t\r")
		indented := line != "" && (line[0] == ' ' || line[0] == '\t')
		switch n := len(list); {
		case n > 0 && (line == "" || indented):
			list[n-1].text += "\n" + line
		case line != "":
			list = append(list, block{line, i + 1, indented})
		}
	}
	return list
}

// item is a piece of a profile and the line on which it begins.
type item struct {
	text string
	line int
}

// trimmed is the item from its first word on. One without words stays on the
// line of the comma before it.
func (it item) trimmed() item {
	rest := strings.TrimLeft(it.text, " \t\r\n")
	if rest == "" {
		return item{"", it.line}
	}
	return item{strings.TrimSpace(rest), it.line + strings.Count(it.text[:len(it.text)-len(rest)], "\n")}
}

// split splits at the commas that are in no parentheses.
func (it item) split() (list []item, bad int, err error) {
	depth, from, line, at, opened := 0, 0, it.line, it.line, 0
	for i, c := range it.text {
		switch c {
		case '\n':
			line++
		case '(':
			if depth++; depth > 1 {
				return nil, line, errors.New("parentheses within parentheses; a repetition holds messages and pauses")
			}
			opened = line
		case ')':
			if depth--; depth < 0 {
				return nil, line, errors.New("a closing parenthesis without an opening one; \"5-10 times (100 bytes one way, 200 back)\" has both")
			}
		case ',':
			if depth == 0 {
				list = append(list, item{it.text[from:i], at}.trimmed())
				from, at = i+1, line
			}
		}
	}
	if depth > 0 {
		return nil, opened, errors.New("a parenthesis is not closed; \"5-10 times (100 bytes one way, 200 back)\" is")
	}
	return append(list, item{it.text[from:], at}.trimmed()), 0, nil
}

// parser reads the items of one profile.
type parser struct {
	profile Profile
	seen    map[string]int // lines of items
	steps   int            // so far, those in repetitions too
	line    int            // of the item that is read
}

// items reads all items; with an error it returns the line.
func (p *parser) items(all item) (int, error) {
	list, line, err := all.split()
	if err != nil {
		return line, err
	}
	for i, it := range list {
		if err := p.item(it, i == 0); err != nil {
			var inner *lineError
			if errors.As(err, &inner) {
				return inner.line, inner.err
			}
			if end := strings.Index(it.text, "\n"); end >= 0 && !strings.Contains(it.text, "(") {
				err = fmt.Errorf("%w (the item goes on behind the end of the line: is a comma missing?)", err)
			}
			return it.line, err
		}
	}
	return 0, nil
}

// lineError is an error in an item of a repetition, which has a line of its own.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }

func (p *parser) item(it item, first bool) error {
	p.line = it.line
	if strings.Contains(it.text, "(") {
		return p.repeat(it)
	}
	text := strings.Join(strings.Fields(it.text), " ")
	if text == "" {
		return errors.New("nothing stands between two commas, or behind the last one; an item does, such as \"500 bytes one way\"")
	}
	switch text {
	case "tcp", "udp", "icmp":
		if !first {
			return fmt.Errorf("%q: the protocol is the first item, and there is one", text)
		}
		p.profile.Proto = map[string]Proto{"tcp": TCP, "udp": UDP, "icmp": ICMP}[text]
		return nil
	}
	if first {
		return fmt.Errorf("%q: the first item is the protocol, tcp, udp or icmp", clip(text))
	}
	if s, ok, err := parseStep(text); ok {
		if err != nil {
			return err
		}
		p.profile.Script = append(p.profile.Script, s)
		p.step(it.line)
		return nil
	}
	return p.setting(text)
}

// once reports an error when something was said before.
func (p *parser) once(what string) error {
	if before := p.seen[what]; before > 0 {
		return fmt.Errorf("%s is said twice, on line %d before; once is enough", what, before)
	}
	p.seen[what] = p.line
	return nil
}

// step notes the line of the next step.
func (p *parser) step(line int) {
	p.steps++
	p.seen[stepItem(p.steps)] = line
}

// parseStep reads an item that is a step; ok says whether it is one.
func parseStep(text string) (s Step, ok bool, err error) {
	if rest, ok := strings.CutPrefix(text, "think "); ok {
		if rest == "time" {
			return s, true, errors.New("\"think time\" has no time; \"think 20ms\" has one")
		}
		s.Kind = Think
		if s.Pause, err = unitPause.quantity(rest); err != nil {
			err = fmt.Errorf("think: %w", err)
		}
		return s, true, err
	}
	size := func(text string) (Quantity, error) {
		switch text {
		case "bytes", "", "about":
			return Quantity{}, fmt.Errorf("the size is missing; \"500 bytes one way\" and \"10k back\" have one")
		}
		return unitBytes.quantity(strings.TrimSuffix(text, " bytes"))
	}
	switch text {
	case "one way", "back", "both ways":
		_, err = size("")
		return s, true, err
	}
	if rest, ok := strings.CutSuffix(text, " one way"); ok {
		s.Kind = OneWay
		s.Size, err = size(rest)
		return s, true, err
	}
	if rest, ok := strings.CutSuffix(text, " back"); ok {
		s.Kind = Back
		s.Size, err = size(rest)
		return s, true, err
	}
	rest, timing, ok := strings.Cut(text, " both ways")
	if !ok {
		return s, false, nil
	}
	s.Kind = BothWays
	if s.Size, err = size(rest); err != nil {
		return s, true, err
	}
	every, ok1 := strings.CutPrefix(timing, " every ")
	every, span, ok2 := strings.Cut(every, " for ")
	if !ok1 || !ok2 {
		return s, true, fmt.Errorf("%q is not like \"172 bytes both ways every 20ms for 5s-60s\"", clip(text))
	}
	n, err := parseTime(every)
	if err != nil {
		return s, true, err
	}
	s.Every = time.Duration(min(n, uint64(2*time.Hour)))
	s.Pause, err = unitSpan.quantity(span)
	return s, true, err
}

// repeat reads "10-20 times (ITEMS)".
func (p *parser) repeat(it item) error {
	head, rest, _ := strings.Cut(it.text, "(")
	body, tail, _ := strings.Cut(rest, ")")
	number, ok := strings.CutSuffix(strings.Join(strings.Fields(head), " "), " times")
	if !ok || strings.TrimSpace(tail) != "" {
		return fmt.Errorf("%q is not like \"5-10 times (100 bytes one way, 200 back)\"", clip(it.text))
	}
	times, err := unitTimes.quantity(number)
	if err != nil {
		return err
	}
	inner := item{body, it.line + strings.Count(head, "\n")}
	list, line, err := inner.split()
	if err != nil {
		return &lineError{line, err}
	}
	s := Step{Kind: Repeat, Times: times}
	p.step(it.line)
	for _, it := range list {
		text := strings.Join(strings.Fields(it.text), " ")
		step, ok, err := parseStep(text)
		if !ok {
			err = fmt.Errorf("%q: in a repetition stand messages and pauses, as in \"5-10 times (100 bytes one way, think 20ms, 200 back)\"", clip(text))
		}
		if err != nil {
			return &lineError{it.line, err}
		}
		s.Steps = append(s.Steps, step)
		p.step(it.line)
	}
	p.profile.Script = append(p.profile.Script, s)
	return nil
}

// settings are the items NAME VALUE, longer names before those they begin with.
var settings = []struct {
	name string
	set  func(p *Profile, value string) error
}{
	{"port", func(p *Profile, v string) (err error) {
		v, p.PortsInTurn = strings.CutSuffix(v, " in turn")
		p.Ports, err = parsePorts(v)
		return err
	}},
	{"source port", func(p *Profile, v string) (err error) {
		p.SourcePorts, err = parsePorts(v)
		return err
	}},
	{"refused", func(p *Profile, v string) error { return setShare(&p.Refused, v) }},
	{"silent", func(p *Profile, v string) error { return setShare(&p.Silent, v) }},
	{"unreachable", func(p *Profile, v string) error { return setShare(&p.Unreachable, v) }},
	{"time exceeded", func(p *Profile, v string) error { return setShare(&p.TimeExceeded, v) }},
	{"reset", func(p *Profile, v string) error { return setShare(&p.Reset, v) }},
	{"loss", func(p *Profile, v string) error { return setShare(&p.Loss, v) }},
	{"fragments", func(p *Profile, v string) error {
		v, size, ok := strings.Cut(v, " of ")
		if ok {
			n, err := parseBytes(size, minFragment, 65535)
			if err != nil {
				return err
			}
			p.FragmentSize = n
		}
		return setShare(&p.Fragments, v)
	}},
	{"path mtu", func(p *Profile, v string) (err error) {
		v, share, ok := strings.Cut(v, " in ")
		if !ok {
			share = "100%"
		}
		if err := setShare(&p.Narrow, share); err != nil {
			return err
		}
		p.PathMTU, err = parseBytes(v, minFragment, 65535)
		return err
	}},
	{"rtt", func(p *Profile, v string) (err error) {
		p.RTT, err = unitRTT.quantity(v)
		return err
	}},
	{"speed", func(p *Profile, v string) error {
		for name, factor := range map[string]uint64{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9} {
			if number, ok := strings.CutSuffix(v, name); ok {
				n, ok := digits(strings.TrimSpace(number))
				if ok && n > 0 && n <= 1e12/factor {
					p.Speed = n * factor
					return nil
				}
			}
		}
		return fmt.Errorf("%q is no speed from 1 kbit to 1000 gbit; 100 mbit is one", v)
	}},
	{"window", func(p *Profile, v string) (err error) {
		p.Window, err = parseInt(strings.TrimSuffix(strings.TrimSuffix(v, "s"), " packet"), 1, MaxWindow)
		return err
	}},
	{"tries", func(p *Profile, v string) (err error) {
		p.Tries, err = parseInt(v, 1, MaxTries)
		return err
	}},
	{"timeout", func(p *Profile, v string) error {
		n, err := unitTimer.number(v)
		p.Timeout = time.Duration(n)
		return err
	}},
	{"packets of", func(p *Profile, v string) (err error) {
		p.PacketSize, err = parseBytes(v, 1, MaxPayload)
		return err
	}},
	{"payload", func(p *Profile, v string) error {
		i := slices.Index(payloadNames[:], v)
		if i < 0 {
			return fmt.Errorf("%q is unknown; payloads are %s", v, strings.Join(payloadNames[:], ", "))
		}
		p.Payload = Payload(i)
		return nil
	}},
}

func (p *parser) setting(text string) error {
	for _, s := range settings {
		value, ok := strings.CutPrefix(text, s.name+" ")
		if !ok {
			continue
		}
		if err := p.once(s.name); err != nil {
			return err
		}
		if err := s.set(&p.profile, strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		return nil
	}
	for part := range strings.SplitSeq(text, " and ") {
		if err := p.phase(part); err != nil {
			if part != text && errors.As(err, new(unknownError)) {
				err = unknownItem(text) // all of it
			}
			return err
		}
	}
	return nil
}

// phase reads how a connection begins or ends.
func (p *parser) phase(text string) error {
	var begins *Handshake
	var ends *Teardown
	switch text {
	case "handshake":
		begins = new(FullHandshake)
	case "no handshake":
		begins = new(NoHandshake)
	case "half open":
		begins = new(HalfOpen)
	case "half open with reset":
		begins = new(HalfOpenReset)
	case "teardown", "teardown by client":
		ends = new(ByClient)
	case "teardown by server":
		ends = new(ByServer)
	case "teardown by reset":
		ends = new(ByReset)
	case "no teardown":
		ends = new(NoTeardown)
	default:
		return unknownItem(text)
	}
	if p.profile.Proto != TCP {
		return fmt.Errorf("%q is for tcp, and the profile is of %s", text, p.profile.Proto)
	}
	if begins != nil {
		p.profile.Handshake = *begins
		return p.once(itemBegin)
	}
	p.profile.Teardown = *ends
	return p.once(itemEnd)
}

func setShare(to *Share, v string) (err error) {
	*to, err = ParseShare(v)
	return err
}

func parseInt(s string, lo, hi int) (int, error) {
	n, ok := digits(s)
	if !ok || n < uint64(lo) || n > uint64(hi) {
		return 0, fmt.Errorf("%q is no number from %d to %d", s, lo, hi)
	}
	return int(n), nil
}

func parseBytes(s string, lo, hi int) (int, error) {
	return parseInt(strings.TrimSuffix(s, " bytes"), lo, hi)
}

// parsePorts reads "80 443 8000-8100".
func parsePorts(s string) ([]PortRange, error) {
	var list []PortRange
	for word := range strings.FieldsSeq(s) {
		from, to, ranged := strings.Cut(word, "-")
		if !ranged {
			to = from
		}
		lo, err1 := strconv.ParseUint(from, 10, 16)
		hi, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || lo == 0 || hi < lo {
			return nil, fmt.Errorf("%q is no port and no range within 1-65535", clip(word))
		}
		if len(list) == 100 {
			return nil, errors.New("more than 100 ports and ranges; a range takes any number of ports")
		}
		list = append(list, PortRange{uint16(lo), uint16(hi)})
	}
	return list, nil
}
