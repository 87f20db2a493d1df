// Package counters counts packets, bytes and the last hit of every rule, for
// many readers at once, without one of them ever writing to memory that
// another one writes.
//
// # Structure
//
// A [Set] gives every counted rule a number. Every reader goroutine opens a
// [Shard] of its own, which has one entry of 32 bytes for every number: packets,
// bytes, last hit, one spare word, so that an entry never straddles two cache
// lines. Entries lie in pages of 512, reached through two levels of pointers:
//
//	number   | 12 bits        | 11 bits        | 9 bits       |
//	           root, per shard  chunk of pages   entry of page
//
//	shard A   root -> chunk -> page 0  page 1   -      page 3
//	shard B   root -> chunk -> page 0  page 1   -      page 3
//	set       base sums        page 0  page 1   -      page 3
//	                                          (all rules of page 2 are gone)
//
// The set's writer makes and drops pages: a reader never allocates, never
// locks and never waits. The set itself holds one base entry for each number:
// what closed shards had counted, plus what was preloaded, minus what a reset
// took away. The counts of a rule are its base plus the sum over all shards,
// computed modulo 2^64, so that a reset never writes to a word that belongs to
// a reader.
//
// # Counting without atomic instructions
//
// Only its owner stores to a shard, so an increment needs no atomic
// read-modify-write, and an atomic store (XCHG on amd64) would cost more than
// all the rest. On 64-bit platforms [Shard.Count] uses plain loads and stores
// of aligned 64-bit words; whoever sums up reads them with atomic loads. The Go
// memory model promises that a racing read of a word-sized location observes a
// value that was stored there (https://go.dev/ref/mem, "Implementation
// Restrictions for Programs Containing Data Races"); the hardware promises
// that reads of one location do not go backwards. In the compiled code every
// word is written by one store: on amd64 by MOVQ or by ADDQ and INCQ to memory,
// on arm64 by MOVD or STP (two words, each written at once). The stores stand
// in one small function marked go:norace, so that the race detector checks all
// the rest and stays silent about these. On 32-bit platforms, where a 64-bit
// word is stored in halves, the words are stored atomically.
//
// # What a reading sees
//
// Each word is exact once the readers are quiescent (something orders their
// last Count before the reading: a channel, a WaitGroup). While they count,
// each word is at most a few store-buffer drains behind and never goes
// backwards between readings, except by a reset. The words of one entry are
// read one after the other: packets may already include a packet that bytes
// does not yet include.
//
// # Numbers and versions
//
// Readers look packets up in versions of a rule set that are immutable and
// may be old. A number of a deleted rule must not go to a new rule while such a
// reader could still count under it. The set learns from the garbage
// collector when that is over: every published version holds the [Era] in
// which it was made, and numbers freed in an era are given out again when that
// era and all before it are unreachable. A set that is never asked for an Era
// never gives a number twice. Pages whose numbers are all freed are dropped at
// once; late counts under them are discarded.
//
// # Use
//
//	writer, in a transaction               reader, with sh := set.Shard()
//	n := set.New() for each new rule       v := current.Load()
//	set.Free(n) for each deleted rule      n := v.Lookup(packet)
//	v.era = set.Era()                      sh.Count(n, length)
//	current.Store(v)                       runtime.KeepAlive(v)
//
// # Costs
//
// Count takes 2 ns for one rule, 3.5 ns for random ones of 100k and 10 ns for
// random ones of a million (AMD EPYC): three dependent loads that stay in the
// first-level cache, and the entry's one cache line. Memory is 32 bytes for
// each number, in pages of 512, for each shard and once for the set, and
// 48 KiB for each shard. As long as a version is held, every number freed since
// costs 4 bytes and, if rules are added too, its entries.
package counters
