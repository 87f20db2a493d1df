package lower

// Programs in files: what comes back is what was saved, and what is wrong in a
// damaged file is named, with its place.

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// parts are the words of the sections of a program.
type parts struct{ ranks, starts, dense, code []uint32 }

func (p parts) load(t *testing.T, keyWords int) (Program, *saved.File, error) {
	t.Helper()
	w := saved.NewWriter(saved.KindList)
	q := Program{ranks: p.ranks, start: p.starts, dense: p.dense, code: p.code}
	q.Save(w, 0)
	var text bytes.Buffer
	_, err := w.WriteTo(&text)
	require.NoError(t, err)
	f, err := saved.Parse(text.Bytes())
	require.NoError(t, err)
	q, err = LoadProgram(f, 0, odd, keyWords)
	return q, f, err
}

// programsOf returns the sorted programs of rules of which one in so many has one.
func programsOf(sparse int) Program {
	b := must(Lower(context.Background(), odd, Source{Len: 300, Conds: func(i int) []rules.Cond {
		if i%sparse != 0 {
			return nil
		}
		union := rules.In(1+i%4, rules.Point(uint64(i)), rules.Point(uint64(i+2)))
		return []rules.Cond{union, union.On(5).Negate()}
	}}, 1<<30))
	b.Program.Sort()
	return b.Program
}

func TestProgramsInFilesAreThoseThatWereSaved(t *testing.T) {
	for _, sparse := range []int{1, 7, 8, 9, 30, 300} {
		p := programsOf(sparse)
		got, f, err := parts{p.ranks, p.start, p.dense, p.code}.load(t, odd.KeyLen())
		require.NoError(t, err)
		require.NoError(t, f.Done())
		require.True(t, slices.Equal(p.ranks, got.ranks) && slices.Equal(p.start, got.start) && slices.Equal(p.dense, got.dense) && slices.Equal(p.code, got.code))
		require.Equal(t, p.Many(), got.Many())
		require.Equal(t, odd, got.schema)
	}
	_, _, err := parts{}.load(t, 1)
	require.NoError(t, err, "no programs")
}

func TestDamagedProgramsAreNamedWithTheirPlace(t *testing.T) {
	p := programsOf(30)
	require.False(t, p.Many())
	require.Len(t, p.ranks, 10)
	table := make([]uint32, 2+p.ranks[3])
	for i, rank := range p.ranks[:4] {
		table[rank] = p.start[i] + 1
	}
	good := parts{ranks: p.ranks, starts: p.start, code: p.code}
	_, n := odd.FieldWords(1)
	require.Equal(t, 1, n)
	// A program of one condition on field 1, that it is 5, and one more.
	first, _ := odd.FieldWords(1)
	head := 1 | flagRanged<<8 | 1<<12 | uint32(first)<<16
	one := []uint32{1, head, 1, 0, 0, 5, 5}
	two := append(append([]uint32{2}, one[1:]...), one[1:]...)
	for _, c := range []struct {
		name    string
		change  func(p *parts)
		section string
		offset  int64
		reason  string
	}{
		{"a list and a table", func(p *parts) { p.dense = table }, "pall", 0, "programs are listed twice"},
		{"a place too few", func(p *parts) { p.starts = p.starts[1:] }, "pbeg", 0, "9 programs for 10 rules"},
		{"a rule too few", func(p *parts) { p.ranks = p.ranks[1:] }, "pbeg", 0, "10 programs for 9 rules"},
		{"the first rule twice", func(p *parts) { p.ranks[1] = p.ranks[0] }, "prnk", 4, "not in order"},
		{"a rule before the one before", func(p *parts) { p.ranks[3] = p.ranks[2] - 1 }, "prnk", 12, "not in order"},
		{"a place within a program", func(p *parts) { p.starts[2]++ }, "pbeg", 8, "no program begins there"},
		{"a place behind the last", func(p *parts) { p.starts[9] = uint32(len(p.code)) }, "pbeg", 36, "no program begins there"},
		{"a place in a table within a program", func(p *parts) { *p = parts{dense: []uint32{0, 0, 1, 3}, code: one} }, "pall", 12, "no program begins there"},
		{"a table of no programs", func(p *parts) { *p = parts{dense: []uint32{0, 1}} }, "pall", 4, "no program begins there"},
		{"conditions that are not there", func(p *parts) { *p = parts{code: []uint32{1}} }, "pcod", 4, "conditions are missing"},
		{"half the head of a condition", func(p *parts) { *p = parts{code: []uint32{1, head}} }, "pcod", 8, "conditions are missing"},
		{"a second condition that is not there", func(p *parts) { *p = parts{code: two[:len(two)-6]} }, "pcod", 28, "conditions are missing"},
		{"a head alone", func(p *parts) { *p = parts{code: []uint32{1, head, 0}} }, "pcod", 4, "values are missing"},
		{"a value too few", func(p *parts) { *p = parts{code: two[:len(two)-1]} }, "pcod", 28, "values are missing"},
		{"a field behind the last", func(p *parts) { p.code = slices.Clone(two); p.code[7] += uint32(odd.Len()) - 1 }, "pcod", 28, "field that the schema has not"},
		{"another word", func(p *parts) { p.code = slices.Clone(two); p.code[7] += 1 << 16 }, "pcod", 28, "words that it may not test"},
		{"another number of words", func(p *parts) { p.code = slices.Clone(two); p.code[7] += 1 << 12 }, "pcod", 28, "words that it may not test"},
	} {
		damaged := parts{slices.Clone(good.ranks), slices.Clone(good.starts), nil, good.code}
		_, _, err := damaged.load(t, odd.KeyLen())
		require.NoError(t, err)
		c.change(&damaged)
		_, f, err := damaged.load(t, odd.KeyLen())
		var is, base *saved.Error
		require.ErrorAs(t, err, &is, c.name)
		require.ErrorAs(t, f.Optional(c.section, 0).Damaged(0, ""), &base)
		require.Equal(t, "section "+c.section, is.Section, c.name)
		require.Equal(t, c.offset, is.Offset-base.Offset, c.name)
		require.Contains(t, is.Reason, c.reason, c.name)
	}
	sound := parts{ranks: []uint32{0, 1}, starts: []uint32{0, uint32(len(one))}, code: append(slices.Clone(one), two...)}
	_, _, err := sound.load(t, first+1)
	require.NoError(t, err, "keys that end with the word")
	_, _, err = sound.load(t, first)
	require.ErrorContains(t, err, "words that it may not test")
}
