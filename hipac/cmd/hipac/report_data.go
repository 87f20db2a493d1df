package main

// The reports for programs: one line per packet (id), CSV, and JSON lines.

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// idReport prints exactly one line per packet.
type idReport struct {
	line []byte
}

func (r *idReport) packets(out *bufio.Writer, c *chunk) error {
	for _, o := range c.outcomes {
		r.line = append(c.prog.appendID(r.line[:0], o), '\n')
		if _, err := out.Write(r.line); err != nil {
			return err
		}
	}
	return nil
}

func (*idReport) finish(*bufio.Writer, *summary) error { return nil }

// timestamp writes a packet's time, "" when it has none.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// csvReport prints a header line and a line per packet.
type csvReport struct {
	describer describers
	headed    bool
}

var csvHeader = []string{"packet", "time", "summary", "verdict", "chain", "rule", "text", "comment", "unknown", "note", "effects"}

func (r *csvReport) packets(out *bufio.Writer, c *chunk) error {
	w := csv.NewWriter(out)
	r.header(w)
	d := r.describer.of(c.prog.schema())
	n := d.schema.KeyLen()
	for i, o := range c.outcomes {
		e := &c.entries[i]
		chain, rule := c.prog.ref(o)
		text, comment := c.prog.describe(o)
		err := w.Write([]string{strconv.Itoa(e.info.Number), timestamp(e.info.Time), d.describeEntry(e, rules.Key(c.keys[i*n:i*n+n])),
			c.prog.verdict(o), chain, rule, text, comment, c.prog.unknown(o, e), e.noteFor(o).String(), strings.Join(effectTexts(e.effects), "; ")})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func (r *csvReport) header(w *csv.Writer) {
	if !r.headed {
		r.headed = true
		_ = w.Write(csvHeader)
	}
}

func (r *csvReport) finish(out *bufio.Writer, _ *summary) error {
	w := csv.NewWriter(out)
	r.header(w)
	w.Flush()
	return w.Error()
}

// jsonReport prints a JSON object per packet and line, and one with the
// summary in the end.
type jsonReport struct {
	describer describers
}

// packetJSON is the line of a packet.
type packetJSON struct {
	Packet  int               `json:"packet"`
	Time    string            `json:"time,omitempty"`
	Summary string            `json:"summary"`
	Fields  map[string]string `json:"fields,omitempty"`
	Verdict string            `json:"verdict"`
	Table   string            `json:"table,omitempty"` // on a way through several
	Chain   string            `json:"chain,omitempty"`
	Rule    any               `json:"rule,omitempty"` // a number, "policy", "family" or "known"
	Text    string            `json:"text,omitempty"`
	Comment string            `json:"comment,omitempty"`
	Unknown string            `json:"unknown,omitempty"`
	Effects []string          `json:"effects,omitempty"`
	Error   string            `json:"error,omitempty"`
	Cut     bool              `json:"cut,omitempty"`   // see note
	Short   bool              `json:"short,omitempty"` // see note
}

// effectTexts returns what targets did, in order.
func effectTexts(effects []xt.Effect) (list []string) {
	for i := range effects {
		list = append(list, effects[i].String())
	}
	return list
}

// ruleNumber returns a rule's number as a number, other words as they are.
func ruleNumber(rule string) any {
	if rule == "" {
		return nil
	}
	if n, err := strconv.Atoi(rule); err == nil {
		return n
	}
	return rule
}

func (r *jsonReport) packets(out *bufio.Writer, c *chunk) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	d := r.describer.of(c.prog.schema())
	s := d.schema
	n := s.KeyLen()
	for i, o := range c.outcomes {
		e := &c.entries[i]
		k := rules.Key(c.keys[i*n : i*n+n])
		p := packetJSON{Packet: e.info.Number, Time: timestamp(e.info.Time), Summary: d.describeEntry(e, k), Verdict: c.prog.verdict(o)}
		var rule string
		p.Chain, rule = c.prog.ref(o)
		if t := c.prog.table(o); t != "" {
			p.Table, p.Chain = t, strings.TrimPrefix(p.Chain, t+":")
		}
		p.Rule = ruleNumber(rule)
		p.Effects = effectTexts(e.effects)
		p.Text, p.Comment = c.prog.describe(o)
		p.Unknown = c.prog.unknown(o, e)
		missing := e.noteFor(o)
		p.Cut, p.Short = missing == noteCut, missing == noteShort
		if e.err != nil {
			p.Error = e.err.Error()
		} else if !e.info.Outside {
			p.Fields = make(map[string]string, s.Len())
			for f := range s.Len() {
				// What is cut is told by the verdict, not by bits.
				if v, ok := s.Get(k, f); ok && s.Field(f).Name != "hotdrop" {
					p.Fields[s.Field(f).Name] = s.Field(f).FormatValue(v)
				}
			}
		}
		if err := enc.Encode(&p); err != nil {
			return err
		}
	}
	return nil
}

// summaryJSON is the last line.
type summaryJSON struct {
	Packets       int            `json:"packets"`
	Damaged       int            `json:"damaged"`
	NotIP         int            `json:"not_ip"`
	Cut           int            `json:"cut"`
	Short         int            `json:"short"`
	Interrupted   bool           `json:"interrupted,omitempty"`
	Error         string         `json:"error,omitempty"`
	Verdicts      []verdictCount `json:"verdicts"`
	Rules         []ruleCount    `json:"rules"`
	RulesFile     string         `json:"rules_file"`
	RulesFormat   string         `json:"rules_format"`
	PacketsFile   string         `json:"packets_file"`
	PacketsFormat string         `json:"packets_format"`
	Engine        engine         `json:"engine"`
	Reloads       int            `json:"reloads,omitempty"`
	BuildNS       int64          `json:"build_ns"`
	ClassifyNS    int64          `json:"classify_ns"`
	PerPacketNS   int64          `json:"per_packet_ns"`
}

func (r *jsonReport) finish(out *bufio.Writer, s *summary) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	list := s.rules()
	if list == nil {
		list = []ruleCount{}
	}
	for i := range list {
		list[i].Number = ruleNumber(list[i].Rule)
	}
	return enc.Encode(map[string]summaryJSON{"summary": {
		Packets: s.packets, Damaged: s.damaged, NotIP: s.notIP, Cut: s.cut, Short: s.short, Interrupted: s.interrupted, Error: s.failure,
		Verdicts: s.verdicts(), Rules: list,
		RulesFile: s.rulesFile, RulesFormat: s.rulesFormat, PacketsFile: s.packetsFile, PacketsFormat: s.format,
		Engine: s.prog.engine, Reloads: s.prog.reloads, BuildNS: s.prog.build.Nanoseconds(), ClassifyNS: s.time.Nanoseconds(), PerPacketNS: s.perPacket().Nanoseconds(),
	}})
}
