package connections

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAProfileIsReadAsItIsWritten(t *testing.T) {
	got := profile(t, `
# a comment
full-1: tcp, port 80 8000-8100 in turn, source port 1024-2048,   # another
	500 bytes one way, think 1ms-2ms, about 10k back,

    3-4 times (7 one way,
        think about 5s, 1M-2M bytes back),
    no handshake and teardown by server, packets of 100 bytes, payload smtp,
    refused 1%, silent 2%, unreachable 3%, time exceeded 4%, reset 5%, loss 0.5%,
    fragments 6% of 600 bytes, path mtu 1400 in 7%, rtt about 30ms, speed 10 mbit, window 1 packet,
    tries 3, timeout 1.5s
`)
	require.Equal(t, Profile{
		Name: "full-1", Proto: TCP,
		Ports: []PortRange{{80, 80}, {8000, 8100}}, PortsInTurn: true, SourcePorts: []PortRange{{1024, 2048}},
		Script: []Step{
			{Kind: OneWay, Size: Exactly(500)}, {Kind: Think, Pause: Between(1e6, 2e6)}, {Kind: Back, Size: Quantity{10_000, 10_000, true}},
			{Kind: Repeat, Times: Between(3, 4), Steps: []Step{{Kind: OneWay, Size: Exactly(7)}, {Kind: Think, Pause: Quantity{5e9, 5e9, true}},
				{Kind: Back, Size: Between(1e6, 2e6)}}}},
		Handshake: NoHandshake, Teardown: ByServer, PacketSize: 100, Payload: SMTP,
		Refused: 0.01, Silent: 0.02, Unreachable: 0.03, TimeExceeded: 0.04, Reset: 0.05, Loss: 0.005,
		Fragments: 0.06, FragmentSize: 600, PathMTU: 1400, Narrow: 0.07,
		RTT: Quantity{30e6, 30e6, true}, Speed: 10e6, Window: 1, Tries: 3, Timeout: 1500 * time.Millisecond,
	}, got)

	require.Equal(t, Profile{Name: "x", Proto: UDP, Ports: []PortRange{{9, 9}}, SourcePorts: []PortRange{{32768, 60999}},
		Script: []Step{{Kind: BothWays, Size: Exactly(172), Every: 20 * time.Millisecond, Pause: Between(5e9, 30e9)}},
		RTT:    Between(5e6, 80e6), Speed: 1e9, Window: 10, Tries: 1, Timeout: time.Second},
		profile(t, "x: udp, port 9, 172 bytes both ways every 20ms for 5s-30s"))
}

func TestSeveralProfilesKeepTheirOrder(t *testing.T) {
	list, err := ParseProfiles(strings.NewReader("b: icmp, 56 one way\r\n\r\na: udp, port 9,\r\n\t1 one way\n"), "f")
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a"}, []string{list[0].Name, list[1].Name})
}

func TestAByteOrderMarkIsNoPartOfAName(t *testing.T) {
	list, err := ParseProfiles(strings.NewReader("\ufeffx: icmp, 56 one way\r\n"), "f")
	require.NoError(t, err)
	require.Equal(t, "x", list[0].Name)
	_, err = ParseProfiles(strings.NewReader("\ufeff"), "f")
	require.ErrorContains(t, err, "f:1: the file holds no profile")
}

func TestEveryFormThatAnErrorNamesIsAnItem(t *testing.T) {
	for _, f := range forms {
		form := strings.Trim(f.form, `"`)
		text := "x: tcp, port 80, " + form
		switch {
		case strings.HasPrefix(form, "port"):
			text = "x: tcp, " + form
		case strings.Contains(form, "both ways"):
			text = "x: udp, port 80, " + form
		}
		_, err := ParseProfiles(strings.NewReader(text), "f")
		require.NoError(t, err, form)
	}
}

