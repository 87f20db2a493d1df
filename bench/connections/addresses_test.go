package connections

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// addr returns an address as netip has it.
func (a address) addr(v6 bool) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(a.hi>>(56-8*i)), byte(a.lo>>(56-8*i))
	}
	if v6 {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[12:]))
}

// draws counts the addresses of n draws.
func draws(t *testing.T, text string, v6 bool, n int) map[netip.Addr]int {
	t.Helper()
	a, err := ParseAddresses(text)
	require.NoError(t, err, text)
	require.Equal(t, text, a.String())
	r := newRNG(1, 1)
	seen := map[netip.Addr]int{}
	for i := range n {
		seen[a.draw(&r, v6, uint64(i)).addr(v6)]++
	}
	return seen
}

func TestAddressesAreThoseThatWereAskedFor(t *testing.T) {
	for _, tt := range []struct {
		text string
		want map[string]int // of 1000
	}{
		{"192.0.2.7", map[string]int{"192.0.2.7": 1000}},
		{"2001:db8::7", map[string]int{"2001:db8::7": 1000}},
		{"10.0.0.0/30", map[string]int{"10.0.0.1": 500, "10.0.0.2": 500}},
		{"10.0.0.0/31", map[string]int{"10.0.0.0": 500, "10.0.0.1": 500}},
		{"10.0.0.1=3,10.0.0.2", map[string]int{"10.0.0.1": 750, "10.0.0.2": 250}},
		{"turn:10.0.0.0/29", map[string]int{"10.0.0.1": 167, "10.0.0.2": 167, "10.0.0.3": 167, "10.0.0.4": 167, "10.0.0.5": 166, "10.0.0.6": 166}},
		{"2001:db8::/127", map[string]int{"2001:db8::": 500, "2001:db8::1": 500}},
	} {
		seen := draws(t, tt.text, tt.text[:4] == "2001", 1000)
		require.Len(t, seen, len(tt.want), tt.text)
		for s, n := range tt.want {
			require.InDelta(t, n, seen[netip.MustParseAddr(s)], 60, s)
		}
	}
}

func TestAddressesLieInTheirPrefix(t *testing.T) {
	for _, how := range []string{"", "zipf:", "turn:"} {
		for _, s := range []string{"10.0.0.0/8", "128.0.0.0/2", "10.1.2.0/24", "2001:db8::/32", "2001:db8::/63", "2001:db8::/64", "2001:db8::/65", "2000::/3"} {
			prefix := netip.MustParsePrefix(s)
			seen := draws(t, how+s, prefix.Addr().Is6(), 5000)
			for a := range seen {
				require.True(t, prefix.Contains(a), "%s %s", s, a)
			}
			if how == "" && s != "10.1.2.0/24" {
				require.Greater(t, len(seen), 4950)
			}
		}
	}
	halves := map[bool]int{}
	for a, n := range draws(t, "2001:db8::/32", true, 1000) {
		halves[a.As16()[4] >= 128] += n
		halves[a.As16()[15] >= 128] += n
	}
	require.InDelta(t, 1000, halves[true], 100, "all free bits are drawn")
}

func TestZipfAddressesAreAsOftenAsTheirRankSays(t *testing.T) {
	r := newRNG(1, 1)
	n := map[uint64]int{}
	const draws = 200_000
	for range draws {
		k := r.zipf(1000)
		require.Less(t, k, uint64(1000))
		n[k]++
	}
	// P(rank k) = log(1 + 1/(k+1)) / log(1001), of which these are the values.
	require.InDelta(t, 0.1003, float64(n[0])/draws, 0.005)
	require.InDelta(t, 0.0587, float64(n[1])/draws, 0.005)
	require.InDelta(t, 0.0138, float64(n[9])/draws, 0.002)
	require.Greater(t, len(n), 900)
	require.Zero(t, r.zipf(1))
	seen := map[netip.Addr]int{}
	a, err := ParseAddresses("zipf:2001:db8::/112")
	require.NoError(t, err)
	for i := range uint64(10_000) {
		seen[a.draw(&r, true, i).addr(true)]++
	}
	most := 0
	for _, n := range seen {
		most = max(most, n)
	}
	require.Greater(t, most, 500)
}

func TestRandomAddressesAreOfTheGlobalInternet(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		seen := draws(t, "random", v6, 20_000)
		require.Greater(t, len(seen), 19_900)
		for a := range seen {
			require.True(t, a.IsGlobalUnicast() && !a.IsPrivate(), a)
			require.Equal(t, v6, a.Is6())
			require.False(t, netip.MustParsePrefix("192.0.2.0/24").Contains(a))
			require.False(t, netip.MustParsePrefix("2001:db8::/32").Contains(a))
		}
	}
}

func TestTextThatIsNoAddressIsRefused(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `"" is not "random", an address, a prefix`},
		{"here", `"here" is not`},
		{"10.0.0.1,", `"" is not`},
		{"10.0.0.0/33", `"10.0.0.0/33" is not`},
		{"10.0.0.1/8", "10.0.0.1/8 has bits behind its length; 10.0.0.0/8 has none"},
		{"10.0.0.1,2001:db8::1", "10.0.0.1/32 and 2001:db8::1/128: IPv4 and IPv6 in one list"},
		{"10.0.0.1=0", `"0" is no weight`},
		{"10.0.0.1=-1", `"-1" is no weight`},
		{"10.0.0.1=2000000", "is no weight"},
		{"fe80::1%eth0", "an address with a zone"},
		{"::ffff:10.0.0.1", "an IPv4 address in IPv6 form"},
		{"224.0.0.1", "224.0.0.1 holds addresses that no host has"},
		{"0.0.0.0/0", "holds addresses that no host has"},
		{"255.255.255.255", "holds addresses that no host has"},
		{"ff02::1", "holds addresses that no host has"},
		{"::", "holds addresses that no host has"},
		{"random,10.0.0.1", `"random" is not`},
	} {
		_, err := ParseAddresses(tt.text)
		require.ErrorContains(t, err, tt.want, tt.text)
	}
	long := "10.0.0.1"
	for range MaxPlaces {
		long += ",10.0.0.1"
	}
	_, err := ParseAddresses(long)
	require.ErrorContains(t, err, "more than 1000")
}
