package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// generated makes a rule file of a family.
func generated(t *testing.T, family string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), family)
	r := invoke(t, "", append([]string{"gen", "rules", "--family", family, "--rules", "300", "--out", path}, flags...)...)
	require.Equal(t, result{}, r)
	return path
}

// keysIn reads a packet file as keys of the schema.
func keysIn(t *testing.T, path string, s *rules.Schema) (keys []rules.Key) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	in, err := files.NewPackets(f, path, &files.PacketFlags{PacketsFormat: "auto", MetaFlags: files.MetaFlags{CaptureInterface: "none"}}, s)
	require.NoError(t, err)
	for {
		k := s.NewKey()
		info, err := in.Next(k)
		if err == io.EOF {
			return keys
		}
		require.NoError(t, err)
		require.False(t, info.Outside)
		keys = append(keys, k)
	}
}

// headerless are the fields that no header holds.
var headerless = []string{"iif", "oif", "ctstate", "mark"}

func TestPacketsOfOneSeedAreTheSameInEveryFormat(t *testing.T) {
	for _, tt := range []struct{ family, flags string }{
		{"acl2", ""}, {"fw3", "--ipv6"}, {"nf-hipac", ""}, {"firewall", ""},
	} {
		path := generated(t, tt.family, strings.Fields(tt.flags)...)
		s := readSet(t, path).Native.Schema()
		out := filepath.Join(t.TempDir(), "p")
		for _, mode := range []string{"uniform", "zipf", "trace", "corners", "overlaps", "random", "mixed", "worst"} {
			flags := []string{"gen", "packets", "--rules", path, "--packets", "400", "--mode", mode}
			if mode == "worst" {
				flags = append(flags, "--tries", "500")
			}
			flags = slices.Clip(append(flags, "--out"))
			for _, format := range []string{"csv", "pcap"} {
				r := invoke(t, "", append(flags, out+format, "--format", format, "--real")...)
				require.Equal(t, exitOK, r.code, r.stderr)
				require.Equal(t, mode == "worst", strings.Contains(r.stderr, "worst packets: "), r.stderr)
				require.Equal(t, format == "pcap" && s.Len() > 5, strings.Contains(r.stderr, "pcap files do not hold"), r.stderr)
			}
			rows, frames := keysIn(t, out+"csv", s), keysIn(t, out+"pcap", s)
			require.Len(t, rows, 400)
			require.Len(t, frames, 400)
			for i := range rows {
				for _, name := range headerless {
					if f := s.Index(name); f >= 0 {
						s.SetAbsent(rows[i], f)
						s.SetAbsent(frames[i], f)
					}
				}
			}
			require.Equal(t, rows, frames, "%s %s", tt.family, mode)
			if s.Len() == 5 {
				require.Equal(t, exitOK, invoke(t, "", append(flags, out+"trace")...).code)
				require.Equal(t, exitOK, invoke(t, "", append(flags, out+"csv2", "--format", "csv")...).code)
				require.Equal(t, keysIn(t, out+"trace", s), keysIn(t, out+"csv2", s))
			}
		}
	}
}

func TestGeneratedPacketsAreMeasured(t *testing.T) {
	path, out := generated(t, "ipc1"), filepath.Join(t.TempDir(), "p")
	for _, format := range []string{"trace", "csv", "pcap"} {
		require.Equal(t, result{}, invoke(t, "", "gen", "packets", "--rules", path, "--packets", "500", "--format", format, "--out", out))
		v := object(t, "", "lookup", "--rules", path, "--packets", out)
		require.EqualValues(t, 500, v["packets"])
	}
}

