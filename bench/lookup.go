package main

// The command lookup: what a lookup of a key costs by every path.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
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
	Check             int    `default:"5000" placeholder:"N" help:"Check the answers for N packets with the reference walk (default 5000)."`
	Engines           string `placeholder:"LIST" help:"Paths to measure, with commas between them: tree, tree-go, tree-avx512, index, reference; all that the processor can run when not given."`
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
    bench lookup --rules acl1.rules --engines tree,reference --check 100000
    bench lookup --rules office.rules --packets today.pcapng --json

The paths are tree (the compiled tree as built by default), tree-go (the same
with LookupBatch in pure Go), tree-avx512 (with AVX-512), index (the field index)
and reference (the walk along the list, which defines the right answers; as "linear"
it is understood too). Of each it tells

    single       ns a lookup, one key after the other
    dependent    the same when the next key is known only with the answer
    batch        ns a key in calls of LookupBatch with 64 keys; the walk has no
                 batches, and does 64 walks
    memory       bytes that the path keeps alive: its structure, identities and
                 values; for index and reference also the list of rules,
                 measured by the growth of the heap
    mismatches   packets that it answers unlike the reference or, beyond the
                 packets that were walked for, unlike the default tree

Every lookup brings the rule's identity and value. Times are medians of nine
passes over the packets in random order, in CPU time of the thread; slow paths
take part of the packets in each pass. Builds are timed from rules in memory to
the first lookup, in CPU seconds of all threads. All packets are checked on the tree's
paths, those of --check on all. The exit code is 1 when an answer is wrong. At an
interrupt what was measured by then is printed, of three passes at least, and the
exit code is 1.

