package connections

// UDP and ICMP echo: questions and answers, messages that nobody answers, and
// streams both ways.

// chunk is how many packets are made at a time.
const chunk = 32

// datagrams plays on: at most chunk packets of one end, with the errors they
// meet.
func (c *conn) datagrams() {
	m := &c.cur
	if c.state == opening {
		c.state = talking
		c.wait(client, c.clock+m.pause)
	}
	switch m.kind {
	case theEnd:
		c.state = ended
	case BothWays:
		c.stream()
	default:
		c.message()
	}
}

// message says a part of the current message, or of the answer to it.
func (c *conn) message() {
	m := &c.cur
	question := m.kind == OneWay && (c.Proto == ICMP || c.next.kind == Back)
	answer := c.next
	if c.Proto == ICMP {
		answer = message{kind: Back, size: m.size}
	}
	from, saying := c.sender(m), m
	if c.answering {
		from, saying = server, &answer
	}
	if c.done == 0 && c.tries == 0 && !c.answering {
		c.said[from]++
	}
	number := c.said[from] - 1
	if c.answering {
		number = c.said[client] - 1 // that of the question
	}
	gone, over := c.clock, never
	for range chunk {
		n := saying.size - c.done
		if c.Proto == UDP {
			n = min(n, uint64(c.datagram))
		}
		e := event{from: uint8(from), offset: uint32(c.done), message: uint32(saying.size), asked: uint32(m.size), size: uint16(n), number: number}
		gone = c.clock
		switch c.send(&e, gone) {
		case arrives:
			c.arrived = gone + c.way()
			if at, ok := c.complain(e); ok {
				over = min(over, at)
			}
		default:
			c.failed = true
		}
		c.clock += c.gap(&e)
		c.done += n
		if c.done == saying.size || c.clock >= over {
			break
		}
	}
	if over != never {
		c.state = ended // the error ends it
		return
	}
	if c.done < saying.size {
		return
	}
	c.done = 0
	switch {
	case !question:
		c.load()
		next := c.sender(&c.cur)
		if next != from {
			c.clock += c.way()
		}
		c.wait(next, c.clock+c.cur.pause)
	case !c.answering && !c.failed && c.outcome == answered:
		c.answering = true
		c.wait(server, c.arrived+reply+answer.pause)
	case c.answering && !c.failed:
		c.load()
		if c.Proto == UDP {
			c.load()
		}
		next := c.sender(&c.cur)
		if next == client {
			c.clock = c.arrived
		}
		c.wait(next, c.clock+reply+c.cur.pause)
	default: // no answer, or not all of it
		if c.answering {
			gone -= c.way() // about when the question was asked
		}
		t := gone + int64(c.Timeout)
		c.answering, c.failed = false, false
		if c.tries++; int(c.tries) == c.Tries {
			c.load()
			if c.Proto == UDP {
				c.load()
			}
		}
		c.wait(c.sender(&c.cur), t)
	}
}

// complain makes the ICMP error that a packet of the client meets in a
// connection that is not answered, and says when the client gets one that ends
// the connection.
func (c *conn) complain(e event) (at int64, ends bool) {
	if e.from != client {
		return 0, false
	}
	switch c.outcome {
	case isRefused:
		if c.Proto == ICMP {
			return c.fail(e, prohibited)
		}
		return c.fail(e, portClosed)
	case isUnreachable:
		return c.fail(e, hostAway)
	case isExceeded:
		c.fail(e, expired) // the way may be another one next time
	}
	return 0, false
}

// stream sends the next packets of a stream both ways. The server begins when it
// has heard the client, and is half an interval behind from then on.
func (c *conn) stream() {
	m := &c.cur
	behind := c.way() + reply + m.every/2
	if c.outcome != answered {
		c.heard = m.count
	}
	over := never
	for range chunk {
		from, t := client, c.clock+int64(c.done)*m.every
		if back := c.clock + behind + int64(c.heard)*m.every; c.heard < m.count &&
			(c.done == m.count || back+c.delay[server] < t+c.delay[client]) {
			from, t = server, back
			c.heard++
		} else {
			c.done++
		}
		e := event{from: uint8(from), message: uint32(m.size), size: uint16(m.size), number: c.said[from]}
		c.said[from]++
		if c.send(&e, t) == arrives {
			if at, ok := c.complain(e); ok {
				over = min(over, at)
			}
		}
		if c.done == m.count && c.heard == m.count || over != never {
			break
		}
	}
	switch {
	case over != never:
		c.state = ended // the error ends it
	case c.done == m.count && c.heard == m.count:
		t := c.clock + int64(m.count)*m.every
		c.load()
		c.wait(c.sender(&c.cur), t+c.cur.pause)
	}
}
