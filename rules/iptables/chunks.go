package iptables

// The chunks of match sctp.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// chunkType is a type of SCTP chunk with a name; its flags are letters, the
// highest bit first, "-" for those without a name.
type chunkType struct {
	name  string
	typ   uint8
	flags string
}

const (
	noFlags   = "--------"
	dataFlags = "----IUBE" // immediate, unordered, beginning, end
	tFlag     = "-------T" // the verification tag is the peer's own
)

// chunkTypes are in the order of their numbers (RFC 9260, RFC 3758, RFC 4820,
// RFC 5061, RFC 6525, RFC 8260).
var chunkTypes = []chunkType{
	{"DATA", 0, dataFlags}, {"INIT", 1, noFlags}, {"INIT_ACK", 2, noFlags}, {"SACK", 3, noFlags},
	{"HEARTBEAT", 4, noFlags}, {"HEARTBEAT_ACK", 5, noFlags}, {"ABORT", 6, tFlag}, {"SHUTDOWN", 7, noFlags},
	{"SHUTDOWN_ACK", 8, noFlags}, {"ERROR", 9, noFlags}, {"COOKIE_ECHO", 10, noFlags}, {"COOKIE_ACK", 11, noFlags},
	{"ECN_ECNE", 12, noFlags}, {"ECN_CWR", 13, noFlags}, {"SHUTDOWN_COMPLETE", 14, tFlag}, {"I_DATA", 64, dataFlags},
	{"ASCONF_ACK", 128, noFlags}, {"RE_CONFIG", 130, noFlags}, {"PAD", 132, noFlags}, {"FORWARD_TSN", 192, noFlags},
	{"ASCONF", 193, noFlags}, {"I_FORWARD_TSN", 194, noFlags},
}

var chunkNames = func() (names []string) {
	for _, c := range chunkTypes {
		names = append(names, c.name)
	}
	return names
}()

var chunkRules = []string{xt.AnyChunk: "any", xt.AllChunks: "all", xt.OnlyChunks: "only"}

// maxChunkFlags is the number of types of chunks with conditions on flags that
// the kernel has room for.
const maxChunkFlags = 4

func parseChunkTypes(a *argument) error {
	m := xt.ChunkMatch{Not: a.not}
	rule := -1
	for i, name := range chunkRules {
		if strings.EqualFold(name, a.vals[0].text) {
			rule = i
		}
	}
	if rule < 0 {
		return fmt.Errorf("not all, any or only")
	}
	m.Rule = xt.ChunkRule(rule)
	a.write(chunkRules[rule] + " ")
	switch list := a.vals[1].text; {
	case strings.EqualFold(list, "ALL"):
		for i := range m.Types {
			m.Types[i] = true
		}
		a.write("ALL")
	case list == "" || strings.EqualFold(list, "NONE"):
		a.write("NONE")
	default:
		for _, item := range strings.Split(list, ",") {
			if item == "" {
				continue
			}
			if err := addChunk(&m, item); err != nil {
				return a.p.f.errorAt(a.vals[1], "--chunk-types: %s", err)
			}
		}
		slices.SortFunc(m.Flags, func(x, y xt.ChunkFlags) int { return cmp.Compare(x.Type, y.Type) })
		a.p.scratch = appendChunks(a.p.scratch, &m)
	}
	a.m.addDropping(m.Test())
	return nil
}

// addChunk adds "TYPE" or "TYPE:FLAGS": capital letters are flags that must be
// set, small ones flags that must not be.
func addChunk(m *xt.ChunkMatch, item string) error {
	name, flags, _ := strings.Cut(item, ":")
	for i := range chunkTypes {
		c := &chunkTypes[i]
		if !strings.EqualFold(c.name, name) {
			continue
		}
		m.Types[c.typ] = true
		for _, letter := range []byte(flags) {
			n := strings.IndexByte(c.flags, letter&^0x20)
			if n < 0 || letter == '-' {
				return fmt.Errorf("%q: chunks of type %s have no flag %q", rules.Excerpt(item), c.name, letter)
			}
			f, err := chunkFlags(m, c.typ)
			if err != nil {
				return err
			}
			f.Mask |= 0x80 >> n
			if letter&0x20 == 0 {
				f.Want |= 0x80 >> n
			}
		}
		return nil
	}
	return fmt.Errorf("%q is not a type of chunk: %s", rules.Excerpt(item), joinNames(chunkNames))
}

func chunkFlags(m *xt.ChunkMatch, typ uint8) (*xt.ChunkFlags, error) {
	for i := range m.Flags {
		if m.Flags[i].Type == typ {
			return &m.Flags[i], nil
		}
	}
	if len(m.Flags) == maxChunkFlags {
		return nil, fmt.Errorf("more than %d types of chunks with flags", maxChunkFlags)
	}
	m.Flags = append(m.Flags, xt.ChunkFlags{Type: typ})
	return &m.Flags[len(m.Flags)-1], nil
}

func appendChunks(b []byte, m *xt.ChunkMatch) []byte {
	some := false
	for _, c := range chunkTypes {
		if !m.Types[c.typ] {
			continue
		}
		if some {
			b = append(b, ',')
		}
		b, some = append(b, c.name...), true
		for _, f := range m.Flags {
			if f.Type != c.typ {
				continue
			}
			b = append(b, ':')
			for i := range 8 {
				switch bit := uint8(0x80) >> i; {
				case f.Want&bit != 0:
					b = append(b, c.flags[i])
				case f.Mask&bit != 0:
					b = append(b, c.flags[i]|0x20)
				}
			}
		}
	}
	if !some {
		b = append(b, "NONE"...)
	}
	return b
}
