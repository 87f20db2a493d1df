package main

// Schemata: one program that holds many mutants.
//
// A build for each mutant would cost seconds: the package, all that import it,
// and a linked program for each package of tests. Here a function that is mutated
// stands in the file once as it was and once for each of its mutants, as a
// function of its own, and begins with a switch that calls the mutant whose
// number the environment gives:
//
//	func (t *Tree) find(x uint32) int {
//		if mutant__ >= 17 && mutant__ <= 52 {
//			switch mutant__ {
//			case 17:
//				return t.find__17(x)
//			...
//		}
//		... as it was
//	}
//
// So every kind of change is possible, whatever its types, and a mutant costs the
// time of a process. Files are laid over those of the tree with the go command's
// -overlay: nothing is written into it.

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"path/filepath"
	"sort"
	"strings"
)

// variable names the environment variable that chooses a mutant.
const variable = "CLASSIFIER_MUTANT"

// chooser is the file that reads it, in every mutated package.
const chooser = `package %s

import (
	"os"
	"strconv"
)

var mutant__ = func() int { n, _ := strconv.Atoi(os.Getenv("` + variable + `")); return n }()
`

// schema is one version of a package with mutants.
type schema struct {
	pkg     *sourcePackage
	mutants []*Mutation    // number i+1 at i
	numbers map[string]int // by key
	files   map[string]string
}

// clone is where a mutant stands in the text of a file of a schema.
type clone struct {
	from, to int
	m        *Mutation
}

// newSchema writes the files with the mutants that compile, and returns those
// that do not.
func (m *module) newSchema(p *sourcePackage, mutants []*Mutation) (s *schema, broken []*Mutation, err error) {
	for {
		s = &schema{pkg: p, mutants: mutants, numbers: map[string]int{}, files: map[string]string{}}
		clones := s.write()
		bad, err := m.uncompilable(p, s.files, clones)
		if err != nil {
			return nil, nil, err
		}
		if len(bad) == 0 {
			return s, broken, nil
		}
		var kept []*Mutation
		for _, mutant := range mutants {
			if bad[mutant] {
				broken = append(broken, mutant)
			} else {
				kept = append(kept, mutant)
			}
		}
		mutants = kept
	}
}

// uncompilable returns the mutants in which the type checker finds something.
func (m *module) uncompilable(p *sourcePackage, files map[string]string, clones map[string][]clone) (map[*Mutation]bool, error) {
	fset := token.NewFileSet()
	bad := map[*Mutation]bool{}
	at := func(pos token.Position) *Mutation {
		list := clones[pos.Filename]
		i := sort.Search(len(list), func(i int) bool { return list[i].to > pos.Offset })
		if i < len(list) && list[i].from <= pos.Offset {
			return list[i].m
		}
		return nil
	}
	var syntax []*ast.File
	for path, text := range files {
		f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution|parser.AllErrors)
		var wrong scanner.ErrorList
		if errors.As(err, &wrong) {
			mutant := at(wrong[0].Pos)
			if mutant == nil {
				return nil, err
			}
			return map[*Mutation]bool{mutant: true}, nil
		} else if err != nil {
			return nil, err
		}
		syntax = append(syntax, f)
	}
	for _, f := range p.files {
		if _, ok := files[f.path]; ok {
			continue
		}
		g, err := parser.ParseFile(fset, f.path, f.text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		syntax = append(syntax, g)
	}
	for _, e := range m.check(p, fset, syntax, nil) {
		mutant := at(fset.Position(e.Pos))
		if mutant == nil {
			return nil, fmt.Errorf("%s: %s", fset.Position(e.Pos), e.Msg)
		}
		bad[mutant] = true
	}
	return bad, nil
}

