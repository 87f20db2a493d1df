package iptables

// Matches and targets that the caller registers.

import (
	"errors"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

// testFunc is a test made of a function.
type testFunc func(rules.Subject) rules.Outcome

func (f testFunc) Ask(s rules.Subject) (rules.Outcome, string) { return f(s), "" }

// noteTarget notes what it is applied to.
type noteTarget struct{ notes *[]string }

func (n noteTarget) Apply(_ rules.Subject, _ rules.Place, unsure string) (rules.Outcome, string) {
	*n.notes = append(*n.notes, "applied"+unsure)
	return rules.Yes, ""
}

func TestRegisteredMatchesAndTargetsReadTheirOwnOptions(t *testing.T) {
	var notes []string
	var seen [][]string
	made := 0
	o := Options{Family: 4,
		Matches: map[string]func([]string) (rules.Test, error){
			"weather": func(words []string) (rules.Test, error) {
				made++
				seen = append(seen, append([]string{}, words...))
				if len(words) == 0 {
					return nil, errors.New("needs --sunny or ! --sunny")
				}
				hits := 0 // every rule has a memory of its own
				return testFunc(func(rules.Subject) rules.Outcome {
					if hits++; (words[0] != "!") == (hits%2 == 1) {
						return rules.Yes
					}
					return rules.No
				}), nil
			},
			"tcp": func([]string) (rules.Test, error) { return nil, errors.New("the registry knows tcp") },
		},
		Targets: map[string]func([]string) (RegisteredTarget, error){
			"BELL": func([]string) (RegisteredTarget, error) { return RegisteredTarget{Target: noteTarget{&notes}}, nil },
			"CLOSE": func(w []string) (RegisteredTarget, error) {
				return RegisteredTarget{Kind: rules.Decide, Verdict: rules.Drop}, nil
			},
			"LEAP": func(w []string) (RegisteredTarget, error) { return RegisteredTarget{Kind: rules.Jump}, nil },
		}}
	const text = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -s 192.0.2.1/32 -m weather --sunny --degrees -3 "two words" -j BELL --loud
-A INPUT -s 198.51.100.1/32 -m weather --sunny --degrees -3 "two words" -j BELL --loud
-A INPUT -p tcp -m tcp --dport 80 -m weather ! --sunny -j CLOSE
COMMIT
`
	rs, err := Read(strings.NewReader(strings.Replace(text, "-A INPUT -s 198.51.100.1/32 -m weather --sunny --degrees -3 \"two words\" -j BELL --loud\n", "", 1)), o)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"--sunny", "--degrees", "-3", "two words"}, {"!", "--sunny"}}, seen)
	in := rs.Tables[0].Chains[0].Rules
	require.Equal(t, `weather --sunny --degrees -3 "two words"`, in.At(0).Value.Ext.Tests[0].Text)
	require.Equal(t, "BELL --loud", in.At(0).Value.Text)
	k := keyOf(t, rs.Tables[0], "dport=80")
	require.Equal(t, rules.Accept, rs.Tables[0].Evaluate(k, 0, nil).Verdict)
	require.Equal(t, []string{"applied"}, notes)
	require.Equal(t, rules.Drop, rs.Tables[0].Evaluate(k, 0, nil).Verdict, "the second packet finds no sun")
	require.Equal(t, []string{"applied"}, notes)

	rs, err = Read(strings.NewReader(text), o)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(printed(t, rs, false), "\n")
	require.Equal(t, text, rest)
	made = 0
	_, err = Read(strings.NewReader("*filter\n-A INPUT -s 192.0.2.1,192.0.2.2,192.0.2.3 -m weather --sunny\nCOMMIT\n"), o)
	require.NoError(t, err)
	require.Equal(t, 3, made, "one for each rule of the kernel")

	for rule, want := range map[string]string{
		"-m weather -j DROP": "f:2:13: INPUT/1: match weather: needs --sunny or ! --sunny",
		"-j LEAP":            "f:2:13: INPUT/1: target LEAP: its action is to be Pass, Return or Decide",
		"-m snow --deep":     "match snow is not modelled",
	} {
		o.File = "f"
		_, err := Read(strings.NewReader("*filter\n-A INPUT "+rule+"\nCOMMIT\n"), o)
		require.ErrorContains(t, err, want)
	}
	rs, err = Read(strings.NewReader("*filter\n:BELL - [0:0]\n-A INPUT -j BELL\nCOMMIT\n"), o)
	require.NoError(t, err)
	require.Equal(t, rules.Jump, rs.Tables[0].Chains[0].Rules.At(0).Value.Kind, "a chain of that name comes first")
}
