package connections

// TCP: handshake, flights of data with their acknowledgements and
// retransmissions, teardown, resets. RFC 9293; acknowledgements and the window
// as RFC 5681 and RFC 6928 have them, recovery in the manner of NewReno (RFC
// 6582), timers as RFC 6298.

import (
	"math/bits"
	"time"
)

const (
	synOptions = 8 // bytes: maximum segment size, window scale
	// minRTO is the least retransmission timeout, Linux's.
	minRTO = int64(200 * time.Millisecond)
	// ackDelay is how long an acknowledgement waits for a second packet.
	ackDelay = int64(40 * time.Millisecond)
)

// flight is the packets of a message that are under way together. Its sender
// sends no further ones until all are acknowledged.
type flight struct {
	mss        int32
	n          int32  // packets; 0: none is under way
	acked      int32  // the first that the sender has no acknowledgement for
	got        uint64 // what the receiver has, by bits
	recovering bool   // something was sent again
	backoff    uint8
}

func (c *conn) tcp() {
	switch c.state {
	case opening:
		c.open()
	case talking:
		c.talk()
	case closing:
		c.close()
	}
}

// segment is a packet without payload.
func (c *conn) segment(from int, flags uint8) event {
	e := event{from: uint8(from), flags: flags, number: c.said[from],
		seq: c.isn[from] + uint32(c.base[from])}
	if flags&flagACK != 0 {
		e.ack = c.isn[1-from] + uint32(c.base[1-from])
	}
	return e
}

// signal sends a packet without payload.
func (c *conn) signal(from int, flags uint8, t int64) fate {
	e := c.segment(from, flags)
	return c.send(&e, t)
}

// open is the handshake, with everything that is sent again.
func (c *conn) open() {
	c.state = talking
	switch {
	case c.Handshake == NoHandshake:
		c.wait(c.sender(&c.cur), c.clock+c.cur.pause)
		return
	case c.outcome != answered:
		c.knock()
		c.state = ended
		return
	case c.Handshake == HalfOpen, c.Handshake == HalfOpenReset:
		c.halfOpen()
		c.state = ended
		return
	}
	t := c.clock
	atServer, atClient := int64(0), int64(0)
	for try := range c.Tries {
		c.base = [2]uint64{}
		if c.signal(client, flagSYN, t) == arrives {
			c.base[client] = 1
			atServer = t + c.way()
			if c.signal(server, flagSYN|flagACK, atServer+reply) == arrives {
				c.base[server] = 1
				atClient = atServer + reply + c.way()
				break
			}
		}
		t += int64(c.Timeout) << try
	}
	if atClient == 0 {
		c.state = ended
		return
	}
	// The client speaks as soon as it has acknowledged, and what it says says
	// that again. Where it is silent, the server asks anew.
	first := c.sender(&c.cur)
	t = atClient + reply
	fate := c.signal(client, flagACK, t)
	asked := atServer + reply
	for try := 0; fate != arrives && (first == server || c.cur.pause >= int64(c.Timeout)); try++ {
		if try+1 == c.Tries {
			c.state = ended
			return
		}
		asked = max(asked+int64(c.Timeout)<<try, c.last-c.delay[server]+1)
		again := c.segment(server, flagSYN|flagACK)
		again.seq--
		if c.send(&again, asked) == arrives {
			t = asked + c.way() + reply
			fate = c.signal(client, flagACK, t)
		}
	}
	if first == server {
		c.wait(server, t+c.way()+reply+c.cur.pause)
	} else {
		c.wait(client, t+reply+c.cur.pause)
	}
}

// knock is a handshake to a server that does not answer it with SYN-ACK.
func (c *conn) knock() {
	t := c.clock
	for try := range c.Tries {
		e := c.segment(client, flagSYN)
		if c.send(&e, t) == arrives {
			switch c.outcome {
			case isRefused:
				c.base[client] = 1
				rst := c.segment(server, flagRST|flagACK)
				rst.seq = 0
				c.base[client] = 0
				if c.send(&rst, t+c.way()+reply) == arrives {
					return
				}
			case isUnreachable: // which ends no attempt (RFC 1122, 4.2.3.9)
				c.fail(e, hostAway)
			case isExceeded:
				c.fail(e, expired)
			}
		}
		t = max(t+int64(c.Timeout)<<try, c.last-c.delay[client]+1)
	}
}

// halfOpen is a handshake that the client does not end, or by a reset.
func (c *conn) halfOpen() {
	if c.signal(client, flagSYN, c.clock) != arrives {
		return
	}
	t := c.clock + c.way() + reply
	c.base[client] = 1
	for try := range c.Tries {
		fate := c.signal(server, flagSYN|flagACK, t)
		if fate == arrives && c.Handshake == HalfOpenReset {
			if c.signal(client, flagRST, t+c.way()+reply) == arrives {
				return
			}
		}
		t = max(t+int64(c.Timeout)<<try, c.last-c.delay[server]+1)
	}
}

