package main

// A contest: contestants over one set of rules. Each is built, its answers are
// held against the reference walk, and then all are timed in turn, nine rounds of
// them, so that they are compared in the same minutes. What one of them cannot do
// is a gap with the reason, and the others go on.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules"
)

// contest is what contests over several sets have in common. It is for one
// goroutine.
type contest struct {
	a   *app
	rec *recorder
	engineFlags
	contestants []compare.Contestant
	seed        uint64
	packets     int
	traffic     []string // of lookups, the first one also for checks
	edits       int      // that are timed of each kind; 0 for none
	builds      int      // times that each is built, or fewer when that takes long
	workers     []int    // of our builds that are timed beside
	cores       []int    // on which lookups share a classifier, in the end; nil for none
	// What is recorded. Without lookups and edits no more than one contestant is
	// in memory at a time.
	measured struct{ lookups, builds, memory bool }
	// command is what all points and gaps are filed under; "" for lookup, build,
	// memory and update, by what they are about.
	command string

	// outgrown is why an entrant is not tried with more rules of a family.
	outgrown map[string]error
}

func (m *contest) filed(command string) string {
	if m.command != "" {
		return m.command
	}
	return command
}

// main is the command that gaps are filed under.
func (m *contest) main() string {
	switch {
	case m.measured.lookups:
		return m.filed("lookup")
	case m.measured.builds:
		return m.filed("build")
	}
	return m.filed("memory")
}

// meeting is a contest over one set.
type meeting struct {
	*contest
	ctx      context.Context
	set      ruleset
	list     *rules.List[string]
	trace    *trace
	want     *compare.Want
	entrants []*entrant
	// Answers of the first contestant that was right where it was checked, for the
	// packets behind those that were walked for.
	others   []int32
	othersBy *entrant
	// different is the number of different packets of the trace.
	different int
}

// entrant is a contestant at a meeting.
type entrant struct {
	compare.Contestant
	about   compare.About
	workers int // that were chosen; 0 for none
	built   []compare.Built
	spent   time.Duration // on builds
	out     bool
}

func (e *entrant) name() string { return e.about.Name }

// with says in front of a reason which number of workers it is about, if any was
// chosen.
func (e *entrant) with(err error) error {
	switch e.workers {
	case 0:
		return err
	case 1:
		return fmt.Errorf("with 1 worker, %w", err)
	}
	return fmt.Errorf("with %d workers, %w", e.workers, err)
}

// Reasons why something is not measured.
var (
	errTimeUp = errors.New("time ran out")
	errHeld   = errors.New("not tried")
	errFew    = errors.New("it can be asked about too few of the packets")
)

// over holds the contest over a set. What fails of a contestant is recorded; the
// error is one of the set.
func (m *contest) over(ctx context.Context, set ruleset) error {
	list, err := set.make()
	if err != nil {
		return err
	}
	g := &meeting{contest: m, ctx: ctx, set: set, list: list}
	var all []*entrant
	for _, c := range m.contestants {
		all = append(all, &entrant{Contestant: c, about: c.About()})
	}
	more := withWorkers(m.contestants, m.workers)
	for _, w := range m.workers {
		if c := more[w]; c != nil {
			all = append(all, &entrant{Contestant: c, about: c.About(), workers: w})
		}
	}
	for _, e := range all {
		if why := m.outgrown[g.growth(e)]; why != nil {
			g.gap(m.main(), e, fmt.Errorf("%w: %w", errHeld, why))
			continue
		}
		g.entrants = append(g.entrants, e)
	}
	defer func() {
		for _, e := range g.entrants {
			e.Close()
		}
	}()
	if err := g.draw(m.traffic[0]); err != nil {
		return err
	}
	g.build()
	if m.measured.lookups {
		g.timeLookups(m.traffic[0], g.present())
		for _, t := range m.traffic[1:] {
			if ctx.Err() == nil { // or else that all is missing is said elsewhere
				g.again(t)
			}
		}
	}
	if m.edits > 0 && ctx.Err() == nil {
		g.editAll()
	}
	return nil
}

