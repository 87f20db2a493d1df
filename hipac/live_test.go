package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// model is a live list beside a plain slice of the same rules.
type model struct {
	t    *testing.T
	r    *rand.Rand
	s    *rules.Schema
	live *hipac.Live[int]
	list []rules.Rule[int]
	new  func() rules.Rule[int]
	next int
}

func (m *model) rule() rules.Rule[int] {
	r := m.new()
	m.next++
	r.ID, r.Value = 0, m.next
	r.Continue = m.r.IntN(5) == 0
	return r
}

func (m *model) find(id rules.ID) int {
	return slices.IndexFunc(m.list, func(r rules.Rule[int]) bool { return r.ID == id })
}

// edit does a random edit in a transaction and in the model.
func (m *model) edit(tx *hipac.Tx[int]) string {
	n := len(m.list)
	some := func() rules.ID { return m.list[m.r.IntN(n)].ID }
	added := func(at int, r rules.Rule[int], id rules.ID, err error) {
		require.NoError(m.t, err)
		r.ID = id
		m.list = slices.Insert(m.list, at, r)
	}
	kind := m.r.IntN(14)
	if n == 0 {
		kind = 0
	}
	switch kind {
	case 0, 1:
		r := m.rule()
		id, err := tx.Append(r)
		added(n, r, id, err)
		return "append"
	case 2, 3:
		r, at := m.rule(), m.r.IntN(n+1)
		id, err := tx.InsertAt(at, r)
		added(at, r, id, err)
		return fmt.Sprintf("insert at %d", at)
	case 4:
		r, other := m.rule(), some()
		at := m.find(other)
		id, err := tx.InsertBefore(other, r)
		added(at, r, id, err)
		return "insert before"
	case 5:
		r, other := m.rule(), some()
		at := m.find(other)
		id, err := tx.InsertAfter(other, r)
		added(at+1, r, id, err)
		return "insert after"
	case 6, 7, 8, 9:
		id := some()
		require.NoError(m.t, tx.Delete(id))
		m.list = slices.Delete(m.list, m.find(id), m.find(id)+1)
		return fmt.Sprintf("delete %d", id)
	case 10:
		id, r := some(), m.rule()
		if m.r.IntN(2) == 0 { // another value only
			r.Conds, r.Continue = m.list[m.find(id)].Conds, m.list[m.find(id)].Continue
		}
		require.NoError(m.t, tx.Replace(id, r))
		r.ID = id
		m.list[m.find(id)] = r
		return fmt.Sprintf("replace %d", id)
	default:
		id, other := some(), some()
		from, to := m.find(id), m.find(other)
		r := m.list[from]
		if kind == 11 {
			require.NoError(m.t, tx.MoveTo(id, to))
			m.list = slices.Insert(slices.Delete(m.list, from, from+1), to, r)
			return fmt.Sprintf("move %d to %d", id, to)
		}
		if id == other {
			require.NoError(m.t, tx.MoveBefore(id, other))
			return "move nowhere"
		}
		m.list = slices.Delete(m.list, from, from+1)
		to = m.find(other)
		if kind == 12 {
			require.NoError(m.t, tx.MoveBefore(id, other))
		} else {
			require.NoError(m.t, tx.MoveAfter(id, other))
			to++
		}
		m.list = slices.Insert(m.list, to, r)
		return fmt.Sprintf("move %d to %d", id, other)
	}
}

// linear is the list of the model, for the linear matcher.
func (m *model) linear() *rules.List[int] {
	l, err := rules.NewList(m.s, m.list...)
	require.NoError(m.t, err)
	return l
}

// checkKey compares a version with the linear matcher.
func checkKey(t *testing.T, s *hipac.Snapshot[int], l *rules.List[int], k rules.Key, what string) {
	at, ok := l.First(k)
	got, found := s.Lookup(k)
	if ok != found || ok && (got.ID != l.At(at).ID || got.Value != l.At(at).Value) {
		require.Failf(t, "first match", "%s: key %v: got %v %v, want position %d %v", what, k, got, found, at, ok)
	}
	var ids [12]rules.ID // the vector path takes eight or more
	var keys []uint32
	for range ids {
		keys = append(keys, k...)
	}
	require.Equal(t, len(ids), s.LookupBatch(keys, ids[:]))
	for _, id := range ids {
		require.Equal(t, got.ID, id, what)
	}
	var want, have []rules.ID
	for i := range l.Matches(k) {
		want = append(want, l.At(i).ID)
	}
	for _, x := range s.LookupAll(k, nil, 0) {
		have = append(have, x.ID)
	}
	require.Equal(t, want, have, what)
	want, have = nil, nil
	for i := range l.Executed(k) {
		want = append(want, l.At(i).ID)
	}
	for _, x := range s.Executed(k, nil) {
		have = append(have, x.ID)
	}
	require.Equal(t, want, have, what)
}

func TestLiveListsAnswerAsTheListAfterEveryEdit(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			s := []*rules.Schema{mixed, rules.IPv4Tuple, rules.IPTuple, rules.IPv4Tuple}[seed%4]
			pool := pools(r, s)
			l := randomList(r, s, []int{0, 3, 9, 60, 400}[seed%5], pool)
			m := &model{t: t, r: r, s: s, new: func() rules.Rule[int] { return *randomList(r, s, 1, pool).At(0) }}
			key := func() rules.Key {
				k := s.NewKey()
				randomKey(r, s, pool, k)
				return k
			}
			opts := &hipac.LiveOptions{NoBackground: seed%2 == 0, LeafRows: int(seed % 3), Batch: hipac.Batches()[seed/2%2%uint64(len(hipac.Batches()))]}
			var err error
			m.live, err = hipac.NewLive(context.Background(), l, opts)
			require.NoError(t, err)
			for _, r := range l.All() {
				m.list = append(m.list, *r)
			}
			type old struct {
				s *hipac.Snapshot[int]
				l *rules.List[int]
			}
			var held []old
			for step := range 200 {
				what := fmt.Sprintf("step %d:", step)
				tx := m.live.Begin()
				before := slices.Clone(m.list)
				version := m.live.Snapshot().Version()
				edits := 1
				if r.IntN(8) == 0 {
					edits = 1 + r.IntN(100)
				}
				for range edits {
					what += " " + m.edit(tx)
				}
				if r.IntN(5) == 0 {
					tx.Rollback()
					m.list = before
					what += " rolled back"
					require.Equal(t, version, m.live.Snapshot().Version())
				} else {
					require.NoError(t, tx.Commit(context.Background()))
				}
				now, l := m.live.Snapshot(), m.linear()
				require.Equal(t, l.Len(), now.Len())
				for range 5 {
					checkKey(t, now, l, key(), what)
				}
				if step%20 == 0 {
					held = append(held, old{now, l})
					i := 0
					for at, rule := range now.Rules() {
						require.Equal(t, i, at)
						require.Equal(t, l.At(i).ID, rule.ID)
						i++
					}
					require.Equal(t, l.Len(), i)
				}
			}
			for _, h := range held {
				for range 20 {
					checkKey(t, h.s, h.l, key(), "held version")
				}
			}
		})
	}
}
