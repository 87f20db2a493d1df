package main

// What a mutation is: a range of a source file and the text that takes its
// place, with the names by which people and files of results know it.

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mutation is one fault. It lies within one function.
type Mutation struct {
	File string // below the root of the module, with slashes
	Func string // "First", "(*Tree).First"
	Op   string // which operator made it
	Line int
	// Before and After are the lines that it changes, on one line each, with
	// single spaces. Nth tells apart those of one function with the same text.
	Before, After string
	Nth           int
	Hash          string // of the function's text

	function   *function
	start, end int // in the file
	text       string
}

// Key names a mutation, also after lines above its function have changed.
func (m *Mutation) Key() string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d", m.File, m.Func, m.Before, m.After, m.Nth)
}

// apply returns the function's text with the fault in it.
func (m *Mutation) apply() string {
	f := m.function
	return string(f.source[f.start:m.start]) + m.text + string(f.source[m.end:f.end])
}

// oneLine is text on one line: runs of white space are a space. What is very long
// is cut, at a sum that tells it from others.
func oneLine(text string) string {
	s := strings.Join(strings.Fields(text), " ")
	const most = 240
	if len(s) <= most {
		return s
	}
	at := most
	for !utf8.RuneStart(s[at]) {
		at--
	}
	return s[:at] + " … " + sum(s)
}

// sum is a short hash.
func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:4])
}

// describe fills in the lines of a mutation.
func (m *Mutation) describe() {
	src := m.function.source
	from, to := m.start, m.end
	for from > 0 && src[from-1] != '\n' {
		from--
	}
	for to < len(src) && src[to] != '\n' {
		to++
	}
	m.Line = 1 + strings.Count(string(src[:m.start]), "\n")
	m.Before = oneLine(string(src[from:to]))
	m.After = oneLine(string(src[from:m.start]) + m.text + string(src[m.end:to]))
}

// number gives mutations with the same text their places, and drops those whose
// whole function reads the same as that of an earlier one.
func number(all []*Mutation) []*Mutation {
	seen, nth := map[string]bool{}, map[string]int{}
	kept := all[:0]
	for _, m := range all {
		after := oneText(m.apply())
		if id := m.File + "\n" + m.Func + "\n" + after; seen[id] || after == oneText(string(m.function.source[m.function.start:m.function.end])) {
			continue
		} else {
			seen[id] = true
		}
		m.describe()
		m.Hash = m.function.hash
		id := m.Key()
		m.Nth = nth[id]
		nth[id]++
		kept = append(kept, m)
	}
	return kept
}

// oneText is text with single spaces, uncut.
func oneText(text string) string { return strings.Join(strings.Fields(text), " ") }
