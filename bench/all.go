package main

// The command all: everything that a report needs, part by part, until it is done
// or its time is over.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules/files"
)

type allCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	Out         string   `short:"o" placeholder:"FILE" help:"File for what bench report draws; - for standard output, instead of the benchmark lines."`
	Minutes     *float64 `placeholder:"N" help:"Stop after so many minutes, or part of one, with what there is by then; when not given, when all is done."`
	Quick       bool     `help:"Small sets and short rounds, without peers unless they are asked for: about a minute."`
	JSON        bool     `name:"json" help:"Print one JSON object, what --out writes."`
}

// What is measured where nothing else is asked for.
var (
	allFamilies = []string{"acl1", "acl4", "fw1", "fw4", "ipc1", "ipc2", workload.KindNFHiPAC, workload.KindBlocklist}
	allSizes    = []int{1000, 10_000, 100_000}
	// hardFamilies are the adversarial sets, with hardRules rules.
	hardFamilies = []string{"nested", "shifted", "crossing", "wide"}
	hardRules    = 2000

	quickFamilies = []string{"acl1", "fw1", "ipc1"}
	quickSizes    = []int{1000, 5000}
	quickScale    = []int{100, 1000, 10_000}
	quickMemory   = 256
)

// Help is shown in front of the flags.
func (allCmd) Help() string {
	return fmt.Sprintf(`Runs what the other commands measure, on sets of %s
with 1,000, 10,000 and 100,000 rules, the small ones first, unless --family, --rules
or --file say otherwise:

    build, memory, lookup   all contestants, lookups of uniform packets and of
                            those that cost our tree most; edits of those that
                            can be edited
    adversarial sets        the same, %s with %d rules
    update                  bench update
    scale                   bench scale: rules from 100 to 1,000,000, and cores;
                            sizes that were measured above are not measured again,
                            and have the same figures
    iptables                bench iptables, unless sets are chosen

Examples:

    bench all --out results.json
    bench all --out results.json --minutes 20 --no-peers
    bench all --quick > new.txt; benchstat old.txt new.txt
    bench all --family fw1 --rules 1000,10000 --engines hipac,tuplemerge --json

It takes about an hour, more with peers, and --quick, which allows 256 MB where
--memory does not say otherwise, about a minute. When the time
of --minutes is over, or at an interrupt, it ends with what it has, and says what
is missing; after an interrupt, or without anything measured, the exit code is 1.
The file of --out appears in the end, when there is something in it.

`, strings.Join(allFamilies, ", "), strings.Join(hardFamilies, ", "), hardRules) + contestHelp + `
Printed are lines of Go's benchmark format, as the commands print them. With --json,
and in the file: machine, commands, settings, engines, points and missing, as package bench/result
describes; bench report draws them.`
}

// part is a part of what is to be measured.
type part struct {
	command string
	set     ruleset
	weight  int // seconds that it takes, about
	run     func(ctx context.Context) error
}

func (p part) String() string {
	return fmt.Sprintf("%s, %s, %d rules", p.command, p.set.name, p.set.rules)
}

// gap is the part as a gap.
func (p part) gap() results.Gap {
	return results.Gap{Command: p.command, Engine: everybody, Set: p.set.name, Rules: p.set.rules}
}

