//go:build linux

package kernel

// The tables of matches that random programs are mixed of: for each match the
// rules, and packets of its own. The tests have more tables, of matches that
// ask the system.

import "slices"

// matches is the table of one match, or of the options that every rule has.
type matches struct {
	kind, name string // "match", "tcp"; "rule"
	family     int    // 0: both
	rules      []string
	rules4     []string // of one family only
	rules6     []string
	head       []string // rules in front of them, all the time
	shots      func(family int) []shot
	noPool     bool // only packets of its own
}

// plainTables are the tables of matches that ask for nothing but the bytes of
// the packet and what they remember themselves.
func plainTables() []matches {
	return slices.Concat(plainHeaders, plainMore, plainPayload, plainState)
}
