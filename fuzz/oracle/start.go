package oracle

// The peers of this machine.

import (
	"context"
	"os"

	"github.com/hipac-go/classifier/bench/baselines"
	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

// Textbook returns the classifiers of package baselines, which run in this process.
func Textbook() []*Peer {
	var all []*Peer
	for _, m := range baselines.All() {
		all = append(all, NewPeer(&direct{maker: m}))
	}
	return all
}

// direct has engines of a maker, whose memory nobody measures: that would take a
// collection of garbage for each list.
type direct struct {
	maker  compare.Maker
	engine compare.Engine
	words  int
	keys   []uint32
}

func (d *direct) About() compare.About {
	return compare.About{Name: d.maker.Name, Title: d.maker.Title, Source: d.maker.Source, VerdictOnly: d.maker.VerdictOnly}
}

func (d *direct) Load(ctx context.Context, l *rules.List[string], bytes int64) (b compare.Built, err error) {
	d.Close()
	d.words = l.Schema().KeyLen()
	d.engine, err = d.maker.Make(ctx, l, bytes)
	return b, err
}

func (d *direct) Keys(_ context.Context, keys []uint32) (int, error) {
	d.keys = keys
	return 0, nil
}

func (d *direct) Answers(_ context.Context, from int, out []int32) error {
	d.engine.First(d.keys[from*d.words:], out)
	return nil
}

func (d *direct) Close() error {
	if d.engine != nil {
		d.engine.Close()
		d.engine = nil
	}
	return nil
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
