package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/kernel"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// fuzz runs the program.
func fuzz(t *testing.T, wrong drive.Wrong, args ...string) outcome {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, now: time.Now, wrong: wrong}
	code := a.run(args)
	return outcome{code, out.String(), complaints.String()}
}

// lastLine returns the last line of a text.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// wrong makes some ways wrong.
func wrong(word string, alter func(s *rules.Schema, i int, conds []rules.Cond) []rules.Cond) func(ways.Way) ways.Way {
	return func(w ways.Way) ways.Way {
		if strings.Contains(w.Name, word) {
			return ways.Altered(w, alter)
		}
		return w
	}
}

func TestFaultsAreFoundShrunkenAndKept(t *testing.T) {
	second := func(s *rules.Schema, _ int, conds []rules.Cond) []rules.Cond {
		var out []rules.Cond
		for _, c := range conds {
			if c.Field() != 1 {
				out = append(out, c)
			}
		}
		return out
	}
	for _, c := range []struct {
		name, only string
		wrap       func(ways.Way) ways.Way
		rules      int // at most
	}{
		{"open intervals, random lists", "lists over ipv4", wrong("tree", ways.ShortOfTheEnd), 1},
		{"open intervals, sets", "sets of fw1", wrong("tree, no copies", ways.ShortOfTheEnd), 1},
		{"open intervals, cells", "cells of generated", wrong("tree", ways.ShortOfTheEnd), 1},
		{"open intervals, small worlds", "world: two fields", wrong("live", ways.ShortOfTheEnd), 1},
		{"open intervals, a textbook classifier", "textbook: tuplemerge", wrong("tree", ways.ShortOfTheEnd), 1},
		{"open intervals, a whole world", "whole world: three fields of 2 bits", wrong("live", ways.ShortOfTheEnd), 1},
		{"open intervals, a relation", "relation: batches differ", wrong("batch by go", ways.ShortOfTheEnd), 1},
		{"a field that is not looked at", "lists over bytes", wrong("index", second), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			r := fuzz(t, drive.Wrong{Lists: c.wrap}, "--minutes", "0.5", "--first", "--only", c.only, "--seed", "1", "--out", dir)
			require.Equal(t, 1, r.code, r.stdout)
			require.Regexp(t, `^fuzz: \d+ differences?\n$`, r.stderr[strings.LastIndex(r.stderr, "fuzz:"):])
			require.Regexp(t, `^\d+ differences? in `, lastLine(r.stdout))
			require.Contains(t, r.stdout, "DIFFERENCE in ")
			require.Contains(t, r.stdout, ", the linear matcher: ")
			require.Contains(t, r.stdout, "altered: ")
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.NotEmpty(t, names)
			f, err := os.Open(names[0])
			require.NoError(t, err)
			defer f.Close()
			found, err := cases.Read(f, cases.Options{Wrong: drive.Wrong{Lists: c.wrap}})
			require.NoError(t, err)
			l, ok := found.(*cases.List)
			require.True(t, ok)
			require.LessOrEqual(t, l.Rules.Len(), c.rules)
			require.Len(t, l.Keys, l.Rules.Schema().KeyLen(), "one packet")
			require.Error(t, found.Check(), "the file finds the fault again")
			require.Equal(t, outcome{code: 0, stdout: names[0] + ": no difference\n"}, fuzz(t, drive.Wrong{}, "--replay", names[0]), "and passes without it")
			again := fuzz(t, drive.Wrong{Lists: c.wrap}, "--replay", names[0])
			require.Equal(t, 1, again.code)
			require.Equal(t, "fuzz: "+names[0]+": still differs\n", again.stderr)
		})
	}
}

func TestAFaultInTablesIsFoundShrunkenAndKept(t *testing.T) {
	wrong := drive.Wrong{Tables: func(w chains.Way) chains.Way {
		if w.Name != "live, edited" {
			return w
		}
		return chains.Altered(w, func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
			if r.Value.Kind == rules.Return {
				r.Value.Kind, r.Continue = rules.Pass, true
			}
		})
	}}
	dir := t.TempDir()
	r := fuzz(t, wrong, "--minutes", "0.5", "--first", "--only", "random tables", "--seed", "1", "--out", dir)
	require.Equal(t, 1, r.code, r.stdout)
	require.Contains(t, r.stdout, "the walk over the chains: ")
	require.Contains(t, r.stdout, "=> return: matches")
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	require.Regexp(t, `shrunken from \d+ rules? in .* to [1-4] rules? in [1-4] chains?, 1 packet\n`, r.stdout)
	require.Equal(t, outcome{code: 0, stdout: names[0] + ": no difference\n"}, fuzz(t, drive.Wrong{}, "--replay", names[0]))
	require.Equal(t, 1, fuzz(t, wrong, "--replay", names[0]).code)
}

