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
	"gonum.org/v1/plot/plotter"
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
	require.Contains(t, text, "<code>abc</code>, with changed files")
	require.Contains(t, text, "bench all --out a.json")
}

func TestNamesOfAResultCannotBreakThePage(t *testing.T) {
	r := tiny()
	for i := range r.Points {
		r.Points[i].Set += `"><script>alert(1)</script>&` + strings.Repeat("x", 500)
		r.Points[i].Engine += "\"</svg>\x00\xff"
		r.Points[i].Title = "<u>"
		r.Points[i].Metric = strings.ReplaceAll(r.Points[i].Metric, "edits", "<i>")
	}
	list, err := Render([]*result.Run{r}, Options{noPNG: true})
	require.NoError(t, err)
	text := string(named(t, list, PageFile))
	require.NotContains(t, text, "<script")
	require.NotContains(t, text, "<u>")
	require.NotContains(t, text, "<i>")
	require.Equal(t, strings.Count(text, "<svg "), strings.Count(text, "</svg>"))
}

func TestWhatIsMissingStandsByReason(t *testing.T) {
	r := tiny()
	r.Missing = append(r.Missing,
		result.Gap{Command: "scale", Engine: "dimtree", Set: "fw1", Rules: 30000, Why: "not tried: with 10000 rules, too much memory"},
		result.Gap{Command: "lookup", Engine: "nebula", Set: "fw1", Rules: 1000, Why: "not supported: rule 28: it asks for a source port"},
		result.Gap{Command: "lookup", Engine: "tailscale", Set: "fw1", Rules: 1000, Why: "not supported: rule 1 asks for a source port"},
		result.Gap{Command: "lookup", Engine: "abv", Set: "fw1", Rules: 1000, Why: "too much memory: it would take 2147483684 bytes or more, 2147483648 are allowed"},
		result.Gap{Command: "lookup", Engine: "abv", Set: "fw1", Rules: 10000, Why: "too much memory: it would take 12000000000 bytes or more, 2147483648 are allowed"},
		result.Gap{Command: "lookup", Engine: "dpdk-acl-sse", Set: "fw1", Rules: 1000, Why: "too much memory: building the tries: cannot allocate memory"},
		result.Gap{Command: "lookup", Engine: "dpdk-acl-scalar", Set: "fw1", Rules: 1000, Why: "too much memory: building the tries: cannot allocate memory"},
		result.Gap{Command: "lookup", Engine: "dpdk-acl-avx2", Set: "fw1", Rules: 1000, Why: "not supported: rule 7: src=1.0.0.1-1.0.0.2 is no prefix"},
		result.Gap{Command: "lookup", Engine: "nebula", Set: "acl1", Rules: 1000, Why: `not supported: the fields are "src:ipv4 ttl:number:8" and not the 5-tuple of IPv4 or IPv6`},
		result.Gap{Command: "lookup", Engine: "linear", Set: "fw1", Rules: 1000, Why: "wrong: 3 of 10 packets are answered wrongly; the first is packet 1000000 bytes"},
		result.Gap{Command: "lookup", Engine: "bart", Set: "fw1", Rules: 1000, Why: "it can be asked about too few of the packets: 14 of 100"},
		result.Gap{Command: "lookup", Engine: "bart", Set: "fw1", Rules: 10000, Why: "it can be asked about too few of the packets: 10 of 100"},
		result.Gap{Command: "all", Engine: "all", Set: "fw1", Rules: 1000000, Why: "time ran out"},
		result.Gap{Command: "all", Engine: "nft", Why: "something else"},
		result.Gap{Command: "all", Engine: "peers", Why: "no compiler"},
		result.Gap{Command: "iptables", Engine: "hipac", Set: "flat", Rules: 20, Why: "wrong answers: 2 of 2 packets"},
		result.Gap{Command: "iptables", Engine: "nft-set", Set: "flat", Rules: 20, Why: "there is no nft"},
	)
	r.Points = slices.DeleteFunc(r.Points, func(p result.Point) bool { return p.Engine == "dpdk-acl-avx2" && p.Metric == "lookup_worst" })
	d, err := merge([]*result.Run{r}, nil)
	require.NoError(t, err)
	var got [][]string
	for _, table := range gapTables(d) {
		got = append(got, []string{table.Caption})
		got = append(got, table.Rows...)
	}
	require.Equal(t, [][]string{
		{"Wrong answers: not timed"},
		{"hipac", "wrong answers: 2 of 2 packets", "flat\u00a020", "all", "iptables"},
		{"linear", "wrong: 3 of 10 packets are answered wrongly; the first is packet 1000000 bytes", "fw1\u00a01k", "all", "lookup"},
		{"Left out, or not there"},
		{"gvisor", "there is no peers program", "all", "all", "lookup"},
		{"nft-set", "there is no nft", "flat\u00a020", "all", "iptables"},
		{"peers", "no compiler", "all", "all", "all"},
		{"Too much memory"},
		{"abv", "it would take more than the 2.15\u00a0GB allowed", "fw1\u00a01k", "all", "lookup"},
		{"abv", "it would take 12.0\u00a0GB or more, and 2.15\u00a0GB are allowed", "fw1\u00a010k", "all", "lookup"},
		{"dimtree", "too much memory", "acl1\u00a01k; fw1\u00a01k, 10k", "all", "lookup"},
		{"dimtree", "not tried, because with 10k rules: too much memory", "fw1\u00a030k", "all", "scale"},
		{"dpdk-acl (sse scalar)", "building the tries: cannot allocate memory", "fw1\u00a01k", "all", "lookup"},
		{"Rules or packets that an engine does not take"},
		{"dpdk-acl-avx2", "a rule has a range of addresses that is no prefix", "fw1\u00a01k", "lookups: costliest packets", "lookup"},
		{"tailscale, nebula", "a rule asks for a source port", "fw1\u00a01k", "all", "lookup"},
		{"nebula", "the rules have other fields than the 5-tuple of IPv4 or IPv6", "acl1\u00a01k", "all", "lookup"},
		{"bart", "it can be asked about too few of the packets: 10 to 14 of 100", "fw1\u00a01k, 10k", "all", "lookup"},
		{"The time of the run was over"},
		{"all", "time ran out", "fw1\u00a01M", "all", "all"},
		{"Other reasons"},
		{"nft", "something else", "all", "all", "all"},
	}, got)
}

