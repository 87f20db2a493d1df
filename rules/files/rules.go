package files

// Rule files: which format one is in, reading it, and choosing what of it
// packets are sent through.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
	"github.com/hipac-go/classifier/rules/route"
	"github.com/hipac-go/classifier/rules/saved"
)

// Names of the rule formats.
const (
	Native     = "native"
	ClassBench = "classbench"
	Iptables   = "iptables"
	Nftables   = "nftables"
)

// formatAuto is the format of a file that is told by its content.
const formatAuto = "auto"

// RuleFlags are the flags about a rule file.
type RuleFlags struct {
	Rules          string `placeholder:"FILE" help:"Rule file; iptables and native rules also as JSON (see hipac print), all also compiled (see hipac compile); - for standard input."`
	RulesFormat    string `enum:"auto,native,classbench,iptables,nftables,cisco,aws,networkpolicy" default:"auto" placeholder:"FORMAT" help:"Format of the rules: auto (by content, the default), native, classbench, iptables, nftables (nft -j list ruleset), cisco, aws, networkpolicy."`
	List           string `placeholder:"NAME" help:"Which list, of a file that holds several (cisco; aws: ID/ingress, ID/egress; networkpolicy: ingress, egress, NAMESPACE/POD/ingress, NAMESPACE/POD/egress)."`
	Fields         int    `enum:"5,6" default:"5" placeholder:"5|6" help:"ClassBench: match the first 5 columns (the default), or 6 with the flags."`
	Family         int    `enum:"0,4,6" default:"0" placeholder:"4|6" help:"iptables: whether iptables or ip6tables reads the file; by content when not given."`
	Sets           string `placeholder:"FILE" help:"iptables: the sets that rules ask, as ipset save writes them."`
	Routes         string `placeholder:"FILE" help:"iptables: what addresses are local (match addrtype), as ip route show table all writes it."`
	Users          string `placeholder:"FILE" help:"iptables: the numbers of users (match owner), as /etc/passwd has them or in lines NAME:NUMBER."`
	Groups         string `placeholder:"FILE" help:"iptables: the numbers of groups, as /etc/group has them or in lines NAME:NUMBER."`
	Connlabels     string `placeholder:"FILE" help:"iptables: the names of connection labels (match connlabel), a connlabel.conf."`
	ReversedRanges bool   `help:"iptables: take ranges such as 60000:29 for empty ones, as tools up to 1.8.9 did, instead of refusing them."`
	AllowUnknown   bool   `help:"native, iptables, nftables: keep rules that ask for something not modelled; packets that they would decide are UNKNOWN. Without it such a file is refused."`

	// AnyList says that List does not matter for files without lists to choose from.
	AnyList bool `kong:"-"`
	// Beside, when not nil, is what earlier readings came to, for this one.
	Beside *Beside `kong:"-"`
	// Sources, when not nil, is given what is read.
	Sources *Sources `kong:"-"`

	inside *Sources // where files beside the rules are, of a compiled file
}

// Rules is what a rule file holds: one of the three is not nil.
type Rules struct {
	Name   string // for errors
	Format string // Native, ClassBench, Iptables, Nftables or one from elsewhere

	Native     *rules.List[string] // also of formats from elsewhere
	ClassBench *rules.List[classbench.Flags]
	Tables     *Tables

	// Compiled is the file itself, when it is a compiled one; the rules are then
	// those in it. It must not be changed.
	Compiled []byte
	// Lines is the name of the file that the numbers of lines are of, when that is
	// another one.
	Lines string

	// List is the name of the list of a file from elsewhere, and RuleLines are the
	// lines that its rules come from, 0 where there is none; nil when they are not
	// known.
	List      string
	RuleLines []int

	// Notes say, a line each, what of the file the rules leave out that a reader may
	// not expect: Pods without an address.
	Notes []string
}

// LinesOf returns the name of the file that numbers of lines are of.
func (r *Rules) LinesOf() string {
	if r.Lines != "" {
		return r.Lines
	}
	return r.Name
}