func TestMissesOfAFileAreMissed(t *testing.T) {
	out := filepath.Join(t.TempDir(), "p")
	path := generated(t, "blocklist")
	l := readSet(t, path).Native
	for share, flags := range map[float64][]string{1: {"--mode", "misses"}, 0.25: {"--misses", "0.25"}} {
		for _, format := range []string{"trace", "pcap"} {
			args := append([]string{"gen", "packets", "--rules", path, "--packets", "2000", "--format", format, "--out", out}, flags...)
			require.Equal(t, result{}, invoke(t, "", args...))
			missed := 0
			for _, k := range keysIn(t, out, l.Schema()) {
				if _, ok := l.First(k); !ok {
					missed++
				}
			}
			require.InDelta(t, share, float64(missed)/2000, 0.04)
		}
	}
	path = generated(t, "fw1")
	r := invoke(t, "", "gen", "packets", "--rules", path, "--mode", "misses", "--out", out+"2")
	require.Equal(t, result{code: exitData, stderr: "bench: " + path + ": no packet is a miss: rule 300, the last, is for every packet; with --but-last, packets that only it decides are misses\n"}, r)
	require.NoFileExists(t, out+"2")
	r = invoke(t, "", "gen", "packets", "--rules", path, "--mode", "misses", "--but-last", "--packets", "300", "--out", out)
	require.Equal(t, exitOK, r.code, r.stderr)
	l = readSet(t, path).Native
	for _, k := range keysIn(t, out, l.Schema()) {
		at, ok := l.First(k)
		require.True(t, ok)
		require.Equal(t, 299, at)
	}
}

func TestAShareOfMissesIsOneInModesThatAreRandomToo(t *testing.T) {
	out := filepath.Join(t.TempDir(), "p")
	// Half of all random packets are misses.
	half := file(t, "half", "hipac 1\nschema ipv4\nrule src=0.0.0.0/1 => A\n")
	l := readSet(t, half).Native
	for share, want := range map[string]float64{"0": 0.5, "0.2": 0.6, "1": 1} {
		r := invoke(t, "", "gen", "packets", "--rules", half, "--packets", "2k", "--mode", "random", "--misses", share, "--out", out)
		require.Equal(t, result{}, r)
		missed := 0
		for _, k := range keysIn(t, out, l.Schema()) {
			if _, ok := l.First(k); !ok {
				missed++
			}
		}
		require.InDelta(t, want, float64(missed)/2000, 0.05, share)
	}
}

func TestTheHelpSaysWhichFamiliesEndInARuleForAll(t *testing.T) {
	for _, k := range workload.Kinds() {
		if k.Chains {
			require.False(t, k.Rest, k.Name)
			continue
		}
		set, err := workload.Make(workload.Config{Family: k.Name, Rules: 200, Seed: 1})
		require.NoError(t, err)
		last := len(set.List.At(199).Conds) == 0
		require.Equal(t, k.Rest || k.Name == "wild", last, k.Name)
	}
	for _, command := range []string{"rules", "packets"} {
		help := strings.Join(strings.Fields(invoke(t, "", "gen", command, "--help").stdout), " ")
		require.Contains(t, help, "Sets of the ClassBench families but acl5 and ipc2, of firewall and nf-hipac end in a rule for every packet")
	}
}

func TestRulesWithoutMissesSayWhy(t *testing.T) {
	out := filepath.Join(t.TempDir(), "p")
	all := file(t, "all", "hipac 1\nschema ipv4\nrule src=0.0.0.0-127.255.255.255 => A\nrule src=128.0.0.0/1 => B\n")
	r := invoke(t, "", "gen", "packets", "--rules", all, "--mode", "misses", "--out", out)
	require.Equal(t, result{code: exitData, stderr: "bench: " + all + ": none of 200000 packets tried is a miss: the rules leave hardly any packet undecided, or none\n"}, r)
	first := file(t, "first", "hipac 1\nschema ipv4\nrule any => A\nrule src=128.0.0.0/1 => B\n")
	r = invoke(t, "", "gen", "packets", "--rules", first, "--misses", "0.5", "--out", out)
	require.Equal(t, result{code: exitData, stderr: "bench: " + first + ": no packet is a miss: rule 1 is for every packet\n"}, r)
	r = invoke(t, "", "gen", "packets", "--rules", first, "--misses", "0.5", "--but-last", "--out", out)
	require.Equal(t, result{code: exitData, stderr: "bench: --but-last: the last rule is not one for every packet\n"}, r)
	rare := file(t, "rare", "hipac 1\nschema ipv4\nrule src!=10.0.0.1 => A\nrule dst!=10.0.0.2 => A\nrule dport!=3 => A\nrule sport!=4 => A\nrule proto!=17 => A\n")
	r = invoke(t, "", "gen", "packets", "--rules", rare, "--mode", "misses", "--packets", "50", "--out", out)
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.stderr, "misses are rare: ")
	require.NoFileExists(t, out+"x")
}

