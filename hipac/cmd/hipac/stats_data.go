package main

// The statistics of a list or table, as JSON has them.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// tableStats are the statistics of a list or of one table.
type tableStats struct {
	Table        string       `json:"table,omitempty"`
	Chains       int          `json:"chains,omitempty"`
	Rules        int          `json:"rules"`
	Continue     int          `json:"continue"`
	Never        int          `json:"never_match"`
	Inexact      int          `json:"not_intervals"`
	Fields       []fieldStats `json:"fields"`
	Nodes        nodeStats    `json:"nodes"`
	Slots        int          `json:"table_slots"`
	Spans        int          `json:"table_spans"`
	Rows         int          `json:"leaf_rows"`
	RowsPerRule  float64      `json:"leaf_rows_per_rule"`
	LargestLeaf  int          `json:"largest_leaf"`
	LargestBuck  int          `json:"largest_bucket"`
	Depth        []int        `json:"nodes_at_depth"`
	DepthNodes   []nodeStats  `json:"nodes_by_depth"`
	Mean         workStats    `json:"lookup_mean"`
	MeanOf       int          `json:"lookup_mean_packets"`
	Worst        workStats    `json:"lookup_worst"`
	Bytes        int          `json:"bytes"`
	BytesPerRule float64      `json:"bytes_per_rule"`
	Parts        []partStats  `json:"bytes_by_part"`
	Costliest    []costStats  `json:"costliest_rules"`
	NoMemory     []costStats  `json:"rules_without_memory"`
	BuildNS      int64        `json:"build_ns"`
	*deadRules                // with --hidden
	most         int          // copies of one rule
	buildText    string
}

type fieldStats struct {
	Name  string    `json:"name"`
	Bits  int       `json:"bits"`
	Rules int       `json:"rules"`
	Cuts  int       `json:"nodes"`
	Nodes nodeStats `json:"nodes_by_kind"`
}

// nodeStats counts nodes. The leaves are the sum of the next four.
type nodeStats struct {
	Tables    int `json:"table"`
	Intervals int `json:"interval"`
	Links     int `json:"link"`
	Leaves    int `json:"leaf"`
	Short     int `json:"leaf_short"`
	Long      int `json:"leaf_long"`
	Sparse    int `json:"leaf_sparse"`
	Buckets   int `json:"leaf_bucket"`
	Spans     int `json:"with_span"`
}

func (n *nodeStats) total() int { return n.Tables + n.Intervals + n.Links + n.Leaves }

// workStats are the mean of lookups, or the most.
type workStats struct {
	Steps      float64 `json:"steps"`
	Leaves     float64 `json:"leaves"`
	Spans      float64 `json:"spans"`
	Rows       float64 `json:"rows"`
	Words      float64 `json:"bucket_words"`
	Candidates float64 `json:"bucket_rows"`
}

// partStats is a part of the memory.
type partStats struct {
	Name  string `json:"part"`
	Bytes int    `json:"bytes"`
}

// costStats is a rule and what it takes.
type costStats struct {
	Chain string `json:"chain,omitempty"`
	Rule  string `json:"rule"` // its number, from 1
	Text  string `json:"text"`
	Rows  int    `json:"rows"`
	Bytes int    `json:"bytes"`
}

// newTableStats takes the statistics of what was compiled, with the top rules
// by cost.
func newTableStats(c *compiled, t *rules.Table, top int) tableStats {
	s, _ := c.stats()
	out := tableStats{
		Rules: s.Rules, Continue: s.Passing, Never: s.Never, Inexact: s.Inexact, Fields: []fieldStats{},
		Nodes: nodeStats(s.Nodes), Slots: s.Slots, Spans: s.Spans, Rows: s.Rows, RowsPerRule: s.Replication(),
		LargestLeaf: s.LargestLeaf, LargestBuck: s.LargestBucket, Depth: []int{}, DepthNodes: []nodeStats{},
		Mean: workStats{s.Mean.Steps, s.Mean.Leaves, s.Mean.Spans, s.Mean.Rows, s.Mean.Words, s.Mean.Candidates}, MeanOf: s.Mean.Packets,
		Worst: workStats{float64(s.Worst.Steps), float64(s.Worst.Leaves), float64(s.Worst.Spans), float64(s.Worst.Rows),
			float64(s.Worst.Words), float64(s.Worst.Candidates)},
		Bytes: s.Bytes(), BuildNS: c.build.Nanoseconds(), buildText: roundTime(c.build),
		Parts: []partStats{}, Costliest: []costStats{}, NoMemory: []costStats{},
	}
	if t != nil {
		out.Table, out.Chains = t.Name, len(t.Chains)
	}
	if s.Rules > 0 {
		out.BytesPerRule = float64(s.Bytes()) / float64(s.Rules)
	}
	for _, n := range s.Depth {
		out.Depth = append(out.Depth, n.Total())
		out.DepthNodes = append(out.DepthNodes, nodeStats(n))
	}
	for i := range s.Fields {
		if f := &s.Fields[i]; f.Rules > 0 {
			out.Fields = append(out.Fields, fieldStats{f.Name, c.schema().Field(i).Bits, f.Rules, f.Cuts(), nodeStats(f.Nodes)})
		}
	}
	for _, p := range s.Memory.Parts() {
		if p.Bytes > 0 {
			out.Parts = append(out.Parts, partStats{strings.ReplaceAll(p.Name, " ", "_"), p.Bytes})
		}
	}
	costs := c.costs()
	for i := range costs {
		out.most = max(out.most, costs[i].Rows)
	}
	slices.SortStableFunc(costs, func(a, b hipac.RuleCost) int { return cmp.Compare(b.Bytes, a.Bytes) })
	for _, cost := range costs[:min(top, len(costs))] {
		if cost.Rows > 0 {
			out.Costliest = append(out.Costliest, c.costOf(cost))
		}
	}
	for _, p := range s.Hidden {
		out.NoMemory = append(out.NoMemory, c.costOf(hipac.RuleCost{Place: p}))
	}
	return out
}

// costOf gives a rule its number and text.
func (c *compiled) costOf(cost hipac.RuleCost) costStats {
	o := outcome{chain: int32(cost.Place.Chain), rule: int32(cost.Place.Rule)}
	out := costStats{Rows: cost.Rows, Bytes: cost.Bytes}
	out.Chain, out.Rule = c.ref(o)
	out.Text, _ = c.describe(o)
	return out
}
