package hipac

// Work: what lookups do, as counts. It is measured on packets drawn from the
// rules, and bounded over all packets.

import (
	"math/bits"
	"math/rand/v2"

	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Work counts what a lookup of the first match does in a tree; a packet that
// goes through chains takes a lookup for each.
type Work struct {
	Steps      int64 // tables, links and interval nodes entered
	Leaves     int64 // leaves and buckets entered
	Spans      int64 // spans entered: walks after the first
	Rows       int64 // rules of leaves compared
	Words      int64 // words of 64 bits of bitmaps read, in buckets
	Candidates int64 // rules of buckets compared
}

// MeanWork is the mean of what lookups do.
//
// In Stats it is over packets drawn from the rules: up to 128, one for each of
// as many rules, or fewer where keys are longer than 16 words. A list is cut into
// that many parts, and in each a rule that does not continue is drawn; a table
// shares the packets out to its chains, at least one to each.
// Every field that the rule has a condition on gets one of the values that it
// accepts, the others one of all values, each as likely as another; addresses of
// either family are of the family that the rule asks for, IPv4 where it asks for
// none. Each packet is looked up once, in a table in the rule's own chain. The
// same rules give the same packets.
type MeanWork struct {
	Packets                                       int
	Steps, Leaves, Spans, Rows, Words, Candidates float64
}

// Work returns what Lookup of the key does; nothing with the engine Index or a
// key of the wrong length. It allocates.
func (c *Classifier[T]) Work(k rules.Key) Work {
	if c.tree == nil || len(k) != c.words {
		return Work{}
	}
	_, w := c.tree.Measure(c.root(k), k)
	return workOf(w)
}

func workOf(w tree.Work) Work { return Work(w) }

// or takes the greater of each count.
func (w *Work) or(o Work) {
	w.Steps = max(w.Steps, o.Steps)
	w.Leaves = max(w.Leaves, o.Leaves)
	w.Spans = max(w.Spans, o.Spans)
	w.Rows = max(w.Rows, o.Rows)
	w.Words = max(w.Words, o.Words)
	w.Candidates = max(w.Candidates, o.Candidates)
}

// workSum gathers the work of lookups.
type workSum struct {
	n   int
	sum Work
}

func (s *workSum) add(w Work) {
	s.n++
	s.sum.Steps += w.Steps
	s.sum.Leaves += w.Leaves
	s.sum.Spans += w.Spans
	s.sum.Rows += w.Rows
	s.sum.Words += w.Words
	s.sum.Candidates += w.Candidates
}

func (s *workSum) mean() MeanWork {
	of := func(sum int64) float64 { return float64(sum) / float64(max(s.n, 1)) }
	return MeanWork{s.n, of(s.sum.Steps), of(s.sum.Leaves), of(s.sum.Spans), of(s.sum.Rows), of(s.sum.Words), of(s.sum.Candidates)}
}

// meanWork measures packets drawn from all units, from each in proportion to
// its entries.
func (t *Table) meanWork() MeanWork {
	var sum workSum
	words := t.source.Schema.KeyLen()
	l := layOut(t.source, true)
	for i := range t.units {
		u := t.units[i]
		n := int(u.to - u.from)
		if n == 0 {
			continue
		}
		most := (maxDrawn*n + len(t.entries) - 1) / len(t.entries)
		ask := func(i int) ([]rules.Cond, bool) { return l.conds(u.from + uint32(i)), !l.passes[u.from+uint32(i)] }
		for drawn := drawFor(t.source.Schema, n, ask, t.source.Family, most); len(drawn) > 0; drawn = drawn[words:] {
			k := drawn[:words]
			_, w := t.tree.Measure(u.decide.rootFor(t.families, k), k)
			sum.add(workOf(w))
		}
	}
	return sum.mean()
}

const (
	// maxDrawn is the number of packets drawn for the mean, so that its error is
	// some percent; drawing them takes 20 us, in a build of 1,000 rules of 540 us.
	// maxDrawnWords bounds them too: they are kept when the list is not.
	maxDrawn      = 128
	maxDrawnWords = 2048
	// drawTries is how often a packet is drawn for a rule until one matches it:
	// a mask that few values of a range have may need several.
	drawTries = 8
)

// drawPackets draws packets from the rules of a list as MeanWork says, at most
// so many, and returns their keys back to back. The family is that of addresses
// where a rule asks for none.
func drawPackets[T any](l *rules.List[T], family, most int) []uint32 {
	ask := func(i int) ([]rules.Cond, bool) { return l.At(i).Conds, !l.At(i).Continue }
	return drawFor(l.Schema(), l.Len(), ask, family, most)
}

// drawFor is drawPackets for n rules; ask gives their conditions, and says
// whether packets are wanted for them.
func drawFor(s *rules.Schema, n int, ask func(i int) (conds []rules.Cond, wanted bool), family, most int) []uint32 {
	most = min(n, most, max(maxDrawnWords/s.KeyLen(), 1))
	r := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]uint32, 0, most*s.KeyLen())
	for j := range most {
		from, to := j*n/most, (j+1)*n/most
		first := r.IntN(to - from)
		for i := range to - from {
			conds, wanted := ask(from + (first+i)%(to-from))
			k := rules.Key(out[len(out) : len(out)+s.KeyLen()])
			if wanted && draw(r, s, conds, family, k) {
				out = out[:len(out)+s.KeyLen()]
				break
			}
		}
	}
	return out
}

