package oracle

// The peers of this machine.

import (
	"context"
	"os"

	"github.com/hipac-go/classifier/bench/baselines"
	"github.com/hipac-go/classifier/bench/compare"
)

// Textbook returns the classifiers of package baselines, which run in this process.
func Textbook() []*Peer {
	var all []*Peer
	for _, m := range baselines.All() {
		all = append(all, NewPeer(compare.Local(&m)))
	}
	return all
}

// Start builds the program of other projects' classifiers from the source that dir
// is in, "" for the current folder, and returns those that this machine can run,
// each in a process of its own, and why it has not the others. That may take
// minutes the first time; the context bounds it. stop ends the processes and
// removes the program. When there can be none the error is a *compare.SkipError.
func Start(ctx context.Context, dir string) (all []*Peer, missing map[string]string, stop func(), err error) {
	source, err := compare.FindPeers(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return nil, nil, nil, err
	}
	stop = func() {
		for _, p := range all {
			p.Close()
		}
		os.RemoveAll(out)
	}
	built, err := compare.BuildPeers(ctx, source, out)
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	program, err := compare.Start(ctx, built.Path)
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	missing = map[string]string{}
	for _, c := range program.Contestants() {
		if a := c.About(); a.Skip != "" {
			missing[a.Name] = a.Skip
		} else {
			all = append(all, NewPeer(c))
		}
	}
	if built.NoDPDK != "" {
		missing["dpdk"] = built.NoDPDK
	}
	return all, missing, stop, nil
}
