package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// diffList makes a list of rules such as "a1", "b2'" or "a1@7": a letter for
// the conditions, a digit for the value, "'" for the comment, "+" for Continue,
// "?" for Unknown, and the identity that the rule is given.
func diffList(t testing.TB, text string) *List[int] {
	b := NewBuilder[int](IPv4Tuple)
	for _, w := range strings.Fields(text) {
		w, id, _ := strings.Cut(w, "@")
		r := Rule[int]{Conds: []Cond{In(3, Point(uint64(w[0])))}, Value: int(w[1] - '0')}
		if id != "" {
			_, err := fmt.Sscan(id, &r.ID)
			require.NoError(t, err)
		}
		if strings.Contains(w, "'") {
			r.Comment = "seen"
		}
		if r.Continue = strings.Contains(w, "+"); strings.Contains(w, "?") {
			r.Unknown = "weather"
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	return b.List()
}

// listEditor is the plainest list that a script can be applied to.
type listEditor[T any] struct {
	to    *List[T]
	rules []Rule[T]
	next  ID
	edits int
}

func newListEditor[T any](from, to *List[T]) *listEditor[T] {
	e := &listEditor[T]{to: to, next: 1}
	for _, l := range []*List[T]{from, to} {
		for _, r := range l.All() {
			e.next = max(e.next, r.ID+1)
		}
	}
	for _, r := range from.All() {
		e.rules = append(e.rules, *r)
	}
	return e
}

func (e *listEditor[T]) find(id ID) (int, error) {
	i := slices.IndexFunc(e.rules, func(r Rule[T]) bool { return r.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("no rule %d", id)
	}
	return i, nil
}

func (e *listEditor[T]) put(behind ID, r Rule[T]) error {
	at := 0
	if behind != 0 {
		i, err := e.find(behind)
		if err != nil {
			return err
		}
		at = i + 1
	}
	e.edits++
	e.rules = slices.Insert(e.rules, at, r)
	return nil
}

func (e *listEditor[T]) take(id ID) (r Rule[T], err error) {
	i, err := e.find(id)
	if err == nil {
		r = e.rules[i]
		e.rules = slices.Delete(e.rules, i, i+1)
	}
	return r, err
}

func (e *listEditor[T]) Delete(id ID) error {
	e.edits++
	_, err := e.take(id)
	return err
}

func (e *listEditor[T]) Insert(behind ID, position int, id ID) (ID, error) {
	if id == 0 {
		id = e.next
		e.next++
	} else if _, err := e.find(id); err == nil {
		return 0, ErrDuplicateID
	}
	r := *e.to.At(position)
	r.ID = id
	return id, e.put(behind, r)
}

func (e *listEditor[T]) Move(rule, behind ID, _ int) error {
	r, err := e.take(rule)
	if err != nil {
		return err
	}
	return e.put(behind, r)
}

func (e *listEditor[T]) Replace(rule ID, position int) error {
	e.edits++
	i, err := e.find(rule)
	if err == nil {
		e.rules[i] = *e.to.At(position)
		e.rules[i].ID = rule
	}
	return err
}

// requireApplies applies a script to the old list, and requires that the rules
// are those of the new one, under the identities that the script names.
func requireApplies[T any](t testing.TB, s *Script, from, to *List[T], same func(a, b *Rule[T]) bool) {
	t.Helper()
	e := newListEditor(from, to)
	ids, err := s.Apply(e)
	require.NoError(t, err)
	require.Len(t, e.rules, to.Len())
	require.Len(t, s.IDs, to.Len())
	for i := range e.rules {
		require.True(t, same(&e.rules[i], to.At(i)), "rule %d: %v, not %v", i, e.rules[i], *to.At(i))
		require.Equal(t, ids[i], e.rules[i].ID)
		if s.IDs[i] != 0 {
			require.Equal(t, s.IDs[i], ids[i])
		}
	}
	require.Equal(t, len(s.Edits), e.edits)
	require.Equal(t, len(s.Edits), s.Deleted+s.Inserted+s.Moved+s.Replaced)
	stay := 0 // of the old list, replaced ones among them
	for _, id := range s.IDs {
		if id != 0 && from.Position(id) >= 0 {
			stay++
		}
	}
	require.Equal(t, from.Len()-s.Deleted, stay)
	require.Equal(t, to.Len()-s.Inserted, stay)
}

func sameIntRule(a, b *Rule[int]) bool {
	return a.Value == b.Value && a.Comment == b.Comment && a.Continue == b.Continue && a.Unknown == b.Unknown &&
		sameConds(a.Conds, b.Conds, nil, nil, false)
}

func TestScriptsOfLists(t *testing.T) {
	for _, row := range []struct{ name, old, new, want string }{
		{"equal lists need none", "a1 b1 c1", "a1 b1 c1", "kept 3"},
		{"empty lists need none", "", "", "kept 0"},
		{"all rules come", "", "a1 b1", "insert 0, insert 1, kept 0"},
		{"all rules go", "a1 b1", "", "delete 1, delete 2, kept 0"},
		{"a rule comes in the middle", "a1 c1", "a1 b1 c1", "insert 1, kept 2"},
		{"a rule comes to the front", "a1 c1", "b1 a1 c1", "insert 0, kept 2"},
		{"a rule goes", "a1 b1 c1", "a1 c1", "delete 2, kept 2"},
		{"one of equal rules goes", "a1 a1 a1", "a1 a1", "delete 3, kept 2"},
		{"other conditions are another rule", "a1 b1 c1", "a1 d1 c1", "delete 2, insert 1, kept 2"},
		{"another value replaces", "a1 b1 c1", "a1 b2 c1", "replace 2 by 1, kept 2"},
		{"another comment replaces", "a1 b1 c1", "a1 b1' c1", "replace 2 by 1, kept 2"},
		{"another Continue replaces", "a1 b1 c1", "a1 b1+ c1", "replace 2 by 1, kept 2"},
		{"another Unknown is another rule", "a1 b1 c1", "a1 b1? c1", "delete 2, insert 1, kept 2"},
		{"another value at another place is another rule", "a1 b1 c1 d1", "b2 a1 c1 d1", "delete 2, insert 0, kept 3"},
		{"rules are replaced in order", "a1 b1 c1", "c2 b2 a2", "delete 1, delete 2, replace 3 by 0, insert 1, insert 2, kept 0"},
		{"a rule moves down", "a1 b1 c1 d1", "b1 c1 a1 d1", "move 1 to 2, kept 3"},
		{"a rule moves to the front", "a1 b1 c1 d1", "d1 a1 b1 c1", "move 4 to 0, kept 3"},
		{"moved and new rules stand side by side", "a1 b1 c1", "x1 b1 y1 a1 z1 c1", "insert 0, insert 2, move 1 to 3, insert 4, kept 2"},
		{"a moved rule beats a replaced one", "a1 b1 c1 a2", "a2 b1 c1", "delete 1, move 4 to 0, kept 2"},

		{"given identities say what is the same", "a1 b1 c1", "a1@1 x9@2 c1@3", "replace 2 by 1, kept 2"},
		{"rules of given identities move", "a1 b1 c1", "c1@3 a1@1 b1@2", "move 3 to 0, kept 2"},
		{"and are replaced at their new place", "a1 b1 c1", "c5@3 a1@1 b1@2", "move 3 to 0, replace 3 by 0, kept 2"},
		{"a new identity is a new rule, whatever it looks like", "a1 b1", "a1@1 b1@7", "delete 2, insert 1 as 7, kept 1"},
		{"rules without identities beside them go by meaning", "a1 b1 c1", "y2@2 a1 c1", "replace 2 by 0, move 1 to 1, kept 1"},
		{"an identity is not taken by a rule that looks like its own", "a1 a1", "b1@1 a1", "replace 1 by 0, kept 1"},
		{"rules of given identities are not replaced by others", "a1 b1 c1", "a1 b2@9 c1", "delete 2, insert 1 as 9, kept 2"},
		{"identities of the old list may be anything", "a1@9 b1@4 c1@6", "a1 c1 d1", "delete 4, insert 2, kept 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			from, to := diffList(t, row.old), diffList(t, row.new)
			s := Diff(from, to)
			var got strings.Builder
			for _, e := range s.Edits {
				fmt.Fprintf(&got, "%v, ", e)
			}
			fmt.Fprintf(&got, "kept %d", s.Kept)
			require.Equal(t, row.want, got.String())
			require.True(t, s.Exact)
			require.Equal(t, len(s.Edits) == 0, s.Empty())
			requireApplies(t, s, from, to, sameIntRule)
		})
	}
}

// common is the length of the longest common subsequence, in the time of the
// product of the lengths.
func common(n, m int, same func(i, j int) bool) int {
	row := make([]int, m+1)
	for i := range n {
		diagonal := 0
		for j := range m {
			above := row[j+1]
			if row[j+1] = max(above, row[j]); same(i, j) {
				row[j+1] = diagonal + 1
			}
			diagonal = above
		}
	}
	return row[m]
}

// requireSmallest requires a script between lists without given identities,
// whose number of rules that stay as they are is the most that can.
func requireSmallest(t testing.TB, from, to *List[int]) {
	t.Helper()
	s := Diff(from, to)
	requireApplies(t, s, from, to, sameIntRule)
	require.True(t, s.Exact)
	require.Equal(t, common(from.Len(), to.Len(), func(i, j int) bool { return sameIntRule(from.At(i), to.At(j)) }), s.Kept)
	require.Equal(t, s, Diff(from, to), "scripts are deterministic")
	require.Equal(t, s.Edits, requireFunc(t, from, to, func(v *int) uint64 { return 0 }).Edits, "hashes do not matter")
	// A rule that is deleted is equal to none that is inserted.
	left := map[string]int{}
	name := func(r *Rule[int]) string {
		return fmt.Sprint(r.Conds[0].ranges, r.Value, r.Comment, r.Continue, r.Unknown)
	}
	for _, e := range s.Edits {
		if e.Op == DeleteRule {
			left[name(from.At(from.Position(e.ID)))]++
		}
	}
	for _, e := range s.Edits {
		if e.Op == InsertRule {
			require.Zero(t, left[name(to.At(e.New))])
		}
	}
}

func requireFunc(t testing.TB, from, to *List[int], hash func(*int) uint64) *Script {
	t.Helper()
	s, err := DiffFunc(from, to, Values[int]{Hash: hash, Equal: func(a, b *int) bool { return *a == *b }})
	require.NoError(t, err)
	return s
}

// randomRules is a text for diffList of n rules of few kinds.
func randomRules(rnd *rand.Rand, n, letters, values int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%c%d", 'a'+rnd.IntN(letters), rnd.IntN(values))
		if rnd.IntN(8) == 0 {
			out[i] += string("'+?"[rnd.IntN(3)])
		}
	}
	return out
}

// edited is the rules with some of them deleted, inserted, moved and changed.
func edited(rnd *rand.Rand, rs []string, edits, letters, values int) []string {
	rs = slices.Clone(rs)
	for range edits {
		if len(rs) == 0 {
			break
		}
		i, j := rnd.IntN(len(rs)), rnd.IntN(len(rs))
		r := rs[i]
		switch rnd.IntN(4) {
		case 0:
			rs = slices.Delete(rs, i, i+1)
		case 1:
			rs = slices.Insert(rs, i, randomRules(rnd, 1, letters, values)...)
		case 2:
			rs = slices.Insert(slices.Delete(rs, i, i+1), min(j, len(rs)-1), r)
		case 3:
			rs[i] = r[:1] + randomRules(rnd, 1, letters, values)[0][1:]
		}
	}
	return rs
}

func TestScriptsOfRandomListsAreTheSmallest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	for range 3000 {
		letters, values := 1+rnd.IntN(20), 1+rnd.IntN(3)
		old := randomRules(rnd, rnd.IntN(40), letters, values)
		new := randomRules(rnd, rnd.IntN(40), letters, values)
		if rnd.IntN(3) > 0 {
			new = edited(rnd, old, rnd.IntN(10), letters, values)
		}
		requireSmallest(t, diffList(t, strings.Join(old, " ")), diffList(t, strings.Join(new, " ")))
	}
}

