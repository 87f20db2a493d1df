package xt

// Targets that set marks: MARK, CONNMARK, SECMARK, CONNSECMARK, CLASSIFY.

import "github.com/hipac-go/classifier/rules"

// Mark is the target MARK: the packet's mark becomes mark &^ Mask ^ Value.
type Mark struct{ Value, Mask uint32 }

// Apply sets the mark.
func (m *Mark) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "MARK", unsure)
	if t != nil {
		t.setMark(at, "MARK", t.Packet.Mark&^m.Mask^m.Value)
	}
	return outcome, needs
}

func (t *Traversal) setMark(at rules.Place, target string, mark uint32) {
	t.change(at, target, "mark", uint64(t.Packet.Mark), uint64(mark))
	if t.Packet.Mark != mark {
		t.Packet.Mark = mark
		t.Changed()
	}
}

// ConnMarkMode is what the target CONNMARK does.
type ConnMarkMode uint8

// The modes.
const (
	ConnMarkSet     ConnMarkMode = iota // set the connection's mark
	ConnMarkSave                        // copy the packet's mark to the connection
	ConnMarkRestore                     // copy the connection's mark to the packet
)

// ConnMark is the target CONNMARK. A connection's mark becomes
//
//	set:     shift(ctmark &^ CTMask ^ Value)
//	save:    ctmark &^ CTMask ^ shift(mark & NFMask)
//	restore: mark &^ NFMask ^ shift(ctmark & CTMask), of the packet
//
// where shift moves by Bits to the left, or to the right. It does nothing to
// packets without a connection.
type ConnMark struct {
	Mode   ConnMarkMode
	Value  uint32
	CTMask uint32
	NFMask uint32
	Right  bool
	Bits   uint8
}

func (c *ConnMark) shift(x uint32) uint32 {
	if c.Right {
		return x >> (c.Bits & 31)
	}
	return x << (c.Bits & 31)
}

// Apply sets one of the marks.
func (c *ConnMark) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "CONNMARK", unsure)
	if t == nil {
		return outcome, needs
	}
	conn, known := t.connection()
	switch {
	case !known:
		return rules.Unsure, needsConn
	case conn == nil:
		t.Record(at, "CONNMARK", "", "no connection", "")
		return rules.Yes, ""
	}
	mark := conn.Mark
	switch c.Mode {
	case ConnMarkRestore:
		t.setMark(at, "CONNMARK", t.Packet.Mark&^c.NFMask^c.shift(mark&c.CTMask))
		return rules.Yes, ""
	case ConnMarkSave:
		mark = mark&^c.CTMask ^ c.shift(t.Packet.Mark&c.NFMask)
	default:
		mark = c.shift(mark&^c.CTMask ^ c.Value)
	}
	t.change(at, "CONNMARK", "ctmark", uint64(conn.Mark), uint64(mark))
	if conn.Mark != mark {
		conn.Mark = mark
		t.Changed()
	}
	return rules.Yes, ""
}

// Classify is the target CLASSIFY: it sets the queueing class.
type Classify struct{ Priority uint32 }

// Apply sets Env.Priority.
func (c *Classify) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	if t := quiet(s, at, "CLASSIFY", unsure); t != nil {
		e := t.env()
		t.change(at, "CLASSIFY", "priority", uint64(e.Priority), uint64(c.Priority))
		e.Priority = c.Priority
	}
	return rules.Yes, ""
}

// SecMark is the target SECMARK. The number of a security context is the
// security module's secret, so the mark that is set stands for the context: it
// is not 0, and the same for equal contexts.
type SecMark struct{ Context string }

// mark returns the number of the context.
func (m *SecMark) mark() uint32 {
	h := uint32(2166136261) // FNV-1a
	for i := 0; i < len(m.Context); i++ {
		h = (h ^ uint32(m.Context[i])) * 16777619
	}
	return max(h, 1)
}

// Apply sets Env.SecMark.
func (m *SecMark) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	if t := quiet(s, at, "SECMARK", unsure); t != nil {
		e := t.env()
		t.add(Effect{Rule: at, Target: "SECMARK", Field: "secmark", Detail: m.Context,
			Old: rules.U64(uint64(e.SecMark)), New: rules.U64(uint64(m.mark()))})
		e.SecMark = m.mark()
	}
	return rules.Yes, ""
}

// ConnSecMark is the target CONNSECMARK: it copies the packet's security mark
// to its connection, or the other way when Restore is set, where the one is set
// and the other is not.
type ConnSecMark struct{ Restore bool }

// Apply copies the mark.
func (m *ConnSecMark) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t := quiet(s, at, "CONNSECMARK", unsure)
	if t == nil {
		return rules.Yes, ""
	}
	conn, known := t.connection()
	e := t.env()
	switch {
	case !known:
		t.Record(at, "CONNSECMARK", "", "", needsConn)
	case conn == nil:
		t.Record(at, "CONNSECMARK", "", "no connection", "")
	case m.Restore && e.SecMark == 0 && conn.SecMark != 0:
		t.change(at, "CONNSECMARK", "secmark", 0, uint64(conn.SecMark))
		e.SecMark = conn.SecMark
	case !m.Restore && e.SecMark != 0 && conn.SecMark == 0:
		t.change(at, "CONNSECMARK", "ctsecmark", 0, uint64(e.SecMark))
		conn.SecMark = e.SecMark
	default:
		t.Record(at, "CONNSECMARK", "", "nothing to copy", "")
	}
	return rules.Yes, ""
}
