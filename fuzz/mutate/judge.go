package main

// Judging a mutant: tests that reach it are run in steps, quick ones first, until
// one of them fails. Where the time is not enough for all, the slow ones that caught
// most mutants before are begun at least: a test that catches one mostly does so
// long before its end.

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// The ways in which mutants end.
const (
	caught    = "caught"
	survived  = "survived"
	uncovered = "not covered" // no test reaches it
	exempt    = "equivalent"  // the list of equivalents has it
)

// verdict is what became of a mutant.
type verdict struct {
	Outcome string  `json:"outcome"`
	By      string  `json:"by,omitempty"`  // own, differential, driver
	How     string  `json:"how,omitempty"` // failed, timed out, memory
	Test    string  `json:"test,omitempty"`
	Seconds float64 `json:"seconds"`
	// Unrun is the number of tests that reach the mutant and for which there was no
	// time.
	Unrun int `json:"unrun,omitempty"`
}

// judge tells what becomes of mutants of a build.
type judge struct {
	build    *build
	coverage *coverage
	memory   uint64
	patience time.Duration // with tests, beyond four times what they take without a mutant
	budget   time.Duration // of tests of a mutant, own and others each
	driver   string        // package of the driver, or nothing
	minutes  float64       // that the driver runs for
	temp     string        // folder for what tests write
	recent   []*test       // that caught mutants, the last one last
	catches  map[*test]int // that each has caught
}

// step is some tests of one suite, run as one process.
type step struct {
	suite   *suite
	tests   []*test
	seconds float64
	begin   bool // the test takes too long to be run to its end
}

// mostBegun is the number of tests that are begun only.
const mostBegun = 3

// begun returns steps for those of the tests that caught most mutants.
func (j *judge) begun(tests []*test) (steps []step) {
	tests = slices.Clone(tests)
	sort.SliceStable(tests, func(a, b int) bool { return j.catches[tests[a]] > j.catches[tests[b]] })
	for _, t := range tests[:min(len(tests), mostBegun)] {
		steps = append(steps, step{t.suite, []*test{t}, t.Seconds, true})
	}
	return steps
}

// plan puts tests into steps: first those that caught mutants before, alone, then
// the others by their time, in groups that take longer and longer. Tests beyond
// the budget are left over.
func plan(tests []*test, recent []*test, budget float64) (steps []step, left []*test) {
	var first, rest []*test
	for _, t := range tests {
		if at := slices.Index(recent, t); at >= 0 && len(recent)-at <= 3 && t.Seconds < 1 {
			first = append(first, t)
		} else {
			rest = append(rest, t)
		}
	}
	spent := 0.0
	for _, t := range first {
		spent += t.Seconds
		steps = append(steps, step{t.suite, []*test{t}, t.Seconds, false})
	}
	for most := 0.4; len(rest) > 0; most *= 2 {
		groups, order := map[*suite]*step{}, []*suite(nil)
		for sum := 0.0; len(rest) > 0 && (sum == 0 || sum+rest[0].Seconds <= most); rest = rest[1:] {
			t := rest[0]
			if spent+t.Seconds > budget {
				return append(steps, inOrder(groups, order)...), rest
			}
			sum, spent = sum+t.Seconds, spent+t.Seconds
			g := groups[t.suite]
			if g == nil {
				g = &step{suite: t.suite}
				groups[t.suite], order = g, append(order, t.suite)
			}
			g.tests, g.seconds = append(g.tests, t), g.seconds+t.Seconds
		}
		steps = append(steps, inOrder(groups, order)...)
	}
	return steps, nil
}

func inOrder(groups map[*suite]*step, order []*suite) (steps []step) {
	for _, s := range order {
		steps = append(steps, *groups[s])
	}
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].seconds < steps[j].seconds })
	return steps
}

// judge runs the tests of a mutant.
func (j *judge) judge(ctx context.Context, m *Mutation) (verdict, error) {
	began := time.Now()
	v := verdict{Outcome: survived}
	var own, others []*test
	for _, t := range j.coverage.reaching(m) {
		if t.suite.own {
			own = append(own, t)
		} else {
			others = append(others, t)
		}
	}
	if len(own)+len(others) == 0 {
		v.Outcome = uncovered
	}
	number := j.build.schema.numbers[m.Key()]
	for _, part := range []struct {
		by    string
		tests []*test
	}{{"own", own}, {"differential", others}} {
		steps, left := plan(part.tests, j.recent, j.budget.Seconds())
		v.Unrun += len(left)
		for _, s := range append(steps, j.begun(left)...) {
			how, test, err := j.step(ctx, s, number)
			if err != nil {
				return v, err
			}
			if how != "" {
				v.Outcome, v.By, v.How, v.Test, v.Seconds = caught, part.by, how, test, time.Since(began).Seconds()
				v.Unrun = 0
				return v, nil
			}
		}
	}
	if j.driver != "" && j.minutes > 0 {
		how, err := j.drive(ctx, number)
		if err != nil {
			return v, err
		}
		if how != "" {
			v.Outcome, v.By, v.How, v.Unrun = caught, "driver", how, 0
		}
	}
	v.Seconds = time.Since(began).Seconds()
	return v, nil
}