func TestOnlyEnginesOfTheSameRunAreComparedLikeWithLike(t *testing.T) {
	first, second := tiny(), tiny()
	first.Points = slices.DeleteFunc(first.Points, func(p result.Point) bool { return p.Engine == "tuplemerge" })
	second.Points = slices.DeleteFunc(second.Points, func(p result.Point) bool { return p.Engine != "tuplemerge" })
	d, err := merge([]*result.Run{first, second}, nil)
	require.NoError(t, err)
	one, alone := contests[0].duels(d.points)
	require.Empty(t, one, "tuplemerge is of another run, and dpdk-acl-avx2 takes many packets")
	require.Equal(t, 4, alone)
	many, alone := contests[2].duels(d.points)
	require.Zero(t, alone)
	require.Equal(t, duel{"fw1", 1000, 400, 300, "dpdk-acl-avx2", 1}, many[0])

	d, err = merge([]*result.Run{tiny()}, nil)
	require.NoError(t, err)
	one, _ = contests[0].duels(d.points)
	require.Equal(t, []duel{
		{"fw1", 1000, 200, 100, "tuplemerge", 1}, {"fw1", 10000, 250, 150, "tuplemerge", 1},
		{"wild", 1000, 600, 300, "tuplemerge", 1}, {"wild", 10000, 750, 450, "tuplemerge", 1},
	}, one)
	d, err = merge([]*result.Run{second}, nil)
	require.NoError(t, err)
	require.Nil(t, summary(d), "nothing of ours was measured")
}

