package classbench

// Writing rule files and traces, as ClassBench's own programs write them.

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"

	"github.com/hipac-go/classifier/rules"
)

// Write writes a list as a rule file that Read reads back. The list's schema
// must be rules.IPv4Tuple, rules.IPv6Tuple, Schema6 or Schema6IPv6. A rule
// that the form cannot say is an error (rules.ErrUnsupported): a negation, a
// union, addresses that are no prefix, a condition that merely asks for a
// field to be present or also holds when it is absent, two conditions on a
// field, Continue, Unknown. Identities and comments are not written.
//
// With the six-field schemas the sixth column is what the rule matches; when
// that is what its value says, value bits outside the mask are kept.
func Write(w io.Writer, l *rules.List[Flags]) error {
	width := 0
	switch l.Schema() {
	case rules.IPv4Tuple, Schema6:
		width = 32
	case rules.IPv6Tuple, Schema6IPv6:
		width = 128
	default:
		return fmt.Errorf("classbench: schema %q: %w", rules.Excerpt(l.Schema().String()), rules.ErrUnsupported)
	}
	out := bufio.NewWriter(w)
	var line []byte
	for i, r := range l.All() {
		cols, err := columnsOf(r, l.Schema(), width)
		if err != nil {
			return fmt.Errorf("classbench: rule %d: %w: %w", i+1, err, rules.ErrUnsupported)
		}
		line = append(line[:0], '@')
		line = appendPrefix(line, cols[src].iv, width)
		line = append(line, '\t')
		line = appendPrefix(line, cols[dst].iv, width)
		for _, f := range [2]int{sport, dport} {
			line = append(line, '\t')
			line = strconv.AppendUint(line, cols[f].iv.Lo.Lo, 10)
			line = append(line, " : "...)
			line = strconv.AppendUint(line, cols[f].iv.Hi.Lo, 10)
		}
		line = fmt.Appendf(line, "\t0x%02x/0x%02X\t", cols[proto].want, cols[proto].mask)
		line = fmt.Appendf(line, "0x%04x/0x%04x\t\n", cols[flags].want, cols[flags].mask)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// column is what a rule asks in one column: an interval, or for the last two
// a value and a mask.
type column struct {
	iv         rules.Interval
	want, mask uint64
	set        bool
}

func columnsOf(r *rules.Rule[Flags], s *rules.Schema, width int) (cols [6]column, err error) {
	for i := range flags {
		cols[i].iv = s.Field(i).Full()
	}
	if r.Continue || r.Unknown != "" {
		return cols, fmt.Errorf("it does not decide")
	}
	for i := range r.Conds {
		c := &r.Conds[i]
		f := s.Field(c.Field())
		col := &cols[c.Field()]
		ivs, ranged := c.Intervals()
		want, mask, masked := c.Mask()
		switch {
		case col.set:
			return cols, fmt.Errorf("two conditions on %s", f.Name)
		case c.Negated() || c.AllowsAbsent() || ranged == masked || ranged && len(ivs) != 1,
			ranged && ivs[0] == f.Full(), ranged && c.Field() == flags, masked && c.Field() < proto,
			masked && mask == rules.Value{}:
			return cols, fmt.Errorf("%s", s.FormatCond(c))
		case masked && want.And(mask) != want:
			return cols, fmt.Errorf("%s holds for nothing", s.FormatCond(c))
		case masked:
			col.want, col.mask = want.Lo, mask.Lo
		case c.Field() == proto:
			if ivs[0].Lo != ivs[0].Hi {
				return cols, fmt.Errorf("%s", s.FormatCond(c))
			}
			col.want, col.mask = ivs[0].Lo.Lo, 0xff
		case c.Field() < sport:
			if _, ok := ivs[0].PrefixLen(width); !ok {
				return cols, fmt.Errorf("%s is no prefix", s.FormatCond(c))
			}
			col.iv = ivs[0]
		default:
			col.iv = ivs[0]
		}
		col.set = true
	}
	value, mask := uint64(r.Value.Value), uint64(r.Value.Mask)
	if cf := &cols[flags]; s.Len() == flags || mask == cf.mask && value&mask == cf.want {
		cf.want, cf.mask = value, mask
	}
	return cols, nil
}

func appendPrefix(line []byte, iv rules.Interval, width int) []byte {
	if width == 32 {
		line = iv.Lo.Addr4().AppendTo(line)
	} else {
		line = append(line, formatAddr6(iv.Lo)...)
	}
	n, _ := iv.PrefixLen(width)
	return strconv.AppendInt(append(line, '/'), int64(n), 10)
}

// formatAddr6 writes an IPv6 address, IPv4-mapped ones with their colons.
func formatAddr6(v rules.Value) string {
	f := rules.Field{Kind: rules.IPv6, Bits: 128}
	return f.FormatValue(v)
}

// WriteTrace writes packets and the numbers of the rules they were drawn from
// (-1 for none: the last two columns are then left out) as a trace. The keys
// are of schema s, which must have the fields src, dst, sport, dport and
// proto; a packet in which one of them is absent, or any other is present, is
// an error, since a trace cannot say it. IPv4 addresses are written as
// numbers, IPv6 ones as text. A key may be reused once it has been yielded.
func WriteTrace(w io.Writer, s *rules.Schema, packets iter.Seq2[rules.Key, int64]) error {
	var at [5]int
	for c, column := range columns {
		if at[c] = s.Index(column.field); at[c] < 0 {
			return fmt.Errorf("classbench: schema without field %s: %w", column.field, rules.ErrUnsupported)
		}
	}
	out := bufio.NewWriter(w)
	var line []byte
	n := 0
	for k, filter := range packets {
		n++
		if err := s.CheckKey(k); err != nil {
			return fmt.Errorf("classbench: packet %d: %w", n, err)
		}
		if k[0] != (uint32(1)<<s.Len()-1)&^(1<<at[src]|1<<at[dst]|1<<at[sport]|1<<at[dport]|1<<at[proto]) {
			return fmt.Errorf("classbench: packet %d: a trace has exactly the 5-tuple: %w", n, rules.ErrUnsupported)
		}
		if filter > math.MaxUint32 {
			return fmt.Errorf("classbench: packet %d: rule number %d is above %d: %w", n, filter, uint32(math.MaxUint32), rules.ErrLimit)
		}
		line = line[:0]
		for c := range columns {
			v, _ := s.Get(k, at[c])
			if c > 0 {
				line = append(line, '\t')
			}
			switch kind := s.Field(at[c]).Kind; {
			case c >= sport || kind == rules.IPv4 || kind == rules.IP && v.Addr().Is4():
				if kind == rules.IP {
					v.Lo = v.Lo & 0xffffffff
				}
				line = strconv.AppendUint(line, v.Lo, 10)
			default:
				line = append(line, formatAddr6(v)...)
			}
		}
		if filter >= 0 {
			line = append(line, "\t0\t"...)
			line = strconv.AppendInt(line, filter, 10)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}