// ReadRules reads a rule file; the name is the one for errors.
func ReadRules(r io.Reader, name string, f *RuleFlags) (*Rules, error) {
	const head = 64 << 10
	in := bufio.NewReaderSize(r, head)
	file := &Rules{Name: name, Format: f.RulesFormat}
	prefix, err := in.Peek(head)
	if err != nil && err != io.EOF {
		return nil, readError(name, err)
	}
	if f.inside == nil && saved.Is(prefix) {
		return readCompiled(in, name, f)
	}
	if f.Sources != nil {
		recorded, done := f.Sources.record(in, name, f)
		in = bufio.NewReaderSize(recorded, head)
		defer func() { done(file.Format) }()
	}
	if file.Format == formatAuto {
		if file.Format, err = sniffRules(prefix, name); err != nil {
			return nil, readError(name, err)
		}
	}
	if f.Fields == 6 && file.Format != ClassBench {
		return nil, BadUsage("--fields 6 is for ClassBench rules, and %s holds %s rules", name, file.Format)
	}
	if f.Family != 0 && file.Format != Iptables {
		return nil, BadUsage("--family is for iptables rules, and %s holds %s rules", name, file.Format)
	}
	for _, beside := range []struct{ flag, value string }{{"sets", f.Sets}, {"routes", f.Routes}, {"users", f.Users}, {"groups", f.Groups}, {"connlabels", f.Connlabels}} {
		if beside.value != "" && file.Format != Iptables {
			return nil, BadUsage("--%s is for iptables rules, and %s holds %s rules", beside.flag, name, file.Format)
		}
	}
	if f.List != "" && !f.AnyList && !isElsewhere(file.Format) {
		return nil, BadUsage("--list is for files with several lists, and %s holds %s rules", name, file.Format)
	}
	switch file.Format {
	default:
		err = file.fromElsewhere(in, f)
	case Native:
		opts := native.Options{File: name, AllowUnknown: f.AllowUnknown}
		if native.IsJSON(prefix) {
			file.Native, err = native.ReadJSON(in, opts)
		} else {
			file.Native, err = native.Read(in, opts)
		}
	case ClassBench:
		file.ClassBench, err = classbench.Read(in, classbench.Options{File: name, Fields: f.Fields})
	case Iptables:
		opts := iptables.Options{File: name, Family: f.Family, ReversedRanges: f.ReversedRanges, AllowUnknown: f.AllowUnknown}
		err = nil
		if f.Sets != "" {
			err = f.read("sets", f.Sets, func(r io.Reader) (err error) {
				opts.Sets, err = f.Beside.ofSets().again(r, 0, func(r io.Reader) (*ipset.Sets, error) {
					return ipset.Read(r, ipset.Options{File: f.Sets})
				})
				return err
			})
		}
		if f.Routes != "" && err == nil {
			family := f.Family
			if family == 0 && bytes.Contains(prefix, []byte("ip6tables-save")) {
				family = 6
			}
			err = f.read("routes", f.Routes, func(r io.Reader) (err error) {
				opts.Routes, err = f.Beside.ofRoutes().again(r, family, func(r io.Reader) (*route.Table, error) {
					return route.Read(r, route.Options{File: f.Routes, Family: family})
				})
				return err
			})
		}
		if err == nil {
			err = f.names(&opts)
		}
		if err != nil {
			return nil, err
		}
		if native.IsJSON(prefix) {
			file.Tables, err = tablesOfIptables(iptables.ReadJSON(in, opts))
		} else {
			file.Tables, err = tablesOfIptables(iptables.Read(in, opts))
		}
	case Nftables:
		file.Tables, err = readNftables(in, name, f)
	}
	var usage UsageError
	switch {
	case errors.As(err, &usage):
		return nil, err
	case err != nil:
		return nil, readError(name, err)
	}
	return file, nil
}

// names reads the files that say what names in rules stand for.
func (f *RuleFlags) names(opts *iptables.Options) error {
	for _, ids := range []struct {
		flag, path string
		to         *func(string) (uint32, bool)
	}{{"users", f.Users, &opts.Users}, {"groups", f.Groups, &opts.Groups}} {
		if ids.path == "" {
			continue
		}
		if err := f.read(ids.flag, ids.path, func(r io.Reader) (err error) {
			*ids.to, err = readNames(r, ids.path)
			return err
		}); err != nil {
			return err
		}
	}
	if f.Connlabels == "" {
		return nil
	}
	return f.read("connlabels", f.Connlabels, func(r io.Reader) error {
		text, err := readSmall(r)
		opts.ConnLabels = string(text)
		return err
	})
}

// read reads a file that belongs to the rules, which a flag names.
func (f *RuleFlags) read(flag, path string, read func(io.Reader) error) error {
	if f.inside != nil {
		if err := read(bytes.NewReader(f.inside.beside[flag].data)); err != nil {
			return readError(path, err)
		}
		return nil
	}
	if path == "-" {
		return BadUsage("standard input is for rules and packets")
	}
	r, _, done, err := Open(path, nil)
	if err != nil {
		return err
	}
	defer done()
	var kept bytes.Buffer
	if f.Sources != nil {
		r = io.TeeReader(r, &kept)
	}
	if err := read(r); err != nil {
		return readError(path, err)
	}
	if f.Sources != nil {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return readError(path, err)
		}
		f.Sources.beside[flag] = source{filepath.Base(path), kept.Bytes()}
	}
	return nil
}

