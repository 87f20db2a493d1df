package saved

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// written returns the bytes of a file.
func written(t testing.TB, w *Writer) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := w.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	return out.Bytes()
}

func TestSectionsComeBackAsTheyWereAdded(t *testing.T) {
	w := NewWriter("test")
	w.Add("bbbb", 0, []byte("one"))
	w.Add("aaaa", 1, nil)
	w.Add("aaaa", 0, bytes.Repeat([]byte("x"), 200))
	file := written(t, w)
	f, err := Parse(file)
	require.NoError(t, err)
	require.Equal(t, "test", f.Kind)
	var got []string
	for _, s := range f.Sections() {
		require.Zero(t, s.at%Align)
		got = append(got, s.Name+" "+string(s.Data))
	}
	require.Equal(t, []string{"aaaa " + string(bytes.Repeat([]byte("x"), 200)), "bbbb one", "aaaa "}, got)

	s, err := f.Section("bbbb", 0)
	require.NoError(t, err)
	require.EqualError(t, s.Damaged(2, "no %s", "good"), "damaged file: section bbbb at byte 450: no good")
	_, err = f.Section("bbbb", 1)
	require.EqualError(t, err, "damaged file: section bbbb of 1: it is missing")
	require.ErrorIs(t, f.Done(), ErrDamaged)
	require.Empty(t, f.Optional("zzzz", 0).Data)

	x := NewWriter("test") // in another order
	x.Add("aaaa", 0, bytes.Repeat([]byte("x"), 200))
	x.Add("bbbb", 0, []byte("one"))
	x.Add("aaaa", 1, nil)
	require.Equal(t, file, written(t, x))
}

func TestDirectoriesThatNobodyWritesAreRefused(t *testing.T) {
	w := NewWriter("test")
	w.Add("aaaa", 0, []byte("some content"))
	w.Add("bbbb", 0, []byte("and more"))
	file := written(t, w)
	entry := headerSize + entrySize
	for name, change := range map[string]func(b []byte){
		"other order":       func(b []byte) { copy(b[headerSize+4:], "zzzz") },
		"twice":             func(b []byte) { copy(b[entry+4:], "aaaa") },
		"another place":     func(b []byte) { b[entry+8] += 64 },
		"longer":            func(b []byte) { b[entry+16]++ },
		"shorter":           func(b []byte) { b[entry+16]-- },
		"huge":              func(b []byte) { binary.LittleEndian.PutUint64(b[entry+16:], math.MaxUint64) },
		"reserved":          func(b []byte) { b[entry+28] = 1 },
		"reserved, header":  func(b []byte) { b[40] = 1 },
		"more sections":     func(b []byte) { b[24] = 3 },
		"millions of them":  func(b []byte) { b[27] = 3 },
		"between":           func(b []byte) { b[headerSize+2*entrySize+12] = 1 },
		"size of the file":  func(b []byte) { b[16]-- },
		"more than 63 bits": func(b []byte) { b[23] = 0xff },
	} {
		b := bytes.Clone(file)
		change(b)
		Reseal(b)
		_, err := Parse(b)
		var e *Error
		require.ErrorAs(t, err, &e, name)
	}
	_, err := Parse(file)
	require.NoError(t, err)
}

