package saved

// Rules in words: writing a list, checking it, and making it again.
//
//	rule       per rule: conditions<<1 | continues, then each condition
//	condition  field | flags<<8 | intervals<<12; want and mask with the flag of
//	           masks; per interval lo and hi. A value has as many words as the
//	           field in a key, the most significant first.

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

const (
	sectionRules = "rule"
	sectionTexts = "text" // per rule with comment or what is unknown: how far behind the last, both
	sectionIDs   = "idnt" // 64 bits for each rule, when rule i has not identity i+1
	sectionGiven = "givn" // a bit for each rule, when some were added with their identity
)

const (
	flagNot = 1 << iota
	flagOrAbsent
	flagRanged
	flagMasked

	maxIntervals = 1<<20 - 1
)

// AddRules adds the sections of the rules of a list, but for their values.
func AddRules[T any](w *Writer, l *rules.List[T]) error {
	s := l.Schema()
	var words []uint32
	var texts Numbers
	var ids, given []uint64
	last := 0
	for i, r := range l.All() {
		head := uint32(len(r.Conds)) << 1
		if r.Continue {
			head |= 1
		}
		words = append(words, head)
		for j := range r.Conds {
			var err error
			if words, err = AppendCond(words, s, &r.Conds[j]); err != nil {
				return fmt.Errorf("rule %d: %w", i+1, err)
			}
		}
		if r.Comment != "" || r.Unknown != "" {
			texts.PutInt(i - last)
			texts.PutText(r.Comment)
			texts.PutText(r.Unknown)
			last = i
		}
		if !l.SequentialIDs() {
			ids = append(ids, uint64(r.ID))
		}
		if l.GivenID(i) {
			if given == nil {
				given = make([]uint64, (l.Len()+63)/64)
			}
			given[i/64] |= 1 << (i % 64)
		}
	}
	w.Add(sectionRules, 0, Bytes(words))
	for _, s := range []struct {
		name string
		data []byte
	}{{sectionTexts, texts.Bytes()}, {sectionIDs, Bytes(ids)}, {sectionGiven, Bytes(given)}} {
		if len(s.data) > 0 {
			w.Add(s.name, 0, s.data)
		}
	}
	return nil
}

// AppendCond appends the words of a condition on a field of the schema. The error
// is rules.ErrLimit, for more than a million intervals.
func AppendCond(dst []uint32, s *rules.Schema, c *rules.Cond) ([]uint32, error) {
	ranges, ranged := c.Intervals()
	want, mask, masked := c.Mask()
	if len(ranges) > maxIntervals {
		return dst, fmt.Errorf("%w: a condition of more than %d intervals cannot be saved", rules.ErrLimit, maxIntervals)
	}
	head := uint32(c.Field()) | uint32(len(ranges))<<12
	if c.Negated() {
		head |= flagNot << 8
	}
	if c.AllowsAbsent() {
		head |= flagOrAbsent << 8
	}
	if ranged {
		head |= flagRanged << 8
	}
	if masked {
		head |= flagMasked << 8
	}
	_, n := s.FieldWords(c.Field())
	dst = append(dst, head)
	if masked {
		dst = appendValue(appendValue(dst, want, n), mask, n)
	}
	for _, iv := range ranges {
		dst = appendValue(appendValue(dst, iv.Lo, n), iv.Hi, n)
	}
	return dst, nil
}

func appendValue(dst []uint32, v rules.Value, n int) []uint32 {
	for j := n - 1; j >= 0; j-- {
		dst = append(dst, uint32(v.Shr(32*j).Lo))
	}
	return dst
}

// value returns the value of some words.
func value(words []uint32) (v rules.Value) {
	for _, w := range words {
		v.Hi, v.Lo = v.Hi<<32|v.Lo>>32, v.Lo<<32|uint64(w)
	}
	return v
}

// Rules are the rules of a file, checked and not yet made. They use its memory.
type Rules struct {
	schema *rules.Schema
	n      int
	words  []uint32
	texts  *Section
	ids    []uint64
	given  []uint64
}

// HasRules reports whether the file has rules, and not only what was made of them.
func (f *File) HasRules() bool { return f.Has(sectionRules, 0) }

// Rules checks the n rules of a file, of its schema: ListOf cannot fail then. It
// takes time linear in their size.
func (f *File) Rules(s *rules.Schema, n int) (*Rules, error) {
	section, err := f.Section(sectionRules, 0)
	if err != nil {
		return nil, err
	}
	r := &Rules{schema: s, n: n}
	if r.words, err = Words[uint32](section); err != nil {
		return nil, err
	}
	if err := checkWords(section, s, r.words, n); err != nil {
		return nil, err
	}
	r.texts = f.Optional(sectionTexts, 0)
	scan := NewScanner(r.texts)
	for at := -1; scan.Left(); {
		if at == -1 {
			at = scan.Int(n)
		} else if d := scan.Int(n); d == 0 {
			scan.Fail("a rule has two texts")
		} else {
			at += d
		}
		if at >= n {
			scan.Fail("rule %d of %d", at+1, n)
		}
		scan.Bytes()
		scan.Bytes()
	}
	if err := scan.End(); err != nil {
		return nil, err
	}
	return r, r.checkIDs(f)
}

