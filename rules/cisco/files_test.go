package cisco

// Golden tests: files as the tools print them, and what is read of them.

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
	for _, name := range []string{"branch.cfg", "show.txt"} {
		lists, err := readFile(t, name, "")
		require.NoError(t, err)
		var b strings.Builder
		for _, l := range lists {
			fmt.Fprintf(&b, "# list %s, lines %d\n", l.Name, l.Lines)
			require.NoError(t, native.Write(&b, l.Rules))
			require.Len(t, l.Lines, l.Rules.Len())
			last := l.Rules.Len() - 1
			require.Empty(t, l.Rules.At(last).Conds)
		}
		golden(t, strings.TrimSuffix(name, filepath.Ext(name))+".golden", b.String())
	}
}

func TestWhatIsNotModelledIsNamedInFull(t *testing.T) {
	_, err := readFile(t, "refused.cfg", "")
	require.Error(t, err)
	require.ErrorIs(t, err, rules.ErrUnsupported)
	golden(t, "refused.golden", err.Error()+"\n")
}

func TestAListIsReadWhateverIsWrongInOthers(t *testing.T) {
	_, err := readFile(t, "refused.cfg", "101")
	// What is in no list is still wrong.
	golden(t, "refused-101.golden", err.Error()+"\n")

	const text = "ip access-list extended A\n 10 permit tcp any any time-range T\n" +
		"object-group network UNUSED\n host a.example\nobject-group network G\n host 10.0.0.1\n" +
		"ip access-list extended B\n 10 permit ip object-group G any\nipv6 access-list B\n permit ipv6 any any\n"
	lists, err := Read(strings.NewReader(text), Options{List: "B"})
	require.NoError(t, err)
	require.Len(t, lists, 3)
	require.Equal(t, List{Name: "A"}, lists[0])
	require.Equal(t, List{Name: "B"}, lists[2], "the one of IPv6")
	require.Equal(t, "src=10.0.0.1", rules.FormatRule(Schema, lists[1].Rules.At(0)))

	lists, err = Read(strings.NewReader(text), Options{List: "A"})
	require.EqualError(t, err, `input:2:24: A: not modelled: whether a time range is active is not in a packet: "time-range"`)
	require.Equal(t, []List{{Name: "A"}, {Name: "B"}, {Name: "B"}}, lists)

	_, err = Read(strings.NewReader(text), Options{})
	require.ErrorContains(t, err, "input:4:7: object-group UNUSED: not modelled: the name of a host")
	require.ErrorContains(t, err, "input:9:18: B: not modelled: access lists of the kind ipv6")
}
