package tree

// Every walk against the reference: on forests all of them, on trees built of
// rules the vector path beside the Go walk.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// unset is what answers hold before they are given.
const unset = -12345

// vectorWords is the length of keys up to which there is a vector path.
const vectorWords = 16

// needVector skips a test where there is no vector path.
func needVector(t *testing.T) {
	t.Helper()
	if !HaveAVX512 {
		t.Skip("the processor has no AVX-512: there is no vector path")
	}
}

// sizesOfBatches are around the lengths of vectors.
var sizesOfBatches = []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64}

func TestEveryWalkFindsTheFirstMatchInForests(t *testing.T) {
	for _, p := range forestPlans() {
		t.Run(p.name, func(t *testing.T) {
			matched, keys := 0, 0
			for seed := range uint64(8) {
				f := newForest(p, seed)
				for range 150 {
					root, k := f.root(), f.key()
					want := rankOf(f.lowest(root, k, 0))
					require.Equal(t, want, f.First(root, k), "seed %d root %x key %x", seed, root, k)
					for _, from := range []uint32{0, 1, f.r.Uint32N(forestRanks), forestRanks} {
						want := rankOf(f.lowest(root, k, from))
						require.Equal(t, want, f.FirstFrom(root, k, from), "seed %d root %x key %x from %d", seed, root, k, from)
					}
					all := f.All(root, k, nil)
					slices.Sort(all)
					require.Equal(t, f.every(root, k), all, "seed %d root %x key %x", seed, root, k)
					if keys++; want != NoMatch {
						matched++
					}
				}
			}
			require.Greater(t, matched, keys/4)
			require.Less(t, matched, keys)
		})
	}
}

// A walk from a rank passes over leaves of a chain that hold none from there on.
func TestWalksFromARankInChains(t *testing.T) {
	const n = 3*chainRows + 7
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple} {
		tree, root := compile(t, s, make([][]rules.Cond, n), Config{KeepHidden: true, bucketRows: n})
		require.True(t, root.isTable() && root.bits() == 0 && root.hasSpan())
		key := s.NewKey()
		require.EqualValues(t, 0, tree.First(root, key))
		for from := range uint32(n) {
			require.Equal(t, from, tree.FirstFrom(root, key, from))
		}
		require.Equal(t, NoMatch, tree.FirstFrom(root, key, n))
	}
}

func TestTheVectorWalkAgreesInForests(t *testing.T) {
	needVector(t)
	gaveUp := 0
	for _, p := range forestPlans() {
		t.Run(p.name, func(t *testing.T) {
			ran := 0
			for seed := range uint64(8) {
				f := newForest(p, seed)
				for i := range 40 {
					n := sizesOfBatches[i%len(sizesOfBatches)]
					roots := []Ref{f.root()}
					for len(roots) == 1 && roots[0] == 0 {
						roots[0] = f.root()
					}
					for i%3 == 0 && len(roots) < n {
						roots = append(roots, f.root())
					}
					var keys []uint32
					want, ranks := make([]int32, n), make([]int32, n)
					for j := range n {
						k := f.key()
						keys = append(keys, k...)
						want[j], ranks[j] = int32(rankOf(f.lowest(roots[min(j, len(roots)-1)], k, 0))), unset
					}
					if f.firstBatch(keys, p.words, roots, ranks) {
						ran++
						require.Equal(t, want, ranks, "seed %d roots %x", seed, roots)
					} else {
						gaveUp++
					}
					for _, vector := range []bool{false, true} {
						for j := range ranks {
							ranks[j] = unset
						}
						f.FirstBatch(keys, p.words, roots, ranks, vector)
						require.Equal(t, want, ranks, "seed %d roots %x vector %v", seed, roots, vector)
					}
				}
			}
			if p.words <= vectorWords {
				require.Positive(t, ran)
			}
		})
	}
	require.Positive(t, gaveUp) // keys too long, or too many spans
}

// schemaOf returns a schema whose keys have so many words, of fields of mixed
// widths.
func schemaOf(r *rand.Rand, words int) *rules.Schema {
	var fields []rules.Field
	for left := words - 1; left > 0; {
		f := rules.Field{Name: fmt.Sprint("f", len(fields)), Bits: [...]int{32, 16, 16, 8, 3, 32, 48, 128}[r.IntN(8)]}
		if n := (f.Bits + 31) / 32; n <= left && len(fields) < rules.MaxFields {
			fields = append(fields, f)
			left -= n
		}
	}
	return rules.MustSchema(fields...)
}