func TestARunEndsInItsTimeAndNamesWhatItDidNotExercise(t *testing.T) {
	start := time.Now()
	r := fuzz(t, drive.Wrong{}, "--minutes", "0.002", "--seed", "9", "--out", t.TempDir())
	require.Less(t, time.Since(start), 8*time.Second)
	require.Equal(t, 0, r.code, r.stderr)
	require.Regexp(t, `^no difference in .*s: \d+ cases, .* hits .*%, coverage \d+ of \d+, seed 9$`, lastLine(r.stdout))
	require.Contains(t, r.stdout, "\nnot exercised: ")
}

func TestAnInterruptedRunEndsSoonWithItsSummary(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var out, complaints bytes.Buffer
	a := &app{ctx: ctx, stdout: &out, stderr: &complaints, now: time.Now}
	time.AfterFunc(300*time.Millisecond, cancel)
	start := time.Now()
	require.Equal(t, 1, a.run([]string{"--minutes", "10", "--only", "lists"}))
	require.Less(t, time.Since(start), 6*time.Second)
	require.Equal(t, "fuzz: interrupted\n", complaints.String())
	require.Regexp(t, `^no difference, interrupted in `, lastLine(out.String()))
}

func TestBadUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--minutes 0":           "--minutes 0: not above 0 and up to 525600",
		"--minutes=-1":          "--minutes -1: not above 0 and up to 525600",
		"--minutes NaN":         "--minutes NaN: not above 0 and up to 525600",
		"--minutes x":           `--minutes: expected a float but got "x" (string) ("fuzz --help" tells more)`,
		"--workers 5000":        "--workers 5000: not in 1..1024",
		"--workers 0":           "--workers 0: not in 1..1024",
		"--fields 6":            "--fields is about your rules, and there is no --rules",
		"--only nonesuch":       `--only "nonesuch": no exercise has that in its name`,
		"--out main_test.go":    "--out main_test.go: not a folder",
		"--out main_test.go/x":  "--out main_test.go/x: nothing can be written there: mkdir main_test.go: not a directory",
		"--rules-format tables": `--rules-format must be one of "auto","native","classbench","iptables","nftables","cisco","aws","networkpolicy" but got "tables" ("fuzz --help" tells more)`,
		"more":                  `unexpected argument more ("fuzz --help" tells more)`,
	} {
		require.Equal(t, outcome{code: 2, stderr: "fuzz: " + want + "\n"}, fuzz(t, drive.Wrong{}, strings.Fields(args)...), args)
	}
}

func TestBadFilesAreErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		name := filepath.Join(dir, "case")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	for text, want := range map[string]string{
		"":                "no line \"fuzz 1 KIND\"",
		"something\n":     `"something": want "fuzz 1 KIND"`,
		"fuzz 2 list\n":   `"fuzz 2 list": want "fuzz 1 KIND"`,
		"fuzz 1 circle\n": `a case of kind "circle": there are list, table, versions, history, relation, chains, text, packet, kernel`,
		"fuzz 1 list\npacket 0 z\nrules\nhipac 1\nschema ipv4\nrule any\n": `packet: "z" is no word of a key in hexadecimal`,
		"fuzz 1 list\npacket 0\nrules\nhipac 1\nschema ipv4\nrule any\n":   "packet: ",
		"fuzz 1 list\nrules\nhipac 1\nschema ipv4\nrule b=1\n":             "rules:3:",
	} {
		name := write(text)
		r := fuzz(t, drive.Wrong{}, "--replay", name)
		require.Equal(t, 1, r.code, text)
		require.Contains(t, r.stderr, "fuzz: "+name+": ")
		require.Contains(t, r.stderr, want)
	}
	r := fuzz(t, drive.Wrong{}, "--replay", filepath.Join(dir, "none"))
	require.Equal(t, 1, r.code)
	name := write("hipac 1\nschema ipv4\n")
	r = fuzz(t, drive.Wrong{}, "--rules", name)
	require.Equal(t, outcome{code: 1, stderr: "fuzz: " + name + ": there are no rules to check\n"}, r)
	r = fuzz(t, drive.Wrong{}, "--rules", filepath.Join(dir, "none"))
	require.Equal(t, outcome{code: 1, stderr: "fuzz: " + filepath.Join(dir, "none") + ": no such file or directory\n"}, r)
}

