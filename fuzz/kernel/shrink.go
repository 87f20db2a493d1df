//go:build linux

package kernel

// Shrinking: of a case that differs, parts are left out as long as something
// still differs - packets, rules, matches of rules, chains that nothing goes to.

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"
)

// shrinkTime bounds the shrinking of one case.
const shrinkTime = 5 * time.Second

// shrinker has the smallest case so far.
type shrinker struct {
	ctx  context.Context
	l    *lab
	best *Difference
}

// shrink returns a difference of fewer packets and rules, or the same.
func (l *lab) shrink(ctx context.Context, d *Difference) *Difference {
	ctx, cancel := context.WithTimeout(ctx, shrinkTime)
	defer cancel()
	first := *d
	first.Packets = d.Packets[:d.At+1]
	s := &shrinker{ctx, l, &first}
	if alone := first.Packets[d.At:]; !s.differs(first.Program, alone) {
		without(first.Packets[:d.At], func(kept [][]byte) bool {
			return s.differs(first.Program, slices.Concat(kept, alone))
		})
	}
	for range 2 {
		head, body, tail := splitProgram(s.best.Program)
		without(body, func(kept []string) bool {
			return s.differs(head+strings.Join(kept, "")+tail, s.best.Packets)
		})
		s.rules()
		s.chains()
	}
	s.packet()
	return s.best
}

// differs tries a smaller case, and keeps it when it still differs.
func (s *shrinker) differs(program string, packets [][]byte) bool {
	if s.ctx.Err() != nil {
		return false
	}
	c := s.best.Case
	c.Program, c.Packets = program, packets
	d, _, err := s.l.try(s.ctx, &c)
	if err != nil || d == nil {
		return false
	}
	d.Packets = d.Packets[:d.At+1]
	s.best = d
	return true
}

// without leaves out parts of a list, halves first and single items last, as
// long as keep says that the rest will do.
func without[T any](list []T, keep func(rest []T) bool) {
	for size := (len(list) + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < len(list); {
			rest := slices.Concat(list[:from], list[min(from+size, len(list)):])
			if len(rest) < len(list) && keep(rest) {
				list = rest
			} else {
				from += size
			}
		}
	}
}

// splitProgram returns the rules of a program, a line each, with what is in
// front of them and behind. In programs of nftables' own, chains are among them.
func splitProgram(text string) (head string, body []string, tail string) {
	lines := strings.SplitAfter(text, "\n")
	first := slices.IndexFunc(lines, isRule)
	if first < 0 {
		return text, nil, ""
	}
	first++ // the rule that all packets meet
	end := len(lines)
	for end > first && !isRule(lines[end-1]) {
		end--
	}
	return strings.Join(lines[:first], ""), lines[first:end], strings.Join(lines[end:], "")
}

func isRule(line string) bool {
	return strings.HasPrefix(line, "-A ") || strings.HasPrefix(line, "add rule ") || strings.Contains(line, " => ")
}

// rules leaves out matches of the rules.
func (s *shrinker) rules() {
	lines := strings.SplitAfter(s.best.Program, "\n")
	for i := range lines {
		if !isRule(lines[i]) || strings.HasPrefix(lines[i], "add rule ") {
			continue
		}
		conds, action, nft := strings.Cut(lines[i], " => ")
		parts := strings.SplitAfter(lines[i], " -")
		if nft {
			parts = strings.Fields(conds)
		}
		without(parts, func(kept []string) bool {
			old := lines[i]
			if lines[i] = strings.Join(kept, ""); nft {
				if lines[i] = strings.Join(kept, " ") + " => " + action; len(kept) == 0 {
					lines[i] = "any => " + action
				}
			} else if text := strings.TrimSuffix(strings.TrimSpace(lines[i]), " -"); text != "" {
				lines[i] = text + "\n"
			}
			if isRule(lines[i]) && s.differs(strings.Join(lines, ""), s.best.Packets) {
				return true
			}
			lines[i] = old
			return false
		})
	}
}

// chains leaves out chains without rules that nothing goes to.
func (s *shrinker) chains() {
	count := func(lines []string) (n int) {
		for _, line := range lines {
			if isRule(line) {
				n++
			}
		}
		return n
	}
	lines := strings.SplitAfter(s.best.Program, "\n")
	all := count(lines)
	without(lines, func(kept []string) bool {
		return count(kept) == all && slices.ContainsFunc(kept, isEntry) && s.differs(strings.Join(kept, ""), s.best.Packets)
	})
}

// isEntry reports whether a line is that of the entry chain and its policy.
func isEntry(line string) bool {
	return strings.HasPrefix(line, ":"+entryChain+" ") || strings.HasPrefix(line, "chain "+entryChain+" ") ||
		strings.HasPrefix(line, "add chain ") && strings.Contains(line, " "+entryChain+" ")
}

// packet makes zeros of what does not matter of the last packet.
func (s *shrinker) packet() {
	for size := 64; size > 0; size /= 4 {
		last := len(s.best.Packets) - 1
		for at := 20; at < len(s.best.Packets[last]); at += size {
			b := bytes.Clone(s.best.Packets[last])
			part := b[at:min(at+size, len(b))]
			if len(bytes.Trim(part, "\x00")) > 0 {
				clear(part)
				s.differs(s.best.Program, slices.Concat(s.best.Packets[:last], [][]byte{b}))
			}
		}
	}
}
