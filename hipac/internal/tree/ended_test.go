package tree

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Sets that become one bucket have few nodes: the context must be looked at
// while the bucket is made, and a build whose context ended must say so.
func TestABuildEndsWithItsContextWhereverThatIs(t *testing.T) {
	const n = 5000
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 32}, rules.Field{Name: "c", Bits: 32})
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: n, Conds: func(i int) []rules.Cond {
		at := uint64(i) * 1000
		return []rules.Cond{rules.In(0, rules.Span(at, at+1<<31)), rules.In(1, rules.Span(at, at+1<<31)), rules.In(2, rules.Span(at, at+1<<31))}
	}}, 1<<30)
	require.NoError(t, err)
	build := func(left int) (*countdown, error) {
		ctx := &countdown{context.Background(), left}
		b := NewBuilder(ctx, Config{})
		b.Grow(boxes, 0)
		root, err := b.Root(nil, nil)
		if err == nil {
			require.Equal(t, formBucket, root.form())
		}
		return ctx, err
	}
	const many = 1 << 20
	ctx, err := build(many)
	require.NoError(t, err)
	asked := many - ctx.left
	require.Greater(t, asked, 8, "once for the node and the bucket, and per word")
	for left := range asked {
		_, err := build(left)
		require.ErrorIs(t, err, context.Canceled, "ended after %d of %d", left, asked)
	}
}
