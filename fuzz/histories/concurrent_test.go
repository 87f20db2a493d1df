package histories

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// shared is a live list that many goroutines use, with the rules of every version
// there was.
type shared struct {
	h    *History
	live *hipac.Live[int]

	mu       sync.Mutex
	versions [][]*entry
	model    *model // makes entries and rules; its list is not used

	over   atomic.Bool
	failed atomic.Pointer[string]
}

func newShared(t *testing.T, c Config, o hipac.LiveOptions) *shared {
	h, err := Generate(c)
	require.NoError(t, err)
	m := newModel(h)
	if o.Counters {
		for i := range h.Pool { // so that the answers say what is counted
			h.Pool[i].Continue = false
		}
		for _, e := range m.list {
			e.cont = false
		}
	}
	l, err := m.linear()
	require.NoError(t, err)
	live, err := hipac.NewLive(context.Background(), l, &o)
	require.NoError(t, err)
	return &shared{h: h, live: live, versions: [][]*entry{m.list}, model: m}
}

func (s *shared) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.failed.CompareAndSwap(nil, &text)
	s.over.Store(true)
}

// version returns the rules of a version.
func (s *shared) version(v uint64) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v >= uint64(len(s.versions)) {
		return nil
	}
	return s.versions[v]
}

// entry returns a new entry of some rule of the pool.
func (s *shared) entry(r *rand.Rand) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model.entry(r.IntN(len(s.h.Pool)))
}

// write makes so many transactions. What comes of one is known as its version
// before it is committed.
func (s *shared) write(r *rand.Rand, transactions int) {
	for range transactions {
		if s.over.Load() {
			return
		}
		tx := s.live.Begin()
		v := s.live.Snapshot().Version()
		list := slices.Clone(s.version(v))
		edits := 1 + r.IntN(4)
		if r.IntN(60) == 0 {
			edits = 64 + r.IntN(200)
		}
		var err error
		for range edits {
			if list, err = s.edit(r, tx, list); err != nil {
				s.fail("edit: %v", err)
				break
			}
		}
		if r.IntN(8) == 0 {
			tx.Rollback()
			continue
		}
		s.mu.Lock()
		s.versions = append(s.versions[:v+1], list)
		s.mu.Unlock()
		if err := tx.Commit(context.Background()); err != nil {
			s.fail("commit: %v", err)
		}
	}
}

// edit makes an edit in a transaction and in a list of its own.
func (s *shared) edit(r *rand.Rand, tx *hipac.Tx[int], list []*entry) ([]*entry, error) {
	n := len(list)
	if n < 5 || r.IntN(2) == 0 && n < 3*len(s.h.First)/2 {
		e, at := s.entry(r), r.IntN(n+1)
		id, err := tx.InsertAt(at, s.model.rule(e))
		e.id = id
		return slices.Insert(list, at, e), err
	}
	at := r.IntN(n)
	e := list[at]
	switch r.IntN(6) {
	case 0:
		c := s.entry(r)
		c.id = e.id
		list[at] = c
		return list, tx.Replace(e.id, s.model.rule(c))
	case 1, 2:
		to := r.IntN(n)
		return slices.Insert(slices.Delete(list, at, at+1), to, e), tx.MoveTo(e.id, to)
	}
	return slices.Delete(list, at, at+1), tx.Delete(e.id)
}

// first is the linear matcher.
func (s *shared) first(list []*entry, k rules.Key) *entry {
	for _, e := range list {
		if !e.cont && s.h.Pool[e.pool].Matches(s.h.Schema, k) {
			return e
		}
	}
	return nil
}

// is reports whether an answer is that of an entry, nil for none.
func is(got hipac.Match[int], ok bool, want *entry) bool {
	if want == nil {
		return !ok
	}
	return ok && got.ID == want.id && got.Value == want.value
}

// read looks packets up until the writers are done, and returns how often each
// rule was the answer to its counting reader.
func (s *shared) read(r *rand.Rand) map[rules.ID]uint64 {
	aim := newAimer(s.h, r)
	reader := s.live.Reader()
	defer reader.Close()
	hits := map[rules.ID]uint64{}
	last := uint64(0)
	var kept *hipac.Snapshot[int]
	for !s.over.Load() {
		k := aim.key(r.IntN(len(s.h.Pool)))
		v1 := s.live.Snapshot().Version()
		var got hipac.Match[int]
		var ok bool
		if counting := r.IntN(2) == 0; counting {
			if got, ok = reader.Lookup(k, 100); ok {
				hits[got.ID]++
			}
		} else {
			got, ok = s.live.Lookup(k)
		}
		v2 := s.live.Snapshot().Version()
		if v1 < last || v2 < v1 {
			s.fail("version %d after %d, and then %d", v1, last, v2)
		}
		last = v2
		found := false
		for v := v1; v <= v2 && !found; v++ {
			found = is(got, ok, s.first(s.version(v), k))
		}
		if !found {
			s.fail("packet %v: got %v %v, which is the answer of no version from %d to %d", []uint32(k), got, ok, v1, v2)
		}
		snap := s.live.Snapshot()
		if kept != nil && r.IntN(4) == 0 {
			snap = kept
		}
		if kept == nil || r.IntN(50) == 0 {
			kept = snap
		}
		if err := s.consistent(r, aim, snap); err != nil {
			s.fail("version %d: %v", snap.Version(), err)
		}
	}
	return hits
}

