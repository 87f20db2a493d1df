package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentitiesAreGivenInOrderAndAroundThoseGivenByHand(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	require.Same(t, IPv4Tuple, b.Schema())
	var ids []ID
	for _, id := range []ID{0, 0, 7, 5, 0, 0, 0, 0, 1<<64 - 1, 0} {
		got, err := b.Add(Rule[int]{ID: id, Value: len(ids)})
		require.NoError(t, err)
		ids = append(ids, got)
	}
	require.Equal(t, []ID{1, 2, 7, 5, 6, 8, 9, 10, 1<<64 - 1, 11}, ids)
	require.Equal(t, len(ids), b.Len())
	l := b.List()
	require.False(t, l.SequentialIDs())
	for i, id := range ids {
		require.Equal(t, i, l.Position(id))
		require.Equal(t, id, l.At(i).ID)
		require.Equal(t, i, l.At(i).Value)
	}
	for _, id := range []ID{0, 3, 4, 12} {
		require.Equal(t, -1, l.Position(id))
	}
}

func TestSequentialIdentitiesNeedNoMap(t *testing.T) {
	l, err := NewList(IPv4Tuple, Rule[int]{}, Rule[int]{ID: 2}, Rule[int]{})
	require.NoError(t, err)
	require.True(t, l.SequentialIDs())
	for id, want := range map[ID]int{0: -1, 1: 0, 2: 1, 3: 2, 4: -1, 1<<64 - 1: -1} {
		require.Equal(t, want, l.Position(id), id)
	}
}

func TestManyClashingIdentitiesStayLinear(t *testing.T) {
	// Searched from the rule's number each time, this would take n*n steps.
	const n = 200_000
	b := NewBuilder[struct{}](IPv4Tuple)
	for i := range ID(n) {
		_, err := b.Add(Rule[struct{}]{ID: n + 1 + i})
		require.NoError(t, err)
	}
	var last ID
	for range n {
		last, _ = b.Add(Rule[struct{}]{})
	}
	require.Equal(t, ID(3*n), last)
}

func TestDuplicateIdentityIsRefusedAndNothingAdded(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	for _, id := range []ID{0, 9} {
		_, err := b.Add(Rule[int]{ID: id})
		require.NoError(t, err)
	}
	for _, id := range []ID{1, 9} {
		_, err := b.Add(Rule[int]{ID: id})
		require.ErrorIs(t, err, ErrDuplicateID)
		require.Equal(t, 2, b.Len())
	}
	_, err := NewList(IPv4Tuple, Rule[int]{}, Rule[int]{ID: 1})
	require.EqualError(t, err, "rule 2: duplicate rule identity: 1")
}

func TestIdenticalRulesAreTwoRules(t *testing.T) {
	r := Rule[string]{Conds: []Cond{In(3, Point(80))}, Value: "x"}
	l, err := NewList(IPv4Tuple, r, r)
	require.NoError(t, err)
	require.Equal(t, 2, l.Len())
	require.NotEqual(t, l.At(0).ID, l.At(1).ID)
	k := Tuple4{DstPort: 80}.Key()
	i, ok := l.First(k[:])
	require.True(t, ok)
	require.Zero(t, i)
}

func TestEmptyListMatchesNothing(t *testing.T) {
	l, err := NewList[int](IPv4Tuple)
	require.NoError(t, err)
	require.Zero(t, l.Len())
	require.True(t, l.SequentialIDs())
	k := Tuple4{}.Key()
	_, ok := l.First(k[:])
	require.False(t, ok)
	for range l.All() {
		t.Fatal("an empty list has a rule")
	}
	for range l.Matches(k[:]) {
		t.Fatal("an empty list has a match")
	}
}

func TestSchemaWithoutFieldsMatchesWithItsFirstRule(t *testing.T) {
	s := MustSchema()
	require.Equal(t, 1, s.KeyLen())
	l, err := NewList(s, Rule[int]{Continue: true}, Rule[int]{}, Rule[int]{})
	require.NoError(t, err)
	i, ok := l.First(s.NewKey())
	require.True(t, ok)
	require.Equal(t, 1, i)
}