func TestScriptsOfRandomListsWithIdentitiesApply(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 2))
	for range 2000 {
		number := func(rs []string, some int) string {
			ids := rnd.Perm(2 * len(rs))
			for i := range rs {
				if rnd.IntN(some) == 0 {
					rs[i] += fmt.Sprintf("@%d", 100+ids[i])
				}
			}
			return strings.Join(rs, " ")
		}
		old := randomRules(rnd, rnd.IntN(30), 6, 2)
		new := edited(rnd, old, rnd.IntN(10), 6, 2)
		from, to := diffList(t, number(old, 1)), diffList(t, number(new, 1+rnd.IntN(3)))
		s := Diff(from, to)
		requireApplies(t, s, from, to, sameIntRule)
		for i, r := range to.All() {
			if to.GivenID(i) {
				require.Equal(t, r.ID, s.IDs[i])
			}
		}
	}
}

func TestManyEqualRulesStillGiveAScriptThatApplies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 3))
	inexact := 0
	for range 1500 {
		letters := 1 + rnd.IntN(30)
		old := randomRules(rnd, rnd.IntN(60), letters, 2)
		from := diffList(t, strings.Join(old, " "))
		to := diffList(t, strings.Join(edited(rnd, old, rnd.IntN(12), letters, 2), " "))
		best := common(from.Len(), to.Len(), func(i, j int) bool { return sameIntRule(from.At(i), to.At(j)) })
		for _, budget := range []int64{0, 1, 20, 60} {
			c := comparison[int]{
				sameValue:   func(a, b side[int]) bool { return a.rule.Value == b.rule.Value },
				appendValue: func(b []byte, r side[int]) []byte { return append(b, byte(r.rule.Value)) },
			}
			s := diffWithin(from, to, c, func(int) int64 { return budget })
			requireApplies(t, s, from, to, sameIntRule)
			require.LessOrEqual(t, s.Kept, best)
			if s.Exact {
				require.Equal(t, best, s.Kept)
			} else {
				inexact++
			}
		}
	}
	require.NotZero(t, inexact)
}

