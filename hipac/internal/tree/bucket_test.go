package tree

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// hostile is a kind of rules that no cut separates.
type hostile struct {
	name   string
	schema *rules.Schema
	conds  func(r *rand.Rand, s *rules.Schema, i, n int) []rules.Cond

	chunks     int   // of masks and unions
	candidates int64 // at most, in percent of the entries
}

var hostiles = []hostile{
	{"nested", rules.IPv4Tuple, nested, 0, 2},
	{"wide", rules.IPv4Tuple, wide(5), 0, 2},
	{"crossing", rules.IPv4Tuple, crossing, 0, 2},
	{"unions", rules.IPv4Tuple, unions, 2, 14},
	{"masks", rules.IPv4Tuple, masks, 16, 2},         // fours of bits
	{"nested IPv6", rules.IPv6Tuple, nested, 0, 100}, // ranges across words are in doubt
	{"wide IPv6", rules.IPv6Tuple, wide(5), 0, 100},
	{"nested firewall", rules.Firewall, nested, 0, 100},
	{"wide firewall", rules.Firewall, wide(20), 0, 100},
}

func randomValue(r *rand.Rand, f *rules.Field) rules.Value {
	return rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(f.Max())
}

// nested rules lie within one another in every field, the innermost first.
func nested(_ *rand.Rand, s *rules.Schema, i, n int) (out []rules.Cond) {
	for f := range s.Len() {
		top := s.Field(f).Max()
		half := rules.Ones(top.BitLen() - 1)
		lo := uint64(float64(n-1-i) / float64(n) * math.Ldexp(1, min(half.BitLen(), 63)))
		v := rules.U64(lo).Shl(max(0, half.BitLen()-63))
		out = append(out, rules.In(f, rules.Interval{Lo: v.And(half), Hi: top.Xor(v.And(half))}))
	}
	return out
}

// wide rules have random ranges in so many of the first fields.
func wide(fields int) func(*rand.Rand, *rules.Schema, int, int) []rules.Cond {
	return func(r *rand.Rand, s *rules.Schema, _, _ int) (out []rules.Cond) {
		for f := range min(fields, s.Len()) {
			a, b := randomValue(r, s.Field(f)), randomValue(r, s.Field(f))
			if r.IntN(3) == 0 && fields > 5 {
				continue
			}
			if b.Less(a) {
				a, b = b, a
			}
			out = append(out, rules.In(f, rules.Interval{Lo: a, Hi: b}))
		}
		return out
	}
}

// crossing rules ask for one field each.
func crossing(r *rand.Rand, s *rules.Schema, i, _ int) []rules.Cond {
	a, b := randomValue(r, s.Field(i%4)), randomValue(r, s.Field(i%4))
	if b.Less(a) {
		a, b = b, a
	}
	return []rules.Cond{rules.In(i%4, rules.Interval{Lo: a, Hi: b})}
}

// unions are of points all over both ports.
func unions(r *rand.Rand, s *rules.Schema, _, _ int) (out []rules.Cond) {
	for f := 2; f < 4; f++ {
		ivs := []rules.Interval{rules.Point(0), rules.Point(65535)}
		for range 13 {
			ivs = append(ivs, rules.Point(r.Uint64N(65536)))
		}
		out = append(out, rules.In(f, ivs...))
	}
	return out
}

// masks are of eight bits anywhere in an address.
func masks(r *rand.Rand, s *rules.Schema, _, _ int) (out []rules.Cond) {
	for f := range 2 {
		m := rules.Value{}
		for range 8 {
			m = m.Or(rules.U64(1).Shl(r.IntN(31)))
		}
		out = append(out, rules.Masked(f, randomValue(r, s.Field(f)).And(m), m))
	}
	return out
}

func (h hostile) make(n int) [][]rules.Cond {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	conds := make([][]rules.Cond, n)
	for i := range conds {
		conds[i] = h.conds(r, h.schema, i, n)
	}
	return conds
}

func grow(t testing.TB, s *rules.Schema, conds [][]rules.Cond, cfg Config) (*Builder, *lower.Boxes) {
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: len(conds), Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30)
	require.NoError(t, err)
	cfg.Plain = s == rules.IPv4Tuple
	b := NewBuilder(context.Background(), cfg)
	b.Grow(boxes, 0)
	return b, boxes
}

func compile(t testing.TB, s *rules.Schema, conds [][]rules.Cond, cfg Config) (*Tree, Ref) {
	b, _ := grow(t, s, conds, cfg)
	root, err := b.Root(nil, nil)
	require.NoError(t, err)
	return b.Tree(), root
}

