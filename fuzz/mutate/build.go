package main

// Building: programs of tests with a schema laid over the tree.

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// overlay is the file of the go command's -overlay.
type overlay struct{ Replace map[string]string }

// build is a schema on disk, and the programs made with it, each when it is first
// asked for.
type build struct {
	module   *module
	schema   *schema
	dir      string
	broken   []*Mutation
	programs map[string]*program
}

// newBuild writes a schema of the mutants to a folder.
func (m *module) newBuild(p *sourcePackage, mutants []*Mutation, dir string) (*build, error) {
	b := &build{module: m, dir: dir, programs: map[string]*program{}}
	if err := b.write(p, mutants); err != nil {
		return nil, err
	}
	// What the type checker lets pass and the compiler does not.
	for range 20 {
		_, err := m.goTool("build", "-overlay", filepath.Join(dir, "overlay.json"), p.path)
		if err == nil {
			return b, nil
		}
		bad := b.blamed(err)
		if len(bad) == 0 {
			return nil, err
		}
		b.broken = append(b.broken, bad...)
		drop := map[*Mutation]bool{}
		for _, m := range bad {
			drop[m] = true
		}
		var kept []*Mutation
		for _, m := range b.schema.mutants {
			if !drop[m] {
				kept = append(kept, m)
			}
		}
		if err := b.write(p, kept); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: the compiler refuses mutants again and again", p.path)
}

func (b *build) write(p *sourcePackage, mutants []*Mutation) error {
	s, broken, err := b.module.newSchema(p, mutants)
	if err != nil {
		return err
	}
	b.schema, b.broken = s, append(b.broken, broken...)
	over := overlay{map[string]string{}}
	for path, text := range s.files {
		name := filepath.Join(b.dir, filepath.Base(path))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
		over.Replace[path] = name
	}
	text, err := json.Marshal(over)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, "overlay.json"), text, 0o600)
}

var complaint = regexp.MustCompile(`(?m)^(\S+\.go):(\d+)(?::\d+)?: `)

// blamed returns the mutants on whose lines the compiler found something.
func (b *build) blamed(err error) (bad []*Mutation) {
	tool, ok := err.(*toolError)
	if !ok {
		return nil
	}
	_, clones := b.schema, b.schema.write()
	for _, found := range complaint.FindAllStringSubmatch(tool.output, -1) {
		line, _ := strconv.Atoi(found[2])
		for path, text := range b.schema.files {
			if filepath.Base(path) != filepath.Base(found[1]) {
				continue
			}
			at := 0
			for range line - 1 {
				at += strings.IndexByte(text[at:], '\n') + 1
			}
			for _, c := range clones[path] {
				if c.from <= at && at < c.to {
					bad = append(bad, c.m)
				}
			}
		}
	}
	return bad
}

// program is a built program of tests, or the driver.
type program struct {
	path, dir string
	checked   map[string]bool // tests that ran without a mutant: whether they passed
}

// tests returns the program of a package's tests with the schema in it.
func (b *build) tests(s *suite) (*program, error) {
	if p := b.programs[s.path]; p != nil {
		return p, nil
	}
	p := &program{path: filepath.Join(b.dir, s.file()), dir: s.dir, checked: map[string]bool{}}
	if _, err := b.module.goTool("test", "-c", "-vet=off", "-overlay", filepath.Join(b.dir, "overlay.json"), "-o", p.path, s.path); err != nil {
		return nil, err
	}
	b.programs[s.path] = p
	return p, nil
}

// command returns a program of the module, a package main, with the schema in it.
func (b *build) command(path string) (*program, error) {
	if p := b.programs["main "+path]; p != nil {
		return p, nil
	}
	p := &program{path: filepath.Join(b.dir, "driver.exe"), dir: b.module.root, checked: map[string]bool{}}
	if _, err := b.module.goTool("build", "-overlay", filepath.Join(b.dir, "overlay.json"), "-o", p.path, path); err != nil {
		return nil, err
	}
	b.programs["main "+path] = p
	return p, nil
}
