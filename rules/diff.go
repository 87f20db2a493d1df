package rules

// Differences of lists: the smallest set of edits that turns one list into
// another, so that a live list takes over a new file and its rules keep their
// identities, and with them their counters, wherever they stayed.

import (
	"errors"
	"fmt"
	"hash/maphash"
)

// EditOp is what an Edit does.
type EditOp uint8

// The kinds of edits.
const (
	DeleteRule EditOp = iota
	InsertRule
	MoveRule
	ReplaceRule
)

var editNames = [...]string{"delete", "insert", "move", "replace"}

// String returns "delete", "insert", "move" or "replace".
func (o EditOp) String() string {
	if int(o) < len(editNames) {
		return editNames[o]
	}
	return fmt.Sprintf("edit(%d)", uint8(o))
}

// Edit is one step of a Script.
type Edit struct {
	Op EditOp
	// ID is the rule of the old list that is deleted, moved or replaced. Of an
	// inserted rule it is the identity that the new list was given for it, and
	// 0 when that has none: then a free one is to be found.
	ID ID
	// New is the position in the new list of the rule that is inserted, that is
	// moved, or that takes the place of the replaced one; -1 of a deleted rule.
	// Inserted and moved rules go right behind the one that is at New-1 in the
	// new list, or to the front when New is 0: that rule is in its place by then.
	New int
}

// String returns the edit in words: "move 7 to 3".
func (e Edit) String() string {
	switch e.Op {
	case InsertRule:
		if e.ID != 0 {
			return fmt.Sprintf("insert %d as %d", e.New, e.ID)
		}
		return fmt.Sprintf("insert %d", e.New)
	case MoveRule:
		return fmt.Sprintf("move %d to %d", e.ID, e.New)
	case ReplaceRule:
		return fmt.Sprintf("replace %d by %d", e.ID, e.New)
	}
	return fmt.Sprintf("%v %d", e.Op, e.ID)
}

// Script turns an old list of rules into a new one.
//
// Rules are the same that have the same conditions, in whatever order, and the
// same value, comment, Continue and Unknown; identities do not count. Of the
// rules that are the same the most that can are kept where they are, so that
// the fewest are deleted and inserted. Of the others a rule that is deleted at
// one place and inserted at another is moved, and a rule that is deleted and
// inserted between the same kept rules with the same conditions and Unknown is
// replaced: its value, its comment or Continue changed. Both keep their
// identity. Where several choices keep as many rules in place, one that allows
// more replacements, and so fewer edits, is not looked for.
//
// A rule of the new list that was given an identity (List.GivenID) is the old
// rule of that identity, whatever became of its conditions and value, and is
// replaced when it is not the same; it is a new rule when the old list has none.
type Script struct {
	// Edits are to be applied in order: deletions first, then the others by
	// their position in the new list. A rule that is moved and replaced is moved
	// first.
	Edits []Edit
	// IDs are the identities of the new list's rules by position: those of the
	// old list for rules that it had, those given for new ones, or 0.
	IDs []ID
	// Kept counts the rules that stay as and where they are. A rule that is
	// moved and replaced counts in both.
	Kept, Deleted, Inserted, Moved, Replaced int
	// SchemaChanged says that the lists are of different schemas. Conditions are
	// compared by the names, kinds and widths of their fields then, and rules
	// that were kept or moved must take their conditions from the new list.
	SchemaChanged bool
	// Exact says that no script keeps more rules in their place. It is false for
	// lists in which so many rules are the same that it would take too long to
	// find out: more than 16 pairs of them per rule of the lists, or 8M.
	Exact bool
}

// Empty reports whether the lists are the same.
func (s *Script) Empty() bool { return len(s.Edits) == 0 && !s.SchemaChanged }

// ListEditor is what a Script is applied to. The methods change the list at
// once, or return an error, which ends the application.
type ListEditor interface {
	// Delete takes the rule away.
	Delete(ID) error
	// Insert puts the rule that is at the position of the new list behind the
	// rule with the identity behind, or to the front when that is 0. Its
	// identity is to be id or, when that is 0, one that neither the list has nor
	// the new list was given; Insert returns it.
	Insert(behind ID, position int, id ID) (ID, error)
	// Move puts the rule behind another, or to the front when that is 0; at the
	// position of the new list it looks as it did.
	Move(rule, behind ID, position int) error
	// Replace gives the rule the conditions, the value, the comment, Continue
	// and Unknown of the one at the position of the new list.
	Replace(rule ID, position int) error
}

// Apply applies the edits in order, up to the first error. It returns the
// identities of the new list's rules by position: IDs, with those that Insert
// has found.
func (s *Script) Apply(to ListEditor) ([]ID, error) {
	ids := append([]ID(nil), s.IDs...)
	for _, e := range s.Edits {
		var behind ID
		if e.New > 0 {
			behind = ids[e.New-1]
		}
		var err error
		switch e.Op {
		case DeleteRule:
			err = to.Delete(e.ID)
		case InsertRule:
			ids[e.New], err = to.Insert(behind, e.New, e.ID)
		case MoveRule:
			err = to.Move(e.ID, behind, e.New)
		case ReplaceRule:
			err = to.Replace(e.ID, e.New)
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", e, err)
		}
	}
	return ids, nil
}

// Diff returns the script that turns the old list into the new one, whose
// values are compared by ==. A nil list is an empty one. Equal lists give equal
// scripts. It takes O(n log n) time and memory in proportion to the lists, see
// Script.Exact, and the conditions that rules ask; heads and tails of the lists
// that are the same cost least.
func Diff[T comparable](old, new *List[T]) *Script {
	s, _ := DiffFunc(old, new, ComparableValues[T]())
	return s
}

// ComparableValues compares values by ==.
func ComparableValues[T comparable]() Values[T] {
	seed := maphash.MakeSeed()
	return Values[T]{
		Hash:  func(v *T) uint64 { return maphash.Comparable(seed, *v) },
		Equal: func(a, b *T) bool { return *a == *b },
	}
}

// Values compares the values of rules.
type Values[T any] struct {
	// Equal reports whether two values are the same. It must be an equivalence.
	Equal func(a, b *T) bool
	// Hash returns the same number for values that are the same, and for others
	// as seldom as it can: the time grows with the square of the number of
	// different rules of one hash.
	Hash func(*T) uint64
}

// DiffFunc is Diff with a comparison of values. With neither Equal nor Hash
// values do not count, and only one of them is an error. Values that do not
// count differ unseen: kept rules may have others in the new list.
func DiffFunc[T any](old, new *List[T], values Values[T]) (*Script, error) {
	if (values.Equal == nil) != (values.Hash == nil) {
		return nil, errors.New("values are compared by Equal and Hash together, or not at all")
	}
	c := comparison[T]{}
	if values.Equal != nil {
		c.sameValue = func(a, b side[T]) bool { return values.Equal(&a.rule.Value, &b.rule.Value) }
		c.appendValue = func(b []byte, r side[T]) []byte { return appendUint64(b, values.Hash(&r.rule.Value)) }
	}
	return diffLists(old, new, c), nil
}