func TestWhatARunOfAMinuteNeverExercisedIsAnError(t *testing.T) {
	require.NoError(t, verdict(&drive.Report{Elapsed: time.Minute, Points: 2, Reached: 2}, true, true))
	missing := &drive.Report{Elapsed: time.Minute, Points: 2, Reached: 0, Missing: []string{"a", "b"}}
	require.EqualError(t, verdict(missing, true, true), "never exercised: a; b")
	require.NoError(t, verdict(missing, false, true), "with --only")
	missing.Elapsed -= time.Second
	require.NoError(t, verdict(missing, true, true), "in less than a minute")
	require.EqualError(t, verdict(&drive.Report{Differences: 2}, true, true), "2 differences")
	require.EqualError(t, verdict(&drive.Report{Stuck: []string{"it hangs"}}, true, true), "it hangs")
	require.EqualError(t, verdict(&drive.Report{Interrupted: true}, false, true), "interrupted")
	lopsided := &drive.Report{Elapsed: time.Minute, Total: drive.Counts{Hits: 81, Misses: 19}}
	require.EqualError(t, verdict(lopsided, true, true), "hits 81%: not between 20% and 80%")
	require.NoError(t, verdict(lopsided, true, false), "one's own rules may decide everything")
	require.NoError(t, verdict(lopsided, false, true), "with --only")
}

func TestNumbersAreShort(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.00k", 12345: "12.3k", 999999: "1000k", 1234567: "1.23M", 5e9: "5.00G", 7e15: "7000T"} {
		require.Equal(t, want, short(n))
	}
}

func TestTheLiveLineIsWrittenOver(t *testing.T) {
	var out bytes.Buffer
	l := &liveLine{w: &out, terminal: true, width: func() int { return 30 }, total: time.Minute}
	l.show(&drive.Report{Elapsed: 10 * time.Second, Total: drive.Counts{Cases: 1500, Packets: 12}, Reached: 3, Points: 4})
	require.Equal(t, "\r\x1b[K1.50k cases (150/s), 12 packe", out.String())
	l.clear()
	l.clear()
	require.Equal(t, "\r\x1b[K1.50k cases (150/s), 12 packe\r\x1b[K", out.String())
	out.Reset()
	l = &liveLine{w: &out, total: time.Hour}
	l.show(&drive.Report{Elapsed: 10 * time.Second, Differences: 1})
	require.Equal(t, "1 difference; 0 cases (0/s), 0 packets, 0 cells, 0 rules, hits -, coverage 0 of 0, 59m50s left\n", out.String())
	require.Equal(t, 3*time.Minute, l.every())
}

func TestTheKernelIsAskedWhereItCanBe(t *testing.T) {
	r := fuzz(t, drive.Wrong{}, "--kernel", "--only", "kernel: legacy", "--minutes", "0.03", "--seed", "5", "--out", t.TempDir())
	if ways, skipped := kernel.Usable(); !slices.Contains(ways, "legacy") {
		require.Equal(t, 2, r.code)
		t.Skip(skipped)
	}
	require.Zero(t, r.code, r.stdout)
	require.Regexp(t, `(?m)^kernel: legacy +[1-9]`, r.stdout)
}

func TestTheKernelIsGivenOwnRules(t *testing.T) {
	name := filepath.Join(t.TempDir(), "own.rules")
	require.NoError(t, os.WriteFile(name, []byte("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m conntrack --ctstate NEW -j DROP\n-A INPUT -p udp -j DROP\nCOMMIT\n"), 0o644))
	r := fuzz(t, drive.Wrong{}, "--kernel", "--rules", name, "--only", "your rules in the kernel", "--minutes", "0.03", "--seed", "5", "--out", t.TempDir())
	if ways, skipped := kernel.Usable(); !slices.Contains(ways, "legacy") {
		require.Equal(t, 2, r.code)
		t.Skip(skipped)
	}
	require.Zero(t, r.code, r.stdout)
	require.Regexp(t, `(?m)^your rules in the kernel: table filter, chain INPUT +[1-9]`, r.stdout)
	require.Contains(t, r.stdout, "skipped: your rules in the kernel: table filter, chain INPUT: without the rules that ask or do more than can be compared: 1 with match conntrack")

	require.NoError(t, os.WriteFile(name, []byte("hipac 1\nschema firewall\nrule vlan=7 => DROP\n"), 0o644))
	r = fuzz(t, drive.Wrong{}, "--kernel", "--rules", name, "--only", "your rules", "--minutes", "0.01", "--seed", "5", "--out", t.TempDir())
	require.Zero(t, r.code, r.stdout)
	require.Contains(t, r.stdout, "skipped: your rules in the kernel: the rules are of both address families")
}

func TestWithoutSourceThereAreNoPeers(t *testing.T) {
	t.Chdir(t.TempDir())
	r := fuzz(t, drive.Wrong{}, "--peers", "--only", "textbook: linear", "--minutes", "0.01", "--seed", "5", "--out", ".")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "skipped: peers, no peers of other projects: there is no folder bench/peers")
}
