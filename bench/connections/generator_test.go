package connections

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPacketsOfReadyProfilesAreRight(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, p := range Ready() {
			t.Run(fmt.Sprintf("%s/ipv6=%t", p.Name, v6), func(t *testing.T) {
				g := run(t, Config{Count: few(p), IPv6: v6, Seed: 3}, short(p))
				w := watch(t, g)
				require.EqualValues(t, few(p), len(w.talks), "every connection is seen")
				require.Zero(t, w.fragments)
				require.Zero(t, w.errors)
				s := g.Stats()
				require.EqualValues(t, w.packets, s.Packets)
				require.Equal(t, []int64{few(p), few(p)}, []int64{s.Begun, s.Ended})
				for _, c := range w.talks {
					if p.Proto != TCP || p.Handshake != FullHandshake {
						continue
					}
					require.False(t, c.reset)
					for end := range 2 {
						require.Positive(t, c.fin[end], "both ends close")
						require.Equal(t, c.fin[end]+1, c.acked[1-end], "and everything is acknowledged")
						_, whole := c.stream(end)
						require.True(t, whole)
					}
				}
			})
		}
	}
}

func TestPacketsAreRightWhereEverythingGoesWrong(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, p := range Ready() {
			t.Run(fmt.Sprintf("%s/ipv6=%t", p.Name, v6), func(t *testing.T) {
				p = rough(short(p))
				p.Loss = 0.1
				w := watch(t, run(t, Config{Count: 2 * few(p), IPv6: v6, Seed: 3}, p))
				closed, resets := 0, 0
				for _, c := range w.talks {
					if c.reset {
						resets++
					}
					if c.reset || c.fin[0] == 0 || c.fin[1] == 0 {
						continue
					}
					closed++
					for end := range 2 {
						_, whole := c.stream(end)
						require.True(t, whole, "what came to the other end was seen")
					}
				}
				if p.Proto == TCP && p.Handshake == FullHandshake {
					require.Positive(t, resets)
					if few(p) > 20 {
						require.Positive(t, closed)
					}
				}
			})
		}
	}
}

// An http connection as the profile has it, with even answers: the packets one
// after the other.
func TestAConnectionHasTheseSteps(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a page", "x: tcp, port 80, 500 one way, think 5ms, 4000 back, teardown by server",
			"> SYN, < SYN-ACK, > ACK, > data, < ACK, < data, < data, < data, > ACK, > ACK, < FIN"},
		{"the server speaks first", "x: tcp, port 25, 80 back, teardown by reset", "> SYN, < SYN-ACK, > ACK, < data, > ACK, > RST"},
		{"it began before", "x: tcp, port 80, 100 one way, no handshake, no teardown", "> data, < ACK"},
		{"a half open one", "x: tcp, port 80, half open, tries 3", "> SYN, < SYN-ACK, < SYN-ACK, < SYN-ACK"},
		{"an open port in a scan", "x: tcp, port 80, half open with reset", "> SYN, < SYN-ACK, > RST"},
		{"a closed port", "x: tcp, port 80, 100 one way, refused 100%", "> SYN, < RST"},
		{"a filtered port", "x: tcp, port 80, 100 one way, silent 100%, tries 3", "> SYN, > SYN, > SYN"},
		{"no route", "x: tcp, port 80, 100 one way, unreachable 100%, tries 2", "> SYN, < icmp 3/1, > SYN, < icmp 3/1"},
		{"a loop of routers", "x: tcp, port 80, 100 one way, time exceeded 100%, tries 2", "> SYN, < icmp 11/0, > SYN, < icmp 11/0"},
		{"a question", "x: udp, port 9, 40 one way, 300 back", "> datagram, < datagram"},
		{"a question that nobody answers", "x: udp, port 9, 40 one way, 300 back, silent 100%, tries 3", "> datagram, > datagram, > datagram"},
		{"a closed UDP port", "x: udp, port 9, 2 times (40 one way, 300 back), refused 100%", "> datagram, < icmp 3/3"},
		{"UDP without a route", "x: udp, port 9, 40 one way, unreachable 100%", "> datagram, < icmp 3/1"},
		{"UDP in a loop of routers", "x: udp, port 9, 40 one way, 40 back, time exceeded 100%, tries 2", "> datagram, < icmp 11/0, > datagram, < icmp 11/0"},
		{"a message of several datagrams", "x: udp, port 9, 3000 one way, packets of 1000 bytes", "> datagram, > datagram, > datagram"},
		{"a stream both ways", "x: udp, port 9, 100 both ways every 20ms for 60ms, rtt 1ms",
			"> datagram, < datagram, > datagram, < datagram, > datagram, < datagram"},
		{"two echo requests", "x: icmp, 2 times (56 one way)", "> icmp 8/0, < icmp 0/0, > icmp 8/0, < icmp 0/0"},
		{"a refused echo request", "x: icmp, 56 one way, refused 100%", "> icmp 8/0, < icmp 3/13"},
		{"a narrow path", "x: tcp, port 80, 2000 one way, no teardown, path mtu 1000, rtt 20ms",
			"> SYN, < SYN-ACK, > ACK, > data, > data, < icmp 3/4, > data, > data, > data, < ACK, < ACK"},
		{"a narrow path and UDP", "x: udp, port 9, 1200 one way, 100 back, path mtu 1000, tries 2", "> datagram, < icmp 3/4, > datagram, < datagram"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, run(t, Config{Count: 20, Rate: 1}, profile(t, tt.text)))
			for i := range int64(20) {
				var steps []string
				for j, kind := range w.talks[i].flags {
					steps = append(steps, map[bool]string{true: "> ", false: "< "}[w.talks[i].fromUser[j]]+kind)
				}
				got := strings.Join(steps, ", ")
				if strings.HasSuffix(tt.want, "FIN") { // it goes on with one of the two teardowns
					require.Contains(t, []string{tt.want + ", > FIN, < ACK", tt.want + ", > ACK, > FIN, < ACK"}, got)
					continue
				}
				if tt.name == "a narrow path" && got != tt.want {
					continue // the error may come between others
				}
				require.Equal(t, tt.want, got)
			}
		})
	}
}