// Run measures.
func (cmd *allCmd) Run(a *app) error {
	families, sizes := allFamilies, allSizes
	without := false // the peers
	scale := scaleSizes
	if cmd.Quick {
		families, sizes, scale = quickFamilies, quickSizes, quickScale
		a.effort = a.effort.quick()
		if cmd.Memory == nil {
			cmd.Memory = new(quickMemory)
		}
		if cmd.Peers == nil && len(cmd.Engines) == 0 {
			cmd.Peers = new(false)
			without = true
		}
	}
	sets, err := cmd.sets(a, families, sizes)
	if err != nil {
		return err
	}
	if m := cmd.Minutes; m != nil && !(*m > 0 && *m <= 1e6) {
		return files.BadUsage("--minutes %v: not above 0 and up to 1000000", *m)
	}
	interrupted, rec, stop := a.recording(cmd.JSON || cmd.Out == "-")
	defer stop()
	ctx := interrupted
	if cmd.Minutes != nil {
		var end context.CancelFunc
		ctx, end = context.WithTimeoutCause(ctx, time.Duration(*cmd.Minutes*float64(time.Minute)), errTimeUp)
		defer end()
	}
	if without {
		rec.missing(results.Gap{Command: "all", Engine: "peers"}, errors.New("--quick leaves them out, unless --peers asks for them"))
	}
	measure := func() error {
		rec.run.Settings = (&contest{engineFlags: cmd.engineFlags, seed: cmd.Seed, packets: a.effort.packets}).settings(sets)
		run := &allRun{a: a, cmd: cmd, rec: rec, interrupted: interrupted}
		done, err := run.gather(ctx)
		if err != nil {
			return err
		}
		defer done()
		return run.all(ctx, run.parts(sets, scale))
	}
	if cmd.Out == "" || cmd.Out == "-" {
		if err := measure(); err != nil {
			return err
		}
		return rec.end()
	}
	// What cannot be written is found out before the hour, and what there is at an
	// interrupt is written.
	uninterrupted := func() (context.Context, func()) { return context.Background(), func() {} }
	err = a.writeUntil(uninterrupted, cmd.Out, func(w io.Writer) error {
		switch err := measure(); {
		case err != nil:
			return err
		case rec.empty():
			return errNothing
		}
		return rec.run.Write(w)
	})
	if err != nil && err != errNothing {
		return err
	}
	return rec.end()
}

// allRun is a run of the command.
type allRun struct {
	a     *app
	cmd   *allCmd
	rec   *recorder
	sets  *contest // over sets
	scale *contest // over sizes of one

	interrupted context.Context // ends with an interrupt, and not when time is over
}

func (r *allRun) gather(ctx context.Context) (done func(), err error) {
	// Parts show no progress of their own.
	quiet := *r.a
	quiet.terminal = false
	r.sets = &contest{a: &quiet, engineFlags: r.cmd.engineFlags, seed: r.cmd.Seed, packets: r.a.effort.packets,
		traffic: []string{"uniform", "worst"}, builds: 3, edits: r.a.effort.edits / 50, rec: r.rec}
	r.sets.measured.lookups, r.sets.measured.builds, r.sets.measured.memory = true, true, true
	r.scale = scaling(&quiet, r.cmd.engineFlags, r.cmd.Seed)
	r.scale.rec = r.rec
	if r.scale.cores, err = coresOf(nil); err != nil {
		return nil, err
	}
	// What is too much for one in one of them is in the other.
	r.sets.outgrown = map[string]error{}
	r.scale.outgrown = r.sets.outgrown
	r.sets.contestants, done, err = r.cmd.contestants(ctx, r.a, r.rec, everybody)
	r.scale.contestants = r.sets.contestants
	return done, err
}

// parts returns all that is to be measured, small sets first, so that there is
// something of everything when time runs out.
func (r *allRun) parts(sets []ruleset, scale []int) (all []part) {
	chosen := r.cmd.File != "" || len(r.cmd.Family) > 0
	contests := slices.Clone(sets)
	if !chosen && !r.cmd.Quick {
		// Families that are there with this number of rules: no error.
		hard, _ := (&setFlags{Seed: r.cmd.Seed}).sets(r.a, hardFamilies, []int{hardRules})
		contests = append(contests, hard...)
	}
	whole := int(r.a.effort.whole.Seconds())
	for _, set := range contests {
		all = append(all, part{"lookup", set, 2*whole + r.buildSeconds(set), func(ctx context.Context) error { return r.sets.over(ctx, set) }})
	}
	for _, set := range sets {
		// Three families tell what there is to tell.
		if chosen || slices.Contains(quickFamilies, set.name) {
			all = append(all, part{"update", set, 1 + whole, func(ctx context.Context) error { return r.update(ctx, set) }})
		}
	}
	all = append(all, r.scaleParts(sets, scale)...)
	if !chosen {
		all = append(all, r.iptablesPart())
	}
	slices.SortStableFunc(all, func(a, b part) int { return a.set.rules - b.set.rules })
	return all
}

