package xt

// The match time: dates, times of day, days of the week and of the month, of
// the State's clock.

import (
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Day is the number of seconds of a day.
const Day = 24 * 60 * 60

// TimeRule is a match "time". All of it must hold.
type TimeRule struct {
	// From and To bound the time, in seconds since 1970, both included.
	From, To uint32
	// DayFrom and DayTo bound the second of the day, both included. When
	// DayFrom is not below DayTo the span goes over midnight.
	DayFrom, DayTo uint32
	// Contiguous: what is behind midnight in such a span counts as the day
	// before.
	Contiguous bool
	Weekdays   uint8  // bits 1 (Monday) to 7 (Sunday)
	Monthdays  uint32 // bits 1 to 31
	KernelZone bool   // in the time zone of State.MinutesWest, else in UTC
}

type timeRule struct{ TimeRule }

// Test returns the match as a test.
func (r TimeRule) Test() rules.Test { return &timeRule{r} }

func (r *timeRule) Ask(sub rules.Subject) (rules.Outcome, string) {
	t := of(sub)
	if t == nil || t.State == nil {
		return rules.Unsure, "a clock"
	}
	s := t.State
	s.mu.Lock()
	stamp := s.now().Unix()
	if r.KernelZone {
		stamp -= 60 * int64(s.MinutesWest)
	}
	s.mu.Unlock()
	return answer(r.holds(stamp)), ""
}

// holds asks for a time in seconds since 1970.
func (r *TimeRule) holds(stamp int64) bool {
	if stamp < int64(r.From) || stamp > int64(r.To) {
		return false
	}
	second := uint32(stamp % Day)
	if r.DayFrom < r.DayTo {
		if second < r.DayFrom || second > r.DayTo {
			return false
		}
	} else {
		if second < r.DayFrom && second > r.DayTo {
			return false
		}
		if r.Contiguous && second <= r.DayTo {
			stamp -= Day
		}
	}
	day := time.Unix(stamp, 0).UTC()
	weekday := day.Weekday()
	if weekday == time.Sunday {
		weekday = 7
	}
	return r.Weekdays>>weekday&1 != 0 && r.Monthdays>>day.Day()&1 != 0
}
