//go:build linux

package kernel

// Several base chains, and what is asked of connections, in rule sets that are read
// back from nft.

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/nftables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// States of connections, see rules.CTStates.
const (
	invalid = 1
	begun   = 8
)

// counted are the counters of rules, by table, chain and number.
type counted map[string]uint64

func (c counted) add(t *rules.Table, at rules.Place, n uint64) {
	chain := &t.Chains[at.Chain]
	c[fmt.Sprintf("%s %s/%d", t.Name, chain.Name, chain.Rules.At(at.Rule).Value.Number)] += n
}

// listedRules returns the rules of a script, and packets and counters that they have.
func listedRules(t *testing.T) (*nftables.Ruleset, counted) {
	t.Helper()
	rs, err := readListing(t.Context())
	require.NoError(t, err)
	c := counted{}
	for _, table := range rs.Tables {
		for i := range table.Chains {
			for n, r := range table.Chains[i].Rules.All() {
				if text, _ := rs.Rule(table.Name, table.Chains[i].Name, r.Value.Number); strings.Contains(text, "counter") && !r.Value.Piece {
					c.add(table, rules.Place{Chain: i, Rule: n}, r.Value.Packets)
				}
			}
		}
	}
	return rs, c
}

// sendAll sends packets through the kernel and through the base chains of prerouting,
// and compares the counters. state is the state of the connection of each packet, 0
// where nobody knows it.
func sendAll(t *testing.T, tun int, shots []shot, state func(shot) uint8) {
	t.Helper()
	rs, want := listedRules(t)
	path, err := rs.Path("prerouting")
	require.NoError(t, err)
	s := xt.NewTraversal(rs.Tables[0].Schema)
	s.State = &xt.State{}
	for _, shot := range shots {
		n, err := syscall.Write(tun, shot.raw)
		require.NoError(t, err)
		require.Equal(t, len(shot.raw), n)
		s.Start(&packet.Packet{})
		require.NoError(t, s.Packet.DecodeIP(shot.raw))
		asFromTUN(&s.Packet)
		if bits := state(shot); bits != 0 {
			if s.Packet.SetCTState(bits); bits == begun {
				s.Packet.Conn = &packet.Conn{}
			}
		}
		s.Changed()
		path.Run(s, &rules.Observer{Executed: func(stop int, at rules.Place) {
			if text, _ := rs.Rule(path[stop].Table.Name, path[stop].Table.Chains[at.Chain].Name, path[stop].Table.Chains[at.Chain].Rules.At(at.Rule).Value.Number); strings.Contains(text, "counter") {
				want.add(path[stop].Table, at, 1)
			}
		}})
	}
	_, got := listedRules(t)
	require.Equal(t, want, got)
	hit := 0
	for _, n := range got {
		if n > 0 {
			hit++
		}
	}
	require.Greater(t, hit*4, len(got), "enough rules count")
}

func TestBaseChainsAreAskedInTheOrderOfThePath(t *testing.T) {
	tun := enterNamespace(t, false, "nft")
	var b strings.Builder
	bit := 1
	chain := func(table, name string, priority int) {
		fmt.Fprintf(&b, "add table %s\nadd chain %s %s { type filter hook prerouting priority %d; }\n", table, table, name, priority)
		fmt.Fprintf(&b, "add rule %s %s meta mark 0 counter\n", table, name)
		for earlier := 1; earlier < 1<<7; earlier <<= 1 {
			fmt.Fprintf(&b, "add rule %s %s meta mark & %d == %d counter\n", table, name, earlier, earlier)
		}
		fmt.Fprintf(&b, "add rule %s %s meta mark set meta mark | %d\n", table, name, bit)
		bit <<= 1
	}
	chain("inet one", "late", 10)
	chain("inet one", "first", -5)
	chain("inet one", "second", -5)
	chain("ip two", "middle", 0)
	chain("ip6 two", "middle", 0)
	chain("inet three", "middle", 0)
	chain("inet three", "early", -450)
	b.WriteString("add rule inet one first udp dport 7 counter drop\nadd rule ip two middle udp dport 8 counter accept\n")
	run(t, b.String(), "nft", "-f", "-")
	var shots []shot
	for _, family := range []int{4, 6} {
		for _, port := range []int{7, 8, 9} {
			shots = append(shots, shot{raw: head{proto: 17}.ip(family, udp(5, port, 0))})
		}
	}
	sendAll(t, tun, shots, func(shot) uint8 { return 0 })
}

func TestStatesOfConnectionsAreAskedAsTheKernelDoes(t *testing.T) {
	tun := enterNamespace(t, false, "nft")
	var b strings.Builder
	b.WriteString("add table inet one\nadd chain inet one raw { type filter hook prerouting priority -300; }\nadd rule inet one raw udp dport 99 counter notrack\n")
	b.WriteString("add chain inet one main { type filter hook prerouting priority 0; }\nadd chain inet one u\nadd rule inet one u counter\n")
	for _, conds := range []string{"ct state new", "ct state != new", "ct state ! new", "ct state == new", "ct state new,established", "ct state { new, invalid }", "ct state != { new, invalid }",
		"ct state untracked", "ct state != untracked", "ct state invalid", "ct state { established, related, untracked }", "ct state & (new | invalid) != 0", "ct state & (new | invalid) == invalid",
		"ct state . udp dport { new . 7, untracked . 99, new . 8-10 }", "ct mark 0", "ct mark != 5", "ct direction original", "ct status confirmed", "ct status ! confirmed"} {
		fmt.Fprintf(&b, "add rule inet one main %s counter\n", conds)
	}
	b.WriteString("add rule inet one main ct state vmap { new : jump u, untracked : continue, invalid : accept }\nadd rule inet one main counter\n")
	run(t, b.String(), "nft", "-f", "-")
	require.NoError(t, os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_checksum", []byte("0"), 0))
	var shots []shot
	for _, family := range []int{4, 6} {
		for _, port := range []int{7, 9, 99} {
			shots = append(shots, shot{name: "new", raw: head{proto: 17}.ip(family, udp(5, port, 0))})
		}
		proto, reply := uint8(1), byte(0)
		if family == 6 {
			proto, reply = 58, 129
		}
		shots = append(shots, shot{name: "invalid", raw: head{proto: proto}.ip(family, []byte{reply, 0, 0, 0, 0, 1, 0, 1})})
	}
	sendAll(t, tun, shots, func(s shot) uint8 {
		if s.name == "invalid" {
			return invalid
		}
		return begun
	})
}
