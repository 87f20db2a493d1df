package ipset

// Reading what "ipset save" writes, and files that people keep in its form.

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// Options say how to read a file.
type Options struct {
	// File is the name that errors carry.
	File string
	// Limits: MaxInput and MaxLine bound the file, MaxChains the number of sets,
	// MaxRules the number of entries, MaxElements what one line may add.
	Limits rules.Limits
}

type reader struct {
	o       Options
	limits  rules.Limits
	line    int
	sets    *Sets
	entries int
}

// Read reads a whole file: lines of "create" and "add", as "ipset save" writes
// them, also with "-exist". Errors are *rules.ParseErrors with file, line and
// the offending word. It takes time linear in the file and the entries.
func Read(src io.Reader, o Options) (*Sets, error) {
	r := &reader{o: o, limits: o.Limits.OrDefault(), sets: &Sets{byName: map[string]*Set{}}}
	in := lines.NewReader(src, o.File, r.limits)
	for {
		b, n, err := in.Next()
		if err == io.EOF {
			return r.sets, nil
		}
		if err != nil {
			return nil, err
		}
		r.line = n
		words, err := split(string(b))
		if err == nil && len(words) > 0 {
			err = r.command(words)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (r *reader) fail(token, format string, args ...any) error {
	return &rules.ParseError{File: r.o.File, Line: r.line, Token: token, Reason: fmt.Sprintf(format, args...)}
}

func (r *reader) limit(format string, args ...any) error {
	return &rules.ParseError{File: r.o.File, Line: r.line, Reason: fmt.Sprintf(format, args...), Err: rules.ErrLimit}
}

// split splits a line at blanks; double quotes keep them. Lines that begin
// with # have no words.
func split(line string) (words []string, err error) {
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#' && len(words) == 0:
			return nil, nil
		case c == '"':
			end := strings.IndexByte(line[i+1:], '"')
			if end < 0 {
				return nil, errors.New("unterminated quote")
			}
			words = append(words, line[i+1:i+1+end])
			i += end + 2
		default:
			end := i
			for end < len(line) && line[end] != ' ' && line[end] != '\t' && line[end] != '\r' {
				end++
			}
			words = append(words, line[i:end])
			i = end
		}
	}
	return words, nil
}

func (r *reader) command(words []string) error {
	var rest []string
	for _, w := range words {
		if w != "-exist" && w != "-!" {
			rest = append(rest, w)
		}
	}
	if len(rest) < 3 {
		return r.fail(words[0], "expected create NAME TYPE or add NAME ELEMENT")
	}
	switch rest[0] {
	case "create", "-N", "n":
		return r.create(rest[1], rest[2], rest[3:])
	case "add", "-A", "a":
		s := r.sets.Find(rest[1])
		if s == nil {
			return r.fail(rest[1], "no set of this name was created before")
		}
		return r.add(s, rest[2], rest[3:])
	}
	return r.fail(rest[0], "expected create or add; other commands are not taken")
}

// maxName is the length of the longest name of a set in the kernel.
const maxName = 31

// oldTypes are names that early versions gave to types.
var oldTypes = map[string]string{"ipmap": "bitmap:ip", "macipmap": "bitmap:ip,mac", "portmap": "bitmap:port", "iphash": "hash:ip",
	"ipporthash": "hash:ip,port", "ipportiphash": "hash:ip,port,ip", "ipportnethash": "hash:ip,port,net", "nethash": "hash:net", "setlist": "list:set"}

func (r *reader) create(name, typ string, options []string) error {
	if t, ok := oldTypes[typ]; ok {
		typ = t
	}
	parts, ok := types[typ]
	switch {
	case !ok:
		return r.fail(typ, "not a type of set: %s", strings.Join(Types(), " "))
	case len(name) > maxName || name == "":
		return r.fail(name, "the name of a set has 1 to %d bytes", maxName)
	case r.sets.Find(name) != nil:
		return r.fail(name, "the set is created twice")
	case len(r.sets.list) >= r.limits.MaxChains:
		return r.limit("more than %d sets", r.limits.MaxChains)
	}
	s := &Set{Name: name, Type: typ, parts: parts, bitmap: strings.HasPrefix(typ, "bitmap:"), markMask: math.MaxUint32}
	s.clear()
	switch {
	case typ == "bitmap:port" || typ == "hash:mac" || typ == "list:set":
	default:
		s.Family = 4
	}
	if strings.HasPrefix(typ, "hash:") {
		s.MaxElem = 65536
	}
	for i := 0; i+1 < len(options); i++ { // the width of addresses comes first
		if options[i] == "family" {
			if err := r.createOption(s, "family", options[i+1]); err != nil {
				return err
			}
		}
	}
	ranged := false
	for i := 0; i < len(options); i++ {
		opt := options[i]
		switch opt {
		case "counters":
			s.Counters = true
		case "comment":
			s.Comments = true
		case "skbinfo":
			s.SKBInfo = true
		case "forceadd":
		case "family", "hashsize", "maxelem", "netmask", "bitmask", "timeout", "bucketsize", "initval", "markmask", "range", "size":
			if i++; i == len(options) {
				return r.fail(opt, "needs a value")
			}
			if err := r.createOption(s, opt, options[i]); err != nil {
				return err
			}
			ranged = ranged || opt == "range"
		default:
			return r.fail(opt, "not an option of create")
		}
	}
	if s.bitmap && !ranged {
		return r.fail(typ, "needs a range")
	}
	s.options = options
	if s.mask == (rules.Value{}) {
		s.mask = rules.Ones(s.bits())
	}
	if s.Type == "bitmap:ip" { // the range is of whole networks
		s.lo &= s.mask.Lo
		s.hi |= s.mask.Not().Lo & (1<<32 - 1)
	}
	r.sets.Put(s)
	return nil
}

func (r *reader) createOption(s *Set, opt, value string) error {
	number := func(max uint64) (uint64, error) {
		n, err := strconv.ParseUint(value, 0, 64)
		if err != nil || n > max {
			return 0, r.fail(value, "%s: not a number in 0..%d", opt, max)
		}
		return n, nil
	}
	switch opt {
	case "family":
		if s.bitmap {
			return r.fail(opt, "sets of this type are for IPv4")
		}
		switch value {
		case "inet", "ipv4", "inet4", "-4":
			s.Family = 4
		case "inet6", "ipv6", "-6":
			s.Family = 6
		default:
			return r.fail(value, "family: inet or inet6")
		}
	case "hashsize", "bucketsize", "initval", "size":
		_, err := number(math.MaxUint32)
		return err
	case "maxelem":
		n, err := number(math.MaxUint32)
		s.MaxElem = int(n)
		return err
	case "timeout":
		n, err := number(maxTimeout)
		s.HasTimeout, s.Timeout = true, time.Duration(n)*time.Second
		return err
	case "markmask":
		n, err := number(math.MaxUint32)
		s.markMask = uint32(n)
		return err
	case "netmask":
		n, err := number(uint64(s.bits()))
		if n == 0 && err == nil {
			return r.fail(value, "netmask: not a number in 1..%d", s.bits())
		}
		s.mask = rules.Ones(int(n)).Shl(s.bits() - int(n))
		return err
	case "bitmask":
		m, err := s.addr(value)
		if err != nil {
			return r.fail(value, "bitmask: %v", err)
		}
		s.mask = m
	case "range":
		if s.Type == "bitmap:port" {
			from, to, ok := strings.Cut(value, "-")
			lo, err1 := port(from)
			hi, err2 := port(to)
			if !ok || err1 != nil || err2 != nil || hi < lo {
				return r.fail(value, "range: expected PORT-PORT")
			}
			s.lo, s.hi = uint64(lo), uint64(hi)
			return nil
		}
		nets, err := s.nets(value, 1<<16)
		if err != nil || len(nets) == 0 {
			return r.fail(value, "range: expected ADDRESS-ADDRESS or ADDRESS/LENGTH")
		}
		s.lo, s.hi = nets[0].Lo.Lo, nets[len(nets)-1].Hi.Lo
	}
	return nil
}

// maxTimeout is the longest timeout in seconds that the kernel takes.
const maxTimeout = math.MaxUint32 / 1000

// add reads an element with its options.
func (r *reader) add(s *Set, element string, options []string) error {
	e := Entry{Timeout: s.Timeout}
	before, after := "", ""
	for i := 0; i < len(options); i++ {
		opt, value := options[i], ""
		switch opt {
		case "nomatch":
			if !s.hasNets() {
				return r.fail(opt, "%s has no networks", s.Type)
			}
			e.NoMatch = true
			continue
		case "wildcard":
			if !s.hasIface() {
				return r.fail(opt, "%s has no interfaces", s.Type)
			}
			e.wildcard = true
			continue
		}
		if i++; i == len(options) {
			return r.fail(opt, "not an option of add, or without its value")
		}
		value = options[i]
		if err := r.addOption(s, &e, opt, value, &before, &after); err != nil {
			return err
		}
	}
	list, err := s.expand(element, e, r.limits.MaxElements)
	if errors.Is(err, rules.ErrLimit) {
		return r.limit("the element stands for more than %d", r.limits.MaxElements)
	}
	if err != nil {
		return r.fail(element, "%v", err)
	}
	if r.entries += len(list); r.entries > r.limits.MaxRules {
		return r.limit("more than %d entries", r.limits.MaxRules)
	}
	for i := range list {
		if s.Type == "list:set" {
			if err := r.member(s, &list[i], before, after); err != nil {
				return err
			}
			continue
		}
		s.put(&list[i])
	}
	return nil
}

func (r *reader) addOption(s *Set, e *Entry, opt, value string, before, after *string) error {
	need := func(has bool, what string) error {
		if !has {
			return r.fail(opt, "set %s was not created with %s", s.Name, what)
		}
		return nil
	}
	number := func(bits int) (uint64, error) {
		n, err := strconv.ParseUint(value, 0, bits)
		if err != nil {
			return 0, r.fail(value, "%s: not a number of %d bits", opt, bits)
		}
		return n, nil
	}
	var n uint64
	var err error
	switch opt {
	case "timeout":
		if err = need(s.HasTimeout, "a timeout"); err == nil {
			n, err = number(32)
			e.Timeout = time.Duration(min(n, maxTimeout)) * time.Second
		}
	case "packets":
		if err = need(s.Counters, "counters"); err == nil {
			e.Packets, err = number(64)
		}
	case "bytes":
		if err = need(s.Counters, "counters"); err == nil {
			e.Bytes, err = number(64)
		}
	case "comment":
		err = need(s.Comments, "comment")
		e.Comment = value
	case "skbmark":
		if err = need(s.SKBInfo, "skbinfo"); err == nil {
			v, m, masked := strings.Cut(value, "/")
			x, err1 := strconv.ParseUint(v, 0, 32)
			y, err2 := uint64(math.MaxUint32), error(nil)
			if masked {
				y, err2 = strconv.ParseUint(m, 0, 32)
			}
			if err1 != nil || err2 != nil {
				return r.fail(value, "skbmark: expected VALUE or VALUE/MASK")
			}
			e.Mark, e.MarkMask = uint32(x), uint32(y)
		}
	case "skbprio":
		if err = need(s.SKBInfo, "skbinfo"); err == nil {
			major, minor, _ := strings.Cut(value, ":")
			x, err1 := strconv.ParseUint(major, 16, 16)
			y, err2 := strconv.ParseUint(minor, 16, 16)
			if err1 != nil || err2 != nil {
				return r.fail(value, "skbprio: expected MAJOR:MINOR, hexadecimal")
			}
			e.Prio = uint32(x<<16 | y)
		}
	case "skbqueue":
		if err = need(s.SKBInfo, "skbinfo"); err == nil {
			n, err = number(16)
			e.Queue = uint16(n)
		}
	case "before", "after":
		if s.Type != "list:set" {
			return r.fail(opt, "only members of list:set have an order")
		}
		if *before = value; opt == "after" {
			*before, *after = "", value
		}
	default:
		return r.fail(opt, "not an option of add")
	}
	return err
}

// member adds a member to a list of sets.
func (r *reader) member(s *Set, e *Entry, before, after string) error {
	m := r.sets.Find(e.member)
	switch {
	case m == nil:
		return r.fail(e.member, "no set of this name was created before")
	case m.Type == "list:set":
		return r.fail(e.member, "a list cannot be in a list")
	}
	at := len(s.order)
	for i, o := range s.order {
		if o.member == before && before != "" {
			at = i
		} else if o.member == after && after != "" {
			at = i + 1
		}
	}
	s.put(e)
	last := len(s.order) - 1
	copy(s.order[at+1:], s.order[at:last])
	s.order[at] = e
	return nil
}