// mixedRules are of single intervals mostly, a few of unions, masks and
// negations, over some fields each. Values come from a small pool.
func mixedRules(r *rand.Rand, s *rules.Schema, n int, inexact float64) [][]rules.Cond {
	pool := make([][]rules.Value, s.Len())
	for f := range pool {
		for range 30 {
			pool[f] = append(pool[f], randomValue(r, s.Field(f)))
		}
	}
	conds := make([][]rules.Cond, n)
	for i := range conds {
		for f := range s.Len() {
			if r.IntN(s.Len()+2) > 4 {
				continue
			}
			pick := func() rules.Value { return pool[f][r.IntN(len(pool[f]))] }
			bits := s.Field(f).Bits
			var c rules.Cond
			switch r.IntN(4) {
			case 0:
				a, b := pick(), pick()
				if b.Less(a) {
					a, b = b, a
				}
				c = rules.In(f, rules.Interval{Lo: a, Hi: b})
			case 1:
				v := pick()
				c = rules.In(f, rules.Interval{Lo: v, Hi: v})
			default:
				c = rules.In(f, rules.PrefixInterval(pick(), 1+r.IntN(bits), bits))
			}
			if r.Float64() < inexact {
				m := rules.U64(r.Uint64N(8)).And(s.Field(f).Max())
				c = [...]rules.Cond{rules.Masked(f, pick().And(m), m), c.Negate(), c.OrAbsent(),
					rules.In(f, rules.Interval{Lo: rules.U64(1), Hi: rules.U64(2)}, rules.Interval{Lo: rules.U64(5), Hi: rules.U64(7)})}[r.IntN(4)]
			}
			conds[i] = append(conds[i], c)
		}
	}
	return conds
}

// requireBatches compares the batch paths with the walk of one key, and that
// with the linear walk.
func requireBatches(t *testing.T, s *rules.Schema, conds [][]rules.Cond, cfg Config, n int) (ran bool) {
	t.Helper()
	tree, root := compile(t, s, conds, cfg)
	var words []uint32
	var want []int32
	for i, k := range keys(s, conds, n) {
		rank := tree.First(root, k)
		if i%4 == 0 {
			linear := NoMatch
			if m := matching(s, conds, k); len(m) > 0 {
				linear = m[0]
			}
			require.Equal(t, linear, rank, "key %x", []uint32(k))
		}
		require.Equal(t, rank, tree.FirstFrom(root, k, 0))
		words, want = append(words, k...), append(want, int32(rank))
	}
	w := s.KeyLen()
	for _, size := range sizesOfBatches {
		ranks := make([]int32, len(want))
		for at := 0; at < len(want); at += size {
			end := min(at+size, len(want))
			if tree.firstBatch(words[at*w:end*w], w, []Ref{root}, ranks[at:end]) {
				ran = true
				require.Equal(t, want[at:end], ranks[at:end], "batches of %d", size)
			}
			for _, vector := range []bool{false, true} {
				clear(ranks[at:end])
				tree.FirstBatch(words[at*w:end*w], w, []Ref{root}, ranks[at:end], vector)
				require.Equal(t, want[at:end], ranks[at:end], "batches of %d", size)
			}
		}
	}
	return ran
}

func TestBatchesAgreeForKeysOfAnyLength(t *testing.T) {
	for words := 2; words <= vectorWords+4; words++ {
		t.Run(fmt.Sprint(words), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(words), 3))
			ran := false
			for _, inexact := range []float64{0, 0.1} {
				for _, cfg := range []Config{{}, {LeafRows: 1, Replication: 20}, {LeafRows: 40, bucketRows: 30}} {
					s := schemaOf(r, words)
					require.Equal(t, words, s.KeyLen())
					ran = requireBatches(t, s, mixedRules(r, s, 30<<r.IntN(5), inexact), cfg, 200) || ran
				}
			}
			if words <= vectorWords {
				require.Equal(t, HaveAVX512, ran)
			}
		})
	}
}

