//go:build linux

package kernel

// What is compared: every match, target and option of the registry takes part
// in a rule of the case tables, and has a packet that it matches and one that
// it misses - or is on the list of those that cannot be compared here.

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

const measured = "the kernel estimates rates by a timer of its own"

// notCompared are the extensions and options that are not compared with the
// kernel, with the reason.
var notCompared = map[string]string{
	"match udplite":    "iptables has no library for it; the kernel has",
	"match ipvs":       "not in this kernel",
	"match l2tp":       "iptables has no library for it",
	"match osf":        "the fingerprints are loaded by a program of their own, nfnl_osf",
	"target CLUSTERIP": "gone from the kernel",
	"target LED":       "not in this kernel",
	"target SAME":      "gone from the kernel",
	"target ULOG":      "gone from the kernel",

	"match bpf --object-pinned":      "the program is in a file system of its own",
	"match policy --next":            "needs IPsec associations",
	"match policy --strict":          "needs IPsec associations",
	"match policy --spi":             "needs IPsec associations",
	"match policy --proto":           "needs IPsec associations",
	"match policy --mode":            "needs IPsec associations",
	"match policy --tunnel-src":      "needs IPsec associations",
	"match policy --tunnel-dst":      "needs IPsec associations",
	"match rateest --rateest-bps1":   measured,
	"match rateest --rateest-bps2":   measured,
	"match rateest --rateest-pps1":   measured,
	"match rateest --rateest-pps2":   measured,
	"match rateest --rateest-delta":  measured,
	"match rateest --rateest-eq":     measured,
	"match rateest --rateest1":       measured,
	"match rateest --rateest2":       measured,
	"target CT --timeout":            "needs a policy that nfct makes",
	"target CT --helper":             "helpers are modules that may not be loaded",
	"target CONNSECMARK":             "needs SELinux",
	"target SECMARK":                 "needs SELinux",
	"target IDLETIMER --alarm":       "needs an alarm clock that machines may not have",
	"target IDLETIMER --send_nl_msg": "not in the kernel's own sources",
}

// coverage says of "match tcp", and of "match tcp --sport", whether rules with
// it have matched and missed packets.
type coverage map[string]*[2]bool

var covered coverage

// add notes a rule.
func (c coverage) add(family int, rule string, hit, missed bool) {
	note := func(name string) {
		if c[name] == nil {
			c[name] = &[2]bool{}
		}
		c[name][0] = c[name][0] || hit
		c[name][1] = c[name][1] || missed
	}
	words := strings.Fields(rule)
	module := "rule"
	for i, w := range words {
		switch {
		case i+1 < len(words) && w == "-m":
			module = "match " + words[i+1]
			note(module)
		case i+1 < len(words) && w == "-j":
			module = "target " + words[i+1]
			note(module)
		case strings.HasPrefix(w, "--") && len(w) > 2:
			note(module + " " + w)
		}
	}
}

func (c coverage) check(t *testing.T) {
	if len(c) == 0 {
		t.Skip("nothing was compared")
	}
	catalog := iptables.Describe()
	var missing []string
	_, noSets := exec.LookPath("ipset")
	for _, e := range append(slices.Clone(catalog.Matches), catalog.Targets...) {
		name := e.Kind + " " + e.Name
		got := c[name]
		reason, listed := notCompared[name]
		switch {
		case !e.Supported, noSets != nil && strings.EqualFold(e.Name, "set"):
			continue
		case listed && got != nil:
			missing = append(missing, name+" is compared, yet on the list: "+reason)
			continue
		case listed:
			continue
		case got == nil:
			missing = append(missing, name+" is not compared")
			continue
		case !got[0]:
			missing = append(missing, name+" matches no packet")
		case !got[1] && e.Kind == "match" && e.Name != "comment":
			missing = append(missing, name+" misses no packet")
		}
		for _, p := range e.Params {
			option := name + " --" + p.Name
			seen := c[option] != nil
			for _, a := range p.Aliases {
				seen = seen || c[name+" --"+a] != nil
			}
			if notCompared[option] == "" && !seen {
				missing = append(missing, option+" is not compared")
			}
		}
	}
	slices.Sort(missing)
	for _, m := range missing {
		t.Error(m)
	}
	for _, kind := range []string{"matches", "targets"} {
		for _, f := range []string{"ip", "ip6"} {
			for _, name := range loaded(t, fmt.Sprintf("/proc/net/%s_tables_%s", f, kind)) {
				full := strings.TrimSuffix(strings.TrimSuffix(kind, "es"), "s") + " " + name
				if name != "" && name != "ERROR" && catalog.Find(strings.Fields(full)[0], name) == nil && notCompared[full] == "" {
					t.Errorf("the kernel has %s, and nobody knows it here", full)
				}
			}
		}
	}
}

// loaded lists the extensions that the running kernel has loaded.
func loaded(t *testing.T, file string) (names []string) {
	f, err := os.Open(file)
	if err != nil {
		t.Logf("%v", err)
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		names = append(names, s.Text())
	}
	require.NotEmpty(t, names)
	return names
}
