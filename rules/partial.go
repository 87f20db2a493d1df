package rules

// Packets of which a capture holds only the beginning: nobody knows the fields
// behind its end, and a rule that asks for one may match or not.

// Partial is a Subject that may lack fields that the packet had.
type Partial interface {
	Subject
	// Lost returns the fields of the schema of the table that was entered last
	// which nobody knows, bit i for field i, the bits of the field "hotdrop"
	// that nobody knows, and a word for what is missing. In the key such fields
	// are absent.
	Lost() (fields, hotdrop uint32, missing string)
}

// lost is what a packet lacks.
type lost struct {
	fields, hotdrop uint32
	missing         string
}

func lostOf(s Subject) (l lost) {
	if p, ok := s.(Partial); ok {
		l.fields, l.hotdrop, l.missing = p.Lost()
	}
	return l
}

func (l *lost) nothing() bool { return l.fields|l.hotdrop == 0 }

// Lacks reports whether the packet, which has entered a table, lacks fields of
// it or of what Extension.Demands asks for: then Table.Run gives the answer.
func Lacks(s Subject) bool {
	l := lostOf(s)
	return !l.nothing()
}

// hold asks conditions: No settles it even next to one that nobody can answer.
func (l *lost) hold(conds []Cond, s *Schema, k Key) Outcome {
	o := Yes
	for i := range conds {
		f := int(conds[i].field)
		if l.fields>>f&1 != 0 {
			o = Unsure
		} else if !conds[i].Holds(s.Get(k, f)) {
			return No
		}
	}
	return o
}

// unreadable is Extension.Unreadable: Yes when the rule drops the packet,
// Unsure when nobody knows.
func (l *lost) unreadable(e *Extension, t *Table, r *Rule[Action], s Subject) Outcome {
	k := s.Key()
	hot := t.Schema.Hotdrop(k)
	for _, d := range e.Demands {
		if d.Bits&(hot|l.hotdrop) == 0 {
			continue
		}
		o := l.hold(r.Conds[:d.Conds], t.Schema, k)
		if o == No {
			continue
		}
		tests, _ := askFrom(o, "", e.Tests[:d.Tests], s)
		switch {
		case tests == No || tests == DropNow:
		case tests == Unsure || d.Bits&hot == 0:
			return Unsure
		default:
			return Yes
		}
	}
	return No
}

// unsureOutcome is Outcome for a rule of whose conditions nobody knows whether
// they hold: a test may still say that it does not match.
func (e *Extension) unsureOutcome(missing string, s Subject) (Outcome, string) {
	if e == nil {
		return Unsure, missing
	}
	return askFrom(Unsure, missing, e.Tests, s)
}
