package networkpolicy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
	"github.com/hipac-go/classifier/rules/networkpolicy"
)

// FuzzRead looks for files that are not refused with a placed error, and for lists
// that are not what they print.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/*.json"} {
		names, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, name := range names {
			data, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(string(data))
		}
	}
	errs, err := os.ReadFile("testdata/errors.txt")
	require.NoError(f, err)
	for _, section := range strings.Split(string(errs), "==== ")[1:] {
		_, in, _ := strings.Cut(section, "\n")
		in, _, _ = strings.Cut(in, "-- error\n")
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := networkpolicy.Read(strings.NewReader(in), networkpolicy.Options{File: "f",
			Limits: rules.Limits{MaxInput: 1 << 16, MaxRules: 1000, MaxMemory: 1 << 24, MaxDepth: 100}})
		if err != nil {
			var placed *rules.ParseError
			require.True(t, errors.As(err, &placed), "%v", err)
			return
		}
		names := []string{"ingress", "egress"}
		for _, p := range c.Pods() {
			names = append(names, p+"/ingress", p+"/egress")
		}
		for _, name := range names[:min(len(names), 10)] {
			l, err := c.List(name)
			require.NoError(t, err)
			require.Len(t, l.Lines, l.Rules.Len())
			last := l.Rules.At(l.Rules.Len() - 1)
			require.Equal(t, "ACCEPT", last.Value)
			require.Empty(t, last.Conds)
			var b strings.Builder
			require.NoError(t, native.Write(&b, l.Rules))
			again, err := native.Read(strings.NewReader(b.String()), native.Options{})
			require.NoError(t, err, b.String())
			require.Equal(t, l.Rules.Len(), again.Len())
			for i, r := range l.Rules.All() {
				s := again.At(i)
				require.Equal(t, []any{r.Value, r.Comment, len(r.Conds)}, []any{s.Value, s.Comment, len(s.Conds)})
				for j := range r.Conds {
					require.True(t, r.Conds[j].Equal(&s.Conds[j]), b.String())
				}
			}
		}
	})
}
