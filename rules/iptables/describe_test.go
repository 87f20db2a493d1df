package iptables

// The catalogue agrees with the parser: what it says is acceptable is
// accepted, and what lies just outside is refused.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

func TestCatalogHasEveryEntryOfTheRegistry(t *testing.T) {
	c := Describe()
	for kind, byName := range map[string]map[string]*module{"match": matchByName, "target": targetByName} {
		for name, m := range byName {
			e := c.Find(kind, name)
			require.NotNil(t, e, name)
			require.Equal(t, m.name, e.Name)
			require.Equal(t, m.modelled, e.Supported, name)
			require.Len(t, e.Params, len(m.options))
			require.NotEmpty(t, e.Families)
			require.NotEmpty(t, e.Tables)
			require.NotEmpty(t, e.Hooks, name)
			require.Less(t, int(m.class), len(classNames), name)
			for i := range m.options {
				o := &m.options[i]
				for _, n := range append([]string{o.name}, o.aliases...) {
					require.Equal(t, o.name, e.Find("--"+n).Name)
				}
				for _, other := range append(append([]string{}, o.excludes...), o.requires...) {
					require.NotNil(t, m.find(other), "%s --%s names --%s", name, o.name, other)
				}
			}
		}
	}
	require.Nil(t, c.Find("match", "LOG"))
	require.Equal(t, "target", c.Find("", "LOG").Kind)
	require.Equal(t, "source", c.Option("-s").Name)
	require.Nil(t, c.Option(""))
	require.Equal(t, []string{"sport"}, c.Find("match", "tcp").Find("sport").Reads)
	require.Equal(t, []string{"INPUT", "FORWARD", "OUTPUT"}, c.Find("target", "REJECT").Hooks)
	require.True(t, c.Find("target", "REJECT").Terminal)
	require.Equal(t, []string{"TCP", "TCPOPTS"}, c.Find("match", "tcp").Headers)
	dport := c.Find("match", "tcp").Find("dport")
	require.True(t, dport.Open)
	require.Equal(t, 16, dport.Bits)
	require.Equal(t, ":", dport.Separator)
	require.Contains(t, c.Find("match", "dscp").Find("dscp-class").Prints, SymbolPrint{"EF", "0x2e"})
	require.Empty(t, c.Find("match", "state").Find("state").Prints)
	require.False(t, c.Find("target", "LOG").Terminal)
}

func TestTablesAndHooksAreThoseOfTheParser(t *testing.T) {
	c := Describe()
	require.Len(t, c.Tables, len(builtin))
	require.Len(t, c.Hooks, len(hookNames))
	of := map[string]hook{}
	for i, h := range c.Hooks {
		require.Equal(t, hookNames[i], h.Name)
		for _, table := range h.Tables {
			of[table] |= 1 << i
		}
	}
	require.Equal(t, builtin, of)
	for _, table := range c.Tables {
		var chains hook
		for _, name := range table.Chains {
			for i, n := range hookNames {
				if n == name {
					chains |= 1 << i
				}
			}
		}
		require.Equal(t, builtin[table.Name], chains, table.Name)
	}
}

// eachOption calls f for every option of the registry that is modelled, with
// each of its families.
func eachOption(f func(title string, m *module, o *option, family int)) {
	for kind, byName := range map[string]map[string]*module{"match": matchByName, "target": targetByName} {
		for name, m := range byName {
			if name != m.name || !m.modelled {
				continue
			}
			for i := range m.options {
				for _, family := range []int{4, 6} {
					if o := &m.options[i]; o.parse != nil && (m.family == 0 || m.family == family) {
						f(fmt.Sprintf("%s %s --%s, IPv%d", kind, name, o.name, family), m, o, family)
					}
				}
			}
		}
	}
}

// accepts reports whether the parser takes the value.
func accepts(m *module, o *option, value string, family int) bool {
	_, err := Check(m.kind, m.name, o.name, value, false, family)
	return err == nil
}

func TestNumbersAreAcceptedUpToTheBoundsOfTheirForm(t *testing.T) {
	eachOption(func(title string, m *module, o *option, family int) {
		if !o.form.numeric() || o.words != 1 {
			return
		}
		number := func(n uint64) string { return strconv.FormatUint(n, 10) }
		lo, hi := o.form.Min, o.form.Max
		if o.name == "set-mss" && family == 6 {
			hi = 65495 // the IP header is longer
		}
		require.True(t, accepts(m, o, number(lo), family), "%s takes its smallest %d", title, lo)
		require.True(t, accepts(m, o, number(hi), family), "%s takes its largest %d", title, hi)
		require.False(t, accepts(m, o, "", family), title)
		require.False(t, accepts(m, o, "-1x", family), title)
		if hi < 1<<64-1 {
			require.False(t, accepts(m, o, number(hi+1), family), "%s refuses %d", title, hi+1)
		} else {
			require.False(t, accepts(m, o, "18446744073709551616", family), title)
		}
		if lo > 0 {
			require.False(t, accepts(m, o, number(lo-1), family), "%s refuses %d", title, lo-1)
		}
	})
}

