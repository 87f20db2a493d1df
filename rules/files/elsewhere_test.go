package files

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

const ciscoText = `!
ip access-list extended IN
 10 permit tcp any host 192.0.2.1 eq 80
!
access-list 101 deny ip any any
`

func TestListsFromElsewhereAreChosenByName(t *testing.T) {
	read := func(text, list string) (*Rules, error) {
		f := *anyRules
		f.List = list
		return ReadRules(strings.NewReader(text), "r", &f)
	}
	set, err := read(ciscoText, "101")
	require.NoError(t, err)
	require.Equal(t, []any{Cisco, "101", []int{5}}, []any{set.Format, set.List, set.RuleLines})
	require.Equal(t, "DROP", set.Native.At(0).Value)
	require.Equal(t, "any", rules.FormatRule(set.Native.Schema(), set.Native.At(0)))

	set, err = read(ciscoText[strings.Index(ciscoText, "access-list 101"):], "")
	require.NoError(t, err, "the only list")
	require.Equal(t, "101", set.List)

	for list, want := range map[string]string{
		"":    "r has 2 lists: choose one with --list: IN, 101",
		"OUT": "r has no list OUT; it has IN, 101: choose one with --list",
	} {
		_, err = read(ciscoText, list)
		require.EqualError(t, err, want)
		require.ErrorAs(t, err, new(UsageError))
	}
	_, err = read("Building configuration...\n\nCurrent configuration : 3 bytes\nend\n", "")
	require.EqualError(t, err, "r: no access list in the file")
	_, err = read("Building configuration...\n\nCurrent configuration : 3 bytes\nend\n", "7")
	require.EqualError(t, err, "r has no list 7: it has none")
	_, err = read(strings.Replace(ciscoText, "tcp any", "tcp nowhere", 1), "")
	require.EqualError(t, err, "r has 2 lists: choose one with --list: IN, 101", "what is wrong in one of them matters when it is chosen")
	_, err = read(strings.Replace(ciscoText, "tcp any", "tcp nowhere", 1), "IN")
	require.ErrorContains(t, err, "r:3:16: IN: expected any, host and an address")
	_, err = read(strings.Replace(ciscoText, "tcp any", "tcp nowhere", 1), "101")
	require.NoError(t, err)
	_, err = read("hipac 1\nschema ipv4\n", "IN")
	require.EqualError(t, err, "--list is for files with several lists, and r holds native rules")
	require.ErrorAs(t, err, new(UsageError))
	f := *anyRules
	f.List, f.AnyList = "IN", true
	set, err = ReadRules(strings.NewReader("hipac 1\nschema ipv4\n"), "r", &f)
	require.NoError(t, err)
	require.Empty(t, set.List)
}

func TestTheFirstMemberOfAnObjectIsFound(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": {"b": 1}}`: "a", "\xef\xbb\xbf \n{ \"x\":1": "x", "{}": "", "[1]": "", "": "", `{"a`: "", "{1}": "",
	} {
		require.Equal(t, want, firstMember([]byte(text)), text)
	}
}

func TestListsOfClustersAreThoseOfBothDirectionsAndOfPods(t *testing.T) {
	const cluster = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: new}
status: {phase: Pending}
---
apiVersion: v1
kind: Service
metadata: {name: web}
`
	read := func(list string) (*Rules, error) {
		f := *anyRules
		f.List = list
		return ReadRules(strings.NewReader(cluster), "r", &f)
	}
	for list, want := range map[string][]int{"ingress": {6, 2, 0}, "egress": {0}, "default/web/ingress": {6, 2, 0}} {
		set, err := read(list)
		require.NoError(t, err)
		require.Equal(t, []any{NetworkPolicy, list, want}, []any{set.Format, set.List, set.RuleLines})
		require.Equal(t, len(want), set.Native.Len())
		require.Equal(t, []string{"r:11: the Pod default/new is left out: it has no address"}, set.Notes)
	}
	for list, want := range map[string]string{
		"":                    "r has 2 lists: choose one with --list: ingress, egress",
		"forward":             "r has no list forward; it has ingress, egress: choose one with --list",
		"default/api/ingress": `r: no list "default/api/ingress": no such Pod`,
	} {
		_, err := read(list)
		require.EqualError(t, err, want)
		require.ErrorAs(t, err, new(UsageError))
	}
}

func TestFormatsFromElsewhereAreKnownByTheirContent(t *testing.T) {
	for text, want := range map[string]string{
		ciscoText: Cisco,
		"\xef\xbb\xbf!\r\nversion 15.7\r\n!\r\naccess-list 101 permit ip any any\r\n":                       Cisco,
		"Extended IP access list 101\n    10 permit ip any any (2 matches)\n":                               Cisco,
		`{"SecurityGroups": [{"GroupId": "101", "IpPermissions": [], "IpPermissionsEgress": []}]}`:          AWS,
		"\n{\n  \"NetworkAcls\": [{\"NetworkAclId\": \"101\", \"Entries\": []}]}\n{\"SecurityGroups\": []}": AWS,
		`{"NetworkInterfaces": []} {"NetworkAcls": [{"NetworkAclId": "101", "Entries": []}]}`:               AWS,
	} {
		f := *anyRules
		f.List = map[string]string{Cisco: "101", AWS: "101/ingress"}[want]
		set, err := ReadRules(strings.NewReader(text), "r", &f)
		require.NoError(t, err, text)
		require.Equal(t, want, set.Format)
		require.Equal(t, f.List, set.List)
		require.NotNil(t, set.Native)
		f.RulesFormat = want
		_, err = ReadRules(strings.NewReader(text), "r", &f)
		require.NoError(t, err)
	}
}
