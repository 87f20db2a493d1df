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

// Identities are not given again, also when so many rules went that the list was
// numbered anew.
func TestIdentitiesGoOnWhenAListIsBuiltAnew(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{300, 3000} {
		v := newPorts(t, n, &hipac.LiveOptions{NoBackground: true})
		require.NoError(t, v.Edit(ctx, func(tx *hipac.Tx[int]) error {
			for id := n; id > n/3; id-- {
				if err := tx.Delete(rules.ID(id)); err != nil {
					return err
				}
			}
			return nil
		}))
		require.Equal(t, int64(1), v.Stats().Rebuilt)
		require.NoError(t, v.Edit(ctx, func(tx *hipac.Tx[int]) error {
			id, err := tx.Append(port(5))
			require.Greater(t, id, rules.ID(n))
			return err
		}))
	}
}

// Without a background, a list is built anew by a transaction when many edits were
// made in place.
func TestAListThatWasEditedMuchIsBuiltAnew(t *testing.T) {
	defer hipac.Hurry()()
	ctx := context.Background()
	const n = 60
	v := newPorts(t, n, &hipac.LiveOptions{NoBackground: true})
	last := int64(0)
	for i := range 400 {
		require.NoError(t, v.Edit(ctx, func(tx *hipac.Tx[int]) error { return tx.Replace(rules.ID(1+i%n), port(100+i)) }))
		if s := v.Stats(); s.Rebuilt > last {
			require.Positive(t, s.InPlace)
			last = s.Rebuilt
		}
	}
	require.Positive(t, last)
	require.Less(t, last, int64(100), "not by every transaction")
}
