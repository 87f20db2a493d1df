package xt

// The limit statement of nftables: a token bucket whose tokens are nanoseconds. It
// differs from the match limit of iptables, which counts credits by the tick.
// Source: nft(8), and the behaviour of Linux 6.18.

import (
	"math/bits"

	"github.com/hipac-go/classifier/rules"
)

// RateLimit is a limit of so many packets, or bytes, in so many seconds.
type RateLimit struct {
	Rate  uint64 // above 0
	Per   uint64 // seconds, above 0
	Bytes bool   // the rate and the burst are bytes, not packets
	// Burst is how many packets may come at once, 0 for 5; of bytes, how many more
	// than the rate.
	Burst uint64
	// Over has the limit hold for what is above it, instead of what is below.
	Over bool
}

// usualBurst is the kernel's, of packets.
const usualBurst = 5

type rateLimit struct {
	RateLimit
	nanos uint64 // of Per
	cost  uint64 // of a packet
	full  uint64
}

type rateBucket struct {
	tokens uint64
	last   int64 // nanoseconds
}

// Test returns the test. It has a memory, which rules share that have the same
// Test. ErrOverflow is the kernel's refusal.
func (l RateLimit) Test() (rules.Test, error) {
	r := &rateLimit{RateLimit: l}
	over, nanos := bits.Mul64(l.Per, 1e9)
	if over != 0 || l.Rate == 0 || l.Per == 0 || l.Rate+l.Burst < l.Rate {
		return nil, ErrOverflow
	}
	r.nanos, r.cost = nanos, nanos/l.Rate
	if l.Bytes {
		over, r.full = bits.Mul64(nanos, l.Rate+l.Burst)
		r.full /= l.Rate
	} else {
		if r.Burst == 0 {
			r.Burst = usualBurst
		}
		over, r.full = bits.Mul64(r.cost, r.Burst)
	}
	if over != 0 || r.full > 1<<62 {
		return nil, ErrOverflow
	}
	return r, nil
}

func (r *rateLimit) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	cost := r.cost
	if r.Bytes {
		size, ok := t.size()
		if !ok {
			return rules.Unsure, needsLength
		}
		over, all := bits.Mul64(r.nanos, size)
		if cost = all / r.Rate; over != 0 {
			cost = 1 << 63
		}
	}
	now := s.now().UnixNano()
	b := own(s, r, func() *rateBucket { return &rateBucket{r.full, now} })
	if now > b.last {
		b.tokens = min(b.tokens+min(uint64(now-b.last), r.full), r.full)
		b.last = now
	}
	if b.tokens < cost {
		return answer(r.Over), ""
	}
	b.tokens -= cost
	return answer(!r.Over), ""
}

// Same implements rules.Comparer: limits that rules name are told from those of
// one rule by their text.
func (r *rateLimit) Same(other any) bool {
	o, ok := other.(*rateLimit)
	return ok && *r == *o
}
