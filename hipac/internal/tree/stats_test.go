package tree

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// separable rules are common ones: prefixes, ports and protocols.
func separable(r *rand.Rand, s *rules.Schema, _, _ int) (out []rules.Cond) {
	for f := range 2 {
		if r.IntN(4) > 0 {
			site := rules.U64(r.Uint64N(30)<<24 | r.Uint64()&0xffffff).Shl(s.Field(f).Bits - 32)
			out = append(out, rules.In(f, rules.PrefixInterval(site, 8*r.IntN(5), s.Field(f).Bits)))
		}
	}
	if r.IntN(3) > 0 {
		lo := r.Uint64N(1024)
		out = append(out, rules.In(3, rules.Span(lo, lo+r.Uint64N(3)*500)))
	}
	return out
}

var measured = append([]hostile{{name: "separable", schema: rules.IPv4Tuple, conds: separable}, {name: "separable IPv6", schema: rules.IPv6Tuple, conds: separable}, {name: "separable firewall", schema: rules.Firewall, conds: separable}}, hostiles...)

func wordsOf(s *rules.Schema) []Word {
	words := make([]Word, s.KeyLen())
	for f := range s.Len() {
		first, n := s.FieldWords(f)
		for w := first; w < first+n; w++ {
			words[w] = Word{Field: f, Max: ^uint32(0)}
		}
		words[first].Max >>= 32*n - s.Field(f).Bits
	}
	return words
}

func TestMeasuringFindsTheFirstMatchWithinTheBound(t *testing.T) {
	const n = 1500
	for _, h := range measured {
		t.Run(h.name, func(t *testing.T) {
			conds := h.make(n)
			for _, cfg := range []Config{{}, {bucketRows: 60}, {LeafRows: 2, Replication: 20, bucketRows: n}} {
				tree, root := compile(t, h.schema, conds, cfg)
				bound := tree.Bound(root)
				for _, k := range keys(h.schema, conds, 150) {
					want, counted := counting(tree, root, k)
					got, w := tree.Measure(root, k)
					require.Equal(t, tree.First(root, k), got)
					require.Equal(t, want, got)
					require.LessOrEqual(t, w.Rows, counted.Rows, "rows of leaves that are entered")
					require.LessOrEqual(t, w.Spans, bound.Spans)
					require.GreaterOrEqual(t, w.Spans+1, w.Leaves, "each walk ends at one leaf, or at none")
					counted.Rows, counted.Spans = w.Rows, w.Spans
					require.Equal(t, counted, w)
					most := bound
					most.or(w)
					require.Equal(t, bound, most)
				}
			}
		})
	}
}

func TestRowsComparedEndWithTheMatch(t *testing.T) {
	s := rules.IPv4Tuple
	var conds [][]rules.Cond
	for i := range uint64(6) {
		conds = append(conds, []rules.Cond{rules.In(3, rules.Point(i))})
	}
	tree, root := compile(t, s, conds, Config{})
	for i, rows := range []int64{1, 2, 3, 4, 5, 6, 6} {
		k := s.NewKey()
		s.Set(k, 3, rules.U64(uint64(i)))
		_, w := tree.Measure(root, k)
		require.Equal(t, Work{Leaves: 1, Rows: rows}, w)
	}
}

func TestShapesAddUp(t *testing.T) {
	const n = 1500
	for _, h := range measured {
		for _, cfg := range []Config{{}, {bucketRows: 60}, {LeafRows: 1}} {
			t.Run(fmt.Sprint(h.name, " ", cfg), func(t *testing.T) {
				tree, root := compile(t, h.schema, h.make(n), cfg)
				s := Shape{Words: wordsOf(h.schema), Shares: make([]Share, n)}
				s.Add(tree, root, map[Ref]bool{})
				require.Equal(t, s.Leaves, s.Short+s.Long+s.Sparse+s.Buckets)
				require.Equal(t, len(tree.lines), s.Intervals)
				var depths, fields Nodes
				sum := func(a *Nodes, b Nodes) {
					a.Tables += b.Tables
					a.Intervals += b.Intervals
					a.Links += b.Links
					a.Leaves += b.Leaves
					a.Short += b.Short
					a.Long += b.Long
					a.Sparse += b.Sparse
					a.Buckets += b.Buckets
					a.Spans += b.Spans
				}
				for _, d := range s.Depth {
					sum(&depths, d)
				}
				require.Equal(t, s.Nodes, depths)
				for _, f := range s.Fields {
					sum(&fields, f)
					require.LessOrEqual(t, f.Leaves, s.Leaves)
				}
				require.Equal(t, s.Tables, fields.Tables)
				require.Equal(t, s.Intervals, fields.Intervals)
				require.Equal(t, s.Spans-s.Links, fields.Spans, "links are for spans")
				rows, bytes := 0, 0
				for _, share := range s.Shares {
					rows += int(share.Rows)
					bytes += int(share.Bytes)
				}
				require.Equal(t, s.Rows, rows)
				m := tree.Memory(&s)
				require.Equal(t, tree.Bytes(), m.Tables+m.Intervals+m.Leaves+m.Buckets+m.Programs+m.Needs+m.Classes+m.Spare)
				require.LessOrEqual(t, bytes, m.Leaves+m.Buckets)
				require.Less(t, m.Leaves+m.Buckets, bytes+4*blockWords*(s.Sparse+1), "sparse leaves are rounded up")
				require.GreaterOrEqual(t, m.Spare, 0)
				require.LessOrEqual(t, m.Spare, tree.Bytes()/8+512, "all else is some part")
			})
		}
	}
}

func TestLeavesAskForTheFieldsThatTheirRulesAskFor(t *testing.T) {
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.Firewall} {
		dst := "dst=2001:db8::/32"
		if s == rules.IPv4Tuple {
			dst = "dst=192.0.2.0/24"
		}
		conds := [][]rules.Cond{s.MustConds("dport=80"), s.MustConds(dst), s.MustConds("sport=0-65535")}
		tree, root := compile(t, s, conds, Config{})
		shape := Shape{Words: wordsOf(s)}
		shape.Add(tree, root, map[Ref]bool{})
		require.Equal(t, 1, shape.Leaves)
		for f, n := range shape.Fields {
			name := s.Field(f).Name
			want := 0
			if name == "dport" || name == "dst" {
				want = 1
			}
			require.Equal(t, want, n.Leaves, name)
		}
	}
}
