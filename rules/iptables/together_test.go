package iptables

// What the catalogue says that options ask of one another and of the rule is
// what the parser refuses.

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused are rules that the notes of the registry speak of, one for each
// note: "TABLE CHAIN RULE", for IPv6 behind "6 ".
var refused = map[string][]string{
	"match recent --hitcount":                {"filter INPUT -m recent --set --hitcount 1"},
	"match statistic --probability":          {"filter INPUT -m statistic --mode random", "filter INPUT -m statistic --mode nth --probability 0.5"},
	"match statistic --every":                {"filter INPUT -m statistic --mode nth", "filter INPUT -m statistic --mode random --every 2 --packet 0"},
	"match statistic --packet":               {"filter INPUT -m statistic --mode nth --every 2 --packet 2"},
	"match hashlimit --hashlimit-burst":      {"filter INPUT -m hashlimit --hashlimit-upto 1mb/s --hashlimit-burst 1kb --hashlimit-name a"},
	"match string --from":                    {"filter INPUT -m string --algo bm --string a --from 9 --to 8"},
	"match cluster --cluster-local-nodemask": {"filter INPUT -m cluster --cluster-local-nodemask 4 --cluster-total-nodes 2 --cluster-hash-seed 1"},
	"match cluster --cluster-local-node":     {"filter INPUT -m cluster --cluster-local-node 3 --cluster-total-nodes 2 --cluster-hash-seed 1"},
	"match time --contiguous":                {"filter INPUT -m time --timestart 1:00 --timestop 2:00 --contiguous"},
	"match rt --rt-0-res":                    {"6 filter INPUT -m rt --rt-0-res"},
	"match rt --rt-0-addrs":                  {"6 filter INPUT -m rt --rt-type 1 --rt-0-addrs ::1"},
	"match rt --rt-0-not-strict":             {"6 filter INPUT -m rt --rt-0-not-strict"},
	"match physdev --physdev-is-out":         {"filter OUTPUT -m physdev --physdev-is-out"},
	"match physdev --physdev-out":            {"filter OUTPUT -m physdev --physdev-out a"},
	"match owner --suppl-groups":             {"filter OUTPUT -m owner --suppl-groups --gid-owner 1"},
	"target RATEEST --rateest-ewmalog":       {"filter INPUT -j RATEEST --rateest-name a --rateest-interval 1s --rateest-ewmalog 1s"},
	"match policy --dir":                     {"filter OUTPUT -m policy --dir in --pol none", "filter INPUT -m policy --dir out --pol none"},
	"match policy --strict":                  {"filter INPUT -m policy --dir in --pol none --strict", "filter INPUT -m policy --dir in --strict --reqid 1 --next"},
	"match policy --tunnel-dst":              {"filter INPUT -m policy --dir in --mode transport --tunnel-dst 10.0.0.1"},
	"match policy --tunnel-src":              {"filter INPUT -m policy --dir in --tunnel-src 10.0.0.1"},
	"match ipvs --ipvs":                      {"filter INPUT -m ipvs ! --ipvs --vport 80"},
	"target REJECT --reject-with":            {"filter INPUT -j REJECT --reject-with tcp-reset"},
	"target CT --helper":                     {"raw OUTPUT -j CT --helper ftp"},
	"target CT --timeout":                    {"raw OUTPUT -j CT --timeout slow"},
	"target TCPMSS":                          {"mangle FORWARD -p tcp -j TCPMSS --set-mss 1000"},
	"target HMARK":                           {"mangle FORWARD -j HMARK --hmark-tuple spi,sport --hmark-mod 2 --hmark-rnd 1", "mangle FORWARD -j HMARK --hmark-tuple sport --hmark-sport-mask 1 --hmark-mod 2 --hmark-rnd 1"},
	"target CLUSTERIP":                       {"filter INPUT -j CLUSTERIP"},
	"target SET --map-set":                   {"mangle FORWARD -j SET --map-set s src", "filter FORWARD -j SET --map-set s src --map-mark"},
	"target DNAT --to-destination":           {"nat OUTPUT -j DNAT --to-destination :80"},
	"target SNAT --to-source":                {"nat POSTROUTING -j SNAT --to-source 10.0.0.1:80"},
	"target MASQUERADE --to-ports":           {"nat POSTROUTING -j MASQUERADE --to-ports 80"},
	"target REDIRECT --to-ports":             {"nat OUTPUT -j REDIRECT --to-ports 80"},
}

