package lower

// Programs in files: their arrays, and the check of those that come from one.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// Sections of a program, all of 32-bit words.
const (
	sectionRanks = "prnk"
	sectionStart = "pbeg"
	sectionDense = "pall"
	sectionCode  = "pcod"
)

// Save adds the sections of a sorted program.
func (p *Program) Save(w *saved.Writer, instance int) {
	for _, s := range []struct {
		name  string
		words []uint32
	}{{sectionRanks, p.ranks}, {sectionStart, p.start}, {sectionDense, p.dense}, {sectionCode, p.code}} {
		if len(s.words) > 0 {
			w.Add(s.name, instance, saved.Bytes(s.words))
		}
	}
}

// LoadProgram returns the program of a file, which uses its memory. It is checked
// such that Holds of any rank and key is in bounds, of keys of the schema or the
// first so many words of them; that takes time linear in the program.
func LoadProgram(f *saved.File, instance int, s *rules.Schema, keyWords int) (Program, error) {
	p := Program{schema: s}
	var sections [4]*saved.Section
	for i, part := range []struct {
		name string
		to   *[]uint32
	}{{sectionRanks, &p.ranks}, {sectionStart, &p.start}, {sectionDense, &p.dense}, {sectionCode, &p.code}} {
		var err error
		sections[i] = f.Optional(part.name, instance)
		if *part.to, err = saved.Words[uint32](sections[i]); err != nil {
			return p, err
		}
	}
	ranks, starts, dense, code := sections[0], sections[1], sections[2], sections[3]
	begins, err := programs(code, s, keyWords, p.code)
	if err != nil {
		return p, err
	}
	is := func(at uint32) bool { return uint64(at) < uint64(len(p.code)) && begins[at/64]>>(at%64)&1 != 0 }
	switch {
	case len(p.dense) > 0 && len(p.ranks) > 0:
		return p, dense.Damaged(0, "programs are listed twice")
	case len(p.ranks) != len(p.start):
		return p, starts.Damaged(0, "%d programs for %d rules", len(p.start), len(p.ranks))
	}
	for i, rank := range p.ranks {
		if i > 0 && rank <= p.ranks[i-1] {
			return p, ranks.Damaged(4*i, "ranks are not in order")
		}
		if !is(p.start[i]) {
			return p, starts.Damaged(4*i, "no program begins there")
		}
	}
	for rank, at := range p.dense {
		if at > 0 && !is(at-1) {
			return p, dense.Damaged(4*rank, "no program begins there")
		}
	}
	return p, nil
}

// programs checks code, which is programs one behind the other, and returns a bit
// for each word that one begins at.
func programs(section *saved.Section, s *rules.Schema, keyWords int, code []uint32) ([]uint64, error) {
	begins := make([]uint64, (len(code)+63)/64)
	for at := 0; at < len(code); {
		begins[at/64] |= 1 << (at % 64)
		conds := code[at]
		at++
		for ; conds > 0; conds-- {
			if len(code)-at < 2 {
				return nil, section.Damaged(4*len(code), "conditions are missing")
			}
			head, ranges := code[at], code[at+1]
			field := int(head & 0xff)
			if field >= s.Len() {
				return nil, section.Damaged(4*at, "a condition on a field that the schema has not")
			}
			first, n := s.FieldWords(field)
			if head>>8 != head>>8&15|uint32(n)<<4|uint32(first)<<8 || first+n > keyWords {
				return nil, section.Damaged(4*at, "a condition on words that it may not test")
			}
			size := 2 + 2*uint64(n) + 2*uint64(n)*uint64(ranges)
			if size > uint64(len(code)-at) {
				return nil, section.Damaged(4*at, "values are missing")
			}
			at += int(size)
		}
	}
	return begins, nil
}
