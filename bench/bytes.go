package main

// The command memory: the bytes that contestants take.

type memoryCmd struct {
	setFlags    `group:"Rules"`
	engineFlags `group:"Contestants"`
	JSON        bool `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (memoryCmd) Help() string {
	return `Memory that engines take, in all and for a rule, by contestants:

` + contestantsHelp + `
Examples:

    bench memory --family fw1 --rules 1000,10000,100000
    bench memory --family acl1,fw1,ipc1 --rules 100000 --memory 8192 --json

Without --family and --rules that is fw1 with 1,000, 10,000 and 100,000 rules.

` + contestHelp + `
Printed are lines of Go's benchmark format, BenchmarkMemory, with bytes (B) and
bytes a rule (B/rule). With --json: machine, commands, settings, engines, points and missing, as
package bench/result describes.`
}

// Run measures.
func (cmd *memoryCmd) Run(a *app) error {
	sets, err := cmd.sets(a, []string{"fw1"}, []int{1000, 10_000, 100_000})
	if err != nil {
		return err
	}
	m := &contest{a: a, engineFlags: cmd.engineFlags, seed: cmd.Seed, packets: min(a.effort.packets, 10_000), traffic: []string{"uniform"}, builds: 1}
	m.measured.memory = true
	return m.run(cmd.JSON, sets)
}
