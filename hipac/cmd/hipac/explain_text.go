package main

// Explanations for people, and as JSON.

import (
	"encoding/json"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules/files"
)

// explainText writes explanations.
type explainText struct {
	meaningText
	cmd *explainCmd
	n   int
}

// packet writes the explanation of a packet.
func (w *explainText) packet(x *explanationJSON) error {
	for i := range x.answers {
		x.Compared = append(x.Compared, answerOf(&x.answers[i]))
	}
	if w.cmd.Output == "json" {
		enc := json.NewEncoder(&w.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(x)
	}
	if w.n++; w.n > 1 {
		w.line("")
	}
	w.item("packet", files.Printable(x.Text))
	widest := width(x.Verdict)
	for i := range x.Next {
		widest = max(widest, width(x.Next[i].Verdict))
	}
	decided := func(verdict string, by *deciderJSON) string {
		text := w.colors.paint(verdictColor(verdict), pad(files.Printable(verdict), widest))
		if by != nil {
			text += "  " + named(by)
		}
		return text
	}
	w.item("verdict", decided(x.Verdict, x.By))
	if why := compared(x.answers); why != "" {
		w.item("", w.colors.paint(dim, files.Printable(why)))
	}
	if x.Needs != "" {
		w.item("", w.colors.paint(yellow, "needs "+files.Printable(needed(x.Needs, ""))))
	}
	for i := range x.Next {
		w.item("then", decided(x.Next[i].Verdict, &x.Next[i].By))
	}
	for _, r := range x.Rules {
		w.item("rule", named(&r.deciderJSON))
		w.reason(r, "")
	}
	return nil
}

func (w *explainText) item(head, text string) {
	w.line("%s", strings.TrimRight(w.colors.paint(bold, pad(head, len("verdict")))+"  "+text, " "))
}

// named is a rule with its place and its text.
func named(d *deciderJSON) string {
	text := files.Printable(d.String())
	if at := d.where(); at != "" && d.Rule != "policy" {
		text += "  " + at
	}
	return text
}

// reason writes why a rule did not decide.
func (w *explainText) reason(r *reasonJSON, indent string) {
	say := func(text string) { w.item("", indent+w.colors.paint(yellow, files.Printable(text))) }
	switch r.Why {
	case hipac.Decided.String():
		say("it decides")
	case hipac.GoesOn.String():
		say("it matches, and goes on")
	case hipac.Behind.String():
		if r.By.Rule == "none" {
			say("not reached")
			return
		}
		say("not reached: " + r.By.String() + " came before")
	case hipac.Failed.String():
		if r.failed == nil {
			say("no: a test that is not asked again does not hold")
			return
		}
		say("no: " + failure(r.failed))
	default:
		if len(r.Ways) == 0 {
			say("no rule leads to the chain " + r.Chain)
			return
		}
		say("the packet does not come to the chain " + r.Chain + ":")
		for _, way := range r.Ways {
			w.item("", indent+"  "+named(&way.deciderJSON))
			w.reason(way, indent+"    ")
		}
	}
}
