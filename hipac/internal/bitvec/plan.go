package bitvec

// Planning: where the words are cut into blocks, and what a bucket will take,
// worked out before anything of it is allocated.

import (
	"context"
	"math"
	"slices"
	"sort"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// Plan is a bucket that has been worked out but not written.
type Plan struct {
	ctx     context.Context
	entries []int32
	cut     []cutDim
	chunks  []Chunk
	head    header
	values  []uint32 // scratch
}

// cutDim is a dimension cut into blocks.
type cutDim struct {
	word   int
	spans  []lower.Span // of the entries
	union  *Union       // in place of spans; neither is there for a word that is not looked at
	reach  lower.Span
	cuts   int     // boundaries
	blocks []block // at least one
}

// block is a run of values, up to the next block. The first block has start 0
// and at 0.
type block struct {
	start  uint32
	at     uint32 // boundaries at start: entries that begin with it, or end before
	within uint32 // boundaries at its other values
}

// New plans a bucket of the entries, in their order, which is the order of
// their tags. reach gives the values that each dimension's word has in the keys
// that will be looked up, nil for all; lookups of other keys give wrong answers.
// A dimension that all entries cover takes nothing. It reports false when the
// bucket would take more than budget bytes, with fewer blocks where that is
// short, has more than MaxDims dimensions and chunks, or is beyond what offsets of
// 32 bits can name.
//
// It takes O(dims * n log n) time and at most 32 bytes per entry while it runs.
// dims and entries are kept until Append, and so is sieve, which may be nil.
func New(dims []lower.Dim, reach []lower.Span, entries []int32, sieve *Sieve, budget int64) (*Plan, bool) {
	return NewContext(context.Background(), dims, reach, entries, sieve, budget)
}

// NewContext is New that ends early, and reports false, when the context ends.
// Append ends early then too, and leaves a bucket that must not be used.
func NewContext(ctx context.Context, dims []lower.Dim, reach []lower.Span, entries []int32, sieve *Sieve, budget int64) (*Plan, bool) {
	p := &Plan{ctx: ctx, entries: entries}
	var unions []Union
	if sieve != nil {
		p.chunks, unions = sieve.Chunks, sieve.Unions
		p.head.doubtful = uint32(sieve.Doubtful)
	}
	all := make([]cutDim, 0, len(unions)+len(dims))
	for i := range unions {
		u := &unions[i]
		all = append(all, cutDim{word: u.Word, union: u, reach: u.Reach})
	}
	for d := range dims {
		if slices.ContainsFunc(unions, func(u Union) bool { return u.Word == dims[d].Word }) {
			continue
		}
		c := cutDim{word: dims[d].Word, spans: dims[d].Spans, reach: dims[d].Full}
		if reach != nil {
			c.reach = reach[d]
		}
		all = append(all, c)
	}
	for _, c := range all {
		if ctx.Err() != nil {
			return nil, false
		}
		if p.divide(&c, maxBlocks); c.cuts == 0 {
			continue
		}
		p.cut = append(p.cut, c)
	}
	if len(p.cut) == 0 { // all entries match: one block says so
		p.cut = append(p.cut, cutDim{reach: lower.Span{Hi: math.MaxUint32}, blocks: make([]block, 1)})
	}
	if len(p.cut)+len(p.chunks) > MaxDims || !p.fit(budget) {
		return nil, false
	}
	p.values = nil
	return p, true
}

// divide cuts a dimension into at most count blocks.
func (p *Plan) divide(c *cutDim, count int) {
	p.values = p.boundaries(p.values[:0], c)
	c.cuts = len(p.values)
	c.blocks = partition(distinct(p.values), count)
}

// boundaries appends the first value of each elementary interval that an
// entry's span begins or ends with, once for every such span.
func (p *Plan) boundaries(dst []uint32, c *cutDim) []uint32 {
	if c.union != nil {
		for i := range p.entries {
			for _, s := range c.union.of(i) {
				if s.Overlaps(c.reach) {
					dst = ends(dst, s, c.reach)
				}
			}
		}
		return dst
	}
	for _, e := range p.entries {
		dst = ends(dst, c.spans[e], c.reach)
	}
	return dst
}

// ends appends the boundaries of a span.
func ends(dst []uint32, s, reach lower.Span) []uint32 {
	if s.Lo > reach.Lo {
		dst = append(dst, s.Lo)
	}
	if s.Hi < reach.Hi {
		dst = append(dst, s.Hi+1)
	}
	return dst
}

// distinct sorts the boundaries and returns a block for each, and one before.
func distinct(values []uint32) []block {
	slices.Sort(values)
	n := 1
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			n++
		}
	}
	out := make([]block, 1, n)
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			out = append(out, block{start: v})
		}
		out[len(out)-1].at++
	}
	return out
}

