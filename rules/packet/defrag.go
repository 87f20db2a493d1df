package packet

// Defragmenter: fragments in, whole packets out, as a Linux kernel does it in
// front of its rules when it tracks connections (nf_defrag_ipv4,
// nf_conntrack_reasm). Rules then never see a fragment.
//
// Fragments of one packet wait in a queue until all are there. What Linux does
// with odd ones (RFC 5722, RFC 8200 section 4.5) is done here too:
//
//   - a fragment of bytes that are there already is dropped, and its queue
//     goes on; one that overlaps in part throws the whole queue away. "There
//     already" means within one run: fragments that came in order, each behind
//     the one before, make a run, and one that fills a gap is a run of its own;
//   - a fragment beyond the last one's end, a last one that ends before what
//     is there, or an empty one: in IPv4 the queue is thrown away, in IPv6 the
//     fragment alone. A fragment that is not the last and has a length that is
//     no multiple of 8 is shortened in IPv4, and in IPv6 throws the queue away
//     and is let through;
//   - a packet that would be longer than 65535 bytes is thrown away, and so is
//     one whose fragments contradict each other in ECN (RFC 3168 section 5.3);
//   - in IPv6, a first fragment that does not hold the headers up to the whole
//     transport header is let through as it is, and so is a jumbogram.
//
// Not modelled: Linux throws an IPv4 queue away when 64 fragments from its
// source, of other packets, come between two of its own (ipfrag_max_dist).