func TestPacketsForChainsAreRead(t *testing.T) {
	path, out := generated(t, "kube-proxy"), filepath.Join(t.TempDir(), "p")
	routes := file(t, "routes", "local 192.0.2.1 dev lo table local\n")
	for _, format := range []string{"csv", "pcap"} {
		for _, mode := range []string{"uniform", "worst", "misses"} {
			r := invoke(t, "", "gen", "packets", "--rules", path, "--routes", routes, "--chain", "PREROUTING", "--packets", "200",
				"--mode", mode, "--format", format, "--out", out)
			require.Equal(t, exitOK, r.code, r.stderr)
			f, err := os.Open(out)
			require.NoError(t, err)
			defer f.Close()
			in, err := files.NewPackets(f, out, &files.PacketFlags{PacketsFormat: "auto", MetaFlags: files.MetaFlags{Tables: true, CaptureInterface: "none"}}, rules.Firewall)
			require.NoError(t, err)
			n, services, k := 0, 0, rules.Firewall.NewKey()
			for ; ; n++ {
				if _, err := in.Next(k); err == io.EOF {
					break
				} else {
					require.NoError(t, err)
				}
				dst := in.Packet().Dst[3]
				if in.Packet().Family == 4 && dst>>20 == 10<<4|96>>4 {
					services++
				}
			}
			require.Equal(t, 200, n)
			if mode == "uniform" {
				require.Greater(t, services, 100, "packets are for services")
			}
		}
	}
	unknown := file(t, "unknown", "*filter\n:FORWARD ACCEPT\n-A FORWARD -m set --match-set x src -j DROP\nCOMMIT\n")
	r := invoke(t, "", "gen", "packets", "--rules", unknown, "--mode", "misses", "--out", out)
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, "of 200000 of them nobody can say it, of the first for lack of set x")
}

func TestSameFlagsGiveTheSamePacketFile(t *testing.T) {
	path, dir := generated(t, "fw2"), t.TempDir()
	for _, format := range []string{"trace", "csv", "pcap"} {
		make := func(name, seed string) string {
			args := []string{"gen", "packets", "--rules", path, "--packets", "300", "--misses", "0.1", "--but-last", "--format", format, "--seed", seed, "--out"}
			require.Equal(t, exitOK, invoke(t, "", append(args, filepath.Join(dir, name))...).code)
			data, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, string(data), invoke(t, "", append(args, "-")...).stdout)
			return string(data)
		}
		require.Equal(t, make("a", "1"), make("b", "1"))
		require.NotEqual(t, make("a", "1"), make("c", "2"))
	}
}

