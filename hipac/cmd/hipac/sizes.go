package main

// Numbers of packets for people: 2^32, 1,234, about 2^40.3; shares in percent.

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// countOf writes a number of packets: exactly where that is short.
func countOf(n *big.Int) string {
	bits := n.BitLen()
	switch {
	case bits <= 20:
		return commas(n.String())
	case bits > 1 && n.TrailingZeroBits() == uint(bits-1):
		return fmt.Sprintf("2^%d", bits-1)
	}
	return fmt.Sprintf("2^%.1f", log2(n))
}

// packetsOf writes a number of packets that is a share of all.
func packetsOf(n *big.Int, share float64) string {
	switch {
	case share == 1:
		return "all packets"
	case n.IsInt64() && n.Int64() == 1:
		return "1 packet"
	}
	return countOf(n) + " packets"
}

// commas parts thousands.
func commas(digits string) string {
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}

// log2 is the logarithm of a number above 0.
func log2(n *big.Int) float64 {
	shift := max(n.BitLen()-53, 0)
	f, _ := new(big.Float).SetInt(new(big.Int).Rsh(n, uint(shift))).Float64()
	return math.Log2(f) + float64(shift)
}

// shareOf is n of all, 0 to 1.
func shareOf(n, all *big.Int) float64 {
	if all.Sign() == 0 || n.Sign() == 0 {
		return 0
	}
	if n.Cmp(all) == 0 {
		return 1
	}
	return min(math.Exp2(log2(n)-log2(all)), math.Nextafter(1, 0))
}

// percent writes a share.
func percent(share float64) string {
	switch p := share * 100; {
	case p == 0:
		return "0 %"
	case share == 1:
		return "100 %"
	case p > 99.99:
		return "over 99.99 %"
	case p >= 1:
		return fmt.Sprintf("%.4g %%", p)
	case p < 1e-6:
		return "under 0.000001 %"
	default:
		return strings.TrimRight(fmt.Sprintf("%.*f", 1-int(math.Floor(math.Log10(p))), p), "0") + " %"
	}
}
