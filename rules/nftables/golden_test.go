package nftables

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// The listings in testdata are what nftables 1.0.6 prints of the files beside them.

// dump writes what was read for people.
func dump(rs *Ruleset) string {
	var b strings.Builder
	for _, t := range rs.Tables {
		fmt.Fprintf(&b, "table %s\n", t.Name)
		for i := range t.Chains {
			c := &t.Chains[i]
			fmt.Fprintf(&b, "  chain %s", c.Name)
			if c.Policy != rules.NoVerdict {
				hook, priority := rs.Hook(t.Name, c.Name)
				fmt.Fprintf(&b, " %s %d %v", hook, priority, c.Policy)
			}
			b.WriteByte('\n')
			for _, r := range c.Rules.All() {
				a := &r.Value
				if !a.Piece {
					text, line := rs.Rule(t.Name, c.Name, a.Number)
					fmt.Fprintf(&b, "    %d: %s (line %d)\n", a.Number, text, line)
				}
				fmt.Fprintf(&b, "        %s", rules.FormatRule(t.Schema, r))
				if a.Ext != nil {
					for _, s := range a.Ext.Tests {
						fmt.Fprintf(&b, " [%s]", s.Text)
					}
				}
				b.WriteString(" =>")
				switch a.Kind {
				case rules.Pass:
					b.WriteString(" pass")
				case rules.Decide:
					fmt.Fprintf(&b, " %v", a.Verdict)
				case rules.Jump:
					fmt.Fprintf(&b, " jump %s", t.Chains[a.Chain].Name)
				case rules.Goto:
					fmt.Fprintf(&b, " goto %s", t.Chains[a.Chain].Name)
				case rules.Return:
					b.WriteString(" return")
				}
				if a.Ext != nil && a.Ext.Target != nil {
					fmt.Fprintf(&b, " <%s>", a.Text)
				}
				if a.Packets+a.Bytes > 0 {
					fmt.Fprintf(&b, " [%d:%d]", a.Packets, a.Bytes)
				}
				if r.Unknown != "" {
					fmt.Fprintf(&b, " unknown: %s", r.Unknown)
				}
				if r.Comment != "" {
					fmt.Fprintf(&b, " # %s", r.Comment)
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestListingsBecomeTables(t *testing.T) {
	for _, name := range []string{"host", "router", "corners"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			require.NoError(t, err)
			rs, err := Read(bytes.NewReader(data), Options{File: name + ".json"})
			require.NoError(t, err)
			require.Empty(t, rs.Unknown)
			golden(t, filepath.Join("testdata", name+".golden"), dump(rs))
		})
	}
}

func TestAllThatIsNotModelledIsNamed(t *testing.T) {
	data, err := os.ReadFile("testdata/unmodelled.json")
	require.NoError(t, err)
	_, err = Read(bytes.NewReader(data), Options{File: "unmodelled.json"})
	require.ErrorIs(t, err, rules.ErrUnsupported)
	var first *rules.ParseError
	require.True(t, errors.As(err, &first))
	require.Equal(t, 1, first.Line)
	var all *rules.UnsupportedError
	require.True(t, errors.As(err, &all))

	rs, kept := Read(bytes.NewReader(data), Options{File: "unmodelled.json", AllowUnknown: true})
	require.NoError(t, kept)
	require.Equal(t, all.Features, rs.Unknown)
	golden(t, "testdata/unmodelled.golden", err.Error()+"\n\n"+dump(rs))
}
