package xt

// The hash functions of targets that spread packets: Bob Jenkins' lookup3 in
// the form of Linux's jhash, for up to three words.

import "math/bits"

// jhash3 hashes three words.
func jhash3(a, b, c, seed uint32) uint32 {
	const begin = 0xdeadbeef + 3<<2
	return jhashEnd(a+begin+seed, b+begin+seed, c+begin+seed)
}

// jhash2 hashes two words.
func jhash2(a, b, seed uint32) uint32 {
	const begin = 0xdeadbeef + 2<<2
	return jhashEnd(a+begin+seed, b+begin+seed, begin+seed)
}

// jhash1 hashes one word.
func jhash1(a, seed uint32) uint32 {
	const begin = 0xdeadbeef + 1<<2
	return jhashEnd(a+begin+seed, begin+seed, begin+seed)
}

func jhashEnd(a, b, c uint32) uint32 {
	rot := bits.RotateLeft32
	c = (c ^ b) - rot(b, 14)
	a = (a ^ c) - rot(c, 11)
	b = (b ^ a) - rot(a, 25)
	c = (c ^ b) - rot(b, 16)
	a = (a ^ c) - rot(c, 4)
	b = (b ^ a) - rot(a, 14)
	return (c ^ b) - rot(b, 24)
}

// scale maps a hash to 0..n-1.
func scale(hash, n uint32) uint32 { return uint32(uint64(hash) * uint64(n) >> 32) }

// hashAddr hashes an address.
func hashAddr(a *[4]uint32, seed uint32) uint32 {
	return jhash2(jhash3(a[0], a[1], a[2], seed), a[3], seed)
}

// seed is the random number that this State hashes with, drawn when it is used
// first.
func (s *State) seed() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *shared(s, "seed of hashes", func() *uint32 {
		x := s.random()
		return &x
	})
}

// jhash4 hashes four words.
func jhash4(k [4]uint32, seed uint32) uint32 {
	rot := bits.RotateLeft32
	a := uint32(0xdeadbeef + 4<<2)
	a += seed
	b, c := a, a
	a, b, c = a+k[0], b+k[1], c+k[2]
	a = (a - c) ^ rot(c, 4)
	c += b
	b = (b - a) ^ rot(a, 6)
	a += c
	c = (c - b) ^ rot(b, 8)
	b += a
	a = (a - c) ^ rot(c, 16)
	c += b
	b = (b - a) ^ rot(a, 19)
	a += c
	c = (c - b) ^ rot(b, 4)
	b += a
	return jhashEnd(a+k[3], b, c)
}
