package main

// The command update: what an edit of a live list costs, and what edits cost
// lookups.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type updateCmd struct {
	files.RuleFlags   `group:"Rules"`
	files.PacketFlags `group:"Packets"`
	Seed              uint64 `default:"1" placeholder:"N" help:"Seed of the rules held out, of the order of edits, and of packets made from the rules (default 1)."`
	Kernel            bool   `help:"Also time a change by iptables-legacy and nft, as root, in a network namespace of its own."`
	JSON              bool   `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (updateCmd) Help() string {
	return `Rules are a native or ClassBench file, packets a ClassBench trace, CSV, pcap or
pcapng file; the formats are told from the content. Without --packets, lookups
are of 100,000 packets made from the rules.

Examples:

    bench update --rules acl1.rules
    bench update --rules acl1.rules --packets acl1.trace --json

One rule in twenty, chosen at random, is held out of the list, some that hide
others among them. The rules held out come back in random order, each at its
place, and are deleted again in another order, each in a transaction of its own,
as often as it takes for some 5,000 edits of a kind. The clock of an edit starts before
its transaction begins, and stops when a lookup has returned the answer for a
packet inside the rule: one whose answer the edit changes, where there is one. All
these answers are compared with what the rules present say, every fourth also
with the reference walk.

    insert, delete   microseconds of an edit
    edits/s          edits, one after the other, while another goroutine looks up
    during           lookups per second undisturbed, by those during 50,000 edits
                     per second
    after            after 100,000 deletes, inserts and moves at random places:
                     time of a lookup and memory, by those of the same rules in
                     hipac.NewLive, and in hipac.Build
    rebuild          a hipac.Build of all rules

Times of edits and of the rebuild are of the wall clock, and so are lookups per
second. Times of lookups after the edits are medians of nine passes over the
packets in random order, in CPU time of the thread, the three in turn in each
pass. Memory is what the heap grows by, with the list of rules, without their
conditions. Where time runs out there are fewer edits, which is said. The exit
code is 1 when an answer is wrong. At an interrupt what was measured by then is
printed, and the exit code is 1.

With --json: insert_us_p50, insert_us_p99, insert_us_max, delete_us_p50,
delete_us_p99, delete_us_max, edits_per_second, lookup_slowdown_during,
lookup_slowdown_after, memory_growth_after (these two by hipac.NewLive),
rebuild_us, lookup_slowdown_after_build and memory_growth_after_build (by
hipac.Build), edits_per_second_during (that lookup_slowdown_during was measured
beside) and cpu_slowdown_during. 1.25 means a quarter slower or larger. After an
interrupt figures may be null, and missing is an object with the reason by key.

