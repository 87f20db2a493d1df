package tree

// Rules that ask for single bits of more words than a bucket has room for.

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/rules"
)

// bitRules returns rules over so many fields of 128 bits, each of which asks for one
// bit in every byte.
func bitRules(r *rand.Rand, fields, n int) (*rules.Schema, [][]rules.Cond) {
	var list []rules.Field
	for i := range fields {
		list = append(list, rules.Field{Name: fmt.Sprint("f", i), Bits: 128})
	}
	s := rules.MustSchema(list...)
	mask := rules.Value{Hi: 0x0101010101010101, Lo: 0x0101010101010101}
	conds := make([][]rules.Cond, n)
	for i := range conds {
		for f := range fields {
			conds[i] = append(conds[i], rules.Masked(f, randomValue(r, s.Field(f)).And(mask), mask))
		}
	}
	return s, conds
}

// A word that is cut and four chunks of it: 25 words are all that there is room for
// without leaving bits in doubt. Where even the words do not fit there is no bucket.
func TestBucketsLeaveBitsInDoubtForWhichThereIsNoRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	const n = 500
	for fields, want := range map[int]string{2: "certain", 6: "certain", 7: "in doubt", 9: "in doubt", 12: "in doubt", rules.MaxFields: "chain"} {
		s, conds := bitRules(r, fields, n)
		tree, root := compile(t, s, conds, Config{})
		got := "chain"
		if root.form() == formBucket {
			require.NoError(t, bitvec.Check(tree.slots, root.offset(), s.KeyLen(), 0, n))
			got = map[int]string{0: "certain", n: "in doubt"}[bitvec.Doubtful(tree.slots, root.offset())]
		}
		require.Equal(t, want, got, "%d fields", fields)
		for i := range n {
			k := s.NewKey()
			for f := range fields {
				want, mask, _ := conds[i][f].Mask()
				s.Set(k, f, want.Or(randomValue(r, s.Field(f)).And(mask.Not())))
			}
			if i%10 == 0 {
				s.SetAbsent(k, r.IntN(fields))
			}
			want := matching(s, conds, k)
			require.Equal(t, want, tree.All(root, k, nil))
			require.Equal(t, i%10 != 0, len(want) > 0)
		}
	}
}
