package tree

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// sites are rules of prefixes with ports, as common sets have them.
func sites(r *rand.Rand, s *rules.Schema, _, _ int) (out []rules.Cond) {
	for f := range 2 {
		bits := s.Field(f).Bits
		if f == 1 && r.IntN(10) == 0 {
			continue
		}
		site := rules.U64(r.Uint64N(40)).Shl(bits - 8).Or(randomValue(r, s.Field(f)).And(rules.Ones(bits - 8)))
		out = append(out, rules.In(f, rules.PrefixInterval(site, 8+r.IntN(bits-7), bits)))
	}
	if r.IntN(3) > 0 {
		out = append(out, rules.In(3, rules.Point(r.Uint64N(1024))))
	}
	return out
}

// requireSameBytes compares everything of two trees that a lookup reads.
func requireSameBytes(t *testing.T, a, b *Tree, rootA, rootB Ref) {
	t.Helper()
	require.Equal(t, rootA, rootB)
	require.True(t, slices.Equal(a.slots, b.slots), "slots")
	require.True(t, slices.Equal(a.lines, b.lines), "lines")
	require.True(t, slices.Equal(a.rows, b.rows), "rows")
	require.True(t, slices.Equal(a.classes, b.classes), "classes")
	require.Equal(t, a.plain, b.plain)
}

func TestTreesBuiltByOneOrManyGoroutinesAreTheSameBytes(t *testing.T) {
	const n = 2000
	kinds := append([]hostile{
		{name: "sites", schema: rules.IPv4Tuple, conds: sites},
		{name: "sites IPv6", schema: rules.IPv6Tuple, conds: sites},
		{name: "sites firewall", schema: rules.Firewall, conds: sites},
	}, hostiles...)
	for _, h := range kinds {
		t.Run(h.name, func(t *testing.T) {
			conds := h.make(n)
			cfg := Config{parallelRows: 1, forkRows: 300, taskRows: 40}
			cfg.Workers = 1
			one, at := compile(t, h.schema, conds, cfg)
			serial, from := compile(t, h.schema, conds, Config{})
			require.Equal(t, shapeOf(serial, from), shapeOf(one, at), "in tasks or not, the nodes are the same")
			require.Equal(t, serial.Bound(from), one.Bound(at))
			for _, k := range keys(h.schema, conds, 100) {
				require.Equal(t, serial.First(from, k), one.First(at, k))
			}
			for _, workers := range []int{2, 4} {
				cfg.Workers = workers
				tree, root := compile(t, h.schema, conds, cfg)
				requireSameBytes(t, one, tree, at, root)
			}
		})
	}
}

// When the classes of rows run out while tasks are joined, the task is built
// again with those that there are.
func TestConcurrentTasksShareTheirClasses(t *testing.T) {
	fields := make([]rules.Field, 20)
	for i := range fields {
		fields[i] = rules.Field{Name: string(rune('a' + i)), Bits: 32}
	}
	s := rules.MustSchema(fields...)
	h := hostile{name: "columns", schema: s, conds: func(r *rand.Rand, s *rules.Schema, i, _ int) (out []rules.Cond) {
		out = append(out, rules.In(0, rules.Point(uint64(i/4)<<10)))
		for _, f := range r.Perm(19)[:3] {
			out = append(out, rules.In(f+1, rules.Point(r.Uint64N(1000))))
		}
		return out
	}}
	conds := h.make(2000)
	cfg := Config{LeafRows: 4, parallelRows: 1, forkRows: 200, taskRows: 40, Workers: 2}
	tree, root := compile(t, s, conds, cfg)
	require.Len(t, tree.classes, maxClasses)
	cfg.Workers = 1
	again, at := compile(t, s, conds, cfg)
	requireSameBytes(t, tree, again, root, at)
	hits := 0
	for _, k := range keys(s, conds, 500) {
		want := NoMatch
		if m := matching(s, conds, k); len(m) > 0 {
			want = m[0]
			hits++
		}
		require.Equal(t, want, tree.First(root, k))
	}
	require.Positive(t, hits)
}

// A limit of memory is met, or not, whatever the number of goroutines.
func TestConcurrentTasksKeepTheMemoryLimitOfOne(t *testing.T) {
	h := hostile{name: "sites", schema: rules.IPv4Tuple, conds: sites}
	conds := h.make(4000)
	failed := 0
	for limit := int64(1 << 20); limit > 20_000; limit = limit * 4 / 5 {
		var trees []*Tree
		for _, workers := range []int{1, 3} {
			b, _ := grow(t, h.schema, conds, Config{MaxBytes: limit, parallelRows: 1, forkRows: 1000, taskRows: 900, Workers: workers})
			if _, err := b.Root(nil, nil); err != nil {
				require.ErrorIs(t, err, lower.ErrMemory)
				continue
			}
			trees = append(trees, b.Tree())
		}
		if len(trees) == 0 {
			failed++
			continue
		}
		require.Len(t, trees, 2, "%d bytes", limit)
		requireSameBytes(t, trees[0], trees[1], 0, 0)
		require.Zero(t, failed, "%d bytes are enough where more were not", limit)
	}
	require.Greater(t, failed, 3)
}

func TestConcurrentTasksStopWithTheirContext(t *testing.T) {
	h := hostile{name: "sites", schema: rules.IPv4Tuple, conds: sites}
	conds := h.make(8000)
	for _, workers := range []int{1, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		b, _ := grow(t, h.schema, conds, Config{LeafRows: 1, parallelRows: 1, forkRows: 1000, taskRows: 2000, Workers: workers})
		b.ctx = ctx
		cancel()
		_, err := b.Root(nil, nil)
		require.ErrorIs(t, err, context.Canceled)
	}
}
