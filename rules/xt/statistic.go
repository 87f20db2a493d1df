package xt

// The match statistic: some packets, by chance or by count.

import "github.com/hipac-go/classifier/rules"

type statistic struct {
	of31 uint32 // random: the chance in 2^31
	n, p uint32 // nth: every n-th packet, the first at p (from 0)
	not  bool
}

// Random returns the test "statistic --mode random" with a chance of
// of31/2^31; of31 is at most 2^31. It draws from State.Random.
func Random(of31 uint32, not bool) rules.Test { return &statistic{of31: of31, not: not} }

// Nth returns the test "statistic --mode nth": it holds for the packets
// numbered p, p+n, p+2n and so on, from 0; n >= 1 and p < n.
func Nth(n, p uint32, not bool) rules.Test { return &statistic{n: n, p: p, not: not} }

func (c *statistic) Ask(sub rules.Subject) (rules.Outcome, string) {
	_, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	if c.n == 0 {
		return answer(s.random()&(1<<31-1) < c.of31 != c.not), ""
	}
	wait := own(s, c, func() *uint32 { p := c.p; return &p }) // packets to let pass
	hit := *wait == 0
	if hit {
		*wait = c.n
	}
	*wait--
	return answer(hit != c.not), ""
}
