package main

// Suites: packages of tests, how long each test takes, and which lines of the
// code that is mutated it reaches. It is measured once, without mutants, and kept
// in a file by the sum of the program of tests.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// suite is the tests of a package.
type suite struct {
	path, dir string
	own       bool // of the package that is mutated
	tests     []*test
}

// test is one test, fuzz target or example.
type test struct {
	Name     string
	Seconds  float64
	Passed   bool
	TimedOut bool // there was no more time for it
	// Reached has the numbers of the blocks that it enters.
	Reached []int
	suite   *suite
}

// block is a range of a file that is entered as a whole.
type block struct {
	File                 string // import path of the package, and the file's name
	FromLine, FromColumn int
	ToLine, ToColumn     int
}

// measured is what is kept of a suite.
type measured struct {
	Blocks []block
	Tests  []*test
}

func (s *suite) file() string {
	return strings.NewReplacer("/", "_", ".", "_").Replace(s.path) + ".test"
}

var isTest = regexp.MustCompile(`^(Test|Fuzz|Example)`)

// cover measures the tests of a suite. The programs and what is learned are in a
// folder. Tests that take longer than most are not used, and are measured again when
// there is more time.
func (m *module) cover(ctx context.Context, s *suite, packages []string, dir string, most time.Duration, tell func(string)) (*measured, error) {
	program := filepath.Join(dir, "cover-"+s.file())
	if _, err := m.goTool("test", "-c", "-vet=off", "-cover", "-covermode=set", "-coverpkg="+strings.Join(packages, ","), "-o", program, s.path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return &measured{}, nil // no tests
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(text)
	kept := filepath.Join(dir, hex.EncodeToString(h[:8])+".json")
	var result measured
	known := map[string]*test{}
	if text, err := os.ReadFile(kept); err == nil && json.Unmarshal(text, &result) == nil {
		for _, t := range result.Tests {
			if known[t.Name] = t; t.TimedOut && t.Seconds < most.Seconds()/2 {
				delete(known, t.Name)
			}
		}
		if len(known) == len(result.Tests) {
			s.adopt(&result)
			return &result, nil
		}
	}
	ran := limits{timeout: time.Minute}.run(ctx, program, s.dir, []string{"-test.list", "."}, nil)
	if ran.failed {
		return nil, fmt.Errorf("%s: the list of tests: %s", s.path, ran.output)
	}
	numbers := map[block]int{}
	for i, b := range result.Blocks {
		numbers[b] = i
	}
	result.Tests = nil
	for _, name := range strings.Fields(ran.output) {
		if !isTest.MatchString(name) {
			continue
		}
		if t := known[name]; t != nil {
			result.Tests = append(result.Tests, t)
			continue
		}
		tell(s.path + " " + name)
		profile := filepath.Join(dir, "profile")
		_ = os.Remove(profile)
		began := time.Now()
		ran := limits{timeout: most}.run(ctx, program, s.dir, []string{"-test.run", "^" + name + "$", "-test.coverprofile", profile}, nil)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := &test{Name: name, Seconds: time.Since(began).Seconds(), Passed: !ran.failed, TimedOut: ran.timedOut}
		if t.Passed {
			text, err := os.ReadFile(profile)
			if err != nil {
				return nil, err
			}
			if err := t.reach(text, numbers, &result); err != nil {
				return nil, fmt.Errorf("%s %s: %w", s.path, name, err)
			}
		}
		result.Tests = append(result.Tests, t)
	}
	if text, err = json.Marshal(&result); err != nil {
		return nil, err
	}
	if err := os.WriteFile(kept, text, 0o600); err != nil {
		return nil, err
	}
	s.adopt(&result)
	return &result, nil
}

// adopt takes the tests.
func (s *suite) adopt(m *measured) {
	s.tests = m.Tests
	for _, t := range s.tests {
		t.suite = s
	}
}

// reach reads a profile of coverage.
func (t *test) reach(profile []byte, numbers map[block]int, m *measured) error {
	for lines := bufio.NewScanner(bytes.NewReader(profile)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "mode:") || line == "" {
			continue
		}
		b, count, err := parseBlock(line)
		if err != nil {
			return err
		}
		n, ok := numbers[b]
		if !ok {
			n = len(m.Blocks)
			numbers[b] = n
			m.Blocks = append(m.Blocks, b)
		}
		if count > 0 {
			t.Reached = append(t.Reached, n)
		}
	}
	return nil
}

// parseBlock reads a line of a profile: file.go:1.2,3.4 statements count.
func parseBlock(line string) (b block, count int, err error) {
	fields := strings.Fields(line)
	colon := strings.LastIndexByte(line, ':')
	if len(fields) != 3 || colon < 0 {
		return b, 0, fmt.Errorf("a line of coverage that is none: %q", line)
	}
	b.File = line[:colon]
	if _, err := fmt.Sscanf(fields[0][colon+1:], "%d.%d,%d.%d", &b.FromLine, &b.FromColumn, &b.ToLine, &b.ToColumn); err != nil {
		return b, 0, fmt.Errorf("a line of coverage that is none: %q", line)
	}
	count, err = strconv.Atoi(fields[2])
	return b, count, err
}

// coverage tells which tests reach a place.
type coverage struct {
	byFile map[string][]place
}

// place is a block and the tests that enter it.
type place struct {
	block
	tests []*test
}

// add takes what was measured of a suite.
func (c *coverage) add(m *measured) {
	places := make([]place, len(m.Blocks))
	for i, b := range m.Blocks {
		places[i].block = b
	}
	for _, t := range m.Tests {
		for _, n := range t.Reached {
			places[n].tests = append(places[n].tests, t)
		}
	}
	if c.byFile == nil {
		c.byFile = map[string][]place{}
	}
	for _, p := range places {
		c.byFile[p.File] = append(c.byFile[p.File], p)
	}
}

// holds reports whether a block holds a place, and how many lines it has.
func (b *block) holds(line, column int) bool {
	return (b.FromLine < line || b.FromLine == line && b.FromColumn <= column) &&
		(line < b.ToLine || line == b.ToLine && column < b.ToColumn)
}

// reaching returns the tests that reach a mutation, quickest first. A place in no
// block, like the label of a case, counts as reached with its function.
func (c *coverage) reaching(m *Mutation) []*test {
	f := m.function.file
	file := f.pkg.path + "/" + filepath.Base(f.path)
	at := f.pkg.fset.Position(token.Pos(f.base + m.start))
	from, to := f.pkg.fset.Position(m.function.decl.Pos()), f.pkg.fset.Position(m.function.decl.End())
	if m.Op == "early" {
		at = f.pkg.fset.Position(m.function.decl.Body.List[0].Pos())
	}
	var inside, around []*test
	found := false
	for _, p := range c.byFile[file] {
		if p.holds(at.Line, at.Column) {
			found = true
			inside = append(inside, p.tests...)
		}
		if p.FromLine >= from.Line && p.ToLine <= to.Line {
			around = append(around, p.tests...)
		}
	}
	if !found {
		inside = around
	}
	seen := map[*test]bool{}
	var out []*test
	for _, t := range inside {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Seconds < out[j].Seconds })
	return out
}
