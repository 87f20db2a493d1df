package aws

// Golden tests: files as the command line prints them, and what is read of them.

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

func readFile(t *testing.T, name, list string) ([]List, error) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	return Read(f, Options{File: name, List: list})
}

func TestListsAreReadAsTheyArePrinted(t *testing.T) {
	for _, name := range []string{"groups.json", "acls.json"} {
		lists, err := readFile(t, name, "")
		require.NoError(t, err)
		var b strings.Builder
		for _, l := range lists {
			fmt.Fprintf(&b, "# list %s, lines %d\n", l.Name, l.Lines)
			require.NoError(t, native.Write(&b, l.Rules))
			require.Len(t, l.Lines, l.Rules.Len())
			one, err := readFile(t, name, l.Name)
			require.NoError(t, err)
			for _, o := range one {
				require.Equal(t, o.Name == l.Name, o.Rules != nil)
				if o.Name == l.Name {
					require.Equal(t, l, o)
				}
			}
		}
		golden(t, strings.TrimSuffix(name, ".json")+".golden", b.String())
	}
}

func TestWhatIsNotModelledIsNamedInFull(t *testing.T) {
	_, err := readFile(t, "refused.json", "")
	require.ErrorIs(t, err, rules.ErrUnsupported)
	golden(t, "refused.golden", err.Error()+"\n")
}
