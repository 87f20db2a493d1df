package hipac_test

// Saving and loading: what comes back is what was saved, and nothing else loads.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

var ctx = context.Background()

// save returns the bytes of a classifier.
func save[T any](t testing.TB, c *hipac.Classifier[T], codec hipac.Codec[T]) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, c.Save(&out, codec))
	return out.Bytes()
}

// text is the codec of the workloads.
var text = saved.String[string]{}

// generated returns a list of a family.
func generated(t testing.TB, family string, n int) *rules.List[string] {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 7})
	require.NoError(t, err)
	return l
}

// oddList has everything that a rule of a list can have.
func oddList(t testing.TB) *rules.List[string] {
	s, err := rules.NewSchema(rules.Field{Name: "zone", Kind: rules.Enum, Bits: 5, Symbols: []rules.Symbol{{Name: "lan", Value: 1}, {Name: "wan", Value: 2}}},
		rules.Field{Name: "addr", Kind: rules.IP}, rules.Field{Name: "wide", Bits: 128, Kind: rules.Hex}, rules.Field{Name: "port", Kind: rules.Port})
	require.NoError(t, err)
	l, err := rules.NewList(s,
		rules.Rule[string]{Conds: []rules.Cond{rules.In(0, rules.Point(1))}, Value: "a", Comment: "the first"},
		rules.Rule[string]{ID: 77, Conds: []rules.Cond{rules.In(3, rules.Span(1, 9), rules.Point(11)).Negate()}, Value: "b", Continue: true},
		rules.Rule[string]{Conds: []rules.Cond{rules.Masked(2, rules.Value{Hi: 5}, rules.Value{Hi: 7, Lo: 1}).OrAbsent()}, Value: "a", Unknown: "moon phase"},
		rules.Rule[string]{Conds: []rules.Cond{rules.In(1, rules.Interval{Lo: rules.Value{Hi: 3}, Hi: rules.Value{Hi: 9, Lo: 4}}).AndMasked(rules.Value{}, rules.Value{Lo: 2})}},
		rules.Rule[string]{Conds: []rules.Cond{rules.In(3)}, Value: "never"},
		rules.Rule[string]{Conds: []rules.Cond{s.Present(2), rules.In(0, rules.Span(0, 3)), rules.In(0, rules.Span(2, 31))}, Value: "c", Comment: "last\nbut one"},
		rules.Rule[string]{Value: "rest"})
	require.NoError(t, err)
	return l
}

// someKeys returns keys that rules ask for, and random ones.
func someKeys[T any](l *rules.List[T], n int) []rules.Key {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	var out []rules.Key
	for range n {
		k := l.Schema().NewKey()
		x := l.At(r.IntN(l.Len()))
		for f := range l.Schema().Len() {
			v := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(l.Schema().Field(f).Max())
			for _, c := range x.Conds {
				if iv, ok := c.Intervals(); ok && len(iv) > 0 && c.Field() == f {
					v = iv[r.IntN(len(iv))].Lo
				}
			}
			if r.IntN(20) > 0 {
				l.Schema().Set(k, f, v)
			}
		}
		out = append(out, k)
	}
	return out
}

// requireSameAnswers compares what two classifiers answer and say of themselves.
func requireSameAnswers[T any](t *testing.T, want, got *hipac.Classifier[T], keys []rules.Key, all bool) {
	t.Helper()
	require.Equal(t, want.Len(), got.Len())
	require.True(t, want.Schema().Equal(got.Schema()))
	for i := range want.Len() {
		require.Equal(t, want.At(i), got.At(i))
	}
	var flat []uint32
	for _, k := range keys {
		flat = append(flat, k...)
		a, ok := want.Lookup(k)
		b, okb := got.Lookup(k)
		require.Equal(t, a, b)
		require.Equal(t, ok, okb)
		if all {
			require.Equal(t, want.LookupAll(k, nil, 0), got.LookupAll(k, nil, 0))
			require.Equal(t, want.Executed(k, nil), got.Executed(k, nil))
		}
	}
	a, b := make([]int32, len(keys)), make([]int32, len(keys))
	require.Equal(t, want.LookupBatch(flat, a), got.LookupBatch(flat, b))
	require.Equal(t, a, b)
	sa, sb := want.Stats(), got.Stats()
	sa.Memory, sb.Memory = hipac.Memory{}, hipac.Memory{}
	sa.TreeBytes, sb.TreeBytes = 0, 0
	require.Equal(t, sa, sb)
}

