package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	results "github.com/hipac-go/classifier/bench/result"
)

func TestTheSameRulesAreWrittenForEveryTool(t *testing.T) {
	flat, chains := flatRules(2), chainRules(5, 2)
	const head = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	require.Equal(t, head+"-A OUTPUT -s 10.0.0.0/32 -p udp -m udp --dport 1 -j DROP\n"+
		"-A OUTPUT -s 127.0.0.1/32 -p udp -m udp --dport 5002 -j DROP\nCOMMIT\n", flat.save())
	require.Equal(t, "table ip filter {\nchain output {\ntype filter hook output priority 0; policy accept;\n"+
		"ip saddr 10.0.0.0 udp dport 1 drop\nip saddr 127.0.0.1 udp dport 5002 drop\n}\n}\n", flat.nft())
	require.Contains(t, flat.nftSet(), "elements = {\n10.0.0.0 . 1,\n127.0.0.1 . 5002,\n}\n")
	require.NotContains(t, flatRules(0).nftSet(), "elements")
	require.Equal(t, head+":c0 - [0:0]\n:c1 - [0:0]\n-A OUTPUT -d 11.0.0.0/24 -j c0\n-A OUTPUT -d 11.0.1.0/24 -j c1\n"+
		"-A c0 -s 10.0.0.0/32 -p udp -m udp --dport 1 -j DROP\n-A c0 -s 10.0.0.2/32 -p udp -m udp --dport 3 -j DROP\n"+
		"-A c1 -s 10.0.0.1/32 -p udp -m udp --dport 2 -j DROP\nCOMMIT\n", chains.save())
	require.Equal(t, 5, strings.Count(chains.nft(), " drop\n")+strings.Count(chains.nft(), " jump "))
	require.Equal(t, 1000, strings.Count(chainRules(1000, 100).save(), "\n-A "))
}

// iptablesRun runs the command on few rules and returns what it measured.
func iptablesRun(t *testing.T, args ...string) *results.Run {
	t.Helper()
	got := invoke(t, "", append([]string{"iptables", "--chain-rules", "6", "--chains", "2", "--rules", "20", "--walk", "300", "--rounds", "1", "--json"}, args...)...)
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(bytes.NewReader([]byte(got.stdout)))
	require.NoError(t, err)
	return run
}

func TestEveryToolHasATimeOrAReason(t *testing.T) {
	run := iptablesRun(t)
	have := map[string]bool{}
	for _, p := range run.Points {
		require.Equal(t, "iptables", p.Command)
		require.Positive(t, p.Value, "%+v", p)
		have[p.Engine+" "+p.Set+" "+p.Metric] = true
	}
	for _, g := range run.Missing {
		require.NotEmpty(t, g.Why)
		require.NotContains(t, g.Why, "wrong")
		for _, metric := range []string{"load", "packet_walk"} {
			have[g.Engine+" "+g.Set+" "+metric] = true
		}
	}
	for _, want := range []string{
		"hipac chains load", "hipac flat load", "hipac flat load_read", "hipac flat load_build", "hipac flat packet_walk",
		"iptables-legacy chains load", "iptables-legacy flat load", "iptables-legacy flat packet_walk",
		"iptables-nft chains load", "iptables-nft flat load", "iptables-nft flat packet_walk",
		"nft chains load", "nft flat load", "nft flat packet_walk", "nft-set flat packet_walk",
	} {
		require.True(t, have[want], want)
	}
}

func TestAPacketPassesAllRulesOfATool(t *testing.T) {
	for i := range loaders {
		l := &loaders[i]
		t.Run(l.engine, func(t *testing.T) {
			if err := inNamespace(func() error { return nil }); err != nil {
				t.Skip(err)
			}
			if _, err := exec.LookPath(l.args[0]); err != nil {
				t.Skipf("there is no %s", l.args[0])
			}
			checked := func(k *kernelRules) error {
				return inNamespace(func() error {
					s, err := newSender()
					if err != nil {
						return err
					}
					defer s.close()
					if _, err := runTool(t.Context(), time.Minute, l.args, l.text(k)); err != nil {
						return err
					}
					return s.check()
				})
			}
			err := checked(flatRules(50))
			if err != nil && !strings.Contains(err.Error(), "wrong") {
				t.Skipf("this kernel has none: %v", err)
			}
			require.NoError(t, err)
			without := flatRules(50)
			without.own = without.own[:49]
			require.ErrorContains(t, checked(without), "wrong: a packet that the last rule drops passes")
		})
	}
}

func TestToolsThatAreNotThereOrTakeTooLongAreSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	run := iptablesRun(t)
	require.Len(t, run.Missing, 2*3+4)
	for _, g := range run.Missing {
		require.Regexp(t, `^(there is no (iptables-legacy-restore|iptables-nft-restore|nft)|needs root|no network namespace.*|only on Linux)$`, g.Why)
	}
	require.Len(t, run.Points, 2*3+1, "ours is measured")
}

func TestWrongVerdictsOnTheKernelsRulesFailTheRun(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	got := invokeTampered(t, func(_ string, rule []int32) { rule[0]++ }, "",
		"iptables", "--chain-rules", "0", "--rules", "20", "--walk", "20", "--json")
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "bench: hipac, flat, 20 rules: wrong answers: 2 of 2 packets get another verdict than by the reference walk\n")
	require.NotContains(t, got.stdout, `"packet_walk"`)
	require.NotContains(t, got.stdout, `"load"`)
}

func TestIptablesRefusesSizesThatCannotBe(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--chains 0", "--chain-rules 10000 in --chains 0"},
		{"--chain-rules 10 --chains 6", "--chain-rules 10 in --chains 6"},
		{"--rules 0", "--rules 0: not in 1..1000000"},
		{"--walk 2000000", "--walk 2000000: not in"},
		{"--rounds 0", "--rounds 0: not in 1..1000"},
		{"--timeout 0s", "--timeout 0s: not above 0"},
	} {
		got := invoke(t, "", append([]string{"iptables"}, strings.Fields(tt.args)...)...)
		require.Equal(t, exitUsage, got.code)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, tt.want)
	}
}
