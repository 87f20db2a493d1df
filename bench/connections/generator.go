package connections

// The generator: which connection begins next, and whose packet is the next one
// of all.

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// Arrivals is how the beginnings of connections are distributed in time.
type Arrivals uint8

// The distributions, all with Config.Rate connections a second in the mean.
const (
	Poisson Arrivals = iota // independent of each other
	Even                    // at equal distances
	Bursts                  // a hundred at once, the bursts at equal distances
)

var arrivalNames = []string{"poisson", "even", "bursts"}

// ParseArrivals returns the arrivals of a name: poisson, even or bursts.
func ParseArrivals(s string) (Arrivals, error) {
	for i, name := range arrivalNames {
		if s == name {
			return Arrivals(i), nil
		}
	}
	return 0, fmt.Errorf("%q is unknown; arrivals are poisson, even or bursts", s)
}

// Weighted is a profile and how often it is drawn, in proportion to the others.
type Weighted struct {
	Profile
	Weight int // 1 or more
}

// Config says which connections a Generator makes. Only Profiles and Count are
// needed; zeros elsewhere are the defaults.
type Config struct {
	Profiles []Weighted
	Count    int64     // connections
	From, To Addresses // of clients and servers
	IPv6     bool      // also where both are random
	Rate     float64   // connections that begin in a second; 0: 1000
	Arrivals Arrivals
	MTU      int // bytes with the IP header; 0: 1500
	Seed     uint64
	// MaxLive is how many connections may be under way at the same time, which
	// bounds the memory; a further one begins when one has ended. 0: 500,000.
	MaxLive int
}

// Limits of a Config.
const (
	MaxRate  = 1e9
	MaxMTU   = 65535
	minMTU4  = 68   // RFC 791
	minMTU6  = 1280 // RFC 8200
	maxYears = 50
	// minFragment6 has room for the headers of a SYN, which RFC 7112 wants to be
	// in the first fragment.
	minFragment6 = 40 + fragmentHeader + (20+synOptions+7)&^7
)

// Packet is a packet as it passes the observer. Its bytes are valid until the
// next call of Next.
type Packet struct {
	Time       time.Duration // since the beginning of the run
	Connection int64         // its number, from 0 in the order in which they begin
	Profile    int           // its place in Config.Profiles
	FromClient bool          // an ICMP error goes the way of the end it comes from
	Data       []byte        // the IP packet
	// Payload is the part of Data behind all headers: what is said, in a
	// fragment whatever is in it, in an ICMP error what it quotes.
	Payload []byte

	frame []byte // Data behind an Ethernet header
}

// Stats counts what a Generator has made.
type Stats struct {
	Begun, Ended int64 // connections
	Packets      int64 // fragments each
	Bytes        int64 // of Data
	Delayed      int64 // connections that had to wait for an address, a port or MaxLive
	Live         int   // connections under way
	MostLive     int
	Last         time.Duration // of the last packet
}

// Generator makes the packets of many connections in the order of time. It is
// for one goroutine.
//
// A packet costs O(log n) with n connections under way. Memory is that of the
// connections under way, however many there are in all. Measured of the ready
// profiles, with everything that the generator holds: some 500 bytes each of dns
// and ntp, 700 to 900 of http, https, ssh, smtp, scan and synflood, 1.8 kB of
// voip, 3.2 kB of bulk, and 4.4 kB of bulk with a window of 64 packets. A program
// takes about a fifth more of the system.
type Generator struct {
	cfg      Config
	v6       bool
	overhead int // bytes of an IP header
	profiles []chosen
	weights  uint64

	arrivals rng
	arrival  arrival
	blocked  bool // the next connection waits until one ends
	now      int64

	heap   heap
	conns  []*conn // by slot
	free   []uint32
	queues queues
	used   map[uint64]struct{} // the tuples of connections under way, hashed

	stats Stats
	out   builder
}

// chosen is a profile made ready.
type chosen struct {
	*Profile
	queues                                 *queues
	index                                  int
	until                                  uint64 // its weight and those before it
	loss, reset, fragments, narrow         chance
	refused, silent, unreachable, exceeded uint64 // until, of 2^53
	ports, sourcePorts                     uint64 // how many
	stride                                 uint64 // from a connection's source port to that of the next one
	mtu, fragmentSize, pathMTU             int
	mss, narrowMSS                         int // bytes of payload in a TCP packet
	datagram                               int // bytes of payload in a UDP packet
}

