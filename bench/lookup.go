package main

// The command lookup: what a lookup of a key costs by every path.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type lookupCmd struct {
	files.RuleFlags   `group:"Rules"`
	files.PacketFlags `group:"Packets"`
	Check             int    `default:"5000" placeholder:"N" help:"Check the answers for N packets with the linear walk (default 5000)."`
	Engines           string `placeholder:"LIST" help:"Paths to measure, with commas between them: tree, tree-go, tree-avx512, index, linear; all that the processor can run when not given."`
	Seed              uint64 `default:"1" placeholder:"N" help:"Seed of the order of the packets, and of packets made from the rules (default 1)."`
	JSON              bool   `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (lookupCmd) Help() string {
	return `Rules are a native or ClassBench file, packets a ClassBench trace, CSV, pcap or
pcapng file; the formats are told from the content. Without --packets, 100,000
packets are made from the rules.

Examples:

    bench lookup --rules acl1.rules --packets acl1.trace
    bench lookup --rules acl1.rules --engines tree,linear --check 100000
    bench lookup --rules office.rules --packets today.pcapng --json

The paths are tree (the compiled tree as built by default), tree-go (the same
with LookupBatch in pure Go), tree-avx512 (with AVX-512), index (the field index)
and linear (the walk along the list). Of each it tells

    single       ns a lookup, one key after the other
    dependent    the same when the next key is known only with the answer
    batch        ns a key in calls of LookupBatch with 64 keys; the walk has no
                 batches, and does 64 walks
    memory       bytes that the path keeps alive: its structure, identities and
                 values; for index and linear also the list of rules, measured
                 by the growth of the heap
    mismatches   packets that it answers unlike the linear walk or, beyond the
                 packets that were walked, unlike the default tree

Every lookup brings the rule's identity and value. Times are medians of nine
passes over the packets in random order, in CPU time of the thread; slow paths
take part of the packets in each pass. Builds are timed from rules in memory to
the first lookup, in CPU seconds of all threads. All packets are checked on the tree's
paths, those of --check on all. The exit code is 1 when an answer is wrong.