// present returns the entrants that are still there.
func (g *meeting) present() []*entrant {
	return slices.DeleteFunc(slices.Clone(g.entrants), func(e *entrant) bool { return e.out })
}

// growth is the key of outgrown for an entrant.
func (g *meeting) growth(e *entrant) string {
	return fmt.Sprint(g.set.name, " ", e.name(), " ", e.workers)
}

// gap records what is not measured of an entrant. A reason that holds whatever the
// number of workers is told once.
func (g *meeting) gap(command string, e *entrant, err error) {
	gap := results.Gap{Command: command, Engine: e.name(), Set: g.set.name, Rules: g.set.rules}
	if g.rec.has(gap, err) {
		return
	}
	g.rec.gap(g.ctx, gap, e.with(err))
}

// drop records why an entrant is not measured any further.
func (g *meeting) drop(e *entrant, err error) {
	g.gap(g.main(), e, err)
	e.out = true
	e.Close()
}

// walkTime is the time of the reference walk for a rule, about, and mostWalk that of
// all walks of a set on one core.
const (
	walkTime = 20 * time.Nanosecond
	mostWalk = 5 * time.Second
)

// draw makes the packets of a traffic, and walks for those that are checked.
func (g *meeting) draw(name string) (err error) {
	if g.trace, err = traffic(g.list, name, g.packets, g.seed); err != nil {
		return err
	}
	g.different = g.trace.different()
	n := min(g.Check, g.trace.n, max(100, int(mostWalk/walkTime)/max(1, g.list.Len())))
	bar := g.a.newProgress("walking", n)
	defer bar.done()
	g.others, g.othersBy = nil, nil
	g.want, err = compare.Linear(g.ctx, g.list, g.trace.words, n, bar.at)
	return err
}

// limit returns the bytes that a contestant may take.
func (g *meeting) limit() int64 {
	limit := int64(g.megabytes()) << 20
	if n, ok := availableMemory(); ok {
		limit = min(limit, max(1<<20, n/3))
	}
	return limit
}

// build builds all, several times in turn, and checks their answers.
func (g *meeting) build() {
	bar := g.a.newProgress(fmt.Sprintf("building for %s, %d rules", g.set.name, g.set.rules), g.builds*len(g.entrants))
	defer bar.done()
	keep := g.measured.lookups || g.edits > 0
	for round := range g.builds {
		for i, e := range g.entrants {
			bar.at(round*len(g.entrants) + i)
			if e.out || round > 0 && (e.spent > g.a.effort.build || g.ctx.Err() != nil) {
				continue
			}
			if err := g.load(e); err != nil {
				g.drop(e, err)
				debug.FreeOSMemory() // what it has given up is there for the next one
				continue
			}
			err := g.check(e, round == 0)
			if err != nil {
				g.drop(e, err)
				continue
			}
			if !keep {
				e.Close()
			}
		}
	}
	for _, e := range g.present() {
		g.recordBuild(e)
	}
}

// load builds one.
func (g *meeting) load(e *entrant) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.byClock())
	defer cancel()
	start := time.Now()
	b, err := e.Load(compare.WithCPU(ctx, g.Timeout), g.list, g.limit())
	if err == nil {
		e.built = append(e.built, b)
		e.spent += time.Since(start)
		return nil
	}
	slow := true
	switch {
	case errors.Is(err, compare.ErrCPU):
		err = fmt.Errorf("its build takes longer than %v of CPU time", g.Timeout)
	case g.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("its build takes longer than %v by the clock", g.byClock())
	default:
		slow = false
	}
	if slow || errors.Is(err, compare.ErrMemory) {
		g.outgrown[g.growth(e)] = fmt.Errorf("with %d rules, %s", g.set.rules, withoutName(err, e.name()))
	}
	return err
}

// otherTime is the time for which answers beyond those that were walked for are
// compared, for each contestant.
const otherTime = time.Second

