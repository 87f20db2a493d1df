package aws

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// FuzzReadIsStrictAndWhatItReadsPrints looks for documents that break the reader,
// that give errors of another type, or rules that the native format cannot hold.
func FuzzReadIsStrictAndWhatItReadsPrints(f *testing.F) {
	for _, name := range []string{"groups.json", "acls.json", "refused.json"} {
		text, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(string(text), "")
	}
	f.Add(oneGroup(fromGroup)+`{"NetworkInterfaces": [{"NetworkInterfaceId": "e", "PrivateIpAddress": "10.0.0.1", "Groups": [{"GroupId": "sg-2"}]}]}`, "sg-1/ingress")
	f.Add(oneGroup(fromList)+`{"PrefixLists": [{"PrefixListId": "pl-1"}]}{"Entries": [{"Cidr": "::/3"}]}`, "")
	f.Fuzz(func(t *testing.T, text, list string) {
		lists, err := Read(strings.NewReader(text), Options{List: list, Limits: rules.Limits{MaxRules: 2000, MaxInput: 1 << 16, MaxElements: 2000, MaxMemory: 64 << 20}})
		if err != nil {
			var typed *rules.ParseError
			require.True(t, errors.As(err, &typed), "%v", err)
			for _, l := range lists {
				require.Nil(t, l.Rules)
			}
			return
		}
		for _, l := range lists {
			require.Equal(t, list == "" || l.Name == list, l.Rules != nil)
			if l.Rules == nil {
				continue
			}
			require.Len(t, l.Lines, l.Rules.Len())
			var b strings.Builder
			require.NoError(t, native.Write(&b, l.Rules))
			again, err := native.Read(strings.NewReader(b.String()), native.Options{Schemas: []*rules.Schema{Schema}})
			require.NoError(t, err, b.String())
			require.Equal(t, l.Rules.Len(), again.Len())
			for i, r := range l.Rules.All() {
				s := again.At(i)
				require.Equal(t, r.Comment, s.Comment)
				require.Equal(t, len(r.Conds), len(s.Conds))
				for j := range r.Conds {
					require.True(t, r.Conds[j].Equal(&s.Conds[j]), "%s", b.String())
				}
			}
		}
	})
}
