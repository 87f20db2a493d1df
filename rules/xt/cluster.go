package xt

// The match cluster: which node of a cluster a connection belongs to, by a hash
// of its first address. The hash is Bob Jenkins' lookup3 as Linux runs it
// (jhash), written from the description in his public text; addresses enter it
// as little-endian words of their bytes, as on most machines.

import (
	"math/bits"

	"github.com/hipac-go/classifier/rules"
)

// Cluster is a match "cluster".
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
	t := of(sub)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	conn, ok := t.connection()
	if conn == nil {
		if !ok {
			return rules.Unsure, needsConn
		}
		return rules.No, ""
	}
	if conn.Status&statusExpected != 0 {
		return rules.Unsure, "the connection's master"
	}
	src := conn.Orig[0].Addr[:]
	if t.Packet.Family == 4 {
		src = src[3:]
	}
	return answer(c.Mask>>c.node(src)&1 != 0 != c.Not), ""
}

// node returns the node of an address of one or four words, from 0.
func (c *Cluster) node(addr []uint32) uint32 {
	var words [4]uint32
	for i, w := range addr {
		words[i] = bits.ReverseBytes32(w)
	}
	return scale(jhash(words[:len(addr)], c.Seed), c.Nodes)
}

// jhash hashes one or more words.
func jhash(k []uint32, seed uint32) uint32 {
	a := 0xdeadbeef + uint32(len(k))<<2 + seed
	b, c := a, a
	for ; len(k) > 3; k = k[3:] {
		a, b, c = a+k[0], b+k[1], c+k[2]
		a = a - c ^ bits.RotateLeft32(c, 4)
		c += b
		b = b - a ^ bits.RotateLeft32(a, 6)
		a += c
		c = c - b ^ bits.RotateLeft32(b, 8)
		b += a
		a = a - c ^ bits.RotateLeft32(c, 16)
		c += b
		b = b - a ^ bits.RotateLeft32(a, 19)
		a += c
		c = c - b ^ bits.RotateLeft32(b, 4)
		b += a
	}
	switch len(k) {
	case 3:
		c += k[2]
		fallthrough
	case 2:
		b += k[1]
		fallthrough
	case 1:
		a += k[0]
	default:
		return c
	}
	return jhashEnd(a, b, c)
}
