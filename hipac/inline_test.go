package hipac_test

// What the compiler makes of the hot functions: a helper that grows beyond the
// compiler's budget becomes a call, which no other test would notice.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hot are the functions of a lookup, with the calls in their source that may
// stay calls. All others must be inlined.
var hot = []struct {
	file, function string
	calls          []string
}{
	{"classifier.go", "Classifier.Lookup", []string{"FirstPlain", "rank"}},
	{"classifier.go", "Classifier.Position", []string{"FirstPlain", "rank"}},
	{"classifier.go", "Classifier.rank", []string{"First"}},
	{"internal/tree/lookup.go", "Tree.First", []string{"FirstPlain", "firstAny"}},
	{"internal/tree/lookup.go", "Tree.FirstPlain", []string{"find", "bucket", "holds"}},
	{"internal/tree/lookup.go", "Tree.firstAny", []string{"find", "firstLong", "sparseLeaf", "bucket", "holds"}},
	{"internal/tree/lookup.go", "Tree.firstLong", []string{"holds"}},
	{"internal/tree/lookup.go", "Tree.FirstFrom", []string{"find", "leaf"}},
	{"internal/tree/lookup.go", "Tree.leaf", []string{"longLeaf", "sparseLeaf", "bucket"}},
	{"internal/tree/lookup.go", "Tree.longLeaf", nil},
	{"internal/tree/lookup.go", "Tree.sparseLeaf", nil},
	{"internal/tree/lookup.go", "line.find", nil},
	{"internal/tree/lookup.go", "Tree.holds", []string{"Holds"}},
	{"internal/tree/bucket.go", "Tree.bucket", []string{"Open", "Next"}},
	{"internal/tree/batch.go", "Tree.FirstBatch", []string{"firstBatch", "First"}},
	{"internal/bitvec/lookup.go", "Cursor.Open", []string{"search"}},
	{"internal/bitvec/lookup.go", "search", []string{"below"}},
	{"internal/bitvec/lookup.go", "below", nil},
	{"internal/bitvec/lookup.go", "Cursor.Next", []string{"fill"}},
	{"internal/bitvec/lookup.go", "Cursor.fill", []string{"load"}},
	{"internal/bitvec/lookup.go", "Cursor.load", []string{"enter"}},
	{"internal/bitvec/lookup.go", "Cursor.holds", nil},
}

// noCall are names of the language, of packages unsafe and math/bits, and of
// types, that look like calls and are none.
var noCall = []string{"len", "cap", "min", "max", "append", "copy", "clear", "make",
	"uint8", "uint32", "uint64", "uint", "int", "int32", "int64", "uintptr",
	"Pointer", "Add", "SliceData", "Slice", "Sub64", "TrailingZeros64", "Ref", "group", "window"}

// inlined returns the places of the calls that the compiler inlines in the
// engine, as package/file:line:column of the bracket behind the name. The go
// command repeats what the compiler once said, with paths as they were then, so
// that only their last parts count. The generic functions are compiled where they
// are used, in the command, whose package has the same name.
func inlined(t *testing.T) map[string]bool {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command to ask")
	}
	cmd := exec.Command(tool, "build", "-gcflags=github.com/hipac-go/classifier/hipac/...=-m=1", ".", "./internal/tree", "./internal/bitvec", "./cmd/hipac")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	places, pkg := map[string]bool{}, ""
	call := regexp.MustCompile(`^(\S+\.go:\d+:\d+): inlining call to `)
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "# "); ok {
			pkg = path.Base(strings.TrimSpace(name))
		} else if m := call.FindStringSubmatch(line); m != nil {
			places[pkg+"/"+path.Base(filepath.ToSlash(m[1]))] = true
		}
	}
	require.NotEmpty(t, places)
	return places
}

func TestHotFunctionsCallNoHelpers(t *testing.T) {
	places := inlined(t)
	fset := token.NewFileSet()
	files := map[string]*ast.File{}
	for _, h := range hot {
		if files[h.file] == nil {
			f, err := parser.ParseFile(fset, filepath.FromSlash(h.file), nil, 0)
			require.NoError(t, err)
			files[h.file] = f
		}
		t.Run(h.file+" "+h.function, func(t *testing.T) {
			body := bodyOf(files[h.file], h.function)
			require.NotNil(t, body, "there is no such function: name the one that took its place")
			seen := map[string]bool{}
			ast.Inspect(body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				name := called(call)
				at := fset.Position(call.Lparen)
				place := fmt.Sprintf("%s/%s:%d:%d", path.Base(path.Join("hipac", path.Dir(h.file))), path.Base(h.file), at.Line, at.Column)
				switch {
				case name == "" || slices.Contains(noCall, name):
				case slices.Contains(h.calls, name):
					seen[name] = true
				default:
					require.True(t, places[place], "%s: %s is called, not inlined", place, name)
				}
				return true
			})
			for _, name := range h.calls {
				require.True(t, seen[name], "%s is not called any more", name)
			}
		})
	}
}

// bodyOf returns the body of a function, or of a method: Type.Name.
func bodyOf(f *ast.File, name string) *ast.BlockStmt {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		is := fn.Name.Name
		if fn.Recv != nil {
			of := fn.Recv.List[0].Type
			if p, ok := of.(*ast.StarExpr); ok {
				of = p.X
			}
			if g, ok := of.(*ast.IndexExpr); ok {
				of = g.X
			}
			is = of.(*ast.Ident).Name + "." + is
		}
		if is == name {
			return fn.Body
		}
	}
	return nil
}

// called returns the name of what is called, without package or receiver, and
// nothing for conversions to types that have no name.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
