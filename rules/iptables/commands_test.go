package iptables

// Commands of rule files: what is left of the rules when the table is
// committed, and what is refused.

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

// commandHead stands in front of the lines of a block of commands.txt.
const commandHead = "*filter\n:INPUT ACCEPT [1:2]\n:c - [0:0]\n:d - [0:0]\n"

// TestCommandsLeaveTheRulesOfIptablesRestore reads blocks of testdata/commands.txt;
// what is left was compared with iptables-legacy-restore.
func TestCommandsLeaveTheRulesOfIptablesRestore(t *testing.T) {
	in, err := os.ReadFile("testdata/commands.txt")
	require.NoError(t, err)
	blocks := strings.Split(string(in), "---\n")
	out := blocks[0]
	for _, block := range blocks[1:] {
		text, _, _ := strings.Cut(block, "===\n")
		result := ""
		if rs, err := Read(strings.NewReader(commandHead+text+"COMMIT\n"), Options{File: "f"}); err != nil {
			result = err.Error() + "\n"
		} else {
			whole := printed(t, rs, true)
			again, err := Read(strings.NewReader(whole), Options{})
			require.NoError(t, err)
			require.Equal(t, whole, printed(t, again, true))
			for _, line := range strings.SplitAfter(whole, "\n")[2:] {
				if line != "" && line != ":FORWARD ACCEPT [0:0]\n" && line != ":OUTPUT ACCEPT [0:0]\n" && line != "COMMIT\n" {
					result += line
				}
			}
		}
		out += "---\n" + text + "===\n" + result
	}
	checkGolden(t, "testdata/commands.txt", out)
}

func TestEditedChainsAreThoseOfASimpleList(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		type rule struct {
			text           string
			packets, bytes int
		}
		var list []rule
		var file strings.Builder
		file.WriteString("*filter\n:c - [0:0]\n:d - [0:0]\n")
		steps, name := 50+r.IntN(4000), "c"
		for i := range steps {
			texts := []string{
				fmt.Sprintf("-s 10.0.%d.%d/32", r.IntN(4), r.IntN(250)),
				"-p tcp -m multiport --ports 1,2 -j DROP", // more than one rule in the list
				"-j d",
			}
			text := texts[max(0, r.IntN(8)-5)]
			counts := rule{text, r.IntN(100), r.IntN(100)}
			counted := fmt.Sprintf("[%d:%d] ", counts.packets, counts.bytes)
			at := 0
			if len(list) > 0 {
				at = r.IntN(len(list))
			}
			switch k := r.IntN(100); {
			case k < 30:
				fmt.Fprintf(&file, "%s-A %s %s\n", counted, name, text)
				list = append(list, counts)
			case k < 75 || len(list) == 0:
				fmt.Fprintf(&file, "%s-I %s %d %s\n", counted, name, at+1, text)
				list = slices.Insert(list, at, counts)
			case k < 80:
				fmt.Fprintf(&file, "%s-R %s %d %s\n", counted, name, at+1, text)
				list[at] = counts
			case k < 88:
				fmt.Fprintf(&file, "-D %s %d\n", name, at+1)
				list = slices.Delete(list, at, at+1)
			case k < 96:
				text := list[at].text
				fmt.Fprintf(&file, "-D %s %s\n", name, text)
				first := slices.IndexFunc(list, func(r rule) bool { return r.text == text })
				list = slices.Delete(list, first, first+1)
			case k < 98:
				fmt.Fprintf(&file, "-Z %s %d\n", name, at+1)
				list[at].packets, list[at].bytes = 0, 0
			case i%50 == 0:
				fmt.Fprintf(&file, "-F %s\n", name)
				list = nil
			default:
				fmt.Fprintf(&file, "-E %s %sx\n", name, name[:1])
				name = "cx"
				fmt.Fprintf(&file, "-E cx c\n")
				name = "c"
			}
		}
		file.WriteString("COMMIT\n")
		rs, err := Read(strings.NewReader(file.String()), Options{})
		require.NoError(t, err, file.String())
		var want, got strings.Builder
		for _, r := range list {
			fmt.Fprintf(&want, "[%d:%d] %s\n", r.packets, r.bytes, r.text)
		}
		chain := &rs.Tables[0].Chains[3]
		last := 0
		for i := range chain.Rules.Len() {
			a := chain.Rules.At(i).Value
			if a.Number == last {
				continue
			}
			require.Equal(t, last+1, a.Number)
			last = a.Number
			text, _ := rs.Rule("filter", name, a.Number)
			fmt.Fprintf(&got, "[%d:%d] %s\n", a.Packets, a.Bytes, text)
			require.Equal(t, strings.HasSuffix(text, "-j d"), a.Kind == rules.Jump)
		}
		require.Equal(t, want.String(), got.String())
	}
}

func TestSequencesKeepTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newSequence(700)
	var list []int32
	for i := range 700 {
		list = append(list, int32(i))
	}
	for i := range 5000 {
		at := r.IntN(len(list) + 1)
		if r.IntN(3) > 0 || at == len(list) {
			list = slices.Insert(list, at, int32(i))
			s.insert(at, int32(i))
		} else {
			require.Equal(t, list[at], s.remove(at))
			list = slices.Delete(list, at, at+1)
		}
	}
	for len(list) > 1 {
		at := r.IntN(len(list))
		require.Equal(t, list[at], s.at(at))
		require.Equal(t, list[at], s.remove(at))
		list = slices.Delete(list, at, at+1)
	}
	var got []int32
	s.all(func(_ int, id int32) bool { got = append(got, id); return true })
	require.Equal(t, list, got)
	require.Zero(t, newSequence(0).n)
	empty := newSequence(1)
	empty.remove(0)
	empty.insert(0, 5)
	require.Equal(t, int32(5), empty.at(0))
}

func TestMissingChainsAreNamedAllAtOnce(t *testing.T) {
	_, err := Read(strings.NewReader(`*filter
:wehrwall - [0:0]
-A INPUT -j wherwall
-A INPUT -j wherwall
-A out -j ACEPT
-A INPUT -m limit --limit 1/s -j DROP
COMMIT
*nat
-I PREROUTING -g pre
COMMIT
`), Options{File: "f"})
	var pe *rules.ParseError
	require.ErrorAs(t, err, &pe)
	require.Equal(t, 3, pe.Line)
	lines := strings.Split(err.Error(), "\n")
	require.Equal(t, []string{
		`f:3:13: INPUT/1: neither a declared chain nor a known target (did you mean wehrwall?) (and 1 more): "wherwall"`,
		`f:5:4: no chain of this name is declared (did you mean OUTPUT?): "out"`,
		`f:5:11: out: neither a declared chain nor a known target (did you mean ACCEPT?): "ACEPT"`,
		`f:9:18: PREROUTING/1: no chain of this name is declared (did you mean PREROUTING?): "pre"`}, slices.DeleteFunc(lines, func(s string) bool { return strings.Contains(s, "limit") }))
}

func TestManyInsertionsAtTheHeadTakeLittle(t *testing.T) {
	const n = 50000
	var b strings.Builder
	b.WriteString("*filter\n")
	for i := range n {
		fmt.Fprintf(&b, "-I INPUT -s 10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
	}
	b.WriteString("COMMIT\n")
	rs, err := Read(strings.NewReader(b.String()), Options{})
	require.NoError(t, err)
	require.Equal(t, n, rs.Tables[0].Chains[0].Rules.Len())
	text, line := rs.Rule("filter", "INPUT", 1)
	require.Equal(t, "-s 10.0.195.79/32", text)
	require.Equal(t, n+1, line)
}

func TestUnknownNamesAreAnsweredWithTheNearest(t *testing.T) {
	for rule, want := range map[string]string{
		"-A INPUT -p tcp -m tpc --dport 80":       "match tpc is not modelled (did you mean tcp?)",
		"-A INPUT -p tcp --dprot 80":              "unknown option (did you mean --dport?)",
		"-A INPUT --sorce 1.1.1.1":                "unknown option (did you mean --source?)",
		"-A INPUT --limit-brust 5":                "unknown option (did you mean --limit-burst?)",
		"-A INPUT --limit-burst 5":                "--limit-burst needs -m limit before it",
		"-A INPUT --sport 5":                      "--sport needs -p tcp, udp, udplite, dccp or sctp before it",
		"-A INPUT --ports 5":                      "--ports needs -m multiport before it",
		"-A INPUT --log-prefix x":                 "--log-prefix needs -j LOG before it",
		"-A INPUT -j REJCT --reject-with tcp-rst": "target REJCT is not modelled (did you mean REJECT?)",
		"-A INPUT --zzzzzzzz":                     "unknown option: ",
	} {
		_, err := Read(strings.NewReader("*filter\n"+rule+"\nCOMMIT\n"), Options{Family: 4})
		require.ErrorContains(t, err, want, rule)
	}
}

func TestCommandsForAllChainsCountWhatTheyLookAt(t *testing.T) {
	f := newFileReader(Options{Family: 4})
	for _, line := range []string{"*filter", ":c - [0:0]", "-F", "-X"} {
		require.NoError(t, f.readLine(line))
	}
	require.GreaterOrEqual(t, f.looked, 8)
	f.looked = maxEdits
	require.ErrorIs(t, f.readLine("-F"), rules.ErrLimit)
}
