package counters

import (
	"math/rand/v2"
	"testing"
)

func prepared(rules int) (*Set, *Shard, []uint32) {
	s := NewSet(Options{})
	nums := make([]uint32, rules)
	for i := range nums {
		nums[i] = s.New()
	}
	return s, s.Shard(), nums
}

// hits is a fixed sequence of rules; its length is a power of two.
func hits(nums []uint32) []uint32 {
	rng := rand.New(rand.NewPCG(1, 1))
	h := make([]uint32, 1<<16)
	for i := range h {
		h[i] = nums[rng.IntN(len(nums))]
	}
	return h
}

func BenchmarkCount(b *testing.B) {
	for _, c := range []struct {
		name  string
		rules int
	}{{"n=1", 1}, {"n=1k", 1000}, {"n=100k", 100_000}, {"n=1M", 1_000_000}} {
		b.Run(c.name, func(b *testing.B) {
			_, sh, nums := prepared(c.rules)
			defer sh.Close()
			h := hits(nums)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				sh.Count(h[i&(1<<16-1)], 60)
			}
		})
	}
}

func BenchmarkCountParallel(b *testing.B) {
	s, first, nums := prepared(100_000)
	defer first.Close()
	h := hits(nums)
	b.RunParallel(func(pb *testing.PB) {
		sh := s.Shard()
		defer sh.Close()
		for i := 0; pb.Next(); i++ {
			sh.Count(h[i&(1<<16-1)], 60)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name   string
		shards int
	}{{"shards=1", 1}, {"shards=16", 16}} {
		b.Run(c.name, func(b *testing.B) {
			s, sh, nums := prepared(100_000)
			defer sh.Close()
			for range c.shards - 1 {
				defer s.Shard().Close()
			}
			h := hits(nums)
			b.ResetTimer()
			for i := range b.N {
				s.Read(h[i&(1<<16-1)])
			}
		})
	}
}

func BenchmarkNewFree(b *testing.B) {
	s, sh, nums := prepared(100_000)
	defer sh.Close()
	rng := rand.New(rand.NewPCG(2, 2))
	var e *Era
	for b.Loop() {
		i := rng.IntN(len(nums))
		n := s.New()
		s.Free(nums[i])
		nums[i] = n
		e = s.Era()
	}
	_ = e
}
