package connections

// Profiles with items drawn at random: whatever is put together, the watcher
// can follow it.

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawProfile returns the text of a profile with random items.
func drawProfile(r *rng) string {
	pick := func(list ...string) string { return list[r.below(uint64(len(list)))] }
	maybe := func(list ...string) string {
		if r.below(2) == 0 {
			return ""
		}
		return ", " + pick(list...)
	}
	var b strings.Builder
	proto := pick("tcp", "tcp", "udp", "icmp")
	b.WriteString("x: " + proto)
	if proto != "icmp" {
		b.WriteString(", port " + pick("9", "9-20 in turn", "1-65535") + maybe("source port 9", "source port 100-110"))
	}
	size := func() string { return pick("1", "2-3", "500", "1460", "1461", "about 5k", "10k-20k", "65507") }
	message := func(first bool) string {
		switch {
		case proto == "icmp":
			return pick("1", "56", "1000-2000", "65507") + " one way"
		case proto == "udp" && r.below(4) == 0:
			return pick("1", "172", "3000") + " both ways every " + pick("1ms", "20ms") + " for " + pick("1ms", "50ms-200ms")
		case proto == "udp" && first:
			return size() + " one way"
		}
		return size() + pick(" one way", " back")
	}
	begins := ""
	half := proto == "tcp" && r.below(6) == 0
	if half {
		b.WriteString(", " + pick("half open", "half open with reset"))
	} else {
		for i := range 1 + r.below(3) {
			b.WriteString(maybe("think 1ms", "think about 300ms", "think 2s"))
			if r.below(3) == 0 && i > 0 {
				fmt.Fprintf(&b, ", %s times (%s, think %s, %s)", pick("1", "2-5", "about 4"), message(false), pick("0s", "1ms-1s"), message(false))
			} else {
				b.WriteString(", " + message(i == 0))
			}
		}
	}
	if proto == "tcp" {
		if !half {
			begins = maybe("no handshake", "handshake")
			b.WriteString(begins)
		}
		b.WriteString(maybe("teardown by server", "teardown by reset", "no teardown") + maybe("reset 50%", "reset 100%"))
		b.WriteString(maybe("window 1 packet", "window 2 packets", "window 64 packets"))
	}
	b.WriteString(maybe("packets of 20 bytes", "packets of 700 bytes", "packets of 65507 bytes"))
	b.WriteString(maybe("payload random", "payload letters"))
	b.WriteString(maybe("refused 25%, silent 25%", "unreachable 30%, time exceeded 30%"))
	if begins != ", no handshake" { // or nobody could tell where the streams began
		b.WriteString(maybe("loss 1%", "loss 10%", "loss 50%"))
	}
	b.WriteString(maybe("fragments 50%", "fragments 100% of 80", "fragments 50% of 1400"))
	b.WriteString(maybe("path mtu 1280", "path mtu 1400 in 50%"))
	b.WriteString(maybe("rtt 0s", "rtt 1ms", "rtt about 2s", "rtt 1m"))
	b.WriteString(maybe("speed 1 kbit", "speed 1000 gbit"))
	b.WriteString(maybe("tries 1", "tries 2", "tries 16"))
	b.WriteString(maybe("timeout 1ms", "timeout 10s"))
	return b.String()
}

// rounds is how many profiles a test draws; PROFILES=100000 is for a long run.
func rounds(t *testing.T) int {
	if s := os.Getenv("PROFILES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	return 200
}

func TestConnectionsOfAnyProfileCanBeFollowed(t *testing.T) {
	for i := range rounds(t) {
		r := newRNG(uint64(i), 99)
		text := drawProfile(&r)
		p := profile(t, text)
		c := Config{Profiles: []Weighted{{p, 1}}, Count: 6, Seed: uint64(i), IPv6: r.below(2) == 0, Rate: []float64{1, 1e3, 1e6}[r.below(3)]}
		c.MTU = []int{0, 1280, 1500, 9000, 65535}[r.below(5)]
		g, err := New(c)
		require.NoError(t, err)
		failed := true
		func() {
			defer func() {
				if failed {
					t.Log("profile", i, text, c.MTU, c.IPv6)
				}
			}()
			watchSome(t, g, 3000)
			failed = false
		}()
	}
}

func TestPacketsAreTheSameOnEveryMachine(t *testing.T) {
	h := sha256.New()
	var profiles []Profile
	for _, p := range Ready() {
		profiles = append(profiles, rough(short(p)))
	}
	list, err := ParseProfiles(strings.NewReader(failing), "failing")
	require.NoError(t, err)
	profiles = append(profiles, list...)
	for _, v6 := range []bool{false, true} {
		for p := range run(t, Config{Count: 300, IPv6: v6, Seed: 1}, profiles...).All() {
			fmt.Fprintln(h, p.Time, p.Connection, p.Profile, p.FromClient)
			h.Write(p.Data)
		}
	}
	require.Equal(t, "e7dde0a56ffbe0c8", fmt.Sprintf("%x", h.Sum(nil)[:8]), "what a seed makes has changed: say so to those who keep seeds")
}

// The tables are rounded from floating point, which differs in the last bit
// from machine to machine: no entry is so near to the middle between two whole
// numbers that it matters.
func TestTablesAreTheSameOnEveryMachine(t *testing.T) {
	for i := range expTable {
		u := float64(i) / (1 << tableBits)
		for _, x := range []float64{-math.Log1p(-u/2) * (1 << 32), math.Exp2(u) * (1 << 32)} {
			require.Greater(t, math.Abs(x-math.Floor(x)-0.5), 1e-5)
		}
	}
}
