package aws

// Errors about what documents say: kept by what they are about, so that only those
// count that matter for what is wanted, and placed in the file in the end.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// fault is an error at an offset of the file.
type fault struct {
	at            int
	token, reason string
	cause         error
}

// faults are those of a list, of a prefix list or of an interface.
type faults struct {
	where string
	first []fault
	all   int
}

// maxFaults is how many errors of a file are kept; the others are counted.
const maxFaults = 1000

// fail notes an error about a value.
func (d *documents) fail(to *faults, v *value, format string, args ...any) {
	d.note(to, v, nil, fmt.Sprintf(format, args...))
}

// refuse notes that a value is valid and not modelled.
func (d *documents) refuse(to *faults, v *value, format string, args ...any) {
	d.note(to, v, rules.ErrUnsupported, "not modelled: "+fmt.Sprintf(format, args...))
}

func (d *documents) note(to *faults, v *value, cause error, reason string) {
	token := v.text
	if v.kind == '{' || v.kind == '[' {
		token = ""
	}
	d.noteAt(to, v.at, token, cause, reason)
}

func (d *documents) noteAt(to *faults, at int, token string, cause error, reason string) {
	to.all++
	if d.kept < maxFaults || len(to.first) == 0 {
		d.kept++
		to.first = append(to.first, fault{at, token, reason, cause})
	}
}

// errors joins errors in the order of the file.
func (d *documents) errors(of []*faults) error {
	type placed struct {
		where string
		fault
	}
	var found []placed
	all := 0
	for _, f := range of {
		all += f.all
		for _, x := range f.first {
			found = append(found, placed{f.where, x})
		}
	}
	slices.SortStableFunc(found, func(a, b placed) int { return a.at - b.at })
	var errs []error
	line, begin, counted := 1, 0, 0 // of the line that counted is in
	for _, x := range found {
		for ; counted < x.at; counted++ {
			if d.in.data[counted] == '\n' {
				line, begin = line+1, counted+1
			}
		}
		errs = append(errs, &rules.ParseError{File: d.in.file, Line: line, Column: x.at - begin + 1, Where: x.where, Token: x.token, Reason: x.reason, Err: x.cause})
	}
	switch {
	case all == 0:
		return nil
	case all > len(errs):
		errs = append(errs, &rules.ParseError{File: d.in.file, Reason: fmt.Sprintf("and %d more errors", all-len(errs))})
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// Reading members of objects, with errors about those that are of another kind.

// text returns the text of a string; "" with an error, or when there is no value.
func (d *documents) text(to *faults, v *value) string {
	if v == nil {
		return ""
	}
	if v.kind != '"' {
		d.fail(to, v, "expected a string, not %s", kinds[v.kind])
		return ""
	}
	return v.text
}

// id returns the text of a member that must be there.
func (d *documents) id(to *faults, v *value, name string) string {
	m := v.get(name)
	if m == nil {
		d.fail(to, v, "%s is missing", name)
		return ""
	}
	s := d.text(to, m)
	if s == "" && m.kind == '"' {
		d.fail(to, m, "%s is empty", name)
	}
	return s
}

// number returns a whole number within bounds; ok is false with an error, or when
// there is no value.
func (d *documents) number(to *faults, v *value, least, most int) (n int, ok bool) {
	if v == nil {
		return 0, false
	}
	if v.kind == '0' {
		if n, ok = whole(v.text); ok && n >= least && n <= most {
			return n, true
		}
	}
	d.fail(to, v, "expected a whole number from %d to %d", least, most)
	return 0, false
}

// whole reads a decimal number of up to nine digits.
func whole(s string) (n int, ok bool) {
	negative := len(s) > 1 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
		if s[i] < '0' || s[i] > '9' || i > 8 {
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, s != ""
}

// items returns the objects in an array; errors are about other things in it, or
// about what is no array. There are none when there is no value.
func (d *documents) items(to *faults, v *value) []value {
	if v == nil {
		return nil
	}
	if v.kind != '[' {
		d.fail(to, v, "expected an array, not %s", kinds[v.kind])
		return nil
	}
	wrong := func(item value) bool { return item.kind != '{' }
	if !slices.ContainsFunc(v.items, wrong) {
		return v.items
	}
	var objects []value
	for i := range v.items {
		if item := v.items[i]; wrong(item) {
			d.fail(to, &item, "expected an object, not %s", kinds[item.kind])
		} else {
			objects = append(objects, item)
		}
	}
	return objects
}

// known notes members of an object that are none of the known ones.
func (d *documents) known(to *faults, v *value, names ...string) {
	for i := range v.members {
		if m := &v.members[i]; !slices.Contains(names, m.name) {
			d.noteAt(to, m.at, m.name, rules.ErrUnsupported, "not modelled: a member that is not known here")
		}
	}
}
