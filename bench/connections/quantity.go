package connections

// Quantities of profiles: a number of bytes, of times or of nanoseconds that is
// fixed, lies in a range, or has a mean.

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Quantity is a number that is drawn anew each time it is used: uniformly from
// Lo to Hi or, with About, exponentially distributed with the mean Lo.
type Quantity struct {
	Lo, Hi uint64
	About  bool
}

// Exactly is the quantity that is always n.
func Exactly(n uint64) Quantity { return Quantity{Lo: n, Hi: n} }

// Between is uniform from lo to hi.
func Between(lo, hi uint64) Quantity { return Quantity{Lo: lo, Hi: hi} }

func (q Quantity) draw(r *rng) uint64 {
	switch {
	case q.About:
		return max(1, r.exponential(q.Lo))
	case q.Lo == q.Hi:
		return q.Lo
	}
	return q.Lo + r.below(q.Hi-q.Lo+1)
}

// unit is how numbers of a kind are written.
type unit struct {
	name     string // for errors: "a number of bytes"
	lo, hi   uint64
	parse    func(string) (uint64, error)
	show     func(uint64) string
	mayAbout bool
}

var (
	unitBytes = unit{"a size", 1, 1 << 30, parseSize, func(n uint64) string { return strconv.FormatUint(n, 10) }, true}
	unitTimes = unit{"a number of times", 1, 1e6, parseCount, func(n uint64) string { return strconv.FormatUint(n, 10) }, true}
	unitPause = unit{"a time", 0, uint64(time.Hour), parseTime, showTime, true}
	unitRTT   = unit{"a time", 0, uint64(time.Minute), parseTime, showTime, true}
	unitSpan  = unit{"a time", 1, uint64(24 * time.Hour), parseTime, showTime, true}
	unitTimer = unit{"a time", uint64(time.Millisecond), uint64(time.Hour), parseTime, showTime, false}
)

// quantity reads N, N-M or "about N".
func (u unit) quantity(s string) (q Quantity, err error) {
	word, rest, _ := strings.Cut(s, " ")
	if word == "about" && u.mayAbout {
		q.About = true
		s = strings.TrimSpace(rest)
	}
	lo, hi, ranged := strings.Cut(s, "-")
	if q.About && ranged {
		return q, fmt.Errorf("%q: a mean is one number", "about "+s)
	}
	if lo = strings.TrimSpace(lo); ranged && (lo == "" || strings.TrimSpace(hi) == "") {
		return q, fmt.Errorf("%q: a range has a number before and behind the hyphen, and none is below 0", s)
	}
	if q.Lo, err = u.number(lo); err != nil {
		return q, err
	}
	q.Hi = q.Lo
	if ranged {
		if q.Hi, err = u.number(hi); err != nil {
			return q, err
		}
		if q.Hi < q.Lo {
			return q, fmt.Errorf("%q: the range ends before it begins", s)
		}
	}
	if q.About && q.Lo == 0 {
		return q, fmt.Errorf("a mean of 0")
	}
	return q, nil
}

func (u unit) number(s string) (uint64, error) {
	n, err := u.parse(strings.TrimSpace(s))
	if err != nil {
		return 0, err
	}
	if n < u.lo || n > u.hi {
		return 0, fmt.Errorf("%q: %s is %s to %s", s, u.name, u.show(u.lo), u.show(u.hi))
	}
	return n, nil
}

// digits is strconv.ParseUint without signs, underscores and other bases.
func digits(s string) (uint64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return math.MaxUint64, true // which every limit refuses
	}
	return n, true
}

func parseCount(s string) (uint64, error) {
	n, ok := digits(s)
	if !ok {
		return 0, fmt.Errorf("%q is no whole number", s)
	}
	return n, nil
}

// parseSize reads a number of bytes: 500, 10k, 5M, 1G, with powers of 1000.
func parseSize(s string) (uint64, error) {
	factor := uint64(1)
	number := s
	if s != "" {
		switch s[len(s)-1] {
		case 'k':
			factor = 1e3
		case 'M':
			factor = 1e6
		case 'G':
			factor = 1e9
		}
	}
	if factor > 1 {
		number = s[:len(s)-1]
	}
	n, ok := digits(number)
	if !ok {
		return 0, fmt.Errorf("%q is no size; 500, 10k and 5M are", s)
	}
	if n > math.MaxUint64/factor {
		return math.MaxUint64, nil
	}
	return n * factor, nil
}

// parseTime reads a time as time.ParseDuration does; it is not negative.
func parseTime(s string) (uint64, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || strings.ContainsAny(s, "+-") {
		return 0, fmt.Errorf("%q is no time; 20ms, 1.5s and 2m are", s)
	}
	return uint64(d), nil
}

func showTime(n uint64) string { return time.Duration(n).String() }

// Share is a part of connections or packets, 0 to 1.
type Share float64

// ParseShare reads a percentage: "0%", "0.5%", "100%".
func ParseShare(s string) (Share, error) {
	number, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	number = strings.TrimSpace(number)
	if !ok || number == "" || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no percentage; 0.5%% is one", s)
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f > 100 {
		return 0, fmt.Errorf("%q is no percentage from 0%% to 100%%", s)
	}
	return Share(f / 100), nil
}

// chance returns the share in units of 2^-64.
func (s Share) chance() chance {
	if s >= 1 {
		return certain
	}
	return chance(math.Ldexp(float64(s), 64))
}

func (s Share) valid() bool { return s >= 0 && s <= 1 } // false for NaN

// ParseRTT reads a round-trip time: "20ms", "5ms-80ms", "about 30ms".
func ParseRTT(s string) (Quantity, error) { return unitRTT.quantity(strings.TrimSpace(s)) }
