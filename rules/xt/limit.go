package xt

// The match limit: a token bucket for each rule, in the kernel's arithmetic.
// A bucket gains limitCredits every tick, up to the worth of a burst, and a
// packet costs what the average rate says. Credits are 32-bit numbers, and so
// rates and bursts have a bound, and a rule that nobody asked for days finds
// that its gain has run over. Source: iptables-extensions(8), limit.

import (
	"errors"

	"github.com/hipac-go/classifier/rules"
)

// LimitScale is the unit of rates of limit: an average of x means one packet
// every x/LimitScale seconds.
const LimitScale = 10000

// ErrOverflow is returned for a rate and a burst that the kernel cannot count.
var ErrOverflow = errors.New("rate and burst are more than the kernel can count: try a smaller burst or a higher rate")

// limitCredits are gained per tick: the largest power of two at which a day
// fits 32 bits.
const limitCredits = 128

type limit struct{ cost, full uint32 }

type limitBucket struct {
	credit uint32
	prev   int64 // when it was filled up last, in ticks
}

// Limit returns the test "limit" with an average of one packet every
// avg/LimitScale seconds and a burst. ErrOverflow is the kernel's refusal.
func Limit(avg, burst uint32) (rules.Test, error) {
	l := &limit{cost: limitWorth(avg), full: limitWorth(avg * burst)}
	if burst == 0 || l.full < l.cost {
		return nil, ErrOverflow
	}
	return l, nil
}

// limitWorth turns 1/LimitScale seconds to credits; it wraps around as the
// kernel's does.
func limitWorth(x uint32) uint32 {
	if x > (1<<32-1)/(HZ*limitCredits) {
		return x / LimitScale * HZ * limitCredits
	}
	return x * HZ * limitCredits / LimitScale
}

func (l *limit) Ask(sub rules.Subject) (rules.Outcome, string) {
	_, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	now := s.jiffies()
	b := own(s, l, func() *limitBucket { return &limitBucket{l.full, now} })
	b.credit = min(b.credit+uint32(now-b.prev)*limitCredits, l.full)
	b.prev = now
	if b.credit < l.cost {
		return rules.No, ""
	}
	b.credit -= l.cost
	return rules.Yes, ""
}
