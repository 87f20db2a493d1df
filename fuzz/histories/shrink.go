package histories

// Shrinking: the fewest rules and edits with which a history still fails, and a
// line of text that makes it again.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Shrink is ShrinkUntil for so much time.
func Shrink(d *Difference, most time.Duration) *Difference {
	ctx, stop := context.WithTimeout(context.Background(), most)
	defer stop()
	return ShrinkUntil(ctx, d)
}

// ShrinkUntil returns a history that fails as d does, with as few edits and first
// rules as can be found until the context ends by leaving out more and more of
// them (delta debugging). When d does not come again it is returned as it is.
func ShrinkUntil(ctx context.Context, d *Difference) *Difference {
	try := func(h *History) *Difference {
		if ctx.Err() != nil {
			return nil
		}
		_, err := RunWith(h, d.Options, d.check)
		var again *Difference
		if errors.As(err, &again) {
			return again
		}
		return nil
	}
	cut := *d.History
	cut.whole = false
	cut.Steps = cut.Steps[:min(d.Step+1, len(cut.Steps))]
	if again := try(&cut); again != nil {
		d = again
	} else if try(d.History) == nil {
		return d
	}
	steps := func(h *History, keep []Step) *History { h.Steps = keep; return h }
	for size := -1; size != len(d.History.Steps)+len(d.History.First) && ctx.Err() == nil; {
		size = len(d.History.Steps) + len(d.History.First)
		d = reduce(d, d.History.Steps, steps, try)
		d = reduce(d, d.History.First, func(h *History, keep []int) *History { h.First = keep; return h }, try)
		for i := 0; i < len(d.History.Steps); i++ {
			d = reduce(d, d.History.Steps[i].Edits, func(h *History, keep []Edit) *History {
				h.Steps = slices.Clone(h.Steps)
				h.Steps[i].Edits = keep
				return h
			}, try)
		}
	}
	return d
}

// reduce leaves out parts of list, half of it first, then smaller ones.
func reduce[E any](d *Difference, list []E, with func(h *History, keep []E) *History, try func(h *History) *Difference) *Difference {
	for size := (len(list) + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < len(list); {
			keep := slices.Delete(slices.Clone(list), at, min(at+size, len(list)))
			h := *d.History
			h.whole = false
			if again := try(with(&h, keep)); again != nil {
				d, list = again, keep
			} else {
				at += size
			}
		}
	}
	return d
}

// replay is what makes a history again.
type replay struct {
	Config  Config
	Options hipac.LiveOptions
	First   []int  `json:",omitempty"`
	Steps   []Step `json:",omitempty"`
	Part    bool   `json:",omitempty"` // First and Steps are not those of Config
}

// Replay returns a line that FromReplay makes the history of.
func Replay(h *History, o hipac.LiveOptions) string {
	r := replay{Config: h.Config, Options: o}
	if !h.whole {
		r.First, r.Steps, r.Part = h.First, h.Steps, true
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(line)
}

// FromReplay returns the history and the options of a line by Replay.
func FromReplay(line string) (*History, hipac.LiveOptions, error) {
	var r replay
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return nil, r.Options, fmt.Errorf("histories: replay: %w", err)
	}
	c := r.Config
	if r.Part {
		c.Steps = 0
	}
	h, err := Generate(c)
	if err == nil && r.Part {
		h.Config, h.First, h.Steps, h.whole = r.Config, r.First, r.Steps, false
	}
	return h, r.Options, err
}

// FromReplayOf is FromReplay for a history over rules that are given: those that its
// edits bring.
func FromReplayOf(line string, s *rules.Schema, pool []rules.Rule[int]) (*History, hipac.LiveOptions, error) {
	var r replay
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return nil, r.Options, fmt.Errorf("histories: replay: %w", err)
	}
	if !r.Part || len(pool) == 0 {
		return nil, r.Options, errors.New("histories: replay: not a history over rules that are given")
	}
	return &History{Config: r.Config, Schema: s, Pool: pool, First: r.First, Steps: r.Steps}, r.Options, nil
}

// Part returns the history as one that stands for itself, not for its
// configuration.
func (h *History) Part() *History {
	c := *h
	c.whole = false
	return &c
}
