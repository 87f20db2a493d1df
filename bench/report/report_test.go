package report

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"

	"github.com/hipac-go/classifier/bench/result"
)

var update = flag.Bool("update", false, "write testdata anew")

// tiny is a small run with something of everything.
func tiny() *result.Run {
	r := &result.Run{
		Machine:  result.Machine{CPU: "Example <CPU>", Cores: 2, Memory: 4 << 30, OS: "linux 6.1", Go: "go1.26", Commit: "abc+", Started: "2026-01-02T03:04:05Z"},
		Commands: []string{"bench all --out a.json"},
		Missing: []result.Gap{
			{Command: "lookup", Engine: "dimtree", Set: "fw1", Rules: 1000, Why: "too much memory"},
			{Command: "lookup", Engine: "dimtree", Set: "fw1", Rules: 10000, Why: "too much memory"},
			{Command: "lookup", Engine: "dimtree", Set: "acl1", Rules: 1000, Why: "too much memory"},
			{Command: "lookup", Engine: "gvisor", Why: "there is no peers program"},
		},
	}
	add := func(command, engine, set string, rules, cores int, metric, unit string, value float64) {
		r.Points = append(r.Points, result.Point{Command: command, Engine: engine, Set: set, Rules: rules, Cores: cores, Metric: metric, Unit: unit, Value: value})
	}
	for i, engine := range []string{"tuplemerge", "hipac", "dpdk-acl-avx2", "hipac-batch"} {
		for j, rules := range []int{1000, 10000} {
			v := float64(100*(i+1) + 50*j)
			add("lookup", engine, "fw1", rules, 0, "lookup", "ns", v)
			add("lookup", engine, "fw1", rules, 0, "lookup_worst", "ns", 2*v)
			add("lookup", engine, "wild", rules, 0, "lookup", "ns", 3*v)
			add("memory", engine, "fw1", rules, 0, "bytes", "bytes", v*float64(rules))
			add("build", engine, "fw1", rules, 0, "build_cpu", "ms", v/10)
			add("build", engine, "fw1", rules, 0, "build_wall", "ms", v/20)
		}
		add("scale", engine, "fw1", 10000, 1+i, "throughput", "lookups/s", 1e6*float64(i+1))
	}
	for cores, v := range []float64{3, 2} {
		add("build", "hipac", "fw1", 10000, cores+1, "build_wall", "s", v)
	}
	for i, p := range []string{"p50", "p99", "max"} {
		add("update", "hipac-live", "fw1", 1000, 0, "insert_"+p, "us", float64(3*(i+1)))
		add("update", "hipac-live", "fw1", 1000, 0, "delete_cpu_"+p, "us", float64(2*(i+1)))
	}
	add("update", "hipac-live", "fw1", 1000, 0, "edits", "edits/s", 123456)
	add("iptables", "nft", "flat", 10000, 0, "load", "s", 0.25)
	add("iptables", "hipac", "flat", 10000, 0, "load_read", "ms", 20)
	add("iptables", "hipac", "flat", 10000, 0, "load", "ms", 50)
	add("iptables", "nft", "flat", 10000, 0, "packet_walk", "us", 180)
	add("iptables", "hipac", "flat", 10000, 0, "packet_walk", "ns", 80)
	return r
}

// named returns a file of a report.
func named(t *testing.T, list []File, name string) []byte {
	t.Helper()
	i := slices.IndexFunc(list, func(f File) bool { return f.Name == name })
	require.GreaterOrEqual(t, i, 0, "there is no %s", name)
	return list[i].Data
}

func TestThePageOfATinyRunIsAsBefore(t *testing.T) {
	list, err := Render([]*result.Run{tiny()}, Options{noPNG: true, Command: "bench report --results a.json --out r"})
	require.NoError(t, err)
	got := named(t, list, PageFile)
	golden := filepath.Join("testdata", "tiny.html")
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "the page differs from %s: look at it, and run the test with -update", golden)
}

func TestResultsInAnotherOrderGiveTheSameFiles(t *testing.T) {
	a, err := Render([]*result.Run{tiny()}, Options{noPNG: true})
	require.NoError(t, err)
	turned := tiny()
	slices.Reverse(turned.Points)
	slices.Reverse(turned.Missing)
	b, err := Render([]*result.Run{turned}, Options{noPNG: true})
	require.NoError(t, err)
	require.Equal(t, len(a), len(b))
	for i := range a {
		require.Equal(t, a[i].Name, b[i].Name)
		require.True(t, bytes.Equal(a[i].Data, b[i].Data), a[i].Name)
	}
}