// failing are profiles with every ICMP error.
const failing = `
a: udp, port 9, 100 one way, 100 back, refused 30%, unreachable 30%, time exceeded 30%
b: icmp, 56 one way, refused 20%, unreachable 20%, time exceeded 20%
c: tcp, port 80, 5000 one way, 9000 back, path mtu 1400, refused 10%, unreachable 10%, time exceeded 20%, tries 2
d: udp, port 9, 1400 one way, 3000 back, path mtu 1300, packets of 3000 bytes, tries 3
`

func TestErrorsQuoteThePacketThatTheyAreAbout(t *testing.T) {
	list, err := ParseProfiles(strings.NewReader(failing), "failing")
	require.NoError(t, err)
	want := [2][]string{
		{"icmp 11/0", "icmp 3/1", "icmp 3/13", "icmp 3/3", "icmp 3/4"},
		{"icmpv6 1/1", "icmpv6 1/3", "icmpv6 1/4", "icmpv6 2/0", "icmpv6 3/0"},
	}
	for i, v6 := range []bool{false, true} {
		for _, bad := range []bool{false, true} {
			profiles := slices.Clone(list)
			if bad {
				for i := range profiles {
					profiles[i].Loss, profiles[i].Fragments, profiles[i].FragmentSize = 0.1, 0.3, 80
				}
			}
			w := watch(t, run(t, Config{Count: 500, IPv6: v6, Seed: 5}, profiles...))
			for _, kind := range want[i] {
				require.Positive(t, w.kinds[kind], kind)
			}
			require.Greater(t, w.errors, 200)
			if bad {
				require.Positive(t, w.whole)
			}
			for _, c := range w.talks {
				if up, whole := c.stream(client); !bad && c.profile == 2 && len(up) > 0 {
					require.True(t, whole)
					require.Len(t, up, 5000, "smaller packets come through")
				}
			}
		}
	}
}

func TestStreamsSayWhatTheScriptSays(t *testing.T) {
	p := profile(t, "x: tcp, port 80, 3 times (500 one way, 20k back), 7 one way, payload letters")
	for _, loss := range []Share{0, 0.05} {
		p.Loss, p.Tries = loss, MaxTries
		w := watch(t, run(t, Config{Count: 50}, p))
		for _, c := range w.talks {
			up, ok1 := c.stream(client)
			down, ok2 := c.stream(server)
			require.True(t, ok1 && ok2)
			require.Equal(t, []int{1507, 60000}, []int{len(up), len(down)})
		}
	}
}

