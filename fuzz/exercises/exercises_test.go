package exercises

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// once runs one case of each exercise, and returns what was counted.
func once(t *testing.T, all []*drive.Exercise) (total drive.Counts) {
	t.Helper()
	names := map[string]bool{}
	for _, e := range all {
		require.NotEmpty(t, e.Group, e.Name)
		require.False(t, names[e.Name], "%s stands twice", e.Name)
		names[e.Name] = true
		trial := drive.NewTrial(e.Name, 3, 0, drive.Wrong{})
		require.NoError(t, e.Run(context.Background(), trial), e.Name)
		total.Add(trial.Counts)
	}
	return total
}

func TestEveryExerciseFindsNothing(t *testing.T) {
	total := once(t, All())
	require.Positive(t, total.Cells)
	require.Positive(t, total.Answers)
	require.Greater(t, total.Share(), 0.2)
	require.Less(t, total.Share(), 0.8)
}

func read(t *testing.T, text string) *files.Rules {
	t.Helper()
	set, err := files.ReadRules(strings.NewReader(text), "rules", &files.RuleFlags{RulesFormat: "auto", Fields: 5})
	require.NoError(t, err)
	return set
}

func TestRulesOfEveryFormatAreExercised(t *testing.T) {
	for text, names := range map[string][]string{
		"hipac 1\nschema ipv4\nrule src=10.0.0.0/8 dport=80,443 proto=tcp => ACCEPT\nrule continue dport=22 => LOG\nrule any => DROP\n": {
			"your rules: packets", "your rules: cells", "your rules: edits", "your rules: a rule is widened", "your rules: text"},
		"@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\n": {"your rules: packets", "your rules: text"},
		"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:a - [0:0]\n-A FORWARD -p tcp -j a\n-A a -s 10.0.0.0/8 -j ACCEPT\n-A a -m limit --limit 1/s -j DROP\nCOMMIT\n": {
			"your rules: table filter, chain FORWARD", "your rules: packets", "your rules: text"},
	} {
		all, err := Own(read(t, text))
		require.NoError(t, err)
		have := map[string]bool{}
		for _, e := range all {
			have[e.Name] = true
			require.Equal(t, "your rules", e.Group)
			require.Positive(t, e.Weight)
		}
		for _, name := range names {
			require.True(t, have[name], name)
		}
		once(t, all)
	}
}

func TestAFaultInAUsersOwnRulesIsFound(t *testing.T) {
	all, err := Own(read(t, "hipac 1\nschema ipv4\nrule src=10.0.0.0/8 dport=80-90 proto=tcp => ACCEPT\nrule dport=22 => DROP\n"))
	require.NoError(t, err)
	wrong := func(w ways.Way) ways.Way { return ways.Altered(w, ways.ShortOfTheEnd) }
	for _, e := range all[:2] {
		found := false
		for n := range int64(30) {
			err := e.Run(context.Background(), drive.NewTrial(e.Name, 1, n, drive.Wrong{Lists: wrong}))
			var f *drive.Failure
			if errors.As(err, &f) {
				ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
				require.Equal(t, "1 rule, 1 packet", f.Case.Shrink(ctx).Size())
				stop()
				found = true
				break
			}
			require.NoError(t, err)
		}
		require.True(t, found, e.Name)
	}
}

func TestExercisesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, e := range All() {
		err := e.Run(ctx, drive.NewTrial(e.Name, 1, 1, drive.Wrong{}))
		if err != nil {
			require.ErrorIs(t, err, context.Canceled, e.Name)
		}
	}
}

func TestAStrideMeetsEveryPartOnce(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 10, 97, 1000} {
		seen := map[int64]bool{}
		for i := range n {
			seen[i*stride(n)%n] = true
		}
		require.Len(t, seen, int(n))
	}
}

func TestPacketsOfAListAreHitsAndMisses(t *testing.T) {
	s := rules.IPv4Tuple
	l, err := rules.NewList(s, rules.Rule[int]{Conds: s.MustConds("src=10.0.0.0/8 dport=80")}, rules.Rule[int]{Value: 1})
	require.NoError(t, err)
	trial := drive.NewTrial("a", 1, 1, drive.Wrong{})
	keys, err := keysFor(trial, l, 100)
	require.NoError(t, err)
	require.NoError(t, askAll(context.Background(), trial, l, keys, nil, false))
	require.Equal(t, int64(100), trial.Counts.Packets)
	require.Greater(t, trial.Counts.Share(), 0.2)
	require.Less(t, trial.Counts.Share(), 0.8)
}