// New returns a generator, or an error that says what it cannot make.
func New(cfg Config) (*Generator, error) {
	v6, err := family(cfg.From, cfg.To, cfg.IPv6)
	if err != nil {
		return nil, err
	}
	if cfg.Rate == 0 {
		cfg.Rate = 1000
	}
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	if cfg.MaxLive == 0 {
		cfg.MaxLive = 500_000
	}
	g := &Generator{cfg: cfg, v6: v6, overhead: 20, used: map[uint64]struct{}{}}
	least := minMTU4
	if v6 {
		g.overhead, least = 40, minMTU6
	}
	switch {
	case cfg.Count < 1:
		return nil, fmt.Errorf("%d connections: there is at least one", cfg.Count)
	case !(cfg.Rate > 0 && cfg.Rate <= MaxRate):
		return nil, fmt.Errorf("%g connections a second: above 0, and at most %g", cfg.Rate, float64(MaxRate))
	case float64(cfg.Count)/cfg.Rate > maxYears*365*86400:
		return nil, fmt.Errorf("%d connections at %g a second take more than %d years", cfg.Count, cfg.Rate, maxYears)
	case int(cfg.Arrivals) >= len(arrivalNames):
		return nil, fmt.Errorf("arrivals %d are unknown", cfg.Arrivals)
	case cfg.MTU < least:
		return nil, fmt.Errorf("an MTU of %d bytes is too small: at least %d", cfg.MTU, least)
	case cfg.MTU > MaxMTU:
		return nil, fmt.Errorf("an MTU of %d bytes: at most %d", cfg.MTU, MaxMTU)
	case cfg.MaxLive < 1:
		return nil, fmt.Errorf("%d connections at a time: there is at least one", cfg.MaxLive)
	case len(cfg.Profiles) == 0:
		return nil, errors.New("no profile")
	}
	for i := range cfg.Profiles {
		w := &cfg.Profiles[i]
		c, err := g.choose(&w.Profile, i)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", w.Name, err)
		}
		if w.Weight < 1 || w.Weight > 1e6 {
			return nil, fmt.Errorf("profile %s: a weight of %d: it is 1 to 1000000", w.Name, w.Weight)
		}
		g.weights += uint64(w.Weight)
		c.until = g.weights
		g.profiles = append(g.profiles, c)
	}
	g.out = newBuilder()
	g.arrivals = newRNG(cfg.Seed, math.MaxUint64)
	g.arrival.gap = uint64(1e9 / cfg.Rate * (1 << 16))
	g.arrival.next(&g.arrivals, cfg.Arrivals, 0)
	return g, nil
}

// choose makes a profile ready for packets of the generator's family and MTU.
func (g *Generator) choose(p *Profile, index int) (c chosen, err error) {
	if err := p.Validate(); err != nil {
		return c, err
	}
	if g.v6 && p.PathMTU != 0 && p.PathMTU < minMTU6 {
		return c, fmt.Errorf("path mtu %d: every IPv6 path carries packets of %d bytes", p.PathMTU, minMTU6)
	}
	if g.v6 && p.FragmentSize != 0 && p.FragmentSize < minFragment6 {
		return c, fmt.Errorf("fragments of %d bytes: in IPv6 at least %d, as the first one holds all headers", p.FragmentSize, minFragment6)
	}
	c = chosen{Profile: p, queues: &g.queues, index: index, loss: p.Loss.chance(), reset: p.Reset.chance(), fragments: p.Fragments.chance(), narrow: p.Narrow.chance(),
		ports: countPorts(p.Ports), sourcePorts: countPorts(p.SourcePorts), mtu: g.cfg.MTU, fragmentSize: p.FragmentSize, pathMTU: p.PathMTU}
	sum := 0.0
	for _, s := range []struct {
		until *uint64
		share Share
	}{{&c.refused, p.Refused}, {&c.silent, p.Silent}, {&c.unreachable, p.Unreachable}, {&c.exceeded, p.TimeExceeded}} {
		sum += float64(s.share)
		*s.until = uint64(math.Round(sum * (1 << 53)))
	}
	if c.fragmentSize == 0 {
		c.fragmentSize = 576
		if g.v6 {
			c.fragmentSize = minMTU6
		}
	}
	c.fragmentSize = min(c.fragmentSize, c.mtu)
	c.mss = c.mtu - g.overhead - 20
	c.narrowMSS = c.pathMTU - g.overhead - 20
	if p.PacketSize > 0 {
		c.mss, c.narrowMSS = min(c.mss, p.PacketSize), min(c.narrowMSS, p.PacketSize)
	}
	c.datagram = p.PacketSize
	switch p.Payload {
	case DNS, NTP, RTP: // whole messages, of which IP makes fragments
		c.datagram = MaxPayload
	default:
		if c.datagram == 0 {
			c.datagram = c.mtu - g.overhead - 8
		}
	}
	c.stride = stride(c.sourcePorts)
	return c, nil
}

