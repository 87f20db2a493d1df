// Package vectors checks what rules/iptables reads and prints against texts
// from outside the project: syntax vectors in the form of iptables' own tests
// (*.t files), and rule files that people keep. Both are read where flags of
// the tests say; without the flags nothing is run.
//
// This file: where the text of iptables 1.8.9 differs from that of 1.8.11,
// which is the one that rules/iptables prints.
package vectors

import "regexp"

// Differences are the options that iptables 1.8.9 prints in another way than
// 1.8.11: a pattern of what we print, and what 1.8.9 prints in its place.
// SAVE-DIFFERENCES.md of package rules/iptables lists them with the reasons.
var Differences = []struct {
	Ours   *regexp.Regexp
	Theirs string
}{
	{regexp.MustCompile(` ! -[io] \+( |$)`), "$1"},
	{regexp.MustCompile(`(-m (?:tcp|udp|udplite)(?: --[^ ]+ [^ ]+)*) ! --sport 0:65535`), "$1"},
	{regexp.MustCompile(`(-m (?:tcp|udp|udplite)(?: (?:! )?--[^ ]+ [^ ]+)*) ! --dport 0:65535`), "$1"},
	{regexp.MustCompile(`([^!]) --tcp-flags NONE [A-Z,]+`), "$1"},
	{regexp.MustCompile(`--nfacct-name `), "--nfacct-name  "},
	{regexp.MustCompile(` ! --(ahspi|espspi|ipcompspi|fragid|rt-segsleft) 0:4294967295`), ""},
	{regexp.MustCompile(` ! --mh-type 0:255`), ""},
	{regexp.MustCompile(`--connbytes 0:0 `), "--connbytes 0 "},
	{regexp.MustCompile(`(--ct(?:orig|repl)(?:src|dst)port [0-9]+):0\b`), "$1"},
	{regexp.MustCompile(`--icmp-type 255/\d+`), "--icmp-type any"},
	{regexp.MustCompile(`(--name|--hashlimit-name|--genre) "([^"]*)"`), "$1 $2"},
	{regexp.MustCompile(`(--hashlimit-(?:upto|above)) 1b/s`), "$1 0b/s"},
	{regexp.MustCompile(`(--ct(?:orig|repl)(?:src|dst) [0-9.]+)/[0-9]+\.[0-9.]+`), "$1"},
	{regexp.MustCompile(`--connlimit-mask [0-9]+\.[0-9.]+`), "--connlimit-mask 32"},
	{regexp.MustCompile(` ! --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun`), " --weekdays "},
	{regexp.MustCompile(`((?: !)? --rateest-(?:lt|gt|eq))( --rateest-bps(?: [0-9A-Za-z]+)?)( --rateest-pps)`), "$1$2$1$3"},
	{regexp.MustCompile(`( --tunnel-(?:src|dst) [^ /]+)/(?:[0-9]+\.[0-9.]+|[0-9a-f]*:[0-9a-f:]*)`), "$1"},
	{regexp.MustCompile(`(\bI_DATA):[IUBEiube]+`), "$1"},
}

// As189 returns a rule that rules/iptables printed as iptables 1.8.9 prints it.
func As189(line string) string {
	for _, d := range Differences {
		line = d.Ours.ReplaceAllString(line, d.Theirs)
	}
	return line
}
