package compare

// Batches: the same keys through LookupBatch, so many at a time, on every path.

import (
	"fmt"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// batchSizes lie around what vector paths take at a time, and around what they
// leave to others. Where there are fewer keys the batches are what is left.
var batchSizes = []int{1, 7, 8, 63, 64, 65, 200}

// unset is what positions hold before they are given.
const unset = -12345

// batch is what a path answers for all keys, so many at a time.
type batch struct {
	engine    string
	size      int
	positions []int32
}

// answers appends the answers of the classifier's path in batches of all sizes.
func answers[T any](out []batch, engine string, c *hipac.Classifier[T], words []uint32) []batch {
	w := c.Schema().KeyLen()
	n := len(words) / w
	for _, size := range batchSizes {
		b := batch{engine, size, make([]int32, n)}
		for i := range b.positions {
			b.positions[i] = unset
		}
		for at := 0; at < n; at += size {
			end := min(at+size, n)
			// The rest of the keys is there, but not asked for.
			if done := c.LookupBatch(words[at*w:], b.positions[at:end:end]); done != end-at {
				b.positions[at] = unset
			}
		}
		out = append(out, b)
	}
	return out
}

// check compares the answer for key i, if there is one.
func (b *batch) check(i int, k rules.Key, want int) error {
	if i >= len(b.positions) || int(b.positions[i]) == want {
		return nil
	}
	return &Difference{b.engine, fmt.Sprintf("batch of %d", b.size), k, fmt.Sprint(b.positions[i]), fmt.Sprint(want)}
}