// keys are random, inside rules, at the ends of intervals of several rules, and
// some lack fields.
func keys(s *rules.Schema, conds [][]rules.Cond, n int) (out []rules.Key) {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	for range n {
		k := s.NewKey()
		mixed := r.IntN(2) == 0
		rule := conds[r.IntN(len(conds))]
		for f := range s.Len() {
			s.Set(k, f, randomValue(r, s.Field(f)))
		}
		for f := range s.Len() {
			if mixed {
				rule = conds[r.IntN(len(conds))]
			}
			for _, c := range rule {
				if c.Field() != f || r.IntN(8) == 0 {
					continue
				}
				if want, mask, ok := c.Mask(); ok {
					s.Set(k, f, want.Or(randomValue(r, s.Field(f)).And(mask.Not())))
				} else if ivs, _ := c.Intervals(); len(ivs) > 0 {
					iv := ivs[r.IntN(len(ivs))]
					s.Set(k, f, [4]rules.Value{iv.Lo, iv.Hi, iv.Lo, iv.Hi.Next().And(s.Field(f).Max())}[r.IntN(4)])
				}
			}
			if r.IntN(30) == 0 {
				s.SetAbsent(k, f)
			}
		}
		out = append(out, k)
	}
	return out
}

// matching returns the positions of the rules that match, by the definition.
func matching(s *rules.Schema, conds [][]rules.Cond, k rules.Key) (out []uint32) {
	for i := range conds {
		rule := rules.Rule[int]{Conds: conds[i]}
		if rule.Matches(s, k) {
			out = append(out, uint32(i))
		}
	}
	return out
}

func shapeOf(t *Tree, root Ref) (s Shape) {
	s.Add(t, root, map[Ref]bool{})
	return s
}

func TestBucketsAnswerAsTheLinearWalkDoes(t *testing.T) {
	const n = 700
	for _, h := range hostiles {
		t.Run(h.name, func(t *testing.T) {
			conds := h.make(n)
			first, root := compile(t, h.schema, conds, Config{bucketRows: 20})
			all, every := compile(t, h.schema, conds, Config{bucketRows: 20, KeepHidden: true})
			require.Positive(t, shapeOf(first, root).Buckets)
			require.Positive(t, shapeOf(all, every).Buckets)
			r := rand.New(rand.NewPCG(1, 2))
			hits := 0
			var batch []uint32
			var answers []int32
			for _, k := range keys(h.schema, conds, 128) {
				want := matching(h.schema, conds, k)
				hits += len(want)
				got := all.All(every, k, nil)
				slices.Sort(got)
				require.Equal(t, want, got)
				for _, from := range []uint32{0, 1, uint32(r.IntN(n)), n - 1, n} {
					at, _ := slices.BinarySearch(want, from)
					rank := NoMatch
					if at < len(want) {
						rank = want[at]
					}
					require.Equal(t, rank, all.FirstFrom(every, k, from), "from %d", from)
					if from == 0 {
						require.Equal(t, rank, first.First(root, k))
						require.Equal(t, rank, first.FirstFrom(root, k, 0))
						batch, answers = append(batch, k...), append(answers, int32(rank))
					}
				}
			}
			require.Positive(t, hits)
			ranks := make([]int32, BatchSize)
			for i := 0; i < len(answers); i += BatchSize {
				words := h.schema.KeyLen()
				first.FirstBatch(batch[i*words:(i+BatchSize)*words], words, []Ref{root}, ranks, true)
				require.Equal(t, answers[i:i+BatchSize], ranks)
			}
		})
	}
}

