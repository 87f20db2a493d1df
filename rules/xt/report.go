package xt

// Targets that change nothing that later rules see: they report the packet,
// copy it, or feed something outside.

import (
	"fmt"
	"strconv"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Report is a target that leaves a note: LOG, NFLOG, ULOG, AUDIT, TRACE, TEE,
// LED, IDLETIMER, CHECKSUM. It makes no difference to the packet.
type Report struct{ Name, Detail string }

// Apply records the note.
func (r *Report) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	if t := of(s); t != nil {
		t.Record(at, r.Name, "", r.Detail, unsure)
	}
	return rules.Yes, ""
}

// quiet is begin for targets that change nothing that rules ask for: where it
// is not known whether they are reached, or of a packet that is known by its
// key alone, nothing but the effect is missing.
func quiet(s rules.Subject, at rules.Place, target, unsure string) *Traversal {
	t := of(s)
	if t != nil && unsure != "" {
		t.Record(at, target, "", "", unsure)
		return nil
	}
	return t
}

// RateEst is the target RATEEST: it counts the packet for an estimator.
type RateEst struct{ Estimator }

// Apply counts the packet. Without a State there is nothing to count in; the
// effect says so, and the packet goes on all the same, since no verdict depends
// on the counting: it is the match rateest that is unsure then.
func (r *RateEst) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t := quiet(s, at, "RATEEST", unsure)
	if t == nil {
		return rules.Yes, ""
	}
	if t.State == nil {
		t.Record(at, "RATEEST", "", r.Name+", which no state is kept of", "")
		return rules.Yes, ""
	}
	t.State.Feed(r.Estimator, uint64(t.Packet.Length))
	t.Record(at, "RATEEST", "", r.Name, "")
	return rules.Yes, ""
}

// QueueBalance is the target NFQUEUE with a range of queues, of which each
// packet goes to one: by the CPU that handles it, or by its addresses, so that
// the packets of a connection stay together. The kernel hashes the addresses
// with a random number of its own; so does the State. The verdict follows.
type QueueBalance struct {
	First uint16
	Count uint32
	ByCPU bool
}

// Apply chooses the queue.
func (q *QueueBalance) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t := quiet(s, at, "NFQUEUE", unsure)
	if t == nil {
		return rules.Yes, ""
	}
	p := &t.Packet
	n := uint32(0)
	switch {
	case q.ByCPU && (p.Env == nil || p.Env.Has&packet.HasCPU == 0):
		t.Record(at, "NFQUEUE", "", q.oneOf()+" (by the CPU, which is not known)", "")
		return rules.Yes, ""
	case q.ByCPU:
		n = p.Env.CPU % q.Count
	case t.State == nil:
		t.Record(at, "NFQUEUE", "", q.oneOf(), "")
		return rules.Yes, ""
	default:
		// Both ends in the same order, whichever of them sends.
		a, b := hashAddr(&p.Src, 0), hashAddr(&p.Dst, 0)
		n = scale(jhash3(min(a, b), max(a, b), uint32(p.Proto), t.State.seed()), q.Count)
	}
	t.Record(at, "NFQUEUE", "", "queue "+strconv.FormatUint(uint64(q.First)+uint64(n), 10), "")
	return rules.Yes, ""
}

func (q *QueueBalance) oneOf() string {
	return fmt.Sprintf("one of the queues %d to %d", q.First, uint32(q.First)+q.Count-1)
}