// sniffRules tells the format of a rule file by its beginning.
func sniffRules(head []byte, name string) (string, error) {
	if len(head) == 0 {
		return "", fmt.Errorf("the file is empty")
	}
	if format := sniffElsewhere(head); format != "" {
		return format, nil
	}
	switch {
	case native.IsJSON(head):
		switch {
		case firstMember(head) == "nftables":
			return Nftables, nil
		case bytes.Contains(head, []byte(`"hipac-iptables"`)):
			return Iptables, nil
		case bytes.Contains(head, []byte(`"hipac"`)):
			return Native, nil
		}
		return "", fmt.Errorf("JSON, but not of a known form: %s", knownJSON)
	case native.IsText(head):
		return Native, nil
	case isArray(head):
		return "", fmt.Errorf("a JSON array, not an object: %s", knownJSON)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "", fmt.Errorf("text in UTF-16, which is not read: write it as UTF-8")
	}
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		number++
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case line[0] == '#':
			if bytes.Contains(line, []byte("tables-save")) {
				return Iptables, nil
			}
		case line[0] == '@':
			return ClassBench, nil
		case line[0] == '*', line[0] == ':', line[0] == '[', bytes.HasPrefix(line, []byte("-A ")), bytes.Equal(line, []byte("COMMIT")):
			return Iptables, nil
		case bytes.HasPrefix(line, []byte("table ")):
			return "", &rules.ParseError{File: name, Line: number, Column: 1, Token: string(line), Reason: "rules in nft's own words, which are not read: nft -j list ruleset prints what is"}
		case bytes.IndexByte(head, 0) >= 0 || head[0] == 0x1f:
			return "", fmt.Errorf("not a text file (it begins with % x), and not a compiled one", head[:min(4, len(head))])
		default:
			return "", &rules.ParseError{File: name, Line: number, Column: 1, Token: string(line), Reason: `cannot tell the format of the rules: ` +
				`native rules begin with "hipac 1" or a JSON object with a member "hipac", classbench rules with "@", ` +
				`iptables rules with "*TABLE", access lists of Cisco IOS with "ip access-list", Kubernetes objects with "apiVersion"; --rules-format says which it is`}
		}
	}
	return "", fmt.Errorf("no rules: nothing but blank lines and comments; --rules-format says which format it is")
}

// knownJSON says what JSON is read.
const knownJSON = `rules are told by a member: native ones by "hipac", with the format "hipac-iptables" those of iptables; ` +
	`those of nftables by "nftables", as nft -j list ruleset prints it; AWS's by "SecurityGroups" or "NetworkAcls" first; objects of Kubernetes by "apiVersion" and "kind"`

// isArray reports whether a file begins as a JSON array does, and not as counters of
// iptables-save do.
func isArray(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	after, ok := bytes.CutPrefix(text, []byte("["))
	after = bytes.TrimLeft(after, " \t\r\n")
	return ok && len(after) > 0 && bytes.IndexByte([]byte(`{["]`), after[0]) >= 0
}

// Choose returns the table and the chain that packets enter at; nil for a
// list. The empty chain is FORWARD, or the first built-in one of a table
// without it. The empty table is filter, or the only one of nftables.
func (file *Rules) Choose(table, chain string) (*rules.Table, int, error) {
	if file.Tables == nil {
		if table != "" || chain != "" {
			return nil, 0, BadUsage("--table and --chain are for iptables and nftables rules, and %s holds %s rules", file.Name, file.Format)
		}
		return nil, 0, nil
	}
	t, err := file.Tables.choose(file.Name, table)
	if err != nil {
		return nil, 0, err
	}
	entry, err := EntryChain(t, chain)
	return t, entry, err
}

// EntryChain returns the index of the built-in chain of the name, or, for the
// empty one, of FORWARD or the first built-in one.
func EntryChain(t *rules.Table, chain string) (int, error) {
	var builtin []string
	first := -1
	for i := range t.Chains {
		if t.Chains[i].Policy == rules.NoVerdict {
			continue
		}
		if builtin = append(builtin, t.Chains[i].Name); first < 0 || chain == "" && strings.EqualFold(t.Chains[i].Name, "FORWARD") {
			first = i
		}
		if t.Chains[i].Name == chain {
			return i, nil
		}
	}
	if chain == "" && first >= 0 {
		return first, nil
	}
	if builtin == nil {
		return 0, BadUsage("packets do not enter table %s: it has no base chain", t.Name)
	}
	return 0, BadUsage("packets do not enter table %s at chain %s: choose one of %s with --chain", t.Name, chain, strings.Join(builtin, ", "))
}
