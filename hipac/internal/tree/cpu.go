package tree

// HaveAVX512 reports whether the processor can run the AVX-512 batch path.
const HaveAVX512 = false
