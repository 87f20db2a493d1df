// Package oracle holds the library against classifiers that others have written:
// filters of other projects in processes of their own (bench/peers), and textbook
// algorithms (bench/baselines). A Peer is asked about small random lists of rules
// that it can express, whose values come from small pools, and about packets at
// their corners. Where it differs, the rules are left out one by one as long as it
// still does.
package oracle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/hipac-go/classifier/bench/compare"
	difference "github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// Classifier is what is asked of another's classifier: a part of
// compare.Contestant, which says what each does.
type Classifier interface {
	About() compare.About
	Load(ctx context.Context, l *rules.List[string], bytes int64) (compare.Built, error)
	Keys(ctx context.Context, keys []uint32) (notAsked int, err error)
	Answers(ctx context.Context, from int, out []int32) error
	Close() error
}

// Peer is a classifier of another origin. It is for one goroutine.
type Peer struct {
	Classifier
	dialect int // the richest that it is not known not to express
}

// NewPeer returns a classifier, such as a compare.Contestant, as a peer.
func NewPeer(c Classifier) *Peer { return &Peer{Classifier: c} }

// Dialect says what the rules are like that the peer is asked about.
func (p *Peer) Dialect() string { return dialects[p.dialect].name }

// Report says what was compared.
type Report struct {
	Lists       int
	Refused     int // lists that the peer has no way to say, or no memory for; a poorer or shorter one followed
	Rules       int
	Packets     int
	Matched     int // of those
	NotAsked    int // packets that the peer cannot be asked about
	Comparisons int // answers of the library's ways compared with the peer's
}

// Add adds another report.
func (r *Report) Add(o Report) {
	r.Lists += o.Lists
	r.Refused += o.Refused
	r.Rules += o.Rules
	r.Packets += o.Packets
	r.Matched += o.Matched
	r.NotAsked += o.NotAsked
	r.Comparisons += o.Comparisons
}

// memory is what a peer may take for a list.
const memory = 256 << 20

// Check draws a list of up to size rules by a seed, and compares what the peer
// answers about packets with what the linear matcher and some ways of the library
// do. The error is a *Difference, that of the peer (compare.ErrUnsupported when it
// cannot say the poorest rules, compare.ErrMemory when one is too much, a *compare.ProcessError when its process ended), or
// the context's. It takes some milliseconds, and what the peer needs.
func (p *Peer) Check(ctx context.Context, seed uint64, size int) (Report, error) {
	return p.CheckWrapped(ctx, seed, size, func(w ways.Way) ways.Way { return w })
}

// CheckWrapped is Check with all ways of the library replaced by what wrap makes of
// them.
func (p *Peer) CheckWrapped(ctx context.Context, seed uint64, size int, wrap func(ways.Way) ways.Way) (Report, error) {
	var report Report
	for {
		d := newDrawer(seed, dialects[p.dialect])
		l, err := d.list(max(size, 1))
		if err != nil {
			return report, err
		}
		all := ways.All()
		asked := []ways.Way{all[0], all[1], all[1+d.r.IntN(len(all)-1)], all[1+d.r.IntN(len(all)-1)]}
		for i := range asked {
			asked[i] = wrap(asked[i])
		}
		keys := d.keys(l)
		r, err := p.compare(ctx, l, keys, asked)
		report.Add(r)
		switch {
		case errors.Is(err, compare.ErrUnsupported) && p.dialect+1 < len(dialects):
			report.Refused++
			p.dialect++
			continue
		case errors.Is(err, compare.ErrMemory) && size > 1:
			report.Refused++
			size /= 2
			continue
		case err != nil:
			var found *Difference
			if errors.As(err, &found) {
				found = p.shrink(ctx, found, asked)
				return report, fmt.Errorf("seed %d, size %d: %w", seed, size, found)
			}
			return report, fmt.Errorf("%s: seed %d, size %d: %w", p.About().Name, seed, size, err)
		}
		return report, nil
	}
}

// Difference is a packet that a peer and the library answer differently.
type Difference struct {
	difference.Difference
	List *rules.List[string]
	keys []uint32
}

// Error says the difference, and the rules.
func (d *Difference) Error() string {
	var b strings.Builder
	s := d.List.Schema()
	fmt.Fprintf(&b, "%s; packet", d.Difference.Error())
	for f := range s.Len() {
		if v, ok := s.Get(d.Key, f); ok {
			fmt.Fprintf(&b, " %s=%s", s.Field(f).Name, s.Field(f).FormatValue(v))
		}
	}
	b.WriteString("; rules:")
	for i, r := range d.List.All() {
		fmt.Fprintf(&b, "\n%d: %s", i, rules.FormatRule(s, r))
	}
	return b.String()
}

// Unwrap returns the difference in the form that all of them have.
func (d *Difference) Unwrap() error { return &d.Difference }

// compare loads a list and compares.
func (p *Peer) compare(ctx context.Context, l *rules.List[string], keys []uint32, asked []ways.Way) (Report, error) {
	var report Report
	if _, err := p.Load(ctx, l, memory); err != nil {
		return report, err
	}
	s := l.Schema()
	w := s.KeyLen()
	report.Lists, report.Rules = 1, l.Len()
	if _, err := p.Keys(ctx, keys); err != nil {
		return report, err
	}
	theirs := make([]int32, len(keys)/w)
	if err := p.Answers(ctx, 0, theirs); err != nil {
		return report, err
	}
	numbered, err := ways.Numbered(l)
	if err != nil {
		return report, err
	}
	verdicts := p.About().VerdictOnly
	report.Packets = len(theirs)
	for n, way := range asked {
		a, err := way.Build(numbered)
		if err != nil {
			return report, err
		}
		ours := ways.Ask(s, a, keys, false)
		for i, first := range ours.First {
			if n == 0 && first != ways.None {
				report.Matched++
			}
			if theirs[i] == compare.NotAsked {
				if n == 0 {
					report.NotAsked++
				}
				continue
			}
			want := int32(first)
			if verdicts {
				want = compare.Verdict(l, want)
			}
			if report.Comparisons++; theirs[i] != want {
				return report, &Difference{
					difference.Difference{Engine: way.Name, Question: "first match, compared with " + p.About().Name, Key: keys[i*w:][:w:w], Got: fmt.Sprint(want), Want: fmt.Sprint(theirs[i])},
					l, keys}
			}
		}
	}
	return report, nil
}

// shrink leaves out rules as long as the packet is still answered differently.
func (p *Peer) shrink(ctx context.Context, d *Difference, asked []ways.Way) *Difference {
	for size := (d.List.Len() + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < d.List.Len(); {
			b := rules.NewBuilder[string](d.List.Schema())
			for i, r := range d.List.All() {
				if i >= at && i < at+size {
					continue
				}
				if _, err := b.Add(rules.Rule[string]{Conds: r.Conds, Value: r.Value}); err != nil {
					return d
				}
			}
			_, err := p.compare(ctx, b.List(), d.keys, asked)
			var smaller *Difference
			if errors.As(err, &smaller) {
				d = smaller
			} else {
				at += size
			}
			if ctx.Err() != nil {
				return d
			}
		}
	}
	return d
}

func newDrawer(seed uint64, d dialect) *drawer {
	return &drawer{dialect: d, r: rand.New(rand.NewPCG(seed, 0x04ac1e)), ipv6: seed%3 == 2}
}
