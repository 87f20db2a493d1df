package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/iptables"
)

func TestNamesAreReadInTheFormsOfPasswdAndGroup(t *testing.T) {
	id, err := readNames(strings.NewReader("# people\n\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\r\nwheel:x:10:alice,bob\nweb:33\nweb:34\n"), "n")
	require.NoError(t, err)
	for name, want := range map[string]uint32{"alice": 1000, "wheel": 10, "web": 33, "root": 0} {
		got, ok := id(name)
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	_, ok := id("bob")
	require.False(t, ok)
	for _, line := range []string{"alice", ":5", ":x:5", "alice:", "alice:x:", "alice:x:-1", "alice:4294967296", "+::::::"} {
		_, err := readNames(strings.NewReader("web:33\n"+line+"\n"), "n")
		require.ErrorContains(t, err, "n:2:1: not a line NAME:NUMBER", line)
	}
}

func TestNamesInRulesStandForWhatTheFilesSay(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	f := *anyRules
	f.Users, f.Groups, f.Connlabels = write("users", "alice:1000\n"), write("groups", "staff:x:50:\n"), write("labels", "7 video\n")
	const rules = "*filter\n-A OUTPUT -m owner --uid-owner alice -j ACCEPT\n-A OUTPUT -m owner --gid-owner staff -j ACCEPT\n-A OUTPUT -m connlabel --label video -j DROP\nCOMMIT\n"
	set, err := ReadRules(strings.NewReader(rules), "r", &f)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, iptables.Write(&out, set.Tables.Iptables, false))
	require.Contains(t, out.String(), "--uid-owner 1000 -j ACCEPT\n")
	require.Contains(t, out.String(), "--gid-owner 50 -j ACCEPT\n")
	require.Contains(t, out.String(), `--label "video" -j DROP`)
	_, err = ReadRules(strings.NewReader(rules), "r", anyRules)
	require.ErrorContains(t, err, "alice")

	f.Groups = write("broken", "staff\n")
	_, err = ReadRules(strings.NewReader(rules), "r", &f)
	require.ErrorContains(t, err, f.Groups+":1:1: ")
	_, err = ReadRules(strings.NewReader("hipac 1\nschema ipv4\n"), "r", &f)
	require.ErrorAs(t, err, new(UsageError))
}
