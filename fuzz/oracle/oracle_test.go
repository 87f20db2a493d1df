package oracle

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	difference "github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

func TestTheLibraryAnswersAsTextbookClassifiersDo(t *testing.T) {
	for _, p := range Textbook() {
		t.Run(p.About().Name, func(t *testing.T) {
			defer p.Close()
			var total Report
			for seed := range uint64(24) {
				r, err := p.Check(t.Context(), seed, []int{3, 12, 40}[seed%3])
				require.NoError(t, err)
				total.Add(r)
			}
			t.Logf("%s: %+v", p.Dialect(), total)
			require.Zero(t, total.Refused)
			require.Equal(t, 24*packets, total.Packets)
			require.Equal(t, 4*total.Packets, total.Comparisons)
			require.Greater(t, total.Matched, total.Packets/5)
			require.Less(t, total.Matched, total.Packets*4/5)
		})
	}
}

// walker is a maker of linear walks with a fault: rules that it does not see.
func walker(unseen func(s *rules.Schema, r *rules.Rule[string]) bool, limit error) *compare.Maker {
	return &compare.Maker{Name: "walker", Make: func(_ context.Context, l *rules.List[string], _ int64) (compare.Engine, error) {
		for _, r := range l.All() {
			for i := range r.Conds {
				if limit != nil && (r.Conds[i].Field() == 2 || r.Conds[i].Field() == 4) {
					return nil, limit
				}
			}
		}
		return &walk{l, unseen}, nil
	}}
}

type walk struct {
	l      *rules.List[string]
	unseen func(s *rules.Schema, r *rules.Rule[string]) bool
}

func (w *walk) First(keys []uint32, out []int32) {
	s := w.l.Schema()
	n := s.KeyLen()
	for i := range out {
		out[i] = -1
		for p, r := range w.l.All() {
			if r.Matches(s, keys[i*n:][:n]) && !(w.unseen != nil && w.unseen(s, r)) {
				out[i] = int32(p)
				break
			}
		}
	}
}

func (*walk) Bytes() int64 { return 1 }
func (*walk) Close()       {}

// narrow reports whether a rule asks for a host and a port.
func narrow(s *rules.Schema, r *rules.Rule[string]) bool {
	host, port := false, false
	for i := range r.Conds {
		ivs, _ := r.Conds[i].Intervals()
		one := len(ivs) == 1 && ivs[0].Lo == ivs[0].Hi
		host = host || one && r.Conds[i].Field() < 2
		port = port || one && r.Conds[i].Field() == 3
	}
	return host && port
}

func TestADifferenceIsFoundAndItsListIsShort(t *testing.T) {
	p := NewPeer(compare.Local(walker(narrow, nil)))
	for seed := uint64(0); ; seed++ {
		require.Less(t, seed, uint64(200))
		_, err := p.Check(t.Context(), seed, 40)
		if err == nil {
			continue
		}
		var d *Difference
		require.ErrorAs(t, err, &d)
		require.Equal(t, 1, d.List.Len(), d)
		require.ErrorContains(t, err, "first match, compared with walker")
		require.ErrorContains(t, err, "dport=")
		var general *difference.Difference
		require.ErrorAs(t, err, &general)
		return
	}
}

func TestAWrongWayIsFoundByAPeer(t *testing.T) {
	p := NewPeer(compare.Local(walker(nil, nil)))
	for seed := uint64(0); ; seed++ {
		require.Less(t, seed, uint64(200))
		_, err := p.CheckWrapped(t.Context(), seed, 12, func(w ways.Way) ways.Way { return ways.Altered(w, ways.ShortOfTheEnd) })
		if err != nil {
			var d *Difference
			require.ErrorAs(t, err, &d)
			return
		}
	}
}

func TestAPeerIsAskedWhatItCanExpress(t *testing.T) {
	p := NewPeer(compare.Local(walker(nil, compare.ErrUnsupported)))
	require.Equal(t, dialects[0].name, p.Dialect())
	var total Report
	for seed := range uint64(10) {
		r, err := p.Check(t.Context(), seed, 20)
		require.NoError(t, err)
		total.Add(r)
	}
	require.Equal(t, dialects[len(dialects)-1].name, p.Dialect())
	require.Equal(t, len(dialects)-1, total.Refused)
	require.Equal(t, 10, total.Lists)
}

func TestAPeerThatFailsIsNoDifference(t *testing.T) {
	p := NewPeer(compare.Local(walker(nil, compare.ErrMemory)))
	_, err := p.Check(t.Context(), 1, 20)
	require.ErrorIs(t, err, compare.ErrMemory)
	var d *Difference
	require.NotErrorAs(t, err, &d)
}

func TestWhereThereIsNoSourceThereAreNoPeers(t *testing.T) {
	_, _, _, err := Start(t.Context(), t.TempDir())
	var skip *compare.SkipError
	require.ErrorAs(t, err, &skip)
}