import (
	"container/list"
	"encoding/binary"
	"slices"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Defaults of DefragOptions, those of Linux.
const (
	DefaultTimeout4  = 30 * time.Second
	DefaultTimeout6  = 60 * time.Second
	DefaultMaxMemory = 4 << 20
)

// What a queue and a fragment take besides the fragment's bytes, as far as
// DefragOptions.MaxMemory is concerned: about what they take in memory.
const (
	queueOverhead    = 512
	fragmentOverhead = 64
)

// DefragOptions are the limits of a Defragmenter; zeros stand for the defaults.
type DefragOptions struct {
	// Timeout4 and Timeout6 say how long the fragments of a packet wait for
	// the rest, from the first that came.
	Timeout4, Timeout6 time.Duration
	// MaxMemory bounds the memory of all fragments that wait, in bytes: their
	// bytes, 64 more for each of them and 512 for each packet. Beyond it no
	// fragment is taken until others have timed out.
	MaxMemory int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Fate says what a Defragmenter did with a packet.
type Fate uint8

// The fates of a packet.
const (
	// NotFragment: it is not a fragment, or one that is let through as it is.
	NotFragment Fate = iota
	// Held: it is kept; there is nothing to evaluate.
	Held
	// Reassembled: it was the last one missing; the packet is now whole.
	Reassembled
	// Discarded: it is thrown away, as a duplicate or with all fragments of its
	// packet.
	Discarded
)

// String returns the fate's name.
func (f Fate) String() string {
	return [...]string{"not a fragment", "held", "reassembled", "discarded"}[f&3]
}

// Defragmenter reassembles fragments. It is for one goroutine.
type Defragmenter struct {
	opts   DefragOptions
	queues map[fragKey]*fragQueue
	age    [2]list.List // of IPv4 and of IPv6, the oldest in front
	memory int
}

// fragKey tells packets apart.
type fragKey struct {
	src, dst [4]uint32
	id       uint32
	proto    uint8       // of IPv4 alone
	family   uint8       // 4 or 6
	in       rules.Value // the interface, for IPv6 link-local and multicast destinations
}

// fragQueue holds the fragments of one packet.
type fragQueue struct {
	key     fragKey
	expires time.Time
	element *list.Element

	parts  []fragPart // in order
	runs   []fragRun  // in order
	length int        // of the whole, as far as known
	have   int        // bytes that are there
	last   bool       // the last fragment is there, so length is final
	ecn    uint8      // bits 1 << ECN of all fragments
	head   []byte     // IP header of the first fragment, in IPv6 without the fragment header
	prev   int        // in head, where the number of the header behind it stands
	next   uint8      // that number, of IPv6
	memory int

	// IPv4: the length of the longest fragment, and of the longest with "don't
	// fragment" set; the whole has that bit when they are the same.
	longest, longestDF int
}

type fragPart struct {
	at   int
	data []byte
}

type fragRun struct{ at, end int }

// NewDefragmenter returns a Defragmenter without fragments.
func NewDefragmenter(opts DefragOptions) *Defragmenter {
	if opts.Timeout4 <= 0 {
		opts.Timeout4 = DefaultTimeout4
	}
	if opts.Timeout6 <= 0 {
		opts.Timeout6 = DefaultTimeout6
	}
	if opts.MaxMemory <= 0 {
		opts.MaxMemory = DefaultMaxMemory
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Defragmenter{opts: opts, queues: make(map[fragKey]*fragQueue)}
}

// Memory returns the bytes that waiting fragments take, as
// DefragOptions.MaxMemory counts them.
func (d *Defragmenter) Memory() int { return d.memory }

// Waiting returns the number of packets of which fragments wait.
func (d *Defragmenter) Waiting() int { return len(d.queues) }

// Add takes a packet that was decoded from bytes. Of a fragment it copies what
// it keeps; the packet's buffer may be used again.
//
// When the fate is Reassembled, p is the whole packet, decoded from new memory
// that begins with its IP header: IPv4 with its header's length, fragment
// offset and checksum set anew, IPv6 without the fragment header. The fields of
// the link layer and Meta are those of the fragment that came last.
//
// Fragments that were not wholly captured, and packets that were not decoded
// from bytes, cannot be reassembled: fragments among them are discarded. The
// cost is O(fragments of the packet), without allocation for packets that are
// not fragments.
func (d *Defragmenter) Add(p *Packet) Fate {
	if p.FragOffset == 0 && !p.MoreFragments && (p.Family != 6 || p.exts&ExtFrag == 0) {
		return NotFragment
	}
	now := d.opts.Now()
	d.expire(now)
	if p.data == nil || p.Notes&Cut != 0 {
		return Discarded
	}
	var f fragment
	var fate Fate
	if p.Family == 6 {
		fate = p.fragment6(&f)
	} else {
		fate = p.fragment4(&f)
	}
	if fate != Held {
		return fate
	}
	if d.memory > d.opts.MaxMemory {
		return Discarded
	}
	q := d.queues[f.key]
	if q == nil {
		q = d.newQueue(f.key, now)
	}
	fate = d.insert(q, p, &f)
	if fate == Held && q.last && q.head != nil && q.have == q.length {
		d.remove(q)
		return q.whole(p)
	}
	return fate
}

// fragment is what is read of a fragment before it is put into its queue.
type fragment struct {
	key     fragKey
	at, end int // its place in the payload of the whole packet
	body    int // where its bytes begin, from the IP header
	prev    int // IPv6: where the number of the fragment header stands
	header  int // IPv6: where the fragment header begins
}

func (p *Packet) fragment4(f *fragment) Fate {
	var buf scratch
	h, s := p.read(0, 20, &buf)
	if s != Found {
		return Discarded
	}
	f.key = fragKey{src: p.Src, dst: p.Dst, id: uint32(binary.BigEndian.Uint16(h[4:])), proto: p.Proto, family: 4}
	f.body = int(h[0]&15) * 4
	f.at = int(p.FragOffset) * 8
	f.end = f.at + p.Captured() - f.body
	return Held
}

func (p *Packet) fragment6(f *fragment) Fate {
	var buf scratch
	h, _ := p.read(6, 1, &buf)
	at, _, s := p.ExtHeader(Fragment)
	if h == nil || s != Found || p.Has&HasLength == 0 {
		return NotFragment
	}
	f.prev = 6
	for next, where := h[0], 40; next != Fragment; { // the chain is whole up to there
		h, s := p.read(where, 2, &buf)
		if s != Found {
			return NotFragment
		}
		f.prev = where
		where += extLen(next, h[1])
		next = h[0]
	}
	h, s = p.read(at, 8, &buf)
	if s != Found {
		return Discarded
	}
	f.header, f.body = at, at+8
	f.at = int(binary.BigEndian.Uint16(h[2:]) &^ 7)
	f.end = f.at + p.Captured() - f.body
	f.key = fragKey{src: p.Src, dst: p.Dst, id: binary.BigEndian.Uint32(h[4:]), family: 6}
	if p.Dst[0]>>24 == 0xff || p.Dst[0]>>22 == 0xfe80>>6 {
		f.key.in = p.InIface
	}
	if f.at == 0 && p.headless() {
		return NotFragment
	}
	if f.end > 65535 {
		return Discarded
	}
	return Held
}

// headless reports whether a first fragment ends inside its headers. (A chain
// that cannot be followed is not looked at further.)
func (p *Packet) headless() bool {
	if p.Has&HasProto == 0 || p.FragOffset != 0 {
		return false
	}
	least := 1
	switch p.Proto {
	case TCP:
		least = 20
	case UDP, ICMPv6:
		least = 8
	case noNext:
		return false
	}
	return p.TransportOffset+least > p.End
}

func (d *Defragmenter) newQueue(key fragKey, now time.Time) *fragQueue {
	timeout, list := d.opts.Timeout4, &d.age[0]
	if key.family == 6 {
		timeout, list = d.opts.Timeout6, &d.age[1]
	}
	q := &fragQueue{key: key, expires: now.Add(timeout), memory: queueOverhead}
	q.element = list.PushBack(q)
	d.queues[key] = q
	d.memory += q.memory
	return q
}

// expire throws away what has waited for too long. Queues of one family have
// one timeout, so that the oldest expires first.
func (d *Defragmenter) expire(now time.Time) {
	for i := range d.age {
		for e := d.age[i].Front(); e != nil; e = d.age[i].Front() {
			q := e.Value.(*fragQueue)
			if now.Before(q.expires) {
				break
			}
			d.remove(q)
		}
	}
}

func (d *Defragmenter) remove(q *fragQueue) {
	delete(d.queues, q.key)
	d.age[(q.key.family-4)/2].Remove(q.element)
	d.memory -= q.memory
}

// insert puts a fragment into its queue.
func (d *Defragmenter) insert(q *fragQueue, p *Packet, f *fragment) Fate {
	v4 := p.Family == 4
	bad := func() Fate { // what breaks an IPv4 queue leaves one of IPv6, with the end that was found
		if v4 {
			d.remove(q)
		}
		return Discarded
	}
	if !p.moreBehind(f) {
		if f.end < q.length || q.last && f.end != q.length {
			return bad()
		}
		q.last, q.length = true, f.end
	} else {
		if f.end&7 != 0 && !v4 {
			d.remove(q)
			return NotFragment
		}
		f.end &^= 7
		if f.end > q.length {
			if q.last {
				return bad()
			}
			q.length = f.end
		}
	}
	if f.end <= f.at {
		return bad()
	}
	switch q.place(f.at, f.end) {
	case duplicate:
		return Discarded
	case overlap:
		d.remove(q)
		return Discarded
	}
	n := f.end - f.at
	data := make([]byte, n)
	p.copyOut(f.body, data)
	i, _ := slices.BinarySearchFunc(q.parts, f.at, func(a fragPart, at int) int { return a.at - at })
	q.parts = slices.Insert(q.parts, i, fragPart{f.at, data})
	q.have += n
	q.ecn |= 1 << p.ECN()
	size := n + fragmentOverhead
	if f.at == 0 {
		q.takeHead(p, f)
		size += len(q.head)
	}
	if v4 {
		q.longest = max(q.longest, n+f.body)
		var buf scratch
		if h, _ := p.read(6, 1, &buf); h != nil && h[0]&0x40 != 0 {
			q.longestDF = max(q.longestDF, n+f.body)
		}
	}
	q.memory += size
	d.memory += size
	return Held
}

// moreBehind reports whether the fragment is not the last.
func (p *Packet) moreBehind(f *fragment) bool {
	if p.Family == 4 {
		return p.MoreFragments
	}
	var buf scratch
	h, _ := p.read(f.header+3, 1, &buf)
	return h != nil && h[0]&1 != 0
}

type placing uint8

const (
	placed placing = iota
	duplicate
	overlap
)

// place makes the bytes from at to end part of a run, or a new run, unless
// they meet one.
func (q *fragQueue) place(at, end int) placing {
	tail := 0
	if n := len(q.runs); n > 0 {
		tail = q.runs[n-1].end
	}
	if end > tail {
		switch {
		case len(q.runs) > 0 && at < tail:
			return overlap
		case len(q.runs) > 0 && at == tail:
			q.runs[len(q.runs)-1].end = end
		default:
			q.runs = append(q.runs, fragRun{at, end})
		}
		return placed
	}
	i, _ := slices.BinarySearchFunc(q.runs, at, func(r fragRun, at int) int { return r.end - 1 - at })
	// Run i is the first that ends behind at.
	r := q.runs[i]
	switch {
	case end <= r.at:
		q.runs = slices.Insert(q.runs, i, fragRun{at, end})
		return placed
	case at >= r.at && end <= r.end:
		return duplicate
	}
	return overlap
}

// takeHead copies the headers of the first fragment.
func (q *fragQueue) takeHead(p *Packet, f *fragment) {
	if p.Family == 4 {
		q.head = make([]byte, f.body)
		p.copyOut(0, q.head)
		return
	}
	var buf scratch
	h, _ := p.read(f.header, 1, &buf)
	q.head = make([]byte, f.header)
	p.copyOut(0, q.head)
	q.prev, q.next = f.prev, h[0]
}

// copyOut copies bytes from offset at on; they must be there.
func (p *Packet) copyOut(at int, dst []byte) {
	for n := 0; n < len(dst); {
		piece := p.Piece(at + n)
		if len(piece) == 0 {
			return
		}
		n += copy(dst[n:], piece)
	}
}

// ecnOfWhole says which ECN bits the fragments' bits 1 << ECN add to those of
// the first one; ok is false for combinations that no sender makes.
func ecnOfWhole(bits uint8) (ecn uint8, ok bool) {
	const notECT, ce = 1 << 0, 1 << 3
	switch {
	case bits&notECT != 0:
		return 0, bits == notECT
	case bits&ce != 0 && bits != ce:
		return 3, true
	}
	return 0, true
}

// whole makes p the packet of which all fragments are there.
func (q *fragQueue) whole(p *Packet) Fate {
	ecn, ok := ecnOfWhole(q.ecn)
	total := len(q.head) + q.length
	most := maxIPv4
	if q.key.family == 6 {
		most = maxIPv6
	}
	if !ok || total > most {
		return Discarded
	}
	b := make([]byte, total)
	copy(b, q.head)
	for _, part := range q.parts {
		copy(b[len(q.head)+part.at:], part.data)
	}
	if q.key.family == 4 {
		b[1] |= ecn
		binary.BigEndian.PutUint16(b[2:], uint16(total))
		binary.BigEndian.PutUint16(b[6:], 0)
		if q.longestDF == q.longest {
			b[6] = 0x40
		}
		binary.BigEndian.PutUint16(b[10:], 0)
		binary.BigEndian.PutUint16(b[10:], fold(sum(b[:len(q.head)])))
	} else {
		b[1] |= ecn << 4
		binary.BigEndian.PutUint16(b[4:], uint16(total-40))
		b[q.prev] = q.next
	}
	const link = HasVLAN | HasSMAC | HasDMAC | HasPktType
	before := *p
	if p.DecodeIP(b) != nil {
		return Discarded
	}
	p.Has |= before.Has & link
	p.VLAN, p.SMAC, p.DMAC, p.PktType = before.VLAN, before.SMAC, before.DMAC, before.PktType
	return Reassembled
}