func TestPayloadsHaveTheFormOfTheirProtocol(t *testing.T) {
	w := watch(t, run(t, Config{Count: 1}, profile(t, "x: tcp, port 80, 500 one way, 10k back, payload http")))
	up, _ := w.talks[0].stream(client)
	down, _ := w.talks[0].stream(server)
	require.Equal(t, "GET /page HTTP/1.1\r\n", string(up[:20]))
	require.Equal(t, "\r\n\r\n", string(up[len(up)-4:]))
	head, body, ok := bytes.Cut(down, []byte("\r\n\r\n"))
	require.True(t, ok)
	require.Contains(t, string(head), fmt.Sprintf("Content-Length: %010d", len(body)))

	for _, size := range []int{35, 36, 49, 50, 51, 500} {
		for _, answer := range []int{48, 49, 64, 300, 1400} {
			p := profile(t, fmt.Sprintf("x: udp, port 53, %d one way, %d back, payload dns", size, answer))
			w := watch(t, run(t, Config{Count: 1}, p))
			c := w.talks[0]
			require.Equal(t, []int{size, answer}, []int{len(c.payload[0][0]), len(c.payload[1][0])})
			require.Equal(t, c.payload[0][0][:2], c.payload[1][0][:2], "the identifiers")
			if size == 35 {
				require.Equal(t, c.payload[0][0][12:35], c.payload[1][0][12:35], "the questions")
			}
		}
	}
	w = watch(t, run(t, Config{Count: 1}, profile(t, "x: icmp, 99 one way")))
	require.Equal(t, w.talks[0].payload[0], w.talks[0].payload[1], "an echo says what was asked")
}

func TestTheSameSeedGivesTheSamePackets(t *testing.T) {
	all := func(seed uint64) (list [][]byte) {
		var c []Profile
		for _, p := range Ready() {
			if few(p) > 20 {
				c = append(c, rough(p))
			}
		}
		for p := range run(t, Config{Count: 100, Seed: seed}, c...).All() {
			list = append(list, append(bytes.Clone(p.Data), fmt.Sprint(p.Time, p.Connection)...))
		}
		return list
	}
	one := all(1)
	require.True(t, slices.EqualFunc(one, all(1), bytes.Equal))
	require.False(t, slices.EqualFunc(one, all(2), bytes.Equal))
}

// footprint is what a generator holds, in elements of its structures.
func footprint(g *Generator) int {
	n := cap(g.conns) + cap(g.heap) + cap(g.free) + cap(g.out.whole) + cap(g.out.piece)
	for _, c := range g.conns {
		n += 50 + cap(c.queue)
	}
	for class, kept := range g.queues {
		n += queueSizes[class] * len(kept)
	}
	return n
}

func TestMemoryDoesNotGrowWithTheNumberOfConnections(t *testing.T) {
	// 10 to 100,000 connections: at 2,000 a second with answers after 5 to 80
	// ms, some 90 are under way at a time.
	p := ready(t, "ntp")
	sizes, live := map[int64]int{}, map[int64]int{}
	for _, n := range []int64{10, 10_000, 100_000} {
		g := run(t, Config{Count: n, Rate: 2000}, p)
		for range g.All() {
		}
		sizes[n], live[n] = footprint(g), g.Stats().MostLive
		require.Empty(t, g.used)
		require.Len(t, g.free, len(g.conns))
		require.LessOrEqual(t, len(g.conns), live[n]+1)
	}
	require.Greater(t, live[10_000], 2*live[10])
	require.Less(t, live[100_000], 2*live[10_000])
	require.Less(t, float64(sizes[100_000]), 1.1*float64(sizes[10_000]))
}

func TestArraysOfQueuesAreUsedAgain(t *testing.T) {
	var q queues
	var small, large []event
	for i := range 300 { // beyond the largest that is kept
		e := event{at: int64(i)}
		if len(large) == cap(large) {
			large = q.grow(large)
		}
		large = append(large, e)
	}
	for i, e := range large {
		require.EqualValues(t, i, e.at, "what is in a queue stays")
	}
	for class, kept := range q {
		require.Len(t, kept, 1, "the array of %d events", queueSizes[class])
	}
	q.keep(large)
	for len(small) < 256 {
		if len(small) == cap(small) {
			small = q.grow(small)
		}
		small = append(small, event{})
	}
	q.keep(small)
	for class, kept := range q {
		require.Len(t, kept, 1, "no second array of %d events", queueSizes[class])
	}
}

func TestNoMoreConnectionsThanMaxLiveAreUnderWay(t *testing.T) {
	g := run(t, Config{Count: 3000, Rate: 1e6, MaxLive: 100}, ready(t, "ntp"))
	w := watch(t, g)
	s := g.Stats()
	require.Equal(t, 100, s.MostLive)
	require.Len(t, w.talks, 3000, "the others wait")
	require.Positive(t, s.Delayed)
	require.Greater(t, s.Last, 500*time.Millisecond)
}