// partition joins neighbouring blocks until at most count are left, such that
// the most boundaries within one of them are the fewest possible.
func partition(in []block, count int) []block {
	if len(in) <= count {
		return in
	}
	total := 0
	for _, b := range in {
		total += int(b.at)
	}
	// Each block but the last begins a run, itself and the next block's start,
	// of more than most boundaries: total/count is always enough.
	most := sort.Search(total/count, func(most int) bool { return join(in, most, nil) <= count })
	out := make([]block, 0, count)
	join(in, most, &out)
	return out
}

// join counts the blocks that are left when each may have at most so many
// boundaries within, and appends them to out.
func join(in []block, most int, out *[]block) int {
	n := 0
	var last block
	for i, b := range in {
		if i > 0 && int(last.within)+int(b.at) <= most {
			last.within += b.at
			continue
		}
		if i > 0 && out != nil {
			*out = append(*out, last)
		}
		last = b
		n++
	}
	if out != nil {
		*out = append(*out, last)
	}
	return n
}

// within returns the most boundaries within a block.
func (c *cutDim) within() uint32 {
	w := uint32(0)
	for _, b := range c.blocks {
		w = max(w, b.within)
	}
	return w
}

// fit joins blocks until the bucket takes at most budget bytes, and lays it
// out. What there is is shared out by the square roots of the numbers of
// boundaries, which makes the sum of boundaries per block the least.
func (p *Plan) fit(budget int64) bool {
	if p.bytes() > budget {
		n := int64(len(p.entries))
		perBlock := 9 + 8*p.rowWords() // an index takes at most count*9/8 + 24 words
		fixed := 8*(headerWords+(dimWords+24+n)*int64(len(p.cut))+(n+1)/2+slack) + p.chunkBytes()
		blocks := (budget - fixed) / perBlock
		share := func(c *cutDim, scale int) int {
			want := int(float64(scale) * math.Sqrt(float64(c.cuts)) / 256)
			return min(len(c.blocks), max(minBlocks, want))
		}
		sum := func(scale int) (s int64) {
			for i := range p.cut {
				s += int64(share(&p.cut[i], scale))
			}
			return s
		}
		if sum(0) > blocks {
			return false
		}
		// maxBlocks*256: with as much every dimension has all it could have.
		scale := sort.Search(maxBlocks*256, func(scale int) bool { return sum(scale+1) > blocks })
		for i := range p.cut {
			if c := &p.cut[i]; share(c, scale) < len(c.blocks) {
				p.divide(c, share(c, scale))
			}
		}
	}
	return p.layout() && p.Bytes() <= budget
}

// rowWords returns the words of a bitmap and its summary.
func (p *Plan) rowWords() int64 {
	w, s := bitmapWords(len(p.entries))
	return int64(w + s)
}

// bitmapWords returns the words of a bitmap of n entries and of its summary.
func bitmapWords(n int) (words, summary int) {
	words = (n + 64*group - 1) / (64 * group) * group
	return words, (words + 63) / 64
}

// bytes returns what the bucket takes.
func (p *Plan) bytes() int64 {
	n := int64(len(p.entries))
	words := headerWords + dimWords*int64(len(p.cut)) + (n+1)/2 + slack + p.chunkBytes()/8
	for i := range p.cut {
		count := len(p.cut[i].blocks)
		top, middle, blocks := indexWords(count)
		words += int64(top+middle+blocks) + int64(count)*p.rowWords()
		if p.cut[i].within() > 0 {
			words += n
		}
	}
	return 8 * words
}

// chunkBytes returns what the chunks take.
func (p *Plan) chunkBytes() (sum int64) {
	for i := range p.chunks {
		sum += 8*dimWords + p.chunks[i].Bytes(len(p.entries))
	}
	return sum
}

// layout fills in the header.
func (p *Plan) layout() bool {
	n, size := len(p.entries), p.bytes()/8
	if n > maxEntries || size > math.MaxUint32 || 8*size > math.MaxInt {
		return false
	}
	words, summary := bitmapWords(n)
	columns := 0
	for i := range p.cut {
		if p.cut[i].within() > 0 {
			columns++
		}
	}
	p.head = header{
		n: uint32(n), dims: uint32(len(p.cut) + len(p.chunks)), words: uint32(words), summary: uint32(summary),
		columns: uint32(columns), size: uint32(size), doubtful: p.head.doubtful,
	}
	p.head.tags = p.head.size - uint32((n+1)/2) - slack
	p.head.rows = p.head.tags - uint32(n*columns)
	return true
}

// Bytes returns what the bucket will take, exactly.
func (p *Plan) Bytes() int64 { return 8 * int64(p.head.size) }
