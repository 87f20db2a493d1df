package main

// The library held against every peer on random lists that both can express.

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/fuzz/oracle"
)

func TestOracle(t *testing.T) {
	for _, m := range makers() {
		t.Run(m.Name, func(t *testing.T) {
			p := oracle.NewPeer(compare.Local(m))
			defer p.Close()
			if why := p.About().Skip; why != "" {
				t.Skip(why)
			}
			var total oracle.Report
			for seed := range uint64(30) {
				r, err := p.Check(t.Context(), seed, []int{3, 12, 40}[seed%3])
				require.NoError(t, err)
				total.Add(r)
			}
			t.Logf("%s: %+v", p.Dialect(), total)
			require.Equal(t, 30, total.Lists)
			require.Greater(t, total.Comparisons, 30*150)
			require.Greater(t, total.Matched, total.Packets/5)
			require.Less(t, total.Matched, total.Packets*4/5)
		})
	}
}