func TestListsOfOneRuleOverAndOverEndSoon(t *testing.T) {
	const n = 60_000 // 3.6e9 pairs of equal rules
	make := func(kinds int) *List[int] {
		b := NewBuilder[int](IPv4Tuple)
		rnd := rand.New(rand.NewPCG(5, uint64(kinds)))
		for range n {
			_, err := b.Add(Rule[int]{Value: rnd.IntN(kinds)})
			require.NoError(t, err)
		}
		return b.List()
	}
	from, to := make(2), make(3)
	s := Diff(from, to)
	require.False(t, s.Exact)
	require.Equal(t, n, s.Kept+s.Inserted+s.Moved+s.Replaced)
	require.Greater(t, s.Kept, n/4)
}

func TestHeadsAndTailsOfLongListsAreKept(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 4))
	build := func(ports []uint64) *List[int] {
		b := NewBuilder[int](IPv4Tuple)
		for _, p := range ports {
			_, err := b.Add(Rule[int]{Conds: []Cond{In(0, Point(p))}})
			require.NoError(t, err)
		}
		return b.List()
	}
	ports := make([]uint64, 20_000)
	for i := range ports {
		ports[i] = uint64(i)
	}
	from := build(ports)
	for range 10 {
		at := rnd.IntN(len(ports))
		ports = slices.Delete(ports, at, at+1)
		ports = slices.Insert(ports, rnd.IntN(len(ports)), uint64(1<<20+at))
	}
	to := build(ports)
	s := Diff(from, to)
	require.Equal(t, []int{10, 10, 0, 0}, []int{s.Deleted, s.Inserted, s.Moved, s.Replaced})
	requireApplies(t, s, from, to, sameIntRule)

	rnd.Shuffle(len(ports), func(i, j int) { ports[i], ports[j] = ports[j], ports[i] })
	shuffled := build(ports)
	s = Diff(to, shuffled)
	require.Equal(t, shuffled.Len(), s.Kept+s.Moved)
	require.Zero(t, s.Deleted+s.Inserted+s.Replaced)
}

