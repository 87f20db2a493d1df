package kernel

// A case is a program and packets, and a difference is a case with the counters
// in which the kernel and we part. Both are written as a text that replays.

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// entryChain is the chain that packets enter at.
const entryChain = "PREROUTING"

// Case is a rule set and the packets that it is shown.
type Case struct {
	Way    string // one of Ways
	Family int    // 4 or 6
	Seed   uint64 // that it was drawn with, for whoever asks
	// Program is the text that is loaded: a file of iptables-save with one table,
	// for the way nft a list as in nftprogram.go, for the way listing a script as in
	// listing.go.
	Program string
	Packets [][]byte // IP packets
}

// Count is a pair of counters.
type Count struct{ Packets, Bytes uint64 }

func (c Count) String() string { return fmt.Sprintf("[%d:%d]", c.Packets, c.Bytes) }

// RuleCounts are the counters of one rule, or of a policy, that one packet
// moved, where they are not all the same.
type RuleCounts struct {
	Rule     string // chain, number and text
	Kernel   Count
	Walk     Count // by rules.Table.Run
	Compiled Count // by hipac.Table.Run
}

// Difference is a case whose packet At moves other counters in the kernel than
// in ours.
type Difference struct {
	Case
	At      int
	Counts  []RuleCounts
	Verdict string // what we say of the packet
}

// String says what differs, with the program.
func (d *Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the kernel counts otherwise: %s, IPv%d, seed %d, packet %d of %d, of which we say %s\n", d.Way, d.Family, d.Seed, d.At+1, len(d.Packets), d.Verdict)
	fmt.Fprintf(&b, "  packet %x\n", d.Packets[d.At])
	for _, c := range d.Counts {
		fmt.Fprintf(&b, "  %s\n    kernel %v, walk %v, compiled %v\n", c.Rule, c.Kernel, c.Walk, c.Compiled)
	}
	b.WriteString(d.Program)
	return b.String()
}

// Summary is the first lines of String: what differs, without the program.
func (d *Difference) Summary() string { return strings.TrimSuffix(d.String(), d.Program) }

const (
	caseHead = "fuzz 1 kernel"
	maxCase  = 1 << 26 // bytes of a file
)

// WriteTo writes the case as a text that ReadCase reads: lines of "way",
// "family", "seed" and "packet", in hexadecimal, then "text" and the program. It is
// one of the cases of package fuzz/cases too.
func (c *Case) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nway %s\nfamily %d\nseed %d\n", caseHead, c.Way, c.Family, c.Seed)
	for _, p := range c.Packets {
		fmt.Fprintf(&b, "packet %x\n", p)
	}
	fmt.Fprintf(&b, "text\n%s", c.Program)
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// ReadCase reads a case. Empty lines, and those that begin with "#", are passed
// over in front of the program.
func ReadCase(r io.Reader) (*Case, error) {
	in := bufio.NewReader(io.LimitReader(r, maxCase))
	c := &Case{}
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("line %d: the case ends without a program", n)
		}
		line = strings.TrimSpace(line)
		word, value, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
			continue
		case c.Way == "" && c.Packets == nil && line == caseHead:
		case word == "way":
			if c.Way = value; !slices.Contains(Ways(), c.Way) {
				err = fmt.Errorf("%q is no way; there are %s", value, strings.Join(Ways(), ", "))
			}
		case word == "family":
			if c.Family, err = strconv.Atoi(value); err == nil && c.Family != 4 && c.Family != 6 {
				err = fmt.Errorf("%d is no family; there are 4 and 6", c.Family)
			}
		case word == "seed":
			c.Seed, err = strconv.ParseUint(value, 10, 64)
		case word == "packet":
			var p []byte
			if p, err = hex.DecodeString(value); err == nil && len(p) == 0 {
				err = errors.New("a packet without bytes")
			}
			c.Packets = append(c.Packets, p)
		case line == "text":
			text, err := io.ReadAll(in)
			if err != nil {
				return nil, err
			}
			if c.Way == "" || c.Family == 0 || c.Packets == nil {
				return nil, fmt.Errorf("line %d: a case has a way, a family and packets in front of its program", n)
			}
			c.Program = string(text)
			return c, nil
		default:
			err = fmt.Errorf("%q is none of: way, family, seed, packet, text, or the first line %q", word, caseHead)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
}
