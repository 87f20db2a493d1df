package workload

// Statistics: what a rule set looks like in numbers. Tests hold generated sets
// to their profiles with them, and reports describe the sets they measured.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// Stats describes a rule set. Shares are of all rules, 0 to 1.
type Stats struct {
	Rules  int
	Fields []FieldStats // by field of the schema
	// The two maps are nil when the schema has no address fields src and dst,
	// or no port fields sport and dport. Length -1 is no prefix.
	PrefixPairs map[[2]int]float64       // source and destination prefix length
	PortPairs   map[[2]PortClass]float64 // source and destination port class
	// Hidden is the share of rules that no packet reaches because one earlier
	// rule matches all of theirs, estimated on a sample; rules whose conditions
	// are not single intervals count as not hidden.
	Hidden float64
	// Matches is the mean number of rules that match a packet drawn from inside
	// a random rule, estimated on a sample.
	Matches float64
}

// FieldStats describes the conditions on one field.
type FieldStats struct {
	Name     string
	Wildcard float64 // share of rules without a condition on the field
	Exact    float64 // share of rules that ask for one value
	Distinct int     // different conditions
	// Prefixes has the share per prefix length, of address fields; 0 stands
	// for no condition. Conditions that are no prefix are left out.
	Prefixes map[int]float64
	// Classes has the share per port class, of Port fields.
	Classes [numPortClasses]float64
	// Values has the share per exact value of fields of at most 8 bits.
	Values map[uint64]float64
	// Nesting is the largest number of different prefixes of an address field
	// that hold one another, MeanNesting the mean over all different prefixes
	// of the number of those that hold it; both count the prefix itself.
	Nesting     int
	MeanNesting float64
}

// Statistics measures a list, O(rules * fields), and a tenth of a second or so
// for the sampled estimates; a million rules take a few seconds.
func Statistics[T any](l *rules.List[T]) Stats {
	s := l.Schema()
	out := Stats{Rules: l.Len(), Fields: make([]FieldStats, s.Len())}
	if l.Len() == 0 {
		return out
	}
	one := 1 / float64(l.Len())
	lengths := make([][]int, s.Len()) // per field and rule, -1 for no prefix
	classes := make([][]PortClass, s.Len())
	for f := range s.Len() {
		lengths[f], classes[f] = out.Fields[f].measure(condList[T]{l}, f, one)
	}
	if src, dst := s.Index("src"), s.Index("dst"); src >= 0 && dst >= 0 && lengths[src] != nil && lengths[dst] != nil {
		out.PrefixPairs = map[[2]int]float64{}
		for i := range l.Len() {
			out.PrefixPairs[[2]int{lengths[src][i], lengths[dst][i]}] += one
		}
	}
	if src, dst := s.Index("sport"), s.Index("dport"); src >= 0 && dst >= 0 && classes[src] != nil && classes[dst] != nil {
		out.PortPairs = map[[2]PortClass]float64{}
		for i := range l.Len() {
			out.PortPairs[[2]PortClass{classes[src][i], classes[dst][i]}] += one
		}
	}
	out.sample(condList[T]{l})
	return out
}

func (fs *FieldStats) measure(l rulesOf, f int, one float64) (lengths []int, classes []PortClass) {
	field := l.Schema().Field(f)
	fs.Name = field.Name
	address := field.Kind == rules.IPv4 || field.Kind == rules.IPv6 || field.Kind == rules.IP
	if address {
		fs.Prefixes, lengths = map[int]float64{}, make([]int, l.Len())
	}
	if field.Kind == rules.Port {
		classes = make([]PortClass, l.Len())
	}
	if field.Bits <= 8 {
		fs.Values = map[uint64]float64{}
	}
	intervals := map[rules.Interval]struct{}{} // of single-interval conditions
	others := map[string]struct{}{}
	for i := range l.Len() {
		c := onField(l.CondsAt(i), f)
		if c == nil {
			fs.Wildcard += one
			fs.Classes[WC] += b2f(classes != nil) * one
			if address {
				fs.Prefixes[0] += one
			}
			continue
		}
		iv, single := singleInterval(c)
		if !single {
			others[l.Schema().FormatCond(c)] = struct{}{}
			if address {
				lengths[i] = -1
			}
			if classes != nil {
				classes[i] = AR
				fs.Classes[AR] += one
			}
			continue
		}
		intervals[iv] = struct{}{}
		if iv.Lo == iv.Hi {
			fs.Exact += one
			if fs.Values != nil {
				fs.Values[iv.Lo.Lo] += one
			}
		}
		if address {
			n, ok := iv.PrefixLen(field.Bits)
			if !ok {
				lengths[i] = -1
				continue
			}
			lengths[i] = n
			fs.Prefixes[n] += one
		}
		if classes != nil {
			classes[i] = classOf(iv)
			fs.Classes[classes[i]] += one
		}
	}
	fs.Distinct = len(intervals) + len(others)
	if address {
		fs.nest(intervals, field.Bits)
	}
	return lengths, classes
}

