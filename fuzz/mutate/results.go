package main

// Results: a file of JSON lines, one for each mutant, so that a run that ends goes
// on later. Of several lines of a mutant the last one counts; a line of a function
// that has changed since does not.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// result is a line.
type result struct {
	File   string `json:"file"`
	Func   string `json:"func"`
	Line   int    `json:"line"`
	Op     string `json:"op"`
	Before string `json:"before"`
	After  string `json:"after"`
	Nth    int    `json:"nth,omitempty"`
	Hash   string `json:"hash"`
	verdict
}

func (r *result) key() string {
	m := Mutation{File: r.File, Func: r.Func, Before: r.Before, After: r.After, Nth: r.Nth}
	return m.Key()
}

// results are those of a file, and what is added to it.
type results struct {
	byKey map[string]*result
	file  *os.File
}

// openResults reads a file of results and goes on with it. Without a name nothing
// is kept on disk.
func openResults(name string) (*results, error) {
	r := &results{byKey: map[string]*result{}}
	if name == "" {
		return r, nil
	}
	text, err := os.Open(name)
	if err == nil {
		defer text.Close()
		lines := bufio.NewScanner(text)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			var one result
			if err := json.Unmarshal(lines.Bytes(), &one); err != nil || one.Outcome == "" {
				return nil, fmt.Errorf("%s:%d: not a line of results; name another file, or none", name, n)
			}
			r.byKey[one.key()] = &one
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return r, err
}

// of returns the result of a mutant, if there is one of its function as it is.
func (r *results) of(m *Mutation) *result {
	one := r.byKey[m.Key()]
	if one == nil || one.Hash != m.Hash {
		return nil
	}
	return one
}

// add adds a result, to the file at once.
func (r *results) add(m *Mutation, v verdict) error {
	one := &result{m.File, m.Func, m.Line, m.Op, m.Before, m.After, m.Nth, m.Hash, v}
	r.byKey[m.Key()] = one
	if r.file == nil {
		return nil
	}
	line, err := json.Marshal(one)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(line, '\n'))
	return err
}

func (r *results) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