func TestALoadedClassifierIsTheOneThatWasSaved(t *testing.T) {
	lists := map[string]*rules.List[string]{"odd": oddList(t), "of one rule": generated(t, "acl1", 1)}
	for _, family := range []string{"acl3", "fw1", "ipc2", "adversarial-wide", "firewall", "blocklist"} {
		if l, err := workload.Generate(workload.Config{Family: family, Rules: 1000, Seed: 7}); err == nil {
			lists[family] = l
		}
	}
	require.GreaterOrEqual(t, len(lists), 5)
	for name, l := range lists {
		for _, o := range []hipac.Options{{}, {AllMatches: true, LeafRows: 2}, {FirstMatchOnly: true, Replication: 0.5}} {
			t.Run(fmt.Sprintf("%s %v %v", name, o.AllMatches, o.FirstMatchOnly), func(t *testing.T) {
				c, err := hipac.Build(ctx, l, &o)
				require.NoError(t, err)
				file := save(t, c, text)
				got, err := hipac.LoadBytes(file, text, &hipac.LoadOptions{Schema: l.Schema()})
				require.NoError(t, err)
				require.Same(t, l.Schema(), got.Schema())
				requireSameAnswers(t, c, got, someKeys(l, 300), !o.FirstMatchOnly)
				require.Equal(t, file, save(t, got, text), "saved again")
				list, ok := got.List()
				require.Equal(t, !o.AllMatches && !o.FirstMatchOnly, ok)
				if ok {
					require.Equal(t, l, list)
				}
			})
		}
	}
}

func TestTheSameRulesGiveTheSameFile(t *testing.T) {
	l := generated(t, "fw1", 51000) // compiled by several goroutines
	var files [][]byte
	for _, workers := range []int{1, 1, 2, 5} {
		c, err := hipac.Build(ctx, l, &hipac.Options{Workers: workers})
		require.NoError(t, err)
		files = append(files, save(t, c, text))
	}
	for _, f := range files[1:] {
		require.True(t, bytes.Equal(files[0], f))
	}
}

func TestLookupsBehindAllMatchesAreNotSaved(t *testing.T) {
	l := generated(t, "acl1", 100)
	c, err := hipac.Build(ctx, l, nil)
	require.NoError(t, err)
	file := save(t, c, text)
	c.LookupAll(l.Schema().NewKey(), nil, 0)
	require.Equal(t, file, save(t, c, text))
}

func TestReadersGiveWhatBytesGive(t *testing.T) {
	l := generated(t, "acl1", 3000)
	c, err := hipac.Build(ctx, l, nil)
	require.NoError(t, err)
	file := save(t, c, text)
	got, err := hipac.Load(iotest.HalfReader(bytes.NewReader(file)), text, nil)
	require.NoError(t, err)
	require.Same(t, rules.IPv4Tuple, got.Schema())
	requireSameAnswers(t, c, got, someKeys(l, 100), true)
	for skip := range 9 { // wherever they lie
		at := append(make([]byte, skip), file...)
		_, err := hipac.LoadBytes(at[skip:], text, nil)
		require.NoError(t, err)
	}
	broken := errors.New("broken")
	_, err = hipac.Load(iotest.ErrReader(broken), text, nil)
	require.ErrorIs(t, err, broken)
	_, err = hipac.Load(bytes.NewReader(append(file, 0)), text, nil)
	require.ErrorIs(t, err, saved.ErrDamaged)
	_, err = hipac.Load(bytes.NewReader(file[:len(file)-1]), text, nil)
	require.ErrorIs(t, err, saved.ErrTruncated)
}

