package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
)

func TestPacketPrintsOneObjectForRulesOfEveryKind(t *testing.T) {
	for _, text := range []string{nativeRules, classbenchRules, iptablesRules} {
		r := file(t, "r", text)
		for _, args := range [][]string{{"--pcap", file(t, "c", pcap(t, 80, 443)[:24+2*(16+1014)])}, nil} {
			v := object(t, "", append([]string{"packet", "--rules", r}, args...)...)
			require.Equal(t, []string{"build_cpu_seconds", "checked", "decode_ns", "key_ns", "mismatches", "packets", "rules", "verdict_ns"}, keys(v))
			require.Zero(t, v["mismatches"])
			for _, k := range []string{"build_cpu_seconds", "checked", "decode_ns", "key_ns", "packets", "rules", "verdict_ns"} {
				require.Positive(t, v[k], k)
			}
			if args != nil {
				require.EqualValues(t, 2, v["packets"])
				require.EqualValues(t, 2, v["checked"])
			}
		}
	}
}

func TestPacketTextHasTheThreeSteps(t *testing.T) {
	got := invoke(t, pcap(t, 80), "packet", "--rules", file(t, "r", iptablesRules), "--pcap", "-", "--chain", "INPUT")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "checked  1 with the reference walk, 0 wrong\n")
	require.Regexp(t, `decode +\+ key +\+ lookup +bytes to verdict`, got.stdout)
	require.Equal(t, "bench: standard input: 1 of 2 packets left out: not IP, or damaged\n", got.stderr)
}

func TestWrongVerdictsAreCountedAndFailTheRun(t *testing.T) {
	for _, text := range []string{nativeRules, iptablesRules} {
		got := invokeTampered(t, func(_ string, rule []int32) { rule[0]++ }, "",
			"packet", "--rules", file(t, "r", text), "--check", "10", "--json")
		require.Equal(t, exitData, got.code)
		require.Contains(t, got.stdout, `"mismatches": 10,`)
		require.Equal(t, "bench: wrong answers: 10 of 10 packets get another verdict than by the reference walk\n", got.stderr)
	}
}

func TestWhatPacketsDoNotHoldComesFromFlags(t *testing.T) {
	const text = "*filter\n:INPUT DROP\n-A INPUT -i eth0 -j ACCEPT\nCOMMIT\n"
	set, err := files.ReadRules(strings.NewReader(text), "r", &files.RuleFlags{RulesFormat: "auto", Fields: 5})
	require.NoError(t, err)
	table, entry, err := set.Choose("", "INPUT")
	require.NoError(t, err)
	d := &tableDecider{table: table, entry: entry}
	require.NoError(t, d.build())
	a := &app{stderr: new(strings.Builder)}
	c := file(t, "c", pcap(t, 80, 22))
	for name, want := range map[string]rules.Verdict{"eth0": rules.Accept, "eth1": rules.Drop, "": rules.Drop} {
		f, err := a.readFrames(c, &files.MetaFlags{InInterface: name, Ctstate: "NEW", CaptureInterface: "none", Tables: true}, d.schema())
		require.NoError(t, err)
		f = f.shuffled(1)
		require.Len(t, f.list, 2)
		require.Len(t, f.metas, 1, "all packets came in by one interface")
		require.EqualValues(t, 8, f.meta(1).CTState)
		p := packet.Packet{Meta: f.meta(1)}
		f.decode(&p, 1)
		require.Equal(t, want, d.decide(&p).Verdict, name)
	}
}

func TestFramesKeepTheHeadersAlone(t *testing.T) {
	a := &app{stderr: new(strings.Builder)}
	f, err := a.readFrames(file(t, "c", pcap(t, 80)), &files.MetaFlags{CaptureInterface: "none"}, rules.IPv4Tuple)
	require.NoError(t, err)
	require.Equal(t, 14+20+64, len(f.data))
	var p packet.Packet
	f.decode(&p, 0)
	require.EqualValues(t, 1000, p.Length)
	require.EqualValues(t, 80, p.DstPort)
	require.NotZero(t, p.Has&packet.HasTCPFlags)
}

func TestPacketsMadeFromAKeyHaveItsFields(t *testing.T) {
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall} {
		l, err := workload.Random(s, workload.RandomConfig{Rules: 50, Seed: 3})
		require.NoError(t, err)
		keys, err := workload.Packets(l, workload.PacketConfig{N: 500, Seed: 1})
		require.NoError(t, err)
		binder, got := packet.NewBinder(s), s.NewKey()
		same := 0
		for i := range keys.Len() {
			k := keys.At(i)
			data := workload.PacketOf(s, k, 0).AppendEthernet(nil)
			var p packet.Packet
			if p.DecodeEthernet(data) != nil {
				continue
			}
			require.True(t, binder.Key(&p, got), "the addresses are of the rules' family")
			// Ports that a packet of the protocol has are those of the key.
			if dport := s.MustIndex("dport"); p.Has&packet.HasPorts != 0 {
				have, _ := s.Get(got, dport)
				want, _ := s.Get(k, dport)
				require.Equal(t, want, have)
				same++
			}
		}
		require.Positive(t, same)
	}
}

func TestTimedLoopsOverFramesDoNotAllocate(t *testing.T) {
	for _, text := range []string{nativeRules, classbenchRules, iptablesRules} {
		set, err := files.ReadRules(strings.NewReader(text), "r", &files.RuleFlags{RulesFormat: "auto", Fields: 5})
		require.NoError(t, err)
		var d decider
		switch {
		case set.Native != nil:
			d = newListDecider(set.Native)
		case set.ClassBench != nil:
			d = newListDecider(set.ClassBench)
		default:
			table, entry, err := set.Choose("", "")
			require.NoError(t, err)
			d = &tableDecider{table: table, entry: entry}
		}
		require.NoError(t, d.build())
		f, err := d.frames(500, 1)
		require.NoError(t, err)
		f = f.shuffled(1)
		binder, key := packet.NewBinder(d.schema()), d.schema().NewKey()
		require.Zero(t, testing.AllocsPerRun(5, func() {
			use(f.decodeAll(0, 200) + f.bindAll(binder, key, 0, 200) + d.verdicts(f, 0, 200))
		}))
	}
}