func TestNoTwoConnectionsUnderWayHaveTheSameTuple(t *testing.T) {
	from, err := ParseAddresses("10.0.0.1")
	require.NoError(t, err)
	to, err := ParseAddresses("10.0.0.2")
	require.NoError(t, err)
	p := profile(t, "x: tcp, port 80, source port 1000-1019, 100 one way, 100 back, rtt 20ms")
	g := run(t, Config{Count: 400, Rate: 1e4, From: from, To: to}, p)
	open := map[uint16]int64{}
	var times []time.Duration
	for p := range g.All() {
		source := uint16(p.Data[20])<<8 | uint16(p.Data[21])
		if !p.FromClient {
			source = uint16(p.Data[22])<<8 | uint16(p.Data[23])
		}
		if n, ok := open[source]; !ok || n < p.Connection {
			open[source] = p.Connection
		}
		require.Equal(t, open[source], p.Connection, "a connection that another has followed on its ports is over")
		times = append(times, p.Time)
	}
	require.Len(t, open, 20)
	require.Equal(t, 20, g.Stats().MostLive)
	require.True(t, slices.IsSorted(times))
}

func TestOnePossibleTupleServesOneConnectionAfterTheOther(t *testing.T) {
	from, _ := ParseAddresses("10.0.0.1")
	to, _ := ParseAddresses("10.0.0.2")
	g := run(t, Config{Count: 50, From: from, To: to}, ready(t, "ntp"))
	last := int64(0)
	for p := range g.All() {
		require.GreaterOrEqual(t, p.Connection, last)
		last = p.Connection
	}
	require.Equal(t, int64(49), last)
	require.Equal(t, 1, g.Stats().MostLive)
}

func TestConnectionsBeginAsArrivalsSay(t *testing.T) {
	p := profile(t, "x: udp, port 9, 10 one way, rtt 0s")
	for _, how := range arrivalNames {
		arrivals, err := ParseArrivals(how)
		require.NoError(t, err)
		const n = 20_000
		var times []time.Duration
		for p := range run(t, Config{Count: n, Rate: 500, Arrivals: arrivals}, p).All() {
			times = append(times, p.Time)
		}
		require.Len(t, times, n)
		require.InEpsilon(t, n/500, times[n-1].Seconds(), 0.05, how)
		gaps := map[time.Duration]int{}
		short := 0
		for i := range n - 1 {
			gap := times[i+1] - times[i]
			gaps[gap]++
			if gap < 2*time.Millisecond {
				short++
			}
		}
		switch arrivals {
		case Even:
			require.True(t, maps.Equal(map[time.Duration]int{2 * time.Millisecond: n - 1}, gaps))
		case Bursts:
			require.True(t, maps.Equal(map[time.Duration]int{0: n - n/burst, 200 * time.Millisecond: n/burst - 1}, gaps))
		case Poisson:
			require.InDelta(t, 1-0.3679, float64(short)/n, 0.02, "1 - 1/e of the gaps are below the mean")
		}
	}
	_, err := ParseArrivals("now")
	require.ErrorContains(t, err, "poisson, even or bursts")
}

func TestProfilesComeByTheirWeights(t *testing.T) {
	a, b := ready(t, "ntp"), ready(t, "dns")
	g, err := New(Config{Count: 10_000, Profiles: []Weighted{{a, 3}, {b, 1}}})
	require.NoError(t, err)
	n := map[int]int{}
	seen := map[int64]bool{}
	for p := range g.All() {
		if !seen[p.Connection] {
			seen[p.Connection] = true
			n[p.Profile]++
		}
	}
	require.InDelta(t, 7500, n[0], 200)
	require.Equal(t, 10_000, n[0]+n[1])
}

func TestSharesAreKept(t *testing.T) {
	p := profile(t, "x: tcp, port 1-1000 in turn, half open with reset, refused 50%, silent 30%, tries 1, loss 0%")
	w := watch(t, run(t, Config{Count: 10_000}, p))
	require.InDelta(t, 5000+2000, w.kinds["RST"], 150)
	require.InDelta(t, 2000, w.kinds["SYN-ACK"], 150)
	require.Equal(t, 10_000, w.kinds["SYN"])

	p = profile(t, "x: udp, port 9, 100 times (10 one way), loss 20%")
	g := run(t, Config{Count: 1000}, p)
	for range g.All() {
	}
	require.InDelta(t, 90_000, g.Stats().Packets, 1000, "half of what is lost is lost before the observer")
}

