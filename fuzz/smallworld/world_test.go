package smallworld

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

func TestEveryWayIsRightInEverySmallWorld(t *testing.T) {
	all := ways.All()[1:]
	for _, w := range Worlds(0) {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			r, err := w.Run(context.Background(), all, 0, w.Lists())
			require.NoError(t, err)
			require.Equal(t, w.Lists(), r.Lists)
			require.Equal(t, w.Lists()*w.Packets(), r.Packets)
			require.GreaterOrEqual(t, r.Comparisons, r.Packets*len(all))
			t.Logf("%d rules: %+v", len(w.Rules), r)
		})
	}
}

func TestAWrongWayIsFoundOut(t *testing.T) {
	tree := ways.All()[1]
	for name, wrong := range map[string]ways.Way{
		"one answer in 10,000": ways.Forgetful(10000)(tree),
		"open intervals":       ways.Altered(tree, ways.ShortOfTheEnd),
	} {
		t.Run(name, func(t *testing.T) {
			w := Worlds(0)[0]
			_, err := w.Run(context.Background(), []ways.Way{wrong}, 0, w.Lists())
			var d *compare.Difference
			require.ErrorAs(t, err, &d)
			require.Equal(t, wrong.Name, d.Engine)
		})
	}
}

func TestAWorldHasEveryListOnce(t *testing.T) {
	w := newWorld("", 2, true, true, []int{1, 1}, intervals(1), none)
	require.Len(t, w.Rules, 8)
	require.Equal(t, 1+8+64, w.Lists())
	require.Equal(t, 9, w.Packets())
	seen := map[string]bool{}
	for i := range w.Lists() {
		l, err := w.List(i)
		require.NoError(t, err)
		text := ""
		for _, r := range l.All() {
			text += rules.FormatRule(w.Schema, r) + "\n"
			if r.Continue {
				text += "continue\n"
			}
		}
		require.False(t, seen[text], text)
		seen[text] = true
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := Worlds(1)[0].Run(ctx, nil, 0, 10)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, r)
}

func TestWorldsHaveAsManyListsAsTheySay(t *testing.T) {
	for size, want := range []int{39225, 4720103} {
		lists := 0
		for _, w := range Worlds(size) {
			lists += w.Lists()
		}
		require.Equal(t, want, lists)
	}
}

func TestListsOfWholeWorldsAreDrawnAtRandom(t *testing.T) {
	all := ways.All()[1:]
	for i, w := range Whole() {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			require.Greater(t, w.Lists(), 10_000_000)
			r, err := w.RunSome(context.Background(), all, 200, 1)
			require.NoError(t, err)
			require.Equal(t, 200, r.Lists)
			require.Greater(t, r.Matched, r.Packets/20)
			require.Less(t, r.Matched, r.Packets*19/20)
			_, err = w.RunSome(context.Background(), []ways.Way{ways.Altered(all[0], ways.ShortOfTheEnd)}, 400, 1)
			if i < 3 { // there are no intervals among masks
				require.Error(t, err)
			}
			_, err = w.RunSome(context.Background(), []ways.Way{ways.Forgetful(20000)(all[0])}, 400, 1)
			require.Error(t, err)
		})
	}
}
