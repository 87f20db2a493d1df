package hipac

// Statistics as text.

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// String writes the statistics in a dozen lines, for people.
func (s Stats) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("rules", "%d: %d continue, %d never match, %d inexact, %d hidden", s.Rules, s.Passing, s.Never, s.Inexact, len(s.Hidden))
	var fields []string
	for _, f := range s.Fields {
		if f.Rules > 0 {
			fields = append(fields, fmt.Sprintf("%s %d", f.Name, f.Rules))
		}
	}
	row("fields", "%s", strings.Join(fields, ", "))
	m := s.Memory
	if m.Index > 0 {
		row("memory", "%d bytes, about, of the field index", m.Total())
		w.Flush()
		return b.String()
	}
	row("nodes", "%d: %d tables of %d slots, %d interval nodes, %d links, %d leaves", s.Total(), s.Tables, s.Slots, s.Intervals, s.Links, s.Leaves)
	row("spans", "%d", s.Spans)
	row("depth", "%d", len(s.Depth))
	row("rows", "%d, %.2f per rule; largest leaf %d", s.Rows, s.Replication(), s.LargestLeaf)
	if s.Buckets > 0 {
		row("buckets", "%d, largest %d rows", s.Buckets, s.LargestBucket)
	}
	mean, worst := s.Mean, s.Worst
	row("mean lookup", "%.1f steps, %.1f leaves, %.1f spans, %.1f rows%s", mean.Steps, mean.Leaves, mean.Spans, mean.Rows,
		s.ofBuckets("%.0f", mean.Words, mean.Candidates))
	row("worst lookup", "%d steps, %d leaves, %d spans, %d rows%s", worst.Steps, worst.Leaves, worst.Spans, worst.Rows,
		s.ofBuckets("%d", worst.Words, worst.Candidates))
	perRule := 0.0
	if s.Rules > 0 {
		perRule = float64(m.Total()) / float64(s.Rules)
	}
	row("memory", "%d bytes, %.1f per rule", m.Total(), perRule)
	for _, p := range m.Parts() {
		if p.Bytes > 0 {
			row("  "+p.Name, "%d", p.Bytes)
		}
	}
	w.Flush()
	return b.String()
}

// ofBuckets writes the work in buckets, when there are any.
func (s *Stats) ofBuckets(verb string, words, candidates any) string {
	if s.Buckets == 0 {
		return ""
	}
	return fmt.Sprintf(", "+verb+" words and "+verb+" rows of buckets", words, candidates)
}

// MemoryPart is a part of Memory by name.
type MemoryPart struct {
	Name  string
	Bytes int
}

// Parts returns all parts of the memory, in the order of the fields; their sum
// is Total.
func (m Memory) Parts() []MemoryPart {
	return []MemoryPart{
		{"tables", m.Tables}, {"intervals", m.Intervals}, {"leaves", m.Leaves}, {"buckets", m.Buckets},
		{"programs", m.Programs}, {"needs", m.Needs}, {"classes", m.Classes}, {"spare", m.Spare},
		{"index", m.Index}, {"identities", m.Identities}, {"values", m.Values}, {"packets", m.Packets},
		{"all matches", m.AllMatches},
	}
}
