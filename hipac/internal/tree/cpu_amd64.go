package tree

// What the processor can do, asked once at start. The standard library knows
// but does not tell.

// HaveAVX512 reports whether the processor and the system can run the AVX-512
// batch path: AVX-512 F, BW, DQ and VL, BMI1 and BMI2, and the system saves the
// registers.
var HaveAVX512 = canAVX512(cpuid, xgetbv)

// cpuid runs the CPUID instruction, xgetbv reads extended control register 0.
func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)
func xgetbv() uint32

// Bits of what cpuid and xgetbv answer.
const (
	osxsave = 1 << 27 // leaf 1, c: there is xgetbv
	popcnt  = 1 << 23 // leaf 1, c
	bmi1    = 1 << 3  // leaf 7, b, as those below
	bmi2    = 1 << 8
	avx512f = 1 << 16
	dq      = 1 << 17
	bw      = 1 << 30
	vl      = 1 << 31
	zmm     = 0xe6 // XCR0: XMM, YMM, opmasks, both parts of ZMM
)

func canAVX512(cpuid func(leaf, subleaf uint32) (a, b, c, d uint32), xgetbv func() uint32) bool {
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false
	}
	_, _, c, _ := cpuid(1, 0)
	if c&(osxsave|popcnt) != osxsave|popcnt || xgetbv()&zmm != zmm {
		return false
	}
	const want = bmi1 | bmi2 | avx512f | dq | bw | vl
	_, b, _, _ := cpuid(7, 0)
	return b&want == want
}
