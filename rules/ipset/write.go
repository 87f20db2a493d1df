package ipset

// Writing in the form of "ipset save".

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// Write writes the sets as "ipset save" does, as they are at a time: entries
// in the order in which they were added, those that have ended left out, lists
// of sets last.
func Write(w io.Writer, sets *Sets, now time.Time) error {
	out := bufio.NewWriter(w)
	for _, lists := range []bool{false, true} {
		for _, s := range sets.All() {
			if (s.Type == "list:set") == lists {
				s.write(out, now)
			}
		}
	}
	return out.Flush()
}

func (s *Set) write(out *bufio.Writer, now time.Time) {
	fmt.Fprintf(out, "create %s %s", s.Name, s.Type)
	for _, o := range s.options {
		out.WriteString(" " + o)
	}
	out.WriteByte('\n')
	s.live(func(e *Entry) {
		if e.ended(now) {
			return
		}
		fmt.Fprintf(out, "add %s %s", s.Name, s.element(e))
		if s.HasTimeout {
			left := e.Timeout
			if !e.Ends.IsZero() {
				left = max(e.Ends.Sub(now), time.Second)
			}
			fmt.Fprintf(out, " timeout %d", left/time.Second)
		}
		if e.NoMatch {
			out.WriteString(" nomatch")
		}
		if e.wildcard {
			out.WriteString(" wildcard")
		}
		if s.Counters {
			fmt.Fprintf(out, " packets %d bytes %d", e.Packets, e.Bytes)
		}
		if s.Comments && e.Comment != "" {
			fmt.Fprintf(out, " comment \"%s\"", strings.ReplaceAll(e.Comment, `"`, "'"))
		}
		if s.SKBInfo {
			switch {
			case e.MarkMask == ^uint32(0):
				fmt.Fprintf(out, " skbmark %#x", e.Mark)
			case e.Mark != 0 || e.MarkMask != 0:
				fmt.Fprintf(out, " skbmark %#x/%#x", e.Mark, e.MarkMask)
			}
			if e.Prio != 0 {
				fmt.Fprintf(out, " skbprio %x:%x", e.Prio>>16, e.Prio&0xffff)
			}
			if e.Queue != 0 {
				fmt.Fprintf(out, " skbqueue %d", e.Queue)
			}
		}
		out.WriteByte('\n')
	})
}

func (e *Entry) ended(now time.Time) bool { return !e.Ends.IsZero() && !now.Before(e.Ends) }