--kernel adds what iptables-legacy -A, nft add rule and nft add element take from
their start to their end with as many rules, or elements of a set, there: simple
ones in a network namespace of its own, which takes root. In JSON that is kernel,
an object with iptables_legacy_append_us, nft_add_rule_us and nft_add_element_us,
null where skipped says why by tool.`
}

// updateResult is what the command prints.
type updateResult struct {
	InsertP50      float64 `json:"insert_us_p50"`
	InsertP99      float64 `json:"insert_us_p99"`
	InsertMax      float64 `json:"insert_us_max"`
	DeleteP50      float64 `json:"delete_us_p50"`
	DeleteP99      float64 `json:"delete_us_p99"`
	DeleteMax      float64 `json:"delete_us_max"`
	Edits          float64 `json:"edits_per_second"`
	SlowdownDuring float64 `json:"lookup_slowdown_during"`
	SlowdownAfter  float64 `json:"lookup_slowdown_after"`
	GrowthAfter    float64 `json:"memory_growth_after"`
	Rebuild        float64 `json:"rebuild_us"`

	// The same by hipac.Build, and what else the text says.
	SlowdownBuild float64 `json:"lookup_slowdown_after_build"`
	GrowthBuild   float64 `json:"memory_growth_after_build"`
	EditsDuring   float64 `json:"edits_per_second_during"`
	CPUDuring     float64 `json:"cpu_slowdown_during"`

	Kernel *kernelTimes `json:"kernel,omitempty"`

	reached                phase
	interrupted            bool
	rules                  int
	rulesName, packetsName string
	packets                int
	held, hiders           int
	insert, delete         editTimes
	sustained              sustained
	drift                  drift
	wrong                  []error
}

// phase is how far a run has come: all up to it has figures.
type phase int

const (
	rebuilt phase = iota + 1
	edited
	besideEdits
	afterEdits
)

// phaseKeys are the keys of a phase in the object that is printed.
var phaseKeys = map[phase][]string{
	rebuilt:     {"rebuild_us"},
	edited:      {"insert_us_p50", "insert_us_p99", "insert_us_max", "delete_us_p50", "delete_us_p99", "delete_us_max"},
	besideEdits: {"edits_per_second", "lookup_slowdown_during", "edits_per_second_during", "cpu_slowdown_during"},
	afterEdits:  {"lookup_slowdown_after", "memory_growth_after", "lookup_slowdown_after_build", "memory_growth_after_build"},
}

// Run measures.
func (cmd *updateCmd) Run(a *app) error {
	began := time.Now()
	if cmd.RuleFlags.Rules == "-" && cmd.Packets == "-" {
		return files.BadUsage("rules and packets cannot both be standard input")
	}
	set, _, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	var res *updateResult
	switch {
	case set.Native != nil:
		res, err = updateUntil(a, cmd, set.Name, set.Native, began)
	case set.ClassBench != nil:
		res, err = updateUntil(a, cmd, set.Name, set.ClassBench, began)
	default:
		return files.BadUsage("%s holds iptables rules, which are chains and no list", set.Name)
	}
	if err != nil {
		return err
	}
	if cmd.Kernel && !res.interrupted {
		res.Kernel = kernelChanges(res.rules, exec.LookPath)
	}
	if err := res.print(a, cmd.JSON); err != nil {
		return err
	}
	if res.interrupted {
		return errors.Join(append(res.wrong, res.ended(a.effort))...)
	}
	return errors.Join(res.wrong...)
}

// updateUntil measures a list until an interrupt, which is one of the program as
// ever while input is read.
func updateUntil[T comparable](a *app, cmd *updateCmd, name string, l *rules.List[T], began time.Time) (*updateResult, error) {
	t, err := updateTrace(a, cmd, name, l)
	if err != nil {
		return nil, err
	}
	ctx, stop := interruptible()
	defer stop()
	return update(ctx, a, cmd, name, l, t, began)
}

// updateTrace returns the packets that are looked up.
func updateTrace[T comparable](a *app, cmd *updateCmd, name string, l *rules.List[T]) (t *trace, err error) {
	if l.Len() == 0 {
		return nil, files.Error(name, errors.New("no rules, and so nothing to edit"))
	}
	if cmd.Packets == "" {
		t, err = makeTrace(l, a.effort.packets, cmd.Seed)
	} else {
		t, err = a.readTrace(&cmd.PacketFlags, l.Schema())
	}
	if err != nil {
		return nil, err
	}
	t.shuffle(cmd.Seed)
	return t, nil
}

// Shares of effort.whole by which phases end where there is more to do than time.
const (
	untilEdits     = 0.3
	untilSustained = 0.5
	untilDrift     = 0.7
	untilSettled   = 0.8
)

// budget is the time of a run.
type budget struct {
	ctx   context.Context // with its end the time is over
	began time.Time
	whole time.Duration // 0: no limit
}

func (b budget) interrupted() bool { return b.ctx.Err() != nil }

// over reports whether the share of the time is over.
func (b budget) over(share float64) bool {
	return b.interrupted() || b.whole > 0 && b.left(share) <= 0
}

// left returns what is left of the share of the time, 0 at least.
func (b budget) left(share float64) time.Duration {
	if b.interrupted() {
		return 0
	}
	return max(0, time.Duration(share*float64(b.whole))-time.Since(b.began))
}

// update measures a list until the context ends.
func update[T comparable](ctx context.Context, a *app, cmd *updateCmd, name string, l *rules.List[T], t *trace, began time.Time) (*updateResult, error) {
	b := budget{ctx, began, a.effort.whole}
	res := &updateResult{rules: l.Len(), rulesName: name, packets: t.n, packetsName: t.name}
	err := measurePhases(res, a, b, cmd.Seed, l, t)
	res.interrupted = res.reached < afterEdits && b.interrupted()
	if err != nil && !res.interrupted {
		return nil, files.Error(name, err)
	}
	res.figures()
	return res, nil
}

// measurePhases measures phase by phase. A phase is reached when it has figures.
func measurePhases[T comparable](res *updateResult, a *app, b budget, seed uint64, l *rules.List[T], t *trace) error {
	full, took, err := rebuild(b.ctx, a, l)
	if err != nil {
		return err
	}
	res.Rebuild, res.reached = micros(took), rebuilt
	h, err := holdOut(b.ctx, l, full, seed)
	if err != nil {
		return err
	}
	res.held, res.hiders = len(h.held), h.hiders

	full = nil // the garbage collector looks at no more than a program has

	idle := runtime.NumGoroutine()
	live, err := hipac.NewLive(b.ctx, h.base, nil)
	if err != nil {
		return err
	}
	x := &toggler[T]{heldOut: h, live: live, in: make([]bool, len(h.held)), r: rand.New(rand.NewPCG(seed, 2))}
	bar := a.newProgress("editing", editsOfAKind(len(h.held), a.effort))
	res.insert, res.delete, err = x.measure(a, b, bar.at)
	bar.done()
	if err != nil {
		return err
	}
	res.reached = edited
	if b.interrupted() {
		return nil
	}
	settle(live, idle, 0, b, untilEdits)
	bar = a.newProgress("looking up", passes)
	res.sustained, err = sustain(x, a, b, t, idle, bar.at)
	bar.done()
	if err != nil {
		return err
	}
	if res.sustained.rounds > 0 {
		res.reached = besideEdits
	}
	if b.interrupted() {
		return nil
	}
	settle(live, idle, 0, b, untilSustained)
	bar = a.newProgress("editing on", a.effort.edits)
	res.drift, err = wander(x, a, b, t, idle, bar.at)
	bar.done()
	if err == nil && !res.drift.interrupted {
		res.reached = afterEdits
	}
	return err
}

// rebuild builds all rules up to three times, and returns the classifier and the
// median of the wall-clock times.
func rebuild[T comparable](ctx context.Context, a *app, l *rules.List[T]) (c *hipac.Classifier[T], took time.Duration, err error) {
	var all []time.Duration
	for began := time.Now(); len(all) == 0 || len(all) < 3 && time.Since(began) < a.effort.build; {
		runtime.GC()
		start := time.Now()
		if c, err = hipac.Build(ctx, l, options(pathTree)); err != nil {
			return nil, 0, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return c, all[len(all)/2], nil
}

// settle waits until work in the background has ended: until there have been as
// many goroutines as there were without, and the same version, for a time.
func settle[T any](live *hipac.Live[T], idle int, quiet time.Duration, b budget, share float64) bool {
	const least = time.Second
	end := time.Now().Add(max(least, quiet+b.left(share)))
	version, since := live.Snapshot(), time.Now()
	for {
		now := time.Now()
		if v := live.Snapshot(); v != version || runtime.NumGoroutine() > idle {
			version, since = v, now
		} else if now.Sub(since) >= quiet {
			return true
		}
		if now.After(end) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
}

// figures works out what is printed.
func (r *updateResult) figures() {
	r.InsertP50, r.InsertP99, r.InsertMax = quantile(r.insert.took, 0.5), quantile(r.insert.took, 0.99), quantile(r.insert.took, 1)
	r.DeleteP50, r.DeleteP99, r.DeleteMax = quantile(r.delete.took, 0.5), quantile(r.delete.took, 0.99), quantile(r.delete.took, 1)
	s, d := &r.sustained, &r.drift
	r.Edits = round(s.flat.editsPerSecond(), 1)
	r.SlowdownDuring = ratio(s.alone.lookupsPerSecond(), s.paced.lookupsPerSecond())
	r.SlowdownAfter = ratio(d.live.ns, d.fresh.ns)
	r.GrowthAfter = ratio(float64(d.live.bytes), float64(d.fresh.bytes))
	r.SlowdownBuild = ratio(d.live.ns, d.build.ns)
	r.GrowthBuild = ratio(float64(d.live.bytes), float64(d.build.bytes))
	r.EditsDuring = round(s.paced.editsPerSecond(), 1)
	r.CPUDuring = ratio(s.paced.nanosecondsOfCPU(), s.alone.nanosecondsOfCPU())
	for _, c := range []struct {
		what  string
		wrong int
		of    int
	}{
		{"inserting", r.insert.wrong, len(r.insert.took)},
		{"deleting", r.delete.wrong, len(r.delete.took)},
		{"edits beside lookups", s.wrong, s.checked},
		{"random edits", d.wrong, d.checked},
	} {
		if c.wrong > 0 {
			r.wrong = append(r.wrong, fmt.Errorf("wrong answers: after %s, %d of %d", c.what, c.wrong, c.of))
		}
	}
	if d.misplaced > 0 {
		r.wrong = append(r.wrong, fmt.Errorf("wrong places: after random edits %d rules are not where they were put", d.misplaced))
	}
}

// ratio returns a/b, 0 where nothing was measured.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return round(a/b, 4)
}
