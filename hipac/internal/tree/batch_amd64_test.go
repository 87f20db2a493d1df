package tree

// The limits of the vector walk.

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Tables of one slot hang their spans one behind the other, so that the spans
// waiting in a batch are as many as the keys times the tables.
func TestTheVectorWalkGivesUpBeyondTheSpansItHolds(t *testing.T) {
	needVector(t)
	for _, depth := range []int{1, 3, 4, 5, maxPending} {
		f := newForest(forestPlan{words: 3, forms: []form{formShort}, classes: 1, spans: 0}, 1)
		ref := f.within(f.nodes[0][0]).ref
		for i := range depth {
			span := f.nodes[0][1+i]
			f.slots = append(f.slots, uint64(span.least), uint64(span.ref), uint64(ref))
			ref = tableRef(len(f.slots)-1, 0, 0, 0).withSpan()
		}
		for n := 1; n <= BatchSize; n++ {
			var keys []uint32
			want, ranks := make([]int32, n), make([]int32, n)
			for j := range n {
				k := f.key()
				keys = append(keys, k...)
				want[j] = int32(rankOf(f.lowest(ref, k, 0)))
			}
			ran := f.firstBatch(keys, 3, []Ref{ref}, ranks)
			require.Equal(t, n*depth <= maxWaiting, ran, "%d keys, %d spans each", n, depth)
			if ran {
				require.Equal(t, want, ranks)
			}
			f.FirstBatch(keys, 3, []Ref{ref}, ranks, true)
			require.Equal(t, want, ranks)
		}
	}
}

func TestTheVectorWalkTakesKeysThatFitARegister(t *testing.T) {
	needVector(t)
	for words := 2; words <= vectorWords; words++ {
		f := newForest(forestPlan{words: words, forms: []form{formShort}, classes: 1}, 1)
		require.True(t, f.firstBatch(make([]uint32, 8*words), words, []Ref{f.nodes[0][0].ref}, make([]int32, 8)))
	}
}

// One empty root for several keys: the walk reads a root for each key, beyond
// the slice. Here what lies behind is a bad reference: it faults.
func TestOneEmptyRootIsReadOnce(t *testing.T) {
	needVector(t)
	f := newForest(forestPlan{words: 3, forms: []form{formShort}, classes: 1, levels: 2}, 1)
	memory := make([]Ref, BatchSize)
	for i := 1; i < BatchSize; i++ {
		memory[i] = f.nodes[0][0].ref // a leaf that must not be looked at
	}
	var keys []uint32
	for range 16 {
		keys = append(keys, f.key()...)
	}
	ranks := make([]int32, 16)
	f.FirstBatch(keys, 3, memory[:1], ranks, true)
	for _, r := range ranks {
		require.EqualValues(t, -1, r)
	}
}