// write fills in the files, and tells where each mutant stands.
func (s *schema) write() map[string][]clone {
	byFile := map[*sourceFile]map[*function][]int{}
	for i, m := range s.mutants {
		s.numbers[m.Key()] = i + 1
		f := m.function.file
		if byFile[f] == nil {
			byFile[f] = map[*function][]int{}
		}
		byFile[f][m.function] = append(byFile[f][m.function], i+1)
	}
	clones := map[string][]clone{}
	for f, functions := range byFile {
		var order []*function
		for fn := range functions {
			order = append(order, fn)
		}
		sort.Slice(order, func(i, j int) bool { return order[i].start < order[j].start })
		var head, tail strings.Builder
		last := 0
		for _, fn := range order {
			text := string(f.text)
			head.WriteString(text[last:fn.start])
			head.WriteString(fn.dispatch(functions[fn]))
			last = fn.end
		}
		head.Write(f.text[last:])
		head.WriteString("\n")
		for _, fn := range order {
			for _, n := range functions[fn] {
				m := s.mutants[n-1]
				from := head.Len() + tail.Len()
				tail.WriteString(fn.clone(m, n))
				tail.WriteString("\n\n")
				clones[f.path] = append(clones[f.path], clone{from, head.Len() + tail.Len(), m})
			}
		}
		s.files[f.path] = head.String() + tail.String()
	}
	s.files[filepath.Join(s.pkg.dir, "zz_mutant__.go")] = fmt.Sprintf(chooser, s.pkg.name)
	return clones
}

// cloneName is the name of a function's mutant.
func cloneName(name string, n int) string { return fmt.Sprintf("%s__%d", name, n) }

// clone is the text of a mutant as a function of its own.
func (f *function) clone(m *Mutation, n int) string {
	text := m.apply()
	at := int(f.decl.Name.Pos()) - f.file.base - f.start
	end := at + len(f.decl.Name.Name)
	return text[:at] + cloneName(f.decl.Name.Name, n) + text[end:]
}

// edit is a replacement in a text.
type edit struct {
	from, to int
	text     string
}

// dispatch is the text of a function that begins by calling its mutants.
func (f *function) dispatch(numbers []int) string {
	base := f.file.base + f.start
	text := string(f.source[f.start:f.end])
	var edits []edit
	next := 0
	// named returns the names of parameters, and gives those without one a name.
	named := func(list *ast.FieldList) (names []string, variadic bool) {
		if list == nil {
			return nil, false
		}
		for _, field := range list.List {
			_, variadic = field.Type.(*ast.Ellipsis)
			if len(field.Names) == 0 {
				name := fmt.Sprintf("p__%d", next)
				next++
				at := int(field.Type.Pos()) - base
				edits = append(edits, edit{at, at, name + " "})
				names = append(names, name)
			}
			for _, id := range field.Names {
				name := id.Name
				if name == "_" {
					name = fmt.Sprintf("p__%d", next)
					next++
					at := int(id.Pos()) - base
					edits = append(edits, edit{at, at + 1, name})
				}
				names = append(names, name)
			}
		}
		return names, variadic
	}
	callee := ""
	if f.decl.Recv != nil {
		names, _ := named(f.decl.Recv)
		callee = names[0] + "."
	}
	args, variadic := named(f.decl.Type.Params)
	generic := ""
	if f.decl.Type.TypeParams != nil {
		var names []string
		for _, field := range f.decl.Type.TypeParams.List {
			for _, id := range field.Names {
				names = append(names, id.Name)
			}
		}
		generic = "[" + strings.Join(names, ", ") + "]"
	}
	call := strings.Join(args, ", ")
	if variadic {
		call += "..."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nif mutant__ >= %d && mutant__ <= %d {\nswitch mutant__ {\n", numbers[0], numbers[len(numbers)-1])
	for _, n := range numbers {
		what := fmt.Sprintf("%s%s%s(%s)", callee, cloneName(f.decl.Name.Name, n), generic, call)
		if f.decl.Type.Results != nil && len(f.decl.Type.Results.List) > 0 {
			fmt.Fprintf(&b, "case %d: return %s\n", n, what)
		} else {
			fmt.Fprintf(&b, "case %d: %s; return\n", n, what)
		}
	}
	b.WriteString("}\n}\n")
	at := int(f.decl.Body.Lbrace) + 1 - base
	edits = append(edits, edit{at, at, b.String()})
	sort.Slice(edits, func(i, j int) bool { return edits[i].from > edits[j].from })
	for _, e := range edits {
		text = text[:e.from] + e.text + text[e.to:]
	}
	return text
}