// load reads a rule, "TABLE CHAIN RULE".
func load(rule string, family int) error {
	table, rest, _ := strings.Cut(rule, " ")
	_, err := Read(strings.NewReader("*"+table+"\n-A "+rest+"\nCOMMIT\n"), Options{Family: family})
	return err
}

func TestWhatNotesSpeakOfIsRefused(t *testing.T) {
	seen := 0
	check := func(title string, notes []string) {
		require.Len(t, refused[title], len(notes), "%s: a rule for each of %q", title, notes)
		for i, rule := range refused[title] {
			seen++
			family, err := 4, error(nil)
			if text, ok := strings.CutPrefix(rule, "6 "); ok {
				family, rule = 6, text
			}
			err = load(rule, family)
			require.Error(t, err, "%s: %s", notes[i], rule)
			require.NotContains(t, err.Error(), "unknown option", rule)
		}
	}
	for _, m := range sortedModules() {
		check(m.title(), m.notes)
		for _, o := range m.options {
			check(m.title()+" --"+o.name, o.notes)
		}
	}
	n := 0
	for _, list := range refused {
		n += len(list)
	}
	require.Equal(t, n, seen, "no rule is for a note that there is not")
}

func TestRestrictionsOfOptionsAreChecked(t *testing.T) {
	for want, rule := range map[string]string{
		"match ah needs -p ah":                                    "filter INPUT -m ah --ahspi 1",
		"--ahlen is for IPv6":                                     "filter INPUT -p ah -m ah --ahlen 1",
		"--ecn-tcp-ece needs -p tcp":                              "filter INPUT -m ecn --ecn-tcp-ece",
		"--ecn-tcp-cwr needs -p tcp":                              "mangle INPUT ! -p tcp -j ECN --ecn-tcp-cwr 1",
		"--src-group cannot be used in chain OUTPUT":              "filter OUTPUT -m devgroup --src-group 1",
		"--dst-group cannot be used in chain INPUT":               "filter INPUT -m devgroup --dst-group 1",
		"--limit-iface-in cannot be used in chain OUTPUT":         "filter OUTPUT -m addrtype --src-type LOCAL --limit-iface-in",
		"--limit-iface-out cannot be used in chain INPUT":         "filter INPUT -m addrtype --src-type LOCAL --limit-iface-out",
		"--clamp-mss-to-pmtu cannot be used in chain INPUT":       "mangle INPUT -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu",
		"--map-prio cannot be used in chain INPUT":                "mangle INPUT -j SET --map-set s src --map-prio",
		"--set cannot be used with --seconds":                     "filter INPUT -m recent --set --seconds 1",
		"only one of --packets-eq, --packets-lt and --packets-gt": "filter INPUT -m set --match-set s src --packets-eq 1 --packets-gt 1",
		"--reap needs --seconds":                                  "filter INPUT -m recent --rcheck --reap",
		"--rateest2 needs --rateest1":                             "filter INPUT -m rateest --rateest a --rateest2 b --rateest-lt --rateest-bps",
		"--new needs --hashmode":                                  "filter INPUT -d 10.0.0.1 -j CLUSTERIP --new",
		"--queue-cpu-fanout needs --queue-balance":                "filter INPUT -j NFQUEUE --queue-cpu-fanout",
		"target CONNMARK needs --set-xmark":                       "mangle INPUT -j CONNMARK --nfmask 1",
		"--save-mark cannot be used with --restore-mark":          "mangle INPUT -j CONNMARK --save-mark --restore-mark",
		"target HMARK needs --hmark-tuple, --hmark-src-prefix":    "mangle INPUT -j HMARK --hmark-mod 1 --hmark-rnd 1",
		"match rateest needs --rateest-bps, --rateest-pps":        "filter INPUT -m rateest --rateest a --rateest-lt",
		"--fragmore cannot be used with --fraglast":               "6 filter INPUT -m frag --fragmore --fraglast",
		"match cluster needs --cluster-local-node or --cluster-":  "filter INPUT -m cluster --cluster-total-nodes 2 --cluster-hash-seed 1",
	} {
		family := 4
		if text, ok := strings.CutPrefix(rule, "6 "); ok {
			family, rule = 6, text
		}
		require.ErrorContains(t, load(rule, family), want, rule)
	}
	require.NoError(t, load("filter INPUT -m ah --ahspi 1", 6))
	require.NoError(t, load("filter INPUT -m recent --set --hitcount 0", 4))
	require.NoError(t, load("raw OUTPUT -j CT --notrack --helper ftp", 4))
	require.NoError(t, load("filter OUTPUT -m physdev --physdev-out a --physdev-is-bridged", 4))
}