// buildSeconds is the time that building and checking all contestants takes, about.
func (r *allRun) buildSeconds(set ruleset) int {
	return 1 + len(r.sets.contestants)*set.rules/20_000
}

// scaleParts returns the parts of bench scale: of fw1 where it is among the sets,
// or else of the first family, or of the file.
func (r *allRun) scaleParts(sets []ruleset, sizes []int) (all []part) {
	name := sets[0].name
	if slices.ContainsFunc(sets, func(s ruleset) bool { return s.name == "fw1" }) {
		name = "fw1"
	}
	var scale []ruleset
	if r.cmd.File != "" {
		scale = sets
	} else {
		flags := r.cmd.setFlags
		flags.Family = []string{name}
		if len(flags.Rules) == 0 {
			flags.Rules = sizes
		}
		scale, _ = flags.sets(r.a, nil, nil) // they were checked, but for sizes that the family does not have
	}
	for _, set := range scale {
		if slices.ContainsFunc(sets, func(s ruleset) bool { return s.name == set.name && s.rules == set.rules }) {
			// It is measured in the same way for lookup, build and memory: two figures
			// for one thing would tell how the machine was at two times.
			all = append(all, part{"scale", set, 1, func(context.Context) error { r.rec.again(set, "scale"); return nil }})
			continue
		}
		all = append(all, part{"scale", set, int(r.a.effort.whole.Seconds()) + r.buildSeconds(set),
			func(ctx context.Context) error { return r.scale.over(ctx, set) }})
	}
	for _, set := range onCores(scale) {
		all = append(all, part{"scale", set, 1 + int(r.a.effort.whole.Seconds())/2,
			func(ctx context.Context) error { return r.scale.throughput(ctx, set, r.scale.cores) }})
	}
	return all
}

// again files what lookup, build and memory have of a set under another command, too.
func (rec *recorder) again(set ruleset, command string) {
	from := []string{"lookup", "build", "memory"}
	metrics := []string{"lookup", "build_cpu", "build_wall", "bytes", "bytes_per_rule"}
	for _, p := range rec.run.Points {
		if p.Set == set.name && p.Rules == set.rules && slices.Contains(from, p.Command) && slices.Contains(metrics, p.Metric) {
			p.Command = command
			rec.run.Points = append(rec.run.Points, p)
		}
	}
	for _, g := range rec.run.Missing {
		if g.Set == set.name && g.Rules == set.rules && slices.Contains(from, g.Command) {
			if g.Command = command; !slices.Contains(rec.run.Missing, g) {
				rec.run.Missing = append(rec.run.Missing, g)
			}
		}
	}
}

// all measures the parts.
func (r *allRun) all(ctx context.Context, parts []part) error {
	total, done := 0, 0
	for _, p := range parts {
		total += p.weight
	}
	bar := r.a.newProgress("measuring", total)
	defer bar.done()
	r.sets.a.bar = bar // of both contests
	began := time.Now()
	missing := 0
	for i, p := range parts {
		what := p.String()
		bar.describe(what)
		err := ctx.Err()
		if err == nil {
			stop := bar.grow(done, done+p.weight)
			err = p.run(ctx)
			stop()
		}
		done += p.weight
		bar.at(done)
		if ctx.Err() != nil {
			missing++
			err = context.Cause(ctx)
		}
		if err != nil {
			g := r.rec.missing(p.gap(), err)
			if ctx.Err() == nil {
				r.a.warn("%s: not measured: %s", what, g.Why)
			}
		} else if bar == nil {
			r.a.warn("%d of %d done after %v: %s", i+1, len(parts), time.Since(began).Round(100*time.Millisecond), what)
		}
		if r.rec.err != nil {
			return r.rec.err
		}
	}
	if missing > 0 {
		r.rec.cut(ctx, missing, len(parts), parts[len(parts)-missing].String())
	}
	return nil
}