With --json: rules, packets, checked, build_cpu_seconds, index_cpu_seconds (null
when the index is not measured), and engines, an object with memory_bytes,
bytes_per_rule, single_ns, dependent_ns, batch_ns and mismatches by path.
Where the system has no CPU clocks, clock says what times are. After an interrupt
figures may be null: missing says why by path, passes how many there were.`
}

// lookupResult is what the command prints.
type lookupResult struct {
	Rules        int                     `json:"rules"`
	Packets      int                     `json:"packets"`
	Checked      int                     `json:"checked"`
	BuildSeconds *float64                `json:"build_cpu_seconds"`
	IndexSeconds *float64                `json:"index_cpu_seconds"`
	Engines      map[string]engineResult `json:"engines"`
	Clock        string                  `json:"clock,omitempty"`
	// After an interrupt: why a path has no figures, and the number of passes.
	Missing map[string]string `json:"missing,omitempty"`
	Passes  int               `json:"passes,omitempty"`

	rulesName, packetsName string
	paths                  []string
	timed                  map[string]int // packets in a pass
	interrupted            bool
}

type engineResult struct {
	Bytes        *int64   `json:"memory_bytes"`
	BytesPerRule *float64 `json:"bytes_per_rule"`
	Single       *float64 `json:"single_ns"`
	Dependent    *float64 `json:"dependent_ns"`
	Batch        *float64 `json:"batch_ns"`
	Mismatches   *int     `json:"mismatches"`
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

// lookupRun is a run of the command over a list.
type lookupRun[T comparable] struct {
	a      *app
	cmd    *lookupCmd
	list   *rules.List[T]
	trace  *trace
	res    *lookupResult
	built  map[string]path
	bytes  map[string]int64
	check  *check
	times  map[string][]*timed // single, dependent, batch
	passes int                 // that all paths have
}

// lookupAll measures the lookups of a list by all paths asked for, until an
// interrupt, which is one of the program as ever while input is read.
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
	ctx, stop := interruptible()
	defer stop()
	r := &lookupRun[T]{a: a, cmd: cmd, list: l, trace: t,
		res: &lookupResult{Rules: l.Len(), Packets: t.n, Engines: map[string]engineResult{}, Clock: clockNote(),
			rulesName: name, packetsName: t.name, paths: names, timed: map[string]int{}},
		built: map[string]path{pathReference: referencePath[T]{l}}, bytes: map[string]int64{pathReference: listBytes},
		times: map[string][]*timed{}}
	err = r.build(ctx, listBytes)
	if err == nil {
		err = r.time(ctx, began)
	}
	if err != nil && ctx.Err() == nil {
		return nil, files.Error(name, err)
	}
	r.results(ctx)
	return r.res, nil
}

// timeBuild builds a path, several times, and returns the time of one.
func (r *lookupRun[T]) timeBuild(ctx context.Context, name string) (*float64, error) {
	var p *compiledPath[T]
	seconds, err := timeBuild(r.a.effort, func() (err error) {
		p = nil
		if p, err = buildPath(ctx, r.list, name); err == nil {
			p.one(r.trace.key(0))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.built[name] = p
	if name != pathIndex {
		r.bytes[name] = p.bytes()
	}
	return new(round(seconds, 6)), nil
}

// build builds the paths, the default tree in any case.
func (r *lookupRun[T]) build(ctx context.Context, listBytes int64) (err error) {
	bar := r.a.newProgress("building", len(r.res.paths))
	defer bar.done()
	if r.res.BuildSeconds, err = r.timeBuild(ctx, pathTree); err != nil {
		return err
	}
	for i, name := range r.res.paths {
		switch name {
		case pathGo, pathAVX512:
			p, err := buildPath(ctx, r.list, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			r.built[name], r.bytes[name] = p, p.bytes()
		case pathIndex:
			grown, err := heapGrowth(func() (err error) {
				r.res.IndexSeconds, err = r.timeBuild(ctx, name)
				return err
			})
			if err != nil {
				return err
			}
			r.bytes[name] = listBytes + grown
		}
		bar.at(i + 1)
	}
	return nil
}

// time walks for the packets that are checked, and times all paths.
func (r *lookupRun[T]) time(ctx context.Context, began time.Time) (err error) {
	bar := r.a.newProgress("checking", min(r.cmd.Check, r.trace.n))
	r.check, err = newCheck(ctx, r.trace, r.built[pathReference], r.built[pathTree], r.cmd.Check, bar.at)
	bar.done()
	if err != nil {
		return err
	}
	r.res.Checked = r.check.checked
	var all []*timed
	for _, name := range r.res.paths {
		r.times[name] = timings(name, r.built[name], r.trace)
		all = append(all, r.times[name]...)
	}
	bar = r.a.newProgress("timing", passes)
	measure(ctx, all, r.trace.n, r.a.effort.within(time.Since(began), len(r.res.paths)), bar.at)
	bar.done()
	r.passes = passes
	for _, t := range all {
		r.passes = min(r.passes, len(t.ns))
	}
	return nil
}

// results checks the answers of paths that were timed, and fills what is printed.
func (r *lookupRun[T]) results(ctx context.Context) {
	res := r.res
	if ctx.Err() != nil && r.passes < passes {
		res.interrupted, res.Passes, res.Missing = true, r.passes, map[string]string{}
	}
	for _, name := range res.paths {
		e := engineResult{}
		if n, ok := r.bytes[name]; ok {
			e.Bytes, e.BytesPerRule = &n, new(0.)
			if r.list.Len() > 0 {
				*e.BytesPerRule = round(float64(n)/float64(r.list.Len()), 2)
			}
		}
		if r.passes < leastPasses {
			res.Missing[name] = errInterrupted.Error()
		} else {
			three := r.times[name]
			for i, ns := range []**float64{&e.Single, &e.Dependent, &e.Batch} {
				*ns = new(round(three[i].median(), 2))
			}
			res.timed[name] = three[0].packets
			e.Mismatches = new(r.mismatches(name, *e.Single, res.interrupted))
		}
		res.Engines[name] = e
	}
}

// mismatches counts the packets that a path answers wrongly.
func (r *lookupRun[T]) mismatches(name string, ns float64, hurry bool) int {
	n := r.trace.n
	switch {
	case name == pathReference:
		if n = r.check.checked; r.a.tamper == nil {
			return 0
		}
	case name == pathIndex && hurry:
		n = r.check.checked
	case name == pathIndex: // as many as it does in two seconds
		n = min(n, max(r.check.checked, int(2e9/max(1, ns))))
	}
	return r.check.mismatches(r.built[name], n, func(positions []int32) {
		if r.a.tamper != nil {
			r.a.tamper(name, positions)
		}
	})
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

// verdict returns an error when there are wrong answers, or not all was measured.
func (r *lookupResult) verdict() error {
	var wrong []error
	for _, name := range r.paths {
		if n := r.Engines[name].Mismatches; n != nil && *n > 0 {
			wrong = append(wrong, fmt.Errorf("wrong answers: %s answers %d of %d packets otherwise", name, *n, r.Packets))
		}
	}
	switch {
	case !r.interrupted:
	case r.Passes < leastPasses:
		wrong = append(wrong, fmt.Errorf("%w before lookups were timed", errInterrupted))
	default:
		wrong = append(wrong, fmt.Errorf("%w: %d of %d passes were timed", errInterrupted, r.Passes, passes))
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
	fmt.Fprintf(&out, "checked  %d with the reference walk\n", r.Checked)
	fmt.Fprintf(&out, "build    %s", figureOf(r.BuildSeconds, func(s float64) string { return seconds(s) + " CPU" }))
	if r.IndexSeconds != nil {
		fmt.Fprintf(&out, "; index %s", seconds(*r.IndexSeconds))
	}
	out.WriteString("\n\n")
	tab := tabwriter.NewWriter(&out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tab, "path\tsingle\tdependent\tbatch of %d\tbytes/rule\tmemory\tmismatches\t\n", batchSize)
	for _, name := range r.paths {
		e := r.Engines[name]
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, figureOf(e.Single, nanoseconds), figureOf(e.Dependent, nanoseconds), figureOf(e.Batch, nanoseconds),
			figureOf(e.BytesPerRule, func(n float64) string { return fmt.Sprintf("%.1f", n) }), figureOf(e.Bytes, size), figureOf(e.Mismatches, strconv.Itoa))
	}
	tab.Flush()
	n := passes
	if r.interrupted {
		n = r.Passes
	}
	fmt.Fprintf(&out, "\n%s per lookup, medians of %d passes in random order", strings.ToUpper(compare.Clock[:1])+compare.Clock[1:], n)
	var parts []string
	for _, name := range r.paths {
		if n, ok := r.timed[name]; ok && n < r.Packets {
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

// figureOf writes a figure, - for one that is missing.
func figureOf[T any](x *T, write func(T) string) string {
	if x == nil {
		return "-"
	}
	return write(*x)
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