func TestPortsInTurnComeInTurn(t *testing.T) {
	p := profile(t, "x: tcp, port 10-12 20 in turn, half open, tries 1, silent 100%, rtt 0s")
	var ports []uint16
	for p := range run(t, Config{Count: 8}, p).All() {
		ports = append(ports, uint16(p.Data[22])<<8|uint16(p.Data[23]))
	}
	require.Equal(t, []uint16{10, 11, 12, 20, 10, 11, 12, 20}, ports)
}

func TestAGeneratorRefusesWhatItCannotMake(t *testing.T) {
	http := ready(t, "http")
	addr := func(s string) Addresses {
		a, err := ParseAddresses(s)
		require.NoError(t, err)
		return a
	}
	narrow := profile(t, "x: udp, port 9, 10 one way, path mtu 600")
	small := profile(t, "x: udp, port 9, 10 one way, fragments 1% of 79 bytes")
	broken := http
	broken.Window = 65
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Count: 0}, "0 connections: there is at least one"},
		{Config{Count: -1}, "-1 connections"},
		{Config{Count: 1, Rate: -1}, "-1 connections a second: above 0"},
		{Config{Count: 1, Rate: 1e10}, "at most 1e+09"},
		{Config{Count: 1 << 50, Rate: 1}, "more than 50 years"},
		{Config{Count: 1, MTU: 67}, "an MTU of 67 bytes is too small: at least 68"},
		{Config{Count: 1, MTU: 1279, IPv6: true}, "at least 1280"},
		{Config{Count: 1, MTU: 65536}, "at most 65535"},
		{Config{Count: 1, MaxLive: -1}, "there is at least one"},
		{Config{Count: 1, Arrivals: 9}, "arrivals 9"},
		{Config{Count: 1, From: addr("10.0.0.1"), To: addr("2001:db8::7")}, "10.0.0.1 and 2001:db8::7: one is of IPv4, the other of IPv6"},
		{Config{Count: 1, From: addr("10.0.0.1"), IPv6: true}, "10.0.0.1 is no IPv6 address"},
		{Config{Count: 1, From: addr("10.0.0.1"), To: addr("10.0.0.1")}, "both ends are the host 10.0.0.1"},
		{Config{Count: 1, Profiles: []Weighted{{http, 0}}}, "profile http: a weight of 0"},
		{Config{Count: 1, Profiles: []Weighted{{broken, 1}}}, "profile http: a window of 65 packets"},
		{Config{Count: 1, IPv6: true, Profiles: []Weighted{{narrow, 1}}}, "every IPv6 path carries packets of 1280 bytes"},
		{Config{Count: 1, IPv6: true, Profiles: []Weighted{{small, 1}}}, "fragments of 79 bytes: in IPv6 at least 80"},
		{Config{Count: 1, Profiles: []Weighted{{Profile{}, 1}}}, "no protocol"},
	} {
		if tt.cfg.Profiles == nil {
			tt.cfg.Profiles = []Weighted{{http, 1}}
		}
		_, err := New(tt.cfg)
		require.ErrorContains(t, err, tt.want)
	}
	_, err := New(Config{Count: 1})
	require.ErrorContains(t, err, "no profile")
}

func TestPacketsOfExtremeSizesAreRight(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, mtu := range []int{minMTU4, minMTU6, 9000, MaxMTU} {
			if v6 && mtu < minMTU6 {
				continue
			}
			w := watch(t, run(t, Config{Count: 5, MTU: mtu, IPv6: v6},
				profile(t, "a: tcp, port 80, 100k one way, 1 back, window 64 packets, rtt 1ms"),
				profile(t, "b: udp, port 9, 65507 one way, 1 back, packets of 65507 bytes"),
				profile(t, "c: icmp, 65507 one way, rtt 0s")))
			require.Len(t, w.talks, 5)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	g := run(t, Config{Count: 1 << 40}, rough(ready(t, "http")), rough(ready(t, "dns")))
	for range 100_000 {
		g.Next()
	}
	require.Less(t, testing.AllocsPerRun(20_000, func() { g.Next() }), 0.05, "but where more are under way than before")
}

func BenchmarkNext(b *testing.B) {
	for _, p := range Ready() {
		b.Run("profile="+p.Name, func(b *testing.B) {
			g := run(b, Config{Count: 1 << 40, Rate: 10_000, Seed: 1}, p)
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				p, _ := g.Next()
				bytes += len(p.Data)
			}
			b.ReportMetric(float64(bytes)/float64(b.N), "B/packet")
		})
	}
}