func TestWhatIsWrongWithAProfileIsSaidWithItsLine(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "f:1: the file holds no profile"},
		{"# nothing\n", "f:1: the file holds no profile"},
		{"\n  port 80\n", "f:2: the line is indented, and no profile stands above it"},
		{"x tcp\n  port: 80", `f:1: "x tcp": a profile begins with its name and a colon`},
		{"X: tcp, port 80", `f:1: "X" is no name`},
		{strings.Repeat("x", 33) + ": tcp", "f:1: \"xxx"},
		{"list: icmp, 1 one way", "f:1: no profile is called list"},
		{"x: icmp, 1 one way\n\nx: icmp, 1 one way", "f:3: profile x is already on line 1"},
		{"x: port 80, tcp", `f:1: x: "port 80": the first item is the protocol`},
		{"x: tcp, udp", `f:1: x: "udp": the protocol is the first item`},
		{"x: sctp, port 80", `"sctp": the first item is the protocol`},
		{"x: tcp, port 80,\n  500 one way,\n  bananas", `f:3: x: "bananas" is unknown; items are like "500 bytes one way", "10k back", `},
		{"x: tcp, port 80, 500 one way,", "f:1: x: nothing stands between two commas, or behind the last one"},
		{"x: tcp,, port 80", "nothing stands between two commas"},
		{"x: tcp, port 80,\n\n# the end\n", "f:1: x: nothing stands between two commas, or behind the last one; an item does"},
		{"x: tcp, port 80,\n  loss 1%,\n  5 one way,\n\ny: tcp, port 80", "f:3: x: nothing stands"},
		{"x: tcp, port 80,\n ,\n 5 one way", "f:1: x: nothing stands"},
		{"x: tcp, port 80,\n  5 one way\n  9 back", `f:2: x: "5 one way 9" is no size; 500, 10k and 5M are (the item goes on behind the end of the line: is a comma missing?)`},
		{"x: tcp, port 80,\n  3 times (1 one way,\n  2 back,\n\n", "f:2: x: a parenthesis is not closed"},
		{"x: tcp, port 80,\n  3 times (1 one way),\n  think 1s,\n  2 times (think 1s)", "f:4: x: a repetition in which nothing is said"},
		{"x: udp, port 53,\n  40 one way,\n  2 times (think 1s,\n  40 back), payload dns", "f:4: x: a message of 40 bytes: dns has at least 48 here"},
		{"x: udp, port 53,\n  3 one way,\n  reset 3%", "f:3: x: reset: only tcp has resets"},
		{"x: icmp,\n  3 one way,\n  source port 3", "f:3: x: icmp has no ports"},
		{"x: tcp, port 80,\n  refused 60%,\n  loss 1%,\n  silent 50%", "f:4: x: refused, silent, unreachable and time exceeded are 110% together; at most 100%"},
		{"x: tcp, port 80,\n  half open,\n  3 one way", "f:3: x: in a half open connection nothing is said"},
		{"x: tcp, port 80,\n  loss 1%,\n  loss 2%", "f:3: x: loss is said twice, on line 2 before"},
		{"x: tcp, port 80, packet sizes 160", `f:1: x: "packet sizes 160" is unknown; near it: "packets of 160 bytes"`},
		{"x: tcp, port 80, teardown or reset", `"teardown or reset" is unknown; near it: "teardown by client", "teardown by server", "teardown by reset", "no teardown", "reset 2%"`},
		{"x: tcp, port 80, handshake and nonsense or so", `"handshake and nonsense or so" is unknown; near it: "handshake", "no handshake"`},
		{"x: tcp, port 80, latency 20ms", `near it: "rtt 20ms"`},
		{"x: tcp, port 80, one way", `the size is missing; "500 bytes one way" and "10k back" have one`},
		{"x: tcp, port 80, bytes back", "the size is missing"},
		{"x: tcp, port 80, about one way", "the size is missing"},
		{"x: tcp, port 80, 200- back", `"200-": a range has a number before and behind the hyphen`},
		{"x: tcp, port 80, think -20ms", `think: "-20ms": a range has a number before and behind the hyphen, and none is below 0`},
		{"x: tcp\n", `f:1: x: no port`},
		{"x: tcp, port", `"port" is unknown`},
		{"x: tcp, port 0", `port: "0" is no port`},
		{"x: tcp, port 70000", `port: "70000" is no port`},
		{"x: tcp, port 9-8", `port: "9-8" is no port and no range`},
		{"x: tcp, port -8", `port: "-8" is no port`},
		{"x: tcp, port 80, port 81", "port is said twice"},
		{"x: tcp, port 80, loss 1%, loss 2%", "loss is said twice"},
		{"x: tcp, port 80, 0 one way", `"0": a size is 1 to 1073741824`},
		{"x: tcp, port 80, 2G one way", `"2G": a size is 1 to 1073741824`},
		{"x: tcp, port 80, 99999999999999999999999 one way", "a size is 1 to 1073741824"},
		{"x: tcp, port 80, 99999999999999999999G one way", "a size is 1 to 1073741824"},
		{"x: tcp, port 80, -5 one way", `"-5": a range has a number before and behind the hyphen, and none is below 0`},
		{"x: tcp, port 80, +5 one way", `"+5" is no size`},
		{"x: tcp, port 80, 9-5 one way", `"9-5": the range ends before it begins`},
		{"x: tcp, port 80, about 5-9 one way", "a mean is one number"},
		{"x: tcp, port 80, some back", `"some" is no size; 500, 10k and 5M are`},
		{"x: tcp, port 80, think time", `"think 20ms" has one`},
		{"x: tcp, port 80, think 5", `"5" is no time`},
		{"x: tcp, port 80, think 2h", `think: "2h": a time is 0s to 1h0m0s`},
		{"x: tcp, port 80, think about 0s", "a mean of 0"},
		{"x: tcp, port 80, think 1ms--1ms", `"-1ms" is no time`},
		{"x: tcp, port 80, 3 times (1 one way", "a parenthesis is not closed"},
		{"x: tcp, port 80, 1 one way)", "a closing parenthesis without an opening one"},
		{"x: tcp, port 80, 3 times ((1 one way))", "parentheses within parentheses"},
		{"x: tcp, port 80,\n 3 times (1 one way,\n  port 80)", `f:3: x: "port 80": in a repetition stand messages and pauses`},
		{"x: tcp, port 80, 3 times (1 one way) back", "is not like"},
		{"x: tcp, port 80, (1 one way)", "is not like"},
		{"x: tcp, port 80, 3 times (think 1s)", "a repetition in which nothing is said"},
		{"x: tcp, port 80, 3 times ()", "in a repetition stand messages and pauses"},
		{"x: tcp, port 80, 2000000 times (1 one way)", "is 1 to 1000000"},
		{"x: tcp, port 80, 5 both ways every 1s for 2s", `"both ways" is for udp`},
		{"x: udp, port 80, 5 both ways", `is not like "172 bytes both ways every 20ms for 5s-60s"`},
		{"x: udp, port 80, 5 both ways every 1us for 5s", "every 1µs: it is 100µs to 1h"},
		{"x: udp, port 80, 5 both ways every 1s for 48h", "is 1ns to 24h0m0s"},
		{"x: udp, port 80, 5 both ways every x for 48h", `"x" is no time`},
		{"x: udp, port 80, 70000 both ways every 1s for 1s", "at most 65507"},
		{"x: udp, port 80", "nothing is said"},
		{"x: udp, port 80, 5 back", "the client speaks first"},
		{"x: udp, port 80, 5 one way, handshake", `"handshake" is for tcp`},
		{"x: udp, port 80, 5 one way, reset 5%", "only tcp has resets"},
		{"x: icmp, port 80, 5 one way", "icmp has no ports"},
		{"x: icmp, 5 one way, 5 back", "an echo request is answered by itself"},
		{"x: icmp, 65508 one way", "at most 65507"},
		{"x: tcp, port 80, handshake and half open", "how the connection begins is said twice"},
		{"x: tcp, port 80, teardown, no teardown", "how the connection ends is said twice"},
		{"x: tcp, port 80, handshake and nonsense", `"handshake and nonsense" is unknown; near it: "handshake"`},
		{"x: tcp, port 80, half open, 5 one way", "in a half open connection nothing is said"},
		{"x: tcp, port 80, loss 5", `loss: "5" is no percentage`},
		{"x: tcp, port 80, loss 101%", "is no percentage from 0% to 100%"},
		{"x: tcp, port 80, loss -1%", "is no percentage"},
		{"x: tcp, port 80, loss 1e1%", "is no percentage"},
		{"x: tcp, port 80, refused 60%, silent 50%", "are 110% together"},
		{"x: tcp, port 80, fragments 5% of 60 bytes", `"60" is no number from 68 to 65535`},
		{"x: tcp, port 80, path mtu 60", "no number from 68 to 65535"},
		{"x: tcp, port 80, path mtu 600 in a", "is no percentage"},
		{"x: tcp, port 80, rtt 2m", "rtt: \"2m\": a time is 0s to 1m0s"},
		{"x: tcp, port 80, speed 5", "no speed from 1 kbit to 1000 gbit"},
		{"x: tcp, port 80, speed 0 mbit", "no speed"},
		{"x: tcp, port 80, speed 2000 gbit", "no speed"},
		{"x: tcp, port 80, window 65 packets", "no number from 1 to 64"},
		{"x: tcp, port 80, tries 0", "no number from 1 to 16"},
		{"x: tcp, port 80, timeout 1us", "a time is 1ms to 1h0m0s"},
		{"x: tcp, port 80, packets of 0 bytes", "no number from 1 to 65507"},
		{"x: tcp, port 80, payload rubbish", "payloads are letters, random, http"},
		{"x: udp, port 53, 30 one way, payload dns", "a message of 30 bytes: dns has at least 35 here"},
		{"x: udp, port 53, 40 one way, 40 back, payload dns", "dns has at least 48 here"},
		{"x: udp, port 53, about 40 one way, payload dns", "dns has 35 to 4096 here"},
		{"x: udp, port 123, 49 one way, payload ntp", "ntp has 48 to 48 here"},
		{"x: tcp, port 80" + strings.Repeat(", 5 one way", 65), "more than 64 steps"},
		{"x: tcp, port" + strings.Repeat(" 80", 101), "more than 100 ports"},
		{strings.Repeat("# a long file\n", 80_000), "the file is longer than 1048576 bytes"},
	} {
		list, err := ParseProfiles(strings.NewReader(tt.text), "f")
		require.ErrorContains(t, err, tt.want, tt.text)
		require.ErrorAs(t, err, new(*ParseError))
		require.Nil(t, list)
		require.NotContains(t, err.Error(), "\n")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestAnErrorOfReadingIsReturned(t *testing.T) {
	_, err := ParseProfiles(broken{}, "f")
	require.EqualError(t, err, "the disk is gone")
}

// Whatever the text, there is an error or a profile that makes packets.
func FuzzProfilesMakePackets(f *testing.F) {
	f.Add(ReadyText())
	f.Add("x: tcp, port 80, 3 times (about 5k one way, think 1s, 2-9 back), path mtu 700 in 50%, loss 5%, window 64 packets, no handshake")
	f.Add("x: icmp, 9999 one way, refused 20%, unreachable 20%, time exceeded 20%, fragments 50% of 68 bytes")
	f.Add("x: udp, port 1-9 in turn, 9k one way, 9k back, path mtu 700, time exceeded 50%, tries 16, timeout 1ms")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseProfiles(strings.NewReader(text), "f")
		if err != nil {
			require.ErrorAs(t, err, new(*ParseError))
			return
		}
		for i, p := range list {
			if i == 20 {
				return
			}
			for _, v6 := range []bool{false, true} {
				g, err := New(Config{Profiles: []Weighted{{p, 1}}, Count: 5, IPv6: v6, Rate: 1e5, Seed: 1})
				if err != nil { // an MTU or fragments that IPv6 does not have
					require.True(t, v6 && (p.PathMTU > 0 || p.FragmentSize > 0), err)
					continue
				}
				watchSome(t, g, 300)
			}
		}
	})
}