With --json: rules, packets, checked, build_cpu_seconds, index_cpu_seconds (null
when the index is not measured), and engines, an object with memory_bytes,
bytes_per_rule, single_ns, dependent_ns, batch_ns and mismatches by path.
Where the system has no CPU clocks, clock says what times are.`
}

// lookupResult is what the command prints.
type lookupResult struct {
	Rules        int                     `json:"rules"`
	Packets      int                     `json:"packets"`
	Checked      int                     `json:"checked"`
	BuildSeconds float64                 `json:"build_cpu_seconds"`
	IndexSeconds *float64                `json:"index_cpu_seconds"`
	Engines      map[string]engineResult `json:"engines"`
	Clock        string                  `json:"clock,omitempty"`

	rulesName, packetsName string
	paths                  []string
	timed                  map[string]int // packets in a pass
}

type engineResult struct {
	Bytes        int64   `json:"memory_bytes"`
	BytesPerRule float64 `json:"bytes_per_rule"`
	Single       float64 `json:"single_ns"`
	Dependent    float64 `json:"dependent_ns"`
	Batch        float64 `json:"batch_ns"`
	Mismatches   int     `json:"mismatches"`
}

// Run measures.
func (cmd *lookupCmd) Run(a *app) error {
	paths, err := choosePaths(cmd.Engines)
	if err != nil {
		return err
	}
	if cmd.Check < 0 {
		return files.BadUsage("--check %d is negative", cmd.Check)
	}
	if cmd.RuleFlags.Rules == "-" && cmd.Packets == "-" {
		return files.BadUsage("rules and packets cannot both be standard input")
	}
	set, listBytes, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	var res *lookupResult
	switch {
	case set.Native != nil:
		res, err = lookupAll(a, cmd, set.Name, set.Native, listBytes, paths)
	case set.ClassBench != nil:
		res, err = lookupAll(a, cmd, set.Name, set.ClassBench, listBytes, paths)
	default:
		return files.BadUsage("%s holds iptables rules, which are chains and no list: bench packet measures them", set.Name)
	}
	if err != nil {
		return err
	}
	if err := res.print(a.stdout, cmd.JSON); err != nil {
		return err
	}
	return res.verdict()
}

// lookupAll measures the lookups of a list by all paths asked for.
func lookupAll[T comparable](a *app, cmd *lookupCmd, name string, l *rules.List[T], listBytes int64, names []string) (*lookupResult, error) {
	began := time.Now()
	var t *trace
	var err error
	if cmd.Packets == "" {
		t, err = makeTrace(l, a.effort.packets, cmd.Seed)
	} else {
		t, err = a.readTrace(&cmd.PacketFlags, l.Schema())
	}
	if err != nil {
		return nil, err
	}
	t.shuffle(cmd.Seed)
	res := &lookupResult{Rules: l.Len(), Packets: t.n, Engines: map[string]engineResult{}, Clock: clockNote(),
		rulesName: name, packetsName: t.name, paths: names, timed: map[string]int{}}

	built := map[string]path{pathLinear: linearPath[T]{l}}
	bytes := map[string]int64{pathLinear: listBytes}
	bar := a.newProgress("building", len(names))
	build := func(name string) (seconds float64, err error) {
		var p *compiledPath[T]
		seconds, err = timeBuild(a.effort, func() error {
			p = nil
			if p, err = buildPath(l, name); err == nil {
				p.one(t.key(0))
			}
			return err
		})
		if err != nil {
			return 0, files.Error(res.rulesName, fmt.Errorf("%s: %w", name, err))
		}
		built[name] = p
		if name != pathIndex {
			bytes[name] = p.bytes()
		}
		return seconds, nil
	}
	if res.BuildSeconds, err = build(pathTree); err != nil {
		return nil, err
	}
	for i, name := range names {
		switch name {
		case pathGo, pathAVX512:
			p, err := buildPath(l, name)
			if err != nil {
				return nil, files.Error(res.rulesName, fmt.Errorf("%s: %w", name, err))
			}
			built[name], bytes[name] = p, p.bytes()
		case pathIndex:
			var seconds float64
			grown, err := heapGrowth(func() (err error) {
				seconds, err = build(name)
				return err
			})
			if err != nil {
				return nil, err
			}
			bytes[name] = listBytes + grown
			res.IndexSeconds = new(round(seconds, 6))
		}
		bar.at(i + 1)
	}
	bar.done()
	res.BuildSeconds = round(res.BuildSeconds, 6)

	bar = a.newProgress("checking", min(cmd.Check, t.n))
	c := newCheck(t, built[pathLinear], built[pathTree], cmd.Check, bar.at)
	bar.done()
	res.Checked = c.checked

	var times []*timed
	for _, name := range names {
		times = append(times, timings(name, built[name], t)...)
	}
	bar = a.newProgress("timing", passes)
	measure(times, t.n, a.effort.within(time.Since(began), len(names)), bar.at)
	bar.done()

	for i, name := range names {
		e := engineResult{Bytes: bytes[name]}
		if l.Len() > 0 {
			e.BytesPerRule = round(float64(e.Bytes)/float64(l.Len()), 2)
		}
		three := times[3*i : 3*i+3]
		e.Single, e.Dependent, e.Batch = round(three[0].median(), 2), round(three[1].median(), 2), round(three[2].median(), 2)
		res.timed[name] = three[0].packets
		n := t.n
		switch name {
		case pathLinear:
			n = c.checked
		case pathIndex: // as many as it does in two seconds
			n = min(n, max(c.checked, int(2e9/max(1, e.Single))))
		}
		if name != pathLinear || a.tamper != nil {
			e.Mismatches = c.mismatches(built[name], n, func(positions []int32) {
				if a.tamper != nil {
					a.tamper(name, positions)
				}
			})
		}
		res.Engines[name] = e
	}
	return res, nil
}

// timings returns the three things that are timed of a path.
func timings(name string, p path, t *trace) []*timed {
	var list []*timed
	for _, f := range []func([]uint32) uint64{p.single, p.dependent, p.batch} {
		list = append(list, &timed{group: name, garbage: p.allocates(), run: func(from, to int) { use(f(t.keys(from, to))) }})
	}
	return list
}

// use takes what timed runs return, so that they have to compute it.
//
//go:noinline
func use(uint64) {}

// clockNote is what times are when they are no CPU times, else "".
func clockNote() string {
	if compare.Clock == "thread CPU time" {
		return ""
	}
	return compare.Clock
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

// verdict returns an error when there are wrong answers.
func (r *lookupResult) verdict() error {
	var wrong []error
	for _, name := range r.paths {
		if n := r.Engines[name].Mismatches; n > 0 {
			wrong = append(wrong, fmt.Errorf("wrong answers: %s answers %d of %d packets otherwise", name, n, r.Packets))
		}
	}
	return errors.Join(wrong...)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (r *lookupResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, r)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "rules    %d, %s\n", r.Rules, files.Printable(r.rulesName))
	fmt.Fprintf(&out, "packets  %d, %s\n", r.Packets, files.Printable(r.packetsName))
	fmt.Fprintf(&out, "checked  %d with the linear walk\n", r.Checked)
	fmt.Fprintf(&out, "build    %s CPU", seconds(r.BuildSeconds))
	if r.IndexSeconds != nil {
		fmt.Fprintf(&out, "; index %s", seconds(*r.IndexSeconds))
	}
	out.WriteString("\n\n")
	tab := tabwriter.NewWriter(&out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tab, "path\tsingle\tdependent\tbatch of %d\tbytes/rule\tmemory\tmismatches\t\n", batchSize)
	for _, name := range r.paths {
		e := r.Engines[name]
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%.1f\t%s\t%d\t\n", name, nanoseconds(e.Single), nanoseconds(e.Dependent), nanoseconds(e.Batch),
			e.BytesPerRule, size(e.Bytes), e.Mismatches)
	}
	tab.Flush()
	fmt.Fprintf(&out, "\n%s per lookup, medians of %d passes in random order", strings.ToUpper(compare.Clock[:1])+compare.Clock[1:], passes)
	var parts []string
	for _, name := range r.paths {
		if n := r.timed[name]; n < r.Packets {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	if parts != nil {
		fmt.Fprintf(&out, ";\npackets in a pass where not all: %s", strings.Join(parts, ", "))
	}
	out.WriteString("\n")
	_, err := w.Write(out.Bytes())
	return err
}

// nanoseconds writes a time in a unit that suits it.
func nanoseconds(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	case ns >= 1e4:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns >= 1e3:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	}
	return fmt.Sprintf("%.1f ns", ns)
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}

// size writes bytes in a unit that suits them.
func size(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	case n >= 10e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}
