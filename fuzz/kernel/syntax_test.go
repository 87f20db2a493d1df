//go:build linux

package kernel

// What the tools take and print, rule by rule, for rules of a file. Each is
// loaded by iptables-restore into an empty table and printed by iptables-save,
// and read and printed by us; what differs is printed.
//
//	go test ./fuzz/kernel -run Tools -v -lines FILE
//
// The file has a rule on each line, without -A CHAIN; "*table", ":CHAIN" and
// "@4", "@6" or "@46" say where the lines behind them are tried, and "%COMMAND"
// sets something up. The installed
// version takes some rules that the one we follow refuses, and the other way
// round, so that differences are for a person to judge.

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/fuzz/vectors"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

var (
	syntaxLines = flag.String("lines", "", "file of rules to compare with the tools")
)

// trial is a rule, and the place to try it in.
type trial struct {
	family             int
	table, chain, rule string
}

func (r trial) text() string {
	if strings.ToUpper(r.chain) != r.chain { // a user's chain
		return fmt.Sprintf("*%s\n:%s - [0:0]\n-A %s %s\nCOMMIT\n", r.table, r.chain, r.chain, r.rule)
	}
	return fmt.Sprintf("*%s\n-A %s %s\nCOMMIT\n", r.table, r.chain, r.rule)
}

// compare returns what differs between the tool and us, or "".
func (r trial) compare() string {
	tool := "iptables-legacy"
	if r.family == 6 {
		tool = "ip6tables-legacy"
	}
	_, theirErr := tryRun(r.text(), tool+"-restore")
	if theirErr != nil && strings.Contains(theirErr.Error(), "failed") {
		// Lists and tables of the trial before are still there.
		_, _ = tryRun("*"+r.table+"\nCOMMIT\n", tool+"-restore")
		_, theirErr = tryRun(r.text(), tool+"-restore")
	}
	if theirErr != nil && strings.Contains(theirErr.Error(), "failed") {
		// Lists and tables of the trial before are still there.
		_, _ = tryRun("*"+r.table+"\nCOMMIT\n", "iptables-legacy-restore")
		_, _ = tryRun("*"+r.table+"\nCOMMIT\n", "ip6tables-legacy-restore")
		_, theirErr = tryRun(r.text(), tool+"-restore")
	}
	theirs := ""
	if theirErr == nil {
		saved, err := tryRun("", tool+"-save", "-t", r.table)
		if err != nil {
			return "cannot save: " + err.Error()
		}
		theirs = strings.Join(ruleLines(saved), "\n")
	}
	rs, err := iptables.Read(strings.NewReader(r.text()), iptables.Options{Family: r.family})
	switch {
	case err != nil && theirErr != nil:
		return ""
	case err != nil:
		return "REFUSED " + strings.SplitN(err.Error(), ": ", 2)[1] + "\n      tool: " + theirs
	}
	var out bytes.Buffer
	if err := iptables.Write(&out, rs, false); err != nil {
		return "cannot write: " + err.Error()
	}
	ours := ruleLines(out.String())
	for i := range ours {
		ours[i] = strings.TrimRight(vectors.As189(ours[i]), " ")
	}
	printed := strings.Join(ours, "\n")
	switch {
	case theirErr != nil:
		lines := strings.Split(strings.TrimSpace(theirErr.Error()), "\n")
		return "TAKEN   " + strings.Join(lines[1:min(3, len(lines))], " ") + "\n      ours: " + printed
	case printed != theirs:
		return "PRINTED " + printed + "\n      tool: " + theirs
	}
	return ""
}

func TestLinesAreTakenAndPrintedAsTheToolsDo(t *testing.T) {
	if *syntaxLines == "" {
		t.Skip("no -lines FILE")
	}
	enterNamespace(t, false, "iptables-legacy-restore", "ip6tables-legacy-restore")
	text, err := os.ReadFile(*syntaxLines)
	require.NoError(t, err)
	at, families := trial{table: "filter", chain: "INPUT"}, "46"
	n := 0
	for _, line := range strings.Split(string(text), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '%':
			run(t, "", "sh", "-c", line[1:])
			continue
		case line[0] == '*':
			at.table = line[1:]
			continue
		case line[0] == ':':
			at.chain = line[1:]
			continue
		case line[0] == '@':
			families = line[1:]
			continue
		}
		for _, f := range families {
			at.family, at.rule = int(f-'0'), line
			n++
			if d := at.compare(); d != "" {
				fmt.Printf("v%d %s.%s %s\n      %s\n", at.family, at.table, at.chain, at.rule, d)
			}
		}
	}
	t.Logf("%d lines", n)
}

// otherVersion are the lines of the corners that the installed version takes or
// prints in another way than the one that we follow; those of kernels that lack
// something count too.
var otherVersion = []string{
	"-A c -p udp -m udp --sport 0x10",
	`-A c -j TEE --gateway 10.0.0.1 --oif "eth0 5"`,
	"-A c -j LED --led-trigger-id lamp",
}

// The corners that package iptables has in a golden file are what the tools do.
func TestCornersAreTakenAndPrintedAsTheToolsDo(t *testing.T) {
	enterNamespace(t, false, "iptables-legacy-restore", "ip6tables-legacy-restore")
	text, err := os.ReadFile("../../rules/iptables/testdata/corners.txt")
	require.NoError(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		r := trial{family: 4, table: "filter"}
		rest, six := strings.CutPrefix(line, "@6 ")
		if six {
			r.family = 6
		}
		rest, ok := strings.CutPrefix(rest, "-A ")
		if r.chain, r.rule, _ = strings.Cut(rest, " "); !ok || slices.Contains(otherVersion, line) {
			continue
		}
		if d := r.compare(); d != "" {
			t.Errorf("%s\n  %s", line, d)
		}
	}
}