func TestTheSummaryCountsWhereOursIsBestAndNamesTheWorstLoss(t *testing.T) {
	r := &result.Run{}
	add := func(set string, rules int, metric, engine string, ns float64) {
		r.Points = append(r.Points, result.Point{Command: "lookup", Set: set, Rules: rules, Metric: metric, Engine: engine, Unit: "ns", Value: ns})
	}
	for i, ns := range []float64{50, 200, 400} { // best, then 2 and 4 times as slow
		add("fw1", 1000*(i+1), "lookup", "hipac", ns)
		add("fw1", 1000*(i+1), "lookup", "abv", 100)
		add("fw1", 1000*(i+1), "lookup", "linear", 150)
	}
	add("fw1", 4000, "lookup", "hipac", 1) // nothing to compare with
	add("acl1", 1000, "insert_cpu_p50", "hipac-live", 300)
	add("acl1", 1000, "insert_cpu_p50", "tuplespace", 100)
	d, err := merge([]*result.Run{r}, nil)
	require.NoError(t, err)
	s := summary(d)
	require.Equal(t, [][]string{
		{"Lookup, one packet at a time, random packets", "hipac", "1", "3", "2.00×\u00a0slower", "2.00×\u00a0faster: fw1\u00a01k, 50.0\u00a0ns, abv 100\u00a0ns", "4.00×\u00a0slower: fw1\u00a03k, 400\u00a0ns, abv 100\u00a0ns"},
		{"Insertion of a rule, median, CPU time", "hipac-live", "0", "1", "3.00×\u00a0slower", "3.00×\u00a0slower: acl1\u00a01k, 300\u00a0ns, tuplespace 100\u00a0ns", "3.00×\u00a0slower: acl1\u00a01k, 300\u00a0ns, tuplespace 100\u00a0ns"},
	}, s.Tally.Rows)
	text := strings.Join(s.Text, " ")
	require.Contains(t, text, "Ours is the best in no pair in: insertion of a rule, median, CPU time")
	require.Contains(t, text, "1 pair in which")
	require.Equal(t, []string{"set", "1k", "2k", "3k"}, s.Sizes[0].Head)
	require.Equal(t, "2.00×\u00a0slower than abv", s.Sizes[0].Rows[0][2])
}

func TestLinesAreBrokenWhereASizeFailed(t *testing.T) {
	r := &result.Run{Missing: []result.Gap{{Command: "scale", Engine: "abv", Set: "fw1", Rules: 3000, Why: "its build takes longer than 1m0s"}}}
	for _, n := range []int{300, 1000, 10000} {
		for _, e := range []string{"hipac", "abv"} {
			r.Points = append(r.Points, result.Point{Command: "lookup", Set: "fw1", Rules: n, Metric: "lookup", Engine: e, Unit: "ns", Value: 1})
		}
	}
	d, err := merge([]*result.Run{r}, nil)
	require.NoError(t, err)
	lines := linesOf(d.breaks(d.points), rulesOf)
	require.Empty(t, lines[0].breaks)
	require.Equal(t, []int{2}, lines[1].breaks)
}

func TestWaysOfOneLibraryAreOneLine(t *testing.T) {
	var points []point
	for i, e := range []string{"hipac", "dpdk-acl-avx2", "dpdk-acl-sse", "dpdk-acl-scalar"} {
		points = append(points, point{Point: result.Point{Engine: e, Set: "fw1", Rules: 10, Value: float64(i)}})
	}
	got := oneLibrary(points)
	require.Len(t, got, 2)
	require.Equal(t, "dpdk-acl (3 ways)", got[1].Engine)
	require.Equal(t, 2.0, got[1].Value, "the middle one")
	require.Len(t, oneLibrary(points[:2]), 2)
	require.Equal(t, "dpdk-acl-avx2", oneLibrary(points[:2])[1].Engine)
	require.Contains(t, sameLibrary(points), "The 3 ways")
	require.Empty(t, sameLibrary(points[:2]))
}

func TestLimitsAreThoseOfTheCommand(t *testing.T) {
	require.Empty(t, limits([]string{"bench build"}))
	text := limits([]string{"bench all --timeout 5s --memory=99 --quick"})
	for _, s := range []string{"take 5s to", "99\u00a0MiB", "is 1."} {
		require.Contains(t, text, s)
	}
	require.NotContains(t, text, "Random packets")
	r := tiny()
	r.Settings = &result.Settings{Seed: 7, Family: "IPv6", Packets: 50000, Timeout: 60, Memory: 2e9}
	r.Engines = []result.Engine{{Name: "tuplemerge", Source: "A paper", Note: "A note."}}
	d, err := merge([]*result.Run{r}, nil)
	require.NoError(t, err)
	text = strings.Join(method(d), "\n")
	for _, s := range []string{"60\u00a0s of CPU time", "2.00\u00a0GB", "seed of rules and packets is 7", "50\u202f000 packets", "tuplemerge: A paper. A note.", "IPv6 5-tuples"} {
		require.Contains(t, text, s)
	}
	require.NotContains(t, text, "TupleMerge: Fast")
	require.NotContains(t, text, "rules of IPv6 alone")
}

