package connections

// A connection under way: what is drawn when it begins, how it goes through its
// script, and what happens to a packet that one of its ends sends.
//
// A connection has a short queue of packets that the observer is yet to see, in
// the order of time. When it is empty, fill plays on from there until there are
// some: a handshake, a flight of data and its acknowledgements, a teardown.

import "time"

// The ends of a connection.
const (
	client = 0
	server = 1
)

// reply is what an end takes from a packet to the answer to it.
const reply = int64(20 * time.Microsecond)

// event is a packet that the observer sees.
type event struct {
	at       int64  // ns
	seq, ack uint32 // of TCP
	offset   uint32 // of the payload in the message
	message  uint32 // the size of that
	asked    uint32 // the size of the question that it answers
	number   uint16 // of the message
	size     uint16 // of the payload
	limit    uint16 // of the packet, above which it is sent in fragments
	id       uint16 // IP identification
	from     uint8  // the end that sends it
	flags    uint8  // of TCP
	err      errorKind
	missing  uint8 // the fragment that is lost before the observer, from 1
}

// errorKind is an ICMP error about the packet that the event describes.
type errorKind uint8

const (
	noError    errorKind = iota
	portClosed           // from the server
	hostAway             // from a router, as are the next ones
	prohibited
	expired // the time is exceeded
	tooBig
)

// Flags of TCP.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// outcome is how the server answers.
type outcome uint8

const (
	answered outcome = iota
	isRefused
	isSilent
	isUnreachable
	isExceeded
)

// state is what comes next in a connection.
type state uint8

const (
	opening state = iota
	talking
	closing
	ended
)

// message is a message of the script with what was drawn for it.
type message struct {
	kind  StepKind // OneWay, Back or BothWays; Repeat: the end of the script
	size  uint64
	pause int64 // before it
	every int64
	count uint64 // packets of each end, of BothWays
}

const theEnd = Repeat

type conn struct {
	*chosen
	number int64
	rng    rng
	salt   uint64 // of the bytes that it says
	tuple  uint64

	ends      [2]address
	ports     [2]uint16
	addresses uint64   // sum of both, for checksums
	delay     [2]int64 // from an end to the observer
	ttl, hops [2]uint8 // at the observer; from an end to it
	id        [2]uint16
	overhead  uint8 // bytes of the IP header

	outcome    outcome
	state      state
	fragmented bool
	isNarrow   bool
	learnt     [2]int64 // when an end knows the MTU of the path

	isn  [2]uint32
	base [2]uint64 // the place in an end's stream where its current or next message begins
	said [2]uint16 // messages begun

	clock int64 // when the end whose turn it is acts
	last  int64 // when the observer sees the last packet of the queue
	seen  int64 // when it saw the last one before the queue

	// Place in the script.
	step, inner int16 // inner is -1 outside a repetition
	left        uint32
	cur, next   message
	nth         uint64 // the number of cur among all messages
	resetAt     uint64 // the message with the reset; the number of all: never
	resetPart   uint32 // how far into it, in 2^-32
	resets      bool

	// Of the message that is being said.
	done      uint64 // bytes acknowledged, or sent without acknowledgement
	tries     uint8
	heard     uint64 // packets of the server in a stream
	answering bool   // UDP, ICMP: it is the answer's turn
	failed    bool   // a packet of the question or the answer was lost
	arrived   int64  // when the last packet came to the other end
	flight    flight

	queue []event
	head  int
}