// stride returns a number that is prime to n and about n times the golden
// ratio: its multiples come by all numbers below n, the next ones far away.
func stride(n uint64) uint64 {
	s := max(1, n*618/1000)
	for gcd(s, n) > 1 {
		s++
	}
	return s
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

func countPorts(list []PortRange) (n uint64) {
	for _, r := range list {
		n += uint64(r.Hi) - uint64(r.Lo) + 1
	}
	return n
}

// port returns the i-th port of the ranges, i below countPorts.
func port(list []PortRange, i uint64) uint16 {
	for _, r := range list {
		n := uint64(r.Hi) - uint64(r.Lo) + 1
		if i < n {
			return r.Lo + uint16(i)
		}
		i -= n
	}
	return 0
}

// arrival is when the next connection begins.
type arrival struct {
	at   int64 // ns
	part uint64
	gap  uint64 // between two, in 2^-16 ns
}

const burst = 100 // connections

func (a *arrival) next(r *rng, how Arrivals, n int64) {
	gap := a.gap
	switch how {
	case Poisson:
		gap = r.exponential(gap)
	case Bursts:
		if n%burst != 0 {
			return
		}
		gap *= burst
	}
	a.part += gap & (1<<16 - 1)
	a.at += int64(gap>>16 + a.part>>16)
	a.part &= 1<<16 - 1
}

// Stats returns what was made so far.
func (g *Generator) Stats() Stats { return g.stats }

// IPv6 reports whether the connections are of IPv6.
func (g *Generator) IPv6() bool { return g.v6 }

// All returns the packets that are left, in order.
func (g *Generator) All() iter.Seq[Packet] {
	return func(yield func(Packet) bool) {
		for {
			p, ok := g.Next()
			if !ok || !yield(p) {
				return
			}
		}
	}
}

// Next returns the next packet; ok is false when all connections have ended.
func (g *Generator) Next() (p Packet, ok bool) {
	if g.out.pending() {
		g.out.next(&p)
		return g.count(p), true
	}
	for {
		if g.stats.Begun < g.cfg.Count && !g.blocked && (len(g.heap) == 0 || g.arrival.at <= g.heap[0].at) {
			g.begin(g.arrival.at)
			continue
		}
		if len(g.heap) == 0 {
			return p, false
		}
		slot := g.heap[0].slot
		g.now = g.heap[0].at
		c := g.conns[slot]
		g.out.packet(&p, c, &c.queue[c.head])
		if c.head++; c.head == len(c.queue) {
			g.fill(c)
		}
		if c.head < len(c.queue) {
			g.heap.replace(entry{c.queue[c.head].at, slot})
		} else {
			g.heap.pop()
			g.end(slot)
		}
		return g.count(p), true
	}
}

func (g *Generator) count(p Packet) Packet {
	g.stats.Packets++
	g.stats.Bytes += int64(len(p.Data))
	g.stats.Last = p.Time
	return p
}

// begin begins the next connection at a time, if there is room for it and a
// tuple that no other has.
func (g *Generator) begin(now int64) {
	if g.stats.Live >= g.cfg.MaxLive {
		g.block()
		return
	}
	var slot uint32
	if n := len(g.free); n > 0 {
		slot, g.free = g.free[n-1], g.free[:n-1]
	} else {
		slot = uint32(len(g.conns))
		g.conns = append(g.conns, &conn{})
	}
	c := g.conns[slot]
	if !g.start(c, now) {
		g.free = append(g.free, slot)
		g.block()
		return
	}
	g.used[c.tuple] = struct{}{}
	g.blocked = false
	g.stats.Begun++
	g.stats.Live++
	g.stats.MostLive = max(g.stats.MostLive, g.stats.Live)
	if g.stats.Begun < g.cfg.Count {
		g.arrival.next(&g.arrivals, g.cfg.Arrivals, g.stats.Begun)
		// One that waited does not let the next ones come before it.
		g.arrival.at = max(g.arrival.at, now)
	}
	g.fill(c)
	if len(c.queue) > 0 {
		g.heap.push(entry{c.queue[0].at, slot})
	} else { // all its packets were lost before the observer
		g.end(slot)
	}
}

func (g *Generator) block() {
	if !g.blocked {
		g.blocked = true
		g.stats.Delayed++
	}
}

// end gives back what a connection had.
func (g *Generator) end(slot uint32) {
	c := g.conns[slot]
	delete(g.used, c.tuple)
	g.free = append(g.free, slot)
	g.stats.Ended++
	g.stats.Live--
	if g.blocked {
		g.blocked = false
		g.arrival.at = max(g.arrival.at, g.now)
	}
}

// entry is a connection under way in the heap.
type entry struct {
	at   int64 // of its next packet, ns
	slot uint32
}

func (a entry) before(b entry) bool { return a.at < b.at || a.at == b.at && a.slot < b.slot }

// heap has the earliest entry first. Of each node there are four below, so that
// fewer cache lines are read than with two.
type heap []entry

func (h *heap) push(e entry) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = e
}

// replace puts e in the place of the first entry.
func (h heap) replace(e entry) {
	i := 0
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for j := first + 1; j < min(first+4, len(h)); j++ {
			if h[j].before(h[least]) {
				least = j
			}
		}
		if !h[least].before(e) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}

func (h *heap) pop() {
	n := len(*h) - 1
	last := (*h)[n]
	*h = (*h)[:n]
	if n > 0 {
		h.replace(last)
	}
}
