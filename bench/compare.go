package main

// The command compare: lookups of contestants of any origin over the same sets of
// rules, sizes and packets.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules/files"
)

type compareCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	Traffic     []string `default:"uniform" placeholder:"LIST" help:"Packets to look up, with commas between them: uniform (the default), zipf, misses, worst."`
	Packets     *int     `placeholder:"N" help:"Number of packets (default 100000)."`
	Edits       int      `placeholder:"N" help:"Time so many edits of each kind, too, of contestants whose rules can be edited (default 0: none)."`
	JSON        bool     `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (compareCmd) Help() string {
	return `Sets of rules, made by the generator or read from a file, by contestants:

` + contestantsHelp + `
Examples:

    bench compare --family fw1 --rules 1000,10000,100000
    bench compare --family acl1,ipc1 --rules 10000 --engines hipac,tuplemerge
    bench compare --file office.rules --no-peers --traffic uniform,worst --json
    bench compare > old.txt; ...; bench compare > new.txt; benchstat old.txt new.txt
    bench compare --rules 10000 > all.txt; benchstat -col /engine all.txt

Without --family and --rules that is fw1 with 1,000, 10,000 and 100,000 rules.
Traffic is uniform (packets inside random rules), zipf (few flows, the k-th as
often as 1/k), misses (packets that no rule decides, or none but a last one for
every packet) and worst (those that cost our tree most, found by climbing; up to
100,000 different ones, which may differ in little). The JSON says how many are different.

` + contestHelp + `
Printed are lines of Go's benchmark format, one for each round: BenchmarkLookup
with the time of a lookup; BenchmarkMemory with bytes and bytes a rule; with
--edits BenchmarkEdit with CPU time of a deletion and of an insertion, which
makes 64 deletions and then 64 insertions by turns. With --json: machine,
commands, settings, engines, points and missing, as package bench/result describes.`
}

const contestantsHelp = `    hipac, hipac-batch       the compiled tree, a packet at a time, or 64
    hipac-live               the same as a list that can be edited
    hipac-index              the field index; only when it is named
    linear                   a walk along the rules, packed into flat arrays
    tuplespace, tuplemerge, partitionsort, bitvector, abv, dimtree
                             the other textbook ones
    peers of other projects  from the module bench/peers, each in a process of
                             its own, where the go command can build it
`

const contestHelp = `Answers are compared with those of a reference, the plain walk along the list as it
was read, before anything is timed, and as far as there is time for with one another
beyond that; one that answers wrongly is reported and not timed, and makes the exit
code 1, as does an interrupt, or that nothing could be measured. One that is not there, cannot
say a rule, or takes too long or too much memory is reported with the reason, on
stderr and in the JSON; with more rules of that family it is not tried again.
Times are CPU times of the thread (of the clock where the system has none), in
nine rounds in which all take their turn; slow ones take part of the packets in
each. What a single edit takes is less what reading the clock takes, measured
right before, and never below 0. Builds are timed in CPU time of all threads and by the clock. Memory is what the
engine says that it takes, or else what the heap grows by.
`

// Run measures.
func (cmd *compareCmd) Run(a *app) error {
	sets, err := cmd.sets(a, []string{"fw1"}, []int{1000, 10_000, 100_000})
	if err != nil {
		return err
	}
	packets, err := packetsOf(a, cmd.Packets)
	if err != nil {
		return err
	}
	if cmd.Edits < 0 || cmd.Edits > 1<<24 {
		return files.BadUsage("--edits %d: not in 0..%d", cmd.Edits, 1<<24)
	}
	if err := checkTraffic(cmd.Traffic); err != nil {
		return err
	}
	m := &contest{a: a, engineFlags: cmd.engineFlags, seed: cmd.Seed, packets: packets, traffic: once(cmd.Traffic), edits: cmd.Edits, builds: 1}
	m.measured.lookups, m.measured.memory = true, true
	return m.run(cmd.JSON, sets)
}

// checkTraffic checks names of traffic.
func checkTraffic(names []string) error {
	for _, name := range names {
		if !slices.Contains(trafficNames, name) {
			return files.BadUsage("--traffic: there is no %q; choose from %s", name, strings.Join(trafficNames, ","))
		}
	}
	return nil
}

// packetsOf checks a number of packets; nil is as many as are made elsewhere.
func packetsOf(a *app, n *int) (int, error) {
	const most = 10_000_000
	switch {
	case n == nil:
		return a.effort.packets, nil
	case *n < 1 || *n > most:
		return 0, files.BadUsage("--packets %d: not in 1..%d", *n, most)
	}
	return *n, nil
}

// everybody stands for all contestants in gaps.
const everybody = "all"

// run holds the contest over all sets, and prints what it came to. A set that
// cannot be had is a gap, unless it is the only one.
func (m *contest) run(asJSON bool, sets []ruleset) error {
	ctx, rec, stop := m.a.recording(asJSON)
	defer stop()
	m.rec = rec
	rec.run.Settings = m.settings(sets)
	done, err := m.gather(ctx)
	if err != nil && ctx.Err() == nil {
		return err
	}
	defer done()
	parts := m.parts(sets)
	for i, p := range parts {
		err := ctx.Err()
		if err == nil {
			err = p.run(ctx)
		}
		if ctx.Err() != nil {
			for _, p := range parts[i:] {
				rec.missing(p.gap(), context.Cause(ctx))
			}
			rec.cut(ctx, len(parts)-i, len(parts), parts[i].String())
			break
		}
		switch {
		case err != nil && len(sets) == 1:
			return fmt.Errorf("%s, %d rules: %w", p.set.name, p.set.rules, err)
		case err != nil:
			rec.gap(ctx, p.gap(), err)
		}
	}
	return rec.end()
}

// parts returns what is to be measured: the sets, and some of them on several cores.
func (m *contest) parts(sets []ruleset) (all []part) {
	for _, set := range sets {
		all = append(all, part{command: m.main(), set: set, run: func(ctx context.Context) error { return m.over(ctx, set) }})
	}
	if m.cores != nil {
		for _, set := range onCores(sets) {
			all = append(all, part{command: m.main(), set: set, run: func(ctx context.Context) error { return m.throughput(ctx, set, m.cores) }})
		}
	}
	return all
}

// settings returns what a run over the sets depends on.
func (m *contest) settings(sets []ruleset) *results.Settings {
	s := &results.Settings{Seed: m.seed, Packets: m.packets, Clock: compare.Clock, Timeout: m.Timeout.Seconds(), Memory: int64(m.megabytes()) << 20}
	if len(sets) > 0 {
		s.Family = sets[0].family
	}
	return s
}

// gather finds the contestants; done removes what was built for them.
func (m *contest) gather(ctx context.Context) (done func(), err error) {
	m.outgrown = map[string]error{}
	m.contestants, done, err = m.engineFlags.contestants(ctx, m.a, m.rec, m.main())
	return done, err
}