// counting is the walk of FirstFrom with a count of what it does.
func counting(t *Tree, root Ref, key []uint32) (best uint32, w Work) {
	best = NoMatch
	pending := []uint32{}
	for ref := root; ; {
		for !ref.isLeaf() {
			w.Steps++
			if ref.isInterval() {
				l := &t.lines[ref.offset()]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			if ref.hasSpan() {
				pending = append(pending, ref.offset())
			}
			ref = Ref(t.slots[ref.offset()+key[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
		}
		switch {
		case ref.isEmpty():
		case ref.form() == formBucket:
			w.Leaves++
			var c bitvec.Cursor
			for c.Open(t.slots, ref.offset(), key, 0); ; {
				tag, _, ok := c.Next(best)
				if !ok {
					break
				}
				w.Candidates++
				if t.accept(tag, key, 0) {
					best = tag
					break
				}
			}
			w.Words += c.Work.Words
			w.Candidates += c.Work.Failed
		default:
			w.Leaves++
			w.Rows += int64(ref.rows())
			best = t.leaf(ref, key, best, 0)
		}
		for {
			if len(pending) == 0 {
				return rankOf(best), w
			}
			off := pending[len(pending)-1]
			pending = pending[:len(pending)-1]
			if uint32(t.slots[off-2]) < best {
				ref = Ref(t.slots[off-1])
				break
			}
		}
	}
}

func TestNoLookupDoesMoreThanTheBound(t *testing.T) {
	const n = 3000
	for _, h := range hostiles {
		t.Run(h.name, func(t *testing.T) {
			conds := h.make(n)
			for _, cfg := range []Config{{}, {bucketRows: 60}, {LeafRows: 2, Replication: 20, bucketRows: n}} {
				tree, root := compile(t, h.schema, conds, cfg)
				bound := tree.Bound(root)
				most := Work{}
				for _, k := range keys(h.schema, conds, 300) {
					got, w := counting(tree, root, k)
					require.Equal(t, tree.First(root, k), got)
					most.or(w)
				}
				require.LessOrEqual(t, most.Steps, bound.Steps)
				require.LessOrEqual(t, most.Leaves, bound.Leaves)
				require.LessOrEqual(t, most.Rows, bound.Rows)
				require.LessOrEqual(t, most.Words, bound.Words)
				require.LessOrEqual(t, most.Candidates, bound.Candidates)
			}
		})
	}
}

// A lookup meets an entry at most once, so that the words it reads are those of
// one bucket of all entries but for rounding, and the rows it compares in leaves
// those of as many small ones.
func TestWorkOnHostileSetsIsLinearInWordsOfBitmaps(t *testing.T) {
	const n = 6000
	for _, h := range hostiles {
		t.Run(h.name, func(t *testing.T) {
			b, boxes := grow(t, h.schema, h.make(n), Config{})
			root, err := b.Root(nil, nil)
			require.NoError(t, err)
			tree := b.Tree()
			w := tree.Bound(root)
			// The words of the boxes, of absent fields by eights, the eights of
			// masks, and the last eight bits of unions of many points.
			dims := int64(max(len(boxes.Dims), 2) + (h.schema.Len()+7)/8 + h.chunks)
			require.LessOrEqual(t, w.Words, dims*(n/64+n/4096+10*w.Leaves))
			require.LessOrEqual(t, w.Rows, bucketRows*w.Leaves)
			require.LessOrEqual(t, w.Leaves, int64(16))
			require.LessOrEqual(t, w.Steps, int64(maxDepth))
			require.LessOrEqual(t, w.Candidates, int64(n)*h.candidates/100)
			require.LessOrEqual(t, tree.Bytes(), n*1200)
			require.LessOrEqual(t, shapeOf(tree, root).BucketWords*8, n*bucketsBytes)
		})
	}
}

func TestRulesThatCutsSeparateAreInNoBucket(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	s := rules.IPv4Tuple
	conds := make([][]rules.Cond, 5000)
	for i := range conds {
		for f := range 2 {
			site := rules.U64(r.Uint64N(50)<<24 | r.Uint64()&0xffffff)
			conds[i] = append(conds[i], rules.In(f, rules.PrefixInterval(site, 16+r.IntN(17), 32)))
		}
		if r.IntN(3) > 0 {
			conds[i] = append(conds[i], rules.In(3, rules.Point(r.Uint64N(1024))))
		}
	}
	tree, root := compile(t, s, conds, Config{})
	require.Zero(t, shapeOf(tree, root).Buckets)
	w := tree.Bound(root)
	require.Zero(t, w.Words+w.Candidates)
	require.LessOrEqual(t, w.Rows, int64(200))
}

// When memory is short there is a chain in place of a bucket, and then an error.
func TestBucketsThatDoNotFitAreChains(t *testing.T) {
	const n = 3000
	h := hostiles[0]
	conds := h.make(n)
	var last Shape
	seen := map[string]bool{}
	for limit := int64(2 << 20); limit > 1000; limit = limit * 3 / 4 {
		b, _ := grow(t, h.schema, conds, Config{MaxBytes: limit})
		root, err := b.Root(nil, nil)
		if err != nil {
			require.ErrorIs(t, err, lower.ErrMemory)
			seen["error"] = true
			continue
		}
		require.False(t, seen["error"], "%d bytes are enough where more were not", limit)
		tree := b.Tree()
		require.LessOrEqual(t, int64(tree.Bytes()), limit+limit/16)
		last = shapeOf(tree, root)
		if seen[fmt.Sprint("buckets ", last.Buckets > 0)] {
			continue
		}
		seen[fmt.Sprint("buckets ", last.Buckets > 0)] = true
		for _, k := range keys(h.schema, conds, 50) {
			want := NoMatch
			if m := matching(h.schema, conds, k); len(m) > 0 {
				want = m[0]
			}
			require.Equal(t, want, tree.First(root, k))
		}
	}
	require.Equal(t, map[string]bool{"buckets true": true, "buckets false": true, "error": true}, seen)
}
