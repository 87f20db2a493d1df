package hipac_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestClassifiersBuiltByOneOrManyGoroutinesAreEqual(t *testing.T) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[int](s)
	const n = 55_000
	for i := range uint64(n) {
		_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{
			rules.In(0, rules.PrefixInterval(rules.U64(i*2654435761&0xffffffff), 16+int(i%17), 32)),
			rules.In(3, rules.Point(i%1000)),
		}})
		require.NoError(t, err)
	}
	l := b.List()
	one, err := hipac.Build(context.Background(), l, &hipac.Options{Workers: 1})
	require.NoError(t, err)
	many, err := hipac.Build(context.Background(), l, &hipac.Options{Workers: 3})
	require.NoError(t, err)
	require.Equal(t, one.Stats(), many.Stats())
	k := s.NewKey()
	hits := 0
	for i := range uint64(20_000) {
		s.Set(k, 0, rules.U64(i*2654435761&0xffffffff|i&3))
		s.Set(k, 3, rules.U64(i%1000))
		want, found := one.Position(k)
		got, ok := many.Position(k)
		require.Equal(t, want, got)
		require.Equal(t, found, ok)
		if ok {
			hits++
		}
	}
	require.Greater(t, hits, 10_000)
	for _, workers := range []int{-1, 257} {
		_, err := hipac.Build(context.Background(), l, &hipac.Options{Workers: workers})
		require.ErrorContains(t, err, "Workers")
	}
}
