package hipac_test

// Targets of iptables that change what later rules see: the compiled tables
// against the walk, packet by packet, with all that is done on the way.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// changing is a rule set of all tables whose rules set marks, header fields,
// addresses and the state of the connection, in chains that ask for them.
const changing = `*raw
-A PREROUTING -d 10.0.0.3 -j NOTRACK
-A PREROUTING -m conntrack --ctstate UNTRACKED -j MARK --or-mark 0x100
-A PREROUTING -m dscp --dscp 4 -j MARK --or-mark 0x200
COMMIT
*mangle
:classify - [0:0]
:prio - [0:0]
:deep - [0:0]
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf
-A PREROUTING -m mark --mark 0/0xf -j classify
-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xf
-A PREROUTING -m connmark --mark 3/0x3 -j TTL --ttl-dec 20
-A PREROUTING -m ttl --ttl-lt 10 -j DROP
-A PREROUTING -m tos --tos 0x10/0x10 -j prio
-A PREROUTING -m dscp --dscp-class EF -j RETURN
-A PREROUTING -p tcp --tcp-flags SYN,ACK SYN -j ECN --ecn-tcp-remove
-A PREROUTING -p tcp -m ecn --ecn-tcp-ece -j TOS --xor-tos 0x40
-A FORWARD -p tcp --syn -j TCPMSS --set-mss 1200
-A FORWARD -p tcp -m tcpmss --mss 1200 -j MARK --set-xmark 0x1000/0x1000
-A FORWARD -p tcp -m length --length 44 -j DSCP --set-dscp 1
-A POSTROUTING -m mark --mark 0x1000/0x1000 -j CLASSIFY --set-class 1:2
-A POSTROUTING -j HMARK --hmark-tuple src,dst,dport --hmark-mod 4 --hmark-rnd 7
-A POSTROUTING -m mark --mark 2 -j DROP
-A classify -p tcp -m tcp --dport 80 -j MARK --set-mark 1
-A classify -p tcp -m tcp --dport 443 -j MARK --set-mark 2
-A classify -m mark --mark 0 -g deep
-A classify -s 10.0.0.0/30 -j TOS --set-tos 0x10/0x1c
-A deep -p udp -j MARK --set-mark 3
-A deep -m mark --mark 3 -j DSCP --set-dscp-class EF
-A deep -m dscp --dscp-class EF -m ecn --ecn-ip-ect 1 -j ACCEPT
-A deep -j LOG --log-prefix deep
-A prio -j MARK --or-mark 0x10
-A prio -m mark --mark 0x11/0xff -j RETURN
-A prio -m mark --mark 0x10/0x10 -j TTL --ttl-set 11
-A prio -m ttl --ttl-eq 11 -j CONNMARK --set-xmark 0x10/0x10
-A prio -m connmark --mark 0x12 -j DROP
COMMIT
*nat
:dnat - [0:0]
-A PREROUTING -m mark --mark 1/0xf -j dnat
-A PREROUTING -p udp -j DNAT --to-destination 10.0.0.6-10.0.0.7
-A POSTROUTING -d 10.0.0.6 -j SNAT --to-source 10.0.0.9
-A POSTROUTING -d 10.0.0.5 -p tcp -j SNAT --to-source 10.0.0.8:1000-1003
-A dnat -p tcp -j DNAT --to-destination 10.0.0.5:8080
COMMIT
*filter
-A FORWARD -d 10.0.0.5 -p tcp -m tcp --dport 8080 -m conntrack --ctstate DNAT -j NFQUEUE --queue-balance 0:3
-A FORWARD -m conntrack --ctorigdst 10.0.0.1 --ctreplsrc 10.0.0.7 -j REJECT
-A FORWARD -m connmark --mark 3/3 -m mark --mark 3/0xf -m ttl --ttl-eq 43 -j DROP
-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP
-A FORWARD -d 10.0.0.6 -m conntrack --ctstatus SEEN_REPLY -j DROP
COMMIT
`

