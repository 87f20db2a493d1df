package tree

// What the processor can do, asked once at start. The standard library knows
// but does not tell.

// HaveAVX512 reports whether the processor and the system can run the AVX-512
// batch path: AVX-512 F, BW, DQ and VL, BMI1 and BMI2, and the system saves the
// registers.
var HaveAVX512 = haveAVX512()

// cpuid runs the CPUID instruction, xgetbv reads extended control register 0.
func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)
func xgetbv() uint32

func haveAVX512() bool {
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false
	}
	const (
		osxsave = 1 << 27 // leaf 1, c
		popcnt  = 1 << 23
		zmm     = 0xe6 // XCR0: XMM, YMM, opmasks, both parts of ZMM
		bmi1    = 1 << 3
		bmi2    = 1 << 8
		f       = 1 << 16
		dq      = 1 << 17
		bw      = 1 << 30
		vl      = 1 << 31
		want    = bmi1 | bmi2 | f | dq | bw | vl // leaf 7, b
	)
	_, _, c, _ := cpuid(1, 0)
	if c&(osxsave|popcnt) != osxsave|popcnt || xgetbv()&zmm != zmm {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&want == want
}