func TestSymbolsAndLengthsOfFormsAreThoseOfTheParser(t *testing.T) {
	eachOption(func(title string, m *module, o *option, family int) {
		if o.words != 1 {
			return
		}
		fine := 0
		for _, s := range o.form.Symbols {
			if accepts(m, o, s, family) || m.family == 0 && accepts(m, o, s, 10-family) {
				fine++
			}
		}
		if family == 4 || m.family == 6 {
			require.Equal(t, len(o.form.Symbols), fine, "%s takes every one of %v", title, o.form.Symbols)
		}
		if o.form.Kind == "enum" || o.form.Kind == "set" {
			require.NotEmpty(t, o.form.Symbols, title)
			require.False(t, accepts(m, o, "no-such-name", family), title)
		}
		if o.form.Kind == "text" && o.form.MaxLen > 0 {
			whole, err := Check(m.kind, m.name, o.name, strings.Repeat("a", o.form.MaxLen), false, family)
			if err != nil {
				return // a text of a form of its own
			}
			longer, err := Check(m.kind, m.name, o.name, strings.Repeat("a", o.form.MaxLen+1), false, family)
			require.True(t, err != nil || longer == whole, "%s: longer texts are refused or cut", title)
		}
	})
}

func TestCheckNamesThePlaceTheReasonAndWhatIsAcceptable(t *testing.T) {
	good := func(want, kind, name, param, text string) {
		t.Helper()
		got, err := Check(kind, name, param, text, false, 4)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	good("80:90", "match", "tcp", "dport", "http:90")
	good("SYN,ACK SYN", "match", "tcp", "--tcp-flags", "ACK,SYN SYN")
	good("10.1.0.0/16,10.2.0.0/15", "", "", "source", "10.1.2.3/16,10.3.0.0/255.254.0.0")
	good("udp", "", "", "-p", "17")
	good("FIN,SYN,RST,ACK SYN", "match", "tcp", "syn", "")
	// What a value asks of other options of the rule is not asked for.
	good("1.1.1.1:80-90", "target", "DNAT", "to-destination", "1.1.1.1:80-90")
	good("80-90", "target", "REDIRECT", "to-ports", "80-90")
	good("1.1.1.1:80", "target", "SNAT", "to-source", "1.1.1.1:http")
	good("", "match", "owner", "suppl-groups", "")
	alone, err := Check("match", "rt", "rt-0-addrs", "::1", false, 6)
	require.NoError(t, err)
	require.Equal(t, "::1", alone)
	bad := func(want, kind, name, param, text string, negated bool, family int) {
		t.Helper()
		_, err := Check(kind, name, param, text, negated, family)
		require.ErrorContains(t, err, want)
	}
	bad("there is no match tpc (did you mean tcp?)", "match", "tpc", "dport", "1", false, 4)
	bad("there is no option match tcp --dprot (did you mean dport?)", "match", "tcp", "dprot", "1", false, 4)
	bad("match ttl is for IPv4", "match", "ttl", "ttl-eq", "1", false, 6)
	bad("cannot be negated", "match", "ttl", "ttl-lt", "1", true, 4)
	bad("family 5", "match", "ttl", "ttl-lt", "1", true, 5)
	bad("takes no value", "match", "tcp", "syn", "x", false, 4)
	bad("not a range of ports", "target", "DNAT", "to-destination", "1.1.1.1:80-99999", false, 4)
	bad("has 1 words instead of 2", "match", "tcp", "tcp-flags", "SYN", false, 4)

	_, err = Check("match", "multiport", "dports", "80,http,70000", false, 4)
	var ve *ValueError
	require.ErrorAs(t, err, &ve)
	require.Equal(t, 9, ve.Column, "the item that is wrong")
	require.Equal(t, "match multiport --dports", ve.Param)
	_, err = Check("", "", "protocol", "upd", false, 4)
	require.ErrorAs(t, err, &ve)
	require.Equal(t, []string{"udp"}, ve.Near)
	require.Equal(t, `--protocol: "upd", column 1: neither a protocol in 0..255 nor a known one's name (did you mean udp?); `+
		"acceptable: NAME|0..255|all, names all icmp igmp tcp udp dccp gre esp ah icmpv6 sctp mh and 1 more", err.Error())
}

func TestNearestNamesComeNearestFirst(t *testing.T) {
	c := Describe()
	require.Equal(t, []string{"multiport"}, c.Nearest("match", "multport"))
	require.Equal(t, []string{"conntrack"}, c.Nearest("match", "contrack"))
	require.Empty(t, c.Nearest("match", strings.Repeat("x", 1000)))
	require.Contains(t, c.Nearest("target", "masquarade"), "MASQUERADE")
	require.Equal(t, 1, editDistance("tcp", "tpc"))
	require.Equal(t, 3, editDistance("", "abc"))
}

func TestOptionsThatExcludeOrRequireOneAnotherAreChecked(t *testing.T) {
	m := &module{kind: "match", name: "x", modelled: true, options: []option{
		{name: "a", parse: noValue, excludes: []string{"b"}}, {name: "b", parse: noValue}, {name: "c", parse: noValue, requires: []string{"a"}}}}
	try := func(names ...string) error {
		trial := newTrial(m, 4)
		for _, n := range names {
			_, err := trial.read(m.find(n), nil, false)
			require.NoError(t, err)
		}
		return trial.p.finishModule(&trial.p.insts[0])
	}
	require.NoError(t, try("a", "c"))
	require.NoError(t, try("b"))
	require.ErrorContains(t, try("b", "a"), "--a cannot be used with --b")
	require.ErrorContains(t, try("c"), "--c needs --a")
	var pe *rules.ParseError
	require.ErrorAs(t, try("c"), &pe)
}

func TestSupportedOptionsSayWhatTheyAreAndWhatTheyTake(t *testing.T) {
	for _, list := range [][]*Extension{Describe().Matches, Describe().Targets} {
		for _, e := range list {
			if !e.Supported {
				continue
			}
			require.NotEmpty(t, e.Summary, e.Name)
			for _, p := range e.Params {
				require.NotEmpty(t, p.Help, "%s --%s", e.Name, p.Name)
				require.Equal(t, p.Words != 0, p.Form.Kind != "", "%s --%s has a form when it has a value", e.Name, p.Name)
				require.True(t, p.Words == 0 || p.Form.Syntax != "" || p.Form.Symbols != nil, "%s --%s", e.Name, p.Name)
				require.True(t, p.Supported, "%s --%s", e.Name, p.Name)
			}
		}
	}
	for _, p := range Describe().Options {
		require.NotEmpty(t, p.Help, p.Name)
		require.True(t, p.Words == 0 || p.Form.Syntax != "" || p.Form.Symbols != nil, p.Name)
	}
}

func TestPrintedValuesReadBackAsThemselves(t *testing.T) {
	odd := []string{"", " ", "!", ",", ":", "-", "/", "0x", "1,", "1:", ":1", "1-", "1/", "-1", "99999999999999999999", "0x1g", "\xff", "a,b", "a b",
		strings.Repeat("9", 300), strings.Repeat("a,", 300), "1.2.3.4", "::1", "1.2.3.4:5", "[::1]:5", "any", "all", "none", "0&0", "|ff", "1=", "=1"}
	read := 0
	eachOption(func(title string, m *module, o *option, family int) {
		texts := append([]string{}, odd...)
		for _, values := range sampleValues(o, family) {
			var words []string
			for _, v := range values {
				words = append(words, v.text)
			}
			texts = append(texts, strings.Join(words, " "))
		}
		for _, text := range texts {
			printed, err := Check(m.kind, m.name, o.name, text, false, family)
			if err != nil {
				require.NotEmpty(t, err.Error())
				continue
			}
			words, _, err := splitWords(nil, printed, 0)
			require.NoError(t, err, title)
			if o.words != 1 || len(words) != 1 {
				continue
			}
			tr := newTrial(m, family)
			_, err = tr.read(o, []word{{text: text}}, false)
			require.NoError(t, err)
			as := o
			if name := tr.p.insts[0].given[0].printAs; name != "" {
				as = m.find(name)
			}
			again, err := Check(m.kind, m.name, as.name, words[0].text, false, family)
			require.NoError(t, err, "%s: %q is printed as %q", title, text, printed)
			require.Equal(t, printed, again, "%s: %q", title, text)
			read++
		}
	})
	require.Greater(t, read, 500)
}
