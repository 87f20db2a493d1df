package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

var ints = rules.ComparableValues[int]()

// ids returns the identities of a version's rules in order.
func ids(s *hipac.Snapshot[int]) (list []rules.ID) {
	for _, r := range s.Rules() {
		list = append(list, r.ID)
	}
	return list
}

// shuffled is a list with some rules gone, new, changed and moved. Some keep an
// identity.
func shuffled(r *rand.Rand, s *rules.Schema, l []rules.Rule[int], edits int, rule func() rules.Rule[int]) *rules.List[int] {
	list := slices.Clone(l)
	for i := range list {
		list[i].ID = 0
	}
	for range edits {
		n := len(list)
		at := r.IntN(n + 1)
		switch kind := r.IntN(5); {
		case kind == 0 || n == 0:
			list = slices.Insert(list, at, rule())
		case at == n:
		case kind == 1:
			list = slices.Delete(list, at, at+1)
		case kind == 2:
			list[at].Value++
		case kind == 3:
			x := list[at]
			list = slices.Delete(list, at, at+1)
			list = slices.Insert(list, r.IntN(n), x)
		default:
			list[at].Conds = rule().Conds
			list[at].ID = rules.ID(1000 + r.IntN(1000))
			if slices.ContainsFunc(list, func(x rules.Rule[int]) bool { return x.ID == list[at].ID && &x != &list[at] }) {
				list[at].ID = 0
			}
		}
	}
	used := map[rules.ID]bool{}
	for i := range list {
		if used[list[i].ID] {
			list[i].ID = 0
		}
		used[list[i].ID] = true
	}
	out, err := rules.NewList(s, list...)
	if err != nil {
		panic(err)
	}
	return out
}

func TestApplyMakesTheLiveRulesThoseOfTheNewList(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			s := []*rules.Schema{mixed, rules.IPv4Tuple, rules.IPTuple}[seed%3]
			pool := pools(r, s)
			rule := func() rules.Rule[int] {
				x := *randomList(r, s, 1, pool).At(0)
				x.ID, x.Value = 0, r.IntN(1000)
				return x
			}
			l := randomList(r, s, []int{0, 5, 40, 300}[seed%4], pool)
			live, err := hipac.NewLive(t.Context(), l, &hipac.LiveOptions{NoBackground: seed%2 == 0, Counters: seed%3 == 0})
			require.NoError(t, err)
			rebuilt := 0
			for step := range 40 {
				before := live.Snapshot()
				was := before.List()
				var list []rules.Rule[int]
				for _, x := range was.All() {
					list = append(list, *x)
				}
				next := shuffled(r, s, list, []int{0, 1, 3, 20, 400}[r.IntN(5)], rule)
				dry, err := live.DryApply(t.Context(), next, ints)
				require.NoError(t, err)
				require.Same(t, before, live.Snapshot())
				a, err := live.Apply(t.Context(), next, ints)
				require.NoError(t, err)
				require.Equal(t, a.Change, dry.Change)
				require.Equal(t, dry.Script, a.Script)
				if a.Rebuild {
					rebuilt++
				}

				now := live.Snapshot()
				require.Equal(t, now.Version(), a.Version)
				require.Equal(t, before.Version(), a.From)
				require.Equal(t, a.Script.Empty(), a.Version == a.From)
				require.Equal(t, []int{a.Script.Kept, a.Script.Inserted, a.Script.Deleted, a.Script.Moved, a.Script.Replaced},
					[]int{a.Kept, a.Inserted, a.Deleted, a.Moved, a.Replaced})
				require.Equal(t, a.Rules, now.Len())
				require.Equal(t, a.IDs, ids(now))
				for i, id := range a.Script.IDs {
					if id != 0 {
						require.Equal(t, id, a.IDs[i])
					}
				}
				got := now.List()
				for i, x := range next.All() {
					y := got.At(i)
					require.Equal(t, rules.FormatRule(s, x), rules.FormatRule(s, y))
					require.Equal(t, x.Value, y.Value)
				}
				script, err := rules.DiffFunc(got, next, ints)
				require.NoError(t, err)
				require.True(t, script.Empty(), "%v", script.Edits)
				k := s.NewKey()
				for range 20 {
					randomKey(r, s, pool, k)
					checkKey(t, now, got, k, fmt.Sprintf("step %d", step))
					checkKey(t, before, was, k, fmt.Sprintf("step %d, before", step))
					want, ok := got.First(k)
					m, found := now.Locate(k)
					require.Equal(t, ok, found)
					if ok {
						require.Equal(t, want, m.Position)
						require.Equal(t, a.IDs[want], m.ID)
					}
				}
			}
			if seed%4 == 3 {
				require.NotZero(t, rebuilt)
			}
		})
	}
}

