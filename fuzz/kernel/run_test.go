//go:build linux

package kernel

// The random comparison, of every way; that it finds differences, and ends as it
// should.

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	sets     = flag.Int("sets", 40, "random rule sets of each way and address family")
	packets  = flag.Int("packets", 500, "packets per rule set")
	seed     = flag.Uint64("seed", 1, "seed of the random rule sets")
	caseFile = flag.String("case", "", "a file of a case to replay, besides those of testdata/cases")
)

// needWay skips the test where rules cannot be loaded in a way.
func needWay(t *testing.T, way string) {
	t.Helper()
	if err := usable(t.Context(), way); err != nil {
		skip(t, "%v", err)
	}
}

func TestRandomRuleSetsCountAsTheKernelDoes(t *testing.T) {
	for _, way := range Ways() {
		t.Run(way, func(t *testing.T) {
			needWay(t, way)
			r, err := Run(t.Context(), Options{Sets: *sets * 2, Packets: *packets, Seed: *seed, Ways: []string{way}}, nil)
			require.NoError(t, err)
			if r.Difference != nil {
				t.Fatal(r.Difference)
			}
			n := r.Total()
			t.Logf("%d sets, %d rules, %d of them hit, %d packets, %d arrived, %d matched, in %v", n.Sets, n.Rules, n.Hit, n.Packets, n.Arrived, n.Matched, r.Elapsed.Round(time.Millisecond))
			require.EqualValues(t, *sets*2, n.Sets)
			require.Greater(t, n.Arrived*10, n.Packets*7, "most packets come to the rules")
			require.Greater(t, n.Matched*10, n.Arrived*4, "many packets meet a rule")
			require.Greater(t, n.Hit*10, n.Rules*2, "enough rules meet packets")
		})
	}
}

func TestCasesOfTheirOwnCountAsTheKernelDoes(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.case")
	require.NoError(t, err)
	if *caseFile != "" {
		files = append(files, *caseFile)
	}
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			c, err := ReadCase(f)
			require.NoError(t, err)
			needWay(t, c.Way)
			d, err := Replay(t.Context(), c)
			require.NoError(t, err)
			if d != nil {
				t.Fatal(d)
			}
		})
	}
}

// differing is a case that differs: in the way translated, matches of ports take
// the content of later fragments for a header.
func differing(t *testing.T) *Case {
	m := newMixer(rand.New(rand.NewPCG(7, 7)), 4)
	k := kinds([]string{wayTranslated})[0]
	c, err := drawCase(k, 7, 200)
	require.NoError(t, err)
	lines := strings.SplitAfter(c.Program, "\n")
	first := slices.IndexFunc(lines, isRule) + 1
	c.Program = strings.Join(slices.Insert(lines, first, "-A PREROUTING -s 10.0.0.0/8 -p tcp -m tcp --dport 0:60000\n"), "")
	fragment := head{proto: 6, frag: 100, src: "10.0.0.1"}.ip(4, bytes.Repeat([]byte{7}, 40))
	c.Packets = slices.Insert(c.Packets, 100+m.IntN(50), fragment)
	return c
}

func TestADifferenceIsFoundAndShrunk(t *testing.T) {
	needWay(t, wayTranslated)
	c := differing(t)
	var shrunk *Difference
	require.NoError(t, inNamespace(func(l *lab) error {
		d, _, err := l.try(t.Context(), c)
		if err != nil || d == nil {
			return err
		}
		shrunk = l.shrink(t.Context(), d)
		return nil
	}))
	require.NotNil(t, shrunk, "nothing differs")
	require.Len(t, shrunk.Packets, 1)
	require.LessOrEqual(t, strings.Count(shrunk.Program, "\n-A "), 2, shrunk)
	require.Contains(t, shrunk.String(), "--dport 0:60000")
	require.Contains(t, shrunk.Summary(), "kernel [1:")

	var file bytes.Buffer
	_, err := shrunk.WriteTo(&file)
	require.NoError(t, err)
	read, err := ReadCase(&file)
	require.NoError(t, err)
	require.Equal(t, &shrunk.Case, read)
	again, err := Replay(t.Context(), read)
	require.NoError(t, err)
	require.Equal(t, shrunk, again)
}

func TestTheSameSeedDrawsTheSameCase(t *testing.T) {
	for _, k := range kinds(Ways()) {
		a, err := drawCase(k, 3, 100)
		require.NoError(t, err)
		b, err := drawCase(k, 3, 100)
		require.NoError(t, err)
		require.Equal(t, a, b)
		c, err := drawCase(k, 4, 100)
		require.NoError(t, err)
		require.NotEqual(t, a.Program, c.Program)
	}
}

func TestThePacketsOfABurstHaveDifferentLengths(t *testing.T) {
	for _, k := range kinds(Ways()) {
		c, err := drawCase(k, 5, 400)
		require.NoError(t, err)
		list := bursts(c.Packets, maxBurst)
		require.Equal(t, c.Packets, slices.Concat(list...))
		require.Less(t, len(list)*3, len(c.Packets), "%s, IPv%d", k.name, k.family)
		for _, burst := range list {
			require.LessOrEqual(t, len(burst), maxBurst)
			seen := map[int]bool{}
			for _, p := range burst {
				require.False(t, seen[len(p)])
				seen[len(p)] = true
			}
		}
	}
}

