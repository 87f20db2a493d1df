package main

// The summary of a run: packets by verdict and by rule, and the time taken.

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/hipac-go/classifier/rules/files"
)

// summary counts what became of packets.
type summary struct {
	prog        *compiled
	rulesFile   string
	rulesFormat string
	packetsFile string
	format      string // of the packets

	packets        int
	damaged, notIP int
	cut, short     int    // see note
	absent         uint32 // a bit for each field that no packet has
	keys           bool   // there was a packet to look at fields of
	counts         map[outcome]int
	earlier        map[earlierRule]ruleCount // of rules that are gone; see turn
	needs          map[string]int            // packets without a verdict, by what is missing
	time           time.Duration             // of classification alone
	interrupted    bool
	failure        string // of reading the packets
}

func newSummary(prog *compiled, file *files.Rules, in *packetReader) *summary {
	return &summary{prog: prog, rulesFile: file.Name, rulesFormat: file.Format, packetsFile: in.Name(), format: in.Format().String(), counts: map[outcome]int{}, needs: map[string]int{}, absent: ^uint32(0)}
}

func (s *summary) add(o outcome) {
	s.packets++
	s.counts[o]++
}

// end notes the error that ended the run, if any.
func (s *summary) end(err error) {
	switch {
	case errors.Is(err, errInterrupted):
		s.interrupted = true
	case err != nil:
		s.failure = err.Error()
	}
}

// classified returns the number of packets that were classified.
func (s *summary) classified() int { return s.packets - s.damaged - s.notIP }

// perPacket returns the mean time of a classification.
func (s *summary) perPacket() time.Duration {
	if s.classified() == 0 {
		return 0
	}
	return s.time / time.Duration(s.classified())
}

// verdictCount says how many packets got a verdict.
type verdictCount struct {
	Verdict string `json:"verdict"`
	Packets int    `json:"packets"`
}

// verdicts returns the verdicts by packets, most first.
func (s *summary) verdicts() []verdictCount {
	sums := map[string]int{}
	for o, n := range s.counts {
		sums[s.prog.verdict(o)] += n
	}
	for _, e := range s.earlier {
		sums[e.Verdict] += e.Packets
	}
	list := make([]verdictCount, 0, len(sums))
	for v, n := range sums {
		list = append(list, verdictCount{v, n})
	}
	slices.SortFunc(list, func(a, b verdictCount) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Verdict, b.Verdict))
	})
	return list
}

// ruleCount says how many packets a rule or a policy decided.
type ruleCount struct {
	Chain   string `json:"chain,omitempty"`
	Rule    string `json:"-"`
	Number  any    `json:"rule"` // Rule as JSON has it; set by its report
	Packets int    `json:"packets"`
	Verdict string `json:"verdict"`
	Text    string `json:"text,omitempty"`
	Comment string `json:"comment,omitempty"`
	Earlier bool   `json:"earlier,omitempty"` // a rule that a reload has taken away
	at      outcome
}

// rules returns what decided by packets, most first, and in order of the
// rules where they are equal. What one rule did with packets in several ways,
// such as to accept some and to drop others that it cannot read, stands apart.
func (s *summary) rules() []ruleCount {
	var list []ruleCount
	for o, n := range s.counts {
		if chain, rule := s.prog.ref(o); rule != "" {
			text, comment := s.prog.describe(o)
			list = append(list, ruleCount{Chain: chain, Rule: rule, Packets: n, Verdict: s.prog.verdict(o), Text: text, Comment: comment, at: o})
		}
	}
	slices.SortFunc(list, func(a, b ruleCount) int {
		return cmp.Or(cmp.Compare(a.at.stop, b.at.stop), cmp.Compare(a.at.chain, b.at.chain),
			cmp.Compare(uint32(a.at.rule), uint32(b.at.rule)), // position -1, the policy, comes last
			cmp.Compare(a.at.kind, b.at.kind), cmp.Compare(a.at.dropped, b.at.dropped), cmp.Compare(a.at.verdict, b.at.verdict))
	})
	// Rules that stand for one rule of the file become one again.
	type what struct {
		chain, rule, verdict string
		dropped              dropReason
	}
	first := map[what]int{}
	merged := list[:0]
	for _, r := range list {
		w := what{r.Chain, r.Rule, r.Verdict, r.at.dropped}
		if i, ok := first[w]; ok {
			merged[i].Packets += r.Packets
			continue
		}
		first[w] = len(merged)
		merged = append(merged, r)
	}
	merged = s.withEarlier(merged)
	slices.SortStableFunc(merged, func(a, b ruleCount) int { return cmp.Compare(b.Packets, a.Packets) })
	return merged
}
