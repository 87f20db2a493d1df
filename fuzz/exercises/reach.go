package exercises

// Which kinds of nodes a list is compiled to, and which paths lookups of its packets
// take: told by the statistics of a compiled list and by counting the work of some
// lookups, so that it costs ordinary lookups nothing.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// structurePoints are what reachList reaches.
func structurePoints() []string {
	out := []string{"node: table", "node: interval", "node: link", "node: short leaf", "node: long leaf", "node: sparse leaf",
		"node: bucket", "node: span", "lookup: through tables and intervals", "lookup: through spans", "lookup: of rows", "lookup: through bitmaps",
		"lookup: of candidates of buckets", "rules: hidden", "rules: inexact", "rules: that never match", "rules: that continue", "rules: unknown",
		"packets: without a field", "batch: fewer than 8", "batch: 8 and more", "batch: more than 64"}
	for _, path := range hipac.Batches() {
		if path == hipac.BatchAVX512 {
			out = append(out, "avx512: side by side", "avx512: few inexact rules", "avx512: many inexact rules", "avx512: buckets",
				"avx512: long rows", "avx512: keys of more than 16 words", "avx512: fewer than 8 packets", "avx512: both families")
		}
	}
	return out
}

// wayPoints are what ways reach when they are asked.
func wayPoints() (out []string) {
	for _, w := range ways.All()[1:] {
		out = append(out, "way: "+w.Name)
	}
	return out
}

// workOf is the number of packets whose work is counted.
const workOf = 12

// reachList compiles a list by default and reaches what it shows.
func reachList(ctx context.Context, t *drive.Trial, l *rules.List[int], keys []uint32) error {
	c, err := hipac.Build(ctx, l, &hipac.Options{LeafRows: []int{0, 0, 1, 3, 40}[t.Rand.IntN(5)], Replication: []float64{0, 0, 0.01, 32}[t.Rand.IntN(4)]})
	if err != nil {
		return err
	}
	s := l.Schema()
	stats := c.Stats()
	n := stats.Nodes
	reachNodes(t, n)
	t.ReachIf(len(stats.Hidden) > 0, "rules: hidden")
	t.ReachIf(stats.Inexact > 0, "rules: inexact")
	t.ReachIf(stats.Never > 0, "rules: that never match")
	t.ReachIf(stats.Passing > 0, "rules: that continue")
	for _, r := range l.All() {
		if r.Unknown != "" {
			t.Reach("rules: unknown")
			break
		}
	}
	w := s.KeyLen()
	many := len(keys) / w
	for i := range min(many, workOf) {
		k := rules.Key(keys[i*w:][:w:w])
		reachWork(t, c.Work(k))
	}
	for i := range many {
		if k := keys[i*w:][:w:w]; k[0] != 0 {
			t.Reach("packets: without a field")
			break
		}
	}
	t.ReachIf(many > 0 && many < 8, "batch: fewer than 8")
	t.ReachIf(many >= 8, "batch: 8 and more")
	t.ReachIf(many > 64, "batch: more than 64")
	if many == 0 || !hipac.BatchAVX512.Available() {
		return nil
	}
	inexact := 8*stats.Inexact >= stats.Rules
	switch {
	case w > 16:
		t.Reach("avx512: keys of more than 16 words")
	case many < 8:
		t.Reach("avx512: fewer than 8 packets")
	case stats.Inexact > 0 && inexact:
		t.Reach("avx512: many inexact rules")
	default:
		t.ReachIf(n.Total() > 1, "avx512: side by side")
		t.ReachIf(stats.Inexact > 0, "avx512: few inexact rules")
		t.ReachIf(n.Buckets > 0, "avx512: buckets")
		t.ReachIf(n.Long > 0, "avx512: long rows")
		t.ReachIf(s == rules.IPTuple || s == rules.Firewall, "avx512: both families")
	}
	return nil
}

func reachNodes(t *drive.Trial, n hipac.Nodes) {
	t.ReachIf(n.Tables > 0, "node: table")
	t.ReachIf(n.Intervals > 0, "node: interval")
	t.ReachIf(n.Links > 0, "node: link")
	t.ReachIf(n.Short > 0, "node: short leaf")
	t.ReachIf(n.Long > 0, "node: long leaf")
	t.ReachIf(n.Sparse > 0, "node: sparse leaf")
	t.ReachIf(n.Buckets > 0, "node: bucket")
	t.ReachIf(n.Spans > 0, "node: span")
}

func reachWork(t *drive.Trial, w hipac.Work) {
	t.ReachIf(w.Steps > 0, "lookup: through tables and intervals")
	t.ReachIf(w.Spans > 0, "lookup: through spans")
	t.ReachIf(w.Rows > 0, "lookup: of rows")
	t.ReachIf(w.Words > 0, "lookup: through bitmaps")
	t.ReachIf(w.Candidates > 0, "lookup: of candidates of buckets")
}

// askAll compares the answers of some ways about packets with the linear matcher's,
// and counts. The values of rules are their positions. all asks for all matches and
// the rules executed too. Packets that a rule without conditions decides count as
// misses.
func askAll(ctx context.Context, t *drive.Trial, l *rules.List[int], keys []uint32, some []ways.Way, all bool) error {
	s := l.Schema()
	linear, err := ways.Linear().Build(l)
	if err != nil {
		return err
	}
	want := ways.Ask(s, linear, keys, all)
	t.Counts.Rules += int64(l.Len())
	t.Counts.Packets += int64(len(want.First))
	hits := int64(0)
	for _, p := range want.First {
		if p != ways.None && len(l.At(p).Conds) > 0 {
			hits++
		}
	}
	t.Counts.Hits += hits
	t.Counts.Misses += int64(len(want.First)) - hits
	for _, w := range some {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := w.Build(l)
		if err != nil {
			return listFailure(fmt.Errorf("%s: %w", w.Name, err), l, keys, []ways.Way{w})
		}
		n, err := ways.Ask(s, a, keys, all).Compare(w.Name, s, keys, want)
		t.Counts.Answers += int64(n)
		if err != nil {
			return listFailure(err, l, keys, some)
		}
	}
	return nil
}

// waysOf returns all ways but the linear matcher, or the tree and some more.
func waysOf(t *drive.Trial, most int) []ways.Way {
	all := someWays(t, most)
	for i := range all {
		all[i] = t.Wrap(all[i])
	}
	return all
}

// someWays is waysOf with ways as they are.
func someWays(t *drive.Trial, most int) []ways.Way {
	all := ways.All()[1:]
	if most < len(all) {
		t.Rand.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
		all = all[:most]
	}
	return all
}
