package nftables

// Rules in nft's words, for people: reports quote them.

import (
	"fmt"
	"strings"
)

// longText is where the text of a set is cut.
const longText = 400

// textOf writes a value of the listing in nft's words.
func textOf(v *value) string {
	w := &writer{most: longText}
	w.value(v)
	return w.b.String()
}

// writer writes texts.
type writer struct {
	b    strings.Builder
	most int
	deep int
}

func (w *writer) word(words ...string) {
	for _, s := range words {
		if s == "" {
			continue
		}
		if n := w.b.Len(); n > 0 && w.b.String()[n-1] != ' ' {
			w.b.WriteByte(' ')
		}
		w.b.WriteString(s)
	}
}

// list writes values with something between them, and a number in place of those
// beyond the limit.
func (w *writer) list(values []value, between string) {
	for i := range values {
		if w.b.Len() > w.most {
			fmt.Fprintf(&w.b, "%s... %d more", between, len(values)-i)
			return
		}
		if i > 0 {
			w.b.WriteString(between)
		}
		w.value(&values[i])
	}
}

// inner writes a value by a writer of its own.
func (w *writer) inner(v *value) string {
	if w.deep > 30 {
		return "..."
	}
	in := &writer{most: max(w.most-w.b.Len(), 20), deep: w.deep + 1}
	in.value(v)
	return in.b.String()
}

// quoted writes a text that is no plain word in quotes.
func quoted(s string) string {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.:/@*", c) >= 0) {
			return fmt.Sprintf("%q", s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

func (w *writer) value(v *value) {
	switch v.kind {
	case isString:
		w.b.WriteString(quoted(v.text))
		return
	case isNull:
		return
	case isNumber, isBool:
		w.b.WriteString(v.text)
		return
	case isList:
		w.list(v.list, ",")
		return
	}
	key, x := v.only()
	if x == nil {
		w.members(v)
		return
	}
	part := func(name string) string {
		if m := x.get(name); m != nil {
			return w.inner(m)
		}
		return ""
	}
	switch key {
	case "match":
		op := part("op")
		if m := x.get("op"); m != nil {
			op = m.text
		}
		right := part("right")
		if m := x.get("right"); m != nil && m.kind == isBool {
			right = map[string]string{"true": "exists", "false": "missing"}[m.text]
		}
		if op == "in" || op == "==" && !comparesBits(x.get("left"), x.get("right")) {
			op = ""
		}
		w.word(part("left"), op, right)
	case "payload":
		if x.get("protocol") != nil {
			w.word(part("protocol"), part("field"))
		} else {
			w.word("@" + part("base") + "," + part("offset") + "," + part("len"))
		}
	case "meta":
		switch k := part("key"); k {
		case "iif", "oif", "iifname", "oifname":
			w.word(k)
		default:
			w.word("meta", k)
		}
	case "ct":
		w.word("ct", part("dir"), strings.Trim(part("key"), `"`))
	case "exthdr":
		if x.get("field") == nil {
			w.word("exthdr", part("name"))
		} else {
			w.word(part("name"), part("field"))
		}
	case "tcp option", "ip option":
		w.word(key, part("name"), part("field"))
	case "fib":
		w.word("fib", strings.ReplaceAll(part("flags"), ",", " . "), part("result"))
	case "set":
		if x.kind == isObject { // the statement
			w.word(part("op"), part("set"), "{ "+part("elem"))
			if s := part("stmt"); s != "" {
				w.word(s)
			}
			w.word("}")
			return
		}
		w.b.WriteString("{ ")
		if x.kind == isList {
			for i := range x.list {
				if w.b.Len() > w.most {
					fmt.Fprintf(&w.b, ", ... %d more", len(x.list)-i)
					break
				}
				if i > 0 {
					w.b.WriteString(", ")
				}
				if e := &x.list[i]; e.kind == isList && len(e.list) == 2 {
					w.value(&e.list[0])
					w.b.WriteString(" : ")
					w.value(&e.list[1])
				} else {
					w.value(e)
				}
			}
		} else {
			w.value(x)
		}
		w.b.WriteString(" }")
	case "elem":
		w.word(part("val"))
		for i, k := range x.keys {
			if k != "val" && k != "counter" {
				w.word(k, w.inner(&x.list[i]))
			}
		}
	case "concat":
		w.list(x.list, " . ")
	case "range":
		w.list(x.list, "-")
	case "prefix":
		w.b.WriteString(part("addr") + "/" + part("len"))
	case "&", "|", "^", "<<", ">>":
		for i := range x.list {
			if i > 0 {
				w.b.WriteString(" " + key + " ")
			}
			s := w.inner(&x.list[i])
			if strings.ContainsAny(s, " ,") && i > 0 || x.list[i].kind == isList {
				s = "(" + s + ")"
			}
			w.b.WriteString(s)
		}
	case "accept", "drop", "continue", "return", "notrack", "masquerade", "redirect":
		w.word(key)
		if x.kind != isNull {
			w.word(w.inner(x))
		}
	case "jump", "goto":
		w.word(key, part("target"))
	case "reject":
		w.word("reject")
		if t := x.get("type"); t != nil {
			w.word("with", t.text, part("expr"))
		}
	case "counter":
		w.word("counter")
		if x.kind == isString {
			w.word("name", quoted(x.text))
		}
	case "limit":
		if x.kind == isString {
			w.word("limit name", quoted(x.text))
			return
		}
		w.word("limit rate")
		if inv := x.get("inv"); inv != nil && inv.text == "true" {
			w.word("over")
		}
		unit := part("rate_unit")
		if unit == "packets" {
			unit = ""
		}
		w.word(part("rate"))
		if unit != "" {
			w.word(unit)
		}
		w.b.WriteString("/" + part("per"))
		if b := part("burst"); b != "" && b != "0" {
			bu := part("burst_unit")
			if bu == "" {
				bu = "packets"
			}
			w.word("burst", b, bu)
		}
	case "log":
		w.word("log")
		for i := range x.keys {
			text := w.inner(&x.list[i])
			if x.keys[i] == "prefix" {
				text = fmt.Sprintf("%q", x.list[i].text)
			}
			w.word(x.keys[i], text)
		}
	case "queue":
		w.word("queue")
		for i := range x.keys {
			w.word(x.keys[i], w.inner(&x.list[i]))
		}
	case "vmap":
		w.word(part("key"), "vmap", part("data"))
	case "map":
		w.word(part("key"), "map", part("data"))
	case "mangle":
		w.word(part("key"), "set", part("value"))
	default:
		w.word(key)
		if x.kind != isNull {
			w.word(w.inner(x))
		}
	}
}

// comparesBits reports whether a comparison for equality cannot do without its
// operator: sets of bits are asked for one of them then.
func comparesBits(left, right *value) bool {
	if left == nil || right == nil {
		return false
	}
	if k, _ := right.only(); k == "set" || right.kind == isString && strings.HasPrefix(right.text, "@") {
		return false
	}
	switch k, x := left.only(); k {
	case "&", "|", "^":
		return true
	case "payload":
		return x.get("field").or() == "flags"
	case "ct":
		name := x.get("key").or()
		return name == "state" || name == "status" || name == "label"
	}
	return false
}

// members writes an object that has no words of its own.
func (w *writer) members(v *value) {
	for i, k := range v.keys {
		if w.b.Len() > w.most {
			w.word("...")
			return
		}
		w.word(k, w.inner(&v.list[i]))
	}
}