// check gives an entrant the packets and, when it is the first time, compares its
// answers with those of the walk and, for as many packets more as there is time
// for, with those of another that was right so far: where the two differ, the walk
// decides.
func (g *meeting) check(e *entrant, first bool) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.byClock())
	defer cancel()
	if !first {
		_, err := e.Keys(ctx, g.trace.words)
		return g.patience(err)
	}
	c, err := g.want.Check(ctx, e.Contestant)
	if err == nil {
		err = c.Err()
	}
	if err != nil {
		return g.patience(err)
	}
	if c.NotAsked > g.trace.n/2 {
		return fmt.Errorf("%w: %d of %d", errFew, g.trace.n-c.NotAsked, g.trace.n)
	}
	if c.NotAsked > 0 {
		g.a.warn("%s, %s, %d rules: it cannot be asked about %d of %d packets, and others take their places",
			e.name(), g.set.name, g.set.rules, c.NotAsked, g.trace.n)
	}
	walked := g.want.Len()
	n := walked + len(g.others)
	if g.othersBy == nil && !e.about.VerdictOnly && c.NotAsked == 0 {
		g.othersBy, n = e, g.trace.n
	}
	began := time.Now()
	got := make([]int32, 256)
	for from := walked; from < n && time.Since(began) < otherTime; from += len(got) {
		got = got[:min(len(got), n-from)]
		if err := e.Answers(ctx, from, got); err != nil {
			return g.patience(err)
		}
		if g.othersBy == e {
			g.others = append(g.others, got...)
		} else {
			g.compare(e, from, got, &c)
		}
	}
	return c.Err()
}

// compare compares answers for packets from a number on with those of the other.
func (g *meeting) compare(e *entrant, from int, got []int32, c *compare.Checked) {
	for i, answer := range got {
		other := &g.others[from+i-g.want.Len()]
		said := *other
		if e.about.VerdictOnly {
			said = compare.Verdict(g.list, said)
		}
		if answer == compare.NotAsked || answer == said {
			continue
		}
		right := int32(-1)
		if at, ok := g.list.First(g.trace.key(from + i)); ok {
			right = int32(at)
		}
		if *other != right {
			wrong := compare.Checked{Packets: from + i + 1, Wrong: 1, First: g.want.Mismatch(from+i, *other, right, false)}
			*other = right
			if !g.othersBy.out {
				g.drop(g.othersBy, wrong.Err())
			}
		}
		if e.about.VerdictOnly {
			right = compare.Verdict(g.list, right)
		}
		if answer != right {
			if c.Wrong++; c.First == nil {
				c.First = g.want.Mismatch(from+i, answer, right, e.about.VerdictOnly)
			}
		}
	}
	c.Packets += len(got)
}

// clockFactor is the time by the clock that a contestant may take for one of
// CPU time: others use the machine, too, and one that hangs takes no CPU time.
const clockFactor = 5

// byClock returns the time by the clock after which a contestant is given up.
func (g *meeting) byClock() time.Duration {
	return clockFactor * min(g.Timeout, math.MaxInt64/clockFactor)
}

// patience gives an error of a call that took too long its reason.
func (g *meeting) patience(err error) error {
	if err != nil && g.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", g.byClock())
	}
	return err
}

// timeLookups times the lookups of some, in turn.
func (g *meeting) timeLookups(name string, all []*entrant) {
	if len(all) == 0 {
		return
	}
	// What allocates comes last.
	slices.SortStableFunc(all, func(a, b *entrant) int {
		return boolInt(a.name() == slowName) - boolInt(b.name() == slowName)
	})
	var list []*timed
	for _, e := range all {
		list = append(list, &timed{group: e.name(), garbage: e.name() == slowName, ask: func(from, to, repeat int) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(g.ctx, g.byClock())
			defer cancel()
			took, err := e.Pass(ctx, from, to, repeat)
			return took, g.patience(err)
		}})
	}
	effort := g.a.effort
	if effort.whole > 0 {
		// For each the runs of its passes, a warm-up before each, and those to calibrate.
		each := effort.whole / time.Duration((2*passes+2)*len(all))
		effort.most, effort.warm = max(effort.most/10, min(effort.most, each)), min(effort.warm, each)
	}
	bar := g.a.newProgress(fmt.Sprintf("timing %s, %d rules", g.set.name, g.set.rules), passes)
	measure(g.ctx, list, g.trace.n, effort, bar.at)
	bar.done()
	for i, e := range all {
		t := list[i]
		// Rounds that were done count, when it was the time of all that ran out.
		if cut := g.ctx.Err() != nil; cut && len(t.ns) < leastPasses || !cut && t.err != nil {
			g.gap(g.filed("lookup"), e, cmp.Or(t.err, g.ctx.Err()))
			e.out = e.out || !cut
			continue
		}
		g.recordLookups(e, name, t)
	}
}

