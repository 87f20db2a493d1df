package compare

// Answers held against the linear matcher, which is done before anything is
// timed: a contestant that answers wrongly has no time worth telling.

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/rules"
)

// Want is what is right for keys of a list, found by walking the list.
type Want struct {
	list  *rules.List[string]
	keys  []uint32
	first []int32 // of the first keys
}

// Linear walks the list for the first keys of an array, sample of them or, for
// 0, all, on all cores: O(rules) each, about 20 ns a rule. It calls progress, if
// not nil, with the number of keys done, from several goroutines. The array is
// kept.
func Linear(ctx context.Context, l *rules.List[string], keys []uint32, sample int, progress func(int)) (*Want, error) {
	words := l.Schema().KeyLen()
	if len(keys) == 0 || len(keys)%words != 0 {
		return nil, fmt.Errorf("%d words are no array of keys of %d words each", len(keys), words)
	}
	n := len(keys) / words
	if sample > 0 {
		n = min(n, sample)
	}
	w := &Want{list: l, keys: keys, first: make([]int32, n)}
	var taken, done atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(taken.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				w.first[i] = first(l, w.key(i))
				if d := int(done.Add(1)); progress != nil && (d%64 == 0 || d == n) {
					progress(d)
				}
			}
		})
	}
	wg.Wait()
	return w, ctx.Err()
}

func (w *Want) key(i int) rules.Key {
	n := w.list.Schema().KeyLen()
	return w.keys[i*n : (i+1)*n : (i+1)*n]
}

// Len returns the number of keys whose answers are known.
func (w *Want) Len() int { return len(w.first) }

// First returns the position of the first rule that matches key i, or -1.
func (w *Want) First(i int) int32 { return w.first[i] }

// Verdict returns what an engine whose answers are verdicts alone says where
// the first rule that matches is the one at the position: see Maker.VerdictOnly.
func Verdict(l *rules.List[string], position int32) int32 {
	if position < 0 || Rest(l, int(position)) {
		return -1
	}
	return 0
}

// Rest reports whether the rule at a position is a last one without conditions,
// which stands for all packets that no other rule matches.
func Rest(l *rules.List[string], position int) bool {
	return position == l.Len()-1 && len(l.At(position).Conds) == 0
}

// Checked is how a contestant's answers compare with those of the linear matcher.
type Checked struct {
	Packets  int       `json:"packets"`             // compared
	NotAsked int       `json:"not_asked,omitempty"` // of all: the contestant cannot be asked about them
	Wrong    int       `json:"wrong"`               // of those compared
	First    *Mismatch `json:"first,omitempty"`     // the first wrong one
}

// Mismatch is a packet that a contestant answers wrongly.
type Mismatch struct {
	Packet    int    `json:"packet"` // number, from 0
	Text      string `json:"text"`   // its fields
	Got, Want int32  // what it answers, and what is right
	verdict   bool
}

// Err returns an error that says what is wrong, or nil.
func (c *Checked) Err() error {
	if c.Wrong == 0 {
		return nil
	}
	return &WrongError{*c}
}

// WrongError is the error of a contestant that answers wrongly.
type WrongError struct{ Checked }

func (e *WrongError) Error() string {
	m := e.First
	return fmt.Sprintf("wrong: %d of %d packets are answered wrongly; the first is packet %d (%s): %s, and right is %s",
		e.Wrong, e.Packets, m.Packet, m.Text, m.say(m.Got), m.say(m.Want))
}

func (m *Mismatch) say(answer int32) string {
	switch {
	case m.verdict && answer == 0:
		return "let through"
	case m.verdict && answer == -1:
		return "refused"
	case answer == -1:
		return "no rule"
	}
	return fmt.Sprintf("rule %d", int64(answer)+1)
}

// Check gives a contestant, which has loaded the list, all keys, and compares
// its answers for those whose right ones are known. Wrong answers are no error
// of Check, but of Checked.Err.
func (w *Want) Check(ctx context.Context, c Contestant) (Checked, error) {
	notAsked, err := c.Keys(ctx, w.keys)
	if err != nil {
		return Checked{}, err
	}
	verdict := c.About().VerdictOnly
	res := Checked{NotAsked: notAsked}
	got := make([]int32, min(1024, len(w.first)))
	for from := 0; from < len(w.first); from += len(got) {
		got = got[:min(len(got), len(w.first)-from)]
		if err := c.Answers(ctx, from, got); err != nil {
			return Checked{}, err
		}
		if err := ctx.Err(); err != nil {
			return Checked{}, err
		}
		for i, answer := range got {
			want := w.first[from+i]
			if verdict {
				want = Verdict(w.list, want)
			}
			if answer == NotAsked {
				continue
			}
			res.Packets++
			if answer != want {
				if res.Wrong++; res.First == nil {
					res.First = w.Mismatch(from+i, answer, want, verdict)
				}
			}
		}
	}
	return res, nil
}

// Mismatch describes a wrong answer for a key of the array, which may be one that
// Linear has not walked for. verdict says that answers are verdicts alone.
func (w *Want) Mismatch(i int, got, want int32, verdict bool) *Mismatch {
	return &Mismatch{Packet: i, Text: keyText(w.list.Schema(), w.key(i)), Got: got, Want: want, verdict: verdict}
}

// Check compares the answers of a contestant, which has loaded the list, with
// the linear matcher's for all keys.
func Check(ctx context.Context, c Contestant, l *rules.List[string], keys []uint32) (Checked, error) {
	w, err := Linear(ctx, l, keys, 0, nil)
	if err != nil {
		return Checked{}, err
	}
	return w.Check(ctx, c)
}

// keyText writes the fields that a packet has.
func keyText(s *rules.Schema, k rules.Key) string {
	var b strings.Builder
	for i := range s.Len() {
		if v, ok := s.Get(k, i); ok {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			f := s.Field(i)
			fmt.Fprintf(&b, "%s=%s", f.Name, f.FormatValue(v))
		}
	}
	return b.String()
}
