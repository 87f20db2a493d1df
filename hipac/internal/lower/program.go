package lower

// Programs: the part of a rule that its box cannot say, as flat words that a
// lookup interprets without following a pointer. Only rules that are not
// exact have one, and only packets inside the rule's box are asked.
//
//	program = number of conditions, then each
//	cond    = field | flags<<8 | words<<12 | first word<<16, number of intervals,
//	          want, mask, then per interval lo, hi              (words each)

import (
	"cmp"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

const (
	flagNot = 1 << iota
	flagOrAbsent
	flagRanged
	flagMasked
)

// maxProgram bounds the bytes of a program, whose offsets have 32 bits.
const maxProgram = 8 << 30

// Program holds the conditions of the inexact rules of a list.
type Program struct {
	schema *rules.Schema
	ranks  []uint32 // ascending
	start  []uint32 // of each rank, in code
	dense  []uint32 // by rank, 1 + start or 0: when many rules have a program
	code   []uint32
}

// Bytes returns the memory that p holds.
func (p *Program) Bytes() int {
	return 4 * (cap(p.ranks) + cap(p.start) + cap(p.dense) + cap(p.code))
}

// Grow appends the programs of q with its ranks moved up by base. Sort must
// be called before the next Holds.
func (p *Program) Grow(q *Program, base uint32) {
	if len(p.code) == 0 && base == 0 {
		*p = *q
		return
	}
	at := uint32(len(p.code))
	for i := range q.ranks {
		p.ranks = append(p.ranks, q.ranks[i]+base)
		p.start = append(p.start, q.start[i]+at)
	}
	p.code = append(p.code, q.code...)
}

// Sort puts the programs in order of rank, for Holds to find them. Where one
// rule in eight or more has one, it makes a table of all ranks.
func (p *Program) Sort() {
	p.sort()
	if n := len(p.ranks); n > 0 && int(p.ranks[n-1])/8 <= n {
		p.dense = make([]uint32, p.ranks[n-1]+1)
		for i, rank := range p.ranks {
			p.dense[rank] = p.start[i] + 1
		}
		p.ranks, p.start = nil, nil
	}
}

// Many reports whether one rule in eight or more has a program, for a sorted p.
func (p *Program) Many() bool { return p.dense != nil }

func (p *Program) sort() {
	if slices.IsSorted(p.ranks) {
		return
	}
	order := make([]int, len(p.ranks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p.ranks[a], p.ranks[b]) })
	ranks, start := make([]uint32, len(order)), make([]uint32, len(order))
	for i, o := range order {
		ranks[i], start[i] = p.ranks[o], p.start[o]
	}
	p.ranks, p.start = ranks, start
}

// add adds the program of a rule.
func (p *Program) add(rank uint32, conds []rules.Cond) {
	p.ranks = append(p.ranks, rank)
	p.start = append(p.start, uint32(len(p.code)))
	p.encode(conds)
}

// encode appends those conditions of a rule that a box does not say.
func (p *Program) encode(conds []rules.Cond) {
	count := len(p.code)
	p.code = append(p.code, 0)
	for j := range conds {
		c := &conds[j]
		ranges, ranged := c.Intervals()
		want, mask, masked := c.Mask()
		if len(ranges) == 1 && !masked && !c.Negated() && !c.AllowsAbsent() && p.boxed(c.Field(), ranges[0]) {
			continue
		}
		p.code[count]++
		first, n := p.schema.FieldWords(c.Field())
		var flags uint32
		for _, f := range []struct {
			on  bool
			bit uint32
		}{{c.Negated(), flagNot}, {c.AllowsAbsent(), flagOrAbsent}, {ranged, flagRanged}, {masked, flagMasked}} {
			if f.on {
				flags |= f.bit
			}
		}
		p.code = append(p.code, uint32(c.Field())|flags<<8|uint32(n)<<12|uint32(first)<<16, uint32(len(ranges)))
		p.value(want, n)
		p.value(mask, n)
		for _, iv := range ranges {
			p.value(iv.Lo, n)
			p.value(iv.Hi, n)
		}
	}
}

// boxed reports whether the interval of a field is a box over its words.
func (p *Program) boxed(field int, iv rules.Interval) bool {
	f := p.schema.Field(field)
	_, n := p.schema.FieldWords(field)
	var box [4]Span
	var dims [4]Dim
	for j := range n {
		dims[j].Full = fullWord(f, n, j)
		box[j] = dims[j].Full
	}
	exact, _ := cutInterval(iv, box[:n], dims[:n])
	return exact
}

func (p *Program) value(v rules.Value, n int) {
	for j := range n {
		p.code = append(p.code, word(v, n, j))
	}
}

// Holds reports whether the program of the rule holds for the key; a rule
// without one holds. It allocates nothing; its cost is one binary search per
// condition.
func (p *Program) Holds(rank uint32, key []uint32) bool {
	start, ok := p.find(rank)
	if !ok {
		return true
	}
	return CodeHolds(p.code[start:], key)
}

// CodeHolds is Holds for the program at the beginning of code.
func CodeHolds(code, key []uint32) bool {
	conds := int(code[0])
	code = code[1:]
	for range conds {
		field, flags, n, first := code[0]&0xff, code[0]>>8&0xf, int(code[0]>>12&0xf), int(code[0]>>16)
		ranges := int(code[1])
		body := code[2:]
		code = code[2+2*n+2*n*ranges:]
		if key[0]>>field&1 != 0 {
			if flags&flagOrAbsent == 0 {
				return false
			}
			continue
		}
		v := key[first : first+n]
		in := true
		if flags&flagRanged != 0 {
			in = inRanges(body[2*n:2*n+2*n*ranges], v)
		}
		if flags&flagMasked != 0 {
			for j := range v {
				if v[j]&body[n+j] != body[j] {
					in = false
				}
			}
		}
		if in == (flags&flagNot != 0) {
			return false
		}
	}
	return true
}

// Size returns the bytes of the program of the rule and of what finds it, 0 when
// it has none.
func (p *Program) Size(rank uint32) int {
	start, ok := p.find(rank)
	if !ok {
		return 0
	}
	words := 1
	for range p.code[start] {
		head := p.code[int(start)+words:]
		n, ranges := int(head[0]>>12&0xf), int(head[1])
		words += 2 + 2*n + 2*n*ranges
	}
	if p.dense == nil {
		return 4 * (words + 2)
	}
	return 4 * (words + 1)
}

// find returns where the program of the rule begins.
func (p *Program) find(rank uint32) (uint32, bool) {
	if p.dense != nil {
		if int(rank) >= len(p.dense) {
			return 0, false
		}
		return p.dense[rank] - 1, p.dense[rank] != 0
	}
	lo, hi := 0, len(p.ranks)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); p.ranks[mid] < rank {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(p.ranks) || p.ranks[lo] != rank {
		return 0, false
	}
	return p.start[lo], true
}

// inRanges reports whether v lies in one of the ascending disjoint intervals.
func inRanges(ranges, v []uint32) bool {
	n := len(v)
	lo, hi := 0, len(ranges)/(2*n) // intervals before lo begin at or below v
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); atMost(ranges[2*n*mid:2*n*mid+n], v) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo > 0 && atMost(v, ranges[2*n*lo-n:2*n*lo])
}

// atMost reports whether a number is no more than another of as many words.
func atMost(a, b []uint32) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return true
}