func TestBadRequestsForPacketsSayWhatWouldBeGood(t *testing.T) {
	tuple, wide, kube := generated(t, "acl1"), generated(t, "nf-hipac"), generated(t, "kube-proxy")
	few := file(t, "few", "hipac 1\nschema dport:port\nrule dport=80 => A\n")
	none := file(t, "none", "hipac 1\nschema none\nrule any => A\n")
	dir := t.TempDir()
	for _, tt := range []struct {
		code        int
		rules, args string
		want        string
	}{
		{exitUsage, tuple, "--packets 0", "--packets 0: not in 1..2147483647"},
		{exitUsage, tuple, "--packets 9999999999999999999", `--packets: "9999999999999999999" is too large a number`},
		{exitUsage, tuple, "--packets 3G", "--packets 3000000000: not in 1..2147483647"},
		{exitUsage, tuple, "--mode best", `--mode must be one of "uniform","zipf"`},
		{exitUsage, tuple, "--misses 2", "--misses 2: not in 0..1"},
		{exitUsage, tuple, "--misses NaN", "--misses NaN: not in 0..1"},
		{exitUsage, tuple, "--mode zipf --flows 0", "--flows 0: not in 1..10000000"},
		{exitUsage, tuple, "--flows 10", "--flows: mode uniform has none; zipf, mixed and worst have"},
		{exitUsage, tuple, "--mode misses --flows 10", "--flows: mode misses has none"},
		{exitUsage, tuple, "--mode zipf --tries 10", "--tries: mode zipf looks for no worst packets"},
		{exitUsage, tuple, "--mode worst --tries 0", "--tries 0: not in 1.."},
		{exitUsage, tuple, "--mode zipf --repeat 1", "--repeat: mode zipf does not repeat packets so; uniform, trace and mixed do"},
		{exitUsage, tuple, "--repeat 0", "--repeat 0: above 0"},
		{exitUsage, tuple, "--mode misses --misses 0.5", "--misses: in mode misses all packets are"},
		{exitUsage, tuple, "--but-last", "--but-last: no misses are asked for; --mode misses and --misses SHARE do"},
		{exitUsage, tuple, "--flows 20000000", "--flows 20000000: not in 1..10000000"},
		{exitUsage, tuple, "--repeat=-1", "--repeat -1: above 0, and at most 1000000"},
		{exitUsage, tuple, "--real --format trace", "--real: a trace has ports for every packet"},
		{exitUsage, tuple, "--table nat", "--table and --chain are for iptables rules"},
		{exitUsage, wide, "--format trace", "a trace holds the 5-tuple, and the rules also have iif, oif, frag,"},
		{exitUsage, few, "--format trace", "the rules have no src, dst, sport, proto: csv can hold them"},
		{exitUsage, few, "--format pcap", "the rules have neither src nor dst"},
		{exitUsage, none, "", "--format csv: the rules have no fields"},
		{exitUsage, kube, "--format trace --chain PREROUTING", "packets for iptables rules have none in some protocols"},
		{exitUsage, kube, "--but-last --mode misses", "--but-last is for lists"},
		{exitUsage, kube, "--table filter", "has no table filter; it has nat"},
		{exitUsage, kube, "--chain FORWARD", "FORWARD"},
		{exitData, filepath.Join(dir, "gone"), "", "gone: no such file or directory"},
	} {
		r := invoke(t, "", append([]string{"gen", "packets", "--rules", tt.rules, "--out", filepath.Join(dir, "out")}, strings.Fields(tt.args)...)...)
		require.Equal(t, tt.code, r.code, tt.args)
		require.Contains(t, r.stderr, tt.want)
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	}
	require.Equal(t, result{code: exitUsage, stderr: "bench: --out FILE is missing; - is standard output\n"}, invoke(t, "", "gen", "packets", "--rules", tuple))
	require.Equal(t, result{code: exitUsage, stderr: "bench: --rules FILE is missing\n"}, invoke(t, "", "gen", "packets", "--out", "-"))
	r := invoke(t, "", "gen", "packets", "--rules", tuple, "--out", filepath.Join(dir, "none", "out"))
	require.Equal(t, result{code: exitData, stderr: fmt.Sprintf("bench: %s/none/out: no such file or directory\n", dir)}, r)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, slices.Collect(func(yield func(string) bool) {
		for _, e := range list {
			yield(e.Name())
		}
	}), "nothing is left")
}