func TestEveryPlotOfATinyRunIsDrawn(t *testing.T) {
	list, err := Render([]*result.Run{tiny()}, Options{})
	require.NoError(t, err)
	for _, name := range Names() {
		img, err := png.Decode(bytes.NewReader(named(t, list, name+".png")))
		require.NoError(t, err, name)
		size := img.Bounds().Size()
		require.Equal(t, 1600, size.X, name)
		require.Greater(t, size.Y, 150, name)
		colours := map[[3]uint32]bool{}
		inked := 0
		for y := range size.Y {
			for x := range size.X {
				r, g, b, a := img.At(x, y).RGBA()
				if a != 0xffff {
					t.Fatalf("%s: pixel %d, %d is not painted", name, x, y)
				}
				if r+g+b < 3*0xffff {
					inked++
				}
				colours[[3]uint32{r, g, b}] = true
			}
		}
		require.Greater(t, inked, size.X*size.Y/200, "%s is nearly empty", name)
		require.Greater(t, len(colours), 8, name)

		decoder := xml.NewDecoder(bytes.NewReader(named(t, list, name+".svg")))
		for err = nil; err == nil; _, err = decoder.Token() {
		}
		require.ErrorIs(t, err, io.EOF, name)
	}
}

func TestThePageAsksForNothingElse(t *testing.T) {
	list, err := Render([]*result.Run{tiny()}, Options{noPNG: true})
	require.NoError(t, err)
	text := string(named(t, list, PageFile))
	for _, s := range []string{"<script", "<link", "src=", "@import", "url("} {
		require.NotContains(t, text, s)
	}
	require.NotContains(t, strings.NewReplacer("http://www.w3.org/2000/svg", "", "http://www.w3.org/1999/xlink", "").Replace(text), "http")
	require.Contains(t, text, "Example &lt;CPU&gt;")
	require.Contains(t, text, "<code>abc&#43;</code>")
	require.Contains(t, text, "bench all --out a.json")
}

func TestNamesOfAResultCannotBreakThePage(t *testing.T) {
	r := tiny()
	for i := range r.Points {
		r.Points[i].Set += `"><script>alert(1)</script>&` + strings.Repeat("x", 500)
		r.Points[i].Engine += "\"</svg>\x00\xff"
		r.Points[i].Title = "<b>"
		r.Points[i].Metric = strings.ReplaceAll(r.Points[i].Metric, "edits", "<i>")
	}
	list, err := Render([]*result.Run{r}, Options{noPNG: true})
	require.NoError(t, err)
	text := string(named(t, list, PageFile))
	require.NotContains(t, text, "<script")
	require.NotContains(t, text, "<b>")
	require.NotContains(t, text, "<i>")
	require.Equal(t, strings.Count(text, "<svg "), strings.Count(text, "</svg>"))
}

func TestWhatIsMissingSharesARowPerReason(t *testing.T) {
	d, err := merge([]*result.Run{tiny()}, nil)
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{"lookup", "dimtree", "acl1 1k; fw1 1k, 10k", "too much memory"},
		{"lookup", "gvisor", "all", "there is no peers program"},
	}, gapTable(d.gaps).Rows)
}

func TestOnlyEnginesOfTheSameRunAreCompared(t *testing.T) {
	first, second := tiny(), tiny()
	first.Points = slices.DeleteFunc(first.Points, func(p result.Point) bool { return p.Engine == "tuplemerge" })
	second.Points = slices.DeleteFunc(second.Points, func(p result.Point) bool { return p.Engine != "tuplemerge" })
	d, err := merge([]*result.Run{first, second}, nil)
	require.NoError(t, err)
	rows := summary(d).Rows
	require.Equal(t, []string{"fw1", "10\u202f000", "250\u00a0ns", "450\u00a0ns", "dpdk-acl-avx2", "350\u00a0ns", "1.40", "0.778", "1"}, rows[0])
	d, err = merge([]*result.Run{tiny()}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"tuplemerge", "150\u00a0ns", "0.600", "0.333", "2"}, summary(d).Rows[0][4:])
	d, err = merge([]*result.Run{second}, nil)
	require.NoError(t, err)
	require.Nil(t, summary(d), "nothing of ours was measured")
}

func TestALaterRunReplacesFigures(t *testing.T) {
	first, second := tiny(), tiny()
	second.Points = second.Points[:1]
	second.Points[0].Value = 7
	d, err := merge([]*result.Run{first, second}, nil)
	require.NoError(t, err)
	require.Len(t, d.points, len(first.Points))
	require.Equal(t, []string{"1 figures were measured more than once; the last of each is shown."}, d.notes)
	got := where(d.points, func(p *point) bool {
		return p.Engine == "tuplemerge" && p.Rules == 1000 && p.Metric == "lookup" && p.Set == "fw1"
	})
	require.Len(t, got, 1)
	require.Equal(t, 7.0, got[0].Value)
}

