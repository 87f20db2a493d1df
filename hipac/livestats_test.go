package hipac_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestStatsOfALiveListSayWhatEditsCameTo(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "acl1", Rules: 3000, Seed: 1})
	require.NoError(t, err)
	ctx := context.Background()
	v, err := hipac.NewLive(ctx, l, &hipac.LiveOptions{NoBackground: true})
	require.NoError(t, err)
	require.Zero(t, v.Stats())
	insert := func(n int) {
		require.NoError(t, v.Edit(ctx, func(tx *hipac.Tx[string]) error {
			for i := range n {
				if _, err := tx.InsertAt(i, rules.Rule[string]{Conds: l.At(i % l.Len()).Conds}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	insert(1)
	require.Equal(t, int64(1), v.Stats().InPlace)
	insert(5000)
	s := v.Stats()
	require.Equal(t, int64(1), s.Rebuilt)
	require.Equal(t, int64(1), s.InPlace)
	for range 3000 {
		insert(1)
	}
	s = v.Stats()
	require.Greater(t, s.InPlace, int64(2900))
	require.Positive(t, s.CopiedTables+s.Copied)
	require.NoError(t, v.Edit(ctx, func(tx *hipac.Tx[string]) error { return tx.Flush() }))
	require.Equal(t, int64(1), v.Stats().Few)
	rolled := v.Begin()
	_, err = rolled.Append(rules.Rule[string]{})
	require.NoError(t, err)
	before := v.Stats()
	rolled.Rollback()
	require.Equal(t, before, v.Stats())
}