// randomPacket draws a packet of few values, so that rules often hold.
func randomPacket(rng *rand.Rand) packet.Packet {
	pick := func(list ...int) int { return list[rng.IntN(len(list))] }
	addr := func() [4]uint32 { return [4]uint32{2: 0xffff, 3: 10<<24 | uint32(rng.IntN(10))} }
	h := packet.Packet{Family: 4, Src: addr(), Dst: addr(), Proto: uint8(pick(6, 6, 17, 1)), SrcPort: uint16(pick(1, 1000, 4000)),
		DstPort: uint16(pick(80, 443, 5)), TCPFlags: uint8(pick(2, 2, 0x12, 0xc2, 0x50, 0x10)), TOS: uint8(pick(0, 0x10, 1, 0xb9, 0x5d)),
		TTL: uint8(pick(64, 25, 11, 5)), ICMPType: 8, Length: uint32(pick(40, 44, 60))}
	if rng.IntN(12) == 0 {
		h.FragOffset = 3
	}
	var p packet.Packet
	if err := p.Decode(h.AppendIPWith(nil, &packet.Extras{Options: [][]byte{nil, {2, 4, 5, 180}}[rng.IntN(2)]}), packet.LinkRaw); err != nil {
		panic(err)
	}
	p.Mark = uint32(pick(0, 0, 1, 0x10))
	if rng.IntN(6) > 0 {
		p.SetCTState(uint8(pick(8, 8, 2, 1)))
		if p.CTState != 1 {
			p.Conn = &packet.Conn{Proto: p.Proto, Mark: uint32(pick(0, 0, 3, 0x12)), Status: uint32(pick(0, 2)),
				Orig: [2]packet.Endpoint{{Addr: p.Src, Port: p.SrcPort}, {Addr: p.Dst, Port: p.DstPort}},
				Repl: [2]packet.Endpoint{{Addr: p.Dst, Port: p.DstPort}, {Addr: p.Src, Port: p.SrcPort}}}
		}
	}
	return p
}

func TestCompiledTablesChangePacketsAsTheWalkDoes(t *testing.T) {
	rs, err := iptables.Read(strings.NewReader(changing), iptables.Options{})
	require.NoError(t, err)
	path, err := rs.Path("PREROUTING", "FORWARD", "POSTROUTING")
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(41, 42))
	seen := map[string]int{}
	executed := map[string]bool{}
	for _, engine := range []hipac.Engine{hipac.Tree, hipac.Index} {
		compiled, err := hipac.BuildTables(context.Background(), rs.Tables, &hipac.Options{Engine: engine})
		require.NoError(t, err)
		var trs [2]*xt.Traversal
		for i := range trs {
			trs[i] = xt.NewTraversal(rs.Tables[0].Schema)
			trs[i].State = &xt.State{Random: func() uint32 { return 77 }}
		}
		for range 20000 {
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
					results[i] = compiled.Run(tr, path, o)
				}
			}
			require.Equal(t, results[0], results[1])
			require.Equal(t, ran[0], ran[1])
			require.Equal(t, trs[0].Effects, trs[1].Effects)
			require.Equal(t, trs[0].Packet.Conn, trs[1].Packet.Conn)
			a, b := trs[0].Packet, trs[1].Packet
			n := a.Captured()
			require.Equal(t, a.Bytes(0, n, nil), b.Bytes(0, n, nil))
			for i := range trs[0].Effects {
				seen[trs[0].Effects[i].Target]++
			}
			for _, r := range ran[0] {
				executed[r] = true
			}
			seen[results[0].Verdict.String()]++
		}
	}
	for _, name := range []string{"MARK", "CONNMARK", "TOS", "DSCP", "TTL", "ECN", "TCPMSS", "HMARK", "CLASSIFY", "DNAT", "SNAT", "NFQUEUE", "NOTRACK", "LOG",
		"ACCEPT", "DROP", "REJECT", "QUEUE", "UNKNOWN"} {
		require.NotZero(t, seen[name], "%s in %v", name, seen)
	}
	for _, table := range rs.Tables {
		for c := range table.Chains {
			for r := range table.Chains[c].Rules.Len() {
				require.True(t, executed[fmt.Sprint(table.Name, c, "/", r)], "table %s, chain %s, rule %d is never executed", table.Name, table.Chains[c].Name, r+1)
			}
		}
	}
}

func TestTargetsThatSetMarksAllocateNothing(t *testing.T) {
	rs, err := iptables.Read(strings.NewReader("*mangle\n-A PREROUTING -p tcp -j MARK --set-mark 5\n-A PREROUTING -m mark --mark 5 -j TOS --set-tos 0x10\n"+
		"-A PREROUTING -m tos --tos 0x10 -j TTL --ttl-dec 1\n-A PREROUTING -m mark --mark 5 -j DROP\nCOMMIT\n"), iptables.Options{})
	require.NoError(t, err)
	table, err := hipac.BuildTable(context.Background(), rs.Tables[0], nil)
	require.NoError(t, err)
	h := packet.Packet{Family: 4, Proto: packet.TCP, TTL: 64}
	data := h.AppendIP(nil)
	tr := xt.NewTraversal(rs.Tables[0].Schema)
	run := func() {
		tr.Reset()
		tr.Packet.Mark = 0
		if tr.Packet.Decode(data, packet.LinkRaw) != nil || table.Run(tr, 0, nil).Verdict != rules.Drop || len(tr.Effects) != 3 {
			panic("not as it was")
		}
	}
	run()
	require.Zero(t, allocsPerRun(100, run))
}