func TestBadResultsAreRefused(t *testing.T) {
	other := tiny()
	other.Machine.CPU = "another"
	negative := tiny()
	negative.Points[0].Rules = -1
	huge := tiny()
	huge.Points[0].Value, huge.Points[0].Unit = 1e300, "s"
	for _, tt := range []struct {
		runs []*result.Run
		o    Options
		want string
	}{
		{nil, Options{noPNG: true}, "no results"},
		{[]*result.Run{tiny(), other}, Options{noPNG: true}, "results of different machines cannot stand in one plot"},
		{[]*result.Run{huge}, Options{noPNG: true}, "bad point"},
		{[]*result.Run{negative}, Options{noPNG: true}, "bad point"},
		{[]*result.Run{tiny()}, Options{Plots: []string{"pie"}}, `there is no plot "pie"; there are lookup, traffic,`},
		{[]*result.Run{tiny()}, Options{Sets: []string{"acl9"}}, `there are no results for a set "acl9"`},
		{[]*result.Run{{}}, Options{Plots: []string{"lookup"}}, "nothing of what is to be drawn was measured"},
	} {
		_, err := Render(tt.runs, tt.o)
		require.ErrorContains(t, err, tt.want)
	}
}

func TestARunWithoutFiguresHasAPage(t *testing.T) {
	list, err := Render([]*result.Run{{Missing: tiny().Missing}}, Options{noPNG: true})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Contains(t, string(list[0].Data), "there is no peers program")
}

func TestStrangeValuesAreDrawn(t *testing.T) {
	r := tiny()
	for i := range r.Points {
		r.Points[i].Value = []float64{0, -5, 1e290, 1e-300, 3, 1e17, 1e-8}[i%7]
	}
	list, err := Render([]*result.Run{r}, Options{noPNG: true})
	require.NoError(t, err)
	require.NotEmpty(t, list)
}

func TestPlotsOfSetsAreChosen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	names, err := Write(dir, []*result.Run{tiny()}, Options{Plots: []string{"memory", "lookup"}, Sets: []string{"fw1"}})
	require.NoError(t, err)
	require.Equal(t, []string{"lookup.svg", "lookup.png", "memory.svg", "memory.png"}, names)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)
}

func TestEnginesLookTheSameAndApart(t *testing.T) {
	seen := map[string]string{}
	for _, l := range looks[:8] {
		require.Equal(t, ours, look(l.name).group)
	}
	for _, l := range looks {
		if l.name == "index" || strings.HasPrefix(l.name, "tree") {
			continue // the same as engines
		}
		key := fmt.Sprint(l.group, l.color, l.dashes, fmt.Sprintf("%T", l.shape))
		require.Empty(t, seen[key], l.name)
		seen[key] = l.name
	}
	require.Equal(t, look("unheard-of"), look("unheard-of"))
	require.Equal(t, []string{"hipac", "hipac-new", "linear", "nft", "zzz"}, ordered([]string{"zzz", "nft", "linear", "hipac-new", "hipac", "nft"}))
}

func TestLabelsAreSpreadInOrder(t *testing.T) {
	for _, ys := range [][]float64{{50}, {50, 50, 50}, {0, 0, 100, 100}, {10, 11, 12, 60, 61, 99}} {
		var list []label
		for _, y := range ys {
			list = append(list, label{y: vg.Length(y)})
		}
		spread(list, 5, 95)
		for i, l := range list {
			require.GreaterOrEqual(t, float64(l.y), 5-1e-9, ys)
			require.LessOrEqual(t, float64(l.y), 95+1e-9, ys)
			if i > 0 {
				require.GreaterOrEqual(t, float64(l.y-list[i-1].y), float64(labelStep)-1e-9, ys)
			}
		}
	}
}

func TestValuesAreWrittenWithThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1.00", 12.345: "12.3", 123.45: "123", 99999: "100000", 0.0123456: "0.0123", -2: "-2.00", 1e20: "1.00e+20"} {
		require.Equal(t, want, digits(v))
	}
	require.Equal(t, "1.50\u00a0µs", timeText(1500))
	require.Equal(t, "2.05\u00a0kB", byteText(2048))
	require.Equal(t, "10\u00a0µs", timeTick(1e4))
	require.Equal(t, "100k", count(1e5))
	require.Equal(t, "1\u202f234\u202f567", grouped(1234567))
	require.Equal(t, "123", grouped(123))
}
