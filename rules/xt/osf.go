package xt

// The match osf: which system the first packet of a TCP connection comes from,
// by a table of fingerprints in the form of pf.os: window, TTL, the flag DF,
// the packet's size and the kinds of its TCP options in their order. The
// caller supplies the table. Sources: pf.os(5), iptables-extensions(8), and
// what Linux compares, which is less than a fingerprint says: of options their
// kinds and lengths only, and of "!" nothing.

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// maxFingerprints bounds a table.
const maxFingerprints = 10000

// Fingerprints are a table of fingerprints. It is immutable.
type Fingerprints struct {
	list []fingerprint
}

// Len returns the number of fingerprints.
func (f *Fingerprints) Len() int { return len(f.list) }

type fingerprint struct {
	genre   string
	kind    byte // of window: 0 a number (0: any), 'S' times MSS, 'T' times MTU, '%' a multiple
	window  uint32
	ttl     uint8
	df      bool
	size    uint16
	options []byte // kinds
	length  int    // of the options
}

// optionLengths are those of the TCP options that fingerprints name.
var optionLengths = map[byte]struct {
	kind   byte
	length int
}{'E': {0, 1}, 'N': {1, 1}, 'M': {2, 4}, 'W': {3, 3}, 'S': {4, 2}, 'T': {8, 10}}

// ParseFingerprints reads a table in the form of pf.os: a line
// "window:ttl:df:size:options:genre:version:subtype:details" for each system;
// lines that begin with "#" are remarks. Errors name the line.
func ParseFingerprints(r io.Reader) (*Fingerprints, error) {
	f := &Fingerprints{}
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if len(f.list) == maxFingerprints {
			return nil, fmt.Errorf("line %d: more than %d fingerprints: %w", n, maxFingerprints, rules.ErrLimit)
		}
		p, err := parseFingerprint(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %q", n, err, rules.Excerpt(line))
		}
		f.list = append(f.list, p)
	}
	return f, sc.Err()
}

func parseFingerprint(line string) (p fingerprint, err error) {
	parts := strings.Split(line, ":")
	if len(parts) != 9 {
		return p, fmt.Errorf("a fingerprint has 9 parts between colons, not %d", len(parts))
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	number := func(s, what string, bits int) uint64 {
		n, e := strconv.ParseUint(s, 10, bits)
		if e != nil && err == nil {
			err = fmt.Errorf("%s is not a number of %d bits", what, bits)
		}
		return n
	}
	switch w := parts[0]; {
	case w == "*": // any
	case w != "" && strings.IndexByte("ST%", w[0]) >= 0:
		p.kind = w[0]
		if w = strings.TrimPrefix(w[1:], "%"); w != "*" {
			p.window = uint32(number(w, "the window", 16))
		}
	default:
		p.window = uint32(number(w, "the window", 16))
	}
	p.ttl = uint8(number(parts[1], "the TTL", 8))
	p.df = number(parts[2], "the flag DF", 1) == 1
	p.size = uint16(number(parts[3], "the size", 16))
	for _, o := range strings.Split(parts[4], ",") {
		if o = strings.TrimSpace(o); o == "" || o == "." {
			continue
		}
		known, ok := optionLengths[o[0]]
		if !ok {
			return p, fmt.Errorf("TCP option %q is not E, N, M, W, S or T", rules.Excerpt(o))
		}
		p.options = append(p.options, known.kind)
		p.length += known.length
	}
	p.genre = strings.TrimLeft(parts[5], "@*")
	if p.genre == "" && err == nil {
		err = fmt.Errorf("the system has no name")
	}
	return p, err
}

// SetFingerprints gives the State a table for the match osf; nil: none.
func (s *State) SetFingerprints(f *Fingerprints) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prints = f
}

// OSFTTL says how the TTL of a packet is compared with a fingerprint's.
type OSFTTL uint8

// The ways: equal, not above, not at all.
const (
	TTLEqual OSFTTL = iota
	TTLNotAbove
	TTLAny
)

// OSF is a match "osf". Any says that every known system is meant, as it is
// with --log.
type OSF struct {
	Genre string
	Any   bool
	TTL   OSFTTL
}

type osf struct{ OSF }

// Test returns the match as a test.
func (o OSF) Test() rules.Test { return &osf{o} }

func (o *osf) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	prints := s.prints
	s.mu.Unlock()
	p := &t.Packet
	if p.Has&packet.HasTCPFlags != 0 && p.TCPFlags&2 == 0 {
		return rules.No, "" // not a SYN
	}
	var head [20]byte
	ip := p.Bytes(0, 20, head[:])
	var buf [20]byte
	at := p.HeaderOffset()
	tcp := p.Bytes(at, 20, buf[:])
	if tcp == nil || ip == nil {
		if p.Captured() > 0 && p.Notes&packet.Cut == 0 {
			return rules.No, ""
		}
		return rules.Unsure, needsPacket
	}
	if tcp[13]&2 == 0 {
		return rules.No, ""
	}
	if prints == nil {
		return rules.Unsure, "osf fingerprints"
	}
	var opts [40]byte
	options := p.Bytes(at+20, max(int(tcp[12]>>4)*4-20, 0), opts[:])
	if options == nil {
		if p.Notes&packet.Cut != 0 {
			return rules.Unsure, needsPacket
		}
		return rules.No, ""
	}
	df := ip[6]&0x40 != 0
	for i := range prints.list {
		f := &prints.list[i]
		if f.df == df && (o.Any || f.genre == o.Genre) && f.fits(p, o.TTL, binary.BigEndian.Uint16(tcp[14:]), options) {
			return rules.Yes, ""
		}
	}
	return rules.No, ""
}

// fits reports whether a packet with this window and these options has the
// fingerprint.
func (f *fingerprint) fits(p *packet.Packet, how OSFTTL, window uint16, options []byte) bool {
	switch {
	case uint32(f.size) != p.Length, f.length != len(options),
		how == TTLEqual && p.TTL != f.ttl, how == TTLNotAbove && p.TTL > f.ttl:
		return false
	}
	mss := uint32(0)
	for _, kind := range f.options {
		if options[0] != kind {
			return false
		}
		n := 1
		for _, o := range optionLengths {
			if o.kind == kind {
				n = o.length
			}
		}
		if kind == 2 {
			mss = uint32(binary.BigEndian.Uint16(options[2:]))
		}
		options = options[n:]
	}
	w := uint32(window)
	// Some modems make the MSS smaller: the usual ones count too.
	switch f.kind {
	case 'S':
		return w == f.window*mss || w == f.window*1460 || w == f.window*1448
	case 'T':
		return w == f.window*(mss+40) || w == f.window*1500 || w == f.window*1488
	case '%':
		return f.window != 0 && w%f.window == 0
	}
	return f.window == 0 || w == f.window
}
