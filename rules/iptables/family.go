package iptables

// Finding out the address family of a file that does not say it: the comment
// that the tools write, else the first rule that only one family can have.

import (
	"strings"
)

// detectFamily reads ahead until the family is clear and returns a source of
// the same lines from the first one on. A file without any sign is read to
// its end (MaxInput bounds it) and counts as IPv4.
func (f *fileReader) detectFamily() func() (string, int, error) {
	type line struct {
		text   string
		number int
	}
	var ahead []line
	var words []word
	var last error
	lastNumber := 0
	for last == nil && f.rs.Family == 0 {
		var l line
		if l.text, l.number, last = f.next(); last == nil {
			ahead = append(ahead, l)
			f.rs.Family, words = familyOf(l.text, words)
		}
		lastNumber = l.number
	}
	if f.rs.Family == 0 {
		f.rs.Family = 4
	}
	i := 0
	return func() (string, int, error) {
		if i < len(ahead) {
			l := ahead[i]
			ahead[i] = line{}
			i++
			return l.text, l.number, nil
		}
		if last != nil {
			return "", lastNumber, last
		}
		return f.next()
	}
}

// otherFamily reports whether a line says that it is for the other family only
// (-4, -6): the tools pass over such lines, so that one file can serve both.
func (f *fileReader) otherFamily(words []word) bool {
	short, long := "-6", "--ipv6"
	if f.rs.Family == 6 {
		short, long = "-4", "--ipv4"
	}
	for i, w := range words {
		if !w.quoted && (w.text == short || w.text == long) && (i == 0 || !takesValue(words[i-1])) {
			return true
		}
	}
	return false
}

// takesValue reports whether a word may be an option whose value is the next
// word: a long one, of any match, or a short one with a value.
func takesValue(w word) bool {
	if w.quoted || len(w.text) < 2 || w.text[0] != '-' {
		return false
	}
	return w.text[1] == '-' && !strings.Contains(w.text, "=") || len(w.text) == 2 && strings.IndexByte("pimojgsd", w.text[1]) >= 0
}

// familyOf returns 4 or 6 when the line can only be of that family, else 0.
// The words are scratch space, handed back.
func familyOf(line string, words []word) (int, []word) {
	line = strings.TrimSpace(line)
	if rest, ok := strings.CutPrefix(line, "#"); ok {
		switch {
		case !strings.Contains(rest, "enerated by") && !strings.Contains(rest, "ritten by"):
		case strings.Contains(rest, "ip6tables"):
			return 6, words
		case strings.Contains(rest, "iptables"):
			return 4, words
		}
		return 0, words
	}
	if line == "" || line[0] == '*' || line[0] == ':' {
		return 0, words
	}
	words, _, _ = splitWords(words[:0], line, 0)
	for i := range words {
		option := words[i].text
		if option == "-f" || option == "-4" || option == "--ipv4" {
			return 4, words
		}
		if option == "-6" || option == "--ipv6" {
			return 6, words
		}
		if i+1 == len(words) {
			break
		}
		value := words[i+1].text
		if value == "!" && i+2 < len(words) {
			value = words[i+2].text
		}
		var m *module
		switch option {
		case "-s", "--source", "--src", "-d", "--destination", "--dst", "--src-range", "--dst-range":
			if strings.Contains(value, ":") {
				return 6, words
			}
			if value != "" && value[0] >= '0' && value[0] <= '9' {
				return 4, words
			}
		case "-m", "--match":
			m = matchByName[value]
		case "-j", "--jump":
			m = targetByName[value]
		case "--icmp-type":
			return 4, words
		case "--icmpv6-type":
			return 6, words
		case "-p", "--protocol", "--proto":
			if n, err := parseProto(value); err == nil && n == protoICMPv6 {
				return 6, words
			}
		case "--reject-with":
			if strings.HasPrefix(value, "icmp6-") {
				return 6, words
			}
			if strings.HasPrefix(value, "icmp-") {
				return 4, words
			}
		}
		if m != nil && m.family != 0 {
			return m.family, words
		}
	}
	return 0, words
}
