package hipac_test

// Matches that remember and targets that change packets, in live tables that are
// not in their fast form: against the walk.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// editedTables are live tables of which each chain has been edited, and has the
// rules of the file all the same.
func editedTables(t *testing.T, rs *iptables.Ruleset) *hipac.LiveTables {
	ctx := context.Background()
	live, err := hipac.NewLiveTables(ctx, rs.Tables, &hipac.LiveOptions{NoBackground: true})
	require.NoError(t, err)
	for _, undo := range []bool{false, true} {
		require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
			for _, table := range rs.Tables {
				e, err := tx.Table(table.Name, table.Family)
				require.NoError(t, err)
				for i := range table.Chains {
					c, err := e.Chain(table.Chains[i].Name)
					require.NoError(t, err)
					for range 9 { // more than few rules
						if undo {
							first, err := c.At(0)
							require.NoError(t, err)
							require.NoError(t, c.Delete(first.ID))
							continue
						}
						_, err = c.InsertAt(0, decide(rules.Drop))
						require.NoError(t, err)
					}
				}
			}
			return nil
		}))
	}
	for i, s := range live.Snapshot().Tables() {
		require.False(t, s.Inlined())
		requireSameRules(t, rs.Tables[i], hipac.Numbered(s))
	}
	return live
}

func TestEditedTablesChangePacketsAsTheWalkDoes(t *testing.T) {
	rs, err := iptables.Read(strings.NewReader(changing), iptables.Options{})
	require.NoError(t, err)
	path, err := rs.Path("PREROUTING", "FORWARD", "POSTROUTING")
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(41, 43))
	live := editedTables(t, rs)
	var trs [2]*xt.Traversal
	for i := range trs {
		trs[i] = xt.NewTraversal(rs.Tables[0].Schema)
		trs[i].State = &xt.State{Random: func() uint32 { return 77 }}
	}
	seen := map[string]int{}
	for range 10000 {
		p := randomPacket(rng)
		var results [2]rules.PathResult
		var ran [2][]string
		for i, tr := range trs {
			tr.Packet = p
			if p.Conn != nil {
				conn := *p.Conn
				tr.Packet.Conn = &conn
			}
			tr.Reset()
			o := &rules.Observer{Executed: func(stop int, at rules.Place) {
				ran[i] = append(ran[i], fmt.Sprint(path[stop].Table.Name, at.Chain, "/", at.Rule))
			}}
			if i == 0 {
				results[i] = path.Run(tr, o)
			} else {
				results[i] = live.Snapshot().Run(tr, path, o)
			}
		}
		require.Equal(t, results[0], results[1])
		require.Equal(t, ran[0], ran[1])
		require.Equal(t, trs[0].Effects, trs[1].Effects)
		require.Equal(t, trs[0].Packet.Conn, trs[1].Packet.Conn)
		for i := range trs[0].Effects {
			seen[trs[0].Effects[i].Target]++
		}
		seen[results[0].Verdict.String()]++
	}
	for _, name := range []string{"MARK", "CONNMARK", "DNAT", "SNAT", "NFQUEUE", "LOG", "ACCEPT", "DROP", "REJECT", "QUEUE", "UNKNOWN"} {
		require.NotZero(t, seen[name], "%s in %v", name, seen)
	}
}

func TestEditedTablesChargeWhatTheWalkCharges(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	verdicts := map[rules.Verdict]int{}
	for range 20 {
		text := rememberingRules(rng)
		rs := parseTables(t, text)
		table := rs.Tables[0]
		live := editedTables(t, rs)
		now := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
		var trs [2]*xt.Traversal
		for i := range trs {
			random := rand.New(rand.NewPCG(1, 2))
			trs[i] = xt.NewTraversal(table.Schema)
			trs[i].State = &xt.State{Random: random.Uint32, Now: func() time.Time { return now }}
			trs[i].State.SetAccount("q", xt.Account{HasQuota: true, Quota: 2000})
		}
		var conns [2]map[int]*packet.Conn
		conns[0], conns[1] = map[int]*packet.Conn{}, map[int]*packet.Conn{}
		for range 300 {
			now = now.Add(time.Duration(rng.IntN(200)) * time.Millisecond)
			p := randomPacket(rng)
			p.Conn = nil
			id := rng.IntN(12)
			var results [2]rules.Result
			var ran [2][]rules.Place
			for i, tr := range trs {
				tr.Packet = p
				if p.CTState == 8 || p.CTState == 2 {
					c := conns[i][id]
					if c == nil {
						c = &packet.Conn{ID: uint64(id), Proto: p.Proto, Orig: [2]packet.Endpoint{{Addr: p.Src}, {Addr: p.Dst}}}
						conns[i][id] = c
					}
					c.Seen[0].Packets++
					tr.Packet.Conn = c
				}
				tr.Reset()
				executed := func(at rules.Place) { ran[i] = append(ran[i], at) }
				if i == 0 {
					results[i] = table.Run(tr, 0, executed)
				} else {
					results[i] = live.Snapshot().Tables()[0].Run(tr, 0, executed)
				}
			}
			require.Equal(t, results[0], results[1], text)
			require.Equal(t, ran[0], ran[1], text)
			verdicts[results[0].Verdict]++
		}
		a, b := trs[0].State, trs[1].State
		for _, list := range []string{"a", "b"} {
			require.Equal(t, a.RecentEntries(list), b.RecentEntries(list))
		}
		require.Equal(t, conns[0], conns[1])
		for _, name := range []string{"h", "k", "f"} {
			require.Equal(t, a.HashEntries(name, 4), b.HashEntries(name, 4))
		}
	}
	for _, v := range []rules.Verdict{rules.Accept, rules.Drop, rules.Unknown} {
		require.NotZero(t, verdicts[v], verdicts)
	}
}
