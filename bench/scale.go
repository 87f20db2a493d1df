package main

// The command scale: how time and memory grow with the number of rules, and
// lookups with the number of cores.

import (
	"github.com/hipac-go/classifier/rules/files"
)

type scaleCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	Cores       []int `placeholder:"LIST" help:"Numbers of goroutines that share a classifier, with commas between them (default 1, 2, 4 and so on to the number of cores)."`
	JSON        bool  `name:"json" help:"Print one JSON object."`
}

// scaleSizes are the sizes where none are given.
var scaleSizes = []int{100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000}

// sharedRules is the size, at most, of the set on which several cores look up.
const sharedRules = 100_000

// Help is shown in front of the flags.
func (scaleCmd) Help() string {
	return `Time of a lookup, memory and time of a build against the number of rules, and
lookups a second against the number of cores, by contestants:

` + contestantsHelp + `
Examples:

    bench scale
    bench scale --family acl1 --rules 1000,10000,100000 --engines hipac,linear
    bench scale --engines hipac,hipac-batch --cores 1,2,3,4 --json

Without --family and --rules that is fw1 with 100, 300, 1,000 and so on to
1,000,000 rules. On several cores goroutines share one hipac, hipac-batch or
hipac-live, in the largest set up to 100,000 rules; that is measured by the clock
(lookups/s) and by the CPU time of each (lookups/cpu-s), which is what they would
do with cores of their own where others use the machine too.

` + contestHelp + `
Printed are lines of Go's benchmark format: BenchmarkScaleLookup, BenchmarkScaleBuild,
BenchmarkScaleMemory and, with cores in the name, BenchmarkThroughput. With --json:
machine, commands, settings, engines, points and missing, as package bench/result describes.`
}

// Run measures.
func (cmd *scaleCmd) Run(a *app) error {
	sets, err := cmd.sets(a, []string{"fw1"}, scaleSizes)
	if err != nil {
		return err
	}
	cores, err := coresOf(cmd.Cores)
	if err != nil {
		return files.BadUsage("%v", err)
	}
	m := scaling(a, cmd.engineFlags, cmd.Seed)
	m.cores = cores
	return m.run(cmd.JSON, sets)
}

// scaling returns the contest of the command.
func scaling(a *app, flags engineFlags, seed uint64) *contest {
	m := &contest{a: a, engineFlags: flags, seed: seed, packets: a.effort.packets, traffic: []string{"uniform"}, builds: 3, command: "scale"}
	m.measured.lookups, m.measured.builds, m.measured.memory = true, true, true
	return m
}

// onCores returns the sets on which several cores look up: of each family the
// largest that is not too large, or else the smallest.
func onCores(sets []ruleset) (chosen []ruleset) {
	for _, set := range sets {
		last := len(chosen) - 1
		switch {
		case last < 0 || chosen[last].name != set.name:
			chosen = append(chosen, set)
		case set.rules <= sharedRules:
			chosen[last] = set
		}
	}
	return chosen
}