func TestBuilderCopiesWhatItIsGiven(t *testing.T) {
	ivs := []Interval{Span(1, 5), Span(9, 9)}
	conds := []Cond{In(2, ivs...), In(3, Point(80))}
	b := NewBuilder[int](IPv4Tuple)
	_, err := b.Add(Rule[int]{Conds: conds})
	require.NoError(t, err)
	ivs[0] = Span(100, 200)
	conds[1] = In(3, Point(443))
	conds = append(conds[:1], In(4, Point(6)))
	_, err = b.Add(Rule[int]{Conds: conds})
	require.NoError(t, err)
	l := b.List()
	require.Equal(t, "sport=1-5,9 dport=80", FormatRule(IPv4Tuple, l.At(0)))
	require.Equal(t, "sport=1-5,9 proto=tcp", FormatRule(IPv4Tuple, l.At(1)))
}

func TestListsStayAsTheyAreWhileTheBuilderGoesOn(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	var lists []*List[int]
	for i := range 300 {
		lists = append(lists, b.List())
		id := ID(0)
		if i == 150 {
			id = 1000
		}
		_, err := b.Add(Rule[int]{ID: id, Conds: []Cond{In(2, Point(uint64(i)))}, Value: i})
		require.NoError(t, err)
	}
	for n, l := range lists {
		require.Equal(t, n, l.Len())
		require.Equal(t, n <= 150, l.SequentialIDs())
		for i, r := range l.All() {
			require.Equal(t, i, r.Value)
			require.True(t, r.Conds[0].Holds(U64(uint64(i)), true))
			require.Equal(t, i, l.Position(r.ID))
		}
		require.Equal(t, -1, l.Position(2000))
	}
	require.Equal(t, -1, lists[100].Position(101), "a later rule")
	require.Equal(t, -1, lists[200].Position(201), "a later rule")
}

func TestBuilderKeepsToMaxRules(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	b.SetLimits(Limits{MaxRules: 2})
	for range 2 {
		_, err := b.Add(Rule[int]{})
		require.NoError(t, err)
	}
	_, err := b.Add(Rule[int]{})
	require.ErrorIs(t, err, ErrLimit)
	require.Equal(t, 2, b.List().Len())
}

func TestIterationStopsWhenAsked(t *testing.T) {
	l, err := NewList(IPv4Tuple, Rule[int]{Continue: true}, Rule[int]{Continue: true}, Rule[int]{})
	require.NoError(t, err)
	k := Tuple4{}.Key()
	seen := 0
	for range l.All() {
		seen++
		break
	}
	for range l.Matches(k[:]) {
		seen++
		break
	}
	for range l.Executed(k[:]) {
		seen++
		break
	}
	require.Equal(t, 3, seen)
}

func TestBuilderKeepsItsMemoryLimit(t *testing.T) {
	b := NewBuilder[int](IPv4Tuple)
	b.SetLimits(Limits{MaxMemory: 10000})
	var err error
	for err == nil {
		_, err = b.Add(Rule[int]{Conds: IPv4Tuple.MustConds("src=10.0.0.0/8 dport=80,443")})
	}
	require.ErrorIs(t, err, ErrLimit)
	require.Equal(t, 28, b.Len(), "128 + 2*64 + 3*32 bytes each")
	require.LessOrEqual(t, b.Bytes(), int64(10000))
}

func TestAConditionThatSaysNothingIsRefused(t *testing.T) {
	_, err := NewList(IPv4Tuple, Rule[int]{Conds: []Cond{{}}})
	require.ErrorContains(t, err, "says nothing")
}

func TestMustCondsPanicsOnBadText(t *testing.T) {
	require.Len(t, IPv4Tuple.MustConds("src=10.0.0.0/8 dport=80"), 2)
	require.Empty(t, IPv4Tuple.MustConds("any"))
	require.Panics(t, func() { IPv4Tuple.MustConds("colour=red") })
	_, err := IPv4Tuple.ParseConds(" ")
	require.Error(t, err)
}
