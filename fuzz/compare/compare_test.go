package compare

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// twoFaced are keys of which one is another one when it is asked for again: what
// an engine with a wrong answer looks like to Lists, which reads every key once
// for the batches and once for all else.
type twoFaced struct {
	KeyList
	at      int
	instead rules.Key
	asked   int
}

func (k *twoFaced) At(i int) rules.Key {
	if i == k.at {
		if k.asked++; k.asked > 1 {
			return k.instead
		}
	}
	return k.KeyList[i]
}

func portList(t *testing.T) (l *rules.List[string], keys KeyList) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[string](s)
	for port := range uint64(100) {
		_, err := b.Add(rules.Rule[string]{Conds: []rules.Cond{rules.In(3, rules.Point(port))}})
		require.NoError(t, err)
		k := s.NewKey()
		s.Set(k, 3, rules.U64(2*port))
		keys = append(keys, k)
	}
	return b.List(), keys
}

func TestListsThatAgreeAreCounted(t *testing.T) {
	l, keys := portList(t)
	r, err := Lists(l, keys, Options{AllEvery: 10})
	require.NoError(t, err)
	require.Equal(t, Report{Packets: 100, Matched: 50, AllAsked: 10}, r)
}

func TestAWrongAnswerOfABatchIsReported(t *testing.T) {
	l, keys := portList(t)
	for at, instead := range map[int]int{0: 1, 41: 42, 99: 0, 3: 99} {
		_, err := Lists(l, &twoFaced{KeyList: keys, at: at, instead: keys[instead]}, Options{})
		var d *Difference
		require.ErrorAs(t, err, &d)
		require.Equal(t, "batch of 1", d.Question)
		require.Equal(t, keys[instead], d.Key)
		require.Contains(t, err.Error(), "tree "+hipac.Batches()[0].String())
	}
}

func TestEveryPathAndSizeIsCompared(t *testing.T) {
	l, keys := portList(t)
	var words []uint32
	for _, k := range keys {
		words = append(words, k...)
	}
	for _, path := range hipac.Batches() {
		c, err := hipac.Build(context.Background(), l, &hipac.Options{Batch: path})
		require.NoError(t, err)
		bs := answers(nil, path.String(), c, words)
		require.Len(t, bs, len(batchSizes))
		for _, b := range bs {
			for i, k := range keys {
				want := -1
				if p, ok := l.First(k); ok {
					want = p
				}
				require.NoError(t, b.check(i, k, want), "%v", b.size)
				var d *Difference
				require.True(t, errors.As(b.check(i, k, want+1), &d))
			}
			require.NoError(t, b.check(len(keys), nil, 7), "a key that was not asked")
		}
	}
}
