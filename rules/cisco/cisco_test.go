package cisco

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestListsAreReadByName(t *testing.T) {
	const text = "hostname r1\nip access-list extended A\n 10 permit tcp 10.0.0.0 0.0.0.255 any eq 80\n!\naccess-list 101 deny ip any host 10.0.0.1\n"
	lists, err := Read(strings.NewReader(text), Options{})
	require.NoError(t, err)
	require.Len(t, lists, 2)
	require.Equal(t, "A", lists[0].Name)
	require.Equal(t, []int{3, 3, 0}, lists[0].Lines)
	require.Equal(t, 2, lists[1].Rules.Len())
	require.Equal(t, "dst=10.0.0.1", rules.FormatRule(Schema, lists[1].Rules.At(0)))
}