// update measures edits of a live list as bench update does.
func (r *allRun) update(ctx context.Context, set ruleset) error {
	a := *r.sets.a
	if end, ok := ctx.Deadline(); ok && a.effort.whole > 0 {
		if a.effort.whole = min(a.effort.whole, time.Until(end)); a.effort.whole < time.Second {
			return errTimeUp
		}
	}
	list, err := set.make()
	if err != nil {
		return err
	}
	cmd := &updateCmd{Seed: r.cmd.Seed}
	began := time.Now()
	t, err := updateTrace(&a, cmd, set.name, list)
	if err != nil {
		return err
	}
	res, err := update(r.interrupted, &a, cmd, set.name, list, t, began)
	if err != nil {
		return err
	}
	if res.wrong != nil {
		for _, err := range res.wrong {
			r.rec.wrong = append(r.rec.wrong, fmt.Errorf("update, %s, %d rules: %w", set.name, set.rules, err))
		}
		return errors.Join(res.wrong...)
	}
	r.rec.update(set, res)
	if res.interrupted {
		return errInterrupted
	}
	return nil
}

// update records what bench update has measured.
func (rec *recorder) update(set ruleset, res *updateResult) {
	labels := func(kind string) []label {
		return []label{{"engine", "hipac-live"}, {"set", set.name}, {"kind", kind}, {"n", set.rules}}
	}
	reached := func(p phase) bool { return !res.interrupted || res.reached >= p }
	for _, m := range []struct {
		phase        phase
		metric, unit string
		value        float64
	}{
		{edited, "insert_p50", "us", res.InsertP50}, {edited, "insert_p99", "us", res.InsertP99}, {edited, "insert_max", "us", res.InsertMax},
		{edited, "delete_p50", "us", res.DeleteP50}, {edited, "delete_p99", "us", res.DeleteP99}, {edited, "delete_max", "us", res.DeleteMax},
		{rebuilt, "rebuild", "us", res.Rebuild}, {besideEdits, "edits", "edits/s", res.Edits},
		{besideEdits, "slowdown_during", "ratio", res.SlowdownDuring}, {afterEdits, "slowdown_after", "ratio", res.SlowdownAfter}, {afterEdits, "growth_after", "ratio", res.GrowthAfter},
	} {
		if reached(m.phase) {
			rec.point(results.Point{Command: "update", Engine: "hipac-live", Title: "hipac, a list that is edited", Set: set.name, Rules: set.rules,
				Metric: m.metric, Unit: m.unit}, m.value)
		}
	}
	if reached(edited) {
		rec.line("Update", labels("insert"), len(res.insert.took), figure{1e3 * res.InsertP50, "p50-ns/op"}, figure{1e3 * res.InsertP99, "p99-ns/op"}, figure{1e3 * res.InsertMax, "max-ns/op"})
		rec.line("Update", labels("delete"), len(res.delete.took), figure{1e3 * res.DeleteP50, "p50-ns/op"}, figure{1e3 * res.DeleteP99, "p99-ns/op"}, figure{1e3 * res.DeleteMax, "max-ns/op"})
	}
	if reached(rebuilt) {
		rec.line("Update", labels("rebuild"), 1, figure{1e3 * res.Rebuild, "ns/op"})
	}
	if reached(afterEdits) {
		rec.line("Update", labels("sustained"), 1, figure{res.Edits, "edits/s"}, figure{res.SlowdownDuring, "slowdown-during"},
			figure{res.SlowdownAfter, "slowdown-after"}, figure{res.GrowthAfter, "growth-after"})
	}
}
