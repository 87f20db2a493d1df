package xt

// The match quota: true while a number of bytes lasts. A packet that is larger
// than what is left uses it up and does not match.

import "github.com/hipac-go/classifier/rules"

type quota struct {
	bytes uint64
	not   bool
}

// Quota returns the test "quota" of so many bytes, negated: true once they are
// used up.
func Quota(bytes uint64, not bool) rules.Test { return &quota{bytes, not} }

func (q *quota) left(s *State) *uint64 {
	return own(s, q, func() *uint64 { n := q.bytes; return &n })
}

func (q *quota) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	size, ok := t.size()
	if !ok {
		return rules.Unsure, needsLength
	}
	left := q.left(s)
	if *left >= size {
		*left -= size
		return answer(!q.not), ""
	}
	*left = 0
	return answer(q.not), ""
}

// QuotaLeft returns the bytes that a test made by Quota has left; false for
// other tests.
func (s *State) QuotaLeft(t rules.Test) (uint64, bool) {
	q, ok := t.(*quota)
	if !ok {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.tests[t].(*uint64); ok {
		return *n, true
	}
	return q.bytes, true
}