// start draws everything about a connection that begins now. It reports false
// when there is no tuple that no other connection has.
func (g *Generator) start(c *conn, now int64) bool {
	number := g.stats.Begun
	r := newRNG(g.cfg.Seed, uint64(number))
	i := 0
	if len(g.profiles) > 1 {
		x := r.below(g.weights)
		for x >= g.profiles[i].until {
			i++
		}
	}
	p := &g.profiles[i]
	*c = conn{chosen: p, number: number, overhead: uint8(g.overhead), inner: -1, clock: now, last: now, seen: now}
	if !g.tuple(c, &r) {
		return false
	}
	c.addresses = c.ends[0].sum() + c.ends[1].sum()
	c.salt = r.next()
	c.isn = [2]uint32{uint32(r.next()), uint32(r.next())}
	x := r.next()
	c.id = [2]uint16{uint16(x), uint16(x >> 16)}
	c.hops = [2]uint8{1 + uint8(x>>32)%16, 1 + uint8(x>>40)%16}
	first := [2]uint8{64, 64}
	if x>>48&3 == 0 {
		first[client] = 128
	}
	c.ttl = [2]uint8{first[client] - c.hops[client], first[server] - c.hops[server]}
	half := p.RTT.draw(&r) / 2
	c.delay[client] = int64(half/10 + half*8/10*(x>>56)/256) // 10 to 90 percent
	c.delay[server] = int64(half) - c.delay[client]
	c.learnt = [2]int64{never, never}
	if p.refused|p.silent|p.unreachable|p.exceeded != 0 {
		switch y := r.next() >> 11; {
		case y < p.refused:
			c.outcome = isRefused
		case y < p.silent:
			c.outcome = isSilent
		case y < p.unreachable:
			c.outcome = isUnreachable
		case y < p.exceeded:
			c.outcome = isExceeded
			c.ttl[client] = 2 + uint8(x>>50&3) // its last router is some hops behind the observer
		}
	}
	c.fragmented = p.fragments.drawn(&r)
	c.isNarrow = !c.fragmented && p.pathMTU > 0 && p.narrow.drawn(&r)
	if p.Handshake == NoHandshake {
		c.base = [2]uint64{1, 1}
	}
	if p.reset.drawn(&r) {
		c.resets = true
		c.resetAt = r.below(c.messages() + 1)
		c.resetPart = uint32(r.next())
	}
	c.rng = r
	c.next = c.advance()
	c.load()
	c.nth = 0
	return true
}

const never = int64(1) << 62

// attempts is how many tuples are tried before a connection waits.
const attempts = 64

// tuple draws addresses and ports that no other connection under way has.
func (g *Generator) tuple(c *conn, r *rng) bool {
	p, n := c.chosen, uint64(c.number)
	port0 := r.next()
	for try := range uint64(attempts) {
		if try == 0 || try%8 == 0 || c.ends[0] == c.ends[1] {
			c.ends[client] = g.cfg.From.draw(r, g.v6, n+try)
			c.ends[server] = g.cfg.To.draw(r, g.v6, n)
		}
		if p.Proto == ICMP {
			c.ports[client] = uint16(port0 + try) // the identifier of the echo
		} else {
			c.ports[client] = port(p.SourcePorts, (n%p.sourcePorts*p.stride+try)%p.sourcePorts)
			i := n % p.ports
			if !p.PortsInTurn {
				i = (port0 + try/8) % p.ports
			}
			c.ports[server] = port(p.Ports, i)
		}
		if c.ends[0] == c.ends[1] && g.stats.Live > 0 {
			continue
		}
		h := mix(c.ends[0].hi ^ mix(c.ends[0].lo+golden))
		h = mix(h ^ mix(c.ends[1].hi+h) ^ mix(c.ends[1].lo+(golden>>1)))
		c.tuple = mix(h ^ uint64(p.Proto)<<32 ^ uint64(c.ports[0])<<16 ^ uint64(c.ports[1]))
		if _, taken := g.used[c.tuple]; !taken {
			return true
		}
	}
	return false
}

// messages counts the messages of the script.
func (c *conn) messages() (n uint64) {
	for i := range c.Script {
		switch s := &c.Script[i]; s.Kind {
		case Think:
		case Repeat:
			inner := uint64(0)
			for _, t := range s.Steps {
				if t.Kind != Think {
					inner++
				}
			}
			n += inner * c.times(i)
		default:
			n++
		}
	}
	return n
}

// times returns how often step i is repeated: always the same in a connection.
func (c *conn) times(i int) uint64 {
	r := newRNG(c.salt, uint64(i))
	return min(c.Script[i].Times.draw(&r), unitTimes.hi)
}

// advance goes on in the script, to the next message.
func (c *conn) advance() (m message) {
	for {
		if int(c.step) == len(c.Script) {
			m.kind = theEnd
			return m
		}
		s := &c.Script[c.step]
		switch {
		case c.inner < 0 && s.Kind == Repeat:
			c.left = uint32(c.times(int(c.step)))
			c.inner = 0
			continue
		case c.inner < 0:
			c.step++
		case int(c.inner) == len(s.Steps):
			c.inner = 0
			if c.left--; c.left == 0 {
				c.inner = -1
				c.step++
			}
			continue
		default:
			s = &s.Steps[c.inner]
			c.inner++
		}
		if s.Kind == Think {
			m.pause += int64(s.Pause.draw(&c.rng))
			continue
		}
		m.kind = s.Kind
		limits := c.Payload.limits(s.Kind)
		m.size = min(max(s.Size.draw(&c.rng), limits.min), limits.max)
		if s.Kind == BothWays {
			m.every = int64(s.Every)
			m.count = max(1, s.Pause.draw(&c.rng)/uint64(s.Every))
		}
		return m
	}
}