func TestTheAxisOfLookupsEndsAHundredTimesAboveOurs(t *testing.T) {
	points := []point{
		{Point: result.Point{Engine: "hipac", Metric: "lookup", Rules: 1, Value: 10}},
		{Point: result.Point{Engine: "linear", Metric: "lookup", Rules: 2, Value: 5000}},
	}
	require.Equal(t, 1000.0, ceiling(points))
	require.Contains(t, above(points), "values of linear (up to 5.00\u00a0µs)")
	points[0].Metric = "bytes_per_rule"
	require.Empty(t, above(points))
	require.Empty(t, above(points[1:]), "there is none of ours")
}

func TestAnEditTooShortForTheClockWins(t *testing.T) {
	k := &contests[8]
	duels, _ := k.duels([]point{
		{Point: result.Point{Engine: "hipac-live", Set: "fw1", Rules: 1, Metric: "insert_cpu_p50", Value: 10}},
		{Point: result.Point{Engine: "tuplespace", Set: "fw1", Rules: 1, Metric: "insert_cpu_p50", Value: 0}},
	})
	require.Len(t, duels, 1)
	require.Equal(t, "slower than tuplespace by more than the clock can tell", k.than(&duels[0]))
}

func TestALineThatEndsEarlySaysWhere(t *testing.T) {
	lines := []line{{engine: "abv", points: plotter.XYs{{X: 100, Y: 1}, {X: 1000, Y: 1}}}, {engine: "hipac", points: plotter.XYs{{X: 10000, Y: 1}}}}
	require.Equal(t, "abv, to 1k", endText(lines, &lines[0], 5))
	require.Equal(t, "hipac", endText(lines, &lines[1], 5))
	require.Equal(t, "abv, above", endText(lines, &lines[0], 0.5))
}

// pageOf returns the page of a run of what keep keeps of a tiny one.
func pageOf(t *testing.T, keep func(*result.Point) bool) string {
	t.Helper()
	r := tiny()
	r.Points = slices.DeleteFunc(r.Points, func(p result.Point) bool { return !keep(&p) })
	list, err := Render([]*result.Run{r}, Options{noPNG: true})
	require.NoError(t, err)
	return string(named(t, list, PageFile))
}

func TestThePageSpeaksOfWhatWasMeasuredOnly(t *testing.T) {
	all := pageOf(t, func(*result.Point) bool { return true })
	for _, s := range []string{"made to be hard", "packets that cost our tree most", "Changes of a list", "Memory is counted", "by the clock to load"} {
		require.Contains(t, all, s)
	}
	require.NotContains(t, all, "flows whose sizes")
	require.Contains(t, all, "Not in these results: flows by Zipf’s law, packets that no rule matches, chains as kube-proxy makes them and rules of IPv6 alone.")
	require.Contains(t, all, "An engine may take 1m to build and 2048")

	lookups := pageOf(t, func(p *result.Point) bool { return p.Metric == "lookup" && p.Set == "fw1" })
	for _, s := range []string{"made to be hard", "cost our tree most", "flows whose sizes", "Changes of a list", "Memory is counted", "kernel"} {
		require.NotContains(t, lookups, s)
	}
	theirs := pageOf(t, func(p *result.Point) bool { return p.Command == "iptables" && p.Engine == "nft" })
	require.Contains(t, theirs, "of a tool of the kernel")
	require.NotContains(t, theirs, "of ours")
	require.Contains(t, theirs, "No engine of another project was measured.")
	require.NotContains(t, lookups, "No engine of another project")
}

