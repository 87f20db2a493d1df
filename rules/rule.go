package rules

// Rules: a conjunction of conditions, an identity and the user's own value.

// ID identifies a rule for as long as it lives, whatever happens to its
// neighbours. 0 is no rule.
type ID uint64

// Rule is one rule of a list. T is the caller's own type: a verdict, a tag, a
// struct.
type Rule[T any] struct {
	// ID must be unique in the list. 0 asks the builder for the next free one:
	// the first rule added gets 1, the second 2 and so on.
	ID ID
	// Conds must all hold for the rule to match. Without conditions it matches
	// every packet. A field may appear more than once.
	Conds []Cond
	// Value is returned with a match.
	Value T
	// Comment is free text.
	Comment string
	// Continue makes the rule non-terminal: when it matches it is recorded as
	// executed and evaluation goes on behind it.
	Continue bool
	// Unknown is not empty when the rule asks for something that is not
	// modelled; it names what. Conds is then only what is known of it: where
	// they do not hold the rule does not match, and where they hold nobody can
	// say. Such a rule, when evaluation reaches it, is the answer "unknown"; a
	// Continue rule never decides, so it only makes what was executed uncertain.
	Unknown string
}

// Matches reports whether all conditions of r hold for the packet k. For an
// Unknown rule that means: may match.
func (r *Rule[T]) Matches(s *Schema, k Key) bool {
	return holdAll(r.Conds, s, k)
}

// Check reports the first condition of r that does not fit the schema.
func (r *Rule[T]) Check(s *Schema) error {
	for i := range r.Conds {
		if err := r.Conds[i].check(s); err != nil {
			return err
		}
	}
	return nil
}

// Bytes returns the memory of the rule as Limits.MaxMemory counts.
func (r *Rule[T]) Bytes() int64 { return r.bytes() }