// The counters that are read by socket options and netlink are those that the
// tools print.
func TestCountersAreReadAsTheToolsPrintThem(t *testing.T) {
	printed := regexp.MustCompile(`\[(\d+):(\d+)\] -A`)
	for _, k := range kinds(Ways()) {
		t.Run(k.way+" "+k.name, func(t *testing.T) {
			needWay(t, k.way)
			c, err := drawCase(k, 11, 200)
			require.NoError(t, err)
			if k.way == wayNFT { // nft 1.0.6 fails to list some of the sets that it makes
				c.Program = "table inet\nchain PREROUTING DROP\nany => pass\nproto=6 => jump u\nproto=17,1 => accept\nchain u\nlength=0-500 => return\nttl=64 => pass\n"
			}
			var read, tool []string
			require.NoError(t, inNamespace(func(l *lab) error {
				r, err := l.load(t.Context(), c)
				if err != nil {
					return err
				}
				defer r.close()
				for _, p := range c.Packets {
					if err := r.send(p); err != nil {
						return err
					}
				}
				if _, err := r.compare(); err != nil {
					return err
				}
				for _, at := range r.compared {
					if at < 0 {
						continue
					}
					for _, n := range r.was[at][:len(r.was[at])-1] {
						read = append(read, Count{n.packets, n.bytes}.String())
					}
				}
				if k.way == wayNFT {
					out, err := runTool(t.Context(), "", "nft", "-j", "list", "ruleset")
					if err == nil {
						tool, err = listedCounters(out)
					}
					return err
				}
				if k.way == wayListing { // the counters that package rules/nftables reads
					rs, err := readListing(t.Context())
					if err != nil {
						return err
					}
					for _, c := range rs.Tables[0].Chains {
						for _, r := range c.Rules.All() {
							if a := &r.Value; !a.Piece {
								tool = append(tool, Count{a.Packets, a.Bytes}.String())
							}
						}
					}
					return nil
				}
				out, err := runTool(t.Context(), "", strings.TrimSuffix(restoreTool(k.way, k.family), "restore")+"save", "-c", "-t", r.table.Name)
				for _, m := range printed.FindAllStringSubmatch(out, -1) {
					tool = append(tool, "["+m[1]+":"+m[2]+"]")
				}
				return err
			}))
			require.NotEmpty(t, read)
			slices.Sort(read) // the tools print the chains in another order
			slices.Sort(tool)
			require.Equal(t, tool, read)
		})
	}
}

// listedCounters are the counters of all rules that "nft -j list" prints.
func listedCounters(out string) (list []string, err error) {
	var all struct {
		NFTables []struct {
			Rule struct {
				Expr []struct{ Counter *Count }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, err
	}
	for _, o := range all.NFTables {
		for _, e := range o.Rule.Expr {
			if e.Counter != nil {
				list = append(list, e.Counter.String())
			}
		}
	}
	return list, nil
}

func TestTheEndOfTheContextEndsTheComparisonAndItsNamespaces(t *testing.T) {
	needWay(t, wayLegacy)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := namespaces(t, "/proc/self/task/*/ns/net")
	calls := 0
	r, err := Run(ctx, Options{Ways: []string{wayLegacy}, Workers: 2, Packets: 50}, func(r Report) {
		if calls++; r.Total().Sets >= 5 {
			cancel()
		}
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, calls, 5)
	require.GreaterOrEqual(t, r.Total().Sets, int64(5))
	require.Nil(t, r.Difference)
	require.Eventually(t, func() bool {
		for n := range namespaces(t, "/proc/self/task/*/ns/net") {
			if !before[n] {
				return false
			}
		}
		return true
	}, 30*time.Second, 10*time.Millisecond, "a thread is left in a namespace")
}

// namespaces are the network namespaces that links under /proc lead to.
func namespaces(t *testing.T, pattern string) map[string]bool {
	links, err := filepath.Glob(pattern)
	require.NoError(t, err)
	found := map[string]bool{}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			found[to] = true
		}
	}
	return found
}

func TestAProgramThatIsKilledLeavesNothingBehind(t *testing.T) {
	const run = "HIPAC_KERNEL_RUN"
	if os.Getenv(run) != "" {
		_, err := Run(context.Background(), Options{Workers: 2}, nil)
		t.Fatal(err) // it has no end of its own
	}
	needWay(t, wayLegacy)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		c := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		c.Env = append(os.Environ(), run+"=1")
		require.NoError(t, c.Start())
		dir := fmt.Sprintf("/proc/%d", c.Process.Pid)
		own := namespaces(t, "/proc/thread-self/ns/net")
		var made map[string]bool
		require.Eventually(t, func() bool {
			made = namespaces(t, dir+"/task/*/ns/net")
			for n := range own {
				delete(made, n)
			}
			return len(made) >= 2
		}, 60*time.Second, 5*time.Millisecond, "the program has made no namespaces")
		time.Sleep(200 * time.Millisecond) // in the middle of something
		require.NoError(t, c.Process.Signal(signal))
		require.Error(t, c.Wait())
		require.Eventually(t, func() bool {
			for n := range namespaces(t, "/proc/[0-9]*/task/*/ns/net") {
				if made[n] {
					return false
				}
			}
			return true
		}, 30*time.Second, 10*time.Millisecond, "something still runs in a namespace")
	}
}
