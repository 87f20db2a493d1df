package connections

// Profiles: what the connections of one kind are like, and which profiles are
// refused.

import (
	"fmt"
	"slices"
	"time"
)

// Proto is the protocol of a profile.
type Proto uint8

// The protocols, by their IPv4 numbers. ICMP is ICMPv6 in IPv6.
const (
	ICMP Proto = 1
	TCP  Proto = 6
	UDP  Proto = 17
)

func (p Proto) String() string {
	switch p {
	case ICMP:
		return "icmp"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

// Profile says what connections of one kind are like. The package's
// documentation tells what each item means and does; ParseProfiles reads
// profiles from text and fills in the defaults. Profiles are values: a copy with
// another Loss is another profile.
type Profile struct {
	Name  string
	Proto Proto

	Ports       []PortRange // of the server; none for ICMP
	PortsInTurn bool        // the n-th connection of a run takes the n-th port
	SourcePorts []PortRange // of the client; none for ICMP

	Script []Step // what is said, in order

	Handshake Handshake // TCP
	Teardown  Teardown  // TCP

	// Shares of connections that are not answered as they should be. Together
	// they are at most 1.
	Refused, Silent, Unreachable, TimeExceeded Share

	Reset     Share // of the TCP connections, ended by a reset at a random point
	Loss      Share // of all packets
	Fragments Share // of the connections, whose packets are fragmented
	// FragmentSize is the size in bytes of these fragments, with the IP header;
	// 0 for 576 in IPv4 and 1280 in IPv6.
	FragmentSize int
	// PathMTU is the most that a router behind the observer carries, for the
	// share Narrow of the connections; 0: whatever comes.
	PathMTU int
	Narrow  Share

	RTT        Quantity // ns, of each connection
	Speed      uint64   // bits a second at which a connection sends
	Window     int      // packets that TCP has under way, 1 to 64
	Tries      int      // how often something is sent before the sender gives up
	Timeout    time.Duration
	PacketSize int // bytes of payload in a packet at most; 0: as the MTU allows
	Payload    Payload
}

// PortRange is the ports from Lo to Hi.
type PortRange struct{ Lo, Hi uint16 }

// StepKind is what a step does.
type StepKind uint8

// The kinds of steps.
const (
	OneWay   StepKind = iota // the client sends Size bytes
	Back                     // the server sends Size bytes
	Think                    // nobody does anything for Pause
	BothWays                 // UDP: both send packets of Size bytes every Every, for Pause
	Repeat                   // Steps, Times times
)

// Step is a step of a script. Of Size, Pause, Every and Times it has those that
// its kind uses.
type Step struct {
	Kind  StepKind
	Size  Quantity // bytes
	Pause Quantity // ns
	Every time.Duration
	Times Quantity
	Steps []Step // without Repeat among them
}

// Handshake is how TCP connections begin.
type Handshake uint8

// The ways to begin. After HalfOpen and HalfOpenReset nothing is said.
const (
	FullHandshake Handshake = iota
	NoHandshake             // it began before
	HalfOpen                // the client does not answer the SYN-ACK
	HalfOpenReset           // the client answers it with a reset
)

// Teardown is how TCP connections end.
type Teardown uint8

// The ways to end.
const (
	ByClient Teardown = iota // with a FIN from the client
	ByServer
	ByReset    // the client resets it
	NoTeardown // it goes on later, which is not seen
)

// Limits of profiles.
const (
	MaxWindow   = 64
	MaxTries    = 16
	MaxSteps    = 64    // in a script, groups and what is in them together
	MaxPayload  = 65507 // bytes in a UDP packet or an echo request, in IPv4
	minFragment = 68    // RFC 791: what every link carries
)

// withDefaults fills in what the text of a profile did not say; said has the lines
// of the items that it had, by name.
func (p *Profile) withDefaults(said map[string]int) {
	if said["rtt"] == 0 {
		p.RTT = Between(uint64(5*time.Millisecond), uint64(80*time.Millisecond))
	}
	if p.Speed == 0 {
		p.Speed = 1e9
	}
	if p.Window == 0 {
		p.Window = 10 // RFC 6928
	}
	if p.Tries == 0 {
		p.Tries = 1
		if p.Proto == TCP {
			p.Tries = 5
		}
	}
	if p.Timeout == 0 {
		p.Timeout = time.Second // RFC 6298, section 2
	}
	if p.SourcePorts == nil && p.Proto != ICMP {
		p.SourcePorts = []PortRange{{32768, 60999}} // as Linux does
	}
}

// itemError is an error of a profile, and the item that it is about: its name,
// or "step 3" for the third step of the script, which counts those in
// repetitions; "" for the profile as a whole.
type itemError struct {
	item string
	error
}

// Unwrap returns the error without the item.
func (e itemError) Unwrap() error { return e.error }

// Names of the items that have no word of their own.
const (
	itemBegin = "how the connection begins"
	itemEnd   = "how the connection ends"
)

// Validate returns an error that says what is wrong with a profile: what no
// generator could make packets of.
func (p *Profile) Validate() error {
	bad := func(item, format string, args ...any) error { return itemError{item, fmt.Errorf(format, args...)} }
	switch p.Proto {
	case ICMP:
		switch {
		case p.Ports != nil:
			return bad("port", "icmp has no ports")
		case p.SourcePorts != nil:
			return bad("source port", "icmp has no ports")
		}
	case TCP, UDP:
		if len(p.Ports) == 0 {
			return bad("", "no port; \"port 80\" is one")
		}
		if len(p.SourcePorts) == 0 {
			return bad("", "no source ports; \"source port 1024-65535\" are some")
		}
	default:
		return bad("", "no protocol; it is the first item: tcp, udp or icmp")
	}
	for _, r := range slices.Concat(p.Ports, p.SourcePorts) {
		if r.Lo == 0 || r.Hi < r.Lo {
			return bad("", "ports %d-%d are no range within 1-65535", r.Lo, r.Hi)
		}
	}
	last := "" // of the shares of connections that are not answered
	for i, s := range []struct {
		name  string
		share Share
	}{{"refused", p.Refused}, {"silent", p.Silent}, {"unreachable", p.Unreachable}, {"time exceeded", p.TimeExceeded}, {"reset", p.Reset},
		{"loss", p.Loss}, {"fragments", p.Fragments}, {"path mtu", p.Narrow}} {
		if !s.share.valid() {
			return bad(s.name, "%s: %v is no share from 0 to 1", s.name, float64(s.share))
		}
		if i < 4 && s.share > 0 {
			last = s.name
		}
	}
	if all := p.Refused + p.Silent + p.Unreachable + p.TimeExceeded; all > 1+1e-9 {
		return bad(last, "refused, silent, unreachable and time exceeded are %.6g%% together; at most 100%%", 100*float64(all))
	}
	if p.Proto != TCP {
		switch {
		case p.Reset > 0:
			return bad("reset", "reset: only tcp has resets")
		case p.Handshake != FullHandshake:
			return bad(itemBegin, "%s has no handshake", p.Proto)
		case p.Teardown != ByClient:
			return bad(itemEnd, "%s has no teardown", p.Proto)
		}
	}
	if p.FragmentSize != 0 && (p.FragmentSize < minFragment || p.FragmentSize > 65535) {
		return bad("fragments", "fragments of %d bytes: a fragment has %d to 65535", p.FragmentSize, minFragment)
	}
	if p.PathMTU != 0 && (p.PathMTU < minFragment || p.PathMTU > 65535) {
		return bad("path mtu", "path mtu %d: a path carries packets of %d to 65535 bytes", p.PathMTU, minFragment)
	}
	if p.Narrow > 0 && p.PathMTU == 0 {
		return bad("path mtu", "a share of narrow paths without their MTU")
	}
	switch {
	case p.Window < 1 || p.Window > MaxWindow:
		return bad("window", "a window of %d packets: it has 1 to %d", p.Window, MaxWindow)
	case p.Tries < 1 || p.Tries > MaxTries:
		return bad("tries", "tries %d: there are 1 to %d", p.Tries, MaxTries)
	case p.Timeout < time.Duration(unitTimer.lo) || p.Timeout > time.Duration(unitTimer.hi):
		return bad("timeout", "a timeout of %v: it is 1ms to 1h", p.Timeout)
	case p.Speed < 1e3 || p.Speed > 1e12:
		return bad("speed", "a speed of %d bits a second: it is 1 kbit to 1000 gbit", p.Speed)
	case p.PacketSize < 0 || p.PacketSize > MaxPayload:
		return bad("packets of", "packets of %d bytes: they carry 1 to %d", p.PacketSize, MaxPayload)
	case p.Payload >= payloads:
		return bad("payload", "payload %d is unknown", p.Payload)
	}
	if err := unitRTT.holds(p.RTT); err != nil {
		return bad("rtt", "rtt: %w", err)
	}
	return p.validateScript()
}

// holds checks a quantity that did not come from text.
func (u unit) holds(q Quantity) error {
	if q.Lo < u.lo || q.Hi > u.hi || q.Hi < q.Lo || q.About && (q.Lo == 0 || q.Lo != q.Hi) {
		return fmt.Errorf("%s is %s to %s", u.name, u.show(u.lo), u.show(u.hi))
	}
	return nil
}

func (p *Profile) validateScript() error {
	if n := p.Handshake == HalfOpen || p.Handshake == HalfOpenReset; n && len(p.Script) > 0 {
		return itemError{stepItem(1), fmt.Errorf("in a half open connection nothing is said")}
	}
	if p.Proto != TCP && len(p.Script) == 0 {
		return itemError{"", fmt.Errorf("nothing is said; \"100 bytes one way\" says something")}
	}
	total := 0
	first := true
	var check func(steps []Step, inner bool) error
	check = func(steps []Step, inner bool) error {
		for i := range steps {
			s := &steps[i]
			total++
			number := total
			if err := p.validateStep(s, number, first, inner); err != nil {
				return itemError{stepItem(number), err}
			}
			switch s.Kind {
			case OneWay, Back, BothWays:
				first = false
			case Repeat:
				if err := check(s.Steps, true); err != nil {
					return err
				}
				if !slices.ContainsFunc(s.Steps, func(t Step) bool { return t.Kind != Think }) {
					return itemError{stepItem(number), fmt.Errorf("a repetition in which nothing is said")}
				}
			}
		}
		return nil
	}
	return check(p.Script, false)
}

func stepItem(number int) string { return fmt.Sprintf("step %d", number) }

// validateStep checks a step, but not those in it. Number counts from 1; first
// says that nothing is said before it, inner that it is in a repetition.
func (p *Profile) validateStep(s *Step, number int, first, inner bool) error {
	if number > MaxSteps {
		return fmt.Errorf("more than %d steps", MaxSteps)
	}
	switch s.Kind {
	case OneWay, Back, BothWays:
		if err := unitBytes.holds(s.Size); err != nil {
			return err
		}
		return p.validateMessage(s, first)
	case Think:
		if err := unitPause.holds(s.Pause); err != nil {
			return fmt.Errorf("think: %w", err)
		}
		return nil
	case Repeat:
		if inner {
			return fmt.Errorf("a repetition within a repetition")
		}
		return unitTimes.holds(s.Times)
	}
	return fmt.Errorf("a step of unknown kind %d", s.Kind)
}

// validateMessage checks a step that sends something; first says that none
// before it does.
func (p *Profile) validateMessage(s *Step, first bool) error {
	most := p.Payload.limits(s.Kind)
	switch {
	case p.Proto == ICMP && s.Kind != OneWay:
		return fmt.Errorf("icmp: an echo request is answered by itself; only \"one way\" is for it")
	case p.Proto == UDP && first && s.Kind == Back:
		return fmt.Errorf("udp: the client speaks first, or the server could not know of it")
	case s.Kind == BothWays && p.Proto != UDP:
		return fmt.Errorf("\"both ways\" is for udp")
	case s.Kind == BothWays && (s.Every < 100*time.Microsecond || s.Every > time.Hour):
		return fmt.Errorf("every %v: it is 100µs to 1h", s.Every)
	case p.Proto == ICMP && s.Size.Hi > MaxPayload, s.Kind == BothWays && s.Size.Hi > MaxPayload:
		return fmt.Errorf("%d bytes in a packet: at most %d", s.Size.Hi, MaxPayload)
	case (p.Proto == ICMP || s.Kind == BothWays) && s.Size.About:
		return fmt.Errorf("the size of a packet has a range and no mean")
	case s.Size.Lo < most.min && !s.Size.About:
		return fmt.Errorf("a message of %d bytes: %s has at least %d here", s.Size.Lo, p.Payload, most.min)
	case s.Size.Hi > most.max, s.Size.About && most.max < unitBytes.hi:
		return fmt.Errorf("a message of %d bytes: %s has %d to %d here", s.Size.Hi, p.Payload, most.min, most.max)
	}
	if s.Kind == BothWays {
		return unitSpan.holds(s.Pause)
	}
	return nil
}
