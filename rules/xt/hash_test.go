package xt

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHashesOfWordsAreThoseOfLookup3(t *testing.T) {
	// The general form of the hash: mix while more than three words are left.
	slow := func(k []uint32, seed uint32) uint32 {
		a := 0xdeadbeef + uint32(len(k))<<2 + seed
		b, c := a, a
		rol := func(x uint32, n int) uint32 { return x<<n | x>>(32-n) }
		for len(k) > 3 {
			a, b, c = a+k[0], b+k[1], c+k[2]
			for _, step := range [6]struct {
				x, y, z *uint32
				n       int
			}{{&a, &c, &b, 4}, {&b, &a, &c, 6}, {&c, &b, &a, 8}, {&a, &c, &b, 16}, {&b, &a, &c, 19}, {&c, &b, &a, 4}} {
				*step.x -= *step.y
				*step.x ^= rol(*step.y, step.n)
				*step.y += *step.z
			}
			k = k[3:]
		}
		for i, p := range []*uint32{&a, &b, &c} {
			if i < len(k) {
				*p += k[i]
			}
		}
		for _, step := range [7]struct {
			x, y *uint32
			n    int
		}{{&c, &b, 14}, {&a, &c, 11}, {&b, &a, 25}, {&c, &b, 16}, {&a, &c, 4}, {&b, &a, 14}, {&c, &b, 24}} {
			*step.x ^= *step.y
			*step.x -= rol(*step.y, step.n)
		}
		return c
	}
	for i := range uint32(100) {
		k := []uint32{i * 0x9e3779b9, i ^ 0x55aa, ^i, i * i * i}
		seed := i * 77
		require.Equal(t, slow(k[:1], seed), jhash1(k[0], seed))
		require.Equal(t, slow(k[:2], seed), jhash2(k[0], k[1], seed))
		require.Equal(t, slow(k[:3], seed), jhash3(k[0], k[1], k[2], seed))
		require.Equal(t, slow(k, seed), jhash4([4]uint32(k), seed))
	}
}
