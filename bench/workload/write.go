package workload

// Sets as files: which format can hold what, and writing it.

import (
	"fmt"
	"io"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/native"
)

// The formats of rule files, by their names in package rules/files.
const (
	FormatNative     = "native"
	FormatClassBench = "classbench"
	FormatIptables   = "iptables"
)

// Holds reports why a format cannot hold sets of the kind, nil where it can;
// of adversarial sets some cannot be held that only writing them tells.
func (k *Kind) Holds(format string) error {
	switch {
	case k.Chains && format != FormatIptables:
		return fmt.Errorf("%s is chains that call one another, and the %s format holds one list; %s can hold it", k.Name, format, FormatIptables)
	case k.Has("Base") && format == FormatClassBench:
		return fmt.Errorf("%s has fields beyond the 5-tuple, and the %s format has no columns for them; %s can hold it", k.Name, format, FormatNative)
	case k.Name == KindFirewall && format == FormatIptables:
		return fmt.Errorf("%s asks for VLANs, for which iptables has no match; %s can hold it", k.Name, FormatNative)
	case format != FormatNative && format != FormatClassBench && format != FormatIptables:
		return fmt.Errorf("there is no format %q; there are %s, %s, %s", rules.Excerpt(format), FormatNative, FormatClassBench, FormatIptables)
	}
	return nil
}

// Write writes the set in a format. Native files hold all of a list. ClassBench
// files hold no values: what the rules do with packets is lost, and so is
// nothing else. iptables files are as WriteSave has them. What a format cannot
// hold is an error (rules.ErrUnsupported where a single rule is the reason), and
// what was written then is no file to keep.
func (s *Set) Write(w io.Writer, format string) error {
	if err := s.Kind.Holds(format); err != nil {
		return err
	}
	switch {
	case s.List == nil:
		_, err := w.Write(s.text)
		return err
	case format == FormatNative:
		return native.Write(w, s.List)
	case format == FormatIptables:
		return WriteSave(w, s.List)
	}
	b := rules.NewBuilder[classbench.Flags](s.List.Schema())
	b.Own() // the conditions are shared
	b.Grow(s.List.Len())
	for _, r := range s.List.All() {
		if _, err := b.Add(rules.Rule[classbench.Flags]{Conds: r.Conds}); err != nil {
			return err
		}
	}
	return classbench.Write(w, b.List())
}
