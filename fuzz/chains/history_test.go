package chains

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

func TestLiveTablesAnswerAsTheWalkInEveryHistory(t *testing.T) {
	var total HistoryReport
	for seed := range uint64(60) {
		r, err := History(seed, []int{2, 10, 30, 80}[seed%4], 40)
		require.NoError(t, err)
		total.Add(r)
	}
	t.Logf("%+v", total)
	require.Equal(t, 60*40, total.Transactions)
	require.Greater(t, total.Refused, 50)
	require.Greater(t, total.Undone, 300)
	require.Greater(t, total.Versions, 100)
	require.Greater(t, total.Decided, total.Packets/5)
	require.Less(t, total.Decided, total.Packets*4/5)
}

func TestHistoriesFindATableThatIsNotWhatItShouldBe(t *testing.T) {
	for name, fault := range faults {
		if name == "jumps lead to the last chain" {
			continue // some are loops then
		}
		found := false
		for seed := uint64(0); seed < 40 && !found; seed++ {
			_, err := historyOf(rand.New(rand.NewPCG(seed, 3)), 30, 30, func(t *rules.Table) *rules.Table {
				other := *t
				other.Chains = append([]rules.Chain(nil), t.Chains...)
				for i := range other.Chains {
					b := rules.NewBuilder[rules.Action](t.Schema)
					for _, r := range t.Chains[i].Rules.All() {
						c := *r
						fault(t, i, &c)
						c.Continue = c.Value.Kind == rules.Pass
						b.Add(c)
					}
					other.Chains[i].Rules = b.List()
				}
				return &other
			}, nil)
			if found = err != nil; found {
				var d *compare.Difference
				require.ErrorAs(t, err, &d, name)
			}
		}
		require.True(t, found, name)
	}
}

func TestBytesAreChoices(t *testing.T) {
	r := fromBytes([]byte{0, 255, 128})
	require.Equal(t, []int{0, 9, 5}, []int{r.IntN(10), r.IntN(10), r.IntN(10)})
	r.IntN(10)
}