// draw sets k to a packet that meets the conditions, and reports whether it
// found one.
func draw(r *rand.Rand, s *rules.Schema, conds []rules.Cond, family int, k rules.Key) bool {
	for range drawTries {
		clear(k)
		set, four := uint32(0), family != 6
		for i := range conds {
			f := conds[i].Field()
			if v, ok := drawValue(r, s.Field(f), &conds[i]); ok {
				s.Set(k, f, v)
				if s.Field(f).Kind == rules.IP {
					four = v.Hi == 0 && v.Lo>>32 == 0xffff
				}
			} else {
				s.SetAbsent(k, f)
			}
			set |= 1 << f
		}
		for f := range s.Len() {
			if set>>f&1 != 0 {
				continue
			}
			v := drawIn(r, s.Field(f).Full())
			if s.Field(f).Kind == rules.IP && four {
				v = rules.Value{Lo: 0xffff<<32 | v.Lo&0xffffffff}
			}
			s.Set(k, f, v)
		}
		if holds(s, conds, k) {
			return true
		}
	}
	return false
}

// holds reports whether the packet meets the conditions.
func holds(s *rules.Schema, conds []rules.Cond, k rules.Key) bool {
	for i := range conds {
		if v, present := s.Get(k, conds[i].Field()); !conds[i].Holds(v, present) {
			return false
		}
	}
	return true
}

// drawValue draws a value that the condition accepts, or nearly so when it is a
// mask in a range; ok is false when there is none.
func drawValue(r *rand.Rand, f *rules.Field, c *rules.Cond) (v rules.Value, ok bool) {
	ranges, ranged := c.Intervals()
	want, mask, masked := c.Mask()
	switch {
	case !ranged || masked && c.Negated():
		ranges = []rules.Interval{f.Full()}
	case c.Negated():
		ranges = rules.Complement(f, ranges)
	}
	if len(ranges) == 0 {
		return v, false
	}
	v = drawIn(r, ranges[r.IntN(len(ranges))])
	if masked && !c.Negated() {
		v = v.And(mask.Not()).Or(want)
	}
	return v, true
}

// drawIn draws a value of the interval.
func drawIn(r *rand.Rand, iv rules.Interval) rules.Value {
	lo, borrow := bits.Sub64(iv.Hi.Lo, iv.Lo.Lo, 0)
	hi, _ := bits.Sub64(iv.Hi.Hi, iv.Lo.Hi, borrow)
	if iv.Hi.Hi == 0 && lo != ^uint64(0) { // most fields; as likely as makes no difference
		lo, _ = bits.Mul64(r.Uint64(), lo+1)
		return rules.U64(iv.Lo.Lo + lo)
	}
	size := rules.Value{Hi: hi, Lo: lo} // less one
	v := size
	for ok := false; !ok; ok = !size.Less(v) {
		v = rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(rules.Ones(size.BitLen()))
	}
	lo, carry := bits.Add64(v.Lo, iv.Lo.Lo, 0)
	hi, _ = bits.Add64(v.Hi, iv.Lo.Hi, carry)
	return rules.Value{Hi: hi, Lo: lo}
}
