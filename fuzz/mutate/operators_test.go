package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// load returns the mutations of a file of testdata, which imports nothing.
func load(t *testing.T, name string) []*Mutation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return mutationsOf(t, string(text))
}

func mutationsOf(t *testing.T, text string) []*Mutation {
	t.Helper()
	p := &sourcePackage{path: "p", fset: token.NewFileSet()}
	syntax, err := parser.ParseFile(p.fset, "f.go", text, parser.SkipObjectResolution)
	require.NoError(t, err)
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err = (&types.Config{}).Check("p", p.fset, []*ast.File{syntax}, p.info)
	require.NoError(t, err)
	f := &sourceFile{name: "f.go", path: "f.go", text: []byte(text), syntax: syntax, base: int(syntax.FileStart), pkg: p}
	return f.mutations()
}

func TestOperatorsMakeTheMutationsOfTheGoldenFile(t *testing.T) {
	var b strings.Builder
	for _, m := range load(t, "operators.txt") {
		fmt.Fprintf(&b, "%d %s %s\n- %s\n+ %s\n", m.Line, m.Func, m.Op, m.Before, m.After)
	}
	golden := filepath.Join("testdata", "operators.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func TestNoTwoMutationsHaveTheSameKey(t *testing.T) {
	keys := map[string]bool{}
	for _, m := range load(t, "operators.txt") {
		require.False(t, keys[m.Key()], m.Key())
		keys[m.Key()] = true
	}
}

func TestMutationsStayWithinTheirFunctionAndChangeIt(t *testing.T) {
	for _, m := range load(t, "operators.txt") {
		require.GreaterOrEqual(t, m.start, m.function.start)
		require.LessOrEqual(t, m.end, m.function.end)
		require.NotEqual(t, oneText(string(m.function.source[m.function.start:m.function.end])), oneText(m.apply()))
	}
}

func TestOperandsStayTogetherWhenPrecedenceChanges(t *testing.T) {
	all := mutationsOf(t, "package p\nfunc f(a, b, c bool, x, y, z int) (bool, int) { return a && b && !(c || a), x * y * z - x }\n")
	var after []string
	for _, m := range all {
		after = append(after, m.After)
	}
	require.Contains(t, after, "func f(a, b, c bool, x, y, z int) (bool, int) { return a && b || !(c || a), x * y * z - x }")
	require.Contains(t, after, "func f(a, b, c bool, x, y, z int) (bool, int) { return (a || b) && !(c || a), x * y * z - x }")
	require.Contains(t, after, "func f(a, b, c bool, x, y, z int) (bool, int) { return a && b && !(c || a), (x * y + z) - x }")
	require.Contains(t, after, "func f(a, b, c bool, x, y, z int) (bool, int) { return a && b && !(c || a), (x + y) * z - x }")
}

func TestLongLinesAreCutAtASum(t *testing.T) {
	a, b := oneLine(strings.Repeat("x", 300)+"a"), oneLine(strings.Repeat("x", 300)+"b")
	require.Less(t, len(a), 270)
	require.NotEqual(t, a, b)
}
