//go:build linux

package tree

// Trees in files: the same when they come back, and whatever is done to the file,
// it does not load, or no lookup reads outside.

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// stored is a tree that was saved.
type stored struct {
	name   string
	schema *rules.Schema
	rules  [][]rules.Cond
	tree   *Tree
	root   Ref
	file   []byte
}

// storedTrees returns saved trees that have all kinds of nodes, small ones, or
// with large also some of thousands of rules.
func storedTrees(t testing.TB, large bool) []stored {
	r := rand.New(rand.NewPCG(11, 1))
	var out []stored
	add := func(name string, s *rules.Schema, conds [][]rules.Cond, cfg Config) {
		tree, root := compile(t, s, conds, cfg)
		w := saved.NewWriter(saved.KindList)
		tree.Save(w, 0)
		var file bytes.Buffer
		_, err := w.WriteTo(&file)
		require.NoError(t, err)
		out = append(out, stored{name, s, conds, tree, root, file.Bytes()})
	}
	sizes := []int{1, 40, 200}
	if large {
		sizes = append(sizes, 3000)
	}
	for _, s := range []struct {
		name   string
		schema *rules.Schema
	}{{"ipv4", rules.IPv4Tuple}, {"both", rules.IPTuple}, {"firewall", rules.Firewall}, {"16 words", schemaOf(r, 16)}, {"2 words", schemaOf(r, 2)}} {
		for _, n := range sizes {
			add(s.name, s.schema, mixedRules(r, s.schema, n, 0), Config{})
			add(s.name+", inexact", s.schema, mixedRules(r, s.schema, n, 0.1), Config{LeafRows: 1, Replication: 30, KeepHidden: true})
			add(s.name+", in leaves", s.schema, mixedRules(r, s.schema, min(n, 101), 0.5), Config{LeafRows: 512, KeepHidden: true})
		}
	}
	for _, h := range hostiles {
		n := 90
		if large {
			n = 1500
		}
		add(h.name, h.schema, h.make(n), Config{bucketRows: 30})
	}
	nested := hostiles[0].make(600)
	add("chain", rules.IPv4Tuple, nested, Config{bucketRows: 1 << 20, KeepHidden: true})
	return out
}

// load loads the tree of a file.
func (s *stored) load(file []byte) (*Tree, error) {
	f, err := saved.Parse(file)
	if err != nil {
		return nil, err
	}
	l, err := Load(f, 0, s.schema, len(s.rules))
	if err != nil {
		return nil, err
	}
	return l.Tree, l.Check(s.root, 0, uint32(len(s.rules)))
}

func TestTreesInFilesAreTheTreesThatWereSaved(t *testing.T) {
	for _, s := range storedTrees(t, true) {
		got, err := s.load(s.file)
		require.NoError(t, err, s.name)
		require.True(t, slices.Equal(s.tree.slots, got.slots), s.name)
		require.True(t, slices.Equal(s.tree.lines, got.lines), s.name)
		require.True(t, slices.Equal(s.tree.rows, got.rows), s.name)
		require.Equal(t, s.tree.plain, got.plain)
		for _, k := range keys(s.schema, s.rules, 200) {
			require.Equal(t, s.tree.First(s.root, k), got.First(s.root, k), s.name)
			require.Equal(t, s.tree.All(s.root, k, nil), got.All(s.root, k, nil), s.name)
		}
	}
}

// unit is the size of the words of a section.
func unit(name string) int {
	switch name {
	case sectionSlots:
		return 8
	case sectionLines, sectionRows, sectionNeeds, "prnk", "pbeg", "pall", "pcod":
		return 4
	case sectionWants:
		return 2
	}
	return 1
}

// damaged returns a copy of a file with words changed as edits of eight bytes say,
// and with the checksums of what it holds now.
func damaged(t testing.TB, file, edits []byte) []byte {
	out, err := saved.Read(bytes.NewReader(file))
	require.NoError(t, err)
	f, err := saved.Parse(out)
	require.NoError(t, err)
	sections := f.Sections()
	for ; len(edits) >= 8; edits = edits[8:] {
		s := sections[int(edits[0])%len(sections)]
		size := unit(s.Name)
		n := len(s.Data) / size
		if n == 0 {
			continue
		}
		get := func(i uint32) (x uint64) {
			for j := range size {
				x |= uint64(s.Data[int(i%uint32(n))*size+j]) << (8 * j)
			}
			return x
		}
		at, by := binary.LittleEndian.Uint32(edits[2:]), binary.LittleEndian.Uint16(edits[6:])
		x := get(at)
		switch edits[1] % 8 {
		case 0:
			x ^= 1 << (int(by) % (8 * size))
		case 1:
			x = 0
		case 2:
			x = ^uint64(0)
		case 3:
			x++
		case 4:
			x--
		case 5:
			x = get(uint32(by))
		case 6:
			x += uint64(by)
		case 7:
			x = uint64(by)
		}
		for j := range size {
			s.Data[int(at%uint32(n))*size+j] = byte(x >> (8 * j))
		}
	}
	saved.Reseal(out)
	return out
}