func TestAMappedFileIsShared(t *testing.T) {
	l := generated(t, "acl1", 500)
	c, err := hipac.Build(ctx, l, nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "rules.hipac")
	require.NoError(t, os.WriteFile(path, save(t, c, text), 0o600))
	for _, o := range []*hipac.LoadOptions{nil, {NoMap: true}} {
		a, err := hipac.Open(path, text, o)
		require.NoError(t, err)
		b, err := hipac.Open(path, text, o)
		require.NoError(t, err)
		requireSameAnswers(t, a, b, someKeys(l, 50), true)
		require.NoError(t, a.Close())
		require.NoError(t, a.Close())
		requireSameAnswers(t, c, b, someKeys(l, 50), true)
		require.NoError(t, b.Close())
	}
	a, err := hipac.Open(path, text, nil)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	if _, ok := a.Lookup(l.Schema().NewKey()); ok {
		// Where files are not mapped there is nothing to close.
		_, kept := a.List()
		require.True(t, kept)
	}
	_, err = hipac.Open(path+".not", text, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = hipac.Open(path, text, nil)
	require.ErrorIs(t, err, saved.ErrTruncated)
	require.ErrorContains(t, err, path)
}

func TestALiveListIsMadeOfALoadedOne(t *testing.T) {
	c, err := hipac.Build(ctx, oddList(t), nil)
	require.NoError(t, err)
	got, err := hipac.LoadBytes(save(t, c, text), text, nil)
	require.NoError(t, err)
	l, ok := got.List()
	require.True(t, ok)
	live, err := hipac.NewLive(ctx, l, nil)
	require.NoError(t, err)
	require.NoError(t, live.Edit(ctx, func(tx *hipac.Tx[string]) error { return tx.Delete(77) }))
	require.Equal(t, c.Len()-1, live.Snapshot().Len())
}

func TestOtherFilesAreRefused(t *testing.T) {
	c, err := hipac.Build(ctx, generated(t, "acl1", 20), nil)
	require.NoError(t, err)
	file := save(t, c, text)
	_, err = hipac.LoadBytes(file, saved.Int[int]{}, nil)
	require.ErrorIs(t, err, saved.ErrOther)
	require.ErrorContains(t, err, `"string", not "int"`)
	_, err = hipac.LoadBytes(file, text, &hipac.LoadOptions{Schema: rules.Firewall})
	require.ErrorIs(t, err, saved.ErrOther)
	_, err = hipac.LoadBytes([]byte("hipac 1\n"), text, nil)
	require.ErrorIs(t, err, saved.ErrFormat)
	newer := bytes.Clone(file)
	newer[8]++
	saved.Reseal(newer)
	_, err = hipac.LoadBytes(newer, text, nil)
	require.ErrorIs(t, err, saved.ErrVersion)
	_, err = hipac.LoadBytes(file, text, &hipac.LoadOptions{Batch: 9})
	require.Error(t, err)
}

// A file without its rules is one of a classifier for first matches alone, which says so.
func TestAFileWithoutItsRulesIsRefused(t *testing.T) {
	c, err := hipac.Build(ctx, generated(t, "acl1", 20), &hipac.Options{FirstMatchOnly: true})
	require.NoError(t, err)
	file := save(t, c, text)
	_, err = hipac.LoadBytes(file, text, nil)
	require.NoError(t, err)
	f, err := saved.Parse(file)
	require.NoError(t, err)
	meta, err := f.Section("meta", 0)
	require.NoError(t, err)
	_, first := binary.Uvarint(meta.Data)
	_, second := binary.Uvarint(meta.Data[first:])
	require.EqualValues(t, 1, meta.Data[first+second], "FirstMatchOnly")
	meta.Data[first+second] = 0
	saved.Reseal(file)
	_, err = hipac.LoadBytes(file, text, nil)
	require.ErrorIs(t, err, saved.ErrDamaged)
	require.ErrorContains(t, err, "the rules are missing")
}

func TestWhatCannotBeSavedIsRefused(t *testing.T) {
	l := generated(t, "acl1", 20)
	c, err := hipac.Build(ctx, l, &hipac.Options{Engine: hipac.Index})
	require.NoError(t, err)
	require.ErrorIs(t, c.Save(&bytes.Buffer{}, text), rules.ErrUnsupported)
	c, err = hipac.Build(ctx, l, nil)
	require.NoError(t, err)
	require.ErrorIs(t, c.Save(failingWriter{}, text), errFull)
	verdicts, err := rules.NewList(rules.IPv4Tuple, rules.Rule[rules.Verdict]{Value: 99})
	require.NoError(t, err)
	v, err := hipac.Build(ctx, verdicts, nil)
	require.NoError(t, err)
	require.Error(t, v.Save(&bytes.Buffer{}, saved.Verdict{}))
}

var errFull = errors.New("full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// smallFiles are the files of small lists.
func smallFiles(t testing.TB) [][]byte {
	var out [][]byte
	for _, l := range []*rules.List[string]{oddList(t), generated(t, "fw1", 30), generated(t, "acl1", 3)} {
		for _, o := range []hipac.Options{{}, {AllMatches: true}, {FirstMatchOnly: true, LeafRows: 1}} {
			c, err := hipac.Build(ctx, l, &o)
			require.NoError(t, err)
			out = append(out, save(t, c, text))
		}
	}
	return out
}

func TestEveryTruncationAndEveryFlippedBitIsFound(t *testing.T) {
	for _, file := range smallFiles(t) {
		typed := func(err error, at int) {
			t.Helper()
			if err == nil || !errors.Is(err, saved.ErrDamaged) && !errors.Is(err, saved.ErrTruncated) && !errors.Is(err, saved.ErrFormat) {
				t.Fatalf("byte %d of %d: %v", at, len(file), err)
			}
		}
		for n := range len(file) {
			_, err := hipac.LoadBytes(file[:n:n], text, nil)
			typed(err, n)
			if !errors.Is(err, saved.ErrTruncated) {
				t.Fatalf("%d bytes of %d: %v", n, len(file), err)
			}
		}
		broken, err := saved.Read(bytes.NewReader(file))
		require.NoError(t, err)
		for i := range broken {
			for bit := range 8 {
				broken[i] ^= 1 << bit
				_, err := saved.Parse(broken)
				typed(err, i)
				broken[i] ^= 1 << bit
			}
		}
		_, err = hipac.LoadBytes(broken, text, nil)
		require.NoError(t, err)
	}
}

func TestLoadingLeavesTheProgramAsItIs(t *testing.T) {
	// More replication than that is not to be loaded, and this is.
	c, err := hipac.Build(ctx, generated(t, "acl1", 20), &hipac.Options{Replication: 1024})
	require.NoError(t, err)
	file := save(t, c, text)
	procs := runtime.GOMAXPROCS(0)
	_, err = hipac.LoadBytes(file, text, nil)
	require.NoError(t, err)
	require.Equal(t, procs, runtime.GOMAXPROCS(0))

	path := filepath.Join(t.TempDir(), "damaged.hipac")
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(file[:len(file)-8]), make([]byte, 8)...), 0o600))
	_, err = hipac.Open(path, text, nil)
	require.ErrorIs(t, err, saved.ErrDamaged)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("no list of what is mapped: ", err)
	}
	require.NotContains(t, string(maps), path, "a file that does not load stays mapped")
}

func TestEnginesHaveNames(t *testing.T) {
	require.Equal(t, "tree index", fmt.Sprint(hipac.Tree, " ", hipac.Index))
}
