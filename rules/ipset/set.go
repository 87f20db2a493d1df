package ipset

// Sets and their entries.

import (
	"slices"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// part is what one dimension of a set is about.
type part uint8

const (
	partIP part = iota
	partNet
	partPort
	partMAC
	partMark
	partIface
	partSet
)

// types are the parts of every type of set.
var types = map[string][]part{
	"bitmap:ip": {partIP}, "bitmap:ip,mac": {partIP, partMAC}, "bitmap:port": {partPort},
	"hash:ip": {partIP}, "hash:mac": {partMAC}, "hash:ip,mac": {partIP, partMAC}, "hash:ip,mark": {partIP, partMark},
	"hash:ip,port": {partIP, partPort}, "hash:ip,port,ip": {partIP, partPort, partIP}, "hash:ip,port,net": {partIP, partPort, partNet},
	"hash:net": {partNet}, "hash:net,net": {partNet, partNet}, "hash:net,port": {partNet, partPort},
	"hash:net,port,net": {partNet, partPort, partNet}, "hash:net,iface": {partNet, partIface}, "list:set": {partSet},
}

// Types returns the names of the types of sets, in order.
func Types() []string {
	var names []string
	for n := range types {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Set is a set with its entries.
type Set struct {
	Name string
	Type string // "hash:net,port"
	// Family is 4 or 6, 0 for types that have none.
	Family int
	// HasTimeout says that entries may end; Timeout is what they get when not
	// told otherwise, 0 for never.
	HasTimeout bool
	Timeout    time.Duration
	// Counters, Comments and SKBInfo say what entries have besides.
	Counters, Comments, SKBInfo bool
	// MaxElem bounds the number of entries that rules may add; 0: no bound.
	MaxElem int

	bitmap   bool
	parts    []part
	options  []string    // of its creation, in order, as written
	mask     rules.Value // netmask or bitmask of addresses, of the family's width
	markMask uint32
	lo, hi   uint64 // range of bitmaps

	entries map[key]*Entry
	ifaces  map[key][]*Entry // of hash:net,iface, by the network alone
	order   []*Entry
	removed int // entries of order that are gone
	// lengths are the prefix lengths in use, longest first, with the number of
	// entries, of the first and the second network.
	lengths [2][]lengthCount
}

type lengthCount struct {
	length uint8
	n      int
}

// key is what makes an entry different from others.
type key struct {
	ip     [2]rules.Value
	length [2]uint8
	port   uint16
	proto  uint8
	phys   bool
	mark   uint32
	mac    uint64
	iface  string
	member string
}

// Entry is an element of a set with what is known besides.
type Entry struct {
	key
	hasMAC   bool // bitmap:ip,mac entries may be without one
	wildcard bool // the interface's name is the beginning of names

	NoMatch bool
	// Timeout is what an entry that was read has left, 0 for no end; Ends is
	// when an entry of a live set ends, the zero Time for never.
	Timeout time.Duration
	Ends    time.Time

	Packets, Bytes uint64
	Comment        string
	Mark, MarkMask uint32 // of SKBInfo, as is
	Prio           uint32 // class, MAJOR<<16|MINOR
	Queue          uint16

	gone bool
}

// Dimensions returns the number of directions that a rule must give.
func (s *Set) Dimensions() int { return len(s.parts) }

// Len returns the number of entries, ended ones included.
func (s *Set) Len() int { return len(s.order) - s.removed }

// bits returns the width of the set's addresses.
func (s *Set) bits() int {
	if s.Family == 6 {
		return 128
	}
	return 32
}

func (s *Set) hasNets() bool { return slices.Contains(s.parts, partNet) }

func (s *Set) hasIface() bool { return slices.Contains(s.parts, partIface) }

// put adds an entry in place of one with the same key.
func (s *Set) put(e *Entry) {
	if old := s.entries[e.key]; old != nil {
		s.drop(old)
	}
	s.entries[e.key] = e
	s.order = append(s.order, e)
	net := 0
	for _, p := range s.parts {
		switch p {
		case partNet:
			s.count(net, e.length[net], 1)
			net++
		case partIP:
			net++
		case partIface:
			k := e.key
			k.iface = ""
			s.ifaces[k] = append(s.ifaces[k], e)
		}
	}
}

// drop takes an entry out.
func (s *Set) drop(e *Entry) {
	delete(s.entries, e.key)
	e.gone = true
	s.removed++
	net := 0
	for _, p := range s.parts {
		switch p {
		case partNet:
			s.count(net, e.length[net], -1)
			net++
		case partIP:
			net++
		case partIface:
			k := e.key
			k.iface = ""
			s.ifaces[k] = slices.DeleteFunc(s.ifaces[k], func(o *Entry) bool { return o == e })
		}
	}
	if s.removed > 32 && s.removed > len(s.order)/2 {
		s.order = slices.DeleteFunc(s.order, func(e *Entry) bool { return e.gone })
		s.removed = 0
	}
}

func (s *Set) count(net int, length uint8, by int) {
	list := s.lengths[net]
	i, found := slices.BinarySearchFunc(list, length, func(c lengthCount, l uint8) int { return int(l) - int(c.length) })
	if !found {
		list = slices.Insert(list, i, lengthCount{length: length})
	}
	if list[i].n += by; list[i].n == 0 {
		list = slices.Delete(list, i, i+1)
	}
	s.lengths[net] = list
}

// live visits the entries in order.
func (s *Set) live(visit func(*Entry)) {
	for _, e := range s.order {
		if !e.gone {
			visit(e)
		}
	}
}

// Clone returns a copy of the set as it is at a time: the timeouts that its
// entries were read with begin then.
func (s *Set) Clone(now time.Time) *Set {
	c := *s
	c.clear()
	s.live(func(e *Entry) {
		copied := *e
		if copied.Ends.IsZero() && copied.Timeout > 0 {
			copied.Ends = now.Add(copied.Timeout)
		}
		copied.Timeout = 0
		c.put(&copied)
	})
	return &c
}

// Static reports whether the set stays as it is when rules do not change it:
// no entry ends, and none has counters.
func (s *Set) Static() bool {
	if s.Counters || s.Type == "bitmap:ip,mac" {
		return false
	}
	static := true
	s.live(func(e *Entry) { static = static && e.Timeout == 0 && e.Ends.IsZero() })
	return static
}

func (s *Set) clear() {
	s.entries, s.order, s.removed, s.lengths = map[key]*Entry{}, nil, 0, [2][]lengthCount{}
	s.ifaces = map[key][]*Entry{}
}

// Sets are sets by name. The nil *Sets has none.
type Sets struct {
	list   []*Set
	byName map[string]*Set
}

// Find returns the set of that name, or nil.
func (s *Sets) Find(name string) *Set {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// All returns the sets in the order of the file.
func (s *Sets) All() []*Set {
	if s == nil {
		return nil
	}
	return s.list
}

// Put adds a set, in place of one of the same name.
func (s *Sets) Put(set *Set) {
	if s.byName == nil {
		s.byName = map[string]*Set{}
	}
	if old := s.byName[set.Name]; old != nil {
		s.list[slices.Index(s.list, old)] = set
	} else {
		s.list = append(s.list, set)
	}
	s.byName[set.Name] = set
}

// Members returns the names of the sets in a list:set, in order.
func (s *Set) Members() (names []string) {
	if s.Type == "list:set" {
		s.live(func(e *Entry) { names = append(names, e.member) })
	}
	return names
}
