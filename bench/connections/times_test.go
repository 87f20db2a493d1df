package connections

// When packets come: retransmissions, intervals, and what a loss does.

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gaps returns the times between the packets of each connection that has n of
// them.
func gaps(w *watcher, n int) (list [][]time.Duration) {
	for _, c := range w.talks {
		if len(c.times) != n {
			continue
		}
		var gaps []time.Duration
		for i := range n - 1 {
			gaps = append(gaps, c.times[i+1]-c.times[i])
		}
		list = append(list, gaps)
	}
	return list
}

func TestWhatIsLostIsSentAgainAfterTwiceTheTime(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tt := range []struct {
		text string
		want []time.Duration
	}{
		{"x: tcp, port 80, silent 100%, tries 4", []time.Duration{s, 2 * s, 4 * s}},
		{"x: tcp, port 80, silent 100%, tries 3, timeout 300ms", []time.Duration{300 * ms, 600 * ms}},
		{"x: tcp, port 80, half open, tries 4, rtt 0s", []time.Duration{reply2, s, 2 * s, 4 * s}},
		{"x: tcp, port 80, no handshake, 5 one way, loss 100%, rtt 10ms, tries 4", []time.Duration{200 * ms, 400 * ms, 800 * ms}},
		{"x: tcp, port 80, no handshake, 5 one way, loss 100%, rtt 1s, tries 3", []time.Duration{2 * s, 4 * s}},
		{"x: tcp, port 80, no handshake, loss 100%, rtt 10ms, tries 3", []time.Duration{200 * ms, 400 * ms}}, // its FIN
		{"x: udp, port 9, 5 one way, 5 back, silent 100%, tries 3, timeout 2s", []time.Duration{2 * s, 2 * s}},
		{"x: icmp, 5 one way, silent 100%, tries 3, timeout 2s", []time.Duration{2 * s, 2 * s}},
	} {
		list := gaps(watch(t, run(t, Config{Count: 300}, profile(t, tt.text))), len(tt.want)+1)
		require.NotEmpty(t, list, tt.text) // with a loss, where all were lost behind the observer
		for _, gaps := range list {
			for i, want := range tt.want {
				require.InDelta(t, want, gaps[i], float64(ms), tt.text)
			}
		}
	}
}

// reply2 is from a SYN to its SYN-ACK where both ends are near.
const reply2 = time.Duration(reply)

func TestDuplicateAcknowledgementsBringWhatIsMissing(t *testing.T) {
	p := profile(t, "x: tcp, port 80, 500k one way, rtt 20ms, window 40 packets, loss 5%, tries 16, no handshake, no teardown")
	quick, slow := 0, 0
	for _, c := range watch(t, run(t, Config{Count: 20, Rate: 1000}, p)).talks {
		for i := range len(c.times) - 1 {
			// Two round-trip times without a packet: a timer has run out.
			if gap := c.times[i+1] - c.times[i]; gap > 150*time.Millisecond {
				slow++
			} else if gap > 5*time.Millisecond {
				quick++
			}
		}
	}
	require.Positive(t, slow, "sometimes the last packet of a flight is lost")
	require.Greater(t, quick, 10*slow)
}

func TestOfAPacketThatIsLostBeforeTheObserverOneFragmentIsMissing(t *testing.T) {
	p := profile(t, "x: udp, port 9, 1000 one way, fragments 100% of 400 bytes, loss 100%")
	w := watch(t, run(t, Config{Count: 2000}, p))
	require.Len(t, w.talks, 2000)
	require.InDelta(t, 1000, w.whole, 100, "the others are lost behind")
	require.Equal(t, 3*w.whole+2*(2000-w.whole), w.fragments)
}

func TestAStreamKeepsItsIntervals(t *testing.T) {
	p := profile(t, "x: udp, port 9, 100 both ways every 20ms for 2s, rtt 100ms")
	for _, c := range watch(t, run(t, Config{Count: 20}, p)).talks {
		var last [2]time.Duration
		var n [2]int
		for i, at := range c.times {
			end := server
			if c.fromUser[i] {
				end = client
			}
			if n[end]++; n[end] > 1 {
				require.Equal(t, 20*time.Millisecond, at-last[end])
			} else if end == server {
				require.Greater(t, at, c.times[0], "it has heard the client")
				require.Greater(t, i, 1)
			}
			last[end] = at
		}
		require.Equal(t, [2]int{100, 100}, n)
	}
}

func TestNoDatagramIsWithoutAChecksum(t *testing.T) {
	all := 0
	for p := range run(t, Config{Count: 150_000}, ready(t, "ntp")).All() {
		sum := int(p.Data[26])<<8 | int(p.Data[27])
		require.NotZero(t, sum)
		if sum == 0xffff {
			all++
		}
	}
	require.Positive(t, all, "0 is sent as all ones")
}
