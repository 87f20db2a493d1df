package tree

// Which processors get the AVX-512 path: those that say they have each instruction
// set that it uses, in the words of Intel's manual (volume 2, CPUID), and whose system
// saves the registers.

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAVX512IsForProcessorsThatHaveAllOfIt(t *testing.T) {
	const (
		leaf1c = uint32(1<<23 | 1<<27)                               // POPCNT, OSXSAVE
		leaf7b = uint32(1<<3 | 1<<8 | 1<<16 | 1<<17 | 1<<30 | 1<<31) // BMI1, BMI2, AVX512F, DQ, BW, VL
		xcr0   = uint32(1<<1 | 1<<2 | 1<<5 | 1<<6 | 1<<7)            // SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM
	)
	can := func(top, c, b, x uint32) bool {
		cpuid := func(leaf, subleaf uint32) (uint32, uint32, uint32, uint32) {
			require.Zero(t, subleaf)
			switch leaf {
			case 0:
				return top, ^uint32(0), ^uint32(0), ^uint32(0)
			case 1:
				return 0, 0, c, 0
			case 7:
				require.GreaterOrEqual(t, top, uint32(7))
				return 0, b, 0, 0
			}
			t.Errorf("leaf %d", leaf)
			return 0, 0, 0, 0
		}
		return canAVX512(cpuid, func() uint32 {
			require.NotZero(t, c&(1<<27), "xgetbv is an illegal instruction")
			return x
		})
	}
	require.True(t, can(7, leaf1c, leaf7b, xcr0))
	require.True(t, can(32, ^uint32(0), ^uint32(0), ^uint32(0)))
	require.False(t, can(6, leaf1c, leaf7b, xcr0))
	for i := range 32 {
		bit := uint32(1) << i
		require.Equal(t, leaf1c&bit == 0, can(7, ^bit, ^uint32(0), ^uint32(0)), "leaf 1, bit %d", i)
		require.Equal(t, leaf7b&bit == 0, can(7, ^uint32(0), ^bit, ^uint32(0)), "leaf 7, bit %d", i)
		require.Equal(t, xcr0&bit == 0, can(7, ^uint32(0), ^uint32(0), ^bit), "XCR0, bit %d", i)
	}
}

func TestTheProcessorSaysOfItselfWhatTheSystemSays(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("no /proc/cpuinfo: ", err)
	}
	_, flags, ok := strings.Cut(string(text), "\nflags")
	require.True(t, ok)
	flags, _, _ = strings.Cut(flags, "\n")
	has := strings.Fields(flags)
	all := true
	for _, f := range []string{"popcnt", "bmi1", "bmi2", "avx512f", "avx512dq", "avx512bw", "avx512vl"} {
		all = all && slices.Contains(has, f)
	}
	require.Equal(t, all, HaveAVX512)
}
