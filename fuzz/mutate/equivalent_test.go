package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheListOfEquivalentsIsRead(t *testing.T) {
	list, err := parseEquivalents("list", `# a comment
a.go (*T).f
- x := 1
+ x := 2
- return
+
= it is not
= used

a.go *
cost
= prints only
`)
	require.NoError(t, err)
	require.Len(t, list, 3)
	m := &Mutation{File: "a.go", Func: "(*T).f", Before: "x := 1", After: "x := 2"}
	require.Equal(t, "it is not used", list.of(m).reason)
	require.Equal(t, "it is not used", list.of(&Mutation{File: "a.go", Func: "(*T).f", Before: "return"}).reason)
	require.True(t, list.of(&Mutation{File: "a.go", Func: "g"}).all)
	require.Nil(t, list.of(&Mutation{File: "b.go", Func: "g"}))
	require.Empty(t, list.unused())
}

func TestOneOfSeveralMutantsWithTheSameLinesIsNamedByItsNumber(t *testing.T) {
	list, err := parseEquivalents("list", "a.go f\n-2 break\n+\n= why\n")
	require.NoError(t, err)
	for nth := range 4 {
		found := list.of(&Mutation{File: "a.go", Func: "f", Before: "break", Nth: nth})
		require.Equal(t, nth == 1, found != nil)
	}
}

func TestEntriesThatMatchNothingAreReported(t *testing.T) {
	list, err := parseEquivalents("list", "a.go f\n- x\n+ y\n= why\n")
	require.NoError(t, err)
	require.Nil(t, list.of(&Mutation{File: "a.go", Func: "f", Before: "x", After: "z"}))
	require.Equal(t, "line 2: a.go f: - x", list.unused()[0].String())
}

func TestAWrongListSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"a.go\n":                     "list:1: no file and function",
		"a.go f\n- x\n= why\n":       "list:3: not expected here",
		"a.go f\n- x\n+ y\n":         "list:4: a paragraph without",
		"a.go f\n= why\n":            "list:2: not expected here",
		"a.go f\n- x\n+ y\n= w\nz\n": "list:5: not expected here",
	} {
		_, err := parseEquivalents("list", text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestTheListOfTheProjectIsWellFormed(t *testing.T) {
	_, err := readEquivalents("equivalent.txt")
	require.NoError(t, err)
}