func TestTheOrderOfConditionsDoesNotCount(t *testing.T) {
	a, b, c := In(2, Point(1)), Masked(3, U64(2), U64(3)).Negate(), In(3, Point(9), Point(7)).OrAbsent()
	list := func(conds ...Cond) *List[int] {
		l, err := NewList(IPv4Tuple, Rule[int]{Conds: conds})
		require.NoError(t, err)
		return l
	}
	require.True(t, Diff(list(a, b, c), list(c, a, b)).Empty())
	require.True(t, Diff(list(a, b, b), list(b, a, b)).Empty())
	for _, other := range []*List[int]{list(), list(a, b), list(a, a, b), list(a, b, c, c), list(a, b, c.Negate()), list(a, b.OrAbsent(), c), list(a, b, In(3, Point(9)).OrAbsent()), list(a, b, c.On(2))} {
		s := Diff(list(a, b, c), other)
		require.Equal(t, []int{1, 1}, []int{s.Deleted, s.Inserted})
	}
}

func TestListsOfOtherSchemasAreComparedByTheNamesOfFields(t *testing.T) {
	list := func(s *Schema, conds ...string) *List[int] {
		b := NewBuilder[int](s)
		for _, text := range conds {
			c, err := s.ParseCond(text)
			require.NoError(t, err)
			_, err = b.Add(Rule[int]{Conds: []Cond{c}})
			require.NoError(t, err)
		}
		return b.List()
	}
	small := MustSchema(Field{Name: "dport", Kind: Port}, Field{Name: "x", Bits: 8}, Field{Name: "y", Bits: 8})
	large := MustSchema(Field{Name: "z", Bits: 8}, Field{Name: "y", Bits: 8}, Field{Name: "x", Bits: 9}, Field{Name: "dport", Kind: Port})
	s := Diff(list(small, "dport=80", "x=1", "y=2"), list(large, "z=1", "dport=80", "x=1", "y=2"))
	require.True(t, s.SchemaChanged)
	require.False(t, s.Empty())
	require.Equal(t, []ID{0, 1, 0, 3}, s.IDs, "x became wider")
	require.Equal(t, 2, s.Kept)

	s = Diff(list(small, "x=1"), list(MustSchema(small.fields...), "x=1"))
	require.False(t, s.SchemaChanged)
	require.True(t, s.Empty())
}

