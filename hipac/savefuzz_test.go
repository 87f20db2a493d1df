package hipac_test

// Files that were changed behind the checksums' back: they do not load, or all
// that a classifier does with them ends without a panic.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// changed returns a file with words changed as edits of seven bytes say: section,
// what, place, number; and the checksums of what it holds now.
func changed(t testing.TB, file, edits []byte) []byte {
	out, err := saved.Read(bytes.NewReader(file))
	require.NoError(t, err)
	f, err := saved.Parse(out)
	require.NoError(t, err)
	sections := slices.DeleteFunc(slices.Clone(f.Sections()), func(s saved.Section) bool { return len(s.Data) == 0 })
	for ; len(edits) >= 7; edits = edits[7:] {
		data := sections[int(edits[0])%len(sections)].Data
		at, number := int(binary.LittleEndian.Uint32(edits[2:])%uint32(len(data))), edits[6]
		switch edits[1] % 6 {
		case 0:
			data[at] ^= 1 << (number % 8)
		case 1:
			data[at] = number
		case 2:
			data[at] += number
		case 3:
			data[at&^3] += number // the low byte of a word
		case 4: // another word of the section
			if n := len(data) / 4; n > 0 {
				copy(data[at/4%n*4:], data[int(number)%n*4:][:4])
			}
		case 5:
			for i := at &^ 3; i < min(at&^3+4, len(data)); i++ {
				data[i] = 0xff
			}
		}
	}
	saved.Reseal(out)
	return out
}

// requireTyped fails when an error is not one of those that loading has.
func requireTyped(t *testing.T, err error) {
	t.Helper()
	var e *saved.Error
	require.ErrorAs(t, err, &e)
	require.True(t, errors.Is(err, saved.ErrDamaged) || errors.Is(err, saved.ErrOther), "%v", err)
}

// useAll does everything with what loads of a file of a list, and reports whether
// it does.
func useAll(t *testing.T, file []byte, random uint64) bool {
	c, err := hipac.LoadBytes(file, text, nil)
	if err != nil {
		requireTyped(t, err)
		return false
	}
	s, n := c.Schema(), c.Len()
	r := rand.New(rand.NewPCG(random, 5))
	in := func(m hipac.Match[string]) { require.True(t, m.Position >= 0 && m.Position < n) }
	l, kept := c.List()
	many := make([]uint32, 0, 30*s.KeyLen())
	for range 30 {
		k := s.NewKey()
		for f := range s.Len() {
			v := rules.Value{Hi: r.Uint64() >> r.IntN(64), Lo: r.Uint64() >> r.IntN(64)}.And(s.Field(f).Max())
			if kept && n > 0 {
				for _, cond := range l.At(r.IntN(n)).Conds {
					if iv, ok := cond.Intervals(); ok && cond.Field() == f && len(iv) > 0 {
						v = iv[r.IntN(len(iv))].Hi
					}
				}
			}
			if r.IntN(10) > 0 {
				s.Set(k, f, v)
			}
		}
		many = append(many, k...)
		if m, ok := c.Lookup(k); ok {
			in(m)
		}
	}
	positions := make([]int32, 30)
	require.Equal(t, 30, c.LookupBatch(many, positions))
	for _, p := range positions {
		require.True(t, p >= -1 && int(p) < n)
	}
	first := rules.Key(many[:s.KeyLen()])
	func() {
		// Without the rules only what was compiled is there.
		defer func() {
			if e := recover(); e != nil {
				require.Equal(t, "hipac: LookupAll and Executed are not available with Options.FirstMatchOnly", e)
			}
		}()
		for _, m := range c.LookupAll(first, nil, 0) {
			in(m)
		}
		for _, m := range c.Executed(first, nil) {
			in(m)
		}
	}()
	c.Stats()
	require.NoError(t, c.Save(io.Discard, text))
	return true
}

func TestWhateverLoadsCanBeUsed(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 1))
	loaded, refused := 0, 0
	for _, file := range smallFiles(t) {
		for range 150 {
			edits := make([]byte, 7*(1+r.IntN(3)))
			for i := range edits {
				edits[i] = byte(r.Uint32())
			}
			if useAll(t, changed(t, file, edits), r.Uint64()) {
				loaded++
			} else {
				refused++
			}
		}
	}
	require.Greater(t, loaded, refused/20)
	require.Greater(t, refused, loaded/20)
}

func FuzzSavedClassifiers(f *testing.F) {
	files := smallFiles(f)
	for i := range files {
		f.Add(uint8(i), []byte("\x05\x00\x03\x00\x00\x00\x01"), uint64(i))
		f.Add(uint8(i), []byte("\x02\x04\x10\x00\x00\x00\x05\x03\x01\x00\x00\x00\x00\x07"), uint64(i))
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte, random uint64) {
		useAll(t, changed(t, files[int(which)%len(files)], edits), random)
	})
}

func FuzzSavedTables(f *testing.F) {
	var all [][]*rules.Table
	var files [][]byte
	var keys []func() rules.Key
	for seed := range uint64(4) {
		tables, key := randomTables(seed)
		all, keys, files = append(all, tables), append(keys, key), append(files, saveTables(f, tables))
		f.Add(uint8(seed), []byte("\x05\x00\x03\x00\x00\x00\x01"))
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		i := int(which) % len(files)
		c, err := loadTables(changed(t, files[i], edits), all[i])
		if err != nil {
			requireTyped(t, err)
			return
		}
		for _, table := range c.All() {
			for range 20 {
				r := table.Run(&subject{key: keys[i]()}, 0, func(p rules.Place) {
					require.True(t, p.Rule < table.Source().Chains[p.Chain].Rules.Len())
				})
				require.True(t, r.By.Rule < table.Source().Chains[r.By.Chain].Rules.Len())
			}
			table.Stats()
		}
	})
}

// Whole files, whose structure is that of nobody.
func FuzzFiles(f *testing.F) {
	for _, file := range smallFiles(f) {
		f.Add(file, true)
		f.Add(file[:len(file)/2], false)
	}
	f.Fuzz(func(t *testing.T, file []byte, reseal bool) {
		if file = bytes.Clone(file); reseal {
			saved.Reseal(file)
		}
		c, err := hipac.LoadBytes(file, text, nil)
		if err != nil {
			var e *saved.Error
			require.ErrorAs(t, err, &e)
			return
		}
		c.Lookup(c.Schema().NewKey())
		c.Stats()
	})
}