// checkIDs checks that a builder gives the rules the identities they have.
func (r *Rules) checkIDs(f *File) (err error) {
	ids, given := f.Optional(sectionIDs, 0), f.Optional(sectionGiven, 0)
	if r.ids, err = Words[uint64](ids); err != nil {
		return err
	}
	if r.given, err = Words[uint64](given); err != nil {
		return err
	}
	if len(r.given) > 0 {
		if len(r.given) != (r.n+63)/64 || r.n%64 != 0 && r.given[len(r.given)-1]>>(r.n%64) != 0 {
			return given.Damaged(0, "it is not of %d rules", r.n)
		}
	}
	if len(r.ids) == 0 {
		return nil
	}
	if len(r.ids) != r.n {
		return ids.Damaged(0, "%d identities of %d rules", len(r.ids), r.n)
	}
	used := make(map[uint64]struct{}, r.n)
	free := uint64(0)
	for i, id := range r.ids {
		want := id
		if !r.isGiven(i) {
			want = max(uint64(i)+1, free)
			for {
				if _, is := used[want]; !is {
					break
				}
				want++
			}
			free = want + 1
		}
		if _, is := used[id]; is || id != want || id == 0 {
			return ids.Damaged(8*i, "rule %d cannot have identity %d", i+1, id)
		}
		used[id] = struct{}{}
	}
	return nil
}

func (r *Rules) isGiven(i int) bool { return len(r.given) > 0 && r.given[i/64]>>(i%64)&1 != 0 }

// checkWords checks that the words are n rules of a schema, as AddRules writes
// them.
func checkWords(section *Section, s *rules.Schema, words []uint32, n int) error {
	var width [rules.MaxFields]int
	var top [rules.MaxFields]uint32 // of a field's first word
	for i := range s.Len() {
		_, width[i] = s.FieldWords(i)
		top[i] = ^uint32(0) >> (32*width[i] - s.Field(i).Bits)
	}
	at := 0
	bad := func(reason string) error { return section.Damaged(4*at, "%s", reason) }
	for range n {
		if at == len(words) {
			return bad("rules are missing")
		}
		conds := words[at] >> 1
		at++
		for ; conds > 0; conds-- {
			if at == len(words) {
				return bad("conditions are missing")
			}
			head := words[at]
			field, flags, ranges := int(head&0xff), head>>8&15, int(head>>12)
			if field >= s.Len() {
				return bad("a condition on a field that the schema has not")
			}
			w := width[field]
			size := 2 * w * ranges
			if flags&flagMasked != 0 {
				size += 2 * w
			}
			if flags&(flagRanged|flagMasked) == 0 || flags&flagRanged == 0 && ranges > 0 || flags&flagRanged != 0 && flags&flagMasked != 0 && ranges == 0 {
				return bad("a condition that nobody writes so")
			}
			at++
			if size > len(words)-at {
				return bad("values are missing")
			}
			body := words[at : at+size]
			if flags&flagMasked != 0 {
				want, mask := body[:w], body[w:2*w]
				if mask[0] > top[field] {
					return bad("a mask wider than its field")
				}
				for j := range want {
					if want[j]&^mask[j] != 0 {
						return bad("a value outside its mask")
					}
				}
				body = body[2*w:]
			}
			if w == 1 {
				next, limit := uint64(0), uint64(top[field]) // the least lower bound
				for ; len(body) >= 2; body = body[2:] {
					lo, hi := uint64(body[0]), uint64(body[1])
					if lo < next || hi < lo || hi > limit {
						return bad("intervals that are not in order")
					}
					next = hi + 2 // neighbours would be one interval
				}
			} else {
				var last rules.Value
				for first := true; len(body) > 0; body, first = body[2*w:], false {
					lo, hi := value(body[:w]), value(body[w:2*w])
					if hi.Less(lo) || body[w] > top[field] || !first && (last == rules.Ones(128) || !last.Next().Less(lo)) {
						return bad("intervals that are not in order")
					}
					last = hi
				}
			}
			at += size
		}
	}
	if at != len(words) {
		return bad("words behind the last rule")
	}
	return nil
}

// Rule is what Each gives of a rule.
type Rule struct {
	Position int
	Continue bool
	Comment  []byte   // of the file's memory
	Unknown  []byte   // the same
	ID       rules.ID // 0 when it was not given, and follows from those before
	conds    []uint32
	count    int
}