func TestThePageSaysWhatAQuickRunLeavesOut(t *testing.T) {
	for _, tt := range []struct {
		command string
		want    bool
	}{
		{"bench all --quick --out a.json", true},
		{"bench all --quick --peers --out a.json", false},
		{"bench all --out --quicker", false},
	} {
		r := tiny()
		r.Commands = []string{tt.command}
		r.Points = slices.DeleteFunc(r.Points, func(p result.Point) bool { return p.Engine == "dpdk-acl-avx2" })
		d, err := merge([]*result.Run{r}, nil)
		require.NoError(t, err)
		require.Equal(t, tt.want, strings.Contains(strings.Join(method(d), " "), "The quick run leaves them out"), tt.command)
	}
}

func TestThePageSaysWhereAndHowItWasMeasured(t *testing.T) {
	load := 5.0
	r := tiny()
	r.Machine.Load = &load
	require.Contains(t, fmt.Sprint(runFacts(&r.Machine)), "more tasks than the machine has cores (2)")
	load = 0.5
	require.NotContains(t, fmt.Sprint(runFacts(&r.Machine)), "Warning")
	r.Machine.Load = &load
	for i := range r.Points {
		if p := &r.Points[i]; p.Metric == "lookup" {
			p.Rounds, p.Low, p.High = 9, p.Value*0.99, p.Value*1.01
		}
	}
	list, err := Render([]*result.Run{r}, Options{noPNG: true})
	require.NoError(t, err)
	text := string(named(t, list, PageFile))
	for _, s := range []string{"2 January 2026, 03:04 UTC", "linux 6.1", "1.26", "<code>abc</code>, with changed files", "0.50 tasks",
		"each of 9 rounds", "spans 2.0\u00a0% of the figure for the typical one, and 2.0\u00a0% at most"} {
		require.Contains(t, text, s)
	}
	require.Contains(t, pageOf(t, func(*result.Point) bool { return true }), "<dd>not recorded: ")
	list, err = Render([]*result.Run{r, tiny()}, Options{noPNG: true, Command: "bench report"})
	require.NoError(t, err)
	for _, s := range []string{"Run 1 of 2", "Run 2 of 2", "<code>bench report</code>"} {
		require.Contains(t, string(named(t, list, PageFile)), s)
	}
}

func TestFiguresOfOneNumberOfCoresAreNoLines(t *testing.T) {
	points := []point{
		{Point: result.Point{Engine: "hipac", Set: "fw1", Rules: 10, Cores: 1, Value: 1e6}},
		{Point: result.Point{Engine: "hipac-batch", Set: "fw1", Rules: 10, Cores: 1, Value: 2e6}},
	}
	ch := againstCores("lookups per second", rateTick)(points)
	require.IsType(t, &dotChart{}, ch)
	require.Equal(t, "fw1, 10 rules, 1 core", ch.(*dotChart).panels[0].title)
	points[1].Cores = 2
	require.IsType(t, &lineChart{}, againstCores("lookups per second", rateTick)(points))
}

func TestTheBestOfAColumnIsMarked(t *testing.T) {
	var points []point
	for i, e := range []string{"hipac", "linear", "abv"} {
		points = append(points, point{Point: result.Point{Engine: e, Set: "fw1", Rules: 10, Unit: "ns", Value: []float64{20, 10, 10.001}[i]}})
	}
	points = append(points, point{Point: result.Point{Engine: "hipac", Set: "fw1", Rules: 20, Unit: "ns", Value: 5}})
	got := sizesTables(timeText)(points)[0]
	require.Equal(t, map[[2]int]bool{{1, 1}: true, {2, 1}: true}, got.best, "those that look the same; and none where there is one alone")
	require.Equal(t, []int{1}, got.starts)
	for i := range points {
		points[i].Unit = "lookups/s"
	}
	require.Equal(t, map[[2]int]bool{{0, 1}: true}, sizesTables(rateText)(points)[0].best)
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
		groups := []group{l.group} // in whose panels it can be
		if l.group == ours {
			groups = []group{textbook, projects, kernel}
		}
		for _, g := range groups {
			for _, key := range []string{fmt.Sprint(g, l.color), fmt.Sprintf("%d %T", g, l.shape)} {
				if l.color != silver || !strings.HasSuffix(key, fmt.Sprint(silver)) {
					require.Empty(t, seen[key], l.name)
				}
				seen[key] = l.name
			}
		}
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
