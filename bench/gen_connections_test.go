package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/connections"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
)

// countPackets reads a capture as all commands do, and returns how many packets
// it holds.
func countPackets(t *testing.T, data []byte) (n int) {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(data), "c.pcap")
	require.NoError(t, err)
	for {
		_, err := r.Next()
		if err == io.EOF {
			return n
		}
		require.NoError(t, err)
		n++
	}
}

func TestConnectionsAreWrittenAsACapture(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.pcap")
	args := strings.Fields("gen connections --profile http --count 50 --from random --to 192.0.2.7 --seed 1 --out " + path)
	require.Equal(t, result{}, invoke(t, "", args...))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, countPackets(t, whole), 50*10)

	args[len(args)-1] = "-"
	require.Equal(t, result{stdout: string(whole)}, invoke(t, "", args...), "the same on standard output")
	same := invoke(t, "", "gen", "connections", "--profile", "http", "--count", "50", "--out", "-")
	require.Equal(t, result{stdout: string(whole)}, same, "these are the defaults")
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing else is left")
}

func TestFlagsOfConnectionsChangeThem(t *testing.T) {
	const base = "gen connections --count 40 --out - "
	plain := invoke(t, "", strings.Fields(base+"--profile dns=3,http")...)
	require.Zero(t, plain.code)
	for _, flag := range []string{"--ipv6", "--loss 20%", "--reset 50%", "--fragments 100% --fragment-size 100", "--mtu 600", "--rtt 1s-2s", "--rate 10",
		"--arrivals even", "--seed 2", "--from 10.0.0.0/8", "--to 10.0.0.1,10.0.0.2=3", "--link raw", "--start 2024-02-29T12:00:00+01:00", "--live 3"} {
		r := invoke(t, "", strings.Fields(base+"--profile dns=3,http "+flag)...)
		require.Zero(t, r.code, flag)
		require.NotEqual(t, plain.stdout, r.stdout, flag)
		require.NotZero(t, countPackets(t, []byte(r.stdout)), flag)
		if flag == "--live 3" {
			require.Contains(t, r.stderr, "bench: warning: ")
			require.Contains(t, r.stderr, "began more slowly than --rate says")
		} else {
			require.Empty(t, r.stderr, flag)
		}
	}
}

func TestEitherEndSaysTheFamily(t *testing.T) {
	for flags, v6 := range map[string]bool{"": false, "--ipv6": true, "--from 2001:db8:1::/64": true, "--to 2001:db8::9": true, "--from 10.0.0.1 --to random": false} {
		r := invoke(t, "", append(strings.Fields("gen connections --profile ntp --count 3 --link raw --out -"), strings.Fields(flags)...)...)
		require.Zero(t, r.code, r.stderr)
		require.Equal(t, v6, r.stdout[24+16]>>4 == 6, flags)
	}
}

func TestStatsOfConnectionsArePrinted(t *testing.T) {
	r := invoke(t, "", strings.Fields("gen connections --profile ntp --count 20 --stats")...)
	require.Zero(t, r.code)
	require.Empty(t, r.stderr)
	require.Contains(t, r.stdout, "connections  20, at most ")
	require.Contains(t, r.stdout, "packets      40, 3040 B\n")
	require.Contains(t, r.stdout, " packets a second\n")

	r = invoke(t, "", strings.Fields("gen connections --profile ntp --count 20 --stats --out -")...)
	require.Contains(t, r.stderr, "packets      40, 3040 B\n", "beside the capture, not in it")
	require.Equal(t, 40, countPackets(t, []byte(r.stdout)))
}

func TestProfilesArePrintedAndReadAgain(t *testing.T) {
	r := invoke(t, "", "gen", "connections", "--profile", "list")
	require.Equal(t, result{stdout: connections.ReadyText()}, r)
	changed := strings.Replace(r.stdout, "ntp: udp, port 123", "mine: udp, port 1123", 1)
	path := file(t, "my.txt", changed)
	r = invoke(t, "", "gen", "connections", "--profiles", path, "--profile", "mine,dns", "--count", "10", "--out", "-")
	require.Zero(t, r.code, r.stderr)
	require.GreaterOrEqual(t, countPackets(t, []byte(r.stdout)), 20)
	r = invoke(t, changed, "gen", "connections", "--profiles", "-", "--profile", "mine", "--count", "10", "--stats")
	require.Contains(t, r.stdout, "packets      20,")
	require.Equal(t, changed, invoke(t, "", "gen", "connections", "--profiles", path, "--profile", "list").stdout)
}

func TestBadFlagsOfConnectionsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		flags string
		code  int
		want  string
	}{
		{"--profile nonsense", 2, `--profile: "nonsense" is unknown; --profile list prints the profiles`},
		{"--profile http=0", 2, `--profile http: "0" is no weight`},
		{"--profile http,", 2, `--profile: "" is unknown`},
		{"--profile http --count 0", 2, "--count 0: at least 1"},
		{"--profile http --count=-5", 2, "--count -5: at least 1"},
		{"--profile http --count 99999999999999 --rate 1", 2, "more than 50 years"},
		{"--profile http --rate 0", 2, "--rate 0: above 0"},
		{"--profile http --rate NaN", 2, "--rate NaN: above 0"},
		{"--profile http --mtu 40", 2, "an MTU of 40 bytes is too small: at least 68"},
		{"--profile http --mtu 1000 --ipv6", 2, "an MTU of 1000 bytes is too small: at least 1280"},
		{"--profile http --mtu 70000", 2, "at most 65535"},
		{"--profile http --from 10.0.0.0/8 --to 2001:db8::/32", 2, "one is of IPv4, the other of IPv6"},
		{"--profile http --from 10.0.0.0/8 --ipv6", 2, "10.0.0.0/8 is no IPv6 address"},
		{"--profile http --from 10.0.0.300", 2, `--from: "10.0.0.300" is not "random", an address`},
		{"--profile http --to 10.0.0.1/8", 2, "--to: 10.0.0.1/8 has bits behind its length"},
		{"--profile http --loss 5", 2, `--loss: "5" is no percentage`},
		{"--profile dns --reset 5%", 2, "--reset: no profile is of tcp"},
		{"--profile http --fragments 5% --fragment-size 20", 2, "fragments of 20 bytes: a fragment has 68 to 65535"},
		{"--profile http --rtt 1", 2, `--rtt: "1" is no time`},
		{"--profile http --arrivals late", 2, `--arrivals: "late" is unknown`},
		{"--profile http --link token-ring", 2, `--link: "token-ring" is unknown`},
		{"--profile http --start yesterday", 2, `--start "yesterday": not a time`},
		{"--profile http --start 1969-12-31T23:59:59Z", 2, "not a time from 1970"},
		{"--profile http --start 2106-02-07T06:28:15Z --rate 1", 1, "cannot hold the time"},
		{"--profile http --to=", 2, "--to: its value is empty"},
		{"--profile http --speed 2", 2, "--speed: is for --tun NAME"},
		{"--profile http --fragment-size 600", 2, "--fragment-size: no connections come in fragments; --fragments P% says how many do"},
		{"--profile http --fragments 5% --fragment-size 0", 2, "--fragment-size 0: at least 68"},
		{"--profile list", 2, "--profile list: the profiles are printed on standard output"},
		{"--profile http --count 1.5", 2, `--count: "1.5" is no whole number; 1000, 10k and 1M are`},
		{"--profile http --live 0", 2, "--live 0: at least 1"},
		{"--profile http --tun t0", 2, "--out and --tun: one of them"},
		{"--profile http --profiles /none/such", 1, "/none/such: no such file or directory"},
		{"", 2, "--profile"},
	} {
		path := filepath.Join(t.TempDir(), "c.pcap")
		r := invoke(t, "", append([]string{"gen", "connections", "--out", path}, strings.Fields(tt.flags)...)...)
		require.Equal(t, tt.code, r.code, tt.flags)
		require.Contains(t, r.stderr, tt.want)
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), "one line")
		require.Empty(t, r.stdout)
		list, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Empty(t, list, "no half file")
	}
	r := invoke(t, "", "gen", "connections", "--profile", "http")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "nowhere to put the packets")
	for flags, want := range map[string]string{
		"--tun t0 --speed fast": `--speed "fast": not max`, "--tun t0 --link raw": "--link: is for --out FILE", "--stats --link raw": "--link: is for --out FILE",
		"--stats --start 2021-01-01T00:00:00Z": "--start: is for --out FILE", "--stats --speed max": "--speed: is for --tun NAME",
	} {
		r := invoke(t, "", append(strings.Fields("gen connections --profile http"), strings.Fields(flags)...)...)
		require.Equal(t, exitUsage, r.code, flags)
		require.Contains(t, r.stderr, want)
		require.Empty(t, r.stdout)
	}
	path := file(t, "my.txt", "x: tcp, port 80,\n  bananas\n")
	r = invoke(t, "", "gen", "connections", "--profiles", path, "--profile", "x", "--stats")
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, path+`:2: x: "bananas" is unknown`)
	r = invoke(t, "", "gen", "connections", "--profile", "http", "--out", filepath.Join(t.TempDir(), "no", "folder", "c.pcap"))
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, "no such file or directory")
}

// smallDisk takes some bytes and no more.
type smallDisk struct{ left int }

func (d *smallDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(b), nil
}

func TestAWriteThatFailsEndsTheRun(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &smallDisk{1 << 20}, stderr: &stderr, effort: little}
	require.Equal(t, exitData, a.run(strings.Fields("gen connections --profile bulk --count 1000000000 --out -")))
	require.Contains(t, stderr.String(), "no space left on device")
}

func TestCapturesOfConnectionsAreKeysForRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.pcap")
	require.Zero(t, invoke(t, "", strings.Fields("gen connections --profile http,dns,voip --count 30 --loss 2% --out "+path)...).code)
	in, err := capture.Open(path, rules.Firewall, capture.Options{})
	require.NoError(t, err)
	defer in.Close()
	key := rules.Firewall.NewKey()
	n := 0
	for {
		_, err := in.Next(key)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		n++
	}
	require.Greater(t, n, 300)
}
