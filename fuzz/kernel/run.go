package kernel

// The random comparison as a program calls it: what to compare, what was
// compared, and what differed.

import (
	"context"
	"time"
)

// Options say what Run compares. The zero Options compare until the context
// ends, in every way that the machine has.
type Options struct {
	// Sets is the number of random rule sets, over all ways; 0: no end but the
	// context's.
	Sets int
	// Packets is the number of packets that each set is shown; 0: 500.
	Packets int
	// Seed chooses the sets and the packets. The same Options compare the same.
	Seed uint64
	// Ways are some of Ways; nil: those that the machine has.
	Ways []string
	// Own is a user's chain, of OwnChains, that is compared in place of random rule
	// sets, by way "legacy" alone: a set is the chain with other packets.
	Own *Own
	// Workers is how many sets are compared at a time, each in a namespace and
	// on a thread of its own; 0: 1.
	Workers int
}

// Ways are the ways by which rules come into the kernel:
//
//	legacy     iptables-legacy-restore and ip6tables-legacy-restore
//	translated iptables-nft-restore and ip6tables-nft-restore
//	nft        nft, with rules of nftables' own
//	listing    nft, with rules in its own words, as package rules/nftables reads them back
func Ways() []string { return []string{wayLegacy, wayTranslated, wayNFT, wayListing} }

const (
	wayLegacy     = "legacy"
	wayTranslated = "translated"
	wayNFT        = "nft"
	wayListing    = "listing"
)

// Report is what Run has compared.
type Report struct {
	Ways []WayReport // in the order of Ways
	// Skipped are the ways that the machine does not have, with the reason.
	Skipped []string
	Elapsed time.Duration
	// Difference is the first one, shrunk; nil: there was none. Run ends with it.
	Difference *Difference
}

// WayReport counts what was compared in one way.
type WayReport struct {
	Way  string
	Sets int64
	// Rules are those of the sets; Hit are those of them that counted packets.
	Rules, Hit int64
	// Packets are those that were sent. Arrived are those that came to the rules:
	// behind each of them the counters of all rules were compared. The kernel
	// drops the others before, for their headers.
	Packets, Arrived int64
	// Matched are the packets that a rule other than the first, which all of them
	// meet, counted.
	Matched int64
}

// Total adds up the ways.
func (r *Report) Total() (t WayReport) {
	for _, w := range r.Ways {
		t.Sets += w.Sets
		t.Rules += w.Rules
		t.Hit += w.Hit
		t.Packets += w.Packets
		t.Arrived += w.Arrived
		t.Matched += w.Matched
	}
	return t
}

// Run loads random rule sets into the kernel, in namespaces of its own, sends
// packets, and compares the kernel's counters of every rule, packets and bytes,
// with those of the walk over the chains and of the compiled table, behind every
// packet. It ends with the last set, with the context, or with the first
// difference, which it shrinks for a few seconds at most. It is an error when the
// comparison cannot be made, for the reason that Available gives, or when either
// side refuses a rule set; the end of the context is none.
//
// After every set progress, when it is not nil, is called with what there is so
// far, by one goroutine at a time. Nothing is left behind when Run returns, or
// when the process is killed: the namespaces and devices end with its threads,
// and programs that it started are killed.
func Run(ctx context.Context, o Options, progress func(Report)) (Report, error) {
	return compareSets(ctx, o, progress)
}

// Available returns nil when Run can compare in at least one way, else the
// reason why not: it takes Linux, root, /dev/net/tun and the tools. It tries.
func Available() error { return available() }

// Usable returns the ways in which Run can compare, and of the others why it cannot.
// It tries, once in a process.
func Usable() (ways, skipped []string) { return usableWays(context.Background(), Ways()) }

// Replay compares one case, and returns nil where nothing differs.
func Replay(ctx context.Context, c *Case) (*Difference, error) { return replay(ctx, c) }
