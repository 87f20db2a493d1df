package tree

// What structures may take, as counts: bytes per rule, depth, copies, spans that
// wait, and the work of a lookup, over sets of all generators.

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/rules"
)

// audit is what a walk over a whole tree finds.
type audit struct {
	depth   int // nodes on the longest path, spans included
	waiting int // spans that wait at one time
	nested  int // spans within spans
	rows    int // in leaves; a bucket counts its entries
	nodes   int
}

// auditTree walks every node once.
func auditTree(t *Tree, root Ref) (a audit) {
	known := map[Ref]audit{}
	var walk func(Ref) audit
	walk = func(r Ref) (is audit) {
		if is, ok := known[r]; ok || r.isEmpty() {
			return is
		}
		is.depth = 1
		below := func(r Ref, waiting, nested int) {
			b := walk(r)
			is.depth = max(is.depth, b.depth+1)
			is.waiting = max(is.waiting, b.waiting+waiting)
			is.nested = max(is.nested, b.nested+nested)
		}
		switch {
		case r.isTable():
			waiting := 0
			if r.hasSpan() {
				waiting = 1
				below(Ref(t.slots[r.offset()-1]), 0, 1)
			}
			for i := range uint32(1) << r.bits() {
				below(Ref(t.slots[r.offset()+i]), waiting, 0)
			}
		case r.isInterval():
			l := &t.lines[r.offset()]
			for i := range intervalBounds + 1 {
				below(Ref(t.slots[l[intervalBounds]+uint32(i)]), 0, 0)
				if i < intervalBounds && l[i] == ^uint32(0) {
					break
				}
			}
		case r.form() == formBucket:
			a.rows += bitvec.Len(t.slots, r.offset())
		default:
			a.rows += int(r.rows())
		}
		a.nodes++
		known[r] = is
		return is
	}
	is := walk(root)
	is.rows, is.nodes = a.rows, a.nodes
	return is
}

func condsOf[T any](l *rules.List[T]) [][]rules.Cond {
	conds := make([][]rules.Cond, l.Len())
	for i := range conds {
		conds[i] = l.At(i).Conds
	}
	return conds
}

// requireCounts compiles a set and holds it against the bounds that the head of
// tree.go gives for all sets, and bytes per rule against what is given.
func requireCounts(t *testing.T, l *rules.List[string], most int) {
	t.Helper()
	conds := condsOf(l)
	tree, root := compile(t, l.Schema(), conds, Config{})
	n := len(conds)
	a := auditTree(tree, root)
	require.LessOrEqual(t, tree.Bytes(), most*n+4096)
	require.LessOrEqual(t, a.depth, maxDepth+2) // a chain of two leaves may be the last
	require.LessOrEqual(t, a.waiting, maxPending)
	require.LessOrEqual(t, a.nested, maxSpans+1)
	require.LessOrEqual(t, a.rows, 4*n+16) // Config.Replication
	bound := tree.Bound(root)
	keys, err := workload.Packets(l, workload.PacketConfig{N: 600, Seed: 1, Absent: 0.01})
	require.NoError(t, err)
	for i := range keys.Len() {
		_, w := counting(tree, root, keys.At(i))
		require.LessOrEqual(t, w.Steps, bound.Steps)
		require.LessOrEqual(t, w.Leaves, bound.Leaves)
		require.LessOrEqual(t, w.Rows, bound.Rows)
		require.LessOrEqual(t, w.Words, bound.Words)
		require.LessOrEqual(t, w.Candidates, bound.Candidates)
	}
}

func TestFamiliesStayWithinTheirCounts(t *testing.T) {
	for n, most := range map[int]int{1000: 130, 10000: 110, 30000: 90} {
		for i, family := range workload.Families() {
			if n > 10000 && i%3 != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s_%d", family, n), func(t *testing.T) {
				l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 3})
				require.NoError(t, err)
				requireCounts(t, l, most)
			})
		}
	}
}

func TestOtherSetsStayWithinTheirCounts(t *testing.T) {
	for _, family := range []string{"acl1", "acl4", "fw3", "ipc1"} {
		t.Run("wide "+family, func(t *testing.T) {
			l, err := workload.Generate(workload.Config{Family: family, Rules: 3000, Seed: 3, Smoothness: 10, AddressScope: -0.7, PortScope: -0.5})
			require.NoError(t, err)
			requireCounts(t, l, 150)
		})
		t.Run("ipv6 "+family, func(t *testing.T) {
			l, err := workload.Generate(workload.Config{Family: family, Rules: 3000, Seed: 3, IPv6: true})
			require.NoError(t, err)
			requireCounts(t, l, 250)
		})
		t.Run("firewall "+family, func(t *testing.T) {
			l, err := workload.FirewallSet(workload.Config{Family: family, Rules: 3000, Seed: 3})
			require.NoError(t, err)
			requireCounts(t, l, 400)
		})
	}
	for _, kind := range workload.Adversaries() {
		t.Run(kind.String(), func(t *testing.T) {
			l, err := workload.Adversarial(kind, 5000, 3)
			require.NoError(t, err)
			requireCounts(t, l, bucketBytes+100)
		})
	}
	for i, constrain := range []float64{0.3, 0.6, 0.95} {
		for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, rules.Firewall} {
			t.Run(fmt.Sprintf("random %d of %d fields", i, s.Len()), func(t *testing.T) {
				l, err := workload.Random(s, workload.RandomConfig{Rules: 2000, Pool: 300, Constrain: constrain, Unions: true, Masks: true, Negation: true})
				require.NoError(t, err)
				requireCounts(t, l, 1000) // the programs of inexact rules are most of it
			})
		}
	}
}
