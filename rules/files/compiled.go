package files

// Compiled files (package rules/saved) where rules are wanted. Lists are in them
// as such. Tables of chains are there as the text that they were read from, with
// the files beside it, and are read again.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/saved"
)

// sectionSources is the section of a compiled file with the text that tables are
// read from: numbers, in the order of AddSources.
const sectionSources = "srce"

// Sources gathers what ReadRules reads, for a compiled file.
type Sources struct {
	format string
	rules  source
	flags  RuleFlags
	beside map[string]source // by flag
}

// source is a file.
type source struct {
	name string // without folders
	data []byte
}

// besideFlags are the flags that name files beside the rules, in the order in
// which a compiled file has them.
var besideFlags = []string{"sets", "routes", "users", "groups", "connlabels"}

// record returns a reader that keeps what is read of a rule file.
func (s *Sources) record(r io.Reader, name string, f *RuleFlags) (io.Reader, func(format string)) {
	*s = Sources{beside: map[string]source{}, flags: *f}
	var buf bytes.Buffer
	return io.TeeReader(r, &buf), func(format string) {
		s.format, s.rules = format, source{filepath.Base(name), buf.Bytes()}
	}
}

// AddSources adds the section of what was read to a compiled file.
func (s *Sources) AddSources(w *saved.Writer) {
	var n saved.Numbers
	n.PutText(s.format)
	n.PutText(s.rules.name)
	n.PutText(string(s.rules.data))
	n.PutInt(s.flags.Family)
	n.PutBool(s.flags.ReversedRanges)
	n.PutBool(s.flags.AllowUnknown)
	for _, flag := range besideFlags {
		x := s.beside[flag]
		n.PutText(x.name)
		n.PutText(string(x.data))
	}
	w.Add(sectionSources, 0, n.Bytes())
}

// sourcesOf returns the sources of a compiled file.
func sourcesOf(f *saved.File) (*Sources, error) {
	section, err := f.Section(sectionSources, 0)
	if err != nil {
		return nil, err
	}
	n := saved.NewScanner(section)
	s := &Sources{beside: map[string]source{}}
	s.format = n.Text()
	s.rules = source{n.Text(), n.Bytes()}
	s.flags.Family = n.Int(6)
	s.flags.ReversedRanges = n.Bool()
	s.flags.AllowUnknown = n.Bool()
	for _, flag := range besideFlags {
		if x := (source{n.Text(), n.Bytes()}); x.name != "" {
			s.beside[flag] = x
		}
	}
	if err := n.End(); err != nil {
		return nil, err
	}
	if s.format != Iptables && s.format != Nftables || s.flags.Family != 0 && s.flags.Family != 4 && s.flags.Family != 6 {
		return nil, section.Damaged(0, "rules of the format %q", rules.Excerpt(s.format))
	}
	return s, nil
}

// Given returns the name of the first flag about how rules are read that is given; ""
// when there is none. AllowUnknown is not one of them.
func (f *RuleFlags) Given() string {
	for _, x := range []struct {
		flag  string
		given bool
	}{
		{"rules-format", f.RulesFormat != formatAuto}, {"list", f.List != "" && !f.AnyList}, {"fields", f.Fields == 6}, {"family", f.Family != 0}, {"sets", f.Sets != ""},
		{"routes", f.Routes != ""}, {"users", f.Users != ""}, {"groups", f.Groups != ""}, {"connlabels", f.Connlabels != ""},
		{"reversed-ranges", f.ReversedRanges},
	} {
		if x.given {
			return x.flag
		}
	}
	return ""
}

// readCompiled reads the rules of a compiled file.
func readCompiled(r io.Reader, name string, f *RuleFlags) (*Rules, error) {
	if flag := f.Given(); flag != "" {
		return nil, BadUsage("--%s says how rules are read, and %s holds compiled ones: it is for hipac compile", flag, name)
	}
	data, err := saved.Read(r)
	if err != nil {
		return nil, readError(name, err)
	}
	out := &Rules{Name: name, Compiled: data}
	file, err := saved.Parse(data)
	if err == nil {
		err = out.decode(file, f)
	}
	if err != nil {
		var usage UsageError
		if errors.As(err, &usage) {
			return nil, err
		}
		return nil, readError(name, err)
	}
	return out, nil
}

// decode makes the rules of a compiled file.
func (r *Rules) decode(file *saved.File, f *RuleFlags) error {
	if file.Kind == saved.KindTables {
		s, err := sourcesOf(file)
		if err != nil {
			return err
		}
		flags := s.flags
		flags.RulesFormat, flags.Fields, flags.inside, flags.Beside = s.format, 5, s, f.Beside
		for flag, to := range map[string]*string{"sets": &flags.Sets, "routes": &flags.Routes, "users": &flags.Users, "groups": &flags.Groups, "connlabels": &flags.Connlabels} {
			*to = s.beside[flag].name
		}
		text, err := ReadRules(bytes.NewReader(s.rules.data), s.rules.name, &flags)
		if err != nil {
			return err
		}
		r.Format, r.Tables, r.Lines = text.Format, text.Tables, s.rules.name
		return nil
	}
	codec, err := file.Codec()
	if err != nil {
		return err
	}
	switch codec {
	case saved.String[string]{}.Name():
		r.Format = Native
		r.Native, err = saved.ReadList(file, saved.String[string]{}, rules.Limits{})
	case classbench.Codec{}.Name():
		r.Format = ClassBench
		r.ClassBench, err = saved.ReadList(file, classbench.Codec{}, rules.Limits{}, classbench.Schema6, classbench.Schema6IPv6)
	default:
		return saved.Other("its rules have values of the codec %q; those of native rules have %q and those of ClassBench rules %q",
			rules.Excerpt(codec), saved.String[string]{}.Name(), classbench.Codec{}.Name())
	}
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}
