//go:build linux

package kernel

// The text of rules: what iptables-save prints of a table that was loaded is
// what we print of it, but for what that version loses.

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/fuzz/vectors"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

// checkSaved compares what the tool prints of the table with what we print.
func checkSaved(t *testing.T, w *world, rs *iptables.Ruleset, table string) {
	t.Helper()
	var ours bytes.Buffer
	require.NoError(t, iptables.Write(&ours, rs, false))
	_, text, _ := strings.Cut(ours.String(), "*"+table+"\n")
	text, _, _ = strings.Cut(text, "COMMIT")
	want := ruleLines(text)
	got := ruleLines(run(t, "", w.tool()+"-save", "-t", table))
	for i := range min(len(want), len(got)) {
		if strings.TrimRight(vectors.As189(want[i]), " ") != got[i] {
			t.Errorf("printed differently:\n  ours  %s\n  tool  %s", want[i], got[i])
		}
	}
	require.Len(t, got, len(want))
}

func TestRandomProgramsArePrintedAsByTheTool(t *testing.T) {
	for _, family := range []int{4, 6} {
		w := newWorld(t, family)
		for i := range *sets {
			g := &generator{rand.New(rand.NewPCG(*seed+uint64(i), uint64(500+family))), family}
			text := g.program()
			run(t, text, w.tool()+"-restore")
			rs, err := iptables.Read(strings.NewReader(text), iptables.Options{Family: family})
			require.NoError(t, err, text)
			checkSaved(t, w, rs, "raw")
		}
	}
}

// ruleLines are the lines of rules.
func ruleLines(text string) (out []string) {
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "-A ") {
			out = append(out, strings.TrimRight(line, " "))
		}
	}
	return out
}