// again times lookups of other packets, checked as the first ones were.
func (g *meeting) again(name string) {
	err := g.draw(name)
	var ready []*entrant
	for _, e := range g.present() {
		why := err
		if why == nil {
			why = g.check(e, true)
		}
		switch {
		case why == nil:
			ready = append(ready, e)
		case err != nil || errors.Is(why, errFew):
			g.gap(g.filed("lookup"), e, why)
		default:
			g.drop(e, why)
		}
	}
	// One may have been found wrong by a later one.
	ready = slices.DeleteFunc(ready, func(e *entrant) bool { return e.out })
	g.timeLookups(name, ready)
}

// point returns a point of the set.
func (g *meeting) point(command string, e *entrant, metric, unit string) results.Point {
	return results.Point{Command: g.filed(command), Engine: e.name(), Title: e.about.Title, Cores: e.workers, Set: g.set.name, Rules: g.set.rules, Metric: metric, Unit: unit}
}

// labels are those of the lines of an entrant.
func (g *meeting) labels(e *entrant, more ...label) []label {
	return append(append([]label{{"engine", e.name()}, {"set", g.set.name}}, more...), label{"n", g.set.rules})
}

func (g *meeting) recordLookups(e *entrant, traffic string, t *timed) {
	p := g.point("lookup", e, trafficMetric(traffic), "ns")
	p.Packets, p.Different = g.trace.n, g.different
	g.rec.point(p, t.ns...)
	var more []label
	if len(g.traffic) > 1 || traffic != "uniform" {
		more = []label{{"traffic", traffic}}
	}
	for _, ns := range t.ns {
		g.rec.line(g.title("Lookup"), g.labels(e, more...), t.packets*t.repeat, figure{ns, "ns/op"})
	}
}

func (g *meeting) recordBuild(e *entrant) {
	if len(e.built) == 0 {
		return
	}
	var cpu, wall []float64
	for _, b := range e.built {
		cpu, wall = append(cpu, b.CPU.Seconds()), append(wall, b.Wall.Seconds())
		if g.measured.builds {
			var more []label
			if e.workers > 0 {
				more = []label{{"workers", e.workers}}
			}
			g.rec.line(g.title("Build"), g.labels(e, more...), 1, figure{float64(b.Wall.Nanoseconds()), "ns/op"}, figure{float64(b.CPU.Nanoseconds()), "cpu-ns/op"})
		}
	}
	if g.measured.builds {
		g.rec.point(g.point("build", e, "build_cpu", "s"), cpu...)
		g.rec.point(g.point("build", e, "build_wall", "s"), wall...)
	}
	if g.measured.memory && e.workers == 0 {
		n := float64(e.built[len(e.built)-1].Bytes)
		g.rec.point(g.point("memory", e, "bytes", "bytes"), n)
		g.rec.point(g.point("memory", e, "bytes_per_rule", "bytes/rule"), n/float64(g.set.rules))
		g.rec.line(g.title("Memory"), g.labels(e), 1, figure{n, "B"}, figure{n / float64(g.set.rules), "B/rule"})
	}
}

// title is the name of a benchmark.
func (g *meeting) title(name string) string {
	if g.command == "scale" {
		return "Scale" + name
	}
	return name
}

// editAll times the edits of all that can be edited.
func (g *meeting) editAll() {
	for _, e := range g.present() {
		if len(e.built) == 0 || !e.built[len(e.built)-1].Updates {
			continue
		}
		if err := g.edit(e); err != nil {
			g.gap(g.filed("update"), e, err)
		}
	}
	runtime.GC() // what edits have left
}