func TestBatchesAgreeOnHostileSets(t *testing.T) {
	for _, h := range hostiles {
		t.Run(h.name, func(t *testing.T) {
			for _, cfg := range []Config{{}, {bucketRows: 20}, {bucketRows: 1 << 20, LeafRows: 2, Replication: 20}, {bucketRows: 1 << 20, LeafRows: 512}} {
				requireBatches(t, h.schema, h.make(600), cfg, 150)
			}
		})
	}
}

// More columns than a row of one block has, all of them different per leaf.
func TestBatchesAgreeWhereLeavesDifferInTheirColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, width := range []int{8, 32} {
		var fields []rules.Field
		for i := range 12 {
			fields = append(fields, rules.Field{Name: fmt.Sprint("f", i), Bits: width})
		}
		s := rules.MustSchema(fields...)
		conds := make([][]rules.Cond, 1500)
		for i := range conds {
			conds[i] = []rules.Cond{rules.In(0, rules.Point(uint64(i%200)))}
			for range 3 {
				lo := r.Uint64N(200)
				conds[i] = append(conds[i], rules.In((i%200+r.IntN(5))%11+1, rules.Span(lo, lo+r.Uint64N(55))))
			}
		}
		tree, _ := compile(t, s, conds, Config{})
		require.Greater(t, len(tree.classes), 5)
		requireBatches(t, s, conds, Config{}, 400)
	}
}

// The empty tree, and trees that are a leaf or an interval node, one or many.
func TestBatchesAgreeAtAnyRoot(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 8}, rules.Field{Name: "c", Bits: 16})
	sets := map[string][][]rules.Cond{"empty": nil, "any": {nil}, "leaf": {{rules.In(0, rules.Span(5, 9))}, {rules.In(2, rules.Point(7))}}}
	for i := range uint64(15) {
		for j := range uint64(4) {
			sets["interval"] = append(sets["interval"], []rules.Cond{rules.In(1, rules.Span(i*16, i*16+9)), rules.In(2, rules.Span(j, 2*j))})
		}
		sets["table"] = append(sets["table"], []rules.Cond{rules.In(0, rules.PrefixInterval(rules.U64(i<<28), 4, 32))})
	}
	b, _ := grow(t, s, nil, Config{LeafRows: 4})
	var refs []Ref
	var of [][][]rules.Cond
	kinds := map[string]bool{}
	base := uint32(0)
	for _, name := range []string{"empty", "any", "leaf", "interval", "table"} {
		conds := sets[name]
		_, boxes := grow(t, s, conds, Config{})
		b.Grow(boxes, base)
		ref, err := b.Root(nil, nil)
		require.NoError(t, err)
		base += uint32(len(conds))
		refs, of = append(refs, ref), append(of, conds)
		kinds[fmt.Sprint(ref.isEmpty(), ref.isTable(), ref.isInterval())] = true
	}
	require.Len(t, kinds, 4)
	tree := b.Tree()
	r := rand.New(rand.NewPCG(8, 8))
	for i := range 60 {
		n := sizesOfBatches[i%len(sizesOfBatches)]
		var words []uint32
		var roots []Ref
		want, ranks := make([]int32, n), make([]int32, n)
		at := i % len(refs)
		one := refs[at] != 0 && r.IntN(2) == 0
		for j := range n {
			if !one {
				at = r.IntN(len(refs))
			}
			if j == 0 || !one {
				roots = append(roots, refs[at])
			}
			k := rules.Key{0, r.Uint32N(20), r.Uint32N(256), r.Uint32N(12)}
			if r.IntN(2) == 0 {
				k[1] <<= 28
			}
			words = append(words, k...)
			want[j] = -1
			if m := matching(s, of[at], k); len(m) > 0 {
				want[j] = int32(m[0])
				for _, before := range of[:at] {
					want[j] += int32(len(before))
				}
			}
		}
		tree.FirstBatch(words, 4, roots, ranks, true)
		require.Equal(t, want, ranks)
		if tree.firstBatch(words, 4, roots, ranks) {
			require.Equal(t, want, ranks)
		}
		slices.Reverse(ranks)
		tree.FirstBatch(words, 4, roots, ranks, false)
		require.Equal(t, want, ranks)
	}
}
