package hipac_test

// Matches of iptables that remember earlier packets: the compiled tables
// against the walk. Each has a State of its own with the same clock and the
// same random numbers; after any packet both must have been charged alike.

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

// remembering are matches, most of them with a memory.
var remembering = []string{
	"-m limit --limit 20/s --limit-burst 3", "-m limit --limit 2/min --limit-burst 9", "-m statistic --mode nth --every 3 --packet 1", "-m statistic --mode nth ! --every 2 --packet 0",
	"-m statistic --mode random --probability 0.5", "-m quota --quota 3000", "-m quota ! --quota 9000", "-m recent --set --name a", "-m recent --rcheck --name a --hitcount 4",
	"-m recent ! --update --name a --seconds 1", "-m recent --remove --name b", "-m recent --set --name b --rdest", "-m recent --update --name b --rttl",
	"-m hashlimit --hashlimit-upto 5/s --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name h", "-m hashlimit --hashlimit-above 2kb/s --hashlimit-mode dstip,dstport --hashlimit-name k",
	"-m hashlimit --hashlimit-upto 1/min --hashlimit-mode srcip,srcport --hashlimit-htable-size 4 --hashlimit-htable-max 6 --hashlimit-name f",
	"-m connlimit --connlimit-above 4", "-m connlimit --connlimit-upto 6 --connlimit-daddr --connlimit-mask 30", "-m connbytes --connbytes 3: --connbytes-mode packets --connbytes-dir both",
	"-m nfacct --nfacct-name q", "-m nfacct --nfacct-name none", "-m connlabel --label 1 --set", "-m connlabel --label 1", "-m connlabel ! --label 1", "-m conntrack --ctstate NEW,INVALID --ctproto 6",
	"-m time --timestart 12:00 --timestop 12:00:20", "-m rateest --rateest e --rateest-gt --rateest-pps 20", "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 3",
	"-m ttl --ttl-gt 20", "-m length --length 41:70", "-m mark --mark 1", "-m dscp --dscp 4",
}

// rememberingRules draws a rule set of chains that call one another downwards.
func rememberingRules(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("*mangle\n:c1 - [0:0]\n:c2 - [0:0]\n:c3 - [0:0]\n")
	for i, chain := range []string{"PREROUTING", "c1", "c2", "c3"} {
		for range 3 + rng.IntN(9) {
			fmt.Fprintf(&b, "-A %s", chain)
			if rng.IntN(3) == 0 {
				fmt.Fprintf(&b, " -s 10.0.0.%d/%d", rng.IntN(8), 28+rng.IntN(5))
			}
			if rng.IntN(4) == 0 {
				b.WriteString([]string{" -p tcp --dport 80", " -p tcp -m multiport --ports 80,1000", " -p udp", " -p tcp --syn"}[rng.IntN(4)])
			}
			for n := rng.IntN(4); n > 0; n-- {
				b.WriteString(" " + remembering[rng.IntN(len(remembering))])
			}
			switch n := rng.IntN(9); {
			case n < 2:
				b.WriteString([]string{" -j ACCEPT", " -j DROP"}[n])
			case n == 2:
				b.WriteString(" -j MARK --xor-mark 1")
			case n == 3:
				b.WriteString(" -j RATEEST --rateest-name e --rateest-interval 250ms --rateest-ewmalog 500ms")
			case n == 4:
				b.WriteString(" -j RETURN")
			case n < 7 && i < 3:
				fmt.Fprintf(&b, " -%c c%d", "jg"[n-5], i+1+rng.IntN(3-i))
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func TestCompiledTablesChargeWhatTheWalkCharges(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	verdicts := map[rules.Verdict]int{}
	dropped, unsure := 0, 0
	for range 60 {
		text := rememberingRules(rng)
		rs, err := iptables.Read(strings.NewReader(text), iptables.Options{Family: 4})
		require.NoError(t, err, text)
		table := rs.Tables[0]
		compiled, err := hipac.BuildTable(context.Background(), table, &hipac.Options{Engine: []hipac.Engine{hipac.Tree, hipac.Index}[rng.IntN(2)]})
		require.NoError(t, err)
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
		for range 400 {
			now = now.Add(time.Duration(rng.IntN(200)) * time.Millisecond)
			p := randomPacket(rng)
			p.Conn = nil
			id, over := rng.IntN(12), rng.IntN(6) == 0
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
					results[i] = compiled.Run(tr, 0, executed)
				}
				if over {
					tr.State.EndConnection(uint64(id))
					delete(conns[i], id)
				}
			}
			require.Equal(t, results[0], results[1], text)
			require.Equal(t, ran[0], ran[1], text)
			verdicts[results[0].Verdict]++
			if results[0].Dropped {
				dropped++
			}
			if results[0].Needs != "" {
				unsure++
			}
		}
		a, b := trs[0].State, trs[1].State
		for _, list := range []string{"a", "b"} {
			require.Equal(t, a.RecentEntries(list), b.RecentEntries(list))
		}
		x, _ := a.Account("q")
		y, _ := b.Account("q")
		require.Equal(t, x, y)
		require.Equal(t, conns[0], conns[1])
		for _, name := range []string{"h", "k", "f"} {
			require.Equal(t, a.HashEntries(name, 4), b.HashEntries(name, 4))
		}
	}
	require.NotZero(t, verdicts[rules.Accept])
	require.NotZero(t, verdicts[rules.Drop])
	require.NotZero(t, dropped)
	require.NotZero(t, unsure)
}
