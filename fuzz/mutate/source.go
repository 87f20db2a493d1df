package main

// The code to mutate: packages as the go command lists them, parsed and with
// types.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is a Go module on disk.
type module struct {
	root    string
	exports map[string]string // files with the exported types of packages
	env     []string
}

// sourceFile is a file of a package.
type sourceFile struct {
	name   string // below the module's root, with slashes
	path   string // absolute
	text   []byte
	syntax *ast.File
	base   int
	pkg    *sourcePackage
}

// sourcePackage is a package with its types.
type sourcePackage struct {
	path  string // as it is imported
	dir   string
	name  string
	files []*sourceFile
	fset  *token.FileSet
	info  *types.Info
}

// openModule returns the module that holds a folder.
func openModule(dir string) (*module, error) {
	m := &module{exports: map[string]string{}, env: append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")}
	m.root = dir
	out, err := m.goTool("list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	m.root = strings.TrimSpace(string(out))
	return m, nil
}

// goTool runs the go command in the module's root.
func (m *module) goTool(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = m.root, m.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, &toolError{command: "go " + args[0], output: stderr.String() + stdout.String(), err: err}
	}
	return stdout.Bytes(), nil
}

// toolError is what a failing go command said.
type toolError struct {
	command, output string
	err             error
}

func (e *toolError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.output), "\n")
	if len(lines) > 12 {
		lines = append(lines[:12], "...")
	}
	return fmt.Sprintf("%s: %v\n%s", e.command, e.err, strings.Join(lines, "\n"))
}

func (e *toolError) Unwrap() error { return e.err }

// listed is what the go command tells of a package.
type listed struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	DepOnly                       bool
}

// list lists packages and, with deps, all that they import.
func (m *module) list(deps bool, patterns ...string) ([]listed, error) {
	args := []string{"list", "-json=ImportPath,Dir,Name,Export,GoFiles,DepOnly"}
	if deps {
		args = append(args, "-export", "-deps")
	}
	out, err := m.goTool(append(append(args, "--"), patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, l)
	}
}

// load reads the packages and checks their types.
func (m *module) load(patterns ...string) ([]*sourcePackage, error) {
	all, err := m.list(true, append([]string{"os", "strconv"}, patterns...)...) // and what schemata import
	if err != nil {
		return nil, err
	}
	var packages []*sourcePackage
	for _, l := range all {
		m.exports[l.ImportPath] = l.Export
		if l.DepOnly || l.ImportPath == "os" || l.ImportPath == "strconv" {
			continue
		}
		p := &sourcePackage{path: l.ImportPath, dir: l.Dir, name: l.Name, fset: token.NewFileSet()}
		for _, name := range l.GoFiles {
			path := filepath.Join(l.Dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			below, err := filepath.Rel(m.root, path)
			if err != nil {
				return nil, err
			}
			syntax, err := parser.ParseFile(p.fset, path, text, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			p.files = append(p.files, &sourceFile{name: filepath.ToSlash(below), path: path, text: text, syntax: syntax,
				base: int(syntax.FileStart), pkg: p})
		}
		packages = append(packages, p)
	}
	for _, p := range packages {
		var syntax []*ast.File
		for _, f := range p.files {
			syntax = append(syntax, f.syntax)
		}
		p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		if errs := m.check(p, p.fset, syntax, p.info); len(errs) > 0 {
			return nil, fmt.Errorf("%s: %w", p.path, errs[0])
		}
	}
	return packages, nil
}

// check checks the types of a package's files and returns what is wrong.
func (m *module) check(p *sourcePackage, fset *token.FileSet, files []*ast.File, info *types.Info) (errs []types.Error) {
	lookup := func(path string) (io.ReadCloser, error) {
		name := m.exports[path]
		if name == "" {
			return nil, fmt.Errorf("no exported types of %s", path)
		}
		return os.Open(name)
	}
	config := types.Config{
		Importer: importer.ForCompiler(fset, "gc", lookup),
		Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) {
				errs = append(errs, e)
			}
		},
	}
	_, _ = config.Check(p.path, fset, files, info)
	return errs
}

// functions returns the functions of a file that have a body.
func (f *sourceFile) functions() (all []*function) {
	for _, d := range f.syntax.Decls {
		d, ok := d.(*ast.FuncDecl)
		if !ok || d.Body == nil {
			continue
		}
		fn := &function{decl: d, source: f.text, file: f, start: int(d.Pos()) - f.base, end: int(d.End()) - f.base}
		fn.name = funcName(d)
		fn.hash = sum(oneText(string(f.text[fn.start:fn.end])))
		all = append(all, fn)
	}
	return all
}

// funcName is a function's name as people write it: First, (*Tree).First.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t, star := d.Recv.List[0].Type, ""
	if s, ok := t.(*ast.StarExpr); ok {
		t, star = s.X, "*"
	}
	switch g := t.(type) {
	case *ast.IndexExpr:
		t = g.X
	case *ast.IndexListExpr:
		t = g.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return "(" + star + id.Name + ")." + d.Name.Name
	}
	return d.Name.Name
}

// mutations returns all mutations of a file.
func (f *sourceFile) mutations() (all []*Mutation) {
	for _, fn := range f.functions() {
		all = append(all, mutate(fn, f.pkg.info, f.base)...)
	}
	return number(all)
}