// tuples returns a list of rules on one port each, with the values and
// identities; 0 is a fresh one.
func tuples(t *testing.T, rs ...[3]int) *rules.List[int] {
	b := rules.NewBuilder[int](rules.IPv4Tuple)
	for _, r := range rs {
		conds, err := rules.IPv4Tuple.ParseConds(fmt.Sprintf("dport=%d", r[0]))
		require.NoError(t, err)
		_, err = b.Add(rules.Rule[int]{Conds: conds, Value: r[1], ID: rules.ID(r[2])})
		require.NoError(t, err)
	}
	return b.List()
}

func TestApplyKeepsIdentitiesAndTakesThoseThatAreGiven(t *testing.T) {
	live, err := hipac.NewLive(t.Context(), tuples(t, [3]int{1, 1}, [3]int{2, 2}, [3]int{3, 3}), nil)
	require.NoError(t, err)
	for _, step := range []struct {
		to   *rules.List[int]
		ids  []rules.ID
		says [5]int // kept, inserted, deleted, moved, replaced
	}{
		{tuples(t, [3]int{0, 0}, [3]int{2, 2}, [3]int{3, 4}), []rules.ID{4, 2, 3}, [5]int{1, 1, 1, 0, 1}},
		// A fresh identity is none that is given further down.
		{tuples(t, [3]int{9, 9}, [3]int{0, 0}, [3]int{8, 8, 5}), []rules.ID{6, 4, 5}, [5]int{1, 2, 2, 0, 0}},
		// The given one is the old rule of that identity, whatever it asks.
		{tuples(t, [3]int{9, 9}, [3]int{7, 7, 4}, [3]int{8, 8}), []rules.ID{6, 4, 5}, [5]int{2, 0, 0, 0, 1}},
		{tuples(t, [3]int{8, 8}, [3]int{9, 9}, [3]int{7, 7}), []rules.ID{5, 6, 4}, [5]int{2, 0, 0, 1, 0}},
		{tuples(t), nil, [5]int{0, 0, 3, 0, 0}},
		// Behind the greatest ones come small ones.
		{tuples(t, [3]int{1, 1, -2}, [3]int{2, 2}, [3]int{3, 3, 1}, [3]int{4, 4}, [3]int{5, 5, -1}),
			[]rules.ID{^rules.ID(1), 2, 1, 3, ^rules.ID(0)}, [5]int{0, 5, 0, 0, 0}},
		{tuples(t, [3]int{1, 1}, [3]int{6, 6}, [3]int{3, 3}, [3]int{4, 4}, [3]int{5, 5}),
			[]rules.ID{^rules.ID(1), 4, 1, 3, ^rules.ID(0)}, [5]int{4, 1, 1, 0, 0}},
	} {
		a, err := live.Apply(t.Context(), step.to, ints)
		require.NoError(t, err)
		require.Equal(t, step.ids, ids(live.Snapshot()))
		require.Equal(t, step.says, [5]int{a.Kept, a.Inserted, a.Deleted, a.Moved, a.Replaced})
	}
}

func TestApplyThatFailsChangesNothing(t *testing.T) {
	many := make([][3]int, 100)
	for i := range many {
		many[i] = [3]int{i, i}
	}
	live, err := hipac.NewLive(t.Context(), tuples(t, many...), &hipac.LiveOptions{Limits: rules.Limits{MaxRules: 100}})
	require.NoError(t, err)
	before := live.Snapshot()
	other, err := rules.NewList[int](rules.IPTuple)
	require.NoError(t, err)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx    context.Context
		to     *rules.List[int]
		values rules.Values[int]
		err    error
		says   string
	}{
		{t.Context(), other, ints, hipac.ErrSchema, "another schema"},
		{t.Context(), tuples(t, append(slices.Clone(many), [3]int{200, 1})...), ints, rules.ErrLimit, "at most 100"},
		{t.Context(), nil, ints, nil, "no list"},
		{t.Context(), tuples(t), rules.Values[int]{Equal: ints.Equal}, nil, "together"},
		{done, tuples(t), ints, context.Canceled, ""},
	} {
		for _, apply := range []func(context.Context, *rules.List[int], rules.Values[int]) (*hipac.Applied, error){live.Apply, live.DryApply} {
			a, err := apply(tt.ctx, tt.to, tt.values)
			require.Nil(t, a)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
			}
			require.ErrorContains(t, err, tt.says)
			require.Same(t, before, live.Snapshot())
		}
	}
	_, err = live.Apply(t.Context(), tuples(t, [3]int{1, 1}), ints) // and the list is not left locked
	require.NoError(t, err)
}