func TestCatalogSaysWhatIsChecked(t *testing.T) {
	c := Describe()
	eachOption(func(title string, m *module, o *option, _ int) {
		for _, other := range o.excludes {
			require.Contains(t, m.find(other).excludes, o.name, "%s: --%s excludes it too", title, other)
			require.NotContains(t, o.requires, other, title)
		}
	})
	for _, m := range sortedModules() {
		for _, names := range slices.Concat(m.oneOf, m.anyOf) {
			for _, n := range names {
				require.NotNil(t, m.find(n), "%s --%s", m.title(), n)
			}
		}
	}
	require.Equal(t, [][]string{{"set", "rcheck", "update", "remove"}}, c.Find("match", "recent").OneOf)
	require.Equal(t, 4, c.Find("match", "ah").ProtocolsFamily)
	require.Contains(t, c.Find("match", "ecn").Reads, "ecnflags")
	require.Equal(t, []string{"ecnflags"}, c.Find("match", "ecn").Find("ecn-tcp-ece").Reads)
	require.Contains(t, c.Find("match", "icmp").Reads, "icmpcode")
	require.Contains(t, c.Find("match", "ah").Reads, "ahlen")
	require.Equal(t, []string{"a clock"}, c.Find("match", "time").Supply)
	require.Equal(t, []string{"FORWARD", "OUTPUT", "POSTROUTING"}, c.Find("target", "TCPMSS").Find("clamp-mss-to-pmtu").Hooks)
	require.Equal(t, []string{"needs -p tcp", "not with --ecn-tcp-ece or --ecn-tcp-cwr"}, c.Find("target", "ECN").Find("ecn-tcp-remove").Restrictions())
	require.Equal(t, []string{"IPv6 only"}, c.Find("match", "ah").Find("ahlen").Restrictions())
	require.Equal(t, "unknown", c.Find("match", "cpu").Without)
	require.Equal(t, "it does not hold, and negated it holds", c.Find("match", "helper").Without)
	require.Contains(t, c.Find("match", "state").Without, "do not hold")
	require.Empty(t, c.Find("target", "HMARK").Find("hmark-tuple").Prints)
	require.False(t, c.Find("target", "LOG").MayDrop)
	require.Equal(t, []string{"src", "TCP options", "ports"}, Titles([]string{"src", "tcpopts0", "tcpopts1", "PORTS"}))
	for _, m := range []string{"recent", "hashlimit", "connlimit", "rateest", "limit", "quota", "statistic", "nfacct"} {
		require.Contains(t, c.Find("match", m).Supply, "a memory for what rules remember")
	}
	for _, e := range c.Matches {
		if slices.Contains(e.Supply, "a memory for what rules remember") {
			require.Equal(t, Stateful, e.Class, e.Name)
		}
	}
}
