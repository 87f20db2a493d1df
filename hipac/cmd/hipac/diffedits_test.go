package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	tablesBefore = `*nat
COMMIT
*filter
:INPUT ACCEPT [0:0]
:old - [0:0]
:web - [0:0]
-A FORWARD -j web
-A FORWARD -p tcp --dport 22 -j ACCEPT
-A FORWARD -j LOG
-A web -p tcp --dport 80 -j ACCEPT
-A web -s 10.0.0.1,10.0.0.2 -j DROP
-A old -j RETURN
COMMIT
`
	tablesAfter = `*filter
:INPUT DROP [7:420]
:web - [0:0]
:mail - [0:0]
-A FORWARD -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j web
-A FORWARD -j mail
-A FORWARD -j LOG
-A web -p tcp --dport 80 -j REJECT
-A mail -p tcp --dport 25 -j ACCEPT
COMMIT
*raw
-A PREROUTING -j NOTRACK
COMMIT
`
)

// bytesOf are the costs in memory, which change with the structure.
var bytesOf = regexp.MustCompile(`([+-])\d+ bytes|"bytes":-?\d+`)

func TestDifferencesOfFilesAreTheFewestEdits(t *testing.T) {
	after := strings.NewReplacer(
		"rule src", "rule src=192.0.2.1 => DROP\nrule src",
		"rule unknown \"owner\" src=10.9.0.0/16 => ACCEPT\n", "",
		"22 => DROP", "22 => REJECT  # no more").Replace(nativeRules)
	for _, tt := range []struct{ name, before, after string }{
		{"native", nativeRules, after},
		{"classbench", classbenchRules, strings.Replace(classbenchRules, "@10.0.0.0/8", "@1.2.3.4/32\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\n@10.0.0.0/8", 1)},
		{"tables", tablesBefore, tablesAfter},
		{"same", tablesBefore, strings.Replace(tablesBefore, "--dport 22", "-m tcp --dport ssh", 1)},
	} {
		before, after := file(t, "before", tt.before), file(t, "after", tt.after)
		clean := func(s string) string {
			return bytesOf.ReplaceAllString(strings.NewReplacer(before, "BEFORE", after, "AFTER").Replace(s), "BYTES")
		}
		code := exitDifferent
		if tt.name == "same" {
			code = exitSame
		}
		text := answer(t, code, "", "diff", "--edits", before, after)
		golden(t, "edits-"+tt.name+".text", clean(text))
		data := answer(t, code, "", "diff", "--edits", before, after, "--output", "json")
		golden(t, "edits-"+tt.name+".json", clean(data))
		require.True(t, json.Valid([]byte(data)))
		require.Equal(t, strings.ReplaceAll(text, before, "standard input"), answer(t, code, tt.before, "diff", "--edits", "--rules", "-", "--to", after))
	}
}

func TestFilesWithOtherFieldsAreComparedByNames(t *testing.T) {
	before := file(t, "a", "hipac 1\nschema ipv4\nrule dport=80 => A\nrule dport=25 => B\n")
	after := file(t, "b", "hipac 1\nschema firewall\nrule dport=80 => A\nrule iif=eth0 => C\n")
	require.Contains(t, answer(t, exitDifferent, "", "diff", "--edits", before, after),
		": 1 rule kept, 1 inserted, 1 deleted, 0 moved, 0 replaced; other fields\n")
}

func TestFilesThatCannotBeComparedAreBadUsage(t *testing.T) {
	native, tables := file(t, "n", nativeRules), file(t, "t", tablesBefore)
	for args, want := range map[string]string{
		"":                                       "two rule files are needed",
		native:                                   "two rule files are needed",
		"--rules " + native:                      "two rule files are needed",
		native + " " + native + " --to a":        "not both",
		"- -":                                    "both files cannot be standard input",
		native + " " + tables:                    "lists are compared with lists",
		"--edits " + native + " " + tables:       "lists are compared with lists",
		native + " " + native + " --chain INPUT": "--table and --chain are for iptables and nftables rules",
		tables + " " + tables + " --edits --chain INPUT":    "it does not go with --table and --chain",
		tables + " " + tables + " --table nat --chain PORT": "neither file has such a built-in chain",
		tables + " " + tables + " --memory 0":               "--memory 1 to",
	} {
		r := invoke(t, "", append([]string{"diff"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, want)
	}
	r := invoke(t, "", "diff", native, file(t, "bad", "hipac 1\nschema ipv4\nrule x\n"))
	require.Equal(t, exitTrouble, r.code)
	require.Contains(t, r.stderr, "bad:3:6: ")
}