func TestAHeaderAloneAsksForNoMemory(t *testing.T) {
	head := make([]byte, headerSize)
	copy(head, Magic)
	binary.LittleEndian.PutUint32(head[8:], Version)
	binary.LittleEndian.PutUint64(head[16:], 1<<30)
	binary.LittleEndian.PutUint32(head[60:], checksum(head[:60]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	data, err := Read(io.MultiReader(bytes.NewReader(head), bytes.NewReader(make([]byte, 100))))
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, data, headerSize+100)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	_, err = Parse(data)
	require.ErrorIs(t, err, ErrTruncated)
}

func TestBothByteOrdersAreTheSameInFiles(t *testing.T) {
	words := []uint32{1, 0x01020304, math.MaxUint32}
	require.Equal(t, []byte{1, 0, 0, 0, 4, 3, 2, 1, 255, 255, 255, 255}, Bytes(words))
	require.Equal(t, Bytes(words), turned(words))
	require.Equal(t, words, turnedBack[uint32](Bytes(words)))
	require.Equal(t, []uint16{0x0201}, turnedBack[uint16]([]byte{1, 2}))
	require.Equal(t, []uint64{0x0807060504030201}, wordsOf[uint64]([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}[1:]))
	_, err := Words[uint32](&Section{Name: "aaaa", Data: make([]byte, 6)})
	require.ErrorIs(t, err, ErrDamaged)
}

func TestNumbersComeBack(t *testing.T) {
	var n Numbers
	n.Put(math.MaxUint64)
	n.PutBool(true)
	n.PutText("text")
	n.PutInt(300)
	s := NewScanner(&Section{Name: "aaaa", Data: n.Bytes()})
	require.Equal(t, uint64(math.MaxUint64), s.Next())
	require.True(t, s.Bool())
	require.Equal(t, "text", s.Text())
	require.True(t, s.Left())
	require.Equal(t, 300, s.Int(300))
	require.NoError(t, s.End())
	for _, data := range []string{"", "\x80", "\x81\x00", "\x02", "\x05text", "\x01x", "\x01\x01"} {
		s := NewScanner(&Section{Name: "aaaa", Data: []byte(data)})
		s.Bool()
		s.Bytes()
		require.ErrorIs(t, s.End(), ErrDamaged, "%q", data)
	}
}

// requireCoded takes values through a codec.
func requireCoded[T comparable](t *testing.T, codec Codec[T], name string, values ...T) {
	t.Helper()
	require.Equal(t, name, codec.Name())
	for _, v := range values {
		data, err := codec.AppendTo([]byte("before"), v)
		require.NoError(t, err)
		got, err := codec.Decode(data[len("before"):])
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
}

func TestCodecs(t *testing.T) {
	requireCoded(t, String[string]{}, "string", "", "a", "\x00\xff")
	requireCoded(t, Int[int]{}, "int", 0, -1, math.MaxInt, math.MinInt)
	requireCoded(t, Int[int8]{}, "int", -128, 127)
	requireCoded(t, Int[uint16]{}, "uint", 0, math.MaxUint16)
	requireCoded(t, Int[uint64]{}, "uint", math.MaxUint64)
	requireCoded(t, Verdict{}, "verdict", rules.NoVerdict, rules.Accept, rules.Stolen)
	requireCoded(t, None{}, "none", struct{}{})
	_, err := Int[int8]{}.Decode([]byte{0x80, 0x02})
	require.EqualError(t, err, "the number does not fit int8")
	_, err = Int[uint8]{}.Decode([]byte{1, 1})
	require.Error(t, err)
	_, err = Verdict{}.Decode([]byte("MAYBE"))
	require.Error(t, err)
	_, err = None{}.Decode([]byte{1})
	require.Error(t, err)
}

// randomList makes rules of all forms of conditions.
func randomList(t testing.TB, seed uint64) *rules.List[int] {
	r := rand.New(rand.NewPCG(seed, 1))
	s, err := rules.NewSchema(rules.Field{Name: "a", Bits: 1 + r.IntN(32)}, rules.Field{Name: "b", Bits: 33 + r.IntN(96)},
		rules.Field{Name: "c", Kind: rules.Name}, rules.Field{Name: "d", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags})
	require.NoError(t, err)
	b := rules.NewBuilder[int](s)
	for i := range 30 {
		x := rules.Rule[int]{Value: r.IntN(4) - 1, Continue: r.IntN(5) == 0}
		if r.IntN(5) == 0 {
			x.Comment = "about it"
		}
		if r.IntN(8) == 0 {
			x.Unknown = "owner"
		}
		if seed%3 > 0 && r.IntN(4) == 0 {
			x.ID = rules.ID(100*seed%3) + rules.ID(1000+i)
		}
		for range r.IntN(5) {
			f := r.IntN(s.Len())
			value := func() rules.Value {
				return rules.Value{Hi: r.Uint64() >> r.IntN(64), Lo: r.Uint64() >> r.IntN(64)}.And(s.Field(f).Max())
			}
			var iv []rules.Interval
			for range r.IntN(4) {
				if lo, hi := value(), value(); lo.Less(hi) {
					iv = append(iv, rules.Interval{Lo: lo, Hi: hi})
				}
			}
			c := rules.In(f, iv...)
			switch mask := value(); r.IntN(3) {
			case 0:
				c = rules.Masked(f, value().And(mask), mask)
			case 1:
				c = c.AndMasked(value().And(mask), mask)
			}
			if r.IntN(3) == 0 {
				c = c.Negate()
			}
			if r.IntN(3) == 0 {
				c = c.OrAbsent()
			}
			x.Conds = append(x.Conds, c)
		}
		_, err := b.Add(x)
		require.NoError(t, err)
	}
	return b.List()
}

// requireEqual compares lists as they are written.
func requireEqual(t *testing.T, want, got *rules.List[int]) {
	t.Helper()
	require.Same(t, want.Schema(), got.Schema())
	require.Equal(t, want.Len(), got.Len())
	require.Equal(t, want.SequentialIDs(), got.SequentialIDs())
	for i := range want.Len() {
		a, b := *want.At(i), *got.At(i)
		require.True(t, slices.EqualFunc(a.Conds, b.Conds, func(x, y rules.Cond) bool { return x.Equal(&y) }), "rule %d", i)
		a.Conds, b.Conds = nil, nil
		require.Equal(t, a, b)
		require.Equal(t, want.GivenID(i), got.GivenID(i))
	}
}

func TestListsComeBack(t *testing.T) {
	for seed := range uint64(100) {
		l := randomList(t, seed)
		w := NewWriter(KindList)
		require.NoError(t, AddList(w, l, Int[int]{}))
		f, err := Parse(written(t, w))
		require.NoError(t, err)
		got, err := ReadList(f, Int[int]{}, rules.Limits{}, l.Schema())
		require.NoError(t, err)
		require.NoError(t, f.Done())
		requireEqual(t, l, got)
		other, err := ReadList(f, Int[int]{}, rules.Limits{})
		require.NoError(t, err)
		require.Equal(t, l.Schema().String(), other.Schema().String())
		_, err = ReadList(f, Int[int]{}, rules.Limits{MaxRules: 29})
		require.ErrorIs(t, err, rules.ErrLimit)
		_, err = ReadList(f, String[string]{}, rules.Limits{})
		require.ErrorIs(t, err, ErrOther)
	}
}

func FuzzLists(f *testing.F) {
	var files [][]byte
	for seed := range uint64(4) {
		w := NewWriter(KindList)
		require.NoError(f, AddList(w, randomList(f, seed), Int[int]{}))
		files = append(files, written(f, w))
		f.Add(uint8(seed), uint16(300), []byte{1, 2})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, put []byte) {
		file := bytes.Clone(files[int(which)%len(files)])
		copy(file[int(at)%len(file):], put)
		Reseal(file)
		parsed, err := Parse(file)
		if err != nil {
			return
		}
		l, err := ReadList(parsed, Int[int]{}, rules.Limits{})
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			return
		}
		// What is read is written the same again.
		w := NewWriter(KindList)
		require.NoError(t, AddList(w, l, Int[int]{}))
		again, err := Parse(written(t, w))
		require.NoError(t, err)
		got, err := ReadList(again, Int[int]{}, rules.Limits{}, l.Schema())
		require.NoError(t, err)
		requireEqual(t, l, got)
	})
}
