package ways

// Comparing an Answerer with known answers.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

// Answers are those for some packets, by packet.
type Answers struct {
	First         []int
	All, Executed [][]int // nil when not asked
}

// Ask returns an Answerer's answers for keys that follow one another.
// All matches and rules executed are asked with all, where the way can say.
func Ask(s *rules.Schema, a *Answerer, keys []uint32, all bool) *Answers {
	w := s.KeyLen()
	n := len(keys) / w
	out := &Answers{First: make([]int, n)}
	a.First(keys, out.First)
	if all && a.All != nil {
		for i := range n {
			k := rules.Key(keys[i*w:][:w:w])
			out.All = append(out.All, a.All(k, nil))
			out.Executed = append(out.Executed, a.Executed(k, nil))
		}
	}
	return out
}

// Matched returns the number of packets that a rule matches first.
func (a *Answers) Matched() int {
	n := 0
	for _, v := range a.First {
		if v != None {
			n++
		}
	}
	return n
}

// Compare compares answers got in the way of a name with those wanted, as far as
// both were asked, and returns the number of answers compared and the first
// difference, a *compare.Difference.
func (a *Answers) Compare(name string, s *rules.Schema, keys []uint32, want *Answers) (int, error) {
	w := s.KeyLen()
	differ := func(i int, question string, got, want any) error {
		return &compare.Difference{Engine: name, Question: question, Key: keys[i*w:][:w:w], Got: fmt.Sprint(got), Want: fmt.Sprint(want)}
	}
	n := 0
	for i, got := range a.First {
		n++
		if got != want.First[i] {
			return n, differ(i, "first match", got, want.First[i])
		}
		if a.All == nil || want.All == nil {
			continue
		}
		n += 2
		if !slices.Equal(a.All[i], want.All[i]) {
			return n, differ(i, "all matches", a.All[i], want.All[i])
		}
		if !slices.Equal(a.Executed[i], want.Executed[i]) {
			return n, differ(i, "executed", a.Executed[i], want.Executed[i])
		}
	}
	return n, nil
}
