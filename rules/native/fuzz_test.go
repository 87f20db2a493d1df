package native

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRead looks for text that is accepted and not printed so that it is read
// back to an equal list.
func FuzzRead(f *testing.F) {
	seed, err := os.ReadFile("testdata/all.hipac")
	require.NoError(f, err)
	f.Add(string(seed))
	f.Add("hipac 1\nschema a:enum:4:x=1,x-y=2,y=3 b:bits:3:S=1,T=6 n:name p:proto\nrule a=1-3 n=#,+,*- b!=S+T/7\n")
	f.Fuzz(func(t *testing.T, in string) {
		l, err := Read(strings.NewReader(in), Options{AllowUnknown: true})
		if err != nil {
			return
		}
		m, err := Read(strings.NewReader(text(t, l)), Options{})
		require.NoError(t, err, "%q", text(t, l))
		requireEqual(t, l, m)
	})
}

// FuzzReadJSON does the same for JSON, and holds its syntax to encoding/json's.
func FuzzReadJSON(f *testing.F) {
	seed, err := os.ReadFile("testdata/all.json")
	require.NoError(f, err)
	f.Add(string(seed))
	f.Add(`{"hipac":1,"schema":{"fields":[{"name":"a","kind":"bits","bits":3,"symbols":[{"name":"S","value":1}]}]},"rules":[{"id":7,"match":["a\u003dS"],"value":"\ud83d\ude00"}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		l, err := ReadJSON(strings.NewReader(in), Options{AllowUnknown: true})
		if err != nil {
			return
		}
		require.True(t, json.Valid([]byte(strings.TrimPrefix(in, "\ufeff"))), "%q", in)
		var std struct {
			Rules []struct{ Value, Comment string }
		}
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(in, "\ufeff")), &std))
		require.Len(t, std.Rules, l.Len())
		for i, r := range l.All() {
			require.Equal(t, std.Rules[i].Value, r.Value)
			require.Equal(t, std.Rules[i].Comment, r.Comment)
		}
		m, err := ReadJSON(strings.NewReader(jsonText(t, l)), Options{})
		require.NoError(t, err)
		requireEqual(t, l, m)
	})
}