func TestMissingListsAreEmpty(t *testing.T) {
	l := diffList(t, "a1 b1@7")
	require.True(t, Diff[int](nil, nil).Empty())
	s := Diff(nil, l)
	require.Equal(t, []Edit{{InsertRule, 0, 0}, {InsertRule, 7, 1}}, s.Edits)
	require.Equal(t, []ID{0, 7}, s.IDs)
	require.Equal(t, []Edit{{DeleteRule, 1, -1}, {DeleteRule, 7, -1}}, Diff(l, nil).Edits)
}

func TestValuesMayBeComparedByFunctionsOrNotAtAll(t *testing.T) {
	from, to := diffList(t, "a1 b1 c1"), diffList(t, "a2 b2 c2")
	s, err := DiffFunc(from, to, Values[int]{})
	require.NoError(t, err)
	require.True(t, s.Empty())
	_, err = DiffFunc(from, to, Values[int]{Equal: func(a, b *int) bool { return true }})
	require.EqualError(t, err, "values are compared by Equal and Hash together, or not at all")
	_, err = DiffFunc(from, to, Values[int]{Hash: func(*int) uint64 { return 0 }})
	require.Error(t, err)
}

func TestAnErrorOfTheEditorEndsTheApplication(t *testing.T) {
	from, to := diffList(t, "a1 b1"), diffList(t, "b1 c1")
	e := newListEditor(diffList(t, ""), to)
	_, err := Diff(from, to).Apply(e)
	require.EqualError(t, err, "delete 1: no rule 1")
}

func TestGivenIdentitiesAreRemembered(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	for i := range 200 {
		r := Rule[int]{}
		if i%3 == 1 {
			r.ID = ID(i + 1)
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	l := b.List()
	_, err := b.Add(Rule[int]{ID: 999})
	require.NoError(t, err)
	for i := range 200 {
		require.Equal(t, i%3 == 1, l.GivenID(i))
	}
	require.True(t, b.List().GivenID(200))
	require.False(t, diffList(t, "a1").GivenID(0))
}

// FuzzDiff reads two lists of few kinds of rules from bytes.
func FuzzDiff(f *testing.F) {
	f.Add([]byte("abcabba"), []byte("cbabac"))
	f.Add([]byte("aaaa"), []byte("aa"))
	f.Add([]byte("AbCd"), []byte("DcBa"))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		list := func(text []byte) *List[int] {
			var words []string
			for _, c := range text[:min(len(text), 64)] {
				words = append(words, fmt.Sprintf("%c%d%s", 'a'+c%4, c>>2%2, []string{"", "", "'", "+"}[c>>3%4]))
			}
			return diffList(t, strings.Join(words, " "))
		}
		requireSmallest(t, list(old), list(new))
	})
}