func TestEditsBetweenComparisonAndTransactionAreSeen(t *testing.T) {
	live, err := hipac.NewLive(t.Context(), tuples(t, [3]int{7, 77}, [3]int{1, 1}), nil)
	require.NoError(t, err)
	edit := func() {
		_ = live.Edit(context.Background(), func(tx *hipac.Tx[int]) error {
			_, err := tx.InsertAt(0, rules.Rule[int]{Value: 1000})
			return err
		})
	}
	// Others edit while the lists are compared. The value 77 is hashed once a
	// time; the third time the others have to wait.
	times := 0
	var others sync.WaitGroup
	values := ints
	values.Hash = func(v *int) uint64 {
		if *v == 77 {
			if times++; times <= 2 {
				edit()
			} else {
				others.Go(edit)
			}
		}
		return ints.Hash(v)
	}
	a, err := live.Apply(t.Context(), tuples(t, [3]int{1, 1}, [3]int{2, 2}), values)
	require.NoError(t, err)
	require.Equal(t, 3, times)
	require.Equal(t, 3, a.Deleted, "what others have inserted goes too")
	require.Equal(t, []rules.ID{2, 5}, a.IDs)
	others.Wait()
	require.Equal(t, []rules.ID{6, 2, 5}, ids(live.Snapshot()))
}

func TestValuesThatDoNotCountStay(t *testing.T) {
	live, err := hipac.NewLive(t.Context(), tuples(t, [3]int{1, 1}, [3]int{2, 2}), nil)
	require.NoError(t, err)
	a, err := live.Apply(t.Context(), tuples(t, [3]int{1, 5}, [3]int{3, 6}), rules.Values[int]{})
	require.NoError(t, err)
	require.Equal(t, 1, a.Kept)
	require.Equal(t, 1, live.Snapshot().At(0).Value)
	require.Equal(t, 6, live.Snapshot().At(1).Value)
}

func TestCountersOfRulesThatStayGoOnThroughApply(t *testing.T) {
	var many [][3]int
	for i := range 500 {
		many = append(many, [3]int{i, i})
	}
	for name, edits := range map[string]int{"edited": 10, "built anew": 400} {
		t.Run(name, func(t *testing.T) {
			live, err := hipac.NewLive(t.Context(), tuples(t, many...), &hipac.LiveOptions{Counters: true})
			require.NoError(t, err)
			reader := live.Reader()
			hit := func(port int) {
				k := rules.IPv4Tuple.NewKey()
				rules.IPv4Tuple.Set(k, rules.IPv4Tuple.MustIndex("dport"), rules.U64(uint64(port)))
				reader.Lookup(k, 100)
			}
			packets := func() map[int]uint64 { // by the value of the rule
				out := map[int]uint64{}
				live.EachCounter(func(r *rules.Rule[int], c hipac.Counts) bool {
					require.Equal(t, 100*c.Packets, c.Bytes)
					out[r.Value] = c.Packets
					return true
				})
				return out
			}
			for port := range 500 {
				hit(port)
			}
			// Rules in front are deleted, replaced and moved behind.
			to := slices.Clone(many[edits:])
			want := map[int]uint64{}
			for i := range to {
				want[to[i][1]] = 1
			}
			to[20][1] = 1000
			delete(want, edits+20)
			want[1000] = 1
			to = append(to[5:], to[:5]...)
			to = append(to, [3]int{1, 2000})
			want[2000] = 0
			a, err := live.Apply(t.Context(), tuples(t, to...), ints)
			require.NoError(t, err)
			require.Equal(t, name == "built anew", a.Rebuild)
			require.Equal(t, want, packets())
			hit(1)
			hit(edits + 20)
			want[2000], want[1000] = 1, 2
			require.Equal(t, want, packets())
		})
	}
}
