package files

// Lists from elsewhere: formats of other systems, whose files hold any number of
// named lists with verdicts. One of them is chosen and is, from then on, a list
// whose values are text, as a native one.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/aws"
	"github.com/hipac-go/classifier/rules/cisco"
	"github.com/hipac-go/classifier/rules/networkpolicy"
)

// Names of the formats from elsewhere.
const (
	Cisco         = "cisco"
	AWS           = "aws"
	NetworkPolicy = "networkpolicy"
)

// elsewhere are those formats.
var elsewhere = []struct {
	format string
	// is tells the format by a file's beginning.
	is func(head []byte) bool
	// read reads a file. With a list's name it may leave out others, also when they
	// hold what is not modelled, but for their names. It returns all in the order of
	// the file; with an error what their names are, if that is known. Notes are as
	// those of Rules.
	read func(r io.Reader, file, list string) (lists []NamedList, notes []string, err error)
	// what a file without lists lacks
	lacks string
}{
	{Cisco, cisco.IsText, func(r io.Reader, file, list string) (out []NamedList, notes []string, err error) {
		lists, err := cisco.Read(r, cisco.Options{File: file, List: list})
		for _, l := range lists {
			out = append(out, NamedList{l.Name, l.Rules, l.Lines})
		}
		return out, nil, err
	}, "access list"},
	{AWS, isAWS, func(r io.Reader, file, list string) (out []NamedList, notes []string, err error) {
		lists, err := aws.Read(r, aws.Options{File: file, List: list})
		for _, l := range lists {
			out = append(out, NamedList{l.Name, l.Rules, l.Lines})
		}
		return out, nil, err
	}, "security group or network ACL"},
	{NetworkPolicy, networkpolicy.Is, readNetworkPolicy, "NetworkPolicy"},
}

// NamedList is one of the lists of a file from elsewhere.
type NamedList struct {
	Name string
	List *rules.List[string] // nil for one that was not asked for
	// Lines are the lines of the file that the rules come from, 0 where there is
	// none; nil when they are not known.
	Lines []int
}

// readNetworkPolicy reads the two lists of a cluster, or that of one Pod.
func readNetworkPolicy(r io.Reader, file, list string) (out []NamedList, notes []string, err error) {
	c, err := networkpolicy.Read(r, networkpolicy.Options{File: file})
	if err != nil {
		return nil, nil, err
	}
	names := []string{"ingress", "egress"}
	if strings.Contains(list, "/") {
		names = append(names, list)
	}
	for _, name := range names {
		l, err := c.List(name)
		if err != nil {
			return nil, nil, BadUsage("%s: %s", file, Printable(err.Error()))
		}
		out = append(out, NamedList{name, l.Rules, l.Lines})
	}
	for _, l := range c.LeftOut() {
		if strings.HasPrefix(l.Object, "Pod ") {
			notes = append(notes, fmt.Sprintf("%s:%d: the %s is left out: %s", file, l.Line, l.Object, l.Reason))
		}
	}
	return out, notes, nil
}

// isAWS tells the objects that the tools of AWS print, and several of them in an
// array, which Read refuses with the reason.
func isAWS(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if after, ok := bytes.CutPrefix(text, []byte("[")); ok {
		text = after
	}
	return aws.IsMember(firstMember(text))
}

// sniffElsewhere returns the format from elsewhere that a file is in, or "".
func sniffElsewhere(head []byte) string {
	for _, x := range elsewhere {
		if x.is(head) {
			return x.format
		}
	}
	return ""
}

// firstMember returns the name of the first member of the JSON object that a file
// begins with, by which objects are told from each other; "" if it is none.
func firstMember(head []byte) string {
	d := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(head), "\xef\xbb\xbf")))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	t, _ := d.Token()
	name, _ := t.(string)
	return name
}

// fromElsewhere reads a file of the format, if it is one from elsewhere, and
// chooses the list.
func (file *Rules) fromElsewhere(r io.Reader, f *RuleFlags) error {
	for _, x := range elsewhere {
		if x.format != file.Format {
			continue
		}
		lists, notes, err := x.read(r, file.Name, f.List)
		if err != nil && (f.List != "" || len(lists) < 2) {
			return err
		}
		l, err := chooseList(file.Name, f.List, x.lacks, lists)
		if err != nil {
			return err
		}
		file.Native, file.List, file.RuleLines, file.Notes = l.List, l.Name, l.Lines, notes
		return nil
	}
	return nil
}

// isElsewhere reports whether a format is one of those.
func isElsewhere(format string) bool {
	for _, x := range elsewhere {
		if x.format == format {
			return true
		}
	}
	return false
}

// chooseList returns the list of the name, or the only one.
func chooseList(file, name, lacks string, lists []NamedList) (*NamedList, error) {
	var names []string
	for i := range lists {
		if lists[i].List != nil && (lists[i].Name == name || name == "" && len(lists) == 1) {
			return &lists[i], nil
		}
		names = append(names, lists[i].Name)
	}
	switch {
	case len(lists) == 0 && name == "":
		return nil, fmt.Errorf("%s: no %s in the file", file, lacks)
	case len(lists) == 0:
		return nil, BadUsage("%s has no list %s: it has none", file, name)
	case name == "":
		return nil, BadUsage("%s has %d lists: choose one with --list: %s", file, len(names), someOf(names))
	}
	return nil, BadUsage("%s has no list %s; it has %s: choose one with --list", file, name, someOf(names))
}

// someOf names lists, not all where there are many.
func someOf(names []string) string {
	const most = 30
	more := ""
	if len(names) > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
	}
	for i, n := range names {
		names[i] = rules.Excerpt(n)
	}
	return Printable(strings.Join(names, ", ") + more)
}