// requireSound looks up keys in what loads of a file, over guarded arrays, and
// reports whether it loads.
func (s *stored) requireSound(t *testing.T, file []byte) bool {
	got, err := s.load(file)
	if err != nil {
		require.ErrorIs(t, err, saved.ErrDamaged)
		return false
	}
	got.Bound(s.root)
	shape := Shape{Shares: make([]Share, len(s.rules))}
	shape.Add(got, s.root, map[Ref]bool{})
	list := keys(s.schema, s.rules, 17)
	var words []uint32
	for _, k := range list {
		words = append(words, k...)
	}
	for _, where := range []side{behind, before} {
		g := guard(t, got, where)
		ranks := guarded(t, make([]int32, len(list)), where)
		all, one := guarded(t, words, where), guarded(t, make([]uint32, s.schema.KeyLen()), where)
		requireNoFault(t, func() {
			for i, k := range list {
				copy(one, k)
				for _, rank := range []uint32{g.First(s.root, one), g.FirstFrom(s.root, one, uint32(i))} {
					require.True(t, rank == NoMatch || rank < uint32(len(s.rules)), "rank %d", rank)
				}
				if i < 4 {
					for _, rank := range g.All(s.root, one, nil) {
						require.Less(t, rank, uint32(len(s.rules)))
					}
				}
			}
			g.FirstBatch(all, s.schema.KeyLen(), []Ref{s.root}, ranks, true)
		})
		for _, rank := range ranks {
			require.True(t, rank >= -1 && int(rank) < len(s.rules), "rank %d", rank)
		}
	}
	return true
}

func TestNoLookupInAChangedTreeReadsOutside(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	loaded, refused := 0, 0
	for _, s := range storedTrees(t, false) {
		for range 60 {
			edits := make([]byte, 8*(1+r.IntN(3)))
			for i := range edits {
				edits[i] = byte(r.Uint32())
			}
			if s.requireSound(t, damaged(t, s.file, edits)) {
				loaded++
			} else {
				refused++
			}
		}
	}
	require.Greater(t, loaded, refused/20)
	require.Greater(t, refused, loaded/20)
}

func FuzzLoadedTrees(f *testing.F) {
	trees := storedTrees(f, false)
	for i := range trees {
		f.Add(uint8(i), []byte("\x02\x00\x07\x00\x00\x00\x25\x00"))
		f.Add(uint8(i), []byte("\x05\x05\x01\x00\x00\x00\x02\x00\x05\x00\x01\x00\x00\x00\x28\x00"))
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		s := &trees[int(which)%len(trees)]
		s.requireSound(t, damaged(t, s.file, edits))
	})
}

// rewritten returns a file with the data of a section changed.
func rewritten(t *testing.T, file []byte, name string, change func([]byte) []byte) []byte {
	f, err := saved.Parse(file)
	require.NoError(t, err)
	w := saved.NewWriter(saved.KindList)
	for _, s := range f.Sections() {
		data := slices.Clone(s.Data)
		if s.Name == name {
			data = change(data)
		}
		w.Add(s.Name, s.Instance, data)
	}
	var out bytes.Buffer
	_, err = w.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

func TestSectionsOfWrongSizesAreRefused(t *testing.T) {
	trees := storedTrees(t, false)
	at := func(name string) *stored {
		i := slices.IndexFunc(trees, func(s stored) bool { return s.name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return &trees[i]
	}
	grow := func(n int) func([]byte) []byte { return func(b []byte) []byte { return append(b, make([]byte, n)...) } }
	set := func(i int, x ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[i:], x); return b }
	}
	plain, other := at("ipv4"), at("16 words")
	for _, tt := range []struct {
		of      *stored
		section string
		change  func([]byte) []byte
		want    string
		end     bool // the offset is the end of the section
	}{
		{plain, sectionSlots, grow(4), "", false},
		{plain, sectionLines, grow(4), "words are no whole number of 16", true},
		{plain, sectionLines, grow(2), "", false},
		{plain, sectionRows, grow(4), "words are no whole number of 8", true},
		{plain, sectionRows, grow(32), "an odd number of rows", true},
		{plain, sectionRows, grow(64), "", false},
		{plain, sectionClasses, grow(1), "bytes are not up to 64 classes", false},
		{plain, sectionClasses, grow(classBytes * maxClasses), "bytes are not up to 64 classes", false},
		{plain, sectionClasses, set(0, 2), "a tree of 5-tuples with rows of other columns", false},
		{plain, sectionClasses, set(5, 4), "a tree of 5-tuples with rows of other columns", false},
		{other, sectionClasses, set(0, 0), "rows of 0 blocks", false},
		{other, sectionClasses, set(0, maxBlocks+1), "rows of 9 blocks", false},
		{other, sectionClasses, set(4+7, 16), "a column of word 16 of keys of 16", false},
		{other, sectionTree, set(0, 1), "a tree of 5-tuples with rows of other columns", false},
		{other, sectionTree, grow(1), "", false},
	} {
		_, err := tt.of.load(rewritten(t, tt.of.file, tt.section, tt.change))
		if tt.want == "" && tt.section == sectionRows {
			require.NoError(t, err)
			continue
		}
		var damage *saved.Error
		require.ErrorAs(t, err, &damage, tt.want)
		require.ErrorIs(t, err, saved.ErrDamaged)
		require.Contains(t, damage.Error(), tt.want)
		if tt.end {
			f, err := saved.Parse(rewritten(t, tt.of.file, tt.section, tt.change))
			require.NoError(t, err)
			s, err := f.Section(tt.section, 0)
			require.NoError(t, err)
			var there *saved.Error
			require.ErrorAs(t, s.Damaged(len(s.Data), "the place"), &there)
			require.Equal(t, there.Offset, damage.Offset)
		}
	}
}
