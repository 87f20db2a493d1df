//go:build linux

package kernel

// Rule sets in nft's own words, read back: nft loads a script, and what "nft -j list
// ruleset" prints of it is read by package rules/nftables. A script is a command a
// line, all of one table:
//
//	add table inet hipac
//	add set inet hipac s1 { type ipv4_addr; elements = { 10.0.0.1 }; }
//	add chain inet hipac PREROUTING { type filter hook prerouting priority -300; policy accept; }
//	add rule inet hipac PREROUTING counter
//	add rule inet hipac PREROUTING ip saddr @s1 counter drop
//
// Lines that nft does not take, since sets overlap or expressions contradict each
// other, and those that it lists as something else, are left out before a case is
// compared. Rules without a counter are not
// compared; what they do shows in those behind them.

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/nftables"
)

// maxRefused is how often nft may refuse a script before it is given up.
const maxRefused = 20

// refusedLine finds the lines that nft names in its errors.
var refusedLine = regexp.MustCompile(`/dev/stdin:(\d+):`)

// settle leaves the lines out of a script that nft does not take.
func settle(ctx context.Context, script string) (string, error) {
	for range maxRefused {
		_, err := runTool(ctx, "flush ruleset\n"+script, "nft", "-f", "-")
		if err == nil {
			return script, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		lines := strings.SplitAfter(script, "\n")
		var out []int
		for _, m := range refusedLine.FindAllStringSubmatch(err.Error(), -1) {
			n, _ := strconv.Atoi(m[1])
			if at := n - 2; at >= 0 && at < len(lines) && !isEntry(lines[at]) && !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
		if out == nil {
			return "", fmt.Errorf("%w by nft: %w\n%s", errRefused, err, script)
		}
		kept := lines[:0]
		for i, line := range lines {
			if !slices.Contains(out, i) {
				kept = append(kept, line)
			}
		}
		script = strings.Join(kept, "")
	}
	return "", fmt.Errorf("%w by nft, again and again\n%s", errRefused, script)
}

// readListing reads what nft lists.
func readListing(ctx context.Context) (*nftables.Ruleset, error) {
	text, err := runTool(ctx, "", "nft", "-j", "list", "ruleset")
	if err != nil {
		return nil, err
	}
	rs, err := nftables.Read(strings.NewReader(text), nftables.Options{File: "listing"})
	if err != nil {
		return nil, fmt.Errorf("%w by us: %w\n%s", errRefused, err, text)
	}
	return rs, nil
}

// estranged are things that nft 1.0.6 lists in place of others: raw bytes, and fields
// of another header, of operands that contradict each other or are parts of bytes.
// The last is what package rules/nftables refuses of those that are drawn.
var estranged = regexp.MustCompile(`^match (raw payload of (nh|th)|icmp checksum|icmpv6 checksum|>>)$|^vmap whose jumps change what it asks$`)

// understood leaves the rules out of a script that nft lists as other ones. It
// returns the script, which is loaded, and its listing.
func understood(ctx context.Context, script string) (string, *nftables.Ruleset, error) {
	for {
		var err error
		if script, err = settle(ctx, script); err != nil {
			return "", nil, err
		}
		rs, err := readListing(ctx)
		if died(err) {
			if script, err = survive(ctx, script); err != nil {
				return "", nil, err
			}
			continue
		}
		var lacking *rules.UnsupportedError
		var wrong *rules.ParseError
		var where []string
		switch {
		case errors.As(err, &lacking):
			for _, f := range lacking.Features {
				if !estranged.MatchString(f.Name) {
					return "", nil, err
				}
				where = append(where, f.First.Where)
			}
		case errors.As(err, &wrong) && strings.HasSuffix(wrong.Token, "[invalid type]"):
			where = append(where, wrong.Where) // two comparisons that nft lists as one
		default:
			return script, rs, err
		}
		lines := strings.SplitAfter(script, "\n")
		for _, at := range where {
			at, number, _ := strings.Cut(at, "/")
			_, chain, _ := strings.Cut(at, " ")
			n, _ := strconv.Atoi(number)
			for i, line := range lines {
				if words := strings.Fields(line); len(words) > 4 && words[1] == "rule" && words[4] == chain {
					if n--; n == 0 {
						lines[i] = ""
					}
				}
			}
		}
		script = strings.Join(lines, "")
	}
}

// died reports whether nft ended by a signal, as it does at the listing of some rules
// that it takes.
func died(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// survive leaves rules out of a script, one where that is enough, until nft lists it.
func survive(ctx context.Context, script string) (string, error) {
	lines := strings.SplitAfter(script, "\n")
	lists := func(lines []string) (bool, error) {
		if _, err := runTool(ctx, "flush ruleset\n"+strings.Join(lines, ""), "nft", "-f", "-"); err != nil {
			return false, err
		}
		_, err := runTool(ctx, "", "nft", "-j", "list", "ruleset")
		if died(err) {
			return false, ctx.Err()
		}
		return err == nil, err
	}
	for {
		last := -1
		for i, line := range lines {
			if !strings.HasPrefix(line, "add rule ") {
				continue
			}
			last = i
			rest := slices.Delete(slices.Clone(lines), i, i+1)
			if ok, err := lists(rest); ok || err != nil {
				return strings.Join(rest, ""), err
			}
		}
		if last < 0 {
			return "", fmt.Errorf("%w: nft does not survive its listing\n%s", errRefused, script)
		}
		lines = slices.Delete(lines, last, last+1)
	}
}

func (t *comparison) loadListing(ctx context.Context) error {
	script, rs, err := understood(ctx, t.c.Program)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	t.c.Program = script
	if len(rs.Tables) != 1 {
		return fmt.Errorf("%w: a program has one table", errRefused)
	}
	t.table = rs.Tables[0]
	t.text = func(chain, rule int) string {
		text, _ := rs.Rule(t.table.Name, t.table.Chains[chain].Name, rule+1)
		return text
	}
	t.silent = map[rules.Place]bool{}
	for i := range t.table.Chains {
		for _, r := range t.table.Chains[i].Rules.All() {
			at := rules.Place{Chain: i, Rule: r.Value.Number - 1}
			t.silent[at] = !slices.Contains(strings.Fields(t.text(i, at.Rule)), "counter")
		}
	}
	kind, name, _ := strings.Cut(t.table.Name, ":")
	family := map[string]uint8{"ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6, "inet": unix.NFPROTO_INET}[kind]
	t.kernel, err = noNil(openNFT(family, name, false))
	return err
}