// consistent compares all that a version answers with its list.
func (s *shared) consistent(r *rand.Rand, aim *aimer, snap *hipac.Snapshot[int]) error {
	list := s.version(snap.Version())
	if snap.Len() != len(list) {
		return fmt.Errorf("%d rules, want %d", snap.Len(), len(list))
	}
	w := s.h.Schema.KeyLen()
	n := 1 + r.IntN(9)
	words, ids := make([]uint32, 0, n*w), make([]rules.ID, n)
	for range n {
		words = append(words, aim.key(r.IntN(len(s.h.Pool)))...)
	}
	snap.LookupBatch(words, ids)
	for i, id := range ids {
		k := rules.Key(words[i*w:][:w])
		want := s.first(list, k)
		got, ok := snap.Lookup(k)
		if !is(got, ok, want) || want == nil && id != 0 || want != nil && id != want.id {
			return fmt.Errorf("packet %v: got %v %v, in a batch %d, want %v", []uint32(k), got, ok, id, want)
		}
	}
	k := rules.Key(words[:w])
	all := snap.LookupAll(k, nil, 0)
	for _, e := range list {
		if s.h.Pool[e.pool].Matches(s.h.Schema, k) {
			if len(all) == 0 || !is(all[0], true, e) {
				return fmt.Errorf("all matches of %v: got %v, want %v", []uint32(k), all, *e)
			}
			all = all[1:]
		}
	}
	if at := r.IntN(len(list) + 1); at < len(list) && snap.At(at).ID != list[at].id || len(all) > 0 {
		return fmt.Errorf("rule at %d, or all matches %v", at, all)
	}
	return nil
}

func TestConcurrentLookupsAreThoseOfAVersionInBetween(t *testing.T) {
	for _, c := range []struct {
		Config
		writers, transactions int
		o                     hipac.LiveOptions
	}{
		{Config{Kind: "ipv4", Seed: 1, Rules: 40}, 2, 500, hipac.LiveOptions{}},
		{Config{Kind: "acl", Seed: 2, Rules: 300}, 1, 400, hipac.LiveOptions{Counters: true}},
		{Config{Kind: "bands", Seed: 3, Rules: 400}, 2, 150, hipac.LiveOptions{}},
		{Config{Kind: "ip", Seed: 4, Rules: 100}, 2, 300, hipac.LiveOptions{Counters: true, LeafRows: 1}},
		{Config{Kind: "firewall", Seed: 5, Rules: 3000}, 1, 80, hipac.LiveOptions{NoBackground: true}},
		{Config{Kind: "fw", Seed: 6, Rules: 4000}, 2, 150, hipac.LiveOptions{Counters: true}},
	} {
		t.Run(c.Kind, func(t *testing.T) {
			s := newShared(t, c.Config, c.o)
			var writers, readers sync.WaitGroup
			hits := make([]map[rules.ID]uint64, 3)
			for i := range hits {
				readers.Go(func() { hits[i] = s.read(rand.New(rand.NewPCG(c.Seed, uint64(100+i)))) })
			}
			for i := range c.writers {
				writers.Go(func() { s.write(rand.New(rand.NewPCG(c.Seed, uint64(i))), c.transactions/c.writers) })
			}
			writers.Wait()
			s.over.Store(true)
			readers.Wait()
			if failed := s.failed.Load(); failed != nil {
				t.Fatal(*failed)
			}
			snap := s.live.Snapshot()
			require.Equal(t, len(s.versions)-1, int(snap.Version()))
			counted := uint64(0)
			for _, r := range snap.Rules() {
				got, err := s.live.Counters(r.ID)
				require.NoError(t, err)
				want := uint64(0)
				for _, h := range hits {
					want += h[r.ID]
				}
				if c.o.Counters {
					require.Equal(t, want, got.Packets, "rule %d", r.ID)
					require.Equal(t, 100*want, got.Bytes, "rule %d", r.ID)
					counted += want
				}
			}
			require.Equal(t, c.o.Counters, counted > 0)
		})
	}
}
