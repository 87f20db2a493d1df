package xt

// Targets that say how connection tracking is to treat a packet: CT and
// NOTRACK.

import (
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// CT is the targets CT and NOTRACK, in front of connection tracking. The first
// that a packet meets counts; later ones do nothing. A packet that is not
// tracked has the state UNTRACKED and no connection from then on. A zone or a
// helper is given to connections that begin with the packet; which connection a
// packet of another zone belongs to is the caller's to say, in Meta.Conn. A
// helper shows in the connections that it will expect (Conn.Helper), not in its
// own.
type CT struct {
	Name    string // of the target
	NoTrack bool
	HasZone bool
	Zone    uint16
	ByMark  bool // the zone is the packet's mark
	Helper  string
	Timeout string
	Detail  string // other options
}

// Apply sets what is known of the connection.
func (c *CT) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, c.Name, unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	if t.template {
		t.Record(at, c.Name, "", "an earlier one counts", "")
		return rules.Yes, ""
	}
	t.template = true
	t.Changed()
	if c.NoTrack {
		t.Record(at, c.Name, "ctstate", "not tracked", "")
		p.SetCTState(ctUntracked)
		p.Conn = nil
		t.Changed()
		return rules.Yes, ""
	}
	var what []string
	zone := c.Zone
	if c.ByMark {
		zone = uint16(p.Mark)
	}
	if c.HasZone {
		what = append(what, "zone "+itoa(uint64(zone)))
	}
	if c.Helper != "" {
		what = append(what, "helper "+c.Helper)
	}
	if c.Timeout != "" {
		what = append(what, "timeout "+c.Timeout)
	}
	if c.Detail != "" {
		what = append(what, c.Detail)
	}
	const begun = ctNew
	if conn := p.Conn; conn != nil && p.Known&knownState != 0 && p.CTState&begun != 0 {
		if c.HasZone {
			conn.Zone = zone
		}
	}
	t.Record(at, c.Name, "", strings.Join(what, ", "), "")
	return rules.Yes, ""
}
