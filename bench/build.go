package main

// The command build: the time that contestants take to build, and ours by the
// number of workers.

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type buildCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	Workers     []int `placeholder:"LIST" help:"Numbers of workers of hipac's build, with commas between them (default 1, 2, 4 and so on to the number of cores)."`
	Rounds      int   `default:"3" placeholder:"N" help:"Builds of each (default 3); fewer of those that take longer than a second."`
	JSON        bool  `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (buildCmd) Help() string {
	return `Time from rules in memory to an engine that answers, by contestants:

` + contestantsHelp + `
Examples:

    bench build --family fw1 --rules 1000,10000,100000
    bench build --family acl1 --rules 1000000 --engines hipac --workers 1,2,4,8
    bench build --file office.rules --no-peers --json

Without --family and --rules that is fw1 with 1,000, 10,000 and 100,000 rules. A
build by hipac uses more than one worker for 50,000 rules and more.

` + contestHelp + `
Printed are lines of Go's benchmark format, BenchmarkBuild, one for each build,
with the time of the clock (ns/op) and of all processors (cpu-ns/op); where the
number of workers was chosen, the name has it. With --json: machine, commands,
points and missing, as package bench/result describes.`
}

// Run measures.
func (cmd *buildCmd) Run(a *app) error {
	sets, err := cmd.sets(a, []string{"fw1"}, []int{1000, 10_000, 100_000})
	if err != nil {
		return err
	}
	if cmd.Rounds < 1 || cmd.Rounds > 1000 {
		return files.BadUsage("--rounds %d: not in 1..1000", cmd.Rounds)
	}
	for _, w := range cmd.Workers {
		if w < 1 || w > 256 {
			return files.BadUsage("--workers %d: not in 1..256", w)
		}
	}
	m := &contest{a: a, engineFlags: cmd.engineFlags, seed: cmd.Seed, packets: min(a.effort.packets, 10_000), traffic: []string{"uniform"},
		builds: cmd.Rounds, workers: once(cmd.Workers)}
	if m.workers == nil {
		m.workers = doubling(runtime.GOMAXPROCS(0))
	}
	m.measured.builds = true
	return m.run(cmd.JSON, sets)
}

// doubling returns 1, 2, 4 and so on, and n at the end.
func doubling(n int) (list []int) {
	for i := 1; i < n; i *= 2 {
		list = append(list, i)
	}
	return append(list, n)
}

// withWorkers returns contestants that are hipac with so many workers, where
// hipac is one of those given.
func withWorkers(all []compare.Contestant, workers []int) map[int]compare.Contestant {
	if !slices.ContainsFunc(all, func(c compare.Contestant) bool { return c.About().Name == "hipac" }) {
		return nil
	}
	list := map[int]compare.Contestant{}
	for _, w := range workers {
		list[w] = compare.Local(&compare.Maker{Name: "hipac", Title: fmt.Sprintf("hipac, %d workers", w), Source: "this project",
			Make: func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
				return compare.BuildOwn(ctx, l, &hipac.Options{FirstMatchOnly: true, MemoryLimit: bytes, Workers: w})
			}})
	}
	return list
}