// drive runs the driver with a mutant. Once in each program it runs without one: what
// it finds then is no catch.
func (j *judge) drive(ctx context.Context, number int) (how string, err error) {
	p, err := j.build.command(j.driver)
	if err != nil {
		return "", err
	}
	took := time.Duration(j.minutes * float64(time.Minute))
	run := func(number int) (outcome, error) {
		o := limits{timeout: took + 20*time.Second, memory: j.memory}.run(ctx, p.path, p.dir,
			[]string{"--minutes", fmt.Sprint(j.minutes), "--seed", "1", "--first", "--out", j.temp}, j.environment(number))
		return o, ctx.Err()
	}
	o, err := run(number)
	if err != nil || !o.failed {
		return "", err
	}
	if _, known := p.checked[j.driver]; !known {
		without, err := run(0)
		if err != nil {
			return "", err
		}
		p.checked[j.driver] = !without.failed
	}
	if !p.checked[j.driver] {
		return "", nil
	}
	return o.how(), nil
}

// environment chooses a mutant. What a test that was ended leaves is in a folder
// of the run.
func (j *judge) environment(number int) []string {
	return []string{fmt.Sprintf("%s=%d", variable, number), "TMPDIR=" + j.temp, "TMP=" + j.temp}
}

// how says in which way a process failed.
func (o outcome) how() string {
	switch {
	case !o.failed:
		return ""
	case o.timedOut:
		return "timed out"
	case o.tooMuch:
		return "memory"
	}
	return "failed"
}

// step runs some tests with a mutant. A failure counts when the tests pass in the
// same program without the mutant: programs with mutants are slower, and may
// allocate and inline differently, which some tests look at.
func (j *judge) step(ctx context.Context, s step, number int) (how, failed string, err error) {
	p, err := j.build.tests(s.suite)
	if err != nil {
		return "", "", err
	}
	tests := j.usable(p, s.tests)
	for len(tests) > 0 {
		ran := j.run(ctx, p, tests, number, s.begin)
		if err := ctx.Err(); err != nil {
			return "", "", err
		}
		if !ran.failed || s.begin && ran.timedOut {
			return "", "", nil
		}
		if err := j.validate(ctx, p, tests); err != nil {
			return "", "", err
		}
		if still := j.usable(p, tests); len(still) < len(tests) {
			tests = still
			continue
		}
		name := failing(ran.output)
		for _, t := range tests {
			if t.Name == name || len(tests) == 1 {
				name = t.Name
				j.remember(t)
			}
		}
		return ran.how(), name, nil
	}
	return "", "", nil
}

// remember keeps the tests that caught mutants last.
func (j *judge) remember(t *test) {
	if j.catches == nil {
		j.catches = map[*test]int{}
	}
	j.catches[t]++
	j.recent = append(slices.DeleteFunc(j.recent, func(u *test) bool { return u == t }), t)
	if len(j.recent) > 3 {
		j.recent = j.recent[1:]
	}
}

// usable returns the tests that are not known to fail without a mutant.
func (j *judge) usable(p *program, tests []*test) (out []*test) {
	for _, t := range tests {
		if passed, known := p.checked[t.Name]; passed || !known {
			out = append(out, t)
		}
	}
	return out
}

// validate runs tests without a mutant, which is done once for each test.
func (j *judge) validate(ctx context.Context, p *program, tests []*test) error {
	tests = slices.DeleteFunc(slices.Clone(tests), func(t *test) bool { _, known := p.checked[t.Name]; return known })
	if len(tests) == 0 {
		return nil
	}
	ran := j.run(ctx, p, tests, 0, false)
	if ran.failed && len(tests) > 1 {
		for _, t := range tests {
			if err := j.validate(ctx, p, []*test{t}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, t := range tests {
		p.checked[t.Name] = !ran.failed
	}
	return nil
}

// run runs tests of a program.
func (j *judge) run(ctx context.Context, p *program, tests []*test, number int, begin bool) outcome {
	var names []string
	seconds := 0.0
	for _, t := range tests {
		names = append(names, regexp.QuoteMeta(t.Name))
		seconds += t.Seconds
	}
	l := limits{timeout: j.patience + time.Duration(4*seconds*float64(time.Second)), memory: j.memory}
	switch {
	case number == 0:
		l.timeout *= 2
	case begin:
		l.timeout = j.budget / mostBegun
	}
	return l.run(ctx, p.path, p.dir, []string{"-test.failfast", "-test.run", "^(" + strings.Join(names, "|") + ")$"}, j.environment(number))
}

var failLine = regexp.MustCompile(`(?m)^--- FAIL: ([^ /]+)`)

// failing returns the name of the test that failed, where the output tells it.
func failing(output string) string {
	if found := failLine.FindStringSubmatch(output); found != nil {
		return found[1]
	}
	return ""
}
