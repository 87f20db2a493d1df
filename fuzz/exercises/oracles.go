package exercises

// Classifiers that others have written: textbook algorithms, and other projects'.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/oracle"
	"github.com/hipac-go/classifier/fuzz/ways"
)

// peersTimeout is the time that building the program of the peers may take.
const peersTimeout = 10 * time.Minute

// textbooks are the textbook algorithms.
func textbooks() (all []*drive.Exercise) {
	for _, p := range oracle.Textbook() {
		all = append(all, askPeer(p, "textbook: ", 0.3))
	}
	return all
}

// Peers returns the comparisons with classifiers of other projects, why some or all
// are left out, and a function that ends their processes. It builds them, which
// takes minutes the first time. The error is that of a context that ended.
func Peers(ctx context.Context) (all []*drive.Exercise, skipped []string, done func(), err error) {
	done = func() {}
	timed, cancel := context.WithTimeout(ctx, peersTimeout)
	defer cancel()
	peers, missing, stop, err := oracle.Start(timed, "")
	switch {
	case ctx.Err() != nil:
		return nil, nil, done, ctx.Err()
	case err != nil:
		return nil, []string{fmt.Sprint("peers, ", err)}, done, nil
	}
	for _, p := range peers {
		all = append(all, askPeer(p, "peer: ", 0.5))
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		skipped = append(skipped, fmt.Sprintf("the peer %s, %s", name, missing[name]))
	}
	return all, skipped, stop, nil
}

// askPeer is the exercise of a peer, which answers one case at a time.
func askPeer(p *oracle.Peer, kind string, weight float64) *drive.Exercise {
	var turn sync.Mutex
	return &drive.Exercise{Name: kind + p.About().Name, Group: "classifiers of others", Weight: weight, Run: func(ctx context.Context, t *drive.Trial) error {
		turn.Lock()
		defer turn.Unlock()
		r, err := p.CheckWrapped(ctx, t.Seed, []int{3, 12, 40}[t.Rand.IntN(3)], t.Wrap)
		t.Counts.Rules += int64(r.Rules)
		t.Counts.Packets += int64(r.Packets)
		t.Counts.Hits += int64(r.Matched)
		t.Counts.Misses += int64(r.Packets - r.Matched)
		t.Counts.Answers += int64(r.Comparisons)
		var d *oracle.Difference
		if !errors.As(err, &d) {
			return err
		}
		// Where the linear matcher is of the peer's mind, it is a case of a list.
		l, e := ways.Numbered(d.List)
		if e != nil {
			return err
		}
		var all []ways.Way
		for _, w := range ways.All()[1:] {
			all = append(all, t.Wrap(w))
		}
		c := &cases.List{Rules: l, Keys: d.Key, Ways: all}
		if c.Check() == nil {
			return err
		}
		return &drive.Failure{Err: err, Case: c}
	}}
}
