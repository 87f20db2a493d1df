package baselines

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

func anyBytes(name string) *budget { return &budget{math.MaxInt64, name} }

// requireSortable holds a partition to the definition: where two boxes first differ,
// in the set's order of key words, their intervals do not meet.
func requireSortable(t *testing.T, e *partitionSort) {
	t.Helper()
	boxes := 0
	for _, s := range e.sets {
		all := e.all(s.root, nil)
		require.Len(t, all, s.boxes.live)
		boxes += len(all)
		for i, a := range all {
			require.LessOrEqual(t, s.best, a)
			require.Same(t, s, e.owner[a])
			for _, b := range all[:i] {
				for _, w := range s.order {
					alo, ahi := e.bx.span(a, w)
					blo, bhi := e.bx.span(b, w)
					if alo == blo && ahi == bhi {
						continue
					}
					require.True(t, ahi < blo || bhi < alo, "boxes %d and %d meet in word %d", a, b, w)
					break
				}
			}
		}
		requireBalanced(t, e, s.root, -1)
	}
	for _, o := range e.owner {
		if o != nil {
			boxes--
		}
	}
	require.Zero(t, boxes)
}

// requireBalanced checks the trees at a reference, below a level.
func requireBalanced(t *testing.T, e *partitionSort, ref uint32, above int) {
	t.Helper()
	if ref == 0 || ref >= refBox {
		return
	}
	root := e.nodes[ref]
	require.Greater(t, int(root.level), above)
	require.True(t, root.left != 0 || root.right != 0, "a tree of one node")
	next := uint64(0) // no interval of the tree begins before it
	var walk func(at uint32) int
	walk = func(at uint32) int {
		if at == 0 {
			return 0
		}
		n := e.nodes[at]
		require.Equal(t, root.level, n.level)
		left := walk(n.left)
		require.GreaterOrEqual(t, uint64(n.lo), next)
		require.LessOrEqual(t, n.lo, n.hi)
		next = uint64(n.hi) + 1
		right := walk(n.right)
		require.LessOrEqual(t, max(left, right)-min(left, right), 1)
		require.Equal(t, 1+max(left, right), int(n.height))
		require.NotZero(t, n.down)
		requireBalanced(t, e, n.down, int(n.level))
		return int(n.height)
	}
	walk(ref)
}

func TestPartitionsStaySortableThroughUpdates(t *testing.T) {
	for _, name := range []string{"fw1 ipv6=false", "acl2 ipv6=true", "shortprefixes", "random odd 1", "random tuple 2", "firewall fw1"} {
		l := lists(t)[name]
		e, err := newPartitionSort(context.Background(), l, anyBytes("partitionsort"))
		require.NoError(t, err)
		requireSortable(t, e)
		r := rand.New(rand.NewPCG(5, 5))
		for range 4 {
			out := r.Perm(l.Len())[:1+r.IntN(l.Len())]
			for _, at := range out {
				require.NoError(t, e.Delete(at))
			}
			requireSortable(t, e)
			for _, at := range out {
				require.NoError(t, e.Insert(at))
			}
			requireSortable(t, e)
		}
	}
}

func TestGreedyKeepsTheMostBoxesOfAField(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 8})
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		b := rules.NewBuilder[string](s)
		n := 2 + r.IntN(9)
		for range n {
			lo := r.Uint64N(20)
			_, err := b.Add(rules.Rule[string]{Conds: []rules.Cond{rules.In(0, rules.Span(lo, lo+r.Uint64N(8)))}})
			require.NoError(t, err)
		}
		bx, err := newBoxes(context.Background(), b.List(), false, anyBytes("boxes"))
		require.NoError(t, err)
		most := 0
		for set := range 1 << n {
			size, sortable := 0, true
			for i := range n {
				if set>>i&1 == 0 {
					continue
				}
				size++
				for j := range i {
					ilo, ihi := bx.span(uint32(i), 1)
					jlo, jhi := bx.span(uint32(j), 1)
					same := ilo == jlo && ihi == jhi
					if set>>j&1 != 0 && !same && ilo <= jhi && jlo <= ihi {
						sortable = false
					}
				}
			}
			if sortable {
				most = max(most, size)
			}
		}
		all := make([]uint32, n)
		for i := range all {
			all[i] = uint32(i)
		}
		kept, order, err := newGreedy(s, bx).pick(context.Background(), all)
		require.NoError(t, err)
		require.Len(t, kept, most)
		require.Equal(t, []uint16{1}, order)
	}
}

func TestTupleMergeHasFewerTablesThanTuples(t *testing.T) {
	for _, family := range workload.Families() {
		l, err := workload.Generate(workload.Config{Family: family, Rules: 1000, Seed: 1})
		require.NoError(t, err)
		many, err := newTupleSpace(context.Background(), l, anyBytes("tuplespace"))
		require.NoError(t, err)
		few, err := newTupleMerge(context.Background(), l, anyBytes("tuplemerge"))
		require.NoError(t, err)
		require.Less(t, 2*len(few.order), len(many.order), family)
		for _, table := range few.order {
			for i := range table.slots {
				require.LessOrEqual(t, len(few.boxes(table, i)), 2*splitLimit)
			}
		}
	}
}

// Rules that leave source or destination open are not copied, and rules that leave
// another field open are.
func TestDimtreeCopiesAllButOpenAddresses(t *testing.T) {
	const n = 100
	build := func(first, second int) int {
		b := rules.NewBuilder[string](rules.IPv4Tuple)
		for i := range uint64(n) {
			for _, f := range []int{first, second} {
				_, err := b.Add(rules.Rule[string]{Conds: []rules.Cond{rules.In(f, rules.Point(100*i+50))}})
				require.NoError(t, err)
			}
		}
		e, err := newDimTree(context.Background(), b.List(), anyBytes("dimtree"))
		require.NoError(t, err)
		return len(e.nodes)
	}
	require.Less(t, build(0, 1), 20*n)
	require.Greater(t, build(2, 3), 2*n*n)
}

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestABaselineEndsWithItsContextWhereverItIs(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: 700, Seed: 1})
	require.NoError(t, err)
	for _, m := range All() {
		ended := 0
		for polls := 0; ; polls++ {
			left := polls
			if _, err = m.Make(countdown{context.Background(), &left}, l, plenty); err == nil {
				break
			}
			require.ErrorIs(t, err, context.Canceled, m.Name)
			ended++
			if polls > 20 {
				polls += polls / 2
			}
		}
		require.GreaterOrEqual(t, ended, 3, m.Name)
	}
}
