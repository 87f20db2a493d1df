package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/native"
)

func TestLookupPrintsOneObjectWithTheAgreedKeys(t *testing.T) {
	p := file(t, "p", trace1)
	for format, text := range map[string]string{"native": nativeRules, "classbench": classbenchRules} {
		v := object(t, text, "lookup", "--rules", "-", "--packets", p)
		require.Equal(t, []string{"build_cpu_seconds", "checked", "engines", "index_cpu_seconds", "packets", "rules"}, keys(v), format)
		require.EqualValues(t, 2, v["rules"])
		require.EqualValues(t, 3, v["packets"])
		require.EqualValues(t, 3, v["checked"])
		require.Positive(t, v["build_cpu_seconds"])
		require.Positive(t, v["index_cpu_seconds"])
		engines := v["engines"].(map[string]any)
		require.ElementsMatch(t, availablePaths(), keys(engines))
		for name, e := range engines {
			require.Equal(t, []string{"batch_ns", "bytes_per_rule", "dependent_ns", "memory_bytes", "mismatches", "single_ns"}, keys(e), name)
			figures := e.(map[string]any)
			require.Zero(t, figures["mismatches"], name)
			for _, k := range []string{"single_ns", "dependent_ns", "batch_ns", "memory_bytes", "bytes_per_rule"} {
				require.Positive(t, figures[k], "%s %s", name, k)
			}
		}
	}
}

func TestLookupReadsEveryPacketFormat(t *testing.T) {
	r := file(t, "r", classbenchRules)
	for text, n := range map[string]int{
		trace1:                          3,
		"src,dst,dport\n10.0.0.1,,80\n": 1,
		pcap(t, 80, 443, 22, 21)[:24+16*4+4*1014]: 4,
	} {
		v := object(t, text, "lookup", "--rules", r, "--packets", "-", "--engines", "tree")
		require.EqualValues(t, n, v["packets"])
	}
}

func TestLookupMakesPacketsWhereThereIsNoFile(t *testing.T) {
	v := object(t, nativeRules, "lookup", "--rules", "-", "--engines", "tree", "--check", "100")
	require.EqualValues(t, little.packets, v["packets"])
	require.EqualValues(t, 100, v["checked"])
}

func TestLookupMeasuresTheEnginesAskedFor(t *testing.T) {
	r, p := file(t, "r", classbenchRules), file(t, "p", trace1)
	v := object(t, "", "lookup", "--rules", r, "--packets", p, "--engines", "reference, tree-go", "--check", "0")
	require.Equal(t, []string{"reference", "tree-go"}, keys(v["engines"]))
	require.EqualValues(t, 0, v["checked"])
	require.Nil(t, v["index_cpu_seconds"])
	list, err := choosePaths("linear,tree,reference")
	require.NoError(t, err)
	require.Equal(t, []string{"tree", "reference"}, list)
	_, err = choosePaths("tree-avx512")
	require.Equal(t, hipac.BatchAVX512.Available(), err == nil)
}

func TestLookupTextHasARowPerPath(t *testing.T) {
	r, p := file(t, "r", classbenchRules), file(t, "p", trace1)
	got := invoke(t, "", "lookup", "--rules", r, "--packets", p)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "rules    2, "+r+"\npackets  3, "+p+"\nchecked  3 with the reference walk\n")
	for _, name := range availablePaths() {
		require.Equal(t, 1, strings.Count(got.stdout, " "+name+"  "), got.stdout)
	}
}

func TestAnEmptyListIsMeasuredToo(t *testing.T) {
	v := object(t, "hipac 1\nschema ipv4\n", "lookup", "--rules", "-", "--packets", file(t, "p", trace1))
	require.EqualValues(t, 0, v["rules"])
	require.EqualValues(t, 0, v["engines"].(map[string]any)["tree"].(map[string]any)["bytes_per_rule"])
}

func TestWrongAnswersAreCountedAndFailTheRun(t *testing.T) {
	r, p := file(t, "r", classbenchRules), file(t, "p", trace1)
	for _, path := range availablePaths() {
		tamper := func(name string, positions []int32) {
			if name == path {
				positions[0] ^= 1
				positions[2] = 99
			}
		}
		got := invokeTampered(t, tamper, "", "lookup", "--rules", r, "--packets", p, "--json")
		require.Equal(t, exitData, got.code)
		require.Equal(t, "bench: wrong answers: "+path+" answers 2 of 3 packets otherwise\n", got.stderr)
		require.Contains(t, got.stdout, `"mismatches": 2`)
		require.Equal(t, len(availablePaths())-1, strings.Count(got.stdout, `"mismatches": 0`))
	}
}

// wrongPath answers every packet with the rule behind the right one.
type wrongPath struct{ path }

func (w wrongPath) one(k rules.Key) int32 { return w.path.one(k) + 1 }

