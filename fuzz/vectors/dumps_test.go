package vectors

// Rule files as people keep them: all load, and what is printed reads back to
// the same text. Where NAME.save lies beside NAME, it is what iptables-save
// 1.8.9 printed once the file was loaded.
//
//	go test ./fuzz/vectors -v -dumps DIR [-refused 'NAME: REASON; NAME: REASON']
//
// Files that the real tool refuses too are named with the reason: they must be
// refused here as well.

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

var (
	dumpDir = flag.String("dumps", "", "folder of *.v4 and *.v6 files")
	refused = flag.String("refused", "", "files of -dumps that the tools refuse, and why: NAME: REASON; NAME: REASON")
)

// reasons reads the flag -refused.
func reasons(text string) (map[string]string, error) {
	m := map[string]string{}
	for _, part := range strings.Split(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, why, _ := strings.Cut(part, ":")
		if name, why = strings.TrimSpace(name), strings.TrimSpace(why); name == "" || why == "" {
			return nil, fmt.Errorf("-refused: %q: want NAME: REASON", strings.TrimSpace(part))
		}
		m[name] = why
	}
	return m, nil
}

func TestRefusedFilesAreGivenWithTheReason(t *testing.T) {
	m, err := reasons(" a.v4: no such target; b.v6: a chain: twice ;")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a.v4": "no such target", "b.v6": "a chain: twice"}, m)
	for _, bad := range []string{"a.v4", "a.v4:", ": why"} {
		_, err := reasons(bad)
		require.ErrorContains(t, err, "want NAME: REASON", bad)
	}
}

func TestRuleFilesLoadAndPrintBack(t *testing.T) {
	if *dumpDir == "" {
		t.Skip("no -dumps DIR")
	}
	var files []string
	for _, family := range []string{"*.v4", "*.v6"} {
		list, err := filepath.Glob(filepath.Join(*dumpDir, family))
		require.NoError(t, err)
		files = append(files, list...)
	}
	why, err := reasons(*refused)
	require.NoError(t, err)
	for name := range why {
		require.True(t, slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) == name }), "-refused: %s is not in %s", name, *dumpDir)
	}
	require.NotEmpty(t, files, "no *.v4 or *.v6 files in %s", *dumpDir)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			o := iptables.Options{File: filepath.Base(f), Family: 4, ReversedRanges: true}
			if strings.HasSuffix(f, ".v6") {
				o.Family = 6
			}
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			rs, err := iptables.Read(bytes.NewReader(text), o)
			if reason := why[filepath.Base(f)]; reason != "" {
				require.Error(t, err, "the tools refuse it: %s", reason)
				t.Skipf("refused, by the tools too: %s: %v", reason, err)
			}
			require.NoError(t, err)
			printed := write(t, rs)
			again, err := iptables.Read(strings.NewReader(printed), o)
			require.NoError(t, err)
			require.Equal(t, printed, write(t, again))
			saved, err := os.ReadFile(f + ".save")
			if err != nil {
				return
			}
			ours, theirs := lines(printed, true), lines(string(saved), false)
			wrong := 0
			for i := range min(len(ours), len(theirs)) {
				if ours[i] != theirs[i] {
					if wrong++; wrong <= 5 {
						t.Errorf("line %d\n  ours  %s\n  saved %s", i+1, ours[i], theirs[i])
					}
				}
			}
			require.Len(t, ours, len(theirs))
			require.Zero(t, wrong, "lines that differ")
		})
	}
}

func write(t *testing.T, rs *iptables.Ruleset) string {
	var b bytes.Buffer
	require.NoError(t, iptables.Write(&b, rs, false))
	return b.String()
}

// lines are those of a file without comments, table by table in the order of
// the tables' names: the tool has an order of its own.
func lines(text string, ours bool) (out []string) {
	tables := map[string][]string{}
	table := ""
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimRight(line, " \r"); line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '*' {
			table = line
		}
		if ours && strings.HasPrefix(line, "-A ") {
			line = strings.TrimRight(As189(line), " ")
		}
		if line[0] == ':' { // counters of policies are nobody's business here
			line, _, _ = strings.Cut(line, "[")
		}
		tables[table] = append(tables[table], line)
	}
	for _, name := range []string{"*raw", "*mangle", "*nat", "*filter", "*security"} {
		out = append(out, tables[name]...)
	}
	return out
}