// Each calls do for every rule in order until it returns false. It allocates
// nothing; do must not keep what it is given.
func (r *Rules) Each(do func(*Rule) bool) {
	texts := NewScanner(r.texts)
	next := -1
	advance := func() {
		switch {
		case !texts.Left():
			next = r.n
		case next < 0:
			next = texts.Int(r.n)
		default:
			next += texts.Int(r.n)
		}
	}
	advance()
	words := r.words
	var x Rule
	for i := range r.n {
		x = Rule{Position: i, Continue: words[0]&1 != 0, count: int(words[0] >> 1)}
		words = words[1:]
		x.conds = words
		for range x.count {
			words = words[r.size(words[0]):]
		}
		if i == next {
			x.Comment, x.Unknown = texts.Bytes(), texts.Bytes()
			advance()
		}
		if r.isGiven(i) {
			if x.ID = rules.ID(i + 1); len(r.ids) > 0 {
				x.ID = rules.ID(r.ids[i])
			}
		}
		if !do(&x) {
			return
		}
	}
}

// size returns the words of a condition that begins with head.
func (r *Rules) size(head uint32) int {
	_, w := r.schema.FieldWords(int(head & 0xff))
	n := 1 + 2*w*int(head>>12)
	if head>>8&flagMasked != 0 {
		n += 2 * w
	}
	return n
}

// maker makes conditions, in slabs.
type maker struct {
	*Rules
	conds  []rules.Cond
	ranges []rules.Interval
}

// slab is the number of conditions, and of intervals, that are allocated at a time.
const slab = 1 << 12

// room returns s with room for n more, in new memory where there is none.
func room[E any](s []E, n int) []E {
	if cap(s)-len(s) < n {
		return make([]E, 0, max(n, slab))
	}
	return s
}

// of returns the conditions of a rule.
func (m *maker) of(x *Rule) []rules.Cond {
	m.conds = room(m.conds, x.count)
	from := len(m.conds)
	words := x.conds
	for range x.count {
		head := words[0]
		field, flags := int(head&0xff), head>>8&15
		_, w := m.schema.FieldWords(field)
		size := m.size(head)
		body := words[1:size]
		words = words[size:]
		var want, mask rules.Value
		if flags&flagMasked != 0 {
			want, mask = value(body[:w]), value(body[w:2*w])
			body = body[2*w:]
		}
		m.ranges = room(m.ranges, int(head>>12))
		first := len(m.ranges)
		for ; len(body) > 0; body = body[2*w:] {
			m.ranges = append(m.ranges, rules.Interval{Lo: value(body[:w]), Hi: value(body[w : 2*w])})
		}
		c := rules.Masked(field, want, mask)
		if flags&flagRanged != 0 {
			c = rules.InOrder(field, slices.Clip(m.ranges[first:]))
			if flags&flagMasked != 0 {
				c = c.AndMasked(want, mask)
			}
		}
		if flags&flagNot != 0 {
			c = c.Negate()
		}
		if flags&flagOrAbsent != 0 {
			c = c.OrAbsent()
		}
		m.conds = append(m.conds, c)
	}
	return slices.Clip(m.conds[from:])
}

// ListOf makes the list of checked rules and their values: what AddRules was
// given. The error is that of the limits.
func ListOf[T any](r *Rules, values []T, limits rules.Limits) (*rules.List[T], error) {
	if len(values) != r.n {
		return nil, errors.New("there are not as many values as rules")
	}
	b := rules.NewBuilder[T](r.schema)
	b.SetLimits(limits)
	b.Own()
	b.Grow(min(r.n, limits.OrDefault().MaxRules))
	m := maker{Rules: r}
	var err error
	r.Each(func(x *Rule) bool {
		_, err = b.Add(rules.Rule[T]{ID: x.ID, Conds: m.of(x), Value: values[x.Position], Comment: string(x.Comment), Continue: x.Continue, Unknown: string(x.Unknown)})
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return b.List(), nil
}

// AddList adds the sections of a list: its schema, its rules and their values.
func AddList[T any](w *Writer, l *rules.List[T], codec Codec[T]) error {
	if err := w.AddSchema(l.Schema()); err != nil {
		return err
	}
	if err := AddRules(w, l); err != nil {
		return err
	}
	return AddValues(w, l.Len(), func(i int) T { return l.At(i).Value }, codec)
}

// NoLimits are limits for what is in memory already.
var NoLimits = rules.Limits{MaxRules: math.MaxInt, MaxMemory: math.MaxInt64}

// ReadList returns the list of a file, whose values have the codec. It takes no
// notice of what was compiled. known is as for Schema.
func ReadList[T any](f *File, codec Codec[T], limits rules.Limits, known ...*rules.Schema) (*rules.List[T], error) {
	s, err := f.Schema(known...)
	if err != nil {
		return nil, err
	}
	values, err := Values(f, codec)
	if err != nil {
		return nil, err
	}
	if !f.HasRules() {
		return nil, Other("it was saved without its rules")
	}
	r, err := f.Rules(s, len(values))
	if err != nil {
		return nil, err
	}
	return ListOf(r, values, limits)
}
