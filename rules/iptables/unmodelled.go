package iptables

// Matches and targets that have a name and options here but no meaning yet.
// Their options are listed so that a rule can be taken apart, and each part
// said to be known or not; a module leaves this list when it gets an entry of
// its own.

import "strings"

// notModelledText has a line per module: kind, name, family (0: both), and
// its options. An option takes one word unless "/N" says how many, or "?"
// that it takes one when the next word is not an option; "!" marks those that
// may be negated.
const notModelledText = `
target SAME 4 to nodst/0 random/0
`

func notModelled() []module {
	var list []module
	for _, line := range strings.Split(strings.TrimSpace(notModelledText), "\n") {
		f := strings.Fields(line)
		m := module{kind: f[0], name: f[1], family: int(f[2][0] - '0')}
		for _, o := range f[3:] {
			opt := option{words: 1}
			if name, n, ok := strings.Cut(o, "/"); ok {
				o, opt.words = name, int(n[0]-'0')
			}
			if name, ok := strings.CutSuffix(o, "?"); ok {
				o, opt.words = name, optionalWord
			}
			opt.name, opt.not = strings.CutSuffix(o, "!")
			m.options = append(m.options, opt)
		}
		list = append(list, m)
	}
	return list
}

// optionalWord is the number of words of an option whose value may be left out.
const optionalWord = -1
