package nftables

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

func FuzzReadGivesTablesOrSaysWhereItCannot(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(listing(match(dport, "!=", `{"set": [22, {"range": [80, 90]}]}`) + `, {"limit": {"rate": 1, "per": "day"}}, {"drop": null}`)))
	f.Add([]byte(listing(`{"vmap": {"key": {"concat": [` + saddr + `, ` + dport + `]}, "data": {"set": [[{"concat": ["10.0.0.1", 22]}, {"jump": {"target": "user"}}]]}}}`)))
	limits := rules.Limits{MaxInput: 1 << 16, MaxRules: 1000, MaxElements: 500, MaxMemory: 1 << 24, MaxChains: 50, MaxWalk: 10000}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, allow := range []bool{false, true} {
			rs, err := Read(bytes.NewReader(data), Options{Limits: limits, AllowUnknown: allow})
			if err != nil {
				var placed *rules.ParseError
				require.True(t, errors.As(err, &placed), "%v", err)
				continue
			}
			_, err = rs.Path("prerouting", "forward", "postrouting")
			require.NoError(t, err)
			for _, table := range rs.Tables {
				s := xt.NewTraversal(table.Schema)
				s.State = &xt.State{}
				var p packet.Packet
				if p.DecodeIP([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 22, 0, 22, 0, 8, 0, 0}) == nil {
					s.Start(&p)
					for _, root := range table.Roots() {
						table.Run(s, root, nil)
					}
				}
				for i := range table.Chains {
					for _, r := range table.Chains[i].Rules.All() {
						text, line := rs.Rule(table.Name, table.Chains[i].Name, r.Value.Number)
						require.NotEmpty(t, text)
						require.NotZero(t, line)
					}
				}
			}
		}
	})
}
