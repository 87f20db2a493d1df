package xt

// The target SET: it adds packets to sets and takes them out, and gives them
// what a set's entry says.

import (
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
)

// SetUse is a set with the packet's directions; an empty Name is none.
type SetUse struct {
	Name       string
	Directions ipset.Directions
}

// Set is the target SET. It adds the packet to one set, takes it out of
// another, and gives it the mark and the priority of its entry in a third. The
// sets are the State's live copies of those in From.
type Set struct {
	From          *ipset.Sets
	Add, Del, Map SetUse
	Timeout       *time.Duration // of the entry; nil: what the set says, 0: for ever
	Renew         bool           // an entry that is there begins its time again
	Mark, Prio    bool           // what Map gives
	Queue         bool
}

// Apply does it. Without a State, or without the set, it is unsure.
func (x *Set) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "SET", unsure)
	if t == nil {
		return outcome, needs
	}
	if x.Add.Name != "" {
		c, missing := t.AddToSet(x.From, x.Add.Name, x.Add.Directions, x.Timeout, x.Renew)
		if missing != "" {
			return rules.Unsure, missing
		}
		t.Record(at, "SET", "", changeText(c, "added to ", "not added to ", x.Add.Name), "")
	}
	if x.Del.Name != "" {
		c, missing := t.DeleteFromSet(x.From, x.Del.Name, x.Del.Directions)
		if missing != "" {
			return rules.Unsure, missing
		}
		t.Record(at, "SET", "", changeText(c, "deleted from ", "not in ", x.Del.Name), "")
	}
	if x.Map.Name == "" {
		return rules.Yes, ""
	}
	in, e, missing := t.AskSet(x.From, x.Map.Name, &ipset.Query{Directions: x.Map.Directions})
	switch {
	case missing != "":
		return rules.Unsure, missing
	case !in:
		t.Record(at, "SET", "", "not in "+x.Map.Name, "")
		return rules.Yes, ""
	}
	if x.Mark {
		t.setMark(at, "SET", t.Packet.Mark&^e.MarkMask^e.Mark)
	}
	if x.Prio {
		env := t.env()
		t.change(at, "SET", "priority", uint64(env.Priority), uint64(e.Prio))
		env.Priority = e.Prio
	}
	if x.Queue {
		t.Record(at, "SET", "", "queue "+itoa(uint64(e.Queue)), "")
	}
	return rules.Yes, ""
}

func changeText(c ipset.Change, did, not, name string) string {
	switch c {
	case ipset.Changed:
		return did + name
	case ipset.Full:
		return "no room in " + name
	}
	return not + name
}