// load makes the next message the current one.
func (c *conn) load() {
	c.cur, c.next = c.next, c.advance()
	c.nth++
	c.done, c.heard, c.tries, c.answering, c.failed = 0, 0, 0, false, false
	c.flight = flight{}
}

// sender is the end that says a message, or closes the connection.
func (c *conn) sender(m *message) int {
	switch m.kind {
	case Back:
		return server
	case theEnd:
		if c.Teardown == ByServer {
			return server
		}
	}
	return client
}

// wait sets the clock to a time of an end. It does not let what the end sends
// pass the observer before what has passed already.
func (c *conn) wait(end int, t int64) { c.clock = max(t, c.last-c.delay[end]+1) }

// fill plays on until there is a packet to be seen.
func (g *Generator) fill(c *conn) {
	g.queues.keep(c.queue)
	c.queue, c.head, c.seen = nil, 0, c.last
	for len(c.queue) == 0 && c.state != ended {
		if c.Proto == TCP {
			c.tcp()
		} else {
			c.datagrams()
		}
	}
}

// push adds a packet to the queue, which stays in the order of time: packets
// come almost in it.
func (c *conn) push(e event) {
	e.at = max(e.at, c.seen)
	if len(c.queue) == cap(c.queue) {
		c.queue = c.queues.grow(c.queue)
	}
	c.queue = append(c.queue, e)
	q := c.queue
	i := len(q) - 1
	for i > 0 && q[i-1].at > e.at {
		q[i] = q[i-1]
		i--
	}
	q[i] = e
	c.last = max(c.last, e.at)
}

// fate is what becomes of a packet.
type fate uint8

const (
	arrives fate = iota
	isLost
	isTooBig // and the sender is told, unless that is lost
)

// size is the length of a packet without extension headers.
func (c *conn) size(e *event) int {
	n := int(c.overhead) + int(e.size)
	switch {
	case c.Proto != TCP:
		return n + 8
	case e.flags&flagSYN != 0:
		return n + 20 + synOptions
	}
	return n + 20
}

// limitAt is the length above which a packet that is sent at a time is
// fragmented before the observer sees it.
func (c *conn) limitAt(end uint8, size int, t int64) int {
	switch {
	case c.fragmented:
		return c.fragmentSize
	case c.isNarrow && (size > c.mtu || t >= c.learnt[end]):
		return min(c.mtu, c.pathMTU)
	}
	return c.mtu
}

// send sends a packet at a time of its sender, and completes the event. It
// tells what becomes of the packet; one that arrives does so after both delays.
func (c *conn) send(e *event, t int64) fate {
	size := c.size(e)
	limit := c.limitAt(e.from, size, t)
	e.at = t + c.delay[e.from]
	e.limit = uint16(limit)
	e.id = c.id[e.from]
	c.id[e.from]++
	if c.loss.drawn(&c.rng) {
		if c.rng.next()>>63 == 1 { // behind the observer
			c.push(*e)
		} else if size > limit {
			e.missing = uint8(1 + c.rng.below(uint64(min(255, fragments(size, limit, int(c.overhead))))))
			c.push(*e)
		}
		return isLost
	}
	c.push(*e)
	if c.isNarrow && size > c.pathMTU && size <= limit {
		if at, ok := c.fail(*e, tooBig); ok {
			c.learnt[e.from] = min(c.learnt[e.from], at)
		}
		return isTooBig
	}
	return arrives
}

// fail makes the ICMP error about a packet and returns when its sender gets it.
func (c *conn) fail(e event, kind errorKind) (at int64, ok bool) {
	away := c.delay[1-e.from] // half the way, and back
	if kind == portClosed {
		away *= 2
	}
	seen := e.at
	e.err, e.missing = kind, 0
	e.at += away + reply
	at = seen + away + reply + c.delay[e.from]
	if c.loss.drawn(&c.rng) {
		if c.rng.next()>>63 == 1 {
			c.push(e)
		}
		return at, false
	}
	c.push(e)
	return at, true
}

// gap is the time that a packet takes to be sent.
func (c *conn) gap(e *event) int64 {
	return int64(uint64(c.size(e)+14) * 8e9 / c.Speed)
}

// way is the time from one end to the other.
func (c *conn) way() int64 { return c.delay[0] + c.delay[1] }