func (fs *FieldStats) nest(intervals map[rules.Interval]struct{}, bits int) {
	var used []int
	for n := range bits + 1 {
		if _, ok := fs.Prefixes[n]; ok && n > 0 {
			used = append(used, n)
		}
	}
	sum, count := 0, 0
	for iv := range intervals {
		n, ok := iv.PrefixLen(bits)
		if !ok {
			continue
		}
		depth := 0
		for _, m := range used {
			if m > n {
				break
			}
			_, ok := intervals[rules.PrefixInterval(iv.Lo, m, bits)]
			depth += b2i(ok)
		}
		fs.Nesting = max(fs.Nesting, depth)
		sum, count = sum+depth, count+1
	}
	fs.MeanNesting = float64(sum) / float64(max(1, count))
}

// rulesOf is what the measurements need of a list, whatever its values.
type rulesOf interface {
	Len() int
	Schema() *rules.Schema
	CondsAt(i int) []rules.Cond
}

type condList[T any] struct{ *rules.List[T] }

func (l condList[T]) CondsAt(i int) []rules.Cond { return l.At(i).Conds }

// sampleWork bounds the comparisons that the sampled estimates make: some 100
// ms worth.
const sampleWork = 2_000_000

func (out *Stats) sample(l rulesOf) {
	r := newRNG(1, "statistics")
	n := min(1000, max(20, sampleWork/l.Len()))
	v := newVenue(l)
	key := l.Schema().NewKey()
	matches, hidden := 0, 0
	for range n {
		i := r.IntN(l.Len())
		v.inside(r, i, key)
		for j := range l.Len() {
			matches += b2i(holds(l.Schema(), l.CondsAt(j), key))
		}
		for j := range i {
			if covers(l.CondsAt(j), l.CondsAt(i)) {
				hidden++
				break
			}
		}
	}
	out.Matches, out.Hidden = float64(matches)/float64(n), float64(hidden)/float64(n)
}

func holds(s *rules.Schema, conds []rules.Cond, k rules.Key) bool {
	for i := range conds {
		if v, ok := s.Get(k, conds[i].Field()); !conds[i].Holds(v, ok) {
			return false
		}
	}
	return true
}

// covers reports whether every packet that b's conditions hold for satisfies
// a's, as far as single intervals tell.
func covers(a, b []rules.Cond) bool {
	for i := range a {
		c := &a[i]
		iv, ok := singleInterval(c)
		if !ok {
			return false
		}
		implied := false
		for j := range b {
			d := &b[j]
			jv, ok := singleInterval(d)
			if d.Field() == c.Field() && ok && iv.Covers(jv) && (c.AllowsAbsent() || !d.AllowsAbsent()) {
				implied = true
				break
			}
		}
		if !implied {
			return false
		}
	}
	return true
}

func onField(conds []rules.Cond, f int) *rules.Cond {
	for i := range conds {
		if conds[i].Field() == f {
			return &conds[i]
		}
	}
	return nil
}

func singleInterval(c *rules.Cond) (rules.Interval, bool) {
	ivs, _ := c.Intervals()
	_, _, masked := c.Mask()
	if len(ivs) != 1 || masked || c.Negated() {
		return rules.Interval{}, false
	}
	return ivs[0], true
}

// classOf returns the port class of a condition.
func classOf(iv rules.Interval) PortClass {
	switch {
	case iv.Lo == iv.Hi:
		return EM
	case iv == rules.Span(1024, 65535):
		return HI
	case iv == rules.Span(0, 1023):
		return LO
	}
	return AR
}

func b2f(b bool) float64 { return float64(b2i(b)) }

// String writes the statistics as a small table.
func (out Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rules %d, hidden %.1f%%, matches per packet %.1f\n", out.Rules, 100*out.Hidden, out.Matches)
	writeFields(&b, out.Fields)
	if out.PortPairs != nil {
		fmt.Fprintf(&b, "ports   %s\n", topShares(out.PortPairs, "%v"))
	}
	return b.String()
}

func writeFields(b *strings.Builder, fields []FieldStats) {
	for _, f := range fields {
		fmt.Fprintf(b, "%-8s wildcard %5.1f%%  exact %5.1f%%  distinct %d", f.Name, 100*f.Wildcard, 100*f.Exact, f.Distinct)
		if f.Nesting > 0 {
			fmt.Fprintf(b, "  nesting %d (mean %.1f)", f.Nesting, f.MeanNesting)
		}
		b.WriteString(topShares(f.Prefixes, "/%d"))
		b.WriteString(topShares(f.Values, "=%d"))
		b.WriteByte('\n')
	}
}

// topShares lists the six largest shares.
func topShares[K comparable](m map[K]float64, format string) string {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int {
		if m[a] != m[b] {
			return b2i(m[a] < m[b])*2 - 1
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	var b strings.Builder
	for _, k := range keys[:min(6, len(keys))] {
		fmt.Fprintf(&b, "  "+format+" %.0f%%", k, 100*m[k])
	}
	return b.String()
}