// talk sends the next flight of the current message, or what of the flight
// under way has to be sent again.
func (c *conn) talk() {
	m, f := &c.cur, &c.flight
	if c.resets && f.n == 0 && (c.nth > c.resetAt || c.nth == c.resetAt && c.done >= m.size*uint64(c.resetPart)>>32) {
		c.abort(int(c.rng.next() >> 63))
		return
	}
	if m.kind == theEnd {
		c.state = closing
		return
	}
	x := c.sender(m)
	if c.done == 0 && f.n == 0 {
		c.said[x]++
	}
	t := c.clock
	from, to := int(f.acked), int(f.acked)+1 // again: the first that is missing
	if f.n == 0 {
		f.mss = int32(c.mss)
		if c.isNarrow && t >= c.learnt[x] {
			f.mss = int32(min(c.mss, c.narrowMSS))
		}
		left := (m.size - c.done + uint64(f.mss) - 1) / uint64(f.mss)
		f.n = int32(min(left, uint64(c.Window)))
		from, to = 0, int(f.n)
	}
	mss := uint64(f.mss)
	seq := c.isn[x] + uint32(c.base[x])
	var came [MaxWindow]int64
	refused := false
	sent := t
	for k := from; k < to; k++ {
		at := c.done + uint64(k)*mss
		e := event{from: uint8(x), flags: flagACK, number: c.said[x] - 1, seq: seq + uint32(at), offset: uint32(at),
			message: uint32(m.size), size: uint16(min(mss, m.size-at)),
			ack: c.isn[1-x] + uint32(c.base[1-x])}
		if at+uint64(e.size) == m.size {
			e.flags |= flagPSH
		}
		switch c.send(&e, sent) {
		case arrives:
			came[k] = sent + c.way()
		case isTooBig:
			refused = true
		}
		sent += c.gap(&e)
	}
	rto := max(minRTO, 2*2*c.way()) << f.backoff

	// The receiver: it acknowledges every second packet, the last one of a
	// flight, and at once whatever is not in order.
	reached := t // when the sender hears the last news
	fast := int64(0)
	dups, waiting, news := 0, 0, false
	latest := int64(0)
	acknowledge := func(at int64) {
		n := min(c.done+uint64(bits.TrailingZeros64(^f.got))*mss, m.size)
		e := event{from: uint8(1 - x), flags: flagACK, number: c.said[1-x], seq: c.isn[1-x] + uint32(c.base[1-x]), ack: seq + uint32(n)}
		waiting = 0
		if c.send(&e, at+reply) != arrives {
			return
		}
		at += reply + c.way()
		if next := int32(bits.TrailingZeros64(^f.got)); next > f.acked {
			f.acked, reached, dups, news = min(next, f.n), at, 0, true
		} else if dups++; dups == 3 {
			fast = at
		}
	}
	full := uint64(1)<<f.n - 1 // all ones with 64 packets, as a shift by 64 gives 0
	for k := from; k < to; k++ {
		if came[k] == 0 {
			continue
		}
		before := bits.TrailingZeros64(^f.got)
		again := f.got>>k&1 == 1
		f.got |= 1 << k
		if !again {
			c.arrived = came[k]
		}
		latest = came[k]
		waiting++
		if again || k != before || bits.TrailingZeros64(^f.got) > k+1 || waiting == 2 || k == int(f.n)-1 {
			acknowledge(latest)
		}
	}
	if waiting > 0 {
		acknowledge(latest + ackDelay)
	}

	bytes := min(uint64(f.n)*mss, m.size-c.done)
	whole := c.done+bytes == m.size
	other := c.sender(&c.next) != x && (c.next.kind != theEnd || c.Teardown != NoTeardown)
	switch {
	case f.acked == f.n, f.got == full && whole && other && c.next.pause < minRTO:
		// Acknowledged, or about to be by what the other end says now.
		c.done += bytes
		*f = flight{}
		c.tries = 0
		if !whole {
			c.wait(x, reached+reply)
			return
		}
		c.base[x] += m.size
		c.load()
		next := c.sender(&c.cur)
		if next != x {
			reached = c.arrived + reply // the acknowledgement leaves first
		}
		c.wait(next, reached+reply+c.cur.pause)
	case refused && c.learnt[x] < t+rto:
		// The path is too narrow for them: the same in smaller ones.
		*f = flight{}
		c.wait(x, max(c.learnt[x], sent))
	case fast != 0 && !f.recovering, news && f.recovering:
		// Three duplicates, or news of a next hole.
		f.recovering = true
		f.backoff = 0
		c.tries = 0
		c.wait(x, max(fast, reached)+reply)
	default:
		if news {
			c.tries = 0
			f.backoff = 0
		}
		if c.tries++; int(c.tries) >= c.Tries {
			c.state = ended
			return
		}
		f.recovering = true
		c.wait(x, max(reached, sent)+rto)
		f.backoff++
	}
}

// abort ends the connection with a reset from one end.
func (c *conn) abort(from int) {
	c.state = ended
	if c.cur.kind != theEnd {
		c.base[c.sender(&c.cur)] += c.done
	}
	c.signal(from, flagRST|flagACK, max(c.clock, c.last-c.delay[from]+reply))
}

// close is the teardown, with everything that is sent again.
func (c *conn) close() {
	c.state = ended
	switch c.Teardown {
	case NoTeardown:
		return
	case ByReset:
		c.abort(client)
		return
	}
	x := c.sender(&c.cur)
	y := 1 - x
	t := c.clock
	rto := max(minRTO, 2*2*c.way())
	together := c.rng.next()>>63 == 0 // the other end has nothing more to say either
	for try := range c.Tries {
		if c.signal(x, flagFIN|flagACK, t) != arrives {
			t += rto << try
			continue
		}
		at := t + c.way() + reply
		c.base[x]++
		if !together {
			c.signal(y, flagACK, at) // should it be lost, the FIN acknowledges as well
			at += reply
		}
		for again := range c.Tries {
			if c.signal(y, flagFIN|flagACK, at) == arrives {
				c.base[y]++
				fate := c.signal(x, flagACK, at+c.way()+reply)
				c.base[y]--
				if fate == arrives {
					return
				}
			}
			at = max(at+rto<<again, c.last-c.delay[y]+1)
		}
		return
	}
}
