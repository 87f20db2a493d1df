package xt

// The match cluster: which node of a cluster a connection belongs to, by a hash
// of its first address, in IPv6 of the first 32 bits of that. The hash is Bob Jenkins' lookup3 as Linux runs it
// (jhash), written from the description in his public text; addresses enter it
// as little-endian words of their bytes, as on most machines.

import (
	"math/bits"

	"github.com/hipac-go/classifier/rules"
)

// Cluster is a match "cluster". That the kernel's takes packets to multicast
// Ethernet addresses for its own from there on (pkttype) is not followed.
type Cluster struct {
	Nodes uint32 // 1 to 32
	Mask  uint32 // those that are meant, node 1 the lowest bit
	Seed  uint32
	Not   bool
}

type cluster struct{ Cluster }

// Test returns the match as a test.
func (c Cluster) Test() rules.Test { return &cluster{c} }

// statusExpected is the bit of connections that another one led to expect.
const statusExpected = 1

func (c *cluster) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, conn, outcome, needs := connOf(sub)
	if conn == nil {
		return outcome, needs
	}
	if conn.Status&statusExpected != 0 {
		return rules.Unsure, "the connection's master"
	}
	src := conn.Orig[0].Addr[3]
	if t.Packet.Family == 6 {
		src = conn.Orig[0].Addr[0] // the kernel hashes no more of it
	}
	return answer(c.Mask>>c.node(src)&1 != 0 != c.Not), ""
}

// node returns the node of an address, from 0, by one word of it.
func (c *Cluster) node(word uint32) uint32 {
	return scale(jhash1(bits.ReverseBytes32(word), c.Seed), c.Nodes)
}
