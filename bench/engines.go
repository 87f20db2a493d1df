package main

// The contestants that a command asks for: our own engines, the textbook ones,
// and peers of other projects where their program can be built.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hipac-go/classifier/bench/baselines"
	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules/files"
)

// engineFlags are the flags that choose and bound contestants.
type engineFlags struct {
	Engines []string      `placeholder:"LIST" help:"Contestants, with commas between them; when not given all but hipac-index."`
	Peers   *bool         `negatable:"" help:"Peers of other projects too, from the module bench/peers; when not given, where they can be built."`
	Timeout time.Duration `default:"1m" placeholder:"TIME" help:"CPU time, of all threads, after which the build of a contestant is given up (default 1m); by the clock, as for any other answer, five times as much."`
	Memory  *int          `placeholder:"MB" help:"Memory that a contestant may take (default 2048); never more than a third of what is available."`
	Check   int           `default:"5000" placeholder:"N" help:"Packets whose answers are compared with the reference walk (default 5000), or as many as that does in 5 s on one core."`
}

// defaultMemory is the memory that a contestant may take, in megabytes.
const defaultMemory = 2048

// megabytes returns the memory that a contestant may take, in megabytes.
func (f *engineFlags) megabytes() int {
	if f.Memory == nil {
		return defaultMemory
	}
	return *f.Memory
}

// peersTimeout is the time that building the program of the peers may take. It
// downloads their modules the first time.
const peersTimeout = 10 * time.Minute

// slowName is the engine that is there to check others, and allocates in lookups.
const slowName = "hipac-index"

// contestants returns those that the flags ask for, and a function that removes
// what was built for them. Peers that are not there are recorded as gaps.
func (f *engineFlags) contestants(ctx context.Context, a *app, rec *recorder, command string) (all []compare.Contestant, done func(), err error) {
	done = func() {}
	switch {
	case f.Timeout <= 0:
		return nil, nil, files.BadUsage("--timeout %v: not above 0", f.Timeout)
	case f.Memory != nil && (*f.Memory < 1 || *f.Memory > 1<<24):
		return nil, nil, files.BadUsage("--memory %d: not in 1..%d megabytes", *f.Memory, 1<<24)
	case f.Check < 1:
		return nil, nil, files.BadUsage("--check %d: nothing is timed whose answers were not checked: 1 or more", f.Check)
	}
	for _, m := range localMakers() {
		all = append(all, compare.Local(m))
	}
	known := len(all)
	var none error // why there are no peers
	if f.Peers == nil || *f.Peers {
		if len(f.Engines) == 0 || slices.ContainsFunc(f.Engines, func(name string) bool { return !has(all, name) }) {
			var peers []compare.Contestant
			peers, done, none = a.startPeers(ctx)
			if none != nil && f.Peers != nil {
				return nil, nil, none
			}
			for _, p := range peers {
				if !has(all, p.About().Name) {
					all = append(all, p)
				}
			}
		}
	}
	if len(f.Engines) == 0 {
		all = slices.DeleteFunc(all, func(c compare.Contestant) bool { return c.About().Name == slowName })
		if none != nil && !errors.Is(none, errNoPeers) {
			rec.gap(ctx, results.Gap{Command: command, Engine: "peers"}, none)
		}
	} else {
		for _, name := range f.Engines {
			if has(all, name) {
				continue
			}
			if none == nil || errors.Is(none, errNoPeers) {
				done()
				return nil, nil, files.BadUsage("--engines: there is no %q; choose from %s", name, strings.Join(names(all), ","))
			}
			// It may be a peer, and nobody can tell.
			rec.gap(ctx, results.Gap{Command: command, Engine: name}, fmt.Errorf("it is none of %s; %w", strings.Join(names(all[:known]), ","), none))
		}
		all = slices.DeleteFunc(all, func(c compare.Contestant) bool { return !slices.Contains(f.Engines, c.About().Name) })
	}
	for i, c := range all {
		if a.tamper != nil {
			all[i] = &tampered{c, a.tamper}
		}
	}
	return slices.DeleteFunc(all, func(c compare.Contestant) bool {
		b := c.About()
		if b.Skip != "" {
			rec.gap(ctx, results.Gap{Command: command, Engine: b.Name}, errors.New(b.Skip))
		} else {
			rec.engine(results.Engine{Name: b.Name, Title: b.Title, Source: b.Source, Note: b.Note})
		}
		return b.Skip != ""
	}), done, nil
}

// localMakers returns the makers of the engines in this process, without the
// reference that all are checked against.
func localMakers() []*compare.Maker {
	all := slices.DeleteFunc(compare.Own(), func(m *compare.Maker) bool { return m.Name == "reference" })
	for _, m := range baselines.All() {
		all = append(all, &m)
	}
	return all
}

func names(all []compare.Contestant) (list []string) {
	for _, c := range all {
		list = append(list, c.About().Name)
	}
	return list
}

func has(all []compare.Contestant, name string) bool { return slices.Contains(names(all), name) }

// errNoPeers is the reason for no peers where the program is told to have none.
var errNoPeers = errors.New("peers are left out")

// startPeers builds the program of the peers and returns its contestants, and
// what removes it.
func (a *app) startPeers(ctx context.Context) ([]compare.Contestant, func(), error) {
	if a.peers == nil {
		return nil, func() {}, errNoPeers
	}
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return nil, func() {}, err
	}
	leftovers.add(dir)
	done := func() { leftovers.drop(dir) }
	bar := a.newProgress("building peers", -1)
	ctx, cancel := context.WithTimeout(ctx, peersTimeout)
	defer cancel()
	all, err := a.peers(ctx, dir)
	bar.done()
	if err != nil {
		done()
		return nil, func() {}, err
	}
	return all, done, nil
}

// buildPeers builds the program of the peers in a folder, from the source around
// the current one.
func buildPeers(ctx context.Context, dir string) ([]compare.Contestant, error) {
	source, err := compare.FindPeers("")
	if err != nil {
		return nil, err
	}
	built, err := compare.BuildPeers(ctx, source, dir)
	if err != nil {
		return nil, err
	}
	p, err := compare.Start(ctx, built.Path)
	if err != nil {
		return nil, err
	}
	p.Explain("dpdk-", built.NoDPDK)
	return p.Contestants(), nil
}

// tampered is a contestant whose answers a test changes.
type tampered struct {
	compare.Contestant
	tamper func(path string, positions []int32)
}

func (t *tampered) Answers(ctx context.Context, from int, out []int32) error {
	err := t.Contestant.Answers(ctx, from, out)
	t.tamper(t.About().Name, out)
	return err
}
