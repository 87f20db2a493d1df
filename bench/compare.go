package main

// The command compare: lookups of contestants of any origin over the same sets of
// rules, sizes and packets.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules/files"
)

type compareCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	Traffic     []string `default:"uniform" placeholder:"LIST" help:"Packets to look up, with commas between them: uniform (the default), zipf, misses, worst."`
	Packets     int      `placeholder:"N" help:"Number of packets (default 100000)."`
	Edits       int      `placeholder:"N" help:"Time so many edits of each kind, too, of contestants whose rules can be edited."`
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
every packet) and worst (those that cost our tree most, found by climbing).

` + contestHelp + `
Printed are lines of Go's benchmark format, one for each round: BenchmarkLookup
with the time of a lookup; BenchmarkMemory with bytes and bytes a rule; with
--edits BenchmarkEdit with CPU time of a deletion and of an insertion, which
makes 64 deletions and then 64 insertions by turns. With --json: machine,
commands, points and missing, as package bench/result describes.`
}

const contestantsHelp = `    hipac, hipac-batch       the compiled tree, a packet at a time, or 64
    hipac-live               the same as a list that can be edited
    hipac-index              the field index; only when it is named
    linear, tuplespace, tuplemerge, partitionsort, bitvector, abv, dimtree
                             the textbook ones
    peers of other projects  from the module bench/peers, each in a process of
                             its own, where the go command can build it
`

const contestHelp = `Answers are compared with the linear walk before anything is timed, and as far as
there is time for with one another beyond that; one that answers wrongly is
reported and not timed, and makes the exit code 1. One that is not there, cannot
say a rule, or takes too long or too much memory is reported with the reason, on
stderr and in the JSON; with more rules of that family it is not tried again.
Times are CPU times of the thread (of the clock where the system has none), in
nine rounds in which all take their turn; slow ones take part of the packets in
each. Builds are timed in CPU time of all threads and by the clock. Memory is what the
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
	m := &contest{a: a, engineFlags: cmd.engineFlags, seed: cmd.Seed, packets: packets, traffic: cmd.Traffic, edits: cmd.Edits, builds: 1}
	m.measured.lookups, m.measured.memory = true, true
	return m.run(context.Background(), cmd.JSON, sets)
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

// packetsOf checks a number of packets; 0 is as many as are made elsewhere.
func packetsOf(a *app, n int) (int, error) {
	const most = 10_000_000
	switch {
	case n == 0:
		return a.effort.packets, nil
	case n < 0 || n > most:
		return 0, files.BadUsage("--packets %d: not in 1..%d", n, most)
	}
	return n, nil
}

// everybody stands for all contestants in gaps.
const everybody = "all"

// run holds the contest over all sets, and prints what it came to. A set that
// cannot be had is a gap, unless it is the only one.
func (m *contest) run(ctx context.Context, asJSON bool, sets []ruleset) error {
	m.rec = m.a.newRecorder(asJSON)
	done, err := m.gather(ctx)
	if err != nil {
		return err
	}
	defer done()
	for _, set := range sets {
		if err := m.tolerate(m.over(ctx, set), set, len(sets)); err != nil {
			return err
		}
	}
	if m.cores != nil {
		chosen := onCores(sets)
		for _, set := range chosen {
			if err := m.tolerate(m.throughput(ctx, set, m.cores), set, len(chosen)); err != nil {
				return err
			}
		}
	}
	return m.rec.end()
}

// tolerate makes an error of a set a gap, where there are several.
func (m *contest) tolerate(err error, set ruleset, of int) error {
	if err == nil {
		return nil
	}
	if of == 1 {
		return fmt.Errorf("%s, %d rules: %w", set.name, set.rules, err)
	}
	m.rec.gap(results.Gap{Command: m.main(), Engine: everybody, Set: set.name, Rules: set.rules}, err)
	return nil
}

// gather finds the contestants; done removes what was built for them.
func (m *contest) gather(ctx context.Context) (done func(), err error) {
	m.outgrown = map[string]error{}
	m.contestants, done, err = m.engineFlags.contestants(ctx, m.a, m.rec, m.main())
	return done, err
}
