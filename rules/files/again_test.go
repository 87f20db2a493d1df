package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestFilesThatHaveNotChangedAreTheSameObjects(t *testing.T) {
	dir := t.TempDir()
	sets, routes := filepath.Join(dir, "sets"), filepath.Join(dir, "routes")
	put := func(path, text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) }
	put(sets, "create x hash:ip timeout 60\nadd x 192.0.2.1\n")
	put(routes, "local 192.0.2.1 dev lo table local\n")
	flags := RuleFlags{RulesFormat: "auto", Fields: 5, Sets: sets, Routes: routes, Beside: &Beside{}}
	const text = "*filter\n-A INPUT -m set --match-set x src -j DROP\n-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j DROP\nCOMMIT\n"
	var old []*rules.Table
	kept := func(f RuleFlags) int {
		file, err := ReadRules(strings.NewReader(text), "r", &f)
		require.NoError(t, err)
		s, err := rules.DiffTables(old, file.Tables.Tables)
		require.NoError(t, err)
		old = file.Tables.Tables
		return s.Kept
	}
	require.Equal(t, 0, kept(flags))
	require.Equal(t, 2, kept(flags))
	put(sets, "create x hash:ip timeout 60\nadd x 192.0.2.2\n")
	require.Equal(t, 1, kept(flags), "other sets")
	require.Equal(t, 2, kept(flags))
	put(routes, "nonsense here\n")
	_, err := ReadRules(strings.NewReader(text), "r", &flags)
	require.Error(t, err)
	put(routes, "local 192.0.2.1 dev lo table local\n")
	require.Equal(t, 2, kept(flags), "a bad file in between changes nothing")
	put(routes, "local 192.0.2.2 dev lo table local\n")
	require.Equal(t, 1, kept(flags), "other routes")
	flags.Beside = nil
	require.Equal(t, 0, kept(flags))
}