func TestQuantitiesHaveTheirMean(t *testing.T) {
	r := newRNG(1, 1)
	for _, q := range []struct {
		Quantity
		mean float64
	}{{Exactly(7), 7}, {Between(10, 30), 20}, {Quantity{1000, 1000, true}, 1000}, {Quantity{1 << 40, 1 << 40, true}, 1 << 40}} {
		sum, most := 0.0, uint64(0)
		const n = 100_000
		for range n {
			x := q.draw(&r)
			sum += float64(x)
			most = max(most, x)
			if !q.About {
				require.True(t, x >= q.Lo && x <= q.Hi)
			}
		}
		require.InEpsilon(t, q.mean, sum/n, 0.02)
		if q.About {
			require.Greater(t, float64(most), 9*q.mean)
			require.Less(t, float64(most), 46*q.mean)
		}
	}
}

func TestSharesAreChances(t *testing.T) {
	for _, tt := range []struct {
		text  string
		share float64
	}{{"0%", 0}, {" 0.25 %", 0.0025}, {"33%", 0.33}, {"100%", 1}} {
		share, err := ParseShare(tt.text)
		require.NoError(t, err)
		require.InDelta(t, tt.share, float64(share), 1e-12)
		r, c, n := newRNG(1, 1), share.chance(), 0
		for range 100_000 {
			if c.drawn(&r) {
				n++
			}
		}
		require.InDelta(t, tt.share, float64(n)/100_000, 0.005)
	}
}

func TestWritingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	g := run(t, Config{Count: 1 << 40}, ready(t, "ntp"))
	err := g.WritePcap(ctx, io.Discard, Raw, time.Unix(0, 0), func(int64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, g.Play(ctx, io.Discard, 0, nil), context.Canceled)
	g = run(t, Config{Count: 1000, Rate: 1e-3}, ready(t, "ntp"))
	ctx, cancel = context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, g.Play(ctx, io.Discard, 1, nil), context.DeadlineExceeded, "in the middle of a pause as well")
}

func TestTimesThatAPcapFileCannotHoldAreRefused(t *testing.T) {
	g := run(t, Config{Count: 1}, ready(t, "ntp"))
	err := g.WritePcap(context.Background(), io.Discard, Raw, time.Unix(1<<32, 0), nil)
	require.ErrorContains(t, err, "cannot hold the time")
}