func TestAWrongTreeIsFoundWhereTheListWasWalked(t *testing.T) {
	l, tr := generatedSet(t, 200, 300)
	reference := referencePath[string]{l}
	tree, err := buildPath(t.Context(), l, pathTree)
	require.NoError(t, err)
	c, err := newCheck(t.Context(), tr, reference, tree, 100, func(int) {})
	require.NoError(t, err)
	require.Equal(t, 100, c.checked)
	require.Zero(t, c.mismatches(tree, tr.n, nil))
	require.Zero(t, c.mismatches(reference, tr.n, nil))
	require.Equal(t, tr.n, c.mismatches(wrongPath{tree}, tr.n, nil), "lookups of their own are compared as well as batches")
	// Beyond the walk the default tree is what others are compared with.
	c, err = newCheck(t.Context(), tr, reference, wrongPath{tree}, 100, func(int) {})
	require.NoError(t, err)
	require.Equal(t, tr.n-100, c.mismatches(tree, tr.n, nil))
}

// generatedSet returns rules and packets for them.
func generatedSet(t *testing.T, n, packets int) (*rules.List[string], *trace) {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 1})
	require.NoError(t, err)
	tr, err := makeTrace(l, packets, 1)
	require.NoError(t, err)
	return l, tr
}

func TestIdentitiesAndValuesAreCompared(t *testing.T) {
	l, tr := generatedSet(t, 200, 300)
	tree, err := buildPath(t.Context(), l, pathTree)
	require.NoError(t, err)
	// The same rules with other values.
	b := rules.NewBuilder[string](l.Schema())
	for _, r := range l.All() {
		r := *r
		r.Value = "other"
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	tree.list = b.List()
	for i := range tr.n {
		want := int32(-1)
		if _, ok := l.First(tr.key(i)); ok {
			want = -2
		}
		require.Equal(t, want, tree.one(tr.key(i)))
	}
}

func TestTimedLoopsVisitEveryPacketAndSumTheIdentities(t *testing.T) {
	l, tr := generatedSet(t, 300, 1000)
	want := uint64(0)
	for i := range tr.n {
		if at, ok := l.First(tr.key(i)); ok {
			want += uint64(l.At(at).ID)
		}
	}
	for _, name := range availablePaths() {
		var p path = referencePath[string]{l}
		if name != pathReference {
			c, err := buildPath(t.Context(), l, name)
			require.NoError(t, err)
			p = c
		}
		for i, f := range []func([]uint32) uint64{p.single, p.dependent, p.batch} {
			require.Equal(t, want, f(tr.words), "%s, loop %d", name, i)
		}
	}
}

func TestTimedLoopsOfTheTreeDoNotAllocate(t *testing.T) {
	l, tr := generatedSet(t, 300, 200)
	for _, name := range availablePaths() {
		if name == pathIndex {
			continue
		}
		var p path = referencePath[string]{l}
		if name != pathReference {
			c, err := buildPath(t.Context(), l, name)
			require.NoError(t, err)
			p = c
		}
		require.False(t, p.allocates())
		for i, f := range timings(name, p, tr) {
			require.Zero(t, testing.AllocsPerRun(5, func() { f.run(0, tr.n) }), "%s, loop %d", name, i)
		}
	}
}

func TestBytesAreWhatTheHeapGrowsBy(t *testing.T) {
	text, err := workload.Generate(workload.Config{Family: "acl2", Rules: 10000, Seed: 1})
	require.NoError(t, err)
	bytesOf(t, text)
	// Identities of their own, and values without pointers.
	b := rules.NewBuilder[classbench.Flags](text.Schema())
	for i, r := range text.All() {
		_, err := b.Add(rules.Rule[classbench.Flags]{ID: rules.ID(3*i + 1), Conds: r.Conds})
		require.NoError(t, err)
	}
	bytesOf(t, b.List())
}

func bytesOf[T comparable](t *testing.T, l *rules.List[T]) {
	t.Helper()
	for _, name := range []string{pathTree, pathGo} {
		var p *compiledPath[T]
		grown, err := heapGrowth(func() (err error) {
			p, err = buildPath(t.Context(), l, name)
			return err
		})
		require.NoError(t, err)
		require.InEpsilon(t, grown, p.bytes(), 0.05, "%d rules, %s", p.Len(), name)
	}
}

func TestFilesOfEveryFormGiveTheSameAnswers(t *testing.T) {
	l, tr := generatedSet(t, 100, 500)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "r"))
	require.NoError(t, err)
	require.NoError(t, native.Write(f, l))
	require.NoError(t, f.Close())
	var b strings.Builder
	for i := range tr.n {
		k := tr.key(i)
		fmt.Fprintf(&b, "%d %d %d %d %d\n", k[1], k[2], k[3], k[4], k[5])
	}
	v := object(t, b.String(), "lookup", "--rules", f.Name(), "--packets", "-", "--check", "500")
	require.EqualValues(t, 100, v["rules"])
	require.EqualValues(t, 500, v["checked"])
}

func TestShufflingKeepsThePacketsAndFollowsTheSeed(t *testing.T) {
	_, tr := generatedSet(t, 50, 300)
	order := func(seed uint64) (list []string) {
		c := &trace{words: slices.Clone(tr.words), width: tr.width, n: tr.n}
		c.shuffle(seed)
		for i := range c.n {
			list = append(list, fmt.Sprint(c.key(i)))
		}
		return list
	}
	require.Equal(t, order(1), order(1))
	require.NotEqual(t, order(1), order(2))
	require.ElementsMatch(t, order(1), order(2))
}
