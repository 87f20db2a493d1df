package cases

// A text of rules in one of the formats: read, printed and read again it is the
// same.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
)

// Formats are the names of the formats of texts.
func Formats() []string {
	return []string{"native", "native JSON", "classbench", "iptables", "iptables JSON"}
}

// Text is a text in a format.
type Text struct {
	Format, Text string
}

// Kind says what is alike.
func (c *Text) Kind() string { return "text, " + c.Format }

// Size says how large it is.
func (c *Text) Size() string { return plural(strings.Count(c.Text, "\n"), "line") }

// Check reads, prints, and reads again.
func (c *Text) Check() error {
	_, err := CheckText(c.Format, c.Text)
	return err
}

// CheckText reads a text. One that is refused is right; of one that is taken, what is
// printed must be read as the same rules, and printed so again. It returns the number
// of rules.
func CheckText(format, text string) (n int, err error) {
	err = guarded(func() error {
		switch format {
		case "native", "native JSON":
			read, write := native.Read, native.Write
			if format != "native" {
				read, write = native.ReadJSON, native.WriteJSON
			}
			n, err = again(text, func(r io.Reader) (*rules.List[string], error) {
				return read(r, native.Options{AllowUnknown: true})
			}, write, func(l *rules.List[string]) int { return l.Len() }, sameLists[string])
		case "classbench":
			n, err = again(text, func(r io.Reader) (*rules.List[classbench.Flags], error) {
				return classbench.Read(r, classbench.Options{Fields: 5 + strings.Count(text, "\n")%2})
			}, classbench.Write, func(l *rules.List[classbench.Flags]) int { return l.Len() }, sameLists[classbench.Flags])
		case "iptables", "iptables JSON":
			read := iptables.Read
			write := func(w io.Writer, rs *iptables.Ruleset) error { return iptables.Write(w, rs, true) }
			if format != "iptables" {
				read = iptables.ReadJSON
				write = func(w io.Writer, rs *iptables.Ruleset) error { return iptables.WriteJSON(w, rs, true) }
			}
			n, err = again(text, func(r io.Reader) (*iptables.Ruleset, error) { return read(r, iptables.Options{}) },
				write, rulesOfSet, sameSets)
		default:
			return fmt.Errorf("no format %q", format)
		}
		return err
	})
	return n, err
}

// again reads a text, prints it, reads that and prints it again.
func again[R any](text string, read func(io.Reader) (R, error), write func(io.Writer, R) error, count func(R) int, same func(a, b R) error) (int, error) {
	first, err := read(strings.NewReader(text))
	if err != nil {
		return 0, nil
	}
	var one, two bytes.Buffer
	if err := write(&one, first); err != nil {
		if errors.Is(err, rules.ErrUnsupported) {
			return count(first), nil // a text that JSON cannot hold
		}
		return 0, fmt.Errorf("what was read cannot be printed: %w", err)
	}
	second, err := read(bytes.NewReader(one.Bytes()))
	if err != nil {
		return 0, fmt.Errorf("what was printed cannot be read: %w", err)
	}
	if err := same(first, second); err != nil {
		return 0, fmt.Errorf("what was printed is read otherwise: %w", err)
	}
	if err := write(&two, second); err != nil {
		return 0, fmt.Errorf("what was printed and read cannot be printed: %w", err)
	}
	if one.String() != two.String() {
		return 0, fmt.Errorf("what was printed and read prints otherwise:\n%s\nand then\n%s", rules.Excerpt(one.String()), rules.Excerpt(two.String()))
	}
	return count(first), nil
}

// sameLists says how two lists differ.
func sameLists[T comparable](a, b *rules.List[T]) error {
	if !a.Schema().Equal(b.Schema()) || a.Len() != b.Len() {
		return fmt.Errorf("%d rules of %s become %d of %s", a.Len(), a.Schema(), b.Len(), b.Schema())
	}
	for i, x := range a.All() {
		y := b.At(i)
		same := len(x.Conds) == len(y.Conds) && x.Value == y.Value && x.Continue == y.Continue && x.Unknown == y.Unknown && x.Comment == y.Comment && x.ID == y.ID
		for j := range x.Conds {
			same = same && x.Conds[j].Equal(&y.Conds[j])
		}
		if !same {
			return fmt.Errorf("rule %d: %s (%+v) becomes %s (%+v)", i, rules.FormatRule(a.Schema(), x), *x, rules.FormatRule(b.Schema(), y), *y)
		}
	}
	return nil
}

func rulesOfSet(rs *iptables.Ruleset) (n int) {
	for _, t := range rs.Tables {
		n += ruleCount(t)
	}
	return n
}

// sameSets says how two rule sets differ.
func sameSets(a, b *iptables.Ruleset) error {
	if a.Family != b.Family {
		return fmt.Errorf("family %d becomes %d", a.Family, b.Family)
	}
	d, err := rules.DiffTables(a.Tables, b.Tables)
	if err != nil {
		return err
	}
	if !d.Empty() {
		return fmt.Errorf("%d rules deleted, %d inserted, %d moved, %d replaced, %d policies", d.Deleted, d.Inserted, d.Moved, d.Replaced, d.Policies)
	}
	return nil
}

// Shrink leaves out lines, and then words of them.
func (c *Text) Shrink(ctx context.Context) drive.Case {
	if c.Check() == nil {
		return c
	}
	out := *c
	for _, sep := range []string{"\n", " "} {
		parts := strings.SplitAfter(out.Text, sep)
		fewer(ctx, parts, func(keep []string) bool {
			next := Text{c.Format, strings.Join(keep, "")}
			if next.Check() == nil {
				return false
			}
			out = next
			return true
		})
	}
	return &out
}

// Explain writes what differs, and the text.
func (c *Text) Explain(w io.Writer) {
	fmt.Fprintf(w, "%v\n%s", c.Check(), c.Text)
	if !strings.HasSuffix(c.Text, "\n") {
		fmt.Fprintln(w)
	}
}

// Write writes the case.
func (c *Text) Write(w io.Writer) error {
	if err := writeHead(w, "text", [2]string{"format", c.Format}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "text\n"+c.Text)
	return err
}

func readText(f *file) (*Text, error) {
	for _, name := range Formats() {
		if name == f.last("format") {
			return &Text{name, f.body}, nil
		}
	}
	return nil, fmt.Errorf("no format %q", f.last("format"))
}
